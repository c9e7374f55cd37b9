#include "shard/segment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/members.h"

void segment_free(struct segment **s)
{
    if (!*s)
        return;
    free((*s)->clip_frames);
    free((*s)->tracks);
    free(*s);
    *s = NULL;
}

void segment_range(uint32_t n_clips, uint32_t index, uint32_t count, uint32_t *ret_first, uint32_t *ret_n)
{
    uint32_t first = (uint32_t)((uint64_t)n_clips * index / count);

    *ret_first = first;
    *ret_n = (uint32_t)((uint64_t)n_clips * (index + 1) / count) - first;
}

static int compare_place(uint32_t clip_a, uint32_t number_a, uint32_t clip_b, uint32_t number_b)
{
    if (clip_a != clip_b)
        return clip_a < clip_b ? -1 : 1;
    return (number_a > number_b) - (number_a < number_b);
}

static const struct clip_track *find_track(const struct segment *s, uint32_t clip, uint32_t number)
{
    size_t low = 0, high = s->n_tracks;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_place(s->tracks[middle].clip, s->tracks[middle].number, clip, number);

        if (order == 0)
            return &s->tracks[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static bool is_box(const float box[4])
{
    return isfinite(box[0]) && isfinite(box[1]) && isfinite(box[2]) && isfinite(box[3]);
}

static bool is_aggregation(enum aggregation a)
{
    return a >= AGGREGATE_MEAN && a <= AGGREGATE_SHARE;
}

static bool rule_valid(const struct segment_rule *rule)
{
    return is_aggregation(rule->clips) && is_aggregation(rule->tracks) && rule->min_overlap >= 0 &&
           rule->min_overlap <= 1;
}

bool segment_valid(const struct result *r)
{
    const struct segment *s = r->segment;

    if (s->count < 2 || s->count > SEGMENT_MAX_COUNT || s->index >= s->count || s->state < SEGMENT_CLEAN ||
        s->state > SEGMENT_FAILED || s->n_clips > SEGMENT_MAX_CLIPS || s->first_clip > SEGMENT_MAX_CLIPS ||
        s->n_tracks > SEGMENT_MAX_TRACKS || (s->n_tracks > 0 && !s->tracks) || (s->n_clips > 0 && !s->clip_frames))
        return false;
    /* What is not to be joined carries no more than its name. */
    if (s->state != SEGMENT_CLEAN)
        return s->n_tracks == 0 && s->n_clips == 0 && r->n_clips == 0 && !outcome_has_score(r->outcome);
    if (!rule_valid(&s->rule) || r->n_clips > RESULT_MAX_CLIPS / s->count)
        return false;
    for (size_t i = 0; i < s->n_tracks; i++) {
        const struct clip_track *t = &s->tracks[i];

        if (t->clip < s->first_clip || t->clip - s->first_clip >= s->n_clips || !is_box(t->first_box) ||
            !is_box(t->last_box))
            return false;
        if (i > 0 && compare_place(t[-1].clip, t[-1].number, t->clip, t->number) >= 0)
            return false;
    }
    for (size_t i = 0; i < r->n_clips; i++) {
        if (!find_track(s, r->clips[i].clip, r->clips[i].track))
            return false;
    }
    return true;
}

static double box_area(const float b[4])
{
    return ((double)b[2] - b[0]) * ((double)b[3] - b[1]);
}

/* Intersection over union, as nodes/faces.h: face_overlap. */
static double overlap(const float a[4], const float b[4])
{
    double w = (double)fminf(a[2], b[2]) - fmaxf(a[0], b[0]);
    double h = (double)fminf(a[3], b[3]) - fmaxf(a[1], b[1]);
    double both = w > 0 && h > 0 ? w * h : 0;

    return both > 0 ? both / (box_area(a) + box_area(b) - both) : 0;
}

/* A track of the video that may go on in the next clip. */
struct open_track {
    uint32_t number;
    uint64_t n_missed;
    float box[4];
};

struct pair {
    double overlap;
    uint32_t open, track; /* index among the open ones; index in the clip */
};

struct linker {
    const struct segment_rule *rule;
    uint32_t *numbers; /* of the video's track, by index in the segment's tracks */
    struct open_track *open, *next;
    size_t n_open;
    struct pair *pairs;
    uint32_t n_begun;
};

static int best_first(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    if (x->overlap != y->overlap)
        return x->overlap > y->overlap ? -1 : 1;
    if (x->open != y->open)
        return x->open < y->open ? -1 : 1;
    return (x->track > y->track) - (x->track < y->track);
}

static enum status pair_up(struct linker *l, const struct clip_track *tracks, size_t n_tracks, uint32_t *numbers)
{
    size_t n = 0;

    if (l->n_open == 0 || n_tracks == 0)
        return STATUS_OK;
    free(l->pairs);
    l->pairs = calloc(l->n_open * n_tracks, sizeof(*l->pairs));
    if (!l->pairs)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < l->n_open; i++) {
        for (size_t k = 0; k < n_tracks; k++) {
            double both = overlap(l->open[i].box, tracks[k].first_box);

            if (both > 0 && both >= l->rule->min_overlap &&
                l->open[i].n_missed + tracks[k].first_frame <= l->rule->hold_frames)
                l->pairs[n++] = (struct pair){both, (uint32_t)i, (uint32_t)k};
        }
    }
    qsort(l->pairs, n, sizeof(*l->pairs), best_first);
    for (size_t i = 0; i < n; i++) {
        struct open_track *o = &l->open[l->pairs[i].open];

        if (o->number == UINT32_MAX || numbers[l->pairs[i].track] != UINT32_MAX)
            continue;
        numbers[l->pairs[i].track] = o->number;
        o->number = UINT32_MAX; /* goes on as the clip's track */
    }
    return STATUS_OK;
}

static enum status link_clip(struct linker *l, const struct clip_track *tracks, size_t n_tracks, uint32_t *numbers,
                             uint32_t n_frames)
{
    struct open_track *swap = l->open;
    size_t n = 0;
    enum status s;

    for (size_t k = 0; k < n_tracks; k++)
        numbers[k] = UINT32_MAX;
    s = l->rule->has_faces ? pair_up(l, tracks, n_tracks, numbers) : STATUS_OK;
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < l->n_open; i++) {
        l->open[i].n_missed += n_frames;
        if (l->open[i].number != UINT32_MAX && l->open[i].n_missed <= l->rule->hold_frames)
            l->next[n++] = l->open[i];
    }
    for (size_t k = 0; k < n_tracks; k++) {
        if (!l->rule->has_faces)
            numbers[k] = 0;
        else if (numbers[k] == UINT32_MAX)
            numbers[k] = l->n_begun++;
        if (tracks[k].n_missed > l->rule->hold_frames)
            continue;
        l->next[n] = (struct open_track){.number = numbers[k], .n_missed = tracks[k].n_missed};
        memcpy(l->next[n++].box, tracks[k].last_box, sizeof(l->next->box));
    }
    l->open = l->next;
    l->next = swap;
    l->n_open = n;
    return STATUS_OK;
}

static enum status link_all(struct linker *l, const struct segment *s)
{
    size_t at = 0;

    l->rule = &s->rule;
    l->numbers = calloc(s->n_tracks + 1, sizeof(*l->numbers));
    l->open = calloc(s->n_tracks + 1, sizeof(*l->open));
    l->next = calloc(s->n_tracks + 1, sizeof(*l->next));
    if (!l->numbers || !l->open || !l->next)
        return STATUS_NO_MEMORY;
    for (uint32_t c = 0; c < s->n_clips; c++) {
        size_t end = at;
        enum status status;

        while (end < s->n_tracks && s->tracks[end].clip == s->first_clip + c)
            end++;
        status = link_clip(l, s->tracks + at, end - at, l->numbers + at, s->clip_frames[c]);
        if (status != STATUS_OK)
            return status;
        at = end;
    }
    return STATUS_OK;
}

static void linker_clear(struct linker *l)
{
    free(l->numbers);
    free(l->open);
    free(l->next);
    free(l->pairs);
}

static int by_track_and_clip(const void *a, const void *b)
{
    const struct clip_score *x = a, *y = b;

    return compare_place(x->track, x->clip, y->track, y->clip);
}

/* Clip scores -> track scores -> the video's score. */
static enum status reduce_clips(struct result *r, const struct segment_rule *rule)
{
    size_t n_tracks = 0;
    double *values = malloc(2 * r->n_clips * sizeof(*values));
    double *tracks;

    if (!values)
        return STATUS_NO_MEMORY;
    tracks = values + r->n_clips;
    qsort(r->clips, r->n_clips, sizeof(*r->clips), by_track_and_clip);
    for (size_t first = 0, end; first < r->n_clips; first = end) {
        uint32_t track = r->clips[first].track;

        for (end = first; end < r->n_clips && r->clips[end].track == track; end++)
            values[end - first] = r->clips[end].p_fake;
        /* Tracks without a clip score leave gaps; the numbers that are kept have none. */
        for (size_t i = first; i < end; i++)
            r->clips[i].track = (uint32_t)n_tracks;
        tracks[n_tracks++] = aggregate(rule->clips, rule->top_k, values, end - first);
    }
    r->n_tracks = (uint32_t)n_tracks;
    r->p_fake = aggregate(rule->tracks, rule->top_k, tracks, n_tracks);
    free(values);
    return STATUS_OK;
}

enum status segment_link(struct result *r, const struct segment *s, struct error *e)
{
    struct linker l = {0};
    enum status status = link_all(&l, s);

    for (size_t i = 0; status == STATUS_OK && i < r->n_clips; i++) {
        const struct clip_track *t = find_track(s, r->clips[i].clip, r->clips[i].track);

        if (t)
            r->clips[i].track = l.numbers[t - s->tracks];
        else
            status = STATUS_CORRUPT;
    }
    r->n_tracks = 0;
    r->p_fake = NAN;
    if (status == STATUS_OK && r->n_clips > 0)
        status = reduce_clips(r, &s->rule);
    linker_clear(&l);
    return status == STATUS_OK ? status : error_set(e, status, "the clips' tracks: %s", status_name(status));
}

static const char *separator_before(const char *words)
{
    return words[0] ? ": " : "";
}

void segment_decide(struct result *r, const struct segment_rule *rule, unsigned longest_track, unsigned n_errors,
                    const char *words)
{
    if (r->n_clips > 0) {
        bool lost = r->n_frames_decoded < r->n_frames_wanted;

        r->outcome = lost ? OUTCOME_PARTIAL_DECODE : OUTCOME_SCORED;
        if (lost)
            result_set_message(r, "read %u of %u wanted frames%s%s", r->n_frames_decoded, r->n_frames_wanted,
                               separator_before(words), words);
        else if (n_errors > 0)
            result_set_message(r, "every wanted frame was read, %u decoding errors%s%s", n_errors,
                               separator_before(words), words);
        return;
    }
    if (r->n_frames_decoded == 0) {
        r->outcome = OUTCOME_DECODE_ERROR;
        result_set_message(r, "no frame could be decoded%s%s", separator_before(words), words);
    } else if (r->n_frames_decoded < rule->min_frames) {
        r->outcome = n_errors > 0 ? OUTCOME_DECODE_ERROR : OUTCOME_TOO_SHORT;
        result_set_message(r, "%u frame%s, the detector needs %u%s%s", r->n_frames_decoded,
                           r->n_frames_decoded == 1 ? "" : "s", rule->min_frames, separator_before(words), words);
    } else if (longest_track > 0) {
        /* There is a face, or there are frames, and in no clip enough of them. */
        r->outcome = OUTCOME_TOO_SHORT;
        result_set_message(r, "the longest %s has %u frame%s, the detector needs %u",
                           rule->has_faces ? "track" : "clip", longest_track, longest_track == 1 ? "" : "s",
                           rule->min_frames);
    } else {
        r->outcome = OUTCOME_NO_FACE;
        result_set_message(r, "no face of at least %u px in %u frames", rule->min_face_px, r->n_frames_decoded);
    }
}

void segment_drop_finds(struct result *r, struct segment *s, enum segment_state state)
{
    s->state = state;
    s->n_tracks = 0;
    s->n_clips = s->first_clip = 0;
    r->n_clips = 0;
    r->n_tracks = 0;
}

/* Only its clips and counts go into the video's result. */
static void conclude_part(struct result *r, struct segment *s, unsigned n_errors, const char *words)
{
    bool clean = n_errors == 0 && r->n_frames_decoded == r->n_frames_wanted && (r->n_clips > 0 || words[0] == '\0');

    s->state = SEGMENT_CLEAN;
    if (!clean || s->n_tracks > SEGMENT_MAX_TRACKS || r->n_clips > RESULT_MAX_CLIPS / s->count)
        segment_drop_finds(r, s, SEGMENT_TROUBLED);
    if (r->n_clips > 0)
        qsort(r->clips, r->n_clips, sizeof(*r->clips), by_track_and_clip);
    r->n_tracks = r->n_clips > 0 ? r->clips[r->n_clips - 1].track + 1 : 0;
    segment_decide(r, &s->rule, s->longest_track, n_errors, words);
    r->p_fake = r->n_clips > 0 ? r->clips[0].p_fake : NAN;
}

enum status segment_conclude(struct result *r, struct segment *s, unsigned n_errors, const char *words, struct error *e)
{
    enum status status;

    if (s->count > 1) {
        conclude_part(r, s, n_errors, words);
        return STATUS_OK;
    }
    status = segment_link(r, s, e);
    if (status == STATUS_OK)
        segment_decide(r, &s->rule, s->longest_track, n_errors, words);
    return status;
}

enum status segment_copy_head(const struct result *part, struct result *ret_r)
{
    struct result r = {
        .size_bytes = part->size_bytes,
        .mtime_ns = part->mtime_ns,
        .offset_bytes = part->offset_bytes,
        .outcome = part->outcome,
        .p_fake = NAN,
        .facts = part->facts,
        .n_frames_wanted = part->n_frames_wanted,
        .n_frames_decoded = part->n_frames_decoded,
        .n_frames_with_face = part->n_frames_with_face,
        .attempt = part->attempt,
        .rank = part->rank,
        .wall_us = part->wall_us,
        .decode_us = part->decode_us,
        .face_us = part->face_us,
        .network_us = part->network_us,
    };
    enum status s = result_set_path(&r, part->path);

    if (s == STATUS_OK)
        s = result_set_content(&r, part->content);
    if (s != STATUS_OK) {
        result_clear(&r);
        return s;
    }
    memcpy(r.message, part->message, sizeof(r.message));
    s = members_copy_heads(part, &r);
    if (s != STATUS_OK) {
        result_clear(&r);
        return s;
    }
    *ret_r = r;
    return STATUS_OK;
}

static void add_counts(struct result *r, const struct result *part)
{
    r->n_frames_wanted += part->n_frames_wanted;
    r->n_frames_decoded += part->n_frames_decoded;
    r->n_frames_with_face += part->n_frames_with_face;
    r->wall_us += part->wall_us;
    r->decode_us += part->decode_us;
    r->face_us += part->face_us;
    r->network_us += part->network_us;
    if (part->attempt > r->attempt)
        r->attempt = part->attempt;
}

/* One segment of all clips out of the parts'. */
static enum status merge(const struct result *const *parts, size_t n_parts, struct result *r, struct segment *all)
{
    size_t n_clips = 0, n_scores = 0, n_tracks = 0;

    for (size_t i = 0; i < n_parts; i++) {
        n_clips += parts[i]->segment->n_clips;
        n_scores += parts[i]->n_clips;
        n_tracks += parts[i]->segment->n_tracks;
    }
    *all = (struct segment){.count = 1, .state = SEGMENT_CLEAN, .rule = parts[0]->segment->rule};
    all->clip_frames = calloc(n_clips + 1, sizeof(*all->clip_frames));
    all->tracks = calloc(n_tracks + 1, sizeof(*all->tracks));
    r->clips = calloc(n_scores + 1, sizeof(*r->clips));
    if (!all->clip_frames || !all->tracks || !r->clips)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < n_parts; i++) {
        const struct segment *s = parts[i]->segment;

        /* The same file and detector give every lane the same plan, so the parts fit without a gap. */
        if (s->first_clip != all->n_clips && s->n_clips > 0)
            return STATUS_AGAIN;
        if (s->n_clips > 0)
            memcpy(all->clip_frames + all->n_clips, s->clip_frames, s->n_clips * sizeof(*s->clip_frames));
        if (s->n_tracks > 0)
            memcpy(all->tracks + all->n_tracks, s->tracks, s->n_tracks * sizeof(*s->tracks));
        if (parts[i]->n_clips > 0)
            memcpy(r->clips + r->n_clips, parts[i]->clips, parts[i]->n_clips * sizeof(*r->clips));
        all->n_clips += s->n_clips;
        all->n_tracks += s->n_tracks;
        r->n_clips += parts[i]->n_clips;
        if (s->longest_track > all->longest_track)
            all->longest_track = s->longest_track;
        if (i > 0)
            add_counts(r, parts[i]);
    }
    return STATUS_OK;
}

enum status segment_join(const struct result *const *parts, size_t n_parts, struct result *ret_result, struct error *e)
{
    struct result r = {0};
    struct segment all = {0};
    enum status s;

    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i]->segment->state == SEGMENT_TROUBLED)
            return STATUS_AGAIN;
    }
    s = segment_copy_head(parts[0], &r);
    if (s == STATUS_OK)
        s = members_join(parts, n_parts, &r, e);
    if (s == STATUS_OK)
        s = merge(parts, n_parts, &r, &all);
    if (s == STATUS_OK)
        s = segment_link(&r, &all, e);
    else if (s == STATUS_NO_MEMORY)
        error_no_memory(e);
    if (s == STATUS_OK) {
        r.message[0] = '\0';
        segment_decide(&r, &all.rule, all.longest_track, 0, "");
        *ret_result = r;
        r = (struct result){0};
    }
    result_clear(&r);
    free(all.clip_frames);
    free(all.tracks);
    return s;
}
