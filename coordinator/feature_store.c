#include "coordinator/feature_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/feature_rows.h"
#include "shard/file.h"
#include "shard/text.h"

struct feature_writer {
    char *folder;
    char fingerprint[SHA256_HEX_BYTES];
    char name[64]; /* without its end */
    int data_fd, rows_fd;
    unsigned steps, values;
    uint64_t n_rows;
    bool dirty;
};

/* numpy's format 1.0. The head is padded, so that it can be written anew with another number of rows. */
static void make_head(uint64_t n_rows, unsigned steps, unsigned values, char ret_head[FEATURE_HEAD_BYTES])
{
    static const char magic[10] = {'\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, FEATURE_HEAD_BYTES - 10, 0};
    char text[FEATURE_HEAD_BYTES];
    int n = snprintf(text, sizeof(text), "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %u, %u), }",
                     (unsigned long long)n_rows, steps, values);

    memset(ret_head, ' ', FEATURE_HEAD_BYTES);
    memcpy(ret_head, magic, sizeof(magic));
    memcpy(ret_head + sizeof(magic), text, (size_t)n);
    ret_head[FEATURE_HEAD_BYTES - 1] = '\n';
}

static enum status write_at(int fd, const void *data, size_t len, off_t at)
{
    const char *p = data;

    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return STATUS_IO;
        p += n;
        at += n;
        len -= (size_t)n;
    }
    return STATUS_OK;
}

enum status feature_writer_open(const char *folder, const char *fingerprint, unsigned rank, int64_t stamp_ns,
                                struct feature_writer **ret_w, struct error *e)
{
    struct feature_writer *w = calloc(1, sizeof(*w));

    if (!w)
        return error_no_memory(e);
    w->data_fd = w->rows_fd = -1;
    w->folder = strdup(folder);
    snprintf(w->fingerprint, sizeof(w->fingerprint), "%s", fingerprint);
    snprintf(w->name, sizeof(w->name), "features-%05u-%020lld", rank, (long long)stamp_ns);
    if (!w->folder) {
        feature_writer_close(&w);
        return error_no_memory(e);
    }
    *ret_w = w;
    return STATUS_OK;
}

void feature_writer_close(struct feature_writer **w)
{
    if (!*w)
        return;
    if ((*w)->data_fd >= 0)
        close((*w)->data_fd);
    if ((*w)->rows_fd >= 0)
        close((*w)->rows_fd);
    free((*w)->folder);
    free(*w);
    *w = NULL;
}

static enum status open_file(const struct feature_writer *w, const char *end, int flags, int *ret_fd, struct error *e)
{
    char name[80];
    char *path;
    enum status s = STATUS_OK;

    snprintf(name, sizeof(name), "%s%s", w->name, end);
    path = file_join(w->folder, name);
    if (!path)
        return error_no_memory(e);
    *ret_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | flags, 0666);
    if (*ret_fd < 0)
        s = error_set_errno(e, errno, "%s", path);
    free(path);
    return s;
}

/* What t holds becomes the rows' next bytes. */
static enum status append_row(struct feature_writer *w, struct text *t, struct error *e)
{
    enum status s = t->failed ? error_no_memory(e) : STATUS_OK;

    /* One write of an O_APPEND file; a torn one lacks its end and is not read. */
    if (s == STATUS_OK && write(w->rows_fd, t->data, t->len_bytes) != (ssize_t)t->len_bytes)
        s = error_set_errno(e, errno, "%s/%s.rows", w->folder, w->name);
    text_clear(t);
    return s;
}

static enum status begin_shard(struct feature_writer *w, const struct stored_features *x, struct error *e)
{
    struct text line = {0};
    char head[FEATURE_HEAD_BYTES];
    enum status s = file_make_folder(w->folder, e);

    w->steps = x->steps;
    w->values = x->values;
    if (s == STATUS_OK)
        s = open_file(w, ".npy", 0, &w->data_fd, e);
    if (s == STATUS_OK)
        s = open_file(w, ".rows", O_APPEND, &w->rows_fd, e);
    if (s != STATUS_OK)
        return s;
    make_head(0, w->steps, w->values, head);
    if (write_at(w->data_fd, head, sizeof(head), 0) != STATUS_OK)
        return error_set_errno(e, errno, "%s/%s.npy", w->folder, w->name);
    text_append_format(&line, "fakesift features 1,%s,%u,%u,.\n", w->fingerprint, w->steps, w->values);
    return append_row(w, &line, e);
}

enum status feature_writer_add(struct feature_writer *w, const struct result *r, const struct stored_features *x,
                               struct error *e)
{
    size_t row_bytes = (size_t)x->steps * x->values * sizeof(float);
    struct text line = {0};
    enum status s = w->data_fd < 0 ? begin_shard(w, x, e) : STATUS_OK;

    if (s != STATUS_OK)
        return s;
    if (x->steps != w->steps || x->values != w->values)
        return error_set(e, STATUS_INVALID, "%s: features of %u x %u among those of %u x %u", r->path, x->steps,
                         x->values, w->steps, w->values);
    if (write_at(w->data_fd, x->data, row_bytes, (off_t)(FEATURE_HEAD_BYTES + w->n_rows * row_bytes)) != STATUS_OK)
        return error_set_errno(e, errno, "%s/%s.npy", w->folder, w->name);
    text_append_csv(&line, r->path);
    text_append_format(&line, ",%llu,%lld,%s,%u,%u,%lld,%lld,%llu,.\n", (unsigned long long)r->size_bytes,
                       (long long)r->mtime_ns, r->content ? r->content : "", x->track, x->clip, (long long)x->start_us,
                       (long long)x->end_us, (unsigned long long)w->n_rows);
    s = append_row(w, &line, e);
    if (s == STATUS_OK) {
        w->n_rows++;
        w->dirty = true;
    }
    return s;
}

enum status feature_writer_sync(struct feature_writer *w, struct error *e)
{
    char head[FEATURE_HEAD_BYTES];

    if (!w->dirty)
        return STATUS_OK;
    make_head(w->n_rows, w->steps, w->values, head);
    if (write_at(w->data_fd, head, sizeof(head), 0) != STATUS_OK || fdatasync(w->data_fd) != 0 ||
        fdatasync(w->rows_fd) != 0)
        return error_set_errno(e, errno, "%s/%s.npy", w->folder, w->name);
    w->dirty = false;
    return STATUS_OK;
}

static int is_rows_file(const struct dirent *d)
{
    size_t n = strlen(d->d_name);

    return strncmp(d->d_name, "features-", 9) == 0 && n > 5 && strcmp(d->d_name + n - 5, ".rows") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* *ret_names are the caller's to free_names. */
static enum status list_shards(const char *folder, struct dirent ***ret_names, int *ret_n, struct error *e)
{
    *ret_n = scandir(folder, ret_names, is_rows_file, by_name);
    if (*ret_n < 0)
        return error_set_errno(e, errno, "%s", folder);
    return STATUS_OK;
}

static void free_names(struct dirent **names, int n)
{
    for (int i = 0; i < n; i++)
        free(names[i]);
    if (n >= 0)
        free(names);
}

enum status feature_store_begin(const char *folder, const char *fingerprint, struct error *e)
{
    struct dirent **names = NULL;
    int n = 0;
    enum status s = file_make_folder(folder, e);

    if (s == STATUS_OK)
        s = list_shards(folder, &names, &n, e);
    if (s != STATUS_OK)
        return s;
    for (int i = 0; s == STATUS_OK && i < n; i++)
        s = feature_rows_check(folder, names[i]->d_name, fingerprint, e);
    free_names(names, n);
    return s;
}

/* A killed writer left the number of rows of its last sync. */
static enum status mend_head(const char *folder, const char *shard, const struct feature_shape *shape, struct error *e)
{
    char head[FEATURE_HEAD_BYTES], now[FEATURE_HEAD_BYTES];
    char *path = file_join(folder, shard);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    enum status s = STATUS_OK;

    if (!path)
        return error_no_memory(e);
    make_head(shape->n_rows, shape->steps, shape->values, head);
    if (fd < 0 || pread(fd, now, sizeof(now), 0) != (ssize_t)sizeof(now))
        s = error_set_errno(e, fd < 0 ? errno : EIO, "%s", path);
    else if (memcmp(head, now, sizeof(head)) != 0 && write_at(fd, head, sizeof(head), 0) != STATUS_OK)
        s = error_set_errno(e, errno, "%s", path);
    if (fd >= 0)
        close(fd);
    free(path);
    return s;
}

static enum status write_index(const char *folder, const struct manifest *m, const struct results *results,
                               struct feature_rows *rows, struct dirent **names, size_t *ret_n, struct error *e)
{
    struct results_reader *reader = NULL;
    struct file_writer *w = NULL;
    char *path = file_join(folder, "index.csv");
    enum status s =
        path && results_reader_open(results, &reader) == STATUS_OK ? file_writer_open(path, &w, e) : error_no_memory(e);

    *ret_n = 0;
    if (s == STATUS_OK)
        fputs("path,track,clip,start_us,end_us,shard,row\n", file_writer_stream(w));
    for (size_t i = 0; s == STATUS_OK && i < results_count(results); i++) {
        const struct result *r = results_n_clips(results, i) > 0 ? results_get(reader, i) : NULL;

        for (size_t k = 0; s == STATUS_OK && r && k < r->n_clips; k++) {
            const struct clip_score *c = &r->clips[k];
            const struct feature_row *row = feature_rows_find(rows, i, c->track, c->clip);
            struct text line = {0};

            if (!row)
                continue;
            text_append_csv(&line, manifest_entry(m, i)->path);
            text_append_format(&line, ",%u,%u,%lld,%lld,%.*s.npy,%llu\n", c->track, c->clip, (long long)c->start_us,
                               (long long)c->end_us, (int)(strlen(names[row->shard]->d_name) - 5),
                               names[row->shard]->d_name, (unsigned long long)row->row);
            if (line.failed)
                s = error_no_memory(e);
            else
                fwrite(line.data, 1, line.len_bytes, file_writer_stream(w));
            text_clear(&line);
            ++*ret_n;
        }
    }
    if (s == STATUS_OK)
        s = file_writer_commit(&w, e);
    file_writer_discard(&w);
    results_reader_close(&reader);
    free(path);
    return s;
}

enum status feature_store_index(const char *folder, const char *fingerprint, const struct manifest *m,
                                const struct results *results, size_t *ret_n, struct error *e)
{
    struct feature_rows rows = {0};
    struct dirent **names = NULL;
    int n = 0;
    enum status s = list_shards(folder, &names, &n, e);

    if (s != STATUS_OK)
        return s;
    for (int i = 0; s == STATUS_OK && i < n; i++) {
        char shard[300];
        struct feature_shape shape;

        snprintf(shard, sizeof(shard), "%.*s.npy", (int)(strlen(names[i]->d_name) - 5), names[i]->d_name);
        s = feature_rows_read(&rows, folder, names[i]->d_name, (uint32_t)i, fingerprint, m, &shape, e);
        if (s == STATUS_OK && shape.values > 0)
            s = mend_head(folder, shard, &shape, e);
    }
    if (s == STATUS_OK)
        s = write_index(folder, m, results, &rows, names, ret_n, e);
    feature_rows_clear(&rows);
    free_names(names, n);
    return s;
}
