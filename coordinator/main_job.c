#include "coordinator/main_job.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/journal.h"
#include "coordinator/main.h"
#include "coordinator/main_job_ranks.h"
#include "coordinator/main_progress.h"
#include "shard/clock.h"
#include "shard/log.h"

enum {
    MAX_TICK_US = 2000000, /* of the job's clock */
};

/* Time as this process lived it. While it is stopped (Ctrl-Z, a debugger) or stuck in a sync, it cannot hear anybody; that
 * silence is its own and must not be held against the others. So a pause counts MAX_TICK_US at most. */
struct job_clock {
    int64_t real_us, now_us;
};

/* In the place of an addressee (main_job_ranks.h), what it is: a rank's tally behind a byte with the layers of its lanes' sandbox, before its BYE. */
enum { TALLY_LETTER = 'T', TALLY_LETTER_BYTES = 2 + RECORD_TALLY_BYTES };

struct job {
    const struct job_settings *settings;
    struct channel *channel;
    struct agent *agent;            /* NULL once it has left */
    struct dispatch *dispatch;      /* rank 0 */
    struct journal_writer *journal; /* NULL before the first record */
    struct save *save;              /* NULL: nothing is kept beside results */
    struct progress_line *progress;
    struct pollfd *fds;
    int signal_fd;
    bool released;  /* the coordinator said BYE: every rank is well */
    bool abandoned; /* the coordinator fell silent, or a rank is lost */
    bool drained;
    unsigned sandbox_layers;        /* of this rank's lanes; 0: none greeted yet */
    unsigned others_sandbox_layers; /* rank 0: that every other rank's lanes have, of those that said so */
    int64_t heard_us;
    struct job_clock clock;
    struct record_tally pending, tally; /* appended since the last flush; flushed */
    struct record_tally others;         /* rank 0: what other ranks say of theirs */
    unsigned n_tallies;
    bool tally_is_unsure; /* a flush failed: who knows how much of it is in the journal */
    struct error trouble;
};

static int64_t tick(struct job_clock *c)
{
    int64_t real = clock_monotonic_us(), gap = real - c->real_us;

    c->real_us = real;
    c->now_us += gap < MAX_TICK_US ? gap : MAX_TICK_US;
    return c->now_us;
}

/* 0: of no lane, so unknown. */
static unsigned both_have(unsigned layers, unsigned others)
{
    return layers == 0 || others == 0 ? layers | others : layers & others;
}

/* Rank 0 reads its own. */
static void send_tally(struct job *j)
{
    uint8_t letter[TALLY_LETTER_BYTES] = {TALLY_LETTER, (uint8_t)j->sandbox_layers};

    record_tally_pack(&j->tally, letter + 2);
    channel_send(j->channel, 0, letter, sizeof(letter));
}

static enum status tell_coordinator(void *context, const struct message *m)
{
    struct job *j = context;

    if (m->kind == MESSAGE_BYE && channel_rank(j->channel) != 0 && !j->tally_is_unsure)
        send_tally(j);
    return job_send(j->channel, FOR_COORDINATOR, 0, m);
}

static enum status tell_agent(void *context, uint32_t agent, const struct message *m)
{
    struct job *j = context;

    return job_send(j->channel, FOR_AGENT, agent, m);
}

static enum status append(void *context, const struct result *r, struct error *e)
{
    struct job *j = context;
    struct timespec t;
    enum status s = STATUS_OK;

    if (!j->journal) {
        clock_gettime(CLOCK_REALTIME, &t);
        s = journal_writer_open(j->settings->journal_folder, j->settings->fingerprint, channel_rank(j->channel),
                                (int64_t)t.tv_sec * 1000000000 + t.tv_nsec, &j->journal, e);
    }
    if (s == STATUS_OK)
        s = journal_writer_append(j->journal, r, e);
    if (s == STATUS_OK)
        record_tally_add(&j->pending, r);
    return s;
}

static enum status flush(void *context, struct error *e)
{
    struct job *j = context;

    enum status s = save_sync(j->save, e);

    if (s == STATUS_OK && j->journal)
        s = journal_writer_flush(j->journal, e);
    if (s == STATUS_OK) {
        record_tally_merge(&j->tally, &j->pending);
        j->pending = (struct record_tally){0};
    } else {
        j->tally_is_unsure = true;
    }
    return s;
}

static enum status keep(void *context, const struct result *r, const struct finds *finds, struct error *e)
{
    const struct job *j = context;

    return save_keep(j->save, r, finds, e);
}

static enum status record_given_up(void *context, uint32_t unit, struct error *e)
{
    struct job *j = context;
    struct unit_place place = units_place(j->settings->units, unit);
    const struct manifest_entry *entry = manifest_entry(j->settings->manifest, place.entry);
    struct result r = {.outcome = OUTCOME_CRASHED, .p_fake = __builtin_nan("")};
    enum status s = result_set_path(&r, entry->path);

    if (place.n_segments > 1) {
        r.segment = calloc(1, sizeof(*r.segment));
        if (!r.segment)
            s = error_no_memory(e);
        else
            *r.segment = (struct segment){.index = place.segment, .count = place.n_segments, .state = SEGMENT_FAILED};
    }

    r.size_bytes = entry->size_bytes;
    r.mtime_ns = entry->mtime_ns;
    r.offset_bytes = entry->offset_bytes;
    if (s == STATUS_OK)
        s = result_set_content(&r, entry->content);
    result_set_message(&r, "given up: the ranks that worked on it were lost each time");
    if (s == STATUS_OK)
        s = append(j, &r, e);
    if (s == STATUS_OK)
        s = flush(j, e);
    result_clear(&r);
    return s;
}

static void note_trouble(struct job *j, const struct error *e)
{
    /* The coordinator was told and logs it, unless it is the coordinator that is gone. */
    if (e->status == STATUS_TIMEOUT)
        log_error("%s", e->text);
    if (j->trouble.status == STATUS_OK)
        j->trouble = *e;
}

/* A message that does not parse comes from a broken or foreign program; its sender's silence will be noticed. */
static void deliver(struct job *j, const uint8_t *letter, size_t len, unsigned from, int64_t now)
{
    struct message m;

    if (len == TALLY_LETTER_BYTES && letter[0] == TALLY_LETTER && j->dispatch) {
        struct record_tally t;

        j->others_sandbox_layers = both_have(j->others_sandbox_layers, letter[1]);
        record_tally_unpack(letter + 2, &t);
        record_tally_merge(&j->others, &t);
        j->n_tallies++;
        return;
    }
    if (len < 1 || message_unpack(letter + 1, len - 1, &m) != STATUS_OK) {
        log_warning("a message of %zu bytes from rank %u cannot be read", len, from);
        return;
    }
    if (letter[0] == FOR_COORDINATOR && j->dispatch) {
        dispatch_take(j->dispatch, from, &m, now);
        return;
    }
    if (letter[0] == FOR_AGENT && from == 0) {
        j->heard_us = now;
        if (m.kind == MESSAGE_BYE)
            j->released = true;
        else if (m.kind == MESSAGE_ABANDON)
            j->abandoned = true;
        else if (j->agent) {
            agent_take(j->agent, &m, now);
            return;
        }
    }
    message_clear(&m);
}

static bool receive(struct job *j, int64_t now)
{
    uint8_t letter[CHANNEL_MAX_BYTES];
    size_t len;
    unsigned from;
    bool any = false;

    while (channel_receive(j->channel, letter, &len, &from) == STATUS_OK) {
        deliver(j, letter, len, from, now);
        any = true;
    }
    return any;
}

static void step_agent(struct job *j, int64_t now)
{
    struct error e = {0};
    enum status s = agent_step(j->agent, now, &e);

    j->sandbox_layers = agent_sandbox_layers(j->agent);
    if (s == STATUS_OK)
        return;
    if (s == STATUS_TIMEOUT)
        j->abandoned = true;
    if (s != STATUS_END)
        note_trouble(j, &e);
    agent_close(&j->agent);
}

static bool signalled(struct job *j)
{
    struct signalfd_siginfo info;
    bool any = false;

    while (j->signal_fd >= 0 && read(j->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        log_info("signal %u: %s", info.ssi_signo,
                 j->drained ? "again" : "no new videos; what is in work may end within the grace");
        any = true;
    }
    return any;
}

static bool must_drain(struct job *j)
{
    bool wanted = signalled(j);

    return j->dispatch && (wanted || (j->settings->folder && run_folder_is_lost(j->settings->folder)));
}

/* True when a descriptor had something. */
static bool wait(struct job *j, int timeout_ms)
{
    size_t n = 0;

    j->fds[n++] = (struct pollfd){.fd = j->signal_fd, .events = POLLIN};
    if (j->agent)
        n += agent_poll_set(j->agent, j->fds + n, LANE_POOL_MAX_LANES + 1);
    return poll(j->fds, n, timeout_ms) > 0;
}

/* After its agent has left, a rank that is not the coordinator waits to be released: MPI_Finalize would spin. */
static bool is_over(struct job *j, int64_t now)
{
    struct error silent;

    if (j->dispatch)
        return dispatch_step(j->dispatch, now) == STATUS_END;
    if (j->abandoned)
        return true;
    if (j->agent)
        return false;
    if (j->released)
        return true;
    if (now - j->heard_us < j->settings->silence_us)
        return false;
    error_set(&silent, STATUS_TIMEOUT, "no word from the coordinator for %.0f s, nor that all is well",
              (double)(now - j->heard_us) / 1e6);
    note_trouble(j, &silent);
    return true;
}

/* A rank that has nothing to work on waits for a word of another, and at the end of a run each such wait delays the next: the
 * last result, the stop, the farewells. So its waits grow with the silence and no faster; a lane wakes it anyway. */
static int longest_wait_ms(const struct job *j, int64_t silent_us)
{
    enum { SHARE = 16 };
    int64_t ms = 1 + silent_us / 1000 / SHARE;

    if ((j->agent && !agent_is_idle(j->agent)) || ms > JOB_MAX_WAIT_MS)
        return JOB_MAX_WAIT_MS;
    return (int)ms;
}

static void loop(struct job *j)
{
    int timeout_ms = 1;
    int64_t moved_us = j->clock.now_us;

    j->heard_us = j->clock.now_us;
    for (;;) {
        int64_t now = tick(&j->clock);
        bool busy = receive(j, now);
        int longest_ms;

        if (must_drain(j)) {
            j->drained = true;
            dispatch_drain(j->dispatch, now);
        }
        if (j->agent)
            step_agent(j, now);
        if (is_over(j, now))
            return;
        if (j->progress)
            progress_show(j->progress, j->dispatch, now);
        channel_flush(j->channel);
        if (busy)
            moved_us = now;
        longest_ms = longest_wait_ms(j, now - moved_us);
        timeout_ms = busy ? 0 : timeout_ms >= longest_ms / 2 ? longest_ms : 2 * timeout_ms + 1;
        if (wait(j, timeout_ms)) {
            timeout_ms = 0;
            moved_us = now;
        }
    }
}

static enum status open_agent(struct job *j, struct zygote **z, struct error *e)
{
    char host[128] = "?";
    struct agent_settings settings = {
        .lanes = j->settings->lanes,
        .rank = channel_rank(j->channel),
        .host_name = host,
        .fingerprint = j->settings->fingerprint,
        .flush_records = j->settings->flush_records,
        .silence_us = j->settings->silence_us,
        .sink = {.append = append, .flush = flush, .keep = j->save ? keep : NULL, .context = j},
        .mouth = {.send = tell_coordinator, .context = j},
    };

    gethostname(host, sizeof(host) - 1);
    return agent_open(&settings, z, &j->agent, e);
}

static enum status open_dispatch(struct job *j, struct error *e)
{
    const struct dispatch_settings settings = {
        .manifest = j->settings->manifest,
        .ledger = j->settings->ledger,
        .units = j->settings->units,
        .n_agents = channel_size(j->channel),
        .fingerprint = j->settings->fingerprint,
        .silence_us = j->settings->silence_us,
        .grace_us = j->settings->grace_us,
        .send = tell_agent,
        .record_given_up = record_given_up,
        .context = j,
    };
    const struct progress_settings progress = {
        .n_videos = manifest_count(j->settings->manifest),
        .n_before = j->settings->n_before,
        .ledger = j->settings->ledger,
        .outcomes = j->settings->outcomes_before,
        .path = j->settings->progress_path,
    };
    enum status s = dispatch_open(&settings, j->clock.now_us, &j->dispatch, e);

    if (s == STATUS_OK)
        s = progress_open(&progress, j->clock.now_us, &j->progress, e);
    return s;
}

enum status job_run(const struct job_settings *settings, struct channel *channel, int signal_fd, struct zygote **z,
                    struct job_end *ret_end, struct error *e)
{
    struct job j = {.settings = settings, .channel = channel, .signal_fd = signal_fd};
    struct job_end end = {0};
    enum status s = STATUS_OK;

    j.clock.real_us = j.clock.now_us = clock_monotonic_us();
    j.fds = calloc(LANE_POOL_MAX_LANES + 2, sizeof(*j.fds));
    if (!j.fds)
        return error_no_memory(e);
    if (settings->saves)
        s = save_open(settings->saves, &j.save, e);
    if (s == STATUS_OK)
        s = open_agent(&j, z, e);
    if (s == STATUS_OK && channel_rank(channel) == 0)
        s = open_dispatch(&j, e);
    if (s != STATUS_OK)
        goto end;
    loop(&j);
    end.drained = j.drained;
    end.trouble = j.trouble;
    end.sandbox_layers = both_have(j.sandbox_layers, j.others_sandbox_layers);
    end.orderly = j.released;
    if (j.dispatch) {
        end.orderly = dispatch_all_left_orderly(j.dispatch);
        dispatch_get_progress(j.dispatch, &end.progress);
        end.tally = j.tally;
        record_tally_merge(&end.tally, &j.others);
        end.tally_is_whole = j.n_tallies + 1 == channel_size(channel) && !j.tally_is_unsure;
        progress_get_use(j.progress, &end.use);
        if (end.trouble.status == STATUS_OK && dispatch_trouble(j.dispatch)[0] != '\0')
            error_set(&end.trouble, STATUS_IO, "%s", dispatch_trouble(j.dispatch));
        /* With a rank lost nobody can finalise; the others then wait until the report is written (job_abandon). */
        if (end.orderly)
            job_release_all(channel);
    }
    *ret_end = end;
end:
    progress_close(&j.progress);
    agent_close(&j.agent);
    save_close(&j.save);
    dispatch_close(&j.dispatch);
    journal_writer_close(&j.journal);
    free(j.fds);
    return s;
}
