/* face_search: what the front (faces.c) and the architectures (mtcnn.c, yunet.c, ultraface.c, blazeface.c) share.
 * Internal to nodes/.
 *
 * frame -> faces.c: scaled to the search picture -> mtcnn_run, yunet_run, ...: faces in the search picture's pixels
 *       -> faces.c: back to the frame's pixels, too small ones dropped, the best kept */
#ifndef FAKESIFT_NODES_FACE_SEARCH_H
#define FAKESIFT_NODES_FACE_SEARCH_H

#include "models/card.h"
#include "models/network.h"
#include "nodes/face_boxes.h"
#include "nodes/image.h"
#include "shard/status.h"

enum {
    FACE_SEARCH_ROOM = 256 /* faces that an architecture gives at most; far more than CARD_MAX_FACES, since
                            * the small ones are dropped after it */
};

struct face_search {
    unsigned width_px, height_px; /* of the search picture */
    double min_face_px;           /* in the search picture */
    double threshold;             /* least confidence of a face */
    bool may_generate;            /* kernels: the sandbox is not there yet */
};

/* A session whose kernels are made when it is opened, unless search says otherwise (NULL: it does not): faces.c opens some
 * whenever the picture's size changes, and a lane in its sandbox may not make memory executable then, as oneDNN's generated
 * kernels need. The boxes are the same whatever backend runs the detector. title names card and network in errors. */
enum status face_session_open(const struct network *n, const char *title, const struct tensor_shape *input,
                              const struct face_search *search, struct session **ret_s, struct error *e);

/* The index of the output called name. STATUS_INVALID: there is none. */
enum status face_output_index(const struct network *n, const char *title, const char *name, size_t *ret_index,
                              struct error *e);

/* That an output of s, called name, is float32 of the given shape; a dimension below 0 fits any that is at
 * least 1. */
enum status face_output_check(const struct session *s, size_t index, const char *title, const char *name,
                              const struct tensor_shape *want, struct error *e);

/* Where the search picture lies in the input of a network of one size; black is around it. */
struct face_input {
    unsigned width_px, height_px; /* of the input */
    unsigned left_px, top_px;
    float mean, deviation; /* value = (pixel - mean) / deviation */
};

/* The picture fits: left_px + its width <= width_px, and so in height. out: planes R, G, B. */
void face_input_fill(const struct face_input *in, const struct image *picture, float *out_chw);

struct mtcnn;

/* networks: P-, R- and O-Net; card's name is used in errors. */
enum status mtcnn_open(const struct card *card, const struct network *const networks[3], struct mtcnn **ret_m,
                       struct error *e);
void mtcnn_close(struct mtcnn **m); /* NULL-safe; sets *m = NULL */
/* Makes the sessions for a size of picture; the ones of the size before are closed. */
enum status mtcnn_prepare(struct mtcnn *m, const struct face_search *search, struct error *e);
/* Needs mtcnn_prepare. ret_list has FACE_SEARCH_ROOM; best first. picture is of the prepared size. */
enum status mtcnn_run(struct mtcnn *m, const struct image *picture, struct face_candidate *ret_list, size_t *ret_count,
                      struct error *e);

struct yunet;

enum status yunet_open(const struct card *card, const struct network *network, struct yunet **ret_y, struct error *e);
void yunet_close(struct yunet **y); /* NULL-safe; sets *y = NULL */
enum status yunet_prepare(struct yunet *y, const struct face_search *search, struct error *e);
enum status yunet_run(struct yunet *y, const struct image *picture, struct face_candidate *ret_list, size_t *ret_count,
                      struct error *e);

/* These two take pictures of one size; the search picture is at most that. Their sessions are made when they are opened. */
struct ultraface;

enum status ultraface_open(const struct card *card, const struct network *network, struct ultraface **ret_u,
                           struct error *e);
void ultraface_close(struct ultraface **u); /* NULL-safe; sets *u = NULL */
void ultraface_input_size(unsigned *ret_width_px, unsigned *ret_height_px);
void ultraface_prepare(struct ultraface *u, const struct face_search *search);
enum status ultraface_run(struct ultraface *u, const struct image *picture, struct face_candidate *ret_list,
                          size_t *ret_count, struct error *e);

struct blazeface;

enum status blazeface_open(const struct card *card, const struct network *network, struct blazeface **ret_b,
                           struct error *e);
void blazeface_close(struct blazeface **b); /* NULL-safe; sets *b = NULL */
void blazeface_input_size(const struct blazeface *b, unsigned *ret_width_px, unsigned *ret_height_px);
void blazeface_prepare(struct blazeface *b, const struct face_search *search);
enum status blazeface_run(struct blazeface *b, const struct image *picture, struct face_candidate *ret_list,
                          size_t *ret_count, struct error *e);

#endif
