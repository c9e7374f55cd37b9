/* POSIX.1-2001 (pax), "pax Interchange Format" and "ustar Interchange Format"; GNU tar's manual, "Basic Tar Format". */
#include "shard/tar.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"
#include "shard/text.h"

enum {
    BLOCK_BYTES = 512,
    WINDOW_BYTES = 32 * BLOCK_BYTES,  /* the headers of small neighbours come with one read */
    MAX_EXTENDED_BYTES = 1024 * 1024, /* of a pax header; names that are too long are found out of it */
    MAX_SPARSE_BLOCKS = 1 << 20,
};

/* Places in a header, and their lengths. */
enum {
    AT_NAME = 0,
    LEN_NAME = 100,
    AT_SIZE = 124,
    LEN_SIZE = 12,
    AT_SUM = 148,
    LEN_SUM = 8,
    AT_TYPE = 156,
    AT_MAGIC = 257,
    AT_PREFIX = 345,
    LEN_PREFIX = 155,
    AT_GNU_EXTENDED = 482, /* of a sparse member's header */
    AT_GNU_MORE = 504,     /* of the blocks that go on with it */
};

struct tar_reader {
    int fd;
    uint64_t size_bytes, at; /* of the next header */
    uint8_t window[WINDOW_BYTES];
    uint64_t window_at;
    size_t window_len;
    char name[ARCHIVE_MAX_NAME_BYTES + 1];
    /* What an extended header said of the next member. */
    bool has_name, has_size, is_sparse;
    uint64_t extended_size;
    enum status ended; /* STATUS_OK: not yet */
    struct error why;
};

enum status tar_open(int fd, struct tar_reader **ret_t, struct error *e)
{
    struct stat st;
    struct tar_reader *t;

    if (fstat(fd, &st) != 0)
        return error_set_errno(e, errno, "cannot stat");
    if (!S_ISREG(st.st_mode))
        return error_set(e, STATUS_IO, "not a regular file");
    t = calloc(1, sizeof(*t));
    if (!t)
        return error_no_memory(e);
    t->fd = fd;
    t->size_bytes = (uint64_t)st.st_size;
    *ret_t = t;
    return STATUS_OK;
}

void tar_close(struct tar_reader **t)
{
    free(*t);
    *t = NULL;
}

/* The block at that place, which lies in the file. Valid until the next call. */
static enum status block_at(struct tar_reader *t, uint64_t at, const uint8_t **ret_block, struct error *e)
{
    if (at < t->window_at || at + BLOCK_BYTES > t->window_at + t->window_len) {
        uint64_t left = t->size_bytes - at;
        size_t len = left < WINDOW_BYTES ? (size_t)left : WINDOW_BYTES;
        enum status s;

        t->window_len = 0;
        s = file_read_at(t->fd, at, t->window, len, e);
        if (s != STATUS_OK)
            return s;
        t->window_at = at;
        t->window_len = len;
    }
    *ret_block = t->window + (at - t->window_at);
    return STATUS_OK;
}

/* Octal between blanks, or two's complement in base 256 where the first bit is set. */
static bool number(const uint8_t *field, size_t len, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t i = 0, n_digits = 0;

    if (field[0] & 0x80) {
        value = field[0] & 0x7f;
        if (field[0] & 0x40)
            return false; /* less than zero */
        for (i = 1; i < len; i++) {
            if (value >> 55)
                return false;
            value = value << 8 | field[i];
        }
        *ret_value = value;
        return true;
    }
    while (i < len && field[i] == ' ')
        i++;
    for (; i < len && field[i] >= '0' && field[i] <= '7'; i++, n_digits++)
        value = value << 3 | (uint64_t)(field[i] - '0');
    *ret_value = value;
    return i == len || field[i] == ' ' || field[i] == '\0';
}

static bool is_zero(const uint8_t *block)
{
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        if (block[i] != 0)
            return false;
    }
    return true;
}

/* The sum of its bytes, those of the sum itself taken as blanks; old writers summed signed ones. */
static bool is_header(const uint8_t *block)
{
    uint64_t stated;
    int64_t sum = 0, sum_signed = 0;

    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        uint8_t byte = i >= AT_SUM && i < AT_SUM + LEN_SUM ? ' ' : block[i];

        sum += byte;
        sum_signed += (int8_t)byte;
    }
    return number(block + AT_SUM, LEN_SUM, &stated) &&
           ((int64_t)stated == sum || (sum_signed >= 0 && (int64_t)stated == sum_signed));
}

static enum status end_with(struct tar_reader *t, enum status s, struct error *e)
{
    t->ended = s;
    if (e && s != STATUS_END)
        t->why = *e;
    return s;
}

static enum status not_a_header(const struct tar_reader *t, const uint8_t *block, struct error *e)
{
    static const struct {
        const char *magic, *name;
        size_t len;
    } packed[] = {
        {"\x1f\x8b", "gzip", 2},
        {"\x28\xb5\x2f\xfd", "zstd", 4},
        {"\xfd"
         "7zXZ",
         "xz", 5},
        {"BZh", "bzip2", 3},
        {"\x04\x22\x4d\x18", "lz4", 4},
        {"PK\x03\x04", "zip", 4},
    };

    for (size_t i = 0; t->at == 0 && i < sizeof(packed) / sizeof(packed[0]); i++) {
        if (memcmp(block, packed[i].magic, packed[i].len) == 0)
            return error_set(e, STATUS_UNSUPPORTED, "compressed (%s), so nothing can be read in place: unpack it",
                             packed[i].name);
    }
    return error_set(e, STATUS_CORRUPT, "%s at byte %" PRIu64, t->at == 0 ? "no tar: no header" : "a damaged header",
                     t->at);
}

static bool set_name(struct tar_reader *t, const char *name, size_t len)
{
    len = strnlen(name, len);
    if (len > ARCHIVE_MAX_NAME_BYTES)
        return false;
    memcpy(t->name, name, len);
    t->name[len] = '\0';
    t->has_name = true;
    return true;
}

/* One record "LEN KEY=VALUE\n" of a pax header. */
static bool take_record(struct tar_reader *t, const char *key, size_t key_len, const char *value, size_t value_len)
{
    char digits[24];

    if (key_len == 4 && memcmp(key, "path", 4) == 0)
        return t->is_sparse || set_name(t, value, value_len);
    if (key_len == 15 && memcmp(key, "GNU.sparse.name", 15) == 0) {
        t->is_sparse = true;
        return set_name(t, value, value_len);
    }
    if (key_len > 10 && memcmp(key, "GNU.sparse", 10) == 0)
        t->is_sparse = true;
    if (key_len != 4 || memcmp(key, "size", 4) != 0)
        return true;
    if (value_len >= sizeof(digits))
        return false;
    memcpy(digits, value, value_len);
    digits[value_len] = '\0';
    t->has_size = true;
    return parse_u64(digits, 0, INT64_MAX, &t->extended_size) == STATUS_OK;
}

static bool take_records(struct tar_reader *t, const char *data, size_t len)
{
    while (len > 0) {
        size_t record = 0, i = 0;
        const char *equals;

        for (; i < len && i < 8 && data[i] >= '0' && data[i] <= '9'; i++)
            record = record * 10 + (size_t)(data[i] - '0');
        if (i == 0 || i == len || data[i] != ' ' || record <= i + 1 || record > len || data[record - 1] != '\n')
            return false;
        i++;
        equals = memchr(data + i, '=', record - i);
        if (!equals || !take_record(t, data + i, (size_t)(equals - data) - i, equals + 1,
                                    (size_t)(data + record - 1 - equals) - 1))
            return false;
        data += record;
        len -= record;
    }
    return true;
}

/* A header that describes the next member: pax ('x') or GNU ('L'). */
static enum status take_extended(struct tar_reader *t, char type, uint64_t size, struct error *e)
{
    char *data;
    enum status s;
    bool ok;

    if (size > MAX_EXTENDED_BYTES)
        return error_set(e, STATUS_CORRUPT, "an extended header of %" PRIu64 " bytes at byte %" PRIu64, size, t->at);
    data = malloc(size + 1);
    if (!data)
        return error_no_memory(e);
    s = file_read_at(t->fd, t->at + BLOCK_BYTES, data, size, e);
    ok = s == STATUS_OK && (type == 'L' ? set_name(t, data, size) : take_records(t, data, size));
    free(data);
    if (s == STATUS_OK && !ok)
        s = error_set(e, STATUS_CORRUPT, "a damaged extended header at byte %" PRIu64, t->at);
    return s;
}

static void take_plain_name(struct tar_reader *t, const uint8_t *block)
{
    const char *name = (const char *)block + AT_NAME, *prefix = (const char *)block + AT_PREFIX;
    size_t len = strnlen(name, LEN_NAME), prefix_len = 0;

    /* GNU's magic has blanks there, and something else in the prefix' place. */
    if (memcmp(block + AT_MAGIC, "ustar\0", 6) == 0)
        prefix_len = strnlen(prefix, LEN_PREFIX);
    if (prefix_len > 0) {
        memcpy(t->name, prefix, prefix_len);
        t->name[prefix_len++] = '/';
    }
    memcpy(t->name + prefix_len, name, len);
    t->name[prefix_len + len] = '\0';
}

static enum archive_kind kind_of(const struct tar_reader *t, char type)
{
    size_t len = strlen(t->name);

    switch (type) {
    case '0':
    case '\0':
    case '7':
        if (t->is_sparse)
            return ARCHIVE_SPARSE;
        /* Before POSIX, a folder was told by its name alone. */
        return len > 0 && t->name[len - 1] == '/' ? ARCHIVE_FOLDER : ARCHIVE_FILE;
    case '1':
    case '2':
        return ARCHIVE_LINK;
    case '5':
        return ARCHIVE_FOLDER;
    case 'S':
        return ARCHIVE_SPARSE;
    default:
        return ARCHIVE_OTHER;
    }
}

/* Blocks that go on with a GNU sparse header lie before the member's bytes. */
static enum status skip_sparse(struct tar_reader *t, bool more, uint64_t *data_at, struct error *e)
{
    for (size_t n = 0; more; n++) {
        const uint8_t *block;
        enum status s;

        if (n == MAX_SPARSE_BLOCKS || *data_at > t->size_bytes || t->size_bytes - *data_at < BLOCK_BYTES)
            return error_set(e, STATUS_CORRUPT, "a damaged sparse member at byte %" PRIu64, t->at);
        s = block_at(t, *data_at, &block, e);
        if (s != STATUS_OK)
            return s;
        more = block[AT_GNU_MORE] != 0;
        *data_at += BLOCK_BYTES;
    }
    return STATUS_OK;
}

/* Some writers state a hard link's size though no bytes follow it. */
static bool link_is_bare(struct tar_reader *t)
{
    const uint8_t *block;
    uint64_t at = t->at + BLOCK_BYTES;

    return t->size_bytes - at < BLOCK_BYTES || block_at(t, at, &block, NULL) != STATUS_OK || is_zero(block) ||
           is_header(block);
}

/* From the header at t->at to the next; STATUS_AGAIN: it was one that describes the next member. */
static enum status take_header(struct tar_reader *t, const uint8_t *block, struct archive_member *ret_member,
                               struct error *e)
{
    char type = (char)block[AT_TYPE];
    bool more = type == 'S' && block[AT_GNU_EXTENDED] != 0;
    bool is_extended = type == 'x' || type == 'X' || type == 'L' || type == 'K' || type == 'g';
    uint64_t size = 0, data_at = t->at + BLOCK_BYTES, room, padded;
    enum status s = STATUS_OK;

    if (!number(block + AT_SIZE, LEN_SIZE, &size))
        return error_set(e, STATUS_CORRUPT, "a header without a size at byte %" PRIu64, t->at);
    if (!is_extended && t->has_size)
        size = t->extended_size;
    if (!is_extended && !t->has_name)
        take_plain_name(t, block);
    if (type == '2' || (type == '1' && size > 0 && link_is_bare(t)))
        size = 0;
    s = skip_sparse(t, more, &data_at, e);
    if (s != STATUS_OK)
        return s;
    room = t->size_bytes - data_at;
    if (is_extended) {
        if (size > room)
            return error_set(e, STATUS_CORRUPT, "ends inside the header at byte %" PRIu64, t->at);
        /* A link's target and what a whole archive states change nothing here. */
        s = type == 'K' || type == 'g' ? STATUS_OK : take_extended(t, type, size, e);
        if (s != STATUS_OK)
            return s;
    } else {
        *ret_member = (struct archive_member){
            .name = t->name,
            .kind = kind_of(t, type),
            .offset = data_at,
            .size_bytes = size,
            .is_cut = size > room,
        };
        t->has_name = t->has_size = t->is_sparse = false;
    }
    /* No overflow: number() gives less than 2^63. */
    padded = (size + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    if (size > room)
        t->at = t->size_bytes;
    else
        t->at = data_at + (padded < room ? padded : room);
    return is_extended ? STATUS_AGAIN : STATUS_OK;
}

enum status tar_next(struct tar_reader *t, struct archive_member *ret_member, struct error *e)
{
    struct error why = {0};
    enum status s = STATUS_AGAIN;

    if (t->ended != STATUS_OK) {
        if (e && t->ended != STATUS_END)
            *e = t->why;
        return t->ended;
    }
    while (s == STATUS_AGAIN) {
        const uint8_t *block;

        if (t->at == t->size_bytes && t->at > 0)
            return end_with(t, STATUS_END, NULL); /* without its end mark, which some writers leave out */
        if (t->size_bytes - t->at < BLOCK_BYTES) {
            s = error_set(&why, STATUS_CORRUPT, "ends inside a header at byte %" PRIu64, t->at);
            break;
        }
        s = block_at(t, t->at, &block, &why);
        if (s != STATUS_OK)
            break;
        if (is_zero(block))
            return end_with(t, STATUS_END, NULL);
        s = is_header(block) ? take_header(t, block, ret_member, &why) : not_a_header(t, block, &why);
    }
    if (s == STATUS_OK)
        return s;
    if (e)
        *e = why;
    return end_with(t, s, &why);
}
