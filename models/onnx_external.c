#include "models/onnx_external.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "models/tensor.h"

/* Relative, without "..", ".", or empty components. */
static bool is_plain(const char *location)
{
    size_t len;

    if (location[0] == '\0' || strlen(location) >= 4096)
        return false;
    for (const char *at = location;; at += len + 1) {
        len = strcspn(at, "/");
        if (len == 0 || (len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        if (at[len] == '\0')
            return true;
    }
}

/* One component after the other, links refused: for kernels before 5.6, which have no openat2. */
static int open_without_links(int folder, const char *location)
{
    int at = fcntl(folder, F_DUPFD_CLOEXEC, 0);

    while (at >= 0) {
        size_t len = strcspn(location, "/");
        bool last = location[len] == '\0';
        char name[256];
        int next;

        if (len >= sizeof(name)) {
            close(at);
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, location, len);
        name[len] = '\0';
        next = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? 0 : O_DIRECTORY));
        close(at);
        if (last || next < 0)
            return next;
        at = next;
        location += len + 1;
    }
    return -1;
}

/* A link is followed while it stays beneath the folder; the kernel sees to it, so that nobody can exchange a component
 * between the check and the opening. */
static int open_beneath(int folder, const char *location)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, folder, location, &how, sizeof(how));

    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return open_without_links(folder, location);
    return (int)fd;
}

static int open_folder(const char *model_path)
{
    const char *slash = strrchr(model_path, '/');
    char *folder = slash ? strndup(model_path, (size_t)(slash - model_path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;

    free(folder);
    return fd;
}

static enum status read_range(const struct onnx_external *x, int fd, void *data, struct error *e)
{
    size_t done = 0;

    while (done < x->len_bytes) {
        ssize_t n = pread(fd, (char *)data + done, x->len_bytes - done, (off_t)(x->offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(e, errno, "%s: tensor '%.120s': cannot read '%.200s'", x->model_path, x->tensor,
                                   x->location);
        if (n == 0)
            return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s': '%.200s' became shorter while it was read",
                             x->model_path, x->tensor, x->location);
        done += (size_t)n;
    }
    return STATUS_OK;
}

static enum status read_file(const struct onnx_external *x, int fd, void **ret_data, struct error *e)
{
    struct stat st;
    uint64_t size;
    void *data;
    enum status s;

    if (fstat(fd, &st) != 0)
        return error_set_errno(e, errno, "%s: tensor '%.120s': cannot read '%.200s'", x->model_path, x->tensor,
                               x->location);
    if (!S_ISREG(st.st_mode))
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s': '%.200s' is not a regular file", x->model_path,
                         x->tensor, x->location);
    size = (uint64_t)st.st_size;
    if (x->offset > size || x->len_bytes > size - x->offset)
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s': bytes %llu to %llu of '%.200s', which has %llu",
                         x->model_path, x->tensor, (unsigned long long)x->offset,
                         (unsigned long long)x->offset + x->len_bytes, x->location, (unsigned long long)size);
    data = tensor_memory(x->len_bytes);
    if (!data)
        return error_no_memory(e);
    s = read_range(x, fd, data, e);
    if (s != STATUS_OK)
        free(data);
    else
        *ret_data = data;
    return s;
}

enum status onnx_external_read(const struct onnx_external *x, void **ret_data, struct error *e)
{
    int folder, fd, why;
    enum status s;

    if (!x->location || !is_plain(x->location))
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s': its external location '%.200s' leaves the folder",
                         x->model_path, x->tensor, x->location ? x->location : "");
    folder = open_folder(x->model_path);
    fd = folder < 0 ? -1 : open_beneath(folder, x->location);
    why = errno;
    if (folder >= 0)
        close(folder);
    if (fd < 0 && (why == EXDEV || why == ELOOP))
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s': '%.200s' is a link that leaves the folder",
                         x->model_path, x->tensor, x->location);
    if (fd < 0)
        return error_set_errno(e, why, "%s: tensor '%.120s': cannot open '%.200s'", x->model_path, x->tensor,
                               x->location);
    s = read_file(x, fd, ret_data, e);
    close(fd);
    return s;
}
