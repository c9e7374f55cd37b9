#include "shard/layout.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "shard/file.h"
#include "shard/layout_internal.h"
#include "shard/text.h"

static const char default_extensions[] = "mp4,m4v,mov,mkv,webm,avi,ts,mts,m2ts,mpg,mpeg,flv,wmv,asf,gif,webp,"
                                         "3gp,ogv,mxf,vob,264,h264,265,hevc,ivf,y4m";

static const char *const kind_names[LAYOUT_COUNT] = {
    "auto", "dir", "csv", "dfdc", "ffpp", "celebdf", "deepfakebench", "avdeepfake1m", "video2dataset",
};

bool layout_is_video(const struct scan *scan, const char *name)
{
    const char *dot = strrchr(name, '.');
    const char *p = scan->extensions;

    if (!dot || dot == name)
        return false;
    for (;;) {
        size_t len = strcspn(p, ",");

        if (strlen(dot + 1) == len && strncasecmp(p, dot + 1, len) == 0)
            return true;
        if (p[len] == '\0')
            return false;
        p += len + 1;
    }
}

void layout_note(struct layout_summary *summary, const char *format, ...)
{
    size_t used = strlen(summary->notes);
    char made[sizeof(summary->notes)];
    va_list args;

    va_start(args, format);
    vsnprintf(made, sizeof(made), format, args);
    va_end(args);
    for (char *p = made; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = '?';
    }
    if (strstr(summary->notes, made))
        return; /* many files of labels say the same */
    if (used + 2 + strlen(made) >= sizeof(summary->notes))
        return;
    if (used > 0) {
        memcpy(summary->notes + used, "; ", 2);
        used += 2;
    }
    memcpy(summary->notes + used, made, strlen(made) + 1);
}

enum status layout_add(struct scan *scan, const struct manifest_entry *entry, const char *where)
{
    struct error why = {0};
    enum status s = manifest_add(scan->m, entry, &why);

    if (s != STATUS_OK)
        return error_set(scan->e, s, "%.500s: %s", where, why.text);
    return STATUS_OK;
}

static enum status check_extensions(const char *extensions, struct error *e)
{
    const char *p = extensions;

    for (;;) {
        size_t len = strcspn(p, ",");

        if (len == 0 || strcspn(p, "./ABCDEFGHIJKLMNOPQRSTUVWXYZ ") < len)
            return error_set(e, STATUS_INVALID,
                             "extensions: must be words in lower case, without dots, between commas, such as "
                             "mp4,mkv: '%.200s'",
                             extensions);
        if (p[len] == '\0')
            return STATUS_OK;
        p += len + 1;
    }
}

static enum status no_video(struct scan *scan)
{
    const struct layout_summary *summary = scan->summary;
    struct text wanted = {0};
    enum status s;

    for (const char *p = scan->extensions;; p++) {
        size_t len = strcspn(p, ",");

        text_append_format(&wanted, "%s*.%.*s", wanted.len_bytes ? ", " : "", (int)len, p);
        p += len;
        if (*p == '\0')
            break;
    }
    if (wanted.failed)
        s = error_no_memory(scan->e);
    else if (summary->damaged.n + summary->unreadable.n + summary->packed.n > 0)
        s = error_set(scan->e, STATUS_INVALID,
                      "%.300s: no video that can be read: found %zu damaged archives%s%s, %zu videos "
                      "in archives that cannot be read in place%s%s, %zu archives to unpack first%s%s",
                      scan->corpus, summary->damaged.n, summary->damaged.n ? ", such as " : "", summary->damaged.first,
                      summary->unreadable.n, summary->unreadable.n ? ", such as " : "", summary->unreadable.first,
                      summary->packed.n, summary->packed.n ? ", such as " : "", summary->packed.first);
    else if (summary->n_other_files == 0)
        s = error_set(scan->e, STATUS_INVALID, "%.300s: no video: looked for %s; found no file", scan->corpus,
                      wanted.data);
    else
        s = error_set(scan->e, STATUS_INVALID, "%.300s: no video: looked for %s; found %zu other file%s such as %s",
                      scan->corpus, wanted.data, summary->n_other_files, summary->n_other_files == 1 ? "" : "s",
                      summary->other_example);
    text_clear(&wanted);
    return s;
}

static void count(const struct manifest *m, struct layout_summary *summary)
{
    summary->n_files = manifest_count(m);
    for (size_t i = 0; i < summary->n_files; i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);

        summary->n_missing += !entry->exists;
        summary->n_unlabelled += entry->label == LABEL_UNKNOWN;
        summary->n_real += entry->label == LABEL_REAL;
        summary->n_fake += entry->label == LABEL_FAKE;
    }
}

/* csv_path: for the csv layout alone. */
static enum status fill(struct scan *scan, enum layout_kind kind, const char *csv_path)
{
    enum status s = manifest_create(scan->root, kind_names[kind], &scan->m, scan->e);

    if (s != STATUS_OK)
        return s;
    scan->summary->layout = kind_names[kind];
    switch (kind) {
    case LAYOUT_CSV:
        s = layout_csv_fill(scan, csv_path);
        break;
    case LAYOUT_DFDC:
        s = layout_dfdc_fill(scan);
        break;
    case LAYOUT_FFPP:
        s = layout_ffpp_fill(scan);
        break;
    case LAYOUT_CELEBDF:
        s = layout_celebdf_fill(scan);
        break;
    case LAYOUT_DEEPFAKEBENCH:
        s = layout_deepfakebench_fill(scan);
        break;
    case LAYOUT_AVDEEPFAKE1M:
        s = layout_avdeepfake1m_fill(scan);
        break;
    default:
        s = layout_dir_fill(scan);
        if (s == STATUS_OK && kind == LAYOUT_VIDEO2DATASET && scan->summary->n_archives == 0)
            s = error_set(scan->e, STATUS_INVALID, "%s: no shards: looked for *.tar in it and below; videos found: %zu",
                          scan->corpus, manifest_count(scan->m));
        break;
    }
    if (s == STATUS_OK)
        s = manifest_sort(scan->m, scan->e);
    if (s == STATUS_OK && manifest_count(scan->m) == 0) {
        if (kind == LAYOUT_CSV)
            s = error_set(scan->e, STATUS_INVALID, "%s: no video: the file has column names and no row", csv_path);
        else
            s = no_video(scan);
    }
    return s;
}

static enum status scan_folder(struct scan *scan, enum layout_kind kind)
{
    enum status s;
    char *csv_path = NULL;
    char *root = realpath(scan->corpus, NULL);

    if (!root)
        return error_set_errno(scan->e, errno, "%s: cannot resolve the folder", scan->corpus);
    scan->root = root;
    s = kind == LAYOUT_AUTO ? layout_recognise(scan, &kind) : STATUS_OK;
    if (s != STATUS_OK)
        goto end;
    csv_path = file_join(scan->corpus, "labels.csv");
    s = csv_path ? fill(scan, kind, csv_path) : error_no_memory(scan->e);
end:
    free(csv_path);
    free(root);
    return s;
}

/* Those that have all labels in one file, which may be given for its folder. */
static bool is_list_layout(enum layout_kind kind)
{
    return kind == LAYOUT_CSV || kind == LAYOUT_DEEPFAKEBENCH || kind == LAYOUT_AVDEEPFAKE1M;
}

static enum status scan_file(struct scan *scan, enum layout_kind kind)
{
    enum status s = STATUS_OK;
    struct stat st;
    char *folder = NULL, *root = NULL;
    const char *slash = strrchr(scan->corpus, '/');

    if (kind != LAYOUT_AUTO && !is_list_layout(kind))
        return error_set(scan->e, STATUS_INVALID, "%s: the layout %s needs a folder, and this is a file", scan->corpus,
                         kind_names[kind]);
    if (kind == LAYOUT_AUTO && manifest_is(scan->corpus)) {
        scan->summary->layout = "manifest";
        s = manifest_read(scan->corpus, &scan->m, scan->e);
        if (s == STATUS_OK && manifest_count(scan->m) == 0)
            s = error_set(scan->e, STATUS_INVALID, "%s: no video: the manifest is empty", scan->corpus);
        /* A corpus that moved would end as a job that can be resumed for ever. */
        if (s == STATUS_OK && stat(manifest_root(scan->m), &st) != 0)
            s = error_set_errno(scan->e, errno, "%s: root: cannot find the corpus '%.500s'", scan->corpus,
                                manifest_root(scan->m));
        return s;
    }
    if (layout_is_video(scan, slash ? slash + 1 : scan->corpus))
        return error_set(scan->e, STATUS_INVALID,
                         "%s: a video, and not a corpus: give its folder, or a CSV file with its path", scan->corpus);
    if (layout_archive_format(scan->corpus) != ARCHIVE_FORMAT_NONE)
        return error_set(scan->e, STATUS_INVALID, "%s: an archive, and not a corpus: give the folder that holds it",
                         scan->corpus);
    folder = slash ? strndup(scan->corpus, (size_t)(slash - scan->corpus) + 1) : strdup(".");
    if (!folder)
        return error_no_memory(scan->e);
    root = realpath(folder, NULL);
    if (!root) {
        s = error_set_errno(scan->e, errno, "%s: cannot resolve the folder", folder);
        goto end;
    }
    scan->root = root;
    scan->file = slash ? slash + 1 : scan->corpus;
    if (kind == LAYOUT_AUTO)
        s = layout_json_sniff(scan->corpus, &kind, scan->e);
    if (s == STATUS_OK && kind == LAYOUT_AUTO)
        kind = LAYOUT_CSV;
    if (s == STATUS_OK)
        s = fill(scan, kind, scan->corpus);
end:
    free(root);
    free(folder);
    return s;
}

static enum status kind_of(const char *name, enum layout_kind *ret_kind, struct error *e)
{
    for (unsigned k = 0; k < LAYOUT_COUNT; k++) {
        if (strcmp(name, kind_names[k]) == 0) {
            *ret_kind = (enum layout_kind)k;
            return STATUS_OK;
        }
    }
    return error_set(e, STATUS_INVALID,
                     "layout: not one of auto, dir, csv, dfdc, ffpp, celebdf, deepfakebench, avdeepfake1m, "
                     "video2dataset: '%.200s'",
                     name);
}

enum status layout_scan(const char *corpus, const struct layout_settings *settings, struct manifest **ret_m,
                        struct layout_summary *ret_summary, struct error *e)
{
    enum status s;
    enum layout_kind kind = LAYOUT_AUTO;
    struct stat st;
    struct layout_summary summary = {.layout = ""};
    struct scan scan = {
        .corpus = corpus, .extensions = default_extensions, .summary = &summary, .archive_fd = -1, .e = e};

    if (settings && settings->layout) {
        s = kind_of(settings->layout, &kind, e);
        if (s != STATUS_OK)
            return s;
    }
    if (settings && settings->extensions) {
        scan.extensions = settings->extensions;
        s = check_extensions(scan.extensions, e);
        if (s != STATUS_OK)
            return s;
    }
    if (stat(corpus, &st) != 0) {
        if (errno == ENOENT || errno == ENOTDIR)
            return error_set(e, STATUS_NOT_FOUND, "%s: no such folder or file", corpus);
        return error_set_errno(e, errno, "%s: cannot stat", corpus);
    }
    if (S_ISDIR(st.st_mode))
        s = scan_folder(&scan, kind);
    else if (S_ISREG(st.st_mode))
        s = scan_file(&scan, kind);
    else
        s = error_set(e, STATUS_INVALID, "%s: neither a folder nor a regular file", corpus);
    if (s == STATUS_OK) {
        count(scan.m, &summary);
        *ret_m = scan.m;
        scan.m = NULL;
        if (ret_summary)
            *ret_summary = summary;
    }
    manifest_close(&scan.m);
    return s;
}

static void describe(struct text *t, const struct layout_example *example, const char *one, const char *many)
{
    if (example->n > 0)
        text_append_format(t, ", %zu %s, such as %s", example->n, example->n == 1 ? one : many, example->first);
}

void layout_describe(const struct layout_summary *summary, struct text *t)
{
    text_append_format(
        t, "%zu video%s (layout %s%s%s), %zu without a label, %zu missing, %zu other file%s left out%s%s",
        summary->n_files, summary->n_files == 1 ? "" : "s", summary->layout, summary->why[0] ? ", taken for " : "",
        summary->why, summary->n_unlabelled, summary->n_missing, summary->n_other_files,
        summary->n_other_files == 1 ? "" : "s", summary->other_example[0] ? ", such as " : "", summary->other_example);
    if (summary->n_hidden > 0)
        text_append_format(t, ", %zu hidden video%s left out", summary->n_hidden, summary->n_hidden == 1 ? "" : "s");
    if (summary->n_skipped_links > 0)
        text_append_format(t, ", %zu linked folder%s not followed again", summary->n_skipped_links,
                           summary->n_skipped_links == 1 ? "" : "s");
    if (summary->n_archives > 0)
        text_append_format(t, ", %zu archive%s looked into", summary->n_archives, summary->n_archives == 1 ? "" : "s");
    describe(t, &summary->extra, "video that no label names", "videos that no label names");
    describe(t, &summary->damaged, "damaged archive", "damaged archives");
    describe(t, &summary->unreadable, "video in an archive that cannot be read in place",
             "videos in archives that cannot be read in place");
    describe(t, &summary->packed, "archive to unpack first", "archives to unpack first");
}
