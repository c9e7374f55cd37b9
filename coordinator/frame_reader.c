#include "coordinator/frame_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/feature_rows.h"
#include "shard/csv.h"
#include "shard/file.h"
#include "shard/text.h"

enum {
    MAX_OPEN = 64,       /* shards; a run has one a rank and start */
    MAX_STEPS = 1 << 16, /* frames of a clip: more than any card has */
    INDEX_FIELDS = 7,    /* path,track,clip,start_us,end_us,shard,row */
    LEAST_APART_US = 250 /* of two frames: a store's times are float32 */
};

struct shard {
    char *name;
    int fd;
    unsigned steps;
};

struct frame_reader {
    char *folder, *index_path;
    struct csv_reader *index;
    struct csv_row row;
    bool has_row;
    struct shard shards[MAX_OPEN];
    size_t n_shards, next_out;
    float *values; /* of one clip */
    struct frame_score *frames;
    size_t n, room;
};

static enum status advance(struct frame_reader *r, struct error *e)
{
    enum status s = csv_reader_next(r->index, &r->row, e);

    r->has_row = s == STATUS_OK;
    if (s == STATUS_END)
        return STATUS_OK;
    if (s == STATUS_OK && r->row.n_fields != INDEX_FIELDS)
        return error_set(e, STATUS_CORRUPT, "%s:%zu: %zu fields, not %d", r->index_path, r->row.line, r->row.n_fields,
                         INDEX_FIELDS);
    return s;
}

enum status frame_reader_open(const char *run_folder, struct frame_reader **ret_r, struct error *e)
{
    struct frame_reader *r = calloc(1, sizeof(*r));
    enum status s = STATUS_OK;

    if (!r)
        return error_no_memory(e);
    r->folder = file_join(run_folder, "frames");
    r->index_path = r->folder ? file_join(r->folder, "index.csv") : NULL;
    r->values = malloc((size_t)MAX_STEPS * 2 * sizeof(*r->values));
    if (!r->index_path || !r->values)
        s = error_no_memory(e);
    else if (access(r->index_path, F_OK) != 0)
        frame_reader_close(&r);
    else
        s = csv_reader_open(r->index_path, &r->index, e);
    if (s == STATUS_OK && r)
        s = advance(r, e); /* the heading */
    if (s == STATUS_OK && r)
        s = advance(r, e);
    if (s != STATUS_OK) {
        frame_reader_close(&r);
        return s;
    }
    *ret_r = r;
    return STATUS_OK;
}

static void close_shard(struct shard *x)
{
    free(x->name);
    if (x->fd >= 0)
        close(x->fd);
    *x = (struct shard){.fd = -1};
}

void frame_reader_close(struct frame_reader **r)
{
    if (!*r)
        return;
    for (size_t i = 0; i < (*r)->n_shards; i++)
        close_shard(&(*r)->shards[i]);
    csv_reader_close(&(*r)->index);
    free((*r)->folder);
    free((*r)->index_path);
    free((*r)->values);
    free((*r)->frames);
    free(*r);
    *r = NULL;
}

static enum status open_shard(const struct frame_reader *r, const char *name, struct shard *ret_shard, struct error *e)
{
    char head[FEATURE_HEAD_BYTES + 1] = {0};
    struct shard x = {.name = strdup(name), .fd = -1};
    char *path = file_join(r->folder, name);
    const char *shape;
    unsigned long long n_rows;
    unsigned values = 0;
    enum status s = STATUS_OK;

    if (strchr(name, '/'))
        s = error_set(e, STATUS_CORRUPT, "%s:%zu: '%.100s' is no shard", r->index_path, r->row.line, name);
    else if (!x.name || !path)
        s = error_no_memory(e);
    if (s == STATUS_OK && path) {
        x.fd = open(path, O_RDONLY | O_CLOEXEC);
        if (x.fd < 0)
            s = error_set_errno(e, errno, "%s", path);
    }
    if (s == STATUS_OK) {
        shape = pread(x.fd, head, FEATURE_HEAD_BYTES, 0) == FEATURE_HEAD_BYTES ? strstr(head + 10, "'shape': (") : NULL;
        if (!shape || sscanf(shape, "'shape': (%llu, %u, %u)", &n_rows, &x.steps, &values) != 3 || values != 2 ||
            x.steps == 0 || x.steps > MAX_STEPS)
            s = error_set(e, STATUS_CORRUPT, "%s: not an array of rows x frames x 2 float32", path);
    }
    free(path);
    if (s != STATUS_OK) {
        close_shard(&x);
        return s;
    }
    *ret_shard = x;
    return STATUS_OK;
}

static enum status find_shard(struct frame_reader *r, const char *name, const struct shard **ret_shard, struct error *e)
{
    size_t at = 0;
    struct shard opened = {.fd = -1};
    enum status s;

    while (at < r->n_shards && strcmp(r->shards[at].name, name) != 0)
        at++;
    if (at == r->n_shards) {
        s = open_shard(r, name, &opened, e);
        if (s != STATUS_OK)
            return s;
        if (r->n_shards < MAX_OPEN) {
            r->n_shards++;
        } else {
            at = r->next_out++ % MAX_OPEN;
            close_shard(&r->shards[at]);
        }
        r->shards[at] = opened;
    }
    *ret_shard = &r->shards[at];
    return STATUS_OK;
}

static enum status add(struct frame_reader *r, int64_t time_us, double p_fake, struct error *e)
{
    if (r->n == r->room) {
        size_t room = r->room ? 2 * r->room : 256;
        struct frame_score *bigger = reallocarray(r->frames, room, sizeof(*bigger));

        if (!bigger)
            return error_no_memory(e);
        r->frames = bigger;
        r->room = room;
    }
    r->frames[r->n++] = (struct frame_score){time_us, p_fake};
    return STATUS_OK;
}

/* The clip that the index is at. */
static enum status take_clip(struct frame_reader *r, int64_t *ret_span_us, struct error *e)
{
    const char *const *f = r->row.fields;
    const struct shard *shard = NULL;
    int64_t start_us = 0, end_us = 0;
    uint64_t row = 0;
    size_t bytes;
    enum status s;

    if (parse_i64(f[3], 0, INT64_MAX, &start_us) != STATUS_OK ||
        parse_i64(f[4], start_us, INT64_MAX, &end_us) != STATUS_OK ||
        parse_u64(f[6], 0, INT64_MAX / MAX_STEPS / 8, &row) != STATUS_OK)
        return error_set(e, STATUS_CORRUPT, "%s:%zu: start_us, end_us and row must be whole numbers", r->index_path,
                         r->row.line);
    s = find_shard(r, f[5], &shard, e);
    if (s != STATUS_OK)
        return s;
    bytes = (size_t)shard->steps * 2 * sizeof(*r->values);
    if (pread(shard->fd, r->values, bytes, (off_t)(FEATURE_HEAD_BYTES + row * bytes)) != (ssize_t)bytes)
        return error_set(e, STATUS_CORRUPT, "%s/%s: has no row %llu, which %s:%zu names", r->folder, shard->name,
                         (unsigned long long)row, r->index_path, r->row.line);
    for (unsigned t = 0; s == STATUS_OK && t < shard->steps; t++) {
        double since_s = (double)r->values[2 * t], p = (double)r->values[2 * t + 1];

        /* NaN passes neither test. */
        if (since_s >= 0 && since_s < 1e9 && p >= 0 && p <= 1)
            s = add(r, start_us + (int64_t)llround(since_s * 1e6), p, e);
    }
    if (end_us - start_us > *ret_span_us)
        *ret_span_us = end_us - start_us;
    return s;
}

static int by_time(const void *left, const void *right)
{
    const struct frame_score *a = left, *b = right;

    if (a->time_us != b->time_us)
        return a->time_us < b->time_us ? -1 : 1;
    return (a->p_fake > b->p_fake) - (a->p_fake < b->p_fake);
}

/* span_us: of the longest clip, whose times are the least exact. */
static void join_same(struct frame_reader *r, int64_t span_us)
{
    int64_t apart_us = LEAST_APART_US + span_us / 4000000;
    size_t n = 0;

    if (r->n > 1)
        qsort(r->frames, r->n, sizeof(*r->frames), by_time);
    for (size_t i = 0; i < r->n; i++) {
        if (n > 0 && r->frames[i].time_us - r->frames[n - 1].time_us < apart_us)
            r->frames[n - 1].p_fake = fmax(r->frames[n - 1].p_fake, r->frames[i].p_fake);
        else
            r->frames[n++] = r->frames[i];
    }
    r->n = n;
}

enum status frame_reader_next(struct frame_reader *r, const char *path, const struct frame_score **ret_frames,
                              size_t *ret_n, struct error *e)
{
    int64_t span_us = 0;
    enum status s = STATUS_OK;

    r->n = 0;
    while (s == STATUS_OK && r->has_row) {
        int order = strcmp(r->row.fields[0], path);

        if (order > 0)
            break;
        if (order == 0)
            s = take_clip(r, &span_us, e);
        if (s == STATUS_OK)
            s = advance(r, e);
    }
    if (s != STATUS_OK)
        return s;
    join_same(r, span_us);
    *ret_frames = r->frames;
    *ret_n = r->n;
    return STATUS_OK;
}
