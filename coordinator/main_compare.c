/* fakesift compare. In: two run folders. Out: coordinator/main_compare.h, on standard output and as JSON. */
#include "coordinator/main_compare.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/main.h"
#include "coordinator/main_options.h"
#include "coordinator/report/clusters.h"
#include "shard/log.h"

struct options {
    const char *runs[2], *json;
    uint64_t n_listed;
};

enum { KEY_JSON = 0x100, KEY_LIST };

static const struct argp_option compare_options[] = {
    {"json", KEY_JSON, "FILE", 0, "Write everything as JSON, too", 0},
    {"list", KEY_LIST, "N", 0, "Show at most N videos of each kind; default 20. The JSON has all", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    const struct options_argument arguments[] = {{"RUN", NULL, &o->runs[0]}, {"a second RUN", NULL, &o->runs[1]}};

    switch (key) {
    case KEY_JSON:
        o->json = arg;
        return 0;
    case KEY_LIST:
        options_number(state, "list", arg, 0, UINT32_MAX, &o->n_listed);
        return 0;
    default:
        return options_arguments(key, arg, state, arguments, 2, "two runs");
    }
}

/* prefix: before the field's name. */
static enum status add_field(struct comparison *c, const char *prefix, const cJSON *a, const cJSON *b, struct error *e)
{
    struct field_pair f = {0};
    struct field_pair *more = reallocarray(c->fields, c->n_fields + 1, sizeof(*more));
    const char *key = a ? a->string : b->string;
    size_t room = strlen(prefix) + strlen(key) + 1;
    bool failed;

    if (!more)
        return error_no_memory(e);
    c->fields = more;
    f.name = malloc(room);
    if (f.name)
        snprintf(f.name, room, "%s%s", prefix, key);
    f.a = cJSON_IsString(a) ? strdup(a->valuestring) : a ? cJSON_PrintUnformatted(a) : NULL;
    f.b = cJSON_IsString(b) ? strdup(b->valuestring) : b ? cJSON_PrintUnformatted(b) : NULL;
    failed = !f.name || (a && !f.a) || (b && !f.b);
    c->fields[c->n_fields++] = f;
    c->n_fields_differ += !f.a || !f.b || strcmp(f.a, f.b) != 0;
    return failed ? error_no_memory(e) : STATUS_OK;
}

/* The fields of both objects, in a's order, then b's own. The texts are freed. */
static enum status compare_objects(struct comparison *c, const char *prefix, char *text_a, char *text_b,
                                   struct error *e)
{
    cJSON *a = text_a ? cJSON_Parse(text_a) : NULL, *b = text_b ? cJSON_Parse(text_b) : NULL;
    enum status s = a && b ? STATUS_OK : error_no_memory(e);

    for (const cJSON *field = s == STATUS_OK ? a->child : NULL; s == STATUS_OK && field; field = field->next)
        s = add_field(c, prefix, field, cJSON_GetObjectItemCaseSensitive(b, field->string), e);
    for (const cJSON *field = s == STATUS_OK ? b->child : NULL; s == STATUS_OK && field; field = field->next) {
        if (!cJSON_GetObjectItemCaseSensitive(a, field->string))
            s = add_field(c, prefix, NULL, field, e);
    }
    cJSON_Delete(a);
    cJSON_Delete(b);
    free(text_a);
    free(text_b);
    return s;
}

static enum status compare_protocols(struct comparison *c, struct error *e)
{
    char *card[2] = {run_folder_card_json(c->run[0].folder), run_folder_card_json(c->run[1].folder)};
    enum status s = compare_objects(c, "", run_folder_identity_json(c->run[0].folder),
                                    run_folder_identity_json(c->run[1].folder), e);

    /* Runs of before cards were kept have none. */
    c->has_cards = card[0] && card[1];
    if (s == STATUS_OK && c->has_cards)
        return compare_objects(c, "card.", card[0], card[1], e);
    free(card[0]);
    free(card[1]);
    return s;
}

static bool same_bytes(const struct manifest_entry *a, const struct manifest_entry *b)
{
    if (a->content[0] != '\0' && b->content[0] != '\0')
        return strcmp(a->content, b->content) == 0;
    return a->size_bytes == b->size_bytes;
}

static enum status find_common(struct comparison *c, struct error *e)
{
    const struct manifest *a = c->run[0].manifest, *b = c->run[1].manifest;

    c->common = calloc(manifest_count(a) + 1, sizeof(*c->common));
    if (!c->common)
        return error_no_memory(e);
    for (size_t i = 0; i < manifest_count(a); i++) {
        const struct manifest_entry *entry = manifest_entry(a, i);
        size_t there = manifest_find(b, entry->path);

        if (there == SIZE_MAX)
            continue;
        c->common[c->n_common++] = (struct video_pair){.a = (uint32_t)i, .b = (uint32_t)there};
        c->n_other_bytes += !same_bytes(entry, manifest_entry(b, there));
        c->n_other_labels += entry->label != manifest_entry(b, there)->label;
    }
    c->n_only[0] = manifest_count(a) - c->n_common;
    c->n_only[1] = manifest_count(b) - c->n_common;
    return STATUS_OK;
}

struct flip {
    struct video_pair v;
    double apart;
};

static int compare_flips(const void *left, const void *right)
{
    const struct flip *a = left, *b = right;

    if (a->apart != b->apart)
        return a->apart > b->apart ? -1 : 1;
    return a->v.a < b->v.a ? -1 : a->v.a > b->v.a;
}

/* One pass over what both have: outcomes, differences, and who changed sides. */
static enum status compare_videos(struct comparison *c, struct error *e)
{
    struct flip *flips = calloc(c->n_common + 1, sizeof(*flips));
    double total = 0;

    c->flips = calloc(c->n_common + 1, sizeof(*c->flips));
    c->changed = calloc(c->n_common + 1, sizeof(*c->changed));
    if (!flips || !c->flips || !c->changed) {
        free(flips);
        return error_no_memory(e);
    }
    for (size_t i = 0; i < c->n_common; i++) {
        const struct video_pair *v = &c->common[i];
        enum outcome a = comparison_outcome(c, 0, v), b = comparison_outcome(c, 1, v);
        enum label label = comparison_entry(c, 0, v)->label;
        double p = comparison_score(c, 0, v), q = comparison_score(c, 1, v);

        c->outcomes[a][b]++;
        if (a != b)
            c->changed[c->n_changed++] = *v;
        c->n_only_scored[0] += outcome_has_score(a) && !outcome_has_score(b);
        c->n_only_scored[1] += outcome_has_score(b) && !outcome_has_score(a);
        if (!outcome_has_score(a) || !outcome_has_score(b))
            continue;
        c->n_both_scored++;
        c->n_same_score += p == q;
        total += fabs(p - q);
        c->largest_difference = fmax(c->largest_difference, fabs(p - q));
        if ((p >= 0.5) == (q >= 0.5))
            continue;
        flips[c->n_flips++] = (struct flip){.v = *v, .apart = fabs(p - q)};
        if (label != LABEL_UNKNOWN && label == comparison_entry(c, 1, v)->label)
            c->n_flips_right[(p >= 0.5) == (label == LABEL_FAKE) ? 0 : 1]++;
    }
    c->mean_difference = c->n_both_scored > 0 ? total / (double)c->n_both_scored : NAN;
    if (c->n_flips > 0)
        qsort(flips, c->n_flips, sizeof(*flips), compare_flips);
    for (size_t i = 0; i < c->n_flips; i++)
        c->flips[i] = flips[i].v;
    free(flips);
    return STATUS_OK;
}

/* Items are entries of a's manifest, for own figures of the run's own. */
struct items {
    double *p_fake;
    uint8_t *is_fake;
    uint32_t *index;
};

static enum status rank_items(const struct items *x, size_t n, struct ranking *ret_r, struct error *e)
{
    enum status s = ranking_open(x->p_fake, x->is_fake, n, ret_r, e);

    for (size_t k = 0; s == STATUS_OK && k < n; k++)
        ret_r->item[k] = x->index[ret_r->item[k]];
    return s;
}

static enum status rank_common(const struct comparison *c, int run, const struct items *x, struct ranking *ret_r,
                               struct error *e)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_common; i++) {
        const struct video_pair *v = &c->common[i];
        enum label label = comparison_entry(c, 0, v)->label;

        if (label == LABEL_UNKNOWN || label != comparison_entry(c, 1, v)->label ||
            !outcome_has_score(comparison_outcome(c, 0, v)) || !outcome_has_score(comparison_outcome(c, 1, v)))
            continue;
        x->p_fake[n] = comparison_score(c, run, v);
        x->is_fake[n] = label == LABEL_FAKE;
        x->index[n++] = v->a;
    }
    return rank_items(x, n, ret_r, e);
}

static enum status rank_own(const struct comparison *c, int run, const struct items *x, struct ranking *ret_r,
                            struct error *e)
{
    const struct opened *o = &c->run[run];
    size_t n = 0;

    for (size_t i = 0; i < manifest_count(o->manifest); i++) {
        enum label label = manifest_entry(o->manifest, i)->label;

        if (label == LABEL_UNKNOWN || !outcome_has_score(results_outcome(o->reduction.results, i)))
            continue;
        x->p_fake[n] = results_p_fake(o->reduction.results, i);
        x->is_fake[n] = label == LABEL_FAKE;
        x->index[n++] = (uint32_t)i;
    }
    return rank_items(x, n, ret_r, e);
}

static enum status test_all(struct comparison *c, const struct ranking r[2], struct error *e)
{
    const double epsilon = metrics_defaults.log_loss_epsilon;
    uint32_t *cluster = calloc(manifest_count(c->run[0].manifest) + 1, sizeof(*cluster));
    enum status s =
        cluster ? clusters_by_original(c->run[0].manifest, cluster, &c->has_originals, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = metrics_paired_auc(&r[0], &r[1], NULL, &c->auc, e);
    if (s == STATUS_OK && c->has_originals)
        s = metrics_paired_auc(&r[0], &r[1], cluster, &c->auc_by_original, e);
    if (s == STATUS_OK)
        s = metrics_paired_mean(&r[0], &r[1], FIGURE_LOG_LOSS, epsilon, &c->log_loss, e);
    if (s == STATUS_OK)
        s = metrics_paired_mean(&r[0], &r[1], FIGURE_BRIER, epsilon, &c->brier, e);
    if (s == STATUS_OK)
        s = metrics_paired_mean(&r[0], &r[1], FIGURE_ACCURACY, epsilon, &c->accuracy, e);
    free(cluster);
    return s;
}

static enum status compare_figures(struct comparison *c, struct error *e)
{
    size_t n_a = manifest_count(c->run[0].manifest), n_b = manifest_count(c->run[1].manifest),
           n = n_a > n_b ? n_a : n_b;
    struct items x = {
        .p_fake = calloc(n + 1, sizeof(*x.p_fake)), .is_fake = malloc(n + 1), .index = calloc(n + 1, sizeof(*x.index))};
    struct ranking r[2] = {{0}}, own = {0};
    enum status s = x.p_fake && x.is_fake && x.index ? STATUS_OK : error_no_memory(e);

    for (int run = 0; s == STATUS_OK && run < 2; run++) {
        s = rank_own(c, run, &x, &own, e);
        if (s == STATUS_OK)
            s = metrics_compute(&own, NULL, &metrics_defaults, &c->own_figures[run], e);
        ranking_close(&own);
        if (s == STATUS_OK)
            s = rank_common(c, run, &x, &r[run], e);
        if (s == STATUS_OK)
            s = metrics_compute(&r[run], NULL, &metrics_defaults, &c->common_figures[run], e);
    }
    if (s == STATUS_OK)
        s = test_all(c, r, e);
    ranking_close(&r[0]);
    ranking_close(&r[1]);
    free(x.p_fake);
    free(x.is_fake);
    free(x.index);
    return s;
}

static void comparison_clear(struct comparison *c)
{
    for (size_t i = 0; i < c->n_fields; i++) {
        free(c->fields[i].name);
        free(c->fields[i].a);
        free(c->fields[i].b);
    }
    free(c->fields);
    free(c->common);
    free(c->flips);
    free(c->changed);
    opened_close(&c->run[0]);
    opened_close(&c->run[1]);
}

int main_compare(int argc, char **argv)
{
    static const struct argp argp = {compare_options,
                                     parse_option,
                                     "RUN RUN",
                                     "Set two runs over the same videos beside each other: their protocols field by "
                                     "field, their outcomes, the videos "
                                     "that changed sides of 0.5, and their figures with paired tests.\vDifferences are "
                                     "the first run less the second.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct options o = {.n_listed = 20};
    struct comparison c = {.mean_difference = NAN};
    struct error e = {0};
    enum status s = STATUS_OK;

    main_parse(&argp, argc, argv, &o);
    log_setup(LOG_LEVEL_INFO, -1);
    for (int k = 0; s == STATUS_OK && k < 2; k++) {
        c.path[k] = o.runs[k];
        s = opened_open(o.runs[k], &c.run[k], &e);
    }
    if (s == STATUS_OK)
        s = compare_protocols(&c, &e);
    if (s == STATUS_OK)
        s = find_common(&c, &e);
    if (s == STATUS_OK && c.n_common == 0)
        s = error_set(&e, STATUS_MISMATCH,
                      "%s and %s have no video in common: not one path of the first's %zu is among the "
                      "second's %zu",
                      o.runs[0], o.runs[1], c.n_only[0], c.n_only[1]);
    if (s == STATUS_OK)
        s = compare_videos(&c, &e);
    if (s == STATUS_OK)
        s = compare_figures(&c, &e);
    if (s == STATUS_OK) {
        comparison_print(&c, o.n_listed, stdout);
        s = o.json ? comparison_write_json(&c, o.json, &e) : STATUS_OK;
    }
    comparison_clear(&c);
    return s == STATUS_OK ? EXIT_DONE : main_fail("compare", &e);
}
