/* fakesift scan. In: a corpus. Out: a manifest; with --probe each video's facts, read in sandboxed lanes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "coordinator/main.h"
#include "coordinator/main_hash.h"
#include "nodes/lane_pool.h"
#include "shard/clock.h"
#include "shard/layout.h"
#include "shard/text.h"

struct options {
    const char *corpus, *output;
    struct layout_settings layout;
    bool probe, hash;
};

enum { OPTION_HASH = 256 };

static const struct argp_option option_list[] = {
    {"output", 'o', "MANIFEST", 0, "Where the manifest is written (required)", 0},
    {"layout", 'l', "NAME", 0, "auto (default), dir, csv or dfdc", 0},
    {"ext", 'e', "LIST", 0, "Extensions that count as videos, comma-separated (default: the usual ones)", 0},
    {"probe", 'p', NULL, 0, "Also read each video's container: codec, size, length", 0},
    {"hash", OPTION_HASH, NULL, 0, "Also give each video's content (SHA-256): reads them all", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case 'l':
        o->layout.layout = arg;
        return 0;
    case 'e':
        o->layout.extensions = arg;
        return 0;
    case 'p':
        o->probe = true;
        return 0;
    case OPTION_HASH:
        o->hash = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->corpus)
            argp_error(state, "one CORPUS, not also %s", arg);
        o->corpus = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->corpus)
            argp_error(state, "CORPUS is missing");
        if (!o->output)
            argp_error(state, "--output is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct probing {
    struct manifest *manifest;
    struct lane_pool *pool;
    int root_fd;
    size_t next, n_unreadable;
};

static enum status start_next(struct probing *p, struct error *e)
{
    const struct manifest_entry *entry = manifest_entry(p->manifest, p->next);
    int fd = openat(p->root_fd, entry->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        p->n_unreadable++;
        p->next++;
        return STATUS_OK;
    }
    return lane_pool_start(p->pool, p->next++, fd, clock_monotonic_us(), e);
}

static void take(struct probing *p, struct lane_pool_event *event)
{
    if (event->kind != LANE_POOL_RESULT || !outcome_has_score(event->result.outcome) ||
        manifest_set_facts(p->manifest, (size_t)event->token, &event->result.facts) != STATUS_OK)
        p->n_unreadable++;
    if (event->kind == LANE_POOL_RESULT)
        result_clear(&event->result);
}

static enum status probe_loop(struct probing *p, struct error *e)
{
    size_t n = manifest_count(p->manifest);

    while (p->next < n || lane_pool_busy(p->pool) > 0) {
        struct lane_pool_event event;
        struct pollfd fds[LANE_POOL_MAX_LANES + 1];
        enum status s = lane_pool_next(p->pool, clock_monotonic_us(), &event, e);

        if (s == STATUS_OK) {
            take(p, &event);
            continue;
        }
        if (s != STATUS_AGAIN)
            return s;
        s = STATUS_OK;
        while (s == STATUS_OK && p->next < n && lane_pool_free(p->pool) > 0)
            s = start_next(p, e);
        if (s != STATUS_OK)
            return s;
        poll(fds, lane_pool_poll_set(p->pool, fds, LANE_POOL_MAX_LANES + 1), 1000);
    }
    return STATUS_OK;
}

static enum status probe_all(struct manifest *m, size_t *ret_unreadable, struct error *e)
{
    const struct zygote_settings zygote_settings = {.lane_memory_bytes = 1536u << 20, .lane_cpu_s = 3600};
    struct lane_pool_settings settings = {.work = LANE_PROBE, .timeout_us = 60000000};
    struct probing p = {.manifest = m};
    struct zygote *zygote = NULL;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    enum status s = zygote_start(&zygote_settings, &zygote, e);

    settings.n_lanes = cpus < 1 ? 1 : cpus > LANE_POOL_MAX_LANES ? LANE_POOL_MAX_LANES : (unsigned)cpus;
    if (s == STATUS_OK)
        s = lane_pool_open(&settings, &zygote, &p.pool, e);
    zygote_stop(&zygote);
    if (s != STATUS_OK)
        return s;
    p.root_fd = open(manifest_root(m), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p.root_fd < 0) {
        s = error_set_errno(e, errno, "%s: cannot open", manifest_root(m));
    } else {
        s = probe_loop(&p, e);
        close(p.root_fd);
    }
    lane_pool_close(&p.pool);
    *ret_unreadable = p.n_unreadable;
    return s;
}

int main_scan(int argc, char **argv)
{
    static const struct argp argp = {
        option_list, parse_option,
        "CORPUS",    "List the videos of a corpus, with their labels, into a manifest that `fakesift run` takes.",
        NULL,        NULL,
        NULL};
    struct options o = {0};
    struct layout_summary summary = {0};
    struct manifest *m = NULL;
    struct error e = {0};
    struct text found = {0};
    size_t n_unreadable = 0;
    enum status s;

    main_parse(&argp, argc, argv, &o);
    s = layout_scan(o.corpus, &o.layout, &m, &summary, &e);
    if (s == STATUS_OK && o.probe)
        s = probe_all(m, &n_unreadable, &e);
    if (s == STATUS_OK && o.hash)
        s = main_hash_corpus(m, &e);
    if (s == STATUS_OK)
        s = manifest_write(m, o.output, &e);
    manifest_close(&m);
    if (s != STATUS_OK)
        return main_fail("scan", &e);
    layout_describe(&summary, &found);
    printf("%s: %s\n", o.output, found.failed ? "out of memory" : found.data);
    text_clear(&found);
    if (summary.notes[0] != '\0')
        printf("warning: %s\n", summary.notes);
    if (n_unreadable > 0)
        printf("%zu of them could not be probed; a run says why\n", n_unreadable);
    return EXIT_DONE;
}
