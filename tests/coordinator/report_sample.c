/* report_sample N FOLDER [one-class|unlabelled|unscored|incomplete]: writes the report of a made-up run of N
 * videos with hostile names among them, to look at in a browser and to time. Not a test by itself. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/evaluate/random.h"
#include "coordinator/report/report.h"
#include "shard/file.h"
#include "shard/text.h"

static const char *const hostile[] = {
    "</script><script>document.title='hacked'</script>.mp4",
    "<img src=x onerror=document.title='hacked'>.mp4",
    "\"quoted\", with comma\nand newline.mp4",
    "=HYPERLINK(\"x\",\"click\").mp4",
    "\xff\xfe not utf-8.mp4",
    "\xe2\x80\xae"
    "4pm.reversed.mp4",
    "a-very-long-name-without-a-break-0123456789012345678901234567890123456789012345678901234567890123456789."
    "mp4",
    "{{data}} &amp; 'apostrophe'.mp4",
};
enum { N_HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

static const char *const families[] = {"faceswap", "reenactment", "lip-sync", "entire-synthesis"};
static const char *const splits[] = {"train", "val", "test"};

static double uniform(struct random *random)
{
    return random_below(random, 1000003) / 1000003.0;
}

static enum status add_videos(struct manifest *m, size_t n, const char *mode, struct random *random, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        char path[256], original[64];
        struct manifest_entry entry = {.path = path, .original = original, .exists = true, .size_bytes = 1u << 20};
        bool is_fake = random_below(random, 5) >= 2;

        original[0] = '\0';
        if (i < N_HOSTILE) {
            snprintf(path, sizeof(path), "%s", hostile[i]);
        } else if (is_fake) {
            entry.family = families[random_below(random, 4)];
            snprintf(path, sizeof(path), "fake/%s/%06zu.mp4", entry.family, i);
            snprintf(original, sizeof(original), "%u", random_below(random, (uint32_t)(n / 4 + 1)));
        } else {
            snprintf(path, sizeof(path), "real/%06zu.mp4", i);
        }
        entry.label = is_fake || strcmp(mode, "one-class") == 0 ? LABEL_FAKE : LABEL_REAL;
        if (strcmp(mode, "unlabelled") == 0)
            entry.label = LABEL_UNKNOWN;
        entry.split = splits[i * 7919 % 10 < 7 ? 0 : i % 2 + 1];
        s = manifest_add(m, &entry, e);
    }
    return s == STATUS_OK ? manifest_sort(m, e) : s;
}

enum { N_CLIPS = 4 };

static enum status fill(struct result *r, const struct manifest_entry *entry, struct random *random)
{
    static const enum outcome rare[] = {OUTCOME_NO_FACE,      OUTCOME_NO_FACE, OUTCOME_TOO_SHORT, OUTCOME_DECODE_ERROR,
                                        OUTCOME_DECODE_ERROR, OUTCOME_TIMEOUT, OUTCOME_CRASHED,   OUTCOME_MISSING};
    static const char *const messages[OUTCOME_COUNT] = {
        [OUTCOME_NO_FACE] = "no face in 32 frames; the largest candidate was 18 px",
        [OUTCOME_TOO_SHORT] = "9 frames; the detector needs 16",
        [OUTCOME_DECODE_ERROR] = "moov atom not found: the file is cut after 40960 of 1048576 bytes",
        [OUTCOME_TIMEOUT] = "600 s passed, in attempt 2 of 2",
        [OUTCOME_CRASHED] = "signal 11 in attempt 2 of 2, at frame 118 <b>",
        [OUTCOME_MISSING] = "No such file or directory",
    };
    double logit = (entry->label == LABEL_FAKE ? 1.1 : -1.3) +
                   1.6 * (uniform(random) + uniform(random) + uniform(random) - 1.5) * 2;

    *r = (struct result){.p_fake = NAN,
                         .outcome = OUTCOME_SCORED,
                         .n_frames_wanted = 32,
                         .n_frames_decoded = 32,
                         .n_frames_with_face = 20 + random_below(random, 13),
                         .n_tracks = 1,
                         .attempt = 1,
                         .wall_us = 200000 + random_below(random, 900000),
                         .decode_us = 100000,
                         .face_us = 50000,
                         .network_us = 30000};
    r->facts = (struct video_facts){.container = "mov",
                                    .codec = "h264",
                                    .pixel_format = "yuv420p",
                                    .width_px = 1280,
                                    .height_px = 720,
                                    .fps_num = 30,
                                    .fps_den = 1,
                                    .duration_us = 10000000 + random_below(random, 5000000),
                                    .n_frames = 300};
    if (random_below(random, 14) == 0) {
        r->outcome = rare[random_below(random, 8)];
        result_set_message(r, "%s", messages[r->outcome]);
    } else {
        if (random_below(random, 30) == 0) {
            r->outcome = OUTCOME_PARTIAL_DECODE;
            result_set_message(r, "5 of 32 wanted frames lost from 00:07.2 on");
        }
        r->p_fake = 1 / (1 + exp(-logit));
        /* Two faces; the second is seen in every other clip. */
        r->n_tracks = 2;
        r->clips = calloc(N_CLIPS + N_CLIPS / 2, sizeof(*r->clips));
        if (!r->clips)
            return STATUS_NO_MEMORY;
        for (uint32_t k = 0; k < N_CLIPS + N_CLIPS / 2; k++) {
            uint32_t clip = k < N_CLIPS ? k : 2 * (k - N_CLIPS);

            r->clips[r->n_clips++] = (struct clip_score){.track = k >= N_CLIPS,
                                                         .clip = clip,
                                                         .start_us = 500000 + 2200000 * (int64_t)clip,
                                                         .end_us = 1700000 + 2200000 * (int64_t)clip,
                                                         .n_frames = 16,
                                                         .p_fake = 1 / (1 + exp(-logit - 2 * uniform(random) + 1))};
        }
    }
    return result_set_path(r, entry->path);
}

int main(int argc, char **argv)
{
    struct report_input in = {
        .detector_name = "meso4-gru",
        .detector_worth = "Made-up scores. Nothing on this page was measured: it shows what a report looks like.",
        .protocol_json = "{\"detector\":{\"name\":\"meso4-gru\",\"sha256\":\"0000\"},\"sampling\":{\"mode\":"
                         "\"uniform\",\"clips\":2,"
                         "\"frames_per_clip\":16},\"face\":{\"margin\":0.3,\"min_side_px\":48},"
                         "\"aggregation\":\"mean\",\"precision\":\"f32\"}",
        .execution_json = "{\"version\":\"0.1.0\",\"backend\":\"onednn\",\"ranks\":4,\"lanes\":64,"
                          "\"sandbox\":[\"seccomp\",\"landlock\"]}",
    };
    const char *mode = argc == 4 ? argv[3] : "";
    struct manifest *m = NULL;
    struct results *table = NULL;
    struct result *results = NULL;
    struct random random;
    struct error e = {0};
    uint64_t n;
    clock_t start;
    enum status s;

    if (argc < 3 || argc > 4 || parse_u64(argv[1], 0, 100000000, &n) != STATUS_OK) {
        fprintf(stderr, "report_sample N FOLDER [one-class|unlabelled|unscored|incomplete]\n");
        return 1;
    }
    random_seed(&random, 11);
    in.run_folder = argv[2];
    s = file_make_folder(argv[2], &e);
    if (s == STATUS_OK)
        s = manifest_create("/data/sample", "csv", &m, &e);
    if (s == STATUS_OK)
        s = add_videos(m, n, mode, &random, &e);
    results = calloc(n + 1, sizeof(*results));
    if (!results)
        s = error_no_memory(&e);
    for (size_t i = 0; s == STATUS_OK && i < n; i++)
        s = fill(&results[i], manifest_entry(m, i), &random);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        bool undecided = strcmp(mode, "incomplete") == 0 && i % 3 > 0;

        if (!undecided && strcmp(mode, "unscored") != 0)
            continue;
        result_clear(&results[i]);
        results[i].outcome = undecided ? OUTCOME_UNDECIDED : OUTCOME_TIMEOUT;
        result_set_message(&results[i], "%s", undecided ? "" : "600 s passed, in attempt 2 of 2");
    }
    in.manifest = m;
    if (s == STATUS_OK && results_open(n, &table) != STATUS_OK)
        s = error_no_memory(&e);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        if (results[i].outcome != OUTCOME_UNDECIDED)
            s = results_put(table, i, &results[i]);
    }
    in.results = table;
    start = clock();
    if (s == STATUS_OK)
        s = report_write(&in, &e);
    fprintf(stderr, "report_write: %.2f s\n", (double)(clock() - start) / CLOCKS_PER_SEC);
    start = clock();
    if (s == STATUS_OK)
        s = report_print_summary(&in, stdout, &e);
    fprintf(stderr, "report_print_summary: %.2f s\n", (double)(clock() - start) / CLOCKS_PER_SEC);
    if (s != STATUS_OK)
        fprintf(stderr, "report_sample: %s\n", e.text);
    for (size_t i = 0; results && i < n; i++)
        result_clear(&results[i]);
    free(results);
    results_close(&table);
    manifest_close(&m);
    return s == STATUS_OK ? 0 : 2;
}
