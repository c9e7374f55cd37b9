/* What the layouts share. Only shard/layout*.c include this. */
#ifndef FAKESIFT_SHARD_LAYOUT_INTERNAL_H
#define FAKESIFT_SHARD_LAYOUT_INTERNAL_H

#include <cjson/cJSON.h>

#include "shard/archive.h"
#include "shard/layout.h"

enum layout_kind {
    LAYOUT_AUTO,
    LAYOUT_DIR,
    LAYOUT_CSV,
    LAYOUT_DFDC,
    LAYOUT_FFPP,
    LAYOUT_CELEBDF,
    LAYOUT_DEEPFAKEBENCH,
    LAYOUT_AVDEEPFAKE1M,
    LAYOUT_VIDEO2DATASET,
    LAYOUT_COUNT
};

struct scan {
    const char *corpus;     /* as the user gave it */
    const char *root;       /* absolute folder that paths are relative to */
    const char *file;       /* corpus, where it is a file of labels, relative to the root; NULL: a folder */
    const char *extensions; /* comma-separated */
    struct manifest *m;     /* being filled */
    struct layout_summary *summary;
    int archive_fd;                        /* of the archive that is walked; -1: none */
    bool (*is_left_out)(const char *path); /* what is no video of the data set though its name is; NULL: nothing */
    bool (*is_labels)(const char *name);   /* which files a collection takes for labels; NULL: none */
    struct error *e;
};

/* Whether name ends in one of the extensions. */
bool layout_is_video(const struct scan *scan, const char *name);
/* Appends to the summary's notes; what has no room is left out. */
void layout_note(struct layout_summary *summary, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One more, with its words where it is the first. */
void layout_count(struct layout_example *example, const char *format, ...) __attribute__((format(printf, 2, 3)));
void layout_count_other(struct layout_summary *summary, const char *path);
/* Adds entry to the manifest; the error begins with where. */
enum status layout_add(struct scan *scan, const struct manifest_entry *entry, const char *where);

/* Sets exists, size_bytes and mtime_ns of path under folder_fd, following links. Not there: exists = false.
 * *ret_is_folder says whether it is a folder. STATUS_IO: the system does not tell. */
enum status layout_stat(struct scan *scan, int folder_fd, const char *path, struct manifest_entry *entry,
                        bool *ret_is_folder);

/* For each file under the root in byte order of paths whose name is_wanted, visit is called with path, exists, size_bytes
 * and mtime_ns set; for those in an archive in the archive's order, with archive_bytes and offset_bytes, while
 * scan->archive_fd is the archive's. Other files are counted in the summary. visit's first failure ends it. */
struct layout_walker {
    bool (*is_wanted)(const struct scan *scan, const char *name);
    enum status (*visit)(struct scan *scan, const struct manifest_entry *file, void *context);
    void *context;
};
enum status layout_walk(struct scan *scan, const struct layout_walker *walker);

/* layout_archive.c */
enum archive_format { ARCHIVE_FORMAT_NONE, ARCHIVE_FORMAT_TAR, ARCHIVE_FORMAT_ZIP, ARCHIVE_FORMAT_PACKED };
enum archive_format layout_archive_format(const char *name);
struct layout_archive;
enum status layout_archive_open(int folder_fd, const char *name, struct layout_archive **ret_a, struct error *e);
void layout_archive_close(struct layout_archive **a); /* NULL-safe; sets *a = NULL */
int layout_archive_fd(const struct layout_archive *a);
/* As tar_next and zip_next. */
enum status layout_archive_next(struct layout_archive *a, struct archive_member *ret_member, struct error *e);
/* Walks the archive name in the folder; path is its own, relative to the root. */
enum status layout_archive_walk(struct scan *scan, int folder_fd, const char *name, const char *path,
                                const struct layout_walker *walker);

/* A file of labels. */
struct label_source {
    char *path;           /* relative to the root */
    char *file;           /* as messages name it, and as it can be opened where it is no member of an archive */
    size_t archive_bytes; /* as a manifest's entry has it */
    uint64_t offset_bytes, size_bytes;
};
/* Its whole content with a zero byte behind. *ret_data is the caller's. */
enum status layout_read(struct scan *scan, const struct label_source *source, size_t max_bytes, char **ret_data,
                        size_t *ret_len_bytes);
/* The same as JSON; errors name file and line. *ret_json is the caller's to cJSON_Delete. */
enum status layout_read_json(struct scan *scan, const struct label_source *source, cJSON **ret_json);

/* layout_collect.c: what is on disk and what labels name, apart at first, then joined by path, so that nothing of either is
 * lost. */
enum named_text {
    NAMED_SPLIT,
    NAMED_FAMILY,
    NAMED_ORIGINAL,
    NAMED_IDENTITY,
    NAMED_GROUP,
    NAMED_METHOD,
    NAMED_SEGMENTS,
    NAMED_COUNT
};

struct named_video {
    char *path;               /* relative to the root */
    char *texts[NAMED_COUNT]; /* NULL: "" */
    enum label label;
    size_t source; /* index of its file of labels */
};
void named_clear(struct named_video *v);

struct collection {
    struct manifest *disk; /* the videos that are there, sorted */
    size_t *by_name;       /* indices into disk, by last component, then path; NULL before it is needed */
    size_t *by_tail;       /* the same by their bytes from the end on */
    struct named_video *named;
    size_t n_named, named_room;
    struct label_source *sources;
    size_t n_sources, sources_room;
    size_t n_elsewhere; /* named videos that were found elsewhere than where they are named */
};

/* Walks the root; is_labels says which files are labels. */
enum status collect_open(struct scan *scan, bool (*is_labels)(const char *name), struct collection *ret_c);
/* One more file of labels: its path and where it lies are taken. */
enum status collect_add_source(struct scan *scan, struct collection *c, const struct manifest_entry *file);
void collect_close(struct collection *c); /* accepts a zeroed one; zeroes it */
/* The manifest's path of a name that a file of labels in folder ("" or "a/b/") gives: below that folder, where just one has
 * that name, which is counted for a note. The caller frees it; NULL: out of memory. */
char *collect_resolve(struct collection *c, const char *folder, const char *name, bool count);
/* The one video whose path ends in tail, or whose whole path tail ends in; without regard to extensions where tail has
 * none (any_extension). *ret_path: NULL when there is none or more than one. */
enum status collect_find_tail(struct scan *scan, struct collection *c, const char *tail, bool any_extension,
                              const char **ret_path);
/* Takes over what v owns, also on failure. */
enum status collect_add(struct scan *scan, struct collection *c, struct named_video *v);
/* Fills the manifest. complete may be NULL: it adds what the path tells, into texts that stay valid until its next call, and
 * says whether it knows the path. A video that nobody names or knows is counted as extra. */
enum status collect_join(struct scan *scan, struct collection *c,
                         enum status (*complete)(struct scan *scan, struct manifest_entry *entry, bool *ret_known,
                                                 void *context),
                         void *context);
/* A member of JSON as text: "" when absent or null, numbers in decimal. where names the object in the error. */
enum status layout_member_text(struct scan *scan, const char *file, const char *where, const cJSON *object,
                               const char *name, char **ret_text);
/* list with room for one more; NULL when out of memory, and list is as it was. */
void *layout_with_room(void *list, size_t n, size_t *room, size_t size);
const char *layout_last_component(const char *path);

enum status layout_dir_fill(struct scan *scan);
enum status layout_csv_fill(struct scan *scan, const char *csv_path);
enum status layout_dfdc_fill(struct scan *scan);
enum status layout_ffpp_fill(struct scan *scan);
enum status layout_celebdf_fill(struct scan *scan);
enum status layout_deepfakebench_fill(struct scan *scan);
enum status layout_avdeepfake1m_fill(struct scan *scan);

/* layout_recognise.c: which layout a folder has, and in summary->why by what. */
enum status layout_recognise(struct scan *scan, enum layout_kind *ret_kind);
/* The files of labels for those layouts that have theirs beside the videos: scan->file, or what is in the root and in its
 * dataset_json/. None is an error. */
enum status layout_add_json_sources(struct scan *scan, struct collection *c, enum layout_kind kind);
/* Whether a folder in the root says what its videos are. */
bool layout_has_label_folder(const struct scan *scan);

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
bool layout_dfdc_is(const cJSON *json);

/* What a JSON file is by its first bytes; LAYOUT_AUTO: something else. Labels of DeepfakeBench are an object of objects of objects, those of
 * AV-Deepfake1M a list of objects that have a "file". */
enum status layout_json_sniff(const char *path, enum layout_kind *ret_kind, struct error *e);

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
