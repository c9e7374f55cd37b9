/* make_run: writes a made-up run of N videos, through the real writers of manifest and journal, for timing `fakesift
 * report` at a size that nobody has the videos for.
 * In: N, a folder. Out: that folder with run.json, manifest.csv and one journal segment for each of RANKS ranks, whose
 * records stand in the order in which lanes would have finished them: nearly by size, not by name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/evaluate/random.h"
#include "coordinator/journal.h"
#include "coordinator/run_folder.h"
#include "shard/manifest.h"
#include "shard/text.h"

enum { RANKS = 8, BATCH = 4096, FAKES_OF_AN_ORIGINAL = 4 };

static double uniform(struct random *random)
{
    return random_below(random, 1u << 30) / (double)(1u << 30);
}

/* Of five videos four are fakes of the fifth, as in FaceForensics++ and DFDC. */
static enum status add_videos(struct manifest *m, uint64_t n, struct random *random, struct error *e)
{
    static const char *const families[] = {"faceswap", "reenactment", "lip-sync", "entire-synthesis"};
    static const char *const splits[] = {"train", "val", "test"};
    enum status s = STATUS_OK;

    for (uint64_t i = 0; s == STATUS_OK && i < n; i++) {
        uint64_t scene = i / (FAKES_OF_AN_ORIGINAL + 1), k = i % (FAKES_OF_AN_ORIGINAL + 1);
        char path[96], original[64], identity[32];
        struct manifest_entry entry = {
            .path = path,
            .split = splits[scene % 10 < 8 ? 0 : scene % 10 - 7],
            .identity = identity,
            .label = k == 0 ? LABEL_REAL : LABEL_FAKE,
            .family = k == 0 ? "" : families[k - 1],
            .original = k == 0 ? "" : original,
            .exists = true,
            .size_bytes = 100000 + random_below(random, 9000000),
            .mtime_ns = 1700000000000000000 + (int64_t)i,
        };

        snprintf(identity, sizeof(identity), "id%llu", (unsigned long long)(scene / 20));
        snprintf(original, sizeof(original), "scene%08llu.mp4", (unsigned long long)scene);
        if (k == 0)
            snprintf(path, sizeof(path), "part_%03llu/%s", (unsigned long long)(scene % 1000), original);
        else
            snprintf(path, sizeof(path), "part_%03llu/scene%08llu_%llu.mp4", (unsigned long long)(scene % 1000),
                     (unsigned long long)scene, (unsigned long long)k);
        s = manifest_add(m, &entry, e);
    }
    return s == STATUS_OK ? manifest_sort(m, e) : s;
}

static void add_prints(struct result *r, unsigned n, struct random *random)
{
    for (r->n_prints = 0; r->n_prints < n; r->n_prints++) {
        struct picture_print *p = &r->prints[r->n_prints];

        *p = (struct picture_print){
            .pts_us = 1250000 * (int64_t)r->n_prints,
            .quality = 60 + random_below(random, 41),
            .brightness = 60 + random_below(random, 120),
            .sharpness = 200 + random_below(random, 2000),
            .change = r->n_prints > 0 ? 200 + random_below(random, 2000) : 0,
        };
        for (unsigned k = 0; k < PRINT_HASH_WORDS; k++)
            p->hash[k] = random_next(random);
    }
}

static enum status fill(struct result *r, struct clip_score *clips, const struct manifest_entry *entry,
                        unsigned n_clips, struct random *random)
{
    double logit =
        (entry->label == LABEL_FAKE ? 1.1 : -1.3) + 3.2 * (uniform(random) + uniform(random) + uniform(random) - 1.5);

    *r = (struct result){
        .p_fake = NAN,
        .outcome = OUTCOME_SCORED,
        .size_bytes = entry->size_bytes,
        .mtime_ns = entry->mtime_ns,
        .n_frames_wanted = 32,
        .n_frames_decoded = 32,
        .n_frames_with_face = 20 + random_below(random, 13),
        .n_tracks = 1,
        .attempt = 1,
        .rank = random_below(random, RANKS),
        .wall_us = 200000 + random_below(random, 900000),
        .decode_us = 100000 + random_below(random, 100000),
        .face_us = 50000 + random_below(random, 50000),
        .network_us = 30000 + random_below(random, 9000),
    };
    r->facts = (struct video_facts){
        .container = "mov",
        .codec = "h264",
        .pixel_format = "yuv420p",
        .encoder = "Lavf59.27.100",
        .width_px = 1280,
        .height_px = 720,
        .fps_num = 30000,
        .fps_den = 1001,
        .duration_us = 10000000 + random_below(random, 5000000),
        .n_frames = 300 + random_below(random, 150),
        .bit_rate_bps = 1000000 + random_below(random, 5000000),
        .n_video_streams = 1,
        .n_audio_streams = 1,
    };
    if (random_below(random, 50) == 0) {
        r->outcome = OUTCOME_NO_FACE;
        result_set_message(r, "no face in 32 frames");
    } else if (random_below(random, 200) == 0) {
        r->outcome = OUTCOME_DECODE_ERROR;
        result_set_message(r, "moov atom not found: cut after %u bytes", random_below(random, 1000000));
    } else {
        r->p_fake = 1 / (1 + exp(-logit));
        r->clips = clips;
        r->n_clips = n_clips;
        for (uint32_t k = 0; k < n_clips; k++)
            clips[k] = (struct clip_score){
                .clip = k,
                .start_us = 4000000 * (int64_t)k,
                .end_us = 4000000 * (int64_t)k + 3900000,
                .n_frames = 16,
                .p_fake = 1 / (1 + exp(-logit - uniform(random) + 0.5)),
            };
    }
    return result_set_path(r, entry->path);
}

static enum status write_records(const struct manifest *m, const struct run_folder *f, unsigned n_clips,
                                 unsigned n_prints, struct random *random, struct error *e)
{
    struct journal_writer *writers[RANKS] = {NULL};
    struct clip_score clips[RESULT_MAX_CLIPS];
    size_t n = manifest_count(m), step = (size_t)((double)n * 0.618) | 1;
    enum status s = STATUS_OK;

    for (unsigned k = 0; s == STATUS_OK && k < RANKS; k++)
        s = journal_writer_open(run_folder_journal_path(f), run_folder_fingerprint(f), k, 1000 + k, &writers[k], e);
    while (n > 0 && n % step == 0 && step > 1)
        step += 2;
    for (size_t i = 0, at = 0; s == STATUS_OK && i < n; i++, at = (at + step) % n) {
        struct result r = {0};

        s = fill(&r, clips, manifest_entry(m, at), n_clips, random);
        add_prints(&r, n_prints, random);
        if (s == STATUS_OK)
            s = journal_writer_append(writers[r.rank], &r, e);
        free(r.path);
        for (unsigned k = 0; s == STATUS_OK && i % BATCH == 0 && k < RANKS; k++)
            s = journal_writer_flush(writers[k], e);
    }
    for (unsigned k = 0; k < RANKS; k++) {
        if (s == STATUS_OK)
            s = journal_writer_flush(writers[k], e);
        journal_writer_close(&writers[k]);
    }
    return s;
}

int main(int argc, char **argv)
{
    struct run_identity identity = {.detector_worth = "Made-up scores: nothing of this was measured."};
    struct run_folder *f = NULL;
    struct manifest *m = NULL;
    struct random random;
    struct error e = {0};
    uint64_t n, n_clips = 1, n_prints = RESULT_MAX_PRINTS;
    enum status s;

    if (argc < 3 || argc > 5 || parse_u64(argv[1], 1, 100000000, &n) != STATUS_OK ||
        (argc >= 4 && parse_u64(argv[3], 0, RESULT_MAX_CLIPS, &n_clips) != STATUS_OK) ||
        (argc == 5 && parse_u64(argv[4], 0, RESULT_MAX_PRINTS, &n_prints) != STATUS_OK)) {
        fprintf(stderr, "make_run N RUN [CLIPS-A-VIDEO, default 1 [PRINTS-A-VIDEO, default 8]]\n");
        return 1;
    }
    random_seed(&random, 7);
    run_identity_add(&identity, "protocol", "1");
    run_identity_add(&identity, "detector", "made-up");
    s = run_folder_open(argv[2], &identity, &f, &e);
    if (s == STATUS_OK)
        s = manifest_create("/made/up", "csv", &m, &e);
    if (s == STATUS_OK)
        s = add_videos(m, n, &random, &e);
    if (s == STATUS_OK)
        s = manifest_write(m, run_folder_manifest_path(f), &e);
    if (s == STATUS_OK)
        s = write_records(m, f, (unsigned)n_clips, (unsigned)n_prints, &random, &e);
    if (s != STATUS_OK)
        fprintf(stderr, "make_run: %s\n", e.text);
    manifest_close(&m);
    run_folder_close(&f);
    return s == STATUS_OK ? 0 : 2;
}
