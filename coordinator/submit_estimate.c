#include "coordinator/results.h"
#include "coordinator/submit.h"

enum { LEAST_MEASURED = 20 };

void submit_estimate_add(struct submit_estimate *estimate, const struct plan_work *work, const struct manifest *m,
                         const struct reduction *done, double scale)
{
    for (size_t i = 0; i < manifest_count(m); i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);
        double s = scale * plan_cost(work, entry->facts, entry->size_bytes, 0);

        estimate->n_videos++;
        estimate->n_probed += entry->facts != NULL;
        if (done && i < done->count && results_outcome(done->results, i) != OUTCOME_UNDECIDED)
            continue;
        estimate->lane_s += s;
        if (s > estimate->longest_s)
            estimate->longest_s = s;
    }
}

double submit_scale(const struct plan_work *work, const struct manifest *of, const struct reduction *measured,
                    size_t *ret_n_measured)
{
    struct results_reader *reader = NULL;
    double took_s = 0, estimated_s = 0;
    size_t n = 0;

    *ret_n_measured = 0;
    if (results_reader_open(measured->results, &reader) != STATUS_OK)
        return 1;
    for (size_t i = 0; i < measured->count && i < manifest_count(of); i++) {
        const struct manifest_entry *entry = manifest_entry(of, i);
        const struct result *r;

        /* One that failed early says nothing of one that does not. */
        if (!outcome_has_score(results_outcome(measured->results, i)))
            continue;
        r = results_get(reader, i);
        if (r->wall_us <= 0)
            continue;
        took_s += (double)r->wall_us / 1e6;
        estimated_s += plan_cost(work, entry->facts, entry->size_bytes, 0);
        n++;
    }
    results_reader_close(&reader);
    *ret_n_measured = n;
    return n >= LEAST_MEASURED && estimated_s > 0 ? took_s / estimated_s : 1;
}
