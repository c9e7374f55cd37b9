#include "coordinator/feature_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shard/csv.h"
#include "shard/file.h"
#include "shard/text.h"

enum { HEAD_FIELDS = 5, ROW_FIELDS = 10 };

static bool is_whole(const struct csv_row *row, size_t n_fields)
{
    return row->n_fields == n_fields && strcmp(row->fields[n_fields - 1], ".") == 0;
}

/* The first line. Leaves *ret_shape zero where it is not there or of another run; *ret_other then says which. */
static void read_head(struct csv_reader *r, const char *fingerprint, struct feature_shape *ret_shape, bool *ret_other)
{
    struct csv_row row;
    struct error ignored = {0};
    uint64_t steps, values;

    *ret_shape = (struct feature_shape){0};
    *ret_other = false;
    if (csv_reader_next(r, &row, &ignored) != STATUS_OK || !is_whole(&row, HEAD_FIELDS))
        return;
    if (strcmp(row.fields[0], "fakesift features 1") != 0 || strcmp(row.fields[1], fingerprint) != 0) {
        *ret_other = true;
        return;
    }
    if (parse_u64(row.fields[2], 1, UINT32_MAX, &steps) == STATUS_OK &&
        parse_u64(row.fields[3], 1, UINT32_MAX, &values) == STATUS_OK)
        *ret_shape = (struct feature_shape){.steps = (unsigned)steps, .values = (unsigned)values};
}

static enum status open_rows(const char *folder, const char *name, struct csv_reader **ret_r, struct error *e)
{
    char *path = file_join(folder, name);
    enum status s = path ? csv_reader_open(path, ret_r, e) : error_no_memory(e);

    free(path);
    return s;
}

enum status feature_rows_check(const char *folder, const char *name, const char *fingerprint, struct error *e)
{
    struct csv_reader *r = NULL;
    struct feature_shape shape;
    bool other;
    enum status s = open_rows(folder, name, &r, e);

    if (s != STATUS_OK)
        return s;
    read_head(r, fingerprint, &shape, &other);
    csv_reader_close(&r);
    if (other)
        return error_set(e, STATUS_MISMATCH,
                         "%s: holds features of another run (%s): choose another folder for --save-features", folder,
                         name);
    return STATUS_OK;
}

static bool is_of(const struct manifest_entry *entry, uint64_t size_bytes, int64_t mtime_ns, const char *content)
{
    if (content[0] != '\0' && entry->content[0] != '\0')
        return strcmp(content, entry->content) == 0;
    return entry->size_bytes == size_bytes && entry->mtime_ns == mtime_ns;
}

/* False: it is no whole row. *ret_entry is SIZE_MAX for a row of no file of the manifest. */
static bool parse_row(const struct csv_row *row, const struct manifest *m, struct feature_row *ret_row)
{
    uint64_t size, track, clip, at;
    int64_t mtime;
    size_t entry;

    if (!is_whole(row, ROW_FIELDS) || parse_u64(row->fields[1], 0, UINT64_MAX, &size) != STATUS_OK ||
        parse_i64(row->fields[2], INT64_MIN, INT64_MAX, &mtime) != STATUS_OK ||
        parse_u64(row->fields[4], 0, UINT32_MAX, &track) != STATUS_OK ||
        parse_u64(row->fields[5], 0, UINT32_MAX, &clip) != STATUS_OK ||
        parse_u64(row->fields[8], 0, UINT32_MAX, &at) != STATUS_OK)
        return false;
    entry = manifest_find(m, row->fields[0]);
    if (entry != SIZE_MAX && !is_of(manifest_entry(m, entry), size, mtime, row->fields[3]))
        entry = SIZE_MAX;
    *ret_row = (struct feature_row){.entry = entry, .track = (uint32_t)track, .clip = (uint32_t)clip, .row = at};
    return true;
}

static enum status put(struct feature_rows *rows, const struct feature_row *row, struct error *e)
{
    if (rows->n == rows->room) {
        size_t room = rows->room ? 2 * rows->room : 256;
        struct feature_row *bigger = realloc(rows->list, room * sizeof(*bigger));

        if (!bigger)
            return error_no_memory(e);
        rows->list = bigger;
        rows->room = room;
    }
    rows->list[rows->n++] = *row;
    rows->sorted = false;
    return STATUS_OK;
}

/* How many rows the shard beside NAME.rows has whole. */
static uint64_t count_rows(const char *folder, const char *name, const struct feature_shape *shape)
{
    size_t n = strlen(name) - strlen(".rows");
    char shard[300];
    char *path;
    struct stat st;
    uint64_t rows = 0;

    snprintf(shard, sizeof(shard), "%.*s.npy", (int)n, name);
    path = file_join(folder, shard);
    if (path && stat(path, &st) == 0 && st.st_size > FEATURE_HEAD_BYTES)
        rows = (uint64_t)(st.st_size - FEATURE_HEAD_BYTES) / ((uint64_t)shape->steps * shape->values * sizeof(float));
    free(path);
    return rows;
}

enum status feature_rows_read(struct feature_rows *rows, const char *folder, const char *name, uint32_t shard,
                              const char *fingerprint, const struct manifest *m, struct feature_shape *ret_shape,
                              struct error *e)
{
    struct csv_reader *r = NULL;
    struct csv_row line;
    struct feature_row row;
    struct error torn = {0};
    bool other;
    enum status s = open_rows(folder, name, &r, e);

    if (s != STATUS_OK)
        return s;
    read_head(r, fingerprint, ret_shape, &other);
    if (ret_shape->values > 0)
        ret_shape->n_rows = count_rows(folder, name, ret_shape);
    while (s == STATUS_OK && ret_shape->values > 0 && csv_reader_next(r, &line, &torn) == STATUS_OK &&
           parse_row(&line, m, &row)) {
        row.shard = shard;
        if (row.entry != SIZE_MAX && row.row < ret_shape->n_rows)
            s = put(rows, &row, e);
    }
    csv_reader_close(&r);
    return s;
}

static int compare_key(const struct feature_row *x, const struct feature_row *y)
{
    if (x->entry != y->entry)
        return x->entry < y->entry ? -1 : 1;
    if (x->track != y->track)
        return x->track < y->track ? -1 : 1;
    return (x->clip > y->clip) - (x->clip < y->clip);
}

static int in_order(const void *a, const void *b)
{
    const struct feature_row *x = a, *y = b;
    int key = compare_key(x, y);

    if (key != 0)
        return key;
    if (x->shard != y->shard)
        return x->shard < y->shard ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

const struct feature_row *feature_rows_find(struct feature_rows *rows, size_t entry, uint32_t track, uint32_t clip)
{
    const struct feature_row key = {.entry = entry, .track = track, .clip = clip};
    size_t low = 0, high = rows->n;

    if (!rows->sorted && rows->n > 1)
        qsort(rows->list, rows->n, sizeof(*rows->list), in_order);
    rows->sorted = true;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_key(&rows->list[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < rows->n && compare_key(&rows->list[low], &key) == 0 ? &rows->list[low] : NULL;
}

void feature_rows_clear(struct feature_rows *rows)
{
    free(rows->list);
    *rows = (struct feature_rows){0};
}
