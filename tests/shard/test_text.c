#include "shard/text.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/hash.h"

static char *csv(const char *s)
{
    struct text t = {0};

    text_append_csv(&t, s);
    return text_take(&t);
}

static void expect(char *got, const char *want)
{
    cr_assert_str_eq(got, want);
    free(got);
}

Test(text, csv_field_is_quoted_only_when_it_must_be)
{
    expect(csv("a b"), "a b");
    expect(csv(""), "");
    expect(csv("a,b"), "\"a,b\"");
    expect(csv("a\"b"), "\"a\"\"b\"");
    expect(csv("a\nb"), "\"a\nb\"");
    expect(csv(" a"), "\" a\"");
}

Test(text, bytes_that_are_not_utf8_become_replacement_characters)
{
    static const char *const bad[] = {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct text t = {0};
        char *got;

        text_append_json(&t, bad[i]);
        got = text_take(&t);
        cr_assert(strncmp(got, "\xef\xbf\xbd", 3) == 0, "case %zu gave %s", i, got);
        free(got);
    }
}

Test(text, html_and_json_escape_what_their_format_needs)
{
    struct text t = {0};

    text_append_html(&t, "<b a='1'>&\"\xc3\xa9");
    expect(text_take(&t), "&lt;b a=&#39;1&#39;&gt;&amp;&quot;\xc3\xa9");
    text_append_json(&t, "a\"\\\n\x01");
    expect(text_take(&t), "a\\\"\\\\\\n\\u0001");
}

Test(text, a_double_is_written_shortest_and_reads_back)
{
    static const struct {
        double value;
        const char *want;
    } cases[] = {
        {0.1, "0.1"}, {1.0 / 3, "0.3333333333333333"}, {1, "1"},        {NAN, ""},           {1e-300, "1e-300"},
        {30, "30"},   {-1200000, "-1200000"},          {1e15, "1e+15"}, {30000.5, "30000.5"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct text t = {0};

        text_append_double(&t, cases[i].value);
        expect(text_take(&t), cases[i].want);
    }
}

Test(text, numbers_are_parsed_whole_or_not_at_all)
{
    uint64_t u = 7;
    int64_t i = 7;
    double d = 7;

    cr_assert_eq(parse_u64("18446744073709551615", 0, UINT64_MAX, &u), STATUS_OK);
    cr_assert_eq(u, UINT64_MAX);
    cr_assert_eq(parse_u64("18446744073709551616", 0, UINT64_MAX, &u), STATUS_INVALID);
    cr_assert_eq(parse_u64("-1", 0, 10, &u), STATUS_INVALID);
    cr_assert_eq(parse_u64(" 1", 0, 10, &u), STATUS_INVALID);
    cr_assert_eq(parse_u64("1x", 0, 10, &u), STATUS_INVALID);
    cr_assert_eq(parse_u64("", 0, 10, &u), STATUS_INVALID);
    cr_assert_eq(parse_u64("11", 0, 10, &u), STATUS_INVALID);
    cr_assert_eq(parse_i64("-5", -5, 5, &i), STATUS_OK);
    cr_assert_eq(i, -5);
    cr_assert_eq(parse_i64("--5", -5, 5, &i), STATUS_INVALID);
    cr_assert_eq(parse_double("2.5e-1", 0, 1, &d), STATUS_OK);
    cr_assert_eq(d, 0.25);
    cr_assert_eq(parse_double("nan", 0, 1, &d), STATUS_INVALID);
    cr_assert_eq(parse_double("inf", 0, 1, &d), STATUS_INVALID);
    cr_assert_eq(parse_double("0x1", 0, 1, &d), STATUS_INVALID);
    cr_assert_eq(parse_double("1e999", 0, 1e308, &d), STATUS_INVALID);
}

Test(hash, known_digests)
{
    struct hasher *h = hasher_open();
    char hex[SHA256_HEX_BYTES];

    cr_assert_eq(hash_crc32c("123456789", 9), 0xE3069283u);
    hasher_update(h, "abc", 3);
    hasher_finish(h, hex);
    cr_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hasher_close(&h);
}

/* As text_append_double promises, digit by digit. */
static void shortest(double value, char made[40])
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(made, 40, "%.*g", digits, value);
        if (strtod(made, NULL) == value && (!strstr(made, "e+") || fabs(value) >= 1e15))
            break;
    }
}

Test(text, any_double_is_written_shortest)
{
    uint64_t state = 88172645463325252u;

    for (int i = 0; i < 200000; i++) {
        struct text t = {0};
        char want[40];
        double value;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        switch (i % 8) {
        case 0: /* any bits */
            memcpy(&value, &state, sizeof(value));
            break;
        case 1:
            value = (double)(state % 1000000) / 1e6;
            break;
        case 2:
            value = (float)(state >> 11) * 0x1p-53f;
            break;
        case 3:
            value = ldexp(1, -(int)(state % 80));
            break;
        case 4:
            value = nextafter((double)(state % 1000) / 1000, (double)(state >> 20 & 1));
            break;
        case 5:
            value = (double)(state % 100000000000) / 7;
            break;
        default:
            value = (double)(state >> 11) * 0x1p-53 * ((i & 8) ? 1 : 1e-3);
            break;
        }
        if (!isfinite(value))
            continue;
        shortest(value, want);
        text_append_double(&t, value);
        cr_assert_str_eq(t.data, want);
        text_clear(&t);
    }
}

Test(text, integers_are_written_to_their_ends)
{
    static const int64_t values[] = {0, 1, -1, 9, 10, -10, 123456789, INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct text t = {0}, u = {0};
        char want[32];

        snprintf(want, sizeof(want), "%lld", (long long)values[i]);
        text_append_i64(&t, values[i]);
        expect(text_take(&t), want);
        snprintf(want, sizeof(want), "%llu", (unsigned long long)values[i]);
        text_append_u64(&u, (uint64_t)values[i]);
        expect(text_take(&u), want);
    }
}

Test(text, a_format_longer_than_the_room_is_whole)
{
    struct text t = {0};
    char want[1001];

    memset(want, 'x', 1000);
    want[1000] = '\0';
    text_append_format(&t, "%s", want);
    text_append_format(&t, "%s%d", "", 7);
    cr_assert_eq(t.len_bytes, 1001);
    cr_assert_eq(strncmp(t.data, want, 1000), 0);
    cr_assert_str_eq(t.data + 1000, "7");
    text_clear(&t);
}
