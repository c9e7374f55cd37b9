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
    double p_fake[MAX_ITEMS];
    uint8_t is_fake[MAX_ITEMS];
    uint32_t cluster[MAX_ITEMS];
};

/* scikit-learn gives nothing for it, or it is one of the pair that must agree within 1e-12. */
static void expect(const struct golden *g, const char *key, double want, enum undefined undefined, double got)
{
    cr_assert_eq(undefined, DEFINED, "%s: %s is undefined: %s", g->name, key, undefined_reason(undefined));
    cr_assert(fabs(got - want) <= 1e-12, "%s: %s is %.17g, scikit-learn has %.17g", g->name, key, got, want);
}

static struct metrics compute(const struct golden *g, bool by_cluster, double epsilon)
{
    struct metrics_settings settings = metrics_defaults;
    struct ranking r = {0};
    struct metrics m = {0};
    struct error e = {0};

    settings.replicates = 50;
    settings.log_loss_epsilon = epsilon;
    cr_assert_eq(ranking_open(g->p_fake, g->is_fake, g->n, &r, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(metrics_compute(&r, by_cluster ? g->cluster : NULL, &settings, &m, &e), STATUS_OK, "%s", e.text);
    ranking_close(&r);
    return m;
}

static void check_figure(const struct golden *g, const char *key, double want)
{
    struct metrics m = compute(g, false, strcmp(key, "log_loss_eps_0.01") == 0 ? 0.01 : 1e-15);
    struct metrics by_cluster = compute(g, true, 1e-15);
    struct ranking r = {0};
    struct error e = {0};
    struct measure variance;
    const struct {
        const char *key;
        enum undefined undefined;
        double value;
    } figures[] = {
        {"auc", m.auc.undefined, m.auc.value},
        {"average_precision", m.average_precision.undefined, m.average_precision.value},
        {"eer", m.eer.undefined, m.eer.value},
        {"tpr_at_fpr_1e2", m.tpr_at_fpr_1e2.undefined, m.tpr_at_fpr_1e2.value},
        {"tpr_at_fpr_1e3", m.tpr_at_fpr_1e3.undefined, m.tpr_at_fpr_1e3.value},
        {"log_loss", m.log_loss.undefined, m.log_loss.value},
        {"log_loss_eps_0.01", m.log_loss.undefined, m.log_loss.value},
        {"brier", m.brier.undefined, m.brier.value},
        {"ece", m.ece.undefined, m.ece.value},
        {"accuracy", m.accuracy.undefined, m.accuracy.value},
        {"delong_low", m.auc_delong.undefined, m.auc_delong.low},
        {"delong_high", m.auc_delong.undefined, m.auc_delong.high},
        {"bootstrap_low", m.auc_bootstrap.undefined, m.auc_bootstrap.low},
        {"bootstrap_high", m.auc_bootstrap.undefined, m.auc_bootstrap.high},
        {"cluster_low", by_cluster.auc_bootstrap.undefined, by_cluster.auc_bootstrap.low},
        {"cluster_high", by_cluster.auc_bootstrap.undefined, by_cluster.auc_bootstrap.high},
    };

    if (strcmp(key, "delong_variance") == 0) {
        cr_assert_eq(ranking_open(g->p_fake, g->is_fake, g->n, &r, &e), STATUS_OK);
        variance = metrics_delong_variance(&r);
        ranking_close(&r);
        expect(g, key, want, variance.undefined, variance.value);
        return;
    }
    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        if (strcmp(key, figures[i].key) == 0) {
            expect(g, key, want, figures[i].undefined, figures[i].value);
            return;
        }
    }
    cr_assert_fail("%s: unknown figure %s", g->name, key);
}

Test(metrics, every_figure_agrees_with_scikit_learn)
{
    FILE *f = fopen(TEST_DATA_DIR "/metrics.txt", "r");
    struct golden *g = calloc(1, sizeof(*g));
    size_t n_cases = 0, n_figures = 0;
    char key[64];
    double want;

    cr_assert(f && g);
    while (fscanf(f, " case %63s %zu", g->name, &g->n) == 2) {
        cr_assert_leq(g->n, MAX_ITEMS);
        for (size_t i = 0; i < g->n; i++)
            cr_assert_eq(fscanf(f, "%lf %hhu %u", &g->p_fake[i], &g->is_fake[i], &g->cluster[i]), 3);
        while (fscanf(f, " %63s", key) == 1 && strcmp(key, "end") != 0) {
            cr_assert_eq(fscanf(f, "%lf", &want), 1);
            check_figure(g, key, want);
            n_figures++;
        }
        n_cases++;
    }
    fclose(f);
    free(g);
    cr_assert_eq(n_cases, 17);
    cr_assert_gt(n_figures, 180);
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
    settings.max_draws = 4 * 300;
    cr_assert_eq(metrics_bootstrap(&r, NULL, &settings, &i, &e), STATUS_OK);
    cr_assert_eq(i.replicates, 300);
    settings.max_draws = 4 * 199;
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
