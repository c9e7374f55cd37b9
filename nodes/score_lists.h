/* score_lists: the growing lists of a scorer's work, and what the card says about joining them. */
#ifndef FAKESIFT_NODES_SCORE_LISTS_H
#define FAKESIFT_NODES_SCORE_LISTS_H

#include "models/card.h"
#include "shard/result.h"
#include "shard/segment.h"

/* Append; room is how many fit into what is allocated. STATUS_UNSUPPORTED: more than a result may have. */
enum status score_add_clip(struct result *r, size_t *room, const struct clip_score *clip, struct error *e);
enum status score_add_track(struct segment *g, size_t *room, const struct clip_track *track, struct error *e);

void score_sort_tracks(struct segment *g); /* by clip, then number */
struct segment_rule score_rule(const struct card *card);

#endif
