/* layout: how a known data set arranges files and labels; turns a corpus folder or list into a manifest.
 *
 * In: a folder (dir, dfdc) or a CSV file (csv). Out: a sorted manifest, never an empty one: no video is an error that
 * says what was looked for and what was found. Only names and stat facts are read here; videos are opened by lanes. */
#ifndef FAKESIFT_SHARD_LAYOUT_H
#define FAKESIFT_SHARD_LAYOUT_H

#include <stdio.h>

#include "shard/manifest.h"

struct layout_settings {
    const char *layout;     /* "auto" (default when NULL), "dir", "csv", "dfdc" */
    const char *extensions; /* comma-separated, lower case, no dots; NULL: the known video extensions */
};

struct layout_summary {
    const char *layout;    /* the one that was taken */
    size_t n_files;        /* entries of the manifest */
    size_t n_missing;      /* named by labels, not there */
    size_t n_unlabelled;   /* on disk, without a label */
    size_t n_other_files;  /* left out because of their extension */
    char other_example[256]; /* one of them, "" when none */
};

/* corpus: a folder, or a CSV file of the csv layout.
 * STATUS_NOT_FOUND: no such folder or file. STATUS_INVALID: labels that break the layout's rules, with file and line.
 * *ret_m is the caller's. ret_summary may be NULL. */
enum status layout_scan(const char *corpus, const struct layout_settings *settings, struct manifest **ret_m,
                        struct layout_summary *ret_summary, struct error *e);

#endif
