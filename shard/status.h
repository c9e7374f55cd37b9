/* status: the one enum that every fallible function of fakesift returns, and the text that goes with a failure.
 *
 * Functions give their result through `ret_x` parameters, which stay untouched on failure. A function that can fail
 * for a reason that a user must read also takes a `struct error *`; the text is one line and names the file, the value
 * and the rule. A foreign library's codes are translated where that library is used. */
#ifndef FAKESIFT_SHARD_STATUS_H
#define FAKESIFT_SHARD_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

enum status {
    STATUS_OK = 0,
    /* States, not failures. */
    STATUS_END,   /* nothing more will come */
    STATUS_AGAIN, /* nothing now; ask later */
    /* Failures. */
    STATUS_NO_MEMORY,
    STATUS_IO,          /* the system refused a read, write or open */
    STATUS_NOT_FOUND,   /* the named thing does not exist */
    STATUS_INVALID,     /* an argument, option or key breaks a rule */
    STATUS_CORRUPT,     /* data that should be well-formed is not */
    STATUS_UNSUPPORTED, /* well-formed, but beyond what this build does */
    STATUS_NO_SPACE,    /* a disk is full or read-only */
    STATUS_BUSY,        /* somebody else holds it */
    STATUS_MISMATCH,    /* two things that must agree do not */
    STATUS_TIMEOUT,
    STATUS_BUG, /* a broken promise of our own */
};

/* The lower-case name of s, such as "no_memory". Never NULL. */
const char *status_name(enum status s);

static inline bool status_failed(enum status s)
{
    return s >= STATUS_NO_MEMORY;
}

enum { ERROR_TEXT_BYTES = 1024 };

struct error {
    enum status status;
    char text[ERROR_TEXT_BYTES]; /* one line, no newline at its end; control bytes are escaped */
};

/* Stores status and the formatted text in *e (e may be NULL) and returns s. A text that is too long is cut. */
enum status error_set(struct error *e, enum status s, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As error_set, with ": " and the text of the system's errno_value after it; ENOMEM, ENOENT, ENOSPC, EDQUOT and EROFS
 * give their own status, anything else STATUS_IO. */
enum status error_set_errno(struct error *e, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Out of memory: sets and returns STATUS_NO_MEMORY. Here, so that compilers and analyzers see that no caller goes on as
 * after STATUS_OK. */
static inline enum status error_no_memory(struct error *e)
{
    error_set(e, STATUS_NO_MEMORY, "out of memory");
    return STATUS_NO_MEMORY;
}

#endif
