/* Any bytes as a card. A card that loads can be hashed, and no file of it leads out of its folder; one that
 * does not says why. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/card.h"
#include "shard/hash.h"

static void require(bool what)
{
    if (!what)
        abort();
}

static void check_card(const struct card *c)
{
    struct hasher *h = hasher_open();
    const struct card_network *n;

    require(h != NULL);
    card_hash(c, h);
    hasher_close(&h);
    for (size_t i = 0; (n = card_network_at(c, i)) != NULL; i++) {
        char framed[sizeof(n->file) + 2];

        snprintf(framed, sizeof(framed), "/%s/", n->file);
        require(!strstr(framed, "//") && !strstr(framed, "/../"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len); /* libFuzzer has no header for it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct card *c = NULL;
    struct error e = {0};
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/dev/shm/fakesift-fuzz-card-%d.json", (int)getpid());
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    close(fd);
    if (card_load(path, &c, &e) == STATUS_OK) {
        check_card(c);
        card_close(&c);
    } else {
        require(e.text[0] != '\0' && c == NULL);
    }
    unlink(path);
    return 0;
}
