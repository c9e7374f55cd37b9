/* step: one node made ready to run: its call, with the tensors that it reads and writes. Used by a session
 * for each node, and wherever a node with constant inputs is computed ahead of time. */
#ifndef FAKESIFT_MODELS_STEP_H
#define FAKESIFT_MODELS_STEP_H

#include "models/op.h"

/* What computing ahead may cost; beyond it a node stays for the run. */
enum { FOLD_MAX_BYTES = 256 * 1024 * 1024 };
#define FOLD_MAX_FLOPS ((uint64_t)4000000000u)

struct step {
    struct call call;
    size_t node; /* index in the graph */
    void *memory;
};

/* tensors: one a value of the graph; the step keeps pointers into it. */
enum status step_open(const struct graph *g, size_t node, struct tensor *tensors, const struct kernels *kernels,
                      struct step *ret_step, struct error *e);
void step_clear(struct step *step);

/* Whether the outputs follow from what is known now. */
bool step_is_constant(const struct step *step);
/* After call_infer: whether outputs and scratch fit *budget_bytes and the work fits FOLD_MAX_FLOPS; takes the
 * bytes off the budget when they do. */
bool step_is_cheap(const struct step *step, size_t *budget_bytes);
/* Allocates the outputs (the caller's to free with free()), and runs. On failure no output is left allocated.
 */
enum status step_evaluate(struct step *step, struct error *e);

#endif
