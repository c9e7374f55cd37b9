#include "shard/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static enum log_level threshold = LOG_LEVEL_INFO;
static int line_rank = -1;
static bool live_line;

void log_setup(enum log_level level, int rank)
{
    threshold = level;
    line_rank = rank;
}

void log_live_line(bool is_there)
{
    live_line = is_there;
}

enum log_level log_current_level(void)
{
    return threshold;
}

void log_write(enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug", "trace"};
    char line[2048];
    struct tm tm;
    time_t now = time(NULL);
    size_t used;
    int n;
    va_list args;

    if (level > threshold)
        return;
    gmtime_r(&now, &tm);
    used = live_line ? (size_t)snprintf(line, sizeof(line), "\r\033[K") : 0;
    used += strftime(line + used, sizeof(line) - used, "%Y-%m-%dT%H:%M:%SZ ", &tm);
    if (line_rank >= 0)
        n = snprintf(line + used, sizeof(line) - used, "%s rank=%d ", names[level], line_rank);
    else
        n = snprintf(line + used, sizeof(line) - used, "%s ", names[level]);
    used += (size_t)n;
    va_start(args, format);
    n = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
    va_end(args);
    if (n < 0)
        return;
    used += (size_t)n;
    if (used > sizeof(line) - 2)
        used = sizeof(line) - 2;
    line[used++] = '\n';
    /* A log line that cannot be written has nowhere to be reported. */
    ssize_t written = write(STDERR_FILENO, line, used);
    (void)written;
}
