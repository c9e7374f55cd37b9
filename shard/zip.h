/* zip: where the files of a zip archive lie in it, so that those that are stored as they are can be read in place.
 *
 * In: a descriptor of a zip in one part (PKWARE's APPNOTE, zip64 included). Out: one member after the other with the
 * offset and size of its bytes; compressed or encrypted ones are told apart. Only the central directory and each stored
 * member's local header are read, by pread(2), in bounded memory. A name is text for a manifest and is never opened.
 * One thread owns a reader. */
#ifndef FAKESIFT_SHARD_ZIP_H
#define FAKESIFT_SHARD_ZIP_H

#include "shard/archive.h"
#include "shard/status.h"

struct zip_reader;

/* fd stays the caller's, its position unchanged. STATUS_CORRUPT: no zip, or one that was cut; STATUS_UNSUPPORTED: in
 * several parts; STATUS_IO; STATUS_NO_MEMORY. */
enum status zip_open(int fd, struct zip_reader **ret_z, struct error *e);
void zip_close(struct zip_reader **z); /* NULL-safe; sets *z = NULL */

/* STATUS_END after the last member. STATUS_CORRUPT: the directory is damaged here, as the error says with its place.
 * After a failure only the same comes again. */
enum status zip_next(struct zip_reader *z, struct archive_member *ret_member, struct error *e);

#endif
