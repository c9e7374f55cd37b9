/* upright: whether a video without a face stands on its side or its head.
 *
 * In: frames in which no face was found. Out: how often they must be turned for one to be there. Two of the video's frames are
 * kept until its end, and only then, where no frame had a face, searched three times more. One thread owns it. */
#ifndef FAKESIFT_NODES_UPRIGHT_H
#define FAKESIFT_NODES_UPRIGHT_H

#include "nodes/faces.h"
#include "shard/result.h"

struct upright;

enum status upright_open(struct upright **ret_u);
void upright_close(struct upright **u); /* NULL-safe; sets *u = NULL */
/* Of a video; finder NULL: nothing is looked for. */
void upright_begin(struct upright *u, struct face_finder *finder);
/* Keeps a copy of a frame, of at most 640 pixels a side, while fewer than two are kept: for frames before the first with a face. */
enum status upright_look(struct upright *u, const struct image *frame, struct error *e);
/* Sets r->extras.quarter_turns where no frame has a face. The surest face of the turned frames decides. */
enum status upright_settle(struct upright *u, struct result *r, struct error *e);

#endif
