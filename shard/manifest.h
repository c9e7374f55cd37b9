/* manifest: the validated, ordered list of videos that a run scores.
 *
 * In a file it is CSV (RFC 4180) under three comment lines:
 *     # fakesift manifest 1
 *     # root,/absolute/corpus          (a CSV record: quoted where the folder's name needs it)
 *     # layout,dir
 *     path,label,split,family,original,identity,group,size_bytes,mtime_ns,container,codec,pixel_format,encoder,
 *         width_px,height_px,rotation_deg,fps_num,fps_den,duration_us,n_frames,bit_rate_bps,n_video_streams,
 *         n_audio_streams[,content_sha256][,archive,offset_bytes][,method][,fake_segments]   (one line in the file)
 *     real/a.mp4,REAL,,,,,,1048576,1767225600000000000,mov,h264,...
 * Paths are relative to the root and any bytes but zero and may hold commas, quotes and newlines; they have
 * no empty,
 * "." or ".." component and at most MANIFEST_MAX_TEXT_BYTES bytes. Entries are sorted by path (byte order)
 * and no path stands twice, so the same corpus gives the same bytes. size_bytes and mtime_ns are empty where
 * no file was found; the columns from container on are empty where the video was not probed, and else 0 or
 * empty where a fact is unknown.
 *
 * content_sha256 is there when files were listed by content (--hash), and empty where one could not be read. archive and
 * offset_bytes are there when a video lies in an archive, and empty for one that is a file: archive is that part of path
 * which is the archive's own, and size_bytes from offset_bytes on are the video. mtime_ns is then the archive's. method and
 * fake_segments (shard/spans.h) are there when one is known.
 *
 * In memory an entry takes 120 bytes and its path; the other strings are kept once. A manifest is built by one
 * thread, then only read. */
#ifndef FAKESIFT_SHARD_MANIFEST_H
#define FAKESIFT_SHARD_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "shard/hash.h"
#include "shard/result.h"
#include "shard/status.h"

enum { MANIFEST_MAX_TEXT_BYTES = 4095 }; /* of a path or another string; Linux opens no longer path */

enum label { LABEL_UNKNOWN = 0, LABEL_REAL, LABEL_FAKE };

const char *label_name(enum label l); /* "", "REAL", "FAKE" */
/* Takes REAL, FAKE, 0, 1 (1 = fake), and "" in any case; STATUS_INVALID otherwise. */
enum status label_parse(const char *text, enum label *ret_label);

/* All strings are owned by the manifest and never NULL ("" = unknown); of the texts beside the path equal ones are kept
 * once, so they are equal pointers. In manifest_add a NULL string counts
 * as "". */
struct manifest_entry {
    const char *path;
    const char *split;         /* "train", "val", "test" or the data set's own word */
    const char *family;        /* FORMATS: faceswap, reenactment, lip-sync, entire-synthesis, attribute, ... */
    const char *original;      /* path or id of the real video that a fake was made from */
    const char *identity;      /* the person */
    const char *group;         /* what must not be split between train and test */
    const char *method;        /* the data set's own name of how a fake was made; its family is the report's */
    const char *fake_segments; /* which seconds are fake (shard/spans.h); "" where that is not stated */
    const char *content;       /* SHA-256 of the file, lower-case hex; "" when it was not asked for */
    enum label label;
    bool exists;            /* a file was there at the scan; else size and mtime are 0 */
    uint16_t archive_bytes; /* the length of the archive's own path at the begin of path; 0: the video is a file */
    uint64_t size_bytes;
    uint64_t offset_bytes; /* of the video in its archive */
    int64_t mtime_ns;
    const struct video_facts *facts; /* NULL: not scanned with --probe */
};

struct manifest;

/* root: absolute folder, layout: the name of the layout that made it. */
enum status manifest_create(const char *root, const char *layout, struct manifest **ret_m, struct error *e);
void manifest_close(struct manifest **m); /* NULL-safe; sets *m = NULL */

/* Copies the entry, its strings and its facts. Order does not matter before manifest_sort.
 * STATUS_INVALID: the path or a string breaks a rule above, which the text names ("path: ..."). */
enum status manifest_add(struct manifest *m, const struct manifest_entry *entry, struct error *e);
/* Sorts by path; STATUS_INVALID names a path that stands twice. */
enum status manifest_sort(struct manifest *m, struct error *e);

const char *manifest_root(const struct manifest *m);
const char *manifest_layout(const struct manifest *m);
size_t manifest_count(const struct manifest *m);
/* index < manifest_count(m); valid until manifest_close. */
const struct manifest_entry *manifest_entry(const struct manifest *m, size_t index);
/* Asks the memory for what manifest_entry(m, index) reads. */
void manifest_prefetch(const struct manifest *m, size_t index);
/* The index of path, or SIZE_MAX. The manifest must be sorted. */
size_t manifest_find(const struct manifest *m, const char *path);
/* Sets the probed facts of an entry. STATUS_NO_MEMORY; STATUS_INVALID: facts outside the rules of
 * shard/wire.h. */
enum status manifest_set_facts(struct manifest *m, size_t index, const struct video_facts *facts);

/* Sets the content of an entry: SHA256_HEX_BYTES - 1 digits in lower-case hex, or "". STATUS_INVALID; STATUS_NO_MEMORY. */
enum status manifest_set_content(struct manifest *m, size_t index, const char *content);

/* Says where a video is that was not there when its entry was added: exists, size, mtime and the place in an archive are
 * taken. STATUS_INVALID: the archive is no part of the path. */
enum status manifest_set_place(struct manifest *m, size_t index, const struct manifest_entry *place);

/* SHA-256 over every entry's path, size, labels and place in an archive. Not the root, the times of change or the facts: the same
 * corpus copied elsewhere hashes alike. The manifest must be sorted. */
enum status manifest_hash(const struct manifest *m, char ret_hex[SHA256_HEX_BYTES], struct error *e);

/* The manifest must be sorted. */
enum status manifest_write(const struct manifest *m, const char *path, struct error *e);
/* Errors read "FILE:LINE: FIELD: RULE". STATUS_UNSUPPORTED: a manifest of another version. */
enum status manifest_read(const char *path, struct manifest **ret_m, struct error *e);
/* True when the file at path begins as a manifest does. */
bool manifest_is(const char *path);

#endif
