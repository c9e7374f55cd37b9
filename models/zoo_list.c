#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/detector_find.h"
#include "models/zoo.h"
#include "models/zoo_index.h"
#include "models/zoo_source.h"
#include "shard/file.h"
#include "shard/text.h"

enum { MAX_NAMES = 512 };

struct row {
    char *name;
    char *state, *kind, *licence, *what;
    struct card *card; /* NULL = cannot be read */
};

static void rows_clear(struct row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(rows[i].name);
        free(rows[i].state);
        free(rows[i].kind);
        free(rows[i].licence);
        free(rows[i].what);
        card_close(&rows[i].card);
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

static const char *kind_text(const struct card *card)
{
    return card->kind == CARD_FACE_DETECTOR ? "face detector"
           : card->kind == CARD_ENSEMBLE    ? "ensemble"
           : card->kind == CARD_FEATURES    ? "features"
                                            : "detector";
}

/* The networks that a card without weights waits for; the caller frees it. */
static char *wanted_text(const struct card *card)
{
    char *text = strdup("bring your own weights:");

    for (size_t i = 0; text && card_network_at(card, i); i++) {
        char *longer = zoo_path("%s %s", text, card_network_at(card, i)->file);

        free(text);
        text = longer;
    }
    return text;
}

/* state: of a detector whose files are found; for one that is not, where it would come from. */
static enum status describe(struct row *r, const struct zoo_index *index, const char *data, const char *cache,
                            struct error *e)
{
    const struct zoo_model *m = zoo_index_find(index, r->name);
    const char *state = "installed", *source = m ? zoo_source_of(m) : NULL;
    char *installed = zoo_path("%s/%s/card.json", cache, r->name);
    char *shipped = zoo_path("%s/cards/%s/card.json", data, r->name);
    struct found found = {0};
    struct card *newest = NULL;
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
    if (installed && shipped && card_load(here ? installed : shipped, &r->card, &problem) == STATUS_OK) {
        r->kind = strdup(kind_text(r->card));
        r->licence = strdup(r->card->licence);
        r->what = strdup(r->card->title);
        if (strcmp(state, "no weights") == 0 && r->card->notes.weights[0] != '\0')
            r->state = wanted_text(r->card);
    } else {
        state = "broken";
        r->kind = strdup("?");
        r->licence = strdup("?");
        r->what = strdup(problem.text);
    }
    if (!r->state)
        r->state = strdup(state);
    /* The shipped card may tell more by now than what was installed from it. */
    if (here && r->card && shipped && access(shipped, F_OK) == 0 && card_load(shipped, &newest, NULL) == STATUS_OK)
        r->card->notes = newest->notes;
    card_close(&newest);
    found_clear(&found);
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

static void print_figures(const struct row *rows, size_t n, FILE *out)
{
    bool titled = false;

    for (size_t i = 0; i < n; i++) {
        const struct card_notes *notes = rows[i].card ? &rows[i].card->notes : NULL;

        for (unsigned k = 0; notes && k < notes->n_published + notes->n_measured; k++) {
            bool measured = k >= notes->n_published;
            const struct card_figure *f = measured ? &notes->measured[k - notes->n_published] : &notes->published[k];

            if (!titled)
                fprintf(out, "\nFIGURES (published by their authors; measured by fakesift)\n");
            titled = true;
            fprintf(out, "%s, %s: %s: %s (%s)\n", rows[i].name, measured ? "measured" : "published", f->what, f->value,
                    f->source);
        }
    }
}

static void append_figures(struct text *t, const char *key, const struct card_figure *figures, unsigned n)
{
    text_append_format(t, ",\"%s\":[", key);
    for (unsigned i = 0; i < n; i++) {
        text_append_string(t, i > 0 ? ",{\"what\":\"" : "{\"what\":\"");
        text_append_json(t, figures[i].what);
        text_append_string(t, "\",\"value\":\"");
        text_append_json(t, figures[i].value);
        text_append_string(t, "\",\"source\":\"");
        text_append_json(t, figures[i].source);
        text_append_string(t, "\"}");
    }
    text_append_string(t, "]");
}

static enum status print_json(const struct row *rows, size_t n, FILE *out, struct error *e)
{
    struct text t = {0};
    char *all;

    text_append_string(&t, "[");
    for (size_t i = 0; i < n; i++) {
        const struct row *r = &rows[i];
        const char *const members[][2] = {
            {"name", r->name}, {"kind", r->kind}, {"state", r->state}, {"licence", r->licence}, {"title", r->what}};

        text_append_string(&t, i > 0 ? ",\n{" : "\n{");
        for (size_t k = 0; k < sizeof(members) / sizeof(members[0]); k++) {
            text_append_format(&t, "%s\"%s\":\"", k > 0 ? "," : "", members[k][0]);
            text_append_json(&t, members[k][1]);
            text_append_string(&t, "\"");
        }
        if (r->card) {
            const struct card_notes *notes = &r->card->notes;

            append_figures(&t, "published", notes->published, notes->n_published);
            append_figures(&t, "measured", notes->measured, notes->n_measured);
            text_append_string(&t, ",\"networks\":[");
            for (size_t k = 0; card_network_at(r->card, k); k++) {
                text_append_string(&t, k > 0 ? ",\"" : "\"");
                text_append_json(&t, card_network_at(r->card, k)->file);
                text_append_string(&t, "\"");
            }
            text_append_string(&t, "]");
        }
        text_append_string(&t, "}");
    }
    text_append_string(&t, "\n]\n");
    all = text_take(&t);
    if (!all)
        return error_no_memory(e);
    fputs(all, out);
    free(all);
    return STATUS_OK;
}

static enum status list(bool json, FILE *out, struct error *e)
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
    if (s == STATUS_OK && json)
        s = print_json(rows, n, out, e);
    if (s == STATUS_OK && !json) {
        print_rows(rows, n, out);
        print_figures(rows, n, out);
    }
end:
    if (rows)
        rows_clear(rows, n);
    free(index);
    free(data);
    free(cache);
    free(cards);
    return s;
}

enum status zoo_list(FILE *out, struct error *e)
{
    return list(false, out, e);
}

enum status zoo_list_json(FILE *out, struct error *e)
{
    return list(true, out, e);
}
