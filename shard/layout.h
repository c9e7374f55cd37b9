/* layout: how a known data set arranges files and labels; turns a corpus folder or list into a manifest.
 *
 * In: a folder (dir, dfdc) or a CSV file (csv). Out: a sorted manifest, never an empty one: no video is an
 * error that says what was looked for and what was found. Only names and stat facts are read here; videos are
 * opened by lanes.
 *
 *   dir   real/ and fake/[FAMILY/] at the root give labels (in any case of letters); without either the tree
 * is unlabelled. Folders are walked in byte order; hidden names are skipped. A linked folder is followed
 * once, and never into a folder that holds it. Whatever has a video's extension is an entry, also a FIFO or a
 * dead link, so that it ends with an outcome. csv   path,label,split,family,original,identity,group in any
 * order; only path (or filename) is needed, others are ignored and named in the summary. Paths are relative
 * to the CSV's folder, or absolute inside it. A folder is taken by its labels.csv. A path that is not there
 * stays as an entry. dfdc  metadata.json files anywhere in the tree (train form: label, split, original; test
 * form: is_fake), labels.csv with filename,label, and the preview's dataset.json. A video is looked for
 * beside the file that names it, then in the folders below that, where just one has its name. auto  a folder
 * with a DFDC metadata.json, dataset.json or labels.csv: dfdc; with a labels.csv of the csv layout: csv; else
 * dir. A file: a manifest, which is read as it stands, or csv. */
#ifndef FAKESIFT_SHARD_LAYOUT_H
#define FAKESIFT_SHARD_LAYOUT_H

#include <stdio.h>

#include "shard/manifest.h"
#include "shard/text.h"

struct layout_settings {
    const char *layout;     /* "auto" (default when NULL), "dir", "csv", "dfdc" */
    const char *extensions; /* comma-separated, lower case, no dots; NULL: the known video extensions */
};

struct layout_summary {
    const char *layout;      /* the one that was taken; "manifest" for a manifest file */
    size_t n_files;          /* entries of the manifest */
    size_t n_real, n_fake;   /* by label */
    size_t n_missing;        /* named by labels, or a dead link: not there */
    size_t n_unlabelled;     /* entries without a label */
    size_t n_other_files;    /* left out because of their extension */
    size_t n_hidden;         /* videos whose name begins with a dot, left out */
    size_t n_skipped_links;  /* linked folders that hold the link, or were followed before */
    char other_example[256]; /* one of n_other_files, "" when none */
    char notes[512];         /* what a user should know, "; " between; "" when nothing. One line */
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
