/* tar: where the files of a tar archive lie in it, so that they can be read in place.
 *
 * In: a descriptor of an uncompressed tar (ustar, GNU long names, pax path and size, the numbers of both). Out: one
 * member after the other with the offset and size of its bytes. Only headers are read, by pread(2), in bounded memory
 * whatever the archive holds; a member's bytes are never touched. A name is text for a manifest and is never opened.
 * One thread owns a reader. */
#ifndef FAKESIFT_SHARD_TAR_H
#define FAKESIFT_SHARD_TAR_H

#include "shard/archive.h"
#include "shard/status.h"

struct tar_reader;

/* fd stays the caller's, its position unchanged. STATUS_IO: not a file that can be read by position; STATUS_NO_MEMORY. */
enum status tar_open(int fd, struct tar_reader **ret_t, struct error *e);
void tar_close(struct tar_reader **t); /* NULL-safe; sets *t = NULL */

/* STATUS_END after the last member. STATUS_CORRUPT: what follows is no member, as the error says with its place;
 * STATUS_UNSUPPORTED: the file is compressed. After a failure only the same comes again. */
enum status tar_next(struct tar_reader *t, struct archive_member *ret_member, struct error *e);

#endif
