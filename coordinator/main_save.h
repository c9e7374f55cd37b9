/* main_save: what `run` keeps beside results: crops (coordinator/crop_store.h), features and scores of frames
 * (coordinator/feature_store.h).
 * In: what an agent found beside a result, before the result is recorded. Out: files; at the end, on rank 0, their indices,
 * which name only what the journals have. Each function does nothing where nothing is to be kept. */
#ifndef FAKESIFT_COORDINATOR_MAIN_SAVE_H
#define FAKESIFT_COORDINATOR_MAIN_SAVE_H

#include <stdbool.h>

#include "coordinator/main_run_options.h"
#include "coordinator/reduce.h"
#include "models/card.h"
#include "nodes/finds.h"

struct save;

struct save_settings {
    const char *crops_folder, *features_folder, *frames_folder; /* NULL: none; they outlive the save */
    const char *fingerprint;
    unsigned rank;
};

/* What lanes are asked for. STATUS_INVALID: the detector has no features. */
enum status save_ask(const struct run_options *o, const struct card *card, struct finds_settings *ret_finds,
                     struct error *e);

/* Rank 0, before anybody saves. STATUS_MISMATCH: the folder has features of another run. */
enum status save_begin(const struct save_settings *settings, struct error *e);

/* *ret_s is NULL where nothing is to be kept. */
enum status save_open(const struct save_settings *settings, struct save **ret_s, struct error *e);
void save_close(struct save **s); /* NULL-safe; sets *s = NULL */

enum status save_keep(struct save *s, const struct result *r, const struct finds *finds, struct error *e);
/* Before the journal is synced. */
enum status save_sync(struct save *s, struct error *e);

/* Rank 0, before a report: the index of RUN/frames, where it is there. */
enum status save_index_frames(const char *run_folder, const char *fingerprint, const struct manifest *m,
                              const struct reduction *r, struct error *e);

/* Rank 0, at the end. A folder for crops that is not there stays absent. */
enum status save_index(const struct save_settings *settings, const struct manifest *m, const struct reduction *r,
                       struct error *e);

#endif
