/* main_detectors: the detectors that a run is asked for. In: --detector. Out: what `run` and `submit` need to know of them. */
#ifndef FAKESIFT_COORDINATOR_MAIN_DETECTORS_H
#define FAKESIFT_COORDINATOR_MAIN_DETECTORS_H

#include "coordinator/run_folder.h"
#include "models/detector_set.h"
#include "shard/text.h"

struct run_detectors {
    struct detector_set set;
    struct text further, further_sha256; /* of the columns after the first, with commas between */
    const struct card *first;            /* the one whose sampling plans the work */
    bool has_ensemble;
};

enum status run_detectors_find(const char *list, struct run_detectors *ret_d, struct error *e);
void run_detectors_clear(struct run_detectors *d);

/* Of one detector the fields are those of before there were lists. d outlives the identity. */
void run_detectors_identify(const struct run_detectors *d, struct run_identity *identity);

/* Each path of a card made absolute; NULL: said in e. The caller frees it. */
char *run_detectors_absolute(const char *list, struct error *e);

#endif
