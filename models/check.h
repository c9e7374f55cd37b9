/* check: runs the cases of ONNX's backend test suite (Debian's libonnx-testdata: data/node, data/simple, ...)
 * against this engine. A case is a folder with model.onnx and test_data_set_N/input_K.pb, output_K.pb
 * (TensorProto). */
#ifndef FAKESIFT_MODELS_CHECK_H
#define FAKESIFT_MODELS_CHECK_H

#include <stdio.h>

#include "models/network.h"

struct check_counts {
    unsigned passed, failed, unsupported;
};

/* folder: of cases, or one case. backend: what runs them. Prints a line a case and the counts. A result passes when its type
 * and shape are the expected ones and |got - wanted| <= 1e-7 + 1e-3 * |wanted|, the tolerance of ONNX's own runner
 * (bfloat16: one unit in its last place); integers must be equal. Where shapes depend on inputs' values, these are given to the plan as constants;
 * the line says so. STATUS_NOT_FOUND: no case in the folder. Failed cases are counts, not an error. */
enum status check_cases(const char *folder, enum network_backend backend, FILE *out, struct check_counts *ret_counts,
                        struct error *e);

#endif
