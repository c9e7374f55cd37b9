#include "nodes/lane_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nodes/last_words.h"

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void lane_fds_close(struct lane_fds *ours)
{
    close_one(&ours->socket_fd);
    close_one(&ours->words_fd);
    if (ours->notes)
        munmap(ours->notes, sizeof(*ours->notes));
    ours->notes = NULL;
}

void lane_fds_close_theirs(struct zygote_lane_fds *theirs)
{
    close_one(&theirs->socket_fd);
    close_one(&theirs->notes_fd);
    close_one(&theirs->stderr_fd);
}

/* Its size is sealed, so that a lane cannot take away a page that is read here. */
static enum status open_notes(int *ret_fd, struct lane_notes **ret_notes, struct error *e)
{
    void *page = MAP_FAILED;
    int fd = memfd_create("fakesift-notes", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd >= 0 && ftruncate(fd, sizeof(struct lane_notes)) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        page = mmap(NULL, sizeof(struct lane_notes), PROT_READ, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        error_set_errno(e, errno, "memfd for a lane's notes");
        close_one(&fd);
        return STATUS_IO;
    }
    *ret_fd = fd;
    *ret_notes = page;
    return STATUS_OK;
}

enum status lane_fds_open(struct lane_fds *ret_ours, struct zygote_lane_fds *ret_theirs, struct error *e)
{
    struct lane_fds ours = {.socket_fd = -1, .words_fd = -1};
    struct zygote_lane_fds theirs = {.socket_fd = -1, .notes_fd = -1, .stderr_fd = -1};
    int pair[2];
    enum status s = open_notes(&theirs.notes_fd, &ours.notes, e);

    if (s == STATUS_OK)
        s = last_words_open(&ours.words_fd, &theirs.stderr_fd, e);
    if (s == STATUS_OK && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        s = error_set_errno(e, errno, "socketpair for a lane");
    if (s != STATUS_OK) {
        lane_fds_close(&ours);
        lane_fds_close_theirs(&theirs);
        return s;
    }
    ours.socket_fd = pair[0];
    theirs.socket_fd = pair[1];
    fcntl(ours.socket_fd, F_SETFL, O_NONBLOCK);
    *ret_ours = ours;
    *ret_theirs = theirs;
    return STATUS_OK;
}

void lane_fds_make_room(unsigned n_lanes)
{
    struct rlimit r;
    rlim_t want = 2 * (rlim_t)n_lanes + 256;

    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= want)
        return;
    r.rlim_cur = r.rlim_max < want ? r.rlim_max : want;
    setrlimit(RLIMIT_NOFILE, &r);
}
