#include "shard/aggregate.h"

#include <criterion/criterion.h>
#include <math.h>

static double of(enum aggregation rule, unsigned k, size_t n, const double *values)
{
    double copy[64];

    for (size_t i = 0; i < n; i++)
        copy[i] = values[i];
    return aggregate(rule, k, copy, n);
}

Test(aggregate, each_rule_gives_its_definition)
{
    static const double v[] = {0.9, 0.1, 0.5, 0.3};

    cr_assert_float_eq(of(AGGREGATE_MEAN, 0, 4, v), 0.45, 1e-15);
    cr_assert_float_eq(of(AGGREGATE_MAX, 0, 4, v), 0.9, 0);
    cr_assert_float_eq(of(AGGREGATE_MEDIAN, 0, 4, v), 0.4, 1e-15);
    cr_assert_float_eq(of(AGGREGATE_MEDIAN, 0, 3, v), 0.5, 0);
    cr_assert_float_eq(of(AGGREGATE_TOP_K, 2, 4, v), 0.7, 1e-15);
    cr_assert_float_eq(of(AGGREGATE_TOP_K, 9, 4, v), 0.45, 1e-15);
    cr_assert_float_eq(of(AGGREGATE_SHARE, 0, 4, v), 0.5, 0);
    /* logit(.9) + logit(.1) + logit(.5) + logit(.3) = log(3/7) */
    cr_assert_float_eq(of(AGGREGATE_MEAN_LOGIT, 0, 4, v), 1 / (1 + exp(-log(3.0 / 7) / 4)), 1e-12);
}

Test(aggregate, mean_logit_of_certainty_is_finite)
{
    static const double v[] = {0, 1, 1};
    double p = of(AGGREGATE_MEAN_LOGIT, 0, 3, v);

    cr_assert(isfinite(p) && p > 0.5 && p < 1);
}

Test(aggregate, confident_trusts_sure_frames_only_when_there_are_enough)
{
    double v[32];

    for (unsigned i = 0; i < 32; i++)
        v[i] = i < 13 ? 0.9 : 0.4;
    cr_assert_float_eq(of(AGGREGATE_CONFIDENT, 0, 32, v), 0.9, 1e-12, "13 of 32 are over 32 / 2.5 and over 11");
    v[12] = 0.4;
    cr_assert_float_eq(of(AGGREGATE_CONFIDENT, 0, 32, v), (12 * 0.9 + 20 * 0.4) / 32, 1e-12, "12 is not over 12");
    for (unsigned i = 0; i < 32; i++)
        v[i] = i < 30 ? 0.1 : 0.7;
    cr_assert_float_eq(of(AGGREGATE_CONFIDENT, 0, 32, v), 0.1, 1e-12, "30 of 32 is over 0.9");
}

Test(aggregate, calibration_is_the_identity_by_default_and_keeps_order)
{
    cr_assert_eq(calibrate(1, 0, 0.123), 0.123);
    cr_assert_float_eq(calibrate(2, 0.5, 0.5), 1 / (1 + exp(-0.25)), 1e-12);
    cr_assert_lt(calibrate(2, 0.5, 0.2), calibrate(2, 0.5, 0.3));
    cr_assert(isfinite(calibrate(2, 0.5, 0)) && isfinite(calibrate(2, 0.5, 1)));
}
