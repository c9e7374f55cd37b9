#include "coordinator/evaluate/metrics.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/evaluate/random.h"

enum { MAX_ITEMS = 256 };

struct golden {
    char name[64];
    size_t n;
    double p_fake[MAX_ITEMS], second[MAX_ITEMS]; /* of two detectors */
    uint8_t is_fake[MAX_ITEMS];
    uint32_t cluster[MAX_ITEMS];
};

static struct ranking rank(const double *p_fake, const uint8_t *is_fake, size_t n)
{
    struct ranking r = {0};
    struct error e = {0};

    cr_assert_eq(ranking_open(p_fake, is_fake, n, &r, &e), STATUS_OK, "%s", e.text);
    return r;
}

static struct metrics compute(const struct golden *g, bool by_cluster, double epsilon)
{
    struct metrics_settings settings = metrics_defaults;
    struct ranking r = rank(g->p_fake, g->is_fake, g->n);
    struct metrics m = {0};
    struct error e = {0};

    settings.replicates = 50;
    settings.log_loss_epsilon = epsilon;
    cr_assert_eq(metrics_compute(&r, by_cluster ? g->cluster : NULL, &settings, &m, &e), STATUS_OK, "%s", e.text);
    ranking_close(&r);
    return m;
}

/* Everything that a case's keys may ask for. */
struct computed {
    struct metrics m, by_cluster, coarse; /* coarse: log loss clipped to 0.01 */
    struct paired auc, auc_by_cluster, log_loss, brier;
    struct measure variance, temperature;
};

static void compute_all(const struct golden *g, struct computed *c)
{
    struct ranking a = rank(g->p_fake, g->is_fake, g->n), b = rank(g->second, g->is_fake, g->n);
    struct error e = {0};
    bool at_bound;

    c->m = compute(g, false, 1e-15);
    c->by_cluster = compute(g, true, 1e-15);
    c->coarse = compute(g, false, 0.01);
    c->variance = metrics_delong_variance(&a);
    cr_assert_eq(metrics_temperature(&a, &c->temperature, &at_bound, &e), STATUS_OK);
    cr_assert_eq(metrics_paired_auc(&a, &b, NULL, &c->auc, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(metrics_paired_auc(&a, &b, g->cluster, &c->auc_by_cluster, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(metrics_paired_mean(&a, &b, FIGURE_LOG_LOSS, 1e-15, &c->log_loss, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(metrics_paired_mean(&a, &b, FIGURE_BRIER, 1e-15, &c->brier, &e), STATUS_OK, "%s", e.text);
    ranking_close(&a);
    ranking_close(&b);
}

static double value_of(const struct golden *g, const struct computed *c, const char *key)
{
    const struct {
        const char *key;
        enum undefined undefined;
        double value;
    } others[] = {
        {"log_loss_eps_0.01", c->coarse.log_loss.undefined, c->coarse.log_loss.value},
        {"delong_low", c->m.auc_delong.undefined, c->m.auc_delong.low},
        {"delong_high", c->m.auc_delong.undefined, c->m.auc_delong.high},
        {"delong_variance", c->variance.undefined, c->variance.value},
        {"temperature", c->temperature.undefined, c->temperature.value},
        {"paired_auc", c->auc.undefined, c->auc.difference},
        {"paired_auc_z", c->auc.undefined, c->auc.z},
        {"paired_auc_p", c->auc.undefined, c->auc.p},
        {"paired_cluster_se", c->auc_by_cluster.undefined, c->auc_by_cluster.standard_error},
        {"paired_log_loss", c->log_loss.undefined, c->log_loss.difference},
        {"paired_log_loss_z", c->log_loss.undefined, c->log_loss.z},
        {"paired_brier_z", c->brier.undefined, c->brier.z},
    };
    const char *colon = strchr(key, ':');
    enum figure_id figure = figure_from_name(colon ? colon + 1 : key);

    if (colon && figure < FIGURE_COUNT) {
        const struct metrics *m = strncmp(key, "cluster_", 8) == 0 ? &c->by_cluster : &c->m;

        cr_assert_eq(m->intervals[figure].undefined, DEFINED, "%s: %s", g->name, key);
        return strstr(key, "_low:") ? m->intervals[figure].low : m->intervals[figure].high;
    }
    if (figure < FIGURE_COUNT) {
        const struct measure *v = metrics_figure(&c->m, figure);

        cr_assert_eq(v->undefined, DEFINED, "%s: %s is undefined: %s", g->name, key, undefined_reason(v->undefined));
        return v->value;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(key, others[i].key) == 0) {
            cr_assert_eq(others[i].undefined, DEFINED, "%s: %s", g->name, key);
            return others[i].value;
        }
    }
    cr_assert_fail("%s: unknown figure %s", g->name, key);
    return NAN;
}

/* METRICS_DATA, METRICS_CASES: other cases than the committed ones (tests/golden/make_metrics.py --check). */
Test(metrics, every_figure_agrees_with_scikit_learn)
{
    const char *path = getenv("METRICS_DATA"), *want_cases = getenv("METRICS_CASES");
    FILE *f = fopen(path ? path : TEST_DATA_DIR "/metrics.txt", "r");
    struct golden *g = calloc(1, sizeof(*g));
    struct computed c;
    size_t n_cases = 0, n_figures = 0;
    char key[64];
    double want, got, allowed;

    cr_assert(f && g);
    while (fscanf(f, " case %63s %zu", g->name, &g->n) == 2) {
        cr_assert_leq(g->n, MAX_ITEMS);
        for (size_t i = 0; i < g->n; i++)
            cr_assert_eq(fscanf(f, "%lf %hhu %u %lf", &g->p_fake[i], &g->is_fake[i], &g->cluster[i], &g->second[i]), 4);
        compute_all(g, &c);
        while (fscanf(f, " %63s", key) == 1 && strcmp(key, "end") != 0) {
            cr_assert_eq(fscanf(f, "%lf", &want), 1);
            got = value_of(g, &c, key);
            /* A root is as exact as the slope's rounding lets it be; all else has the same definition. */
            allowed = (strcmp(key, "temperature") == 0 ? 1e-8 : 1e-12) * (fabs(want) > 1 ? fabs(want) : 1);
            cr_assert(fabs(got - want) <= allowed, "%s: %s is %.17g, scikit-learn or SciPy has %.17g", g->name, key,
                      got, want);
            n_figures++;
        }
        n_cases++;
    }
    fclose(f);
    free(g);
    cr_assert_eq(n_cases, want_cases ? strtoul(want_cases, NULL, 10) : 17);
    cr_assert_gt(n_figures, 10 * n_cases);
}

Test(metrics, figures_that_need_both_classes_say_which_is_missing)
{
    struct golden g = {.n = 2, .p_fake = {0.2, 0.9}, .is_fake = {1, 1}};
    struct metrics m = compute(&g, false, 1e-15);

    cr_assert_eq(m.auc.undefined, UNDEFINED_NO_REALS);
    cr_assert_eq(m.average_precision.undefined, UNDEFINED_NO_REALS);
    cr_assert_eq(m.eer.undefined, UNDEFINED_NO_REALS);
    cr_assert_eq(m.tpr_at_fpr_1e2.undefined, UNDEFINED_NO_REALS);
    cr_assert_eq(m.auc_delong.undefined, UNDEFINED_NO_REALS);
    cr_assert_eq(m.auc_bootstrap.undefined, UNDEFINED_NO_REALS);
    cr_assert_eq(m.accuracy.undefined, DEFINED);
    cr_assert_eq(m.accuracy.value, 0.5);
    g.is_fake[0] = g.is_fake[1] = 0;
    cr_assert_eq(compute(&g, false, 1e-15).auc.undefined, UNDEFINED_NO_FAKES);
}

Test(metrics, no_items_leaves_nothing_defined)
{
    struct golden g = {.n = 0};
    struct metrics m = compute(&g, true, 1e-15);

    cr_assert_eq(m.auc.undefined, UNDEFINED_NO_ITEMS);
    cr_assert_eq(m.log_loss.undefined, UNDEFINED_NO_ITEMS);
    cr_assert_eq(m.brier.undefined, UNDEFINED_NO_ITEMS);
    cr_assert_eq(m.ece.undefined, UNDEFINED_NO_ITEMS);
    cr_assert_eq(m.accuracy.undefined, UNDEFINED_NO_ITEMS);
    cr_assert_eq(m.auc_bootstrap.undefined, UNDEFINED_NO_ITEMS);
    cr_assert(strlen(undefined_reason(UNDEFINED_NO_ITEMS)) > 0);
}

Test(metrics, delong_needs_two_of_each_class)
{
    struct golden g = {.n = 3, .p_fake = {0.1, 0.3, 0.2}, .is_fake = {0, 0, 1}};
    struct metrics m = compute(&g, false, 1e-15);

    cr_assert_eq(m.auc.value, 0.5);
    cr_assert_eq(m.auc_delong.undefined, UNDEFINED_ONE_OF_A_CLASS);
    cr_assert(isnan(m.auc_delong.low));
}

Test(metrics, an_interval_without_variation_is_marked)
{
    struct golden g = {.n = 4, .p_fake = {0.1, 0.2, 0.8, 0.9}, .is_fake = {0, 0, 1, 1}};
    struct metrics m = compute(&g, false, 1e-15);

    cr_assert(m.auc_delong.is_collapsed && m.auc_bootstrap.is_collapsed);
    cr_assert_eq(m.auc_delong.low, 1);
    g.p_fake[1] = 0.85;
    m = compute(&g, false, 1e-15);
    cr_assert(!m.auc_delong.is_collapsed && !m.auc_bootstrap.is_collapsed);
}

Test(metrics, scores_outside_0_to_1_are_refused_by_name)
{
    static const double bad[] = {NAN, INFINITY, -1e-9, 1.0000001};
    const uint8_t is_fake[2] = {0, 1};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        double p_fake[2] = {0.5, bad[i]};
        struct ranking r = {.n = 77};
        struct error e = {0};

        cr_assert_eq(ranking_open(p_fake, is_fake, 2, &r, &e), STATUS_INVALID);
        cr_assert(strstr(e.text, "item 1"), "%s", e.text);
        cr_assert_eq(r.n, 77, "touched on failure");
    }
}

Test(metrics, a_bad_epsilon_is_refused)
{
    struct metrics_settings settings = metrics_defaults;
    struct ranking r = {0};
    struct metrics m;
    struct error e = {0};

    settings.log_loss_epsilon = 0;
    cr_assert_eq(metrics_compute(&r, NULL, &settings, &m, &e), STATUS_INVALID);
    settings.log_loss_epsilon = NAN;
    cr_assert_eq(metrics_compute(&r, NULL, &settings, &m, &e), STATUS_INVALID);
}

Test(metrics, a_subset_equals_a_ranking_of_its_own)
{
    const double p_fake[6] = {0.5, 0.1, 0.5, 0.9, 0.3, 0.5};
    const uint8_t is_fake[6] = {1, 0, 0, 1, 1, 1}, keep[6] = {1, 1, 1, 0, 1, 0};
    struct ranking all = {0}, some = {0};
    struct error e = {0};

    cr_assert_eq(ranking_open(p_fake, is_fake, 6, &all, &e), STATUS_OK);
    cr_assert_eq(ranking_subset(&all, keep, &some, &e), STATUS_OK);
    cr_assert_eq(some.n, 4);
    cr_assert_eq(some.n_fake, 2);
    cr_assert_eq(some.item[0], 1);
    cr_assert_eq(metrics_auc(&some).value, (1 + 1 + 0.5) / 4);
    ranking_close(&some);
    ranking_close(&all);
}

Test(metrics, many_items_get_fewer_replicates_down_to_a_bound)
{
    struct metrics_settings settings = metrics_defaults;
    const double p_fake[4] = {0.1, 0.6, 0.5, 0.9};
    const uint8_t is_fake[4] = {0, 0, 1, 1};
    const uint32_t cluster[4] = {0, 5, 0, 5};
    struct ranking r = {0};
    struct interval i;
    struct error e = {0};

    cr_assert_eq(ranking_open(p_fake, is_fake, 4, &r, &e), STATUS_OK);
    cr_assert_eq(metrics_bootstrap(&r, NULL, &settings, &i, &e), STATUS_OK);
    cr_assert_eq(i.replicates, 2000);
    settings.max_draws = 4 * 1300;
    cr_assert_eq(metrics_bootstrap(&r, NULL, &settings, &i, &e), STATUS_OK);
    cr_assert_eq(i.replicates, 1300);
    settings.max_draws = 4 * 999;
    cr_assert_eq(metrics_bootstrap(&r, NULL, &settings, &i, &e), STATUS_OK);
    cr_assert_eq(i.undefined, UNDEFINED_TOO_MANY_ITEMS);
    cr_assert_eq(metrics_bootstrap(&r, cluster, &settings, &i, &e), STATUS_OK);
    cr_assert(i.is_influence);
    cr_assert_eq(i.n_clusters, 2);
    settings.influence_beyond = false;
    cr_assert_eq(metrics_bootstrap(&r, cluster, &settings, &i, &e), STATUS_OK);
    cr_assert_eq(i.undefined, UNDEFINED_TOO_MANY_ITEMS);
    settings.replicates = 0;
    cr_assert_eq(metrics_bootstrap(&r, NULL, &settings, &i, &e), STATUS_OK);
    cr_assert_eq(i.undefined, UNDEFINED_NOT_ASKED);
    ranking_close(&r);
}

/* 3,000 items in 300 clusters that share most of their score. */
static void clustered(double *p_fake, uint8_t *is_fake, uint32_t *cluster, bool one_each)
{
    struct random random;

    random_seed(&random, 5);
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t c = i % 300;

        is_fake[i] = (uint8_t)((c + i / 300) % 2);
        cluster[i] = one_each ? i : c;
        p_fake[i] = 0.2 * is_fake[i] + 0.5 * (c * 7919 % 300) / 300 + 0.3 * random_below(&random, 1000) / 1000;
    }
}

Test(metrics, influence_gives_the_interval_of_the_bootstrap_and_of_delong)
{
    static double p_fake[3000];
    static uint8_t is_fake[3000];
    static uint32_t cluster[3000];
    struct metrics_settings settings = metrics_defaults;

    for (int one_each = 0; one_each < 2; one_each++) {
        struct ranking r = {0};
        struct interval drawn, direct, delong;
        struct error e = {0};

        clustered(p_fake, is_fake, cluster, one_each);
        cr_assert_eq(ranking_open(p_fake, is_fake, 3000, &r, &e), STATUS_OK);
        settings.max_draws = metrics_defaults.max_draws;
        cr_assert_eq(metrics_bootstrap(&r, cluster, &settings, &drawn, &e), STATUS_OK);
        cr_assert_eq(drawn.replicates, 2000);
        settings.max_draws = 1;
        cr_assert_eq(metrics_bootstrap(&r, cluster, &settings, &direct, &e), STATUS_OK);
        cr_assert(direct.is_influence);
        cr_assert_eq(direct.n_clusters, one_each ? 3000 : 300);
        cr_expect_float_eq((direct.high - direct.low) / (drawn.high - drawn.low), 1, 0.06);
        cr_expect_float_eq(direct.low, drawn.low, 0.005);
        delong = metrics_delong(&r);
        if (one_each)
            cr_expect_float_eq(direct.high - direct.low, delong.high - delong.low, 1e-4);
        ranking_close(&r);
    }
}

Test(metrics, intervals_are_the_same_bits_on_any_number_of_threads)
{
    static double p_fake[3000];
    static uint8_t is_fake[3000];
    static uint32_t cluster[3000];
    struct metrics_settings settings = metrics_defaults;
    struct metrics one, many;
    struct ranking r;
    struct error e = {0};

    clustered(p_fake, is_fake, cluster, false);
    r = rank(p_fake, is_fake, 3000);
    settings.n_threads = 1;
    cr_assert_eq(metrics_compute(&r, cluster, &settings, &one, &e), STATUS_OK, "%s", e.text);
    for (unsigned n = 2; n <= 7; n += 5) {
        settings.n_threads = n;
        cr_assert_eq(metrics_compute(&r, cluster, &settings, &many, &e), STATUS_OK, "%s", e.text);
        for (int k = 0; k < FIGURE_COUNT; k++) {
            cr_assert_eq(memcmp(&one.intervals[k].low, &many.intervals[k].low, sizeof(double)), 0, "%s",
                         figure_name((enum figure_id)k));
            cr_assert_eq(memcmp(&one.intervals[k].high, &many.intervals[k].high, sizeof(double)), 0, "%s",
                         figure_name((enum figure_id)k));
        }
    }
    ranking_close(&r);
}

Test(metrics, both_ways_to_an_interval_of_the_auc_give_the_same_bits)
{
    static double p_fake[3000];
    static uint8_t is_fake[3000];
    static uint32_t cluster[3000];
    struct interval all[FIGURE_COUNT], auc;
    struct ranking r;
    struct error e = {0};

    clustered(p_fake, is_fake, cluster, false);
    for (uint32_t i = 0; i < 3000; i++)
        cluster[i] = cluster[i] * 4000037u; /* large names, few of them */
    r = rank(p_fake, is_fake, 3000);
    cr_assert_eq(metrics_intervals(&r, cluster, &metrics_defaults, all, &e), STATUS_OK);
    cr_assert_eq(metrics_bootstrap(&r, cluster, &metrics_defaults, &auc, &e), STATUS_OK);
    cr_assert_eq(auc.n_clusters, 300);
    cr_assert_eq(auc.low, all[FIGURE_AUC].low);
    cr_assert_eq(auc.high, all[FIGURE_AUC].high);
    ranking_close(&r);
}

Test(metrics, two_rankings_of_the_same_items_are_resampled_alike)
{
    static double p_fake[3000], better[3000], a[2000], b[2000];
    static uint8_t is_fake[3000];
    static uint32_t cluster[3000];
    struct ranking of_a, of_b;
    struct error e = {0};
    double together = 0, apart = 0;

    clustered(p_fake, is_fake, cluster, true);
    for (size_t i = 0; i < 3000; i++)
        better[i] = 0.99 * p_fake[i] + 0.01 * is_fake[i];
    of_a = rank(p_fake, is_fake, 3000);
    of_b = rank(better, is_fake, 3000);
    cr_assert_eq(metrics_replicates(&of_a, NULL, &metrics_defaults, FIGURE_AUC, a, &e), STATUS_OK);
    cr_assert_eq(metrics_replicates(&of_b, NULL, &metrics_defaults, FIGURE_AUC, b, &e), STATUS_OK);
    for (size_t k = 0; k < 2000; k++) {
        together += fabs(b[k] - a[k] - (metrics_auc(&of_b).value - metrics_auc(&of_a).value));
        apart += fabs(b[k] - metrics_auc(&of_b).value);
    }
    cr_assert_lt(10 * together, apart, "%g, %g", together, apart);
    ranking_close(&of_a);
    ranking_close(&of_b);
}

Test(metrics, a_paired_test_needs_the_same_items_and_labels)
{
    const double p_fake[4] = {0.1, 0.6, 0.5, 0.9};
    const uint8_t is_fake[4] = {0, 0, 1, 1}, others[4] = {0, 1, 0, 1};
    struct ranking a = rank(p_fake, is_fake, 4), b = rank(p_fake, others, 4), c = rank(p_fake, is_fake, 3);
    struct paired p = {.n = 99};
    struct error e = {0};

    cr_assert_eq(metrics_paired_auc(&a, &b, NULL, &p, &e), STATUS_INVALID);
    cr_assert_eq(metrics_paired_auc(&a, &c, NULL, &p, &e), STATUS_INVALID);
    cr_assert_eq(metrics_paired_mean(&c, &a, FIGURE_BRIER, 1e-15, &p, &e), STATUS_INVALID);
    cr_assert_eq(p.n, 99, "touched on failure");
    cr_assert_eq(metrics_paired_auc(&a, &a, NULL, &p, &e), STATUS_OK);
    cr_assert_eq(p.p, 1);
    cr_assert_eq(p.difference, 0);
    ranking_close(&a);
    ranking_close(&b);
    ranking_close(&c);
}

Test(metrics, a_temperature_undoes_overconfidence)
{
    static double p_fake[2000];
    static uint8_t is_fake[2000];
    struct ranking r, cooled = {0};
    struct measure t;
    struct metrics before, after;
    struct metrics_settings settings = metrics_defaults;
    struct random random;
    struct error e = {0};
    bool at_bound;

    random_seed(&random, 3);
    for (size_t i = 0; i < 2000; i++) {
        double logit = ((double)random_below(&random, 4001) - 2000) / 500;

        is_fake[i] = random_below(&random, 1000000) < 1000000 / (1 + exp(-logit));
        p_fake[i] = 1 / (1 + exp(-3 * logit)); /* three times too sure */
    }
    r = rank(p_fake, is_fake, 2000);
    settings.replicates = 0;
    cr_assert_eq(metrics_temperature(&r, &t, &at_bound, &e), STATUS_OK);
    cr_assert(!at_bound);
    cr_assert_float_eq(t.value, 3, 0.3);
    cr_assert_eq(metrics_tempered(&r, t.value, &cooled, &e), STATUS_OK);
    cr_assert_eq(metrics_compute(&r, NULL, &settings, &before, &e), STATUS_OK);
    cr_assert_eq(metrics_compute(&cooled, NULL, &settings, &after, &e), STATUS_OK);
    cr_assert_lt(after.ece.value, before.ece.value / 2);
    cr_assert_eq(after.auc.value, before.auc.value);
    ranking_close(&cooled);
    ranking_close(&r);
}

Test(metrics, scores_that_no_temperature_helps_give_a_bound)
{
    const double p_fake[4] = {0.9, 0.8, 0.2, 0.1};
    const uint8_t wrong[4] = {0, 0, 1, 1}, right[4] = {1, 1, 0, 0};
    struct ranking r = rank(p_fake, wrong, 4);
    struct measure t;
    struct error e = {0};
    bool at_bound = false;

    cr_assert_eq(metrics_temperature(&r, &t, &at_bound, &e), STATUS_OK);
    cr_assert(at_bound && t.value == 100);
    ranking_close(&r);
    r = rank(p_fake, right, 4);
    cr_assert_eq(metrics_temperature(&r, &t, &at_bound, &e), STATUS_OK);
    cr_assert(at_bound && t.value == 0.01);
    ranking_close(&r);
}

Test(metrics, dependent_items_widen_the_interval)
{
    /* 20 originals with 10 near-identical items each: as 200 independent items the interval is too narrow. */
    struct golden *g = calloc(1, sizeof(*g));
    struct random random;
    struct metrics apart, together;

    cr_assert(g);
    random_seed(&random, 7);
    g->n = 200;
    for (size_t i = 0; i < g->n; i++) {
        g->cluster[i] = (uint32_t)(i / 10);
        g->is_fake[i] = i / 10 % 2;
        g->p_fake[i] = (double)((i / 10 * 7919) % 20 + g->is_fake[i] * 4) / 30 + random_below(&random, 100) * 1e-5;
    }
    apart = compute(g, false, 1e-15);
    together = compute(g, true, 1e-15);
    cr_assert_eq(apart.auc.value, together.auc.value);
    cr_assert_eq(together.auc_bootstrap.n_clusters, 20);
    cr_assert_gt(together.auc_bootstrap.high - together.auc_bootstrap.low,
                 1.5 * (apart.auc_bootstrap.high - apart.auc_bootstrap.low));
    free(g);
}

Test(random, xoshiro256_starstar_gives_its_reference_values)
{
    /* From state {1, 2, 3, 4}, as the authors' reference code gives them. */
    static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240};
    struct random r = {.state = {1, 2, 3, 4}};

    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        cr_assert_eq(random_next(&r), want[i]);
}

Test(random, below_is_uniform_and_in_range)
{
    struct random r;
    unsigned n[7] = {0};

    random_seed(&r, 1);
    for (int i = 0; i < 70000; i++)
        n[random_below(&r, 7)]++;
    for (int k = 0; k < 7; k++)
        cr_assert(n[k] > 9600 && n[k] < 10400, "%d came %u times", k, n[k]);
    cr_assert_eq(random_below(&r, 1), 0);
}
