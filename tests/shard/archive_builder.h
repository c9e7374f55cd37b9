/* archive_builder: tars and zips, byte by byte, for tests. In: names and contents. Out: an archive in memory. */
#ifndef FAKESIFT_TESTS_ARCHIVE_BUILDER_H
#define FAKESIFT_TESTS_ARCHIVE_BUILDER_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "shard/text.h"

struct tar_header {
    const char *name, *prefix;
    const char *magic; /* 8 bytes; NULL: ustar's */
    char type;         /* 0: '0' */
    uint64_t size;
    const char *size_field; /* 12 bytes in the place of size; NULL: size in octal */
    bool gnu_extended;
};

/* One header with its right sum. */
static inline void tar_put_header(struct text *t, const struct tar_header *h)
{
    char block[512] = {0};
    char number[16];
    unsigned sum = 0;

    strncpy(block, h->name, 100);
    snprintf(number, sizeof(number), "%011llo", (unsigned long long)(h->size & 077777777777));
    memcpy(block + 124, h->size_field ? h->size_field : number, 12);
    memset(block + 148, ' ', 8);
    block[156] = (char)(h->type ? h->type : '0');
    memcpy(block + 257, h->magic ? h->magic : "ustar\00000", 8);
    if (h->prefix)
        strncpy(block + 345, h->prefix, 155);
    block[482] = (char)h->gnu_extended;
    for (size_t i = 0; i < sizeof(block); i++)
        sum += (unsigned char)block[i];
    snprintf(block + 148, 8, "%06o", sum);
    block[155] = ' ';
    text_append(t, block, sizeof(block));
}

static inline void tar_put_bytes(struct text *t, const char *bytes, size_t len)
{
    static const char zeros[512];

    text_append(t, bytes, len);
    text_append(t, zeros, (512 - len % 512) % 512);
}

static inline void tar_put_file(struct text *t, const char *name, const char *content)
{
    tar_put_header(t, &(struct tar_header){.name = name, .size = strlen(content)});
    tar_put_bytes(t, content, strlen(content));
}

static inline void tar_put_end(struct text *t)
{
    static const char zeros[1024];

    text_append(t, zeros, sizeof(zeros));
}

struct zip_file {
    const char *name, *content;
    unsigned method, flags; /* 0 and 0: stored as it is */
    uint32_t unix_mode;
};

static inline void put_little(struct text *t, uint64_t value, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++) {
        char byte = (char)(value >> (8 * i));

        text_append(t, &byte, 1);
    }
}

/* A whole zip. Local headers get an extra field that the directory has not, as real writers' have. zip64: with the numbers
 * in extra fields. */
static inline void zip_put(struct text *t, const struct zip_file *files, size_t n, bool zip64)
{
    uint64_t at[16] = {0}, directory, size;

    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(files[i].content), name_len = strlen(files[i].name);

        at[i] = t->len_bytes;
        text_append(t, "PK\x03\x04", 4);
        put_little(t, 20, 2);
        put_little(t, files[i].flags, 2);
        put_little(t, files[i].method, 2);
        put_little(t, 0, 8); /* time, date, sum */
        put_little(t, len, 4);
        put_little(t, len, 4);
        put_little(t, name_len, 2);
        put_little(t, 8, 2);
        text_append(t, files[i].name, name_len);
        text_append(t, "\x99\x99\x04\0abcd", 8);
        text_append(t, files[i].content, len);
    }
    directory = t->len_bytes;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(files[i].content), name_len = strlen(files[i].name);

        text_append(t, "PK\x01\x02", 4);
        put_little(t, 0x031e, 2);
        put_little(t, 20, 2);
        put_little(t, files[i].flags, 2);
        put_little(t, files[i].method, 2);
        put_little(t, 0, 8);
        put_little(t, zip64 ? UINT32_MAX : len, 4);
        put_little(t, zip64 ? UINT32_MAX : len, 4);
        put_little(t, name_len, 2);
        put_little(t, zip64 ? 28 : 0, 2);
        put_little(t, 0, 2); /* comment */
        put_little(t, 0, 4); /* disk, internal attributes */
        put_little(t, (uint64_t)files[i].unix_mode << 16, 4);
        put_little(t, zip64 ? UINT32_MAX : at[i], 4);
        text_append(t, files[i].name, name_len);
        if (zip64) {
            put_little(t, 1, 2);
            put_little(t, 24, 2);
            put_little(t, len, 8);
            put_little(t, len, 8);
            put_little(t, at[i], 8);
        }
    }
    size = t->len_bytes - directory;
    if (zip64) {
        uint64_t end = t->len_bytes;

        text_append(t, "PK\x06\x06", 4);
        put_little(t, 44, 8);
        put_little(t, 45, 2);
        put_little(t, 45, 2);
        put_little(t, 0, 8); /* disks */
        put_little(t, n, 8);
        put_little(t, n, 8);
        put_little(t, size, 8);
        put_little(t, directory, 8);
        text_append(t, "PK\x06\x07", 4);
        put_little(t, 0, 4);
        put_little(t, end, 8);
        put_little(t, 1, 4);
    }
    text_append(t, "PK\x05\x06", 4);
    put_little(t, 0, 4); /* disks */
    put_little(t, n, 2);
    put_little(t, n, 2);
    put_little(t, zip64 ? UINT32_MAX : size, 4);
    put_little(t, zip64 ? UINT32_MAX : directory, 4);
    put_little(t, 7, 2);
    text_append(t, "comment", 7);
}

#endif
