/* A program like fakesift whose lanes are at fault: where a video begins with "FAULT NAME", the lane that reads it does what
 * a broken or conquered lane may do, inside its real sandbox, instead of scoring. Everything else is the program's own; the
 * linker puts these three functions in the place of nodes/'s (--wrap). For tests/process/faulty_lanes.sh alone.
 *
 * FAULTY_WITHOUT=NAME,... in the environment leaves out layers of the sandbox, as an old kernel does. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "nodes/lane.h"
#include "nodes/passing.h"
#include "nodes/sandbox.h"
#include "nodes/score.h"
#include "shard/segment.h"
#include "shard/wire.h"
#include "tests/nodes/breakouts.h"

int __real_lane_main(const struct lane_settings *settings);
int __wrap_lane_main(const struct lane_settings *settings);
unsigned __real_sandbox_enter(const struct sandbox_settings *settings);
unsigned __wrap_sandbox_enter(const struct sandbox_settings *settings);
enum status __real_scorer_run(struct scorer *s, int fd, const struct scorer_part *part, struct lane_notes *notes,
                              struct result *ret_result, struct error *e);
enum status __wrap_scorer_run(struct scorer *s, int fd, const struct scorer_part *part, struct lane_notes *notes,
                              struct result *ret_result, struct error *e);

/* Of the only lane in this process, and its zygote. */
static struct lane_settings lane;
static pid_t zygote;

int __wrap_lane_main(const struct lane_settings *settings)
{
    lane = *settings;
    zygote = getppid();
    return __real_lane_main(settings);
}

unsigned __wrap_sandbox_enter(const struct sandbox_settings *settings)
{
    static const char *const names[] = {"limits", "no_new_privs", "namespaces", "landlock", "seccomp"};
    struct sandbox_settings less = *settings;
    const char *without = getenv("FAULTY_WITHOUT");

    for (unsigned i = 0; without && i < sizeof(names) / sizeof(names[0]); i++)
        less.leave_out |= strstr(without, names[i]) ? 1u << i : 0;
    return __real_sandbox_enter(&less);
}

static void wait_for_ever(void)
{
    const struct timespec day = {.tv_sec = 86400};

    for (;;)
        nanosleep(&day, NULL);
}

static void say(const void *data, size_t len)
{
    passing_send(lane.socket_fd, data, len, NULL, 0);
}

static void say_and_wait(const void *data, size_t len)
{
    say(data, len);
    wait_for_ever();
}

static void die_of_null(void)
{
    volatile int *volatile nowhere = NULL;

    *nowhere = 1;
}

static void spin(void)
{
    for (volatile bool forever = true; forever;)
        continue;
}

static void leave(void)
{
    _exit(0);
}

static void leave_with_9(void)
{
    _exit(9);
}

static void close_and_wait(void)
{
    close(lane.socket_fd);
    wait_for_ever();
}

static void close_and_leave(void)
{
    close(lane.socket_fd);
    _exit(0);
}

static void say_nothing_at_length_0(void)
{
    say_and_wait("", 0);
}

static void say_garbage(void)
{
    char garbage[100];

    memset(garbage, 0x5a, sizeof(garbage));
    say_and_wait(garbage, sizeof(garbage));
}

static void say_too_much(void)
{
    static char much[WIRE_MAX_BYTES + 100];

    say_and_wait(much, sizeof(much));
}

static void greet_again(void)
{
    const struct lane_greeting greeting = {.magic = LANE_GREETING_MAGIC};

    say_and_wait(&greeting, sizeof(greeting));
}

/* Field 1, of 2^32 - 1 bytes. */
static void claim_4_gib(void)
{
    say_and_wait("\x0a\xff\xff\xff\xff\x0f", 6);
}

static void attach_descriptors(void)
{
    int fds[PASSING_MAX_FDS];

    for (size_t i = 0; i < PASSING_MAX_FDS; i++)
        fds[i] = lane.socket_fd;
    passing_send(lane.socket_fd, "x", 1, fds, PASSING_MAX_FDS);
    wait_for_ever();
}

static uint8_t *pack(uint64_t serial, struct segment *segment, size_t *ret_len)
{
    struct result r = {.path = (char *)"-", .outcome = OUTCOME_SCORED, .p_fake = 0.25, .size_bytes = serial};
    uint8_t *packed = NULL;

    r.segment = segment;
    if (result_pack(&r, &packed, ret_len) != STATUS_OK)
        _exit(78);
    return packed;
}

/* A score that cannot be, in the place of 0.25. */
static void answer_with_score(double p)
{
    const double good = 0.25;
    size_t len;
    uint8_t *packed = pack(0, NULL, &len);
    uint8_t *at = memmem(packed, len, &good, sizeof(good));

    if (!at)
        _exit(78);
    memcpy(at, &p, sizeof(p));
    say_and_wait(packed, len);
}

static void answer_2(void)
{
    answer_with_score(2.0);
}

static void answer_nan(void)
{
    answer_with_score(NAN);
}

static void answer_for_another_video(void)
{
    size_t len;
    uint8_t *packed = pack(UINT64_MAX / 2, NULL, &len);

    say_and_wait(packed, len);
}

static void answer_in_part(void)
{
    size_t len;
    uint8_t *packed = pack(0, NULL, &len);

    say_and_wait(packed, len / 2);
}

static void answer_a_thousand_times(void)
{
    size_t len;
    uint8_t *packed = pack(UINT64_MAX / 2, NULL, &len);

    for (int i = 0; i < 1000; i++)
        say(packed, len);
    wait_for_ever();
}

static void fill_stderr(void)
{
    static char lines[1 << 16];

    for (size_t i = 0; i < sizeof(lines); i++)
        lines[i] = i % 64 == 63 ? '\n' : i % 64 == 0 ? '\x1b' : 'z';
    for (int i = 0; i < 160; i++) {
        if (write(STDERR_FILENO, lines, sizeof(lines)) < 0 && errno != EAGAIN)
            _exit(79);
    }
}

static void fill_notes(void)
{
    memset(lane.notes, 'N', sizeof(*lane.notes));
    abort();
}

static void escape_in_notes(void)
{
    snprintf(lane.notes->message, sizeof(lane.notes->message), "\x1b[31m\n<script>alert(1)</script>");
    abort();
}

static void write_beyond_notes(void)
{
    char *more = mremap(lane.notes, sizeof(*lane.notes), 8192, MREMAP_MAYMOVE);

    if (more == MAP_FAILED)
        _exit(0);
    memset(more, 'N', 8192);
}

static void take_all_memory(void)
{
    for (;;) {
        char *volatile p = malloc(4 << 20); /* or a compiler sees that nobody reads it */

        if (!p)
            _exit(5);
        memset(p, 1, 4 << 20);
    }
}

static const struct {
    const char *name;
    void (*act)(void);
} faults[] = {
    {"null", die_of_null},
    {"abort", abort},
    {"spin", spin},
    {"silence", wait_for_ever},
    {"leave", leave},
    {"leave9", leave_with_9},
    {"close", close_and_wait},
    {"close_leave", close_and_leave},
    {"length0", say_nothing_at_length_0},
    {"garbage", say_garbage},
    {"too_much", say_too_much},
    {"greet", greet_again},
    {"claim", claim_4_gib},
    {"descriptors", attach_descriptors},
    {"score2", answer_2},
    {"score_nan", answer_nan},
    {"other_video", answer_for_another_video},
    {"half_answer", answer_in_part},
    {"flood", answer_a_thousand_times},
    {"stderr", fill_stderr},
    {"notes", fill_notes},
    {"notes_escape", escape_in_notes},
    {"beyond_notes", write_beyond_notes},
    {"memory", take_all_memory},
};

/* "FAULT breakout NUMBER FOLDER". What works is death with a status of its own; what is refused goes on. */
static void break_out(int fd, const char *where)
{
    struct breakout_world world = {.neighbour = zygote, .kept_fd = fd, .agents_fd = STDOUT_FILENO};
    unsigned number;

    if (sscanf(where, "%3u %100s", &number, world.folder) != 2 || number >= n_breakouts)
        _exit(78);
    if (breakouts[number].act(&world) == 0)
        _exit(77);
}

/* Half of a video, where the whole was asked for. */
static enum status answer_for_another_part(struct result *ret_result)
{
    *ret_result =
        (struct result){.outcome = OUTCOME_NO_FACE, .p_fake = NAN, .segment = calloc(1, sizeof(struct segment))};
    if (!ret_result->segment)
        return STATUS_NO_MEMORY;
    *ret_result->segment = (struct segment){.index = 1, .count = 2, .state = SEGMENT_FAILED};
    return STATUS_OK;
}

enum status __wrap_scorer_run(struct scorer *s, int fd, const struct scorer_part *part, struct lane_notes *notes,
                              struct result *ret_result, struct error *e)
{
    char order[256] = "", name[32];

    if (pread(fd, order, sizeof(order) - 1, 0) > 6 && sscanf(order, "FAULT %31s", name) == 1) {
        if (strcmp(name, "other_part") == 0)
            return answer_for_another_part(ret_result);
        if (strcmp(name, "breakout") == 0)
            break_out(fd, strstr(order, "breakout") + strlen("breakout"));
        for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
            if (strcmp(faults[i].name, name) == 0)
                faults[i].act();
        }
    }
    return __real_scorer_run(s, fd, part, notes, ret_result, e);
}
