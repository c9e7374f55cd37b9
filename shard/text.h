/* text: a growable byte string, strict number parsing, and the escapes of the formats that fakesift writes.
 * File names are bytes: every escape takes any byte but zero and yields valid UTF-8. */
#ifndef FAKESIFT_SHARD_TEXT_H
#define FAKESIFT_SHARD_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

/* Zero-initialise to use. After a failed append, failed is true and the content is unusable; check once at the end. */
struct text {
    char *data; /* zero-terminated when not NULL */
    size_t len_bytes, room_bytes;
    bool failed;
};

void text_append(struct text *t, const char *bytes, size_t len_bytes);
void text_append_string(struct text *t, const char *string);
void text_append_format(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_append_i64(struct text *t, int64_t value);
void text_append_u64(struct text *t, uint64_t value);
/* RFC 4180 field: quoted when it holds a comma, a quote, CR or LF, or begins or ends with a blank. */
void text_append_csv(struct text *t, const char *string);
/* Between the quotes of a JSON string. Bytes that are not UTF-8 become U+FFFD. */
void text_append_json(struct text *t, const char *string);
/* Bytes that are not UTF-8 become U+FFFD. */
void text_append_utf8(struct text *t, const char *string);
/* Text or attribute value in HTML. Bytes that are not UTF-8 become U+FFFD. */
void text_append_html(struct text *t, const char *string);
/* The shortest decimal that reads back as the same double; "" for NaN. */
void text_append_double(struct text *t, double value);
/* The content, "" when empty; the caller frees it. NULL when any append failed. *t is reset. */
char *text_take(struct text *t);
void text_clear(struct text *t); /* frees; NULL-safe content */

/* The whole string must be the number: no blanks, no sign for unsigned, no hex. STATUS_INVALID otherwise. */
enum status parse_u64(const char *string, uint64_t min, uint64_t max, uint64_t *ret_value);
enum status parse_i64(const char *string, int64_t min, int64_t max, int64_t *ret_value);
/* Finite decimals only, locale-independent. */
enum status parse_double(const char *string, double min, double max, double *ret_value);

#endif
