#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "models/detector_find.h"
#include "models/json.h"
#include "models/spawn.h"
#include "models/zoo.h"
#include "models/zoo_index.h"
#include "models/zoo_source.h"
#include "shard/file.h"

/* An installation is built in NAME.partial-PID beside its place and renamed to it, so it is complete or not
 * there. A lock on .NAME.lock lets one fetch of a name work at a time; the next finds the work done. */
struct fetch {
    const struct zoo_model *m;
    const char *data; /* absolute */
    char *installed;  /* CACHE/NAME */
    char *partial;    /* CACHE/NAME.partial-PID, with source/ and out/ */
    char *source, *made;
    char *stamp; /* CACHE/NAME/source.sha256: zoo_model_hash of what it was made from */
    char hash[SHA256_HEX_BYTES];
    int lock;
    FILE *out;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void fetch_clear(struct fetch *f)
{
    if (f->partial)
        remove_tree(f->partial);
    if (f->lock >= 0)
        close(f->lock);
    free(f->installed);
    free(f->partial);
    free(f->source);
    free(f->made);
    free(f->stamp);
}

static enum status lock(struct fetch *f, const char *cache, struct error *e)
{
    char *path = zoo_path("%s/.%s.lock", cache, f->m->name);
    enum status s = STATUS_OK;

    if (!path)
        return error_no_memory(e);
    f->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (f->lock < 0) {
        s = error_set_errno(e, errno, "%s: cannot create", path);
    } else if (flock(f->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        fprintf(f->out, "%s: another fetch is at work; waiting for it\n", f->m->name);
        fflush(f->out);
        while (flock(f->lock, LOCK_EX) != 0 && errno == EINTR)
            ;
    }
    /* A filesystem without locks: the rename alone keeps an installation whole. */
    free(path);
    return s;
}

static enum status fetch_prepare(struct fetch *f, const char *cache, struct error *e)
{
    enum status s = zoo_model_hash(f->m, f->data, f->hash, e);

    if (s != STATUS_OK)
        return s;
    f->installed = file_join(cache, f->m->name);
    f->partial = zoo_path("%s/%s.partial-%ld", cache, f->m->name, (long)getpid());
    f->source = f->partial ? zoo_path("%s/source", f->partial) : NULL;
    f->made = f->partial ? zoo_path("%s/made", f->partial) : NULL;
    f->stamp = f->installed ? zoo_path("%s/source.sha256", f->installed) : NULL;
    if (!f->installed || !f->source || !f->made || !f->stamp)
        return error_no_memory(e);
    return lock(f, cache, e);
}

/* Whether what is installed was made from the same entry, card and converter, and its files are whole. */
static bool is_current(const struct fetch *f)
{
    struct found found = {0};
    char *stamp = NULL, *card = zoo_path("%s/card.json", f->installed);
    size_t len = 0;
    bool current = card && file_read(f->stamp, SHA256_HEX_BYTES, &stamp, &len, NULL) == STATUS_OK &&
                   strncmp(stamp, f->hash, SHA256_HEX_BYTES - 1) == 0 &&
                   detector_find(card, 0, &found, NULL) == STATUS_OK;

    if (current)
        found_clear(&found);
    free(stamp);
    free(card);
    return current;
}

static enum status convert(const struct fetch *f, struct error *e)
{
    const struct zoo_model *m = f->m;
    char *paths[ZOO_MAX_FILES] = {NULL};
    char *script = zoo_path("%s/convert/%s", f->data, m->converter), *log = zoo_path("%s/convert.log", f->partial);
    /* -B: the converters' folder may not be ours to write __pycache__ into. */
    const char *argv[5 + 2 * ZOO_MAX_FILES + 1] = {"/usr/bin/python3", "-B", script, "-o", f->made};
    const struct spawn python = {.argv = argv, .folder = f->partial, .log_path = log};
    struct error inner = {0};
    enum status s = script && log ? STATUS_OK : error_no_memory(e);

    for (unsigned i = 0; s == STATUS_OK && i < m->n_files; i++) {
        paths[i] = file_join(f->source, m->files[i].name);
        if (!paths[i])
            s = error_no_memory(e);
        argv[5 + 2 * i] = m->files[i].option;
        argv[6 + 2 * i] = paths[i];
    }
    if (s == STATUS_OK) {
        fprintf(f->out, "%s: converting with %s\n", m->name, m->converter);
        fflush(f->out);
        s = spawn_run(&python, &inner);
        if (s != STATUS_OK)
            s = error_set(e, s, "%s: %s failed: %s", m->name, m->converter, inner.text);
    }
    for (unsigned i = 0; i < m->n_files; i++)
        free(paths[i]);
    free(script);
    free(log);
    return s;
}

/* Without a converter the source files are the networks. */
static enum status move_sources(const struct fetch *f, struct error *e)
{
    for (unsigned i = 0; i < f->m->n_files; i++) {
        char *from = file_join(f->source, f->m->files[i].name), *to = file_join(f->made, f->m->files[i].name);
        enum status s = STATUS_OK;

        if (!from || !to)
            s = error_no_memory(e);
        else if (rename(from, to) != 0)
            s = error_set_errno(e, errno, "%s: cannot rename to %s", from, to);
        free(from);
        free(to);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

/* The network objects of a card: everything with a "file" gets the sha256 of that file. */
static enum status state_sums(const struct fetch *f, cJSON *node, struct error *e)
{
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(node, "file");
    char hex[SHA256_HEX_BYTES];

    for (cJSON *c = node->child; c; c = c->next) {
        enum status s = cJSON_IsObject(c) || cJSON_IsArray(c) ? state_sums(f, c, e) : STATUS_OK;

        if (s != STATUS_OK)
            return s;
    }
    if (cJSON_IsObject(node) && cJSON_IsString(file)) {
        char *path = file_join(f->made, file->valuestring);
        enum status s = path ? hash_file(path, hex, e) : error_no_memory(e);

        free(path);
        if (s != STATUS_OK)
            return s;
        cJSON_DeleteItemFromObjectCaseSensitive(node, "sha256");
        if (!cJSON_AddStringToObject(node, "sha256", hex))
            return error_no_memory(e);
    }
    return STATUS_OK;
}

/* The shipped card, with the sums of the files that were made here, so that later damage is seen. */
static enum status write_card(const struct fetch *f, struct error *e)
{
    char *from = zoo_path("%s/cards/%s/card.json", f->data, f->m->name), *to = zoo_path("%s/card.json", f->made);
    char *stamp = zoo_path("%s/source.sha256", f->made), *printed = NULL;
    cJSON *card = NULL;
    enum status s = from && to && stamp ? json_read(from, CARD_MAX_BYTES, &card, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = state_sums(f, card, e);
    if (s == STATUS_OK) {
        printed = cJSON_Print(card);
        s = printed ? file_write(to, printed, strlen(printed), e) : error_no_memory(e);
    }
    if (s == STATUS_OK)
        s = file_write(stamp, f->hash, strlen(f->hash), e);
    cJSON_free(printed);
    cJSON_Delete(card);
    free(from);
    free(to);
    free(stamp);
    return s;
}

/* Puts made/ in the place of what is installed: in one step where the filesystem can exchange two folders. */
static enum status put_in_place(const struct fetch *f, struct error *e)
{
    char *old = zoo_path("%s/old", f->partial);
    enum status s = STATUS_OK;

    if (!old)
        return error_no_memory(e);
    if (rename(f->made, f->installed) != 0) {
        bool in_the_way = errno == ENOTEMPTY || errno == EEXIST;

        if (!in_the_way)
            s = error_set_errno(e, errno, "%s: cannot rename to %s", f->made, f->installed);
        else if (renameat2(AT_FDCWD, f->made, AT_FDCWD, f->installed, RENAME_EXCHANGE) != 0 &&
                 (rename(f->installed, old) != 0 || rename(f->made, f->installed) != 0))
            s = error_set_errno(e, errno, "%s: cannot be replaced", f->installed);
    }
    free(old);
    return s;
}

static enum status install(const struct fetch *f, struct error *e)
{
    struct found found = {0};
    char *card = zoo_path("%s/card.json", f->made);
    enum status s = card ? file_make_folder(f->source, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = file_make_folder(f->made, e);
    if (s == STATUS_OK)
        s = zoo_source_get(f->m, f->source, f->out, e);
    if (s == STATUS_OK)
        s = f->m->converter[0] != '\0' ? convert(f, e) : move_sources(f, e);
    if (s == STATUS_OK)
        s = write_card(f, e);
    if (s == STATUS_OK) {
        s = detector_find(card, 0, &found, e);
        if (s == STATUS_OK)
            found_clear(&found);
    }
    if (s == STATUS_OK)
        s = put_in_place(f, e);
    free(card);
    return s;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static enum status fetch_one(const struct zoo_model *m, const char *data, const char *cache, FILE *out, struct error *e)
{
    struct fetch f = {.m = m, .data = data, .lock = -1, .out = out};
    double from = seconds();
    enum status s = fetch_prepare(&f, cache, e);

    if (s == STATUS_OK && is_current(&f)) {
        fprintf(out, "%s: installed already in %s, unchanged\n", m->name, f.installed);
    } else if (s == STATUS_OK) {
        s = install(&f, e);
        if (s == STATUS_OK)
            fprintf(out, "%s: installed in %s (%.1f s)\n", m->name, f.installed, seconds() - from);
    }
    fflush(out);
    fetch_clear(&f);
    return s;
}

/* A detector is of no use without its face detector, so that comes with it. */
static enum status fetch_with_finder(const struct zoo_index *index, const struct zoo_model *m, const char *data,
                                     const char *cache, FILE *out, struct error *e)
{
    struct card *card = NULL;
    char *path = zoo_path("%s/cards/%s/card.json", data, m->name);
    const struct zoo_model *finder = NULL;
    enum status s = path ? card_load(path, &card, e) : error_no_memory(e);

    if (s == STATUS_OK && card->kind == CARD_DETECTOR && card->input == INPUT_FACES)
        finder = zoo_index_find(index, card->face.detector);
    if (s == STATUS_OK && finder)
        s = fetch_one(finder, data, cache, out, e);
    if (s == STATUS_OK)
        s = fetch_one(m, data, cache, out, e);
    card_close(&card);
    free(path);
    return s;
}

/* One that fails does not keep the others from being fetched. */
static enum status fetch_all(const struct zoo_index *index, const char *data, const char *cache, FILE *out,
                             struct error *e)
{
    unsigned failed = 0, tried = 0;
    struct error first = {0};

    for (unsigned i = 0; i < index->n_models; i++) {
        const struct zoo_model *m = &index->models[i];
        struct error inner = {0};

        if (!zoo_source_of(m)) {
            fprintf(out, "%s: left out: it comes from a mirror only ($FAKESIFT_ZOO_MIRROR)\n", m->name);
            continue;
        }
        tried++;
        if (fetch_one(m, data, cache, out, &inner) == STATUS_OK)
            continue;
        fprintf(out, "%s\n", inner.text);
        if (failed++ == 0)
            first = inner;
    }
    if (failed > 0)
        return error_set(e, first.status, "%u of %u could not be fetched, the first: %s", failed, tried, first.text);
    return STATUS_OK;
}

static enum status fetch_named(const struct zoo_index *index, const char *name, const char *data, const char *cache,
                               FILE *out, struct error *e)
{
    const struct zoo_model *m = zoo_index_find(index, name);
    struct found found = {0};
    struct error inner = {0};

    if (m)
        return fetch_with_finder(index, m, data, cache, out, e);
    if (card_name_is_plain(name) && detector_find(name, 0, &found, &inner) == STATUS_OK) {
        fprintf(out, "%s: there already (%s), and not in the zoo's index: nothing to fetch\n", name, found.card_path);
        found_clear(&found);
        return STATUS_OK;
    }
    return error_set(e, STATUS_NOT_FOUND, "%s: not in the zoo's index; `fakesift models list` names what is", name);
}

enum status zoo_fetch(const char *name, FILE *out, struct error *e)
{
    struct zoo_index *index = NULL;
    char *data = zoo_data_folder(), *cache = zoo_cache_folder();
    char *data_real = NULL, *cache_real = NULL;
    enum status s = data && cache ? zoo_index_load(data, &index, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = file_make_folder(cache, e);
    if (s != STATUS_OK)
        goto end;
    /* The programs that are started run in folders of their own. */
    data_real = realpath(data, NULL);
    cache_real = realpath(cache, NULL);
    if (!data_real || !cache_real)
        s = error_set_errno(e, errno, "%s: cannot resolve", data_real ? cache : data);
    else if (strcmp(name, "all") == 0)
        s = fetch_all(index, data_real, cache_real, out, e);
    else
        s = fetch_named(index, name, data_real, cache_real, out, e);
end:
    free(index);
    free(data);
    free(cache);
    free(data_real);
    free(cache_real);
    return s;
}
