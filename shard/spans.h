/* spans: stretches of a video's time, as a manifest's fake_segments has them: "START:END;START:END" in seconds, "" for none.
 * Colons, since a decimal may hold a minus ("1e-05"). */
#ifndef FAKESIFT_SHARD_SPANS_H
#define FAKESIFT_SHARD_SPANS_H

#include <stdbool.h>
#include <stddef.h>

#include "shard/text.h"

enum { SPANS_MAX = 1024 /* more than a manifest's text can hold */ };

struct span_s {
    double start_s, end_s; /* 0 <= start_s < end_s <= 10^7 */
};

/* Whether it is a stretch: finite, not negative, not empty or backwards. */
bool span_ok(double start_s, double end_s);
/* ret_spans: room for SPANS_MAX. STATUS_INVALID: not of the form above. */
enum status spans_parse(const char *text, struct span_s *ret_spans, size_t *ret_n);
/* Appends one to a text that spans_parse reads. */
void spans_append(struct text *t, double start_s, double end_s);
/* Whether one of them holds the time; their end belongs to them. */
bool spans_hold(const struct span_s *spans, size_t n, double time_s);

#endif
