/* AV-Deepfake1M: a JSON list of {file, original, split, modify_type, fake_segments}. It has a million elements and passes the
 * memory as a whole, so it is read element by element. */
#include <stdlib.h>
#include <string.h>

#include "shard/layout_internal.h"
#include "shard/spans.h"

enum { READ_BYTES = 1 << 20, MAX_ELEMENT_BYTES = 64 << 20 };

static const struct {
    const char *modify_type, *family;
} families[] = {
    {"visual_modified", "lip-sync"},
    {"both_modified", "lip-sync"},
    {"audio_modified", "audio"},
};

struct reading {
    struct scan *scan;
    struct collection *c;
    size_t index;
    FILE *stream;
    char *element; /* being gathered */
    size_t len, room, number, n_here;
    struct layout_example absent, audio, empty;
};

/* The path of a file that the list names: as it stands, in the folder of its split, or wherever below one path ends so. */
static enum status find_file(struct reading *x, const char *name, const char *split, bool *ret_here, char **ret_path)
{
    const char *source = x->c->sources[x->index].path, *found = NULL;
    size_t folder_len = (size_t)(layout_last_component(source) - source);
    char *path = NULL, *plain;
    enum status s = STATUS_OK;

    for (int k = 0; k < 2 && !found; k++) {
        size_t room = folder_len + strlen(split) + strlen(name) + 2;

        if (k == 1 && split[0] == '\0')
            break;
        path = malloc(room);
        if (!path)
            return error_no_memory(x->scan->e);
        snprintf(path, room, "%.*s%s%s%s", (int)folder_len, source, k == 1 ? split : "", k == 1 ? "/" : "", name);
        plain = layout_plain_path(path);
        free(path);
        if (!plain)
            return error_no_memory(x->scan->e);
        if (manifest_find(x->c->disk, plain) != SIZE_MAX) {
            *ret_here = true;
            *ret_path = plain;
            return STATUS_OK;
        }
        free(plain);
    }
    plain = layout_plain_path(name);
    if (!plain)
        return error_no_memory(x->scan->e);
    s = collect_find_tail(x->scan, x->c, plain, false, &found);
    if (s == STATUS_OK && found) {
        free(plain);
        plain = strdup(found);
        if (!plain)
            return error_no_memory(x->scan->e);
    }
    *ret_here = found != NULL;
    if (s == STATUS_OK)
        *ret_path = plain;
    else
        free(plain);
    return s;
}

/* [[start, end], ...] in seconds, as a manifest has them. Empty stretches, which the data set has a few of, are left out. */
static enum status take_segments(struct reading *x, const char *where, const cJSON *segments, char **ret_text)
{
    const char *file = x->c->sources[x->index].file;
    struct text t = {0};
    const cJSON *pair;
    enum status s = STATUS_OK;

    cJSON_ArrayForEach(pair, segments)
    {
        const cJSON *start = cJSON_GetArrayItem(pair, 0), *end = cJSON_GetArrayItem(pair, 1);

        if (!cJSON_IsNumber(start) || !cJSON_IsNumber(end) || cJSON_GetArraySize(pair) != 2)
            s = error_set(x->scan->e, STATUS_INVALID, "%.500s: %s: fake_segments: not [[start, end], ...] in seconds",
                          file, where);
        else if (span_ok(start->valuedouble, end->valuedouble))
            spans_append(&t, start->valuedouble, end->valuedouble);
        else if (start->valuedouble == end->valuedouble)
            layout_count(&x->empty, "%.250s", where);
        else
            s = error_set(x->scan->e, STATUS_INVALID, "%.500s: %s: fake_segments: %g to %g is no stretch of time", file,
                          where, start->valuedouble, end->valuedouble);
        if (s != STATUS_OK) {
            text_clear(&t);
            return s;
        }
    }
    *ret_text = text_take(&t);
    return *ret_text ? STATUS_OK : error_no_memory(x->scan->e);
}

static enum status take_object(struct reading *x, const cJSON *json)
{
    struct scan *scan = x->scan;
    const char *file = x->c->sources[x->index].file;
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "file");
    const cJSON *segments = cJSON_GetObjectItemCaseSensitive(json, "fake_segments");
    struct named_video v = {.source = x->index};
    char *original = NULL, *type = NULL;
    const char *family = "";
    char where[32];
    bool here = false, original_here;
    enum status s;

    snprintf(where, sizeof(where), "element %zu", x->number);
    if (!cJSON_IsString(name) || name->valuestring[0] == '\0')
        return error_set(scan->e, STATUS_INVALID, "%.500s: %s: file: no path", file, where);
    s = layout_member_text(scan, file, where, json, "split", &v.texts[NAMED_SPLIT]);
    if (s == STATUS_OK)
        s = layout_member_text(scan, file, where, json, "modify_type", &type);
    if (s == STATUS_OK)
        s = layout_member_text(scan, file, where, json, "original", &original);
    if (s == STATUS_OK)
        s = find_file(x, name->valuestring, v.texts[NAMED_SPLIT], &here, &v.path);
    if (s == STATUS_OK && original[0] != '\0')
        s = find_file(x, original, v.texts[NAMED_SPLIT], &original_here, &v.texts[NAMED_ORIGINAL]);
    if (s != STATUS_OK)
        goto end;
    x->n_here += here;
    if (!here)
        layout_count(&x->absent, "%.250s", name->valuestring);
    if (type[0] == '\0')
        v.label = !segments ? LABEL_UNKNOWN : cJSON_GetArraySize(segments) > 0 ? LABEL_FAKE : LABEL_REAL;
    else
        v.label = strcmp(type, "real") == 0 ? LABEL_REAL : LABEL_FAKE;
    for (size_t k = 0; k < sizeof(families) / sizeof(families[0]); k++) {
        if (strcmp(type, families[k].modify_type) == 0)
            family = families[k].family;
    }
    if (strcmp(family, "audio") == 0)
        layout_count(&x->audio, "%.250s", name->valuestring);
    v.texts[NAMED_FAMILY] = strdup(family);
    if (v.label == LABEL_FAKE) {
        v.texts[NAMED_METHOD] = type;
        type = NULL;
        s = take_segments(x, where, segments, &v.texts[NAMED_SEGMENTS]);
    }
    if (s == STATUS_OK)
        s = v.texts[NAMED_FAMILY] ? collect_add(scan, x->c, &v) : error_no_memory(scan->e);
end:
    named_clear(&v);
    free(original);
    free(type);
    return s;
}

static enum status take_element(struct reading *x)
{
    cJSON *json;
    enum status s;

    x->number++;
    x->element[x->len] = '\0';
    json = cJSON_ParseWithLengthOpts(x->element, x->len + 1, NULL, 1);
    if (cJSON_IsObject(json))
        s = take_object(x, json);
    else
        s = error_set(x->scan->e, STATUS_CORRUPT, "%.500s: element %zu: no object of JSON",
                      x->c->sources[x->index].file, x->number);
    cJSON_Delete(json);
    x->len = 0;
    return s;
}

static enum status put(struct reading *x, char c)
{
    if (x->len + 2 > x->room) {
        size_t room = x->room ? 2 * x->room : 4096;
        char *bigger = room <= MAX_ELEMENT_BYTES ? realloc(x->element, room) : NULL;

        if (!bigger)
            return room <= MAX_ELEMENT_BYTES
                       ? error_no_memory(x->scan->e)
                       : error_set(x->scan->e, STATUS_INVALID, "%.500s: element %zu: larger than %d bytes",
                                   x->c->sources[x->index].file, x->number + 1, MAX_ELEMENT_BYTES);
        x->element = bigger;
        x->room = room;
    }
    x->element[x->len++] = c;
    return STATUS_OK;
}

/* Splits the list at the commas and brackets of its own level; what lies between is cJSON's to judge. */
static enum status read_list(struct reading *x)
{
    enum { BEFORE, IN_LIST, BEHIND } place = BEFORE;
    bool in_text = false, escaped = false, wants_element = false;
    size_t depth = 0;
    enum status s = STATUS_OK;
    int c;

    while (s == STATUS_OK && (c = getc_unlocked(x->stream)) != EOF) {
        bool is_blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';

        if (place != IN_LIST) {
            if (!is_blank && (place == BEHIND || c != '['))
                return error_set(x->scan->e, STATUS_CORRUPT, "%.500s: no list of JSON: '%c' %s",
                                 x->c->sources[x->index].file, c >= 0x20 && c < 0x7f ? c : '?',
                                 place == BEFORE ? "at its begin" : "behind its end");
            place = is_blank ? place : IN_LIST;
            continue;
        }
        if (!in_text && depth == 0 && (c == ',' || c == ']')) {
            if (x->len > 0 || c == ',' || wants_element)
                s = x->len > 0 ? take_element(x)
                               : error_set(x->scan->e, STATUS_CORRUPT, "%.500s: element %zu: nothing there",
                                           x->c->sources[x->index].file, x->number + 1);
            wants_element = c == ',';
            place = c == ']' ? BEHIND : IN_LIST;
            continue;
        }
        if (is_blank && !in_text)
            continue;
        if (in_text) {
            in_text = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if (c == '"') {
            in_text = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        s = put(x, (char)c);
    }
    if (s == STATUS_OK && ferror(x->stream))
        s = error_set(x->scan->e, STATUS_IO, "%.500s: cannot read", x->c->sources[x->index].file);
    else if (s == STATUS_OK && place != BEHIND)
        s = error_set(x->scan->e, STATUS_CORRUPT, "%.500s: ends inside element %zu", x->c->sources[x->index].file,
                      x->number + 1);
    return s;
}

static enum status read_source(struct scan *scan, struct collection *c, size_t index)
{
    struct reading x = {.scan = scan, .c = c, .index = index};
    const char *file = c->sources[index].file;
    size_t before = c->n_named;
    enum status s;

    x.stream = fopen(file, "rbe");
    if (!x.stream)
        return error_set(scan->e, STATUS_IO, "%.500s: cannot open", file);
    setvbuf(x.stream, NULL, _IOFBF, READ_BYTES);
    s = read_list(&x);
    fclose(x.stream);
    free(x.element);
    if (s != STATUS_OK)
        return s;
    if (x.audio.n > 0)
        layout_note(scan->summary,
                    "%zu fakes have their sound alone changed (family audio), which no detector of pictures "
                    "can see, such as %s",
                    x.audio.n, x.audio.first);
    if (x.empty.n > 0)
        layout_note(scan->summary, "%zu fake_segments are empty and left out, such as in %s", x.empty.n, x.empty.first);
    if (x.n_here > 0)
        return STATUS_OK;
    if (c->n_sources == 1)
        return error_set(
            scan->e, STATUS_NOT_FOUND,
            "%.400s: none of the %zu videos that it names is below %.200s: looked for paths that end as %.200s", file,
            c->n_named - before, scan->root, x.absent.first);
    while (c->n_named > before)
        named_clear(&c->named[--c->n_named]);
    layout_note(scan->summary, "%s is not taken: none of its videos is here", c->sources[index].path);
    return STATUS_OK;
}

enum status layout_avdeepfake1m_fill(struct scan *scan)
{
    struct collection c = {0};
    enum status s = collect_open(scan, NULL, &c);

    if (s == STATUS_OK)
        s = layout_add_json_sources(scan, &c, LAYOUT_AVDEEPFAKE1M);
    for (size_t i = 0; s == STATUS_OK && i < c.n_sources; i++)
        s = read_source(scan, &c, i);
    if (s == STATUS_OK)
        s = collect_join(scan, &c, NULL, NULL);
    collect_close(&c);
    return s;
}
