#include "coordinator/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"
#include "shard/text.h"
#include "shard/wire.h"

static const char magic[8] = {'F', 'S', 'J', 'R', 'N', 'L', '0', '1'};
static const char suffix[] = ".journal";

enum { FINGERPRINT_BYTES = SHA256_HEX_BYTES - 1, HEADER_BYTES = sizeof(magic) + FINGERPRINT_BYTES, FRAME_BYTES = 8 };

struct journal_writer {
    int fd;
    char *path;
    uint8_t *pending;
    size_t n_pending, room_pending;
    bool broken;
};

static void put_u32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static enum status append_bytes(struct journal_writer *w, const void *bytes, size_t n)
{
    if (n > w->room_pending - w->n_pending) {
        size_t room = w->room_pending ? w->room_pending : 4096;
        uint8_t *bigger;

        while (room - w->n_pending < n)
            room *= 2;
        bigger = realloc(w->pending, room);
        if (!bigger)
            return STATUS_NO_MEMORY;
        w->pending = bigger;
        w->room_pending = room;
    }
    memcpy(w->pending + w->n_pending, bytes, n);
    w->n_pending += n;
    return STATUS_OK;
}

/* A file's own sync need not make its name durable. */
static enum status sync_folder(const char *folder, struct error *e)
{
    enum status s = STATUS_OK;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return error_set_errno(e, errno, "%s: cannot open", folder);
    /* EINVAL: a file system without such a thing. */
    if (fsync(fd) != 0 && errno != EINVAL)
        s = error_set_errno(e, errno, "%s: cannot sync", folder);
    close(fd);
    return s;
}

enum status journal_writer_open(const char *folder, const char fingerprint[SHA256_HEX_BYTES], unsigned rank,
                                int64_t time_ns, struct journal_writer **ret_w, struct error *e)
{
    enum status s = file_make_folder(folder, e);
    struct journal_writer *w;

    if (s != STATUS_OK)
        return s;
    w = calloc(1, sizeof(*w));
    if (!w)
        return error_no_memory(e);
    w->fd = -1;
    if (asprintf(&w->path, "%s/%020lld-%ld-rank%u%s", folder, (long long)time_ns, (long)getpid(), rank, suffix) < 0) {
        w->path = NULL;
        journal_writer_close(&w);
        return error_no_memory(e);
    }
    w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        s = error_set_errno(e, errno, "%s: cannot create", w->path);
        goto error;
    }
    if (append_bytes(w, magic, sizeof(magic)) != STATUS_OK ||
        append_bytes(w, fingerprint, FINGERPRINT_BYTES) != STATUS_OK) {
        s = error_no_memory(e);
        goto error;
    }
    s = journal_writer_flush(w, e);
    if (s == STATUS_OK)
        s = sync_folder(folder, e);
    if (s != STATUS_OK)
        goto error;
    *ret_w = w;
    return STATUS_OK;
error:
    /* A segment without its header holds nothing. */
    if (w->fd >= 0)
        unlink(w->path);
    journal_writer_close(&w);
    return s;
}

enum status journal_writer_append(struct journal_writer *w, const struct result *r, struct error *e)
{
    uint8_t frame[FRAME_BYTES];
    uint8_t *payload = NULL;
    size_t len, start = w->n_pending;
    enum status s = result_pack(r, &payload, &len);

    if (s != STATUS_OK)
        return error_set(e, s, "%s: the result of %s cannot be packed: %s", w->path, r->path ? r->path : "?",
                         status_name(s));
    memset(frame, 0, 4);
    put_u32(frame + 4, (uint32_t)len);
    if (append_bytes(w, frame, sizeof(frame)) != STATUS_OK || append_bytes(w, payload, len) != STATUS_OK) {
        w->n_pending = start;
        s = error_no_memory(e);
    } else {
        put_u32(w->pending + start, hash_crc32c(w->pending + start + 4, FRAME_BYTES - 4 + len));
    }
    free(payload);
    return s;
}

enum status journal_writer_flush(struct journal_writer *w, struct error *e)
{
    size_t done = 0;

    if (w->broken)
        return error_set(e, STATUS_NO_SPACE, "%s: not written to since an earlier failure", w->path);
    if (w->n_pending == 0)
        return STATUS_OK;
    while (done < w->n_pending) {
        ssize_t n = write(w->fd, w->pending + done, w->n_pending - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            w->broken = true;
            return error_set_errno(e, errno, "%s: cannot append", w->path);
        }
        done += (size_t)n;
    }
    if (fdatasync(w->fd) != 0) {
        w->broken = true;
        return error_set_errno(e, errno, "%s: cannot sync", w->path);
    }
    w->n_pending = 0;
    return STATUS_OK;
}

void journal_writer_close(struct journal_writer **w)
{
    if (!*w)
        return;
    if ((*w)->fd >= 0)
        close((*w)->fd);
    free((*w)->path);
    free((*w)->pending);
    free(*w);
    *w = NULL;
}

struct reader {
    const char *fingerprint;
    journal_visit_payload *visit;
    void *context;
    struct journal_summary *summary;
    const char *name; /* of the current segment */
};

/* Damage that needs an eye drives a torn tail, which any kill leaves, out of the list. */
static void note_damage(struct reader *r, size_t at, size_t end, bool torn)
{
    struct journal_summary *x = r->summary;
    unsigned i = x->n_named;

    if (torn)
        x->n_torn++;
    else
        x->n_corrupt++;
    if (i == JOURNAL_NAMED_DAMAGES) {
        while (i > 0 && !x->damages[i - 1].torn)
            i--;
        if (torn || i-- == 0)
            return;
    } else {
        x->n_named++;
    }
    x->damages[i] = (struct journal_damage){.at_byte = at, .len_bytes = end - at, .torn = torn};
    snprintf(x->damages[i].segment, sizeof(x->damages[i].segment), "%.127s", r->name);
}

/* The bytes of the record at `at`, or 0 when there is no sound one. */
static size_t record_bytes(const uint8_t *bytes, size_t len, size_t at)
{
    size_t payload;

    if (len - at < FRAME_BYTES)
        return 0;
    payload = get_u32(bytes + at + 4);
    if (payload > WIRE_MAX_BYTES || payload > len - at - FRAME_BYTES ||
        hash_crc32c(bytes + at + 4, FRAME_BYTES - 4 + payload) != get_u32(bytes + at))
        return 0;
    return FRAME_BYTES + payload;
}

/* The first byte from `at` on where a sound record begins, or len. */
static size_t find_record(const uint8_t *bytes, size_t len, size_t at)
{
    /* Every payload begins with the tag of its path: spares the CRC of most bytes. */
    enum { PATH_TAG = 1 << 3 | 2 };

    for (; at < len && len - at > FRAME_BYTES; at++) {
        if (bytes[at + FRAME_BYTES] == PATH_TAG && record_bytes(bytes, len, at) > 0)
            return at;
    }
    return len;
}

/* At `at` there is no sound record. What a killed writer leaves is the beginning of one, and nothing after it. */
static size_t skip_damage(struct reader *r, const uint8_t *bytes, size_t len, size_t at)
{
    size_t next = find_record(bytes, len, at + 1);
    bool torn = next == len && (len - at < FRAME_BYTES || (get_u32(bytes + at + 4) <= WIRE_MAX_BYTES &&
                                                           get_u32(bytes + at + 4) > len - at - FRAME_BYTES));

    note_damage(r, at, next, torn);
    return next;
}

static enum status read_records(struct reader *r, const uint8_t *bytes, size_t len, struct error *e)
{
    enum { RELEASE_BYTES = 16 << 20 };
    size_t at = HEADER_BYTES, released = 0;

    while (at < len) {
        size_t n = record_bytes(bytes, len, at);
        enum status s = STATUS_AGAIN;

        /* What was read need not stay: a segment may be larger than all that is kept of it. */
        for (; at - released > RELEASE_BYTES; released += RELEASE_BYTES)
            madvise((void *)(uintptr_t)(bytes + released), RELEASE_BYTES, MADV_DONTNEED);
        if (n > 0)
            s = r->visit(r->context, bytes + at + FRAME_BYTES, n - FRAME_BYTES, e);
        if (s == STATUS_AGAIN) {
            at = skip_damage(r, bytes, len, at);
            continue;
        }
        if (s != STATUS_OK)
            return s;
        r->summary->n_records++;
        at += n;
    }
    return STATUS_OK;
}

/* STATUS_OK: records follow. STATUS_END: nothing of it can be used, and that is noted. */
static enum status check_header(struct reader *r, const char *path, const char *bytes, size_t len, struct error *e)
{
    enum { VERSION_BYTES = 2 };

    if (memcmp(bytes, magic, sizeof(magic)) == 0) {
        if (memcmp(bytes + sizeof(magic), r->fingerprint, FINGERPRINT_BYTES) == 0)
            return STATUS_OK;
        return error_set(e, STATUS_MISMATCH, "%s: written under another fingerprint than the run's", path);
    }
    if (memcmp(bytes, magic, sizeof(magic) - VERSION_BYTES) == 0)
        return error_set(e, STATUS_UNSUPPORTED, "%s: not a journal segment of this version: '%.8s'", path, bytes);
    note_damage(r, 0, len, false);
    return STATUS_END;
}

static enum status read_segment(struct reader *r, const char *path, struct error *e)
{
    enum status s = STATUS_OK;
    struct stat st;
    void *map = MAP_FAILED;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return error_set_errno(e, errno, "%s: cannot open", path);
    if (fstat(fd, &st) != 0) {
        s = error_set_errno(e, errno, "%s: cannot stat", path);
        goto end;
    }
    if (!S_ISREG(st.st_mode)) {
        s = error_set(e, STATUS_CORRUPT, "%s: not a regular file", path);
        goto end;
    }
    r->summary->n_segments++;
    if (st.st_size < HEADER_BYTES) {
        if (st.st_size > 0)
            note_damage(r, 0, (size_t)st.st_size, true);
        goto end;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        s = error_set_errno(e, errno, "%s: cannot map", path);
        goto end;
    }
    s = check_header(r, path, map, (size_t)st.st_size, e);
    if (s == STATUS_OK)
        s = read_records(r, map, (size_t)st.st_size, e);
    else if (s == STATUS_END)
        s = STATUS_OK;
end:
    if (map != MAP_FAILED)
        munmap(map, (size_t)st.st_size);
    close(fd);
    return s;
}

static int is_segment(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return n > sizeof(suffix) - 1 && strcmp(d->d_name + n - (sizeof(suffix) - 1), suffix) == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

enum status journal_walk(const char *folder, const char fingerprint[SHA256_HEX_BYTES], journal_visit_payload *visit,
                         void *context, struct journal_summary *ret_summary, struct error *e)
{
    struct journal_summary summary = {0};
    struct reader r = {.fingerprint = fingerprint, .visit = visit, .context = context, .summary = &summary};
    enum status s = STATUS_OK;
    struct dirent **names = NULL;
    int n = scandir(folder, &names, is_segment, by_bytes);

    if (n < 0 && errno == ENOENT)
        n = 0;
    else if (n < 0)
        return error_set_errno(e, errno, "%s: cannot list", folder);
    for (int i = 0; i < n; i++) {
        char *path = s == STATUS_OK ? file_join(folder, names[i]->d_name) : NULL;

        r.name = names[i]->d_name;
        if (path)
            s = read_segment(&r, path, e);
        else if (s == STATUS_OK)
            s = error_no_memory(e);
        free(path);
        free(names[i]);
    }
    free(names);
    if (s == STATUS_OK)
        *ret_summary = summary;
    return s;
}

struct unpacking {
    journal_visit *visit;
    void *context;
};

static enum status unpack(void *context, const uint8_t *payload, size_t len_bytes, struct error *e)
{
    const struct unpacking *u = context;
    struct result result = {0};
    enum status s = result_unpack(payload, len_bytes, &result);

    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    if (s != STATUS_OK)
        return STATUS_AGAIN;
    s = u->visit(u->context, &result, e);
    result_clear(&result);
    return s;
}

enum status journal_read(const char *folder, const char fingerprint[SHA256_HEX_BYTES], journal_visit *visit,
                         void *context, struct journal_summary *ret_summary, struct error *e)
{
    struct unpacking u = {.visit = visit, .context = context};

    return journal_walk(folder, fingerprint, unpack, &u, ret_summary, e);
}
