/* run_npy: an ONNX file run once on arrays in numpy's .npy files, for `fakesift models run` and for golden
 * tests. */
#ifndef FAKESIFT_MODELS_RUN_NPY_H
#define FAKESIFT_MODELS_RUN_NPY_H

#include <stddef.h>

#include "models/network.h"

/* backend and precision: how it runs. inputs: a .npy file for each of the network's n inputs, in its order, C order, little-endian, of the
 * input's type; their shapes are what the network is run at. The first output is written to out_path, the
 * i-th further one to out_path with ".i" before its ".npy" (y.npy, y.1.npy, y.2.npy). Errors name the file
 * and the rule. */
struct network_run {
    const char *onnx_path, *out_path;
    const char *const *inputs;
    size_t n_inputs;
    enum network_backend backend;
    enum network_precision precision;
};
enum status network_run_npy(const struct network_run *run, struct error *e);

#endif
