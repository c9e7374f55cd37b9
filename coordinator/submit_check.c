#include "coordinator/submit.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Magic numbers of filesystems that more than one machine sees; linux/magic.h knows those in the kernel's own tree. */
static const struct {
    uint64_t magic;
    const char *name;
} shared_filesystems[] = {
    {NFS_SUPER_MAGIC, "NFS"}, {0x0BD00BD0, "Lustre"},   {0x47504653, "GPFS"},         {0x19830326, "BeeGFS"},
    {0x00C36400, "Ceph"},     {0x65735546, "FUSE"},     {AFS_SUPER_MAGIC, "AFS"},     {0xFE534D42, "SMB"},
    {0xFF534D42, "CIFS"},     {V9FS_MAGIC, "9P"},       {OCFS2_SUPER_MAGIC, "OCFS2"}, {0x01161970, "GFS2"},
    {0xAAD7AAEA, "PanFS"},    {0x20030528, "OrangeFS"}, {0x013661, "ACFS"},
};

static bool lies_in(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The path itself, or the nearest folder above it that exists. */
static bool nearest_existing(const char *path, char *ret_path, size_t room)
{
    if ((size_t)snprintf(ret_path, room, "%s", path) >= room)
        return false;
    while (access(ret_path, F_OK) != 0) {
        char *slash = strrchr(ret_path, '/');

        if (!slash)
            return false;
        slash[slash == ret_path] = '\0';
        if (slash == ret_path)
            return true;
    }
    return true;
}

enum status submit_check_path(const char *path, char *ret_doubt, size_t room, struct error *e)
{
    static const char *const own[] = {"/tmp", "/var/tmp", "/dev/shm", "/run", "/proc", "/sys"};
    char there[4096];
    struct statfs fs;

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
        if (lies_in(path, own[i]))
            return error_set(e, STATUS_INVALID, "%s: other nodes have a %s of their own (--force: they do see it)",
                             path, own[i]);
    }
    if (!nearest_existing(path, there, sizeof(there)))
        return error_set(e, STATUS_INVALID, "%s: not an absolute path", path);
    if (statfs(there, &fs) != 0)
        return error_set_errno(e, errno, "%s: cannot ask for its filesystem", there);
    snprintf(ret_doubt, room, "%s: on a filesystem of this machine, as it seems; do the nodes see it?", path);
    for (size_t i = 0; i < sizeof(shared_filesystems) / sizeof(shared_filesystems[0]); i++) {
        if (((uint64_t)fs.f_type & UINT32_MAX) == shared_filesystems[i].magic)
            ret_doubt[0] = '\0';
    }
    return STATUS_OK;
}

enum status submit_check_space(const char *folder, size_t n_videos, struct error *e)
{
    /* Measured: a journal record 190 bytes, the report's files 530 bytes a video, written beside the old ones; long paths and
     * many tracks take more. */
    enum { BYTES_PER_VIDEO = 3000, BYTES_IN_ANY_CASE = 8 << 20 };
    char there[4096];
    struct statvfs fs;
    uint64_t need = (uint64_t)n_videos * BYTES_PER_VIDEO + BYTES_IN_ANY_CASE, have;

    if (!nearest_existing(folder, there, sizeof(there)))
        return error_set(e, STATUS_INVALID, "%s: not an absolute path", folder);
    if (access(there, W_OK) != 0)
        return error_set_errno(e, errno, "%s: cannot write there", there);
    if (statvfs(there, &fs) != 0)
        return error_set_errno(e, errno, "%s: cannot ask for its space", there);
    have = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (have < need)
        return error_set(e, STATUS_NO_SPACE,
                         "%s: %" PRIu64 " MiB free, journal and report of %zu videos take up to %" PRIu64, there,
                         have >> 20, n_videos, need >> 20);
    return STATUS_OK;
}
