/* The videos in a tar or zip, as if its members were files in a folder of its name. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"
#include "shard/layout_internal.h"
#include "shard/tar.h"
#include "shard/zip.h"

static bool ends_in(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len > end_len && strcasecmp(name + len - end_len, end) == 0;
}

enum archive_format layout_archive_format(const char *name)
{
    static const char *const packed[] = {".tar.gz",  ".tgz",  ".tar.bz2", ".tbz2", ".tar.xz", ".txz",
                                         ".tar.zst", ".tzst", ".tar.lz4", ".7z",   ".rar"};

    if (ends_in(name, ".tar"))
        return ARCHIVE_FORMAT_TAR;
    if (ends_in(name, ".zip"))
        return ARCHIVE_FORMAT_ZIP;
    for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
        if (ends_in(name, packed[i]))
            return ARCHIVE_FORMAT_PACKED;
    }
    return ARCHIVE_FORMAT_NONE;
}

struct layout_archive {
    struct tar_reader *tar;
    struct zip_reader *zip;
    int fd;
};

void layout_archive_close(struct layout_archive **a)
{
    if (!*a)
        return;
    tar_close(&(*a)->tar);
    zip_close(&(*a)->zip);
    if ((*a)->fd >= 0)
        close((*a)->fd);
    free(*a);
    *a = NULL;
}

enum status layout_archive_open(int folder_fd, const char *name, struct layout_archive **ret_a, struct error *e)
{
    enum status s;
    struct stat st;
    struct layout_archive *a = calloc(1, sizeof(*a));

    if (!a)
        return error_no_memory(e);
    a->fd = openat(folder_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (a->fd < 0 || fstat(a->fd, &st) != 0)
        s = error_set_errno(e, errno, "cannot open");
    else if (!S_ISREG(st.st_mode))
        s = error_set(e, STATUS_IO, "not a regular file");
    else if (layout_archive_format(name) == ARCHIVE_FORMAT_TAR)
        s = tar_open(a->fd, &a->tar, e);
    else
        s = zip_open(a->fd, &a->zip, e);
    if (s != STATUS_OK) {
        layout_archive_close(&a);
        return s;
    }
    /* From header to header: what a file server would read ahead is a video. */
    posix_fadvise(a->fd, 0, 0, POSIX_FADV_RANDOM);
    *ret_a = a;
    return STATUS_OK;
}

int layout_archive_fd(const struct layout_archive *a)
{
    return a->fd;
}

enum status layout_archive_next(struct layout_archive *a, struct archive_member *ret_member, struct error *e)
{
    return a->tar ? tar_next(a->tar, ret_member, e) : zip_next(a->zip, ret_member, e);
}

void layout_count(struct layout_example *example, const char *format, ...)
{
    va_list args;

    if (example->n++ > 0)
        return;
    va_start(args, format);
    vsnprintf(example->first, sizeof(example->first), format, args);
    va_end(args);
    for (char *p = example->first; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
}

/* A component that begins with a dot, other than "." and "..", which are judged elsewhere. */
static bool is_hidden(const char *name)
{
    for (const char *p = name; p; p = strchr(p, '/')) {
        p += *p == '/';
        if (p[0] == '.' && p[1] != '/' && p[1] != '\0' && strncmp(p, "../", 3) != 0)
            return true;
    }
    return false;
}

struct members {
    struct scan *scan;
    const struct layout_walker *walker;
    struct manifest_entry entry; /* what all have in common */
    char *path;                  /* the archive's, with room for a member's behind it */
    size_t path_len;
    size_t n_wanted;
};

static enum status take_member(struct members *x, const struct archive_member *member)
{
    static const char *const whys[] = {
        [ARCHIVE_LINK] = "a link",
        [ARCHIVE_SPARSE] = "sparse",
        [ARCHIVE_PACKED] = "compressed or encrypted: unpack the archive",
        [ARCHIVE_OTHER] = "no regular file",
    };
    struct scan *scan = x->scan;
    struct manifest_entry entry = x->entry;
    const char *name = member->name, *base;
    enum status s = STATUS_OK;
    char *plain;

    if (member->kind == ARCHIVE_FOLDER)
        return STATUS_OK;
    while (*name == '/')
        name++;
    plain = layout_plain_path(name);
    if (!plain)
        return error_no_memory(scan->e);
    base = strrchr(plain, '/') ? strrchr(plain, '/') + 1 : plain;
    if (is_hidden(plain)) {
        scan->summary->n_hidden += layout_is_video(scan, base + (*base == '.'));
        goto end;
    }
    if (plain[0] == '\0' || !x->walker->is_wanted(scan, base))
        goto end;
    x->n_wanted++;
    if (x->path_len + 1 + strlen(plain) > MANIFEST_MAX_TEXT_BYTES) {
        layout_count(&scan->summary->unreadable, "%.100s/%.100s (its path is too long)", x->path, base);
        goto end;
    }
    if (member->kind != ARCHIVE_FILE) {
        layout_count(&scan->summary->unreadable, "%.100s/%.80s (%s)", x->path, plain, whys[member->kind]);
        goto end;
    }
    x->path[x->path_len] = '/';
    memcpy(x->path + x->path_len + 1, plain, strlen(plain) + 1);
    entry.path = x->path;
    entry.exists = !member->is_cut;
    entry.offset_bytes = member->offset;
    entry.size_bytes = member->size_bytes;
    if (member->is_cut)
        entry.mtime_ns = 0;
    s = x->walker->visit(scan, &entry, x->walker->context);
    x->path[x->path_len] = '\0';
end:
    free(plain);
    return s;
}

enum status layout_archive_walk(struct scan *scan, int folder_fd, const char *name, const char *path,
                                const struct layout_walker *walker)
{
    struct members x = {.scan = scan, .walker = walker, .path_len = strlen(path)};
    struct layout_archive *a = NULL;
    struct archive_member member;
    struct error why = {0};
    bool is_folder = false;
    enum status s = layout_stat(scan, folder_fd, name, &x.entry, &is_folder);

    if (s != STATUS_OK)
        return s;
    x.path = malloc(MANIFEST_MAX_TEXT_BYTES + 1);
    if (!x.path)
        return error_no_memory(scan->e);
    memcpy(x.path, path, x.path_len + 1);
    x.entry.archive_bytes = (uint16_t)x.path_len;
    scan->summary->n_archives++;
    s = layout_archive_open(folder_fd, name, &a, &why);
    if (s == STATUS_OK)
        scan->archive_fd = a->fd;
    while (s == STATUS_OK) {
        enum status taken;

        s = layout_archive_next(a, &member, &why);
        taken = s == STATUS_OK ? take_member(&x, &member) : STATUS_OK;
        if (taken != STATUS_OK) {
            s = taken;
            goto end;
        }
        if (s == STATUS_OK && member.is_cut)
            layout_count(&scan->summary->damaged, "%.100s: ends inside '%.80s'", path, member.name);
    }
    if (s == STATUS_NO_MEMORY) {
        error_no_memory(scan->e);
        goto end;
    }
    /* One bad shard of a million is said, and not the end of the others. */
    if (s != STATUS_END)
        layout_count(&scan->summary->damaged, "%.100s: %.140s", path, why.text);
    else if (x.n_wanted == 0)
        layout_count_other(scan->summary, path);
    s = STATUS_OK;
end:
    scan->archive_fd = -1;
    layout_archive_close(&a);
    free(x.path);
    return s;
}

enum status layout_read(struct scan *scan, const struct label_source *source, size_t max_bytes, char **ret_data,
                        size_t *ret_len_bytes)
{
    char *path = NULL, *data = NULL;
    enum status s = STATUS_OK;
    size_t len = 0;
    int fd;

    if (source->archive_bytes == 0)
        return file_read(source->file, max_bytes, ret_data, ret_len_bytes, scan->e);
    if (source->size_bytes > max_bytes)
        return error_set(scan->e, STATUS_INVALID, "%.500s: larger than %zu bytes", source->file, max_bytes);
    path = strndup(source->file, strlen(source->file) - strlen(source->path) + source->archive_bytes);
    data = malloc(source->size_bytes + 1);
    if (!path || !data) {
        s = error_no_memory(scan->e);
        goto error;
    }
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        s = error_set_errno(scan->e, errno, "%s: cannot open", path);
        goto error;
    }
    while (len < source->size_bytes) {
        ssize_t n = pread(fd, data + len, source->size_bytes - len, (off_t)(source->offset_bytes + len));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            s = error_set_errno(scan->e, n < 0 ? errno : ENODATA, "%.500s: cannot read", source->file);
            break;
        }
        len += (size_t)n;
    }
    close(fd);
    if (s != STATUS_OK)
        goto error;
    data[len] = '\0';
    *ret_data = data;
    *ret_len_bytes = len;
    data = NULL;
error:
    free(path);
    free(data);
    return s;
}
