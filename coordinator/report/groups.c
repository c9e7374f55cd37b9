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

struct member {
    const char *name;
    uint32_t index;
};

struct span {
    size_t first, end; /* of the sorted members */
};

static int compare_members(const void *left, const void *right)
{
    const struct member *a = left, *b = right;
    int order = strcmp(a->name, b->name);

    if (order != 0)
        return order;
    return a->index < b->index ? -1 : a->index > b->index;
}

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

static enum status measure(struct report_model *m, const struct member *members, const struct span *span,
                           bool with_all_reals, uint8_t *keep, struct group *g, struct error *e)
{
    struct ranking r = {0};
    enum status s;

    memset(keep, 0, m->n);
    for (size_t i = 0; with_all_reals && i < m->n; i++)
        keep[i] = manifest_entry(m->in->manifest, i)->label == LABEL_REAL;
    for (size_t k = span->first; k < span->end; k++) {
        uint32_t i = members[k].index;

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

static enum status group_by(struct report_model *m, struct member *members, bool are_families,
                            struct group **ret_groups, size_t *ret_n, struct error *e)
{
    struct span *spans = malloc((m->n + 1) * sizeof(*spans));
    uint8_t *keep = malloc(m->n + 1);
    struct group *groups = NULL;
    size_t n_spans = 0, n_kept, n;
    enum status s = STATUS_NO_MEMORY;

    if (!spans || !keep)
        goto error;
    qsort(members, m->n, sizeof(*members), compare_members);
    for (size_t i = 0; i < m->n; i++) {
        if (i == 0 || strcmp(members[i].name, members[i - 1].name) != 0)
            spans[n_spans++].first = i;
        spans[n_spans - 1].end = i + 1;
    }
    /* One unnamed group is the whole corpus again. */
    if (n_spans == 0 || (n_spans == 1 && members[0].name[0] == '\0')) {
        s = STATUS_OK;
        goto error;
    }
    n_kept = keep_largest(spans, n_spans);
    n = n_kept + (n_spans > n_kept);
    groups = calloc(n, sizeof(*groups));
    if (!groups)
        goto error;
    for (size_t k = 0; k < n_kept; k++) {
        groups[k].name = members[spans[k].first].name;
        groups[k].n_groups = 1;
        s = measure(m, members, &spans[k], are_families, keep, &groups[k], e);
        if (s != STATUS_OK)
            goto error;
    }
    if (n > n_kept) {
        struct group *rest = &groups[n_kept];

        /* The rest is put side by side at the end of members' copy, so that it is one span too. */
        struct member *copy = malloc((m->n + 1) * sizeof(*copy));
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
    free(spans);
    free(keep);
    *ret_groups = groups;
    *ret_n = n;
    return STATUS_OK;
error:
    free(spans);
    free(keep);
    free(groups);
    return s == STATUS_NO_MEMORY ? error_no_memory(e) : s;
}

enum status groups_make(struct report_model *m, struct error *e)
{
    struct member *members = malloc((m->n + 1) * sizeof(*members));
    enum status s;

    if (!members)
        return error_no_memory(e);
    for (size_t i = 0; i < m->n; i++)
        members[i] = (struct member){.name = manifest_entry(m->in->manifest, i)->split, .index = (uint32_t)i};
    s = group_by(m, members, false, &m->splits, &m->n_splits, e);
    for (size_t i = 0; s == STATUS_OK && i < m->n; i++)
        members[i] = (struct member){.name = manifest_entry(m->in->manifest, i)->family, .index = (uint32_t)i};
    if (s == STATUS_OK)
        s = group_by(m, members, true, &m->families, &m->n_families, e);
    free(members);
    return s;
}
