/* submission_parts: what the readers of submissions share. Internal to coordinator/evaluate/submission*.c. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_SUBMISSION_PARTS_H
#define FAKESIFT_COORDINATOR_EVALUATE_SUBMISSION_PARTS_H

#include <cjson/cJSON.h>

#include "coordinator/evaluate/submission.h"

/* One thing wrong; the text is kept while there are few of its kind. STATUS_NO_MEMORY alone is a failure. */
enum status submission_tell(struct submission *s, enum problem kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Whose row this is; SIZE_MAX: nobody's, or it has been said. Counts the row. */
enum status submission_take_id(struct submission *s, const struct truth *t, size_t line, const char *id,
                               size_t *ret_index);
/* submission_segments.c: the proposals of one video, as they stand at a line. */
enum status submission_take_proposals(struct submission *s, const struct truth *t, const cJSON *item, size_t line);

#endif
