/* faces_of_rgb: runs a face detector over raw RGB frames, so that other implementations and timings can be
 * set beside it.
 *
 *   faces_of_rgb CARD.json WIDTH HEIGHT [KEY=VALUE ...] < FRAMES
 *
 * FRAMES: WIDTH * HEIGHT * 3 bytes each. Keys: search, min_face, threshold, max_faces (defaults 640, 40, 0.9,
 * 16), repeat (runs each frame so often, for timing), crops (a folder: writes an aligned 224 x 224 PPM of
 * every face). Out: "frame I", then "face CONFIDENCE X0 Y0 X1 Y1 PX0 PY0 ... PX4 PY4" a face; on stderr the
 * time a frame. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nodes/crop.h"
#include "nodes/faces.h"
#include "shard/file.h"
#include "shard/text.h"

enum { CROP_PX = 224 };

struct job {
    struct card *card;
    struct network *networks[3];
    struct face_finder *finder;
    struct card_face settings;
    struct image frame;
    uint8_t *rgb;
    unsigned long repeat;
    const char *crops;
};

static bool read_count(const char *text, uint64_t max, unsigned *ret)
{
    uint64_t value;

    if (parse_u64(text, 1, max, &value) != STATUS_OK)
        return false;
    *ret = (unsigned)value;
    return true;
}

static bool read_option(struct job *job, const char *option)
{
    const char *value = strchr(option, '=');
    size_t len = value ? (size_t)(value - option) : 0;
    unsigned count;

    if (!value)
        return false;
    value++;
    if (strncmp(option, "threshold", len) == 0)
        return parse_double(value, 0, 1, &job->settings.threshold) == STATUS_OK;
    if (strncmp(option, "crops", len) == 0) {
        job->crops = value;
        return true;
    }
    if (!read_count(value, 100000, &count))
        return false;
    if (strncmp(option, "search", len) == 0)
        job->settings.search_side_px = count;
    else if (strncmp(option, "min_face", len) == 0)
        job->settings.min_face_px = count;
    else if (strncmp(option, "max_faces", len) == 0)
        job->settings.max_faces = count;
    else if (strncmp(option, "repeat", len) == 0)
        job->repeat = count;
    else
        return false;
    return true;
}

static enum status open_job(struct job *job, const char *path, struct error *e)
{
    const struct network *networks[3] = {NULL, NULL, NULL};
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    enum status status = card_load(path, &job->card, e);

    for (unsigned i = 0; status == STATUS_OK && i < job->card->n_face_networks; i++) {
        char *file = folder ? file_join(folder, job->card->face_networks[i].file) : NULL;

        status = file ? network_open(file, &job->networks[i], e) : error_no_memory(e);
        networks[i] = job->networks[i];
        free(file);
    }
    free(folder);
    if (status != STATUS_OK)
        return status;
    return face_finder_open(job->card, networks, &job->settings, &job->finder, e);
}

static void close_job(struct job *job)
{
    face_finder_close(&job->finder);
    for (unsigned i = 0; i < 3; i++)
        network_close(&job->networks[i]);
    card_close(&job->card);
    free(job->rgb);
}

static void write_crop(const struct job *job, const struct face *face, unsigned frame, size_t index)
{
    struct card_crop crop = {.alignment = CROP_SIMILARITY, .margin = 1, .width_px = CROP_PX, .height_px = CROP_PX};
    static uint8_t rgb[CROP_PX * CROP_PX * 3];
    char path[4096];
    FILE *f;

    crop_face(&crop, face, &job->frame, rgb);
    snprintf(path, sizeof(path), "%s/%03u_%zu.ppm", job->crops, frame, index);
    f = fopen(path, "wb");
    if (!f) {
        fprintf(stderr, "faces_of_rgb: %s: cannot be written\n", path);
        return;
    }
    fprintf(f, "P6\n%d %d\n255\n", CROP_PX, CROP_PX);
    fwrite(rgb, 1, sizeof(rgb), f);
    fclose(f);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static enum status run_frames(struct job *job, struct error *e)
{
    size_t frame_bytes = 3 * (size_t)job->frame.width_px * job->frame.height_px;
    unsigned n = 0, runs = 0;
    double spent = 0;

    for (; fread(job->rgb, 1, frame_bytes, stdin) == frame_bytes; n++) {
        struct face faces[CARD_MAX_FACES];
        size_t count = 0;

        for (unsigned long i = 0; i < job->repeat; i++, runs++) {
            double start = now_ms();
            enum status status = face_finder_run(job->finder, &job->frame, faces, CARD_MAX_FACES, &count, e);

            if (status != STATUS_OK)
                return status;
            if (runs > 0) /* the first makes the sessions */
                spent += now_ms() - start;
        }
        printf("frame %u\n", n);
        for (size_t i = 0; i < count; i++) {
            const struct face *f = &faces[i];

            printf("face %.6f %.3f %.3f %.3f %.3f", f->confidence, f->x0, f->y0, f->x1, f->y1);
            for (unsigned k = 0; k < 5; k++)
                printf(" %.3f %.3f", f->points_xy[k][0], f->points_xy[k][1]);
            printf("\n");
            if (job->crops)
                write_crop(job, f, n, i);
        }
    }
    if (runs > 1)
        fprintf(stderr, "%u frames, %.2f ms of CPU a run\n", n, spent / (runs - 1));
    return STATUS_OK;
}

int main(int argc, char **argv)
{
    struct job job = {
        .settings = {.min_face_px = 40, .max_faces = CARD_MAX_FACES, .threshold = 0.9, .search_side_px = 640},
        .repeat = 1};
    struct error e = {0};
    unsigned width, height;
    enum status status;

    if (argc < 4 || !read_count(argv[2], 16384, &width) || !read_count(argv[3], 16384, &height)) {
        fprintf(stderr, "usage: faces_of_rgb CARD.json WIDTH HEIGHT [KEY=VALUE ...] < FRAMES\n");
        return 1;
    }
    for (int i = 4; i < argc; i++) {
        if (!read_option(&job, argv[i])) {
            fprintf(stderr, "faces_of_rgb: \"%s\" is no option\n", argv[i]);
            return 1;
        }
    }
    job.rgb = malloc(3 * (size_t)width * height);
    job.frame = (struct image){job.rgb, width, height, 3 * (size_t)width, NULL};
    status = job.rgb ? open_job(&job, argv[1], &e) : error_no_memory(&e);
    if (status == STATUS_OK)
        status = run_frames(&job, &e);
    if (status != STATUS_OK)
        fprintf(stderr, "faces_of_rgb: %s\n", e.text);
    close_job(&job);
    return status == STATUS_OK ? 0 : 2;
}
