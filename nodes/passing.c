#include "nodes/passing.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* cmsg wants its buffer aligned. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(PASSING_MAX_FDS * sizeof(int))];
};

enum status passing_send(int socket_fd, const void *data, size_t len_bytes, const int *fds, size_t n_fds)
{
    union control control;
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = len_bytes};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t n;

    if (n_fds > PASSING_MAX_FDS)
        return STATUS_INVALID;
    if (n_fds > 0) {
        struct cmsghdr *c;

        memset(&control, 0, sizeof(control));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    do {
        n = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return STATUS_OK;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return STATUS_AGAIN;
    return errno == EPIPE || errno == ECONNRESET ? STATUS_END : STATUS_IO;
}

static void take_fds(struct msghdr *message, int fds[PASSING_MAX_FDS])
{
    for (size_t i = 0; i < PASSING_MAX_FDS; i++)
        fds[i] = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(c), (n < PASSING_MAX_FDS ? n : PASSING_MAX_FDS) * sizeof(int));
    }
}

enum status passing_receive(int socket_fd, void *ret_data, size_t room_bytes, size_t *ret_len_bytes,
                            int ret_fds[PASSING_MAX_FDS])
{
    union control control;
    struct iovec part = {.iov_base = ret_data, .iov_len = room_bytes};
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    int fds[PASSING_MAX_FDS];
    ssize_t n;

    memset(&control, 0, sizeof(control));
    do {
        n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return STATUS_AGAIN;
    if (n < 0 && errno != ECONNRESET)
        return STATUS_IO;
    if (n <= 0)
        return STATUS_END;
    take_fds(&message, fds);
    if ((message.msg_flags & MSG_TRUNC) || !ret_fds) {
        for (size_t i = 0; i < PASSING_MAX_FDS; i++) {
            if (fds[i] >= 0)
                close(fds[i]);
        }
        if (message.msg_flags & MSG_TRUNC)
            return STATUS_CORRUPT;
    }
    if (ret_fds)
        memcpy(ret_fds, fds, sizeof(fds));
    *ret_len_bytes = (size_t)n;
    return STATUS_OK;
}
