/* fakesift scan. In: a corpus. Out: a manifest; with --probe each video's facts, read in sandboxed lanes of every rank. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "coordinator/main.h"
#include "coordinator/main_hash.h"
#include "coordinator/main_machine.h"
#include "coordinator/main_options.h"
#include "coordinator/main_probe.h"
#include "shard/layout.h"
#include "shard/log.h"
#include "shard/text.h"

struct options {
    struct corpus_options corpus;
    const char *output;
    bool probe;
};

static const struct argp_option option_list[] = {
    {"output", 'o', "MANIFEST", 0, "Where the manifest is written (required)", 0},
    {"probe", 'p', NULL, 0, "Also read each video's container: codec, size, length", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->corpus;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case 'p':
        o->probe = true;
        return 0;
    case ARGP_KEY_END:
        if (!o->output)
            argp_error(state, "--output is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct scanned {
    struct manifest *m;
    struct layout_summary summary;
    struct probe_end probing;
};

static enum status list(const struct options *o, struct scanned *x, struct error *e)
{
    enum status s = layout_scan(o->corpus.corpus, &o->corpus.layout, &x->m, &x->summary, e);

    return s == STATUS_OK && o->corpus.hash ? main_hash_corpus(x->m, e) : s;
}

static int tell(const struct options *o, struct scanned *x)
{
    struct error e = {0};
    struct text found = {0};
    enum status s = manifest_write(x->m, o->output, &e);

    if (s != STATUS_OK)
        return main_fail("scan", &e);
    layout_describe(&x->summary, &found);
    printf("%s: %s\n", o->output, found.failed ? "out of memory" : found.data);
    text_clear(&found);
    if (x->summary.notes[0] != '\0')
        printf("warning: %s\n", x->summary.notes);
    if (x->probing.n_unreadable > 0)
        printf("%zu of them could not be probed; a run says why\n", x->probing.n_unreadable);
    return EXIT_DONE;
}

/* From MPI_Init to the exit code. */
static int join(const struct options *o, struct zygote **z)
{
    struct channel *channel = NULL;
    struct scanned x = {0};
    struct error e = {0};
    bool leads, orderly;
    int code = EXIT_DONE;
    enum status s = channel_open(channel_is_launched(), &channel, &e);

    if (s != STATUS_OK)
        return main_fail("scan", &e);
    leads = channel_rank(channel) == 0;
    if (leads)
        s = list(o, &x, &e);
    if (s == STATUS_OK) {
        const struct probe_settings settings = {.manifest = x.m, .n_lanes = (unsigned)o->corpus.n_lanes};

        s = probe_all(&settings, channel, z, &x.probing, &e);
    } else {
        probe_release(channel);
        x.probing.orderly = true;
    }
    orderly = x.probing.orderly;
    if (s != STATUS_OK)
        code = leads || e.status == STATUS_TIMEOUT ? main_fail("scan", &e) : EXIT_FAILED;
    else if (leads)
        code = tell(o, &x);
    manifest_close(&x.m);
    channel_close(&channel, orderly);
    if (!orderly && channel_is_launched()) {
        fflush(NULL);
        _exit(code);
    }
    return code;
}

int main_scan(int argc, char **argv)
{
    static const struct argp_child children[] = {{&options_corpus_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        option_list,
        parse_option,
        "CORPUS",
        "List the videos of a corpus, with their labels, into a manifest that `fakesift run` takes. With "
        "--probe, alone or under mpirun or srun, one rank a node.",
        children,
        NULL,
        NULL};
    const struct zygote_settings zygote_settings = {.lane_memory_bytes = 1536u << 20, .lane_cpu_s = 3600};
    struct options o = {0};
    struct scanned x = {0};
    struct zygote *zygote = NULL;
    struct error e = {0};
    int code;

    main_parse(&argp, argc, argv, &o);
    if (o.corpus.n_lanes == 0)
        o.corpus.n_lanes = machine_share_of_cores();
    log_setup(LOG_LEVEL_INFO, channel_is_launched() ? (int)channel_announced_rank() : -1);
    if (o.probe) {
        /* Before MPI_Init, so that MPI never sees a fork. */
        code = zygote_start(&zygote_settings, &zygote, &e) == STATUS_OK ? join(&o, &zygote) : main_fail("scan", &e);
        zygote_stop(&zygote);
        return code;
    }
    if (channel_announced_rank() != 0)
        return EXIT_DONE;
    if (list(&o, &x, &e) != STATUS_OK)
        return main_fail("scan", &e);
    code = tell(&o, &x);
    manifest_close(&x.m);
    return code;
}
