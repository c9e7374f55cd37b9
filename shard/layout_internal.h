/* What the layouts share. Only shard/layout*.c include this. */
#ifndef FAKESIFT_SHARD_LAYOUT_INTERNAL_H
#define FAKESIFT_SHARD_LAYOUT_INTERNAL_H

#include "shard/layout.h"

struct scan {
    const char *corpus;     /* as the user gave it */
    const char *root;       /* absolute folder that paths are relative to */
    const char *extensions; /* comma-separated */
    struct manifest *m;     /* being filled */
    struct layout_summary *summary;
    struct error *e;
};

/* Whether name ends in one of the extensions. */
bool layout_is_video(const struct scan *scan, const char *name);
/* Appends to the summary's notes; what has no room is left out. */
void layout_note(struct layout_summary *summary, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds entry to the manifest; the error begins with where. */
enum status layout_add(struct scan *scan, const struct manifest_entry *entry, const char *where);

/* Sets exists, size_bytes and mtime_ns of path under folder_fd, following links. Not there: exists = false.
 * *ret_is_folder says whether it is a folder. STATUS_IO: the system does not tell. */
enum status layout_stat(struct scan *scan, int folder_fd, const char *path, struct manifest_entry *entry,
                        bool *ret_is_folder);

/* For each file under the root in byte order of paths whose name is_wanted, calls visit with path, exists,
 * size_bytes and mtime_ns set. Other files are counted in the summary. Stops at visit's first failure. */
enum status layout_walk(struct scan *scan, bool (*is_wanted)(const struct scan *scan, const char *name),
                        enum status (*visit)(struct scan *scan, const struct manifest_entry *file, void *context),
                        void *context);

enum status layout_dir_fill(struct scan *scan);
enum status layout_csv_fill(struct scan *scan, const char *csv_path);
enum status layout_dfdc_fill(struct scan *scan);

/* What a file of labels is, by its own content. */
enum label_file {
    LABEL_FILE_NONE,  /* not there */
    LABEL_FILE_OTHER, /* something else */
    LABEL_FILE_CSV,
    LABEL_FILE_DFDC,
    LABEL_FILE_UNREADABLE, /* whoever reads it gets the error */
};
/* Fails for want of memory alone. CSV: it has a column path; DFDC: filename and label and no path. */
enum status layout_csv_sniff(const char *path, enum label_file *ret_kind, struct error *e);
/* DFDC also where it is no JSON at all: a damaged metadata.json must end in an error and not in unlabelled
 * videos. */
enum status layout_dfdc_sniff(const char *path, enum label_file *ret_kind, struct error *e);

/* One row of labels. Strings are valid until the next row. */
struct label_row {
    size_t line;
    struct manifest_entry entry; /* path as it was written */
};
/* Calls visit for each row of a CSV of labels. */
enum status layout_csv_rows(struct scan *scan, const char *csv_path,
                            enum status (*visit)(struct scan *scan, const char *csv_path, const struct label_row *row,
                                                 void *context),
                            void *context);
/* path without empty and "." components; the caller frees it. NULL when out of memory. */
char *layout_plain_path(const char *path);

#endif
