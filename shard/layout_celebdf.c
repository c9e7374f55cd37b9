/* Celeb-DF (v1, v2): Celeb-real/, YouTube-real/, Celeb-synthesis/, and List_of_testing_videos.txt, in which 1 is REAL: the
 * opposite of every other list that is read here. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shard/layout_internal.h"

enum { MAX_LIST_BYTES = 16 * 1024 * 1024 };

enum part { PART_REAL, PART_YOUTUBE, PART_SYNTHESIS, PART_COUNT };

static const char *const part_names[PART_COUNT] = {"Celeb-real", "YouTube-real", "Celeb-synthesis"};

struct celebdf {
    char *parts[PART_COUNT]; /* each folder's path, as it is on disk; NULL: not there */
    bool has_list;
    char original[MANIFEST_MAX_TEXT_BYTES + 1], identity[256];
};

static bool is_list(const char *name)
{
    return strcasecmp(name, "List_of_testing_videos.txt") == 0;
}

/* The part in whose folder a file lies, and where that folder's name begins; PART_COUNT: none. */
static enum part part_of(const char *path, size_t *ret_at)
{
    const char *name = layout_last_component(path), *folder;

    if (name == path)
        return PART_COUNT;
    for (folder = name - 1; folder > path && folder[-1] != '/'; folder--)
        ;
    for (unsigned k = 0; k < PART_COUNT; k++) {
        size_t len = strlen(part_names[k]);

        if (len == (size_t)(name - 1 - folder) && strncasecmp(folder, part_names[k], len) == 0) {
            *ret_at = (size_t)(folder - path);
            return (enum part)k;
        }
    }
    return PART_COUNT;
}

static enum status find_parts(struct scan *scan, const struct manifest *disk, struct celebdf *x)
{
    for (size_t i = 0; i < manifest_count(disk); i++) {
        const char *path = manifest_entry(disk, i)->path;
        size_t at = 0;
        enum part part = part_of(path, &at);
        size_t len = part < PART_COUNT ? at + strlen(part_names[part]) : 0;

        if (part == PART_COUNT || x->parts[part])
            continue;
        x->parts[part] = strndup(path, len);
        if (!x->parts[part])
            return error_no_memory(scan->e);
        if (strcmp(x->parts[part] + at, part_names[part]) != 0)
            layout_note(scan->summary, "folder '%.100s' taken as %s", x->parts[part], part_names[part]);
    }
    return STATUS_OK;
}

/* "1 YouTube-real/00170.mp4": end is behind it. */
static enum status take_line(struct scan *scan, struct collection *c, const struct celebdf *x, size_t index, char *line,
                             size_t number)
{
    const struct label_source *list = &c->sources[index];
    struct named_video v = {.source = index};
    size_t at = 0, folder_len = (size_t)(layout_last_component(list->path) - list->path);
    const char *path, *name;
    enum part part;

    line += strspn(line, " \t");
    if (*line == '\0')
        return STATUS_OK;
    if ((line[0] != '0' && line[0] != '1') || (line[1] != ' ' && line[1] != '\t'))
        return error_set(scan->e, STATUS_INVALID, "%.500s:%zu: not a label, 1 (real) or 0 (fake), and a path: '%.100s'",
                         list->file, number, line);
    path = line + 2 + strspn(line + 2, " \t");
    part = part_of(path, &at);
    if (part == PART_COUNT)
        return error_set(scan->e, STATUS_INVALID, "%.500s:%zu: not in %s/, %s/ or %s/: '%.200s'", list->file, number,
                         part_names[0], part_names[1], part_names[2], path);
    v.label = line[0] == '1' ? LABEL_REAL : LABEL_FAKE;
    if ((v.label == LABEL_FAKE) != (part == PART_SYNTHESIS))
        return error_set(
            scan->e, STATUS_INVALID,
            "%.500s:%zu: label: %c means %s in this list (1 is real, 0 fake), and '%.200s' is %s: is the list "
            "turned round?",
            list->file, number, line[0], label_name(v.label), path, part == PART_SYNTHESIS ? "FAKE" : "REAL");
    name = layout_last_component(path);
    v.path = x->parts[part] ? malloc(strlen(x->parts[part]) + strlen(name) + 2) : malloc(folder_len + strlen(path) + 1);
    v.texts[NAMED_SPLIT] = strdup("test");
    if (!v.path || !v.texts[NAMED_SPLIT]) {
        named_clear(&v);
        return error_no_memory(scan->e);
    }
    if (x->parts[part])
        sprintf(v.path, "%s/%s", x->parts[part], name);
    else
        sprintf(v.path, "%.*s%s", (int)folder_len, list->path, path);
    return collect_add(scan, c, &v);
}

static enum status read_list(struct scan *scan, struct collection *c, struct celebdf *x, size_t index)
{
    char *data = NULL;
    size_t len = 0, number = 1;
    enum status s = layout_read(scan, &c->sources[index], MAX_LIST_BYTES, &data, &len);

    if (s != STATUS_OK)
        return s;
    if (strlen(data) != len)
        s = error_set(scan->e, STATUS_CORRUPT, "%s: holds a zero byte, so it is no text", c->sources[index].file);
    for (char *line = data; s == STATUS_OK && line; number++) {
        char *end = strchr(line, '\n');
        size_t line_len;

        if (end)
            *end = '\0';
        line_len = strlen(line);
        while (line_len > 0 && strchr(" \t\r", line[line_len - 1]))
            line[--line_len] = '\0';
        s = take_line(scan, c, x, index, line, number);
        line = end ? end + 1 : NULL;
    }
    x->has_list = true;
    free(data);
    return s;
}

/* id0_id1_0000.mp4: the face of id1 put on id0's video 0000. */
static void complete_fake(struct celebdf *x, const char *path, size_t at, struct manifest_entry *entry)
{
    const char *name = layout_last_component(path);
    const char *source = strchr(name, '_'), *number = source ? strchr(source + 1, '_') : NULL;
    int n;

    entry->family = "faceswap";
    entry->method = part_names[PART_SYNTHESIS];
    if (!number || strncmp(name, "id", 2) != 0)
        return;
    snprintf(x->identity, sizeof(x->identity), "%.*s", (int)(source - name < 255 ? source - name : 255), name);
    entry->identity = x->identity;
    if (x->parts[PART_REAL])
        n = snprintf(x->original, sizeof(x->original), "%s/%s%s", x->parts[PART_REAL], x->identity, number);
    else
        n = snprintf(x->original, sizeof(x->original), "%.*s%s/%s%s", (int)at, path, part_names[PART_REAL], x->identity,
                     number);
    if (n > 0 && (size_t)n < sizeof(x->original))
        entry->original = x->original;
}

static enum status complete(struct scan *scan, struct manifest_entry *entry, bool *ret_known, void *context)
{
    struct celebdf *x = context;
    size_t at = 0;
    enum part part = part_of(entry->path, &at);
    const char *name = layout_last_component(entry->path), *end = strchr(name, '_');

    (void)scan;
    *ret_known = part != PART_COUNT;
    if (part == PART_COUNT)
        return STATUS_OK;
    entry->label = part == PART_SYNTHESIS ? LABEL_FAKE : LABEL_REAL;
    if (x->has_list && (!entry->split || entry->split[0] == '\0'))
        entry->split = "train";
    if (part == PART_SYNTHESIS) {
        complete_fake(x, entry->path, at, entry);
    } else if (part == PART_REAL && end && strncmp(name, "id", 2) == 0) {
        snprintf(x->identity, sizeof(x->identity), "%.*s", (int)(end - name < 255 ? end - name : 255), name);
        entry->identity = x->identity;
    }
    return STATUS_OK;
}

enum status layout_celebdf_fill(struct scan *scan)
{
    struct collection c = {0};
    struct celebdf *x = calloc(1, sizeof(*x));
    enum status s = x ? collect_open(scan, is_list, &c) : error_no_memory(scan->e);

    if (s == STATUS_OK)
        s = find_parts(scan, c.disk, x);
    if (s == STATUS_OK && !x->parts[0] && !x->parts[1] && !x->parts[2])
        s = error_set(
            scan->e, STATUS_INVALID,
            "%.500s: no videos of Celeb-DF: looked for folders %s, %s and %s in it and below; videos found: %zu",
            scan->corpus, part_names[0], part_names[1], part_names[2], manifest_count(c.disk));
    for (size_t i = 0; s == STATUS_OK && i < c.n_sources; i++)
        s = read_list(scan, &c, x, i);
    if (s == STATUS_OK && c.n_sources == 0)
        layout_note(scan->summary, "no List_of_testing_videos.txt, so no video has a split");
    if (s == STATUS_OK)
        s = collect_join(scan, &c, complete, x);
    for (unsigned k = 0; x && k < PART_COUNT; k++)
        free(x->parts[k]);
    free(x);
    collect_close(&c);
    return s;
}
