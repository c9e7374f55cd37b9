/* The same figures for each split and each family. At most MODEL_MAX_GROUPS of each, since a family is
 * measured against all reals: without a bound, a corpus with a family a video would cost the square of its
 * size. */
#include "coordinator/report/model.h"

#include <stdlib.h>
#include <string.h>

/* A small bootstrap, none for a large group: many groups share one report. */
const struct metrics_settings *groups_settings(void)
{
    static const struct metrics_settings settings = {
        .log_loss_epsilon = 1e-15,
        .replicates = 2000,
        .max_draws = 20000000,
        .seed = 0x66616b6573696674,
    };

    return &settings;
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

static enum status measure(struct report_model *m, const uint32_t *members, const struct span *span,
                           bool with_all_reals, uint8_t *keep, struct group *g, struct error *e)
{
    struct ranking r = {0};
    enum status s;

    memset(keep, 0, m->n);
    for (size_t i = 0; with_all_reals && i < m->n; i++)
        keep[i] = manifest_entry(m->in->manifest, i)->label == LABEL_REAL;
    for (size_t k = span->first; k < span->end; k++) {
        uint32_t i = members[k];

        keep[i] = 1;
        tally_add(&g->tally, manifest_entry(m->in->manifest, i), results_outcome(m->in->results, i));
    }
    s = ranking_subset(&m->ranking, keep, &r, e);
    if (s != STATUS_OK)
        return s;
    s = metrics_compute(&r, NULL, groups_settings(), &g->metrics, e);
    ranking_close(&r);
    return s;
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

static enum status group_by(struct report_model *m, alike_field *field, bool are_families, struct group **ret_groups,
                            size_t *ret_n, struct error *e)
{
    uint32_t *members = calloc(m->n + 1, sizeof(*members));
    struct span *spans = NULL;
    uint8_t *keep = malloc(m->n + 1);
    struct group *groups = NULL;
    size_t n_spans = 0, n_kept, n;
    enum status s = STATUS_NO_MEMORY;

    if (!members || !keep)
        goto error;
    s = gather(m, field, members, &spans, &n_spans, e);
    if (s != STATUS_OK)
        goto error;
    s = STATUS_NO_MEMORY;
    /* One unnamed group is the whole corpus again. */
    if (n_spans == 0 || (n_spans == 1 && field(manifest_entry(m->in->manifest, members[0]))[0] == '\0')) {
        s = STATUS_OK;
        goto error;
    }
    n_kept = keep_largest(spans, n_spans);
    n = n_kept + (n_spans > n_kept);
    groups = calloc(n, sizeof(*groups));
    if (!groups)
        goto error;
    for (size_t k = 0; k < n_kept; k++) {
        groups[k].name = field(manifest_entry(m->in->manifest, members[spans[k].first]));
        groups[k].n_groups = 1;
        s = measure(m, members, &spans[k], are_families, keep, &groups[k], e);
        if (s != STATUS_OK)
            goto error;
    }
    if (n > n_kept) {
        struct group *rest = &groups[n_kept];

        /* The rest is put side by side at the end of members' copy, so that it is one span too. */
        uint32_t *copy = malloc((m->n + 1) * sizeof(*copy));
        struct span all = {0};

        s = STATUS_NO_MEMORY;
        if (!copy)
            goto error;
        rest->name = "";
        rest->is_rest = true;
        rest->n_groups = n_spans - n_kept;
        for (size_t k = n_kept; k < n_spans; k++) {
            size_t len = spans[k].end - spans[k].first;

            memcpy(copy + all.end, members + spans[k].first, len * sizeof(*copy));
            all.end += len;
        }
        s = measure(m, copy, &all, are_families, keep, rest, e);
        free(copy);
        if (s != STATUS_OK)
            goto error;
    }
    free(members);
    free(spans);
    free(keep);
    *ret_groups = groups;
    *ret_n = n;
    return STATUS_OK;
error:
    free(members);
    free(spans);
    free(keep);
    free(groups);
    return s == STATUS_NO_MEMORY ? error_no_memory(e) : s;
}

enum status groups_make(struct report_model *m, struct error *e)
{
    enum status s = group_by(m, alike_split, false, &m->splits, &m->n_splits, e);

    return s == STATUS_OK ? group_by(m, alike_family, true, &m->families, &m->n_families, e) : s;
}
