#include "models/zoo_install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/detector_find.h"
#include "models/json.h"
#include "models/zoo_source.h"
#include "shard/file.h"

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

void zoo_install_end(struct zoo_install *i)
{
    if (i->partial)
        remove_tree(i->partial);
    if (i->lock >= 0)
        close(i->lock);
    free(i->installed);
    free(i->partial);
    free(i->source);
    free(i->made);
    *i = (struct zoo_install){.lock = -1};
}

static enum status lock(struct zoo_install *i, const char *cache, FILE *out, struct error *e)
{
    char *path = zoo_path("%s/.%s.lock", cache, i->name);
    enum status s = STATUS_OK;

    if (!path)
        return error_no_memory(e);
    i->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (i->lock < 0) {
        s = error_set_errno(e, errno, "%s: cannot create", path);
    } else if (flock(i->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        fprintf(out, "%s: another fetch is at work; waiting for it\n", i->name);
        fflush(out);
        while (flock(i->lock, LOCK_EX) != 0 && errno == EINTR)
            ;
    }
    /* A filesystem without locks: the rename alone keeps an installation whole. */
    free(path);
    return s;
}

/* Nobody else is at work on the name, so every NAME.partial-N is of one that was killed. */
static void remove_left_behind(const struct zoo_install *i, const char *cache)
{
    DIR *d = opendir(cache);
    size_t len = strlen(i->name);
    struct dirent *entry;

    while (d && (entry = readdir(d)) != NULL) {
        const char *rest = entry->d_name + len;
        char *path;

        if (strncmp(entry->d_name, i->name, len) != 0 || strncmp(rest, ".partial-", 9) != 0 || rest[9] == '\0' ||
            rest[9 + strspn(rest + 9, "0123456789")] != '\0')
            continue;
        path = file_join(cache, entry->d_name);
        if (path)
            remove_tree(path);
        free(path);
    }
    if (d)
        closedir(d);
}

enum status zoo_install_begin(const char *cache, const char *name, FILE *out, struct zoo_install *ret_i,
                              struct error *e)
{
    struct zoo_install i = {.name = name, .lock = -1};
    enum status s = STATUS_OK;

    i.installed = file_join(cache, name);
    i.partial = zoo_path("%s/%s.partial-%ld", cache, name, (long)getpid());
    i.source = i.partial ? zoo_path("%s/source", i.partial) : NULL;
    i.made = i.partial ? zoo_path("%s/made", i.partial) : NULL;
    if (!i.installed || !i.source || !i.made)
        s = error_no_memory(e);
    if (s == STATUS_OK)
        s = lock(&i, cache, out, e);
    if (s == STATUS_OK)
        remove_left_behind(&i, cache);
    *ret_i = i;
    return s;
}

enum status zoo_install_open_folders(const struct zoo_install *i, struct error *e)
{
    enum status s = file_make_folder(i->source, e);

    return s == STATUS_OK ? file_make_folder(i->made, e) : s;
}

/* The network objects of a card: everything with a "file" gets the sha256 of that file. */
static enum status state_sums(const struct zoo_install *i, cJSON *node, struct error *e)
{
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(node, "file");
    char hex[SHA256_HEX_BYTES];

    for (cJSON *c = node->child; c; c = c->next) {
        enum status s = cJSON_IsObject(c) || cJSON_IsArray(c) ? state_sums(i, c, e) : STATUS_OK;

        if (s != STATUS_OK)
            return s;
    }
    if (cJSON_IsObject(node) && cJSON_IsString(file)) {
        char *path = file_join(i->made, file->valuestring);
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

enum status zoo_install_card(const struct zoo_install *i, const char *from, struct error *e)
{
    char *to = zoo_path("%s/card.json", i->made), *printed = NULL;
    cJSON *card = NULL;
    enum status s = to ? json_read(from, CARD_MAX_BYTES, &card, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = state_sums(i, card, e);
    if (s == STATUS_OK) {
        printed = cJSON_Print(card);
        s = printed ? file_write(to, printed, strlen(printed), e) : error_no_memory(e);
    }
    cJSON_free(printed);
    cJSON_Delete(card);
    free(to);
    return s;
}

static enum status put_in_place(const struct zoo_install *i, struct error *e)
{
    char *old = zoo_path("%s/old", i->partial);
    enum status s = STATUS_OK;

    if (!old)
        return error_no_memory(e);
    if (rename(i->made, i->installed) != 0) {
        bool in_the_way = errno == ENOTEMPTY || errno == EEXIST;

        if (!in_the_way)
            s = error_set_errno(e, errno, "%s: cannot rename to %s", i->made, i->installed);
        else if (renameat2(AT_FDCWD, i->made, AT_FDCWD, i->installed, RENAME_EXCHANGE) != 0 &&
                 (rename(i->installed, old) != 0 || rename(i->made, i->installed) != 0))
            s = error_set_errno(e, errno, "%s: cannot be replaced", i->installed);
    }
    free(old);
    return s;
}

enum status zoo_install_commit(const struct zoo_install *i, struct error *e)
{
    struct found found = {0};
    char *card = zoo_path("%s/card.json", i->made);
    enum status s = card ? detector_find(card, 0, &found, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = put_in_place(i, e);
    found_clear(&found);
    free(card);
    return s;
}
