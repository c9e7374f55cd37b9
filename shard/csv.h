/* csv: reads RFC 4180 files row by row in bounded memory. The only module that sees libcsv.
 *
 * Strict, since a guess would put a label on the wrong video: a quote inside a field that is not quoted, text
 * after a closing quote, a quote that is never closed, a carriage return without its line feed and a zero
 * byte are errors that name the line. Lines end with LF or CRLF; quoted fields may hold both; blanks belong
 * to the field; empty lines are skipped; a UTF-8 byte order mark at the start is skipped. Fields are bytes,
 * not checked to be UTF-8.
 *
 * A reader belongs to one thread. */
#ifndef FAKESIFT_SHARD_CSV_H
#define FAKESIFT_SHARD_CSV_H

#include <stddef.h>

#include "shard/status.h"

enum {
    CSV_MAX_ROW_BYTES = 1024 * 1024, /* of one row in the file; an unclosed quote ends here, not at the memory's end */
    CSV_MAX_FIELDS = 1024,           /* of one row */
};

struct csv_row {
    size_t line; /* 1-based, where the row begins */
    size_t n_fields;
    const char *const *fields; /* zero-terminated */
};

struct csv_reader;

/* STATUS_NOT_FOUND, STATUS_IO; STATUS_INVALID: not a regular file. *ret_r is the caller's to close. */
enum status csv_reader_open(const char *path, struct csv_reader **ret_r, struct error *e);
/* The same with another byte between fields; delimiter: printable ASCII, no quote. */
enum status csv_reader_open_delimited(const char *path, char delimiter, struct csv_reader **ret_r, struct error *e);
/* *ret_row is valid until the next call. STATUS_END after the last row. STATUS_CORRUPT: breaks RFC 4180;
 * STATUS_INVALID: past a limit; the text begins with "FILE:LINE: ". A reader that failed only gives the same
 * again. */
enum status csv_reader_next(struct csv_reader *r, struct csv_row *ret_row, struct error *e);
void csv_reader_close(struct csv_reader **r); /* NULL-safe; sets *r = NULL */

#endif
