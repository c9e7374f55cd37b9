#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/detector_find.h"
#include "models/zoo.h"
#include "models/zoo_index.h"
#include "models/zoo_source.h"
#include "shard/file.h"

enum { MAX_NAMES = 512 };

struct row {
    char *name;
    char *state, *kind, *licence, *what;
};

static void rows_clear(struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(rows[i].name);
        free(rows[i].state);
        free(rows[i].kind);
        free(rows[i].licence);
        free(rows[i].what);
    }
    free(rows);
}

static enum status add_name(struct row *rows, size_t *n, const char *name, struct error *e)
{
    for (size_t i = 0; i < *n; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return STATUS_OK;
    }
    if (*n == MAX_NAMES)
        return error_set(e, STATUS_UNSUPPORTED, "more than %d detectors", MAX_NAMES);
    rows[*n].name = strdup(name);
    if (!rows[*n].name)
        return error_no_memory(e);
    ++*n;
    return STATUS_OK;
}

/* The folders of folder that hold a card.json. A folder that is not there holds none. */
static enum status add_folder(struct row *rows, size_t *n, const char *folder, struct error *e)
{
    DIR *d = opendir(folder);
    struct dirent *entry;
    enum status s = STATUS_OK;

    while (d && s == STATUS_OK && (entry = readdir(d)) != NULL) {
        char *card;

        if (!card_name_is_plain(entry->d_name) || strstr(entry->d_name, ".partial-"))
            continue;
        card = zoo_path("%s/%s/card.json", folder, entry->d_name);
        if (!card)
            s = error_no_memory(e);
        else if (access(card, F_OK) == 0)
            s = add_name(rows, n, entry->d_name, e);
        free(card);
    }
    if (d)
        closedir(d);
    return s;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct row *)a)->name, ((const struct row *)b)->name);
}

/* state: of a detector whose files are found; for one that is not, where it would come from. */
static enum status describe(struct row *r, const struct zoo_index *index, const char *data, const char *cache,
                            struct error *e)
{
    const struct zoo_model *m = zoo_index_find(index, r->name);
    const char *state = "installed", *source = m ? zoo_source_of(m) : NULL;
    char *installed = zoo_path("%s/%s/card.json", cache, r->name);
    char *shipped = zoo_path("%s/cards/%s/card.json", data, r->name);
    struct card *card = NULL;
    struct found found = {0};
    struct error problem = {0};
    bool here = installed && access(installed, F_OK) == 0;

    if (detector_find(r->name, 0, &found, &problem) == STATUS_OK)
        state = here ? "installed" : "shipped";
    else if (here)
        state = "broken";
    else if (source)
        state = strcmp(source, "npm") == 0     ? "fetch (npm)"
                : strcmp(source, "https") == 0 ? "fetch (https)"
                                               : "fetch (mirror)";
    else
        state = m ? "needs a mirror" : "no weights";
    if (installed && shipped && card_load(here ? installed : shipped, &card, &problem) == STATUS_OK) {
        r->kind = strdup(card->kind == CARD_FACE_DETECTOR ? "face detector"
                         : card->kind == CARD_ENSEMBLE    ? "ensemble"
                                                          : "detector");
        r->licence = strdup(card->licence);
        r->what = strdup(card->title);
    } else {
        state = "broken";
        r->kind = strdup("?");
        r->licence = strdup("?");
        r->what = strdup(problem.text);
    }
    r->state = strdup(state);
    found_clear(&found);
    card_close(&card);
    free(installed);
    free(shipped);
    return r->kind && r->licence && r->what && r->state ? STATUS_OK : error_no_memory(e);
}

static int widest(const struct row *rows, size_t n, size_t member, const char *title)
{
    size_t width = strlen(title);

    for (size_t i = 0; i < n; i++) {
        const char *text = *(char *const *)(const void *)((const char *)&rows[i] + member);

        if (strlen(text) > width)
            width = strlen(text);
    }
    return (int)width;
}

static void print_rows(const struct row *rows, size_t n, FILE *out)
{
    int name = widest(rows, n, offsetof(struct row, name), "NAME");
    int kind = widest(rows, n, offsetof(struct row, kind), "KIND");
    int state = widest(rows, n, offsetof(struct row, state), "STATE");
    int licence = widest(rows, n, offsetof(struct row, licence), "LICENCE");

    fprintf(out, "%-*s  %-*s  %-*s  %-*s  %s\n", name, "NAME", kind, "KIND", state, "STATE", licence, "LICENCE",
            "WHAT");
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%-*s  %-*s  %-*s  %-*s  %s\n", name, rows[i].name, kind, rows[i].kind, state, rows[i].state,
                licence, rows[i].licence, rows[i].what);
}

enum status zoo_list(FILE *out, struct error *e)
{
    struct zoo_index *index = NULL;
    char *data = zoo_data_folder(), *cache = zoo_cache_folder(), *cards = data ? file_join(data, "cards") : NULL;
    struct row *rows = calloc(MAX_NAMES, sizeof(*rows));
    size_t n = 0;
    enum status s = cards && cache && rows ? zoo_index_load(data, &index, e) : error_no_memory(e);

    for (unsigned i = 0; s == STATUS_OK && i < index->n_models; i++)
        s = add_name(rows, &n, index->models[i].name, e);
    if (s == STATUS_OK)
        s = add_folder(rows, &n, cards, e);
    if (s == STATUS_OK)
        s = add_folder(rows, &n, cache, e);
    if (s != STATUS_OK)
        goto end;
    qsort(rows, n, sizeof(*rows), by_name);
    for (size_t i = 0; s == STATUS_OK && i < n; i++)
        s = describe(&rows[i], index, data, cache, e);
    if (s == STATUS_OK)
        print_rows(rows, n, out);
end:
    if (rows)
        rows_clear(rows, n);
    free(index);
    free(data);
    free(cache);
    free(cards);
    return s;
}
