/* PKWARE's APPNOTE.TXT 6.3.10: 4.3.7 local file header, 4.3.12 central directory, 4.3.14 to 4.3.16 its ends. */
#include "shard/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    MAX_COMMENT_BYTES = 65535,
    WINDOW_BYTES = CENTRAL_BYTES + 3 * 65535, /* the longest entry of the directory */
};

struct zip_reader {
    int fd;
    uint64_t size_bytes, at, end; /* of the directory: its next entry, what follows it */
    uint8_t *window;
    uint64_t window_at;
    size_t window_len;
    char name[ARCHIVE_MAX_NAME_BYTES + 1];
    enum status ended; /* STATUS_OK: not yet */
    struct error why;
};

static uint64_t little(const uint8_t *p, unsigned n_bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < n_bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static enum status read_at(const struct zip_reader *z, uint64_t at, void *ret_data, size_t len, struct error *e)
{
    if (at > z->size_bytes || z->size_bytes - at < len)
        return error_set(e, STATUS_CORRUPT, "ends before byte %" PRIu64, at + len);
    return file_read_at(z->fd, at, ret_data, len, e);
}

/* end: the directory's end record, at that place; replaced by zip64's where there is one. */
static enum status read_end64(struct zip_reader *z, uint64_t end_at, struct error *e)
{
    uint8_t locator[LOCATOR_BYTES], end[END64_BYTES];
    enum status s;

    if (end_at < LOCATOR_BYTES)
        return STATUS_OK;
    s = read_at(z, end_at - LOCATOR_BYTES, locator, sizeof(locator), e);
    if (s != STATUS_OK || memcmp(locator, "PK\x06\x07", 4) != 0)
        return s;
    if (little(locator + 16, 4) > 1)
        return error_set(e, STATUS_UNSUPPORTED, "a zip in several parts: join them, or unpack it");
    s = read_at(z, little(locator + 8, 8), end, sizeof(end), e);
    if (s != STATUS_OK)
        return s;
    if (memcmp(end, "PK\x06\x06", 4) != 0)
        return error_set(e, STATUS_CORRUPT, "a damaged end of the directory");
    z->end = little(end + 40, 8);
    z->at = little(end + 48, 8);
    return STATUS_OK;
}

static enum status find_directory(struct zip_reader *z, struct error *e)
{
    size_t len = z->size_bytes < END_BYTES + MAX_COMMENT_BYTES ? (size_t)z->size_bytes : END_BYTES + MAX_COMMENT_BYTES;
    uint64_t at = z->size_bytes - len;
    uint8_t *tail = malloc(len + 1);
    size_t i = len;
    enum status s;

    if (!tail)
        return error_no_memory(e);
    s = read_at(z, at, tail, len, e);
    if (s != STATUS_OK)
        goto end;
    for (size_t k = len < END_BYTES ? 0 : len - END_BYTES + 1; i == len && k-- > 0;) {
        if (memcmp(tail + k, "PK\x05\x06", 4) == 0 && little(tail + k + 20, 2) == len - k - END_BYTES)
            i = k;
    }
    if (i == len) {
        s = error_set(e, STATUS_CORRUPT, "no zip, or one that was cut: it has no directory at its end");
        goto end;
    }
    if (little(tail + i + 4, 2) != little(tail + i + 6, 2) && little(tail + i + 4, 2) != 0xffff) {
        s = error_set(e, STATUS_UNSUPPORTED, "a zip in several parts: join them, or unpack it");
        goto end;
    }
    z->end = little(tail + i + 12, 4);
    z->at = little(tail + i + 16, 4);
    s = read_end64(z, at + i, e);
    if (s == STATUS_OK && (z->at > z->size_bytes || z->end > z->size_bytes - z->at))
        s = error_set(e, STATUS_CORRUPT, "its directory lies outside the file");
    z->end += z->at;
end:
    free(tail);
    return s;
}

enum status zip_open(int fd, struct zip_reader **ret_z, struct error *e)
{
    struct stat st;
    struct zip_reader *z;
    enum status s;

    if (fstat(fd, &st) != 0)
        return error_set_errno(e, errno, "cannot stat");
    if (!S_ISREG(st.st_mode))
        return error_set(e, STATUS_IO, "not a regular file");
    z = calloc(1, sizeof(*z));
    if (!z)
        return error_no_memory(e);
    z->fd = fd;
    z->size_bytes = (uint64_t)st.st_size;
    z->window = malloc(WINDOW_BYTES);
    s = z->window ? find_directory(z, e) : error_no_memory(e);
    if (s != STATUS_OK) {
        zip_close(&z);
        return s;
    }
    *ret_z = z;
    return STATUS_OK;
}

void zip_close(struct zip_reader **z)
{
    if (!*z)
        return;
    free((*z)->window);
    free(*z);
    *z = NULL;
}

/* len bytes of the directory from z->at; valid until the next call. */
static enum status directory(struct zip_reader *z, size_t len, const uint8_t **ret_data, struct error *e)
{
    if (z->end - z->at < len) {
        error_set(e, STATUS_CORRUPT, "a damaged directory at byte %" PRIu64, z->at);
        return STATUS_CORRUPT;
    }
    if (z->at < z->window_at || z->at + len > z->window_at + z->window_len) {
        uint64_t left = z->end - z->at;
        size_t room = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        enum status s;

        z->window_len = 0;
        s = read_at(z, z->at, z->window, room, e);
        if (s != STATUS_OK)
            return s;
        z->window_at = z->at;
        z->window_len = room;
    }
    *ret_data = z->window + (z->at - z->window_at);
    return STATUS_OK;
}

/* zip64's extra field has, in this order, those numbers that are all ones in the entry. */
static bool take_zip64(const uint8_t *extra, size_t len, uint64_t *usize, uint64_t *csize, uint64_t *local)
{
    uint64_t *const numbers[] = {usize, csize, local};

    while (len >= 4) {
        size_t id = (size_t)little(extra, 2), n = (size_t)little(extra + 2, 2), at = 4;

        if (n > len - 4)
            return false;
        for (size_t k = 0; id == 1 && k < 3; k++) {
            if (*numbers[k] != UINT32_MAX)
                continue;
            if (at + 8 > n + 4)
                return false;
            *numbers[k] = little(extra + at, 8);
            at += 8;
        }
        extra += 4 + n;
        len -= 4 + n;
    }
    return true;
}

static enum archive_kind kind_of(const uint8_t *entry, const char *name, size_t name_len)
{
    unsigned made_by = entry[5];
    uint64_t mode = little(entry + 38, 4) >> 16;

    if (name_len > 0 && name[name_len - 1] == '/')
        return ARCHIVE_FOLDER;
    if (made_by == 3 && S_ISLNK((mode_t)mode)) /* Unix */
        return ARCHIVE_LINK;
    if ((little(entry + 8, 2) & 1) || little(entry + 10, 2) != 0)
        return ARCHIVE_PACKED;
    return ARCHIVE_FILE;
}

/* Where its bytes begin: behind a header of its own, whose extra field may differ from the directory's. */
static enum status find_bytes(const struct zip_reader *z, uint64_t local, struct archive_member *m, struct error *e)
{
    uint8_t header[LOCAL_BYTES];
    enum status s = read_at(z, local, header, sizeof(header), e);

    if (s != STATUS_OK)
        return s;
    if (memcmp(header, "PK\x03\x04", 4) != 0)
        return error_set(e, STATUS_CORRUPT, "no header at byte %" PRIu64 ", where '%.200s' should begin", local,
                         z->name);
    m->offset = local + LOCAL_BYTES + little(header + 26, 2) + little(header + 28, 2);
    m->is_cut = m->offset > z->size_bytes || m->size_bytes > z->size_bytes - m->offset;
    return STATUS_OK;
}

static enum status next_entry(struct zip_reader *z, struct archive_member *ret_member, struct error *e)
{
    struct archive_member m = {.name = z->name};
    const uint8_t *entry = NULL;
    size_t name_len, extra_len, len;
    uint64_t usize, csize, local;
    enum status s = directory(z, CENTRAL_BYTES, &entry, e);

    if (s != STATUS_OK)
        return s;
    name_len = (size_t)little(entry + 28, 2);
    extra_len = (size_t)little(entry + 30, 2);
    len = CENTRAL_BYTES + name_len + extra_len + (size_t)little(entry + 32, 2);
    s = directory(z, len, &entry, e);
    if (s != STATUS_OK)
        return s;
    usize = little(entry + 24, 4);
    csize = little(entry + 20, 4);
    local = little(entry + 42, 4);
    if (memcmp(entry, "PK\x01\x02", 4) != 0 || name_len > ARCHIVE_MAX_NAME_BYTES ||
        !take_zip64(entry + CENTRAL_BYTES + name_len, extra_len, &usize, &csize, &local))
        return error_set(e, STATUS_CORRUPT, "a damaged directory at byte %" PRIu64, z->at);
    memcpy(z->name, entry + CENTRAL_BYTES, name_len);
    z->name[name_len] = '\0';
    m.kind = kind_of(entry, z->name, name_len);
    m.size_bytes = usize;
    if (m.kind == ARCHIVE_FILE && (usize != csize || usize > INT64_MAX))
        return error_set(e, STATUS_CORRUPT, "'%.200s' is stored, but in another size than its own", z->name);
    if (m.kind == ARCHIVE_FILE)
        s = find_bytes(z, local, &m, e);
    if (s != STATUS_OK)
        return s;
    z->at += len;
    *ret_member = m;
    return STATUS_OK;
}

enum status zip_next(struct zip_reader *z, struct archive_member *ret_member, struct error *e)
{
    struct error why = {0};
    enum status s;

    if (z->ended == STATUS_OK && z->at == z->end)
        z->ended = STATUS_END;
    if (z->ended == STATUS_OK) {
        s = next_entry(z, ret_member, &why);
        if (s == STATUS_OK)
            return s;
        z->ended = s;
        z->why = why;
    }
    if (e && z->ended != STATUS_END)
        *e = z->why;
    return z->ended;
}
