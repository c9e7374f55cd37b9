/* Which entries state the same. A manifest keeps each string once (shard/manifest.h), so equal strings are equal
 * pointers, and one pass over a table of pointers does for any number of entries. */
#include "coordinator/report/model.h"

#include <stdlib.h>

struct slot {
    const char *text; /* NULL: free */
    uint32_t first;
};

/* Fibonacci hashing: the upper bits of a product. */
static size_t slot_of(const char *text, unsigned bits)
{
    return (size_t)((uint64_t)(uintptr_t)text * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

static enum status grow(struct slot **slots, unsigned *bits, struct error *e)
{
    unsigned more = *slots ? *bits + 1 : 10;
    struct slot *bigger = calloc((size_t)1 << more, sizeof(*bigger));

    if (!bigger)
        return error_no_memory(e);
    for (size_t i = 0; *slots && i < (size_t)1 << *bits; i++) {
        size_t at;

        if (!(*slots)[i].text)
            continue;
        for (at = slot_of((*slots)[i].text, more); bigger[at].text; at = (at + 1) & (((size_t)1 << more) - 1))
            ;
        bigger[at] = (*slots)[i];
    }
    free(*slots);
    *slots = bigger;
    *bits = more;
    return STATUS_OK;
}

enum status alike_first(const struct manifest *m, alike_field *field, const uint8_t *mask, uint32_t *ret_first,
                        struct error *e)
{
    struct slot *slots = NULL;
    unsigned bits = 0;
    size_t n_used = 0;

    for (size_t i = 0; i < manifest_count(m); i++) {
        const char *text;
        size_t at;

        if (mask && !mask[i])
            continue;
        if ((!slots || 2 * n_used >= (size_t)1 << bits) && grow(&slots, &bits, e) != STATUS_OK) {
            free(slots);
            return STATUS_NO_MEMORY;
        }
        text = field(manifest_entry(m, i));
        for (at = slot_of(text, bits); slots[at].text && slots[at].text != text;)
            at = (at + 1) & (((size_t)1 << bits) - 1);
        if (!slots[at].text) {
            slots[at] = (struct slot){.text = text, .first = (uint32_t)i};
            n_used++;
        }
        ret_first[i] = slots[at].first;
    }
    free(slots);
    return STATUS_OK;
}

const char *alike_split(const struct manifest_entry *entry)
{
    return entry->split;
}

const char *alike_family(const struct manifest_entry *entry)
{
    return entry->family;
}

const char *alike_method(const struct manifest_entry *entry)
{
    return entry->method;
}

const char *alike_original(const struct manifest_entry *entry)
{
    return entry->original;
}

const char *alike_identity(const struct manifest_entry *entry)
{
    return entry->identity;
}

const char *alike_group(const struct manifest_entry *entry)
{
    return entry->group;
}
