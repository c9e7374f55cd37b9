#include "coordinator/reduce.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/journal_ahead.h"
#include "coordinator/path_index.h"

struct sink {
    const struct manifest *manifest;
    const struct path_index *index;
    struct reduction *reduction;
};

static bool wins(enum outcome challenger, enum outcome holder)
{
    bool a = outcome_has_score(challenger), b = outcome_has_score(holder);

    return a != b ? a : challenger < holder;
}

bool reduce_is_of(const struct result *r, const struct manifest_entry *entry)
{
    if (r->content && entry->content[0] != '\0')
        return strcmp(r->content, entry->content) == 0;
    return entry->size_bytes == r->size_bytes && entry->mtime_ns == r->mtime_ns &&
           entry->offset_bytes == r->offset_bytes;
}

/* One record of a whole video, or what its segments decided. Its content is left to be cleared. */
static enum status keep(void *context, uint32_t i, struct result *r, struct error *e)
{
    struct sink *sink = context;
    struct reduction *x = sink->reduction;
    enum outcome holder = results_outcome(x->results, i);
    enum status s;

    if (holder != OUTCOME_UNDECIDED) {
        x->n_duplicates++;
        if (!wins(r->outcome, holder))
            return STATUS_OK;
        x->outcomes[holder]--;
    } else {
        x->n_decided++;
    }
    x->outcomes[r->outcome]++;
    s = results_put(x->results, i, r);
    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    /* A journal's records keep stricter rules than these. */
    return s == STATUS_OK ? s
                          : error_set(e, STATUS_BUG, "%s: a record that cannot be kept: %s", r->path, status_name(s));
}

static enum status settle(struct sink *sink, struct result *r, size_t i, struct error *e)
{
    struct reduction *x = sink->reduction;
    const struct manifest_entry *entry = i == SIZE_MAX ? NULL : manifest_entry(sink->manifest, i);
    bool kept;
    enum status s;

    if (!entry || !reduce_is_of(r, entry)) {
        x->n_foreign++;
        return STATUS_OK;
    }
    if (!r->segment)
        return keep(sink, (uint32_t)i, r, e);
    s = parts_take(x->parts, (uint32_t)i, r, &kept, e);
    x->n_duplicates += s == STATUS_OK && !kept;
    return s;
}

/* Records are looked up together (coordinator/path_index.h). */
static enum status settle_batch(void *context, struct result *batch, size_t n, struct error *e)
{
    struct sink *sink = context;
    uint64_t hashes[JOURNAL_BATCH];
    size_t found[JOURNAL_BATCH];
    enum status s = STATUS_OK;

    for (size_t k = 0; k < n; k++) {
        record_tally_add(&sink->reduction->tally, &batch[k]);
        hashes[k] = path_index_hash(sink->index, batch[k].path);
    }
    for (int step = 0; step < PATH_INDEX_STEPS; step++) {
        for (size_t k = 0; k < n; k++)
            path_index_near(sink->index, hashes[k], step);
    }
    for (size_t k = 0; k < n; k++) {
        found[k] = path_index_find_hashed(sink->index, batch[k].path, hashes[k]);
        if (found[k] != SIZE_MAX)
            results_near(sink->reduction->results, found[k]);
    }
    for (size_t k = 0; s == STATUS_OK && k < n; k++)
        s = settle(sink, &batch[k], found[k], e);
    return s;
}

enum status reduce(const char *journal_folder, const char fingerprint[SHA256_HEX_BYTES], const struct manifest *m,
                   struct reduction *ret_r, struct error *e)
{
    struct reduction r = {.count = manifest_count(m)};
    struct path_index *index = NULL;
    struct sink sink = {.manifest = m, .reduction = &r};
    enum status s = path_index_open(m, PATH_WHOLE, false, &index, e);

    if (s == STATUS_OK && results_open(r.count, &r.results) != STATUS_OK)
        s = error_no_memory(e);
    if (s == STATUS_OK && parts_open(&r.parts) != STATUS_OK)
        s = error_no_memory(e);
    sink.index = index;
    if (s == STATUS_OK)
        s = journal_read_ahead(journal_folder, fingerprint, settle_batch, &sink, &r.journal, e);
    if (s == STATUS_OK)
        s = parts_join(r.parts, keep, &sink, e);
    path_index_close(&index);
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
    results_close(&r->results);
    parts_close(&r->parts);
    *r = (struct reduction){0};
}
