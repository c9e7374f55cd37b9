/* main: the program's commands. main*.c are the one place that joins coordinator, nodes and models. Each command takes
 * argv from its own name on and returns the process's exit code. */
#ifndef FAKESIFT_COORDINATOR_MAIN_H
#define FAKESIFT_COORDINATOR_MAIN_H

#include <argp.h>

#include "shard/status.h"

enum exit_code {
    EXIT_DONE = 0,
    EXIT_USAGE = 1,
    EXIT_FAILED = 2,
    EXIT_UNSCORED = 3,   /* --strict: done, but some videos have no score; audit --fail-on: there is such a finding */
    EXIT_RESUMABLE = 75, /* stopped early; the same command goes on */
};

int main_run(int argc, char **argv);
int main_scan(int argc, char **argv);
int main_status(int argc, char **argv);
int main_report(int argc, char **argv);
int main_audit(int argc, char **argv);
int main_compare(int argc, char **argv);
int main_eval(int argc, char **argv);
int main_explain(int argc, char **argv);
int main_submit(int argc, char **argv);
int main_models(int argc, char **argv);
int main_bench(int argc, char **argv); /* models bench */

/* Parses a command's arguments; on a mistake or --help prints and exits, on other ranks than 0 silently. */
void main_parse(const struct argp *argp, int argc, char **argv, void *context);

/* Prints "fakesift COMMAND: TEXT" and returns EXIT_FAILED. */
int main_fail(const char *command, const struct error *e);

#endif
