#include "nodes/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

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

static bool set_limits(const struct sandbox_settings *settings)
{
    uint64_t now = address_space_bytes();
    bool all = limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_MEMLOCK, 0);

    if (settings->memory_bytes > 0 && !SANITIZED)
        all = now > 0 && limit(RLIMIT_AS, now + settings->memory_bytes) && all;
    if (settings->cpu_s > 0)
        all = limit(RLIMIT_CPU, settings->cpu_s) && all;
    return all;
}

/* Needs no privilege where user namespaces are allowed; the identity maps stay empty, so this is nobody. */
static bool leave_namespaces(void)
{
    int death_signal = 0;
    pid_t parent = getppid();
    bool left;

    prctl(PR_GET_PDEATHSIG, &death_signal);
    left = unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0;
    /* New credentials may clear the signal that ends this process with its parent. */
    prctl(PR_SET_PDEATHSIG, death_signal);
    /* A parent that died between gave no signal. */
    if (death_signal != 0 && getppid() != parent)
        _exit(0);
    return left;
}

static bool forbid_filesystem(void)
{
    static const uint64_t rights_by_abi[] = {
        0,
        LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
            LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
            LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
            LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
            LANDLOCK_ACCESS_FS_MAKE_SYM,
    };
    struct landlock_ruleset_attr attr = {.handled_access_fs = rights_by_abi[1]};
    int fd, rc;

    if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1)
        return false;
    fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
    if (fd < 0)
        return false;
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
    SCMP_SYS(newfstatat),
    SCMP_SYS(close),
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(getrusage),
    SCMP_SYS(times),
    SCMP_SYS(recvmsg),
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

static bool filter_calls(int keep_fd)
{
    bool ok = true;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

    if (!filter)
        return false;
    for (size_t i = 0; i < sizeof(allowed_calls) / sizeof(allowed_calls[0]); i++)
        ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed_calls[i], 0) == 0;
    ok = ok && allow_on(filter, SCMP_SYS(write), STDERR_FILENO) && allow_on(filter, SCMP_SYS(write), keep_fd) &&
         allow_on(filter, SCMP_SYS(writev), STDERR_FILENO) && allow_on(filter, SCMP_SYS(sendmsg), keep_fd) &&
         allow_on(filter, SCMP_SYS(sendto), keep_fd) && allow_signal_to_self(filter);
    /* libc asks for character-set converters and the like in passing, and goes on without them. */
    ok = ok && (SANITIZED || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(openat), 0) == 0);
    if (SANITIZED) {
        /* The sanitizers' reports and LeakSanitizer's absence (it would ptrace) need these; this is a test build. */
        static const int more[] = {SCMP_SYS(sigaltstack), SCMP_SYS(readlink), SCMP_SYS(openat),
                                   SCMP_SYS(prctl),       SCMP_SYS(getppid),  SCMP_SYS(write),
                                   SCMP_SYS(ioctl),       SCMP_SYS(fcntl),    SCMP_SYS(prlimit64)};

        for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++)
            ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, more[i], 0) == 0;
    }
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
    unsigned layers = 0;

    close_other_descriptors(settings->keep_fd);
    if (leave_namespaces())
        layers |= SANDBOX_NAMESPACES;
    if (set_limits(settings))
        layers |= SANDBOX_LIMITS;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        layers |= SANDBOX_PRIVILEGES;
    if (forbid_filesystem())
        layers |= SANDBOX_LANDLOCK;
    if (filter_calls(settings->keep_fd))
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
