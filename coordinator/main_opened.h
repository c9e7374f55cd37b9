/* main_opened: a run that is there, for the commands that only read it. In: its folder. Out: its manifest and results. */
#ifndef FAKESIFT_COORDINATOR_MAIN_OPENED_H
#define FAKESIFT_COORDINATOR_MAIN_OPENED_H

#include "coordinator/reduce.h"
#include "coordinator/run_folder.h"

struct opened {
    struct run_folder *folder;
    struct manifest *manifest;
    struct reduction reduction;
};

/* STATUS_NOT_FOUND: no run there. */
enum status opened_open(const char *path, struct opened *ret_o, struct error *e);
void opened_close(struct opened *o); /* NULL-safe content */

#endif
