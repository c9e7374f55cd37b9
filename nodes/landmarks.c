#include "nodes/landmarks.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status read_all(int fd, const struct window *window, char **ret_text, size_t *ret_len, struct error *e)
{
    size_t len = 0, room = 1 << 16, most;
    char *text = malloc(room);
    enum status s = STATUS_OK;

    while (text) {
        ssize_t n;

        if (room - len < 2) {
            char *bigger = realloc(text, room * 2);

            if (!bigger)
                break;
            text = bigger;
            room *= 2;
        }
        most = room - len - 1;
        if (window->offset > 0 && most > window->size_bytes - len)
            most = (size_t)(window->size_bytes - len);
        n = pread(fd, text + len, most, (off_t)(window->offset + len));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            s = error_set_errno(e, errno, "cannot read");
            goto error;
        }
        if (n == 0) {
            text[len] = '\0';
            *ret_text = text;
            *ret_len = len;
            return STATUS_OK;
        }
        len += (size_t)n;
        if (len > LANDMARKS_MAX_BYTES) {
            s = error_set(e, STATUS_UNSUPPORTED, "larger than %d bytes", LANDMARKS_MAX_BYTES);
            goto error;
        }
    }
    s = error_no_memory(e);
error:
    free(text);
    return s;
}

/* The numbers of one zero-terminated line; their count, or SIZE_MAX when something else stands there. */
static size_t parse_line(char *line, float *row, size_t width)
{
    size_t n = 0;
    char *p = line;

    for (;;) {
        char *end;
        float value;

        p += strspn(p, " \t\r,");
        if (*p == '\0')
            return n;
        value = strtof(p, &end);
        if (end == p || !isfinite(value) || n > width)
            return SIZE_MAX;
        if (n < width)
            row[n] = value;
        n++;
        p = end;
    }
}

enum status landmarks_read(int fd, const struct window *window, unsigned points, float **ret_rows, size_t *ret_n_rows,
                           struct error *e)
{
    size_t len = 0, n_lines = 1, n_rows = 0, width = 2 * (size_t)points, most, line_number = 0;
    char *text = NULL, *next;
    float *rows = NULL;
    enum status s = read_all(fd, window, &text, &len, e);

    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < len; i++) {
        n_lines += text[i] == '\n';
        if (text[i] == '\0') {
            s = error_set(e, STATUS_CORRUPT, "not a text file: a zero byte at %zu", i);
            goto error;
        }
    }
    /* Each number takes two bytes at least, so this is bounded by the file's size whatever its lines claim. */
    most = len / (2 * width);
    if (n_lines > 2 && n_lines - 2 > most)
        n_lines = most + 2;
    rows = malloc(n_lines * width * sizeof(*rows));
    if (!rows) {
        s = error_no_memory(e);
        goto error;
    }
    for (char *line = text; line; line = next) {
        size_t n;

        line_number++;
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (line[strspn(line, " \t\r")] == '\0')
            continue;
        n = n_rows < n_lines ? parse_line(line, rows + n_rows * width, width) : SIZE_MAX;
        if (n != width) {
            s = error_set(e, STATUS_CORRUPT, "line %zu: not %zu numbers", line_number, width);
            goto error;
        }
        n_rows++;
    }
    free(text);
    *ret_rows = rows;
    *ret_n_rows = n_rows;
    return STATUS_OK;
error:
    free(text);
    free(rows);
    return s;
}
