/* Any bytes as a manifest's file. What is read must be written and read again with the same hash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shard/manifest.h"

static void require(bool what)
{
    if (!what)
        abort();
}

/* manifest_write makes a file beside its target, so it needs a folder; one in memory is fast to sync. */
static void fuzz_round_trip(struct manifest *m)
{
    char path[64], first[SHA256_HEX_BYTES], second[SHA256_HEX_BYTES];
    struct manifest *again = NULL;

    snprintf(path, sizeof(path), "/dev/shm/fakesift-fuzz-%d.csv", (int)getpid());
    require(manifest_hash(m, first, NULL) == STATUS_OK);
    require(manifest_write(m, path, NULL) == STATUS_OK);
    require(manifest_read(path, &again, NULL) == STATUS_OK);
    require(manifest_hash(again, second, NULL) == STATUS_OK);
    require(strcmp(first, second) == 0);
    require(strcmp(manifest_root(m), manifest_root(again)) == 0);
    require(manifest_count(m) == manifest_count(again));
    for (size_t i = 0; i < manifest_count(m); i++)
        require(manifest_find(again, manifest_entry(m, i)->path) == i);
    manifest_close(&again);
    unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len); /* libFuzzer has no header for it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct manifest *m = NULL;
    struct error e;
    char path[64];
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    require(fd >= 0);
    require(write(fd, data, len) == (ssize_t)len);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (manifest_read(path, &m, &e) == STATUS_OK)
        fuzz_round_trip(m);
    else
        require(m == NULL && e.text[0] != '\0');
    manifest_close(&m);
    close(fd);
    return 0;
}
