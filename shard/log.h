/* log: lines on standard error for the loops that decide. Low layers return errors instead of logging.
 *
 * A line is "TIME LEVEL rank=R MESSAGE". One write(2) a line, so lines of several processes do not mix.
 * The rank and the level are set once, before any other thread or child exists; a child inherits them. */
#ifndef FAKESIFT_SHARD_LOG_H
#define FAKESIFT_SHARD_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_TRACE };

/* rank < 0: not part of the line (the default). Default level: LOG_LEVEL_INFO. */
void log_setup(enum log_level level, int rank);
enum log_level log_current_level(void);
/* True: standard error is a terminal with an unfinished line on it, which the next log line erases. */
void log_live_line(bool is_there);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
