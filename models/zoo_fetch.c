#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "models/detector_find.h"
#include "models/spawn.h"
#include "models/zoo.h"
#include "models/zoo_index.h"
#include "models/zoo_install.h"
#include "models/zoo_licence.h"
#include "models/zoo_source.h"
#include "shard/file.h"

struct fetch {
    const struct zoo_model *m;
    const char *data; /* absolute */
    const struct zoo_fetch_settings *how;
    struct zoo_install place;
    char *stamp; /* CACHE/NAME/source.sha256: zoo_model_hash of what it was made from */
    char hash[SHA256_HEX_BYTES];
    FILE *out;
};

static void fetch_clear(struct fetch *f)
{
    zoo_install_end(&f->place);
    free(f->stamp);
}

static enum status fetch_prepare(struct fetch *f, const char *cache, struct error *e)
{
    enum status s = zoo_model_hash(f->m, f->data, f->hash, e);

    if (s == STATUS_OK)
        s = zoo_install_begin(cache, f->m->name, f->out, &f->place, e);
    if (s != STATUS_OK)
        return s;
    f->stamp = zoo_path("%s/source.sha256", f->place.installed);
    return f->stamp ? STATUS_OK : error_no_memory(e);
}

/* Whether what is installed was made from the same entry, card and converter, and its files are whole. */
static bool is_current(const struct fetch *f)
{
    struct found found = {0};
    char *stamp = NULL, *card = zoo_path("%s/card.json", f->place.installed);
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
    char *script = zoo_path("%s/convert/%s", f->data, m->converter),
         *log = zoo_path("%s/convert.log", f->place.partial);
    /* -B: the converters' folder may not be ours to write __pycache__ into. */
    const char *argv[5 + 2 * ZOO_MAX_FILES + 1] = {"/usr/bin/python3", "-B", script, "-o", f->place.made};
    const struct spawn python = {.argv = argv, .folder = f->place.partial, .log_path = log};
    struct error inner = {0};
    unsigned n_arguments = 5;
    enum status s = script && log ? STATUS_OK : error_no_memory(e);

    for (unsigned i = 0; s == STATUS_OK && i < m->n_files; i++) {
        if (m->files[i].licence)
            continue;
        paths[i] = file_join(f->place.source, m->files[i].name);
        if (!paths[i])
            s = error_no_memory(e);
        argv[n_arguments++] = m->files[i].option;
        argv[n_arguments++] = paths[i];
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

/* Licences, and without a converter the source files, which are the networks then, are installed as they are. */
static enum status move_sources(const struct fetch *f, struct error *e)
{
    for (unsigned i = 0; i < f->m->n_files; i++) {
        char *from = file_join(f->place.source, f->m->files[i].name);
        char *to = file_join(f->place.made, f->m->files[i].name);
        enum status s = STATUS_OK;

        if (!from || !to)
            s = error_no_memory(e);
        else if ((f->m->converter[0] == '\0' || f->m->files[i].licence) && rename(from, to) != 0)
            s = error_set_errno(e, errno, "%s: cannot rename to %s", from, to);
        free(from);
        free(to);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

static enum status write_card(const struct fetch *f, struct error *e)
{
    char *from = zoo_path("%s/cards/%s/card.json", f->data, f->m->name);
    char *stamp = zoo_path("%s/source.sha256", f->place.made);
    enum status s = from && stamp ? zoo_install_card(&f->place, from, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = file_write(stamp, f->hash, strlen(f->hash), e);
    free(from);
    free(stamp);
    return s;
}

static enum status install(const struct fetch *f, struct error *e)
{
    enum status s = zoo_licence_check(f->m, f->how->accept_licence, f->out, e);

    if (s == STATUS_OK)
        s = zoo_install_open_folders(&f->place, e);
    if (s == STATUS_OK)
        s = zoo_source_get(f->m, f->place.source, f->out, e);
    if (s == STATUS_OK && f->m->converter[0] != '\0')
        s = convert(f, e);
    if (s == STATUS_OK)
        s = move_sources(f, e);
    if (s == STATUS_OK)
        s = zoo_licence_write(f->m, f->place.made, e);
    if (s == STATUS_OK)
        s = write_card(f, e);
    return s == STATUS_OK ? zoo_install_commit(&f->place, e) : s;
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Where what is fetched comes from and goes to, absolute. */
struct target {
    const char *data, *cache;
    const struct zoo_fetch_settings *how;
};

static enum status fetch_one(const struct zoo_model *m, const struct target *to, FILE *out, struct error *e)
{
    struct fetch f = {.m = m, .data = to->data, .how = to->how, .place = {.lock = -1}, .out = out};
    double from = seconds();
    enum status s = fetch_prepare(&f, to->cache, e);

    if (s == STATUS_OK && is_current(&f)) {
        fprintf(out, "%s: installed already in %s, unchanged\n", m->name, f.place.installed);
    } else if (s == STATUS_OK) {
        s = install(&f, e);
        if (s == STATUS_OK)
            fprintf(out, "%s: installed in %s (%.1f s)\n", m->name, f.place.installed, seconds() - from);
    }
    fflush(out);
    fetch_clear(&f);
    return s;
}

/* A detector is of no use without its face detector, so that comes with it. */
static enum status fetch_with_finder(const struct zoo_index *index, const struct zoo_model *m, const struct target *to,
                                     FILE *out, struct error *e)
{
    struct card *card = NULL;
    char *path = zoo_path("%s/cards/%s/card.json", to->data, m->name);
    const struct zoo_model *finder = NULL;
    enum status s = path ? card_load(path, &card, e) : error_no_memory(e);

    if (s == STATUS_OK && card->kind == CARD_DETECTOR && card->input == INPUT_FACES)
        finder = zoo_index_find(index, card->face.detector);
    if (s == STATUS_OK && finder)
        s = fetch_one(finder, to, out, e);
    if (s == STATUS_OK)
        s = fetch_one(m, to, out, e);
    card_close(&card);
    free(path);
    return s;
}

/* One that fails does not keep the others from being fetched. */
static enum status fetch_all(const struct zoo_index *index, const struct target *to, FILE *out, struct error *e)
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
        if (fetch_one(m, to, out, &inner) == STATUS_OK)
            continue;
        fprintf(out, "%s\n", inner.text);
        if (failed++ == 0)
            first = inner;
    }
    if (failed > 0)
        return error_set(e, first.status, "%u of %u could not be fetched, the first: %s", failed, tried, first.text);
    return STATUS_OK;
}

static enum status fetch_named(const struct zoo_index *index, const char *name, const struct target *to, FILE *out,
                               struct error *e)
{
    const struct zoo_model *m = zoo_index_find(index, name);
    struct found found = {0};
    struct error inner = {0};

    if (m)
        return fetch_with_finder(index, m, to, out, e);
    if (card_name_is_plain(name) && detector_find(name, 0, &found, &inner) == STATUS_OK) {
        fprintf(out, "%s: there already (%s), and not in the zoo's index: nothing to fetch\n", name, found.card_path);
        found_clear(&found);
        return STATUS_OK;
    }
    if (inner.status == STATUS_NOT_FOUND && strstr(inner.text, "models add"))
        return error_set(e, STATUS_NOT_FOUND, "%s", inner.text);
    return error_set(e, STATUS_NOT_FOUND, "%s: not in the zoo's index; `fakesift models list` names what is", name);
}

enum status zoo_fetch(const char *name, FILE *out, struct error *e)
{
    static const struct zoo_fetch_settings plain;

    return zoo_fetch_as(name, &plain, out, e);
}

enum status zoo_fetch_as(const char *name, const struct zoo_fetch_settings *how, FILE *out, struct error *e)
{
    struct zoo_index *index = NULL;
    struct target to = {.how = how};
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
    to.data = data_real;
    to.cache = cache_real;
    if (!data_real || !cache_real)
        s = error_set_errno(e, errno, "%s: cannot resolve", data_real ? cache : data);
    else if (strcmp(name, "all") == 0)
        s = fetch_all(index, &to, out, e);
    else
        s = fetch_named(index, name, &to, out, e);
end:
    free(index);
    free(data);
    free(cache);
    free(data_real);
    free(cache_real);
    return s;
}
