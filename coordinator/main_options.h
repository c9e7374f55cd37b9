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

/* For a command that takes one RUN: ARGP_KEY_ARG and ARGP_KEY_END; a usage error where it is missing or not the only one. */
error_t options_run(int key, char *arg, struct argp_state *state, const char **run);

#endif
