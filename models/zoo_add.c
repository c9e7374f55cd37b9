/* fakesift models add: weights that only their user may have, put where a card expects them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/detector_find.h"
#include "models/zoo.h"
#include "models/zoo_install.h"
#include "models/zoo_source.h"
#include "shard/file.h"

enum { MOST_BYTES = 2000000000 }; /* what ONNX's format holds in one file */

static size_t count_networks(const struct card *card)
{
    size_t n = 0;

    while (card_network_at(card, n))
        n++;
    return n;
}

/* "frame.onnx" or "frame.onnx temporal.onnx"; the caller frees it. */
static char *list_networks(const struct card *card)
{
    char *list = strdup("");

    for (size_t i = 0; list && card_network_at(card, i); i++) {
        char *longer = zoo_path("%s%s%s", list, i > 0 ? " " : "", card_network_at(card, i)->file);

        free(list);
        list = longer;
    }
    return list;
}

static enum status check_count(const char *name, const struct card *card, size_t n_files, struct error *e)
{
    char *list;
    enum status s;

    if (n_files == count_networks(card))
        return STATUS_OK;
    list = list_networks(card);
    s = list ? error_set(e, STATUS_INVALID, "%s: %zu file%s given, but the card names %zu: %s", name, n_files,
                         n_files == 1 ? "" : "s", count_networks(card), list)
             : error_no_memory(e);
    free(list);
    return s;
}

/* The folders of "sub/frame.onnx" below made/. */
static enum status make_room(const char *target, struct error *e)
{
    char *folder = strdup(target);
    enum status s;

    if (!folder)
        return error_no_memory(e);
    *strrchr(folder, '/') = '\0';
    s = file_make_folder(folder, e);
    free(folder);
    return s;
}

static enum status copy_network(const struct zoo_install *place, const struct card_network *n, const char *from,
                                struct error *e)
{
    char *target = file_join(place->made, n->file), *data = NULL, hex[SHA256_HEX_BYTES];
    size_t len = 0;
    struct stat st;
    enum status s = target ? STATUS_OK : error_no_memory(e);

    if (s == STATUS_OK && stat(from, &st) != 0)
        s = error_set_errno(e, errno, "%s: cannot open", from);
    else if (s == STATUS_OK && !S_ISREG(st.st_mode))
        s = error_set(e, STATUS_INVALID, "%s: not a file", from);
    if (s == STATUS_OK)
        s = file_read(from, MOST_BYTES, &data, &len, e);
    if (s == STATUS_OK)
        s = make_room(target, e);
    if (s == STATUS_OK)
        s = file_write(target, data, len, e);
    if (s == STATUS_OK)
        s = hash_file(target, hex, e);
    if (s == STATUS_OK && n->sha256[0] != '\0' && strcmp(n->sha256, hex) != 0)
        s = error_set(e, STATUS_MISMATCH, "%s: its sha256 is %s, but the card wants %s; not installed", from, hex,
                      n->sha256);
    free(data);
    free(target);
    return s;
}

/* Against the card: read from made/, but the user knows card and files by their own names. */
static enum status check_networks(const struct zoo_install *place, const char *card_path, const char *const *files,
                                  struct error *e)
{
    struct found f = {0};
    char *card = zoo_path("%s/card.json", place->made);
    enum status s = card ? detector_find(card, 0, &f, e) : error_no_memory(e);

    if (s == STATUS_OK) {
        free(f.card_path);
        f.card_path = strdup(card_path);
        s = f.card_path ? STATUS_OK : error_no_memory(e);
    }
    for (size_t i = 0; s == STATUS_OK && f.card && card_network_at(f.card, i); i++) {
        free(f.files[i]);
        f.files[i] = realpath(files[i], NULL);
        if (!f.files[i])
            s = error_set_errno(e, errno, "%s: cannot resolve", files[i]);
    }
    if (s == STATUS_OK)
        s = found_check_networks(&f, e);
    found_clear(&f);
    free(card);
    return s;
}

static enum status install(const struct zoo_install *place, const struct card *card, const char *card_path,
                           const char *const *files, struct error *e)
{
    enum status s = zoo_install_open_folders(place, e);

    for (size_t i = 0; s == STATUS_OK && card_network_at(card, i); i++)
        s = copy_network(place, card_network_at(card, i), files[i], e);
    if (s == STATUS_OK)
        s = zoo_install_card(place, card_path, e);
    if (s == STATUS_OK)
        s = check_networks(place, card_path, files, e);
    return s == STATUS_OK ? zoo_install_commit(place, e) : s;
}

/* What was installed, and what a run of it still lacks. */
static void tell(const struct zoo_install *place, const struct card *card, FILE *out)
{
    struct found f = {0}, face = {0};
    struct error problem = {0};
    char *path = zoo_path("%s/card.json", place->installed);

    fprintf(out, "%s: installed in %s\n", place->name, place->installed);
    if (path && detector_find(path, 0, &f, &problem) == STATUS_OK) {
        for (size_t i = 0; card_network_at(f.card, i); i++)
            fprintf(out, "  %s sha256 %s\n", card_network_at(f.card, i)->file, f.sha256[i]);
    }
    if (card->kind == CARD_DETECTOR && card->input == INPUT_FACES &&
        detector_find(card->face.detector, CARD_FACE_DETECTOR, &face, &problem) != STATUS_OK)
        fprintf(out, "  its face detector is missing: `fakesift models fetch %s`\n", card->face.detector);
    found_clear(&f);
    found_clear(&face);
    free(path);
}

static bool is_path(const char *name)
{
    size_t n = strlen(name);

    return strchr(name, '/') || (n > 5 && strcmp(name + n - 5, ".json") == 0);
}

static char *card_path_of(const char *name, const char *data)
{
    size_t n = strlen(name);

    if (!is_path(name))
        return zoo_path("%s/cards/%s/card.json", data, name);
    return n > 5 && strcmp(name + n - 5, ".json") == 0 ? strdup(name) : file_join(name, "card.json");
}

enum status zoo_add(const char *name_or_card, const char *const *files, size_t n_files, FILE *out, struct error *e)
{
    struct zoo_install place = {.lock = -1};
    struct card *card = NULL;
    char *data = zoo_data_folder(), *cache = zoo_cache_folder(), *real = NULL, *path = NULL;
    enum status s = data && cache ? STATUS_OK : error_no_memory(e);

    if (s != STATUS_OK)
        goto end;
    if (!is_path(name_or_card) && !card_name_is_plain(name_or_card)) {
        s = error_set(e, STATUS_INVALID, "\"%s\" is not a detector's name nor the path of a card (.json)",
                      name_or_card);
        goto end;
    }
    path = card_path_of(name_or_card, data);
    if (!path)
        s = error_no_memory(e);
    else if (!is_path(name_or_card) && access(path, F_OK) != 0)
        s = error_set(e, STATUS_NOT_FOUND, "%s: no such card; `fakesift models list` names the known ones",
                      name_or_card);
    else
        s = card_load(path, &card, e);
    if (s == STATUS_OK)
        s = check_count(name_or_card, card, n_files, e);
    if (s == STATUS_OK)
        s = file_make_folder(cache, e);
    if (s == STATUS_OK) {
        real = realpath(cache, NULL);
        s = real ? zoo_install_begin(real, card->name, out, &place, e)
                 : error_set_errno(e, errno, "%s: cannot resolve", cache);
    }
    if (s == STATUS_OK)
        s = install(&place, card, path, files, e);
    if (s == STATUS_OK)
        tell(&place, card, out);
end:
    zoo_install_end(&place);
    card_close(&card);
    free(data);
    free(cache);
    free(real);
    free(path);
    return s;
}
