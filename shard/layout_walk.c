#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/layout_internal.h"

enum { MAX_DEPTH = 128 }; /* of folders; each level holds one descriptor */

struct folder_id {
    dev_t device;
    ino_t inode;
};

struct item {
    char *name;
    bool is_folder, is_link;
};

/* The folders from the root to here, so that a link to one of them is not followed. */
struct level {
    const struct level *parent;
    struct folder_id id;
    unsigned depth;
    int fd;
    struct item *items;
    size_t n_items, room;
};

struct walk {
    struct scan *scan;
    const struct layout_walker *walker;
    char path[MANIFEST_MAX_TEXT_BYTES + 1]; /* of the current folder or file, relative to the root */
    struct folder_id *followed;             /* through links */
    size_t n_followed, followed_room;
};

static int64_t nanoseconds(const struct timespec *t)
{
    int64_t ns;

    /* A hostile time of change lies outside 1677..2262. */
    if (__builtin_mul_overflow((int64_t)t->tv_sec, INT64_C(1000000000), &ns) ||
        __builtin_add_overflow(ns, (int64_t)t->tv_nsec, &ns))
        return t->tv_sec < 0 ? INT64_MIN : INT64_MAX;
    return ns;
}

static bool is_absent(int errno_value)
{
    return errno_value == ENOENT || errno_value == ENOTDIR || errno_value == ELOOP || errno_value == ENAMETOOLONG;
}

enum status layout_stat(struct scan *scan, int folder_fd, const char *path, struct manifest_entry *entry,
                        bool *ret_is_folder)
{
    struct stat st;

    if (fstatat(folder_fd, path, &st, 0) != 0) {
        if (!is_absent(errno))
            return error_set_errno(scan->e, errno, "%s: cannot stat '%.300s'", scan->corpus, path);
        entry->exists = false;
        entry->size_bytes = 0;
        entry->mtime_ns = 0;
        *ret_is_folder = false;
        return STATUS_OK;
    }
    entry->exists = true;
    entry->size_bytes = st.st_size > 0 ? (uint64_t)st.st_size : 0;
    entry->mtime_ns = nanoseconds(&st.st_mtim);
    *ret_is_folder = S_ISDIR(st.st_mode);
    return STATUS_OK;
}

/* "a/" stands after "a.mp4" in the byte order of paths, so a folder is compared with its slash. */
static int by_name(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    const unsigned char *p = (const unsigned char *)x->name, *q = (const unsigned char *)y->name;
    unsigned c, d;

    while (*p != '\0' && *p == *q) {
        p++;
        q++;
    }
    c = *p != '\0' ? *p : (x->is_folder ? '/' : 0);
    d = *q != '\0' ? *q : (y->is_folder ? '/' : 0);
    return (c > d) - (c < d);
}

static enum status classify(struct scan *scan, int fd, const struct dirent *d, struct item *item)
{
    struct stat st;

    item->is_folder = d->d_type == DT_DIR;
    item->is_link = d->d_type == DT_LNK;
    if (d->d_type != DT_LNK && d->d_type != DT_UNKNOWN)
        return STATUS_OK;
    if (d->d_type == DT_UNKNOWN && fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        item->is_link = S_ISLNK(st.st_mode);
    if (fstatat(fd, d->d_name, &st, 0) == 0)
        item->is_folder = S_ISDIR(st.st_mode);
    else if (!is_absent(errno))
        return error_set_errno(scan->e, errno, "%s: cannot stat '%.300s'", scan->corpus, d->d_name);
    return STATUS_OK;
}

static enum status read_items(struct walk *w, struct level *level)
{
    enum status s = STATUS_OK;
    int fd = dup(level->fd);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (!dir) {
        s = error_set_errno(w->scan->e, errno, "%s: cannot read the folder '%.300s'", w->scan->corpus, w->path);
        if (fd >= 0)
            close(fd);
        return s;
    }
    for (;;) {
        const struct dirent *d;
        struct item *item;

        errno = 0;
        d = readdir(dir);
        if (!d) {
            if (errno != 0)
                s = error_set_errno(w->scan->e, errno, "%s: cannot read the folder '%.300s'", w->scan->corpus, w->path);
            break;
        }
        if (d->d_name[0] == '.') {
            w->scan->summary->n_hidden += layout_is_video(w->scan, d->d_name + 1);
            continue;
        }
        if (level->n_items == level->room) {
            size_t room = level->room ? level->room * 2 : 64;
            struct item *bigger = reallocarray(level->items, room, sizeof(*bigger));

            if (!bigger) {
                s = error_no_memory(w->scan->e);
                break;
            }
            level->items = bigger;
            level->room = room;
        }
        item = &level->items[level->n_items];
        s = classify(w->scan, level->fd, d, item);
        if (s != STATUS_OK)
            break;
        item->name = strdup(d->d_name);
        if (!item->name) {
            s = error_no_memory(w->scan->e);
            break;
        }
        level->n_items++;
    }
    closedir(dir);
    if (s == STATUS_OK && level->n_items > 0)
        qsort(level->items, level->n_items, sizeof(*level->items), by_name);
    return s;
}

static void level_clear(struct level *level)
{
    for (size_t i = 0; i < level->n_items; i++)
        free(level->items[i].name);
    free(level->items);
    if (level->fd >= 0)
        close(level->fd);
}

static bool same_folder(struct folder_id a, struct folder_id b)
{
    return a.device == b.device && a.inode == b.inode;
}

/* *ret_enter: the link leads to a folder that was not followed yet and that does not hold the link. */
static enum status follow(struct walk *w, const struct level *level, bool *ret_enter)
{
    for (const struct level *l = level->parent; l; l = l->parent) {
        if (same_folder(l->id, level->id)) {
            *ret_enter = false;
            return STATUS_OK;
        }
    }
    for (size_t i = 0; i < w->n_followed; i++) {
        if (same_folder(w->followed[i], level->id)) {
            *ret_enter = false;
            return STATUS_OK;
        }
    }
    if (w->n_followed == w->followed_room) {
        size_t room = w->followed_room ? w->followed_room * 2 : 16;
        struct folder_id *bigger = reallocarray(w->followed, room, sizeof(*bigger));

        if (!bigger)
            return error_no_memory(w->scan->e);
        w->followed = bigger;
        w->followed_room = room;
    }
    w->followed[w->n_followed++] = level->id;
    *ret_enter = true;
    return STATUS_OK;
}

void layout_count_other(struct layout_summary *summary, const char *path)
{
    if (summary->n_other_files++ > 0)
        return;
    snprintf(summary->other_example, sizeof(summary->other_example), "%s", path);
    for (char *p = summary->other_example; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
}

static enum status walk_file(struct walk *w, int folder_fd, const char *name)
{
    struct manifest_entry file = {.path = w->path};
    bool is_folder = false;
    enum status s;

    if (!w->walker->is_wanted(w->scan, name)) {
        switch (layout_archive_format(name)) {
        case ARCHIVE_FORMAT_TAR:
        case ARCHIVE_FORMAT_ZIP:
            return layout_archive_walk(w->scan, folder_fd, name, w->path, w->walker);
        case ARCHIVE_FORMAT_PACKED:
            layout_count(&w->scan->summary->packed, "%.250s", w->path);
            return STATUS_OK;
        default:
            layout_count_other(w->scan->summary, w->path);
            return STATUS_OK;
        }
    }
    s = layout_stat(w->scan, folder_fd, name, &file, &is_folder);
    return s == STATUS_OK ? w->walker->visit(w->scan, &file, w->walker->context) : s;
}

/* The depth of this recursion is at most MAX_DEPTH. fd is closed here. */
static enum status walk_folder(struct walk *w, const struct level *parent, int fd, bool is_link)
{
    struct level level = {.parent = parent, .depth = parent ? parent->depth + 1 : 0, .fd = fd};
    size_t len = strlen(w->path);
    struct stat st;
    bool enter = true;
    enum status s;

    if (fstat(fd, &st) != 0) {
        s = error_set_errno(w->scan->e, errno, "%s: cannot stat '%.300s'", w->scan->corpus, w->path);
        goto end;
    }
    level.id = (struct folder_id){.device = st.st_dev, .inode = st.st_ino};
    s = is_link ? follow(w, &level, &enter) : STATUS_OK;
    if (s == STATUS_OK && !enter)
        w->scan->summary->n_skipped_links++;
    if (s != STATUS_OK || !enter)
        goto end;
    if (level.depth > MAX_DEPTH) {
        s = error_set(w->scan->e, STATUS_INVALID, "%s: folders nest deeper than %d at '%.300s'", w->scan->corpus,
                      MAX_DEPTH, w->path);
        goto end;
    }
    s = read_items(w, &level);
    for (size_t i = 0; s == STATUS_OK && i < level.n_items; i++) {
        const struct item *item = &level.items[i];
        size_t name_len = strlen(item->name);
        int child;

        if (len + 1 + name_len > MANIFEST_MAX_TEXT_BYTES) {
            s = error_set(w->scan->e, STATUS_INVALID, "%s: path: longer than %d bytes in '%.300s'", w->scan->corpus,
                          MANIFEST_MAX_TEXT_BYTES, w->path);
            break;
        }
        if (len > 0)
            w->path[len] = '/';
        memcpy(w->path + len + (len > 0), item->name, name_len + 1);
        if (item->is_folder) {
            child = openat(fd, item->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (child < 0)
                s = error_set_errno(w->scan->e, errno, "%s: cannot open the folder '%.300s'", w->scan->corpus, w->path);
            else
                s = walk_folder(w, &level, child, item->is_link);
        } else {
            s = walk_file(w, fd, item->name);
        }
        w->path[len] = '\0';
    }
end:
    level_clear(&level);
    return s;
}

enum status layout_walk(struct scan *scan, const struct layout_walker *walker)
{
    enum status s;
    struct walk *w = calloc(1, sizeof(*w));
    int fd;

    if (!w)
        return error_no_memory(scan->e);
    w->scan = scan;
    w->walker = walker;
    fd = open(scan->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        s = error_set_errno(scan->e, errno, "%s: cannot open the folder", scan->corpus);
    else
        s = walk_folder(w, NULL, fd, false);
    free(w->followed);
    free(w);
    return s;
}
