#include <string.h>
#include <strings.h>

#include "shard/layout_internal.h"

enum { MAX_FAMILY_BYTES = 255 }; /* a name of one folder */

static enum label folder_label(const char *name, size_t len)
{
    if (len != 4)
        return LABEL_UNKNOWN;
    if (strncasecmp(name, "real", 4) == 0)
        return LABEL_REAL;
    return strncasecmp(name, "fake", 4) == 0 ? LABEL_FAKE : LABEL_UNKNOWN;
}

/* A folder's name in other letters is taken, and said once. */
static void note_case(struct scan *scan, const char *path, enum label label, bool noted[3])
{
    if (noted[label] || strncmp(path, label == LABEL_REAL ? "real" : "fake", 4) == 0)
        return;
    noted[label] = true;
    layout_note(scan->summary, "folder '%.4s' taken as %s", path, label_name(label));
}

static enum status visit(struct scan *scan, const struct manifest_entry *file, void *context)
{
    bool *noted = context;
    struct manifest_entry entry = *file;
    char family[MAX_FAMILY_BYTES + 1];
    const char *slash = strchr(file->path, '/');
    const char *end;

    if (!slash)
        return layout_add(scan, &entry, scan->corpus);
    entry.label = folder_label(file->path, (size_t)(slash - file->path));
    if (entry.label != LABEL_UNKNOWN)
        note_case(scan, file->path, entry.label, noted);
    end = strchr(slash + 1, '/');
    if (entry.label == LABEL_FAKE && end && end - slash - 1 <= MAX_FAMILY_BYTES) {
        size_t len = (size_t)(end - slash - 1);

        memcpy(family, slash + 1, len);
        family[len] = '\0';
        entry.family = family;
    }
    return layout_add(scan, &entry, scan->corpus);
}

enum status layout_dir_fill(struct scan *scan)
{
    bool noted[3] = {false};

    return layout_walk(scan, layout_is_video, visit, noted);
}
