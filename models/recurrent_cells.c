#include "models/recurrent_cells.h"

#include "models/elementary.h"
#include "models/kernels.h"

KERNEL_CLONES_FMA void lstm_cell(const float *restrict x, const float *restrict u, size_t n, float *restrict cell,
                                 float *restrict h)
{
    for (size_t i = 0; i < n; i++) {
        float in = sigmoid_bounded(x[i] + u[i]), out = sigmoid_bounded(x[n + i] + u[n + i]);
        float forget = sigmoid_bounded(x[2 * n + i] + u[2 * n + i]), fresh = tanh_bounded(x[3 * n + i] + u[3 * n + i]);
        float c = forget * cell[i] + in * fresh;

        cell[i] = c;
        h[i] = out * tanh_bounded(c);
    }
}

KERNEL_CLONES_FMA void gru_cell(const float *restrict x, const float *restrict u, const float *restrict last_bias,
                                size_t n, float *restrict h)
{
    for (size_t i = 0; i < n; i++) {
        float update = sigmoid_bounded(x[i] + u[i]), reset = sigmoid_bounded(x[n + i] + u[n + i]);
        float fresh = tanh_bounded(x[2 * n + i] + reset * (last_bias[i] + u[2 * n + i]));

        h[i] = (1.0f - update) * fresh + update * h[i];
    }
}
