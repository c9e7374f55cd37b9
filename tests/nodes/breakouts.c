#include "tests/nodes/breakouts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Refused, with the step that was. */
static int got(bool worked, int step)
{
    return worked ? 0 : step;
}

static const char *in_folder(const struct breakout_world *w, const char *name, char path[160])
{
    snprintf(path, 160, "%s/%s", w->folder, name);
    return path;
}

static int read_file(const struct breakout_world *w)
{
    char path[160], byte;
    int fd = open(in_folder(w, "old", path), O_RDONLY);

    if (fd < 0)
        return 1;
    return got(read(fd, &byte, 1) == 1, 2);
}

static int read_beside_kept_folder(const struct breakout_world *w)
{
    char byte;
    int fd = openat(w->kept_fd, "old", O_RDONLY);

    if (fd < 0)
        return 1;
    return got(read(fd, &byte, 1) == 1, 2);
}

static int read_proc(const struct breakout_world *w)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)w->neighbour);
    return got(open(path, O_RDONLY) >= 0, 1);
}

static int list_folder(const struct breakout_world *w)
{
    char entries[1024];
    int fd = open(w->folder, O_RDONLY | O_DIRECTORY);

    if (fd < 0)
        return 1;
    return got(syscall(SYS_getdents64, fd, entries, sizeof(entries)) > 0, 2);
}

static int ask_whether_file_is_there(const struct breakout_world *w)
{
    char path[160];
    struct stat st;

    return got(stat(in_folder(w, "old", path), &st) == 0, 1);
}

static int write_file(const struct breakout_world *w)
{
    char path[160];
    int fd = open(in_folder(w, "old", path), O_WRONLY);

    if (fd < 0)
        return 1;
    return got(write(fd, "x", 1) == 1, 2);
}

static int create_file(const struct breakout_world *w)
{
    char path[160];
    int fd = open(in_folder(w, "new", path), O_WRONLY | O_CREAT, 0600);

    if (fd < 0)
        return 1;
    return got(write(fd, "x", 1) == 1, 2);
}

static int truncate_file(const struct breakout_world *w)
{
    char path[160];

    return got(truncate(in_folder(w, "old", path), 100) == 0, 1);
}

static int make_folder(const struct breakout_world *w)
{
    char path[160];

    return got(mkdir(in_folder(w, "made", path), 0700) == 0 && rmdir(path) == 0, 1);
}

static int move_file(const struct breakout_world *w)
{
    char from[160], to[160];

    in_folder(w, "old", from);
    return got(rename(from, in_folder(w, "moved", to)) == 0 && rename(to, from) == 0, 1);
}

static int write_kept_file(const struct breakout_world *w)
{
    return got(write(w->kept_fd, "x", 1) == 1, 1);
}

/* Open before, and none of the lane's business. */
static int write_closed_descriptor(const struct breakout_world *w)
{
    (void)w;
    return got(write(w->agents_fd, "x", 1) == 1, 1);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int connect_tcp(const struct breakout_world *w)
{
    struct sockaddr_in to = loopback(w->tcp_port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        return 1;
    return got(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, 2);
}

static int listen_tcp(const struct breakout_world *w)
{
    struct sockaddr_in here = loopback(0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)w;
    if (fd < 0)
        return 1;
    return got(bind(fd, (struct sockaddr *)&here, sizeof(here)) == 0 && listen(fd, 1) == 0, 2);
}

static int send_udp(const struct breakout_world *w)
{
    struct sockaddr_in to = loopback(w->udp_port);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (fd < 0)
        return 1;
    return got(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1, 2);
}

static int connect_unix(const struct breakout_world *w)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd < 0)
        return 1;
    snprintf(to.sun_path, sizeof(to.sun_path), "%.96s/door", w->folder);
    return got(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, 2);
}

/* The same name behind a zero byte. */
static int connect_abstract(const struct breakout_world *w)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int n;

    if (fd < 0)
        return 1;
    n = snprintf(to.sun_path + 1, sizeof(to.sun_path) - 1, "%.96s", w->folder);
    return got(
        connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) == 0,
        2);
}

static int ask_netlink(const struct breakout_world *w)
{
    (void)w;
    return got(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) >= 0, 1);
}

static int make_socket_pair(const struct breakout_world *w)
{
    int pair[2];

    (void)w;
    return got(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, 1);
}

static int end_child(pid_t pid)
{
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return got(pid > 0, 1);
}

static int fork_child(const struct breakout_world *w)
{
    (void)w;
    return end_child((pid_t)syscall(SYS_fork));
}

static int clone_child(const struct breakout_world *w)
{
    (void)w;
    return end_child((pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}

static int clone3_child(const struct breakout_world *w)
{
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args = {.exit_signal = SIGCHLD};

    (void)w;
    return end_child((pid_t)syscall(SYS_clone3, &args, sizeof(args)));
}

/* A child that shares memory would come back on this stack: it ends at once. */
static int vfork_child(const struct breakout_world *w)
{
    pid_t pid = vfork();

    (void)w;
    if (pid == 0)
        _exit(0);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return got(pid > 0, 1);
}

static int run_program(const struct breakout_world *w)
{
    (void)w;
    execl("/bin/true", "true", (char *)NULL);
    return 1;
}

static int run_kept_program(const struct breakout_world *w)
{
    char *const arguments[] = {(char *)"true", NULL};

    syscall(SYS_execveat, w->kept_fd, "", arguments, arguments + 1, AT_EMPTY_PATH);
    return 1;
}

static int run_program_from_memory(const struct breakout_world *w)
{
    (void)w;
    return got(memfd_create("program", 0) >= 0, 1);
}

static int signal_neighbour(const struct breakout_world *w)
{
    return got(kill(w->neighbour, SIGCONT) == 0, 1);
}

static int trace_neighbour(const struct breakout_world *w)
{
    return got(ptrace(PTRACE_SEIZE, w->neighbour, NULL, NULL) == 0, 1);
}

/* A fork's memory lies where this process's does. */
static int read_neighbours_memory(const struct breakout_world *w)
{
    static char there = 7;
    char here;
    struct iovec local = {.iov_base = &here, .iov_len = 1}, remote = {.iov_base = &there, .iov_len = 1};

    return got(process_vm_readv(w->neighbour, &local, 1, &remote, 1, 0) == 1, 1);
}

static int take_neighbours_descriptor(const struct breakout_world *w)
{
    int pidfd = (int)syscall(SYS_pidfd_open, w->neighbour, 0);

    if (pidfd < 0)
        return 1;
    return got(syscall(SYS_pidfd_getfd, pidfd, STDERR_FILENO, 0) >= 0, 2);
}

/* It returns. */
static const unsigned char code[] = {0xc3};

static int run_new_code(const struct breakout_world *w)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void (*run)(void);

    (void)w;
    if (p == MAP_FAILED)
        return 1;
    memcpy(p, code, sizeof(code));
    memcpy(&run, &p, sizeof(run));
#if defined(__x86_64__)
    run();
#endif
    return 0;
}

static int make_memory_executable(const struct breakout_world *w)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)w;
    if (p == MAP_FAILED)
        return 1;
    return got(mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0, 2);
}

static int take_memory(const struct breakout_world *w)
{
    (void)w;
    return got(mmap(NULL, 512u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED, 1);
}

static int take_heap(const struct breakout_world *w)
{
    (void)w;
    return got(sbrk(512 << 20) != (void *)-1, 1);
}

static int lock_memory(const struct breakout_world *w)
{
    static char page[8192];

    (void)w;
    return got(mlock(page, sizeof(page)) == 0, 1);
}

static int take_descriptors(const struct breakout_world *w)
{
    for (int i = 0; i < 200; i++) {
        if (dup(w->kept_fd) < 0)
            return 1;
    }
    return 0;
}

static int lift_limit(const struct breakout_world *w)
{
    const struct rlimit more = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};

    (void)w;
    return got(setrlimit(RLIMIT_FSIZE, &more) == 0, 1);
}

/* The door of 32-bit programs: 20 is getpid there. */
static int call_by_32_bit_door(const struct breakout_world *w)
{
    long result = -1;

    (void)w;
#if defined(__x86_64__)
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
#endif
    return got(result > 0, 1);
}

static int leave_by_new_namespace(const struct breakout_world *w)
{
    (void)w;
    return got(unshare(CLONE_NEWUSER) == 0, 1);
}

static int set_up_ring(const struct breakout_world *w)
{
    char parameters[256] = {0};

    (void)w;
    return got(syscall(SYS_io_uring_setup, 1, parameters) >= 0, 1);
}

/*                                      nothing, limits, privileges, namespaces, landlock, seccomp, all */
const struct breakout breakouts[] = {
    {"read a file", "oooeeee", read_file, KEPT_NOTHING},
    {"read a file beside a folder that was kept open", "ooooeee", read_beside_kept_folder, KEPT_FOLDER},
    {"read a process's page in /proc", "oooeeee", read_proc, KEPT_NOTHING},
    {"list a folder", "oooeeee", list_folder, KEPT_NOTHING},
    {"ask whether a file is there", "oooeoee", ask_whether_file_is_there, KEPT_NOTHING},
    {"write a file", "oeoeeee", write_file, KEPT_NOTHING},
    {"create a file", "oeoeeee", create_file, KEPT_NOTHING},
    {"truncate a file", "oeoe-kk", truncate_file, KEPT_NOTHING},
    {"make a folder", "oooeekk", make_folder, KEPT_NOTHING},
    {"move a file", "oooeekk", move_file, KEPT_NOTHING},
    {"write to a file that was kept open", "oeoookk", write_kept_file, KEPT_FILE},
    {"write to a descriptor of the agent", "eeeeekk", write_closed_descriptor, KEPT_NOTHING},
    {"connect by TCP", "oooe-kk", connect_tcp, KEPT_NOTHING},
    {"listen by TCP", "oooo-kk", listen_tcp, KEPT_NOTHING},
    {"send by UDP", "oooeokk", send_udp, KEPT_NOTHING},
    {"connect to a socket by path", "oooeokk", connect_unix, KEPT_NOTHING},
    {"connect to an abstract socket", "oooe-kk", connect_abstract, KEPT_NOTHING},
    {"make a netlink socket", "oooookk", ask_netlink, KEPT_NOTHING},
    {"make a pair of sockets", "oooookk", make_socket_pair, KEPT_NOTHING},
    {"fork", "oeoookk", fork_child, KEPT_NOTHING},
    {"vfork", "oeoookk", vfork_child, KEPT_NOTHING},
    {"clone", "oeoookk", clone_child, KEPT_NOTHING},
    {"clone3", "oeoookk", clone3_child, KEPT_NOTHING},
    {"run a program", "oooeekk", run_program, KEPT_NOTHING},
    {"run a program that was kept open", "oooeekk", run_kept_program, KEPT_PROGRAM},
    {"make a file in memory to run", "oooookk", run_program_from_memory, KEPT_NOTHING},
    {"signal a neighbour", "oooo-kk", signal_neighbour, KEPT_NOTHING},
    {"trace a neighbour", "oooeekk", trace_neighbour, KEPT_NOTHING},
    {"read a neighbour's memory", "oooeekk", read_neighbours_memory, KEPT_NOTHING},
    {"take a neighbour's descriptor", "oooeekk", take_neighbours_descriptor, KEPT_NOTHING},
    {"run code that it made", "oooookk", run_new_code, KEPT_NOTHING},
    {"make memory executable", "oooookk", make_memory_executable, KEPT_NOTHING},
    {"take 512 MiB", "oeooooe", take_memory, KEPT_NOTHING},
    {"take 512 MiB of heap", "oeooooe", take_heap, KEPT_NOTHING},
    {"lock memory", "oeoookk", lock_memory, KEPT_NOTHING},
    {"take 200 descriptors", "oeoookk", take_descriptors, KEPT_FILE},
    {"lift a limit", "oeoookk", lift_limit, KEPT_NOTHING},
    {"call by the door of 32-bit programs", "-----kk", call_by_32_bit_door, KEPT_NOTHING},
    {"enter another user namespace", "-----kk", leave_by_new_namespace, KEPT_NOTHING},
    {"set up a ring of calls", "-----kk", set_up_ring, KEPT_NOTHING},
};
const size_t n_breakouts = sizeof(breakouts) / sizeof(breakouts[0]);
