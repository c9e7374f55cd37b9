#include "nodes/finds.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/crop_jpeg.h"
#include "nodes/image.h"
#include "nodes/passing.h"

enum { PACKET_MAGIC = 0x444e4946 }; /* "FIND"; no packed result begins so */

/* Every packet: this, then bytes of the find from offset on. */
struct packet {
    uint32_t magic, kind, track, clip, number, width, height, n_dropped;
    int64_t start_us, end_us;
    uint64_t len_bytes, offset;
};

void finds_clear(struct finds *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->list[i].data);
    free(f->list);
    *f = (struct finds){0};
}

/* Appends one with room for its data, zeroed. *ret_find is NULL where it would be too much. */
static enum status add(struct finds *f, const struct find *like, struct find **ret_find)
{
    struct find *added;

    *ret_find = NULL;
    if (like->len_bytes > FINDS_MAX_BYTES - f->bytes) {
        f->n_dropped++;
        return STATUS_OK;
    }
    if (f->n == f->room) {
        size_t room = f->room ? 2 * f->room : 16;
        struct find *bigger = realloc(f->list, room * sizeof(*bigger));

        if (!bigger)
            return STATUS_NO_MEMORY;
        f->list = bigger;
        f->room = room;
    }
    added = &f->list[f->n];
    *added = *like;
    added->data = calloc(1, like->len_bytes + 1);
    if (!added->data)
        return STATUS_NO_MEMORY;
    f->n++;
    f->bytes += like->len_bytes;
    f->n_crops += like->kind == FIND_CROP;
    *ret_find = added;
    return STATUS_OK;
}

static unsigned shrunk(unsigned side_px, unsigned longer_px)
{
    unsigned px = (unsigned)((uint64_t)side_px * FINDS_MAX_SIDE_PX / longer_px);

    return px > 0 ? px : 1;
}

static enum status add_crop(struct finds *f, const struct finds_patches *p, unsigned patch, unsigned number)
{
    const struct image whole = {p->rgb_hwc + (size_t)patch * p->width_px * p->height_px * 3, p->width_px, p->height_px,
                                3 * (size_t)p->width_px, NULL};
    unsigned longer = p->width_px > p->height_px ? p->width_px : p->height_px;
    struct find crop = {.kind = FIND_CROP,
                        .source = p->source,
                        .number = number,
                        .width = p->width_px,
                        .height = p->height_px,
                        .start_us = p->times_us[patch],
                        .end_us = p->times_us[patch]};
    struct find *added;
    enum status s;

    if (longer > FINDS_MAX_SIDE_PX) {
        crop.width = shrunk(p->width_px, longer);
        crop.height = shrunk(p->height_px, longer);
    }
    crop.len_bytes = (size_t)crop.width * crop.height * 3;
    s = add(f, &crop, &added);
    if (s == STATUS_OK && added)
        image_resize(&whole, added->data, crop.width, crop.height);
    return s;
}

enum status finds_add_crops(struct finds *f, const struct finds_patches *p, unsigned n)
{
    unsigned n_shown = 0, seen = 0, number = 0;
    enum status s = STATUS_OK;

    for (unsigned i = 0; i < p->n; i++)
        n_shown += p->times_us[i] >= 0;
    if (n > n_shown)
        n = n_shown;
    for (unsigned i = 0; s == STATUS_OK && i < p->n && number < n && f->n_crops < FINDS_MAX_CROPS; i++) {
        if (p->times_us[i] < 0)
            continue;
        /* The middle of the number-th of n parts of those that show the face. */
        if (seen++ == (2 * number + 1) * n_shown / (2 * n))
            s = add_crop(f, p, i, number++);
    }
    return s;
}

enum status finds_add_values(struct finds *f, enum find_kind kind, uint32_t source, unsigned rows, unsigned width,
                             float **ret_values)
{
    const struct find like = {.kind = kind,
                              .source = source,
                              .width = width,
                              .height = rows,
                              .len_bytes = (size_t)rows * width * sizeof(float)};
    struct find *added;
    enum status s = add(f, &like, &added);

    *ret_values = s == STATUS_OK && added ? (float *)(void *)added->data : NULL;
    return s;
}

static int in_order(const void *a, const void *b)
{
    const struct find *x = a, *y = b;

    if (x->track != y->track)
        return x->track < y->track ? -1 : 1;
    if (x->clip != y->clip)
        return x->clip < y->clip ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static const struct clip_score *score_of(const struct result *r, uint32_t source)
{
    for (size_t i = 0; i < r->n_clips; i++) {
        if (r->clips[i].source == source)
            return &r->clips[i];
    }
    return NULL;
}

static void drop(struct finds *f, size_t i)
{
    f->bytes -= f->list[i].len_bytes;
    f->n_crops -= f->list[i].kind == FIND_CROP;
    free(f->list[i].data);
    memmove(&f->list[i], &f->list[i + 1], (f->n - i - 1) * sizeof(*f->list));
    f->n--;
}

void finds_settle(struct finds *f, const struct result *r)
{
    size_t i = 0;

    while (i < f->n) {
        struct find *find = &f->list[i];
        const struct clip_score *clip = score_of(r, find->source);

        if (!clip) {
            drop(f, i);
            continue;
        }
        find->track = clip->track;
        find->clip = clip->clip;
        if (find->kind != FIND_CROP) {
            find->start_us = clip->start_us;
            find->end_us = clip->end_us;
        }
        i++;
    }
    if (f->n > 1)
        qsort(f->list, f->n, sizeof(*f->list), in_order);
}

enum status finds_send(const struct finds *f, int socket_fd)
{
    enum { ROOM = FINDS_PACKET_BYTES - sizeof(struct packet) };
    uint8_t *buffer = f->n > 0 ? malloc(FINDS_PACKET_BYTES) : NULL;
    enum status s = STATUS_OK;

    if (f->n > 0 && !buffer)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; s == STATUS_OK && i < f->n; i++) {
        const struct find *find = &f->list[i];
        struct packet head = {.magic = PACKET_MAGIC,
                              .kind = find->kind,
                              .track = find->track,
                              .clip = find->clip,
                              .number = find->number,
                              .width = find->width,
                              .height = find->height,
                              .n_dropped = (uint32_t)f->n_dropped,
                              .start_us = find->start_us,
                              .end_us = find->end_us,
                              .len_bytes = find->len_bytes};

        for (; s == STATUS_OK && head.offset < head.len_bytes; head.offset += ROOM) {
            size_t len = head.len_bytes - head.offset < ROOM ? (size_t)(head.len_bytes - head.offset) : ROOM;

            memcpy(buffer, &head, sizeof(head));
            memcpy(buffer + sizeof(head), find->data + head.offset, len);
            s = passing_send(socket_fd, buffer, sizeof(head) + len, NULL, 0);
        }
    }
    free(buffer);
    return s;
}

bool finds_is_packet(const uint8_t *data, size_t len_bytes)
{
    uint32_t magic;

    if (len_bytes < sizeof(magic))
        return false;
    memcpy(&magic, data, sizeof(magic));
    return magic == PACKET_MAGIC;
}

static bool is_proper(const struct packet *p)
{
    uint64_t values = (uint64_t)p->width * p->height;

    if (p->width == 0 || p->height == 0 || p->start_us < 0 || p->end_us < p->start_us)
        return false;
    if (p->kind == FIND_CROP)
        return p->width <= FINDS_MAX_SIDE_PX && p->height <= FINDS_MAX_SIDE_PX && p->len_bytes == 3 * values;
    return (p->kind == FIND_FEATURES || (p->kind == FIND_FRAMES && p->width == 2)) &&
           values <= FINDS_MAX_BYTES / sizeof(float) && p->len_bytes == sizeof(float) * values;
}

enum status finds_take(struct finds *f, const uint8_t *data, size_t len_bytes)
{
    struct packet head;
    struct find *find = f->n > 0 ? &f->list[f->n - 1] : NULL;
    size_t n;

    if (len_bytes <= sizeof(head))
        return STATUS_CORRUPT;
    memcpy(&head, data, sizeof(head));
    n = len_bytes - sizeof(head);
    if (head.magic != PACKET_MAGIC || !is_proper(&head) || head.offset > head.len_bytes ||
        n > head.len_bytes - head.offset)
        return STATUS_CORRUPT;
    if (head.offset == 0) {
        const struct find like = {.kind = (enum find_kind)head.kind,
                                  .track = head.track,
                                  .clip = head.clip,
                                  .number = head.number,
                                  .start_us = head.start_us,
                                  .end_us = head.end_us,
                                  .width = head.width,
                                  .height = head.height,
                                  .len_bytes = (size_t)head.len_bytes};

        if ((find && f->received != find->len_bytes) || f->n >= FINDS_MAX_CROPS + 2 * RESULT_MAX_CLIPS ||
            f->n_crops >= FINDS_MAX_CROPS + (head.kind != FIND_CROP))
            return STATUS_CORRUPT;
        if (add(f, &like, &find) != STATUS_OK)
            return STATUS_NO_MEMORY;
        f->received = 0;
    }
    if (!find || find->len_bytes != head.len_bytes || f->received != head.offset)
        return STATUS_CORRUPT;
    f->n_dropped = head.n_dropped;
    memcpy(find->data + head.offset, data + sizeof(head), n);
    f->received += n;
    return STATUS_OK;
}

static bool is_of(const struct find *find, const struct result *r)
{
    for (size_t i = 0; i < r->n_clips; i++) {
        if (r->clips[i].track == find->track && r->clips[i].clip == find->clip)
            return true;
    }
    return false;
}

void finds_match(struct finds *f, const struct result *r)
{
    size_t i = 0;

    if (f->n > 0 && f->received != f->list[f->n - 1].len_bytes)
        drop(f, f->n - 1);
    while (i < f->n) {
        if (is_of(&f->list[i], r) && (i == 0 || in_order(&f->list[i - 1], &f->list[i]) < 0))
            i++;
        else
            drop(f, i);
    }
}

enum status finds_encode(struct finds *f, struct error *e)
{
    for (size_t i = 0; i < f->n; i++) {
        struct find *find = &f->list[i];
        uint8_t *jpeg = NULL;
        size_t len = 0;
        enum status s;

        if (find->kind != FIND_CROP)
            continue;
        s = crop_jpeg(find->data, find->width, find->height, &jpeg, &len, e);
        if (s != STATUS_OK)
            return s;
        f->bytes += len;
        f->bytes -= find->len_bytes;
        free(find->data);
        find->data = jpeg;
        find->len_bytes = len;
    }
    return STATUS_OK;
}
