/* last_words: what a lane and the libraries in it print to standard error, kept until the lane is dead.
 *
 * A lane's standard error is a pipe that nobody reads while the lane lives: it cannot fill the agent's terminal, log file
 * or disk, and a lane that prints on and on is told that the pipe is full. After its death the agent takes the pipe's
 * content, bounded and made printable, into its log. */
#ifndef FAKESIFT_NODES_LAST_WORDS_H
#define FAKESIFT_NODES_LAST_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

enum { LAST_WORDS_BYTES = 64 << 10, LAST_WORDS_LINES = 200 };

/* Both ends are the caller's, close-on-exec and non-blocking. */
enum status last_words_open(int *ret_read_fd, int *ret_write_fd, struct error *e);

/* One line that came from elsewhere, as text that harms no terminal: whatever is no printable ASCII becomes '?'. Ends it. */
void last_words_clean(char *line, size_t len_bytes);

/* Logs what fd holds as warnings, a line each, LAST_WORDS_LINES at the most. Returns how many lines there were. */
unsigned last_words_log(int fd, uint32_t lane);

#endif
