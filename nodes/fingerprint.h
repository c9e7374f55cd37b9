/* fingerprint: decoded frames -> what audits compare and measure: a 256-bit perceptual hash, its quality, brightness,
 * black share, sharpness, and how much changed since the last one.
 *
 * In: up to RESULT_MAX_PRINTS frames of a video, spread over those that the sampling plan wants. Out: struct picture_print.
 * The hash is in the manner of PDQ (Davis and Rosen, "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing
 * Algorithm", Facebook 2019): luma at 64 x 64, the 16 x 16 lowest frequencies of its DCT-II without those of zero, a bit each
 * for being above their median; the quality, too, is that paper's sum of gradients. The picture is shrunk by area averages
 * where PDQ has a tent filter, so hashes are near PDQ's and not equal to them. Plain C: the same pixels give the same bits. */
#ifndef FAKESIFT_NODES_FINGERPRINT_H
#define FAKESIFT_NODES_FINGERPRINT_H

#include <stdbool.h>

#include "nodes/image.h"
#include "shard/result.h"
#include "shard/status.h"

enum {
    FINGERPRINT_SIDE_PX = 64,
    FINGERPRINT_SHARP_PX = 256,  /* longer side of the picture that sharpness is measured in */
    FINGERPRINT_BLACK_LUMA = 32, /* below: black, as ffmpeg's blackframe has it */
    FINGERPRINT_FREQUENCIES = 16
};

/* Tables and room for pictures; one thread's. */
struct fingerprinter;

enum status fingerprinter_open(struct fingerprinter **ret_f);
void fingerprinter_close(struct fingerprinter **f); /* NULL-safe; sets *f = NULL */

/* A new record begins: nothing comes before its first print. */
void fingerprinter_begin(struct fingerprinter *f);
/* Whether the plan's frame number `ordinal` of n_planned is one of those that get a print. The whole video's numbers, so that
 * a part's prints are the ones that the whole video would have. */
bool fingerprint_wants(uint32_t ordinal, uint32_t n_planned);
/* Appends to r's prints, unless there are RESULT_MAX_PRINTS or pts_us is not after the last one's. */
void fingerprinter_take(struct fingerprinter *f, const struct image *frame, int64_t pts_us, struct result *r);

#endif
