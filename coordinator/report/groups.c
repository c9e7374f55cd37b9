/* The same figures for each family, split, group, codec and resolution. At most MODEL_MAX_GROUPS of each, since a family is
 * measured against all reals: without a bound, a corpus with a family a video would cost the square of its size. The
 * others part the corpus, so all of them together cost one pass. */
#include "coordinator/report/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A small bootstrap, none for a large group: many groups share one report. None at all in a large corpus, whose groups
 * are many and large, too. */
enum { MAX_WITH_BOOTSTRAP = 1000000 };

static const struct metrics_settings *settings_of(const struct report_model *m)
{
    static const struct metrics_settings usual = {
        .log_loss_epsilon = 1e-15,
        .replicates = 2000,
        .max_draws = 20000000,
        .max_figure_draws = 2000000,
        .seed = 0x66616b6573696674,
    };
    static const struct metrics_settings large = {.log_loss_epsilon = 1e-15, .replicates = 2000};

    return m->n > MAX_WITH_BOOTSTRAP ? &large : &usual;
}

struct span {
    size_t first, end; /* of the sorted members */
};

static int compare_spans_by_size(const void *left, const void *right)
{
    const struct span *a = left, *b = right;
    size_t n_a = a->end - a->first, n_b = b->end - b->first;

    if (n_a != n_b)
        return n_a > n_b ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static int compare_spans_by_place(const void *left, const void *right)
{
    const struct span *a = left, *b = right;

    return a->first < b->first ? -1 : a->first > b->first;
}

/* A family's fakes against all reals. */
static enum status measure_family(struct report_model *m, const uint32_t *members, const struct span *span,
                                  uint8_t *keep, struct group *g, struct error *e)
{
    struct ranking r = {0};
    enum status s;

    for (size_t i = 0; i < m->n; i++)
        keep[i] = manifest_entry(m->in->manifest, i)->label == LABEL_REAL;
    for (size_t k = span->first; k < span->end; k++) {
        uint32_t i = members[k];

        keep[i] = 1;
        tally_add(&g->tally, manifest_entry(m->in->manifest, i), results_outcome(m->in->results, i));
    }
    s = ranking_subset(&m->ranking, keep, &r, e);
    if (s != STATUS_OK)
        return s;
    s = metrics_compute(&r, NULL, settings_of(m), &g->metrics, e);
    ranking_close(&r);
    return s == STATUS_OK ? levels_of_videos(m, keep, g, e) : s;
}

/* Groups that part the entries: part[i] is the group of entry i. */
static enum status measure_parts(struct report_model *m, const uint32_t *part, struct group *groups, size_t n_groups,
                                 struct error *e)
{
    struct ranking *r = calloc(n_groups + 1, sizeof(*r));
    enum status s;

    if (!r)
        return error_no_memory(e);
    for (size_t i = 0; i < m->n; i++)
        tally_add(&groups[part[i]].tally, manifest_entry(m->in->manifest, i), results_outcome(m->in->results, i));
    s = ranking_split(&m->ranking, part, n_groups, r, e);
    for (size_t k = 0; s == STATUS_OK && k < n_groups; k++)
        s = metrics_compute(&r[k], NULL, settings_of(m), &groups[k].metrics, e);
    for (size_t k = 0; k < n_groups; k++)
        ranking_close(&r[k]);
    free(r);
    return s == STATUS_OK ? levels_of_parts(m, part, groups, n_groups, e) : s;
}

/* Keeps the MODEL_MAX_GROUPS largest spans, in place; *ret_n_kept of them. */
static size_t keep_largest(struct span *spans, size_t n)
{
    if (n <= MODEL_MAX_GROUPS)
        return n;
    qsort(spans, n, sizeof(*spans), compare_spans_by_size);
    qsort(spans, MODEL_MAX_GROUPS, sizeof(*spans), compare_spans_by_place);
    return MODEL_MAX_GROUPS;
}

/* A name and the entries that state it. */
struct named {
    const char *name;
    uint32_t first; /* entry */
    size_t n;
};

static int compare_named(const void *left, const void *right)
{
    const struct named *a = left, *b = right;

    return strcmp(a->name, b->name);
}

/* The entries of the manifest name by name, names in byte order, each name's entries in the manifest's. members: room for
 * m->n. *ret_spans is the caller's to free. */
static enum status gather(const struct report_model *m, alike_field *field, uint32_t *members, struct span **ret_spans,
                          size_t *ret_n, struct error *e)
{
    const struct manifest *manifest = m->in->manifest;
    uint32_t *first = malloc((m->n + 1) * sizeof(*first));
    uint32_t *place = malloc((m->n + 1) * sizeof(*place)); /* of a name, by its first entry */
    struct named *names = NULL;
    struct span *spans = NULL;
    size_t n_names = 0, room = 0, start = 0;
    enum status s = STATUS_NO_MEMORY;

    if (!first || !place)
        goto end;
    s = alike_first(manifest, field, NULL, first, e);
    if (s != STATUS_OK)
        goto end;
    s = STATUS_NO_MEMORY;
    for (size_t i = 0; i < m->n; i++) {
        if (first[i] != i) {
            names[place[first[i]]].n++;
            continue;
        }
        if (n_names == room) {
            struct named *bigger = reallocarray(names, room ? 2 * room : 64, sizeof(*names));

            if (!bigger)
                goto end;
            names = bigger;
            room = room ? 2 * room : 64;
        }
        place[i] = (uint32_t)n_names;
        names[n_names++] = (struct named){.name = field(manifest_entry(manifest, i)), .first = (uint32_t)i, .n = 1};
    }
    spans = malloc((n_names + 1) * sizeof(*spans));
    if (!spans)
        goto end;
    if (n_names > 0)
        qsort(names, n_names, sizeof(*names), compare_named);
    for (size_t k = 0; k < n_names; k++) {
        place[names[k].first] = (uint32_t)k;
        spans[k] = (struct span){.first = start, .end = start};
        start += names[k].n;
    }
    for (size_t i = 0; i < m->n; i++)
        members[spans[place[first[i]]].end++] = (uint32_t)i;
    *ret_spans = spans;
    *ret_n = n_names;
    s = STATUS_OK;
end:
    free(first);
    free(place);
    free(names);
    return s == STATUS_NO_MEMORY ? error_no_memory(e) : s;
}

/* members and spans of the groups that have a row of their own, then the rest's as one span. */
static enum status measure_all(struct report_model *m, const uint32_t *members, const struct span *spans,
                               bool are_families, struct group *groups, size_t n, struct error *e)
{
    uint8_t *keep = malloc(m->n + 1);
    uint32_t *part = calloc(m->n + 1, sizeof(*part));
    enum status s = keep && part ? STATUS_OK : error_no_memory(e);

    for (size_t k = 0; s == STATUS_OK && k < n; k++) {
        for (size_t i = spans[k].first; i < spans[k].end && !are_families; i++)
            part[members[i]] = (uint32_t)k;
        if (are_families)
            s = measure_family(m, members, &spans[k], keep, &groups[k], e);
    }
    if (s == STATUS_OK && !are_families)
        s = measure_parts(m, part, groups, n, e);
    free(keep);
    free(part);
    return s;
}

/* Puts the members of spans[n_kept ..] side by side behind those before, as one span in spans[n_kept]. */
static enum status join_rest(uint32_t *members, size_t n_members, struct span *spans, size_t n_kept, size_t n_spans,
                             struct error *e)
{
    uint32_t *copy = malloc((n_members + 1) * sizeof(*copy));
    size_t n = 0, start;

    if (!copy)
        return error_no_memory(e);
    for (size_t k = 0; k < n_spans; k++) {
        size_t len = spans[k].end - spans[k].first;

        memcpy(copy + n, members + spans[k].first, len * sizeof(*copy));
        spans[k] = (struct span){.first = n, .end = n + len};
        n += len;
    }
    memcpy(members, copy, n * sizeof(*copy));
    free(copy);
    start = spans[n_kept].first;
    spans[n_kept] = (struct span){.first = start, .end = n};
    return STATUS_OK;
}

static enum status group_by(struct report_model *m, alike_field *field, bool are_families, struct group **ret_groups,
                            size_t *ret_n, struct error *e)
{
    uint32_t *members = calloc(m->n + 1, sizeof(*members));
    struct span *spans = NULL;
    struct group *groups = NULL;
    size_t n_spans = 0, n_kept, n = 0;
    enum status s = members ? gather(m, field, members, &spans, &n_spans, e) : error_no_memory(e);

    if (s != STATUS_OK)
        goto end;
    /* One unnamed group is the whole corpus again. */
    if (n_spans == 0 || (n_spans == 1 && field(manifest_entry(m->in->manifest, members[0]))[0] == '\0'))
        goto end;
    n_kept = keep_largest(spans, n_spans);
    n = n_kept + (n_spans > n_kept);
    groups = calloc(n, sizeof(*groups));
    if (!groups) {
        s = error_no_memory(e);
        goto end;
    }
    for (size_t k = 0; k < n_kept; k++) {
        groups[k].name = field(manifest_entry(m->in->manifest, members[spans[k].first]));
        groups[k].n_groups = 1;
    }
    if (n > n_kept) {
        groups[n_kept] = (struct group){.name = "", .is_rest = true, .n_groups = n_spans - n_kept};
        s = join_rest(members, m->n, spans, n_kept, n_spans, e);
    }
    if (s == STATUS_OK)
        s = measure_all(m, members, spans, are_families, groups, n, e);
end:
    free(members);
    free(spans);
    if (s != STATUS_OK) {
        free(groups);
        return s;
    }
    *ret_groups = groups;
    *ret_n = n;
    return STATUS_OK;
}

/* By the shorter side of the picture, as people name sizes; 0 is for unknown sizes. */
static const struct {
    const char *name;
    uint32_t least_px;
} sizes[] = {{"", 0},
             {"below 240", 1},
             {"240 to 359", 240},
             {"360 to 479", 360},
             {"480 to 719", 480},
             {"720 to 1079", 720},
             {"1080 to 2159", 1080},
             {"2160 and more", 2160}};

enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static uint32_t size_of(const struct video_facts *facts)
{
    uint32_t side = facts->width_px < facts->height_px ? facts->width_px : facts->height_px;
    uint32_t k = N_SIZES - 1;

    while (k > 0 && side < sizes[k].least_px)
        k--;
    return k;
}

/* Codecs are few; names are kept in the model, since results are read one at a time. */
static uint32_t codec_of(struct report_model *m, size_t *n_codecs, const char *codec)
{
    size_t k = 0;

    while (k < *n_codecs && strcmp(m->codec_names[k], codec) != 0)
        k++;
    if (k == *n_codecs && *n_codecs < MODEL_MAX_CODECS)
        snprintf(m->codec_names[(*n_codecs)++], sizeof(m->codec_names[0]), "%s", codec);
    return (uint32_t)(k < MODEL_MAX_CODECS ? k : MODEL_MAX_CODECS);
}

static int compare_groups(const void *left, const void *right)
{
    const struct group *a = left, *b = right;

    if (a->is_rest != b->is_rest)
        return a->is_rest ? 1 : -1;
    return strcmp(a->name, b->name);
}

/* Keeps groups that hold a video. */
static size_t keep_filled(struct group *groups, size_t n)
{
    size_t n_kept = 0;

    for (size_t k = 0; k < n; k++) {
        if (groups[k].tally.n > 0)
            groups[n_kept++] = groups[k];
    }
    return n_kept;
}

static enum status group_by_facts(struct report_model *m, struct error *e)
{
    uint32_t *of_codec = calloc(m->n + 1, sizeof(*of_codec)), *of_size = calloc(m->n + 1, sizeof(*of_size));
    struct group *codecs = calloc(MODEL_MAX_CODECS + 1, sizeof(*codecs)), *all = calloc(N_SIZES, sizeof(*all));
    size_t n_codecs = 0;
    enum status s = of_codec && of_size && codecs && all ? STATUS_OK : error_no_memory(e);

    for (size_t i = 0; s == STATUS_OK && i < m->n; i++) {
        const struct video_facts *facts = model_facts(manifest_entry(m->in->manifest, i), results_get(m->reader, i));

        of_codec[i] = codec_of(m, &n_codecs, facts->codec);
        of_size[i] = size_of(facts);
    }
    if (s == STATUS_OK) {
        for (size_t k = 0; k < n_codecs; k++)
            codecs[k] = (struct group){.name = m->codec_names[k], .n_groups = 1};
        codecs[MODEL_MAX_CODECS] = (struct group){.name = "", .is_rest = true, .n_groups = 1};
        for (size_t k = 0; k < N_SIZES; k++)
            all[k] = (struct group){.name = sizes[k].name, .n_groups = 1};
        s = measure_parts(m, of_codec, codecs, MODEL_MAX_CODECS + 1, e);
    }
    if (s == STATUS_OK)
        s = measure_parts(m, of_size, all, N_SIZES, e);
    free(of_codec);
    free(of_size);
    if (s != STATUS_OK) {
        free(codecs);
        free(all);
        return s;
    }
    m->codecs = codecs;
    m->n_codecs = keep_filled(codecs, MODEL_MAX_CODECS + 1);
    qsort(codecs, m->n_codecs, sizeof(*codecs), compare_groups);
    m->resolutions = all;
    m->n_resolutions = keep_filled(all, N_SIZES);
    return STATUS_OK;
}

enum status groups_make(struct report_model *m, struct error *e)
{
    enum status s = group_by(m, alike_split, false, &m->splits, &m->n_splits, e);

    if (s == STATUS_OK)
        s = group_by(m, alike_family, true, &m->families, &m->n_families, e);
    if (s == STATUS_OK)
        s = group_by(m, alike_method, true, &m->methods, &m->n_methods, e);
    if (s == STATUS_OK)
        s = group_by(m, alike_group, false, &m->groups, &m->n_groups, e);
    return s == STATUS_OK ? group_by_facts(m, e) : s;
}
