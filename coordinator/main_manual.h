/* main_manual: what the program knows of its own commands, for the manual page and the shells' completions.
 * In: a command's argp, the one that parses and that --help prints. Out: lines of fields between tabs, on a stream, as
 * docs/manual.awk reads them (`fakesift [COMMAND] --manual`, which --help does not list):
 *     command  NAME  PURPOSE
 *     usage    ARGUMENTS  TEXT  TEXT-BEHIND-THE-OPTIONS
 *     option   LONG  LETTER  ARGUMENT  optional|required|-  TEXT
 * A field that there is none of is "-". Tabs and line ends within one become blanks. */
#ifndef FAKESIFT_COORDINATOR_MAIN_MANUAL_H
#define FAKESIFT_COORDINATOR_MAIN_MANUAL_H

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

/* Whether the arguments of a command, or of the program, are "--manual" alone. */
bool manual_asked(int argc, char **argv);

void manual_print_command(FILE *out, const char *name, const char *purpose);

/* The usage and each option, those of the children, too. */
void manual_print_argp(FILE *out, const struct argp *argp);

#endif
