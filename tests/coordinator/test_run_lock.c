#include "coordinator/run_lock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shard/file.h"

/* A world with a clock of its own, in which something may happen while the one who takes the lock waits. */
struct stage {
    char folder[64], path[96];
    int64_t unix_s;
    unsigned n_paused_s;
    void (*meanwhile)(unsigned n_paused_s);
    struct run_lock_world world;
};

static struct stage stage;

static int64_t stage_unix_s(void *context)
{
    (void)context;
    return stage.unix_s;
}

static void stage_pause_s(void *context, unsigned seconds)
{
    (void)context;
    for (unsigned i = 0; i < seconds; i++) {
        stage.unix_s++;
        stage.n_paused_s++;
        if (stage.meanwhile)
            stage.meanwhile(stage.n_paused_s);
    }
}

static void set_up(void)
{
    snprintf(stage.folder, sizeof(stage.folder), "/tmp/fakesift-lock-XXXXXX");
    cr_assert_not_null(mkdtemp(stage.folder));
    snprintf(stage.path, sizeof(stage.path), "%s/lock", stage.folder);
    stage.unix_s = 1000000;
    stage.world = (struct run_lock_world){.unix_s = stage_unix_s, .pause_s = stage_pause_s};
}

static void tear_down(void)
{
    unlink(stage.path);
    rmdir(stage.folder);
}

TestSuite(run_lock, .init = set_up, .fini = tear_down);

static void write_lock(const char *text)
{
    FILE *f = fopen(stage.path, "w"); /* in place, as its holder would */

    cr_assert(f);
    fputs(text, f);
    fclose(f);
}

/* The text of a job on another machine. */
static void write_foreign(unsigned beat, int64_t at_unix_s)
{
    char text[256];

    snprintf(text, sizeof(text), "host n7, pid 4711, Slurm job 42\nboot other-kernel space 1 start 2 beat %u at %lld\n",
             beat, (long long)at_unix_s);
    write_lock(text);
}

static enum status take(struct run_lock **ret_l, struct error *e)
{
    return run_lock_take(stage.path, &stage.world, ret_l, e);
}

static void read_lock(char text[512])
{
    char *data;
    size_t len;
    struct error e;

    cr_assert_eq(file_read(stage.path, 511, &data, &len, &e), STATUS_OK);
    memcpy(text, data, len + 1);
    free(data);
}

Test(run_lock, it_says_who_holds_it_and_is_empty_after)
{
    struct run_lock *l = NULL;
    struct error e;
    char text[512], want[32], holder[256];

    setenv("SLURM_JOB_ID", "99", 1);
    cr_assert_eq(take(&l, &e), STATUS_OK, "%s", e.text);
    read_lock(text);
    snprintf(want, sizeof(want), "pid %ld, Slurm job 99\n", (long)getpid());
    cr_assert(strstr(text, "host ") == text && strstr(text, want), "%s", text);
    cr_assert(run_lock_is_held(stage.path, &stage.world, holder, sizeof(holder)));
    cr_assert(strstr(holder, "Slurm job 99"), "%s", holder);
    run_lock_release(&l);
    read_lock(text);
    cr_assert_str_eq(text, "");
    cr_assert_not(run_lock_is_held(stage.path, &stage.world, NULL, 0));
}

/* Runs f in a child that holds the lock until the end, or until its death. */
static void a_child_holds(bool dies, void (*f)(void))
{
    int ready[2], end[2], status;
    char byte = 0;
    pid_t pid;

    cr_assert(pipe(ready) == 0 && pipe(end) == 0);
    pid = fork();
    if (pid == 0) {
        struct run_lock *l = NULL;
        struct error e;

        close(end[1]);
        if (take(&l, &e) != STATUS_OK || write(ready[1], &byte, 1) != 1)
            _exit(1);
        while (read(end[0], &byte, 1) < 0)
            ;
        _exit(0);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    if (dies) {
        close(end[1]);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
    }
    f();
    if (!dies) {
        close(end[1]);
        cr_assert_eq(waitpid(pid, &status, 0), pid);
    }
    cr_assert_eq(status, 0);
}

static void is_refused(void)
{
    struct run_lock *l = NULL;
    struct error e;

    cr_assert_eq(take(&l, &e), STATUS_BUSY);
    cr_assert(strstr(e.text, "another job works on this run: host ") && strstr(e.text, ", pid "), "%s", e.text);
    cr_assert(run_lock_is_held(stage.path, &stage.world, NULL, 0));
}

static void is_taken_at_once(void)
{
    struct run_lock *l = NULL;
    struct error e;

    cr_assert_not(run_lock_is_held(stage.path, &stage.world, NULL, 0));
    cr_assert_eq(take(&l, &e), STATUS_OK, "%s", e.text);
    cr_assert_leq(stage.n_paused_s, 2, "nothing was watched");
    run_lock_release(&l);
}

Test(run_lock, a_living_holder_on_this_machine_refuses_others)
{
    a_child_holds(false, is_refused);
}

Test(run_lock, a_dead_holder_on_this_machine_is_taken_over_at_once)
{
    a_child_holds(true, is_taken_at_once);
}

Test(run_lock, without_kernel_locks_the_process_id_tells_who_lives)
{
    stage.world.no_kernel_locks = true;
    a_child_holds(false, is_refused);
}

Test(run_lock, without_kernel_locks_a_process_id_that_is_gone_is_taken_over_at_once)
{
    stage.world.no_kernel_locks = true;
    a_child_holds(true, is_taken_at_once);
}

Test(run_lock, without_kernel_locks_a_process_id_that_was_given_again_is_no_holder)
{
    char text[512], *start;
    struct run_lock *l = NULL;
    struct error e;

    stage.world.no_kernel_locks = true;
    cr_assert_eq(take(&l, &e), STATUS_OK);
    read_lock(text);
    run_lock_release(&l);
    start = strstr(text, "start ");
    cr_assert(start);
    start[6] = start[6] == '9' ? '8' : '9';
    write_lock(text);
    stage.n_paused_s = 0;
    is_taken_at_once();
}

static void other_machine_beats(unsigned n_paused_s)
{
    if (n_paused_s == RUN_LOCK_BEAT_S)
        write_foreign(18, stage.unix_s);
}

Test(run_lock, a_heartbeat_on_another_machine_refuses_whatever_its_clock_says)
{
    static const int64_t skews[] = {0, -300, 300, 100000};

    for (size_t i = 0; i < sizeof(skews) / sizeof(skews[0]); i++) {
        struct run_lock *l = NULL;
        struct error e;

        stage.n_paused_s = 0;
        stage.meanwhile = other_machine_beats;
        write_foreign(17, stage.unix_s + skews[i]);
        cr_assert_eq(take(&l, &e), STATUS_BUSY, "skew %lld", (long long)skews[i]);
        cr_assert(strstr(e.text, "host n7, pid 4711, Slurm job 42"), "%s", e.text);
        cr_assert_leq(stage.n_paused_s, RUN_LOCK_BEAT_S);
    }
}

Test(run_lock, a_heart_on_another_machine_that_stands_still_is_taken_over)
{
    struct run_lock *l = NULL;
    struct error e;

    write_foreign(17, stage.unix_s);
    cr_assert(run_lock_is_held(stage.path, &stage.world, NULL, 0), "as far as one look tells");
    cr_assert_eq(take(&l, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(stage.n_paused_s, RUN_LOCK_WATCH_S);
    run_lock_release(&l);
}

Test(run_lock, an_old_heartbeat_is_taken_over_at_once)
{
    struct run_lock *l = NULL;
    struct error e;

    write_foreign(17, stage.unix_s - RUN_LOCK_OLD_S - 1);
    cr_assert_not(run_lock_is_held(stage.path, &stage.world, NULL, 0));
    cr_assert_eq(take(&l, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(stage.n_paused_s, 0);
    run_lock_release(&l);
}

static void other_machine_leaves(unsigned n_paused_s)
{
    if (n_paused_s == 3)
        write_lock("");
}

Test(run_lock, a_holder_on_another_machine_that_lets_go_is_followed)
{
    struct run_lock *l = NULL;
    struct error e;

    stage.meanwhile = other_machine_leaves;
    write_foreign(17, stage.unix_s);
    cr_assert_eq(take(&l, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(stage.n_paused_s, 3);
    run_lock_release(&l);
}

Test(run_lock, a_beat_moves_the_text_and_finds_out_that_the_run_was_taken_over)
{
    struct run_lock *l = NULL;
    struct error e;
    char first[512], second[512];

    cr_assert_eq(take(&l, &e), STATUS_OK, "%s", e.text);
    read_lock(first);
    stage.unix_s += RUN_LOCK_BEAT_S;
    run_lock_beat(l);
    read_lock(second);
    cr_assert_str_neq(first, second);
    cr_assert_not(run_lock_is_lost(l));
    write_foreign(1, stage.unix_s);
    run_lock_beat(l);
    cr_assert(run_lock_is_lost(l));
    read_lock(first);
    run_lock_beat(l);
    run_lock_release(&l);
    read_lock(second);
    cr_assert_str_eq(first, second, "the other's text is left alone");
}

static void another_comes_too(unsigned n_paused_s)
{
    if (n_paused_s == 1)
        write_foreign(1, stage.unix_s);
}

Test(run_lock, of_two_that_come_at_once_without_kernel_locks_one_stays)
{
    struct run_lock *l = NULL;
    struct error e;

    stage.world.no_kernel_locks = true;
    stage.meanwhile = another_comes_too;
    cr_assert_eq(take(&l, &e), STATUS_BUSY);
    cr_assert(strstr(e.text, "host n7"), "%s", e.text);
}

Test(run_lock, what_is_no_lock_text_keeps_nobody_out_for_ever)
{
    static const char *const odd[] = {"\n",
                                      "host",
                                      "host a, pid",
                                      "host a, pid 1\n",
                                      "host a, pid 1\nboot x space",
                                      "\xff\xfe\n\n\n",
                                      "host a, pid 99999999999999999999\nboot  space 1"};

    for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        struct run_lock *l = NULL;
        struct error e;

        stage.world.no_kernel_locks = i % 2 == 1;
        write_lock(odd[i]);
        cr_assert_eq(take(&l, &e), STATUS_OK, "case %zu: %s", i, e.text);
        run_lock_release(&l);
    }
}

Test(run_lock, the_keeper_ends_with_the_lock)
{
    struct run_lock *l = NULL;
    struct error e;

    cr_assert_eq(take(&l, &e), STATUS_OK);
    cr_assert_eq(run_lock_keep(l, &e), STATUS_OK);
    run_lock_release(&l);
    cr_assert_null(l);
}
