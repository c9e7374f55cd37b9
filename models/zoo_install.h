/* zoo_install: a folder NAME/ in the cache, complete or not there. Internal to models.
 *
 * An installation is built in NAME.partial-PID beside its place and renamed to it. A lock on .NAME.lock lets one
 * installation of a name work at a time; what an interrupted one left behind goes when the next begins. */
#ifndef FAKESIFT_MODELS_ZOO_INSTALL_H
#define FAKESIFT_MODELS_ZOO_INSTALL_H

#include <stdio.h>

#include "shard/status.h"

struct zoo_install {
    const char *name;
    char *installed;     /* CACHE/NAME */
    char *partial;       /* CACHE/NAME.partial-PID, with source/ and made/ */
    char *source, *made; /* not there before zoo_install_open_folders */
    int lock;
};

/* Waits for another one of the name, which it tells out. cache is absolute; name lives as long as *ret_i, which zoo_install_end
 * clears whatever is returned. */
enum status zoo_install_begin(const char *cache, const char *name, FILE *out, struct zoo_install *ret_i,
                              struct error *e);
enum status zoo_install_open_folders(const struct zoo_install *i, struct error *e);
/* Writes made/card.json: the card at `from` with the sums of the files in made/ that it names, so that later damage is seen. */
enum status zoo_install_card(const struct zoo_install *i, const char *from, struct error *e);
/* That the card and its networks fit each other, then made/ in the place of what is installed: in one step where the
 * filesystem can exchange two folders. */
enum status zoo_install_commit(const struct zoo_install *i, struct error *e);
void zoo_install_end(struct zoo_install *i);

#endif
