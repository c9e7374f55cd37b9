/* DFDC: labels in metadata.json (train and test form), labels.csv (test) and dataset.json (preview). What is
 * on disk and what is named are collected apart, then joined by path, so that nothing of either is lost. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "shard/file.h"
#include "shard/layout_internal.h"

enum { MAX_JSON_BYTES = 256 * 1024 * 1024 };

struct named_video {
    char *path; /* as resolved, relative to the root */
    char *split, *original, *identity;
    enum label label;
    size_t source; /* index of the file of labels */
};

struct collection {
    struct manifest *disk; /* the videos that are there, sorted */
    size_t *by_name;       /* indices into disk, by last component, then path */
    struct named_video *named;
    size_t n_named, named_room;
    char **label_files; /* relative to the root */
    size_t n_label_files, label_files_room;
    size_t n_elsewhere; /* named videos that were found in a folder below */
};

static void named_clear(struct named_video *v)
{
    free(v->path);
    free(v->split);
    free(v->original);
    free(v->identity);
    *v = (struct named_video){0};
}

static void collection_clear(struct collection *c)
{
    for (size_t i = 0; i < c->n_named; i++)
        named_clear(&c->named[i]);
    for (size_t i = 0; i < c->n_label_files; i++)
        free(c->label_files[i]);
    free(c->named);
    free(c->label_files);
    free(c->by_name);
    manifest_close(&c->disk);
}

/* list with room for one more; NULL when out of memory, and list is as it was. */
static void *with_room(void *list, size_t n, size_t *room, size_t size)
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

static const char *last_component(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_json_name(const char *name)
{
    return strcmp(name, "metadata.json") == 0 || strcmp(name, "dataset.json") == 0;
}

static bool is_label_name(const char *name)
{
    return is_json_name(name) || strcmp(name, "labels.csv") == 0;
}

static bool is_wanted(const struct scan *scan, const char *name)
{
    return is_label_name(name) || layout_is_video(scan, name);
}

static enum status visit(struct scan *scan, const struct manifest_entry *file, void *context)
{
    struct collection *c = context;
    char **list;

    if (!is_label_name(last_component(file->path)))
        return manifest_add(c->disk, file, scan->e);
    list = with_room(c->label_files, c->n_label_files, &c->label_files_room, sizeof(*list));
    if (!list)
        return error_no_memory(scan->e);
    c->label_files = list;
    list[c->n_label_files] = strdup(file->path);
    if (!list[c->n_label_files])
        return error_no_memory(scan->e);
    c->n_label_files++;
    return STATUS_OK;
}

static int by_name(const void *a, const void *b, void *context)
{
    const struct manifest *disk = context;
    const char *x = manifest_entry(disk, *(const size_t *)a)->path;
    const char *y = manifest_entry(disk, *(const size_t *)b)->path;
    int order = strcmp(last_component(x), last_component(y));

    return order != 0 ? order : strcmp(x, y);
}

static bool index_by_name(struct collection *c)
{
    size_t n = manifest_count(c->disk);

    c->by_name = reallocarray(NULL, n + 1, sizeof(*c->by_name));
    if (!c->by_name)
        return false;
    for (size_t i = 0; i < n; i++)
        c->by_name[i] = i;
    qsort_r(c->by_name, n, sizeof(*c->by_name), by_name, c->disk);
    return true;
}

/* The one video of that name below folder ("" or "a/b/"), NULL when there is none or more than one. */
static const char *find_below(const struct collection *c, const char *folder, const char *name)
{
    size_t low = 0, high = manifest_count(c->disk), n = high, len = strlen(folder);
    const char *found = NULL;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(last_component(manifest_entry(c->disk, c->by_name[middle])->path), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n; low++) {
        const char *path = manifest_entry(c->disk, c->by_name[low])->path;

        if (strcmp(last_component(path), name) != 0)
            break;
        if (strncmp(path, folder, len) != 0)
            continue;
        if (found)
            return NULL;
        found = path;
    }
    return found;
}

/* The manifest's path of a name that a file of labels in folder gives. The caller frees it; NULL: out of
 * memory. */
static char *resolve(struct collection *c, const char *folder, const char *name, bool count)
{
    const char *below;
    char *joined = file_join(folder, name); /* an absolute name stays so, and manifest_add refuses it */
    char *plain = joined ? layout_plain_path(joined) : NULL;

    free(joined);
    if (!plain || manifest_find(c->disk, plain) != SIZE_MAX || strchr(name, '/'))
        return plain;
    below = find_below(c, folder, name);
    if (!below)
        return plain;
    free(plain);
    c->n_elsewhere += count;
    return strdup(below);
}

/* Takes over v's strings, also on failure. */
static enum status add_named(struct scan *scan, struct collection *c, struct named_video *v)
{
    struct named_video *list = with_room(c->named, c->n_named, &c->named_room, sizeof(*list));

    if (list)
        c->named = list;
    if (!list || !v->path || !v->split || !v->original || !v->identity) {
        named_clear(v);
        return error_no_memory(scan->e);
    }
    list[c->n_named++] = *v;
    return STATUS_OK;
}

struct label_source {
    struct collection *c;
    size_t index;
    char *folder; /* "" or "a/b/" */
};

static enum status visit_row(struct scan *scan, const char *csv_path, const struct label_row *row, void *context)
{
    struct label_source *source = context;
    struct named_video v = {.label = row->entry.label, .source = source->index};

    if (row->entry.path[0] == '\0')
        return error_set(scan->e, STATUS_INVALID, "%s:%zu: filename: must not be empty", csv_path, row->line);
    v.path = resolve(source->c, source->folder, row->entry.path, true);
    v.split = strdup(row->entry.split);
    v.original = strdup("");
    v.identity = strdup(row->entry.identity);
    return add_named(scan, source->c, &v);
}

static bool has(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name) != NULL;
}

/* The text of a member; numbers in decimal; "" when absent or null. *ret_text is the caller's. */
static enum status member_text(struct scan *scan, const char *file, const cJSON *video, const char *name,
                               char **ret_text)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(video, name);
    char number[32];
    const char *text = "";

    if (cJSON_IsString(member)) {
        text = member->valuestring;
    } else if (cJSON_IsNumber(member)) {
        snprintf(number, sizeof(number), "%.15g", member->valuedouble);
        text = number;
    } else if (member && !cJSON_IsNull(member)) {
        return error_set(scan->e, STATUS_INVALID, "%.500s: '%.200s': %s: neither a text nor a number nor null", file,
                         video->string, name);
    }
    *ret_text = strdup(text);
    return *ret_text ? STATUS_OK : error_no_memory(scan->e);
}

static enum status json_label(struct scan *scan, const char *file, const cJSON *video, enum label *ret_label)
{
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(video, "label");
    const cJSON *is_fake = cJSON_GetObjectItemCaseSensitive(video, "is_fake");

    if (label) {
        if (!cJSON_IsString(label) || label_parse(label->valuestring, ret_label) != STATUS_OK)
            return error_set(scan->e, STATUS_INVALID, "%.500s: '%.200s': label: not REAL or FAKE: '%.100s'", file,
                             video->string, cJSON_IsString(label) ? label->valuestring : "(no text)");
        return STATUS_OK;
    }
    if (!is_fake)
        return error_set(scan->e, STATUS_INVALID, "%.500s: '%.200s': neither label nor is_fake", file, video->string);
    if (cJSON_IsTrue(is_fake) || (cJSON_IsNumber(is_fake) && is_fake->valuedouble == 1.0))
        *ret_label = LABEL_FAKE;
    else if (cJSON_IsFalse(is_fake) || (cJSON_IsNumber(is_fake) && is_fake->valuedouble == 0.0))
        *ret_label = LABEL_REAL;
    else
        return error_set(scan->e, STATUS_INVALID, "%.500s: '%.200s': is_fake: not 0 or 1", file, video->string);
    return STATUS_OK;
}

static enum status add_json_video(struct scan *scan, const char *file, const cJSON *video, struct label_source *source)
{
    enum status s;
    struct named_video v = {.source = source->index};
    char *original = NULL;

    if (!cJSON_IsObject(video) || video->string[0] == '\0')
        return error_set(scan->e, STATUS_INVALID, "%.500s: '%.200s': a video's name must lead to an object", file,
                         video->string);
    s = json_label(scan, file, video, &v.label);
    if (s == STATUS_OK)
        s = member_text(scan, file, video, has(video, "split") ? "split" : "set", &v.split);
    if (s == STATUS_OK)
        s = member_text(scan, file, video, "target_id", &v.identity);
    if (s == STATUS_OK)
        s = member_text(scan, file, video, "original", &original);
    if (s != STATUS_OK)
        goto error;
    v.path = resolve(source->c, source->folder, video->string, true);
    if (original && original[0] != '\0')
        v.original = resolve(source->c, source->folder, original, false);
    else
        v.original = strdup("");
    free(original);
    return add_named(scan, source->c, &v);
error:
    free(original);
    named_clear(&v);
    return s;
}

/* *ret_json is the caller's to cJSON_Delete. */
static enum status read_json(const char *path, cJSON **ret_json, struct error *e)
{
    char *data = NULL;
    const char *end = NULL;
    size_t len = 0, line = 1;
    cJSON *json;
    enum status s = file_read(path, MAX_JSON_BYTES, &data, &len, e);

    if (s != STATUS_OK)
        return s;
    json = cJSON_ParseWithLengthOpts(data, len + 1, &end, 1);
    if (json) {
        *ret_json = json;
    } else {
        for (const char *p = data; end && p < end && p < data + len; p++)
            line += *p == '\n';
        s = error_set(e, STATUS_CORRUPT, "%s:%zu: not JSON from here on, or nested too deep", path, line);
    }
    free(data);
    return s;
}

static bool looks_like_dfdc(const cJSON *json)
{
    const cJSON *video;

    if (!cJSON_IsObject(json))
        return false;
    cJSON_ArrayForEach(video, json)
    {
        if (cJSON_IsObject(video) && (has(video, "label") || has(video, "is_fake")))
            return true;
    }
    return false;
}

enum status layout_dfdc_sniff(const char *path, enum label_file *ret_kind, struct error *e)
{
    cJSON *json = NULL;
    enum status s = read_json(path, &json, NULL);

    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    if (s == STATUS_NOT_FOUND)
        *ret_kind = LABEL_FILE_NONE;
    else
        *ret_kind = s != STATUS_OK || looks_like_dfdc(json) ? LABEL_FILE_DFDC : LABEL_FILE_OTHER;
    cJSON_Delete(json);
    return STATUS_OK;
}

static enum status read_json_labels(struct scan *scan, const char *file, struct label_source *source)
{
    cJSON *json = NULL;
    const cJSON *video;
    enum status s = read_json(file, &json, scan->e);

    if (s != STATUS_OK)
        return s;
    if (!looks_like_dfdc(json)) {
        layout_note(scan->summary, "%s is not read: it is not DFDC's", source->c->label_files[source->index]);
        cJSON_Delete(json);
        return STATUS_OK;
    }
    cJSON_ArrayForEach(video, json)
    {
        s = add_json_video(scan, file, video, source);
        if (s != STATUS_OK)
            break;
    }
    cJSON_Delete(json);
    return s;
}

static enum status read_labels(struct scan *scan, struct collection *c, size_t index)
{
    enum status s = STATUS_OK;
    enum label_file kind = LABEL_FILE_OTHER;
    const char *relative = c->label_files[index];
    const char *name = last_component(relative);
    struct label_source source = {.c = c, .index = index};
    char *file = file_join(scan->corpus, relative);

    source.folder = strndup(relative, (size_t)(name - relative));
    if (!file || !source.folder) {
        s = error_no_memory(scan->e);
    } else if (is_json_name(name)) {
        s = read_json_labels(scan, file, &source);
    } else {
        s = layout_csv_sniff(file, &kind, scan->e);
        if (s != STATUS_OK)
            goto end;
        if (kind == LABEL_FILE_DFDC || kind == LABEL_FILE_UNREADABLE)
            s = layout_csv_rows(scan, file, visit_row, &source);
        else
            layout_note(scan->summary, "%s is not read: it has no columns filename,label", relative);
    }
end:
    free(file);
    free(source.folder);
    return s;
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
    char **const of_a[] = {&a->split, &a->original, &a->identity};
    char **const of_b[] = {&b->split, &b->original, &b->identity};

    if (a->source == b->source)
        return error_set(scan->e, STATUS_INVALID, "%.400s/%.200s: path: stands twice: '%.200s'", scan->corpus,
                         c->label_files[a->source], a->path);
    if (a->label != b->label && a->label != LABEL_UNKNOWN && b->label != LABEL_UNKNOWN)
        return error_set(scan->e, STATUS_INVALID, "%.300s: label: %.150s says %s of '%.150s' and %.150s says %s",
                         scan->corpus, c->label_files[a->source], label_name(a->label), a->path,
                         c->label_files[b->source], label_name(b->label));
    if (a->label == LABEL_UNKNOWN)
        a->label = b->label;
    for (size_t i = 0; i < 3; i++) {
        if ((*of_a[i])[0] == '\0') {
            char *kept = *of_a[i];

            *of_a[i] = *of_b[i];
            *of_b[i] = kept;
        }
    }
    return STATUS_OK;
}

static enum status join(struct scan *scan, struct collection *c)
{
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
        char where[512];

        for (i++; s == STATUS_OK && i < c->n_named && strcmp(c->named[i].path, v->path) == 0; i++)
            s = merge(scan, c, v, &c->named[i]);
        if (s != STATUS_OK)
            break;
        if (at != SIZE_MAX) {
            is_named[at] = true;
            entry = *manifest_entry(c->disk, at);
        }
        entry.label = v->label;
        entry.split = v->split;
        entry.original = v->original;
        entry.identity = v->identity;
        snprintf(where, sizeof(where), "%.250s/%.250s", scan->corpus, c->label_files[v->source]);
        s = layout_add(scan, &entry, where);
    }
    for (size_t i = 0; s == STATUS_OK && i < n_disk; i++) {
        if (!is_named[i])
            s = layout_add(scan, manifest_entry(c->disk, i), scan->corpus);
    }
    free(is_named);
    return s;
}

enum status layout_dfdc_fill(struct scan *scan)
{
    struct collection c = {0};
    enum status s = manifest_create(scan->root, "disk", &c.disk, scan->e);

    if (s == STATUS_OK)
        s = layout_walk(scan, is_wanted, visit, &c);
    if (s == STATUS_OK)
        s = manifest_sort(c.disk, scan->e);
    if (s == STATUS_OK && c.n_label_files == 0)
        s = error_set(scan->e, STATUS_INVALID,
                      "%s: no labels of DFDC: looked for metadata.json, dataset.json and labels.csv in it and below",
                      scan->corpus);
    if (s == STATUS_OK && !index_by_name(&c))
        s = error_no_memory(scan->e);
    for (size_t i = 0; s == STATUS_OK && i < c.n_label_files; i++)
        s = read_labels(scan, &c, i);
    if (s == STATUS_OK)
        s = join(scan, &c);
    if (s == STATUS_OK && c.n_elsewhere > 0)
        layout_note(scan->summary, "%zu named videos were found in folders below their labels", c.n_elsewhere);
    collection_clear(&c);
    return s;
}
