#include "tests/nodes/fake_networks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OUTPUTS = 12 };

const float FAKE_POINTS[5][2] = {{0.3f, 0.4f}, {0.7f, 0.4f}, {0.5f, 0.6f}, {0.35f, 0.8f}, {0.65f, 0.8f}};

struct session {
    struct network *network;
    struct tensor_shape input_shape, shapes[MAX_OUTPUTS];
    float *input, *outputs[MAX_OUTPUTS];
    uint32_t random;
};

static const char *const names_mtcnn[] = {"reg", "prob", "points"};
static const char *const names_yunet[] = {"cls_8",  "cls_16",  "cls_32",  "obj_8", "obj_16", "obj_32",
                                          "bbox_8", "bbox_16", "bbox_32", "kps_8", "kps_16", "kps_32"};

void fake_paint(uint8_t *rgb, unsigned width, unsigned height, float x0, float y0, float side)
{
    for (unsigned y = 0; y < height; y++) {
        for (unsigned x = 0; x < width; x++) {
            float u = ((float)x + 0.5f - x0) / side, v = ((float)y + 0.5f - y0) / side;

            if (u < 0 || u >= 1 || v < 0 || v >= 1)
                continue;
            rgb[3 * ((size_t)y * width + x)] = (uint8_t)lrintf(255 * u);
            rgb[3 * ((size_t)y * width + x) + 1] = (uint8_t)lrintf(255 * v);
            rgb[3 * ((size_t)y * width + x) + 2] = 255;
        }
    }
}

size_t network_input_count(const struct network *n)
{
    (void)n;
    return 1;
}

const struct network_tensor *network_input(const struct network *n, size_t index)
{
    static const struct network_tensor input = {"input", TENSOR_F32, {4, {-1, 3, -1, -1}}};

    (void)n;
    (void)index;
    return &input;
}

size_t network_output_count(const struct network *n)
{
    return n->role == FAKE_YUNET ? 12 : n->role == FAKE_ONET ? 3 : 2;
}

const struct network_tensor *network_output(const struct network *n, size_t index)
{
    static struct network_tensor output = {"", TENSOR_F32, {0, {0}}};

    output.name = n->role == FAKE_YUNET ? names_yunet[index] : names_mtcnn[index];
    if (n->rename_output && strcmp(n->rename_output, output.name) == 0)
        output.name = "renamed";
    return &output;
}

static void output_shape(const struct network *n, const struct tensor_shape *input, size_t index,
                         struct tensor_shape *ret)
{
    static const unsigned values_mtcnn[] = {4, 2, 10}, values_yunet[] = {1, 1, 4, 10};
    unsigned height = (unsigned)input->dims[2], width = (unsigned)input->dims[3];

    if (n->role == FAKE_YUNET) {
        unsigned stride = 8u << index % 3;

        *ret = (struct tensor_shape){3, {1, height / stride * (width / stride), values_yunet[index / 3]}};
    } else if (n->role == FAKE_PNET) {
        *ret = (struct tensor_shape){4, {1, values_mtcnn[index], (height - 12 + 1) / 2 + 1, (width - 12 + 1) / 2 + 1}};
    } else {
        *ret = (struct tensor_shape){2, {input->dims[0], values_mtcnn[index]}};
    }
    if (n->wrong_shape && index == (n->role == FAKE_YUNET ? 7 : 0))
        ret->dims[1]++;
}

enum status session_open(const struct network *n, const struct session_settings *settings, struct session **ret_s,
                         struct error *e)
{
    struct session *s;

    if (n->fail_open)
        return error_set(e, STATUS_UNSUPPORTED, "operator Frob is not supported");
    s = calloc(1, sizeof(*s));
    s->network = (struct network *)(uintptr_t)n;
    s->input_shape = settings->input_shapes[0];
    s->input = calloc((size_t)tensor_shape_count(&s->input_shape), sizeof(float));
    for (size_t i = 0; i < network_output_count(n); i++) {
        output_shape(n, &s->input_shape, i, &s->shapes[i]);
        s->outputs[i] = calloc((size_t)tensor_shape_count(&s->shapes[i]), sizeof(float));
    }
    s->network->n_sessions_open++;
    s->network->batch = s->input_shape.dims[0];
    s->random = 1;
    *ret_s = s;
    return STATUS_OK;
}

void session_close(struct session **s)
{
    if (!s || !*s)
        return;
    (*s)->network->n_sessions_open--;
    free((*s)->input);
    for (size_t i = 0; i < MAX_OUTPUTS; i++)
        free((*s)->outputs[i]);
    free(*s);
    *s = NULL;
}

void *session_input(struct session *s, size_t index)
{
    (void)index;
    return s->input;
}

const void *session_output(const struct session *s, size_t index)
{
    return s->outputs[index];
}

void session_output_shape(const struct session *s, size_t index, struct tensor_shape *ret_shape)
{
    *ret_shape = s->shapes[index];
}

enum tensor_type session_output_type(const struct session *s, size_t index)
{
    (void)s;
    (void)index;
    return TENSOR_F32;
}

/* The painted face that the window [x0, x0 + side) x [y0, y0 + side) lies in, in pixels; false: none. Reads
 * the colours at a quarter and three quarters of the window. */
static bool read_painted(const float *chw, unsigned width, unsigned height, unsigned x0, unsigned y0, unsigned side,
                         float ret_box[4])
{
    size_t plane = (size_t)width * height;
    unsigned near = side / 4, far = side - 1 - side / 4;

    for (unsigned axis = 0; axis < 2; axis++) {
        size_t step = axis == 0 ? 1 : width;
        unsigned other = axis == 0 ? y0 + side / 2 : x0 + side / 2, start = axis == 0 ? x0 : y0;
        const float *at = chw + (axis == 0 ? (size_t)other * width : other);
        float a = at[axis * plane + (start + near) * step] * 128 + 127.5f;
        float b = at[axis * plane + (start + far) * step] * 128 + 127.5f;
        float blue_a = at[2 * plane + (start + near) * step], blue_b = at[2 * plane + (start + far) * step];
        float length;

        if (blue_a < 0.99f || blue_b < 0.99f || b - a < 8)
            return false;
        length = 255 * (float)(far - near) / (b - a);
        ret_box[axis] = (float)(start + near) + 0.5f - a / 255 * length;
        ret_box[axis + 2] = ret_box[axis] + length;
    }
    return true;
}

static float next_random(struct session *s)
{
    s->random = s->random * 1664525u + 1013904223u;
    return (float)(s->random >> 8) / (float)(1 << 24);
}

/* What one window of MTCNN says. */
static void answer(struct session *s, const float *chw, unsigned width, unsigned height, unsigned x0, unsigned y0,
                   unsigned side, float ret_reg[4], float *ret_prob, float ret_points[10])
{
    enum fake_mood mood = s->network->mood;
    float box[4] = {0, 0, 0, 0}, ratio;

    *ret_prob = 0;
    memset(ret_reg, 0, 4 * sizeof(*ret_reg));
    memset(ret_points, 0, 10 * sizeof(*ret_points));
    if (mood != FAKE_TRUE) {
        float value = mood == FAKE_INFINITE ? INFINITY : mood == FAKE_HUGE ? 1e30f : NAN;

        *ret_prob = mood == FAKE_NAN || mood == FAKE_INFINITE ? value : 1;
        for (unsigned i = 0; i < 4; i++)
            ret_reg[i] = mood == FAKE_EVERYWHERE ? next_random(s) - 0.5f : i < 2 ? -value : value;
        for (unsigned i = 0; i < 10; i++)
            ret_points[i] = mood == FAKE_EVERYWHERE ? next_random(s) : value;
        return;
    }
    if (!read_painted(chw, width, height, x0, y0, side, box))
        return;
    ratio = fabsf(logf((box[2] - box[0]) / (float)side));
    if (ratio > 0.6f)
        return;
    *ret_prob = 0.999f - 0.2f * ratio;
    for (unsigned i = 0; i < 4; i++)
        ret_reg[i] = (box[i] - (float)((i % 2 == 0 ? x0 : y0) + (i < 2 ? 0 : side))) / (float)side;
    for (unsigned i = 0; i < 5; i++) {
        ret_points[i] = (box[0] + FAKE_POINTS[i][0] * (box[2] - box[0]) - (float)x0) / (float)side;
        ret_points[5 + i] = (box[1] + FAKE_POINTS[i][1] * (box[3] - box[1]) - (float)y0) / (float)side;
    }
}

static void run_pnet(struct session *s)
{
    unsigned height = (unsigned)s->input_shape.dims[2], width = (unsigned)s->input_shape.dims[3];
    unsigned grid_height = (unsigned)s->shapes[1].dims[2], grid_width = (unsigned)s->shapes[1].dims[3];
    size_t cells = (size_t)grid_height * grid_width;

    for (size_t i = 0; i < cells; i++) {
        unsigned x0 = 2 * (unsigned)(i % grid_width), y0 = 2 * (unsigned)(i / grid_width);
        float reg[4] = {0}, prob = 0, points[10];

        if (x0 + 12 <= width && y0 + 12 <= height)
            answer(s, s->input, width, height, x0, y0, 12, reg, &prob, points);
        s->outputs[1][i] = 1 - prob;
        s->outputs[1][cells + i] = prob;
        for (unsigned k = 0; k < 4; k++)
            s->outputs[0][k * cells + i] = reg[k];
    }
}

static void run_crops(struct session *s)
{
    unsigned side = (unsigned)s->input_shape.dims[2];

    for (int64_t n = 0; n < s->input_shape.dims[0]; n++) {
        float points[10], prob;

        answer(s, s->input + n * 3 * side * side, side, side, 0, 0, side, s->outputs[0] + 4 * n, &prob, points);
        s->outputs[1][2 * n] = 1 - prob;
        s->outputs[1][2 * n + 1] = prob;
        if (s->outputs[2])
            memcpy(s->outputs[2] + 10 * n, points, sizeof(points));
    }
}

static void run_yunet(struct session *s)
{
    enum fake_mood mood = s->network->mood;
    size_t plane = (size_t)(s->input_shape.dims[2] * s->input_shape.dims[3]);

    for (unsigned c = 0; c < 3; c++) {
        s->network->yunet_first[c] = s->input[c * plane];
        s->network->yunet_corner[c] = s->input[c * plane + plane - 1];
    }
    for (unsigned i = 0; i < 12; i++) {
        size_t count = (size_t)tensor_shape_count(&s->shapes[i]);

        for (size_t k = 0; k < count; k++) {
            float value = mood == FAKE_INFINITE ? INFINITY : mood == FAKE_HUGE ? 1e30f : NAN;

            if (mood == FAKE_TRUE)
                value = 0;
            else if (i < 6)
                value = mood == FAKE_NAN || mood == FAKE_INFINITE ? value : 1;
            else if (mood == FAKE_EVERYWHERE)
                value = next_random(s);
            s->outputs[i][k] = value;
        }
    }
    for (unsigned i = 0; mood == FAKE_TRUE && i < s->network->n_cells; i++) {
        const struct fake_cell *c = &s->network->cells[i];
        unsigned level = c->stride == 8 ? 0 : c->stride == 16 ? 1 : 2;
        size_t cell = (size_t)c->row * ((size_t)s->input_shape.dims[3] / c->stride) + c->column;

        s->outputs[level][cell] = c->cls;
        s->outputs[3 + level][cell] = c->obj;
        memcpy(s->outputs[6 + level] + 4 * cell, c->bbox, sizeof(c->bbox));
        memcpy(s->outputs[9 + level] + 10 * cell, c->kps, sizeof(c->kps));
    }
}

enum status session_run(struct session *s, struct error *e)
{
    if (s->network->fail_run)
        return error_set(e, STATUS_INVALID, "node 7: an index is out of range");
    s->network->n_runs++;
    if (s->network->role == FAKE_YUNET)
        run_yunet(s);
    else if (s->network->role == FAKE_PNET)
        run_pnet(s);
    else
        run_crops(s);
    return STATUS_OK;
}
