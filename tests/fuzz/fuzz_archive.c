/* Any bytes as an archive: the first says whether as a tar or as a zip. A member that is not cut lies in the archive, a name is
 * text of bounded length, and the readers end. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shard/tar.h"
#include "shard/zip.h"

static void require(bool what)
{
    if (!what)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len); /* libFuzzer has no header for it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct tar_reader *tar = NULL;
    struct zip_reader *zip = NULL;
    struct archive_member m;
    struct error e = {0};
    enum status s;
    size_t n = 0;
    int fd;

    if (len == 0)
        return 0;
    fd = memfd_create("archive", MFD_CLOEXEC);
    require(fd >= 0 && write(fd, data + 1, len - 1) == (ssize_t)(len - 1));
    s = data[0] & 1 ? tar_open(fd, &tar, &e) : zip_open(fd, &zip, &e);
    while (s == STATUS_OK) {
        s = tar ? tar_next(tar, &m, &e) : zip_next(zip, &m, &e);
        if (s != STATUS_OK)
            break;
        require(++n <= len);
        require(strlen(m.name) <= ARCHIVE_MAX_NAME_BYTES);
        if (m.kind == ARCHIVE_FILE && !m.is_cut)
            require(m.offset > 0 && m.offset <= len - 1 && m.size_bytes <= len - 1 - m.offset);
    }
    require(s == STATUS_END || e.text[0] != '\0');
    tar_close(&tar);
    zip_close(&zip);
    close(fd);
    return 0;
}
