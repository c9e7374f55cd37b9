/* fakesift models bench. In: a network or a detector. Out: what a run costs here. */
#include <stdio.h>

#include "coordinator/main.h"
#include "models/bench.h"
#include "shard/text.h"

struct options {
    const char *subject;
    struct bench_settings settings;
};

enum { OPTION_JSON = 256, OPTION_LAYERS, OPTION_ON_REQUEST };

static const struct argp_option option_list[] = {
    {"batch", 'n', "ROWS", 0, "Rows of inputs that leave their first dimension open (default 1)", 0},
    {"rounds", 'r', "N", 0, "Timed rounds, of which the median counts; each fills 50 ms or more (default 5)", 0},
    {"backend", 'b', "NAME", 0, "auto, native, openblas or onednn (default auto)", 0},
    {"precision", 'p', "NAME", 0, "What layers hand on: f32 or bf16 (default f32)", 0},
    {"input", 'i', "X.npy", 0, "An input, once for each that the network has (default noise); files only", 0},
    {"output", 'o', "Y.npy", 0, "Where the first output is written; files only", 0},
    {"layers", OPTION_LAYERS, NULL, 0, "Also each layer with its share of the CPU time, the longest first", 0},
    {"json", OPTION_JSON, NULL, 0, "A line of JSON a network", 0},
    {"on-request", OPTION_ON_REQUEST, NULL, 0,
     "Prints 'ready', then for each line N of standard input runs N times and prints wall and CPU seconds; files only",
     0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    uint64_t value = 0;

    switch (key) {
    case 'n':
        if (parse_u64(arg, 1, 1 << 20, &value) != STATUS_OK)
            argp_error(state, "--batch is 1 to %d, not %s", 1 << 20, arg);
        o->settings.batch = (int64_t)value;
        return 0;
    case 'r':
        if (parse_u64(arg, 1, BENCH_MAX_ROUNDS, &value) != STATUS_OK)
            argp_error(state, "--rounds is 1 to %d, not %s", BENCH_MAX_ROUNDS, arg);
        o->settings.rounds = (unsigned)value;
        return 0;
    case 'b':
        if (!network_backend_parse(arg, &o->settings.backend))
            argp_error(state, "--backend is auto, native, openblas or onednn, not %s", arg);
        return 0;
    case 'p':
        if (!network_precision_parse(arg, &o->settings.precision))
            argp_error(state, "--precision is f32 or bf16, not %s", arg);
        return 0;
    case 'i':
        if (o->settings.n_inputs == BENCH_MAX_INPUTS)
            argp_error(state, "more than %d inputs", BENCH_MAX_INPUTS);
        o->settings.inputs[o->settings.n_inputs++] = arg;
        return 0;
    case 'o':
        o->settings.output = arg;
        return 0;
    case OPTION_JSON:
        o->settings.json = true;
        return 0;
    case OPTION_LAYERS:
        o->settings.layers = true;
        return 0;
    case OPTION_ON_REQUEST:
        o->settings.on_request = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->subject)
            argp_error(state, "one FILE.onnx or detector, not also %s", arg);
        o->subject = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->subject)
            argp_error(state, "FILE.onnx or a detector is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int main_bench(int argc, char **argv)
{
    static const struct argp argp = {option_list,
                                     parse_option,
                                     "FILE.onnx|NAME|CARD",
                                     "Time the networks of a file or a detector on one thread of this machine.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct options o = {0};
    struct error e = {0};

    main_parse(&argp, argc, argv, &o);
    if (bench(o.subject, &o.settings, stdin, stdout, &e) != STATUS_OK)
        return main_fail("models bench", &e);
    return EXIT_DONE;
}
