#include <stdlib.h>

#include "shard/wire.h"
#include "shard/wire_internal.h"
#include "wire.pb-c.h"

void wire_members_free(struct Fakesift__Wire__Facts *facts)
{
    for (size_t i = 0; i < facts->n_members; i++)
        free(facts->members[i].data);
    free(facts->members);
    facts->members = NULL;
    facts->n_members = 0;
}

enum status wire_members_fill(const struct result *r, struct Fakesift__Wire__Facts *facts)
{
    enum status s = STATUS_OK;

    if (r->n_members == 0)
        return STATUS_OK;
    facts->members = calloc(r->n_members, sizeof(*facts->members));
    if (!facts->members)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; s == STATUS_OK && i < r->n_members; i++) {
        s = result_pack(&r->members[i], &facts->members[i].data, &facts->members[i].len);
        facts->n_members += s == STATUS_OK;
    }
    if (s != STATUS_OK)
        wire_members_free(facts);
    return s;
}

enum status wire_members_take(const struct Fakesift__Wire__Facts *w, struct result *r)
{
    if (w->n_members == 0)
        return STATUS_OK;
    if (w->n_members > RESULT_MAX_MEMBERS)
        return STATUS_CORRUPT;
    r->members = calloc(w->n_members, sizeof(*r->members));
    if (!r->members)
        return STATUS_NO_MEMORY;
    for (; r->n_members < w->n_members; r->n_members++) {
        const ProtobufCBinaryData *m = &w->members[r->n_members];
        enum status s = wire_member_unpack(m->data, m->len, &r->members[r->n_members]);

        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}
