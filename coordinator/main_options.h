/* main_options: options that several commands have, in one place. In: argp's calls. Out: settings of those commands. */
#ifndef FAKESIFT_COORDINATOR_MAIN_OPTIONS_H
#define FAKESIFT_COORDINATOR_MAIN_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "shard/layout.h"

/* CORPUS, --layout, --ext, --hash and --lanes, for an argp's children. */
struct corpus_options {
    const char *corpus;
    struct layout_settings layout;
    bool hash;        /* give each entry its content (coordinator/main_hash.h) */
    uint64_t n_lanes; /* 0: not given */
};

extern const struct argp options_corpus_argp;

/* Ends in a usage error unless arg is a whole number in min..max. */
void options_number(struct argp_state *state, const char *name, const char *arg, uint64_t min, uint64_t max,
                    uint64_t *ret_value);

/* Arguments that a command takes without an option, in their order. */
struct options_argument {
    const char *name, *hint; /* "VIDEO", ": a path as scores.csv has it"; NULL: no hint */
    const char **value;      /* NULL until it is given */
};

/* ARGP_KEY_ARG and ARGP_KEY_END of a command that takes just these; a usage error where one is missing or another follows.
 * whole: what all of them are, in words. */
error_t options_arguments(int key, char *arg, struct argp_state *state, const struct options_argument *arguments,
                          size_t n, const char *whole);
/* For a command that takes one RUN. */
error_t options_run(int key, char *arg, struct argp_state *state, const char **run);

#endif
