/* DeepfakeBench's JSON: data set -> label -> split -> [compression ->] video -> {"label", "frames": [...]}. It names folders of
 * frames; the video is looked for where those would have been cut from: .../videos/NAME instead of .../frames/NAME. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shard/layout_internal.h"

static const struct {
    const char *label, *method, *family;
} known_labels[] = {
    {"FF-DF", "Deepfakes", "faceswap"},
    {"FF-FS", "FaceSwap", "faceswap"},
    {"FF-FH", "FaceShifter", "faceswap"},
    {"FF-F2F", "Face2Face", "reenactment"},
    {"FF-NT", "NeuralTextures", "reenactment"},
    {"DFD_fake", "DeepFakeDetection", "faceswap"},
    {"CelebDFv1_fake", "CelebDFv1_fake", "faceswap"},
    {"CelebDFv2_fake", "CelebDFv2_fake", "faceswap"},
};

struct bench {
    struct collection *c;
    size_t index;
    size_t n_here; /* named by the file that is read, and there */
    struct layout_example absent;
};

/* Where in the tree a video is: the keys above it. */
struct branch {
    const char *label, *split, *compression; /* NULL: none */
};

static bool is_video_object(const cJSON *object)
{
    return cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(object, "frames")) ||
           cJSON_IsString(cJSON_GetObjectItemCaseSensitive(object, "label"));
}

static enum label label_of(const char *name)
{
    size_t len = strlen(name);

    return len >= 4 && strcasecmp(name + len - 4, "real") == 0 ? LABEL_REAL : LABEL_FAKE;
}

/* ".../c23/frames/000_003/000.png" to ".../c23/videos/000_003". NULL: out of memory. */
static char *tail_of_frame(const char *frame)
{
    char *copy = strdup(frame), *plain, *slash, *last = NULL;

    if (!copy)
        return NULL;
    for (char *p = copy; *p != '\0'; p++)
        *p = *p == '\\' ? '/' : *p; /* lists made on Windows */
    plain = layout_plain_path(copy + strspn(copy, "/"));
    free(copy);
    if (!plain)
        return NULL;
    slash = strrchr(plain, '/');
    *(slash ? slash : plain) = '\0';
    for (char *p = plain; (p = strstr(p, "frames")); p++) {
        if ((p == plain || p[-1] == '/') && p[6] == '/')
            last = p;
    }
    for (size_t i = 0; last && i < 6; i++)
        last[i] = "videos"[i];
    return plain;
}

static enum status add_video(struct scan *scan, struct bench *x, const struct branch *at, const cJSON *video)
{
    const char *file = x->c->sources[x->index].file, *found = NULL;
    const cJSON *frames = cJSON_GetObjectItemCaseSensitive(video, "frames");
    struct named_video v = {.source = x->index, .label = label_of(at->label)};
    const char *method = at->label, *family = "";
    char *tail = NULL;
    size_t room;
    enum status s = STATUS_OK;

    if (!is_video_object(video))
        return error_set(scan->e, STATUS_INVALID, "%.500s: '%.200s': neither label nor frames", file, video->string);
    for (size_t k = 0; k < sizeof(known_labels) / sizeof(known_labels[0]); k++) {
        if (strcmp(at->label, known_labels[k].label) == 0) {
            method = known_labels[k].method;
            family = known_labels[k].family;
        }
    }
    if (cJSON_IsArray(frames) && cJSON_IsString(frames->child)) {
        tail = tail_of_frame(frames->child->valuestring);
        if (tail && tail[0] != '\0')
            s = collect_find_tail(scan, x->c, tail, true, &found);
    }
    if (s != STATUS_OK)
        goto end;
    if (!tail || tail[0] == '\0') { /* without frames, its name in its branch */
        room = strlen(at->label) + strlen(video->string) + (at->compression ? strlen(at->compression) : 0) + 3;
        free(tail);
        tail = malloc(room);
        if (tail)
            snprintf(tail, room, "%s/%s%s%s", at->label, at->compression ? at->compression : "",
                     at->compression ? "/" : "", video->string);
    }
    if (found) {
        v.path = strdup(found);
        x->n_here++;
    } else if (tail) {
        v.path = malloc(strlen(tail) + 5);
        if (v.path)
            sprintf(v.path, "%s.mp4", tail);
        layout_count(&x->absent, "%.240s.*", tail);
    }
    v.texts[NAMED_SPLIT] = strdup(at->split);
    v.texts[NAMED_METHOD] = strdup(v.label == LABEL_FAKE ? method : "");
    v.texts[NAMED_FAMILY] = strdup(v.label == LABEL_FAKE ? family : "");
    if (!v.texts[NAMED_SPLIT] || !v.texts[NAMED_METHOD] || !v.texts[NAMED_FAMILY]) {
        s = error_no_memory(scan->e);
        goto end;
    }
    s = collect_add(scan, x->c, &v);
end:
    named_clear(&v);
    free(tail);
    return s;
}

/* Below a split: videos, or compressions with videos. */
static enum status read_split(struct scan *scan, struct bench *x, struct branch *at, const cJSON *split)
{
    const char *file = x->c->sources[x->index].file;
    const cJSON *item, *video;
    enum status s = STATUS_OK;

    cJSON_ArrayForEach(item, split)
    {
        if (!cJSON_IsObject(item))
            return error_set(scan->e, STATUS_INVALID, "%.500s: '%.200s': leads to no object", file, item->string);
        at->compression = NULL;
        if (is_video_object(item)) {
            s = add_video(scan, x, at, item);
        } else {
            at->compression = item->string;
            cJSON_ArrayForEach(video, item)
            {
                s = cJSON_IsObject(video) ? add_video(scan, x, at, video)
                                          : error_set(scan->e, STATUS_INVALID, "%.500s: '%.200s': leads to no object",
                                                      file, video->string);
                if (s != STATUS_OK)
                    return s;
            }
        }
        if (s != STATUS_OK)
            return s;
    }
    return s;
}

static enum status read_tree(struct scan *scan, struct bench *x, const cJSON *json)
{
    const char *file = x->c->sources[x->index].file;
    const cJSON *set, *label, *split;
    enum status s = STATUS_OK;

    if (!cJSON_IsObject(json))
        return error_set(scan->e, STATUS_INVALID, "%.500s: no list of DeepfakeBench: it is no object", file);
    cJSON_ArrayForEach(set, json)
    {
        cJSON_ArrayForEach(label, set)
        {
            cJSON_ArrayForEach(split, label)
            {
                struct branch at = {.label = label->string, .split = split->string};

                if (!cJSON_IsObject(set) || !cJSON_IsObject(label) || !cJSON_IsObject(split))
                    return error_set(scan->e, STATUS_INVALID,
                                     "%.500s: '%.200s': not data set -> label -> split -> video, as DeepfakeBench's "
                                     "lists are",
                                     file, set->string);
                s = read_split(scan, x, &at, split);
                if (s != STATUS_OK)
                    return s;
            }
        }
    }
    return s;
}

enum status layout_deepfakebench_fill(struct scan *scan)
{
    struct collection c = {0};
    enum status s = collect_open(scan, NULL, &c);

    if (s == STATUS_OK)
        s = layout_add_json_sources(scan, &c, LAYOUT_DEEPFAKEBENCH);
    for (size_t i = 0; s == STATUS_OK && i < c.n_sources; i++) {
        struct bench x = {.c = &c, .index = i};
        cJSON *json = NULL;
        size_t before = c.n_named;

        s = layout_read_json(scan, &c.sources[i], &json);
        if (s == STATUS_OK)
            s = read_tree(scan, &x, json);
        cJSON_Delete(json);
        if (s != STATUS_OK || x.n_here > 0)
            continue;
        if (c.n_sources == 1)
            s = error_set(
                scan->e, STATUS_NOT_FOUND,
                "%.400s: none of the %zu videos that it names is below %.200s: looked for paths that end as %.200s",
                c.sources[i].file, c.n_named - before, scan->root, x.absent.first);
        /* Lists of data sets that are not here. */
        while (c.n_named > before)
            named_clear(&c.named[--c.n_named]);
        layout_note(scan->summary, "%s is not taken: none of its videos is here", c.sources[i].path);
    }
    if (s == STATUS_OK)
        s = collect_join(scan, &c, NULL, NULL);
    collect_close(&c);
    return s;
}
