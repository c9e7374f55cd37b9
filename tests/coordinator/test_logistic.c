/* Logistic regression against scikit-learn (tests/golden/make_logistic.py). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/audit/logistic.h"

enum { MAX_N = 128, MAX_WIDTH = 8 };

struct golden {
    size_t n, width;
    double x[MAX_N * MAX_WIDTH], w[MAX_WIDTH + 1], p[MAX_N];
    uint8_t y[MAX_N], fold[MAX_N];
};

static bool read_case(FILE *f, struct golden *g)
{
    if (fscanf(f, "%zu %zu", &g->n, &g->width) != 2)
        return false;
    cr_assert(g->n <= MAX_N && g->width <= MAX_WIDTH);
    for (size_t i = 0; i < g->n; i++) {
        cr_assert_eq(fscanf(f, "%hhu %hhu", &g->fold[i], &g->y[i]), 2);
        for (size_t k = 0; k < g->width; k++)
            cr_assert_eq(fscanf(f, "%lf", &g->x[i * g->width + k]), 1);
    }
    for (size_t k = 0; k <= g->width; k++)
        cr_assert_eq(fscanf(f, "%lf", &g->w[k]), 1);
    for (size_t i = 0; i < g->n; i++)
        cr_assert_eq(fscanf(f, "%lf", &g->p[i]), 1);
    return true;
}

Test(logistic, agrees_with_scikit_learn)
{
    FILE *f = fopen(TEST_DATA_DIR "/logistic.txt", "r");
    struct golden g;
    struct error e;
    unsigned n_cases = 0;

    cr_assert(f);
    for (; read_case(f, &g); n_cases++) {
        const struct logistic_data d = {.x = g.x, .y = g.y, .n = g.n, .width = g.width};
        double w[MAX_WIDTH + 1], p[MAX_N];

        cr_assert_eq(logistic_fit(&d, NULL, w, &e), STATUS_OK, "%s", e.text);
        for (size_t k = 0; k <= g.width; k++)
            cr_assert_leq(fabs(w[k] - g.w[k]), 1e-6 * (1 + fabs(g.w[k])),
                          "case %u: coefficient %zu is %.12g, not %.12g", n_cases, k, w[k], g.w[k]);
        cr_assert_eq(logistic_cross(&d, g.fold, p, &e), STATUS_OK, "%s", e.text);
        for (size_t i = 0; i < g.n; i++)
            cr_assert_leq(fabs(p[i] - g.p[i]), 1e-7, "case %u: item %zu has %.12g, not %.12g", n_cases, i, p[i],
                          g.p[i]);
    }
    fclose(f);
    cr_assert_eq(n_cases, 4);
}

Test(logistic, of_one_class_is_refused)
{
    const double x[] = {1, 2, 3, 4};
    const uint8_t y[] = {1, 1, 1, 1}, mixed[] = {0, 1, 1, 1}, fold[] = {0, 1, 2, 3};
    struct logistic_data d = {.x = x, .y = y, .n = 4, .width = 1};
    double w[2], p[4];
    struct error e;

    cr_assert_eq(logistic_fit(&d, NULL, w, &e), STATUS_INVALID);
    d.y = mixed;
    cr_assert_eq(logistic_fit(&d, NULL, w, &e), STATUS_OK);
    cr_assert_eq(logistic_cross(&d, fold, p, &e), STATUS_INVALID, "the only real video is alone in its fold");
}
