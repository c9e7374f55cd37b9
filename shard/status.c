#include "shard/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    [STATUS_OK] = "ok",
    [STATUS_END] = "end",
    [STATUS_AGAIN] = "again",
    [STATUS_NO_MEMORY] = "no_memory",
    [STATUS_IO] = "io",
    [STATUS_NOT_FOUND] = "not_found",
    [STATUS_INVALID] = "invalid",
    [STATUS_CORRUPT] = "corrupt",
    [STATUS_UNSUPPORTED] = "unsupported",
    [STATUS_NO_SPACE] = "no_space",
    [STATUS_BUSY] = "busy",
    [STATUS_MISMATCH] = "mismatch",
    [STATUS_TIMEOUT] = "timeout",
    [STATUS_BUG] = "bug",
};

const char *status_name(enum status s)
{
    unsigned i = (unsigned)s;

    return i < sizeof(names) / sizeof(names[0]) ? names[i] : "unknown";
}

/* File names may hold any byte; a log line must stay one line. */
static void escape_controls(char *text)
{
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
}

static void format_into(struct error *e, const char *format, va_list args)
{
    int n = vsnprintf(e->text, sizeof(e->text), format, args);

    if (n < 0)
        e->text[0] = '\0';
}

enum status error_set(struct error *e, enum status s, const char *format, ...)
{
    if (e) {
        va_list args;
        /* The arguments may point into e->text itself, so the text is made beside it. */
        struct error made = {.status = s};

        va_start(args, format);
        format_into(&made, format, args);
        va_end(args);
        escape_controls(made.text);
        *e = made;
    }
    return s;
}

static enum status status_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOMEM:
        return STATUS_NO_MEMORY;
    case ENOENT:
        return STATUS_NOT_FOUND;
    case ENOSPC:
    case EDQUOT:
    case EROFS:
        return STATUS_NO_SPACE;
    default:
        return STATUS_IO;
    }
}

enum status error_set_errno(struct error *e, int errno_value, const char *format, ...)
{
    enum status s = status_of_errno(errno_value);

    if (e) {
        va_list args;
        struct error made = {.status = s};
        size_t used;

        va_start(args, format);
        format_into(&made, format, args);
        va_end(args);
        used = strlen(made.text);
        snprintf(made.text + used, sizeof(made.text) - used, ": %s", strerror(errno_value));
        escape_controls(made.text);
        *e = made;
    }
    return s;
}
