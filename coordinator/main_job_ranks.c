#include "coordinator/main_job_ranks.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/dispatch.h"
#include "coordinator/main_job.h"
#include "shard/clock.h"
#include "shard/log.h"

enum status job_send(struct channel *channel, enum addressee whom, unsigned rank, const struct message *m)
{
    uint8_t letter[CHANNEL_MAX_BYTES];
    uint8_t *packed = NULL;
    size_t len;
    enum status s = message_pack(m, &packed, &len);

    if (s == STATUS_OK && len + 1 > sizeof(letter))
        s = STATUS_INVALID;
    if (s == STATUS_OK) {
        letter[0] = (uint8_t)whom;
        memcpy(letter + 1, packed, len);
        s = channel_send(channel, rank, letter, len + 1);
    }
    free(packed);
    return s;
}

void job_release_all(struct channel *channel)
{
    const struct message bye = {.kind = MESSAGE_BYE};

    for (unsigned i = 1; i < channel_size(channel); i++)
        job_send(channel, FOR_AGENT, i, &bye);
    channel_flush(channel);
}

static bool beat_until(struct channel *channel, const atomic_bool *done, int signal_fd)
{
    const struct message beat = {.kind = MESSAGE_HEARTBEAT};
    int64_t told_us = clock_monotonic_us();
    struct pollfd fds = {.fd = signal_fd, .events = POLLIN};
    int wait_ms = 1;

    while (!atomic_load(done)) {
        if (channel && clock_monotonic_us() - told_us >= DISPATCH_HEARTBEAT_US) {
            for (unsigned i = 1; i < channel_size(channel); i++)
                job_send(channel, FOR_AGENT, i, &beat);
            told_us = clock_monotonic_us();
        }
        if (channel)
            channel_flush(channel);
        if (poll(&fds, 1, wait_ms) > 0)
            return false;
        wait_ms = wait_ms >= JOB_MAX_WAIT_MS / 2 ? JOB_MAX_WAIT_MS : 2 * wait_ms;
    }
    return true;
}

struct background {
    void (*work)(void *context);
    void *context;
    atomic_bool done;
};

static void *run_background(void *context)
{
    struct background *b = context;

    b->work(b->context);
    atomic_store(&b->done, true);
    return NULL;
}

bool job_beat_during(struct channel *channel, int signal_fd, void (*work)(void *context), void *context)
{
    /* On the heap, since it outlives this call when a signal ends it. */
    struct background *b = channel || signal_fd >= 0 ? calloc(1, sizeof(*b)) : NULL;
    pthread_t thread;

    if (b)
        *b = (struct background){.work = work, .context = context};
    if (!b || pthread_create(&thread, NULL, run_background, b) != 0) {
        work(context);
        free(b);
        return true;
    }
    if (!beat_until(channel, &b->done, signal_fd)) {
        pthread_detach(thread);
        return false;
    }
    pthread_join(thread, NULL);
    free(b);
    return true;
}

void job_abandon(struct channel *channel, int code)
{
    enum { PATIENCE_MS = 500 };
    const struct message m = {.kind = MESSAGE_ABANDON};

    log_info("ending the job without a rank that is lost");
    fflush(NULL);
    channel_end_job(channel, code);
    for (unsigned i = 1; i < channel_size(channel); i++)
        job_send(channel, FOR_AGENT, i, &m);
    /* What goes to a lost rank stays for ever. */
    for (int ms = 0; ms < PATIENCE_MS && channel_pending(channel) > 0; ms += 10)
        poll(NULL, 0, 10);
}

bool job_refuse(struct channel *channel, int64_t silence_us)
{
    const struct message stop = {.kind = MESSAGE_STOP, .drain = true};
    int64_t start = clock_monotonic_us();
    unsigned n_left = 1;

    for (unsigned i = 1; i < channel_size(channel); i++)
        job_send(channel, FOR_AGENT, i, &stop);
    while (n_left < channel_size(channel) && clock_monotonic_us() - start < silence_us) {
        uint8_t letter[CHANNEL_MAX_BYTES];
        struct message m;
        size_t len;
        unsigned from;

        if (channel_receive(channel, letter, &len, &from) != STATUS_OK) {
            channel_flush(channel);
            poll(NULL, 0, 5);
            continue;
        }
        if (len > 1 && message_unpack(letter + 1, len - 1, &m) == STATUS_OK) {
            n_left += m.kind == MESSAGE_BYE;
            message_clear(&m);
        }
    }
    if (n_left < channel_size(channel))
        return false;
    job_release_all(channel);
    return true;
}

void job_leave(struct channel *channel, int code)
{
    enum { PATIENCE_US = 2000000 };

    if (job_refuse(channel, PATIENCE_US))
        channel_close(&channel, true);
    else
        job_abandon(channel, code);
    fflush(NULL);
    _exit(code);
}
