#include "models/check.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/network_private.h"
#include "models/onnx_reader.h"
#include "models/op.h"
#include "shard/file.h"

static const size_t max_file_bytes = (size_t)1 << 28, max_arena_bytes = (size_t)1 << 32;

enum { MAX_TENSORS = 64 };

/* How much of the inputs' values the plan may see. */
enum binding { BIND_NOTHING = 0, BIND_VECTORS, BIND_ALL, BINDINGS };

struct tensor_list {
    size_t n;
    struct tensor tensors[MAX_TENSORS];
};

static void list_clear(struct tensor_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->tensors[i].data);
    l->n = 0;
}

/* FOLDER/PREFIX_0.pb, FOLDER/PREFIX_1.pb, ... until one is missing. */
static enum status list_read(const char *folder, const char *prefix, struct tensor_list *ret_l, struct error *e)
{
    enum status s = STATUS_OK;

    for (ret_l->n = 0; s == STATUS_OK && ret_l->n < MAX_TENSORS;) {
        char name[64], *path, *data = NULL;
        size_t len;

        snprintf(name, sizeof(name), "%s_%zu.pb", prefix, ret_l->n);
        path = file_join(folder, name);
        if (!path)
            return error_no_memory(e);
        if (access(path, R_OK) != 0) {
            free(path);
            break;
        }
        s = file_read(path, max_file_bytes, &data, &len, e);
        if (s == STATUS_OK) {
            s = onnx_read_tensor(data, len, path, &ret_l->tensors[ret_l->n], e);
            ret_l->n += s == STATUS_OK;
        }
        free(data);
        free(path);
    }
    return s;
}

static enum status compare(const struct session *s, size_t index, const struct tensor *wanted, struct error *e)
{
    struct tensor_shape shape;
    char a[TENSOR_SHAPE_TEXT_BYTES], b[TENSOR_SHAPE_TEXT_BYTES];
    const struct tensor got = {wanted->type, wanted->shape, (void *)(uintptr_t)session_output(s, index)};
    bool floats = TYPE_BIT(wanted->type) & (TYPES_FLOAT | TYPES_HALF);
    /* One unit in the last place of bfloat16: the cases were cut, where later ONNX (and this engine) rounds. */
    double relative = wanted->type == TENSOR_BF16 ? 0x1p-7 : 1e-3;

    session_output_shape(s, index, &shape);
    if (session_output_type(s, index) != wanted->type || !tensor_shape_equal(&shape, &wanted->shape))
        return error_set(e, STATUS_MISMATCH, "output %zu is %s%s, must be %s%s", index,
                         tensor_type_name(session_output_type(s, index)), tensor_shape_text(&shape, a),
                         tensor_type_name(wanted->type), tensor_shape_text(&wanted->shape, b));
    for (int64_t i = 0; i < tensor_count(wanted); i++) {
        double x = tensor_value(&got, i), y = tensor_value(wanted, i);
        bool same = floats ? x == y : tensor_integer(&got, i) == tensor_integer(wanted, i);

        same = same || (isnan(x) && isnan(y)) || (floats && fabs(x - y) <= 1e-7 + relative * fabs(y));
        if (!same)
            return error_set(e, STATUS_MISMATCH, "output %zu differs at %lld: %.9g, must be %.9g", index, (long long)i,
                             x, y);
    }
    return STATUS_OK;
}

/* numpy has no bfloat16: the cases hold its bits as uint16. */
static void take_type(struct tensor *t, enum tensor_type wanted)
{
    if (t->type == TENSOR_U16 && wanted == TENSOR_BF16)
        t->type = wanted;
}

/* Some cases hold data that their own model does not take; no engine could be right about them. */
static enum status check_declared(const struct network *n, const struct tensor_list *in, struct error *e)
{
    for (size_t i = 0; i < in->n; i++) {
        const struct tensor_shape *declared = &network_input(n, i)->shape, *given = &in->tensors[i].shape;
        bool open = !n->graph->values[n->graph->inputs[i]].is_shaped, fits = open || declared->rank == given->rank;
        char a[TENSOR_SHAPE_TEXT_BYTES], b[TENSOR_SHAPE_TEXT_BYTES];

        for (unsigned d = 0; fits && !open && d < given->rank; d++)
            fits = declared->dims[d] < 0 || declared->dims[d] == given->dims[d];
        if (!fits)
            return error_set(e, STATUS_UNSUPPORTED, "the case contradicts itself: input %zu is %s, its model takes %s",
                             i, tensor_shape_text(given, a), tensor_shape_text(declared, b));
    }
    return STATUS_OK;
}

static enum status run_bound(const struct network *n, enum network_backend backend, struct tensor_list *in,
                             struct tensor_list *out, enum binding binding, struct error *e)
{
    struct tensor bound[MAX_TENSORS];
    struct tensor_shape shapes[MAX_TENSORS];
    struct session_plan_settings settings = {
        .backend = backend, .input_shapes = shapes, .bound = bound, .max_arena_bytes = max_arena_bytes};
    struct session *session = NULL;
    enum status s;

    for (size_t i = 0; i < in->n; i++) {
        take_type(&in->tensors[i], network_input(n, i)->type);
        if (in->tensors[i].type != network_input(n, i)->type)
            return error_set(e, STATUS_MISMATCH, "input %zu is %s, the network takes %s", i,
                             tensor_type_name(in->tensors[i].type), tensor_type_name(network_input(n, i)->type));
        shapes[i] = in->tensors[i].shape;
        bound[i] = in->tensors[i];
        if (binding == BIND_NOTHING || (binding == BIND_VECTORS && shapes[i].rank > 1))
            bound[i].data = NULL;
    }
    s = check_declared(n, in, e);
    if (s == STATUS_OK)
        s = session_open_planned(n, &settings, &session, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < in->n; i++) {
        size_t bytes;

        if (!bound[i].data && tensor_shape_bytes(&shapes[i], in->tensors[i].type, &bytes) && bytes > 0)
            memcpy(session_input(session, i), in->tensors[i].data, bytes);
    }
    s = session_run(session, e);
    for (size_t i = 0; s == STATUS_OK && i < out->n; i++) {
        take_type(&out->tensors[i], session_output_type(session, i));
        s = compare(session, i, &out->tensors[i], e);
    }
    session_close(&session);
    return s;
}

static enum status check_counts_of(const struct network *n, const struct tensor_list *in, const struct tensor_list *out,
                                   struct error *e)
{
    if (in->n != network_input_count(n) || out->n != network_output_count(n))
        return error_set(e, STATUS_MISMATCH, "%zu inputs and %zu outputs for a network of %zu and %zu", in->n, out->n,
                         network_input_count(n), network_output_count(n));
    return STATUS_OK;
}

static enum status run_lists(const struct network *n, enum network_backend backend, struct tensor_list *in,
                             struct tensor_list *out, enum binding *ret_binding, struct error *e)
{
    enum status s = check_counts_of(n, in, out, e);

    for (enum binding b = BIND_NOTHING; s == STATUS_OK && b < BINDINGS; b++) {
        s = run_bound(n, backend, in, out, b, e);
        *ret_binding = b > *ret_binding && s == STATUS_OK ? b : *ret_binding;
        if (s != STATUS_UNSUPPORTED)
            break;
        s = b + 1 < BINDINGS ? STATUS_OK : s;
    }
    return s;
}

/* The course of the network hangs on its inputs' values: opened anew with them. */
static enum status run_known(const char *model, enum network_backend backend, struct tensor_list *in,
                             struct tensor_list *out, enum binding *ret_binding, struct error *e)
{
    struct network *n = NULL;
    enum status s = network_open_known(model, in->tensors, in->n, &n, e);

    if (s == STATUS_OK)
        s = check_counts_of(n, in, out, e);
    if (s == STATUS_OK)
        s = run_bound(n, backend, in, out, BIND_ALL, e);
    *ret_binding = s == STATUS_OK ? BIND_ALL : *ret_binding;
    network_close(&n);
    return s;
}

/* n NULL: the model opens only with its inputs known, *e says why. Inputs that are no tensors change nothing in that. */
static enum status run_set(const struct network *n, enum network_backend backend, const char *model, const char *folder,
                           enum binding *ret_binding, struct error *e)
{
    struct tensor_list in = {0}, out = {0};
    const struct error why = *e;
    enum status s = list_read(folder, "input", &in, e);

    if (s == STATUS_OK)
        s = list_read(folder, "output", &out, e);
    if (s != STATUS_OK && s != STATUS_NO_MEMORY && !n) {
        *e = why;
        s = STATUS_UNSUPPORTED;
    }
    if (s == STATUS_OK)
        s = n ? run_lists(n, backend, &in, &out, ret_binding, e) : run_known(model, backend, &in, &out, ret_binding, e);
    list_clear(&in);
    list_clear(&out);
    return s;
}

static enum status run_case(const char *folder, enum network_backend backend, enum binding *ret_binding,
                            struct error *e)
{
    struct network *n = NULL;
    char *model = file_join(folder, "model.onnx");
    enum status s = model ? network_open(model, &n, e) : error_no_memory(e);

    if (s == STATUS_UNSUPPORTED)
        s = STATUS_OK;
    for (unsigned i = 0; s == STATUS_OK; i++) {
        char name[64], *path;
        struct stat st;

        snprintf(name, sizeof(name), "test_data_set_%u", i);
        path = file_join(folder, name);
        if (!path) {
            s = error_no_memory(e);
        } else if (stat(path, &st) != 0) {
            if (i == 0)
                s = error_set(e, STATUS_NOT_FOUND, "%s: no such folder", path);
            free(path);
            break;
        } else {
            s = run_set(n, backend, model, path, ret_binding, e);
        }
        free(path);
    }
    network_close(&n);
    free(model);
    return s;
}

static bool is_case(const char *folder)
{
    char *path = file_join(folder, "model.onnx");
    bool found = path && access(path, R_OK) == 0;

    free(path);
    return found;
}

static enum status report_case(const char *folder, enum network_backend backend, FILE *out, struct check_counts *counts,
                               struct error *e)
{
    static const char *const notes[] = {"", " (vectors among its inputs known to the plan)",
                                        " (inputs known to the plan)"};
    const char *name = strrchr(folder, '/');
    enum binding binding = BIND_NOTHING;
    struct error why = {0};
    enum status s = run_case(folder, backend, &binding, &why);

    name = name && name[1] != '\0' ? name + 1 : folder;
    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    if (s == STATUS_OK) {
        counts->passed++;
        fprintf(out, "passed       %s%s\n", name, notes[binding]);
    } else if (s == STATUS_UNSUPPORTED) {
        counts->unsupported++;
        fprintf(out, "unsupported  %s: %s\n", name, why.text);
    } else {
        counts->failed++;
        fprintf(out, "FAILED       %s: %s\n", name, why.text);
    }
    return STATUS_OK;
}

enum status check_cases(const char *folder, enum network_backend backend, FILE *out, struct check_counts *ret_counts,
                        struct error *e)
{
    struct check_counts counts = {0};
    struct dirent **entries = NULL;
    enum status s = STATUS_OK;
    int n = 0;

    if (is_case(folder)) {
        s = report_case(folder, backend, out, &counts, e);
    } else {
        n = scandir(folder, &entries, NULL, alphasort);
        if (n < 0)
            return error_set_errno(e, errno, "%s: cannot read the folder", folder);
    }
    for (int i = 0; i < n && s == STATUS_OK; i++) {
        char *path = entries[i]->d_name[0] == '.' ? NULL : file_join(folder, entries[i]->d_name);

        if (path && is_case(path))
            s = report_case(path, backend, out, &counts, e);
        free(path);
    }
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
    if (s != STATUS_OK)
        return s;
    if (counts.passed + counts.failed + counts.unsupported == 0)
        return error_set(e, STATUS_NOT_FOUND, "%s: no case (a folder with model.onnx) in it", folder);
    fprintf(out, "%u passed, %u failed, %u unsupported\n", counts.passed, counts.failed, counts.unsupported);
    *ret_counts = counts;
    return STATUS_OK;
}
