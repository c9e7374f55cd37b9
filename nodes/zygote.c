#include "nodes/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/detector_set.h"
#include "nodes/decoder.h"
#include "nodes/lane.h"
#include "nodes/passing.h"
#include "nodes/score.h"

enum order_kind { ORDER_SPAWN = 1, ORDER_KILL };

struct order {
    uint32_t kind;
    uint32_t lane;
};

struct zygote {
    pid_t pid;
    int fd;
    bool ready;
    struct zygote_speed speed;
};

/* The zygote's own side. */

struct child {
    pid_t pid;
    uint32_t lane;
};

struct nursery {
    const struct zygote_settings *settings;
    int agent_fd;
    struct detector_set set;
    struct scorer *scorer;
    struct child *children;
    size_t n_children, room_children;
};

static void reset_signals(void)
{
    sigset_t none;

    /* Handlers that the launcher or MPI installed must not run in a child. */
    for (int s = 1; s < 32; s++) {
        if (s != SIGKILL && s != SIGSTOP)
            signal(s, SIG_DFL);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    /* A terminal's Ctrl-C reaches the whole group, Slurm's TERM every process of a step; the agent decides what they mean. A
     * lane that died of them would be a failed attempt of its video. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void die_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
}

static enum status send_event(struct nursery *n, const struct zygote_event *event)
{
    return passing_send(n->agent_fd, event, sizeof(*event), NULL, 0);
}

static enum status load(struct nursery *n, struct error *e)
{
    enum status s;

    decoder_prepare();
    if (!n->settings->detector)
        return STATUS_OK;
    s = detector_set_find(n->settings->detector, &n->set, e);
    if (s == STATUS_OK)
        s = detector_set_open(&n->set, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < n->set.n_leaves; i++) {
        n->set.leaves[i].detector->backend = n->settings->backend;
        n->set.leaves[i].detector->precision = n->settings->precision;
    }
    s = scorer_open_set(&n->set, &n->scorer, e);
    if (s == STATUS_OK)
        scorer_keep_finds(n->scorer, &n->settings->finds);
    return s;
}

static void be_lane(struct nursery *n, const int fds[PASSING_MAX_FDS])
{
    void *page = mmap(NULL, sizeof(struct lane_notes), PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
    struct lane_settings lane = {
        .memory_bytes = n->settings->lane_memory_bytes,
        .cpu_s = n->settings->lane_cpu_s,
        .require_sandbox = n->settings->require_sandbox,
        .socket_fd = fds[0],
        .notes = page,
        .scorer = n->scorer,
    };

    if (page == MAP_FAILED || dup2(fds[2], STDERR_FILENO) < 0)
        _exit(LANE_EXIT_INTERNAL);
    _exit(lane_main(&lane));
}

static enum status spawn(struct nursery *n, uint32_t lane, const int fds[PASSING_MAX_FDS])
{
    pid_t self = getpid(), pid;

    if (n->n_children == n->room_children) {
        size_t room = n->room_children ? n->room_children * 2 : 16;
        struct child *bigger = realloc(n->children, room * sizeof(*bigger));

        if (!bigger)
            return STATUS_NO_MEMORY;
        n->children = bigger;
        n->room_children = room;
    }
    pid = fork();
    if (pid < 0)
        return STATUS_NO_MEMORY;
    if (pid == 0) {
        reset_signals();
        die_with_parent(self);
        be_lane(n, fds);
    }
    n->children[n->n_children++] = (struct child){.pid = pid, .lane = lane};
    return STATUS_OK;
}

static void kill_lane(struct nursery *n, uint32_t lane)
{
    for (size_t i = 0; i < n->n_children; i++) {
        if (n->children[i].lane == lane)
            kill(n->children[i].pid, SIGKILL);
    }
}

static enum status reap(struct nursery *n)
{
    for (;;) {
        struct zygote_event event = {.kind = ZYGOTE_LANE_DIED};
        enum status s;
        size_t i = 0;
        pid_t pid = waitpid(-1, &event.wait_status, WNOHANG);

        if (pid <= 0)
            return STATUS_OK;
        while (i < n->n_children && n->children[i].pid != pid)
            i++;
        if (i == n->n_children)
            continue;
        event.lane = n->children[i].lane;
        n->children[i] = n->children[--n->n_children];
        s = send_event(n, &event);
        if (s != STATUS_OK)
            return s;
    }
}

static enum status obey(struct nursery *n)
{
    struct order order;
    int fds[PASSING_MAX_FDS];
    size_t len;
    enum status s = passing_receive(n->agent_fd, &order, sizeof(order), &len, fds);

    if (s != STATUS_OK)
        return s;
    if (len != sizeof(order))
        return STATUS_BUG;
    if (order.kind == ORDER_KILL) {
        kill_lane(n, order.lane);
    } else if (fds[0] >= 0 && fds[1] >= 0 && fds[2] >= 0 && spawn(n, order.lane, fds) != STATUS_OK) {
        /* As if it had died at birth: the agent decides what that costs. */
        struct zygote_event event = {
            .kind = ZYGOTE_LANE_DIED, .lane = order.lane, .wait_status = LANE_EXIT_INTERNAL << 8};

        snprintf(event.text, sizeof(event.text), "no process for it: %s", strerror(errno));
        s = send_event(n, &event);
    }
    for (size_t i = 0; i < PASSING_MAX_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return s;
}

static int child_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void zygote_main(const struct zygote_settings *settings, int agent_fd)
{
    struct nursery n = {.settings = settings, .agent_fd = agent_fd};
    struct zygote_event event = {.kind = ZYGOTE_READY};
    struct error e = {0};
    struct pollfd fds[2] = {{.fd = agent_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    enum status s;

    if (load(&n, &e) != STATUS_OK) {
        event.kind = ZYGOTE_FAILED;
        memcpy(event.text, e.text, sizeof(event.text));
        send_event(&n, &event);
        _exit(1);
    }
    if (n.scorer)
        scorer_speed(n.scorer, &event.speed.clip_s, &event.speed.face_s);
    fds[1].fd = child_signals();
    s = fds[1].fd < 0 ? STATUS_IO : send_event(&n, &event);
    while (s == STATUS_OK) {
        struct signalfd_siginfo info;

        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            break;
        while (read(fds[1].fd, &info, sizeof(info)) > 0)
            continue;
        s = reap(&n);
        if (s == STATUS_OK && (fds[0].revents & (POLLIN | POLLHUP)))
            s = obey(&n);
    }
    /* Waited for, so that the CPU time of the lanes is the job's in every accounting. */
    for (size_t i = 0; i < n.n_children; i++)
        kill(n.children[i].pid, SIGKILL);
    while (wait(NULL) > 0)
        continue;
    _exit(0);
}

/* The agent's side. */

enum status zygote_start(const struct zygote_settings *settings, struct zygote **ret_z, struct error *e)
{
    pid_t self = getpid();
    int fds[2];
    struct zygote *z = calloc(1, sizeof(*z));

    if (!z)
        return error_no_memory(e);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        free(z);
        return error_set_errno(e, errno, "socketpair for the zygote");
    }
    z->pid = fork();
    if (z->pid < 0) {
        enum status s = error_set_errno(e, errno, "fork of the zygote");

        close(fds[0]);
        close(fds[1]);
        free(z);
        return s;
    }
    if (z->pid == 0) {
        reset_signals();
        die_with_parent(self);
        close(fds[0]);
        zygote_main(settings, fds[1]);
    }
    close(fds[1]);
    z->fd = fds[0];
    fcntl(z->fd, F_SETFL, O_NONBLOCK);
    *ret_z = z;
    return STATUS_OK;
}

/* Until the process ended or the time is over. */
static void wait_for_end(pid_t pid, int timeout_ms)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd end = {.fd = fd, .events = POLLIN};

    if (fd < 0)
        return;
    poll(&end, 1, timeout_ms);
    close(fd);
}

void zygote_stop(struct zygote **z)
{
    enum { GRACE_MS = 2000 };

    if (!*z)
        return;
    close((*z)->fd);
    /* It ends by itself when its socket closes, unless it was stopped or still loads. */
    if ((*z)->ready)
        wait_for_end((*z)->pid, GRACE_MS);
    kill((*z)->pid, SIGKILL);
    while (waitpid((*z)->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    free(*z);
    *z = NULL;
}

int zygote_fd(const struct zygote *z)
{
    return z->fd;
}

enum status zygote_next_event(struct zygote *z, struct zygote_event *ret_event)
{
    size_t len;
    enum status s = passing_receive(z->fd, ret_event, sizeof(*ret_event), &len, NULL);

    if (s == STATUS_OK && len != sizeof(*ret_event))
        return STATUS_END;
    if (s == STATUS_OK)
        ret_event->text[sizeof(ret_event->text) - 1] = '\0';
    if (s == STATUS_OK && ret_event->kind == ZYGOTE_READY) {
        z->ready = true;
        z->speed = ret_event->speed;
    }
    return s == STATUS_AGAIN || s == STATUS_OK ? s : STATUS_END;
}

bool zygote_is_ready(const struct zygote *z)
{
    return z->ready;
}

struct zygote_speed zygote_speed(const struct zygote *z)
{
    return z->speed;
}

enum status zygote_wait(struct zygote *z, struct error *e)
{
    struct pollfd fd = {.fd = z->fd, .events = POLLIN};
    struct zygote_event event;
    enum status s;

    if (z->ready)
        return STATUS_OK;
    do {
        poll(&fd, 1, -1);
        s = zygote_next_event(z, &event);
    } while (s == STATUS_AGAIN);
    if (s != STATUS_OK)
        return error_set(e, STATUS_IO, "the zygote died");
    return event.kind == ZYGOTE_READY ? STATUS_OK : error_set(e, STATUS_INVALID, "%s", event.text);
}

static enum status order(struct zygote *z, enum order_kind kind, uint32_t lane, const int *fds, size_t n_fds)
{
    const struct order o = {.kind = kind, .lane = lane};
    enum status s = passing_send(z->fd, &o, sizeof(o), fds, n_fds);

    return s == STATUS_OK || s == STATUS_AGAIN ? s : STATUS_END;
}

/* Linux calls a socket writable while three quarters of its buffer are free, so one order then surely fits. */
bool zygote_has_room(const struct zygote *z)
{
    struct pollfd fd = {.fd = z->fd, .events = POLLOUT};

    return poll(&fd, 1, 0) == 1 && (fd.revents & (POLLOUT | POLLHUP | POLLERR));
}

enum status zygote_spawn(struct zygote *z, uint32_t lane, const struct zygote_lane_fds *fds)
{
    const int in_order[3] = {fds->socket_fd, fds->notes_fd, fds->stderr_fd};

    return order(z, ORDER_SPAWN, lane, in_order, 3);
}

enum status zygote_kill(struct zygote *z, uint32_t lane)
{
    return order(z, ORDER_KILL, lane, NULL, 0);
}
