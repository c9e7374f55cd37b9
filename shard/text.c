#include "shard/text.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct text *t, size_t extra)
{
    size_t wanted;
    char *bigger;

    if (t->failed)
        return false;
    if (extra < t->room_bytes - t->len_bytes)
        return true;
    wanted = t->room_bytes ? t->room_bytes : 64;
    while (wanted - t->len_bytes <= extra) {
        if (wanted > SIZE_MAX / 2) {
            t->failed = true;
            return false;
        }
        wanted *= 2;
    }
    bigger = realloc(t->data, wanted);
    if (!bigger) {
        t->failed = true;
        return false;
    }
    t->data = bigger;
    t->room_bytes = wanted;
    return true;
}

void text_append(struct text *t, const char *bytes, size_t len_bytes)
{
    if (!reserve(t, len_bytes))
        return;
    if (len_bytes > 0)
        memcpy(t->data + t->len_bytes, bytes, len_bytes);
    t->len_bytes += len_bytes;
    t->data[t->len_bytes] = '\0';
}

void text_append_string(struct text *t, const char *string)
{
    text_append(t, string, strlen(string));
}

void text_append_format(struct text *t, const char *format, ...)
{
    va_list args, again;
    int n;

    if (!reserve(t, 64))
        return;
    va_start(args, format);
    va_copy(again, args);
    n = vsnprintf(t->data + t->len_bytes, t->room_bytes - t->len_bytes, format, args);
    va_end(args);
    if (n < 0) {
        t->failed = true;
    } else if ((size_t)n >= t->room_bytes - t->len_bytes) {
        if (reserve(t, (size_t)n))
            vsnprintf(t->data + t->len_bytes, t->room_bytes - t->len_bytes, format, again);
    }
    va_end(again);
    if (!t->failed)
        t->len_bytes += (size_t)n;
}

void text_append_i64(struct text *t, int64_t value)
{
    char digits[20];
    size_t n = 0;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do {
        digits[sizeof(digits) - ++n] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        text_append(t, "-", 1);
    text_append(t, digits + sizeof(digits) - n, n);
}

void text_append_u64(struct text *t, uint64_t value)
{
    if (value > INT64_MAX) {
        text_append_u64(t, value / 10);
        value %= 10;
    }
    text_append_i64(t, (int64_t)value);
}

void text_append_csv(struct text *t, const char *string)
{
    size_t len = strlen(string);

    if (len == 0 || (!strpbrk(string, ",\"\r\n") && string[0] != ' ' && string[len - 1] != ' ' && string[0] != '\t' &&
                     string[len - 1] != '\t')) {
        text_append(t, string, len);
        return;
    }
    text_append(t, "\"", 1);
    for (const char *p = string; *p != '\0'; p++) {
        if (*p == '"')
            text_append(t, "\"", 1);
        text_append(t, p, 1);
    }
    text_append(t, "\"", 1);
}

/* The length of the UTF-8 sequence at p, 0 when it is not one (RFC 3629: no overlong forms, no surrogates). */
static size_t utf8_length(const unsigned char *p)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        return (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (p[0] >= 0xe0 && p[0] <= 0xef) {
        if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80)
            return 0;
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
            return 0;
        return 3;
    }
    if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 || (p[3] & 0xc0) != 0x80)
            return 0;
        if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
            return 0;
        return 4;
    }
    return 0;
}

static const char *json_escape(unsigned char c, char made[8])
{
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        if (c >= 0x20 && c != 0x7f)
            return NULL;
        snprintf(made, 8, "\\u%04x", c);
        return made;
    }
}

static const char *html_escape(unsigned char c, char made[8])
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        if (c >= 0x20 || c == '\n' || c == '\t')
            return NULL;
        snprintf(made, 8, "\xef\xbf\xbd");
        return made;
    }
}

static void append_escaped(struct text *t, const char *string, const char *(*escape)(unsigned char, char[8]))
{
    const unsigned char *p = (const unsigned char *)string;
    char made[8];

    while (*p != '\0') {
        size_t n = utf8_length(p);
        const char *replacement = n == 1 ? escape(*p, made) : NULL;

        if (n == 0)
            text_append_string(t, "\xef\xbf\xbd");
        else if (replacement)
            text_append_string(t, replacement);
        else
            text_append(t, (const char *)p, n);
        p += n ? n : 1;
    }
}

static const char *no_escape(unsigned char c, char made[8])
{
    (void)c;
    (void)made;
    return NULL;
}

void text_append_utf8(struct text *t, const char *string)
{
    append_escaped(t, string, no_escape);
}

void text_append_json(struct text *t, const char *string)
{
    append_escaped(t, string, json_escape);
}

void text_append_html(struct text *t, const char *string)
{
    append_escaped(t, string, html_escape);
}

/* Beyond ISO C, but of every 64-bit gcc and clang. */
__extension__ typedef unsigned __int128 wide;

/* Scores, nearly all: 1e-4 <= value < 1, so value is m / 2^e with m of 53 bits and e <= 66, and value x 10^k is had
 * exactly in 128 bits for the up to 20 places k that 17 digits take. False where a rounding is too close to call. */
static bool append_fraction(struct text *t, double value)
{
    static const uint64_t powers[] = {1000000000000000u, 10000000000000000u, 100000000000000000u, 1000000000000000000u,
                                      10000000000000000000u};
    int exponent, zeros = value >= 0.1 ? 0 : value >= 0.01 ? 1 : value >= 0.001 ? 2 : 3;
    uint64_t m = (uint64_t)ldexp(frexp(value, &exponent), 53);
    int e = 53 - exponent;

    if (m == (uint64_t)1 << 52)
        return false; /* its neighbour below is nearer than the one above */
    for (int digits = 15; digits <= 17; digits++) {
        int k = digits + zeros;
        wide power = k < 20 ? powers[k - 15] : (wide)powers[4] * 10;
        wide scaled = m * power, one = (wide)1 << e;
        wide rest = scaled & (one - 1), off;
        uint64_t n = (uint64_t)(scaled >> e);
        char made[24];

        if (2 * rest == one)
            return false;
        if (2 * rest > one)
            n++;
        off = 2 * rest > one ? one - rest : rest;
        if (2 * off == power || n >= powers[digits - 15])
            return false;
        if (2 * off > power)
            continue; /* reads back as another */
        for (; n % 10 == 0; n /= 10)
            digits--;
        for (int i = digits - 1; i >= 0; i--, n /= 10)
            made[i] = (char)('0' + n % 10);
        text_append(t, "0.000", 2 + (size_t)zeros);
        text_append(t, made, (size_t)digits);
        return true;
    }
    return false;
}

void text_append_double(struct text *t, double value)
{
    char made[40];

    if (isnan(value))
        return;
    if (value >= 1e-4 && value < 1 && append_fraction(t, value))
        return;
    /* A decimal of up to 15 digits comes back from a normal double unchanged, so where 15 digits say the value, %g has
     * already dropped the zeros of the shortest form. */
    for (int digits = fabs(value) < DBL_MIN ? 1 : DBL_DIG; digits <= 17; digits++) {
        snprintf(made, sizeof(made), "%.*g", digits, value);
        /* With more digits %g writes 30, and not 3e+01. */
        if (strtod(made, NULL) == value && (!strstr(made, "e+") || fabs(value) >= 1e15))
            break;
    }
    text_append_string(t, made);
}

char *text_take(struct text *t)
{
    char *taken = NULL;

    text_append(t, "", 0);
    if (t->failed) {
        text_clear(t);
        return NULL;
    }
    taken = t->data;
    *t = (struct text){0};
    return taken;
}

void text_clear(struct text *t)
{
    free(t->data);
    *t = (struct text){0};
}

enum status parse_u64(const char *string, uint64_t min, uint64_t max, uint64_t *ret_value)
{
    char *end;
    unsigned long long value;

    if (string[0] < '0' || string[0] > '9')
        return STATUS_INVALID;
    errno = 0;
    value = strtoull(string, &end, 10);
    if (errno != 0 || *end != '\0' || value < min || value > max)
        return STATUS_INVALID;
    *ret_value = value;
    return STATUS_OK;
}

enum status parse_i64(const char *string, int64_t min, int64_t max, int64_t *ret_value)
{
    char *end;
    long long value;
    const char *digits = string[0] == '-' ? string + 1 : string;

    if (digits[0] < '0' || digits[0] > '9')
        return STATUS_INVALID;
    errno = 0;
    value = strtoll(string, &end, 10);
    if (errno != 0 || *end != '\0' || value < min || value > max)
        return STATUS_INVALID;
    *ret_value = value;
    return STATUS_OK;
}

enum status parse_double(const char *string, double min, double max, double *ret_value)
{
    char *end;
    double value;
    /* strtod would also take blanks, "inf", "nan" and hex. The process never leaves the C locale. */
    const char *allowed = "0123456789.eE+-";

    if (string[0] == '\0' || string[strspn(string, allowed)] != '\0')
        return STATUS_INVALID;
    value = strtod(string, &end);
    if (end == string || *end != '\0' || !isfinite(value) || value < min || value > max)
        return STATUS_INVALID;
    *ret_value = value;
    return STATUS_OK;
}
