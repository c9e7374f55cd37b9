/* file: whole files in, whole files out. A file that others read appears by rename, complete or not at all. */
#ifndef FAKESIFT_SHARD_FILE_H
#define FAKESIFT_SHARD_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shard/status.h"

/* Reads at most max_bytes; a longer file is STATUS_INVALID. *ret_data has a zero byte after its end and is the
 * caller's to free. */
enum status file_read(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len_bytes, struct error *e);

/* A file being written beside its final place. */
struct file_writer;

/* Opens PATH.partial in the same folder. */
enum status file_writer_open(const char *path, struct file_writer **ret_w, struct error *e);
FILE *file_writer_stream(struct file_writer *w);
/* Flushes, syncs and renames to PATH; on failure removes the partial file. Frees *w and sets it NULL either way. */
enum status file_writer_commit(struct file_writer **w, struct error *e);
/* Removes the partial file. NULL-safe; sets *w = NULL. */
void file_writer_discard(struct file_writer **w);

enum status file_write(const char *path, const void *data, size_t len_bytes, struct error *e);

/* Creates the folder and its parents; one that exists is fine. */
enum status file_make_folder(const char *path, struct error *e);

/* "FOLDER/NAME", or NAME alone when it is absolute or folder is "". The caller frees it; NULL when out of memory. */
char *file_join(const char *folder, const char *name);

/* All len bytes from byte `at` on. STATUS_IO; STATUS_CORRUPT: the file ends before. The error names the byte, the caller
 * the file. */
enum status file_read_at(int fd, uint64_t at, void *ret_data, size_t len, struct error *e);

#endif
