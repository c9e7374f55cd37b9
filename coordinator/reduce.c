#include "coordinator/reduce.h"

#include <stdlib.h>
#include <string.h>

struct sink {
    const struct manifest *manifest;
    struct reduction *reduction;
};

static bool wins(const struct result *challenger, const struct result *holder)
{
    bool a = outcome_has_score(challenger->outcome), b = outcome_has_score(holder->outcome);

    return a != b ? a : challenger->outcome < holder->outcome;
}

static bool is_of(const struct result *r, const struct manifest_entry *entry)
{
    if (r->content && entry->content[0] != '\0')
        return strcmp(r->content, entry->content) == 0;
    return entry->size_bytes == r->size_bytes && entry->mtime_ns == r->mtime_ns;
}

static enum status take(void *context, struct result *r, struct error *e)
{
    struct sink *sink = context;
    struct reduction *x = sink->reduction;
    size_t i = manifest_find(sink->manifest, r->path);
    const struct manifest_entry *entry = i == SIZE_MAX ? NULL : manifest_entry(sink->manifest, i);
    struct result *holder;

    (void)e;
    if (!entry || !is_of(r, entry)) {
        x->n_foreign++;
        return STATUS_OK;
    }
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
    holder->size_bytes = entry->size_bytes;
    holder->mtime_ns = entry->mtime_ns;
    *r = (struct result){0};
    return STATUS_OK;
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
    s = journal_read(journal_folder, fingerprint, take, &sink, &r.journal, e);
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
    *r = (struct reduction){0};
}
