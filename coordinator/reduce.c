#include "coordinator/reduce.h"

#include <stdlib.h>

struct sink {
    const struct manifest *manifest;
    struct reduction *reduction;
};

static bool wins(const struct result *challenger, const struct result *holder)
{
    bool a = outcome_has_score(challenger->outcome), b = outcome_has_score(holder->outcome);

    return a != b ? a : challenger->outcome < holder->outcome;
}

static enum status keep(void *context, uint32_t i, struct result *r, struct error *e)
{
    struct sink *sink = context;
    struct reduction *x = sink->reduction;
    struct result *holder;

    (void)e;
    holder = &x->results[i];
    if (holder->outcome != OUTCOME_UNDECIDED) {
        x->n_duplicates++;
        if (!wins(r, holder))
            return STATUS_OK;
        x->outcomes[holder->outcome]--;
        result_clear(holder);
    } else {
        x->n_decided++;
    }
    x->outcomes[r->outcome]++;
    *holder = *r;
    *r = (struct result){0};
    return STATUS_OK;
}

static enum status take(void *context, struct result *r, struct error *e)
{
    struct sink *sink = context;
    size_t i = manifest_find(sink->manifest, r->path);
    const struct manifest_entry *entry = i == SIZE_MAX ? NULL : manifest_entry(sink->manifest, i);
    bool kept;
    enum status s;

    if (!entry || entry->size_bytes != r->size_bytes || entry->mtime_ns != r->mtime_ns) {
        sink->reduction->n_foreign++;
        return STATUS_OK;
    }
    if (!r->segment)
        return keep(context, (uint32_t)i, r, e);
    s = parts_take(sink->reduction->parts, (uint32_t)i, r, &kept, e);
    sink->reduction->n_duplicates += s == STATUS_OK && !kept;
    return s;
}

enum status reduce(const char *journal_folder, const char fingerprint[SHA256_HEX_BYTES], const struct manifest *m,
                   struct reduction *ret_r, struct error *e)
{
    struct reduction r = {.count = manifest_count(m)};
    struct sink sink = {.manifest = m, .reduction = &r};
    enum status s;

    r.results = calloc(r.count + 1, sizeof(*r.results));
    if (!r.results)
        return error_no_memory(e);
    s = parts_open(&r.parts) == STATUS_OK ? STATUS_OK : error_no_memory(e);
    if (s == STATUS_OK)
        s = journal_read(journal_folder, fingerprint, take, &sink, &r.journal, e);
    if (s == STATUS_OK)
        s = parts_join(r.parts, keep, &sink, e);
    if (s != STATUS_OK) {
        reduction_clear(&r);
        return s;
    }
    r.outcomes[OUTCOME_UNDECIDED] = r.count - r.n_decided;
    *ret_r = r;
    return STATUS_OK;
}

void reduction_clear(struct reduction *r)
{
    for (size_t i = 0; r->results && i < r->count; i++)
        result_clear(&r->results[i]);
    free(r->results);
    parts_close(&r->parts);
    *r = (struct reduction){0};
}
