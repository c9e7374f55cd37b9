/* wire_internal: what the files of shard/wire*.c share. Nobody else includes this; generated types are only named here. */
#ifndef FAKESIFT_SHARD_WIRE_INTERNAL_H
#define FAKESIFT_SHARD_WIRE_INTERNAL_H

#include "shard/result.h"
#include "shard/segment.h"
#include "shard/status.h"

struct Fakesift__Wire__Result;
struct Fakesift__Wire__Segment;

/* Sets result's columns of clips; the block that they stand in is the caller's to free. NULL: out of memory. */
void *wire_clips_fill(const struct result *r, struct Fakesift__Wire__Result *result);
enum status wire_clips_take(const struct Fakesift__Wire__Result *w, struct result *r);

/* Sets result's segment, which wire_segment_free frees. STATUS_NO_MEMORY. */
enum status wire_segment_fill(const struct segment *s, struct Fakesift__Wire__Result *result);
void wire_segment_free(struct Fakesift__Wire__Result *result);
/* *ret_s is the caller's to segment_free. Sizes are checked here, the rest by segment_valid. */
enum status wire_segment_take(const struct Fakesift__Wire__Segment *w, struct segment **ret_s);

/* The rules of wire.h, for what is to be packed and for what was unpacked. */
bool wire_result_ok(const struct result *r);

struct Fakesift__Wire__Prints;

enum { WIRE_PRINT_BYTES = 48 };

/* w points into r and frames afterwards. */
void wire_prints_fill(const struct result *r, uint8_t frames[RESULT_MAX_PRINTS * WIRE_PRINT_BYTES],
                      struct Fakesift__Wire__Prints *w);
/* Sizes are checked here, the rest by picture_prints_valid. */
enum status wire_prints_take(const struct Fakesift__Wire__Prints *w, struct result *r);
/* Whether wire_prints_take and picture_prints_valid would take these frames. */
bool wire_prints_sound(const uint8_t *frames, size_t len_bytes);
/* Whether these are in their ranges (struct stream_extras). */
bool wire_turned_and_silent(uint32_t quarter_turns, uint32_t lead_silence_ms);

struct Fakesift__Wire__Facts;
struct ProtobufCBinaryData;

/* Text without a zero byte into an array of room bytes that is zeroed; false: it does not fit. */
bool wire_bytes_into(const struct ProtobufCBinaryData *b, char *array, size_t room);

/* w points into f afterwards. */
void wire_facts_fill(const struct video_facts *f, struct Fakesift__Wire__Facts *w);
bool wire_facts_take(const struct Fakesift__Wire__Facts *w, struct video_facts *f);

/* Sets facts' members, which wire_members_free frees. STATUS_INVALID: one breaks the rules. */
enum status wire_members_fill(const struct result *r, struct Fakesift__Wire__Facts *facts);
void wire_members_free(struct Fakesift__Wire__Facts *facts);
/* Their members_valid is the caller's to check. */
enum status wire_members_take(const struct Fakesift__Wire__Facts *w, struct result *r);
/* As result_unpack, of one that may have no members itself: what is not trusted cannot nest. */
enum status wire_member_unpack(const uint8_t *data, size_t len_bytes, struct result *ret_r);

#endif
