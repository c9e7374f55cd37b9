/* Any bytes as the labels of a corpus, or as an archive in it: the first byte says which file of labels of which data set
 * they are. What is accepted must be a sorted manifest, and no member may end behind its archive. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/layout.h"

static void require(bool what)
{
    if (!what)
        abort();
}

static void put(int folder, const char *name, const void *data, size_t len)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    require(fd >= 0);
    require(write(fd, data, len) == (ssize_t)len);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len); /* libFuzzer has no header for it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const names[] = {
        "metadata.json", "dataset.json", "labels.csv", "0.tar", "0.zip", "list.json", "List_of_testing_videos.txt",
        "train.json"};
    static const char *const layouts[] = {"auto", "dir", "auto", "dfdc", "auto", "auto", "celebdf", "ffpp"};
    struct layout_settings settings;
    struct manifest *m = NULL;
    struct layout_summary summary;
    struct error e = {0};
    char root[64];
    unsigned which;
    int folder;

    if (len == 0)
        return 0;
    which = data[0] % 8;
    settings = (struct layout_settings){.layout = data[0] & 8 ? layouts[which] : "auto"};
    snprintf(root, sizeof(root), "/dev/shm/fakesift-fuzz-%d", (int)getpid());
    mkdir(root, 0700);
    folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(folder >= 0);
    mkdirat(folder, "b", 0700);
    if (which >= 6) {
        mkdirat(folder, "Celeb-real", 0700);
        mkdirat(folder, "original_sequences", 0700);
        mkdirat(folder, "original_sequences/youtube", 0700);
        mkdirat(folder, "original_sequences/youtube/videos", 0700);
        put(folder, "Celeb-real/id0_0000.mp4", "x", 1);
        put(folder, "original_sequences/youtube/videos/000.mp4", "x", 1);
    }
    put(folder, "a.mp4", "x", 1);
    put(folder, "b/c.mp4", "x", 1);
    put(folder, names[which], data + 1, len - 1);
    if (which == 0)
        put(folder, "labels.csv", "filename,label\na.mp4,1\nc.mp4,0\n", 31);
    if (layout_scan(root, &settings, &m, &summary, &e) == STATUS_OK) {
        require(manifest_count(m) > 0 && summary.n_files == manifest_count(m));
        for (size_t i = 0; i < manifest_count(m); i++) {
            const struct manifest_entry *entry = manifest_entry(m, i);

            require(!entry->exists || entry->archive_bytes == 0 ||
                    (entry->offset_bytes > 0 && entry->offset_bytes + entry->size_bytes <= len - 1));
        }
        for (size_t i = 1; i < manifest_count(m); i++)
            require(strcmp(manifest_entry(m, i - 1)->path, manifest_entry(m, i)->path) < 0);
    } else {
        require(m == NULL && e.text[0] != '\0');
    }
    manifest_close(&m);
    unlinkat(folder, names[which], 0);
    unlinkat(folder, "labels.csv", 0);
    unlinkat(folder, "a.mp4", 0);
    unlinkat(folder, "b/c.mp4", 0);
    unlinkat(folder, "b", AT_REMOVEDIR);
    if (which >= 6) {
        unlinkat(folder, "Celeb-real/id0_0000.mp4", 0);
        unlinkat(folder, "original_sequences/youtube/videos/000.mp4", 0);
        unlinkat(folder, "original_sequences/youtube/videos", AT_REMOVEDIR);
        unlinkat(folder, "original_sequences/youtube", AT_REMOVEDIR);
        unlinkat(folder, "original_sequences", AT_REMOVEDIR);
        unlinkat(folder, "Celeb-real", AT_REMOVEDIR);
    }
    close(folder);
    rmdir(root);
    return 0;
}
