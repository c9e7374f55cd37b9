/* Which layout a folder has, by the names in it and in two levels of folders below. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"
#include "shard/layout_internal.h"

enum { SNIFF_BYTES = 64 * 1024, MAX_SNIFFED_MEMBERS = 100000 };

/* The first of each kind in the byte order of paths, relative to the root; "": none. */
struct finds {
    char ffpp[256], celebdf[256], archive[256];
    char *jsons[2]; /* of DeepfakeBench, of AV-Deepfake1M */
};

static enum status sniff_in(const char *folder, const char *name, enum label_file *ret_kind, struct error *e)
{
    char *path = file_join(folder, name);
    enum status s;

    if (!path)
        return error_no_memory(e);
    if (strcmp(name, "labels.csv") == 0)
        s = layout_csv_sniff(path, ret_kind, e);
    else
        s = layout_dfdc_sniff(path, ret_kind, e);
    free(path);
    return s;
}

/* summary: where to say what was found and is not DFDC's; may be NULL. */
static enum status is_dfdc_folder(const char *folder, bool *ret_is, struct layout_summary *summary, struct error *e)
{
    static const char *const names[] = {"metadata.json", "dataset.json", "labels.csv"};
    enum label_file kind = LABEL_FILE_OTHER;
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < 3 && kind != LABEL_FILE_DFDC; i++) {
        s = sniff_in(folder, names[i], &kind, e);
        if (s == STATUS_OK && kind == LABEL_FILE_OTHER && i < 2 && summary)
            layout_note(summary, "%s is not read: it is not DFDC's", names[i]);
    }
    *ret_is = kind == LABEL_FILE_DFDC;
    return s;
}

/* A link to a video is no folder. */
static bool is_folder(DIR *dir, const struct dirent *d)
{
    struct stat st;

    if (d->d_type != DT_LNK && d->d_type != DT_UNKNOWN)
        return d->d_type == DT_DIR;
    return fstatat(dirfd(dir), d->d_name, &st, 0) == 0 && S_ISDIR(st.st_mode);
}

/* Archives nest (dfdc_train_part_00/dfdc_train_part_0/metadata.json), so depth levels below folder are looked
 * at. Any folder will do: only whether one is found counts, and that does not hang on the order. */
static enum status holds_dfdc(const char *folder, unsigned depth, bool *ret_holds, struct layout_summary *summary,
                              struct error *e)
{
    enum status s = is_dfdc_folder(folder, ret_holds, summary, e);
    /* One that cannot be opened is the walk's error to report. */
    DIR *dir = s == STATUS_OK && !*ret_holds && depth > 0 ? opendir(folder) : NULL;
    const struct dirent *d;

    if (!dir)
        return s;
    while (s == STATUS_OK && !*ret_holds && (d = readdir(dir))) {
        char *below;

        if (d->d_name[0] == '.' || !is_folder(dir, d))
            continue;
        below = file_join(folder, d->d_name);
        s = below ? holds_dfdc(below, depth - 1, ret_holds, NULL, e) : error_no_memory(e);
        free(below);
    }
    closedir(dir);
    return s;
}

enum status layout_json_sniff(const char *path, enum layout_kind *ret_kind, struct error *e)
{
    char *data = malloc(SNIFF_BYTES + 1), *p;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    ssize_t n = -1;

    *ret_kind = LAYOUT_AUTO;
    if (data && fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        n = read(fd, data, SNIFF_BYTES);
    if (fd >= 0)
        close(fd);
    if (n > 0) {
        data[n] = '\0';
        p = data + strspn(data, " \t\r\n\xef\xbb\xbf");
        if (*p == '[' && strstr(p, "\"file\"") && (strstr(p, "\"modify_type\"") || strstr(p, "\"fake_segments\"")))
            *ret_kind = LAYOUT_AVDEEPFAKE1M;
        else if (*p == '{' && strstr(p, "\"frames\"") && strstr(p, "\"label\""))
            *ret_kind = LAYOUT_DEEPFAKEBENCH;
    }
    if (!data)
        return error_no_memory(e);
    free(data);
    return STATUS_OK;
}

static bool is_json(const char *name)
{
    size_t len = strlen(name);

    return len > 5 && name[0] != '.' && strcmp(name + len - 5, ".json") == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct name_list {
    char **items;
    size_t n, room;
};

static void name_list_clear(struct name_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct name_list){0};
}

/* Adds the lists of that kind in a folder ("" or "dataset_json") of the root. */
static enum status list_jsons_in(struct scan *scan, const char *folder, enum layout_kind kind, struct name_list *list)
{
    char *path = file_join(scan->root, folder);
    DIR *dir = path ? opendir(path) : NULL;
    const struct dirent *d;
    enum status s = path ? STATUS_OK : error_no_memory(scan->e);

    while (dir && s == STATUS_OK && (d = readdir(dir))) {
        enum layout_kind found = LAYOUT_AUTO;
        char *file, **bigger;

        if (!is_json(d->d_name))
            continue;
        file = file_join(path, d->d_name);
        s = file ? layout_json_sniff(file, &found, scan->e) : error_no_memory(scan->e);
        free(file);
        if (s != STATUS_OK || found != kind)
            continue;
        bigger = layout_with_room(list->items, list->n, &list->room, sizeof(*bigger));
        if (bigger)
            list->items = bigger;
        file = bigger ? file_join(folder, d->d_name) : NULL;
        if (file)
            list->items[list->n++] = file;
        else
            s = error_no_memory(scan->e);
    }
    if (dir)
        closedir(dir);
    free(path);
    return s;
}

/* In byte order. The caller clears the list, also on failure. */
static enum status list_jsons(struct scan *scan, enum layout_kind kind, struct name_list *list)
{
    enum status s = list_jsons_in(scan, "", kind, list);

    if (s == STATUS_OK)
        s = list_jsons_in(scan, "dataset_json", kind, list);
    if (list->n > 0)
        qsort(list->items, list->n, sizeof(*list->items), by_text);
    return s;
}

enum status layout_add_json_sources(struct scan *scan, struct collection *c, enum layout_kind kind)
{
    struct manifest_entry entry = {.path = scan->file};
    struct name_list list = {0};
    enum status s;

    if (scan->file)
        return collect_add_source(scan, c, &entry);
    s = list_jsons(scan, kind, &list);
    if (s == STATUS_OK && list.n == 0)
        s = error_set(scan->e, STATUS_INVALID,
                      "%.500s: no list of %s: looked for *.json in it and in dataset_json/; videos found: %zu",
                      scan->corpus, kind == LAYOUT_DEEPFAKEBENCH ? "DeepfakeBench" : "AV-Deepfake1M",
                      manifest_count(c->disk));
    for (size_t i = 0; s == STATUS_OK && i < list.n; i++) {
        entry.path = list.items[i];
        s = collect_add_source(scan, c, &entry);
    }
    name_list_clear(&list);
    return s;
}

static void keep_first(char kept[256], const char *path)
{
    if (strlen(path) < 256 && (kept[0] == '\0' || strcmp(path, kept) < 0))
        memcpy(kept, path, strlen(path) + 1);
}

/* Folders and archives by their names; relative: folder's path from the root. */
static enum status look(struct scan *scan, const char *folder, const char *relative, unsigned depth,
                        struct finds *finds)
{
    /* One that cannot be opened is the walk's error to report. */
    DIR *dir = opendir(folder);
    const struct dirent *d;
    enum status s = STATUS_OK;

    while (dir && s == STATUS_OK && (d = readdir(dir))) {
        const char *name = d->d_name;
        enum archive_format format = layout_archive_format(name);
        char *path, *below;

        if (name[0] == '.')
            continue;
        path = file_join(relative, name);
        below = file_join(folder, name);
        if (!path || !below) {
            s = error_no_memory(scan->e);
        } else if (is_folder(dir, d)) {
            if (strcmp(name, "original_sequences") == 0 || strcmp(name, "manipulated_sequences") == 0)
                keep_first(finds->ffpp, path);
            if (strcasecmp(name, "Celeb-real") == 0 || strcasecmp(name, "Celeb-synthesis") == 0 ||
                strcasecmp(name, "YouTube-real") == 0)
                keep_first(finds->celebdf, path);
            if (depth > 0)
                s = look(scan, below, path, depth - 1, finds);
        } else if (format == ARCHIVE_FORMAT_TAR || format == ARCHIVE_FORMAT_ZIP) {
            keep_first(finds->archive, path);
        }
        free(path);
        free(below);
    }
    if (dir)
        closedir(dir);
    return s;
}

/* Whether the archive holds labels of DFDC, and whether it holds a video. Labels there are taken at their word: reading them
 * is the layout's. */
static enum status look_into(struct scan *scan, const char *path, bool *ret_dfdc, bool *ret_video)
{
    char *file = file_join(scan->root, path);
    struct layout_archive *a = NULL;
    struct archive_member member;
    struct error why = {0};
    enum status s = file ? layout_archive_open(AT_FDCWD, file, &a, &why) : STATUS_NO_MEMORY;

    for (size_t n = 0; s == STATUS_OK && n < MAX_SNIFFED_MEMBERS && !*ret_dfdc; n++) {
        s = layout_archive_next(a, &member, &why);
        if (s != STATUS_OK || member.kind != ARCHIVE_FILE)
            continue;
        *ret_dfdc = strcmp(layout_last_component(member.name), "metadata.json") == 0;
        *ret_video = *ret_video || layout_is_video(scan, layout_last_component(member.name));
    }
    layout_archive_close(&a);
    free(file);
    /* A damaged one is the walk's to report. */
    return s == STATUS_NO_MEMORY ? error_no_memory(scan->e) : STATUS_OK;
}

static void why(struct scan *scan, const char *what, const char *path)
{
    struct layout_example words = {0};

    layout_count(&words, "%s%s", what, path);
    snprintf(scan->summary->why, sizeof(scan->summary->why), "%.150s", words.first);
}

/* What a plain folder may be part of, or hold. */
static enum status hint(struct scan *scan)
{
    static const char *const inner[] = {"original_sequences", "manipulated_sequences"};
    static const char *const parts[] = {"Celeb-real", "YouTube-real", "Celeb-synthesis"};
    const char *name = layout_last_component(scan->root);
    const struct dirent *d;
    struct stat st;
    bool has_own = false;
    char found[256] = "";
    DIR *dir;

    for (size_t i = 0; i < 2; i++) {
        const char *p = strstr(scan->root, inner[i]);

        if (p && p > scan->root && p[-1] == '/' && (p[strlen(inner[i])] == '/' || p[strlen(inner[i])] == '\0')) {
            layout_note(scan->summary,
                        "the folder lies in %s of FaceForensics++: give the folder above that for labels", inner[i]);
            return STATUS_OK;
        }
    }
    for (size_t i = 0; i < 3; i++) {
        if (strcasecmp(name, parts[i]) == 0) {
            layout_note(scan->summary, "the folder is %s of Celeb-DF: give the folder above it for labels", parts[i]);
            return STATUS_OK;
        }
    }
    if (strcasecmp(name, "real") == 0 || strcasecmp(name, "fake") == 0) {
        layout_note(scan->summary, "the folder is itself '%s': give the folder above it for labels", name);
        return STATUS_OK;
    }
    dir = opendir(scan->root);
    while (dir && (d = readdir(dir))) {
        char path[600];

        if (d->d_name[0] == '.' || !is_folder(dir, d))
            continue;
        has_own = has_own || strcasecmp(d->d_name, "real") == 0 || strcasecmp(d->d_name, "fake") == 0;
        snprintf(path, sizeof(path), "%s/real", d->d_name);
        if (fstatat(dirfd(dir), path, &st, 0) != 0 || !S_ISDIR(st.st_mode))
            continue;
        snprintf(path, sizeof(path), "%s/fake", d->d_name);
        if (fstatat(dirfd(dir), path, &st, 0) == 0 && S_ISDIR(st.st_mode))
            keep_first(found, d->d_name);
    }
    if (dir)
        closedir(dir);
    if (found[0] != '\0' && !has_own)
        layout_note(scan->summary, "real/ and fake/ are in '%s': give that folder for labels", found);
    return STATUS_OK;
}

static enum status find_json(struct scan *scan, enum layout_kind kind, char ret_path[256])
{
    struct name_list list = {0};
    enum status s = list_jsons(scan, kind, &list);

    for (size_t i = 0; i < list.n; i++)
        keep_first(ret_path, list.items[i]);
    name_list_clear(&list);
    return s;
}

enum status layout_recognise(struct scan *scan, enum layout_kind *ret_kind)
{
    enum label_file labels = LABEL_FILE_OTHER;
    bool is_dfdc = false, has_video = false;
    struct finds finds = {0};
    char bench[256] = "", list[256] = "";
    struct layout_summary *summary = scan->summary;
    enum status s = holds_dfdc(scan->root, 2, &is_dfdc, summary, scan->e);

    if (s == STATUS_OK)
        s = sniff_in(scan->root, "labels.csv", &labels, scan->e);
    if (s != STATUS_OK)
        return s;
    if (is_dfdc) {
        *ret_kind = LAYOUT_DFDC;
        why(scan, "labels of DFDC", "");
        return STATUS_OK;
    }
    if (labels == LABEL_FILE_CSV || labels == LABEL_FILE_UNREADABLE) {
        *ret_kind = LAYOUT_CSV;
        why(scan, "its labels.csv", "");
        return STATUS_OK;
    }
    s = look(scan, scan->root, "", 2, &finds);
    if (s == STATUS_OK)
        s = find_json(scan, LAYOUT_DEEPFAKEBENCH, bench);
    if (s == STATUS_OK)
        s = find_json(scan, LAYOUT_AVDEEPFAKE1M, list);
    if (s == STATUS_OK && finds.archive[0] != '\0')
        s = look_into(scan, finds.archive, &is_dfdc, &has_video);
    if (s != STATUS_OK)
        return s;
    if (list[0] != '\0') {
        *ret_kind = LAYOUT_AVDEEPFAKE1M;
        why(scan, "the list ", list);
    } else if (bench[0] != '\0') {
        *ret_kind = LAYOUT_DEEPFAKEBENCH;
        why(scan, "the list ", bench);
    } else if (finds.ffpp[0] != '\0') {
        *ret_kind = LAYOUT_FFPP;
        why(scan, "the folder ", finds.ffpp);
    } else if (finds.celebdf[0] != '\0') {
        *ret_kind = LAYOUT_CELEBDF;
        why(scan, "the folder ", finds.celebdf);
    } else if (is_dfdc) {
        *ret_kind = LAYOUT_DFDC;
        why(scan, "labels of DFDC in ", finds.archive);
    } else if (has_video && !layout_has_label_folder(scan)) {
        *ret_kind = LAYOUT_VIDEO2DATASET;
        why(scan, "videos in ", finds.archive);
    } else {
        if (labels == LABEL_FILE_OTHER)
            layout_note(summary, "labels.csv is not read: it has no column 'path'");
        *ret_kind = LAYOUT_DIR;
        return hint(scan);
    }
    /* Its lists are not DFDC's, and are read all the same. */
    if (*ret_kind == LAYOUT_AVDEEPFAKE1M || *ret_kind == LAYOUT_DEEPFAKEBENCH)
        summary->notes[0] = '\0';
    return STATUS_OK;
}

bool layout_has_label_folder(const struct scan *scan)
{
    DIR *dir = opendir(scan->root);
    const struct dirent *d;
    bool has = false;

    while (dir && !has && (d = readdir(dir)))
        has = is_folder(dir, d) && (strcasecmp(d->d_name, "real") == 0 || strcasecmp(d->d_name, "fake") == 0);
    if (dir)
        closedir(dir);
    return has;
}
