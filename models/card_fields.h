/* card_fields: a card's keys as tables, which card.c reads and hashes by. Internal to models. */
#ifndef FAKESIFT_MODELS_CARD_FIELDS_H
#define FAKESIFT_MODELS_CARD_FIELDS_H

#include <stddef.h>

#include "shard/status.h"

enum field_type {
    FIELD_TEXT = 1, /* char[size] */
    FIELD_NAME,     /* char[size], [a-z0-9._-]+, no dot first */
    FIELD_FILE,     /* char[size], a path inside the card's folder */
    FIELD_SHA256,   /* char[65], "" or 64 lower-case hexadecimal digits */
    FIELD_CHOICE,   /* an enum */
    FIELD_COUNT,    /* unsigned */
    FIELD_NUMBER,   /* double */
    FIELD_TRIPLE,   /* double[3]; fallback for each */
    FIELD_BOOL,
    FIELD_SECTION, /* an object, its fields in `fields` */
    FIELD_LIST /* an array of objects, as many as fit: `size` bytes each, at most max, counted at count_offset
                */
};

/* What a card is, as a bit: the keys that it may and must have depend on it. */
enum {
    CARD_OF_FACES = 1 << 0,
    CARD_OF_FRAMES = 1 << 1,
    CARD_OF_LANDMARKS = 1 << 2,
    CARD_OF_FINDER = 1 << 3,
    CARD_OF_PICTURES = CARD_OF_FACES | CARD_OF_FRAMES,
    CARD_OF_DETECTOR = CARD_OF_PICTURES | CARD_OF_LANDMARKS,
    CARD_OF_ANY = CARD_OF_DETECTOR | CARD_OF_FINDER
};

struct choice {
    const char *name; /* NULL ends the list */
    unsigned value;
};

struct field {
    const char *key; /* NULL ends the table */
    enum field_type type;
    unsigned may, must; /* CARD_OF_* */
    size_t offset;      /* in the struct of the table that the field is in */
    double min, max;    /* FIELD_COUNT, FIELD_NUMBER, FIELD_TRIPLE, FIELD_LIST */
    double fallback;
    size_t size, count_offset;
    const struct choice *choices;
    const struct field *fields;
    bool silent; /* cannot change a score */
};

extern const struct field card_fields[]; /* in struct card; [0] is "kind", [1] is "input" */

#endif
