/* board: the leaderboards whose files fakesift reads, checks and writes (docs/REPORT.md). */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_BOARD_H
#define FAKESIFT_COORDINATOR_EVALUATE_BOARD_H

#include "coordinator/evaluate/metrics.h"
#include "coordinator/results.h"
#include "shard/manifest.h"

enum board {
    BOARD_AUTO,      /* by the file's first bytes */
    BOARD_RUN,       /* scores.csv of a run; a run folder stands for it */
    BOARD_DFDC,      /* csv filename,label; label = P(fake) */
    BOARD_FFPP,      /* JSON {"0000.png":"fake"|"real"} */
    BOARD_1MDF,      /* 1M-Deepfakes, task 1: lines NAME;P(fake) */
    BOARD_1MDF_2,    /* its task 2: JSON {"NAME":[[confidence,start,end],...]} */
    BOARD_INCLUSION, /* csv video_name,score */
    BOARD_OPENMFC,   /* NIST: ProbeFileID|ConfidenceScore|ProbeStatus|... */
    BOARD_COUNT
};

const char *board_name(enum board b); /* "auto", "run", "dfdc", "ffpp", "1mdf", "1mdf-2", "inclusion", "openmfc" */
/* BOARD_COUNT for an unknown name. */
enum board board_from_name(const char *name);
/* The figure that the board ranks by. */
enum figure_id board_figure(enum board b);

/* OpenMFC's ProbeStatus. -1: unknown. 0: no answer; 1: answered. */
int board_openmfc_status(const char *status);

/* What became of the videos without a score in a file that was written. */
struct board_written {
    size_t n, n_unscored;
};

/* The file that the board takes, from a run's results (board: not AUTO, RUN or 1MDF_2). Ids are the last components of paths
 * (OpenMFC: without extension), or whole paths. A video without a score gets 0.5, "real" at ffpp, and a status of no
 * answer at openmfc. STATUS_MISMATCH: two videos would have the same id. STATUS_INVALID: an id that the format cannot
 * hold. */
enum status board_write(enum board board, const struct manifest *m, const struct results *results, bool whole_paths,
                        const char *path, struct board_written *ret_written, struct error *e);

/* The same for BOARD_1MDF_2, from clips, or from frames where run_folder has their scores. A video without a score has no
 * proposal. */
enum status board_write_segments(const struct manifest *m, const struct results *results, const char *run_folder,
                                 bool whole_paths, const char *path, struct board_written *ret_written,
                                 struct error *e);

#endif
