/* What report.html and the page of one video (explain_html.c) have alike: templates, the content policy, style and
 * scripts. */
#include "coordinator/report/page.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/report/embedded.h"
#include "shard/hash.h"

void page_count(struct text *t, size_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%zu", n);

    for (int k = 0; k < len; k++) {
        if (k > 0 && (len - k) % 3 == 0)
            text_append(t, ",", 1);
        text_append(t, &digits[k], 1);
    }
}

void page_n(struct text *t, size_t n, const char *singular)
{
    page_count(t, n);
    text_append_format(t, " %s%s", singular, n == 1 ? "" : "s");
}

void page_json(struct text *t, const char *string)
{
    struct text json = {0};

    text_append_json(&json, string);
    if (json.failed)
        t->failed = true;
    text_append(t, "\"", 1);
    /* "<" must not begin a tag or a comment there. */
    for (const char *p = json.data ? json.data : ""; *p != '\0';) {
        size_t plain = strcspn(p, "<");

        text_append(t, p, plain);
        p += plain;
        if (*p == '<') {
            text_append_string(t, "\\u003c");
            p++;
        }
    }
    text_append(t, "\"", 1);
    text_clear(&json);
}

void page_score_bar(struct text *t, double p_fake)
{
    text_append_format(t, "<meter class=\"%s\" min=\"0\" max=\"1\" value=\"%.4f\" aria-hidden=\"true\"></meter>",
                       p_fake >= 0.5 ? "bar-fake" : "bar-real", p_fake);
}

bool page_has_charts(void)
{
    return page_charts_js_len_bytes > 0;
}

/* The Content-Security-Policy source of an inline element: nothing else runs, should an escape ever fail. */
static enum status append_source(struct text *t, const char *data, size_t len_bytes, struct error *e)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char hex[SHA256_HEX_BYTES];
    uint8_t bytes[SHA256_BYTES + 1] = {0}; /* padded to a multiple of three */
    struct hasher *h = hasher_open();

    if (!h)
        return error_no_memory(e);
    hasher_update(h, data, len_bytes);
    hasher_finish(h, hex);
    hasher_close(&h);
    for (int k = 0; k < SHA256_BYTES; k++) {
        unsigned byte = 0;

        sscanf(hex + 2 * k, "%2x", &byte);
        bytes[k] = (uint8_t)byte;
    }
    text_append_string(t, " 'sha256-");
    for (int k = 0; k < SHA256_BYTES; k += 3) {
        uint32_t three = (uint32_t)bytes[k] << 16 | (uint32_t)bytes[k + 1] << 8 | bytes[k + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            text_append(t, k + 3 > SHA256_BYTES && shift == 0 ? "=" : &alphabet[three >> shift & 63], 1);
    }
    text_append(t, "'", 1);
    return STATUS_OK;
}

enum status page_policy(struct text *t, const struct report_model *m, struct error *e)
{
    enum status s;

    (void)m;
    /* data: holds the face crops. */
    text_append_string(t, "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; style-src");
    s = append_source(t, page_css, page_css_len_bytes, e);
    text_append_string(t, "; script-src");
    if (s == STATUS_OK && page_has_charts())
        s = append_source(t, page_charts_js, page_charts_js_len_bytes, e);
    if (s == STATUS_OK)
        s = append_source(t, page_video_js, page_video_js_len_bytes, e);
    return s == STATUS_OK ? append_source(t, page_js, page_js_len_bytes, e) : s;
}

enum status page_css_part(struct text *t, const struct report_model *m, struct error *e)
{
    (void)m;
    (void)e;
    text_append(t, page_css, page_css_len_bytes);
    return STATUS_OK;
}

enum status page_charts_js_part(struct text *t, const struct report_model *m, struct error *e)
{
    (void)m;
    (void)e;
    if (page_has_charts()) {
        text_append_string(t, "<script id=\"charts\">");
        text_append(t, page_charts_js, page_charts_js_len_bytes);
        text_append_string(t, "</script>");
    }
    return STATUS_OK;
}

enum status page_video_js_part(struct text *t, const struct report_model *m, struct error *e)
{
    (void)m;
    (void)e;
    text_append(t, page_video_js, page_video_js_len_bytes);
    return STATUS_OK;
}

enum status page_js_part(struct text *t, const struct report_model *m, struct error *e)
{
    (void)m;
    (void)e;
    text_append(t, page_js, page_js_len_bytes);
    return STATUS_OK;
}

static enum status append_part(struct text *t, const char *name, size_t len_bytes, const struct page_part *parts,
                               size_t n_parts, const struct report_model *m, struct error *e)
{
    for (size_t k = 0; k < n_parts; k++) {
        if (strlen(parts[k].name) != len_bytes || memcmp(parts[k].name, name, len_bytes) != 0)
            continue;
        if (parts[k].try_append)
            return parts[k].try_append(t, m, e);
        parts[k].append(t, m);
        return STATUS_OK;
    }
    return error_set(e, STATUS_BUG, "the page has the unknown part {{%.*s}}", (int)len_bytes, name);
}

enum status page_fill(struct text *t, const char *template, const struct page_part *parts, size_t n_parts,
                      const struct report_model *m, struct error *e)
{
    const char *rest = template;
    enum status s = STATUS_OK;

    /* Walked once, so a video named {{data}} stays a name. */
    while (s == STATUS_OK) {
        const char *open = strstr(rest, "{{");
        const char *close = open ? strstr(open, "}}") : NULL;

        if (!close)
            break;
        text_append(t, rest, (size_t)(open - rest));
        s = append_part(t, open + 2, (size_t)(close - open - 2), parts, n_parts, m, e);
        rest = close + 2;
    }
    text_append_string(t, rest);
    if (s == STATUS_OK && t->failed)
        s = error_no_memory(e);
    return s;
}
