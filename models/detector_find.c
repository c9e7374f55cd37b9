#include "models/detector_find.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/detector.h"
#include "models/zoo.h"
#include "shard/file.h"

void found_clear(struct found *f)
{
    card_close(&f->card);
    free(f->card_path);
    for (int i = 0; i < FOUND_MAX_FILES; i++)
        free(f->files[i]);
    *f = (struct found){0};
}

/* FOLDER/NAME/card.json; NULL when out of memory. */
static char *card_path_in(const char *folder, const char *name)
{
    char *below = file_join(folder, name);
    char *path = below ? file_join(below, "card.json") : NULL;

    free(below);
    return path;
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && strcmp(s + n - m, end) == 0;
}

/* *ret_shipped: the card is fakesift's own, whose weights may not be there. */
static enum status find_card(const char *name, char **ret_path, bool *ret_shipped, struct error *e)
{
    enum status s = STATUS_OK;
    char *cache = NULL, *data = NULL, *cards = NULL, *installed = NULL, *shipped = NULL;
    struct stat st;

    if (ends_with(name, ".onnx")) {
        error_set(e, STATUS_INVALID,
                  "%s: a network, not a detector: a card (.json) beside it says how it is used "
                  "(docs/DETECTORS.md)",
                  name);
        return STATUS_INVALID;
    }
    if (strchr(name, '/') && !ends_with(name, ".json") && stat(name, &st) == 0 && !S_ISDIR(st.st_mode)) {
        error_set(e, STATUS_INVALID, "%s: neither a card (.json) nor a folder that holds one", name);
        return STATUS_INVALID;
    }
    if (strchr(name, '/') || ends_with(name, ".json")) {
        char *path = ends_with(name, ".json") ? strdup(name) : file_join(name, "card.json");

        if (!path)
            return error_no_memory(e);
        *ret_path = path;
        *ret_shipped = false;
        return STATUS_OK;
    }
    if (!card_name_is_plain(name)) {
        error_set(e, STATUS_INVALID,
                  "\"%s\" is not a detector's name (a-z, 0-9, '.', '_', '-') nor the path of a card (.json)", name);
        return STATUS_INVALID;
    }
    cache = zoo_cache_folder();
    data = zoo_data_folder();
    cards = data ? file_join(data, "cards") : NULL;
    installed = cache ? card_path_in(cache, name) : NULL;
    shipped = cards ? card_path_in(cards, name) : NULL;
    if (!installed || !shipped) {
        s = error_no_memory(e);
        goto end;
    }
    if (access(installed, F_OK) == 0) {
        *ret_path = installed;
        *ret_shipped = false;
        installed = NULL;
    } else if (access(shipped, F_OK) == 0) {
        *ret_path = shipped;
        *ret_shipped = true;
        shipped = NULL;
    } else {
        s = STATUS_NOT_FOUND;
        error_set(e, s, "%s: no such detector (looked for %s and %s); `fakesift models list` names the known ones",
                  name, installed, shipped);
    }
end:
    free(cache);
    free(data);
    free(cards);
    free(installed);
    free(shipped);
    return s;
}

static enum status check_file(const struct card_network *n, const char *card_path, const char *path,
                              char ret_sha256[SHA256_HEX_BYTES], struct error *e)
{
    enum status s = hash_file(path, ret_sha256, e);

    if (s != STATUS_OK)
        return s;
    if (n->sha256[0] != '\0' && strcmp(n->sha256, ret_sha256) != 0)
        return error_set(e, STATUS_MISMATCH, "%s: its sha256 is %s, but %s states %s", path, ret_sha256, card_path,
                         n->sha256);
    return STATUS_OK;
}

static enum status find_files(const char *name, bool shipped, struct found *f, struct error *e)
{
    char *slash = strrchr(f->card_path, '/');
    char *folder =
        slash ? strndup(f->card_path, slash == f->card_path ? 1 : (size_t)(slash - f->card_path)) : strdup("");
    enum status s = STATUS_OK;
    const struct card_network *n;

    if (!folder)
        return error_no_memory(e);
    for (size_t i = 0; s == STATUS_OK && (n = card_network_at(f->card, i)) != NULL; i++) {
        f->files[i] = file_join(folder, n->file);
        if (!f->files[i])
            s = error_no_memory(e);
        else if (shipped && access(f->files[i], F_OK) != 0 && f->card->notes.weights[0] != '\0')
            s = error_set(
                e, STATUS_NOT_FOUND,
                "%s: bring your own weights: %s is not there; `fakesift models add %s FILE.onnx` installs an export",
                name, f->files[i], name);
        else if (shipped && access(f->files[i], F_OK) != 0)
            s = error_set(e, STATUS_NOT_FOUND,
                          "%s: not installed (%s is not there); `fakesift models fetch %s` installs it", name,
                          f->files[i], name);
        else
            s = check_file(n, f->card_path, f->files[i], f->sha256[i], e);
    }
    free(folder);
    return s;
}

static const char *kind_with_article(enum card_kind kind)
{
    return kind == CARD_DETECTOR   ? "a detector"
           : kind == CARD_ENSEMBLE ? "an ensemble"
           : kind == CARD_FEATURES ? "a network of features"
                                   : "a face_detector";
}

enum status detector_find(const char *name_or_path, unsigned kind, struct found *ret_f, struct error *e)
{
    struct found f = {0};
    char *card_path = NULL;
    bool shipped = false;
    enum status s = find_card(name_or_path, &card_path, &shipped, e);

    if (s != STATUS_OK)
        return s;
    s = card_load(card_path, &f.card, e);
    f.card_path = card_path;
    if (s == STATUS_OK && kind != 0 && (unsigned)f.card->kind != kind)
        s = error_set(e, STATUS_INVALID, "%s: kind: a %s is wanted here, not %s", f.card_path,
                      kind == CARD_DETECTOR ? "detector" : "face_detector", kind_with_article(f.card->kind));
    if (s == STATUS_OK)
        s = find_files(name_or_path, shipped, &f, e);
    if (s != STATUS_OK) {
        found_clear(&f);
        return s;
    }
    *ret_f = f;
    return STATUS_OK;
}

enum status found_check_pair(const struct found *f, const struct found *face, struct error *e)
{
    if (!face || !card_wants_points(f->card) || card_face_has_points(face->card->architecture))
        return STATUS_OK;
    return error_set(e, STATUS_INVALID,
                     "%s: crop.alignment: \"%s\" needs five landmarks, which %s does not give: take \"box\", or "
                     "face.detector mtcnn or yunet",
                     f->card_path, f->card->crop.alignment == CROP_EYES ? "eyes" : "similarity", face->card->name);
}

static void hash_found(struct hasher *h, const struct found *f)
{
    card_hash(f->card, h);
    for (size_t i = 0; card_network_at(f->card, i); i++)
        hasher_update_text(h, f->sha256[i]);
}

enum status found_hash(const struct found *f, const struct found *face, char ret_sha256[SHA256_HEX_BYTES],
                       struct error *e)
{
    struct hasher *h = hasher_open();

    if (!h)
        return error_no_memory(e);
    hasher_update_text(h, "fakesift detector 1");
    hash_found(h, f);
    if (face)
        hash_found(h, face);
    hasher_finish(h, ret_sha256);
    hasher_close(&h);
    return STATUS_OK;
}

enum status detector_identify(const char *name_or_path, struct card **ret_card, char ret_sha256[SHA256_HEX_BYTES],
                              struct error *e)
{
    struct found f = {0}, face = {0};
    enum status s = detector_find(name_or_path, CARD_DETECTOR, &f, e);

    if (s == STATUS_OK && f.card->input == INPUT_FACES)
        s = detector_find(f.card->face.detector, CARD_FACE_DETECTOR, &face, e);
    if (s == STATUS_OK)
        s = found_check_pair(&f, face.card ? &face : NULL, e);
    if (s == STATUS_OK)
        s = found_hash(&f, face.card ? &face : NULL, ret_sha256, e);
    if (s == STATUS_OK) {
        *ret_card = f.card;
        f.card = NULL;
    }
    found_clear(&f);
    found_clear(&face);
    return s;
}
