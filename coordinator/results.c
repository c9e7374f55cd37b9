#include "coordinator/results.h"

#include <endian.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/results_members.h"
#include "coordinator/results_store.h"
#include "shard/hash.h"

enum {
    BUCKET_BITS = 12,
    PLACE_BITS = 44,
    OUTCOME_BITS = 7,
    CLIPS_BITS = 13,
    CHUNK_BYTES = 1 << 14,
    VARINT_BYTES = 10,
    N_NUMBERS = 22, /* of a result without its clips */
    N_CONTROLS = (N_NUMBERS + 3) / 4,
    FIXED_BYTES = N_CONTROLS + N_NUMBERS * 8,
    MAX_PACKED_BYTES = FIXED_BYTES + RESULT_MAX_CLIPS * (5 * VARINT_BYTES + 8),
};
_Static_assert((int)MAX_PACKED_BYTES < (int)STORE_BLOCK_BYTES, "a result fits in a block");

/* The texts of facts, which a corpus has few of. */
struct format {
    char container[sizeof(((struct video_facts *)0)->container)];
    char codec[sizeof(((struct video_facts *)0)->codec)];
    char pixel_format[sizeof(((struct video_facts *)0)->pixel_format)];
    char encoder[sizeof(((struct video_facts *)0)->encoder)];
};

/* Results come in the order in which lanes finished them and are read in that of the manifest, several times. Those of a range
 * of indices lie together, so that reading needs few places at a time: each bucket fills a chunk of its own. */
struct bucket {
    uint8_t *next;
    size_t left_bytes;
    uint64_t place; /* of next */
};

/* What most passes over all videos read, and where the packed rest is. Side by side, since a result is put at a place that no
 * cache has. */
struct head {
    double p_fake;
    uint64_t place : PLACE_BITS; /* in the store */
    uint64_t outcome : OUTCOME_BITS;
    uint64_t n_clips : CLIPS_BITS;
};
_Static_assert(sizeof(struct head) == 16 && OUTCOME_COUNT <= 1 << OUTCOME_BITS && RESULT_MAX_CLIPS < 1 << CLIPS_BITS,
               "a head holds what it is for");

struct results {
    size_t n;
    struct head *heads;
    struct store store;
    struct bucket *buckets;
    struct pool messages, formats;
    struct member_columns members;
};

enum status results_open(size_t n, struct results **ret_t)
{
    struct results *t = calloc(1, sizeof(*t));

    if (!t)
        return STATUS_NO_MEMORY;
    t->n = n;
    t->buckets = calloc((n >> BUCKET_BITS) + 1, sizeof(*t->buckets));
    t->members.n_entries = n;
    t->heads = calloc(n + 1, sizeof(*t->heads));
    if (!t->heads || !t->buckets) {
        results_close(&t);
        return STATUS_NO_MEMORY;
    }
    t->messages.key = t->formats.key = hash_random_key();
    *ret_t = t;
    return STATUS_OK;
}

void results_close(struct results **t)
{
    struct results *x = *t;

    if (!x)
        return;
    store_clear(&x->store);
    free(x->buckets);
    member_columns_clear(&x->members);
    pool_clear(&x->messages);
    pool_clear(&x->formats);
    free(x->heads);
    free(x);
    *t = NULL;
}

size_t results_count(const struct results *t)
{
    return t->n;
}

enum outcome results_outcome(const struct results *t, size_t index)
{
    return (enum outcome)t->heads[index].outcome;
}

double results_p_fake(const struct results *t, size_t index)
{
    return outcome_has_score((enum outcome)t->heads[index].outcome) ? t->heads[index].p_fake : NAN;
}

void results_near(const struct results *t, size_t index)
{
    __builtin_prefetch(&t->heads[index], 1);
}

size_t results_n_clips(const struct results *t, size_t index)
{
    return t->heads[index].n_clips;
}

/* LEB128. */
static uint8_t *put_number(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

static inline const uint8_t *get_number(const uint8_t *p, uint64_t *ret_v)
{
    uint64_t v = *p & 0x7f;

    for (unsigned shift = 7; *p++ & 0x80; shift += 7)
        v |= (uint64_t)(*p & 0x7f) << shift;
    *ret_v = v;
    return p;
}

/* A result's numbers: N_CONTROLS bytes with two bits a number, its length as a power of two, then the numbers. Unlike
 * LEB128 this is read without a branch, and the lengths of a result's numbers are not to be guessed. */
static uint8_t *put_numbers(uint8_t *p, const uint64_t numbers[N_NUMBERS])
{
    uint8_t *controls = p;

    memset(controls, 0, N_CONTROLS);
    p += N_CONTROLS;
    for (size_t i = 0; i < N_NUMBERS; i++) {
        uint64_t v = numbers[i];
        unsigned code = v < 1u << 8 ? 0 : v < 1u << 16 ? 1 : v <= UINT32_MAX ? 2 : 3;

        controls[i / 4] |= (uint8_t)(code << (i % 4 * 2));
        v = htole64(v);
        memcpy(p, &v, sizeof(v)); /* what is too much is written over */
        p += 1u << code;
    }
    return p;
}

static const uint8_t *get_numbers(const uint8_t *p, uint64_t numbers[N_NUMBERS])
{
    static const uint64_t masks[] = {UINT8_MAX, UINT16_MAX, UINT32_MAX, UINT64_MAX};
    const uint8_t *controls = p;

    p += N_CONTROLS;
    for (size_t i = 0; i < N_NUMBERS; i++) {
        unsigned code = controls[i / 4] >> (i % 4 * 2) & 3;
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        numbers[i] = le64toh(v) & masks[code];
        p += 1u << code;
    }
    return p;
}

/* Small numbers of either sign are short. */
static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t) - (v < 0);
}

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1 ^ -(v & 1));
}

static bool is_probability(double p)
{
    return p >= 0 && p <= 1;
}

static bool is_valid(const struct result *r, bool is_member)
{
    if (r->n_members > (is_member ? 0 : RESULT_MAX_MEMBERS))
        return false;
    for (size_t k = 0; k < r->n_members; k++) {
        if (!is_valid(&r->members[k], true))
            return false;
    }
    if ((unsigned)r->outcome >= OUTCOME_COUNT || r->n_clips > RESULT_MAX_CLIPS || !video_facts_valid(&r->facts) ||
        !memchr(r->message, '\0', sizeof(r->message)))
        return false;
    if (!outcome_has_score(r->outcome))
        return true;
    for (size_t k = 0; k < r->n_clips; k++) {
        if (!is_probability(r->clips[k].p_fake))
            return false;
    }
    return is_probability(r->p_fake);
}

/* The parts before and after the texts' numbers, in the order that unpack reads. */
static uint8_t *put_result(uint8_t *p, const struct result *r, uint32_t message, uint32_t format)
{
    const struct video_facts *f = &r->facts;
    const uint64_t numbers[N_NUMBERS] = {
        message,
        format,
        f->width_px,
        f->height_px,
        (uint64_t)f->rotation_deg,
        f->fps_num,
        f->fps_den,
        (uint64_t)f->duration_us,
        (uint64_t)f->n_frames,
        (uint64_t)f->bit_rate_bps,
        f->n_video_streams,
        f->n_audio_streams,
        r->n_frames_wanted,
        r->n_frames_decoded,
        r->n_frames_with_face,
        r->n_tracks,
        r->attempt,
        r->rank,
        zigzag(r->wall_us),
        zigzag(r->decode_us),
        zigzag(r->face_us),
        zigzag(r->network_us),
    };

    p = put_numbers(p, numbers);
    for (size_t k = 0; k < r->n_clips; k++) {
        const struct clip_score *c = &r->clips[k];

        p = put_number(p, c->track);
        p = put_number(p, c->clip);
        p = put_number(p, zigzag(c->start_us));
        p = put_number(p, zigzag((int64_t)((uint64_t)c->end_us - (uint64_t)c->start_us)));
        p = put_number(p, c->n_frames);
        memcpy(p, &c->p_fake, sizeof(c->p_fake));
        p += sizeof(c->p_fake);
    }
    return p;
}

static enum status put_members(struct results *t, size_t index, const struct result *r)
{
    uint32_t messages[RESULT_MAX_MEMBERS];

    for (size_t k = 0; k < r->n_members; k++) {
        const char *message = r->members[k].message;

        messages[k] = pool_number(&t->messages, &t->store, message, strlen(message) + 1);
        if (messages[k] == UINT32_MAX)
            return STATUS_NO_MEMORY;
    }
    return member_columns_put(&t->members, index, r, messages);
}

struct member_score results_member(const struct results *t, size_t index, size_t member)
{
    struct member_score m = {OUTCOME_UNDECIDED, NAN, ""};
    enum outcome whole = results_outcome(t, index);

    if (member < t->members.n)
        m.outcome = (enum outcome)t->members.columns[member].outcomes[index];
    if (m.outcome == OUTCOME_UNDECIDED) {
        if (!outcome_has_score(whole))
            m.outcome = whole;
        return m;
    }
    if (outcome_has_score(m.outcome))
        m.p_fake = t->members.columns[member].p_fake[index];
    m.message = pool_thing(&t->messages, t->members.columns[member].messages[index], NULL);
    return m;
}

/* len bytes at b->next and STORE_SLACK_BYTES behind them. */
static bool need_room(struct results *t, struct bucket *b, size_t len)
{
    size_t room = len + STORE_SLACK_BYTES > CHUNK_BYTES ? len + STORE_SLACK_BYTES : CHUNK_BYTES;
    uint8_t *chunk;

    if (len + STORE_SLACK_BYTES <= b->left_bytes)
        return true;
    chunk = store_take(&t->store, room);
    if (!chunk)
        return false;
    *b = (struct bucket){.next = chunk, .left_bytes = room, .place = store_place(&t->store, chunk)};
    return true;
}

enum status results_put(struct results *t, size_t index, const struct result *r)
{
    struct format format = {{0}, {0}, {0}, {0}};
    uint32_t message, format_number;
    struct bucket *b;
    size_t len;

    if (!is_valid(r, false))
        return STATUS_INVALID;
    /* What stands behind an end must not make two of one. */
    memcpy(format.container, r->facts.container, strlen(r->facts.container));
    memcpy(format.codec, r->facts.codec, strlen(r->facts.codec));
    memcpy(format.pixel_format, r->facts.pixel_format, strlen(r->facts.pixel_format));
    memcpy(format.encoder, r->facts.encoder, strlen(r->facts.encoder));
    message = pool_number(&t->messages, &t->store, r->message, strlen(r->message) + 1);
    format_number = pool_number(&t->formats, &t->store, &format, sizeof(format));
    if (message == UINT32_MAX || format_number == UINT32_MAX || put_members(t, index, r) != STATUS_OK)
        return STATUS_NO_MEMORY;
    b = &t->buckets[index >> BUCKET_BITS];
    if (!need_room(t, b, FIXED_BYTES + r->n_clips * (5 * VARINT_BYTES + 8)))
        return STATUS_NO_MEMORY;
    t->heads[index] =
        (struct head){.p_fake = r->p_fake, .place = b->place, .outcome = r->outcome, .n_clips = r->n_clips};
    len = (size_t)(put_result(b->next, r, message, format_number) - b->next);
    b->next += len;
    b->place += len;
    b->left_bytes -= len;
    return STATUS_OK;
}

struct results_reader {
    const struct results *table;
    uint64_t format; /* whose texts are in result.facts */
    struct result result;
    struct clip_score clips[RESULT_MAX_CLIPS];
};

enum status results_reader_open(const struct results *t, struct results_reader **ret_r)
{
    struct results_reader *r = calloc(1, sizeof(*r));

    if (!r)
        return STATUS_NO_MEMORY;
    r->table = t;
    r->format = UINT64_MAX;
    *ret_r = r;
    return STATUS_OK;
}

void results_reader_close(struct results_reader **r)
{
    free(*r);
    *r = NULL;
}

static void set_format(struct results_reader *r, uint64_t number)
{
    struct video_facts *f = &r->result.facts;
    struct format format;

    if (number == r->format)
        return;
    memcpy(&format, pool_thing(&r->table->formats, (uint32_t)number, NULL), sizeof(format));
    memcpy(f->container, format.container, sizeof(f->container));
    memcpy(f->codec, format.codec, sizeof(f->codec));
    memcpy(f->pixel_format, format.pixel_format, sizeof(f->pixel_format));
    memcpy(f->encoder, format.encoder, sizeof(f->encoder));
    r->format = number;
}

static void get_clips(struct results_reader *r, const uint8_t *p, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        struct clip_score *c = &r->clips[k];
        uint64_t track, clip, start, length, n_frames;

        p = get_number(p, &track);
        p = get_number(p, &clip);
        p = get_number(p, &start);
        p = get_number(p, &length);
        p = get_number(p, &n_frames);
        c->track = (uint32_t)track;
        c->clip = (uint32_t)clip;
        c->start_us = unzigzag(start);
        c->end_us = (int64_t)((uint64_t)c->start_us + (uint64_t)unzigzag(length));
        c->n_frames = (uint32_t)n_frames;
        memcpy(&c->p_fake, p, sizeof(c->p_fake));
        p += sizeof(c->p_fake);
    }
    r->result.clips = r->clips;
    r->result.n_clips = n;
}

/* The same fields as of a result that nothing was put for. */
static const struct result *get_undecided(struct results_reader *r)
{
    r->result = (struct result){.p_fake = NAN};
    r->format = UINT64_MAX;
    return &r->result;
}

/* Results of a bucket lie in the order in which they were put: those to come are asked for before they are needed. */
static void prefetch(const struct results *t, size_t index)
{
    enum { AHEAD = 12 };
    const uint8_t *p;

    if (index + AHEAD >= t->n || t->heads[index + AHEAD].outcome == OUTCOME_UNDECIDED)
        return;
    p = store_at(&t->store, t->heads[index + AHEAD].place);
    __builtin_prefetch(p);
    __builtin_prefetch(p + 64);
}

const struct result *results_get(struct results_reader *r, size_t index)
{
    const struct results *t = r->table;
    const uint8_t *p;
    const void *message;
    size_t len;
    struct video_facts *f = &r->result.facts;
    uint64_t v[N_NUMBERS];

    prefetch(t, index);
    if (t->heads[index].outcome == OUTCOME_UNDECIDED)
        return get_undecided(r);
    p = get_numbers(store_at(&t->store, t->heads[index].place), v);
    r->result.outcome = (enum outcome)t->heads[index].outcome;
    r->result.p_fake = results_p_fake(t, index);
    message = pool_thing(&t->messages, (uint32_t)v[0], &len);
    memcpy(r->result.message, message, len);
    set_format(r, v[1]);
    f->width_px = (uint32_t)v[2];
    f->height_px = (uint32_t)v[3];
    f->rotation_deg = (int32_t)v[4];
    f->fps_num = (uint32_t)v[5];
    f->fps_den = (uint32_t)v[6];
    f->duration_us = (int64_t)v[7];
    f->n_frames = (int64_t)v[8];
    f->bit_rate_bps = (int64_t)v[9];
    f->n_video_streams = (uint32_t)v[10];
    f->n_audio_streams = (uint32_t)v[11];
    r->result.n_frames_wanted = (uint32_t)v[12];
    r->result.n_frames_decoded = (uint32_t)v[13];
    r->result.n_frames_with_face = (uint32_t)v[14];
    r->result.n_tracks = (uint32_t)v[15];
    r->result.attempt = (uint32_t)v[16];
    r->result.rank = (uint32_t)v[17];
    r->result.wall_us = unzigzag(v[18]);
    r->result.decode_us = unzigzag(v[19]);
    r->result.face_us = unzigzag(v[20]);
    r->result.network_us = unzigzag(v[21]);
    get_clips(r, p, t->heads[index].n_clips);
    return &r->result;
}
