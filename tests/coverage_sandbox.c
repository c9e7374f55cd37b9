/* coverage_sandbox: a lane in its sandbox can write no counts. With FAKESIFT_COVERAGE_OPEN set, as tests/coverage.sh has it for
 * runs of the whole program, lanes enter none, so that what they execute is counted; else what was counted until then is kept. */
#include <stdlib.h>

#include "nodes/sandbox.h"
#include "tests/coverage_exit.h"

unsigned __real_sandbox_enter(const struct sandbox_settings *settings);
unsigned __wrap_sandbox_enter(const struct sandbox_settings *settings);

unsigned __wrap_sandbox_enter(const struct sandbox_settings *settings)
{
    const char *open = getenv("FAKESIFT_COVERAGE_OPEN");

    if (open && open[0] != '\0')
        return SANDBOX_ALL;
    coverage_close();
    return __real_sandbox_enter(settings);
}
