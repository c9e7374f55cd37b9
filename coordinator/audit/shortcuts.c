/* Shortcuts: how well containers alone tell fakes from reals, fact by fact and all together, on the videos that the detector
 * scored; what a detector must beat before its AUC says anything about faces. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/audit_parts.h"
#include "coordinator/audit/logistic.h"
#include "coordinator/evaluate/metrics.h"
#include "coordinator/report/model.h"
#include "shard/hash.h"

enum {
    MAX_ROWS = 100000, /* more make an interval that nobody needs narrower, and take minutes */
    MIN_OF_A_CLASS = 10,
    MAX_KINDS = 12, /* of a word that get a column of their own; the rest is one kind */
    MIN_OF_A_KIND = 10,
};

enum { DURATION, FRAME_RATE, PIXELS, ASPECT, BIT_RATE, SIZE, AUDIO_STREAMS, AUDIO_START, LEAD_SILENCE, NUMBERS };
enum { RESOLUTION, FRAMES, CODEC, PIXEL_FORMAT, CONTAINER, ENCODER, AUDIO, WORDS };

static const char *const number_names[NUMBERS] = {"duration",      "frame rate",  "pixels",
                                                  "aspect",        "bit rate",    "file size",
                                                  "audio streams", "audio start", "leading silence"};
static const char *const word_names[WORDS] = {"resolution", "exact frame rate", "codec",       "pixel format",
                                              "container",  "encoder tag",      "audio format"};

struct row {
    uint32_t entry;
    uint32_t cluster; /* 0 .. n_clusters - 1: rows that depend on each other */
    double score;
    double numbers[NUMBERS];
    uint64_t words[WORDS]; /* hashes; 0: not stated */
    uint32_t kinds[WORDS]; /* 1 .. MAX_KINDS by frequency; 0: another */
};

struct table {
    struct row *rows;
    uint8_t *is_fake, *fold;
    size_t n, n_fake, n_clusters;
    unsigned n_kinds[WORDS];
};

static uint32_t root_of(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

static void unite(uint32_t *parent, uint32_t a, uint32_t b)
{
    a = root_of(parent, a);
    b = root_of(parent, b);
    if (a < b)
        parent[b] = a;
    else
        parent[a] = b;
}

/* parent[i]: for root_of; what shares an original, an identity, a group or all bytes hangs together. */
static enum status tie(const struct auditor *x, uint32_t *parent, struct error *e)
{
    static enum status (*const by[])(const struct manifest *, uint32_t *, bool *,
                                     struct error *) = {clusters_by_identity, clusters_by_group};
    uint32_t *cluster = calloc(x->n + 1, sizeof(*cluster));
    enum status s = cluster ? STATUS_OK : error_no_memory(e);
    bool any;

    for (uint32_t i = 0; s == STATUS_OK && i < x->n; i++)
        parent[i] = i;
    for (uint32_t i = 0; s == STATUS_OK && i < x->n; i++) {
        unite(parent, i, x->same[i]);
        if (x->has_originals)
            unite(parent, i, x->original[i]);
    }
    for (size_t k = 0; s == STATUS_OK && k < sizeof(by) / sizeof(by[0]); k++) {
        s = by[k](x->m, cluster, &any, e);
        for (uint32_t i = 0; s == STATUS_OK && any && i < x->n; i++)
            unite(parent, i, cluster[i]);
    }
    free(cluster);
    return s;
}

static uint64_t hash_words(const char *a, double b, double c)
{
    struct text t = {0};
    uint64_t hash;

    text_append_string(&t, a);
    text_append_format(&t, "/%.17g/%.17g", b, c);
    hash = t.failed ? 0 : hash_keyed(0x61756469, t.data, t.len_bytes);
    text_clear(&t);
    return hash != 0 ? hash : 1;
}

static void fill(const struct auditor *x, const struct result *r, struct row *row)
{
    const struct manifest_entry *entry = manifest_entry(x->m, row->entry);
    const struct entry_prints *p = &x->prints.entries[row->entry];
    const struct video_facts *f = &r->facts;
    double fps = f->fps_den > 0 ? (double)f->fps_num / f->fps_den : 0, seconds = (double)f->duration_us / 1e6;
    double bits = (double)f->bit_rate_bps;

    if (!(bits > 0) && seconds > 0)
        bits = 8 * (double)entry->size_bytes / seconds;
    row->numbers[DURATION] = log1p(seconds);
    row->numbers[FRAME_RATE] = fps;
    row->numbers[PIXELS] = log1p((double)f->width_px * f->height_px);
    row->numbers[ASPECT] = f->height_px > 0 ? (double)f->width_px / f->height_px : 0;
    row->numbers[BIT_RATE] = log1p(bits);
    row->numbers[SIZE] = log1p((double)entry->size_bytes);
    row->numbers[AUDIO_STREAMS] = f->n_audio_streams;
    row->numbers[AUDIO_START] = p->audio_start_ms / 1000.0;
    row->numbers[LEAD_SILENCE] = p->lead_silence_ms > 0 ? (p->lead_silence_ms - 1) / 1000.0 : 0;
    row->words[RESOLUTION] = hash_words("", f->width_px, f->height_px);
    row->words[FRAMES] = hash_words("", f->fps_num, f->fps_den);
    row->words[CODEC] = hash_words(f->codec, 0, 0);
    row->words[PIXEL_FORMAT] = hash_words(f->pixel_format, 0, 0);
    row->words[CONTAINER] = hash_words(f->container, 0, 0);
    row->words[ENCODER] = hash_words(f->encoder, 0, 0);
    row->words[AUDIO] = hash_words(p->audio_codec > 0 ? x->prints.audio_codecs[p->audio_codec - 1] : "",
                                   p->audio_rate_hz, f->n_audio_streams > 0);
}

static bool is_row(const struct auditor *x, size_t i)
{
    return manifest_entry(x->m, i)->label != LABEL_UNKNOWN && outcome_has_score(results_outcome(x->in->results, i)) &&
           results_get(x->reader, i)->facts.codec[0] != '\0';
}

static int by_entry_cluster(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    if (x->cluster != y->cluster)
        return x->cluster < y->cluster ? -1 : 1;
    return (x->entry > y->entry) - (x->entry < y->entry);
}

/* Of more than MAX_ROWS a share of the clusters, chosen by a hash of their numbers. */
static enum status collect(const struct auditor *x, struct table *t, struct error *e)
{
    uint32_t *parent = calloc(x->n + 1, sizeof(*parent));
    size_t n = 0;
    uint64_t share = UINT64_MAX;
    enum status s = parent ? tie(x, parent, e) : error_no_memory(e);

    for (size_t i = 0; s == STATUS_OK && i < x->n; i++)
        n += is_row(x, i);
    if (n > MAX_ROWS)
        share = (uint64_t)((double)MAX_ROWS / (double)n * 0x1p64);
    t->rows = calloc(n + 1, sizeof(*t->rows));
    t->is_fake = calloc(n + 1, 1);
    t->fold = calloc(n + 1, 1);
    if (s == STATUS_OK && (!t->rows || !t->is_fake || !t->fold))
        s = error_no_memory(e);
    for (size_t i = 0; s == STATUS_OK && i < x->n; i++) {
        uint32_t cluster;
        struct row *row = &t->rows[t->n];

        if (!is_row(x, i))
            continue;
        cluster = root_of(parent, (uint32_t)i);
        if (share != UINT64_MAX && hash_keyed(0x73616d70, &cluster, sizeof(cluster)) > share)
            continue;
        *row = (struct row){.entry = (uint32_t)i, .cluster = cluster, .score = results_p_fake(x->in->results, i)};
        fill(x, results_get(x->reader, i), row);
        t->n++;
    }
    free(parent);
    if (s != STATUS_OK)
        return s;
    qsort(t->rows, t->n, sizeof(*t->rows), by_entry_cluster);
    for (size_t i = 0, last = 0; i < t->n; i++) {
        uint32_t cluster = t->rows[i].cluster;

        t->is_fake[i] = manifest_entry(x->m, t->rows[i].entry)->label == LABEL_FAKE;
        t->n_fake += t->is_fake[i];
        t->n_clusters += i == 0 || cluster != last;
        last = cluster;
        t->rows[i].cluster = (uint32_t)t->n_clusters - 1;
    }
    return STATUS_OK;
}

struct span {
    uint32_t first, end, n_fake;
};

static int largest_first(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    uint32_t m = x->end - x->first, n = y->end - y->first;

    if (m != n)
        return m > n ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* A cluster lies in one fold; the largest first, each where both classes then are spread most evenly. */
static enum status deal(struct table *t, struct error *e)
{
    struct span *spans = calloc(t->n_clusters + 1, sizeof(*spans));
    double filled[LOGISTIC_FOLDS][2] = {{0}};
    double whole[2] = {(double)(t->n - t->n_fake), (double)t->n_fake};

    if (!spans)
        return error_no_memory(e);
    for (uint32_t i = 0; i < t->n; i++) {
        struct span *span = &spans[t->rows[i].cluster];

        if (span->end == 0)
            span->first = i;
        span->end = i + 1;
        span->n_fake += t->is_fake[i];
    }
    qsort(spans, t->n_clusters, sizeof(*spans), largest_first);
    for (size_t k = 0; k < t->n_clusters; k++) {
        double add[2] = {spans[k].end - spans[k].first - spans[k].n_fake, spans[k].n_fake}, least = INFINITY;
        unsigned best = 0;

        for (unsigned f = 0; f < LOGISTIC_FOLDS; f++) {
            double cost = 0;

            for (unsigned c = 0; c < 2; c++)
                cost += add[c] / whole[c] * (2 * filled[f][c] + add[c]) / whole[c];
            if (cost < least) {
                least = cost;
                best = f;
            }
        }
        filled[best][0] += add[0];
        filled[best][1] += add[1];
        memset(t->fold + spans[k].first, (int)best, spans[k].end - spans[k].first);
    }
    free(spans);
    return STATUS_OK;
}

struct kind {
    uint64_t word;
    size_t n;
};

static int by_word(const void *a, const void *b)
{
    const struct kind *x = a, *y = b;

    return (x->word > y->word) - (x->word < y->word);
}

static int most_first(const void *a, const void *b)
{
    const struct kind *x = a, *y = b;

    return x->n != y->n ? (x->n > y->n ? -1 : 1) : by_word(a, b);
}

static enum status number_kinds(struct table *t, struct error *e)
{
    struct kind *kinds = malloc((t->n + 1) * sizeof(*kinds));

    if (!kinds)
        return error_no_memory(e);
    for (unsigned w = 0; w < WORDS; w++) {
        size_t n = 0;

        for (size_t i = 0; i < t->n; i++)
            kinds[i] = (struct kind){.word = t->rows[i].words[w], .n = 1};
        qsort(kinds, t->n, sizeof(*kinds), by_word);
        for (size_t i = 0; i < t->n; i++) {
            if (n > 0 && kinds[n - 1].word == kinds[i].word)
                kinds[n - 1].n++;
            else
                kinds[n++] = kinds[i];
        }
        qsort(kinds, n, sizeof(*kinds), most_first);
        for (t->n_kinds[w] = 0; t->n_kinds[w] < n && t->n_kinds[w] < MAX_KINDS; t->n_kinds[w]++) {
            if (kinds[t->n_kinds[w]].n < MIN_OF_A_KIND)
                break;
        }
        for (size_t i = 0; i < t->n; i++) {
            for (unsigned k = 0; k < t->n_kinds[w]; k++) {
                if (kinds[k].word == t->rows[i].words[w])
                    t->rows[i].kinds[w] = k + 1;
            }
        }
    }
    free(kinds);
    return STATUS_OK;
}

/* score[n] in 0..1. */
static enum status measure(const struct table *t, const double *score, struct audit_shortcut *ret_s, struct error *e)
{
    struct ranking r = {0};
    struct interval interval = {0};
    struct measure auc;
    uint32_t *of_position = malloc((t->n + 1) * sizeof(*of_position));
    enum status s = of_position ? ranking_open(score, t->is_fake, t->n, &r, e) : error_no_memory(e);

    if (s != STATUS_OK) {
        free(of_position);
        return s;
    }
    for (size_t k = 0; k < r.n; k++)
        of_position[k] = t->rows[r.item[k]].cluster;
    auc = metrics_auc(&r);
    s = metrics_influence(&r, of_position, t->n_clusters, &interval, e);
    if (s == STATUS_OK) {
        ret_s->n = t->n;
        ret_s->is_defined = !auc.undefined && !interval.undefined;
        ret_s->auc = auc.value;
        ret_s->low = interval.low;
        ret_s->high = interval.high;
    }
    ranking_close(&r);
    free(of_position);
    return s;
}

struct valued {
    double value;
    uint32_t row;
};

static int by_value(const void *a, const void *b)
{
    const struct valued *x = a, *y = b;

    return (x->value > y->value) - (x->value < y->value);
}

/* A number's rank among all as its score; *ret_varies: there are two of them. */
static enum status rank(const struct table *t, unsigned number, double *ret_score, bool *ret_varies, struct error *e)
{
    struct valued *v = malloc((t->n + 1) * sizeof(*v));
    size_t before = 0;

    if (!v)
        return error_no_memory(e);
    for (uint32_t i = 0; i < t->n; i++)
        v[i] = (struct valued){.value = t->rows[i].numbers[number], .row = i};
    qsort(v, t->n, sizeof(*v), by_value);
    *ret_varies = t->n > 0 && v[0].value < v[t->n - 1].value;
    for (size_t i = 0; i < t->n; i++) {
        if (i > 0 && v[i].value > v[i - 1].value)
            before = i;
        ret_score[v[i].row] = (double)before / (double)t->n;
    }
    free(v);
    return STATUS_OK;
}

/* The share of fakes among videos of the same kind in the other folds, one fake and one real of the whole's share added. */
static void rate(const struct table *t, unsigned word, double *ret_score)
{
    double n[LOGISTIC_FOLDS + 1][MAX_KINDS + 1] = {{0}}, fakes[LOGISTIC_FOLDS + 1][MAX_KINDS + 1] = {{0}};
    double prior = (double)t->n_fake / (double)t->n;

    for (size_t i = 0; i < t->n; i++) {
        uint32_t k = t->rows[i].kinds[word];

        n[t->fold[i]][k]++;
        n[LOGISTIC_FOLDS][k]++;
        fakes[t->fold[i]][k] += t->is_fake[i];
        fakes[LOGISTIC_FOLDS][k] += t->is_fake[i];
    }
    for (size_t i = 0; i < t->n; i++) {
        uint32_t k = t->rows[i].kinds[word];
        unsigned f = t->fold[i];

        ret_score[i] = (fakes[LOGISTIC_FOLDS][k] - fakes[f][k] + 2 * prior) / (n[LOGISTIC_FOLDS][k] - n[f][k] + 2);
    }
}

static enum status measure_all(const struct table *t, double *score, struct audit_shortcut *ret_s, struct error *e)
{
    size_t width = NUMBERS;
    double *x;
    struct logistic_data d = {.y = t->is_fake, .n = t->n};
    struct error fit_error = {0};
    enum status s;

    for (unsigned w = 0; w < WORDS; w++)
        width += t->n_kinds[w];
    x = calloc(t->n * width + 1, sizeof(*x));
    if (!x)
        return error_no_memory(e);
    for (size_t i = 0; i < t->n; i++) {
        double *row = x + i * width, *at = row + NUMBERS;

        memcpy(row, t->rows[i].numbers, sizeof(t->rows[i].numbers));
        for (unsigned w = 0; w < WORDS; at += t->n_kinds[w], w++) {
            if (t->rows[i].kinds[w] > 0)
                at[t->rows[i].kinds[w] - 1] = 1;
        }
    }
    d.x = x;
    d.width = width;
    s = logistic_cross(&d, t->fold, score, &fit_error);
    free(x);
    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    /* One class in all folds but one: nothing can be learned, which is no failure. */
    return s == STATUS_OK ? measure(t, score, ret_s, e) : STATUS_OK;
}

static void append_auc(struct text *t, const struct audit_shortcut *s)
{
    text_append_format(t, "%.3f (%.3f to %.3f)", s->auc, s->low, s->high);
}

static enum status tell(struct auditor *x, const struct audit_shortcut *s, bool is_all, struct error *e)
{
    const struct audit *a = x->audit;
    struct text evidence = {0}, command = {0};

    /* Better than a coin beyond doubt, and by enough to matter. */
    if (!s->is_defined || s->auc < 0.6 || s->low <= 0.5)
        return STATUS_OK;
    text_append_format(&evidence, "%s alone reach%s an AUC of ", s->name, is_all ? "" : "es");
    append_auc(&evidence, s);
    text_append_format(&evidence, "%s%s over %zu videos", s->meaning[0] != '\0' ? ", " : "", s->meaning, s->n);
    if (is_all && a->detector.is_defined) {
        text_append_string(&evidence, "; the detector has ");
        append_auc(&evidence, &a->detector);
        text_append_format(&evidence, ": it %s metadata by %.3f", a->beats_facts_by > 0 ? "beats" : "loses to",
                           fabs(a->beats_facts_by));
    }
    text_append_string(&command, "sqlite3 -header -column ");
    text_append_string(&command, "'");
    text_append_string(&command, strchr(x->in->run_folder, '\'') ? "RUN" : x->in->run_folder);
    text_append_string(&command,
                       "/results.sqlite' 'SELECT label, codec, encoder, width_px, height_px, round(fps, 2) AS "
                       "fps, n_audio_streams, count(*), round(avg(duration_us) / 1e6, 1) AS seconds, "
                       "round(avg(bit_rate_bps)) AS bit_rate FROM video GROUP BY 1, 2, 3, 4, 5, 6, 7 "
                       "ORDER BY 8 DESC LIMIT 40'");
    return audit_add(x, AUDIT_SHORTCUT, AUDIT_NO_ENTRY, AUDIT_NO_ENTRY, &evidence, &command, e);
}

static bool word_varies(const struct table *t, unsigned word)
{
    for (size_t i = 1; i < t->n; i++) {
        if (t->rows[i].words[word] != t->rows[0].words[word])
            return true;
    }
    return false;
}

static enum status measure_each(struct auditor *x, const struct table *t, double *score, struct error *e)
{
    struct audit *a = x->audit;
    enum status s = STATUS_OK;
    bool varies;

    for (unsigned k = 0; s == STATUS_OK && k < NUMBERS; k++) {
        struct audit_shortcut *found = &a->shortcuts[a->n_shortcuts];

        s = rank(t, k, score, &varies, e);
        if (s != STATUS_OK || !varies)
            continue;
        *found = (struct audit_shortcut){.name = number_names[k], .meaning = "more is fake"};
        s = measure(t, score, found, e);
        if (found->auc < 0.5) {
            double low = found->low;

            found->meaning = "less is fake";
            found->auc = 1 - found->auc;
            found->low = 1 - found->high;
            found->high = 1 - low;
        }
        a->n_shortcuts++;
    }
    for (unsigned k = 0; s == STATUS_OK && k < WORDS; k++) {
        struct audit_shortcut *found = &a->shortcuts[a->n_shortcuts];

        if (!word_varies(t, k))
            continue;
        rate(t, k, score);
        *found = (struct audit_shortcut){.name = word_names[k], .meaning = "by its share of fakes in other folds"};
        s = measure(t, score, found, e);
        a->n_shortcuts++;
    }
    return s;
}

_Static_assert(NUMBERS + WORDS <= AUDIT_MAX_SHORTCUTS, "each fact has its place");
_Static_assert(NUMBERS + WORDS * MAX_KINDS <= LOGISTIC_MAX_WIDTH, "all columns fit");

static int best_first(const void *a, const void *b)
{
    const struct audit_shortcut *x = a, *y = b;

    if (x->auc != y->auc)
        return x->auc > y->auc ? -1 : 1;
    return strcmp(x->name, y->name);
}

static enum status measure_table(struct auditor *x, struct table *t, struct error *e)
{
    struct audit *a = x->audit;
    double *score = calloc(t->n + 1, sizeof(*score));
    enum status s = score ? number_kinds(t, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = deal(t, e);
    for (size_t i = 0; s == STATUS_OK && i < t->n; i++)
        score[i] = t->rows[i].score;
    if (s == STATUS_OK)
        s = measure(t, score, &a->detector, e);
    if (s == STATUS_OK)
        s = measure_each(x, t, score, e);
    if (s == STATUS_OK)
        s = measure_all(t, score, &a->all_facts, e);
    if (s == STATUS_OK && a->all_facts.is_defined && a->detector.is_defined)
        a->beats_facts_by = a->detector.auc - a->all_facts.auc;
    if (s == STATUS_OK && a->n_shortcuts > 1)
        qsort(a->shortcuts, a->n_shortcuts, sizeof(a->shortcuts[0]), best_first);
    if (s == STATUS_OK)
        s = tell(x, &a->all_facts, true, e);
    for (size_t k = 0; s == STATUS_OK && k < a->n_shortcuts; k++)
        s = tell(x, &a->shortcuts[k], false, e);
    free(score);
    return s;
}

enum status audit_shortcuts(struct auditor *x, struct error *e)
{
    struct table t = {0};
    enum status s = collect(x, &t, e);

    x->audit->all_facts = (struct audit_shortcut){.name = "all facts together", .meaning = "", .n = t.n};
    x->audit->detector = (struct audit_shortcut){.name = "detector", .meaning = "", .n = t.n};
    if (s == STATUS_OK && t.n_fake >= MIN_OF_A_CLASS && t.n - t.n_fake >= MIN_OF_A_CLASS)
        s = measure_table(x, &t, e);
    free(t.rows);
    free(t.is_fake);
    free(t.fold);
    return s;
}
