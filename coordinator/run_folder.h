/* run_folder: what a run keeps between its starts, and the lock that keeps two jobs apart.
 *
 *     RUN/run.json       identity (what may change a score), its fingerprint, and every execution with its timings
 *     RUN/manifest.csv   the videos (shard/manifest.h)
 *     RUN/journal/       the results (coordinator/journal.h)
 *     RUN/lock           held while a job works; says who (coordinator/run_lock.h)
 *     RUN/slurm/         what the batch script keeps (slurm/job.sh, fakesift submit), there before the run
 *     RUN/scores.csv, report.json, report.html, results.sqlite   the report
 *
 * A run folder is opened by one job at a time to work, by anybody to read. */
#ifndef FAKESIFT_COORDINATOR_RUN_FOLDER_H
#define FAKESIFT_COORDINATOR_RUN_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/journal.h"
#include "shard/hash.h"
#include "shard/status.h"

enum { IDENTITY_MAX_FIELDS = 16 };

/* Name and value pairs; a run may be resumed only under the same ones. Strings belong to the caller. */
struct run_identity {
    const char *detector_worth; /* kept for the report, not compared */
    const char *detector_card;  /* a JSON object, kept for `compare`, not compared at a resume; may be NULL */
    size_t n_fields;
    struct {
        const char *name, *value;
    } fields[IDENTITY_MAX_FIELDS];
};

void run_identity_add(struct run_identity *identity, const char *name, const char *value);
/* STATUS_NO_MEMORY. */
enum status run_identity_fingerprint(const struct run_identity *identity, char ret_hex[SHA256_HEX_BYTES]);

struct run_folder;

/* Creates the folder or opens an existing one, takes the lock, and compares identities.
 * STATUS_BUSY: another job holds it (the text says which). STATUS_MISMATCH: names the field that differs and both values.
 * STATUS_INVALID: the folder exists, holds other files, and is no run. */
enum status run_folder_open(const char *path, const struct run_identity *identity, struct run_folder **ret_f,
                            struct error *e);
/* For reading: no lock, no identity. STATUS_NOT_FOUND: no run there. */
enum status run_folder_open_readonly(const char *path, struct run_folder **ret_f, struct error *e);
/* Lets go of the lock. NULL-safe; sets *f = NULL. */
void run_folder_close(struct run_folder **f);

const char *run_folder_path(const struct run_folder *f);
const char *run_folder_manifest_path(const struct run_folder *f);
const char *run_folder_journal_path(const struct run_folder *f);
const char *run_folder_fingerprint(const struct run_folder *f);
/* The value of an identity's field, "" when it has none. */
const char *run_folder_identity(const struct run_folder *f, const char *name);

/* What the detector's card says of its worth. */
const char *run_folder_worth(const struct run_folder *f);

/* The card as run_identity had it: JSON text that the caller frees; NULL where the run began without one. */
char *run_folder_card_json(const struct run_folder *f);

/* JSON texts for the report; the caller frees them; NULL when out of memory. */
char *run_folder_identity_json(const struct run_folder *f);
char *run_folder_execution_json(const struct run_folder *f);

enum { RUN_MAX_SLOWEST = 10 };

/* A video that took long, in all starts. */
struct run_slow {
    const char *path, *outcome;
    int64_t wall_us;
};

/* How well the lanes of one start were used. */
struct run_use {
    uint64_t n_videos; /* recorded */
    double available_lane_s, busy_lane_s, idle_lane_s;
    double tail_s, tail_idle_lane_s; /* after the last video was given out */
    double efficiency;               /* busy / available */
    double core_hours_per_1000;      /* videos; a lane is a core */
};

/* One start of the program on this run. */
struct run_execution {
    const char *version, *host_name, *cpu, *job_id, *sandbox;
    unsigned n_ranks, n_lanes;
    int64_t start_unix_s;
    double wall_s;
    uint64_t n_units_decided, n_frames;
    const char *end;                       /* "complete", "drained", "failed: ..." */
    const struct journal_summary *journal; /* as it was read at the end; its damage is named */
    struct run_use use;
    struct run_slow slow[RUN_MAX_SLOWEST];
    size_t n_slow;
};

/* Appends it to run.json. */
enum status run_folder_add_execution(struct run_folder *f, const struct run_execution *x, struct error *e);

/* True when somebody holds the lock now; ret_holder (may be NULL) gets what the lock says of it. */
bool run_folder_is_held(const struct run_folder *f, char *ret_holder, size_t room_bytes);
/* Another job took the run over, since this one seemed dead. Any thread may ask. */
bool run_folder_is_lost(const struct run_folder *f);

#endif
