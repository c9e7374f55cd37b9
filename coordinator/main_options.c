#include "coordinator/main_options.h"

#include "nodes/lane_pool.h"
#include "shard/text.h"

enum { OPTION_LANES = 1000, OPTION_HASH };

static const struct argp_option corpus_options[] = {
    {"layout", 'l', "NAME", 0,
     "auto (default), dir, csv, dfdc, ffpp, celebdf, deepfakebench, avdeepfake1m or video2dataset (docs/CORPORA.md)",
     0},
    {"ext", 'e', "LIST", 0, "Extensions that count as videos, comma-separated (default: the usual ones)", 0},
    {"hash", OPTION_HASH, NULL, 0, "Tell files apart by their content, not by size and time of change: reads them all",
     0},
    {"lanes", OPTION_LANES, "N", 0, "Videos in work at once on each rank (default: the rank's share of the cores)", 0},
    {0},
};

void options_number(struct argp_state *state, const char *name, const char *arg, uint64_t min, uint64_t max,
                    uint64_t *ret_value)
{
    if (parse_u64(arg, min, max, ret_value) != STATUS_OK)
        argp_error(state, "--%s %s: not a number in %llu..%llu", name, arg, (unsigned long long)min,
                   (unsigned long long)max);
}

static error_t parse_corpus(int key, char *arg, struct argp_state *state)
{
    struct corpus_options *o = state->input;

    switch (key) {
    case 'l':
        o->layout.layout = arg;
        return 0;
    case 'e':
        o->layout.extensions = arg;
        return 0;
    case OPTION_HASH:
        o->hash = true;
        return 0;
    case OPTION_LANES:
        options_number(state, "lanes", arg, 1, LANE_POOL_MAX_LANES, &o->n_lanes);
        return 0;
    case ARGP_KEY_ARG:
        if (o->corpus)
            argp_error(state, "one CORPUS, not also %s", arg);
        o->corpus = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->corpus)
            argp_error(state, "CORPUS is missing");
        else if (o->corpus[0] == '\0')
            argp_error(state, "CORPUS is empty");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp options_corpus_argp = {corpus_options, parse_corpus, NULL, NULL, NULL, NULL, NULL};

error_t options_arguments(int key, char *arg, struct argp_state *state, const struct options_argument *arguments,
                          size_t n, const char *whole)
{
    size_t k = 0;

    while (k < n && *arguments[k].value)
        k++;
    if (key == ARGP_KEY_ARG && k == n)
        argp_error(state, "%s, not also %s", whole, arg);
    else if (key == ARGP_KEY_ARG)
        *arguments[k].value = arg;
    else if (key != ARGP_KEY_END)
        return ARGP_ERR_UNKNOWN;
    else if (k < n)
        argp_error(state, "%s is missing%s", arguments[k].name, arguments[k].hint ? arguments[k].hint : "");
    return 0;
}

error_t options_run(int key, char *arg, struct argp_state *state, const char **run)
{
    const struct options_argument argument = {"RUN", NULL, run};

    return options_arguments(key, arg, state, &argument, 1, "one RUN");
}
