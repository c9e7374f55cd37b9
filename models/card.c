#include "models/card.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/card_fields.h"
#include "models/json.h"
#include "shard/hash.h"
#include "shard/text.h"

/* A card is read by the tables of card_fields.c: each object's keys are looked up in its table (an unknown
 * one is an error), then each field of the table is filled from its key or from its default. Rules that join
 * several keys follow at the end. */
struct reader {
    const char *path;
    unsigned of; /* CARD_OF_*: what the card is; 0 until known */
    struct error *e;
};

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

static enum status wrong_type(const struct reader *r, const char *key, const char *wanted, const cJSON *v)
{
    return error_set(r->e, STATUS_INVALID, "%s: %s: %s is wanted, not %s", r->path, key, wanted, type_of(v));
}

static const char *card_of_name(unsigned of)
{
    switch (of) {
    case CARD_OF_FACES:
        return "input \"faces\"";
    case CARD_OF_FRAMES:
        return "input \"frames\"";
    case CARD_OF_LANDMARKS:
        return "input \"landmarks\"";
    default:
        return "kind \"face_detector\"";
    }
}

bool card_name_is_plain(const char *s)
{
    return s[0] != '\0' && s[0] != '.' && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") == strlen(s);
}

/* Stays below the card's folder whatever it holds: no part is empty, "." or "..". */
static bool file_is_inside(const char *s)
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

static enum status read_string(const struct reader *r, const struct field *f, const char *key, const cJSON *v,
                               char *out)
{
    const char *text = v->valuestring;
    const char *rule = NULL;

    if (!cJSON_IsString(v))
        return wrong_type(r, key, "a string", v);
    if (strlen(text) >= f->size)
        return error_set(r->e, STATUS_INVALID, "%s: %s: longer than %zu bytes", r->path, key, f->size - 1);
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return error_set(r->e, STATUS_INVALID, "%s: %s: holds a control character", r->path, key);
    }
    if (f->type == FIELD_NAME && !card_name_is_plain(text))
        rule = "a name (a-z, 0-9, '.', '_', '-', no dot first)";
    else if (f->type == FIELD_FILE && !file_is_inside(text))
        rule = "a path inside the card's folder (relative, without . and ..)";
    else if (f->type == FIELD_SHA256 && text[0] != '\0' &&
             (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64))
        rule = "64 lower-case hexadecimal digits";
    if (rule)
        return error_set(r->e, STATUS_INVALID, "%s: %s: \"%s\" is not %s", r->path, key, text, rule);
    memcpy(out, text, strlen(text) + 1);
    return STATUS_OK;
}

static enum status read_choice(const struct reader *r, const struct field *f, const char *key, const cJSON *v,
                               unsigned *ret_value)
{
    struct text known = {0};
    char *list;
    enum status s;

    if (!cJSON_IsString(v))
        return wrong_type(r, key, "a string", v);
    for (const struct choice *c = f->choices; c->name; c++) {
        if (strcmp(c->name, v->valuestring) == 0) {
            *ret_value = c->value;
            return STATUS_OK;
        }
        text_append_format(&known, "%s%s", c == f->choices ? "" : ", ", c->name);
    }
    list = text_take(&known);
    s = list ? error_set(r->e, STATUS_INVALID, "%s: %s: \"%s\" is not one of %s", r->path, key,
                         v->valuestring, list)
             : error_no_memory(r->e);
    free(list);
    return s;
}

static enum status read_number(const struct reader *r, const struct field *f, const char *key, const cJSON *v,
                               double *ret_value)
{
    double d = v->valuedouble;

    if (!cJSON_IsNumber(v))
        return wrong_type(r, key, "a number", v);
    /* Written so that a NaN fails too. */
    if (!(d >= f->min && d <= f->max))
        return error_set(r->e, STATUS_INVALID, "%s: %s: %.10g is not in %g..%g", r->path, key, d, f->min,
                         f->max);
    if (f->type == FIELD_COUNT && d != floor(d))
        return error_set(r->e, STATUS_INVALID, "%s: %s: %.10g is not a whole number", r->path, key, d);
    *ret_value = d;
    return STATUS_OK;
}

static enum status read_fields(const struct reader *r, const cJSON *object, const char *prefix,
                               const struct field *fields, void *base);

static enum status read_list(const struct reader *r, const struct field *f, const char *key, const cJSON *v,
                             void *base)
{
    unsigned n = 0;
    char *slot = (char *)base + f->offset;

    if (!cJSON_IsArray(v))
        return wrong_type(r, key, "an array of objects", v);
    if (cJSON_GetArraySize(v) < (int)f->min || cJSON_GetArraySize(v) > (int)f->max)
        return error_set(r->e, STATUS_INVALID, "%s: %s: %d entries are not in %g..%g", r->path, key,
                         cJSON_GetArraySize(v), f->min, f->max);
    for (const cJSON *c = v->child; c; c = c->next, n++, slot += f->size) {
        char prefix[JSON_MAX_PATH];
        enum status s;

        json_key(prefix, "%s[%u]", key, n);
        if (!cJSON_IsObject(c))
            return wrong_type(r, prefix, "an object", c);
        s = read_fields(r, c, prefix, f->fields, slot);
        if (s != STATUS_OK)
            return s;
    }
    memcpy((char *)base + f->count_offset, &n, sizeof(n));
    return STATUS_OK;
}

static enum status read_triple(const struct reader *r, const struct field *f, const char *key, const cJSON *v,
                               double *out)
{
    const cJSON *c = v->child;

    if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) != 3)
        return wrong_type(r, key, "an array of three numbers", v);
    for (int i = 0; i < 3; i++, c = c->next) {
        enum status s = read_number(r, f, key, c, &out[i]);

        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

/* v: the key's value. */
static enum status read_value(const struct reader *r, const struct field *f, const char *key, const cJSON *v,
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
        s = read_choice(r, f, key, v, &u);
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
        return read_triple(r, f, key, v, (double *)(void *)slot);
    case FIELD_BOOL:
        if (!cJSON_IsBool(v))
            return wrong_type(r, key, "true or false", v);
        b = cJSON_IsTrue(v);
        memcpy(slot, &b, sizeof(b));
        return STATUS_OK;
    case FIELD_SECTION:
        if (!cJSON_IsObject(v))
            return wrong_type(r, key, "an object", v);
        return read_fields(r, v, key, f->fields, slot);
    case FIELD_LIST:
        return read_list(r, f, key, v, base);
    }
    return error_set(r->e, STATUS_BUG, "card: a field type %d", (int)f->type);
}

/* The value of a key that the card does not give. */
static void set_fallback(const struct reader *r, const struct field *f, void *base)
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
        memcpy(slot, triple, sizeof(triple));
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

static enum status unknown_key(const struct reader *r, const char *key, const struct field *fields)
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

static enum status read_fields(const struct reader *r, const cJSON *object, const char *prefix,
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
            return error_set(r->e, STATUS_INVALID, "%s: %s: has no meaning with %s", r->path, key,
                             card_of_name(r->of));
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

/* Reads kind and input, on which everything else depends. */
static enum status read_what_it_is(struct reader *r, const cJSON *root, struct card *card)
{
    const struct field *const fields[2] = {&card_fields[0], &card_fields[1]};
    unsigned values[2] = {0, 0};

    for (int i = 0; i < 2; i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, fields[i]->key);
        enum status s;

        if (i == 1 && values[0] == CARD_FACE_DETECTOR)
            break;
        if (!v)
            return error_set(r->e, STATUS_INVALID, "%s: %s: missing", r->path, fields[i]->key);
        s = read_choice(r, fields[i], fields[i]->key, v, &values[i]);
        if (s != STATUS_OK)
            return s;
    }
    card->kind = (enum card_kind)values[0];
    r->of = values[0] == CARD_FACE_DETECTOR ? CARD_OF_FINDER
            : values[1] == INPUT_FACES      ? CARD_OF_FACES
            : values[1] == INPUT_FRAMES     ? CARD_OF_FRAMES
                                            : CARD_OF_LANDMARKS;
    return STATUS_OK;
}

static enum status broken(const struct reader *r, const char *key, const char *rule)
{
    return error_set(r->e, STATUS_INVALID, "%s: %s: %s", r->path, key, rule);
}

static enum status check_networks(const struct reader *r, const struct card *c)
{
    const struct card_networks *n = &c->networks;
    bool joint = n->joint.file[0] != '\0', frame = n->frame.file[0] != '\0';
    bool clip_layout = c->tensor.layout == TENSOR_NTCHW || c->tensor.layout == TENSOR_NCTHW;

    if (r->of == CARD_OF_LANDMARKS) {
        for (unsigned i = 0; i < n->n_temporal; i++) {
            if (n->temporal[i].features == FEATURES_DIFFERENCE && c->sampling.frames < 2)
                return broken(r, "sampling.frames", "at least 2 are wanted for features \"difference\"");
        }
        return STATUS_OK;
    }
    if (joint == frame)
        return broken(r, "networks", "exactly one of joint and frame is wanted");
    if (joint && n->n_temporal > 0)
        return broken(r, "networks.temporal", "stands behind a frame network, not behind a joint one");
    if (joint && !clip_layout)
        return broken(r, "tensor.layout", "a joint network takes ntchw or ncthw");
    if (frame && clip_layout)
        return broken(r, "tensor.layout", "a frame network takes nchw or nhwc");
    return STATUS_OK;
}

/* Rules that join several keys. */
static enum status check_rules(const struct reader *r, struct card *c)
{
    const struct card_output *o = &c->output;

    if (r->of == CARD_OF_FINDER) {
        if (c->architecture == FACE_MTCNN && c->n_face_networks != 3)
            return broken(r, "face_networks", "mtcnn takes three: P-Net, R-Net, O-Net");
        if (c->architecture == FACE_YUNET && c->n_face_networks != 1)
            return broken(r, "face_networks", "yunet takes one");
        return STATUS_OK;
    }
    if (c->sampling.min_frames > c->sampling.frames)
        return broken(r, "sampling.min_frames", "more than sampling.frames");
    if (o->fake_index >= o->classes)
        return error_set(r->e, STATUS_INVALID, "%s: output.fake_index: %u is not below output.classes, %u",
                         r->path, o->fake_index, o->classes);
    if (o->meaning == OUTPUT_SOFTMAX && o->classes < 2)
        return broken(r, "output.classes", "softmax takes at least 2");
    if (o->meaning == OUTPUT_LOGIT && o->classes != 1)
        return broken(r, "output.classes", "logit takes 1; softmax takes logits of several classes");
    if (o->positive_is_real && o->classes != 1)
        return broken(r, "output.positive_is_real", "only for one class; give fake_index instead");
    if (r->of == CARD_OF_FRAMES) {
        if (c->face.detector[0] == '\0')
            strcpy(c->face.detector, "none");
        if (strcmp(c->face.detector, "none") != 0)
            return broken(r, "face.detector", "input \"frames\" takes \"none\"");
    } else if (strcmp(c->face.detector, "none") == 0) {
        return broken(r, "face.detector", "input \"faces\" needs a face detector");
    }
    return check_networks(r, c);
}

enum status card_load(const char *path, struct card **ret_card, struct error *e)
{
    struct reader r = {.path = path, .e = e};
    cJSON *root = NULL;
    struct card *card = NULL;
    enum status s = json_read(path, CARD_MAX_BYTES, &root, e);

    if (s != STATUS_OK)
        return s;
    card = calloc(1, sizeof(*card));
    if (!card) {
        s = error_no_memory(e);
        goto end;
    }
    if (!cJSON_IsObject(root)) {
        s = wrong_type(&r, "the card", "an object", root);
        goto end;
    }
    s = read_what_it_is(&r, root, card);
    if (s == STATUS_OK)
        s = read_fields(&r, root, "", card_fields, card);
    if (s == STATUS_OK)
        s = check_rules(&r, card);
    if (s != STATUS_OK)
        goto end;
    *ret_card = card;
    card = NULL;
end:
    card_close(&card);
    cJSON_Delete(root);
    return s;
}

void card_close(struct card **card)
{
    free(*card);
    *card = NULL;
}

const struct card_network *card_network_at(const struct card *card, size_t index)
{
    const struct card_network *const single[2] = {&card->networks.joint, &card->networks.frame};

    for (int i = 0; i < 2; i++) {
        if (single[i]->file[0] != '\0' && index-- == 0)
            return single[i];
    }
    if (index < card->networks.n_temporal)
        return &card->networks.temporal[index];
    index -= card->networks.n_temporal;
    return index < card->n_face_networks ? &card->face_networks[index] : NULL;
}

static void hash_fields(struct hasher *h, const struct field *fields, const void *base)
{
    for (const struct field *f = fields; f->key; f++) {
        const char *slot = (const char *)base + f->offset;
        unsigned u;
        double d;

        if (f->silent)
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
            for (int i = 0; i < (f->type == FIELD_TRIPLE ? 3 : 1); i++) {
                memcpy(&d, slot + i * sizeof(d), sizeof(d));
                d += 0.0; /* -0 and 0 score alike */
                hasher_update(h, &d, sizeof(d));
            }
            break;
        case FIELD_SECTION:
            hash_fields(h, f->fields, slot);
            break;
        case FIELD_LIST:
            memcpy(&u, (const char *)base + f->count_offset, sizeof(u));
            hasher_update(h, &u, sizeof(u));
            for (unsigned i = 0; i < u; i++)
                hash_fields(h, f->fields, slot + i * f->size);
            break;
        }
    }
}

void card_hash(const struct card *card, struct hasher *h)
{
    hash_fields(h, card_fields, card);
}
