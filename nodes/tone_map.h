/* tone_map: high dynamic range RGB (PQ or HLG, BT.2020 primaries) to 8-bit RGB as a standard screen shows it.
 *
 * In: 16-bit non-linear R'G'B' of full range. Out: 8-bit R'G'B', BT.709 primaries. Light is made linear (SMPTE ST 2084;
 * ARIB STD-B67 with the system gamma of a screen of 1000 cd/m2), the largest channel goes through ITU-R BT.2390-10's EETF
 * (section 5.4.1, its knee in PQ) from 1000 to 203 cd/m2, which BT.2408 gives as a standard picture's white, the others keep
 * their ratio to it; primaries are converted and clipped, and the light is coded by BT.1886's inverse (a power of 1 / 2.4).
 * What is brighter than 1000 cd/m2 is 1000. Tables and one pass in float; a picture's bytes depend on itself alone. */
#ifndef FAKESIFT_NODES_TONE_MAP_H
#define FAKESIFT_NODES_TONE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

enum tone_curve { TONE_PQ = 1, TONE_HLG };

struct tone_map;

enum status tone_map_open(enum tone_curve curve, struct tone_map **ret_t);
void tone_map_close(struct tone_map **t); /* NULL-safe; sets *t = NULL */
/* bt2020: the primaries are BT.2020's, else BT.709's. */
void tone_map_row(const struct tone_map *t, bool bt2020, const uint16_t *rgb16, uint8_t *rgb8, size_t n_px);

#endif
