#include "models/json.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/file.h"

/* cJSON builds the tree, but it takes "01", "+1", raw control bytes and keys given twice, and it ends a
 * string at \u0000. So a scanner of the grammar goes first; it also knows where it is and why it stops. */
struct scanner {
    const char *start, *at, *end;
    const char *problem; /* NULL = none */
};

static bool fail(struct scanner *sc, const char *problem)
{
    if (!sc->problem)
        sc->problem = problem;
    return false;
}

static char peek(const struct scanner *sc)
{
    return sc->at < sc->end ? *sc->at : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_blanks(struct scanner *sc)
{
    while (sc->at < sc->end && strchr(" \t\r\n", *sc->at) && *sc->at != '\0')
        sc->at++;
}

static bool scan_escape(struct scanner *sc)
{
    char c = peek(sc);

    if (c != 'u') {
        if (c == '\0' || !strchr("\"\\/bfnrt", c))
            return fail(sc, "an escape that JSON does not know");
        sc->at++;
        return true;
    }
    sc->at++;
    if (sc->end - sc->at >= 4 && strncmp(sc->at, "0000", 4) == 0)
        return fail(sc, "\\u0000 in a string");
    for (int i = 0; i < 4; i++, sc->at++) {
        c = peek(sc);
        if (!is_digit(c) && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F'))
            return fail(sc, "\\u without four hexadecimal digits");
    }
    return true;
}

static bool scan_string(struct scanner *sc)
{
    if (peek(sc) != '"')
        return fail(sc, "a string in double quotes is wanted");
    sc->at++;
    while (sc->at < sc->end) {
        unsigned char c = (unsigned char)*sc->at;

        if (c < 0x20)
            return fail(sc, "a control byte in a string");
        sc->at++;
        if (c == '"')
            return true;
        if (c == '\\' && !scan_escape(sc))
            return false;
    }
    return fail(sc, "the file ends inside a string");
}

static bool scan_digits(struct scanner *sc)
{
    if (!is_digit(peek(sc)))
        return fail(sc, "a digit is wanted");
    while (is_digit(peek(sc)))
        sc->at++;
    return true;
}

static bool scan_number(struct scanner *sc)
{
    const char *from = sc->at;

    if (peek(sc) == '-')
        sc->at++;
    if (peek(sc) == '0')
        sc->at++;
    else if (!scan_digits(sc))
        return false;
    if (is_digit(peek(sc)))
        return fail(sc, "a number with a leading zero");
    if (peek(sc) == '.') {
        sc->at++;
        if (!scan_digits(sc))
            return false;
    }
    if (peek(sc) == 'e' || peek(sc) == 'E') {
        sc->at++;
        if (peek(sc) == '+' || peek(sc) == '-')
            sc->at++;
        if (!scan_digits(sc))
            return false;
    }
    /* cJSON copies a number into 64 bytes and leaves the rest to be misread. */
    if (sc->at - from > 40)
        return fail(sc, "a number of more than 40 characters");
    return true;
}

static bool scan_word(struct scanner *sc, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(sc->end - sc->at) < len || strncmp(sc->at, word, len) != 0)
        return fail(sc, "a value is wanted (an object, array, string, number, true, false or null)");
    sc->at += len;
    return true;
}

static bool scan_value(struct scanner *sc, unsigned depth);

static bool scan_members(struct scanner *sc, unsigned depth, char close)
{
    sc->at++;
    skip_blanks(sc);
    if (peek(sc) == close) {
        sc->at++;
        return true;
    }
    for (;;) {
        skip_blanks(sc);
        if (close == '}') {
            if (!scan_string(sc))
                return false;
            skip_blanks(sc);
            if (peek(sc) != ':')
                return fail(sc, "':' is wanted after a key");
            sc->at++;
        }
        if (!scan_value(sc, depth + 1))
            return false;
        skip_blanks(sc);
        if (peek(sc) == close) {
            sc->at++;
            return true;
        }
        if (peek(sc) != ',')
            return fail(sc, close == '}' ? "',' or '}' is wanted" : "',' or ']' is wanted");
        sc->at++;
    }
}

/* Recursion is bounded by JSON_MAX_DEPTH. */
static bool scan_value(struct scanner *sc, unsigned depth)
{
    skip_blanks(sc);
    if (depth > JSON_MAX_DEPTH)
        return fail(sc, "nested too deep");
    switch (peek(sc)) {
    case '{':
        return scan_members(sc, depth, '}');
    case '[':
        return scan_members(sc, depth, ']');
    case '"':
        return scan_string(sc);
    case 't':
        return scan_word(sc, "true");
    case 'f':
        return scan_word(sc, "false");
    case 'n':
        return scan_word(sc, "null");
    default:
        if (is_digit(peek(sc)) || peek(sc) == '-')
            return scan_number(sc);
        return fail(sc, sc->at == sc->end
                            ? "the file ends where a value is wanted"
                            : "a value is wanted (an object, array, string, number, true, false or null)");
    }
}

static void position(const struct scanner *sc, unsigned *ret_line, unsigned *ret_column)
{
    unsigned line = 1, column = 1;

    for (const char *p = sc->start; p < sc->at; p++) {
        column++;
        if (*p == '\n') {
            line++;
            column = 1;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

void json_key(char ret_key[JSON_MAX_PATH], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vsnprintf(ret_key, JSON_MAX_PATH, format, args) < 0)
        ret_key[0] = '\0';
    va_end(args);
}

/* prefix: where node is, "sampling." or "". */
static enum status check_tree(const char *path, const cJSON *node, const char *prefix, struct error *e)
{
    unsigned index = 0;

    for (const cJSON *c = node->child; c; c = c->next, index++) {
        char name[JSON_MAX_PATH], below[JSON_MAX_PATH];
        enum status s;

        if (index >= JSON_MAX_KEYS)
            return error_set(e, STATUS_CORRUPT, "%s: %s: more than %d members", path, prefix, JSON_MAX_KEYS);
        if (c->string)
            json_key(name, "%s%s", prefix, c->string);
        else
            json_key(name, "%s[%u]", prefix, index);
        if (cJSON_IsNumber(c) && !isfinite(c->valuedouble))
            return error_set(e, STATUS_CORRUPT, "%s: %s: a number beyond the range of a double", path, name);
        for (const cJSON *o = node->child; c->string && o != c; o = o->next) {
            if (o->string && strcmp(o->string, c->string) == 0)
                return error_set(e, STATUS_CORRUPT, "%s: %s: given twice", path, name);
        }
        json_key(below, "%s%s", name, cJSON_IsObject(c) ? "." : "");
        s = check_tree(path, c, below, e);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

enum status json_read(const char *path, size_t max_bytes, cJSON **ret_root, struct error *e)
{
    cJSON *root = NULL;
    char *data = NULL;
    size_t len = 0;
    struct scanner sc;
    enum status s = file_read(path, max_bytes, &data, &len, e);

    if (s != STATUS_OK)
        return s;
    sc = (struct scanner){.start = data, .at = data, .end = data + len};
    if (scan_value(&sc, 0)) {
        skip_blanks(&sc);
        if (sc.at < sc.end)
            fail(&sc, "something follows the value");
    }
    if (sc.problem) {
        unsigned line, column;

        position(&sc, &line, &column);
        s = error_set(e, STATUS_CORRUPT, "%s:%u:%u: not JSON: %s", path, line, column, sc.problem);
        goto end;
    }
    root = cJSON_ParseWithLength(data, len);
    if (!root) {
        /* The scanner took it, so only memory or a lone surrogate is left. */
        s = error_set(e, STATUS_CORRUPT, "%s: not JSON that can be held (a broken \\u surrogate pair?)", path);
        goto end;
    }
    s = check_tree(path, root, "", e);
    if (s != STATUS_OK)
        goto end;
    *ret_root = root;
    root = NULL;
end:
    cJSON_Delete(root);
    free(data);
    return s;
}
