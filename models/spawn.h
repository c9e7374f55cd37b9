/* spawn: another program, without a shell, waited for. Internal to models: only fetching starts programs. */
#ifndef FAKESIFT_MODELS_SPAWN_H
#define FAKESIFT_MODELS_SPAWN_H

#include "shard/status.h"

struct spawn {
    const char *const *argv; /* NULL-terminated; argv[0] is looked for in PATH */
    const char *folder;      /* where it runs */
    const char *log_path;    /* its standard output and standard error go there; absolute */
    /* NULL-terminated: a line of the log that holds one says most about a failure, the first before the next;
     * else, or when NULL, the last line does. */
    const char *const *telling;
};

/* STATUS_NOT_FOUND: no such program. STATUS_IO: it failed; the text has the line of its log that says why. */
enum status spawn_run(const struct spawn *s, struct error *e);

#endif
