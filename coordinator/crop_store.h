/* crop_store: face crops of scored videos, kept in a folder for whoever looks at them.
 *
 *     FOLDER/ab/HASH-tTRACK-cCLIP-NUMBER.jpg   HASH: the first 32 digits of the SHA-256 of the video's path, ab its first two
 *     FOLDER/ab/HASH.crops                     what belongs to the video: a line "SIZE MTIME CONTENT", then "TRACK CLIP
 *                                              NUMBER TIME_US" a crop; it appears last, by rename
 *     FOLDER/crops.csv                         path,track,clip,time_us,file of the videos of a report; file is relative
 *                                              to FOLDER
 * No name of a video becomes a name of a file. A video that is worked on again replaces what it had: files that the new list
 * does not name are removed. The list says which file of that path the crops are of, so those of one that changed are not
 * taken for the new one's; and only tracks and clips that the result has are listed in crops.csv. */
#ifndef FAKESIFT_COORDINATOR_CROP_STORE_H
#define FAKESIFT_COORDINATOR_CROP_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/results.h"
#include "shard/manifest.h"
#include "shard/result.h"

struct stored_crop {
    uint32_t track, clip, number;
    int64_t time_us;
    const uint8_t *jpeg;
    size_t len_bytes;
};

enum { CROP_STORE_MAX = 256 }; /* crops of a video */

/* The crops of r's video, in ascending order of (track, clip, number); n 0: it has none (any more). writer tells processes
 * apart that may write at once. Nothing is synced: what the machine's end takes is missing from crops.csv. */
enum status crop_store_write(const char *folder, unsigned writer, const struct result *r,
                             const struct stored_crop *crops, size_t n, struct error *e);

/* Writes crops.csv of every video in results, in the manifest's order. A folder that is not there gives none.
 * *ret_n (may be NULL): its rows. */
enum status crop_store_index(const char *folder, const struct manifest *m, const struct results *results, size_t *ret_n,
                             struct error *e);

#endif
