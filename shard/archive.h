/* archive: what the readers of tar and zip say of a file that lies in an archive. In: their directories. Out: names, places. */
#ifndef FAKESIFT_SHARD_ARCHIVE_H
#define FAKESIFT_SHARD_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

enum { ARCHIVE_MAX_NAME_BYTES = 4095 };

enum archive_kind {
    ARCHIVE_FILE,
    ARCHIVE_FOLDER,
    ARCHIVE_LINK,   /* hard or symbolic: its bytes are another member's */
    ARCHIVE_SPARSE, /* its holes are not stored, so its bytes do not lie in one piece */
    ARCHIVE_PACKED, /* compressed or encrypted */
    ARCHIVE_OTHER,  /* a device, a FIFO, a part of a volume */
};

struct archive_member {
    const char *name; /* as the archive has it; valid until the next call */
    enum archive_kind kind;
    uint64_t offset, size_bytes; /* of its bytes in the archive */
    bool is_cut;                 /* the archive ends inside it */
};

#endif
