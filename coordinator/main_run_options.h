/* main_run_options: the options of `fakesift run`. In: argv. Out: settings, each with its default or within its range. */
#ifndef FAKESIFT_COORDINATOR_MAIN_RUN_OPTIONS_H
#define FAKESIFT_COORDINATOR_MAIN_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/main_options.h"
#include "models/network.h"
#include "shard/log.h"

struct run_options {
    struct corpus_options corpus; /* n_lanes: at least 1 */
    const char *detector, *output;
    enum network_backend backend;
    enum network_precision precision;
    uint64_t timeout_s, retries, grace_s, lane_memory_mib;
    uint64_t silence_s, lease_s, flush_records; /* lease_s 0: from the timeout */
    double segment_s;                           /* 0: no video is cut */
    uint64_t save_crops;                        /* of a track in a clip; 0: none */
    const char *save_features;                  /* folder; NULL: none */
    bool save_frame_scores;
    bool require_sandbox, strict;
    enum log_level level;
};

/* Ends the process on a mistake or --help, as main_parse. */
void main_run_parse(int argc, char **argv, struct run_options *ret_options);

#endif
