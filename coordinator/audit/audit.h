/* audit: what is wrong with a corpus, from what a run saw of it.
 *
 * In: a manifest, the run's results, and its journals, read a second time for the prints of frames that a report's table of
 * results leaves on disk; the files themselves where they are at hand and equality must be proved. Out: findings, each with a
 * severity, evidence and a command that shows it, as text, CSV or JSON; and RUN/audit.json, which the report takes up.
 * The same input gives the same findings in the same order, however many threads. Internal parts: audit_parts.h. */
#ifndef FAKESIFT_COORDINATOR_AUDIT_AUDIT_H
#define FAKESIFT_COORDINATOR_AUDIT_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "coordinator/results.h"
#include "shard/manifest.h"
#include "shard/status.h"

/* By severity, then by what to do first: the order in which they are told. */
enum audit_kind {
    AUDIT_LEAK,
    AUDIT_LABEL_CONFLICT,
    AUDIT_ORIENTATION,
    AUDIT_SHORTCUT,
    AUDIT_DUPLICATE,
    AUDIT_NEAR_DUPLICATE,
    AUDIT_UNSTATED_ORIGINAL,
    AUDIT_ORPHAN,
    AUDIT_MISSING,
    AUDIT_CORRUPT,
    AUDIT_TRUNCATED,
    AUDIT_UNSUPPORTED,
    AUDIT_FAILED,
    AUDIT_BLACK,
    AUDIT_FROZEN,
    AUDIT_EXTRA,
    AUDIT_NO_FACE,
    AUDIT_SEVERAL_FACES,
    AUDIT_DARK,
    AUDIT_BLURRY,
    AUDIT_ODD_SIZE,
    AUDIT_VARIABLE_RATE,
    AUDIT_ROTATION,
    AUDIT_INCOMPLETE,
    AUDIT_KIND_COUNT
};

enum audit_severity { AUDIT_NOTE, AUDIT_WARNING, AUDIT_CRITICAL };

const char *audit_kind_name(enum audit_kind kind); /* "leak", "label-conflict", ... */
const char *audit_kind_meaning(enum audit_kind kind);
enum audit_severity audit_kind_severity(enum audit_kind kind);
const char *audit_severity_name(enum audit_severity s);
/* AUDIT_KIND_COUNT for an unknown name. */
enum audit_kind audit_kind_from_name(const char *name, size_t len_bytes);

struct audit_finding {
    enum audit_kind kind;
    uint32_t a, b;  /* entries of the manifest; UINT32_MAX: none */
    char *path;     /* owned; a file that no entry lists, else NULL */
    char *evidence; /* owned; one line */
    char *command;  /* owned; for a POSIX shell in any folder */
};

struct audit_input {
    const char *run_folder, *journal_folder, *fingerprint;
    const struct manifest *manifest;
    const struct results *results;
};

struct audit_settings {
    bool without_files; /* nothing of the corpus is read or listed; default false */
    bool mirrored;      /* also finds near duplicates that are mirrored left to right; default false */
    unsigned n_threads; /* default (0) 1 */
};

/* How far one fact of the containers, or all of them, tells fakes from reals. */
struct audit_shortcut {
    const char *name;
    size_t n; /* videos */
    bool is_defined;
    double auc, low, high; /* 95 %; not below 0.5 for a single number: either direction counts */
    const char *meaning;   /* which way */
};

enum { AUDIT_MAX_SHORTCUTS = 20 };

struct audit {
    const struct audit_input *in;
    struct audit_finding *findings; /* owned; by kind, then in the manifest's order */
    size_t n_findings, room_findings;
    size_t counts[AUDIT_KIND_COUNT];
    size_t n_decided, n_with_prints, n_pictures; /* videos, videos, pictures fit to compare */
    size_t n_verified, n_unverified;             /* files that were read to prove equality; that could not be */
    uint64_t n_comparisons;
    struct audit_shortcut shortcuts[AUDIT_MAX_SHORTCUTS];
    size_t n_shortcuts;
    struct audit_shortcut all_facts, detector; /* on the same videos; names "all facts", "detector" */
    double beats_facts_by;                     /* detector.auc - all_facts.auc; NaN where either is undefined */
    char manifest_sha256[SHA256_HEX_BYTES];
};

/* *ret_a is the caller's to audit_clear. in must outlive it. */
enum status audit_make(const struct audit_input *in, const struct audit_settings *settings, struct audit *ret_a,
                       struct error *e);
void audit_clear(struct audit *a); /* NULL-safe content; zeroes *a */

/* At most `limit` findings of each kind. */
enum status audit_print(const struct audit *a, size_t limit, FILE *out, struct error *e);
/* Every finding. */
enum status audit_write_csv(const struct audit *a, const char *path, struct error *e);
enum status audit_write_json(const struct audit *a, const char *path, struct error *e);
/* RUN/audit.json: how many of each kind, with the first, and the shortcuts. */
enum status audit_write_summary(const struct audit *a, struct error *e);

#endif
