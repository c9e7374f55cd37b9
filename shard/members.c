#include "shard/members.h"

#include <math.h>
#include <stdlib.h>

#include "shard/segment.h"

enum status members_make(struct result *r, size_t n)
{
    if (n == 0)
        return STATUS_OK;
    r->members = calloc(n, sizeof(*r->members));
    if (!r->members)
        return STATUS_NO_MEMORY;
    r->n_members = n;
    for (size_t i = 0; i < n; i++) {
        r->members[i].p_fake = NAN;
        if (result_set_path(&r->members[i], "-") != STATUS_OK)
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

bool members_valid(const struct result *r)
{
    if (r->n_members > RESULT_MAX_MEMBERS || (r->n_members > 0 && !r->members))
        return false;
    for (size_t i = 0; i < r->n_members; i++) {
        const struct segment *a = r->segment, *b = r->members[i].segment;

        if (r->members[i].n_members > 0 || !a != !b || (a && (a->index != b->index || a->count != b->count)))
            return false;
    }
    return true;
}

bool members_fit(struct result *r)
{
    size_t n_clips = r->n_clips, n_tracks = r->segment ? r->segment->n_tracks : 0;

    for (size_t i = 0; i < r->n_members; i++) {
        n_clips += r->members[i].n_clips;
        n_tracks += r->members[i].segment ? r->members[i].segment->n_tracks : 0;
    }
    if (r->segment)
        return n_clips <= RESULT_MAX_CLIPS / r->segment->count && n_tracks <= SEGMENT_MAX_TRACKS;
    for (size_t i = r->n_members; n_clips > RESULT_MAX_CLIPS && i-- > 0;) {
        n_clips -= r->members[i].n_clips;
        free(r->members[i].clips);
        r->members[i].clips = NULL;
        r->members[i].n_clips = 0;
    }
    return true;
}

/* Takes over what the member holds, in the place of the undecided one that stands there. */
static void put(struct result *r, size_t index, const struct result *member)
{
    free(r->members[index].path);
    r->members[index] = *member;
}

enum status members_copy_heads(const struct result *part, struct result *ret_r)
{
    enum status s = members_make(ret_r, part->n_members);

    for (size_t i = 0; s == STATUS_OK && i < part->n_members; i++) {
        struct result head;

        s = segment_copy_head(&part->members[i], &head);
        if (s == STATUS_OK)
            put(ret_r, i, &head);
    }
    return s;
}

enum status members_join(const struct result *const *parts, size_t n_parts, struct result *ret_r, struct error *e)
{
    const struct result *of_member[SEGMENT_MAX_COUNT];
    enum status s = STATUS_OK;

    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i]->n_members != ret_r->n_members || n_parts > SEGMENT_MAX_COUNT)
            return STATUS_AGAIN;
    }
    for (size_t k = 0; s == STATUS_OK && k < ret_r->n_members; k++) {
        struct result joined;

        for (size_t i = 0; i < n_parts; i++)
            of_member[i] = &parts[i]->members[k];
        s = segment_join(of_member, n_parts, &joined, e);
        if (s == STATUS_OK)
            put(ret_r, k, &joined);
    }
    return s;
}
