/* The fused updates against their formulas in double precision, and the same bits wherever a unit lies. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "models/recurrent_cells.h"

enum { MOST = 75 };

static float next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return ((float)(*seed >> 8) / 8388608.0f - 1.0f) * 6.0f;
}

static void fill(float *x, size_t n, uint32_t *seed)
{
    for (size_t i = 0; i < n; i++)
        x[i] = next(seed);
}

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

Test(recurrent_cells, lstm_is_its_formula_at_any_width)
{
    float x[4 * MOST], u[4 * MOST], cell[MOST], before[MOST], h[MOST + 1];
    uint32_t seed = 3;

    for (size_t n = 1; n <= MOST; n++) {
        fill(x, 4 * n, &seed);
        fill(u, 4 * n, &seed);
        fill(before, n, &seed);
        memcpy(cell, before, sizeof(cell));
        h[n] = 77.0f;
        lstm_cell(x, u, n, cell, h);
        cr_assert_eq(h[n], 77.0f);
        for (size_t i = 0; i < n; i++) {
            double in = sigmoid((double)(x[i] + u[i])), out = sigmoid((double)(x[n + i] + u[n + i]));
            double forget = sigmoid((double)(x[2 * n + i] + u[2 * n + i])), c = forget * (double)before[i];
            float gates[4] = {x[i], x[n + i], x[2 * n + i], x[3 * n + i]}, one_cell = before[i], one_h;
            float states[4] = {u[i], u[n + i], u[2 * n + i], u[3 * n + i]};

            c += in * tanh((double)(x[3 * n + i] + u[3 * n + i]));
            cr_assert_float_eq(cell[i], c, 2e-6, "cell %zu of %zu", i, n);
            cr_assert_float_eq(h[i], out * tanh(c), 2e-6, "h %zu of %zu", i, n);
            lstm_cell(gates, states, 1, &one_cell, &one_h);
            cr_assert_eq(memcmp(&one_cell, &cell[i], sizeof(float)), 0, "cell %zu of %zu", i, n);
            cr_assert_eq(memcmp(&one_h, &h[i], sizeof(float)), 0, "h %zu of %zu", i, n);
        }
    }
}

Test(recurrent_cells, gru_is_its_formula_at_any_width)
{
    float x[3 * MOST], u[3 * MOST], bias[MOST], before[MOST], h[MOST + 1];
    uint32_t seed = 4;

    for (size_t n = 1; n <= MOST; n++) {
        fill(x, 3 * n, &seed);
        fill(u, 3 * n, &seed);
        fill(bias, n, &seed);
        fill(before, n, &seed);
        memcpy(h, before, sizeof(before));
        h[n] = 77.0f;
        gru_cell(x, u, bias, n, h);
        cr_assert_eq(h[n], 77.0f);
        for (size_t i = 0; i < n; i++) {
            double update = sigmoid((double)(x[i] + u[i])), reset = sigmoid((double)(x[n + i] + u[n + i]));
            double fresh = tanh((double)x[2 * n + i] + reset * ((double)bias[i] + (double)u[2 * n + i]));
            float gates[3] = {x[i], x[n + i], x[2 * n + i]}, states[3] = {u[i], u[n + i], u[2 * n + i]},
                  one = before[i];

            cr_assert_float_eq(h[i], (1.0 - update) * fresh + update * (double)before[i], 5e-6, "%zu of %zu", i, n);
            gru_cell(gates, states, bias + i, 1, &one);
            cr_assert_eq(memcmp(&one, &h[i], sizeof(float)), 0, "%zu of %zu", i, n);
        }
    }
}

Test(recurrent_cells, saturated_gates_give_no_nan_and_nan_stays)
{
    float x[4] = {1e30f, -1e30f, 200.0f, -200.0f}, u[4] = {0}, cell = 3.0f, h = 0.0f;

    lstm_cell(x, u, 1, &cell, &h);
    cr_assert_float_eq(cell, 2.0, 1e-6);
    cr_assert_float_eq(h, 0.0, 1e-6);
    u[3] = NAN;
    lstm_cell(x, u, 1, &cell, &h);
    cr_assert(isnan(cell));
    cr_assert(isnan(h));
}
