/* session_private: what session.c and session_memory.c share. */
#ifndef FAKESIFT_MODELS_SESSION_PRIVATE_H
#define FAKESIFT_MODELS_SESSION_PRIVATE_H

#include "models/nhwc_plan.h"

struct session {
    const struct network *network;
    enum network_backend backend; /* never AUTO */
    enum network_precision precision;
    const struct kernels *kernels;
    struct tensor *tensors; /* one a value of the graph */
    void **owned;           /* results of nodes that were computed ahead */
    size_t n_owned, room_owned;
    struct step *steps;
    size_t n_steps;
    struct nhwc_plan *nhwc; /* NULL: the steps run as they are */
    void *arena;
    size_t arena_bytes;
    uint64_t flops;
};

/* Gives every value and every step its place in one arena. */
enum status session_place(struct session *s, size_t limit, struct error *e);

#endif
