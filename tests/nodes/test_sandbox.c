#include "nodes/sandbox.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The wait status of a child that enters the sandbox and then does act; act's return value is its exit status. */
static int status_of(int (*act)(void), uint64_t memory_bytes, uint64_t cpu_s)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        struct sandbox_settings settings = {.memory_bytes = memory_bytes, .cpu_s = cpu_s, .keep_fd = 5};

        for (int s = 1; s < 32; s++)
            signal(s, SIG_DFL);
        dup2(STDERR_FILENO, 5);
        if (!(sandbox_enter(&settings) & SANDBOX_SYSCALLS))
            _exit(99);
        _exit(act());
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_neq(status, 99 << 8, "the allow-list could not be loaded");
    return status;
}

/* A sanitized build allows some calls that its reports need, and reserves terabytes of address space. */
static void skip_if_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__)
    cr_skip_test("only the plain build can show this");
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
    cr_skip_test("only the plain build can show this");
#endif
#endif
}

static int do_nothing(void)
{
    return 7;
}

static int open_file(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0 ? 1 : 8;
}

static int make_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static int fork_child(void)
{
    return fork() >= 0;
}

static int run_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return 0;
}

static int kill_parent(void)
{
    return kill(getppid(), SIGKILL) == 0;
}

static int write_elsewhere(void)
{
    char byte = 0;

    return write(STDOUT_FILENO, &byte, 1) == 1;
}

static int grow_memory(void)
{
    void *p = mmap(NULL, 512u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? 3 : 4;
}

static int spin(void)
{
    volatile bool forever = true;

    while (forever)
        continue;
    return 0;
}

static int abort_loudly(void)
{
    abort();
}

Test(sandbox, a_process_that_behaves_lives)
{
    cr_assert_eq(status_of(do_nothing, 64u << 20, 10), 7 << 8);
}

Test(sandbox, breaking_out_is_death)
{
    static const struct {
        int (*act)(void);
        const char *what;
    } cases[] = {{make_socket, "socket"},
                 {fork_child, "fork"},
                 {run_program, "exec"},
                 {kill_parent, "kill"},
                 {write_elsewhere, "write"}};

    skip_if_sanitized();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status = status_of(cases[i].act, 0, 0);

        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "%s: status %x", cases[i].what, (unsigned)status);
    }
}

Test(sandbox, no_file_can_be_opened)
{
    cr_assert_eq(status_of(open_file, 0, 0), 8 << 8);
}

Test(sandbox, memory_beyond_the_limit_is_not_given)
{
    skip_if_sanitized();
    cr_assert_eq(status_of(grow_memory, 64u << 20, 0), 3 << 8);
    cr_assert_eq(status_of(grow_memory, 1u << 30, 0), 4 << 8);
}

Test(sandbox, spinning_past_the_cpu_limit_is_death)
{
    int status = status_of(spin, 0, 1);

    cr_assert(WIFSIGNALED(status), "status %x", (unsigned)status);
}

Test(sandbox, an_abort_is_still_an_abort)
{
    int status = status_of(abort_loudly, 0, 0);

    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %x", (unsigned)status);
}

Test(sandbox, its_description_names_what_is_there_and_what_is_not)
{
    char text[128];

    sandbox_describe(SANDBOX_ALL, text, sizeof(text));
    cr_assert_str_eq(text, "limits, no_new_privs, namespaces, landlock, seccomp");
    sandbox_describe(SANDBOX_LIMITS, text, sizeof(text));
    cr_assert_str_eq(text, "limits, without: no_new_privs, namespaces, landlock, seccomp");
}
