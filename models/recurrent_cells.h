/* recurrent_cells: one row's update of an LSTM or a GRU with the usual functions (sigmoid gates, tanh), in one pass that reads each gate
 * once. The bits are those of the operations one after the other, whatever the row's place.
 * n: hidden units. */
#ifndef FAKESIFT_MODELS_RECURRENT_CELLS_H
#define FAKESIFT_MODELS_RECURRENT_CELLS_H

#include <stddef.h>

/* x, u: gates i, o, f, c (4 n values each) from the input, with every bias, and from the state. */
void lstm_cell(const float *x, const float *u, size_t n, float *cell, float *h);
/* x, u: gates z, r, h (3 n values each). last_bias: the state's bias of h, n values. For linear_before_reset. */
void gru_cell(const float *x, const float *u, const float *last_bias, size_t n, float *h);

#endif
