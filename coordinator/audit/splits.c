/* What must not be in two splits; and fakes whose original is not there. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/audit_parts.h"
#include "coordinator/report/model.h"

struct reach {
    uint32_t first;  /* entry of the cluster that states a split */
    uint32_t second; /* one that states another */
    uint32_t n;      /* entries of the cluster */
};

/* How a cluster is named, and looked up in the run's database. */
struct tie {
    const char *what, *column;
    const char *(*name)(const struct manifest_entry *entry);
};

static enum status tell(struct auditor *x, const struct tie *tie, const struct reach *r, struct error *e)
{
    const struct manifest_entry *a = manifest_entry(x->m, r->first), *b = manifest_entry(x->m, r->second);
    /* The original itself has no original: one of its fakes names it. */
    const char *name = tie->name(a)[0] != '\0' ? tie->name(a) : tie->name(b);
    struct text evidence = {0}, command = {0};

    text_append_format(&evidence, "the same %s '", tie->what);
    text_append_string(&evidence, name);
    text_append_format(&evidence, "' (%u videos) in splits %s and %s", r->n, a->split, b->split);
    audit_append_query(&command, x, tie->column, name);
    return audit_add(x, AUDIT_LEAK, r->first, r->second, &evidence, &command, e);
}

static enum status check(struct auditor *x, const struct tie *tie, const uint32_t *cluster, struct error *e)
{
    struct reach *reach = calloc(x->n + 1, sizeof(*reach));
    enum status s = STATUS_OK;

    if (!reach)
        return error_no_memory(e);
    for (size_t i = 0; i < x->n; i++)
        reach[i].first = reach[i].second = AUDIT_NO_ENTRY;
    for (size_t i = 0; i < x->n; i++) {
        const struct manifest_entry *entry = manifest_entry(x->m, i);
        struct reach *r = &reach[cluster[i]];

        r->n++;
        if (entry->split[0] == '\0')
            continue;
        if (r->first == AUDIT_NO_ENTRY)
            r->first = (uint32_t)i;
        else if (r->second == AUDIT_NO_ENTRY && manifest_entry(x->m, r->first)->split != entry->split)
            r->second = (uint32_t)i;
    }
    for (size_t i = 0; s == STATUS_OK && i < x->n; i++) {
        if (reach[i].second != AUDIT_NO_ENTRY)
            s = tell(x, tie, &reach[i], e);
    }
    free(reach);
    return s;
}

enum status audit_splits(struct auditor *x, struct error *e)
{
    static const struct tie by_original = {"original", "original", alike_original};
    static const struct tie by_identity = {"identity", "identity", alike_identity};
    static const struct tie by_group = {"group", "group_name", alike_group};
    uint32_t *cluster = calloc(x->n + 1, sizeof(*cluster));
    bool any = false;
    enum status s;

    if (!cluster)
        return error_no_memory(e);
    s = x->has_originals ? check(x, &by_original, x->original, e) : STATUS_OK;
    if (s == STATUS_OK)
        s = clusters_by_identity(x->m, cluster, &any, e);
    if (s == STATUS_OK && any)
        s = check(x, &by_identity, cluster, e);
    if (s == STATUS_OK)
        s = clusters_by_group(x->m, cluster, &any, e);
    if (s == STATUS_OK && any)
        s = check(x, &by_group, cluster, e);
    free(cluster);
    return s;
}

enum status audit_orphans(struct auditor *x, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && x->has_originals && i < x->n; i++) {
        const struct manifest_entry *entry = manifest_entry(x->m, i), *found;
        struct text evidence = {0}, command = {0};

        if (entry->label != LABEL_FAKE || entry->original[0] == '\0')
            continue;
        /* Without an original that is listed a fake stands with the others of that name, or alone (report/clusters.c). */
        found = manifest_entry(x->m, x->original[i]);
        if (found->label != LABEL_FAKE || found->original != entry->original)
            continue;
        text_append_string(&evidence, "its original '");
        text_append_string(&evidence, entry->original);
        text_append_string(&evidence, "' is not in the corpus, or not the only one of that name");
        audit_append_query(&command, x, "original", entry->original);
        s = audit_add(x, AUDIT_ORPHAN, (uint32_t)i, AUDIT_NO_ENTRY, &evidence, &command, e);
    }
    return s;
}
