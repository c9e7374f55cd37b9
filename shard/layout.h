/* layout: how a known data set arranges files and labels; turns a corpus folder or list into a manifest.
 *
 * In: a folder, or a file of labels (csv, deepfakebench, avdeepfake1m). Out: a sorted manifest, never an empty one: no video
 * is an error that says what was looked for and what was found. Only names, stat facts and labels are read here; videos are
 * opened by lanes. docs/CORPORA.md has what each layout looks for, and how auto chooses.
 *
 * Folders are walked in byte order; hidden names are skipped. A linked folder is followed once, and never into a folder that
 * holds it. Whatever has a video's extension is an entry, also a FIFO or a dead link, so that it ends with an outcome. A
 * video that labels name and that is not there stays as an entry too.
 *
 * An uncompressed .tar and a .zip are walked as if they were folders: the path of a member is the archive's and its own,
 * 00000.tar/000000000.mp4, which no file beside the archive can have. Links, sparse, compressed and encrypted members are
 * counted and left out, and so is what follows a damaged place. */
#ifndef FAKESIFT_SHARD_LAYOUT_H
#define FAKESIFT_SHARD_LAYOUT_H

#include <stdio.h>

#include "shard/manifest.h"
#include "shard/text.h"

struct layout_settings {
    /* "auto" (default when NULL), "dir", "csv", "dfdc", "ffpp", "celebdf", "deepfakebench", "avdeepfake1m",
     * "video2dataset" */
    const char *layout;
    const char *extensions; /* comma-separated, lower case, no dots; NULL: the known video extensions */
};

/* So many, the first of them in words; "" when there is none. One line. */
struct layout_example {
    size_t n;
    char first[256];
};

struct layout_summary {
    const char *layout;               /* the one that was taken; "manifest" for a manifest file */
    char why[160];                    /* by what auto took it; "" when it was asked for, or is a plain folder */
    size_t n_files;                   /* entries of the manifest */
    size_t n_real, n_fake;            /* by label */
    size_t n_missing;                 /* named by labels, or a dead link: not there */
    size_t n_unlabelled;              /* entries without a label */
    size_t n_other_files;             /* left out because of their extension */
    size_t n_hidden;                  /* videos whose name begins with a dot, left out */
    size_t n_skipped_links;           /* linked folders that hold the link, or were followed before */
    char other_example[256];          /* one of n_other_files, "" when none */
    size_t n_archives;                /* tars and zips that were looked into */
    struct layout_example damaged;    /* archives, with what is wrong: what follows in them is not listed */
    struct layout_example unreadable; /* videos in archives that cannot be read in place, with why */
    struct layout_example packed;     /* archives that must be unpacked first */
    struct layout_example extra;      /* videos that are there and that the labels do not name */
    char notes[512];                  /* what a user should know, "; " between; "" when nothing. One line */
};

/* corpus: a folder, or a CSV file of the csv layout.
 * STATUS_NOT_FOUND: no such folder or file. STATUS_INVALID: labels that break the layout's rules, with file
 * and line (or key); STATUS_CORRUPT: a CSV or JSON that is not one; STATUS_IO: a folder that cannot be read.
 * *ret_m is the caller's. ret_summary may be NULL. */
enum status layout_scan(const char *corpus, const struct layout_settings *settings, struct manifest **ret_m,
                        struct layout_summary *ret_summary, struct error *e);

/* What was found and what was left out, in one line: "27 videos (layout dir), 0 without a label, ...". */
void layout_describe(const struct layout_summary *summary, struct text *t);

#endif
