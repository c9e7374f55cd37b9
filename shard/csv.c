#include "shard/csv.h"

#include <csv.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct csv_reader {
    struct csv_parser parser;
    int fd;
    char delimiter;
    char *path;
    size_t line; /* of raw[next] */
    struct error failure;

    char *raw; /* what was read from the file and not yet handed out: raw[next..len) */
    size_t next, len, room;
    bool at_end; /* the file has no more */

    /* The row being built. Offsets, since data moves as it grows. */
    char *data;
    size_t data_len, data_room;
    size_t offsets[CSV_MAX_FIELDS];
    const char *fields[CSV_MAX_FIELDS];
    size_t n_fields;
    bool row_done, no_memory, too_many;
};

/* libcsv would strip blanks around fields; in RFC 4180 they belong to the field. */
static int no_space(unsigned char c)
{
    (void)c;
    return 0;
}

static void on_field(void *field, size_t len, void *context)
{
    struct csv_reader *r = context;

    if (r->n_fields == CSV_MAX_FIELDS) {
        r->too_many = true;
        return;
    }
    if (r->no_memory)
        return;
    if (r->data_room - r->data_len < len + 1) {
        size_t wanted = (r->data_len + len + 1) * 2;
        char *bigger = realloc(r->data, wanted);

        if (!bigger) {
            r->no_memory = true;
            return;
        }
        r->data = bigger;
        r->data_room = wanted;
    }
    if (len > 0)
        memcpy(r->data + r->data_len, field, len);
    r->data[r->data_len + len] = '\0';
    r->offsets[r->n_fields++] = r->data_len;
    r->data_len += len + 1;
}

static void on_row(int terminator, void *context)
{
    struct csv_reader *r = context;

    (void)terminator;
    r->row_done = true;
}

void csv_reader_close(struct csv_reader **r)
{
    struct csv_reader *x = *r;

    if (!x)
        return;
    csv_free(&x->parser);
    if (x->fd >= 0)
        close(x->fd);
    free(x->path);
    free(x->raw);
    free(x->data);
    free(x);
    *r = NULL;
}

/* Makes raw[next..] longer. STATUS_OK also at the end of the file, with at_end set. */
static enum status read_more(struct csv_reader *r, struct error *e)
{
    ssize_t n;

    if (r->next > 0) {
        memmove(r->raw, r->raw + r->next, r->len - r->next);
        r->len -= r->next;
        r->next = 0;
    }
    if (r->room - r->len < BLOCK_BYTES) {
        size_t wanted = r->len + (size_t)2 * BLOCK_BYTES;
        char *bigger;

        if (wanted < 2 * r->room)
            wanted = 2 * r->room;
        bigger = realloc(r->raw, wanted);
        if (!bigger)
            return error_no_memory(e);
        r->raw = bigger;
        r->room = wanted;
    }
    do
        n = read(r->fd, r->raw + r->len, BLOCK_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_set_errno(e, errno, "%s: cannot read", r->path);
    r->len += (size_t)n;
    r->at_end = n == 0;
    return STATUS_OK;
}

enum status csv_reader_open(const char *path, struct csv_reader **ret_r, struct error *e)
{
    return csv_reader_open_delimited(path, ',', ret_r, e);
}

enum status csv_reader_open_delimited(const char *path, char delimiter, struct csv_reader **ret_r, struct error *e)
{
    enum status s = STATUS_OK;
    struct stat st;
    struct csv_reader *r = calloc(1, sizeof(*r));

    if (!r)
        return error_no_memory(e);
    r->line = 1;
    r->fd = -1;
    csv_init(&r->parser, CSV_STRICT | CSV_STRICT_FINI);
    csv_set_space_func(&r->parser, no_space);
    csv_set_delim(&r->parser, (unsigned char)delimiter);
    r->delimiter = delimiter;
    r->path = strdup(path);
    if (!r->path) {
        s = error_no_memory(e);
        goto error;
    }
    /* O_NONBLOCK: a FIFO must not hang us; it has no effect on a regular file. */
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0) {
        s = error_set_errno(e, errno, "%s: cannot open", path);
        goto error;
    }
    if (fstat(r->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        s = error_set(e, STATUS_INVALID, "%s: not a regular file", path);
        goto error;
    }
    while (s == STATUS_OK && r->len < 3 && !r->at_end)
        s = read_more(r, e);
    if (s != STATUS_OK)
        goto error;
    if (r->len >= 3 && memcmp(r->raw, "\xef\xbb\xbf", 3) == 0)
        r->next = 3;
    *ret_r = r;
    return STATUS_OK;
error:
    csv_reader_close(&r);
    return s;
}

/* Finds the end of the row that begins at raw[next]. Every quote of a well-formed file opens or closes (a
 * doubled one does both), so their parity says whether a line feed ends the row; where that is wrong, libcsv
 * refuses the row. */
static enum status find_row(struct csv_reader *r, size_t *ret_len, size_t *ret_n_lines, struct error *e)
{
    bool quoted = false, after_return = false;
    size_t n_lines = 0;

    for (size_t i = 0;; i++) {
        char c;

        if (i == CSV_MAX_ROW_BYTES)
            return error_set(e, STATUS_INVALID, "%s:%zu: the row is longer than %d bytes%s", r->path, r->line,
                             CSV_MAX_ROW_BYTES, quoted ? " (a quote that is not closed?)" : "");
        if (r->next + i == r->len && !r->at_end) {
            enum status s = read_more(r, e);

            if (s != STATUS_OK)
                return s;
        }
        if (r->next + i == r->len) {
            if (quoted)
                return error_set(e, STATUS_CORRUPT, "%s:%zu: a quote is opened in this row and never closed", r->path,
                                 r->line);
            if (after_return)
                return error_set(e, STATUS_CORRUPT, "%s:%zu: a carriage return without a line feed", r->path,
                                 r->line + n_lines);
            *ret_len = i;
            *ret_n_lines = n_lines;
            return STATUS_OK;
        }
        c = r->raw[r->next + i];
        if (c == '\0')
            return error_set(e, STATUS_CORRUPT, "%s:%zu: a zero byte; this is not a text file", r->path,
                             r->line + n_lines);
        if (after_return && c != '\n')
            return error_set(e, STATUS_CORRUPT, "%s:%zu: a carriage return without a line feed", r->path,
                             r->line + n_lines);
        after_return = c == '\r' && !quoted;
        if (c == '"')
            quoted = !quoted;
        if (c != '\n')
            continue;
        n_lines++;
        if (quoted)
            continue;
        *ret_len = i + 1;
        *ret_n_lines = n_lines;
        return STATUS_OK;
    }
}

static enum status parse_row(struct csv_reader *r, size_t len, bool last, struct error *e)
{
    size_t n;

    r->n_fields = r->data_len = 0;
    r->row_done = r->no_memory = r->too_many = false;
    n = csv_parse(&r->parser, r->raw + r->next, len, on_field, on_row, r);
    if (n == len && last && csv_fini(&r->parser, on_field, on_row, r) != 0)
        n = 0;
    if (r->no_memory || csv_error(&r->parser) == CSV_ENOMEM)
        return error_no_memory(e);
    if (n != len && len > 0)
        return error_set(e, STATUS_CORRUPT,
                         "%s:%zu: a quote inside a field that is not quoted, or text after a closing quote "
                         "(RFC 4180: quote the field and double its quotes)",
                         r->path, r->line);
    if (r->too_many)
        return error_set(e, STATUS_INVALID, "%s:%zu: more than %d fields", r->path, r->line, CSV_MAX_FIELDS);
    return STATUS_OK;
}

/* A row without quotes that is whole in what was read, as nearly all are: its fields are what stands between commas. STATUS_AGAIN:
 * it is not one. */
static enum status take_plain_row(struct csv_reader *r, struct error *e)
{
    const char *start = r->raw + r->next;
    const char *end = r->next < r->len ? memchr(start, '\n', r->len - r->next) : NULL;
    size_t len = end ? (size_t)(end - start) : 0;

    if (len == 0 || len >= CSV_MAX_ROW_BYTES || memchr(start, '"', len) || memchr(start, '\r', len) ||
        memchr(start, '\0', len))
        return STATUS_AGAIN;
    if (r->data_room < len + 1) {
        char *bigger = realloc(r->data, 2 * (len + 1));

        if (!bigger)
            return error_no_memory(e);
        r->data = bigger;
        r->data_room = 2 * (len + 1);
    }
    memcpy(r->data, start, len);
    r->data[len] = '\0';
    r->n_fields = 0;
    for (char *p = r->data; p; r->n_fields++) {
        char *comma = memchr(p, r->delimiter, len - (size_t)(p - r->data));

        if (r->n_fields == CSV_MAX_FIELDS)
            return STATUS_AGAIN;
        r->fields[r->n_fields] = p;
        if (comma)
            *comma++ = '\0';
        p = comma;
    }
    r->next += len + 1;
    r->line++;
    return STATUS_OK;
}

static enum status next_row(struct csv_reader *r, struct csv_row *ret_row, struct error *e)
{
    for (;;) {
        size_t len = 0, n_lines = 0, line = r->line;
        bool last;
        enum status s;

        s = take_plain_row(r, e);
        if (s == STATUS_OK)
            *ret_row = (struct csv_row){.line = line, .n_fields = r->n_fields, .fields = r->fields};
        if (s != STATUS_AGAIN)
            return s;
        s = find_row(r, &len, &n_lines, e);

        if (s != STATUS_OK)
            return s;
        if (len == 0)
            return STATUS_END;
        last = r->raw[r->next + len - 1] != '\n';
        s = parse_row(r, len, last, e);
        if (s != STATUS_OK)
            return s;
        r->next += len;
        r->line += n_lines;
        if (!r->row_done) /* an empty line */
            continue;
        for (size_t i = 0; i < r->n_fields; i++)
            r->fields[i] = r->data + r->offsets[i];
        *ret_row = (struct csv_row){.line = line, .n_fields = r->n_fields, .fields = r->fields};
        return STATUS_OK;
    }
}

enum status csv_reader_next(struct csv_reader *r, struct csv_row *ret_row, struct error *e)
{
    enum status s;

    if (r->failure.status == STATUS_OK) {
        s = next_row(r, ret_row, &r->failure);
        if (!status_failed(s))
            return s;
    }
    if (e)
        *e = r->failure;
    return r->failure.status;
}
