#include "models/fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shard/hash.h"
#include "shard/text.h"

static const char *type_of(const cJSON *v)
{
    if (cJSON_IsString(v))
        return "a string";
    if (cJSON_IsNumber(v))
        return "a number";
    if (cJSON_IsBool(v))
        return "true or false";
    if (cJSON_IsArray(v))
        return "an array";
    if (cJSON_IsObject(v))
        return "an object";
    return "null";
}

enum status fields_wrong_type(const struct fields_reader *r, const char *key, const char *wanted, const cJSON *v)
{
    return error_set(r->e, STATUS_INVALID, "%s: %s: %s is wanted, not %s", r->path, key, wanted, type_of(v));
}

bool field_name_is_plain(const char *s)
{
    return s[0] != '\0' && s[0] != '.' && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(s);
}

/* Stays below the card's folder whatever it holds: no part is empty, "." or "..". */
bool field_file_is_inside(const char *s)
{
    for (;;) {
        size_t len = strcspn(s, "/");

        if (len == 0 || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.'))
            return false;
        if (s[len] == '\0')
            return true;
        s += len + 1;
    }
}

static enum status read_string(const struct fields_reader *r, const struct field *f, const char *key, const cJSON *v,
                               char *out)
{
    const char *text = v->valuestring;
    const char *rule = NULL;

    if (!cJSON_IsString(v))
        return fields_wrong_type(r, key, "a string", v);
    if (strlen(text) >= f->size)
        return error_set(r->e, STATUS_INVALID, "%s: %s: longer than %zu bytes", r->path, key, f->size - 1);
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return error_set(r->e, STATUS_INVALID, "%s: %s: holds a control character", r->path, key);
    }
    if (f->type == FIELD_NAME && !field_name_is_plain(text))
        rule = "a name (a-z, 0-9, '.', '_', '-', no dot first)";
    else if (f->type == FIELD_FILE && !field_file_is_inside(text))
        rule = "a path inside the card's folder (relative, without . and ..)";
    else if (f->type == FIELD_SHA256 && text[0] != '\0' &&
             (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64))
        rule = "64 lower-case hexadecimal digits";
    if (rule)
        return error_set(r->e, STATUS_INVALID, "%s: %s: \"%s\" is not %s", r->path, key, text, rule);
    memcpy(out, text, strlen(text) + 1);
    return STATUS_OK;
}

enum status fields_read_choice(const struct fields_reader *r, const struct field *f, const char *key, const cJSON *v,
                               unsigned *ret_value)
{
    struct text known = {0};
    char *list;
    enum status s;

    if (!cJSON_IsString(v))
        return fields_wrong_type(r, key, "a string", v);
    for (const struct choice *c = f->choices; c->name; c++) {
        if (strcmp(c->name, v->valuestring) == 0) {
            *ret_value = c->value;
            return STATUS_OK;
        }
    }
    for (const struct choice *c = f->choices; c->name; c++)
        text_append_format(&known, "%s%s", c == f->choices ? "" : ", ", c->name);
    list = text_take(&known);
    s = list ? error_set(r->e, STATUS_INVALID, "%s: %s: \"%s\" is not one of %s", r->path, key, v->valuestring, list)
             : error_no_memory(r->e);
    free(list);
    return s;
}

static enum status read_number(const struct fields_reader *r, const struct field *f, const char *key, const cJSON *v,
                               double *ret_value)
{
    double d = v->valuedouble;

    if (!cJSON_IsNumber(v))
        return fields_wrong_type(r, key, "a number", v);
    /* Written so that a NaN fails too. */
    if (!(d >= f->min && d <= f->max))
        return error_set(r->e, STATUS_INVALID, "%s: %s: %.10g is not in %g..%g", r->path, key, d, f->min, f->max);
    if (f->type == FIELD_COUNT && d != floor(d))
        return error_set(r->e, STATUS_INVALID, "%s: %s: %.10g is not a whole number", r->path, key, d);
    *ret_value = d;
    return STATUS_OK;
}

static enum status read_list(const struct fields_reader *r, const struct field *f, const char *key, const cJSON *v,
                             void *base)
{
    unsigned n = 0;
    char *slot = (char *)base + f->offset;

    if (!cJSON_IsArray(v))
        return fields_wrong_type(r, key, "an array of objects", v);
    if (cJSON_GetArraySize(v) < (int)f->min || cJSON_GetArraySize(v) > (int)f->max)
        return error_set(r->e, STATUS_INVALID, "%s: %s: %d entries are not in %g..%g", r->path, key,
                         cJSON_GetArraySize(v), f->min, f->max);
    for (const cJSON *c = v->child; c; c = c->next, n++, slot += f->size) {
        char prefix[JSON_MAX_PATH];
        enum status s;

        json_key(prefix, "%s[%u]", key, n);
        if (!cJSON_IsObject(c))
            return fields_wrong_type(r, prefix, "an object", c);
        s = fields_read(r, c, prefix, f->fields, slot);
        if (s != STATUS_OK)
            return s;
    }
    memcpy((char *)base + f->count_offset, &n, sizeof(n));
    return STATUS_OK;
}

/* Of a field that holds more than one. */
static int number_count(const struct field *f)
{
    return f->type == FIELD_TRIPLE ? 3 : f->type == FIELD_PAIR ? 2 : 1;
}

static enum status read_numbers(const struct fields_reader *r, const struct field *f, const char *key, const cJSON *v,
                                double *out)
{
    const cJSON *c = v->child;
    int n = number_count(f);

    if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) != n)
        return fields_wrong_type(r, key, n == 3 ? "an array of three numbers" : "an array of two numbers", v);
    for (int i = 0; i < n; i++, c = c->next) {
        enum status s = read_number(r, f, key, c, &out[i]);

        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

/* v: the key's value. */
static enum status read_value(const struct fields_reader *r, const struct field *f, const char *key, const cJSON *v,
                              void *base)
{
    char *slot = (char *)base + f->offset;
    enum status s = STATUS_OK;
    unsigned u = 0;
    double d = 0;
    bool b;

    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_FILE:
    case FIELD_SHA256:
        return read_string(r, f, key, v, slot);
    case FIELD_CHOICE:
        s = fields_read_choice(r, f, key, v, &u);
        if (s == STATUS_OK)
            memcpy(slot, &u, sizeof(u));
        return s;
    case FIELD_COUNT:
        s = read_number(r, f, key, v, &d);
        u = (unsigned)d;
        if (s == STATUS_OK)
            memcpy(slot, &u, sizeof(u));
        return s;
    case FIELD_NUMBER:
        s = read_number(r, f, key, v, &d);
        if (s == STATUS_OK)
            memcpy(slot, &d, sizeof(d));
        return s;
    case FIELD_TRIPLE:
    case FIELD_PAIR:
        return read_numbers(r, f, key, v, (double *)(void *)slot);
    case FIELD_BOOL:
        if (!cJSON_IsBool(v))
            return fields_wrong_type(r, key, "true or false", v);
        b = cJSON_IsTrue(v);
        memcpy(slot, &b, sizeof(b));
        return STATUS_OK;
    case FIELD_SECTION:
        if (!cJSON_IsObject(v))
            return fields_wrong_type(r, key, "an object", v);
        return fields_read(r, v, key, f->fields, slot);
    case FIELD_LIST:
        return read_list(r, f, key, v, base);
    }
    return error_set(r->e, STATUS_BUG, "card: a field type %d", (int)f->type);
}

/* The value of a key that the card does not give. */
static void set_fallback(const struct fields_reader *r, const struct field *f, void *base)
{
    char *slot = (char *)base + f->offset;
    double triple[3] = {f->fallback, f->fallback, f->fallback};
    unsigned u = (unsigned)f->fallback;
    bool b = f->fallback != 0;

    switch (f->type) {
    case FIELD_CHOICE:
    case FIELD_COUNT:
        memcpy(slot, &u, sizeof(u));
        break;
    case FIELD_NUMBER:
        memcpy(slot, &f->fallback, sizeof(f->fallback));
        break;
    case FIELD_TRIPLE:
    case FIELD_PAIR:
        memcpy(slot, triple, (size_t)number_count(f) * sizeof(triple[0]));
        break;
    case FIELD_BOOL:
        memcpy(slot, &b, sizeof(b));
        break;
    case FIELD_SECTION:
        for (const struct field *inner = f->fields; inner->key; inner++) {
            if (inner->may & r->of)
                set_fallback(r, inner, slot);
        }
        break;
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_FILE:
    case FIELD_SHA256:
    case FIELD_LIST:
        break; /* the card began as zeros: empty */
    }
}

static const struct field *find_field(const struct field *fields, const char *key)
{
    for (; fields->key; fields++) {
        if (strcmp(fields->key, key) == 0)
            return fields;
    }
    return NULL;
}

static enum status unknown_key(const struct fields_reader *r, const char *key, const struct field *fields)
{
    struct text known = {0};
    char *list;
    enum status s;

    for (const struct field *f = fields; f->key; f++) {
        if (f->may & r->of)
            text_append_format(&known, "%s%s", known.len_bytes ? ", " : "", f->key);
    }
    list = text_take(&known);
    s = list ? error_set(r->e, STATUS_INVALID, "%s: %s: unknown key (known here: %s)", r->path, key, list)
             : error_no_memory(r->e);
    free(list);
    return s;
}

enum status fields_read(const struct fields_reader *r, const cJSON *object, const char *prefix,
                        const struct field *fields, void *base)
{
    const char *dot = prefix[0] != '\0' ? "." : "";
    char key[JSON_MAX_PATH];

    for (const cJSON *c = object->child; c; c = c->next) {
        const struct field *f = find_field(fields, c->string);

        json_key(key, "%s%s%s", prefix, dot, c->string);
        if (!f)
            return unknown_key(r, key, fields);
        if (!(f->may & r->of))
            return error_set(r->e, STATUS_INVALID, "%s: %s: has no meaning with %s", r->path, key, r->of_text);
    }
    for (const struct field *f = fields; f->key; f++) {
        const cJSON *v;
        enum status s;

        if (!(f->may & r->of))
            continue;
        json_key(key, "%s%s%s", prefix, dot, f->key);
        v = cJSON_GetObjectItemCaseSensitive(object, f->key);
        if (!v && (f->must & r->of))
            return error_set(r->e, STATUS_INVALID, "%s: %s: missing", r->path, key);
        if (!v) {
            set_fallback(r, f, base);
            continue;
        }
        s = read_value(r, f, key, v, base);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

/* Also where it has no meaning in what was read, and is zero. */
static bool has_default(const struct field *f, const void *slot)
{
    unsigned u;
    double d, pair[2];

    switch (f->type) {
    case FIELD_CHOICE:
    case FIELD_COUNT:
        memcpy(&u, slot, sizeof(u));
        return u == 0 || u == f->fallback;
    case FIELD_NUMBER:
        memcpy(&d, slot, sizeof(d));
        return d == 0 || d == f->fallback;
    case FIELD_PAIR:
        memcpy(pair, slot, sizeof(pair));
        return pair[0] == f->fallback && pair[1] == f->fallback;
    case FIELD_BOOL:
        return *(const bool *)slot == (f->fallback != 0);
    case FIELD_SECTION:
        for (const struct field *inner = f->fields; inner->key; inner++) {
            if (!has_default(inner, (const char *)slot + inner->offset))
                return false;
        }
        return true;
    default:
        return false;
    }
}

void fields_hash(struct hasher *h, const struct field *fields, const void *base)
{
    for (const struct field *f = fields; f->key; f++) {
        const char *slot = (const char *)base + f->offset;
        unsigned u;
        double d;

        if (f->silent || (f->late && has_default(f, slot)))
            continue;
        hasher_update_text(h, f->key);
        switch (f->type) {
        case FIELD_TEXT:
        case FIELD_NAME:
        case FIELD_FILE:
        case FIELD_SHA256:
            hasher_update_text(h, slot);
            break;
        case FIELD_CHOICE:
        case FIELD_COUNT:
            memcpy(&u, slot, sizeof(u));
            hasher_update(h, &u, sizeof(u));
            break;
        case FIELD_BOOL:
            hasher_update(h, *(const bool *)slot ? "1" : "0", 1);
            break;
        case FIELD_NUMBER:
        case FIELD_TRIPLE:
        case FIELD_PAIR:
            for (int i = 0; i < number_count(f); i++) {
                memcpy(&d, slot + i * sizeof(d), sizeof(d));
                d += 0.0; /* -0 and 0 score alike */
                hasher_update(h, &d, sizeof(d));
            }
            break;
        case FIELD_SECTION:
            fields_hash(h, f->fields, slot);
            break;
        case FIELD_LIST:
            memcpy(&u, (const char *)base + f->count_offset, sizeof(u));
            hasher_update(h, &u, sizeof(u));
            for (unsigned i = 0; i < u; i++)
                fields_hash(h, f->fields, slot + i * f->size);
            break;
        }
    }
}
