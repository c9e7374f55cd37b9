#include <stdio.h>
#include <string.h>

#include "models/fields.h"
#include "shard/text.h"

static void append_value(struct text *t, const struct field *f, const char *slot)
{
    const struct choice *choice = f->choices;
    unsigned u;
    double d;

    switch (f->type) {
    case FIELD_CHOICE:
        memcpy(&u, slot, sizeof(u));
        while (choice && choice->name && choice->value != u)
            choice++;
        text_append_json(t, choice && choice->name ? choice->name : "");
        break;
    case FIELD_COUNT:
        memcpy(&u, slot, sizeof(u));
        text_append_u64(t, u);
        break;
    case FIELD_BOOL:
        text_append_string(t, *(const bool *)slot ? "true" : "false");
        break;
    case FIELD_NUMBER:
    case FIELD_TRIPLE:
    case FIELD_PAIR:
        for (int i = 0; i < (f->type == FIELD_TRIPLE ? 3 : f->type == FIELD_PAIR ? 2 : 1); i++) {
            memcpy(&d, slot + i * sizeof(d), sizeof(d));
            text_append_string(t, i > 0 ? " " : "");
            text_append_double(t, d);
        }
        break;
    default:
        text_append_json(t, slot);
        break;
    }
}

void fields_describe(struct text *t, const struct field *fields, const void *base, unsigned of, const char *prefix)
{
    for (const struct field *f = fields; f->key; f++) {
        const char *slot = (const char *)base + f->offset;
        char key[160];
        unsigned n = 1;

        if (!(f->may & of) || (f->silent && (f->type == FIELD_SECTION || f->type == FIELD_LIST)))
            continue;
        snprintf(key, sizeof(key), "%s%s", prefix, f->key);
        if (f->type == FIELD_LIST)
            memcpy(&n, (const char *)base + f->count_offset, sizeof(n));
        for (unsigned i = 0; i < n && (f->type == FIELD_SECTION || f->type == FIELD_LIST); i++) {
            char inner[192];

            if (f->type == FIELD_LIST)
                snprintf(inner, sizeof(inner), "%s.%u.", key, i);
            else
                snprintf(inner, sizeof(inner), "%s.", key);
            fields_describe(t, f->fields, slot + i * f->size, of, inner);
        }
        if (f->type == FIELD_SECTION || f->type == FIELD_LIST || (f->silent && f->type == FIELD_TEXT))
            continue;
        /* An optional network that is not there has no file. */
        if ((f->type == FIELD_FILE || f->type == FIELD_SHA256) && slot[0] == '\0')
            continue;
        text_append_format(t, "%s\"%s\":\"", t->len_bytes > 1 ? "," : "", key);
        append_value(t, f, slot);
        text_append_string(t, "\"");
    }
}
