#include "coordinator/run_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shard/log.h"

#define UNKNOWN "?" /* a kernel that does not say which boot it is: nobody is on the same one */

enum { TEXT_BYTES = 640 };

/* Who holds a lock, as its text says. */
struct holder {
    char line[256]; /* "host H, pid P, Slurm job J" */
    char boot[64];  /* "" when the text does not say (or none is there) */
    long pid;
    unsigned long long space, start, beat;
    long long at_unix_s;
};

struct run_lock {
    struct run_lock_world world;
    char *path;
    int fd;
    bool kernel_locked, taken;
    struct holder me;
    atomic_bool lost;
    bool kept; /* the thread runs */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool ending; /* under mutex */
};

static int64_t system_unix_s(void *context)
{
    (void)context;
    return (int64_t)time(NULL);
}

static void system_pause_s(void *context, unsigned seconds)
{
    (void)context;
    poll(NULL, 0, (int)seconds * 1000);
}

static struct run_lock_world world_of(const struct run_lock_world *given)
{
    struct run_lock_world w = given ? *given : (struct run_lock_world){0};

    if (!w.unix_s)
        w.unix_s = system_unix_s;
    if (!w.pause_s)
        w.pause_s = system_pause_s;
    return w;
}

static void read_line(const char *path, char *ret_line, size_t room)
{
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        n = read(fd, ret_line, room - 1);
        close(fd);
    }
    ret_line[n > 0 ? n : 0] = '\0';
    ret_line[strcspn(ret_line, "\n")] = '\0';
}

/* When the process was started, in ticks since the boot; 0 when it does not live. */
static unsigned long long start_of(long pid)
{
    enum { FIELD = 22 };
    char path[64], stat[1024], *p;

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    read_line(path, stat, sizeof(stat));
    /* A command's name may hold blanks and parentheses. */
    p = strrchr(stat, ')');
    for (int field = 2; p && field < FIELD; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p, NULL, 10) : 0;
}

static void describe_me(struct holder *me)
{
    char host[128] = "?";
    const char *job = getenv("SLURM_JOB_ID");
    struct stat st;

    gethostname(host, sizeof(host) - 1);
    me->pid = (long)getpid();
    snprintf(me->line, sizeof(me->line), "host %s, pid %ld%s%.64s", host, me->pid, job ? ", Slurm job " : "",
             job ? job : "");
    read_line("/proc/sys/kernel/random/boot_id", me->boot, sizeof(me->boot));
    if (me->boot[0] == '\0')
        strcpy(me->boot, UNKNOWN);
    me->space = stat("/proc/self/ns/pid", &st) == 0 ? (unsigned long long)st.st_ino : 0;
    me->start = start_of(me->pid);
}

/* Opened anew, so that a network file system looks at its server. False: no such file. */
static bool read_text(const char *path, char ret_text[TEXT_BYTES])
{
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    n = pread(fd, ret_text, TEXT_BYTES - 1, 0);
    close(fd);
    ret_text[n > 0 ? n : 0] = '\0';
    return true;
}

static struct holder parse(const char *text)
{
    struct holder h = {0};
    size_t len = strcspn(text, "\n");
    const char *pid = strstr(text, ", pid ");

    snprintf(h.line, sizeof(h.line), "%.*s", (int)(len < sizeof(h.line) ? len : sizeof(h.line) - 1), text);
    if (pid && pid < text + len)
        h.pid = strtol(pid + 6, NULL, 10);
    if (text[len] == '\0' || sscanf(text + len + 1, "boot %63s space %llu start %llu beat %llu at %lld", h.boot,
                                    &h.space, &h.start, &h.beat, &h.at_unix_s) != 5)
        h.boot[0] = '\0';
    return h;
}

static bool is_me(const struct run_lock *l, const struct holder *h)
{
    return h->pid == l->me.pid && h->start == l->me.start && h->space == l->me.space &&
           strcmp(h->boot, l->me.boot) == 0;
}

static enum status write_me(struct run_lock *l, struct error *e)
{
    char text[TEXT_BYTES];
    int n;

    l->me.beat++;
    l->me.at_unix_s = l->world.unix_s(l->world.context);
    n = snprintf(text, sizeof(text), "%s\nboot %s space %llu start %llu beat %llu at %lld\n", l->me.line, l->me.boot,
                 l->me.space, l->me.start, l->me.beat, l->me.at_unix_s);
    if (pwrite(l->fd, text, (size_t)n, 0) != n || ftruncate(l->fd, n) != 0)
        return error_set_errno(e, errno, "%s: cannot write", l->path);
    /* So that other machines see it. Where that cannot be done the kernel lock has to do. */
    if (fdatasync(l->fd) != 0)
        errno = 0;
    return STATUS_OK;
}

/* An open file description's lock: it ends with the process, and can be asked for without taking it. */
static bool lock_command(int fd, int command, struct flock *ret_lock)
{
    *ret_lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, command, ret_lock) == 0;
}

static bool is_same_kernel(const struct run_lock *l, const struct holder *h)
{
    return strcmp(h->boot, UNKNOWN) != 0 && strcmp(h->boot, l->me.boot) == 0;
}

enum verdict { VERDICT_STALE, VERDICT_HELD, VERDICT_WATCH };

/* Of a text that is there, where the kernel does not say that the lock is held. */
static enum verdict judge(const struct run_lock *l, const struct holder *h)
{
    int64_t age_s = l->world.unix_s(l->world.context) - h->at_unix_s;

    if (l->kernel_locked && (is_same_kernel(l, h) || h->boot[0] == '\0'))
        return VERDICT_STALE;
    if (is_same_kernel(l, h) && h->space == l->me.space)
        return start_of(h->pid) == h->start ? VERDICT_HELD : VERDICT_STALE;
    if (h->boot[0] != '\0' && age_s > RUN_LOCK_OLD_S)
        return VERDICT_STALE;
    return VERDICT_WATCH;
}

static enum status busy(const struct run_lock *l, const char *holder, struct error *e)
{
    error_set(e, STATUS_BUSY, "%s: another job works on this run: %s", l->path,
              holder[0] ? holder : "a holder that has not said its name");
    return STATUS_BUSY;
}

static enum status watch(const struct run_lock *l, const char first[TEXT_BYTES], const struct holder *h,
                         struct error *e)
{
    log_info("%s: looking for up to %d s whether its holder still lives: %s", l->path, RUN_LOCK_WATCH_S, h->line);
    for (unsigned s = 0; s < RUN_LOCK_WATCH_S; s++) {
        char now[TEXT_BYTES];

        l->world.pause_s(l->world.context, 1);
        if (!read_text(l->path, now) || now[0] == '\0')
            return STATUS_OK; /* it let go */
        if (strcmp(now, first) != 0)
            return busy(l, h->line, e);
    }
    return STATUS_OK;
}

/* Whether what the file says keeps us out. */
static enum status look(const struct run_lock *l, struct error *e)
{
    char text[TEXT_BYTES];
    struct holder h;
    enum status s = STATUS_OK;

    if (!read_text(l->path, text) || text[0] == '\0')
        return STATUS_OK;
    h = parse(text);
    switch (judge(l, &h)) {
    case VERDICT_HELD:
        return busy(l, h.line, e);
    case VERDICT_WATCH:
        s = watch(l, text, &h, e);
        break;
    case VERDICT_STALE:
        break;
    }
    if (s == STATUS_OK)
        log_info("%s: taken over from %s, which is gone", l->path, h.line);
    return s;
}

/* Without a kernel lock two may come at once: the later text stays, and the other sees that. */
static enum status settle(struct run_lock *l, struct error *e)
{
    enum { SETTLE_S = 2 };
    char text[TEXT_BYTES];
    struct holder h;

    if (l->kernel_locked)
        return STATUS_OK;
    l->world.pause_s(l->world.context, SETTLE_S);
    if (!read_text(l->path, text))
        text[0] = '\0';
    h = parse(text);
    return is_me(l, &h) ? STATUS_OK : busy(l, h.line, e);
}

static enum status take(struct run_lock *l, struct error *e)
{
    struct flock unused;
    enum status s;

    l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (l->fd < 0)
        return error_set_errno(e, errno, "%s: cannot open", l->path);
    l->kernel_locked = !l->world.no_kernel_locks && lock_command(l->fd, F_OFD_SETLK, &unused);
    if (!l->kernel_locked && !l->world.no_kernel_locks && (errno == EAGAIN || errno == EACCES)) {
        char text[TEXT_BYTES] = "";

        read_text(l->path, text);
        return busy(l, parse(text).line, e);
    }
    describe_me(&l->me);
    s = look(l, e);
    if (s == STATUS_OK)
        s = write_me(l, e);
    if (s == STATUS_OK)
        s = settle(l, e);
    l->taken = s == STATUS_OK;
    return s;
}

enum status run_lock_take(const char *path, const struct run_lock_world *world, struct run_lock **ret_l,
                          struct error *e)
{
    struct run_lock *l = calloc(1, sizeof(*l));
    enum status s;

    if (!l)
        return error_no_memory(e);
    l->world = world_of(world);
    l->fd = -1;
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->wake, NULL);
    l->path = strdup(path);
    s = l->path ? take(l, e) : error_no_memory(e);
    if (s != STATUS_OK) {
        run_lock_release(&l);
        return s;
    }
    *ret_l = l;
    return STATUS_OK;
}

void run_lock_release(struct run_lock **l)
{
    struct run_lock *x = *l;

    if (!x)
        return;
    if (x->kept) {
        pthread_mutex_lock(&x->mutex);
        x->ending = true;
        pthread_cond_signal(&x->wake);
        pthread_mutex_unlock(&x->mutex);
        pthread_join(x->thread, NULL);
    }
    /* Emptied before the lock goes, so that nobody reads of a holder who left. */
    if (x->taken && !atomic_load(&x->lost) && ftruncate(x->fd, 0) != 0)
        errno = 0;
    if (x->fd >= 0)
        close(x->fd);
    pthread_cond_destroy(&x->wake);
    pthread_mutex_destroy(&x->mutex);
    free(x->path);
    free(x);
    *l = NULL;
}

void run_lock_beat(struct run_lock *l)
{
    char text[TEXT_BYTES];

    if (atomic_load(&l->lost))
        return;
    if (read_text(l->path, text) && text[0] != '\0') {
        struct holder h = parse(text);

        if (!is_me(l, &h)) {
            log_error("%s: lost to %s", l->path, h.line);
            atomic_store(&l->lost, true);
            return;
        }
    }
    /* A disk that is full or read-only stops the run through its journal. */
    write_me(l, NULL);
}

static void *keep(void *context)
{
    struct run_lock *l = context;

    pthread_mutex_lock(&l->mutex);
    while (!l->ending) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += RUN_LOCK_BEAT_S;
        if (pthread_cond_timedwait(&l->wake, &l->mutex, &until) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&l->mutex);
        run_lock_beat(l);
        pthread_mutex_lock(&l->mutex);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

enum status run_lock_keep(struct run_lock *l, struct error *e)
{
    sigset_t all, before;
    int failed;

    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&l->thread, NULL, keep, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return error_set_errno(e, failed, "%s: cannot start the thread that keeps it", l->path);
    l->kept = true;
    return STATUS_OK;
}

bool run_lock_is_lost(const struct run_lock *l)
{
    return atomic_load(&l->lost);
}

bool run_lock_is_held(const char *path, const struct run_lock_world *world, char *ret_holder, size_t room_bytes)
{
    struct run_lock l = {.world = world_of(world)};
    struct flock lock;
    struct holder h;
    char text[TEXT_BYTES];
    bool held, asked;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    asked = !l.world.no_kernel_locks && lock_command(fd, F_OFD_GETLK, &lock);
    close(fd);
    if (!read_text(path, text))
        return false;
    h = parse(text);
    held = asked && lock.l_type != F_UNLCK;
    if (!held && text[0] != '\0') {
        describe_me(&l.me);
        l.kernel_locked = asked;
        switch (judge(&l, &h)) {
        case VERDICT_STALE:
            break;
        case VERDICT_HELD:
            held = true;
            break;
        case VERDICT_WATCH:
            held = l.world.unix_s(l.world.context) - h.at_unix_s <= RUN_LOCK_WATCH_S;
            break;
        }
    }
    if (held && ret_holder)
        snprintf(ret_holder, room_bytes, "%s", h.line[0] ? h.line : "a holder that has not said its name");
    return held;
}
