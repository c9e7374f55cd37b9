#include "nodes/agent.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SILENCE_US = 30000000, START_US = 5000000 };

/* What the agent said and did, in order. */
struct stage {
    struct agent *agent;
    char folder[64];
    int64_t now_us;
    struct {
        struct message m;
        char text[ERROR_TEXT_BYTES];
        unsigned n_flushed; /* appended records that a flush had covered when it was said */
    } said[64];
    unsigned n_said;
    struct {
        enum outcome outcome;
        char path[64], message[RESULT_MESSAGE_BYTES];
        uint64_t size_bytes;
        uint32_t attempt;
    } appended[16];
    unsigned n_appended, n_flushed;
    bool append_fails, flush_fails;
};

static struct stage stage;
static unsigned flush_records;

static enum status append(void *context, const struct result *r, struct error *e)
{
    struct stage *s = context;

    if (s->append_fails)
        return error_set(e, STATUS_NO_SPACE, "journal: cannot create: disk full");
    cr_assert_lt(s->n_appended, 16);
    s->appended[s->n_appended].outcome = r->outcome;
    s->appended[s->n_appended].size_bytes = r->size_bytes;
    s->appended[s->n_appended].attempt = r->attempt;
    snprintf(s->appended[s->n_appended].path, sizeof(s->appended[0].path), "%s", r->path);
    memcpy(s->appended[s->n_appended].message, r->message, sizeof(r->message));
    s->n_appended++;
    return STATUS_OK;
}

static enum status flush(void *context, struct error *e)
{
    struct stage *s = context;

    if (s->flush_fails)
        return error_set(e, STATUS_NO_SPACE, "journal: cannot append: disk full");
    s->n_flushed = s->n_appended;
    return STATUS_OK;
}

static enum status hear(void *context, const struct message *m)
{
    struct stage *s = context;

    cr_assert_lt(s->n_said, 64);
    s->said[s->n_said].m = *m;
    snprintf(s->said[s->n_said].text, sizeof(s->said[0].text), "%s", m->text ? m->text : "");
    s->said[s->n_said].n_flushed = s->n_flushed;
    s->n_said++;
    return STATUS_OK;
}

static void make_file(const char *name)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", stage.folder, name);
    f = fopen(path, "w");
    cr_assert(f);
    fputs("not a video", f);
    fclose(f);
    /* As lease() says. */
    cr_assert_eq(utimensat(AT_FDCWD, path, (const struct timespec[]){{.tv_nsec = 12}, {.tv_nsec = 12}}, 0), 0);
}

/* Without a detector lanes probe; asked to score they end with an error, which is a crash to the agent. */
static void open_agent(enum lane_work work)
{
    const struct zygote_settings zygote = {0};
    struct agent_settings settings = {
        .lanes = {.n_lanes = 1, .work = work, .timeout_us = INT64_C(600000000)},
        .rank = 7,
        .host_name = "here",
        .fingerprint = "abc",
        .silence_us = SILENCE_US,
        .flush_records = flush_records,
        .sink = {.append = append, .flush = flush, .context = &stage},
        .mouth = {.send = hear, .context = &stage},
    };
    struct zygote *z = NULL;
    struct error e;

    snprintf(stage.folder, sizeof(stage.folder), "/tmp/fakesift-agent.XXXXXX");
    cr_assert(mkdtemp(stage.folder));
    stage.now_us = START_US;
    cr_assert_eq(zygote_start(&zygote, &z, &e), STATUS_OK);
    cr_assert_eq(agent_open(&settings, &z, &stage.agent, &e), STATUS_OK, "%s", e.text);
}

static void tear_down(void)
{
    char command[128];

    agent_close(&stage.agent);
    snprintf(command, sizeof(command), "rm -rf %s", stage.folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(agent, .fini = tear_down);

static void tell(struct message m)
{
    if (m.text)
        m.text = strdup(m.text);
    agent_take(stage.agent, &m, stage.now_us);
}

static void welcome(void)
{
    tell((struct message){.kind = MESSAGE_WELCOME, .text = stage.folder});
}

static void lease(uint64_t unit, const char *path, uint32_t attempt, bool last)
{
    tell((struct message){.kind = MESSAGE_LEASE,
                          .unit = unit,
                          .lease = unit + 100,
                          .text = (char *)(uintptr_t)path,
                          .attempt = attempt,
                          .last_attempt = last,
                          .size_bytes = 11,
                          .mtime_ns = 12});
}

static unsigned count_said(enum message_kind kind)
{
    unsigned n = 0;

    for (unsigned i = 0; i < stage.n_said; i++)
        n += stage.said[i].m.kind == kind;
    return n;
}

static unsigned count_appended(void)
{
    return stage.n_appended;
}

static unsigned count_results(void)
{
    return count_said(MESSAGE_RESULT);
}

static unsigned count_failures(void)
{
    return count_said(MESSAGE_FAILED);
}

static unsigned count_hellos(void)
{
    return count_said(MESSAGE_HELLO);
}

/* Steps, with the clock standing still, until there are n of them or the agent ends. */
static enum status step_until(unsigned (*count)(void), unsigned n, struct error *e)
{
    for (;;) {
        struct pollfd fds[4];
        enum status s = agent_step(stage.agent, stage.now_us, e);

        if (s != STATUS_OK || count() >= n)
            return s;
        cr_assert_geq(poll(fds, agent_poll_set(stage.agent, fds, 4), 60000), 1, "nothing happens");
    }
}

Test(agent, it_says_hello_with_its_fingerprint_once_its_zygote_is_ready)
{
    struct error e;

    open_agent(LANE_PROBE);
    cr_assert_eq(step_until(count_hellos, 1, &e), STATUS_OK);
    for (unsigned i = 0; i < stage.n_said; i++) {
        if (stage.said[i].m.kind != MESSAGE_HELLO)
            continue;
        cr_assert_str_eq(stage.said[i].text, "here");
        cr_assert_str_eq(stage.said[i].m.fingerprint, "abc");
        cr_assert_eq(stage.said[i].m.n_lanes, 1);
    }
}

Test(agent, a_result_is_reported_only_after_its_flush)
{
    struct error e;

    open_agent(LANE_PROBE);
    make_file("a.mp4");
    make_file("b.mp4");
    welcome();
    lease(0, "a.mp4", 1, false);
    lease(1, "b.mp4", 1, false);
    cr_assert_eq(step_until(count_appended, 1, &e), STATUS_OK);
    cr_assert_eq(stage.appended[0].outcome, OUTCOME_NO_VIDEO);
    cr_assert_str_eq(stage.appended[0].path, "a.mp4");
    cr_assert_eq(stage.appended[0].size_bytes, 11);
    cr_assert_eq(count_results(), 0, "the other unit is in work and no second has passed: nothing is flushed yet");
    stage.now_us += AGENT_FLUSH_US;
    cr_assert_eq(step_until(count_results, 2, &e), STATUS_OK);
    for (unsigned i = 0, n = 0; i < stage.n_said; i++) {
        if (stage.said[i].m.kind == MESSAGE_RESULT)
            cr_assert_geq(stage.said[i].n_flushed, ++n);
    }
    cr_assert(agent_is_idle(stage.agent));
}

Test(agent, a_sink_that_cannot_flush_stops_it_and_nothing_is_reported)
{
    struct error e;

    open_agent(LANE_PROBE);
    make_file("a.mp4");
    welcome();
    lease(0, "a.mp4", 1, false);
    stage.flush_fails = true;
    cr_assert_eq(step_until(count_results, 1, &e), STATUS_NO_SPACE);
    cr_assert(strstr(e.text, "disk full"));
    cr_assert_eq(count_results(), 0);
    cr_assert_eq(stage.said[stage.n_said - 2].m.kind, MESSAGE_STOP);
    cr_assert_str_eq(stage.said[stage.n_said - 2].text, e.text);
    cr_assert_eq(stage.said[stage.n_said - 1].m.kind, MESSAGE_BYE);
    cr_assert_eq(agent_step(stage.agent, stage.now_us, &e), STATUS_BUG, "a broken agent stays broken");
}

Test(agent, a_sink_that_cannot_be_opened_stops_it_and_nothing_is_reported)
{
    struct error e;

    open_agent(LANE_PROBE);
    welcome();
    lease(0, "absent.mp4", 1, false);
    stage.append_fails = true;
    cr_assert_eq(step_until(count_results, 1, &e), STATUS_NO_SPACE);
    cr_assert_eq(count_results(), 0);
    cr_assert_eq(count_said(MESSAGE_STOP), 1);
    cr_assert_eq(count_said(MESSAGE_BYE), 1);
}

Test(agent, files_without_content_get_their_outcome_without_a_lane)
{
    char path[128];
    struct error e;

    open_agent(LANE_PROBE);
    welcome();
    snprintf(path, sizeof(path), "%s/fifo.mp4", stage.folder);
    cr_assert_eq(mkfifo(path, 0600), 0);
    lease(0, "absent.mp4", 1, false);
    lease(1, "fifo.mp4", 2, false);
    lease(2, ".", 1, false);
    cr_assert_eq(step_until(count_results, 3, &e), STATUS_OK);
    cr_assert_eq(stage.appended[0].outcome, OUTCOME_MISSING);
    cr_assert(strstr(stage.appended[0].message, "No such file"));
    cr_assert_eq(stage.appended[1].outcome, OUTCOME_NO_VIDEO);
    cr_assert_eq(stage.appended[1].attempt, 2);
    cr_assert_eq(stage.appended[2].outcome, OUTCOME_NO_VIDEO);
}

Test(agent, a_file_that_changed_since_it_was_listed_is_not_scored_under_its_old_identity)
{
    static const struct {
        uint64_t size_bytes;
        int64_t mtime_ns;
        const char *want;
    } cases[] = {{10, 12, "(10 bytes then, 11 now)"}, {11, 13, "(another time of change)"}, {0, 0, "was not there"}};
    struct error e;

    open_agent(LANE_PROBE);
    make_file("a.mp4");
    welcome();
    for (unsigned i = 0; i < 3; i++) {
        tell((struct message){.kind = MESSAGE_LEASE,
                              .unit = i,
                              .lease = i + 1,
                              .text = (char *)"a.mp4",
                              .attempt = 1,
                              .size_bytes = cases[i].size_bytes,
                              .mtime_ns = cases[i].mtime_ns});
    }
    cr_assert_eq(step_until(count_results, 3, &e), STATUS_OK);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(stage.appended[i].outcome, OUTCOME_MISSING);
        cr_assert(strstr(stage.appended[i].message, cases[i].want), "%s", stage.appended[i].message);
        cr_assert_eq(stage.appended[i].size_bytes, cases[i].size_bytes,
                     "so that the next listing gives another identity");
    }
}

Test(agent, no_more_results_than_settled_wait_for_a_flush)
{
    struct error e;

    flush_records = 2;
    open_agent(LANE_PROBE);
    welcome();
    for (uint64_t i = 0; i < 5; i++)
        lease(i, "absent.mp4", 1, false);
    make_file("a.mp4");
    lease(5, "a.mp4", 1, false);
    lease(6, "a.mp4", 1, false);
    cr_assert_eq(step_until(count_appended, 5, &e), STATUS_OK);
    cr_assert_eq(stage.n_flushed, 4, "two at a time; the fifth waits for another or for a second to pass");
    cr_assert_eq(count_results(), 4);
}

Test(agent, a_corpus_that_is_not_there_breaks_it_and_no_unit_is_blamed)
{
    struct error e;

    open_agent(LANE_PROBE);
    tell((struct message){.kind = MESSAGE_WELCOME, .text = (char *)"/no/such/corpus"});
    lease(0, "a.mp4", 1, true);
    cr_assert_eq(step_until(count_results, 1, &e), STATUS_NOT_FOUND);
    cr_assert_str_eq(e.text, "/no/such/corpus: the corpus cannot be opened on here: No such file or directory");
    cr_assert_eq(stage.n_appended, 0);
    cr_assert(stage.said[stage.n_said - 2].m.drain, "its STOP says that no unit was begun");
}

Test(agent, a_lease_before_the_corpus_is_known_is_not_a_missing_video)
{
    struct error e;

    open_agent(LANE_PROBE);
    lease(0, "a.mp4", 1, true);
    cr_assert_eq(step_until(count_results, 1, &e), STATUS_IO);
    cr_assert(strstr(e.text, "a.mp4"));
    cr_assert_eq(stage.n_appended, 0);
}

Test(agent, a_failed_attempt_is_told_and_the_last_one_recorded)
{
    struct error e;

    open_agent(LANE_SCORE);
    make_file("a.mp4");
    welcome();
    lease(0, "a.mp4", 1, false);
    cr_assert_eq(step_until(count_failures, 1, &e), STATUS_OK);
    cr_assert_eq(stage.said[stage.n_said - 1].m.outcome, OUTCOME_CRASHED);
    cr_assert(strstr(stage.said[stage.n_said - 1].text, "a lane that cannot do it"));
    cr_assert_eq(stage.n_appended, 0);
    lease(1, "a.mp4", 2, true);
    cr_assert_eq(step_until(count_results, 1, &e), STATUS_OK);
    cr_assert_eq(stage.appended[0].outcome, OUTCOME_CRASHED);
    cr_assert_eq(stage.appended[0].attempt, 2);
}

Test(agent, a_stop_with_nothing_in_work_is_answered_with_bye)
{
    struct error e;

    open_agent(LANE_PROBE);
    welcome();
    tell((struct message){.kind = MESSAGE_STOP});
    cr_assert_eq(agent_step(stage.agent, stage.now_us, &e), STATUS_END);
    cr_assert_eq(stage.said[stage.n_said - 1].m.kind, MESSAGE_BYE);
}

Test(agent, a_stop_lets_what_is_in_work_end_and_drops_what_waits)
{
    struct error e;

    open_agent(LANE_PROBE);
    make_file("a.mp4");
    make_file("b.mp4");
    welcome();
    cr_assert_eq(step_until(count_hellos, 1, &e), STATUS_OK);
    lease(0, "a.mp4", 1, false);
    lease(1, "b.mp4", 1, false);
    cr_assert_eq(agent_step(stage.agent, stage.now_us, &e), STATUS_OK);
    tell((struct message){.kind = MESSAGE_STOP});
    cr_assert_eq(step_until(count_results, 2, &e), STATUS_END);
    cr_assert_eq(stage.n_appended, 1);
    cr_assert_eq(count_results(), 1);
    cr_assert_eq(stage.said[stage.n_said - 1].m.kind, MESSAGE_BYE);
}

Test(agent, a_cut_off_waits_for_no_lane)
{
    struct error e;

    open_agent(LANE_PROBE);
    make_file("a.mp4");
    welcome();
    cr_assert_eq(step_until(count_hellos, 1, &e), STATUS_OK);
    lease(0, "a.mp4", 1, false);
    cr_assert_eq(agent_step(stage.agent, stage.now_us, &e), STATUS_OK);
    tell((struct message){.kind = MESSAGE_STOP, .drain = true});
    cr_assert_eq(agent_step(stage.agent, stage.now_us, &e), STATUS_END);
    cr_assert_eq(stage.said[stage.n_said - 1].m.kind, MESSAGE_BYE);
    cr_assert_eq(count_failures(), 0, "a drain is no attempt");
}

Test(agent, a_coordinator_that_never_spoke_ends_it_too)
{
    struct error e;

    open_agent(LANE_PROBE);
    cr_assert_eq(agent_step(stage.agent, stage.now_us, &e), STATUS_OK);
    cr_assert_eq(agent_step(stage.agent, stage.now_us + SILENCE_US, &e), STATUS_TIMEOUT);
}

Test(agent, a_silent_coordinator_ends_it)
{
    struct error e;

    open_agent(LANE_PROBE);
    cr_assert_eq(agent_step(stage.agent, stage.now_us, &e), STATUS_OK);
    cr_assert_gt(stage.n_said, 0, "a hello or a heartbeat");
    stage.now_us += SILENCE_US / 2;
    tell((struct message){.kind = MESSAGE_HEARTBEAT});
    cr_assert_eq(agent_step(stage.agent, stage.now_us + SILENCE_US - 1, &e), STATUS_OK);
    cr_assert_eq(agent_step(stage.agent, stage.now_us + SILENCE_US, &e), STATUS_TIMEOUT);
    cr_assert_str_eq(e.text, "no word from the coordinator for 30 s");
    cr_assert_eq(count_said(MESSAGE_BYE), 0);
}
