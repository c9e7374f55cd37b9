/* FaceForensics++ and DeepFakeDetection: labels, methods, originals and people are in the paths, splits in lists of pairs. */
#include <stdlib.h>
#include <string.h>

#include "shard/layout_internal.h"

enum { N_IDS = 1000, NO_ID = -1 };

static const char originals[] = "original_sequences", manipulated[] = "manipulated_sequences";

static const struct {
    const char *name, *family;
} methods[] = {
    {"Deepfakes", "faceswap"},    {"FaceSwap", "faceswap"},          {"FaceShifter", "faceswap"},
    {"Face2Face", "reenactment"}, {"NeuralTextures", "reenactment"}, {"DeepFakeDetection", "faceswap"},
};

static const char *const split_names[] = {"train", "val", "test"};

struct ffpp {
    int partner[N_IDS];       /* of a video of original_sequences/youtube; NO_ID: not known */
    const char *split[N_IDS]; /* NULL: in no list */
    bool has_lists;
    struct layout_example unlisted; /* fakes of pairs that no list has */
    char original[MANIFEST_MAX_TEXT_BYTES + 1], identity[64], group[16];
};

/* What a path says. Pointers into it. */
struct place {
    const char *set; /* youtube, actors or the method */
    size_t prefix_len, set_len;
    bool is_fake;
    const char *compression; /* raw, c23, c40; NULL: the path has none */
    size_t compression_len;
    const char *name;
};

static bool is_split_list(const char *name)
{
    return strcmp(name, "train.json") == 0 || strcmp(name, "val.json") == 0 || strcmp(name, "test.json") == 0;
}

static bool equals(const char *p, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(p, word, len) == 0;
}

/* .../original_sequences/SET/[COMPRESSION/]videos/NAME */
static bool parse_path(const char *path, struct place *ret_place)
{
    struct place place = {.name = layout_last_component(path)};
    bool found = false, in_videos = false;

    for (const char *p = path, *end; (end = strchr(p, '/')); p = end + 1) {
        size_t len = (size_t)(end - p);

        if (!found && (equals(p, len, originals) || equals(p, len, manipulated))) {
            found = true;
            place.is_fake = equals(p, len, manipulated);
            place.prefix_len = (size_t)(p - path);
        } else if (found && !place.set) {
            place.set = p;
            place.set_len = len;
        } else if (found &&
                   (equals(p, len, "raw") || equals(p, len, "c23") || equals(p, len, "c40") || equals(p, len, "c0"))) {
            place.compression = p;
            place.compression_len = len;
        } else if (found) {
            in_videos = equals(p, len, "videos");
        }
    }
    if (!found || !place.set || !in_videos)
        return false;
    *ret_place = place;
    return true;
}

/* The videos of masks lie among the others. */
static bool is_mask(const char *path)
{
    const char *p = strstr(path, manipulated);

    return p && strstr(p, "/masks/") != NULL;
}

/* Three digits and what follows them; NO_ID else. */
static int id_at(const char *p)
{
    for (int i = 0; i < 3; i++) {
        if (p[i] < '0' || p[i] > '9')
            return NO_ID;
    }
    return (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
}

static bool ids_of_fake(const char *name, int *ret_target, int *ret_source)
{
    int target = id_at(name), source = target != NO_ID && name[3] == '_' ? id_at(name + 4) : NO_ID;

    if (source == NO_ID || (name[7] != '.' && name[7] != '\0'))
        return false;
    *ret_target = target;
    *ret_source = source;
    return true;
}

static int id_of_text(const cJSON *text)
{
    return cJSON_IsString(text) && strlen(text->valuestring) == 3 ? id_at(text->valuestring) : NO_ID;
}

static enum status read_list(struct scan *scan, struct collection *c, struct ffpp *x, size_t index)
{
    const struct label_source *source = &c->sources[index];
    const char *split = split_names[0], *name = layout_last_component(source->path);
    const cJSON *pair;
    cJSON *json = NULL;
    size_t number = 0;
    enum status s = layout_read_json(scan, source, &json);

    if (s != STATUS_OK)
        return s;
    for (size_t k = 0; k < 3; k++) {
        if (strncmp(name, split_names[k], strlen(split_names[k])) == 0)
            split = split_names[k];
    }
    if (!cJSON_IsArray(json) || (json->child && !cJSON_IsArray(json->child))) {
        layout_note(scan->summary, "%s is not read: it is no list of pairs", source->path);
        goto end;
    }
    cJSON_ArrayForEach(pair, json)
    {
        int a = cJSON_GetArraySize(pair) == 2 ? id_of_text(pair->child) : NO_ID;
        int b = a != NO_ID ? id_of_text(pair->child->next) : NO_ID;

        number++;
        if (b == NO_ID || a == b)
            s = error_set(scan->e, STATUS_INVALID,
                          "%.600s: pair %zu: not two different numbers of three digits in quotes", source->file,
                          number);
        else if ((x->split[a] && (x->split[a] != split || x->partner[a] != b)) ||
                 (x->split[b] && (x->split[b] != split || x->partner[b] != a)))
            s = error_set(scan->e, STATUS_INVALID,
                          "%.600s: pair %zu: %03d or %03d stands in another pair or split already", source->file,
                          number, a, b);
        if (s != STATUS_OK)
            break;
        x->split[a] = x->split[b] = split;
        x->partner[a] = b;
        x->partner[b] = a;
    }
    x->has_lists = true;
end:
    cJSON_Delete(json);
    return s;
}

/* Without lists, the fakes tell the pairs. */
static void take_pairs(const struct manifest *disk, struct ffpp *x)
{
    for (size_t i = 0; i < manifest_count(disk); i++) {
        struct place place;
        int target, source;

        if (!parse_path(manifest_entry(disk, i)->path, &place) || !place.is_fake ||
            !ids_of_fake(place.name, &target, &source))
            continue;
        if (x->partner[target] == NO_ID)
            x->partner[target] = source;
        if (x->partner[source] == NO_ID)
            x->partner[source] = target;
    }
}

static enum status expect(struct scan *scan, struct collection *c, const char *folder, size_t folder_len,
                          const char *name)
{
    struct named_video v = {0};

    v.path = malloc(folder_len + strlen(name) + 1);
    if (v.path) {
        memcpy(v.path, folder, folder_len);
        memcpy(v.path + folder_len, name, strlen(name) + 1);
        if (manifest_find(c->disk, v.path) != SIZE_MAX) {
            free(v.path);
            return STATUS_OK;
        }
    }
    return collect_add(scan, c, &v);
}

/* Whatever the lists name must be in each folder that holds anything of its kind. */
static enum status expect_listed(struct scan *scan, struct collection *c, const struct ffpp *x)
{
    const char *last = "";
    size_t last_len = 0;
    enum status s = STATUS_OK;

    for (size_t i = 0; i < manifest_count(c->disk); i++) {
        const char *path = manifest_entry(c->disk, i)->path;
        size_t len = (size_t)(layout_last_component(path) - path);
        struct place place;

        if ((len == last_len && memcmp(path, last, len) == 0) || !parse_path(path, &place) ||
            equals(place.set, place.set_len, "actors") || equals(place.set, place.set_len, "DeepFakeDetection"))
            continue;
        last = path;
        last_len = len;
        for (int a = 0; s == STATUS_OK && a < N_IDS; a++) {
            char name[16];

            if (!x->split[a])
                continue;
            if (place.is_fake)
                snprintf(name, sizeof(name), "%03d_%03d.mp4", a, x->partner[a]);
            else
                snprintf(name, sizeof(name), "%03d.mp4", a);
            s = expect(scan, c, path, len, name);
        }
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

static void set_original(struct ffpp *x, struct manifest_entry *entry, const struct place *place, const char *set,
                         const char *name, size_t name_len)
{
    int n = snprintf(x->original, sizeof(x->original), "%.*s%s/%s/%.*s%svideos/%.*s.mp4", (int)place->prefix_len,
                     entry->path, originals, set, (int)place->compression_len,
                     place->compression ? place->compression : "", place->compression ? "/" : "", (int)name_len, name);

    if (n > 0 && (size_t)n < sizeof(x->original))
        entry->original = x->original;
}

/* 01_02__scene__CODE.mp4 is 02 on 01__scene.mp4. */
static void complete_actors(struct ffpp *x, struct manifest_entry *entry, const struct place *place)
{
    const char *name = place->name, *scene = strstr(name, "__");
    size_t target_len = strcspn(name, "_");
    const char *code = scene ? strstr(scene + 2, "__") : NULL;
    char real[256];

    if (!scene || target_len > 16)
        return;
    snprintf(x->identity, sizeof(x->identity), "actor-%.*s", (int)target_len, name);
    entry->identity = x->identity;
    if (!place->is_fake || !code || code - scene > 200)
        return;
    snprintf(real, sizeof(real), "%.*s%.*s", (int)target_len, name, (int)(code - scene), scene);
    set_original(x, entry, place, "actors", real, strlen(real));
}

static void complete_youtube(struct ffpp *x, struct manifest_entry *entry, const struct place *place)
{
    int target = id_at(place->name), source = NO_ID;

    if (place->is_fake && !ids_of_fake(place->name, &target, &source))
        return;
    if (target == NO_ID)
        return;
    snprintf(x->identity, sizeof(x->identity), "%03d", target);
    entry->identity = x->identity;
    if (place->is_fake)
        set_original(x, entry, place, "youtube", place->name, 3);
    if (source == NO_ID || x->partner[target] == source) {
        entry->split = x->split[target];
        source = x->partner[target];
    } else if (x->has_lists) {
        layout_count(&x->unlisted, "%.250s", entry->path);
    }
    if (source != NO_ID) {
        snprintf(x->group, sizeof(x->group), "%03d_%03d", target < source ? target : source,
                 target < source ? source : target);
        entry->group = x->group;
    }
}

static enum status complete(struct scan *scan, struct manifest_entry *entry, bool *ret_known, void *context)
{
    struct ffpp *x = context;
    struct place place;
    bool is_actors;

    (void)scan;
    *ret_known = parse_path(entry->path, &place);
    if (!*ret_known)
        return STATUS_OK;
    entry->label = place.is_fake ? LABEL_FAKE : LABEL_REAL;
    is_actors = equals(place.set, place.set_len, "actors");
    for (size_t k = 0; place.is_fake && k < sizeof(methods) / sizeof(methods[0]); k++) {
        if (equals(place.set, place.set_len, methods[k].name)) {
            entry->method = methods[k].name;
            entry->family = methods[k].family;
            is_actors = strcmp(methods[k].name, "DeepFakeDetection") == 0;
        }
    }
    if (is_actors)
        complete_actors(x, entry, &place);
    else
        complete_youtube(x, entry, &place);
    return STATUS_OK;
}

enum status layout_ffpp_fill(struct scan *scan)
{
    struct collection c = {0};
    struct ffpp *x = calloc(1, sizeof(*x));
    enum status s = STATUS_OK;
    struct place place;
    bool any = false;

    if (!x)
        return error_no_memory(scan->e);
    for (size_t a = 0; a < N_IDS; a++)
        x->partner[a] = NO_ID;
    scan->is_left_out = is_mask;
    s = collect_open(scan, is_split_list, &c);
    for (size_t i = 0; s == STATUS_OK && i < manifest_count(c.disk) && !any; i++)
        any = parse_path(manifest_entry(c.disk, i)->path, &place);
    if (s == STATUS_OK && !any)
        s = error_set(scan->e, STATUS_INVALID,
                      "%.500s: no videos of FaceForensics++: looked for %s/SET/COMPRESSION/videos/ and "
                      "%s/METHOD/COMPRESSION/videos/ in it and below; videos found: %zu",
                      scan->corpus, originals, manipulated, manifest_count(c.disk));
    for (size_t i = 0; s == STATUS_OK && i < c.n_sources; i++)
        s = read_list(scan, &c, x, i);
    if (s == STATUS_OK && !x->has_lists) {
        layout_note(scan->summary, "no train.json, val.json or test.json, so no video has a split");
        take_pairs(c.disk, x);
    }
    if (s == STATUS_OK && x->has_lists)
        s = expect_listed(scan, &c, x);
    if (s == STATUS_OK)
        s = collect_join(scan, &c, complete, x);
    if (s == STATUS_OK && x->unlisted.n > 0)
        layout_note(scan->summary, "%zu fakes are of pairs that no list has, such as %s", x->unlisted.n,
                    x->unlisted.first);
    free(x);
    collect_close(&c);
    return s;
}
