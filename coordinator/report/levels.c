/* Figures of clips and of frames, overall and for each group. Items are clips of labelled, scored videos in the manifest's
 * order, and frames likewise; a clip has its video's label, a frame too, or what the fake_segments of its video say. */
#include "coordinator/report/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/frame_reader.h"
#include "shard/spans.h"

enum {
    MAX_FRAMES = 20000000, /* in memory; beyond, a fixed half (quarter, ...) of the videos stands for all */
};

/* Items; beyond, groups have figures of videos alone, so that ten million records stay within minutes and gigabytes. */
static const size_t max_grouped[LEVEL_COUNT] = {[LEVEL_CLIP] = 5000000, [LEVEL_FRAME] = MAX_FRAMES};

/* Items as they are gathered. */
struct gathered {
    double *p_fake;
    uint8_t *is_fake;
    uint32_t *video;
    size_t n, room;
};

static void gathered_clear(struct gathered *g)
{
    free(g->p_fake);
    free(g->is_fake);
    free(g->video);
    *g = (struct gathered){0};
}

static enum status make_room(struct gathered *g, size_t room, struct error *e)
{
    double *p_fake = reallocarray(g->p_fake, room, sizeof(*p_fake));
    uint8_t *is_fake;
    uint32_t *video;

    if (!p_fake)
        return error_no_memory(e);
    g->p_fake = p_fake;
    is_fake = realloc(g->is_fake, room);
    if (!is_fake)
        return error_no_memory(e);
    g->is_fake = is_fake;
    video = reallocarray(g->video, room, sizeof(*video));
    if (!video)
        return error_no_memory(e);
    g->video = video;
    g->room = room;
    return STATUS_OK;
}

static bool counts(const struct report_model *m, size_t i)
{
    return manifest_entry(m->in->manifest, i)->label != LABEL_UNKNOWN &&
           outcome_has_score(results_outcome(m->in->results, i));
}

/* Ranks and measures; the ranking and whose the items are stay for the groups. */
static enum status measure(struct report_model *m, enum level_kind kind, struct gathered *g, struct error *e)
{
    struct level *level = &m->levels[kind];
    enum status s = ranking_open(g->p_fake, g->is_fake, g->n, &level->ranking, e);

    if (s == STATUS_OK)
        s = metrics_compute(&level->ranking, g->video, &metrics_defaults, &level->metrics, e);
    level->is_grouped = g->n <= max_grouped[kind];
    if (level->is_grouped) {
        level->video = g->video;
        g->video = NULL;
    } else {
        ranking_close(&level->ranking);
    }
    return s;
}

static enum status measure_clips(struct report_model *m, struct error *e)
{
    struct gathered g = {0};
    enum status s = make_room(&g, m->n_clips + 1, e);

    for (size_t i = 0; s == STATUS_OK && i < m->n; i++) {
        const struct result *result;

        if (!counts(m, i))
            continue;
        result = results_get(m->reader, i);
        for (size_t k = 0; k < result->n_clips; k++, g.n++) {
            g.p_fake[g.n] = result->clips[k].p_fake;
            g.is_fake[g.n] = manifest_entry(m->in->manifest, i)->label == LABEL_FAKE;
            g.video[g.n] = (uint32_t)i;
        }
    }
    if (s == STATUS_OK)
        s = measure(m, LEVEL_CLIP, &g, e);
    gathered_clear(&g);
    return s;
}

/* Whether a video is among one in every (a power of two): the same videos whatever the order, fewer as every grows. */
static bool is_sampled(size_t i, uint32_t every)
{
    uint64_t x = i + 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u; /* splitmix64 */
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return ((x ^ (x >> 31)) & (every - 1)) == 0;
}

static void thin(struct gathered *g, uint32_t every)
{
    size_t n = 0;

    for (size_t k = 0; k < g->n; k++) {
        if (!is_sampled(g->video[k], every))
            continue;
        g->p_fake[n] = g->p_fake[k];
        g->is_fake[n] = g->is_fake[k];
        g->video[n++] = g->video[k];
    }
    g->n = n;
}

static enum status take_frames(struct gathered *g, const struct manifest_entry *entry, size_t i,
                               const struct frame_score *frames, size_t n, struct span_s *spans, struct error *e)
{
    size_t n_spans = 0;
    enum status s = spans_parse(entry->fake_segments, spans, &n_spans);

    if (s != STATUS_OK)
        return error_set(e, STATUS_BUG, "%s: fake_segments", entry->path);
    if (g->n + n > g->room)
        s = make_room(g, 2 * g->room + n, e);
    for (size_t k = 0; s == STATUS_OK && k < n; k++, g->n++) {
        g->p_fake[g->n] = frames[k].p_fake;
        g->is_fake[g->n] =
            entry->label == LABEL_FAKE && (n_spans == 0 || spans_hold(spans, n_spans, (double)frames[k].time_us / 1e6));
        g->video[g->n] = (uint32_t)i;
    }
    return s;
}

static enum status measure_frames(struct report_model *m, struct error *e)
{
    struct gathered g = {0};
    struct frame_reader *reader = NULL;
    struct span_s *spans = malloc(SPANS_MAX * sizeof(*spans));
    enum status s = spans ? frame_reader_open(m->in->run_folder, &reader, e) : error_no_memory(e);

    m->levels[LEVEL_FRAME].every = 1;
    for (size_t i = 0; s == STATUS_OK && reader && i < m->n; i++) {
        const struct manifest_entry *entry = manifest_entry(m->in->manifest, i);
        const struct frame_score *frames = NULL;
        size_t n = 0;

        if (!counts(m, i) || results_n_clips(m->in->results, i) == 0)
            continue;
        s = frame_reader_next(reader, entry->path, &frames, &n, e);
        if (s != STATUS_OK || n == 0)
            continue;
        m->n_framed++;
        if (is_sampled(i, m->levels[LEVEL_FRAME].every))
            s = take_frames(&g, entry, i, frames, n, spans, e);
        while (s == STATUS_OK && g.n > MAX_FRAMES) {
            m->levels[LEVEL_FRAME].every *= 2;
            thin(&g, m->levels[LEVEL_FRAME].every);
        }
    }
    if (s == STATUS_OK && g.room == 0)
        s = make_room(&g, 1, e);
    if (s == STATUS_OK)
        s = measure(m, LEVEL_FRAME, &g, e);
    frame_reader_close(&reader);
    free(spans);
    gathered_clear(&g);
    return s;
}

enum status levels_make(struct report_model *m, struct error *e)
{
    enum status s = measure_clips(m, e);

    return s == STATUS_OK ? measure_frames(m, e) : s;
}

/* Figures of one group's items, and the AUC's interval by video; new_number: UINT32_MAX for each video, before and after. */
static enum status measure_group(const struct level *level, const struct ranking *r, uint32_t *new_number,
                                 struct metrics *ret_metrics, struct error *e)
{
    struct metrics_settings settings = metrics_defaults;
    uint32_t *of_position = malloc((r->n + 1) * sizeof(*of_position)), n_videos = 0;
    enum status s;

    if (!of_position)
        return error_no_memory(e);
    settings.replicates = 0;
    s = metrics_compute(r, NULL, &settings, ret_metrics, e);
    for (size_t k = 0; k < r->n; k++) {
        uint32_t *number = &new_number[level->video[r->item[k]]];

        if (*number == UINT32_MAX)
            *number = n_videos++;
        of_position[k] = *number;
    }
    for (size_t k = 0; k < r->n; k++)
        new_number[level->video[r->item[k]]] = UINT32_MAX;
    if (s == STATUS_OK)
        s = metrics_influence(r, of_position, n_videos, &ret_metrics->auc_bootstrap, e);
    free(of_position);
    return s;
}

static uint32_t *fresh_numbers(const struct report_model *m)
{
    uint32_t *numbers = malloc((m->n + 1) * sizeof(*numbers));

    if (numbers)
        memset(numbers, 0xff, (m->n + 1) * sizeof(*numbers));
    return numbers;
}

static enum status parts_of_level(const struct report_model *m, enum level_kind kind, const uint32_t *part,
                                  struct group *groups, size_t n_groups, struct error *e)
{
    const struct level *level = &m->levels[kind];
    uint32_t *of_item = malloc((level->ranking.n + 1) * sizeof(*of_item)), *numbers = fresh_numbers(m);
    struct ranking *r = calloc(n_groups + 1, sizeof(*r));
    enum status s = of_item && numbers && r ? STATUS_OK : error_no_memory(e);

    for (size_t k = 0; s == STATUS_OK && k < level->ranking.n; k++)
        of_item[k] = part[level->video[k]];
    if (s == STATUS_OK)
        s = ranking_split(&level->ranking, of_item, n_groups, r, e);
    for (size_t k = 0; s == STATUS_OK && k < n_groups; k++)
        s = measure_group(level, &r[k], numbers, &groups[k].levels[kind], e);
    for (size_t k = 0; r && k < n_groups; k++)
        ranking_close(&r[k]);
    free(r);
    free(of_item);
    free(numbers);
    return s;
}

enum status levels_of_parts(const struct report_model *m, const uint32_t *part, struct group *groups, size_t n_groups,
                            struct error *e)
{
    enum status s = STATUS_OK;

    for (int kind = 0; s == STATUS_OK && kind < LEVEL_COUNT; kind++) {
        if (m->levels[kind].is_grouped && m->levels[kind].ranking.n > 0)
            s = parts_of_level(m, (enum level_kind)kind, part, groups, n_groups, e);
    }
    return s;
}

enum status levels_of_videos(const struct report_model *m, const uint8_t *keep, struct group *group, struct error *e)
{
    uint32_t *numbers = fresh_numbers(m);
    enum status s = numbers ? STATUS_OK : error_no_memory(e);

    for (int kind = 0; s == STATUS_OK && kind < LEVEL_COUNT; kind++) {
        const struct level *level = &m->levels[kind];
        struct ranking r = {0};
        uint8_t *keep_item = NULL;

        if (!level->is_grouped || level->ranking.n == 0)
            continue;
        keep_item = malloc(level->ranking.n);
        if (!keep_item) {
            s = error_no_memory(e);
            break;
        }
        for (size_t k = 0; k < level->ranking.n; k++)
            keep_item[k] = keep[level->video[k]];
        s = ranking_subset(&level->ranking, keep_item, &r, e);
        if (s == STATUS_OK)
            s = measure_group(level, &r, numbers, &group->levels[kind], e);
        ranking_close(&r);
        free(keep_item);
    }
    free(numbers);
    return s;
}

void levels_drop_items(struct report_model *m)
{
    for (int kind = 0; kind < LEVEL_COUNT; kind++) {
        ranking_close(&m->levels[kind].ranking);
        free(m->levels[kind].video);
        m->levels[kind].video = NULL;
    }
}
