/* null_lane_pool: nodes/lane_pool.h with lanes that are no processes and need no time: every unit that is started has its
 * result at the next look. For bench/throughput.c, which measures everything but the lanes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "nodes/lane_pool.h"

struct lane_pool {
    struct lane_pool_settings settings;
    int fd; /* readable while a result waits */
    unsigned n_busy;
    uint64_t tokens[LANE_POOL_MAX_LANES];
};

enum status lane_pool_open(const struct lane_pool_settings *settings, struct zygote **z, struct lane_pool **ret_p,
                           struct error *e)
{
    struct lane_pool *p = calloc(1, sizeof(*p));

    (void)z;
    if (!p)
        return error_no_memory(e);
    p->settings = *settings;
    p->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    *ret_p = p;
    return STATUS_OK;
}

void lane_pool_close(struct lane_pool **p)
{
    if (!*p)
        return;
    close((*p)->fd);
    free(*p);
    *p = NULL;
}

bool lane_pool_is_ready(const struct lane_pool *p)
{
    (void)p;
    return true;
}

unsigned lane_pool_free(const struct lane_pool *p)
{
    return p->settings.n_lanes - p->n_busy;
}

unsigned lane_pool_busy(const struct lane_pool *p)
{
    return p->n_busy;
}

unsigned lane_pool_begun(const struct lane_pool *p)
{
    return p->n_busy;
}

unsigned lane_pool_sandbox_layers(const struct lane_pool *p)
{
    (void)p;
    return 0;
}

enum status lane_pool_start(struct lane_pool *p, uint64_t token, int video_fd, int64_t now_us, struct error *e)
{
    const struct lane_video video = {.fd = video_fd};

    return lane_pool_start_video(p, token, &video, now_us, e);
}

enum status lane_pool_start_video(struct lane_pool *p, uint64_t token, const struct lane_video *video, int64_t now_us,
                                  struct error *e)
{
    (void)now_us;
    (void)e;
    close(video->fd);
    p->tokens[p->n_busy++] = token;
    if (p->n_busy == 1)
        eventfd_write(p->fd, 1);
    return STATUS_OK;
}

void lane_pool_kill_all(struct lane_pool *p)
{
    (void)p;
}

size_t lane_pool_poll_set(const struct lane_pool *p, struct pollfd *fds, size_t room)
{
    if (room > 0)
        fds[0] = (struct pollfd){.fd = p->fd, .events = POLLIN};
    return room > 0;
}

/* A result as a small clip gives it: one track, one clip score, its facts. */
static enum status fill(struct result *r)
{
    *r = (struct result){.outcome = OUTCOME_SCORED,
                         .p_fake = 0.25,
                         .n_frames_wanted = 16,
                         .n_frames_decoded = 16,
                         .n_frames_with_face = 16,
                         .n_tracks = 1,
                         .n_clips = 1,
                         .clips = calloc(1, sizeof(*r->clips)),
                         .facts = {.width_px = 1280,
                                   .height_px = 720,
                                   .fps_num = 25,
                                   .fps_den = 1,
                                   .duration_us = 10000000,
                                   .n_frames = 250,
                                   .bit_rate_bps = 1500000,
                                   .n_video_streams = 1,
                                   .n_audio_streams = 1}};
    if (!r->clips)
        return STATUS_NO_MEMORY;
    snprintf(r->facts.container, sizeof(r->facts.container), "mov");
    snprintf(r->facts.codec, sizeof(r->facts.codec), "h264");
    snprintf(r->facts.pixel_format, sizeof(r->facts.pixel_format), "yuv420p");
    r->clips[0] = (struct clip_score){.end_us = 9000000, .n_frames = 16, .p_fake = 0.25};
    return STATUS_OK;
}

enum status lane_pool_next(struct lane_pool *p, int64_t now_us, struct lane_pool_event *ret_event, struct error *e)
{
    eventfd_t ignored;

    (void)now_us;
    if (p->n_busy == 0) {
        eventfd_read(p->fd, &ignored);
        return STATUS_AGAIN;
    }
    *ret_event = (struct lane_pool_event){.kind = LANE_POOL_RESULT, .token = p->tokens[--p->n_busy], .wall_us = 1};
    return fill(&ret_event->result) == STATUS_OK ? STATUS_OK : error_no_memory(e);
}
