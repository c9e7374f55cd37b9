#include "models/detector_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/detector_find.h"
#include "shard/file.h"

void detector_set_clear(struct detector_set *s)
{
    for (size_t i = 0; i < s->n_leaves; i++) {
        free(s->leaves[i].path);
        card_close(&s->leaves[i].card);
        detector_close(&s->leaves[i].detector);
    }
    for (size_t i = 0; i < s->n_columns; i++)
        card_close(&s->columns[i].ensemble);
    *s = (struct detector_set){0};
}

const struct card *detector_set_card(const struct detector_set *s)
{
    return s->columns[0].ensemble ? s->columns[0].ensemble : s->leaves[s->columns[0].leaves[0]].card;
}

static bool has_column(const struct detector_set *s, const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < s->n_columns; i++) {
        if (strcmp(s->columns[i].name, name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

/* The column's name and hash are set, its leaves are the caller's. */
static enum status add_column(struct detector_set *s, const char *name, const char *sha256, struct error *e)
{
    struct detector_column *c = &s->columns[s->n_columns];

    if (s->n_columns == DETECTORS_MAX)
        return error_set(e, STATUS_INVALID, "%s: more than %d detectors, an ensemble's members among them", name,
                         DETECTORS_MAX);
    snprintf(c->name, sizeof(c->name), "%s", name);
    memcpy(c->sha256, sha256, sizeof(c->sha256));
    s->n_columns++;
    return STATUS_OK;
}

static enum status name_twice(const struct detector_set *s, size_t column, const char *path, struct error *e)
{
    return error_set(e, STATUS_INVALID, "%s: two %s are called %s: each score needs a name of its own", path,
                     s->columns[column].ensemble ? "ensembles or detectors" : "detectors", s->columns[column].name);
}

static enum status check_inputs(const struct detector_set *s, const struct card *card, struct error *e)
{
    const struct card *first = s->leaves[0].card;

    if (s->n_leaves == 0 || (first->input == INPUT_LANDMARKS) == (card->input == INPUT_LANDMARKS))
        return STATUS_OK;
    return error_set(e, STATUS_INVALID, "%s takes %s, %s does not: they have no corpus in common", card->name,
                     card->input == INPUT_LANDMARKS ? "landmark files" : "videos", first->name);
}

/* *ret_leaf: the leaf of a detector, which may be there. */
static enum status add_leaf(struct detector_set *s, const char *path, size_t *ret_leaf, struct error *e)
{
    struct detector_leaf leaf = {0};
    enum status st = detector_identify(path, &leaf.card, leaf.sha256, e);

    if (st != STATUS_OK)
        return st;
    for (size_t i = 0; i < s->n_leaves; i++) {
        if (strcmp(s->leaves[i].sha256, leaf.sha256) == 0 && strcmp(s->leaves[i].card->name, leaf.card->name) == 0) {
            card_close(&leaf.card);
            *ret_leaf = i;
            return STATUS_OK;
        }
    }
    st = check_inputs(s, leaf.card, e);
    leaf.path = strdup(path);
    if (st == STATUS_OK && !leaf.path)
        st = error_no_memory(e);
    if (st == STATUS_OK && s->n_leaves == DETECTORS_MAX)
        st = error_set(e, STATUS_INVALID, "%s: more than %d detectors", path, DETECTORS_MAX);
    if (st != STATUS_OK) {
        free(leaf.path);
        card_close(&leaf.card);
        return st;
    }
    *ret_leaf = s->n_leaves;
    s->leaves[s->n_leaves++] = leaf;
    return STATUS_OK;
}

static enum status add_detector(struct detector_set *s, const char *path, struct error *e)
{
    size_t leaf, column;
    enum status st = add_leaf(s, path, &leaf, e);

    if (st != STATUS_OK)
        return st;
    if (has_column(s, s->leaves[leaf].card->name, &column)) {
        if (strcmp(s->columns[column].sha256, s->leaves[leaf].sha256) == 0)
            return error_set(e, STATUS_INVALID, "%s: named twice", path);
        return name_twice(s, column, path, e);
    }
    st = add_column(s, s->leaves[leaf].card->name, s->leaves[leaf].sha256, e);
    if (st == STATUS_OK)
        s->columns[s->n_columns - 1].leaves[0] = (unsigned)leaf;
    return st;
}

/* A member's card lies below the ensemble's folder, or is looked up by name. */
static char *member_path(const char *card_path, const char *detector)
{
    const char *slash = strrchr(card_path, '/');
    size_t n = strlen(detector);
    bool is_path = strchr(detector, '/') || (n > 5 && strcmp(detector + n - 5, ".json") == 0);
    char *folder, *path;

    if (!is_path || !slash)
        return strdup(detector);
    folder = strndup(card_path, slash == card_path ? 1 : (size_t)(slash - card_path));
    path = folder ? file_join(folder, detector) : NULL;
    free(folder);
    return path;
}

static enum status hash_ensemble(const struct detector_set *s, const struct card *card, const unsigned *leaves,
                                 char ret_sha256[SHA256_HEX_BYTES], struct error *e)
{
    struct hasher *h = hasher_open();

    if (!h)
        return error_no_memory(e);
    hasher_update_text(h, "fakesift ensemble 1");
    card_hash(card, h);
    for (unsigned i = 0; i < card->ensemble.n_members; i++)
        hasher_update_text(h, s->leaves[leaves[i]].sha256);
    hasher_finish(h, ret_sha256);
    hasher_close(&h);
    return STATUS_OK;
}

static enum status add_ensemble(struct detector_set *s, struct found *f, struct error *e)
{
    unsigned leaves[CARD_MAX_MEMBERS] = {0};
    char sha256[SHA256_HEX_BYTES];
    size_t column;
    enum status st = STATUS_OK;

    for (unsigned i = 0; st == STATUS_OK && i < f->card->ensemble.n_members; i++) {
        char *path = member_path(f->card_path, f->card->ensemble.members[i].detector);
        struct error why = {0};
        size_t leaf = 0;

        st = path ? add_leaf(s, path, &leaf, &why) : error_no_memory(&why);
        if (st != STATUS_OK)
            error_set(e, st, "%s: ensemble.members[%u]: %s", f->card_path, i, why.text);
        for (unsigned k = 0; st == STATUS_OK && k < i; k++) {
            if (leaves[k] == leaf)
                st = error_set(e, STATUS_INVALID, "%s: ensemble.members[%u]: %s is a member already", f->card_path, i,
                               path);
        }
        leaves[i] = (unsigned)leaf;
        free(path);
    }
    if (st == STATUS_OK && has_column(s, f->card->name, &column))
        st = name_twice(s, column, f->card_path, e);
    if (st == STATUS_OK)
        st = hash_ensemble(s, f->card, leaves, sha256, e);
    if (st == STATUS_OK)
        st = add_column(s, f->card->name, sha256, e);
    if (st != STATUS_OK)
        return st;
    memcpy(s->columns[s->n_columns - 1].leaves, leaves, sizeof(leaves));
    s->columns[s->n_columns - 1].ensemble = f->card;
    f->card = NULL;
    return STATUS_OK;
}

static enum status add(struct detector_set *s, const char *name, struct error *e)
{
    struct found f = {0};
    enum status st;

    if (name[0] == '\0')
        return error_set(e, STATUS_INVALID, "a list of detectors with an empty name");
    st = detector_find(name, 0, &f, e);
    if (st == STATUS_OK && f.card->kind == CARD_ENSEMBLE)
        st = add_ensemble(s, &f, e);
    else if (st == STATUS_OK)
        st = add_detector(s, name, e);
    found_clear(&f);
    return st;
}

/* Members that no column gives yet. */
static enum status add_members(struct detector_set *s, struct error *e)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; st == STATUS_OK && i < s->n_leaves; i++) {
        const struct detector_leaf *leaf = &s->leaves[i];
        size_t column;

        if (!has_column(s, leaf->card->name, &column)) {
            st = add_column(s, leaf->card->name, leaf->sha256, e);
            if (st == STATUS_OK)
                s->columns[s->n_columns - 1].leaves[0] = (unsigned)i;
        } else if (strcmp(s->columns[column].sha256, leaf->sha256) != 0) {
            st = name_twice(s, column, leaf->path, e);
        }
    }
    return st;
}

enum status detector_set_find(const char *list, struct detector_set *ret_s, struct error *e)
{
    struct detector_set s = {0};
    char *copy = strdup(list), *at = copy;
    enum status st = copy ? STATUS_OK : error_no_memory(e);
    bool is_one = access(list, F_OK) == 0;

    while (st == STATUS_OK && at) {
        char *comma = is_one ? NULL : strchr(at, ',');

        if (comma)
            *comma = '\0';
        st = add(&s, at, e);
        at = comma ? comma + 1 : NULL;
    }
    if (st == STATUS_OK)
        st = add_members(&s, e);
    free(copy);
    if (st != STATUS_OK) {
        detector_set_clear(&s);
        return st;
    }
    *ret_s = s;
    return STATUS_OK;
}

enum status detector_set_open(struct detector_set *s, struct error *e)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; st == STATUS_OK && i < s->n_leaves; i++)
        st = detector_open(s->leaves[i].path, &s->leaves[i].detector, e);
    return st;
}
