/* Exact duplicates: by the content that the scan hashed; else candidates of one size, whose facts and pictures agree, are read. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/audit_parts.h"
#include "shard/file.h"
#include "shard/hash.h"

/* An entry that may be the same file as others. */
struct candidate {
    uint64_t size_bytes;
    int64_t duration_us;
    uint32_t width_px, height_px;
    uint32_t entry;
    uint32_t group;              /* of those that agree in all of the above, and in their pictures */
    char hash[SHA256_HEX_BYTES]; /* "": could not be read, or was not to be */
};

struct hashed {
    const char *content;
    uint32_t entry;
};

static int by_content(const void *a, const void *b)
{
    const struct hashed *x = a, *y = b;
    int d = strcmp(x->content, y->content);

    return d != 0 ? d : (x->entry > y->entry) - (x->entry < y->entry);
}

static enum status same_content(struct auditor *x, struct error *e)
{
    struct hashed *h = malloc((x->n + 1) * sizeof(*h));
    size_t n = 0;

    if (!h)
        return error_no_memory(e);
    for (size_t i = 0; i < x->n; i++) {
        const char *content = manifest_entry(x->m, i)->content;

        x->same[i] = (uint32_t)i;
        if (content[0] != '\0')
            h[n++] = (struct hashed){.content = content, .entry = (uint32_t)i};
    }
    qsort(h, n, sizeof(*h), by_content);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(h[i].content, h[i - 1].content) == 0)
            x->same[h[i].entry] = x->same[h[i - 1].entry];
    }
    free(h);
    return STATUS_OK;
}

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_facts(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int d = compare_u64(x->size_bytes, y->size_bytes);

    if (d == 0)
        d = compare_u64((uint64_t)x->duration_us, (uint64_t)y->duration_us);
    if (d == 0)
        d = compare_u64((uint64_t)x->width_px << 32 | x->height_px, (uint64_t)y->width_px << 32 | y->height_px);
    return d != 0 ? d : compare_u64(x->entry, y->entry);
}

static bool facts_agree(const struct candidate *x, const struct candidate *y)
{
    return x->size_bytes == y->size_bytes && x->duration_us == y->duration_us && x->width_px == y->width_px &&
           x->height_px == y->height_px;
}

static bool pictures_agree(const struct prints *p, uint32_t a, uint32_t b)
{
    const struct entry_prints *x = &p->entries[a], *y = &p->entries[b];

    /* One of them was not looked at: the files decide. */
    if (x->n_prints == 0 || y->n_prints == 0)
        return true;
    if (x->n_pictures != y->n_pictures || x->brightest != y->brightest || x->sharpest != y->sharpest)
        return false;
    for (size_t k = 0; k < x->n_pictures; k++) {
        if (hamming_distance(p->pictures[x->first + k].hash, p->pictures[y->first + k].hash) != 0)
            return false;
    }
    return true;
}

static enum status collect(struct auditor *x, struct candidate **ret_c, size_t *ret_n, struct error *e)
{
    struct candidate *c = malloc((x->n + 1) * sizeof(*c));
    size_t n = 0;

    if (!c)
        return error_no_memory(e);
    for (size_t i = 0; i < x->n; i++) {
        const struct manifest_entry *entry = manifest_entry(x->m, i);
        const struct video_facts *facts;

        if (!entry->exists || entry->size_bytes == 0 || entry->content[0] != '\0')
            continue;
        facts = audit_facts(x, (uint32_t)i);
        c[n++] = (struct candidate){.size_bytes = entry->size_bytes,
                                    .duration_us = facts->duration_us,
                                    .width_px = facts->width_px,
                                    .height_px = facts->height_px,
                                    .entry = (uint32_t)i};
    }
    qsort(c, n, sizeof(*c), by_facts);
    *ret_c = c;
    *ret_n = n;
    return STATUS_OK;
}

/* Reads what agrees with another one in everything else. */
static enum status read_file(struct auditor *x, struct candidate *c, struct error *e)
{
    char *path = file_join(manifest_root(x->m), manifest_entry(x->m, c->entry)->path);
    struct error hash_error = {0};
    enum status s = STATUS_OK;

    if (!path)
        return error_no_memory(e);
    if (c->hash[0] == '\0' && !x->settings->without_files) {
        s = hash_file(path, c->hash, &hash_error);
        if (s != STATUS_OK)
            c->hash[0] = '\0';
        x->audit->n_verified += s == STATUS_OK;
    }
    x->audit->n_unverified += c->hash[0] == '\0';
    free(path);
    return s == STATUS_NO_MEMORY ? error_no_memory(e) : STATUS_OK;
}

/* Of a run of candidates with the same facts: which are one file. Quadratic only where pictures and bytes differ. */
static enum status settle_run(struct auditor *x, struct candidate *c, size_t n, struct error *e)
{
    enum status s = STATUS_OK;
    size_t n_groups = 0;

    for (size_t i = 0; i < n; i++)
        c[i].group = AUDIT_NO_ENTRY;
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        bool is_read = false;

        if (c[i].group != AUDIT_NO_ENTRY)
            continue;
        c[i].group = (uint32_t)n_groups++;
        for (size_t k = i + 1; s == STATUS_OK && k < n; k++) {
            if (c[k].group != AUDIT_NO_ENTRY || !pictures_agree(&x->prints, c[i].entry, c[k].entry))
                continue;
            if (!is_read)
                s = read_file(x, &c[i], e);
            is_read = true;
            if (s == STATUS_OK)
                s = read_file(x, &c[k], e);
            /* Unread ones count as the same only where somebody looked at both. */
            if (strcmp(c[i].hash, c[k].hash) != 0 ||
                (c[i].hash[0] == '\0' &&
                 (x->prints.entries[c[i].entry].n_pictures == 0 || x->prints.entries[c[k].entry].n_pictures == 0)))
                continue;
            c[k].group = c[i].group;
            x->same[c[k].entry] = c[i].entry;
        }
    }
    return s;
}

static enum status find_same(struct auditor *x, struct error *e)
{
    struct candidate *c = NULL;
    size_t n = 0;
    enum status s = same_content(x, e);

    if (s == STATUS_OK)
        s = collect(x, &c, &n, e);
    for (size_t i = 0, end; s == STATUS_OK && i < n; i = end) {
        for (end = i + 1; end < n && facts_agree(&c[i], &c[end]); end++)
            ;
        if (end > i + 1)
            s = settle_run(x, c + i, end - i, e);
    }
    free(c);
    return s;
}

static enum status tell(struct auditor *x, uint32_t a, uint32_t b, struct error *e)
{
    const struct manifest_entry *first = manifest_entry(x->m, a), *second = manifest_entry(x->m, b);
    bool is_conflict = first->label != second->label && first->label != LABEL_UNKNOWN && second->label != LABEL_UNKNOWN;
    bool is_leak = first->split != second->split && first->split[0] != '\0' && second->split[0] != '\0';
    enum audit_kind kinds[3];
    size_t n_kinds = 0;
    enum status s = STATUS_OK;

    kinds[n_kinds++] = AUDIT_DUPLICATE;
    if (is_conflict)
        kinds[n_kinds++] = AUDIT_LABEL_CONFLICT;
    if (is_leak)
        kinds[n_kinds++] = AUDIT_LEAK;
    for (size_t k = 0; s == STATUS_OK && k < n_kinds; k++) {
        struct text evidence = {0}, command = {0};

        text_append_format(&evidence, "the same %llu bytes%s", (unsigned long long)first->size_bytes,
                           first->content[0] != '\0' ? " by the scan's SHA-256" : "");
        if (kinds[k] == AUDIT_LABEL_CONFLICT)
            text_append_format(&evidence, ", one labelled %s, the other %s", label_name(first->label),
                               label_name(second->label));
        if (kinds[k] == AUDIT_LEAK)
            text_append_format(&evidence, ", in splits %s and %s", first->split, second->split);
        text_append_string(&command, "cmp ");
        audit_append_file(&command, x, a);
        text_append_string(&command, " ");
        audit_append_file(&command, x, b);
        s = audit_add(x, kinds[k], a, b, &evidence, &command, e);
    }
    return s;
}

enum status audit_duplicates(struct auditor *x, struct error *e)
{
    enum status s = find_same(x, e);

    for (size_t i = 0; s == STATUS_OK && i < x->n; i++) {
        if (x->same[i] != i)
            s = tell(x, x->same[i], (uint32_t)i, e);
    }
    return s;
}
