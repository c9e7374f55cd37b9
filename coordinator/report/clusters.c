/* Which videos depend on each other. Everything is sorted and searched, never compared pair by pair, and
 * nothing is hashed, so hostile names cannot make it slow. */
#include "coordinator/report/model.h"

#include <stdlib.h>
#include <string.h>

struct name {
    const char *text;
    size_t len_bytes;
    uint32_t index;
};

static int compare_text(const struct name *a, const struct name *b)
{
    size_t shorter = a->len_bytes < b->len_bytes ? a->len_bytes : b->len_bytes;
    int order = memcmp(a->text, b->text, shorter);

    if (order != 0)
        return order;
    return a->len_bytes < b->len_bytes ? -1 : a->len_bytes > b->len_bytes;
}

static int compare_names(const void *left, const void *right)
{
    const struct name *a = left, *b = right;
    int order = compare_text(a, b);

    if (order != 0)
        return order;
    return a->index < b->index ? -1 : a->index > b->index;
}

static struct name base_name(const char *path, uint32_t index)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;

    return (struct name){.text = base, .len_bytes = strlen(base), .index = index};
}

static struct name stem(const char *path, uint32_t index)
{
    struct name n = base_name(path, index);

    for (size_t k = n.len_bytes; k > 1; k--) {
        if (n.text[k - 1] == '.') {
            n.len_bytes = k - 1;
            break;
        }
    }
    return n;
}

/* The only name with that text, or SIZE_MAX: a name that stands twice names nothing. */
static size_t find_only(const struct name *sorted, size_t n, const struct name *wanted)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_text(&sorted[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == n || compare_text(&sorted[low], wanted) != 0)
        return SIZE_MAX;
    if (low + 1 < n && compare_text(&sorted[low + 1], wanted) == 0)
        return SIZE_MAX;
    return sorted[low].index;
}

struct originals {
    const struct manifest *m;
    struct name *by_base, *by_stem; /* of entries that are not fakes */
    size_t n;
    char *joined; /* room for a folder and a name */
    size_t joined_bytes;
};

/* What a fake's "original" names: a path, a file of its own folder (DFDC), or the name or stem of one entry
 * anywhere (FaceForensics++). */
static size_t find_original(struct originals *o, const struct manifest_entry *fake)
{
    size_t found = manifest_find(o->m, fake->original), folder_len, len = strlen(fake->original);
    const char *slash = strrchr(fake->path, '/');
    struct name wanted = {.text = fake->original, .len_bytes = len};

    if (found == SIZE_MAX && slash) {
        folder_len = (size_t)(slash - fake->path) + 1;
        if (folder_len + len < o->joined_bytes) {
            memcpy(o->joined, fake->path, folder_len);
            memcpy(o->joined + folder_len, fake->original, len + 1);
            found = manifest_find(o->m, o->joined);
        }
    }
    if (found == SIZE_MAX)
        found = find_only(o->by_base, o->n, &wanted);
    if (found == SIZE_MAX)
        found = find_only(o->by_stem, o->n, &wanted);
    return found;
}

/* Gives all names with equal text the cluster of the first. */
static void join_equal(struct name *names, size_t n, uint32_t *cluster)
{
    qsort(names, n, sizeof(*names), compare_names);
    for (size_t i = 0, head = 0; i < n; i++) {
        if (compare_text(&names[i], &names[head]) != 0)
            head = i;
        cluster[names[i].index] = names[head].index;
    }
}

enum status clusters_by_original(const struct manifest *m, uint32_t *cluster, bool *ret_any, struct error *e)
{
    size_t n = manifest_count(m), n_unknown = 0;
    struct originals o = {.m = m, .joined_bytes = 8192};
    struct name *unknown = malloc((n + 1) * sizeof(*unknown));
    enum status s = STATUS_OK;

    o.by_base = malloc((n + 1) * sizeof(*o.by_base));
    o.by_stem = malloc((n + 1) * sizeof(*o.by_stem));
    o.joined = malloc(o.joined_bytes);
    if (!unknown || !o.by_base || !o.by_stem || !o.joined) {
        s = error_no_memory(e);
        goto end;
    }
    *ret_any = false;
    for (size_t i = 0; i < n; i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);

        if (entry->label == LABEL_FAKE)
            continue;
        o.by_base[o.n] = base_name(entry->path, (uint32_t)i);
        o.by_stem[o.n++] = stem(entry->path, (uint32_t)i);
    }
    qsort(o.by_base, o.n, sizeof(*o.by_base), compare_names);
    qsort(o.by_stem, o.n, sizeof(*o.by_stem), compare_names);
    for (size_t i = 0; i < n; i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);
        size_t found;

        cluster[i] = (uint32_t)i;
        if (entry->original[0] == '\0' || entry->label != LABEL_FAKE)
            continue;
        *ret_any = true;
        found = find_original(&o, entry);
        if (found != SIZE_MAX)
            cluster[i] = (uint32_t)found;
        else
            unknown[n_unknown++] =
                (struct name){.text = entry->original, .len_bytes = strlen(entry->original), .index = (uint32_t)i};
    }
    join_equal(unknown, n_unknown, cluster);
end:
    free(unknown);
    free(o.by_base);
    free(o.by_stem);
    free(o.joined);
    return s;
}

static enum status by_field(const struct manifest *m, const char *(*field)(const struct manifest_entry *),
                            uint32_t *cluster, bool *ret_any, struct error *e)
{
    size_t n = manifest_count(m), n_named = 0;
    struct name *named = malloc((n + 1) * sizeof(*named));

    if (!named)
        return error_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        const char *text = field(manifest_entry(m, i));

        cluster[i] = (uint32_t)i;
        if (text[0] != '\0')
            named[n_named++] = (struct name){.text = text, .len_bytes = strlen(text), .index = (uint32_t)i};
    }
    *ret_any = n_named > 0;
    join_equal(named, n_named, cluster);
    free(named);
    return STATUS_OK;
}

static const char *identity_of(const struct manifest_entry *entry)
{
    return entry->identity;
}

static const char *group_of(const struct manifest_entry *entry)
{
    return entry->group;
}

enum status clusters_by_identity(const struct manifest *m, uint32_t *cluster, bool *ret_any, struct error *e)
{
    return by_field(m, identity_of, cluster, ret_any, e);
}

enum status clusters_by_group(const struct manifest *m, uint32_t *cluster, bool *ret_any, struct error *e)
{
    return by_field(m, group_of, cluster, ret_any, e);
}
