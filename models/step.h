/* step: one node made ready to run: its call, with the tensors that it reads and writes. Used by a session
 * for each node, and wherever a node with constant inputs is computed ahead of time. */
#ifndef FAKESIFT_MODELS_STEP_H
#define FAKESIFT_MODELS_STEP_H

#include "models/op.h"

/* What computing ahead may cost, all nodes together; beyond it a node stays for the run. Work: floating-point
 * operations and bytes read and written, so that many nodes over one large constant do not cost minutes. */
enum { FOLD_MAX_BYTES = 256 * 1024 * 1024 };
#define FOLD_MAX_WORK ((uint64_t)2000000000u)

struct fold_budget {
    size_t bytes;
    uint64_t work;
};

#define FOLD_BUDGET ((struct fold_budget){.bytes = FOLD_MAX_BYTES, .work = FOLD_MAX_WORK})

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
/* After call_infer: whether outputs, scratch and work fit the budget; takes them off it when they do. */
bool step_is_cheap(const struct step *step, struct fold_budget *budget);
/* Allocates the outputs (the caller's to free with free()), and runs. On failure no output is left allocated.
 */
enum status step_evaluate(struct step *step, struct error *e);

#endif
