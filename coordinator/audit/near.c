/* Near duplicates: videos of which at least half of the pictures of one are near pictures of the other. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/audit_parts.h"

static unsigned count(uint8_t set)
{
    return (unsigned)__builtin_popcount(set);
}

/* Of the fitter video at least half, and two pictures unless neither has more than one: one title card is not a copy. */
static bool is_near(const struct auditor *x, const struct near_pair *p)
{
    unsigned has_a = x->prints.entries[p->a].n_pictures, has_b = x->prints.entries[p->b].n_pictures;
    unsigned matched_a = count(p->matched_a), matched_b = count(p->matched_b);
    bool is_half = 2 * matched_a >= has_a || 2 * matched_b >= has_b;

    return is_half && (matched_a >= 2 || matched_b >= 2 || (has_a == 1 && has_b == 1));
}

static void append_seconds(struct text *t, int64_t us)
{
    text_append_format(t, "%.1f s", (double)us / 1e6);
}

static enum status tell(struct auditor *x, const struct near_pair *p, bool is_mirrored, struct error *e)
{
    const struct manifest_entry *a = manifest_entry(x->m, p->a), *b = manifest_entry(x->m, p->b);
    bool is_leak = a->split != b->split && a->split[0] != '\0' && b->split[0] != '\0';
    bool is_related = audit_is_related(x, p->a, p->b);
    bool labels_differ = a->label != b->label && a->label != LABEL_UNKNOWN && b->label != LABEL_UNKNOWN;
    enum audit_kind kinds[2];
    size_t n_kinds = 0;
    enum status s = STATUS_OK;

    if (is_leak)
        kinds[n_kinds++] = AUDIT_LEAK;
    if (labels_differ && !is_related)
        kinds[n_kinds++] = AUDIT_UNSTATED_ORIGINAL;
    /* Fakes of one original, and takes of one group, are alike by their nature; that it is stated is all that is asked. */
    else if (!is_related)
        kinds[n_kinds++] = AUDIT_NEAR_DUPLICATE;
    for (size_t k = 0; s == STATUS_OK && k < n_kinds; k++) {
        struct text evidence = {0}, command = {0};

        text_append_format(&evidence, "%u of %u pictures are near %u of %u%s, the nearest %u of 256 bits apart; ",
                           count(p->matched_a), x->prints.entries[p->a].n_pictures, count(p->matched_b),
                           x->prints.entries[p->b].n_pictures, is_mirrored ? ", mirrored" : "", p->distance);
        append_seconds(&evidence, audit_facts(x, p->a)->duration_us);
        text_append_string(&evidence, " and ");
        append_seconds(&evidence, audit_facts(x, p->b)->duration_us);
        if (kinds[k] == AUDIT_LEAK)
            text_append_format(&evidence, ", in splits %s and %s", a->split, b->split);
        if (labels_differ)
            text_append_format(&evidence, ", labelled %s and %s", label_name(a->label), label_name(b->label));
        text_append_string(&command, "ffmpeg -v error -y -i ");
        audit_append_file(&command, x, p->a);
        text_append_string(&command, " -i ");
        audit_append_file(&command, x, p->b);
        text_append_format(&command,
                           " -filter_complex '[0]scale=640:360[a];[1]scale=640:360%s[b];[a][b]hstack' "
                           "-frames:v 1 pair.png",
                           is_mirrored ? ",hflip" : "");
        s = audit_add(x, kinds[k], p->a, p->b, &evidence, &command, e);
    }
    return s;
}

static enum status tell_limits(struct auditor *x, const struct near_pairs *p, struct error *e)
{
    struct text evidence = {0}, command = {0};

    if (p->n_crowded == 0 && p->n_skipped == 0 && p->n_dropped == 0)
        return STATUS_OK;
    text_append_format(&evidence,
                       "near duplicates are not all there: %llu matches of pictures that are in too many videos, %llu "
                       "comparisons and %llu pairs were left out",
                       (unsigned long long)p->n_crowded, (unsigned long long)p->n_skipped,
                       (unsigned long long)p->n_dropped);
    return audit_add(x, AUDIT_INCOMPLETE, AUDIT_NO_ENTRY, AUDIT_NO_ENTRY, &evidence, &command, e);
}

static enum status join(struct auditor *x, const uint64_t *flip, struct error *e)
{
    const struct hamming_settings settings = {.flip = flip, .n_threads = x->settings->n_threads};
    struct near_pairs p = {0};
    enum status s = hamming_join(x->prints.pictures, x->prints.n_pictures, &settings, &p, e);

    x->audit->n_comparisons += p.n_comparisons;
    for (size_t i = 0; s == STATUS_OK && i < p.n; i++) {
        if (p.pairs[i].b != AUDIT_NO_ENTRY && is_near(x, &p.pairs[i]))
            s = tell(x, &p.pairs[i], flip != NULL, e);
    }
    if (s == STATUS_OK)
        s = tell_limits(x, &p, e);
    near_pairs_clear(&p);
    return s;
}

enum status audit_near(struct auditor *x, struct error *e)
{
    enum status s;

    /* The first of several that are one file stands for all of them. */
    for (size_t i = 0; i < x->prints.n_pictures; i++) {
        struct hamming_picture *p = &x->prints.pictures[i];

        if (p->owner != AUDIT_NO_ENTRY && x->same[p->owner] != p->owner)
            p->owner = AUDIT_NO_ENTRY;
        x->audit->n_pictures += p->owner != AUDIT_NO_ENTRY;
    }
    s = join(x, NULL, e);
    if (s == STATUS_OK && x->settings->mirrored)
        s = join(x, hamming_mirror, e);
    return s;
}
