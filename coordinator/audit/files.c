/* Video files under the corpus' root that no entry lists. */
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "coordinator/audit/audit_parts.h"
#include "coordinator/path_index.h"

static bool looks_like_video(const char *name)
{
    static const char *const extensions[] = {"mp4", "m4v",  "mov", "avi", "mkv", "webm",
                                             "mpg", "mpeg", "wmv", "flv", "ts"};
    const char *dot = strrchr(name, '.');

    for (size_t k = 0; dot && k < sizeof(extensions) / sizeof(extensions[0]); k++) {
        if (strcasecmp(dot + 1, extensions[k]) == 0)
            return true;
    }
    return false;
}

static enum status tell(struct auditor *x, const FTSENT *file, const char *path, struct error *e)
{
    struct text evidence = {0}, command = {0};
    char *copy = strdup(path);
    enum status s;

    if (!copy)
        return error_no_memory(e);
    text_append_format(&evidence, "%lld bytes; the manifest does not list it", (long long)file->fts_statp->st_size);
    text_append_string(&command, "ls -l ");
    audit_append_quoted(&command, file->fts_path);
    s = audit_add(x, AUDIT_EXTRA, AUDIT_NO_ENTRY, AUDIT_NO_ENTRY, &evidence, &command, e);
    if (s != STATUS_OK) {
        free(copy);
        return s;
    }
    x->audit->findings[x->audit->n_findings - 1].path = copy;
    return STATUS_OK;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

enum status audit_extra_files(struct auditor *x, struct error *e)
{
    const char *root = manifest_root(x->m);
    size_t root_len = strlen(root);
    char *roots[] = {(char *)(uintptr_t)root, NULL};
    struct path_index *index = NULL;
    FTS *tree;
    FTSENT *file;
    enum status s;

    if (x->settings->without_files)
        return STATUS_OK;
    s = path_index_open(x->m, PATH_WHOLE, false, &index, e);
    if (s != STATUS_OK)
        return s;
    /* Links are not followed: what they lead to is listed where it lies, or lies outside. */
    tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    while (s == STATUS_OK && tree && (file = fts_read(tree))) {
        const char *path = file->fts_path + root_len;

        if (file->fts_info != FTS_F || !looks_like_video(file->fts_name))
            continue;
        while (*path == '/')
            path++;
        if (path_index_find(index, path) == SIZE_MAX)
            s = tell(x, file, path, e);
    }
    if (tree)
        fts_close(tree);
    path_index_close(&index);
    return s;
}
