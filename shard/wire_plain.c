/* A record as result_pack writes it, read in one pass over its bytes and without an allocation. */
#include "shard/wire.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#include "shard/wire_internal.h"

/* The kinds of field that occur (protocol buffers' wire types). */
enum { VARINT = 0, FIXED64 = 1, BYTES = 2 };

/* What is left of a message. A field number that does not rise is refused, so every field stands there once. */
struct cursor {
    const uint8_t *at, *end;
    uint32_t last_field;
};

struct bytes {
    const uint8_t *data;
    size_t len;
};

/* Nine bytes at the most: longer ones are left to the other reader. */
static inline bool take_varint(struct cursor *c, uint64_t *ret_v)
{
    const uint8_t *p = c->at;
    uint64_t v = 0;

    for (unsigned shift = 0; p < c->end && shift < 63; shift += 7) {
        uint8_t byte = *p++;

        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            c->at = p;
            *ret_v = v;
            return true;
        }
    }
    return false;
}

/* Five bytes at the most, and no more than fits: what others cut off is theirs to cut off. */
static inline bool take_u32(struct cursor *c, uint32_t *ret_v)
{
    const uint8_t *start = c->at;
    uint64_t v;

    if (!take_varint(c, &v) || c->at - start > 5 || v > UINT32_MAX)
        return false;
    *ret_v = (uint32_t)v;
    return true;
}

static inline int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ -(v & 1));
}

static inline bool take_i64(struct cursor *c, int64_t *ret_v)
{
    uint64_t v;

    if (!take_varint(c, &v))
        return false;
    *ret_v = unzigzag(v);
    return true;
}

/* A number that is kept as a signed one; 63 bits always fit. */
static inline bool take_positive(struct cursor *c, int64_t *ret_v)
{
    uint64_t v;

    if (!take_varint(c, &v))
        return false;
    *ret_v = (int64_t)v;
    return true;
}

static inline bool take_double(struct cursor *c, double *ret_v)
{
    uint64_t v;

    if ((size_t)(c->end - c->at) < sizeof(v))
        return false;
    memcpy(&v, c->at, sizeof(v));
    v = le64toh(v);
    memcpy(ret_v, &v, sizeof(v));
    c->at += sizeof(v);
    return true;
}

static inline bool take_bytes(struct cursor *c, struct bytes *ret_b)
{
    uint64_t len;

    if (!take_varint(c, &len) || len > (size_t)(c->end - c->at))
        return false;
    *ret_b = (struct bytes){.data = c->at, .len = (size_t)len};
    c->at += len;
    return true;
}

static inline bool take_tag(struct cursor *c, uint32_t *ret_field, uint32_t *ret_kind)
{
    uint32_t tag;

    if (!take_u32(c, &tag) || tag >> 3 <= c->last_field)
        return false;
    *ret_field = c->last_field = tag >> 3;
    *ret_kind = tag & 7;
    return true;
}

static bool is_text(const struct bytes *b, size_t room)
{
    return b->len < room && (b->len == 0 || !memchr(b->data, '\0', b->len));
}

static inline bool take_text(struct cursor *c, char *array, size_t room)
{
    struct bytes b;

    if (!take_bytes(c, &b) || !is_text(&b, room))
        return false;
    memcpy(array, b.data, b.len);
    array[b.len] = '\0';
    return true;
}

/* Into the room, which becomes smaller. */
static bool keep_text(struct wire_room *room, const struct bytes *b, char **ret_text)
{
    if (!is_text(b, room->text_bytes))
        return false;
    memcpy(room->text, b->data, b->len);
    room->text[b->len] = '\0';
    *ret_text = room->text;
    room->text += b->len + 1;
    room->text_bytes -= b->len + 1;
    return true;
}

/* Checked, and left where they are. */
static bool prints_ok(const struct bytes *b)
{
    struct cursor c = {.at = b->data, .end = b->data + b->len};
    struct stream_extras unused;
    struct bytes frames = {0};
    uint32_t field, kind, silence_ms = 0, turns = 0;

    while (c.at < c.end) {
        bool ok = take_tag(&c, &field, &kind);

        if (!ok)
            return false;
        if (field == 1 && kind == BYTES)
            ok = take_text(&c, unused.audio_codec, sizeof(unused.audio_codec));
        else if (field == 3 && kind == VARINT)
            ok = take_i64(&c, &unused.audio_start_us);
        else if ((field == 2 || field == 4 || field == 5) && kind == VARINT)
            ok = take_u32(&c, &unused.audio_rate_hz);
        else if ((field == 7 || field == 8) && kind == VARINT)
            ok = take_u32(&c, field == 7 ? &silence_ms : &turns);
        else
            ok = field == 6 && kind == BYTES && take_bytes(&c, &frames);
        if (!ok)
            return false;
    }
    return wire_turned_and_silent(turns, silence_ms) && wire_prints_sound(frames.data, frames.len);
}

static bool take_facts(const struct bytes *b, struct wire_room *room, struct result *r)
{
    struct cursor c = {.at = b->data, .end = b->data + b->len};
    struct video_facts *f = &r->facts;
    struct bytes inner;
    uint32_t field, kind, rotation;
    bool ok = true;

    while (ok && c.at < c.end) {
        if (!take_tag(&c, &field, &kind))
            return false;
        switch (field << 3 | kind) {
        case 1 << 3 | BYTES:
            ok = take_text(&c, f->container, sizeof(f->container));
            break;
        case 2 << 3 | BYTES:
            ok = take_text(&c, f->codec, sizeof(f->codec));
            break;
        case 3 << 3 | BYTES:
            ok = take_text(&c, f->pixel_format, sizeof(f->pixel_format));
            break;
        case 4 << 3 | BYTES:
            ok = take_text(&c, f->encoder, sizeof(f->encoder));
            break;
        case 5 << 3 | VARINT:
            ok = take_u32(&c, &f->width_px);
            break;
        case 6 << 3 | VARINT:
            ok = take_u32(&c, &f->height_px);
            break;
        case 7 << 3 | VARINT:
            ok = take_u32(&c, &rotation) && rotation <= 270;
            f->rotation_deg = ok ? (int32_t)rotation : 0;
            break;
        case 8 << 3 | VARINT:
            ok = take_u32(&c, &f->fps_num);
            break;
        case 9 << 3 | VARINT:
            ok = take_u32(&c, &f->fps_den);
            break;
        case 10 << 3 | VARINT:
            ok = take_positive(&c, &f->duration_us);
            break;
        case 11 << 3 | VARINT:
            ok = take_positive(&c, &f->n_frames);
            break;
        case 12 << 3 | VARINT:
            ok = take_positive(&c, &f->bit_rate_bps);
            break;
        case 13 << 3 | VARINT:
            ok = take_u32(&c, &f->n_video_streams);
            break;
        case 14 << 3 | VARINT:
            ok = take_u32(&c, &f->n_audio_streams);
            break;
        case 30 << 3 | BYTES:
            ok = take_bytes(&c, &inner) && keep_text(room, &inner, &r->content);
            break;
        case 40 << 3 | VARINT:
            ok = take_varint(&c, &r->offset_bytes);
            break;
        case 41 << 3 | BYTES:
            ok = take_bytes(&c, &inner) && prints_ok(&inner);
            break;
        default:
            return false;
        }
    }
    return ok;
}

/* One column of the clips; all have the length of the first. */
static bool take_column(const struct bytes *b, uint32_t field, struct wire_room *room, struct result *r)
{
    struct cursor c = {.at = b->data, .end = b->data + b->len};
    size_t n = 0;

    for (; c.at < c.end; n++) {
        struct clip_score *clip = &room->clips[n];
        bool ok;

        if (n == (field == 12 ? room->n_clips : r->n_clips))
            return false;
        if (field == 12) {
            clip->source = 0;
            ok = take_u32(&c, &clip->track);
        } else if (field == 13) {
            ok = take_u32(&c, &clip->clip);
        } else if (field == 14) {
            ok = take_i64(&c, &clip->start_us);
        } else if (field == 15) {
            ok = take_i64(&c, &clip->end_us);
        } else if (field == 16) {
            ok = take_u32(&c, &clip->n_frames);
        } else {
            ok = take_double(&c, &clip->p_fake);
        }
        if (!ok)
            return false;
    }
    if (field == 12)
        r->n_clips = n;
    return n == r->n_clips;
}

/* Everything but prints, which is most of it and nobody looks at. */
static void clear(struct result *r)
{
    struct video_facts *f = &r->facts;

    r->path = r->content = NULL;
    r->size_bytes = r->offset_bytes = 0;
    r->mtime_ns = 0;
    r->outcome = OUTCOME_UNDECIDED;
    r->p_fake = NAN;
    r->message[0] = '\0';
    f->container[0] = f->codec[0] = f->pixel_format[0] = f->encoder[0] = '\0';
    f->width_px = f->height_px = f->fps_num = f->fps_den = f->n_video_streams = f->n_audio_streams = 0;
    f->rotation_deg = 0;
    f->duration_us = f->n_frames = f->bit_rate_bps = 0;
    r->n_frames_wanted = r->n_frames_decoded = r->n_frames_with_face = r->n_tracks = 0;
    r->clips = NULL;
    r->n_clips = 0;
    r->segment = NULL;
    r->extras = (struct stream_extras){0};
    r->n_prints = 0;
    r->members = NULL;
    r->n_members = 0;
    r->attempt = r->rank = 0;
    r->wall_us = r->decode_us = r->face_us = r->network_us = 0;
}

static void blank_controls(char *message)
{
    for (char *p = message; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
}

static bool take_field(struct cursor *c, uint32_t field, uint32_t kind, struct wire_room *room, struct result *r)
{
    struct bytes inner;
    uint32_t number;

    switch (field << 3 | kind) {
    case 1 << 3 | BYTES:
        return take_bytes(c, &inner) && keep_text(room, &inner, &r->path);
    case 2 << 3 | VARINT:
        return take_varint(c, &r->size_bytes);
    case 3 << 3 | VARINT:
        return take_i64(c, &r->mtime_ns);
    case 4 << 3 | VARINT:
        if (!take_u32(c, &number) || number >= OUTCOME_COUNT)
            return false;
        r->outcome = (enum outcome)number;
        return true;
    case 5 << 3 | FIXED64:
        return take_double(c, &r->p_fake) && r->p_fake >= 0 && r->p_fake <= 1;
    case 6 << 3 | BYTES:
        if (!take_text(c, r->message, sizeof(r->message)))
            return false;
        blank_controls(r->message);
        return true;
    case 7 << 3 | BYTES:
        return take_bytes(c, &inner) && take_facts(&inner, room, r);
    case 8 << 3 | VARINT:
        return take_u32(c, &r->n_frames_wanted);
    case 9 << 3 | VARINT:
        return take_u32(c, &r->n_frames_decoded);
    case 10 << 3 | VARINT:
        return take_u32(c, &r->n_frames_with_face);
    case 11 << 3 | VARINT:
        return take_u32(c, &r->n_tracks);
    case 12 << 3 | BYTES:
    case 13 << 3 | BYTES:
    case 14 << 3 | BYTES:
    case 15 << 3 | BYTES:
    case 16 << 3 | BYTES:
    case 17 << 3 | BYTES:
        return take_bytes(c, &inner) && take_column(&inner, field, room, r);
    case 18 << 3 | VARINT:
        return take_u32(c, &r->attempt);
    case 19 << 3 | VARINT:
        return take_u32(c, &r->rank);
    case 20 << 3 | VARINT:
        return take_positive(c, &r->wall_us);
    case 21 << 3 | VARINT:
        return take_positive(c, &r->decode_us);
    case 22 << 3 | VARINT:
        return take_positive(c, &r->face_us);
    case 23 << 3 | VARINT:
        return take_positive(c, &r->network_us);
    case 25 << 3 | VARINT:
        return take_u32(c, &number) && number == 0;
    default:
        return false;
    }
}

enum status result_unpack_plain(const uint8_t *data, size_t len_bytes, struct wire_room *room, struct result *ret_r)
{
    /* What must be there; and of the clips all columns or none. */
    const uint32_t required = 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 7 | 1u << 23 | 1u << 25;
    const uint32_t columns = 1u << 12 | 1u << 13 | 1u << 14 | 1u << 15 | 1u << 16 | 1u << 17;
    struct cursor c = {.at = data, .end = data + len_bytes};
    struct wire_room left = *room;
    uint32_t field, kind, seen = 0;

    if (len_bytes > WIRE_MAX_BYTES)
        return STATUS_AGAIN;
    clear(ret_r);
    while (c.at < c.end) {
        if (!take_tag(&c, &field, &kind) || field > 25 || !take_field(&c, field, kind, &left, ret_r))
            return STATUS_AGAIN;
        seen |= 1u << field;
    }
    if ((seen & required) != required || ((seen & columns) != 0 && (seen & columns) != columns))
        return STATUS_AGAIN;
    if (ret_r->n_clips > 0) {
        ret_r->clips = left.clips;
        left.clips += ret_r->n_clips;
        left.n_clips -= ret_r->n_clips;
    }
    if (!wire_result_ok(ret_r))
        return STATUS_AGAIN;
    *room = left;
    return STATUS_OK;
}
