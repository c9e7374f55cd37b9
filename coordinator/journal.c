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
    journal_visit *visit;
    void *context;
    struct journal_summary *summary;
    const char *name; /* of the current segment */
};

static void note_corrupt(struct reader *r, size_t offset)
{
    if (r->summary->n_corrupt++ == 0)
        snprintf(r->summary->corrupt_example, sizeof(r->summary->corrupt_example), "%.200s at byte %zu", r->name,
                 offset);
}

static enum status read_records(struct reader *r, const uint8_t *bytes, size_t len, struct error *e)
{
    size_t at = HEADER_BYTES;

    while (at < len) {
        struct result result = {0};
        enum status s;
        uint32_t payload;

        if (len - at < FRAME_BYTES) {
            r->summary->n_torn++;
            break;
        }
        payload = get_u32(bytes + at + 4);
        if (payload > WIRE_MAX_BYTES) {
            note_corrupt(r, at);
            break; /* where the next record begins is not known */
        }
        if (payload > len - at - FRAME_BYTES) {
            r->summary->n_torn++;
            break;
        }
        s = STATUS_CORRUPT;
        if (hash_crc32c(bytes + at + 4, FRAME_BYTES - 4 + payload) == get_u32(bytes + at))
            s = result_unpack(bytes + at + FRAME_BYTES, payload, &result);
        if (s == STATUS_NO_MEMORY)
            return error_no_memory(e);
        if (s != STATUS_OK) {
            note_corrupt(r, at);
            at += FRAME_BYTES + payload;
            continue;
        }
        r->summary->n_records++;
        s = r->visit(r->context, &result, e);
        result_clear(&result);
        if (s != STATUS_OK)
            return s;
        at += FRAME_BYTES + payload;
    }
    return STATUS_OK;
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
        r->summary->n_torn += st.st_size > 0;
        goto end;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        s = error_set_errno(e, errno, "%s: cannot map", path);
        goto end;
    }
    if (memcmp(map, magic, sizeof(magic)) != 0) {
        s = error_set(e, STATUS_CORRUPT, "%s: not a journal segment of this version", path);
        goto end;
    }
    if (memcmp((const char *)map + sizeof(magic), r->fingerprint, FINGERPRINT_BYTES) != 0) {
        s = error_set(e, STATUS_MISMATCH, "%s: written under another fingerprint than the run's", path);
        goto end;
    }
    s = read_records(r, map, (size_t)st.st_size, e);
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

enum status journal_read(const char *folder, const char fingerprint[SHA256_HEX_BYTES], journal_visit *visit,
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
