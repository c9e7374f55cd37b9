#include "nodes/video_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

static enum open_fault open_fault_of(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO:
    case ENODEV:
        return OPEN_FAULT_FILE;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EBADF: /* leased before the corpus was opened */
    case ENOTCONN:
        return OPEN_FAULT_MACHINE;
    default: /* EIO, ESTALE, ETIMEDOUT and the like: a file server's bad moment, or a bad disk */
        return OPEN_FAULT_UNCERTAIN;
    }
}

/* A link in the corpus may lead to /proc/self/mem, which is "regular" and the agent's own memory. */
bool video_is_plain_file(int fd, struct stat *ret_st)
{
    struct statfs fs;

    return fstat(fd, ret_st) == 0 && S_ISREG(ret_st->st_mode) && fstatfs(fd, &fs) == 0 &&
           fs.f_type != PROC_SUPER_MAGIC && fs.f_type != SYSFS_MAGIC;
}

int video_open_file(int root_fd, const char *path, size_t archive_bytes)
{
    char archive[WIRE_MAX_TEXT_BYTES + 1];

    if (archive_bytes > 0) {
        if (archive_bytes >= sizeof(archive)) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(archive, path, archive_bytes);
        archive[archive_bytes] = '\0';
        path = archive;
    }
    /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
    return openat(root_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

struct window video_window(size_t archive_bytes, uint64_t offset, uint64_t size_bytes)
{
    return archive_bytes > 0 ? (struct window){.offset = offset, .size_bytes = size_bytes} : (struct window){0};
}

/* A video in an archive is the one that was listed while its archive is. */
static bool is_listed_archive(const struct message *lease, const struct stat *st, char *ret_why, size_t room)
{
    int64_t mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;

    if (lease->size_bytes == 0 && lease->mtime_ns == 0)
        snprintf(ret_why, room, "was not whole in its archive when the corpus was listed: list it again");
    else if ((uint64_t)st->st_size < lease->offset_bytes + lease->size_bytes)
        snprintf(ret_why, room, "its archive shrank to %lld bytes since the corpus was listed, and ends before it does",
                 (long long)st->st_size);
    else if (mtime_ns != lease->mtime_ns)
        snprintf(ret_why, room,
                 "its archive changed since the corpus was listed (another time of change): list it again");
    else
        return true;
    return false;
}

/* A result is kept under the identity that the manifest gives. Another file's score must not be. */
static bool is_listed_file(const struct message *lease, const struct stat *st, char *ret_why, size_t room)
{
    int64_t mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;

    if (lease->archive_bytes > 0)
        return is_listed_archive(lease, st, ret_why, room);
    if ((uint64_t)st->st_size == lease->size_bytes && mtime_ns == lease->mtime_ns)
        return true;
    if (lease->size_bytes == 0 && lease->mtime_ns == 0)
        snprintf(ret_why, room, "was not there when the corpus was listed: list it again");
    else if ((uint64_t)st->st_size != lease->size_bytes)
        snprintf(ret_why, room, "changed since the corpus was listed (%llu bytes then, %lld now): list it again",
                 (unsigned long long)lease->size_bytes, (long long)st->st_size);
    else
        snprintf(ret_why, room, "changed since the corpus was listed (another time of change): list it again");
    return false;
}

int video_open(int root_fd, const struct message *lease, enum open_fault *ret_fault, struct lane_pool_event *ret_event)
{
    struct stat st;
    int fd = video_open_file(root_fd, lease->text, lease->archive_bytes);

    *ret_event = (struct lane_pool_event){.kind = LANE_POOL_FAILED, .outcome = OUTCOME_MISSING};
    if (fd < 0) {
        *ret_fault = open_fault_of(errno);
        snprintf(ret_event->message, sizeof(ret_event->message), "cannot open: %s", strerror(errno));
        return -1;
    }
    *ret_fault = OPEN_FAULT_FILE;
    if (!video_is_plain_file(fd, &st)) {
        ret_event->outcome = OUTCOME_NO_VIDEO;
        snprintf(ret_event->message, sizeof(ret_event->message), "not a regular file");
    } else if (is_listed_file(lease, &st, ret_event->message, sizeof(ret_event->message))) {
        return fd;
    }
    close(fd);
    return -1;
}
