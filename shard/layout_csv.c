#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "shard/csv.h"
#include "shard/layout_internal.h"
#include "shard/text.h"

enum column {
    COLUMN_PATH,
    COLUMN_FILENAME, /* DFDC's word for it */
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

static const char *const names[COLUMN_COUNT] = {"path",     "filename", "label", "split",  "family",
                                                "original", "identity", "group", "method", "fake_segments"};

/* Where each column stands, SIZE_MAX: nowhere. */
struct header {
    size_t at[COLUMN_COUNT];
    size_t n_fields;
};

char *layout_plain_path(const char *path)
{
    char *plain = malloc(strlen(path) + 1);
    char *out = plain;

    if (!plain)
        return NULL;
    if (path[0] == '/')
        *out++ = '/';
    while (*path != '\0') {
        size_t len = strcspn(path, "/");

        if (len > 0 && !(len == 1 && path[0] == '.')) {
            if (out > plain && out[-1] != '/')
                *out++ = '/';
            memcpy(out, path, len);
            out += len;
        }
        path += len;
        path += *path == '/';
    }
    *out = '\0';
    return plain;
}

static void find_columns(const struct csv_row *row, struct header *h)
{
    h->n_fields = row->n_fields;
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        h->at[c] = SIZE_MAX;
        for (size_t i = 0; i < row->n_fields && h->at[c] == SIZE_MAX; i++) {
            if (strcasecmp(row->fields[i], names[c]) == 0)
                h->at[c] = i;
        }
    }
}

enum status layout_csv_sniff(const char *path, enum label_file *ret_kind, struct error *e)
{
    struct csv_reader *r = NULL;
    struct csv_row row;
    struct header h;
    enum status s = csv_reader_open(path, &r, NULL);

    if (s == STATUS_OK)
        s = csv_reader_next(r, &row, NULL);
    if (s == STATUS_OK) {
        find_columns(&row, &h);
        if (h.at[COLUMN_PATH] != SIZE_MAX)
            *ret_kind = LABEL_FILE_CSV;
        else if (h.at[COLUMN_FILENAME] != SIZE_MAX && h.at[COLUMN_LABEL] != SIZE_MAX)
            *ret_kind = LABEL_FILE_DFDC;
        else
            *ret_kind = LABEL_FILE_OTHER;
    } else if (s == STATUS_NOT_FOUND) {
        *ret_kind = LABEL_FILE_NONE;
    } else if (s != STATUS_NO_MEMORY) {
        *ret_kind = s == STATUS_END ? LABEL_FILE_OTHER : LABEL_FILE_UNREADABLE;
    }
    csv_reader_close(&r);
    return s == STATUS_NO_MEMORY ? error_no_memory(e) : STATUS_OK;
}

static bool is_known(const struct header *h, size_t field)
{
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        if (h->at[c] == field)
            return true;
    }
    return false;
}

/* Checks the header; columns that nobody reads are named in the notes. */
static enum status check_header(struct scan *scan, const char *csv_path, const struct csv_row *row, struct header *h)
{
    struct text ignored = {0};

    find_columns(row, h);
    if (h->at[COLUMN_PATH] == SIZE_MAX)
        h->at[COLUMN_PATH] = h->at[COLUMN_FILENAME];
    if (h->at[COLUMN_PATH] == SIZE_MAX)
        return error_set(scan->e, STATUS_INVALID,
                         "%s:%zu: no column 'path': a corpus file is CSV whose first row names its columns "
                         "(path,label,split,family,original,identity,group,method,fake_segments; only path is needed)",
                         csv_path, row->line);
    for (size_t i = 0; i < row->n_fields; i++) {
        for (size_t k = 0; k < i; k++) {
            if (row->fields[i][0] != '\0' && strcasecmp(row->fields[i], row->fields[k]) == 0) {
                text_clear(&ignored);
                return error_set(scan->e, STATUS_INVALID, "%s:%zu: column '%.100s' stands twice", csv_path, row->line,
                                 row->fields[i]);
            }
        }
        if (!is_known(h, i))
            text_append_format(&ignored, "%s'%.60s'", ignored.len_bytes ? ", " : "", row->fields[i]);
    }
    if (ignored.failed) {
        text_clear(&ignored);
        return error_no_memory(scan->e);
    }
    if (ignored.len_bytes > 0)
        layout_note(scan->summary, "columns that are not read: %s", ignored.data);
    text_clear(&ignored);
    return STATUS_OK;
}

static const char *field(const struct header *h, const struct csv_row *row, enum column c)
{
    return h->at[c] == SIZE_MAX ? "" : row->fields[h->at[c]];
}

enum status layout_csv_rows(struct scan *scan, const char *csv_path,
                            enum status (*visit)(struct scan *scan, const char *csv_path, const struct label_row *row,
                                                 void *context),
                            void *context)
{
    struct csv_reader *r = NULL;
    struct csv_row row;
    struct header h = {0};
    enum status s = csv_reader_open(csv_path, &r, scan->e);

    if (s != STATUS_OK)
        return s;
    s = csv_reader_next(r, &row, scan->e);
    if (s == STATUS_OK)
        s = check_header(scan, csv_path, &row, &h);
    else if (s == STATUS_END)
        s = error_set(scan->e, STATUS_INVALID, "%s: an empty file; its first row must name the columns", csv_path);
    while (s == STATUS_OK) {
        struct label_row out = {0};

        s = csv_reader_next(r, &row, scan->e);
        if (s != STATUS_OK)
            break;
        if (row.n_fields != h.n_fields) {
            s = error_set(scan->e, STATUS_INVALID, "%s:%zu: the row has %zu fields and the header %zu", csv_path,
                          row.line, row.n_fields, h.n_fields);
            break;
        }
        out.line = row.line;
        out.entry.path = field(&h, &row, COLUMN_PATH);
        out.entry.split = field(&h, &row, COLUMN_SPLIT);
        out.entry.family = field(&h, &row, COLUMN_FAMILY);
        out.entry.original = field(&h, &row, COLUMN_ORIGINAL);
        out.entry.identity = field(&h, &row, COLUMN_IDENTITY);
        out.entry.group = field(&h, &row, COLUMN_GROUP);
        out.entry.method = field(&h, &row, COLUMN_METHOD);
        out.entry.fake_segments = field(&h, &row, COLUMN_SEGMENTS);
        if (label_parse(field(&h, &row, COLUMN_LABEL), &out.entry.label) != STATUS_OK)
            s = error_set(scan->e, STATUS_INVALID,
                          "%s:%zu: label: not one of REAL, FAKE, 0, 1 (1 = fake) or empty: '%.200s'", csv_path,
                          row.line, field(&h, &row, COLUMN_LABEL));
        else
            s = visit(scan, csv_path, &out, context);
    }
    csv_reader_close(&r);
    return s == STATUS_END ? STATUS_OK : s;
}

/* The path as the manifest has it; absolute paths inside the root lose it. Points into plain. */
static const char *relative_path(const struct scan *scan, const char *plain)
{
    size_t len = strlen(scan->root);

    if (strcmp(scan->root, "/") == 0)
        len = 0;
    return strncmp(plain, scan->root, len) == 0 && plain[len] == '/' ? plain + len + 1 : plain;
}

static enum status add_row(struct scan *scan, const char *csv_path, const struct label_row *row, void *context)
{
    const int *root_fd = context;
    enum status s;
    struct manifest_entry entry = row->entry;
    bool is_folder = false;
    char where[512];
    char *plain = layout_plain_path(row->entry.path);

    if (!plain)
        return error_no_memory(scan->e);
    entry.path = relative_path(scan, plain);
    snprintf(where, sizeof(where), "%.480s:%zu", csv_path, row->line);
    /* manifest_add refuses what leads out of the root; nothing is looked up before. */
    if (entry.path[0] != '/' && entry.path[0] != '\0') {
        s = layout_stat(scan, *root_fd, entry.path, &entry, &is_folder);
        if (s != STATUS_OK)
            goto end;
    }
    if (is_folder)
        s = error_set(scan->e, STATUS_INVALID, "%s: path: a folder, not a video: '%.200s'", where, entry.path);
    else
        s = layout_add(scan, &entry, where);
end:
    free(plain);
    return s;
}

struct twice {
    const char *path;
    size_t n_seen;
};

static enum status find_second(struct scan *scan, const char *csv_path, const struct label_row *row, void *context)
{
    struct twice *twice = context;
    char *plain = layout_plain_path(row->entry.path);
    bool same;

    if (!plain)
        return error_no_memory(scan->e);
    same = strcmp(relative_path(scan, plain), twice->path) == 0;
    free(plain);
    if (!same || ++twice->n_seen < 2)
        return STATUS_OK;
    return error_set(scan->e, STATUS_INVALID, "%s:%zu: path: stands twice: '%.200s'", csv_path, row->line, twice->path);
}

static bool is_in_archive_or_video(const struct scan *scan, const char *name)
{
    /* The list itself is no file that was left out. */
    return scan->archive_fd >= 0 || layout_is_video(scan, name) || strcmp(name, "labels.csv") == 0;
}

/* A file that is there: the place of a row that names a member of an archive, or nobody's. */
static enum status visit_file(struct scan *scan, const struct manifest_entry *file, void *context)
{
    size_t at = manifest_find(scan->m, file->path);

    (void)context;
    if (at == SIZE_MAX && layout_is_video(scan, layout_last_component(file->path)))
        layout_count(&scan->summary->extra, "%.250s", file->path);
    if (at == SIZE_MAX || file->archive_bytes == 0)
        return STATUS_OK;
    return manifest_set_place(scan->m, at, file);
}

/* The length of that part of path which is an archive, and is there; 0: none. */
static size_t archive_in(struct scan *scan, int root_fd, const char *path)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        char archive[MANIFEST_MAX_TEXT_BYTES + 1];
        struct manifest_entry entry = {0};
        bool is_folder = false;

        snprintf(archive, sizeof(archive), "%.*s", (int)(slash - path), path);
        if (layout_archive_format(archive) != ARCHIVE_FORMAT_TAR &&
            layout_archive_format(archive) != ARCHIVE_FORMAT_ZIP)
            continue;
        if (layout_stat(scan, root_fd, archive, &entry, &is_folder) == STATUS_OK && entry.exists && !is_folder)
            return (size_t)(slash - path);
    }
    return 0;
}

/* Rows may name members of archives. A folder is walked as a whole, so that what no row names can be said; for a file of
 * rows, just the archives that it names are. */
static enum status find_members(struct scan *scan, int root_fd)
{
    const struct layout_walker walker = {.is_wanted = is_in_archive_or_video, .visit = visit_file};
    char last[MANIFEST_MAX_TEXT_BYTES + 1] = "";
    enum status s = STATUS_OK;

    if (!scan->file)
        return layout_walk(scan, &walker);
    for (size_t i = 0; s == STATUS_OK && i < manifest_count(scan->m); i++) {
        const struct manifest_entry *entry = manifest_entry(scan->m, i);
        size_t len = entry->exists ? 0 : archive_in(scan, root_fd, entry->path);

        /* Paths of one archive follow each other. */
        if (len == 0 || (strncmp(entry->path, last, len) == 0 && last[len] == '\0'))
            continue;
        memcpy(last, entry->path, len);
        last[len] = '\0';
        s = layout_archive_walk(scan, root_fd, last, last, &walker);
    }
    return s;
}

enum status layout_csv_fill(struct scan *scan, const char *csv_path)
{
    enum status s;
    int fd = open(scan->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(scan->e, errno, "%s: cannot open the folder", scan->root);
    s = layout_csv_rows(scan, csv_path, add_row, &fd);
    if (s != STATUS_OK) {
        close(fd);
        return s;
    }
    s = manifest_sort(scan->m, scan->e);
    if (s == STATUS_OK && manifest_count(scan->m) > 0)
        s = find_members(scan, fd);
    close(fd);
    /* Lines are not kept for each entry: the file is read once more for the one that the error must name. */
    for (size_t i = 1; s == STATUS_INVALID && i < manifest_count(scan->m); i++) {
        struct twice twice = {.path = manifest_entry(scan->m, i)->path};

        if (strcmp(manifest_entry(scan->m, i - 1)->path, twice.path) == 0)
            return layout_csv_rows(scan, csv_path, find_second, &twice);
    }
    return s;
}
