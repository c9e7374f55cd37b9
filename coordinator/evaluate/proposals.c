#include "coordinator/evaluate/proposals.h"

#include <math.h>
#include <stdlib.h>

enum { N_THRESHOLDS = 19 };

struct cell {
    double start_s, end_s, p_fake;
};

static int by_middle(const void *left, const void *right)
{
    const struct cell *a = left, *b = right;
    double x = a->start_s + a->end_s, y = b->start_s + b->end_s;

    return x != y ? (x < y ? -1 : 1) : (a->p_fake > b->p_fake) - (a->p_fake < b->p_fake);
}

static size_t cells_of_clips(const struct result *r, struct cell *cells)
{
    size_t n = 0;

    /* Clips are ordered by track: those of one number are joined. */
    for (size_t i = 0; i < r->n_clips; i++) {
        const struct clip_score *c = &r->clips[i];
        size_t k = 0;

        while (k < i && r->clips[k].clip != c->clip)
            k++;
        if (k < i)
            continue;
        cells[n] = (struct cell){(double)c->start_us / 1e6, (double)c->end_us / 1e6, c->p_fake};
        for (k = i + 1; k < r->n_clips; k++) {
            if (r->clips[k].clip != c->clip)
                continue;
            cells[n].start_s = fmin(cells[n].start_s, (double)r->clips[k].start_us / 1e6);
            cells[n].end_s = fmax(cells[n].end_s, (double)r->clips[k].end_us / 1e6);
            cells[n].p_fake = fmax(cells[n].p_fake, r->clips[k].p_fake);
        }
        n++;
    }
    if (n > 1)
        qsort(cells, n, sizeof(*cells), by_middle);
    return n;
}

/* Neighbours meet halfway between them. */
static void let_meet(struct cell *cells, size_t n)
{
    for (size_t k = 1; k < n; k++) {
        double middle = (cells[k - 1].end_s + cells[k].start_s) / 2;

        cells[k - 1].end_s = fmax(middle, cells[k - 1].start_s);
        cells[k].start_s = cells[k - 1].end_s;
        cells[k].end_s = fmax(cells[k].end_s, cells[k].start_s);
    }
}

static bool is_new(const struct proposal *list, size_t n, const struct proposal *p)
{
    for (size_t k = 0; k < n; k++) {
        if (list[k].start_s == p->start_s && list[k].end_s == p->end_s)
            return false;
    }
    return true;
}

/* The runs of at least a score, behind those that are there; an earlier, lower threshold found the same run first. */
static size_t find_runs(const struct cell *cells, size_t n_cells, double least, struct proposal *list, size_t n)
{
    size_t first = 0, n_before = n;

    while (first < n_cells) {
        size_t end = first;
        double area = 0, length = 0;

        for (; end < n_cells && cells[end].p_fake >= least; end++) {
            area += cells[end].p_fake * (cells[end].end_s - cells[end].start_s);
            length += cells[end].end_s - cells[end].start_s;
        }
        if (end > first && length > 0) {
            struct proposal p = {fmin(area / length, 1), cells[first].start_s, cells[end - 1].end_s};

            if (span_ok(p.start_s, p.end_s) && is_new(list, n_before, &p))
                list[n++] = p;
        }
        first = end > first ? end : first + 1;
    }
    return n;
}

enum status proposals_make(const struct result *r, const struct frame_score *frames, size_t n_frames,
                           struct proposal *ret_proposals, size_t *ret_n, struct error *e)
{
    size_t room = n_frames > 0 ? n_frames : r->n_clips, n_cells, n = 0;
    struct cell *cells = calloc(room + 1, sizeof(*cells));
    struct proposal *list = calloc((room + 1) * N_THRESHOLDS, sizeof(*list));

    if (!cells || !list) {
        free(cells);
        free(list);
        return error_no_memory(e);
    }
    if (n_frames > 0) {
        n_cells = n_frames;
        for (size_t k = 0; k < n_frames; k++)
            cells[k] =
                (struct cell){(double)frames[k].time_us / 1e6, (double)frames[k].time_us / 1e6, frames[k].p_fake};
    } else {
        n_cells = cells_of_clips(r, cells);
    }
    let_meet(cells, n_cells);
    for (int k = 1; k <= N_THRESHOLDS; k++)
        n = find_runs(cells, n_cells, k / 20.0, list, n);
    proposals_sort(list, n);
    n = n < PROPOSALS_MAX ? n : PROPOSALS_MAX;
    for (size_t k = 0; k < n; k++)
        ret_proposals[k] = list[k];
    *ret_n = n;
    free(cells);
    free(list);
    return STATUS_OK;
}
