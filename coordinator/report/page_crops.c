/* Face crops of a run as data URIs.
 *
 * In: RUN/crops/crops.csv (path,track,clip,time_us,file) and the pictures that it names, which a run wrote that was asked to
 * save them. Out: JSON. What is not as it should be is left out: a report must not fail for a picture. */
#include "coordinator/report/page.h"

#include <stdlib.h>
#include <string.h>

#include "shard/csv.h"
#include "shard/file.h"
#include "shard/log.h"

enum { MAX_CROPS_A_VIDEO = 96 };

struct crop {
    size_t of; /* which of the wanted videos */
    uint32_t track, clip;
    int64_t time_us;
    char *file;
};

struct crops {
    struct crop *list;
    size_t n, room;
    size_t *n_of; /* by wanted video */
};

static void crops_clear(struct crops *c)
{
    for (size_t k = 0; k < c->n; k++)
        free(c->list[k].file);
    free(c->list);
    free(c->n_of);
}

/* A name inside the folder. */
static bool is_inside(const char *file)
{
    if (file[0] == '\0' || file[0] == '/')
        return false;
    for (const char *p = file; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (strncmp(p, "..", 2) == 0 && (p[2] == '/' || p[2] == '\0'))
            return false;
    }
    return true;
}

static bool add(struct crops *c, const struct csv_row *row, const int *column, size_t of)
{
    struct crop crop = {.of = of};
    uint64_t track, clip;

    if (parse_u64(row->fields[column[1]], 0, UINT32_MAX, &track) != STATUS_OK ||
        parse_u64(row->fields[column[2]], 0, UINT32_MAX, &clip) != STATUS_OK ||
        parse_i64(row->fields[column[3]], INT64_MIN / 2, INT64_MAX / 2, &crop.time_us) != STATUS_OK ||
        !is_inside(row->fields[column[4]]) || c->n_of[of] == MAX_CROPS_A_VIDEO)
        return true;
    if (c->n == c->room) {
        size_t room = c->room ? 2 * c->room : 64;
        struct crop *list = realloc(c->list, room * sizeof(*list));

        if (!list)
            return false;
        c->list = list;
        c->room = room;
    }
    crop.track = (uint32_t)track;
    crop.clip = (uint32_t)clip;
    crop.file = strdup(row->fields[column[4]]);
    if (!crop.file)
        return false;
    c->n_of[of]++;
    c->list[c->n++] = crop;
    return true;
}

static bool find_columns(const struct csv_row *row, int column[5])
{
    static const char *const names[] = {"path", "track", "clip", "time_us", "file"};

    for (int k = 0; k < 5; k++) {
        column[k] = -1;
        for (size_t i = 0; i < row->n_fields; i++) {
            if (strcmp(row->fields[i], names[k]) == 0)
                column[k] = (int)i;
        }
        if (column[k] < 0)
            return false;
    }
    return true;
}

static enum status read_list(const char *path, const struct report_input *in, const size_t *indices, size_t n,
                             struct crops *c, struct error *e)
{
    struct csv_reader *reader = NULL;
    struct csv_row row;
    int column[5] = {0}, last = 0;
    enum status s = csv_reader_open(path, &reader, e);

    if (s == STATUS_OK)
        s = csv_reader_next(reader, &row, e);
    if (s == STATUS_OK && !find_columns(&row, column))
        s = error_set(e, STATUS_INVALID, "%s: not the columns path, track, clip, time_us, file", path);
    for (int k = 0; s == STATUS_OK && k < 5; k++)
        last = column[k] > last ? column[k] : last;
    while (s == STATUS_OK && (s = csv_reader_next(reader, &row, e)) == STATUS_OK) {
        if (row.n_fields <= (size_t)last)
            continue;
        for (size_t k = 0; k < n; k++) {
            if (strcmp(manifest_entry(in->manifest, indices[k])->path, row.fields[column[0]]) != 0)
                continue;
            if (!add(c, &row, column, k))
                s = error_no_memory(e);
        }
    }
    csv_reader_close(&reader);
    return s == STATUS_END ? STATUS_OK : s;
}

static const char *type_of(const char *data, size_t len_bytes)
{
    if (len_bytes > 3 && memcmp(data, "\xff\xd8\xff", 3) == 0)
        return "jpeg";
    if (len_bytes > 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0)
        return "png";
    if (len_bytes > 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
        return "webp";
    return NULL;
}

static void append_base64(struct text *t, const char *data, size_t len_bytes)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)data;

    for (size_t i = 0; i < len_bytes; i += 3) {
        size_t n = len_bytes - i < 3 ? len_bytes - i : 3;
        uint32_t three = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0u);
        char four[4];

        for (size_t k = 0; k < 4; k++)
            four[k] = k <= n ? alphabet[three >> (18 - 6 * k) & 63] : '=';
        text_append(t, four, 4);
    }
}

/* Appends the crop when it is a picture that there is room for. */
static void append_crop(struct text *t, const char *folder, const struct crop *crop, size_t *left_bytes, size_t *n)
{
    char *path = file_join(folder, crop->file), *data = NULL;
    size_t len_bytes = 0;
    const char *type;
    struct error e;

    if (!path) {
        t->failed = true;
        return;
    }
    if (file_read(path, PAGE_MAX_CROP_BYTES, &data, &len_bytes, &e) == STATUS_OK && len_bytes <= *left_bytes &&
        (type = type_of(data, len_bytes)) != NULL) {
        text_append_format(t, "%s[%u,%u,%lld,\"data:image/%s;base64,", (*n)++ > 0 ? "," : "", crop->track, crop->clip,
                           (long long)crop->time_us, type);
        append_base64(t, data, len_bytes);
        text_append_string(t, "\"]");
        *left_bytes -= len_bytes;
    }
    free(data);
    free(path);
}

/* Each video has an equal part of the room, and fills it with crops from all over its length. */
static void append_video(struct text *t, const char *folder, const struct crops *c, size_t of, size_t room_bytes)
{
    size_t n_wanted = c->n_of[of], step, at = 0, n = 0;

    /* About 4 KiB each. */
    step = n_wanted * 4096 > room_bytes ? n_wanted * 4096 / (room_bytes + 1) + 1 : 1;
    for (size_t k = 0; k < c->n; k++) {
        if (c->list[k].of != of)
            continue;
        if (at++ % step == 0)
            append_crop(t, folder, &c->list[k], &room_bytes, &n);
    }
}

enum status page_crops(struct text *t, const struct report_input *in, const size_t *indices, size_t n, size_t max_bytes,
                       struct error *e)
{
    struct crops c = {.n_of = calloc(n + 1, sizeof(*c.n_of))};
    char *folder = file_join(in->run_folder, "crops"), *list = folder ? file_join(folder, "crops.csv") : NULL;
    size_t n_shown = 0, n_with = 0;
    enum status s = STATUS_OK;

    text_append_string(t, "\"crops\":{");
    if (!c.n_of || !list) {
        s = error_no_memory(e);
        goto end;
    }
    if (n > 0)
        s = read_list(list, in, indices, n, &c, e);
    if (s != STATUS_OK && s != STATUS_NO_MEMORY) {
        if (s != STATUS_NOT_FOUND)
            log_warning("report: no face crops on the page: %s", e->text);
        s = STATUS_OK; /* with the crops that were read so far */
    }
    for (size_t k = 0; k < n; k++)
        n_with += c.n_of[k] > 0;
    for (size_t k = 0; s == STATUS_OK && k < n; k++) {
        if (c.n_of[k] == 0)
            continue;
        text_append_string(t, n_shown++ > 0 ? ",\n" : "\n");
        page_json(t, manifest_entry(in->manifest, indices[k])->path);
        text_append_string(t, ":[");
        append_video(t, folder, &c, k, max_bytes / n_with);
        text_append_string(t, "]");
    }
end:
    text_append_string(t, "}");
    crops_clear(&c);
    free(list);
    free(folder);
    return s;
}
