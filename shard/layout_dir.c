/* Plain folders, and tar shards whose samples may carry their labels beside them (video2dataset, WebDataset). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "shard/layout_internal.h"

enum {
    MAX_FAMILY_BYTES = 255, /* a name of one folder */
    MAX_SIDECAR_BYTES = 4 * 1024 * 1024,
    MAX_SAMPLE_VIDEOS = 64,
};

/* Files of an archive that stand together and have one name up to its first dot. */
struct sample {
    char *key; /* path up to that dot; NULL: none is begun */
    struct {
        char *path;
        struct manifest_entry entry;
    } videos[MAX_SAMPLE_VIDEOS];
    size_t n_videos;
    bool has_sidecar;
    struct named_video labels; /* of its JSON; label and texts alone */
};

struct filling {
    bool noted[3];
    struct sample sample;
    struct layout_example odd_labels, broken, apart;
};

static enum label folder_label(const char *name, size_t len)
{
    if (len != 4)
        return LABEL_UNKNOWN;
    if (strncasecmp(name, "real", 4) == 0)
        return LABEL_REAL;
    return strncasecmp(name, "fake", 4) == 0 ? LABEL_FAKE : LABEL_UNKNOWN;
}

/* A folder's name in other letters is taken, and said once. */
static void note_case(struct scan *scan, const char *path, enum label label, bool noted[3])
{
    if (noted[label] || strncmp(path, label == LABEL_REAL ? "real" : "fake", 4) == 0)
        return;
    noted[label] = true;
    layout_note(scan->summary, "folder '%.4s' taken as %s", path, label_name(label));
}

/* labels: of the sample that the video is part of, or NULL. They go before the folder's, which they may not contradict. */
static enum status add_video(struct scan *scan, struct filling *x, const struct manifest_entry *file,
                             const struct named_video *labels)
{
    struct manifest_entry entry = *file;
    char family[MAX_FAMILY_BYTES + 1];
    const char *slash = strchr(file->path, '/');
    const char *end = slash ? strchr(slash + 1, '/') : NULL;
    /* Folders alone, an archive's name is none. */
    bool is_below = end && (file->archive_bytes == 0 || (size_t)(end - file->path) < file->archive_bytes);

    if (slash && (file->archive_bytes == 0 || (size_t)(slash - file->path) < file->archive_bytes))
        entry.label = folder_label(file->path, (size_t)(slash - file->path));
    if (entry.label != LABEL_UNKNOWN)
        note_case(scan, file->path, entry.label, x->noted);
    if (entry.label == LABEL_FAKE && is_below && end - slash - 1 <= MAX_FAMILY_BYTES) {
        size_t len = (size_t)(end - slash - 1);

        memcpy(family, slash + 1, len);
        family[len] = '\0';
        entry.family = family;
    }
    if (labels) {
        const char **const texts[NAMED_COUNT] = {&entry.split, &entry.family, &entry.original,     &entry.identity,
                                                 &entry.group, &entry.method, &entry.fake_segments};

        if (labels->label != LABEL_UNKNOWN && entry.label != LABEL_UNKNOWN && labels->label != entry.label)
            return error_set(scan->e, STATUS_INVALID,
                             "%.300s: label: '%.300s' lies in a folder of %s, and its JSON says %s", scan->corpus,
                             file->path, label_name(entry.label), label_name(labels->label));
        entry.label = labels->label != LABEL_UNKNOWN ? labels->label : entry.label;
        for (size_t i = 0; i < NAMED_COUNT; i++) {
            if (labels->texts[i] && labels->texts[i][0] != '\0')
                *texts[i] = labels->texts[i];
        }
    }
    return layout_add(scan, &entry, scan->corpus);
}

static void sample_clear(struct sample *sample)
{
    for (size_t i = 0; i < sample->n_videos; i++)
        free(sample->videos[i].path);
    free(sample->key);
    named_clear(&sample->labels);
    *sample = (struct sample){0};
}

static enum status end_sample(struct scan *scan, struct filling *x)
{
    struct sample *sample = &x->sample;
    enum status s = STATUS_OK;

    if (sample->has_sidecar && sample->n_videos == 0)
        layout_count(&x->apart, "%.250s", sample->key);
    for (size_t i = 0; s == STATUS_OK && i < sample->n_videos; i++)
        s = add_video(scan, x, &sample->videos[i].entry, &sample->labels);
    sample_clear(sample);
    return s;
}

/* The sample that a file of an archive is part of is the current one afterwards. */
static enum status begin_sample(struct scan *scan, struct filling *x, const char *path)
{
    const char *name = layout_last_component(path);
    size_t len = (size_t)(name - path) + strcspn(name, ".");
    enum status s;

    if (x->sample.key && strncmp(x->sample.key, path, len) == 0 && x->sample.key[len] == '\0')
        return STATUS_OK;
    s = end_sample(scan, x);
    if (s != STATUS_OK)
        return s;
    x->sample.key = strndup(path, len);
    return x->sample.key ? STATUS_OK : error_no_memory(scan->e);
}

static enum label json_label(const cJSON *json, struct filling *x, const char *path)
{
    static const char *const names[] = {"label", "is_fake"};
    enum label label = LABEL_UNKNOWN;

    for (size_t i = 0; i < 2 && label == LABEL_UNKNOWN; i++) {
        const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, names[i]);

        if (!member || cJSON_IsNull(member))
            continue;
        if (cJSON_IsBool(member))
            label = cJSON_IsTrue(member) ? LABEL_FAKE : LABEL_REAL;
        else if (cJSON_IsNumber(member) && (member->valuedouble == 0 || member->valuedouble == 1))
            label = member->valuedouble == 1 ? LABEL_FAKE : LABEL_REAL;
        else if (!cJSON_IsString(member) || label_parse(member->valuestring, &label) != STATUS_OK)
            layout_count(&x->odd_labels, "%s: %.100s", path, cJSON_IsString(member) ? member->valuestring : "no text");
    }
    return label;
}

static enum status read_sidecar(struct scan *scan, const struct manifest_entry *file, char *data)
{
    size_t len = 0;

    while (len < file->size_bytes) {
        ssize_t n = pread(scan->archive_fd, data + len, file->size_bytes - len, (off_t)(file->offset_bytes + len));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set_errno(scan->e, n < 0 ? errno : ENODATA, "%.300s: cannot read '%.300s'", scan->corpus,
                                   file->path);
        len += (size_t)n;
    }
    data[len] = '\0';
    return STATUS_OK;
}

static enum status take_sidecar(struct scan *scan, struct filling *x, const struct manifest_entry *file)
{
    static const char *const names[NAMED_COUNT] = {"split", "family", "original",     "identity",
                                                   "group", "method", "fake_segments"};
    struct sample *sample = &x->sample;
    cJSON *json = NULL;
    char *data;
    enum status s;

    if (!file->exists || file->size_bytes > MAX_SIDECAR_BYTES) {
        layout_count(&x->broken, "%.250s", file->path);
        return STATUS_OK;
    }
    data = malloc(file->size_bytes + 1);
    if (!data)
        return error_no_memory(scan->e);
    s = read_sidecar(scan, file, data);
    if (s != STATUS_OK)
        goto end;
    sample->has_sidecar = true;
    json = cJSON_ParseWithLengthOpts(data, file->size_bytes + 1, NULL, 1);
    if (!cJSON_IsObject(json)) {
        layout_count(&x->broken, "%.250s", file->path);
        goto end;
    }
    sample->labels.label = json_label(json, x, file->path);
    for (size_t i = 0; s == STATUS_OK && i < NAMED_COUNT; i++) {
        const cJSON *member = cJSON_GetObjectItemCaseSensitive(json, names[i]);

        /* A sidecar is anybody's: what is no text is not ours. */
        if (!cJSON_IsString(member) && !cJSON_IsNumber(member))
            continue;
        free(sample->labels.texts[i]);
        sample->labels.texts[i] = NULL;
        s = layout_member_text(scan, scan->corpus, file->path, json, names[i], &sample->labels.texts[i]);
    }
end:
    cJSON_Delete(json);
    free(data);
    return s;
}

static bool is_sidecar(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot && dot > name && strcmp(dot, ".json") == 0;
}

static bool is_wanted(const struct scan *scan, const char *name)
{
    return layout_is_video(scan, name) || (scan->archive_fd >= 0 && is_sidecar(name));
}

static enum status visit(struct scan *scan, const struct manifest_entry *file, void *context)
{
    struct filling *x = context;
    struct sample *sample = &x->sample;
    enum status s;

    if (file->archive_bytes == 0)
        return add_video(scan, x, file, NULL);
    s = begin_sample(scan, x, file->path);
    if (s != STATUS_OK)
        return s;
    if (!layout_is_video(scan, layout_last_component(file->path)))
        return take_sidecar(scan, x, file);
    if (sample->n_videos == MAX_SAMPLE_VIDEOS)
        return add_video(scan, x, file, sample->has_sidecar ? &sample->labels : NULL);
    sample->videos[sample->n_videos].entry = *file;
    sample->videos[sample->n_videos].path = strdup(file->path);
    sample->videos[sample->n_videos].entry.path = sample->videos[sample->n_videos].path;
    if (!sample->videos[sample->n_videos].path)
        return error_no_memory(scan->e);
    sample->n_videos++;
    return STATUS_OK;
}

static void tell(struct scan *scan, const struct filling *x)
{
    if (x->odd_labels.n > 0)
        layout_note(scan->summary, "%zu label%s of samples not taken, being none of REAL, FAKE, 0, 1, such as %s",
                    x->odd_labels.n, x->odd_labels.n == 1 ? "" : "s", x->odd_labels.first);
    if (x->broken.n > 0)
        layout_note(scan->summary, "%zu JSON file%s of samples cannot be read, such as %s", x->broken.n,
                    x->broken.n == 1 ? "" : "s", x->broken.first);
    if (x->apart.n > 0)
        layout_note(scan->summary, "%zu JSON file%s without a video beside in the archive, such as %s.json", x->apart.n,
                    x->apart.n == 1 ? "" : "s", x->apart.first);
}

enum status layout_dir_fill(struct scan *scan)
{
    struct filling *x = calloc(1, sizeof(*x));
    const struct layout_walker walker = {.is_wanted = is_wanted, .visit = visit, .context = x};
    enum status s = x ? layout_walk(scan, &walker) : error_no_memory(scan->e);

    if (!x)
        return s;
    if (s == STATUS_OK)
        s = end_sample(scan, x);
    if (s == STATUS_OK)
        tell(scan, x);
    sample_clear(&x->sample);
    free(x);
    return s;
}
