#include "shard/spans.h"

#include <string.h>

enum { NUMBER_BYTES = 64 };

static const double last_s = 1e7;

bool span_ok(double start_s, double end_s)
{
    return start_s >= 0 && start_s < end_s && end_s <= last_s;
}

static enum status parse_number(const char *text, size_t len, double *ret_value)
{
    char number[NUMBER_BYTES];

    if (len == 0 || len >= sizeof(number))
        return STATUS_INVALID;
    memcpy(number, text, len);
    number[len] = '\0';
    return parse_double(number, 0, last_s, ret_value);
}

enum status spans_parse(const char *text, struct span_s *ret_spans, size_t *ret_n)
{
    size_t n = 0;

    while (*text != '\0') {
        size_t len = strcspn(text, ";"), first = strcspn(text, ":;");

        if (n == SPANS_MAX || first >= len || parse_number(text, first, &ret_spans[n].start_s) != STATUS_OK ||
            parse_number(text + first + 1, len - first - 1, &ret_spans[n].end_s) != STATUS_OK ||
            !span_ok(ret_spans[n].start_s, ret_spans[n].end_s))
            return STATUS_INVALID;
        n++;
        text += len;
        if (*text == ';' && *++text == '\0')
            return STATUS_INVALID;
    }
    *ret_n = n;
    return STATUS_OK;
}

void spans_append(struct text *t, double start_s, double end_s)
{
    if (t->len_bytes > 0)
        text_append(t, ";", 1);
    text_append_double(t, start_s);
    text_append(t, ":", 1);
    text_append_double(t, end_s);
}

bool spans_hold(const struct span_s *spans, size_t n, double time_s)
{
    for (size_t i = 0; i < n; i++) {
        if (time_s >= spans[i].start_s && time_s <= spans[i].end_s)
            return true;
    }
    return false;
}
