/* hash: SHA-256 (nettle) for what identifies files, CRC32C (ISA-L) for what guards records. The only module that
 * sees either library. */
#ifndef FAKESIFT_SHARD_HASH_H
#define FAKESIFT_SHARD_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

enum { SHA256_BYTES = 32, SHA256_HEX_BYTES = 65 };

/* CRC32C (Castagnoli, RFC 3720 appendix B.4): hash_crc32c("123456789", 9) == 0xE3069283. */
uint32_t hash_crc32c(const void *data, size_t len_bytes);

/* For tables in memory, quick and not to be kept: under a secret key nobody can choose texts that collide. */
uint64_t hash_keyed(uint64_t key, const void *data, size_t len_bytes);
uint64_t hash_random_key(void);

struct hasher;

/* NULL when out of memory. The caller closes it with hasher_close. */
struct hasher *hasher_open(void);
void hasher_update(struct hasher *h, const void *data, size_t len_bytes);
/* Appends text with its length before it, so that ("ab","c") and ("a","bc") differ. NULL counts as "". */
void hasher_update_text(struct hasher *h, const char *text);
/* Writes the lower-case hex digest and its zero byte, and starts h anew. */
void hasher_finish(struct hasher *h, char ret_hex[SHA256_HEX_BYTES]);
void hasher_close(struct hasher **h); /* NULL-safe; sets *h = NULL */

/* The digest of a whole file. STATUS_IO, STATUS_NOT_FOUND, STATUS_NO_MEMORY. */
enum status hash_file(const char *path, char ret_hex[SHA256_HEX_BYTES], struct error *e);

#endif
