#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/detector_find.h"
#include "models/input_guess.h"
#include "models/network.h"
#include "models/zoo.h"
#include "models/zoo_source.h"
#include "shard/file.h"

enum { MAX_INPUTS = 32 };

static void print_shape(const struct tensor_shape *s, FILE *out)
{
    fputc('[', out);
    for (unsigned i = 0; i < s->rank; i++)
        fprintf(out, "%s%" PRId64, i ? "," : "", s->dims[i]);
    fputc(']', out);
}

static enum status describe(const char *path, const struct card *card, const struct card_network *cn,
                            const struct zoo_info_settings *how, FILE *out, struct error *e)
{
    struct tensor_shape shapes[MAX_INPUTS];
    struct session_settings settings = {.backend = how->backend, .precision = how->precision, .input_shapes = shapes};
    struct network *n = NULL;
    struct session *session = NULL;
    struct error problem = {0};
    enum status s = network_open(path, &n, e);

    if (s != STATUS_OK)
        return s;
    network_describe(n, out);
    if (network_input_count(n) > MAX_INPUTS) {
        s = error_set(e, STATUS_UNSUPPORTED, "%s: more than %d inputs", path, MAX_INPUTS);
        goto end;
    }
    for (size_t i = 0; i < network_input_count(n); i++) {
        shapes[i] = network_input(n, i)->shape;
        input_guess(card, cn, &shapes[i]);
    }
    /* A network whose open dimensions are not pictures cannot be sized by guessing: said, and no error. */
    if (session_open(n, &settings, &session, &problem) != STATUS_OK) {
        fprintf(out, "cost: not known for the guessed sizes (%s)\n", problem.text);
        goto end;
    }
    fputs("cost of one run at ", out);
    for (size_t i = 0; i < network_input_count(n); i++) {
        fprintf(out, "%s%s ", i ? ", " : "", network_input(n, i)->name);
        print_shape(&shapes[i], out);
    }
    fprintf(out, ": %.1f Mflop, %.2f MiB of working memory\n", (double)session_flops(session) / 1e6,
            (double)session_arena_bytes(session) / 1048576);
    if (how->layers)
        session_describe(session, out);
    else
        session_summarize(session, out);
end:
    session_close(&session);
    network_close(&n);
    return s;
}

static const char *input_text(const struct card *c)
{
    switch (c->input) {
    case INPUT_FACES:
        return "faces of a video";
    case INPUT_FRAMES:
        return "whole frames of a video";
    case INPUT_LANDMARKS:
        return "landmark files";
    }
    return "?";
}

/* What changes no score, after the rest. */
static void print_notes(const struct card_notes *n, FILE *out)
{
    for (unsigned i = 0; i < n->n_published; i++)
        fprintf(out, "published: %s: %s (%s)\n", n->published[i].what, n->published[i].value, n->published[i].source);
    for (unsigned i = 0; i < n->n_measured; i++)
        fprintf(out, "measured: %s: %s (%s)\n", n->measured[i].what, n->measured[i].value, n->measured[i].source);
    for (unsigned i = 0; i < n->n_sources; i++)
        fprintf(out, "from: %s: %s\n", n->sources[i].key, n->sources[i].source);
    for (unsigned i = 0; i < n->n_departures; i++)
        fprintf(out, "otherwise than published: %s\n", n->departures[i].text);
    if (n->weights[0] != '\0')
        fprintf(out, "weights: %s\n", n->weights);
    if (n->export_hint[0] != '\0')
        fprintf(out, "export: %s\n", n->export_hint);
}

static void print_card(const struct card *c, FILE *out)
{
    fprintf(out, "%s: %s\n", c->name, c->title);
    fprintf(out, "kind: %s\n",
            c->kind == CARD_DETECTOR   ? "detector"
            : c->kind == CARD_ENSEMBLE ? "ensemble"
            : c->kind == CARD_FEATURES ? "network of features"
                                       : "face detector");
    fprintf(out, "licence: %s\n", c->licence);
    fprintf(out, "provenance: %s\n", c->provenance);
    if (c->worth[0] != '\0')
        fprintf(out, "worth: %s\n", c->worth);
    for (unsigned i = 0; i < c->ensemble.n_members; i++)
        fprintf(out, "member: %s, weight %g\n", c->ensemble.members[i].detector, c->ensemble.members[i].weight);
    if (c->kind != CARD_DETECTOR)
        return;
    if (c->input == INPUT_LANDMARKS)
        fprintf(out, "input: %s, %u points a frame, blocks of %u frames", input_text(c), c->landmark_points,
                c->sampling.frames);
    else
        fprintf(out, "input: %s, %u clip%s of %u frames", input_text(c), c->sampling.clips,
                c->sampling.clips == 1 ? "" : "s", c->sampling.frames);
    if (c->sampling.stride_s > 0)
        fprintf(out, ", %g s apart", c->sampling.stride_s);
    if (c->sampling.stride_frames > 0)
        fprintf(out, ", %u frames apart", c->sampling.stride_frames);
    if (c->sampling.mode == SAMPLING_KEYFRAME)
        fprintf(out, ", from key frames");
    if (c->sampling.mode == SAMPLING_ALL)
        fprintf(out, ", and as many more as cover the video");
    if (c->input == INPUT_FACES)
        fprintf(out, ", found by %s, cropped %s x %g to %u x %u", c->face.detector,
                c->crop.alignment == CROP_SIMILARITY ? "aligned"
                : c->crop.alignment == CROP_EYES     ? "by the eyes"
                                                     : "by box",
                c->crop.margin, c->crop.width_px, c->crop.height_px);
    fputc('\n', out);
}

static enum status info_of_card(const char *name, const struct zoo_info_settings *how, FILE *out, struct error *e)
{
    struct found f = {0};
    struct error problem = {0};
    enum status s = detector_find(name, 0, &f, &problem);

    if (s == STATUS_NOT_FOUND && card_name_is_plain(name)) {
        /* Not installed: the shipped card still tells. */
        char *data = zoo_data_folder();
        char *path = data ? zoo_path("%s/cards/%s/card.json", data, name) : NULL;
        struct card *card = NULL;

        if (path && access(path, F_OK) == 0 && card_load(path, &card, e) == STATUS_OK) {
            print_card(card, out);
            print_notes(&card->notes, out);
            fprintf(out, "%s\n", problem.text);
            s = STATUS_OK;
        }
        card_close(&card);
        free(data);
        free(path);
        return s == STATUS_OK ? s : error_set(e, problem.status, "%s", problem.text);
    }
    if (s != STATUS_OK)
        return error_set(e, s, "%s", problem.text);
    print_card(f.card, out);
    print_notes(&f.card->notes, out);
    fprintf(out, "card: %s\n", f.card_path);
    for (size_t i = 0; s == STATUS_OK && card_network_at(f.card, i); i++) {
        fprintf(out, "\n%s, sha256 %s\n", f.files[i], f.sha256[i]);
        s = describe(f.files[i], f.card, card_network_at(f.card, i), how, out, e);
    }
    found_clear(&f);
    return s;
}

enum status zoo_info(const char *name_or_path, const struct zoo_info_settings *how, FILE *out, struct error *e)
{
    static const struct card_network none;
    size_t len = strlen(name_or_path);

    if (len > 5 && strcmp(name_or_path + len - 5, ".onnx") == 0)
        return describe(name_or_path, NULL, &none, how, out, e);
    return info_of_card(name_or_path, how, out, e);
}
