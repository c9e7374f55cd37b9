#include "coordinator/main_run_options.h"

#include "coordinator/main.h"
#include "coordinator/main_batch.h"
#include "nodes/agent.h"
#include "nodes/lane_pool.h"
#include "shard/text.h"

enum {
    DEFAULT_TIMEOUT_S = 600,
    DEFAULT_RETRIES = 1,
    DEFAULT_GRACE_S = 30,
    DEFAULT_SEGMENT_S = 300,
    DEFAULT_LANE_MEMORY_MIB = 1536,
    DEFAULT_SILENCE_S = 30,
    DEFAULT_CROPS = 3,
};

enum {
    OPTION_TIMEOUT = 256,
    OPTION_RETRIES,
    OPTION_GRACE,
    OPTION_MEMORY,
    OPTION_SANDBOX,
    OPTION_STRICT,
    OPTION_BACKEND,
    OPTION_PRECISION,
    OPTION_SILENCE,
    OPTION_LEASE,
    OPTION_FLUSH,
    OPTION_SEGMENT,
    OPTION_CROPS,
    OPTION_FEATURES,
    OPTION_FRAMES,
};

static const struct argp_option option_list[] = {
    {"detector", 'd', "NAME|CARD,...", 0,
     "A detector's name (`fakesift models list`) or its card (required); of several, in one pass, the first decides "
     "the outcome",
     0},
    {"output", 'o', "RUN", 0, "The run's folder, made if it is not there (required)", 0},
    {"backend", OPTION_BACKEND, "NAME", 0, "What runs the networks: auto (default), onednn, openblas or native", 0},
    {"precision", OPTION_PRECISION, "NAME", 0, "Values between layers: f32 (default) or bf16 (onednn on AVX512-BF16)",
     0},
    {"timeout", OPTION_TIMEOUT, "SECONDS", 0, "A video that takes longer is given up (default 600)", 1},
    {"retries", OPTION_RETRIES, "N", 0, "Further attempts after a crash or a timeout (default 1)", 1},
    {"lane-memory", OPTION_MEMORY, "MIB", 0, "Memory a lane may add to the detector's (default 1536)", 1},
    {"segment", OPTION_SEGMENT, "SECONDS", 0,
     "A video that will take a lane longer is worked on in parts, where the detector's sampling has several clips; 0: "
     "never (default 300)",
     1},
    {"grace", OPTION_GRACE, "SECONDS", 0, "After a signal, how long videos in work may take to end (default 30)", 1},
    {"silence", OPTION_SILENCE, "SECONDS", 0, "A rank that says nothing for this long is lost (default 30)", 1},
    {"lease", OPTION_LEASE, "SECONDS", 0,
     "A rank that holds a video for longer loses it to another (default: three timeouts and a minute)", 1},
    {"flush", OPTION_FLUSH, "N", 0, "Results that a rank may hold, for a second, before it syncs them (default 64)", 1},
    {"save-crops", OPTION_CROPS, "N", OPTION_ARG_OPTIONAL,
     "Keep N crops (default 3) of each face in each clip as JPEG in RUN/crops; no video is cut into parts then", 2},
    {"save-features", OPTION_FEATURES, "DIR", 0,
     "Keep what stands behind each clip score as .npy in DIR; no video is cut into parts then", 2},
    {"save-frame-scores", OPTION_FRAMES, NULL, 0,
     "Keep P(fake) of each frame in RUN/frames, for figures of frames; no video is cut into parts then", 2},
    {"require-sandbox", OPTION_SANDBOX, NULL, 0, "Refuse to work where a layer of the sandbox is missing", 2},
    {"strict", OPTION_STRICT, NULL, 0, "Exit with 3 when a video ends without a score", 2},
    {"verbose", 'v', NULL, 0, "More log lines", 2},
    {"quiet", 'q', NULL, 0, "Only warnings and errors", 2},
    {0},
};

static void check_complete(struct argp_state *state, const struct run_options *o)
{
    if (!o->detector)
        argp_error(state, "--detector is missing");
    if (!o->output)
        argp_error(state, "--output is missing");
    else if (o->output[0] == '\0')
        argp_error(state, "--output is empty");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;

    switch (key) {
    case 'd':
        o->detector = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case 'v':
        o->level = LOG_LEVEL_DEBUG;
        return 0;
    case 'q':
        o->level = LOG_LEVEL_WARNING;
        return 0;
    case OPTION_BACKEND:
        if (!network_backend_parse(arg, &o->backend))
            argp_error(state, "--backend %s: not auto, onednn, openblas or native", arg);
        return 0;
    case OPTION_PRECISION:
        if (!network_precision_parse(arg, &o->precision))
            argp_error(state, "--precision %s: not f32 or bf16", arg);
        return 0;
    case OPTION_TIMEOUT:
        options_number(state, "timeout", arg, 1, 86400, &o->timeout_s);
        return 0;
    case OPTION_RETRIES:
        options_number(state, "retries", arg, 0, 99, &o->retries);
        return 0;
    case OPTION_SEGMENT:
        if (parse_double(arg, 0, 1e6, &o->segment_s) != STATUS_OK)
            argp_error(state, "--segment %s: not a number in 0..1000000", arg);
        return 0;
    case OPTION_GRACE:
        options_number(state, "grace", arg, 0, 86400, &o->grace_s);
        return 0;
    case OPTION_MEMORY:
        options_number(state, "lane-memory", arg, 64, 1 << 20, &o->lane_memory_mib);
        return 0;
    case OPTION_SILENCE:
        options_number(state, "silence", arg, 3, 86400, &o->silence_s);
        return 0;
    case OPTION_LEASE:
        options_number(state, "lease", arg, 1, 30 * 86400, &o->lease_s);
        return 0;
    case OPTION_FLUSH:
        options_number(state, "flush", arg, 1, AGENT_FLUSH_RECORDS, &o->flush_records);
        return 0;
    case OPTION_CROPS:
        o->save_crops = DEFAULT_CROPS;
        if (arg)
            options_number(state, "save-crops", arg, 1, 16, &o->save_crops);
        return 0;
    case OPTION_FEATURES:
        if (arg[0] == '\0')
            argp_error(state, "--save-features is empty");
        o->save_features = arg;
        return 0;
    case OPTION_FRAMES:
        o->save_frame_scores = true;
        return 0;
    case OPTION_SANDBOX:
        o->require_sandbox = true;
        return 0;
    case OPTION_STRICT:
        o->strict = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->corpus;
        return 0;
    case ARGP_KEY_END:
        check_complete(state, o);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void main_run_parse(int argc, char **argv, struct run_options *ret_options)
{
    static const struct argp_child children[] = {{&options_corpus_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        option_list,
        parse_option,
        "CORPUS|MANIFEST",
        "Score every video of a corpus and write the report. Run alone, or one rank a node under mpirun or srun. "
        "Started again with the same arguments it goes on where it was.",
        children,
        NULL,
        NULL};

    *ret_options = (struct run_options){
        .timeout_s = DEFAULT_TIMEOUT_S,
        .retries = DEFAULT_RETRIES,
        .grace_s = DEFAULT_GRACE_S,
        .segment_s = DEFAULT_SEGMENT_S,
        .silence_s = DEFAULT_SILENCE_S,
        .flush_records = AGENT_FLUSH_RECORDS,
        .lane_memory_mib = DEFAULT_LANE_MEMORY_MIB,
        .level = LOG_LEVEL_INFO,
    };
    main_parse(&argp, argc, argv, ret_options);
    /* A part's tracks have no numbers of the video yet. */
    if (ret_options->save_crops > 0 || ret_options->save_features || ret_options->save_frame_scores)
        ret_options->segment_s = 0;
    if (ret_options->corpus.n_lanes == 0)
        ret_options->corpus.n_lanes = batch_lanes(ret_options->lane_memory_mib, LANE_POOL_MAX_LANES);
}
