/* explain: one video of a run: what was seen when, how sure, and what was not seen.
 *
 * In: a report's input and an index of its manifest. Out: text for a terminal, JSON, or one HTML file. Pure but for the
 * writers: no clock, no host. */
#ifndef FAKESIFT_COORDINATOR_REPORT_EXPLAIN_H
#define FAKESIFT_COORDINATOR_REPORT_EXPLAIN_H

#include <stdio.h>

#include "coordinator/report/report.h"
#include "shard/text.h"

/* A face that was followed; clips [first, first + n) of the result. */
struct explain_track {
    uint32_t track;
    size_t first, n;
    size_t n_fake;         /* clips with P(fake) of 0.5 or more */
    double mean, min, max; /* of P(fake) */
    int64_t covered_us;    /* that its clips span, together */
};

struct explain_span {
    int64_t start_us, end_us;
};

/* Videos of the run with a score, and how many of them score lower than this one, and the same. */
struct explain_rank {
    size_t n, n_lower, n_equal;
};

struct explain {
    const struct report_input *in;
    struct results_reader *reader;
    size_t index;
    const struct manifest_entry *entry;
    const struct result *result; /* valid until explain_clear */
    const struct video_facts *facts;
    bool is_whole_frames; /* the detector looks for no faces: its one track is the picture */
    struct explain_track *tracks;
    size_t n_tracks;
    /* Stretches of the video in which no clip of any face has a score, in order: not sampled, or no face there. Empty where
     * nothing was scored or the length is unknown. */
    struct explain_span *gaps;
    size_t n_gaps;
    int64_t covered_us; /* of the video, by any clip */
    /* Positions of the sampling plan before the last scored one that have no score of any face, as "k" counted from 0. */
    uint32_t *missing;
    size_t n_missing;
    struct explain_rank all, reals, fakes; /* n is 0 where the video has no score */
};

/* STATUS_NO_MEMORY. *ret_x is the caller's to explain_clear. */
enum status explain_open(const struct report_input *in, size_t index, struct explain *ret_x, struct error *e);
void explain_clear(struct explain *x); /* NULL-safe content */

/* The index of a path as the manifest has it, or of one below the manifest's root.
 * STATUS_NOT_FOUND: the text names paths that are like it. STATUS_NO_MEMORY. */
enum status explain_find(const struct manifest *m, const char *path, size_t *ret_index, struct error *e);

/* One sentence each, without a line end: what was not seen. */
void explain_unseen(const struct explain *x, void (*say)(void *context, const char *sentence), void *context);

struct explain_look {
    unsigned width;  /* of the terminal, in columns; 40..400 */
    bool is_plain;   /* ASCII alone */
    bool with_clips; /* a line a clip */
};
void explain_print(const struct explain *x, const struct explain_look *look, FILE *out);
/* {"fakesift_explain":1,...} and a line end */
void explain_json(const struct explain *x, struct text *t);
/* One self-contained file, as report.html is; with the face crops that the run saved. */
enum status explain_html_write(const struct explain *x, const char *path, struct error *e);

#endif
