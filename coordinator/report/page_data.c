/* The page's videos as data: columns, with texts kept once and paths by what differs from the one before.
 *
 * In: the manifest and its results. Out: JSON that page.js reads:
 *     "labels", "outcomes"   names by number
 *     "texts"                what split, family, size, codec and message point into
 *     "rows"                 columns of equal length; null or -1: unknown. path: [n, "rest", ...]: the first n characters
 *                            (ASCII) of the path before, and the rest. p_fake in millionths, seconds in tenths, wall in ms.
 *     "clips"                {"ROW": [track, clip, start ms, length ms, frames, p_fake in millionths, ...]} */
#include "coordinator/report/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum column {
    COLUMN_PATH,
    COLUMN_LABEL,
    COLUMN_SPLIT,
    COLUMN_FAMILY,
    COLUMN_OUTCOME,
    COLUMN_SCORE,
    COLUMN_FACES,
    COLUMN_FRAMES,
    COLUMN_WANTED,
    COLUMN_SECONDS,
    COLUMN_SIZE,
    COLUMN_CODEC,
    COLUMN_WALL,
    COLUMN_MESSAGE,
    COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {"path", "label", "split",  "family", "outcome",
                                                       "p",    "faces", "frames", "wanted", "tenths",
                                                       "size", "codec", "wall",   "message"};

/* Texts by first appearance; open addressing. */
struct texts {
    struct text json;
    char **strings; /* by slot */
    uint32_t *numbers;
    size_t n, n_slots; /* a power of two, more than half of it free */
};

struct rows {
    struct text columns[COLUMN_COUNT], clips;
    struct texts texts;
    const char *last_path;
    size_t n;
};

static uint64_t hash(const char *string)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *string != '\0'; string++)
        h = (h ^ (unsigned char)*string) * 0x100000001b3u;
    return h ^ h >> 29;
}

static size_t slot_of(const struct texts *x, const char *string)
{
    size_t at = hash(string) & (x->n_slots - 1);

    while (x->strings[at] && strcmp(x->strings[at], string) != 0)
        at = (at + 1) & (x->n_slots - 1);
    return at;
}

static bool texts_grow(struct texts *x)
{
    struct texts bigger = {.n_slots = x->n_slots ? 2 * x->n_slots : 64};

    bigger.strings = calloc(bigger.n_slots, sizeof(*bigger.strings));
    bigger.numbers = calloc(bigger.n_slots, sizeof(*bigger.numbers));
    if (!bigger.strings || !bigger.numbers) {
        free(bigger.strings);
        free(bigger.numbers);
        return false;
    }
    for (size_t k = 0; k < x->n_slots; k++) {
        if (x->strings[k]) {
            size_t at = slot_of(&bigger, x->strings[k]);

            bigger.strings[at] = x->strings[k];
            bigger.numbers[at] = x->numbers[k];
        }
    }
    free(x->strings);
    free(x->numbers);
    x->strings = bigger.strings;
    x->numbers = bigger.numbers;
    x->n_slots = bigger.n_slots;
    return true;
}

/* The string's number. */
static size_t number_of(struct texts *x, const char *string)
{
    size_t at;

    if (2 * x->n >= x->n_slots && !texts_grow(x)) {
        x->json.failed = true;
        return 0;
    }
    at = slot_of(x, string);
    if (!x->strings[at]) {
        x->strings[at] = strdup(string);
        if (!x->strings[at]) {
            x->json.failed = true;
            return 0;
        }
        if (x->n > 0)
            text_append(&x->json, ",", 1);
        page_json(&x->json, string);
        x->numbers[at] = (uint32_t)x->n++;
    }
    return x->numbers[at];
}

static void rows_clear(struct rows *r)
{
    for (int k = 0; k < COLUMN_COUNT; k++)
        text_clear(&r->columns[k]);
    for (size_t k = 0; k < r->texts.n_slots; k++)
        free(r->texts.strings[k]);
    free(r->texts.strings);
    free(r->texts.numbers);
    text_clear(&r->texts.json);
    text_clear(&r->clips);
}

static void put(struct rows *r, enum column column, bool is_known, int64_t value)
{
    if (r->n > 0)
        text_append(&r->columns[column], ",", 1);
    text_append_i64(&r->columns[column], is_known ? value : -1);
}

static void put_text(struct rows *r, enum column column, const char *string)
{
    put(r, column, true, (int64_t)number_of(&r->texts, string));
}

static void put_path(struct rows *r, const char *path)
{
    struct text *t = &r->columns[COLUMN_PATH];
    size_t n = 0;

    /* ASCII alone, where a byte is a character of JavaScript's. */
    while (r->last_path && path[n] != '\0' && path[n] == r->last_path[n] && (unsigned char)path[n] < 0x80)
        n++;
    text_append_format(t, "%s%zu,", r->n > 0 ? "," : "", n);
    page_json(t, path + n);
    r->last_path = path;
}

/* A score without a frame that shows a face comes from a detector of whole frames. */
static bool looked_for_faces(const struct result *r)
{
    return r->n_frames_with_face > 0 || !outcome_has_score(r->outcome);
}

static int64_t millionths(double p)
{
    return llround(p * 1e6);
}

static void put_clips(struct rows *rows, const struct result *r)
{
    text_append_format(&rows->clips, "%s\"%zu\":[", rows->clips.len_bytes > 0 ? "," : "", rows->n);
    for (size_t k = 0; k < r->n_clips; k++) {
        const struct clip_score *c = &r->clips[k];

        text_append_format(&rows->clips, "%s%u,%u,%lld,%lld,%u,%lld", k > 0 ? "," : "", c->track, c->clip,
                           (long long)(c->start_us / 1000), (long long)(c->end_us / 1000 - c->start_us / 1000),
                           c->n_frames, (long long)millionths(c->p_fake));
    }
    text_append_string(&rows->clips, "]");
}

static void put_row(struct rows *rows, const struct manifest_entry *entry, const struct result *r, bool with_clips)
{
    const struct video_facts *facts = model_facts(entry, r);
    bool is_decided = r->outcome != OUTCOME_UNDECIDED;
    char size[32] = "";

    if (facts->width_px > 0)
        snprintf(size, sizeof(size), "%u\xc3\x97%u", facts->width_px, facts->height_px);
    put_path(rows, entry->path);
    put(rows, COLUMN_LABEL, true, entry->label);
    put_text(rows, COLUMN_SPLIT, entry->split);
    put_text(rows, COLUMN_FAMILY, entry->family);
    put(rows, COLUMN_OUTCOME, true, r->outcome);
    put(rows, COLUMN_SCORE, outcome_has_score(r->outcome), outcome_has_score(r->outcome) ? millionths(r->p_fake) : 0);
    put(rows, COLUMN_FACES, is_decided && looked_for_faces(r), r->n_frames_with_face);
    put(rows, COLUMN_FRAMES, is_decided, r->n_frames_decoded);
    put(rows, COLUMN_WANTED, is_decided, r->n_frames_wanted);
    put(rows, COLUMN_SECONDS, facts->duration_us > 0, (facts->duration_us + 50000) / 100000);
    put_text(rows, COLUMN_SIZE, size);
    put_text(rows, COLUMN_CODEC, facts->codec);
    put(rows, COLUMN_WALL, is_decided, r->wall_us / 1000);
    put_text(rows, COLUMN_MESSAGE, r->message);
    if (with_clips && r->n_clips > 0)
        put_clips(rows, r);
    rows->n++;
}

static enum status append_rows(struct text *t, struct rows *r, struct error *e)
{
    text_append_string(t, "\"labels\":[\"\",\"REAL\",\"FAKE\"],\"outcomes\":[");
    for (int k = 0; k < OUTCOME_COUNT; k++)
        text_append_format(t, "%s\"%s\"", k > 0 ? "," : "", outcome_name((enum outcome)k));
    text_append_string(t, "],\"texts\":[");
    text_append(t, r->texts.json.data ? r->texts.json.data : "", r->texts.json.len_bytes);
    text_append_string(t, "],\"rows\":{");
    for (int k = 0; k < COLUMN_COUNT; k++) {
        text_append_format(t, "%s\"%s\":[", k > 0 ? ",\n" : "\n", column_names[k]);
        text_append(t, r->columns[k].data ? r->columns[k].data : "", r->columns[k].len_bytes);
        text_append_string(t, "]");
        t->failed = t->failed || r->columns[k].failed;
    }
    text_append_string(t, "},\n\"clips\":{");
    text_append(t, r->clips.data ? r->clips.data : "", r->clips.len_bytes);
    text_append_string(t, "}");
    t->failed = t->failed || r->clips.failed || r->texts.json.failed;
    return t->failed ? error_no_memory(e) : STATUS_OK;
}

enum status page_one_row(struct text *t, const struct manifest *manifest, struct results_reader *reader, size_t index,
                         struct error *e)
{
    struct rows rows = {0};
    enum status s;

    put_row(&rows, manifest_entry(manifest, index), results_get(reader, index), true);
    s = append_rows(t, &rows, e);
    rows_clear(&rows);
    return s;
}

void page_all_note(struct text *t, const struct report_model *m)
{
    size_t n_clips = 0;

    for (size_t i = 0; i < m->n; i++)
        n_clips += results_n_clips(m->in->results, i);
    if (m->n > PAGE_MAX_ROWS) {
        text_append_string(t, "<p class=\"about\">This page holds ");
        page_count(t, PAGE_MAX_ROWS);
        text_append_string(t, " of ");
        page_n(t, m->n, "video");
        text_append_string(t, ": those without a score first, then the highest scores. All are in "
                              "<code>scores.csv</code> and <code>results.sqlite</code>.</p>");
    }
    if (n_clips > PAGE_MAX_CLIPS) {
        text_append_string(t, "<p class=\"about\">Of ");
        page_n(t, n_clips, "clip score");
        text_append_string(t, " those of the highest-scored videos, ");
        page_count(t, PAGE_MAX_CLIPS);
        text_append_string(t,
                           " at most, are on this page; <code>fakesift explain RUN VIDEO</code> shows any other.</p>");
    }
}

struct weighed {
    double weight;
    uint32_t index;
};

static int compare_weighed(const void *left, const void *right)
{
    const struct weighed *a = left, *b = right;

    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static double weight_of(const struct report_model *m, size_t i)
{
    enum outcome outcome = results_outcome(m->in->results, i);

    if (outcome_has_score(outcome))
        return results_p_fake(m->in->results, i);
    /* Undecided videos have nothing to show: last. */
    return outcome == OUTCOME_UNDECIDED ? -1 : 2;
}

/* 0..MAX_BIN, never falling with the weight. */
enum { MAX_BIN = 3 * 4096 };
static unsigned bin_of(double weight)
{
    return (unsigned)((weight + 1) * 4096);
}

enum { KEEP_ROW = 1, KEEP_CLIPS = 2 };

/* Rows as page_all_note says. Only those whose weight is near the limit are sorted. */
static enum status choose_rows(const struct report_model *m, uint8_t *keep, struct error *e)
{
    size_t *bins, n_kept = 0, n_near = 0;
    struct weighed *near;
    unsigned limit = MAX_BIN;

    if (m->n <= PAGE_MAX_ROWS) {
        memset(keep, KEEP_ROW, m->n);
        return STATUS_OK;
    }
    bins = calloc(MAX_BIN + 1, sizeof(*bins));
    if (!bins)
        return error_no_memory(e);
    for (size_t i = 0; i < m->n; i++)
        bins[bin_of(weight_of(m, i))]++;
    while (n_kept + bins[limit] < PAGE_MAX_ROWS)
        n_kept += bins[limit--];
    near = malloc((bins[limit] + 1) * sizeof(*near));
    free(bins);
    if (!near)
        return error_no_memory(e);
    for (size_t i = 0; i < m->n; i++) {
        double weight = weight_of(m, i);

        if (bin_of(weight) > limit)
            keep[i] = KEEP_ROW;
        else if (bin_of(weight) == limit)
            near[n_near++] = (struct weighed){.weight = weight, .index = (uint32_t)i};
    }
    qsort(near, n_near, sizeof(*near), compare_weighed);
    for (size_t k = 0; k < PAGE_MAX_ROWS - n_kept; k++)
        keep[near[k].index] = KEEP_ROW;
    free(near);
    return STATUS_OK;
}

/* Clips of the videos that "look at these first" names, then of the highest scores while there is room. */
static enum status choose_clips(const struct report_model *m, uint8_t *keep, struct error *e)
{
    size_t first[PAGE_MAX_FIRST], n_first = page_first_indices(m, first), n = 0;
    size_t *bins = calloc(MAX_BIN + 1, sizeof(*bins));
    unsigned limit = MAX_BIN + 1;

    if (!bins)
        return error_no_memory(e);
    for (size_t k = 0; k < n_first; k++) {
        if (keep[first[k]] != KEEP_ROW)
            continue;
        keep[first[k]] |= KEEP_CLIPS;
        n += results_n_clips(m->in->results, first[k]);
    }
    for (size_t i = 0; i < m->n; i++) {
        if (keep[i] == KEEP_ROW)
            bins[bin_of(weight_of(m, i))] += results_n_clips(m->in->results, i);
    }
    while (limit > 0 && n + bins[limit - 1] <= PAGE_MAX_CLIPS)
        n += bins[--limit];
    free(bins);
    for (size_t i = 0; i < m->n; i++) {
        if (keep[i] == KEEP_ROW && bin_of(weight_of(m, i)) >= limit)
            keep[i] |= KEEP_CLIPS;
    }
    return STATUS_OK;
}

enum status page_rows(struct text *t, const struct report_model *m, struct error *e)
{
    uint8_t *keep = calloc(m->n + 1, 1);
    struct rows rows = {0};
    enum status s;

    if (!keep)
        return error_no_memory(e);
    s = choose_rows(m, keep, e);
    if (s == STATUS_OK)
        s = choose_clips(m, keep, e);
    for (size_t i = 0; s == STATUS_OK && i < m->n; i++) {
        if (keep[i])
            put_row(&rows, manifest_entry(m->in->manifest, i), results_get(m->reader, i), keep[i] & KEEP_CLIPS);
    }
    if (s == STATUS_OK)
        s = append_rows(t, &rows, e);
    rows_clear(&rows);
    free(keep);
    return s;
}
