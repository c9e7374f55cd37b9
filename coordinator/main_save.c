#include "coordinator/main_save.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/crop_store.h"
#include "coordinator/feature_store.h"
#include "shard/file.h"
#include "shard/log.h"

struct save {
    struct save_settings settings;
    struct feature_writer *features, *frames;
};

enum status save_ask(const struct run_options *o, const struct card *card, struct finds_settings *ret_finds,
                     struct error *e)
{
    if ((o->save_features || o->save_crops > 0) && card->kind == CARD_ENSEMBLE)
        return error_set(
            e, STATUS_INVALID,
            "--save-crops and --save-features are of the first detector, and %s is an ensemble: name one of "
            "its members before it",
            card->name);
    if (o->save_features && card->networks.joint.file[0] != '\0')
        return error_set(e, STATUS_INVALID,
                         "--save-features: %s is one network from frames to score, which gives no features",
                         card->name);
    if (o->save_crops > 0 && card->input == INPUT_LANDMARKS)
        return error_set(e, STATUS_INVALID, "--save-crops: %s takes landmarks, there is nothing to crop", card->name);
    if (o->save_frame_scores && card->input == INPUT_LANDMARKS)
        return error_set(e, STATUS_INVALID, "--save-frame-scores: %s takes landmarks, whose frames have no times",
                         card->name);
    *ret_finds = (struct finds_settings){
        .crops = (unsigned)o->save_crops, .features = o->save_features != NULL, .frames = o->save_frame_scores};
    return STATUS_OK;
}

enum status save_begin(const struct save_settings *settings, struct error *e)
{
    enum status s = STATUS_OK;

    if (settings->features_folder)
        s = feature_store_begin(settings->features_folder, settings->fingerprint, e);
    if (s == STATUS_OK && settings->frames_folder)
        s = feature_store_begin(settings->frames_folder, settings->fingerprint, e);
    return s;
}

enum status save_open(const struct save_settings *settings, struct save **ret_s, struct error *e)
{
    struct timespec t;
    int64_t now_ns;
    struct save *s;
    enum status status = STATUS_OK;

    *ret_s = NULL;
    if (!settings->crops_folder && !settings->features_folder && !settings->frames_folder)
        return STATUS_OK;
    s = calloc(1, sizeof(*s));
    if (!s)
        return error_no_memory(e);
    s->settings = *settings;
    clock_gettime(CLOCK_REALTIME, &t);
    now_ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
    if (settings->features_folder)
        status = feature_writer_open(settings->features_folder, settings->fingerprint, settings->rank, now_ns,
                                     &s->features, e);
    if (status == STATUS_OK && settings->frames_folder)
        status =
            feature_writer_open(settings->frames_folder, settings->fingerprint, settings->rank, now_ns, &s->frames, e);
    if (status != STATUS_OK) {
        save_close(&s);
        return status;
    }
    *ret_s = s;
    return STATUS_OK;
}

void save_close(struct save **s)
{
    if (!*s)
        return;
    feature_writer_close(&(*s)->features);
    feature_writer_close(&(*s)->frames);
    free(*s);
    *s = NULL;
}

static enum status keep_crops(const struct save *s, const struct result *r, const struct finds *finds, struct error *e)
{
    struct stored_crop crops[FINDS_MAX_CROPS];
    size_t n = 0;

    for (size_t i = 0; i < finds->n && n < FINDS_MAX_CROPS; i++) {
        const struct find *f = &finds->list[i];

        if (f->kind == FIND_CROP)
            crops[n++] = (struct stored_crop){f->track, f->clip, f->number, f->start_us, f->data, f->len_bytes};
    }
    return crop_store_write(s->settings.crops_folder, s->settings.rank, r, crops, n, e);
}

enum status save_keep(struct save *s, const struct result *r, const struct finds *finds, struct error *e)
{
    enum status status = STATUS_OK;

    if (!s || r->segment)
        return STATUS_OK;
    if (finds->n_dropped > 0)
        log_warning("%s: %zu crops, features and frames beyond %d MiB are not kept", r->path, finds->n_dropped,
                    FINDS_MAX_BYTES >> 20);
    if (s->settings.crops_folder)
        status = keep_crops(s, r, finds, e);
    for (size_t i = 0; status == STATUS_OK && (s->features || s->frames) && i < finds->n; i++) {
        const struct find *f = &finds->list[i];
        const struct stored_features x = {
            .track = f->track,
            .clip = f->clip,
            .start_us = f->start_us,
            .end_us = f->end_us,
            .steps = f->height,
            .values = f->width,
            .data = (const float *)(const void *)f->data,
        };

        if (f->kind == FIND_FEATURES && s->features)
            status = feature_writer_add(s->features, r, &x, e);
        else if (f->kind == FIND_FRAMES && s->frames)
            status = feature_writer_add(s->frames, r, &x, e);
    }
    return status;
}

enum status save_sync(struct save *s, struct error *e)
{
    enum status status = s && s->features ? feature_writer_sync(s->features, e) : STATUS_OK;

    if (status == STATUS_OK && s && s->frames)
        status = feature_writer_sync(s->frames, e);
    return status;
}

enum status save_index_frames(const char *run_folder, const char *fingerprint, const struct manifest *m,
                              const struct reduction *r, struct error *e)
{
    char *folder = file_join(run_folder, "frames");
    size_t n = 0;
    enum status s = STATUS_OK;

    if (!folder)
        return error_no_memory(e);
    if (access(folder, F_OK) == 0) {
        s = feature_store_index(folder, fingerprint, m, r->results, &n, e);
        if (s == STATUS_OK && n > 0)
            log_debug("%s/index.csv: scores of the frames of %zu clips", folder, n);
        else if (s == STATUS_OK && r->n_decided > 0)
            log_warning("%s: no clip has scores of single frames; this detector gives one score a clip", folder);
    }
    free(folder);
    return s;
}

enum status save_index(const struct save_settings *settings, const struct manifest *m, const struct reduction *r,
                       struct error *e)
{
    size_t n = 0;
    enum status s = STATUS_OK;

    if (settings->crops_folder) {
        s = crop_store_index(settings->crops_folder, m, r->results, &n, e);
        if (s == STATUS_OK && n > 0)
            log_info("%s/crops.csv: %zu crops", settings->crops_folder, n);
    }
    if (s == STATUS_OK && settings->features_folder) {
        s = feature_store_index(settings->features_folder, settings->fingerprint, m, r->results, &n, e);
        if (s == STATUS_OK)
            log_info("%s/index.csv: features of %zu clips", settings->features_folder, n);
    }
    return s;
}
