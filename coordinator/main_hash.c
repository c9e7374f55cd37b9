#include "coordinator/main_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/main_machine.h"
#include "nodes/video_open.h"

enum { READ_BYTES = 1 << 20, MAX_THREADS = 64, BATCH = 1024 };

/* One batch of entries: threads fill digests, then one thread puts them into the manifest. */
struct hashing {
    const struct manifest *m;
    int root_fd;
    size_t first, n;
    atomic_size_t next;
    char (*digests)[SHA256_HEX_BYTES];
    atomic_bool no_memory;
};

/* "" when it cannot be read. */
static void hash_entry(const struct hashing *x, const struct manifest_entry *entry, struct hasher *h, uint8_t *buffer,
                       char ret_hex[SHA256_HEX_BYTES])
{
    struct stat st;
    ssize_t n = -1;
    int fd = video_open_file(x->root_fd, entry->path, entry->archive_bytes);
    uint64_t at = entry->offset_bytes, left = entry->archive_bytes > 0 ? entry->size_bytes : UINT64_MAX;

    ret_hex[0] = '\0';
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        while ((n = pread(fd, buffer, left < READ_BYTES ? (size_t)left : READ_BYTES, (off_t)at)) > 0 ||
               (n < 0 && errno == EINTR)) {
            if (n < 0)
                continue;
            hasher_update(h, buffer, (size_t)n);
            at += (uint64_t)n;
            left -= (uint64_t)n;
        }
        /* A whole file ends where it ends; a video in an archive ends where its archive said. */
        if (n == 0 && entry->archive_bytes > 0 && left > 0)
            n = -1;
    }
    close(fd);
    hasher_finish(h, ret_hex); /* also starts it anew */
    if (n < 0)
        ret_hex[0] = '\0';
}

static void *hash_some(void *context)
{
    struct hashing *x = context;
    struct hasher *h = hasher_open();
    uint8_t *buffer = malloc(READ_BYTES);

    if (!h || !buffer)
        atomic_store(&x->no_memory, true);
    while (h && buffer) {
        size_t i = atomic_fetch_add(&x->next, 1);

        if (i >= x->n)
            break;
        hash_entry(x, manifest_entry(x->m, x->first + i), h, buffer, x->digests[i]);
    }
    free(buffer);
    hasher_close(&h);
    return NULL;
}

static enum status hash_batch(struct hashing *x, struct manifest *m, unsigned n_threads, struct error *e)
{
    pthread_t threads[MAX_THREADS];
    unsigned n = 0;
    enum status s = STATUS_OK;

    atomic_store(&x->next, 0);
    while (n < n_threads - 1 && pthread_create(&threads[n], NULL, hash_some, x) == 0)
        n++;
    hash_some(x);
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    if (atomic_load(&x->no_memory))
        return error_no_memory(e);
    for (size_t i = 0; s == STATUS_OK && i < x->n; i++)
        s = manifest_set_content(m, x->first + i, x->digests[i]);
    return s == STATUS_OK ? s : error_no_memory(e);
}

enum status main_hash_corpus(struct manifest *m, struct error *e)
{
    unsigned n_threads = machine_share_of_cores();
    size_t count = manifest_count(m);
    struct hashing x = {.m = m};
    enum status s = STATUS_OK;

    x.root_fd = open(manifest_root(m), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (x.root_fd < 0)
        return error_set_errno(e, errno, "%s: cannot open", manifest_root(m));
    x.digests = malloc(BATCH * sizeof(*x.digests));
    if (!x.digests)
        s = error_no_memory(e);
    for (; s == STATUS_OK && x.first < count; x.first += BATCH) {
        x.n = count - x.first < BATCH ? count - x.first : BATCH;
        s = hash_batch(&x, m, n_threads > MAX_THREADS ? MAX_THREADS : n_threads, e);
    }
    free(x.digests);
    close(x.root_fd);
    return s;
}
