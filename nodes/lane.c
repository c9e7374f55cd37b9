#include "nodes/lane.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "nodes/passing.h"
#include "nodes/probe.h"
#include "nodes/sandbox.h"
#include "shard/segment.h"
#include "shard/wire.h"

static enum status probe(int fd, const struct window *window, struct result *ret_result, struct error *e)
{
    enum outcome outcome = OUTCOME_UNDECIDED;
    enum status s = probe_window(fd, window, &ret_result->facts, &outcome, e);

    if (s == STATUS_OK) {
        ret_result->outcome = OUTCOME_SCORED;
        ret_result->p_fake = 0;
        return STATUS_OK;
    }
    if (outcome == OUTCOME_UNDECIDED)
        return s;
    ret_result->p_fake = NAN;
    ret_result->outcome = outcome;
    result_set_message(ret_result, "%s", e->text);
    return STATUS_OK;
}

/* The i-th of the job's units. */
static enum status work(const struct lane_settings *settings, const struct lane_job *job, uint32_t i, int fd,
                        struct result *ret_result, struct error *e)
{
    const struct scorer_part part = {
        .index = job->segment,
        .count = job->n_segments > 0 ? job->n_segments : 1,
        .window = job->windows[i],
    };

    if (job->work == LANE_PROBE)
        return probe(fd, &part.window, ret_result, e);
    if (job->work == LANE_SCORE && settings->scorer && job->segment < part.count && part.count <= SEGMENT_MAX_COUNT)
        return scorer_run(settings->scorer, fd, &part, settings->notes, ret_result, e);
    return error_set(e, STATUS_BUG, "a job of kind %u for a lane that cannot do it", job->work);
}

static enum status answer(int socket_fd, struct result *r, uint64_t serial, struct error *e)
{
    uint8_t *packed = NULL;
    size_t len = 0;
    /* A lane does not know the video's name and size; the agent sets them. */
    enum status s = result_set_path(r, "-");

    r->size_bytes = serial;
    if (s == STATUS_OK)
        s = result_pack(r, &packed, &len);
    if (s == STATUS_OK)
        s = passing_send(socket_fd, packed, len, NULL, 0);
    free(packed);
    return s == STATUS_OK ? s : error_set(e, s, "a lane's answer (%s): %s", outcome_name(r->outcome), status_name(s));
}

static enum status serve(const struct lane_settings *settings, struct error *e)
{
    for (;;) {
        struct lane_job job = {0};
        int fds[PASSING_MAX_FDS];
        size_t len;
        enum status s = passing_receive(settings->socket_fd, &job, sizeof(job), &len, fds);

        if (s == STATUS_END)
            return STATUS_OK;
        if (s != STATUS_OK || len != sizeof(job) || job.n_units < 1 || job.n_units > LANE_MAX_BATCH ||
            fds[job.n_units - 1] < 0)
            return error_set(e, STATUS_BUG, "a lane's job is malformed");
        for (uint32_t i = 0; i < job.n_units; i++) {
            struct result result = {0};

            s = work(settings, &job, i, fds[i], &result, e);
            close(fds[i]);
            /* Before the answer, so that whoever has the answer has all. */
            if (s == STATUS_OK && job.work == LANE_SCORE &&
                finds_send(scorer_finds(settings->scorer), settings->socket_fd) != STATUS_OK)
                s = error_set(e, STATUS_IO, "a lane's finds cannot be sent");
            if (s == STATUS_OK)
                s = answer(settings->socket_fd, &result, job.serial + i, e);
            result_clear(&result);
            if (s != STATUS_OK)
                return s;
        }
    }
}

int lane_main(const struct lane_settings *settings)
{
    struct error e = {0};
    const struct sandbox_settings sandbox = {
        .memory_bytes = settings->memory_bytes,
        .cpu_s = settings->cpu_s,
        .keep_fd = settings->socket_fd,
    };
    struct lane_greeting greeting = {.magic = LANE_GREETING_MAGIC, .sandbox_layers = sandbox_enter(&sandbox)};

    if (settings->require_sandbox && greeting.sandbox_layers != SANDBOX_ALL) {
        sandbox_describe(greeting.sandbox_layers, settings->notes->message, sizeof(settings->notes->message));
        return LANE_EXIT_SANDBOX;
    }
    if (passing_send(settings->socket_fd, &greeting, sizeof(greeting), NULL, 0) != STATUS_OK)
        return LANE_EXIT_END;
    if (serve(settings, &e) == STATUS_OK)
        return LANE_EXIT_END;
    snprintf(settings->notes->message, sizeof(settings->notes->message), "%.200s", e.text);
    return LANE_EXIT_INTERNAL;
}
