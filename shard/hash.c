#include "shard/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t hash_keyed(uint64_t key, const void *data, size_t len_bytes)
{
    const unsigned char *p = data;
    uint64_t h = key ^ len_bytes;

    while (len_bytes > 0) {
        uint64_t word = 0;
        size_t n = len_bytes < 8 ? len_bytes : 8;

        memcpy(&word, p, n);
        h = (h ^ word) * UINT64_C(0x9fb21c651e98df25);
        h = (h ^ h >> 32 ^ key) * UINT64_C(0xd6e8feb86659fd93);
        p += n;
        len_bytes -= n;
    }
    return h ^ h >> 32;
}

uint64_t hash_random_key(void)
{
    uint64_t key = 0;

    /* Without it (before the kernel has gathered any) tables still work, only not against an adversary. */
    if (getrandom(&key, sizeof(key), GRND_NONBLOCK) != sizeof(key))
        key = UINT64_C(0x66616b6573696674);
    return key;
}

struct hasher {
    struct sha256_ctx ctx;
};

uint32_t hash_crc32c(const void *data, size_t len_bytes)
{
    const unsigned char *p = data;
    uint32_t crc = 0xffffffffu;

    while (len_bytes > 0) {
        int part = len_bytes > INT_MAX ? INT_MAX : (int)len_bytes;

        /* ISA-L's prototype lacks const; the buffer is only read. */
        crc = crc32_iscsi((unsigned char *)(uintptr_t)p, part, crc);
        p += part;
        len_bytes -= (size_t)part;
    }
    return ~crc;
}

struct hasher *hasher_open(void)
{
    struct hasher *h = malloc(sizeof(*h));

    if (h)
        sha256_init(&h->ctx);
    return h;
}

void hasher_update(struct hasher *h, const void *data, size_t len_bytes)
{
    sha256_update(&h->ctx, len_bytes, data);
}

void hasher_update_text(struct hasher *h, const char *text)
{
    uint64_t len = text ? strlen(text) : 0;
    uint8_t prefix[8];

    for (unsigned i = 0; i < 8; i++)
        prefix[i] = (uint8_t)(len >> (8 * i));
    hasher_update(h, prefix, sizeof(prefix));
    if (len > 0)
        hasher_update(h, text, len);
}

void hasher_finish(struct hasher *h, char ret_hex[SHA256_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_BYTES];

    sha256_digest(&h->ctx, sizeof(digest), digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        ret_hex[2 * i] = digits[digest[i] >> 4];
        ret_hex[2 * i + 1] = digits[digest[i] & 15];
    }
    ret_hex[2 * SHA256_BYTES] = '\0';
}

void hasher_close(struct hasher **h)
{
    free(*h);
    *h = NULL;
}

enum status hash_file(const char *path, char ret_hex[SHA256_HEX_BYTES], struct error *e)
{
    enum status s = STATUS_OK;
    char *block = NULL;
    struct hasher *h = NULL;
    enum { BLOCK_BYTES = 1 << 16 };
    struct stat st;
    /* O_NONBLOCK: a FIFO must not hang us; it has no effect on a regular file. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    FILE *f;

    if (fd < 0)
        return error_set_errno(e, errno, "%s: cannot open", path);
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(e, STATUS_INVALID, "%s: not a regular file", path);
    }
    f = fdopen(fd, "rb");
    if (!f) {
        close(fd);
        return error_no_memory(e);
    }
    block = malloc(BLOCK_BYTES);
    h = hasher_open();
    if (!block || !h) {
        s = error_no_memory(e);
        goto end;
    }
    for (;;) {
        size_t n = fread(block, 1, BLOCK_BYTES, f);

        hasher_update(h, block, n);
        if (n < BLOCK_BYTES)
            break;
    }
    if (ferror(f)) {
        s = error_set(e, STATUS_IO, "%s: cannot read", path);
        goto end;
    }
    hasher_finish(h, ret_hex);
end:
    hasher_close(&h);
    free(block);
    fclose(f);
    return s;
}
