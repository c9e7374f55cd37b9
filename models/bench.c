#include "models/bench.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "models/detector_find.h"
#include "models/input_guess.h"
#include "models/npy.h"
#include "models/timing.h"
#include "shard/text.h"

/* A round is at least this long, so that the clock's step and one interruption weigh little. */
#define ROUND_NS ((uint64_t)50000000)

enum { WARM_RUNS = 2, MAX_RUNS = 1000000 };

struct array {
    enum tensor_type type;
    struct tensor_shape shape;
    void *values; /* owned */
};

/* One network that is ready to be timed. */
struct subject {
    const char *path;
    struct network *network;
    struct session *session;
    struct array inputs[BENCH_MAX_INPUTS];
    size_t n_inputs;
};

struct figures {
    double wall_ms, low_ms, high_ms, cpu_ms; /* a run: median, least, most; median of CPU time */
    unsigned rounds;
    uint64_t runs; /* a round */
};

static void subject_close(struct subject **s)
{
    struct subject *x = *s;

    if (!x)
        return;
    for (size_t i = 0; i < BENCH_MAX_INPUTS; i++)
        free(x->inputs[i].values);
    session_close(&x->session);
    network_close(&x->network);
    free(x);
    *s = NULL;
}

static size_t array_bytes(const struct array *a)
{
    return (size_t)tensor_shape_count(&a->shape) * tensor_type_bytes(a->type);
}

static enum status read_input(const char *file, const struct network_tensor *t, const char *path, struct array *ret_a,
                              struct error *e)
{
    enum status s = npy_read(file, &ret_a->type, &ret_a->shape, &ret_a->values, e);

    if (s == STATUS_OK && ret_a->type != t->type)
        return error_set(e, STATUS_INVALID, "%s: %s, but input %s of %s takes %s", file, tensor_type_name(ret_a->type),
                         t->name, path, tensor_type_name(t->type));
    return s;
}

/* Values between -1 and 1, the same in every process; integers are zeros, since they may be indices. */
static enum status make_input(const struct network_tensor *t, const struct card *card, const struct card_network *cn,
                              int64_t batch, struct array *ret_a, struct error *e)
{
    uint32_t seed = 1;
    size_t count;

    ret_a->type = t->type;
    ret_a->shape = t->shape;
    if (batch > 0 && ret_a->shape.rank > 0 && ret_a->shape.dims[0] < 0)
        ret_a->shape.dims[0] = batch;
    input_guess(card, cn, &ret_a->shape);
    count = (size_t)tensor_shape_count(&ret_a->shape);
    ret_a->values = calloc(count + 1, tensor_type_bytes(t->type));
    if (!ret_a->values)
        return error_no_memory(e);
    for (size_t i = 0; t->type == TENSOR_F32 && i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        ((float *)ret_a->values)[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    return STATUS_OK;
}

static enum status get_inputs(struct subject *x, const struct bench_settings *settings, const struct card *card,
                              const struct card_network *cn, struct error *e)
{
    enum status s = STATUS_OK;
    int64_t rows;

    if (x->n_inputs > BENCH_MAX_INPUTS)
        return error_set(e, STATUS_UNSUPPORTED, "%s: more than %d inputs", x->path, BENCH_MAX_INPUTS);
    if (settings->n_inputs > 0 && settings->n_inputs != x->n_inputs)
        return error_set(e, STATUS_INVALID, "%s: takes %zu inputs, %zu given", x->path, x->n_inputs,
                         settings->n_inputs);
    for (size_t i = 0; s == STATUS_OK && i < x->n_inputs; i++) {
        const struct network_tensor *t = network_input(x->network, i);

        s = settings->n_inputs > 0 ? read_input(settings->inputs[i], t, x->path, &x->inputs[i], e)
                                   : make_input(t, card, cn, settings->batch, &x->inputs[i], e);
    }
    rows = x->inputs[0].shape.rank > 0 ? x->inputs[0].shape.dims[0] : 1;
    if (s == STATUS_OK && settings->batch > 0 && x->n_inputs > 0 && rows != settings->batch)
        return error_set(e, STATUS_INVALID, "%s: --batch %" PRId64 ", but the input has %" PRId64 " rows", x->path,
                         settings->batch, rows);
    return s;
}

/* An input's memory does not survive a run, so it is written before each, as whoever uses a network does. */
static enum status run_once(struct subject *x, uint64_t *layer_ns, struct error *e)
{
    for (size_t i = 0; i < x->n_inputs; i++) {
        size_t len = array_bytes(&x->inputs[i]);

        if (len > 0)
            memcpy(session_input(x->session, i), x->inputs[i].values, len);
    }
    return session_run_timed(x->session, layer_ns, e);
}

static enum status subject_open(const char *path, const struct bench_settings *settings, const struct card *card,
                                const struct card_network *cn, struct subject **ret_subject, struct error *e)
{
    struct tensor_shape shapes[BENCH_MAX_INPUTS];
    const struct session_settings options = {
        .backend = settings->backend, .precision = settings->precision, .input_shapes = shapes};
    struct subject *x = calloc(1, sizeof(*x));
    enum status s;

    if (!x)
        return error_no_memory(e);
    x->path = path;
    s = network_open(path, &x->network, e);
    if (s != STATUS_OK)
        goto error;
    x->n_inputs = network_input_count(x->network);
    s = get_inputs(x, settings, card, cn, e);
    for (size_t i = 0; s == STATUS_OK && i < x->n_inputs; i++)
        shapes[i] = x->inputs[i].shape;
    if (s == STATUS_OK)
        s = session_open(x->network, &options, &x->session, e);
    for (unsigned i = 0; s == STATUS_OK && i < WARM_RUNS; i++)
        s = run_once(x, NULL, e);
    if (s == STATUS_OK && settings->output && network_output_count(x->network) > 0) {
        struct tensor_shape shape;

        session_output_shape(x->session, 0, &shape);
        s = npy_write(settings->output, session_output_type(x->session, 0), &shape, session_output(x->session, 0), e);
    }
    if (s != STATUS_OK)
        goto error;
    *ret_subject = x;
    return STATUS_OK;
error:
    subject_close(&x);
    return s;
}

static enum status time_runs(struct subject *x, uint64_t runs, uint64_t *ret_wall_ns, uint64_t *ret_cpu_ns,
                             struct error *e)
{
    uint64_t cpu = timing_ns(CLOCK_PROCESS_CPUTIME_ID), wall = timing_ns(CLOCK_MONOTONIC);
    enum status s = STATUS_OK;

    for (uint64_t i = 0; s == STATUS_OK && i < runs; i++)
        s = run_once(x, NULL, e);
    if (s != STATUS_OK)
        return s;
    *ret_wall_ns = timing_ns(CLOCK_MONOTONIC) - wall;
    *ret_cpu_ns = timing_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    return STATUS_OK;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(const double *sorted, size_t n)
{
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static enum status measure(struct subject *x, unsigned rounds, struct figures *ret_f, struct error *e)
{
    struct figures f = {.rounds = rounds, .runs = 1};
    double *wall = calloc(rounds, sizeof(*wall)), *cpu = calloc(rounds, sizeof(*cpu));
    uint64_t wall_ns = 0, cpu_ns = 0;
    enum status s;

    if (!wall || !cpu) {
        s = error_no_memory(e);
        goto end;
    }
    s = time_runs(x, 1, &wall_ns, &cpu_ns, e);
    if (s == STATUS_OK && wall_ns < ROUND_NS)
        f.runs = ROUND_NS / (wall_ns + 1) + 1;
    f.runs = f.runs > MAX_RUNS ? MAX_RUNS : f.runs;
    for (unsigned i = 0; s == STATUS_OK && i < rounds; i++) {
        s = time_runs(x, f.runs, &wall_ns, &cpu_ns, e);
        wall[i] = (double)wall_ns / 1e6 / (double)f.runs;
        cpu[i] = (double)cpu_ns / 1e6 / (double)f.runs;
    }
    if (s != STATUS_OK)
        goto end;
    qsort(wall, rounds, sizeof(*wall), compare);
    qsort(cpu, rounds, sizeof(*cpu), compare);
    f.wall_ms = median(wall, rounds);
    f.cpu_ms = median(cpu, rounds);
    f.low_ms = wall[0];
    f.high_ms = wall[rounds - 1];
    *ret_f = f;
end:
    free(wall);
    free(cpu);
    return s;
}

struct layer {
    size_t index;
    uint64_t ns;
};

static int longest_first(const void *a, const void *b)
{
    const struct layer *x = a, *y = b;

    return x->ns > y->ns ? -1 : x->ns < y->ns ? 1 : x->index < y->index ? -1 : x->index > y->index;
}

static enum status print_layer(const struct subject *x, const struct layer *layer, double total_ns, uint64_t runs,
                               bool json, FILE *out, struct error *e)
{
    struct text t = {0};
    char *name = NULL, *escaped;
    size_t len;
    FILE *f = open_memstream(&name, &len);

    if (!f)
        return error_no_memory(e);
    session_describe_layer(x->session, layer->index, f);
    if (fclose(f) != 0) {
        free(name);
        return error_no_memory(e);
    }
    if (json)
        text_append_json(&t, name);
    else
        text_append_string(&t, name);
    free(name);
    escaped = text_take(&t);
    if (!escaped)
        return error_no_memory(e);
    fprintf(out, json ? "%s{\"ms\":%.6g,\"share\":%.6g,\"layer\":%zu,\"what\":\"%s\"}" : "%s%9.3f ms %5.1f %%  %zu %s",
            json ? "" : "  ", (double)layer->ns / 1e6 / (double)runs, (double)layer->ns / total_ns * (json ? 1 : 100),
            layer->index, escaped);
    free(escaped);
    return STATUS_OK;
}

/* Each layer's mean time over the runs, the longest first. */
static enum status print_layers(struct subject *x, uint64_t runs, bool json, FILE *out, struct error *e)
{
    size_t n = session_layer_count(x->session);
    uint64_t *ns = calloc(n + 1, sizeof(*ns));
    struct layer *layers = calloc(n + 1, sizeof(*layers));
    enum status s = ns && layers ? STATUS_OK : error_no_memory(e);
    double total = 1; /* no division by zero */

    for (uint64_t i = 0; s == STATUS_OK && i < runs; i++)
        s = run_once(x, ns, e);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        layers[i] = (struct layer){.index = i, .ns = ns[i]};
        total += (double)ns[i];
    }
    if (s == STATUS_OK)
        qsort(layers, n, sizeof(*layers), longest_first);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        if (json && i > 0)
            fputc(',', out);
        s = print_layer(x, &layers[i], total, runs, json, out, e);
        if (!json)
            fputc('\n', out);
    }
    free(ns);
    free(layers);
    return s;
}

static int64_t rows_of(const struct subject *x)
{
    return x->n_inputs > 0 && x->inputs[0].shape.rank > 0 ? x->inputs[0].shape.dims[0] : 1;
}

static enum status print_figures(struct subject *x, const struct bench_settings *settings, const struct figures *f,
                                 FILE *out, struct error *e)
{
    double gflops = (double)session_flops(x->session) / f->wall_ms / 1e6;
    int64_t rows = rows_of(x);
    double a_row = rows > 0 ? f->wall_ms / (double)rows : f->wall_ms;
    struct text t = {0};
    char *escaped;

    if (!settings->json) {
        fprintf(out, "%s: batch %" PRId64 ", backend %s, %s\n", x->path, rows, network_backend_name(settings->backend),
                network_precision_name(settings->precision));
        fprintf(out, "  %.3f ms a run (%.3f to %.3f in %u rounds of %" PRIu64 "), %.3f ms of CPU, %.3f ms a row\n",
                f->wall_ms, f->low_ms, f->high_ms, f->rounds, f->runs, f->cpu_ms, a_row);
        fprintf(out, "  %.1f Mflop a run, %.1f GFLOP/s, %.2f MiB of working memory\n",
                (double)session_flops(x->session) / 1e6, gflops, (double)session_arena_bytes(x->session) / 1048576);
        return settings->layers ? print_layers(x, f->rounds * f->runs, false, out, e) : STATUS_OK;
    }
    text_append_json(&t, x->path);
    escaped = text_take(&t);
    if (!escaped)
        return error_no_memory(e);
    fprintf(out,
            "{\"network\":\"%s\",\"batch\":%" PRId64
            ",\"backend\":\"%s\",\"precision\":\"%s\",\"rounds\":%u,\"runs_a_round\":%" PRIu64
            ",\"wall_ms\":%.6g,\"wall_low_ms\":%.6g,\"wall_high_ms\":%.6g,\"cpu_ms\":%.6g,\"wall_ms_a_row\":%.6g,"
            "\"flops\":%" PRIu64 ",\"gflops\":%.6g,\"arena_bytes\":%zu",
            escaped, rows, network_backend_name(settings->backend), network_precision_name(settings->precision),
            f->rounds, f->runs, f->wall_ms, f->low_ms, f->high_ms, f->cpu_ms, a_row, session_flops(x->session), gflops,
            session_arena_bytes(x->session));
    free(escaped);
    if (settings->layers) {
        enum status s;

        fputs(",\"layers\":[", out);
        s = print_layers(x, f->rounds * f->runs, true, out, e);
        if (s != STATUS_OK)
            return s;
        fputc(']', out);
    }
    fputs("}\n", out);
    return STATUS_OK;
}

static enum status serve(struct subject *x, const struct bench_settings *settings, FILE *in, FILE *out, struct error *e)
{
    char line[64];
    enum status s = STATUS_OK;

    fprintf(out, "ready %s %" PRIu64 " %zu\n", network_backend_name(settings->backend), session_flops(x->session),
            session_arena_bytes(x->session));
    fflush(out);
    while (s == STATUS_OK && fgets(line, sizeof(line), in)) {
        uint64_t runs = 0, wall_ns = 0, cpu_ns = 0;

        line[strcspn(line, "\n")] = '\0';
        if (parse_u64(line, 1, MAX_RUNS, &runs) != STATUS_OK)
            return error_set(e, STATUS_INVALID, "'%.40s' is no number of runs between 1 and %d", line, MAX_RUNS);
        s = time_runs(x, runs, &wall_ns, &cpu_ns, e);
        if (s != STATUS_OK)
            break;
        fprintf(out, "%.9f %.9f\n", (double)wall_ns / 1e9, (double)cpu_ns / 1e9);
        fflush(out);
    }
    return s;
}

static enum status bench_file(const char *path, const struct bench_settings *settings, const struct card *card,
                              const struct card_network *cn, FILE *in, FILE *out, struct error *e)
{
    struct figures f = {0};
    struct subject *x = NULL;
    enum status s = subject_open(path, settings, card, cn, &x, e);

    if (s != STATUS_OK)
        return s;
    if (settings->on_request) {
        s = serve(x, settings, in, out, e);
    } else {
        s = measure(x, settings->rounds ? settings->rounds : 5, &f, e);
        if (s == STATUS_OK)
            s = print_figures(x, settings, &f, out, e);
    }
    subject_close(&x);
    return s;
}

enum status bench(const char *name_or_path, const struct bench_settings *settings, FILE *in, FILE *out, struct error *e)
{
    struct found f = {0};
    size_t len = strlen(name_or_path);
    enum status s;

    if (len > 5 && strcmp(name_or_path + len - 5, ".onnx") == 0)
        return bench_file(name_or_path, settings, NULL, NULL, in, out, e);
    if (settings->on_request || settings->n_inputs > 0 || settings->output)
        return error_set(e, STATUS_INVALID, "%s: arrays and requests need one FILE.onnx, not a detector", name_or_path);
    s = detector_find(name_or_path, 0, &f, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; s == STATUS_OK && card_network_at(f.card, i); i++)
        s = bench_file(f.files[i], settings, f.card, card_network_at(f.card, i), in, out, e);
    found_clear(&f);
    return s;
}
