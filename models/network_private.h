/* network_private: what network.c and session.c share, and doors for tests, fuzzers and check.c. */
#ifndef FAKESIFT_MODELS_NETWORK_PRIVATE_H
#define FAKESIFT_MODELS_NETWORK_PRIVATE_H

#include "models/graph.h"

struct network {
    struct graph *graph;
    struct network_tensor *inputs, *outputs;
};

/* As network_open, from bytes; path names them in errors. */
enum status network_open_memory(const void *data, size_t len_bytes, const char *path, struct network **ret_n,
                                struct error *e);

/* As network_open, with the values of inputs: whatever hangs on them (the condition of an If, the turns of a Loop) is
 * settled. inputs: one an input in the file's order; data NULL = not known. */
enum status network_open_known(const char *path, const struct tensor *inputs, size_t n_inputs, struct network **ret_n,
                               struct error *e);

struct session_plan_settings {
    enum network_backend backend;
    enum network_precision precision;
    const struct tensor_shape *input_shapes; /* as in session_settings */
    const struct tensor *bound; /* NULL, or one an input: data not NULL makes its value a constant of the plan */
    size_t max_arena_bytes;
    bool no_arena; /* plan only: the session cannot run */
};

enum status session_open_planned(const struct network *n, const struct session_plan_settings *settings,
                                 struct session **ret_s, struct error *e);

#endif
