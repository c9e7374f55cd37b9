#include "coordinator/crop_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"
#include "shard/hash.h"
#include "shard/text.h"

enum { HASH_CHARS = 32, NAME_BYTES = 96, LIST_MAX_BYTES = 64 * 1024 };

/* "HASH". */
static enum status name_video(const char *path, char ret_name[HASH_CHARS + 1], struct error *e)
{
    char hex[SHA256_HEX_BYTES];
    struct hasher *h = hasher_open();

    if (!h)
        return error_no_memory(e);
    hasher_update(h, path, strlen(path));
    hasher_finish(h, hex);
    hasher_close(&h);
    memcpy(ret_name, hex, HASH_CHARS);
    ret_name[HASH_CHARS] = '\0';
    return STATUS_OK;
}

static void name_crop(const char *video, uint32_t track, uint32_t clip, uint32_t number, char ret_name[NAME_BYTES])
{
    snprintf(ret_name, NAME_BYTES, "%s-t%u-c%u-%u.jpg", video, track, clip, number);
}

/* FOLDER/ab/NAME; NULL when out of memory. */
static char *path_of(const char *folder, const char *name)
{
    char below[3] = {name[0], name[1], '\0'};
    char *inner = file_join(folder, below), *path = inner ? file_join(inner, name) : NULL;

    free(inner);
    return path;
}

static enum status write_all(int fd, const uint8_t *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return STATUS_IO;
        data += n;
        len -= (size_t)n;
    }
    return STATUS_OK;
}

/* By rename, through a name that no other process uses. */
static enum status write_file(const char *folder, unsigned writer, const char *name, const void *data, size_t len,
                              struct error *e)
{
    char partial[NAME_BYTES + 32];
    char *path = path_of(folder, name), *beside = NULL;
    enum status s = STATUS_OK;
    int fd = -1;

    snprintf(partial, sizeof(partial), "%s.%u.partial", name, writer);
    beside = path_of(folder, partial);
    if (!path || !beside) {
        s = error_no_memory(e);
        goto end;
    }
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0 || write_all(fd, data, len) != STATUS_OK || close(fd) != 0 || rename(beside, path) != 0) {
        s = error_set_errno(e, errno, "%s", path);
        unlink(beside);
    }
end:
    free(path);
    free(beside);
    return s;
}

/* One line of a list. */
struct listed {
    uint32_t track, clip, number;
    int64_t time_us;
};

struct list {
    uint64_t size_bytes;
    int64_t mtime_ns;
    char content[SHA256_HEX_BYTES]; /* "" when the manifest had none */
    size_t n;
    struct listed crops[CROP_STORE_MAX];
};

/* The words of a line, each ended by a zero byte; false where there are not n. */
static bool split(char *line, char **ret_words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *blank = strchr(line, ' ');

        ret_words[i] = line;
        if (!blank != (i + 1 == n))
            return false;
        if (blank) {
            *blank = '\0';
            line = blank + 1;
        }
    }
    return true;
}

static bool read_crop(char *line, struct listed *ret_crop)
{
    char *w[4];
    uint64_t numbers[3];

    if (!split(line, w, 4))
        return false;
    for (unsigned i = 0; i < 3; i++) {
        if (parse_u64(w[i], 0, UINT32_MAX, &numbers[i]) != STATUS_OK)
            return false;
    }
    *ret_crop = (struct listed){(uint32_t)numbers[0], (uint32_t)numbers[1], (uint32_t)numbers[2], 0};
    return parse_i64(w[3], 0, INT64_MAX, &ret_crop->time_us) == STATUS_OK;
}

static bool parse_list(char *text, struct list *ret_list)
{
    char *w[3], *end = strchr(text, '\n');

    *ret_list = (struct list){0};
    if (!end)
        return false;
    *end = '\0';
    if (!split(text, w, 3) || parse_u64(w[0], 0, UINT64_MAX, &ret_list->size_bytes) != STATUS_OK ||
        parse_i64(w[1], INT64_MIN, INT64_MAX, &ret_list->mtime_ns) != STATUS_OK || strlen(w[2]) >= SHA256_HEX_BYTES)
        return false;
    if (strcmp(w[2], "-") != 0)
        snprintf(ret_list->content, sizeof(ret_list->content), "%s", w[2]);
    for (char *line = end + 1; *line != '\0'; line = end + 1) {
        end = strchr(line, '\n');
        if (!end || ret_list->n == CROP_STORE_MAX)
            return false;
        *end = '\0';
        if (!read_crop(line, &ret_list->crops[ret_list->n]))
            return false;
        ret_list->n++;
    }
    return true;
}

/* STATUS_NOT_FOUND: the video has no list, or one that cannot be read. */
static enum status read_list(const char *folder, const char *video, struct list *ret_list)
{
    char name[NAME_BYTES];
    char *path, *text = NULL;
    size_t len;
    struct error ignored = {0};
    enum status s;

    snprintf(name, sizeof(name), "%s.crops", video);
    path = path_of(folder, name);
    if (!path)
        return STATUS_NO_MEMORY;
    s = file_read(path, LIST_MAX_BYTES, &text, &len, &ignored);
    if (s != STATUS_NO_MEMORY && (s != STATUS_OK || !parse_list(text, ret_list)))
        s = STATUS_NOT_FOUND;
    free(path);
    free(text);
    return s;
}

static void remove_file(const char *folder, const char *name)
{
    char *path = path_of(folder, name);

    if (path)
        unlink(path);
    free(path);
}

static bool has_crop(const struct stored_crop *crops, size_t n, const struct listed *old)
{
    for (size_t i = 0; i < n; i++) {
        if (crops[i].track == old->track && crops[i].clip == old->clip && crops[i].number == old->number)
            return true;
    }
    return false;
}

static enum status write_crops(const char *folder, unsigned writer, const char *video, const struct result *r,
                               const struct stored_crop *crops, size_t n, struct error *e)
{
    struct text list = {0};
    char name[NAME_BYTES];
    char *below = path_of(folder, video), *slash = below ? strrchr(below, '/') : NULL, *content;
    enum status s;

    if (!slash) {
        free(below);
        return error_no_memory(e);
    }
    *slash = '\0';
    s = file_make_folder(below, e);
    free(below);
    text_append_format(&list, "%llu %lld %s\n", (unsigned long long)r->size_bytes, (long long)r->mtime_ns,
                       r->content ? r->content : "-");
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        name_crop(video, crops[i].track, crops[i].clip, crops[i].number, name);
        s = write_file(folder, writer, name, crops[i].jpeg, crops[i].len_bytes, e);
        text_append_format(&list, "%u %u %u %lld\n", crops[i].track, crops[i].clip, crops[i].number,
                           (long long)crops[i].time_us);
    }
    content = text_take(&list);
    if (s == STATUS_OK && !content)
        s = error_no_memory(e);
    snprintf(name, sizeof(name), "%s.crops", video);
    if (s == STATUS_OK)
        s = write_file(folder, writer, name, content, strlen(content), e);
    free(content);
    return s;
}

enum status crop_store_write(const char *folder, unsigned writer, const struct result *r,
                             const struct stored_crop *crops, size_t n, struct error *e)
{
    struct list *old = malloc(sizeof(*old));
    char video[HASH_CHARS + 1], name[NAME_BYTES];
    enum status s = old ? name_video(r->path, video, e) : error_no_memory(e);

    if (s != STATUS_OK)
        goto end;
    if (n > CROP_STORE_MAX)
        n = CROP_STORE_MAX;
    old->n = 0;
    s = read_list(folder, video, old);
    if (s == STATUS_NO_MEMORY) {
        error_no_memory(e);
        goto end;
    }
    if (s != STATUS_OK)
        old->n = 0;
    if (n == 0 && s == STATUS_OK) {
        snprintf(name, sizeof(name), "%s.crops", video);
        remove_file(folder, name);
    }
    s = n > 0 ? write_crops(folder, writer, video, r, crops, n, e) : STATUS_OK;
    for (size_t i = 0; s == STATUS_OK && i < old->n; i++) {
        name_crop(video, old->crops[i].track, old->crops[i].clip, old->crops[i].number, name);
        if (!has_crop(crops, n, &old->crops[i]))
            remove_file(folder, name);
    }
end:
    free(old);
    return s;
}

static bool is_of(const struct list *list, const struct manifest_entry *entry)
{
    if (list->content[0] != '\0' && entry->content[0] != '\0')
        return strcmp(list->content, entry->content) == 0;
    return list->size_bytes == entry->size_bytes && list->mtime_ns == entry->mtime_ns;
}

static bool has_clip(const struct result *r, const struct listed *crop)
{
    for (size_t i = 0; i < r->n_clips; i++) {
        if (r->clips[i].track == crop->track && r->clips[i].clip == crop->clip)
            return true;
    }
    return false;
}

static bool is_there(const char *folder, const char *name)
{
    char *path = path_of(folder, name);
    struct stat st;
    bool there = path && lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;

    free(path);
    return there;
}

static enum status index_video(const char *folder, const struct manifest_entry *entry, const struct result *r,
                               struct list *list, FILE *out, size_t *n_rows, struct error *e)
{
    char video[HASH_CHARS + 1], name[NAME_BYTES];
    enum status s = name_video(entry->path, video, e);

    if (s == STATUS_OK)
        s = read_list(folder, video, list);
    if (s == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    for (size_t i = 0; s == STATUS_OK && i < list->n && is_of(list, entry); i++) {
        const struct listed *c = &list->crops[i];
        struct text row = {0};

        name_crop(video, c->track, c->clip, c->number, name);
        if (!has_clip(r, c) || !is_there(folder, name))
            continue;
        text_append_csv(&row, entry->path);
        text_append_format(&row, ",%u,%u,%lld,%.2s/%s\n", c->track, c->clip, (long long)c->time_us, video, name);
        if (row.failed)
            s = error_no_memory(e);
        else
            fwrite(row.data, 1, row.len_bytes, out);
        text_clear(&row);
        ++*n_rows;
    }
    return s;
}

enum status crop_store_index(const char *folder, const struct manifest *m, const struct results *results, size_t *ret_n,
                             struct error *e)
{
    struct file_writer *w = NULL;
    struct results_reader *reader = NULL;
    struct list *list = malloc(sizeof(*list));
    char *path = file_join(folder, "crops.csv");
    size_t n_rows = 0;
    struct stat st;
    enum status s = STATUS_OK;

    if (!list || !path || results_reader_open(results, &reader) != STATUS_OK)
        s = error_no_memory(e);
    if (s == STATUS_OK && stat(folder, &st) != 0)
        goto end;
    if (s == STATUS_OK)
        s = file_writer_open(path, &w, e);
    if (s != STATUS_OK)
        goto end;
    fputs("path,track,clip,time_us,file\n", file_writer_stream(w));
    for (size_t i = 0; s == STATUS_OK && i < results_count(results); i++) {
        if (results_n_clips(results, i) > 0)
            s = index_video(folder, manifest_entry(m, i), results_get(reader, i), list, file_writer_stream(w), &n_rows,
                            e);
    }
    if (s == STATUS_OK)
        s = file_writer_commit(&w, e);
    if (s == STATUS_OK && ret_n)
        *ret_n = n_rows;
end:
    file_writer_discard(&w);
    results_reader_close(&reader);
    free(list);
    free(path);
    return s;
}
