#include "shard/wire.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shard/members.h"
#include "shard/segment.h"
#include "shard/wire_internal.h"
#include "wire.pb-c.h"

/* How many of the fields that only some kinds carry a kind has. */
enum {
    HAS_TEXT = 1 << 0,
    HAS_UNIT = 1 << 1, /* unit and lease */
    HAS_OUTCOME = 1 << 2,
};

static const unsigned kind_fields[MESSAGE_KIND_COUNT] = {
    [MESSAGE_HELLO] = HAS_TEXT,
    [MESSAGE_LEASE] = HAS_TEXT | HAS_UNIT,
    [MESSAGE_RESULT] = HAS_UNIT | HAS_OUTCOME,
    [MESSAGE_FAILED] = HAS_TEXT | HAS_UNIT | HAS_OUTCOME,
    [MESSAGE_STOP] = HAS_TEXT,
    [MESSAGE_WELCOME] = HAS_TEXT,
};

enum { CONTENT_BYTES = SHA256_HEX_BYTES - 1 };

static bool outcome_decided(uint32_t o)
{
    return o > OUTCOME_UNDECIDED && o < OUTCOME_COUNT;
}

/* False for NaN also. */
static bool is_probability(double p)
{
    return p >= 0.0 && p <= 1.0;
}

/* The generated code never writes through data, though its struct has no const. */
static ProtobufCBinaryData bytes_of(const char *string, size_t len_bytes)
{
    return (ProtobufCBinaryData){.len = len_bytes, .data = (uint8_t *)(uintptr_t)string};
}

static bool bytes_are_text(const ProtobufCBinaryData *b, size_t max_bytes)
{
    return b->len <= max_bytes && (b->len == 0 || !memchr(b->data, '\0', b->len));
}

/* NULL when out of memory. */
static char *bytes_to_string(const ProtobufCBinaryData *b)
{
    char *string = malloc(b->len + 1);

    if (!string)
        return NULL;
    if (b->len > 0)
        memcpy(string, b->data, b->len);
    string[b->len] = '\0';
    return string;
}

/* Into an array of room bytes that is zeroed. */
bool wire_bytes_into(const ProtobufCBinaryData *b, char *array, size_t room)
{
    if (!bytes_are_text(b, room - 1))
        return false;
    if (b->len > 0)
        memcpy(array, b->data, b->len);
    return true;
}

/* Tells an unpacking that ran out of memory from one of bad bytes: a journal must not take the first for a
 * torn tail. */
enum { WATCH_ROOM_BYTES = 8192, WATCH_ALIGNMENT = 16 };

struct watch {
    bool failed;
    size_t used_bytes;
    _Alignas(WATCH_ALIGNMENT) uint8_t room[WATCH_ROOM_BYTES]; /* for what fits: a report unpacks ten million records */
};

static void *watched_alloc(void *context, size_t size)
{
    struct watch *watch = context;
    size_t rounded = (size + WATCH_ALIGNMENT - 1) & ~(size_t)(WATCH_ALIGNMENT - 1);
    void *p;

    if (size <= WATCH_ROOM_BYTES && rounded <= WATCH_ROOM_BYTES - watch->used_bytes) {
        p = watch->room + watch->used_bytes;
        watch->used_bytes += rounded;
        return p;
    }
    p = malloc(size);
    if (!p)
        watch->failed = true;
    return p;
}

static void watched_free(void *context, void *p)
{
    const struct watch *watch = context;

    if ((uintptr_t)p - (uintptr_t)watch->room >= WATCH_ROOM_BYTES)
        free(p);
}

static ProtobufCAllocator watched(struct watch *watch)
{
    watch->failed = false;
    watch->used_bytes = 0;
    return (ProtobufCAllocator){.alloc = watched_alloc, .free = watched_free, .allocator_data = watch};
}

static enum status pack(const ProtobufCMessage *w, uint8_t **ret_data, size_t *ret_len_bytes)
{
    size_t len = protobuf_c_message_get_packed_size(w);
    uint8_t *data;

    if (len > WIRE_MAX_BYTES)
        return STATUS_INVALID;
    data = malloc(len > 0 ? len : 1);
    if (!data)
        return STATUS_NO_MEMORY;
    protobuf_c_message_pack(w, data);
    *ret_data = data;
    *ret_len_bytes = len;
    return STATUS_OK;
}

void message_clear(struct message *m)
{
    free(m->text);
    free(m->content);
    *m = (struct message){0};
}

static bool content_ok(const char *content)
{
    return !content || (strlen(content) == CONTENT_BYTES && strspn(content, "0123456789abcdef") == CONTENT_BYTES);
}

/* A lease's place in an archive, which is a part of its path before a slash. */
static bool place_ok(const struct message *m, size_t path_len)
{
    if (m->archive_bytes == 0)
        return m->offset_bytes == 0;
    return m->archive_bytes < path_len && m->text[m->archive_bytes] == '/' && m->offset_bytes <= INT64_MAX &&
           m->size_bytes <= INT64_MAX - m->offset_bytes;
}

static bool message_ok(const struct message *m)
{
    unsigned fields;
    size_t text_len = m->text ? strnlen(m->text, WIRE_MAX_TEXT_BYTES + 1) : 0;

    if (m->kind < MESSAGE_HELLO || m->kind >= MESSAGE_KIND_COUNT)
        return false;
    fields = kind_fields[m->kind];
    if ((fields & HAS_TEXT) && text_len > WIRE_MAX_TEXT_BYTES)
        return false;
    if (!memchr(m->fingerprint, '\0', sizeof(m->fingerprint)))
        return false;
    if ((fields & HAS_UNIT) && m->lease == 0)
        return false;
    if ((fields & HAS_OUTCOME) && !outcome_decided(m->outcome))
        return false;
    if (m->kind == MESSAGE_LEASE &&
        (text_len == 0 || m->attempt == 0 || !content_ok(m->content) || m->n_segments > SEGMENT_MAX_COUNT ||
         (m->n_segments == 0 ? m->segment != 0 : m->segment >= m->n_segments) || !place_ok(m, text_len)))
        return false;
    return m->kind != MESSAGE_RESULT || (m->wall_us >= 0 && m->segment_state <= SEGMENT_FAILED);
}

enum status message_pack(const struct message *m, uint8_t **ret_data, size_t *ret_len_bytes)
{
    Fakesift__Wire__Message w = FAKESIFT__WIRE__MESSAGE__INIT;
    unsigned fields;

    if (!message_ok(m))
        return STATUS_INVALID;
    fields = kind_fields[m->kind];
    w.kind = m->kind;
    if (fields & HAS_TEXT) {
        const char *text = m->text ? m->text : "";

        w.has_text = 1;
        w.text = bytes_of(text, strlen(text));
    }
    if (fields & HAS_UNIT) {
        w.has_unit = w.has_lease = 1;
        w.unit = m->unit;
        w.lease = m->lease;
    }
    if (fields & HAS_OUTCOME) {
        w.has_outcome = 1;
        w.outcome = m->outcome;
    }
    switch (m->kind) {
    case MESSAGE_HELLO:
        w.has_n_lanes = w.has_fingerprint = 1;
        w.n_lanes = m->n_lanes;
        w.fingerprint = bytes_of(m->fingerprint, strlen(m->fingerprint));
        break;
    case MESSAGE_LEASE:
        w.has_attempt = w.has_last_attempt = w.has_size_bytes = w.has_mtime_ns = 1;
        w.attempt = m->attempt;
        w.last_attempt = m->last_attempt;
        w.size_bytes = m->size_bytes;
        w.mtime_ns = m->mtime_ns;
        w.has_segment = w.has_n_segments = 1;
        w.segment = m->segment;
        w.n_segments = m->n_segments;
        w.has_archive_bytes = w.has_offset_bytes = 1;
        w.archive_bytes = m->archive_bytes;
        w.offset_bytes = m->offset_bytes;
        w.has_content = 1; /* also when it is empty: what is cut off must be missed */
        w.content = bytes_of(m->content ? m->content : "", m->content ? CONTENT_BYTES : 0);
        break;
    case MESSAGE_RESULT:
        w.has_wall_us = w.has_n_frames = 1;
        w.wall_us = m->wall_us;
        w.n_frames = m->n_frames;
        w.has_segment_state = 1;
        w.segment_state = m->segment_state;
        break;
    case MESSAGE_STOP:
        w.has_drain = 1;
        w.drain = m->drain;
        break;
    default:
        break;
    }
    return pack(&w.base, ret_data, ret_len_bytes);
}

/* Whether every field that the kind must carry is there. */
static bool message_complete(const Fakesift__Wire__Message *w)
{
    unsigned fields;

    if (w->kind < MESSAGE_HELLO || w->kind >= MESSAGE_KIND_COUNT)
        return false;
    fields = kind_fields[w->kind];
    if ((fields & HAS_TEXT) && (!w->has_text || !bytes_are_text(&w->text, WIRE_MAX_TEXT_BYTES)))
        return false;
    if ((fields & HAS_UNIT) && (!w->has_unit || !w->has_lease))
        return false;
    if ((fields & HAS_OUTCOME) && (!w->has_outcome || !outcome_decided(w->outcome)))
        return false;
    switch ((enum message_kind)w->kind) {
    case MESSAGE_HELLO:
        return w->has_n_lanes && w->has_fingerprint && bytes_are_text(&w->fingerprint, SHA256_HEX_BYTES - 1);
    case MESSAGE_LEASE:
        return w->has_attempt && w->has_last_attempt && w->has_size_bytes && w->has_mtime_ns && w->has_segment &&
               w->has_n_segments && w->has_content && bytes_are_text(&w->content, CONTENT_BYTES) &&
               w->has_archive_bytes && w->has_offset_bytes;
    case MESSAGE_RESULT:
        return w->has_wall_us && w->has_n_frames && w->has_segment_state;
    case MESSAGE_STOP:
        return w->has_drain;
    default:
        return true;
    }
}

enum status message_unpack(const uint8_t *data, size_t len_bytes, struct message *ret_m)
{
    enum status s = STATUS_CORRUPT;
    struct message m = {0};
    unsigned fields;
    struct watch watch;
    ProtobufCAllocator allocator = watched(&watch);
    Fakesift__Wire__Message *w;

    if (len_bytes > WIRE_MAX_BYTES)
        return STATUS_CORRUPT;
    w = fakesift__wire__message__unpack(&allocator, len_bytes, data);
    if (!w)
        return watch.failed ? STATUS_NO_MEMORY : STATUS_CORRUPT;
    if (!message_complete(w))
        goto end;
    fields = kind_fields[w->kind];
    m.kind = (enum message_kind)w->kind;
    if (fields & HAS_TEXT) {
        m.text = bytes_to_string(&w->text);
        if (!m.text) {
            s = STATUS_NO_MEMORY;
            goto end;
        }
    }
    if (fields & HAS_UNIT) {
        m.unit = w->unit;
        m.lease = w->lease;
    }
    if (fields & HAS_OUTCOME)
        m.outcome = (enum outcome)w->outcome;
    switch (m.kind) {
    case MESSAGE_HELLO:
        m.n_lanes = w->n_lanes;
        wire_bytes_into(&w->fingerprint, m.fingerprint, sizeof(m.fingerprint));
        break;
    case MESSAGE_LEASE:
        m.attempt = w->attempt;
        m.last_attempt = w->last_attempt != 0;
        m.size_bytes = w->size_bytes;
        m.mtime_ns = w->mtime_ns;
        m.archive_bytes = w->archive_bytes;
        m.offset_bytes = w->offset_bytes;
        m.segment = w->segment;
        m.n_segments = w->n_segments;
        if (w->content.len > 0) {
            m.content = bytes_to_string(&w->content);
            if (!m.content) {
                s = STATUS_NO_MEMORY;
                goto end;
            }
        }
        break;
    case MESSAGE_RESULT:
        m.wall_us = w->wall_us;
        m.n_frames = w->n_frames;
        m.segment_state = w->segment_state;
        break;
    case MESSAGE_STOP:
        m.drain = w->drain != 0;
        break;
    default:
        break;
    }
    if (message_ok(&m)) {
        *ret_m = m;
        m = (struct message){0};
        s = STATUS_OK;
    }
end:
    message_clear(&m);
    fakesift__wire__message__free_unpacked(w, &allocator);
    return s;
}

static bool clips_ok(const struct result *r)
{
    if (r->n_clips > RESULT_MAX_CLIPS || (r->n_clips > 0 && !r->clips))
        return false;
    for (size_t i = 0; i < r->n_clips; i++) {
        const struct clip_score *c = &r->clips[i];

        if (c->track >= r->n_tracks || c->start_us > c->end_us || !is_probability(c->p_fake))
            return false;
        if (i > 0 && (c->track < c[-1].track || (c->track == c[-1].track && c->clip <= c[-1].clip)))
            return false;
    }
    return true;
}

/* The rules of wire.h, for what is to be packed and for what was unpacked. */
bool wire_result_ok(const struct result *r)
{
    bool scored = outcome_has_score(r->outcome);
    size_t path_len = r->path ? strnlen(r->path, WIRE_MAX_TEXT_BYTES + 1) : 0;

    if (path_len == 0 || path_len > WIRE_MAX_TEXT_BYTES || !outcome_decided(r->outcome))
        return false;
    if (scored ? !is_probability(r->p_fake) : !isnan(r->p_fake))
        return false;
    if (!scored && r->n_clips > 0)
        return false;
    if (r->n_frames_with_face > r->n_frames_decoded)
        return false;
    if (r->wall_us < 0 || r->decode_us < 0 || r->face_us < 0 || r->network_us < 0)
        return false;
    if ((r->segment && !segment_valid(r)) || !members_valid(r))
        return false;
    if (!picture_prints_valid(r->prints, r->n_prints) ||
        !memchr(r->extras.audio_codec, '\0', sizeof(r->extras.audio_codec)))
        return false;
    return content_ok(r->content) && memchr(r->message, '\0', sizeof(r->message)) && video_facts_valid(&r->facts) &&
           clips_ok(r);
}

#define SET(message, field, value) ((message)->has_##field = 1, (message)->field = (value))

enum status result_pack(const struct result *r, uint8_t **ret_data, size_t *ret_len_bytes)
{
    enum status s;
    Fakesift__Wire__Result w = FAKESIFT__WIRE__RESULT__INIT;
    Fakesift__Wire__Facts facts = FAKESIFT__WIRE__FACTS__INIT;
    Fakesift__Wire__Prints prints = FAKESIFT__WIRE__PRINTS__INIT;
    uint8_t frames[RESULT_MAX_PRINTS * WIRE_PRINT_BYTES];
    void *block = NULL;

    if (!wire_result_ok(r))
        return STATUS_INVALID;
    w.path = bytes_of(r->path, strlen(r->path));
    w.size_bytes = r->size_bytes;
    w.mtime_ns = r->mtime_ns;
    w.outcome = r->outcome;
    if (outcome_has_score(r->outcome))
        SET(&w, p_fake, r->p_fake);
    SET(&w, message, bytes_of(r->message, strlen(r->message)));
    wire_facts_fill(&r->facts, &facts);
    if (r->offset_bytes > 0)
        SET(&facts, offset_bytes, r->offset_bytes);
    if (r->content)
        SET(&facts, content, bytes_of(r->content, CONTENT_BYTES));
    wire_prints_fill(r, frames, &prints);
    facts.prints = &prints;
    s = wire_members_fill(r, &facts);
    if (s != STATUS_OK)
        return s;
    w.facts = &facts;
    SET(&w, n_frames_wanted, r->n_frames_wanted);
    SET(&w, n_frames_decoded, r->n_frames_decoded);
    SET(&w, n_frames_with_face, r->n_frames_with_face);
    SET(&w, n_tracks, r->n_tracks);
    if (r->n_clips > 0) {
        block = wire_clips_fill(r, &w);
        if (!block) {
            wire_members_free(&facts);
            return STATUS_NO_MEMORY;
        }
    }
    SET(&w, attempt, r->attempt);
    SET(&w, rank, r->rank);
    SET(&w, wall_us, (uint64_t)r->wall_us);
    SET(&w, decode_us, (uint64_t)r->decode_us);
    SET(&w, face_us, (uint64_t)r->face_us);
    w.network_us = (uint64_t)r->network_us;
    s = r->segment ? wire_segment_fill(r->segment, &w) : STATUS_OK;
    if (s == STATUS_OK)
        s = pack(&w.base, ret_data, ret_len_bytes);
    wire_segment_free(&w);
    wire_members_free(&facts);
    free(block);
    return s;
}

static enum status result_take(const Fakesift__Wire__Result *w, struct result *r)
{
    if (!bytes_are_text(&w->path, WIRE_MAX_TEXT_BYTES) || !bytes_are_text(&w->facts->content, CONTENT_BYTES) ||
        !outcome_decided(w->outcome) || !wire_bytes_into(&w->message, r->message, sizeof(r->message)) ||
        !wire_facts_take(w->facts, &r->facts) || w->wall_us > INT64_MAX || w->decode_us > INT64_MAX ||
        w->face_us > INT64_MAX || w->network_us > INT64_MAX)
        return STATUS_CORRUPT;
    r->path = bytes_to_string(&w->path);
    if (!r->path)
        return STATUS_NO_MEMORY;
    if (w->facts->has_content) {
        r->content = bytes_to_string(&w->facts->content);
        if (!r->content)
            return STATUS_NO_MEMORY;
    }
    if (w->facts->prints && wire_prints_take(w->facts->prints, r) != STATUS_OK)
        return STATUS_CORRUPT;
    for (char *p = r->message; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
    r->size_bytes = w->size_bytes;
    r->mtime_ns = w->mtime_ns;
    r->offset_bytes = w->facts->offset_bytes;
    r->outcome = (enum outcome)w->outcome;
    /* A NaN that was sent as a value is not an absent score: wire_result_ok would take it for one. */
    if (w->has_p_fake && !is_probability(w->p_fake))
        return STATUS_CORRUPT;
    r->p_fake = w->has_p_fake ? w->p_fake : NAN;
    r->n_frames_wanted = w->n_frames_wanted;
    r->n_frames_decoded = w->n_frames_decoded;
    r->n_frames_with_face = w->n_frames_with_face;
    r->n_tracks = w->n_tracks;
    r->attempt = w->attempt;
    r->rank = w->rank;
    r->wall_us = (int64_t)w->wall_us;
    r->decode_us = (int64_t)w->decode_us;
    r->face_us = (int64_t)w->face_us;
    r->network_us = (int64_t)w->network_us;
    if (w->n_segments != (w->segment ? w->segment->count : 0))
        return STATUS_CORRUPT;
    if (w->segment) {
        enum status s = wire_segment_take(w->segment, &r->segment);

        if (s != STATUS_OK)
            return s;
    }
    return wire_clips_take(w, r);
}

static enum status unpack_result(const uint8_t *data, size_t len_bytes, bool is_member, struct result *ret_r)
{
    enum status s;
    struct result r = {0};
    struct watch watch;
    ProtobufCAllocator allocator = watched(&watch);
    Fakesift__Wire__Result *w;

    if (len_bytes > WIRE_MAX_BYTES)
        return STATUS_CORRUPT;
    w = fakesift__wire__result__unpack(&allocator, len_bytes, data);
    if (!w)
        return watch.failed ? STATUS_NO_MEMORY : STATUS_CORRUPT;
    s = is_member && w->facts->n_members > 0 ? STATUS_CORRUPT : result_take(w, &r);
    if (s == STATUS_OK && !is_member)
        s = wire_members_take(w->facts, &r);
    if (s == STATUS_OK && !wire_result_ok(&r))
        s = STATUS_CORRUPT;
    if (s == STATUS_OK) {
        *ret_r = r;
        r = (struct result){0};
    }
    result_clear(&r);
    fakesift__wire__result__free_unpacked(w, &allocator);
    return s;
}

enum status result_unpack(const uint8_t *data, size_t len_bytes, struct result *ret_r)
{
    return unpack_result(data, len_bytes, false, ret_r);
}

enum status wire_member_unpack(const uint8_t *data, size_t len_bytes, struct result *ret_r)
{
    return unpack_result(data, len_bytes, true, ret_r);
}
