/* One video on a terminal, and as JSON. */
#include "coordinator/report/explain.h"

#include <math.h>
#include <string.h>

#include "coordinator/report/model.h"

/* Bytes that a terminal might act on, and what is not UTF-8, become "?" or U+FFFD. */
static void print_name(FILE *out, const char *name, bool is_plain)
{
    struct text t = {0};

    text_append_utf8(&t, name);
    for (const char *p = t.data ? t.data : ""; *p != '\0'; p++) {
        unsigned char byte = (unsigned char)*p;
        /* C1 controls are U+0080..U+009F: c2 80..9f. */
        bool is_c1 = byte == 0xc2 && (unsigned char)p[1] < 0xa0;

        if (byte < 0x20 || byte == 0x7f || is_c1 || (is_plain && byte >= 0x80))
            fputc('?', out);
        else
            fputc(byte, out);
        p += is_c1;
    }
    text_clear(&t);
}

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

static void print_share(FILE *out, const struct explain_rank *r, const char *what)
{
    if (r->n > 0)
        fprintf(out, "            higher than %5.1f %% of the %zu other %s with a score\n",
                100.0 * ((double)r->n_lower + 0.5 * (double)r->n_equal) / (double)r->n, r->n, what);
}

/* What the run's other detectors made of it. */
static void print_further(const struct explain *x, bool is_plain, FILE *out)
{
    struct detector_names names;

    detector_names_split(x->in->further_detectors, &names);
    for (size_t k = 0; k < names.n; k++) {
        struct member_score score = results_member(x->in->results, x->index, k);

        if (outcome_has_score(score.outcome))
            fprintf(out, "            %.4f by ", score.p_fake);
        else
            fprintf(out, "            no score (%s) by ", outcome_name(score.outcome));
        print_name(out, names.list[k], is_plain);
        if (score.message[0] != '\0') {
            fprintf(out, ": ");
            print_name(out, score.message, is_plain);
        }
        fprintf(out, "\n");
    }
}

static void print_head(const struct explain *x, bool is_plain, FILE *out)
{
    const struct result *r = x->result;

    fprintf(out, "video       ");
    print_name(out, x->entry->path, is_plain);
    fprintf(out, "\n");
    if (x->entry->label != LABEL_UNKNOWN) {
        fprintf(out, "label       %s", label_name(x->entry->label));
        if (x->entry->family[0] != '\0') {
            fprintf(out, ", family ");
            print_name(out, x->entry->family, is_plain);
        }
        fprintf(out, "\n");
    }
    fprintf(out, "outcome     %s", outcome_name(r->outcome));
    if (r->message[0] != '\0') {
        fprintf(out, ": ");
        print_name(out, r->message, is_plain);
    }
    fprintf(out, "\n");
    if (x->facts->codec[0] != '\0') {
        fprintf(out, "stream      %s, %u x %u", x->facts->codec, x->facts->width_px, x->facts->height_px);
        if (x->facts->duration_us > 0)
            fprintf(out, ", %.1f s", seconds(x->facts->duration_us));
        fprintf(out, "\n");
    }
    if (r->outcome != OUTCOME_UNDECIDED)
        fprintf(out, "frames      %u wanted, %u read", r->n_frames_wanted, r->n_frames_decoded);
    if (r->outcome != OUTCOME_UNDECIDED && !x->is_whole_frames)
        fprintf(out, ", %u with a face", r->n_frames_with_face);
    if (r->outcome != OUTCOME_UNDECIDED)
        fprintf(out, "\n");
    if (!outcome_has_score(r->outcome)) {
        print_further(x, is_plain, out);
        return;
    }
    fprintf(out, "P(fake)     %.4f by ", r->p_fake);
    print_name(out, x->in->detector_name ? x->in->detector_name : "the detector", is_plain);
    fprintf(out, "\n");
    print_further(x, is_plain, out);
    print_share(out, &x->all, "videos");
    print_share(out, &x->reals, "reals");
    print_share(out, &x->fakes, "fakes");
}

enum { MARGIN = 12, MAX_WIDTH = 400 };

/* The highest score in each column; NAN: nothing scored there. */
static void fill_columns(const struct explain *x, const struct explain_track *t, int64_t end_us, double *columns,
                         size_t n)
{
    for (size_t k = 0; k < n; k++)
        columns[k] = NAN;
    for (size_t i = t->first; i < t->first + t->n; i++) {
        const struct clip_score *c = &x->result->clips[i];
        double from = (double)c->start_us / (double)end_us * (double)n,
               to = (double)c->end_us / (double)end_us * (double)n;
        size_t first = from > 0 ? (size_t)fmin(from, (double)n - 1) : 0,
               last = to > 0 ? (size_t)fmin(to, (double)n - 1) : 0;

        for (size_t k = first; k <= last; k++)
            columns[k] = isnan(columns[k]) ? c->p_fake : fmax(columns[k], c->p_fake);
    }
}

static void print_cell(FILE *out, double p, bool is_plain)
{
    static const char *const blocks[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
                                         "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"};

    if (isnan(p))
        fputs(is_plain ? "." : "\xc2\xb7", out);
    else if (is_plain)
        fprintf(out, "%d", p < 1 ? (int)(p * 10) : 9);
    else
        fputs(blocks[p < 1 ? (int)(p * 8) : 7], out);
}

static void print_tracks(const struct explain *x, const struct explain_look *look, FILE *out)
{
    double columns[MAX_WIDTH];
    int64_t end_us = x->facts->duration_us;
    size_t n = (look->width < MAX_WIDTH ? look->width : MAX_WIDTH) - MARGIN;
    char end[32];

    for (size_t k = 0; k < x->result->n_clips; k++)
        end_us = x->result->clips[k].end_us > end_us ? x->result->clips[k].end_us : end_us;
    if (end_us <= 0)
        end_us = 1;
    snprintf(end, sizeof(end), "%.1f s", seconds(end_us));
    fprintf(out, "\n%*s0 s%*s\n", MARGIN, "", (int)n - 3, end);
    for (size_t k = 0; k < x->n_tracks; k++) {
        const struct explain_track *t = &x->tracks[k];
        char name[24];

        if (x->is_whole_frames)
            snprintf(name, sizeof(name), "frames");
        else
            snprintf(name, sizeof(name), "face %llu", (unsigned long long)t->track + 1);
        fprintf(out, "%-*s", MARGIN, name);
        fill_columns(x, t, end_us, columns, n);
        for (size_t c = 0; c < n; c++)
            print_cell(out, columns[c], look->is_plain);
        fprintf(out, "\n%*smean %.3f, %.3f to %.3f; %zu of %zu clip%s at 0.5 or more, over %.1f s\n", MARGIN, "",
                t->mean, t->min, t->max, t->n_fake, t->n, t->n == 1 ? "" : "s", seconds(t->covered_us));
    }
    fprintf(out, "%*s(%s; %s: no scored clip)\n", MARGIN, "",
            look->is_plain ? "a digit is P(fake) in tenths" : "the higher, the more fake",
            look->is_plain ? "." : "\xc2\xb7");
}

/* Clips by P(fake), the highest first. */
static void print_clips(const struct explain *x, const struct explain_look *look, FILE *out)
{
    enum { TOP = 5 };
    const struct result *r = x->result;
    size_t top[TOP], n = 0;

    if (look->with_clips) {
        fprintf(out, "\nclips         from s      to s  face  frames  P(fake)\n");
        for (size_t k = 0; k < r->n_clips; k++)
            fprintf(out, "  %6llu  %10.2f%10.2f%6llu%8u   %.4f\n", (unsigned long long)r->clips[k].clip + 1,
                    seconds(r->clips[k].start_us), seconds(r->clips[k].end_us),
                    (unsigned long long)r->clips[k].track + 1, r->clips[k].n_frames, r->clips[k].p_fake);
        return;
    }
    for (size_t k = 0; k < r->n_clips; k++) {
        size_t at;

        if (n == TOP && r->clips[k].p_fake <= r->clips[top[TOP - 1]].p_fake)
            continue;
        for (at = n < TOP ? n++ : TOP - 1; at > 0 && r->clips[top[at - 1]].p_fake < r->clips[k].p_fake; at--)
            top[at] = top[at - 1];
        top[at] = k;
    }
    fprintf(out, "\nlook at     ");
    for (size_t k = 0; k < n; k++) {
        const struct clip_score *c = &r->clips[top[k]];

        fprintf(out, "%s%.1f to %.1f s: ", k > 0 ? "\n            " : "", seconds(c->start_us), seconds(c->end_us));
        if (!x->is_whole_frames)
            fprintf(out, "face %llu, ", (unsigned long long)c->track + 1);
        fprintf(out, "%.3f", c->p_fake);
    }
    if (r->n_clips > n)
        fprintf(out, "\n            (the highest %zu of %zu clips; --clips lists all)", n, r->n_clips);
    fprintf(out, "\n");
}

struct unseen {
    FILE *out;
    size_t n;
};

static void print_unseen(void *context, const char *sentence)
{
    struct unseen *u = context;

    fprintf(u->out, "%s%s\n", u->n++ > 0 ? "            " : "\nnot seen    ", sentence);
}

void explain_print(const struct explain *x, const struct explain_look *look, FILE *out)
{
    struct unseen unseen = {.out = out};

    print_head(x, look->is_plain, out);
    if (x->result->n_clips > 0) {
        print_tracks(x, look, out);
        print_clips(x, look, out);
    }
    explain_unseen(x, print_unseen, &unseen);
    if (x->in->detector_worth && x->in->detector_worth[0] != '\0') {
        fprintf(out, "\nworth       ");
        print_name(out, x->in->detector_worth, look->is_plain);
        fprintf(out, "\n");
    }
}

static void json_text(struct text *t, const char *name, const char *value)
{
    text_append_format(t, ",\"%s\":", name);
    if (value[0] == '\0') {
        text_append_string(t, "null");
        return;
    }
    text_append_string(t, "\"");
    text_append_json(t, value);
    text_append_string(t, "\"");
}

static void json_rank(struct text *t, const char *name, const struct explain_rank *r)
{
    text_append_format(t, "\"%s\":{\"n\":%zu,\"lower\":%zu,\"equal\":%zu}", name, r->n, r->n_lower, r->n_equal);
}

static void json_clips(struct text *t, const struct explain *x, const struct explain_track *track)
{
    for (size_t k = 0; k < track->n; k++) {
        const struct clip_score *c = &x->result->clips[track->first + k];

        text_append_format(t, "%s{\"clip\":%u,\"start_us\":%lld,\"end_us\":%lld,\"n_frames\":%u,\"p_fake\":",
                           k > 0 ? "," : "", c->clip, (long long)c->start_us, (long long)c->end_us, c->n_frames);
        text_append_double(t, c->p_fake);
        text_append_string(t, "}");
    }
}

static void json_unseen(void *context, const char *sentence)
{
    struct text *t = context;

    text_append_string(t, t->data[t->len_bytes - 1] == '[' ? "\"" : ",\"");
    text_append_json(t, sentence);
    text_append_string(t, "\"");
}

static void json_further(struct text *t, const struct explain *x)
{
    struct detector_names names;

    detector_names_split(x->in->further_detectors, &names);
    for (size_t k = 0; k < names.n; k++) {
        struct member_score score = results_member(x->in->results, x->index, k);

        text_append_string(t, k > 0 ? ",{\"detector\":\"" : ",\"further_detectors\":[{\"detector\":\"");
        text_append_json(t, names.list[k]);
        text_append_string(t, "\"");
        json_text(t, "outcome", outcome_name(score.outcome));
        json_text(t, "message", score.message);
        text_append_string(t, ",\"p_fake\":");
        if (outcome_has_score(score.outcome))
            text_append_double(t, score.p_fake);
        else
            text_append_string(t, "null");
        text_append_string(t, k + 1 == names.n ? "}]" : "}");
    }
}

void explain_json(const struct explain *x, struct text *t)
{
    const struct result *r = x->result;

    text_append_string(t, "{\"fakesift_explain\":1,\"path\":\"");
    text_append_json(t, x->entry->path);
    text_append_string(t, "\"");
    if (!utf8_is_valid(x->entry->path)) {
        text_append_string(t, ",\"path_hex\":\"");
        for (const char *p = x->entry->path; *p != '\0'; p++)
            text_append_format(t, "%02x", (unsigned char)*p);
        text_append_string(t, "\"");
    }
    json_text(t, "detector", x->in->detector_name ? x->in->detector_name : "");
    json_text(t, "label", label_name(x->entry->label));
    json_text(t, "family", x->entry->family);
    json_text(t, "split", x->entry->split);
    json_text(t, "outcome", outcome_name(r->outcome));
    json_text(t, "message", r->message);
    text_append_string(t, ",\"p_fake\":");
    if (outcome_has_score(r->outcome))
        text_append_double(t, r->p_fake);
    else
        text_append_string(t, "null");
    json_further(t, x);
    text_append_format(t, ",\"frames\":{\"wanted\":%u,\"decoded\":%u,\"with_face\":%u},\"duration_us\":",
                       r->n_frames_wanted, r->n_frames_decoded, r->n_frames_with_face);
    if (x->facts->duration_us > 0)
        text_append_i64(t, x->facts->duration_us);
    else
        text_append_string(t, "null");
    text_append_string(t, ",\"among\":{");
    json_rank(t, "all", &x->all);
    text_append_string(t, ",");
    json_rank(t, "reals", &x->reals);
    text_append_string(t, ",");
    json_rank(t, "fakes", &x->fakes);
    text_append_string(t, "},\"tracks\":[");
    for (size_t k = 0; k < x->n_tracks; k++) {
        const struct explain_track *track = &x->tracks[k];

        text_append_format(t, "%s{\"track\":%u,\"n_clips\":%zu,\"n_clips_fake\":%zu,\"covered_us\":%lld,\"mean\":",
                           k > 0 ? "," : "", track->track, track->n, track->n_fake, (long long)track->covered_us);
        text_append_double(t, track->mean);
        text_append_string(t, ",\"min\":");
        text_append_double(t, track->min);
        text_append_string(t, ",\"max\":");
        text_append_double(t, track->max);
        text_append_string(t, ",\"clips\":[");
        json_clips(t, x, track);
        text_append_string(t, "]}");
    }
    text_append_format(t, "],\"covered_us\":%lld,\"unscored_spans\":[", (long long)x->covered_us);
    for (size_t k = 0; k < x->n_gaps; k++)
        text_append_format(t, "%s{\"start_us\":%lld,\"end_us\":%lld}", k > 0 ? "," : "", (long long)x->gaps[k].start_us,
                           (long long)x->gaps[k].end_us);
    text_append_string(t, "],\"clips_without_score\":[");
    for (size_t k = 0; k < x->n_missing; k++)
        text_append_format(t, "%s%u", k > 0 ? "," : "", x->missing[k]);
    text_append_string(t, "],\"not_seen\":[");
    if (!t->failed)
        explain_unseen(x, json_unseen, t);
    text_append_string(t, "]}\n");
}
