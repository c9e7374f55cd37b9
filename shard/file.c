#include "shard/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len_bytes, struct error *e)
{
    enum status s;
    char *data = NULL;
    size_t len = 0, room = 0;
    struct stat st;
    /* O_NONBLOCK: a FIFO must not hang us; it has no effect on a regular file. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return error_set_errno(e, errno, "%s: cannot open", path);
    if (fstat(fd, &st) < 0) {
        s = error_set_errno(e, errno, "%s: cannot stat", path);
        goto error;
    }
    if (!S_ISREG(st.st_mode)) {
        s = error_set(e, STATUS_INVALID, "%s: not a regular file", path);
        goto error;
    }
    for (;;) {
        ssize_t n;

        if (len > max_bytes) {
            s = error_set(e, STATUS_INVALID, "%s: larger than %zu bytes", path, max_bytes);
            goto error;
        }
        if (room - len < 2) {
            size_t wanted = room ? room * 2 : (st.st_size > 0 ? (size_t)st.st_size : 0) + 4096;
            char *bigger;

            if (wanted > max_bytes + 4096)
                wanted = max_bytes + 4096;
            bigger = realloc(data, wanted);
            if (!bigger) {
                s = error_no_memory(e);
                goto error;
            }
            data = bigger;
            room = wanted;
        }
        n = read(fd, data + len, room - len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            s = error_set_errno(e, errno, "%s: cannot read", path);
            goto error;
        }
        if (n == 0)
            break;
        len += (size_t)n;
    }
    data[len] = '\0';
    close(fd);
    *ret_data = data;
    *ret_len_bytes = len;
    return STATUS_OK;
error:
    free(data);
    close(fd);
    return s;
}

struct file_writer {
    FILE *stream;
    char *path;
    char *partial_path;
};

static void file_writer_free(struct file_writer **w)
{
    if (!*w)
        return;
    if ((*w)->stream)
        fclose((*w)->stream);
    free((*w)->path);
    free((*w)->partial_path);
    free(*w);
    *w = NULL;
}

enum status file_writer_open(const char *path, struct file_writer **ret_w, struct error *e)
{
    enum status s;
    struct file_writer *w = calloc(1, sizeof(*w));

    if (!w)
        return error_no_memory(e);
    w->path = strdup(path);
    if (!w->path || asprintf(&w->partial_path, "%s.partial", path) < 0) {
        w->partial_path = NULL;
        s = error_no_memory(e);
        goto error;
    }
    w->stream = fopen(w->partial_path, "wbe");
    if (!w->stream) {
        s = error_set_errno(e, errno, "%s: cannot create", w->partial_path);
        goto error;
    }
    *ret_w = w;
    return STATUS_OK;
error:
    file_writer_free(&w);
    return s;
}

FILE *file_writer_stream(struct file_writer *w)
{
    return w->stream;
}

enum status file_writer_commit(struct file_writer **w, struct error *e)
{
    enum status s = STATUS_OK;
    struct file_writer *x = *w;
    FILE *stream = x->stream;

    if (ferror(stream) || fflush(stream) != 0 || fsync(fileno(stream)) != 0)
        s = error_set_errno(e, errno ? errno : EIO, "%s: cannot write", x->path);
    x->stream = NULL;
    if (fclose(stream) != 0 && s == STATUS_OK)
        s = error_set_errno(e, errno, "%s: cannot write", x->path);
    if (s == STATUS_OK && rename(x->partial_path, x->path) != 0)
        s = error_set_errno(e, errno, "%s: cannot rename to it", x->path);
    if (s != STATUS_OK)
        unlink(x->partial_path);
    file_writer_free(w);
    return s;
}

void file_writer_discard(struct file_writer **w)
{
    if (*w)
        unlink((*w)->partial_path);
    file_writer_free(w);
}

enum status file_write(const char *path, const void *data, size_t len_bytes, struct error *e)
{
    struct file_writer *w = NULL;
    enum status s = file_writer_open(path, &w, e);

    if (s != STATUS_OK)
        return s;
    if (len_bytes > 0)
        fwrite(data, 1, len_bytes, file_writer_stream(w));
    return file_writer_commit(&w, e);
}

enum status file_make_folder(const char *path, struct error *e)
{
    struct stat st;
    enum status s = STATUS_OK;
    char *copy = strdup(path);

    if (!copy)
        return error_no_memory(e);
    for (char *p = copy + 1; s == STATUS_OK; p++) {
        char kept = *p;

        if (kept != '/' && kept != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0777) != 0 && errno != EEXIST)
            s = error_set_errno(e, errno, "%s: cannot create the folder", copy);
        *p = kept;
        if (kept == '\0')
            break;
    }
    free(copy);
    if (s == STATUS_OK && (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)))
        s = error_set(e, STATUS_IO, "%s: not a folder", path);
    return s;
}

char *file_join(const char *folder, const char *name)
{
    char *joined = NULL;
    size_t len = strlen(folder);

    if (len == 0 || name[0] == '/')
        return strdup(name);
    if (asprintf(&joined, "%s%s%s", folder, folder[len - 1] == '/' ? "" : "/", name) < 0)
        return NULL;
    return joined;
}

enum status file_read_at(int fd, uint64_t at, void *ret_data, size_t len, struct error *e)
{
    uint8_t *p = ret_data;

    while (len > 0) {
        ssize_t n = pread(fd, p, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(e, errno, "cannot read at byte %" PRIu64, at);
        if (n == 0)
            return error_set(e, STATUS_CORRUPT, "ends at byte %" PRIu64, at);
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return STATUS_OK;
}
