/* DFDC: labels in metadata.json (train and test form), labels.csv (test) and dataset.json (preview). What is
 * on disk and what is named are collected apart, then joined by path, so that nothing of either is lost. */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "shard/layout_internal.h"

static bool is_json_name(const char *name)
{
    return strcmp(name, "metadata.json") == 0 || strcmp(name, "dataset.json") == 0;
}

static bool is_label_name(const char *name)
{
    return is_json_name(name) || strcmp(name, "labels.csv") == 0;
}

/* A file of labels that is being read. */
struct reading {
    struct collection *c;
    size_t index;
    char *folder; /* "" or "a/b/" */
};

static enum status visit_row(struct scan *scan, const char *csv_path, const struct label_row *row, void *context)
{
    struct reading *source = context;
    struct named_video v = {.label = row->entry.label, .source = source->index};

    if (row->entry.path[0] == '\0')
        return error_set(scan->e, STATUS_INVALID, "%s:%zu: filename: must not be empty", csv_path, row->line);
    v.path = collect_resolve(source->c, source->folder, row->entry.path, true);
    v.texts[NAMED_SPLIT] = strdup(row->entry.split);
    v.texts[NAMED_IDENTITY] = strdup(row->entry.identity);
    if (!v.texts[NAMED_SPLIT] || !v.texts[NAMED_IDENTITY]) {
        named_clear(&v);
        return error_no_memory(scan->e);
    }
    return collect_add(scan, source->c, &v);
}

static bool has(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name) != NULL;
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

static enum status add_json_video(struct scan *scan, const char *file, const cJSON *video, struct reading *source)
{
    enum status s;
    struct named_video v = {.source = source->index};
    char *original = NULL;

    if (!cJSON_IsObject(video) || video->string[0] == '\0')
        return error_set(scan->e, STATUS_INVALID, "%.500s: '%.200s': a video's name must lead to an object", file,
                         video->string);
    s = json_label(scan, file, video, &v.label);
    if (s == STATUS_OK)
        s = layout_member_text(scan, file, video->string, video, has(video, "split") ? "split" : "set",
                               &v.texts[NAMED_SPLIT]);
    if (s == STATUS_OK)
        s = layout_member_text(scan, file, video->string, video, "target_id", &v.texts[NAMED_IDENTITY]);
    if (s == STATUS_OK)
        s = layout_member_text(scan, file, video->string, video, "original", &original);
    if (s != STATUS_OK)
        goto error;
    v.path = collect_resolve(source->c, source->folder, video->string, true);
    if (original[0] != '\0') {
        v.texts[NAMED_ORIGINAL] = collect_resolve(source->c, source->folder, original, false);
        if (!v.texts[NAMED_ORIGINAL]) {
            s = error_no_memory(scan->e);
            goto error;
        }
    }
    free(original);
    return collect_add(scan, source->c, &v);
error:
    free(original);
    named_clear(&v);
    return s;
}

bool layout_dfdc_is(const cJSON *json)
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
    struct scan scan = {.e = NULL};
    const struct label_source source = {.file = (char *)(uintptr_t)path};
    cJSON *json = NULL;
    enum status s = layout_read_json(&scan, &source, &json);

    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    if (s == STATUS_NOT_FOUND)
        *ret_kind = LABEL_FILE_NONE;
    else
        *ret_kind = s != STATUS_OK || layout_dfdc_is(json) ? LABEL_FILE_DFDC : LABEL_FILE_OTHER;
    cJSON_Delete(json);
    return STATUS_OK;
}

static enum status read_json_labels(struct scan *scan, const char *file, struct reading *source)
{
    cJSON *json = NULL;
    const cJSON *video;
    enum status s = layout_read_json(scan, &source->c->sources[source->index], &json);

    if (s != STATUS_OK)
        return s;
    if (!layout_dfdc_is(json)) {
        layout_note(scan->summary, "%s is not read: it is not DFDC's", source->c->sources[source->index].path);
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
    const struct label_source *labels = &c->sources[index];
    const char *name = layout_last_component(labels->path);
    struct reading source = {.c = c, .index = index};

    source.folder = strndup(labels->path, (size_t)(name - labels->path));
    if (!source.folder)
        return error_no_memory(scan->e);
    if (is_json_name(name)) {
        s = read_json_labels(scan, labels->file, &source);
    } else if (labels->archive_bytes > 0) {
        layout_note(scan->summary, "%s is not read: a CSV file of labels must lie beside its archive", labels->path);
    } else {
        s = layout_csv_sniff(labels->file, &kind, scan->e);
        if (s == STATUS_OK && (kind == LABEL_FILE_DFDC || kind == LABEL_FILE_UNREADABLE))
            s = layout_csv_rows(scan, labels->file, visit_row, &source);
        else if (s == STATUS_OK)
            layout_note(scan->summary, "%s is not read: it has no columns filename,label", labels->path);
    }
    free(source.folder);
    return s;
}

enum status layout_dfdc_fill(struct scan *scan)
{
    struct collection c = {0};
    enum status s = collect_open(scan, is_label_name, &c);

    if (s == STATUS_OK && c.n_sources == 0)
        s = error_set(
            scan->e, STATUS_INVALID,
            "%s: no labels of DFDC: looked for metadata.json, dataset.json and labels.csv in it and below, also "
            "in archives; videos found: %zu",
            scan->corpus, manifest_count(c.disk));
    for (size_t i = 0; s == STATUS_OK && i < c.n_sources; i++)
        s = read_labels(scan, &c, i);
    if (s == STATUS_OK)
        s = collect_join(scan, &c, NULL, NULL);
    collect_close(&c);
    return s;
}
