#include "coordinator/evaluate/submission.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "coordinator/path_index.h"
#include "shard/csv.h"
#include "shard/file.h"

struct truth {
    struct manifest *m;
    struct path_index *by_path, *by_base, *by_stem;
};

enum column {
    COLUMN_ID,
    COLUMN_LABEL,
    COLUMN_SPLIT,
    COLUMN_FAMILY,
    COLUMN_ORIGINAL,
    COLUMN_IDENTITY,
    COLUMN_GROUP,
    COLUMN_METHOD,
    COLUMN_SEGMENTS,
    COLUMN_COUNT
};

/* Words for each column, the data sets' own among them. */
static const char *const words[COLUMN_COUNT][6] = {
    [COLUMN_ID] = {"path", "filename", "video_name", "file", "id", "ProbeFileID"},
    [COLUMN_LABEL] = {"label", "is_fake"},
    [COLUMN_SPLIT] = {"split", "usage"},
    [COLUMN_FAMILY] = {"family"},
    [COLUMN_ORIGINAL] = {"original"},
    [COLUMN_IDENTITY] = {"identity"},
    [COLUMN_GROUP] = {"group"},
    [COLUMN_METHOD] = {"method"},
    [COLUMN_SEGMENTS] = {"fake_segments"},
};

static size_t column_of(const struct csv_row *row, enum column c)
{
    for (size_t w = 0; w < 6 && words[c][w]; w++) {
        for (size_t i = 0; i < row->n_fields; i++) {
            if (strcasecmp(row->fields[i], words[c][w]) == 0)
                return i;
        }
    }
    return SIZE_MAX;
}

/* The line of the second of two rows with one id; the file is read once more for it. */
static enum status name_repeated(const char *path, const struct manifest *m, size_t id_at, struct error *e)
{
    struct csv_reader *r = NULL;
    struct csv_row row = {0};
    const char *twice = NULL;
    size_t n_seen = 0;
    enum status s;

    for (size_t i = 1; i < manifest_count(m) && !twice; i++) {
        if (strcmp(manifest_entry(m, i - 1)->path, manifest_entry(m, i)->path) == 0)
            twice = manifest_entry(m, i)->path;
    }
    s = csv_reader_open(path, &r, e);
    while (s == STATUS_OK && twice && n_seen < 2) {
        s = csv_reader_next(r, &row, e);
        if (s == STATUS_OK && id_at < row.n_fields && strcmp(row.fields[id_at], twice) == 0)
            n_seen++;
    }
    if (s == STATUS_OK) {
        error_set(e, STATUS_INVALID, "%s:%zu: '%.200s': stands twice; each video has one label", path, row.line, twice);
        s = STATUS_INVALID;
    }
    csv_reader_close(&r);
    return s;
}

static enum status read_csv(const char *path, struct manifest *m, struct error *e)
{
    struct csv_reader *r = NULL;
    struct csv_row row = {0};
    size_t at[COLUMN_COUNT] = {0}, n_fields;
    enum status s = csv_reader_open(path, &r, e);

    if (s != STATUS_OK)
        return s;
    s = csv_reader_next(r, &row, e);
    if (s == STATUS_END)
        s = error_set(e, STATUS_INVALID, "%s: empty; its first row must name the columns", path);
    for (int c = 0; s == STATUS_OK && c < COLUMN_COUNT; c++)
        at[c] = column_of(&row, (enum column)c);
    if (s == STATUS_OK && (at[COLUMN_ID] == SIZE_MAX || at[COLUMN_LABEL] == SIZE_MAX))
        s = error_set(
            e, STATUS_INVALID,
            "%s:%zu: no column '%s': a truth is a CSV whose first row names path (or filename, video_name, file, "
            "id) and label (or is_fake), a manifest of `fakesift scan`, or a run folder",
            path, row.line, at[COLUMN_ID] == SIZE_MAX ? "path" : "label");
    n_fields = s == STATUS_OK ? row.n_fields : 0;
    while (s == STATUS_OK) {
        struct manifest_entry entry = {0};
        struct error why = {0};
        const char *fields[COLUMN_COUNT];

        s = csv_reader_next(r, &row, e);
        if (s != STATUS_OK)
            break;
        if (row.n_fields != n_fields) {
            s = error_set(e, STATUS_INVALID, "%s:%zu: the row has %zu fields and the heading %zu", path, row.line,
                          row.n_fields, n_fields);
            break;
        }
        for (int c = 0; c < COLUMN_COUNT; c++)
            fields[c] = at[c] == SIZE_MAX ? "" : row.fields[at[c]];
        entry.path = fields[COLUMN_ID];
        entry.split = fields[COLUMN_SPLIT];
        entry.family = fields[COLUMN_FAMILY];
        entry.original = fields[COLUMN_ORIGINAL];
        entry.identity = fields[COLUMN_IDENTITY];
        entry.group = fields[COLUMN_GROUP];
        entry.method = fields[COLUMN_METHOD];
        entry.fake_segments = fields[COLUMN_SEGMENTS];
        if (label_parse(fields[COLUMN_LABEL], &entry.label) != STATUS_OK) {
            s = error_set(e, STATUS_INVALID, "%s:%zu: '%.200s': not a label: REAL, FAKE, 0, 1 (1 = fake) or empty",
                          path, row.line, fields[COLUMN_LABEL]);
            break;
        }
        s = manifest_add(m, &entry, &why);
        if (s != STATUS_OK)
            error_set(e, s, "%s:%zu: '%.200s': %.500s", path, row.line, entry.path, why.text);
    }
    csv_reader_close(&r);
    if (s != STATUS_END)
        return s;
    s = manifest_sort(m, e);
    return s == STATUS_INVALID ? name_repeated(path, m, at[COLUMN_ID], e) : s;
}

static enum status read_any(const char *path, struct manifest **ret_m, struct error *e)
{
    struct manifest *m = NULL;
    struct stat st;
    char *inside;
    enum status s;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        inside = file_join(path, "manifest.csv");
        s = inside ? manifest_read(inside, ret_m, e) : error_no_memory(e);
        free(inside);
        return s;
    }
    if (manifest_is(path))
        return manifest_read(path, ret_m, e);
    s = manifest_create("/", "truth", &m, e);
    if (s == STATUS_OK)
        s = read_csv(path, m, e);
    if (s != STATUS_OK) {
        manifest_close(&m);
        return s;
    }
    *ret_m = m;
    return STATUS_OK;
}

enum status truth_open(const char *path, struct truth **ret_t, struct error *e)
{
    struct truth *t = calloc(1, sizeof(*t));
    size_t n_labelled = 0;
    enum status s = t ? read_any(path, &t->m, e) : error_no_memory(e);

    for (size_t i = 0; s == STATUS_OK && i < manifest_count(t->m); i++)
        n_labelled += manifest_entry(t->m, i)->label != LABEL_UNKNOWN;
    if (s == STATUS_OK && n_labelled == 0)
        s = error_set(e, STATUS_INVALID, "%s: not one label among %zu videos; a truth needs them", path,
                      manifest_count(t->m));
    if (s == STATUS_OK)
        s = path_index_open(t->m, PATH_WHOLE, false, &t->by_path, e);
    if (s == STATUS_OK)
        s = path_index_open(t->m, PATH_BASE, false, &t->by_base, e);
    if (s == STATUS_OK)
        s = path_index_open(t->m, PATH_STEM, false, &t->by_stem, e);
    if (s != STATUS_OK) {
        truth_close(&t);
        return s;
    }
    *ret_t = t;
    return STATUS_OK;
}

void truth_close(struct truth **t)
{
    if (!*t)
        return;
    path_index_close(&(*t)->by_path);
    path_index_close(&(*t)->by_base);
    path_index_close(&(*t)->by_stem);
    manifest_close(&(*t)->m);
    free(*t);
    *t = NULL;
}

const struct manifest *truth_manifest(const struct truth *t)
{
    return t->m;
}

size_t truth_count(const struct truth *t)
{
    return manifest_count(t->m);
}

size_t truth_find(const struct truth *t, const char *id)
{
    size_t found = path_index_find(t->by_path, id);

    if (found == SIZE_MAX)
        found = path_index_find(t->by_base, id);
    return found == SIZE_MAX ? path_index_find(t->by_stem, id) : found;
}

struct dealt {
    char hash[SHA256_HEX_BYTES];
    size_t index;
};

static int compare_dealt(const void *left, const void *right)
{
    const struct dealt *a = left, *b = right;

    return strcmp(a->hash, b->hash);
}

enum status truth_split_by_share(const struct truth *t, double share, uint64_t seed, uint8_t *private_, struct error *e)
{
    size_t n = truth_count(t);
    struct dealt *dealt = malloc((n + 1) * sizeof(*dealt));
    struct hasher *h = hasher_open();
    enum status s = dealt && h ? STATUS_OK : error_no_memory(e);

    for (int label = LABEL_UNKNOWN; s == STATUS_OK && label <= LABEL_FAKE; label++) {
        size_t n_dealt = 0, n_private;

        for (size_t i = 0; i < n; i++) {
            const struct manifest_entry *entry = manifest_entry(t->m, i);

            if ((int)entry->label != label)
                continue;
            hasher_update(h, &seed, sizeof(seed)); /* little endian, as every machine that is built for */
            hasher_update_text(h, entry->path);
            hasher_finish(h, dealt[n_dealt].hash);
            dealt[n_dealt++].index = i;
        }
        if (n_dealt > 0)
            qsort(dealt, n_dealt, sizeof(*dealt), compare_dealt);
        n_private = (size_t)(share * (double)n_dealt + 0.5);
        for (size_t k = 0; k < n_dealt; k++)
            private_[dealt[k].index] = k < n_private;
    }
    free(dealt);
    hasher_close(&h);
    return s;
}

enum status truth_split_by_file(const struct truth *t, const char *path, uint8_t *private_, struct error *e)
{
    struct csv_reader *r = NULL;
    struct csv_row row = {0};
    bool is_first = true;
    enum status s = csv_reader_open(path, &r, e);

    memset(private_, 0, truth_count(t));
    while (s == STATUS_OK) {
        size_t found;

        s = csv_reader_next(r, &row, e);
        if (s != STATUS_OK)
            break;
        found = row.n_fields == 1 ? truth_find(t, row.fields[0]) : SIZE_MAX;
        if (row.n_fields != 1)
            s = error_set(e, STATUS_INVALID,
                          "%s:%zu: the row has %zu fields; a list of private videos has an id a line", path, row.line,
                          row.n_fields);
        else if (found != SIZE_MAX)
            private_[found] = 1;
        else if (!is_first || column_of(&row, COLUMN_ID) == SIZE_MAX)
            s = error_set(e, STATUS_INVALID, "%s:%zu: '%.200s': the truth has no such video", path, row.line,
                          row.fields[0]);
        is_first = false;
    }
    csv_reader_close(&r);
    return s == STATUS_END ? STATUS_OK : s;
}

void truth_split_by_itself(const struct truth *t, uint8_t *private_, bool *ret_is_there)
{
    size_t n_private = 0, n_public = 0;

    for (size_t i = 0; i < truth_count(t); i++) {
        const char *split = manifest_entry(t->m, i)->split;

        private_[i] = strcasecmp(split, "private") == 0;
        n_private += private_[i];
        n_public += strcasecmp(split, "public") == 0;
    }
    *ret_is_there = n_private > 0 && n_public > 0;
}
