#include "shard/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void result_clear(struct result *r)
{
    free(r->path);
    free(r->clips);
    *r = (struct result){0};
}

enum status result_set_path(struct result *r, const char *path)
{
    char *copy = strdup(path);

    if (!copy)
        return STATUS_NO_MEMORY;
    free(r->path);
    r->path = copy;
    return STATUS_OK;
}

void result_set_message(struct result *r, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->message, sizeof(r->message), format, args);
    va_end(args);
    for (char *p = r->message; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
}
