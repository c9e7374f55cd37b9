/* steady: what a lane that has warmed up asks of the allocator and of the system while it goes through a clip's frames.
 *
 *     steady CARD CLIP
 *
 * A child scores the clip twice with one scorer. Between the second run's first and last decoded frame every allocation counts
 * for whoever called the allocator (fakesift, or a library), and the parent, which traces the child, counts its system calls.
 * Fails if fakesift's own code allocated anything, or if there was a system call but reads. What libav does with its packets and
 * references is printed, a frame. Exit status 77: this system lets nobody trace. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/detector.h"
#include "nodes/decoder.h"
#include "nodes/score.h"

enum { MAX_CALLERS = 4096, MAX_CALLS = 1024, SKIPPED = 77 };

/* Shared by both processes. */
static struct shared {
    volatile bool counts; /* frames are on their way */
    unsigned n_frames, run;
    unsigned n_callers;
    struct {
        void *address;
        unsigned long n, bytes;
    } callers[MAX_CALLERS];
} * shared;

/* The allocator, for every library of the process: the linker finds these before libc's. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

static void note(void *caller, size_t bytes)
{
    unsigned i = 0;

    if (!shared || !shared->counts)
        return;
    while (i < shared->n_callers && shared->callers[i].address != caller)
        i++;
    if (i == MAX_CALLERS)
        return;
    shared->callers[i].address = caller;
    shared->callers[i].n++;
    shared->callers[i].bytes += bytes;
    if (i == shared->n_callers)
        shared->n_callers++;
}

void *malloc(size_t n)
{
    note(__builtin_return_address(0), n);
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    note(__builtin_return_address(0), n * size);
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    note(__builtin_return_address(0), n);
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    note(__builtin_return_address(0), n);
    return __libc_memalign(alignment, n);
}

void *memalign(size_t alignment, size_t n)
{
    note(__builtin_return_address(0), n);
    return __libc_memalign(alignment, n);
}

int posix_memalign(void **ret_p, size_t alignment, size_t n)
{
    void *p;

    note(__builtin_return_address(0), n);
    p = __libc_memalign(alignment, n);
    if (!p)
        return ENOMEM;
    *ret_p = p;
    return 0;
}

/* A frame is steady from when the second one was decoded until the next was: so a run's first and last stand outside. */
enum status __real_decoder_frame_at(struct decoder *d, int64_t wanted_us, struct decoder_frame *f, struct error *e);
enum status __wrap_decoder_frame_at(struct decoder *d, int64_t wanted_us, struct decoder_frame *f, struct error *e);
enum status __wrap_decoder_frame_at(struct decoder *d, int64_t wanted_us, struct decoder_frame *f, struct error *e)
{
    static unsigned n_now, n_before;
    enum status s = __real_decoder_frame_at(d, wanted_us, f, e);

    if (shared->run == 0) {
        n_before++;
        return s;
    }
    n_now++;
    shared->counts = n_now >= 2 && n_now < n_before;
    shared->n_frames += shared->counts;
    return s;
}

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "steady: %s\n", what);
    _exit(1);
}

static _Noreturn void run_child(const char *card, const char *clip)
{
    const struct scorer_part whole = {.count = 1};
    struct detector *detector = NULL;
    struct scorer *scorer = NULL;
    struct result r;
    struct error e;
    int fd = open(clip, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        die(clip);
    if (detector_open(card, &detector, &e) != STATUS_OK)
        die(e.text);
    decoder_prepare();
    if (scorer_open(detector, &scorer, &e) != STATUS_OK)
        die(e.text);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(SKIPPED);
    raise(SIGSTOP);
    for (shared->run = 0; shared->run < 2; shared->run++) {
        if (scorer_run(scorer, fd, &whole, NULL, &r, &e) != STATUS_OK)
            die(e.text);
        if (r.outcome != OUTCOME_SCORED)
            die(r.message);
        result_clear(&r);
    }
    shared->counts = false;
    scorer_close(&scorer);
    detector_close(&detector);
    /* The addresses mean something in this process alone. */
    for (unsigned i = 0; i < shared->n_callers; i++) {
        Dl_info where = {0};
        const char *name = dladdr(shared->callers[i].address, &where) && where.dli_fname ? where.dli_fname : "?";
        const char *slash = strrchr(name, '/');

        printf("%s %lu %lu %s\n", slash ? slash + 1 : name, shared->callers[i].n, shared->callers[i].bytes,
               where.dli_sname ? where.dli_sname : "?");
    }
    fflush(stdout);
    _exit(0);
}

static bool is_read(unsigned long call)
{
    return call == SYS_read || call == SYS_pread64 || call == SYS_lseek;
}

/* Counts the child's system calls while frames are on their way; its exit status. */
static int trace(pid_t child, unsigned long counts[MAX_CALLS])
{
    bool inside = false;
    int status;

    while (waitpid(child, &status, 0) == child) {
        struct user_regs_struct regs;
        int signal_to_give = 0;

        if (WIFEXITED(status))
            return WEXITSTATUS(status);
        if (WIFSIGNALED(status))
            return 1;
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            inside = !inside;
            if (inside && shared->counts && ptrace(PTRACE_GETREGS, child, NULL, &regs) == 0 &&
                regs.orig_rax < MAX_CALLS)
                counts[regs.orig_rax]++;
        } else if (WSTOPSIG(status) == SIGSTOP) {
            ptrace(PTRACE_SETOPTIONS, child, NULL, (void *)PTRACE_O_TRACESYSGOOD);
        } else {
            signal_to_give = WSTOPSIG(status);
        }
        if (ptrace(PTRACE_SYSCALL, child, NULL, (void *)(intptr_t)signal_to_give) != 0)
            return SKIPPED;
    }
    return 1;
}

struct library {
    char name[64];
    unsigned long n, bytes;
};

int main(int argc, char **argv)
{
    static unsigned long counts[MAX_CALLS];
    static struct library libraries[64];
    unsigned long n_reads = 0, n_own = 0, n_calls = 0;
    unsigned n_libraries = 0;
    char line[512];
    int ends[2], code;
    FILE *in;
    pid_t child;

    if (argc != 3)
        die("usage: steady CARD CLIP");
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || pipe(ends) != 0)
        die("no memory or pipe");
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        run_child(argv[1], argv[2]);
    }
    close(ends[1]);
    code = trace(child, counts);
    if (code == SKIPPED)
        fprintf(stderr, "steady: skipped: no process may be traced here\n");
    if (code != 0)
        return code;
    in = fdopen(ends[0], "r");
    while (in && fgets(line, sizeof(line), in)) {
        char name[64], function[256];
        unsigned long n, bytes;
        unsigned i = 0;

        if (sscanf(line, "%63s %lu %lu %255s", name, &n, &bytes, function) != 4)
            continue;
        if (strcmp(name, program_invocation_short_name) == 0) {
            fprintf(stderr, "steady: fakesift allocates %lu times, %lu bytes, in %s\n", n, bytes, function);
            n_own += n;
        }
        while (i < n_libraries && strcmp(libraries[i].name, name) != 0)
            i++;
        if (i == sizeof(libraries) / sizeof(*libraries))
            continue;
        snprintf(libraries[i].name, sizeof(libraries[i].name), "%s", name);
        libraries[i].n += n;
        libraries[i].bytes += bytes;
        n_libraries += i == n_libraries;
    }
    if (shared->n_frames == 0)
        die("no frame was steady: the clip is too short");
    printf("%u frames; a frame:\n", shared->n_frames);
    for (unsigned i = 0; i < n_libraries; i++)
        printf("  %-32s %6.2f allocations, %8.0f bytes\n", libraries[i].name, (double)libraries[i].n / shared->n_frames,
               (double)libraries[i].bytes / shared->n_frames);
    for (unsigned i = 0; i < MAX_CALLS; i++) {
        if (counts[i] == 0)
            continue;
        printf("  system call %-20u %6.2f\n", i, (double)counts[i] / shared->n_frames);
        *(is_read(i) ? &n_reads : &n_calls) += counts[i];
    }
    printf("fakesift's own allocations: %lu; system calls besides %lu reads: %lu\n", n_own, n_reads, n_calls);
    return n_own == 0 && n_calls == 0 ? 0 : 1;
}
