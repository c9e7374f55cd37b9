/* board_parts: what the writers of boards' files share. Internal to coordinator/evaluate/board*.c. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_BOARD_PARTS_H
#define FAKESIFT_COORDINATOR_EVALUATE_BOARD_PARTS_H

#include "coordinator/evaluate/board.h"

struct board_row {
    char *id;
    size_t index; /* in the manifest */
};

/* The ids of all videos, sorted. *ret_rows is the caller's to free. STATUS_MISMATCH: two videos would have the same id.
 * STATUS_INVALID: an id that the format cannot hold. */
enum status board_rows(enum board board, const struct manifest *m, bool whole_paths, struct board_row **ret_rows,
                       struct error *e);
void board_rows_free(struct board_row *rows, size_t n); /* NULL-safe */

#endif
