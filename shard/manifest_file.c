/* The manifest as a file; manifest.h gives its form. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/csv.h"
#include "shard/file.h"
#include "shard/manifest.h"
#include "shard/text.h"

#define FIRST_LINE   "# fakesift manifest "
#define VERSION_TEXT "1"

enum { WRITE_BYTES = 64 * 1024 }; /* rows are gathered to this much */

/* In the order of the file. */
enum column {
    COLUMN_PATH,
    COLUMN_LABEL,
    COLUMN_SPLIT,
    COLUMN_FAMILY,
    COLUMN_ORIGINAL,
    COLUMN_IDENTITY,
    COLUMN_GROUP,
    COLUMN_SIZE,
    COLUMN_MTIME,
    COLUMN_CONTAINER,
    COLUMN_CODEC,
    COLUMN_PIXEL_FORMAT,
    COLUMN_ENCODER,
    COLUMN_WIDTH,
    COLUMN_HEIGHT,
    COLUMN_ROTATION,
    COLUMN_FPS_NUM,
    COLUMN_FPS_DEN,
    COLUMN_DURATION,
    COLUMN_N_FRAMES,
    COLUMN_BIT_RATE,
    COLUMN_N_VIDEO,
    COLUMN_N_AUDIO,
    COLUMN_ALWAYS, /* those above are in every manifest, those below where an entry needs them */
    COLUMN_CONTENT = COLUMN_ALWAYS,
    COLUMN_ARCHIVE,
    COLUMN_OFFSET, /* never without the one before */
    COLUMN_METHOD,
    COLUMN_SEGMENTS,
    COLUMN_COUNT
};

static const char *const column_names[COLUMN_COUNT] = {
    [COLUMN_PATH] = "path",
    [COLUMN_LABEL] = "label",
    [COLUMN_SPLIT] = "split",
    [COLUMN_FAMILY] = "family",
    [COLUMN_ORIGINAL] = "original",
    [COLUMN_IDENTITY] = "identity",
    [COLUMN_GROUP] = "group",
    [COLUMN_SIZE] = "size_bytes",
    [COLUMN_MTIME] = "mtime_ns",
    [COLUMN_CONTAINER] = "container",
    [COLUMN_CODEC] = "codec",
    [COLUMN_PIXEL_FORMAT] = "pixel_format",
    [COLUMN_ENCODER] = "encoder",
    [COLUMN_WIDTH] = "width_px",
    [COLUMN_HEIGHT] = "height_px",
    [COLUMN_ROTATION] = "rotation_deg",
    [COLUMN_FPS_NUM] = "fps_num",
    [COLUMN_FPS_DEN] = "fps_den",
    [COLUMN_DURATION] = "duration_us",
    [COLUMN_N_FRAMES] = "n_frames",
    [COLUMN_BIT_RATE] = "bit_rate_bps",
    [COLUMN_N_VIDEO] = "n_video_streams",
    [COLUMN_N_AUDIO] = "n_audio_streams",
    [COLUMN_CONTENT] = "content_sha256",
    [COLUMN_ARCHIVE] = "archive",
    [COLUMN_OFFSET] = "offset_bytes",
    [COLUMN_METHOD] = "method",
    [COLUMN_SEGMENTS] = "fake_segments",
};

static void append_facts(struct text *t, const struct video_facts *f)
{
    const int64_t numbers[] = {f->width_px,    f->height_px, f->rotation_deg, f->fps_num,         f->fps_den,
                               f->duration_us, f->n_frames,  f->bit_rate_bps, f->n_video_streams, f->n_audio_streams};

    text_append_string(t, ",");
    text_append_csv(t, f->container);
    text_append_string(t, ",");
    text_append_csv(t, f->codec);
    text_append_string(t, ",");
    text_append_csv(t, f->pixel_format);
    text_append_string(t, ",");
    text_append_csv(t, f->encoder);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        text_append(t, ",", 1);
        text_append_i64(t, numbers[i]);
    }
}

/* Which of the columns that not every manifest has this one needs. */
static void find_needed(const struct manifest *m, bool ret_has[COLUMN_COUNT])
{
    for (size_t i = 0; i < manifest_count(m); i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);

        ret_has[COLUMN_CONTENT] = ret_has[COLUMN_CONTENT] || entry->content[0] != '\0';
        ret_has[COLUMN_ARCHIVE] = ret_has[COLUMN_OFFSET] = ret_has[COLUMN_ARCHIVE] || entry->archive_bytes > 0;
        ret_has[COLUMN_METHOD] = ret_has[COLUMN_METHOD] || entry->method[0] != '\0';
        ret_has[COLUMN_SEGMENTS] = ret_has[COLUMN_SEGMENTS] || entry->fake_segments[0] != '\0';
    }
}

static void append_archive(struct text *t, const struct manifest_entry *entry)
{
    char archive[MANIFEST_MAX_TEXT_BYTES + 1];

    memcpy(archive, entry->path, entry->archive_bytes);
    archive[entry->archive_bytes] = '\0';
    text_append_string(t, ",");
    text_append_csv(t, archive);
    text_append_string(t, ",");
    if (entry->archive_bytes > 0 && entry->exists)
        text_append_u64(t, entry->offset_bytes);
}

static void append_entry(struct text *t, const struct manifest_entry *entry, const bool has[COLUMN_COUNT])
{
    const char *const texts[] = {entry->path,     label_name(entry->label), entry->split, entry->family,
                                 entry->original, entry->identity,          entry->group};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (i > 0)
            text_append_string(t, ",");
        text_append_csv(t, texts[i]);
    }
    text_append(t, ",", 1);
    if (entry->exists)
        text_append_u64(t, entry->size_bytes);
    text_append(t, ",", 1);
    if (entry->exists)
        text_append_i64(t, entry->mtime_ns);
    if (entry->facts)
        append_facts(t, entry->facts);
    else
        text_append_string(t, ",,,,,,,,,,,,,,");
    if (has[COLUMN_CONTENT])
        text_append_format(t, ",%s", entry->content);
    if (has[COLUMN_ARCHIVE])
        append_archive(t, entry);
    if (has[COLUMN_METHOD]) {
        text_append_string(t, ",");
        text_append_csv(t, entry->method);
    }
    if (has[COLUMN_SEGMENTS])
        text_append_format(t, ",%s", entry->fake_segments);
    text_append_string(t, "\n");
}

enum status manifest_write(const struct manifest *m, const char *path, struct error *e)
{
    enum status s;
    struct file_writer *w = NULL;
    struct text t = {0};
    bool has[COLUMN_COUNT] = {false};

    find_needed(m, has);
    s = file_writer_open(path, &w, e);
    if (s != STATUS_OK)
        return s;
    text_append_string(&t, FIRST_LINE VERSION_TEXT "\n# root,");
    text_append_csv(&t, manifest_root(m));
    text_append_string(&t, "\n# layout,");
    text_append_csv(&t, manifest_layout(m));
    text_append_string(&t, "\n");
    for (size_t c = 0; c < COLUMN_COUNT; c++) {
        if (c < COLUMN_ALWAYS || has[c])
            text_append_format(&t, "%s%s", c > 0 ? "," : "", column_names[c]);
    }
    text_append_string(&t, "\n");
    for (size_t i = 0; i < manifest_count(m); i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);

        if (i > 0 && strcmp(manifest_entry(m, i - 1)->path, entry->path) >= 0) {
            s = error_set(e, STATUS_BUG, "manifest_write: the manifest is not sorted");
            goto end;
        }
        append_entry(&t, entry, has);
        if (t.failed)
            break;
        if (t.len_bytes < WRITE_BYTES)
            continue;
        fwrite(t.data, 1, t.len_bytes, file_writer_stream(w));
        t.len_bytes = 0; /* the room is kept */
    }
    if (t.failed) {
        s = error_no_memory(e);
        goto end;
    }
    fwrite(t.data, 1, t.len_bytes, file_writer_stream(w));
    s = file_writer_commit(&w, e);
end:
    file_writer_discard(&w);
    text_clear(&t);
    return s;
}

/* A row of the file on its way to an entry. */
struct parsing {
    const char *path;
    struct csv_row row;
    size_t n_columns;
    size_t at[COLUMN_COUNT]; /* where each column stands; SIZE_MAX: nowhere */
    struct error *e;
};

static const char *field(const struct parsing *p, enum column c)
{
    return p->at[c] == SIZE_MAX ? "" : p->row.fields[p->at[c]];
}

static enum status field_error(const struct parsing *p, enum column c, const char *rule)
{
    return error_set(p->e, STATUS_INVALID, "%s:%zu: %s: %s: '%.200s'", p->path, p->row.line, column_names[c], rule,
                     field(p, c));
}

static enum status parse_unsigned(const struct parsing *p, enum column c, uint64_t max, uint64_t *ret_value)
{
    char rule[64];

    if (parse_u64(field(p, c), 0, max, ret_value) == STATUS_OK)
        return STATUS_OK;
    snprintf(rule, sizeof(rule), "not a whole number in 0..%" PRIu64, max);
    return field_error(p, c, rule);
}

static enum status parse_u32_fact(const struct parsing *p, enum column c, uint32_t *ret_value)
{
    uint64_t value = 0;
    enum status s = parse_unsigned(p, c, UINT32_MAX, &value);

    if (s == STATUS_OK)
        *ret_value = (uint32_t)value;
    return s;
}

static enum status parse_i64_fact(const struct parsing *p, enum column c, int64_t *ret_value)
{
    uint64_t value = 0;
    enum status s = parse_unsigned(p, c, INT64_MAX, &value);

    if (s == STATUS_OK)
        *ret_value = (int64_t)value;
    return s;
}

static enum status parse_text_fact(const struct parsing *p, enum column c, char *array, size_t room)
{
    size_t len = strlen(p->row.fields[c]);

    if (len >= room)
        return field_error(p, c, "longer than its limit");
    memcpy(array, p->row.fields[c], len + 1);
    return STATUS_OK;
}

static enum status parse_facts(const struct parsing *p, struct video_facts *ret_f, bool *ret_has)
{
    struct video_facts f = {0};
    enum status s;
    bool any = false;
    uint64_t rotation = 0;

    for (size_t c = COLUMN_CONTAINER; c < COLUMN_ALWAYS; c++)
        any = any || p->row.fields[c][0] != '\0';
    *ret_has = any;
    if (!any)
        return STATUS_OK;
    if ((s = parse_text_fact(p, COLUMN_CONTAINER, f.container, sizeof(f.container))) != STATUS_OK ||
        (s = parse_text_fact(p, COLUMN_CODEC, f.codec, sizeof(f.codec))) != STATUS_OK ||
        (s = parse_text_fact(p, COLUMN_PIXEL_FORMAT, f.pixel_format, sizeof(f.pixel_format))) != STATUS_OK ||
        (s = parse_text_fact(p, COLUMN_ENCODER, f.encoder, sizeof(f.encoder))) != STATUS_OK ||
        (s = parse_u32_fact(p, COLUMN_WIDTH, &f.width_px)) != STATUS_OK ||
        (s = parse_u32_fact(p, COLUMN_HEIGHT, &f.height_px)) != STATUS_OK ||
        (s = parse_unsigned(p, COLUMN_ROTATION, 270, &rotation)) != STATUS_OK ||
        (s = parse_u32_fact(p, COLUMN_FPS_NUM, &f.fps_num)) != STATUS_OK ||
        (s = parse_u32_fact(p, COLUMN_FPS_DEN, &f.fps_den)) != STATUS_OK ||
        (s = parse_i64_fact(p, COLUMN_DURATION, &f.duration_us)) != STATUS_OK ||
        (s = parse_i64_fact(p, COLUMN_N_FRAMES, &f.n_frames)) != STATUS_OK ||
        (s = parse_i64_fact(p, COLUMN_BIT_RATE, &f.bit_rate_bps)) != STATUS_OK ||
        (s = parse_u32_fact(p, COLUMN_N_VIDEO, &f.n_video_streams)) != STATUS_OK ||
        (s = parse_u32_fact(p, COLUMN_N_AUDIO, &f.n_audio_streams)) != STATUS_OK)
        return s;
    if (rotation % 90 != 0)
        return field_error(p, COLUMN_ROTATION, "not one of 0, 90, 180, 270");
    f.rotation_deg = (int32_t)rotation;
    if (f.fps_num > 0 && f.fps_den == 0)
        return field_error(p, COLUMN_FPS_DEN, "must not be 0 where fps_num is not");
    *ret_f = f;
    return STATUS_OK;
}

static enum status parse_archive(const struct parsing *p, struct manifest_entry *entry)
{
    const char *archive = field(p, COLUMN_ARCHIVE);
    size_t len = strlen(archive);

    if (len > MANIFEST_MAX_TEXT_BYTES || strncmp(archive, entry->path, len) != 0 ||
        (len > 0 && entry->path[len] != '/'))
        return field_error(p, COLUMN_ARCHIVE, "must be the first folders of the path");
    entry->archive_bytes = (uint16_t)len;
    if (len > 0 && entry->exists)
        return parse_unsigned(p, COLUMN_OFFSET, INT64_MAX, &entry->offset_bytes);
    return field(p, COLUMN_OFFSET)[0] == '\0'
               ? STATUS_OK
               : field_error(p, COLUMN_OFFSET, "must be empty where archive or size_bytes is");
}

static enum status parse_entry(const struct parsing *p, struct manifest *m)
{
    enum status s;
    struct error why = {0};
    struct video_facts facts;
    bool has_facts = false;
    const char *const *fields = p->row.fields;
    size_t n = manifest_count(m);
    struct manifest_entry entry = {
        .path = fields[COLUMN_PATH],
        .split = fields[COLUMN_SPLIT],
        .family = fields[COLUMN_FAMILY],
        .original = fields[COLUMN_ORIGINAL],
        .identity = fields[COLUMN_IDENTITY],
        .group = fields[COLUMN_GROUP],
        .content = field(p, COLUMN_CONTENT),
        .method = field(p, COLUMN_METHOD),
        .fake_segments = field(p, COLUMN_SEGMENTS),
        .exists = fields[COLUMN_SIZE][0] != '\0',
    };

    if (n > 0) {
        int order = strcmp(manifest_entry(m, n - 1)->path, entry.path);

        if (order == 0)
            return field_error(p, COLUMN_PATH, "stands twice");
        if (order > 0)
            return field_error(p, COLUMN_PATH, "not in the byte order of paths");
    }
    if (label_parse(fields[COLUMN_LABEL], &entry.label) != STATUS_OK)
        return field_error(p, COLUMN_LABEL, "not one of REAL, FAKE, 0, 1 or empty");
    if (entry.exists) {
        s = parse_unsigned(p, COLUMN_SIZE, UINT64_MAX, &entry.size_bytes);
        if (s != STATUS_OK)
            return s;
        if (parse_i64(fields[COLUMN_MTIME], INT64_MIN, INT64_MAX, &entry.mtime_ns) != STATUS_OK)
            return field_error(p, COLUMN_MTIME, "not a whole number of 64 bits");
    } else if (fields[COLUMN_MTIME][0] != '\0') {
        return field_error(p, COLUMN_MTIME, "must be empty where size_bytes is");
    }
    s = parse_facts(p, &facts, &has_facts);
    if (s == STATUS_OK)
        s = parse_archive(p, &entry);
    if (s != STATUS_OK)
        return s;
    entry.facts = has_facts ? &facts : NULL;
    s = manifest_add(m, &entry, &why);
    if (s != STATUS_OK)
        error_set(p->e, s, "%s:%zu: %s", p->path, p->row.line, why.text);
    return s;
}

/* The value of a "# NAME,VALUE" record. */
static enum status parse_heading(struct csv_reader *r, struct parsing *p, const char *name, const char **ret_value)
{
    enum status s = csv_reader_next(r, &p->row, p->e);

    if (status_failed(s))
        return s;
    if (s == STATUS_END || p->row.n_fields != 2 || strcmp(p->row.fields[0], name) != 0)
        return error_set(p->e, STATUS_CORRUPT, "%s: not a whole manifest: no record '%s,...' under the first line",
                         p->path, name);
    *ret_value = p->row.fields[1];
    return STATUS_OK;
}

static enum status parse_column_names(struct csv_reader *r, struct parsing *p)
{
    size_t n = 0;
    enum status s = csv_reader_next(r, &p->row, p->e);

    if (status_failed(s))
        return s;
    if (s == STATUS_END)
        return error_set(p->e, STATUS_CORRUPT, "%s: not a whole manifest: no column names", p->path);
    p->n_columns = p->row.n_fields;
    for (enum column c = 0; c < COLUMN_COUNT; c++) {
        bool is_there = n < p->row.n_fields && strcmp(p->row.fields[n], column_names[c]) == 0;

        p->at[c] = is_there ? n++ : SIZE_MAX;
        if (is_there || (c >= COLUMN_ALWAYS && (c != COLUMN_OFFSET || p->at[COLUMN_ARCHIVE] == SIZE_MAX)))
            continue;
        return error_set(p->e, STATUS_INVALID, "%s:%zu: column %zu: must be '%s': '%.200s'", p->path, p->row.line,
                         n + 1, column_names[c], n < p->row.n_fields ? p->row.fields[n] : "");
    }
    if (n < p->row.n_fields)
        return error_set(p->e, STATUS_INVALID, "%s:%zu: column %zu: not known: '%.200s'", p->path, p->row.line, n + 1,
                         p->row.fields[n]);
    return STATUS_OK;
}

static enum status parse_first_line(struct csv_reader *r, struct parsing *p)
{
    size_t len = strlen(FIRST_LINE);
    enum status s = csv_reader_next(r, &p->row, p->e);

    if (status_failed(s))
        return s;
    if (s == STATUS_END || p->row.n_fields != 1 || strncmp(p->row.fields[0], FIRST_LINE, len) != 0)
        return error_set(p->e, STATUS_INVALID, "%s: not a manifest: its first line must be '%s'", p->path,
                         FIRST_LINE VERSION_TEXT);
    if (strcmp(p->row.fields[0] + len, VERSION_TEXT) != 0)
        return error_set(p->e, STATUS_UNSUPPORTED,
                         "%s:%zu: version: this build reads manifests of version %s: "
                         "'%.40s'",
                         p->path, p->row.line, VERSION_TEXT, p->row.fields[0] + len);
    return STATUS_OK;
}

enum status manifest_read(const char *path, struct manifest **ret_m, struct error *e)
{
    enum status s;
    struct parsing p = {.path = path, .e = e};
    struct csv_reader *r = NULL;
    struct manifest *m = NULL;
    const char *value = NULL;
    char *root = NULL;

    s = csv_reader_open(path, &r, e);
    if (s != STATUS_OK)
        return s;
    s = parse_first_line(r, &p);
    if (s == STATUS_OK)
        s = parse_heading(r, &p, "# root", &value);
    if (s != STATUS_OK)
        goto end;
    if (!value || value[0] != '/') {
        s = error_set(e, STATUS_INVALID, "%s:%zu: root: not an absolute folder: '%.200s'", path, p.row.line, value);
        goto end;
    }
    root = strdup(value); /* the next row overwrites it */
    if (!root) {
        s = error_no_memory(e);
        goto end;
    }
    s = parse_heading(r, &p, "# layout", &value);
    if (s == STATUS_OK)
        s = manifest_create(root, value, &m, e);
    if (s == STATUS_OK)
        s = parse_column_names(r, &p);
    while (s == STATUS_OK) {
        s = csv_reader_next(r, &p.row, e);
        if (s != STATUS_OK)
            break;
        if (p.row.n_fields != p.n_columns)
            s = error_set(e, STATUS_INVALID, "%s:%zu: a row must have %zu fields and has %zu", path, p.row.line,
                          p.n_columns, p.row.n_fields);
        else
            s = parse_entry(&p, m);
    }
    if (s == STATUS_END) {
        *ret_m = m;
        m = NULL;
        s = STATUS_OK;
    }
end:
    manifest_close(&m);
    free(root);
    csv_reader_close(&r);
    return s;
}

bool manifest_is(const char *path)
{
    struct csv_reader *r = NULL;
    struct csv_row row;
    bool is;

    if (csv_reader_open(path, &r, NULL) != STATUS_OK)
        return false;
    is = csv_reader_next(r, &row, NULL) == STATUS_OK && row.n_fields == 1 &&
         strncmp(row.fields[0], FIRST_LINE, strlen(FIRST_LINE)) == 0;
    csv_reader_close(&r);
    return is;
}
