/* fields: JSON objects into structs, and structs into hashes, by tables of their keys. Internal to models.
 *
 * Each object's keys are looked up in its table (an unknown one is an error), then each field of the table is
 * filled from its key or from its default. Every error names the file, the key's path and the rule. */
#ifndef FAKESIFT_MODELS_FIELDS_H
#define FAKESIFT_MODELS_FIELDS_H

#include <stddef.h>

#include "models/json.h"
#include "shard/status.h"

struct hasher;
struct text;

enum field_type {
    FIELD_TEXT = 1, /* char[size] */
    FIELD_NAME,     /* char[size], [a-z0-9._-]+, no dot first */
    FIELD_FILE,     /* char[size], a path inside the card's folder */
    FIELD_SHA256,   /* char[65], "" or 64 lower-case hexadecimal digits */
    FIELD_CHOICE,   /* an enum */
    FIELD_COUNT,    /* unsigned */
    FIELD_NUMBER,   /* double */
    FIELD_TRIPLE,   /* double[3]; fallback for each */
    FIELD_PAIR,     /* double[2]; likewise */
    FIELD_BOOL,
    FIELD_SECTION, /* an object, its fields in `fields` */
    FIELD_LIST     /* an array of objects, as many as fit: `size` bytes each, at most max, counted at count_offset
                */
};

struct choice {
    const char *name; /* NULL ends the list */
    unsigned value;
};

struct field {
    const char *key; /* NULL ends the table */
    enum field_type type;
    unsigned may, must; /* bits of what the object is: where the key may and must stand */
    size_t offset;      /* in the struct of the table that the field is in */
    double min, max;    /* FIELD_COUNT, FIELD_NUMBER, FIELD_TRIPLE, FIELD_LIST */
    double fallback;
    size_t size, count_offset;
    const struct choice *choices;
    const struct field *fields;
    bool silent; /* not hashed */
    bool late;   /* came after cards were hashed: not hashed while it has its default, so that those keep their hash;
                  * FIELD_CHOICE, FIELD_COUNT, FIELD_NUMBER, FIELD_PAIR, FIELD_BOOL, FIELD_SECTION of such */
};

struct fields_reader {
    const char *path;    /* of the file, for errors */
    unsigned of;         /* the bit of what is read */
    const char *of_text; /* the same in words, for "has no meaning with ..." */
    struct error *e;
};

/* object -> *base, whose tables are `fields`. prefix: the object's key path, "" for the root. *base began as
 * zeros. */
enum status fields_read(const struct fields_reader *r, const cJSON *object, const char *prefix,
                        const struct field *fields, void *base);

/* The enum value of a string by f's choices. */
enum status fields_read_choice(const struct fields_reader *r, const struct field *f, const char *key, const cJSON *v,
                               unsigned *ret_value);

/* STATUS_INVALID: "FILE: KEY: WANTED is wanted, not ...". */
enum status fields_wrong_type(const struct fields_reader *r, const char *key, const char *wanted, const cJSON *v);

/* Every field that is not silent, in the table's order, with its key. */
void fields_hash(struct hasher *h, const struct field *fields, const void *base);

/* Appends "PREFIX.KEY":"VALUE" of every field that an object of this bit may have, but for texts that change no score; sections
 * and lists by longer keys. */
void fields_describe(struct text *t, const struct field *fields, const void *base, unsigned of, const char *prefix);

bool field_name_is_plain(const char *s);  /* FIELD_NAME's rule */
bool field_file_is_inside(const char *s); /* FIELD_FILE's rule */

#endif
