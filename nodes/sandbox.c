#include "nodes/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nodes/passing.h"

/* AddressSanitizer reserves terabytes of address space and makes calls of its own when it reports. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static uint64_t address_space_bytes(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f)
        return 0;
    if (fscanf(f, "%llu", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool limit(int resource, rlim_t value)
{
    struct rlimit r = {.rlim_cur = value, .rlim_max = value};

    return setrlimit(resource, &r) == 0;
}

static bool set_limits(const struct sandbox_settings *settings, uint64_t address_space_now)
{
    /* Beside those that are open, the videos of one job. */
    rlim_t n_descriptors = (rlim_t)settings->keep_fd + 1 + PASSING_MAX_FDS + 1;
    bool all = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_MEMLOCK, 0) &&
               limit(RLIMIT_MSGQUEUE, 0) && limit(RLIMIT_NPROC, 0) && limit(RLIMIT_NOFILE, n_descriptors);

    if (settings->memory_bytes > 0 && !SANITIZED)
        all = address_space_now > 0 && limit(RLIMIT_AS, address_space_now + settings->memory_bytes) && all;
    if (settings->cpu_s > 0)
        all = limit(RLIMIT_CPU, settings->cpu_s) && all;
    return all;
}

/* An empty tree that cannot be written to takes the place of "/". A file system is mounted over a folder that every system
 * has; what is below is out of reach, since the root that would lead around it is given up. */
static bool leave_root(void)
{
    static const char *const folders[] = {"/proc", "/tmp", "/dev"};

    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        if (mount("none", folders[i], "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,nr_inodes=1") ==
            0)
            return chroot(folders[i]) == 0 && chdir("/") == 0;
    }
    return false;
}

/* Needs no privilege where user namespaces are allowed; the identity maps stay empty, so this is nobody. */
static bool leave_namespaces(void)
{
    int death_signal = 0;
    pid_t parent = getppid();
    bool left;

    prctl(PR_GET_PDEATHSIG, &death_signal);
    left = unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0 && leave_root();
    /* New credentials may clear the signal that ends this process with its parent. */
    prctl(PR_SET_PDEATHSIG, death_signal);
    /* A parent that died between gave no signal. */
    if (death_signal != 0 && getppid() != parent)
        _exit(0);
    return left;
}

static bool drop_privileges(void)
{
    const struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_capset, &header, none) == 0 &&
           (SANITIZED || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
}

/* Debian 12's <linux/landlock.h> knows the interface's second version, a kernel perhaps a later one. The names are those of
 * Linux 6.12. */
struct landlock_rules {
    uint64_t handled_access_fs, handled_access_net, scoped;
};
enum {
    FS_FIRST = (1 << 13) - 1, /* EXECUTE to MAKE_SYM */
    FS_REFER = 1 << 13,
    FS_TRUNCATE = 1 << 14,
    FS_IOCTL_DEV = 1 << 15,
    NET_BIND_TCP = 1 << 0,
    NET_CONNECT_TCP = 1 << 1,
    SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0,
    SCOPE_SIGNAL = 1 << 1,
};

static bool forbid_filesystem(void)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct landlock_rules rules = {.handled_access_fs = FS_FIRST};
    size_t len = sizeof(rules.handled_access_fs);
    int fd, rc;

    if (version < 1)
        return false;
    if (version >= 2)
        rules.handled_access_fs |= FS_REFER;
    if (version >= 3)
        rules.handled_access_fs |= FS_TRUNCATE;
    if (version >= 4) {
        rules.handled_access_net = NET_BIND_TCP | NET_CONNECT_TCP;
        len = offsetof(struct landlock_rules, scoped);
    }
    if (version >= 5)
        rules.handled_access_fs |= FS_IOCTL_DEV;
    if (version >= 6) {
        rules.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
        len = sizeof(rules);
    }
    fd = (int)syscall(SYS_landlock_create_ruleset, &rules, len, 0);
    if (fd < 0)
        return false;
    /* Alone it asks for this; no_new_privs cannot be had too often. */
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    rc = (int)syscall(SYS_landlock_restrict_self, fd, 0);
    close(fd);
    return rc == 0;
}

/* What decoding and networks call, seen under strace, and what the C library needs to abort with a message. */
static const int allowed_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(pread64),
    SCMP_SYS(readv),
    SCMP_SYS(lseek),
    SCMP_SYS(fstat),
    SCMP_SYS(close),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(sched_yield),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getrandom),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(mbind), /* OpenBLAS, when it takes a buffer */
};

/* The call is allowed when its first argument is value. */
static bool allow_first(scmp_filter_ctx filter, int call, uint32_t value)
{
    const struct scmp_arg_cmp equal = {.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX, .datum_b = value};

    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &equal) == 0;
}

static bool allow_on(scmp_filter_ctx filter, int call, int fd)
{
    return allow_first(filter, call, (uint32_t)fd);
}

static bool allow_signal_to_self(scmp_filter_ctx filter)
{
    /* abort(): tgkill(getpid(), gettid(), SIGABRT). */
    return allow_first(filter, SCMP_SYS(tgkill), (uint32_t)getpid());
}

/* Its third argument is a protection: memory is never executable, so what a video holds is never run as it is. Networks are
 * prepared before, face search keeps to kernels that generate no code. */
static bool allow_data(scmp_filter_ctx filter, int call)
{
    const struct scmp_arg_cmp data = {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};

    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &data) == 0;
}

/* libc asks for character-set converters, for what a file is and the like in passing, and goes on without. */
static bool refuse(scmp_filter_ctx filter, int call)
{
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), call, 0) == 0;
}

static bool allow_for_sanitizers(scmp_filter_ctx filter)
{
    /* Their reports and LeakSanitizer's absence (it would ptrace) need these; this is a test build. */
    static const int more[] = {SCMP_SYS(sigaltstack), SCMP_SYS(readlink),  SCMP_SYS(openat), SCMP_SYS(prctl),
                               SCMP_SYS(getppid),     SCMP_SYS(write),     SCMP_SYS(ioctl),  SCMP_SYS(fcntl),
                               SCMP_SYS(prlimit64),   SCMP_SYS(newfstatat)};
    bool ok = true;

    for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
        ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, more[i], 0) == 0;
    return ok;
}

static bool filter_calls(int keep_fd)
{
    bool ok;
    /* A sanitizer's report tries many calls, and is worth more than the death of what it reports on. */
    scmp_filter_ctx filter = seccomp_init(SANITIZED ? SCMP_ACT_ERRNO(EACCES) : SCMP_ACT_KILL_PROCESS);

    if (!filter)
        return false;
    /* Calls by the doors of 32-bit programs. */
    ok = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0;
    for (size_t i = 0; i < sizeof(allowed_calls) / sizeof(allowed_calls[0]); i++)
        ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0) == 0;
    ok = ok && allow_data(filter, SCMP_SYS(mmap)) && allow_data(filter, SCMP_SYS(mprotect)) &&
         allow_on(filter, SCMP_SYS(write), STDERR_FILENO) && allow_on(filter, SCMP_SYS(writev), STDERR_FILENO) &&
         allow_on(filter, SCMP_SYS(sendmsg), keep_fd) && allow_on(filter, SCMP_SYS(recvmsg), keep_fd) &&
         allow_signal_to_self(filter);
    if (SANITIZED)
        ok = ok && allow_for_sanitizers(filter);
    else
        ok = ok && refuse(filter, SCMP_SYS(openat)) && refuse(filter, SCMP_SYS(newfstatat));
    ok = ok && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

static void close_other_descriptors(int keep_fd)
{
    if (keep_fd > STDERR_FILENO + 1)
        close_range(STDERR_FILENO + 1, (unsigned)keep_fd - 1, 0);
    close_range((unsigned)keep_fd + 1, ~0u, 0);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
}

unsigned sandbox_enter(const struct sandbox_settings *settings)
{
    uint64_t address_space_now = address_space_bytes(); /* while there is a /proc */
    unsigned wanted = SANDBOX_ALL & ~settings->leave_out, layers = 0;

    close_other_descriptors(settings->keep_fd);
    if ((wanted & SANDBOX_NAMESPACES) && leave_namespaces())
        layers |= SANDBOX_NAMESPACES;
    if ((wanted & SANDBOX_LIMITS) && set_limits(settings, address_space_now))
        layers |= SANDBOX_LIMITS;
    if ((wanted & SANDBOX_PRIVILEGES) && drop_privileges())
        layers |= SANDBOX_PRIVILEGES;
    if ((wanted & SANDBOX_LANDLOCK) && forbid_filesystem())
        layers |= SANDBOX_LANDLOCK;
    if ((wanted & SANDBOX_SYSCALLS) && filter_calls(settings->keep_fd))
        layers |= SANDBOX_SYSCALLS;
    return layers;
}

void sandbox_describe(unsigned layers, char *ret_text, size_t room_bytes)
{
    static const char *const names[] = {"limits", "no_new_privs", "namespaces", "landlock", "seccomp"};
    const char *const starts[] = {layers ? ", without: " : "none, without: ", ""};
    size_t used = 0;

    ret_text[0] = '\0';
    for (int present = 1; present >= 0; present--) {
        const char *separator = starts[present];

        for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
            if (((layers >> i) & 1) != (unsigned)present || used >= room_bytes)
                continue;
            used += (size_t)snprintf(ret_text + used, room_bytes - used, "%s%s", separator, names[i]);
            separator = ", ";
        }
    }
}
