/* NonMaxSuppression. How many boxes it selects the values decide, so it can be planned where boxes, scores and limits
 * are constants of the plan. */
#include <math.h>
#include <stdlib.h>

#include "models/op.h"
#include "models/order.h"

/* Pairs of boxes that planning may compare, those of sorting among them; a hostile file would ask for hours. */
#define MAX_PAIRS ((int64_t)1 << 28)
/* A comparison in a sort costs as much, where boxes are many: they lie all over the memory. */
enum { SORTING_PAIRS = 4 };

struct nms_state {
    int64_t batches, classes, boxes, most, selected;
    float iou, score;
    bool has_score, centers;
};

struct box {
    float x0, y0, x1, y1;
};

static struct box box_of(const struct nms_state *state, const float *v)
{
    struct box b;

    if (state->centers)
        return (struct box){v[0] - v[2] / 2, v[1] - v[3] / 2, v[0] + v[2] / 2, v[1] + v[3] / 2};
    /* [y, x, y, x] of any two opposite corners. */
    b.y0 = v[0] < v[2] ? v[0] : v[2];
    b.y1 = v[0] < v[2] ? v[2] : v[0];
    b.x0 = v[1] < v[3] ? v[1] : v[3];
    b.x1 = v[1] < v[3] ? v[3] : v[1];
    return b;
}

static bool overlap(const struct box *a, const struct box *b, float threshold)
{
    float width = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0), height = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    float area_a = (a->x1 - a->x0) * (a->y1 - a->y0), area_b = (b->x1 - b->x0) * (b->y1 - b->y0), both;

    if (!(width > 0) || !(height > 0) || !(area_a > 0) || !(area_b > 0))
        return false;
    both = width * height;
    return both / (area_a + area_b - both) > threshold;
}

static bool better(const void *context, int64_t a, int64_t b)
{
    const float *scores = context;

    return scores[a] > scores[b];
}

/* Selects among the boxes of one class; order: 2 * boxes values. Gives how many, their indices at the list's start. */
static int64_t select_class(const struct nms_state *state, const float *boxes, const float *scores, int64_t *order)
{
    int64_t n = 0, kept = 0;

    for (int64_t i = 0; i < state->boxes; i++) {
        if (state->has_score ? scores[i] > state->score : !isnan(scores[i]))
            order[n++] = i;
    }
    order_sort(order, order + state->boxes, n, better, scores);
    for (int64_t i = 0; i < n && kept < state->most; i++) {
        struct box box = box_of(state, boxes + order[i] * 4);
        bool free_place = true;

        for (int64_t k = 0; k < kept && free_place; k++) {
            struct box other = box_of(state, boxes + order[k] * 4);

            free_place = !overlap(&box, &other, state->iou);
        }
        if (free_place)
            order[kept++] = order[i];
    }
    return kept;
}

static int64_t select_all(const struct call *c, int64_t *order, int64_t *ret_rows)
{
    const struct nms_state *state = c->state;
    const float *boxes = c->in[0]->data, *scores = c->in[1]->data;
    int64_t total = 0;

    if (state->most == 0)
        return 0;
    for (int64_t b = 0; b < state->batches; b++) {
        for (int64_t k = 0; k < state->classes; k++) {
            int64_t n = select_class(state, boxes + b * state->boxes * 4,
                                     scores + (b * state->classes + k) * state->boxes, order);

            for (int64_t i = 0; ret_rows && i < n; i++) {
                ret_rows[(total + i) * 3] = b;
                ret_rows[(total + i) * 3 + 1] = k;
                ret_rows[(total + i) * 3 + 2] = order[i];
            }
            total += n;
        }
    }
    return total;
}

/* The number in optional input `index`; false: the input is not one number. */
static bool number_of(const struct call *c, size_t index, double *ret_number)
{
    const struct tensor *t = call_in(c, index);

    if (t && tensor_count(t) != 1)
        return false;
    if (t)
        *ret_number = tensor_value(t, 0);
    return true;
}

static enum status nms_infer(struct call *c, struct error *e)
{
    struct nms_state *state = c->state;
    const struct tensor_shape *boxes = &c->in[0]->shape, *scores = &c->in[1]->shape;
    double most = 0, iou = 0, score = 0;
    int64_t *order, pairs, each = 1;
    enum status s = call_rank(c, 0, 3, 3, e);

    if (s == STATUS_OK)
        s = call_rank(c, 1, 3, 3, e);
    for (size_t i = 0; i < 5 && s == STATUS_OK; i++)
        s = call_type(c, i, i == 2 ? TYPE_BIT(TENSOR_I64) : TYPE_BIT(TENSOR_F32), e);
    if (s != STATUS_OK)
        return s;
    if (boxes->dims[0] != scores->dims[0] || boxes->dims[1] != scores->dims[2] || boxes->dims[2] != 4)
        return call_error(c, e, STATUS_INVALID, "boxes and scores do not fit each other");
    for (size_t i = 0; i < c->n_in; i++) {
        if (c->in[i] && !c->in[i]->data)
            return call_unknown(c, i, e);
    }
    if (!number_of(c, 2, &most) || !number_of(c, 3, &iou) || !number_of(c, 4, &score))
        return call_error(c, e, STATUS_INVALID, "a limit is not one number");
    state->batches = boxes->dims[0];
    state->classes = scores->dims[1];
    state->boxes = boxes->dims[1];
    state->most = most < 0 ? 0 : most > (double)state->boxes ? state->boxes : (int64_t)most;
    state->iou = (float)iou;
    state->score = (float)score;
    state->has_score = call_in(c, 4) != NULL;
    state->centers = call_int(c, "center_point_box", 0) != 0;
    pairs = state->most > 0 ? tensor_count(c->in[1]) : 0;
    for (int64_t n = state->boxes; n > 1; n /= 2)
        each += SORTING_PAIRS;
    if (pairs > MAX_PAIRS / (state->most + each))
        return call_error(c, e, STATUS_UNSUPPORTED, "%lld boxes in %lld classes to select up to %lld from",
                          (long long)state->boxes, (long long)state->classes, (long long)state->most);
    order = malloc((size_t)(2 * state->boxes + 1) * sizeof(*order));
    if (!order)
        return error_no_memory(e);
    state->selected = select_all(c, order, NULL);
    free(order);
    c->out[0]->type = TENSOR_I64;
    c->out[0]->shape = (struct tensor_shape){.rank = 2, .dims = {state->selected, 3}};
    c->scratch_bytes = (size_t)(2 * state->boxes) * sizeof(*order);
    return STATUS_OK;
}

static enum status nms_run(struct call *c, struct error *e)
{
    (void)e;
    (void)select_all(c, c->scratch, c->out[0]->data);
    return STATUS_OK;
}

static const struct op nms_ops[] = {
    {.name = "NonMaxSuppression",
     .since = 10,
     .min_in = 2,
     .max_in = 5,
     .min_out = 1,
     .max_out = 1,
     .state_bytes = sizeof(struct nms_state),
     .infer = nms_infer,
     .run = nms_run},
};

const struct op_group ops_nms = {nms_ops, sizeof(nms_ops) / sizeof(nms_ops[0])};
