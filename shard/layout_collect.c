/* What is on disk and what labels name, joined by path. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shard/file.h"
#include "shard/layout_internal.h"

enum { MAX_JSON_BYTES = 256 * 1024 * 1024 };

void named_clear(struct named_video *v)
{
    free(v->path);
    for (size_t i = 0; i < NAMED_COUNT; i++)
        free(v->texts[i]);
    *v = (struct named_video){0};
}

void collect_close(struct collection *c)
{
    for (size_t i = 0; i < c->n_named; i++)
        named_clear(&c->named[i]);
    for (size_t i = 0; i < c->n_sources; i++) {
        free(c->sources[i].path);
        free(c->sources[i].file);
    }
    free(c->named);
    free(c->sources);
    free(c->by_name);
    free(c->by_tail);
    manifest_close(&c->disk);
    *c = (struct collection){0};
}

void *layout_with_room(void *list, size_t n, size_t *room, size_t size)
{
    size_t wanted = *room ? *room * 2 : 64;
    void *bigger;

    if (n < *room)
        return list;
    bigger = reallocarray(list, wanted, size);
    if (bigger)
        *room = wanted;
    return bigger;
}

const char *layout_last_component(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static enum status visit(struct scan *scan, const struct manifest_entry *file, void *context)
{
    struct collection *c = context;

    if (scan->is_left_out && scan->is_left_out(file->path)) {
        layout_count_other(scan->summary, file->path);
        return STATUS_OK;
    }
    if (!scan->is_labels || !scan->is_labels(layout_last_component(file->path)))
        return manifest_add(c->disk, file, scan->e);
    return collect_add_source(scan, c, file);
}

enum status collect_add_source(struct scan *scan, struct collection *c, const struct manifest_entry *file)
{
    struct label_source source = {
        .path = strdup(file->path),
        .file = file_join(scan->file ? scan->root : scan->corpus, file->path),
        .archive_bytes = file->archive_bytes,
        .offset_bytes = file->offset_bytes,
        .size_bytes = file->size_bytes,
    };
    struct label_source *list = layout_with_room(c->sources, c->n_sources, &c->sources_room, sizeof(*list));

    if (list)
        c->sources = list;
    if (!list || !source.path || !source.file) {
        free(source.path);
        free(source.file);
        return error_no_memory(scan->e);
    }
    list[c->n_sources++] = source;
    return STATUS_OK;
}

static bool is_wanted(const struct scan *scan, const char *name)
{
    return layout_is_video(scan, name) || (scan->is_labels && scan->is_labels(name));
}

enum status collect_open(struct scan *scan, bool (*is_labels)(const char *name), struct collection *ret_c)
{
    struct collection c = {0};
    const struct layout_walker walker = {.is_wanted = is_wanted, .visit = visit, .context = &c};
    enum status s = manifest_create(scan->root, "disk", &c.disk, scan->e);

    scan->is_labels = is_labels;
    if (s == STATUS_OK)
        s = layout_walk(scan, &walker);
    if (s == STATUS_OK)
        s = manifest_sort(c.disk, scan->e);
    if (s != STATUS_OK)
        collect_close(&c);
    else
        *ret_c = c;
    return s;
}

static int by_name(const void *a, const void *b, void *context)
{
    const struct manifest *disk = context;
    const char *x = manifest_entry(disk, *(const size_t *)a)->path;
    const char *y = manifest_entry(disk, *(const size_t *)b)->path;
    int order = strcmp(layout_last_component(x), layout_last_component(y));

    return order != 0 ? order : strcmp(x, y);
}

/* A path without its extension, which begins with the last dot of the last component. */
static size_t stem_len(const char *path)
{
    const char *name = layout_last_component(path), *dot = strrchr(name, '.');

    return dot && dot > name ? (size_t)(dot - path) : strlen(path);
}

/* By bytes from the end on, extensions apart. */
static int compare_tails(const char *a, size_t a_len, const char *b, size_t b_len)
{
    while (a_len > 0 && b_len > 0) {
        unsigned char x = (unsigned char)a[--a_len], y = (unsigned char)b[--b_len];

        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a_len > 0) - (b_len > 0);
}

static int by_tail(const void *a, const void *b, void *context)
{
    const struct manifest *disk = context;
    const char *x = manifest_entry(disk, *(const size_t *)a)->path;
    const char *y = manifest_entry(disk, *(const size_t *)b)->path;
    int order = compare_tails(x, stem_len(x), y, stem_len(y));

    return order != 0 ? order : strcmp(x, y);
}

static bool make_index(const struct collection *c, size_t **index, int (*order)(const void *, const void *, void *))
{
    size_t n = manifest_count(c->disk);

    if (*index)
        return true;
    *index = reallocarray(NULL, n + 1, sizeof(**index));
    if (!*index)
        return false;
    for (size_t i = 0; i < n; i++)
        (*index)[i] = i;
    qsort_r(*index, n, sizeof(**index), order, c->disk);
    return true;
}

/* The one video of that name below folder ("" or "a/b/"), NULL when there is none or more than one. */
static const char *find_below(const struct collection *c, const char *folder, const char *name)
{
    size_t low = 0, high = manifest_count(c->disk), n = high, len = strlen(folder);
    const char *found = NULL;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(layout_last_component(manifest_entry(c->disk, c->by_name[middle])->path), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n; low++) {
        const char *path = manifest_entry(c->disk, c->by_name[low])->path;

        if (strcmp(layout_last_component(path), name) != 0)
            break;
        if (strncmp(path, folder, len) != 0)
            continue;
        if (found)
            return NULL;
        found = path;
    }
    return found;
}

char *collect_resolve(struct collection *c, const char *folder, const char *name, bool count)
{
    const char *below;
    char *joined = file_join(folder, name); /* an absolute name stays so, and manifest_add refuses it */
    char *plain = joined ? layout_plain_path(joined) : NULL;

    free(joined);
    if (!plain || manifest_find(c->disk, plain) != SIZE_MAX || strchr(name, '/'))
        return plain;
    if (!make_index(c, &c->by_name, by_name)) {
        free(plain);
        return NULL;
    }
    below = find_below(c, folder, name);
    if (!below)
        return plain;
    free(plain);
    c->n_elsewhere += count;
    return strdup(below);
}

/* The first in the index whose stem is not before tail. */
static size_t lower_tail(const struct collection *c, const char *tail, size_t len)
{
    size_t low = 0, high = manifest_count(c->disk);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *path = manifest_entry(c->disk, c->by_tail[middle])->path;

        if (compare_tails(path, stem_len(path), tail, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether the at-th of the index has the stem tail, or one that ends in it behind a slash, and tail's extension. */
static const char *tail_at(const struct collection *c, size_t at, const char *tail, size_t len, bool is_whole,
                           const char *extension)
{
    const char *path = at < manifest_count(c->disk) ? manifest_entry(c->disk, c->by_tail[at])->path : NULL;
    size_t stem = path ? stem_len(path) : 0;

    if (!path || stem < len || memcmp(path + stem - len, tail, len) != 0 || (is_whole && stem != len) ||
        (extension && strcmp(path + stem, extension) != 0))
        return NULL;
    return path;
}

/* The only one among those that follow at and match; *ret_many where there is another. */
static const char *only_tail(const struct collection *c, const char *tail, size_t len, bool is_whole,
                             const char *extension, bool *ret_many)
{
    const char *found = NULL;

    /* Neighbours that differ in their extension alone are few. */
    for (size_t at = lower_tail(c, tail, len); tail_at(c, at, tail, len, is_whole, NULL); at++) {
        const char *path = tail_at(c, at, tail, len, is_whole, extension);

        if (path && found) {
            *ret_many = true;
            return NULL;
        }
        found = path ? path : found;
    }
    return found;
}

enum status collect_find_tail(struct scan *scan, struct collection *c, const char *tail, bool any_extension,
                              const char **ret_path)
{
    size_t stem = any_extension ? strlen(tail) : stem_len(tail);
    const char *extension = any_extension ? NULL : tail + stem;
    char *slashed;
    bool many = false;

    *ret_path = NULL;
    if (strlen(tail) > MANIFEST_MAX_TEXT_BYTES || strncmp(tail, "../", 3) == 0 || strstr(tail, "/../"))
        return STATUS_OK;
    if (!make_index(c, &c->by_tail, by_tail))
        return error_no_memory(scan->e);
    /* The whole path, then the end of a longer one, then a path that is the end of this. */
    *ret_path = only_tail(c, tail, stem, true, extension, &many);
    if (*ret_path || many)
        return STATUS_OK;
    slashed = malloc(stem + 2);
    if (!slashed)
        return error_no_memory(scan->e);
    snprintf(slashed, stem + 2, "/%.*s", (int)stem, tail);
    *ret_path = only_tail(c, slashed, stem + 1, false, extension, &many);
    free(slashed);
    for (const char *p = strchr(tail, '/'); p && !*ret_path && !many; p = strchr(p + 1, '/'))
        *ret_path = only_tail(c, p + 1, stem - (size_t)(p + 1 - tail), true, extension, &many);
    return STATUS_OK;
}

enum status collect_add(struct scan *scan, struct collection *c, struct named_video *v)
{
    struct named_video *list = layout_with_room(c->named, c->n_named, &c->named_room, sizeof(*list));

    if (list)
        c->named = list;
    if (!list || !v->path) {
        named_clear(v);
        return error_no_memory(scan->e);
    }
    list[c->n_named++] = *v;
    *v = (struct named_video){0};
    return STATUS_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct named_video *x = a, *y = b;
    int order = strcmp(x->path, y->path);

    return order != 0 ? order : (x->source > y->source) - (x->source < y->source);
}

/* Moves what only b knows into a. Two files of labels may name one video, if they agree. */
static enum status merge(struct scan *scan, const struct collection *c, struct named_video *a, struct named_video *b)
{
    if (a->source == b->source)
        return error_set(scan->e, STATUS_INVALID, "%.600s: path: stands twice: '%.200s'", c->sources[a->source].file,
                         a->path);
    if (a->label != b->label && a->label != LABEL_UNKNOWN && b->label != LABEL_UNKNOWN)
        return error_set(scan->e, STATUS_INVALID, "%.300s: label: %.150s says %s of '%.150s' and %.150s says %s",
                         scan->corpus, c->sources[a->source].path, label_name(a->label), a->path,
                         c->sources[b->source].path, label_name(b->label));
    if (a->label == LABEL_UNKNOWN)
        a->label = b->label;
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        char *kept = a->texts[i];

        if (kept && kept[0] != '\0')
            continue;
        a->texts[i] = b->texts[i];
        b->texts[i] = kept;
    }
    return STATUS_OK;
}

struct joining {
    struct scan *scan;
    const struct collection *c;
    enum status (*complete)(struct scan *scan, struct manifest_entry *entry, bool *ret_known, void *context);
    void *context;
};

/* v: NULL where nobody named the entry. */
static enum status join_one(const struct joining *x, struct manifest_entry *entry, const struct named_video *v)
{
    struct scan *scan = x->scan;
    bool is_known = v != NULL;
    enum status s = STATUS_OK;

    if (v) {
        entry->label = v->label;
        entry->split = v->texts[NAMED_SPLIT];
        entry->family = v->texts[NAMED_FAMILY];
        entry->original = v->texts[NAMED_ORIGINAL];
        entry->identity = v->texts[NAMED_IDENTITY];
        entry->group = v->texts[NAMED_GROUP];
        entry->method = v->texts[NAMED_METHOD];
        entry->fake_segments = v->texts[NAMED_SEGMENTS];
    }
    if (x->complete)
        s = x->complete(scan, entry, &is_known, x->context);
    if (s != STATUS_OK)
        return s;
    if (!is_known)
        layout_count(&scan->summary->extra, "%.250s", entry->path);
    return layout_add(scan, entry, v && x->c->n_sources > 0 ? x->c->sources[v->source].file : scan->corpus);
}

enum status collect_join(struct scan *scan, struct collection *c,
                         enum status (*complete)(struct scan *scan, struct manifest_entry *entry, bool *ret_known,
                                                 void *context),
                         void *context)
{
    const struct joining x = {.scan = scan, .c = c, .complete = complete, .context = context};
    enum status s = STATUS_OK;
    size_t n_disk = manifest_count(c->disk);
    bool *is_named = calloc(n_disk + 1, sizeof(*is_named));

    if (!is_named)
        return error_no_memory(scan->e);
    if (c->n_named > 0)
        qsort(c->named, c->n_named, sizeof(*c->named), by_path);
    for (size_t i = 0; s == STATUS_OK && i < c->n_named;) {
        struct named_video *v = &c->named[i];
        size_t at = manifest_find(c->disk, v->path);
        struct manifest_entry entry = {.path = v->path};

        for (i++; s == STATUS_OK && i < c->n_named && strcmp(c->named[i].path, v->path) == 0; i++)
            s = merge(scan, c, v, &c->named[i]);
        if (s != STATUS_OK)
            break;
        if (at != SIZE_MAX) {
            is_named[at] = true;
            entry = *manifest_entry(c->disk, at);
        }
        s = join_one(&x, &entry, v);
    }
    for (size_t i = 0; s == STATUS_OK && i < n_disk; i++) {
        struct manifest_entry entry = *manifest_entry(c->disk, i);

        if (!is_named[i])
            s = join_one(&x, &entry, NULL);
    }
    free(is_named);
    if (s == STATUS_OK && c->n_elsewhere > 0)
        layout_note(scan->summary, "%zu named videos were found in folders below their labels", c->n_elsewhere);
    return s;
}

enum status layout_read_json(struct scan *scan, const struct label_source *source, cJSON **ret_json)
{
    char *data = NULL;
    const char *end = NULL;
    size_t len = 0, line = 1;
    cJSON *json;
    enum status s = layout_read(scan, source, MAX_JSON_BYTES, &data, &len);

    if (s != STATUS_OK)
        return s;
    json = cJSON_ParseWithLengthOpts(data, len + 1, &end, 1);
    if (json) {
        *ret_json = json;
    } else {
        for (const char *p = data; end && p < end && p < data + len; p++)
            line += *p == '\n';
        s = error_set(scan->e, STATUS_CORRUPT, "%s:%zu: not JSON from here on, or nested too deep", source->file, line);
    }
    free(data);
    return s;
}

enum status layout_member_text(struct scan *scan, const char *file, const char *where, const cJSON *object,
                               const char *name, char **ret_text)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);
    char number[32];
    const char *text = "";
    char *copy;

    if (cJSON_IsString(member)) {
        text = member->valuestring;
    } else if (cJSON_IsNumber(member)) {
        snprintf(number, sizeof(number), "%.15g", member->valuedouble);
        text = number;
    } else if (member && !cJSON_IsNull(member)) {
        return error_set(scan->e, STATUS_INVALID, "%.500s: '%.200s': %s: neither a text nor a number nor null", file,
                         where, name);
    }
    copy = strdup(text);
    if (!copy)
        return error_no_memory(scan->e);
    *ret_text = copy;
    return STATUS_OK;
}
