/* What rank 0 does of a probe beside its own share: gives out paths, takes facts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/main_probe_parts.h"
#include "shard/clock.h"
#include "shard/log.h"
#include "shard/wire.h"

static enum status lose(struct probing *p, unsigned rank, struct error *e)
{
    struct lead *l = p->lead;
    size_t n = manifest_count(l->m), n_back = 0;
    uint32_t *bigger = reallocarray(l->again, n + 1, sizeof(*bigger));

    if (!bigger)
        return error_no_memory(e);
    l->again = bigger;
    l->peers[rank].lost = true;
    for (size_t i = 0; i < n; i++) {
        if (l->owner[i] == rank + 1 && !l->done[i]) {
            l->owner[i] = 0;
            l->again[l->n_again++] = (uint32_t)i;
            n_back++;
        }
    }
    log_warning("rank %u fell silent: %zu of its files go to the others", rank, n_back);
    for (unsigned i = 0; i < channel_size(p->channel); i++) {
        if (!l->peers[i].lost)
            return STATUS_OK;
    }
    return error_set(e, STATUS_TIMEOUT, "no rank is left that answers");
}

static void put(uint8_t *p, uint64_t value, unsigned n_bytes)
{
    for (unsigned k = 0; k < n_bytes; k++)
        p[k] = (uint8_t)(value >> (8 * k));
}

/* One letter's worth of paths for that rank. False: nothing is left to send. */
static bool send_paths(struct probing *p, unsigned rank, int64_t now)
{
    struct lead *l = p->lead;
    uint8_t letter[LETTER_BYTES - 1];
    size_t len = 0, count = 0, n = manifest_count(l->m);

    while (count < LANE_MAX_BATCH && (l->n_again > 0 || l->next < n)) {
        size_t i = l->n_again > 0 ? l->again[l->n_again - 1] : l->next;
        const struct manifest_entry *entry = manifest_entry(l->m, i);
        size_t path_len = strlen(entry->path);

        if (len + PATH_HEAD_BYTES + path_len + 1 > sizeof(letter))
            break;
        put(letter + len, i, 4);
        put(letter + len + 4, entry->archive_bytes, 2);
        put(letter + len + 6, entry->offset_bytes, 8);
        put(letter + len + 14, entry->size_bytes, 8);
        memcpy(letter + len + PATH_HEAD_BYTES, entry->path, path_len + 1);
        len += PATH_HEAD_BYTES + path_len + 1;
        count++;
        l->owner[i] = (uint16_t)(rank + 1);
        if (l->n_again > 0)
            l->n_again--;
        else
            l->next++;
    }
    if (count == 0)
        return false;
    probe_send(p->channel, rank, LETTER_PATHS, letter, len);
    l->peers[rank].n_sent += count;
    l->peers[rank].told_us = now;
    return true;
}

static enum status take_facts(struct lead *l, struct peer *peer, const uint8_t *data, size_t len, struct error *e)
{
    while (len >= 6) {
        size_t i = (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
        size_t packed = (size_t)data[4] | (size_t)data[5] << 8;
        struct result r = {0};
        enum status s = STATUS_OK;

        if (packed > len - 6 || i >= manifest_count(l->m))
            return error_set(e, STATUS_CORRUPT, "a list of facts is damaged");
        peer->n_sent -= peer->n_sent > 0;
        /* A rank that was taken for lost may come back with what another has done. */
        if (!l->done[i]) {
            l->done[i] = 1;
            l->n_done++;
            if (packed > 0 && result_unpack(data + 6, packed, &r) == STATUS_OK)
                s = manifest_set_facts(l->m, i, &r.facts);
            else
                l->n_unreadable++;
            result_clear(&r);
            if (s != STATUS_OK)
                return error_set(e, s, "the facts of %s: %s", manifest_entry(l->m, i)->path, status_name(s));
        }
        data += 6 + packed;
        len -= 6 + packed;
    }
    return STATUS_OK;
}

static void show(struct lead *l, int64_t now)
{
    double seconds = (double)(now - l->start_us) / 1e6;
    size_t n = manifest_count(l->m);

    if (now - l->shown_us < (l->live ? SHOW_US : LOG_US))
        return;
    l->shown_us = now;
    if (l->live)
        fprintf(stderr, "\r\033[K%zu/%zu files probed, %.0f files/s", l->n_done, n, (double)l->n_done / seconds);
    else
        log_info("%zu/%zu files probed, %.0f files/s", l->n_done, n, (double)l->n_done / seconds);
}

enum status probe_lead_direct(struct probing *p, int64_t now, struct error *e)
{
    struct lead *l = p->lead;
    bool over = l->n_done == manifest_count(l->m);
    enum status s = STATUS_OK;

    for (unsigned rank = 0; rank < channel_size(p->channel); rank++) {
        struct peer *peer = &l->peers[rank];

        if (peer->lost || peer->ended)
            continue;
        if (rank != 0 && peer->n_lanes > 0 && now - peer->heard_us >= SILENCE_US) {
            s = lose(p, rank, e);
            if (s != STATUS_OK)
                return s;
            continue;
        }
        while (!over && peer->n_lanes > 0 && peer->n_sent < (size_t)peer->n_lanes * AHEAD && send_paths(p, rank, now))
            ;
        if (over && !l->told_end)
            probe_send(p->channel, rank, LETTER_END, NULL, 0);
        else if (now - peer->told_us >= ALIVE_US) {
            probe_send(p->channel, rank, LETTER_ALIVE, NULL, 0);
            peer->told_us = now;
        }
    }
    l->told_end = over;
    show(l, now);
    return s;
}

enum status probe_lead_take(struct probing *p, unsigned from, const uint8_t *letter, size_t len, int64_t now,
                            struct error *e)
{
    struct lead *l = p->lead;
    struct peer *peer = &l->peers[from];

    peer->heard_us = now;
    switch (letter[0]) {
    case LETTER_HELLO:
        if (len < 5)
            return STATUS_OK;
        peer->n_lanes = letter[1] | (unsigned)letter[2] << 8;
        probe_send(p->channel, from, LETTER_ROOT, manifest_root(l->m), strlen(manifest_root(l->m)));
        return STATUS_OK;
    case LETTER_FACTS:
        return take_facts(l, peer, letter + 1, len - 1, e);
    case LETTER_PATHS: /* one that was not begun */
        if (len >= 5) {
            size_t i = (size_t)letter[1] | (size_t)letter[2] << 8 | (size_t)letter[3] << 16 | (size_t)letter[4] << 24;
            uint32_t *bigger = i < manifest_count(l->m) && !l->done[i]
                                   ? reallocarray(l->again, l->n_again + 1, sizeof(*bigger))
                                   : NULL;

            peer->n_sent -= peer->n_sent > 0;
            if (bigger) {
                l->again = bigger;
                l->again[l->n_again++] = (uint32_t)i;
            }
        }
        return STATUS_OK;
    case LETTER_CANNOT:
        return error_set(e, STATUS_IO, "rank %u: %.*s", from, (int)len - 1, (const char *)letter + 1);
    case LETTER_END:
        peer->ended = true;
        return STATUS_OK;
    default:
        return STATUS_OK;
    }
}

enum status probe_lead_open(struct manifest *m, unsigned n_ranks, struct lead **ret_l, struct error *e)
{
    size_t n = manifest_count(m);
    struct lead *l = calloc(1, sizeof(*l));

    if (!l)
        return error_no_memory(e);
    *ret_l = l;
    l->m = m;
    l->start_us = l->shown_us = clock_monotonic_us();
    l->live = isatty(STDERR_FILENO) == 1;
    l->peers = calloc(n_ranks, sizeof(*l->peers));
    l->owner = calloc(n + 1, sizeof(*l->owner));
    l->done = calloc(n + 1, sizeof(*l->done));
    return l->peers && l->owner && l->done ? STATUS_OK : error_no_memory(e);
}

void probe_lead_close(struct lead **l)
{
    if (!*l)
        return;
    if ((*l)->live)
        fputs("\r\033[K", stderr);
    free((*l)->peers);
    free((*l)->owner);
    free((*l)->done);
    free((*l)->again);
    free(*l);
    *l = NULL;
}
