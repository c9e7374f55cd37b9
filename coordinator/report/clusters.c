/* Which videos depend on each other. Everything is looked up in a table, never compared pair by pair. */
#include "coordinator/report/model.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/path_index.h"

enum { JOINED_BYTES = 8192 };

struct originals {
    const struct manifest *m;
    struct path_index *by_path;
    struct path_index *by_base, *by_stem; /* of entries that are not fakes; made when first asked */
    char *joined;                         /* room for a folder and a name */
};

static void originals_close(struct originals *o)
{
    path_index_close(&o->by_path);
    path_index_close(&o->by_base);
    path_index_close(&o->by_stem);
    free(o->joined);
}

static enum status originals_open(const struct manifest *m, struct originals *o, struct error *e)
{
    enum status s = path_index_open(m, PATH_WHOLE, false, &o->by_path, e);

    o->m = m;
    o->joined = malloc(JOINED_BYTES);
    return s == STATUS_OK && !o->joined ? error_no_memory(e) : s;
}

/* What a fake's "original" names: a path, a file of its own folder (DFDC), or the name or stem of one entry
 * anywhere (FaceForensics++). A name that stands twice names nothing. */
static enum status find_original(struct originals *o, const struct manifest_entry *fake, size_t *ret_found,
                                 struct error *e)
{
    enum status s = STATUS_OK;
    size_t found = path_index_find(o->by_path, fake->original), folder_len, len = strlen(fake->original);
    const char *slash = strrchr(fake->path, '/');

    if (found == SIZE_MAX && slash) {
        folder_len = (size_t)(slash - fake->path) + 1;
        if (folder_len + len < JOINED_BYTES) {
            memcpy(o->joined, fake->path, folder_len);
            memcpy(o->joined + folder_len, fake->original, len + 1);
            found = path_index_find(o->by_path, o->joined);
        }
    }
    if (found == SIZE_MAX && !o->by_base) {
        s = path_index_open(o->m, PATH_BASE, true, &o->by_base, e);
        if (s == STATUS_OK)
            s = path_index_open(o->m, PATH_STEM, true, &o->by_stem, e);
        if (s != STATUS_OK)
            return s;
    }
    if (found == SIZE_MAX)
        found = path_index_find(o->by_base, fake->original);
    if (found == SIZE_MAX)
        found = path_index_find(o->by_stem, fake->original);
    *ret_found = found;
    return s;
}

static bool states_original(const struct manifest_entry *entry)
{
    return entry->original[0] != '\0' && entry->label == LABEL_FAKE;
}

enum status clusters_by_original(const struct manifest *m, uint32_t *cluster, bool *ret_any, struct error *e)
{
    size_t n = manifest_count(m), n_stated = 0;
    struct originals o = {0};
    uint8_t *is_unknown = calloc(n + 1, 1);
    enum status s = is_unknown ? STATUS_OK : error_no_memory(e);

    for (size_t i = 0; i < n; i++) {
        cluster[i] = (uint32_t)i;
        n_stated += states_original(manifest_entry(m, i));
    }
    if (s == STATUS_OK && n_stated > 0)
        s = originals_open(m, &o, e);
    for (size_t i = 0; s == STATUS_OK && n_stated > 0 && i < n; i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);
        size_t found = SIZE_MAX;

        if (!states_original(entry))
            continue;
        s = find_original(&o, entry, &found, e);
        if (found != SIZE_MAX)
            cluster[i] = (uint32_t)found;
        else
            is_unknown[i] = 1;
    }
    /* Fakes of one original that is not of the corpus belong together all the same. */
    if (s == STATUS_OK && n_stated > 0)
        s = alike_first(m, alike_original, is_unknown, cluster, e);
    if (s == STATUS_OK)
        *ret_any = n_stated > 0;
    originals_close(&o);
    free(is_unknown);
    return s;
}

static enum status by_field(const struct manifest *m, alike_field *field, uint32_t *cluster, bool *ret_any,
                            struct error *e)
{
    size_t n = manifest_count(m);
    uint8_t *is_named = calloc(n + 1, 1);
    bool any = false;
    enum status s;

    if (!is_named)
        return error_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        cluster[i] = (uint32_t)i;
        is_named[i] = field(manifest_entry(m, i))[0] != '\0';
        any = any || is_named[i];
    }
    s = alike_first(m, field, is_named, cluster, e);
    free(is_named);
    if (s == STATUS_OK)
        *ret_any = any;
    return s;
}

enum status clusters_by_identity(const struct manifest *m, uint32_t *cluster, bool *ret_any, struct error *e)
{
    return by_field(m, alike_identity, cluster, ret_any, e);
}

enum status clusters_by_group(const struct manifest *m, uint32_t *cluster, bool *ret_any, struct error *e)
{
    return by_field(m, alike_group, cluster, ret_any, e);
}
