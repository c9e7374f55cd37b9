#include "nodes/last_words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shard/log.h"

enum status last_words_open(int *ret_read_fd, int *ret_write_fd, struct error *e)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        return error_set_errno(e, errno, "pipe for a lane's standard error");
    *ret_read_fd = ends[0];
    *ret_write_fd = ends[1];
    return STATUS_OK;
}

void last_words_clean(char *line, size_t len_bytes)
{
    for (size_t i = 0; i < len_bytes; i++) {
        if ((unsigned char)line[i] < 0x20 || (unsigned char)line[i] > 0x7e)
            line[i] = line[i] == '\t' ? ' ' : '?';
    }
    line[len_bytes] = '\0';
}

static size_t take(int fd, char *text)
{
    size_t len = 0;

    while (len < LAST_WORDS_BYTES) {
        ssize_t n = read(fd, text + len, LAST_WORDS_BYTES - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    return len;
}

unsigned last_words_log(int fd, uint32_t lane)
{
    char *text = malloc(LAST_WORDS_BYTES + 1);
    size_t len = text ? take(fd, text) : 0;
    unsigned n_lines = 0;

    for (size_t at = 0; at < len;) {
        char *end = memchr(text + at, '\n', len - at);
        size_t line_len = end ? (size_t)(end - text) - at : len - at;

        last_words_clean(text + at, line_len);
        if (n_lines < LAST_WORDS_LINES)
            log_warning("lane %u printed: %.500s", lane, text + at);
        n_lines++;
        at += line_len + 1;
    }
    if (n_lines > LAST_WORDS_LINES)
        log_warning("lane %u printed %u more lines", lane, n_lines - LAST_WORDS_LINES);
    free(text);
    return n_lines;
}
