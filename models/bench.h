/* bench: how fast a network runs here. In: an .onnx file or a detector, and optionally arrays to run it on. Out: medians of
 * timed rounds. One thread; nothing else is measured than session_run. */
#ifndef FAKESIFT_MODELS_BENCH_H
#define FAKESIFT_MODELS_BENCH_H

#include <stdio.h>

#include "models/network.h"

enum { BENCH_MAX_INPUTS = 32, BENCH_MAX_ROUNDS = 10000 };

struct bench_settings {
    enum network_backend backend; /* default NETWORK_BACKEND_AUTO */
    enum network_precision precision;
    int64_t batch;   /* rows of inputs whose first dimension is open; 0: as file or card has it */
    unsigned rounds; /* 1..BENCH_MAX_ROUNDS, default 5; each of as many runs as fill 50 ms */
    const char
        *inputs[BENCH_MAX_INPUTS]; /* .npy files, in the network's order; none: noise. Files (not detectors) only */
    size_t n_inputs;
    const char *output; /* NULL, or the .npy file that takes the first output */
    bool json;          /* a JSON object a network, a line each, instead of text */
    bool layers;        /* each layer with its share of the CPU time, the longest first */
    bool on_request;    /* bench_serve instead of rounds */
};

/* Times the networks of a detector or one file. On request: prints "ready BACKEND FLOPS ARENA_BYTES" and then, for each line "N" of in
 * (a number of runs, 1..1000000), runs N times and prints their wall and CPU seconds, until in ends; for a bench that interleaves this
 * engine with others. */
enum status bench(const char *name_or_path, const struct bench_settings *settings, FILE *in, FILE *out,
                  struct error *e);

#endif
