/* What a run knows of one video, gathered from its result and the run's other scores. */
#include "coordinator/report/explain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/model.h"

static int64_t longest(const struct clip_score *c)
{
    return c->end_us > c->start_us ? c->end_us - c->start_us : 0;
}

static bool make_tracks(struct explain *x)
{
    const struct result *r = x->result;

    x->tracks = calloc(r->n_clips + 1, sizeof(*x->tracks));
    if (!x->tracks)
        return false;
    /* Clips are ordered by (track, clip). */
    for (size_t k = 0; k < r->n_clips; k++) {
        const struct clip_score *c = &r->clips[k];
        struct explain_track *t;

        if (x->n_tracks == 0 || x->tracks[x->n_tracks - 1].track != c->track)
            x->tracks[x->n_tracks++] = (struct explain_track){.track = c->track, .first = k, .min = 1};
        t = &x->tracks[x->n_tracks - 1];
        t->n++;
        t->n_fake += c->p_fake >= 0.5;
        t->mean += c->p_fake;
        t->min = fmin(t->min, c->p_fake);
        t->max = fmax(t->max, c->p_fake);
        t->covered_us += longest(c);
    }
    for (size_t k = 0; k < x->n_tracks; k++)
        x->tracks[k].mean /= (double)x->tracks[k].n;
    return true;
}

static int compare_spans(const void *left, const void *right)
{
    const struct explain_span *a = left, *b = right;

    return a->start_us < b->start_us ? -1 : a->start_us > b->start_us;
}

/* Sorted spans of the clips become the gaps between them. */
static bool make_gaps(struct explain *x)
{
    const struct result *r = x->result;
    struct explain_span *spans = calloc(r->n_clips + 1, sizeof(*spans));
    int64_t end = 0;

    x->gaps = calloc(r->n_clips + 2, sizeof(*x->gaps));
    if (!spans || !x->gaps) {
        free(spans);
        return false;
    }
    for (size_t k = 0; k < r->n_clips; k++)
        spans[k] = (struct explain_span){r->clips[k].start_us, r->clips[k].end_us};
    qsort(spans, r->n_clips, sizeof(*spans), compare_spans);
    for (size_t k = 0; k < r->n_clips; k++) {
        if (spans[k].start_us > end)
            x->gaps[x->n_gaps++] = (struct explain_span){end, spans[k].start_us};
        if (spans[k].end_us > end) {
            x->covered_us += spans[k].end_us - (spans[k].start_us > end ? spans[k].start_us : end);
            end = spans[k].end_us;
        }
    }
    free(spans);
    if (x->facts->duration_us > end && r->n_clips > 0)
        x->gaps[x->n_gaps++] = (struct explain_span){end, x->facts->duration_us};
    if (x->facts->duration_us <= 0)
        x->n_gaps = 0;
    return true;
}

static int compare_numbers(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return a < b ? -1 : a > b;
}

/* A clip's number comes from a file: what lies between two of them may be billions. */
enum { MAX_MISSING = 1000 };

static bool make_missing(struct explain *x)
{
    const struct result *r = x->result;
    uint32_t *there = calloc(r->n_clips + 1, sizeof(*there)), next = 0;

    x->missing = calloc(MAX_MISSING, sizeof(*x->missing));
    if (!there || !x->missing) {
        free(there);
        return false;
    }
    for (size_t k = 0; k < r->n_clips; k++)
        there[k] = r->clips[k].clip;
    qsort(there, r->n_clips, sizeof(*there), compare_numbers);
    for (size_t k = 0; k < r->n_clips; k++) {
        for (; next < there[k] && x->n_missing < MAX_MISSING; next++)
            x->missing[x->n_missing++] = next;
        next = there[k] + (there[k] < UINT32_MAX);
    }
    free(there);
    return true;
}

static void rank_add(struct explain_rank *rank, double other, double own)
{
    rank->n++;
    rank->n_lower += other < own;
    rank->n_equal += other == own;
}

static void make_ranks(struct explain *x)
{
    if (!outcome_has_score(x->result->outcome))
        return;
    for (size_t i = 0; i < results_count(x->in->results); i++) {
        double other = results_p_fake(x->in->results, i);
        enum label label = manifest_entry(x->in->manifest, i)->label;

        if (i == x->index || !outcome_has_score(results_outcome(x->in->results, i)))
            continue;
        rank_add(&x->all, other, x->result->p_fake);
        if (label == LABEL_REAL)
            rank_add(&x->reals, other, x->result->p_fake);
        if (label == LABEL_FAKE)
            rank_add(&x->fakes, other, x->result->p_fake);
    }
}

enum status explain_open(const struct report_input *in, size_t index, struct explain *ret_x, struct error *e)
{
    struct explain x = {.in = in, .index = index, .entry = manifest_entry(in->manifest, index)};

    if (results_reader_open(in->results, &x.reader) != STATUS_OK)
        return error_no_memory(e);
    x.result = results_get(x.reader, index);
    x.facts = model_facts(x.entry, x.result);
    x.is_whole_frames =
        outcome_has_score(x.result->outcome) && x.result->n_frames_decoded > 0 && x.result->n_frames_with_face == 0;
    if (!make_tracks(&x) || !make_gaps(&x) || !make_missing(&x)) {
        explain_clear(&x);
        return error_no_memory(e);
    }
    make_ranks(&x);
    *ret_x = x;
    return STATUS_OK;
}

void explain_clear(struct explain *x)
{
    results_reader_close(&x->reader);
    free(x->tracks);
    free(x->gaps);
    free(x->missing);
    *x = (struct explain){0};
}

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

enum { MAX_NAME = 96, MAX_NEAR = 3, FAR = 1000 };

/* Edits from one name to the other (Levenshtein), at most limit; FAR beyond. */
static unsigned distance(const char *a, const char *b, unsigned limit)
{
    unsigned row[MAX_NAME + 1];
    size_t len_a = strlen(a), len_b = strlen(b);

    if (len_a > MAX_NAME || len_b > MAX_NAME || (len_a > len_b ? len_a - len_b : len_b - len_a) > limit)
        return FAR;
    for (size_t k = 0; k <= len_b; k++)
        row[k] = (unsigned)k;
    for (size_t i = 1; i <= len_a; i++) {
        unsigned corner = row[0], least = row[0] = (unsigned)i;

        for (size_t k = 1; k <= len_b; k++) {
            unsigned edit = corner + (a[i - 1] != b[k - 1]);

            corner = row[k];
            edit = row[k - 1] + 1 < edit ? row[k - 1] + 1 : edit;
            row[k] = row[k] + 1 < edit ? row[k] + 1 : edit;
            least = row[k] < least ? row[k] : least;
        }
        if (least > limit)
            return FAR;
    }
    return row[len_b] <= limit ? row[len_b] : FAR;
}

struct near {
    size_t index[MAX_NEAR];
    unsigned cost[MAX_NEAR];
    size_t n;
};

static void find_near(const struct manifest *m, const char *path, struct near *near)
{
    const char *name = name_of(path);
    size_t len = strlen(name);
    unsigned limit = len < 6 ? 1 : len < 12 ? 2 : 4;

    for (size_t i = 0; i < manifest_count(m); i++) {
        const char *other = manifest_entry(m, i)->path;
        /* The same name elsewhere is nearer than a like name. */
        unsigned cost = distance(name, name_of(other), limit) * 2 + 1, whole = distance(path, other, limit) * 2;
        size_t at;

        cost = whole < cost ? whole : cost;
        if (cost >= FAR || (near->n == MAX_NEAR && cost >= near->cost[MAX_NEAR - 1]))
            continue;
        for (at = near->n < MAX_NEAR ? near->n++ : MAX_NEAR - 1; at > 0 && near->cost[at - 1] > cost; at--) {
            near->cost[at] = near->cost[at - 1];
            near->index[at] = near->index[at - 1];
        }
        near->cost[at] = cost;
        near->index[at] = i;
    }
}

enum status explain_find(const struct manifest *m, const char *path, size_t *ret_index, struct error *e)
{
    const char *root = manifest_root(m);
    size_t len_root = strlen(root), index = manifest_find(m, path);
    struct near near = {0};
    struct text names = {0};
    enum status s;

    if (index == SIZE_MAX && strncmp(path, root, len_root) == 0 && path[len_root] == '/')
        index = manifest_find(m, path + len_root + 1);
    if (index == SIZE_MAX && strncmp(path, "./", 2) == 0)
        index = manifest_find(m, path + 2);
    if (index != SIZE_MAX) {
        *ret_index = index;
        return STATUS_OK;
    }
    find_near(m, path, &near);
    for (size_t k = 0; k < near.n; k++) {
        text_append_string(&names, k == 0 ? "; near it: " : ", ");
        text_append_string(&names, manifest_entry(m, near.index[k])->path);
    }
    if (near.n == 0)
        text_append_format(&names, "; its %zu paths are relative to %s, the first is %s", manifest_count(m), root,
                           manifest_count(m) > 0 ? manifest_entry(m, 0)->path : "not there");
    s = names.failed ? error_no_memory(e) : error_set(e, STATUS_NOT_FOUND, "%s: not in this run%s", path, names.data);
    text_clear(&names);
    return s;
}

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

static const char *s_of(size_t n)
{
    return n == 1 ? "" : "s";
}

static void say_missing(const struct explain *x, void (*say)(void *, const char *), void *context)
{
    enum { SHOWN = 12 };
    char sentence[256];
    size_t len;

    if (x->n_missing == 0)
        return;
    len = (size_t)snprintf(sentence, sizeof(sentence), "no face was scored in clip%s", s_of(x->n_missing));
    for (size_t k = 0; k < x->n_missing && k < SHOWN; k++)
        len += (size_t)snprintf(sentence + len, sizeof(sentence) - len, "%s%llu", k > 0 ? ", " : " ",
                                (unsigned long long)x->missing[k] + 1);
    if (x->n_missing > SHOWN)
        snprintf(sentence + len, sizeof(sentence) - len, " and %zu more", x->n_missing - SHOWN);
    say(context, sentence);
}

void explain_unseen(const struct explain *x, void (*say)(void *context, const char *sentence), void *context)
{
    const struct result *r = x->result;
    char sentence[256];

    if (r->outcome == OUTCOME_UNDECIDED) {
        say(context, "nothing was looked at yet");
        return;
    }
    if (r->n_frames_wanted > r->n_frames_decoded) {
        snprintf(sentence, sizeof(sentence), "%u of %u wanted frames could not be read",
                 r->n_frames_wanted - r->n_frames_decoded, r->n_frames_wanted);
        say(context, sentence);
    }
    if (x->is_whole_frames) {
        say(context, "faces were not looked for: this detector takes whole frames");
    } else if (r->n_frames_decoded > r->n_frames_with_face) {
        snprintf(sentence, sizeof(sentence), "%u of %u frames showed no face that was followed",
                 r->n_frames_decoded - r->n_frames_with_face, r->n_frames_decoded);
        say(context, sentence);
    }
    say_missing(x, say, context);
    if (x->covered_us > 0 && x->facts->fps_num > 0 && x->facts->fps_den > 0) {
        double n = seconds(x->covered_us) * x->facts->fps_num / x->facts->fps_den;

        if (n > 1.5 * r->n_frames_decoded) {
            snprintf(sentence, sizeof(sentence), "of about %.0f frames within the scored clips %u were read", n,
                     r->n_frames_decoded);
            say(context, sentence);
        }
    }
    if (x->n_gaps > 0) {
        int64_t most = 0;
        size_t at = 0;

        for (size_t k = 0; k < x->n_gaps; k++) {
            if (x->gaps[k].end_us - x->gaps[k].start_us > most) {
                most = x->gaps[k].end_us - x->gaps[k].start_us;
                at = k;
            }
        }
        snprintf(sentence, sizeof(sentence),
                 "%.1f of %.1f seconds lie in no scored clip; the longest such stretch is %.1f to %.1f s",
                 seconds(x->facts->duration_us -
                         (x->covered_us < x->facts->duration_us ? x->covered_us : x->facts->duration_us)),
                 seconds(x->facts->duration_us), seconds(x->gaps[at].start_us), seconds(x->gaps[at].end_us));
        say(context, sentence);
    }
    if (r->n_clips > 0 && x->facts->duration_us <= 0)
        say(context, "the container states no length, so how much lies outside the scored clips is not known");
}
