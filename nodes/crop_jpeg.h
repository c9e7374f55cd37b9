/* crop_jpeg: a picture in memory -> a JPEG in memory (baseline, quality 92, no subsampling of colour: what is looked at is
 * whether a face was tampered with). The same pixels give the same bytes. The one door for libjpeg. */
#ifndef FAKESIFT_NODES_CROP_JPEG_H
#define FAKESIFT_NODES_CROP_JPEG_H

#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

/* Sides 1..65500. *ret_data is the caller's to free. */
enum status crop_jpeg(const uint8_t *rgb_hwc, unsigned width_px, unsigned height_px, uint8_t **ret_data,
                      size_t *ret_len_bytes, struct error *e);

#endif
