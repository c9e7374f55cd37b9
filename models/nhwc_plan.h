/* nhwc_plan: the part of a session that works on images with their channels side by side.
 *
 * In: a session's steps with all shapes known. Out: an order in which what was taken over (convolutions, pools and
 * what lies between them) runs image by image, and the other steps as they are; with the memory that each needs.
 *
 *   lower   steps -> operations on nhwc values (nhwc_lower.c, nhwc_lower_bytes.c)
 *   fuse    activations and residual sums into convolutions, concatenations into their readers (nhwc_fuse.c)
 *   order   operations in a row form a region, run for a few images at a time; what crosses a region's border is
 *           kept for all images, what stays inside for one only
 *   place   lifetimes to the session's memory plan, and back as addresses
 *
 * Every operation sees one image, so a row's bits cannot depend on its batch. */
#ifndef FAKESIFT_MODELS_NHWC_PLAN_H
#define FAKESIFT_MODELS_NHWC_PLAN_H

#include "models/backend_onednn.h"
#include "models/memory_plan.h"
#include "models/nhwc_bytes.h"
#include "models/nhwc_kernels.h"
#include "models/nhwc_winograd.h"
#include "models/step.h"

#define NHWC_NONE SIZE_MAX

enum nhwc_kind {
    NHWC_IMPORT, /* from a tensor of the graph, channels first */
    NHWC_CONV,
    NHWC_BYTES, /* a convolution of bytes */
    NHWC_MAX,
    NHWC_AVERAGE,
    NHWC_ADD,      /* in[0] + in[1] */
    NHWC_MULTIPLY, /* in[0] * in[1] */
    NHWC_AFFINE,   /* in[0] * scale + shift; between bytes and floats it quantises */
    NHWC_PRELU,    /* scale is the slope */
    NHWC_COPY,     /* in[0] into channels first.. of out */
    NHWC_EXPORT,   /* to a tensor of the graph */
};

struct nhwc_value {
    int64_t batch, channels, size[3], pixels;
    unsigned dims; /* spatial ones in use */
    bool bf16;
    enum tensor_type integer; /* 0: floats; bytes, or sums of 32 bits */
    size_t tensor;            /* of the graph */
    size_t parent;            /* the value whose channels first.. it is; NHWC_NONE: none */
    int64_t first_channel;
    size_t n_reads; /* by operations that are not removed */
    size_t maker;   /* the operation; NHWC_NONE when several are */
    bool exported;  /* something outside reads the graph's tensor */
    /* Of a value without parent, with all that are part of it: */
    bool placed, whole;         /* whole: kept for all images, else for a chunk */
    int64_t n_images;           /* that there is memory for */
    size_t first, last, region; /* entries, inclusive */
    size_t block;
    void *data;
};

struct nhwc_op {
    enum nhwc_kind kind;
    size_t step;
    size_t in[2], out; /* values */
    bool removed;
    struct activation activation;
    bool adds; /* NHWC_CONV: onto in[1], whose memory is out's */
    bool count_padding;
    int64_t first_channel; /* NHWC_COPY */
    struct window window;
    const float *weights, *bias;
    int64_t groups;
    float *scale, *shift; /* owned */
    /* What the bytes of in[0], in[1] and out stand for, where floats are read or made of them. */
    struct nhwc_code {
        float scale;
        int32_t zero;
    } in_code[2], out_code;
    struct nhwc_bytes *bytes; /* NHWC_BYTES */
    struct onednn_conv *conv; /* NHWC_CONV has one of these two */
    struct winograd *winograd;
    size_t scratch_bytes, block;
    void *scratch;
};

/* An operation or a step, in the order of running. */
struct nhwc_entry {
    bool is_op;
    size_t index;
    size_t region_end; /* of the first operation of a region: the entry after its last; else 0 */
    int64_t chunk;     /* images that an operation sees before the next one's turn; the same for all of a region */
};

struct nhwc_plan {
    struct onednn *onednn;
    const struct kernels *kernels;
    bool bf16;
    uint64_t tried_flops;
    bool has_bytes; /* there are convolutions of bytes among the steps */
    const struct graph *graph;
    struct step *steps;
    size_t n_steps;
    struct tensor *tensors;
    size_t *value_of; /* of each tensor of the graph */
    bool *taken;      /* one a step */
    size_t n_values, room_values, n_ops, room_ops, n_entries;
    struct nhwc_value *values;
    struct nhwc_op *ops;
    struct nhwc_entry *entries;
    uint64_t *entry_ns; /* NULL, or one an entry, onto which each operation's time is added */
};

/* steps and tensors stay the session's and must not move. */
enum status nhwc_plan_open(const struct graph *g, struct step *steps, size_t n_steps, struct tensor *tensors,
                           enum network_precision precision, struct nhwc_plan **ret_p, struct error *e);
void nhwc_plan_close(struct nhwc_plan **p); /* NULL-safe */

size_t nhwc_plan_block_count(const struct nhwc_plan *p);
/* Fills that many blocks, and later takes their places in the arena. */
void nhwc_plan_blocks(struct nhwc_plan *p, struct memory_block *blocks);
void nhwc_plan_place(struct nhwc_plan *p, const struct memory_block *blocks, void *arena);

/* Runs the region that begins at an entry. */
enum status nhwc_plan_run(struct nhwc_plan *p, size_t entry, struct error *e);
/* Of an entry that is an operation: what it does, ending in ", "; and the implementation's name. */
void nhwc_plan_describe(const struct nhwc_plan *p, size_t entry, FILE *out);
const char *nhwc_plan_implementation(const struct nhwc_plan *p, size_t entry);

/* Between the files of this module. */
enum status nhwc_lower(struct nhwc_plan *p, struct error *e);
enum status nhwc_new_value(struct nhwc_plan *p, const struct nhwc_value *v, size_t *ret_index, struct error *e);
enum status nhwc_new_op(struct nhwc_plan *p, const struct nhwc_op *op, size_t *ret_index, struct error *e);
/* STATUS_OK also where the step stays as it is. */
enum status nhwc_lower_bytes(struct nhwc_plan *p, size_t step, struct error *e);
/* Whether a step's 8-bit kernel may be tried out at load; counts it. */
bool nhwc_may_try(struct nhwc_plan *p, const struct call *c);
bool nhwc_is_lowered(const struct nhwc_plan *p, const struct tensor *t);
struct nhwc_value nhwc_value_for(const struct nhwc_plan *p, const struct tensor *t, bool bf16);
/* The nhwc value of a tensor, brought in where it was made outside. */
enum status nhwc_take_in(struct nhwc_plan *p, size_t step, const struct tensor *t, size_t *ret_value, struct error *e);
/* Makes out's value and adds the operation; its scale, shift and bytes are the plan's then, or freed. */
enum status nhwc_put_out(struct nhwc_plan *p, struct nhwc_op *op, const struct tensor *out, bool bf16, struct error *e);
void nhwc_fuse(struct nhwc_plan *p);
enum status nhwc_order(struct nhwc_plan *p, struct error *e);
int64_t nhwc_batch(const struct nhwc_plan *p, const struct nhwc_op *op);
size_t nhwc_image_bytes(const struct nhwc_value *v);
struct conv_geometry nhwc_geometry(const struct nhwc_plan *p, const struct nhwc_op *op);
/* The value without parent that v is part of, and the channel where v begins in it. */
size_t nhwc_root(const struct nhwc_plan *p, size_t v, int64_t *ret_channel);

#endif
