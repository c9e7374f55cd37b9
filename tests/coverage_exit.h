/* coverage_exit: see tests/coverage_exit.c. */
#ifndef FAKESIFT_TESTS_COVERAGE_EXIT_H
#define FAKESIFT_TESTS_COVERAGE_EXIT_H

/* Writes what was counted and nothing at the end: the process may open no file from here on. */
void coverage_close(void);

#endif
