/* model: everything that a report says, computed once; the writers beside it only format.
 *
 * Items of rankings and masks are manifest indices, except at clip and frame level, where they count the clips or frames
 * of labelled, scored videos in manifest order. Strings point into the input. Internal to coordinator/report. */
#ifndef FAKESIFT_COORDINATOR_REPORT_MODEL_H
#define FAKESIFT_COORDINATOR_REPORT_MODEL_H

#include <stdatomic.h>

#include "coordinator/detector_names.h"
#include "coordinator/evaluate/localise.h"
#include "coordinator/evaluate/metrics.h"
#include "coordinator/report/clusters.h"
#include "coordinator/report/report.h"
#include "shard/text.h"

enum {
    MODEL_MAX_GROUPS = 100,  /* of splits and of families that get a row of their own */
    MODEL_MAX_CODECS = 32,   /* that get a row of their own */
    MODEL_MAX_FINDINGS = 48, /* of the figures, and one for each kind of an audit */
    MODEL_BINS = 20,         /* of the score distribution */
    MODEL_TOP = 20,          /* most suspicious videos, largest errors */
};

/* How many of a set of videos came how far. scored <= decided <= n of each. */
struct tally {
    size_t n, n_decided, n_scored;
    size_t n_real, n_fake, n_unknown; /* by label; they add up to n */
    size_t n_real_scored, n_fake_scored;
    size_t by_outcome[OUTCOME_COUNT]; /* add up to n */
};

/* Figures below those of videos. */
enum level_kind { LEVEL_CLIP, LEVEL_FRAME, LEVEL_COUNT };

struct level {
    struct metrics metrics; /* auc_bootstrap and intervals are by video */
    uint32_t every;         /* frames: of one video in so many; 1: of all */
    bool is_grouped;        /* groups have it, too */
    /* While groups are made: its items, and whose they are. */
    struct ranking ranking;
    uint32_t *video;
};

/* The videos of one split, family, method, group, codec or size of picture. */
struct group {
    const char *name; /* "" = none stated */
    bool is_rest;     /* all groups beyond MODEL_MAX_GROUPS, together; name is "" */
    size_t n_groups;  /* 1, or how many the rest holds */
    struct tally tally;
    struct metrics
        levels[LEVEL_COUNT]; /* without bootstraps; auc_bootstrap is the AUC's interval by video (influence) */
    struct metrics metrics;  /* a family or method: its fakes against the reals of all */
};

enum policy_kind { POLICY_DROPPED, POLICY_HALF, POLICY_WORST, POLICY_BEST, POLICY_COUNT };

struct policy {
    const char *name, *meaning;
    struct metrics metrics;
};

struct finding {
    char id[40];
    bool is_warning;
    char text[480];
};

/* A bootstrap by something that ties videos together; absent where no scored video states it. */
struct dependence {
    const char *name; /* "original", "identity", "group" */
    bool is_present;
    struct interval auc;
};

enum { DEPENDENCE_ORIGINAL, DEPENDENCE_IDENTITY, DEPENDENCE_GROUP, DEPENDENCE_COUNT };

/* A temperature that was fitted on one split, and what it does on the other videos. */
struct calibration {
    const char *why_not;              /* NULL: it could be done */
    const char *fitted_on, *shown_on; /* names of splits; shown_on "": all videos of other splits */
    size_t n_fitted;
    double temperature;
    bool is_at_bound;             /* no temperature helps; metrics.h */
    struct metrics before, after; /* of the videos that it is shown on */
};

/* One detector of a run with several: the first, or a further one. */
struct detector_figures {
    size_t n_scored;
    struct metrics metrics; /* of its own labelled, scored videos */
    /* A further one against the first, over the labelled videos that both score: the first's AUC there less this one's. */
    struct paired against_first;
    size_t n_both;
};

struct histogram {
    size_t of_label[3][MODEL_BINS]; /* by enum label; the last bin holds 1 */
};

struct text;

struct report_model {
    const struct report_input *in;
    struct results_reader *reader; /* of the thread that made the model */
    size_t n;
    struct tally tally;
    size_t n_clips;         /* of labelled, scored videos */
    struct ranking ranking; /* labelled, scored videos */
    size_t n_framed;        /* of them, videos with scores of frames */
    struct metrics video;
    struct level levels[LEVEL_COUNT];
    struct dependence dependences[DEPENDENCE_COUNT];
    struct policy policies[POLICY_COUNT];
    struct group *splits, *families, *methods, *groups, *codecs, *resolutions;
    size_t n_splits, n_families, n_methods, n_groups, n_codecs, n_resolutions;
    char codec_names[MODEL_MAX_CODECS][32];
    struct calibration calibration;
    bool has_localisation; /* the manifest states which seconds are fake */
    struct localisation localisation;
    size_t localised_by_frames, n_without_segments; /* videos; the others by clips; fakes that count for nothing */
    struct finding findings[MODEL_MAX_FINDINGS];
    size_t n_findings;
    struct histogram histogram;
    struct detector_names further;
    struct detector_figures *detectors; /* 1 + further.n, the first one's first; NULL where there is none further */
    char manifest_sha256[SHA256_HEX_BYTES];
};

enum model_extent { MODEL_WHOLE, MODEL_OVERALL /* tally, video metrics and findings alone */ };

/* Checks and counts. STATUS_MISMATCH: results of another number of videos than the manifest's. */
enum status model_begin(const struct report_input *in, struct report_model *ret_m, struct error *e);
/* Measures. */
enum status model_finish(struct report_model *m, enum model_extent extent, struct error *e);
void model_clear(struct report_model *m); /* NULL-safe content */

/* The video's facts: the lane's, or the scan's where no lane got so far. */
const struct video_facts *model_facts(const struct manifest_entry *entry, const struct result *r);

void tally_add(struct tally *t, const struct manifest_entry *entry, enum outcome outcome);

/* alike.c: ret_first[i] for each entry that mask (NULL: all) has: the first of these whose field is the same string. */
typedef const char *alike_field(const struct manifest_entry *entry);
enum status alike_first(const struct manifest *m, alike_field *field, const uint8_t *mask, uint32_t *ret_first,
                        struct error *e);
const char *alike_split(const struct manifest_entry *entry);
const char *alike_family(const struct manifest_entry *entry);
const char *alike_method(const struct manifest_entry *entry);
const char *alike_original(const struct manifest_entry *entry);
const char *alike_identity(const struct manifest_entry *entry);
const char *alike_group(const struct manifest_entry *entry);

/* levels.c: m->levels; then the groups', of the videos with part[i] (below n_groups) or keep[i]; at last what only groups needed. */
enum status levels_make(struct report_model *m, struct error *e);
enum status levels_of_parts(const struct report_model *m, const uint32_t *part, struct group *groups, size_t n_groups,
                            struct error *e);
enum status levels_of_videos(const struct report_model *m, const uint8_t *keep, struct group *group, struct error *e);
void levels_drop_items(struct report_model *m);

/* groups.c: the manifest's entries by split, family, method, group and codec, in byte order of name, and by size of picture. */
enum status groups_make(struct report_model *m, struct error *e);

/* localisation.c */
enum status localisation_make(struct report_model *m, struct error *e);

/* calibration.c */
enum status calibration_make(struct report_model *m, struct error *e);

/* detectors.c */
enum status detectors_make(struct report_model *m, struct error *e);
const char *detectors_name(const struct report_model *m, size_t index); /* of m->detectors */
/* Their part of report.json: "detectors":[...] with a comma before; nothing where there is one. */
void detectors_json(struct text *t, const struct report_model *m);

/* findings.c: what a reader must know before believing the figures. */
void findings_make(struct report_model *m);
/* One for each kind that RUN/audit.json counts, where it is of this manifest and as many results; else a word about it.
 * STATUS_NO_MEMORY. */
enum status findings_take_audit(struct report_model *m, struct error *e);

/* The writers; path is the final one. */
enum status scores_csv_write(const struct report_model *m, const char *path, struct error *e);
enum status results_json_write(const struct report_model *m, const char *path, struct error *e);
/* Appends report.html to t, which has the caller's content afterwards whatever became of it. */
enum status page_make(const struct report_model *m, struct text *t, struct error *e);
enum status summary_print(const struct report_model *m, FILE *out, struct error *e);

/* The database in two steps: what needs no figures, which may be another thread's work, and the rest. */
struct database;
/* STATUS_BUSY: *stop became true. */
enum status results_sqlite_begin(const struct report_input *in, const char *path, const atomic_bool *stop,
                                 struct database **ret_d, struct error *e);
/* Takes over *d. */
enum status results_sqlite_finish(struct database **d, const struct report_model *m, struct error *e);
/* Removes what was written. NULL-safe; sets *d = NULL. */
void results_sqlite_abandon(struct database **d);

/* True when all of string is UTF-8 (RFC 3629). */
bool utf8_is_valid(const char *string);

#endif
