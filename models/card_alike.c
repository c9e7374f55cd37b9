#include <string.h>

#include "models/card.h"
#include "models/card_fields.h"
#include "shard/text.h"

/* By the section's own table of keys, so that a key that is added is compared. */
static bool same_section(const struct card *a, const struct card *b, const char *key)
{
    const struct field *f = card_fields;
    struct text x = {0}, y = {0};
    bool is_same;

    while (strcmp(f->key, key) != 0)
        f++;
    fields_describe(&x, f->fields, (const char *)a + f->offset, CARD_OF_ANY, "");
    fields_describe(&y, f->fields, (const char *)b + f->offset, CARD_OF_ANY, "");
    is_same = !x.failed && !y.failed && strcmp(x.data, y.data) == 0;
    text_clear(&x);
    text_clear(&y);
    return is_same;
}

bool card_wants_same_frames(const struct card *a, const struct card *b)
{
    struct card x = {.sampling = a->sampling}, y = {.sampling = b->sampling};

    x.sampling.min_frames = y.sampling.min_frames = 0;
    return same_section(&x, &y, "sampling");
}

bool card_finds_same_faces(const struct card *a, const struct card *b)
{
    return a->input == b->input && (a->input != INPUT_FACES || same_section(a, b, "face"));
}

bool card_cuts_same_crops(const struct card *a, const struct card *b)
{
    return same_section(a, b, "crop");
}
