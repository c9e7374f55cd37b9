/* coverage_exit: counts of executed lines (gcov) reach their files also from processes that end by _exit(), as ranks, zygotes
 * and lanes do. Linked into every program of the coverage preset, in the place of _exit().
 * In: the counters. Out: the .gcda files beside the objects. */
#include "tests/coverage_exit.h"

#include <stdbool.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int code);
_Noreturn void __wrap__exit(int code);

static bool is_closed;

void coverage_close(void)
{
    __gcov_dump();
    is_closed = true;
}

_Noreturn void __wrap__exit(int code)
{
    if (!is_closed)
        __gcov_dump();
    __real__exit(code);
}
