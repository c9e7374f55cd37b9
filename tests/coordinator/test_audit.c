/* An audit of a made-up run: manifest and journal through their real writers, files in a corpus where they matter. */
#include "coordinator/audit/audit.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/evaluate/random.h"
#include "coordinator/reduce.h"
#include "coordinator/report/report.h"
#include "shard/file.h"
#include "shard/segment.h"

static const char fingerprint[SHA256_HEX_BYTES] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static char folder[64], corpus[128];

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/fakesift-audit-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(corpus, sizeof(corpus), "%s/corpus", folder);
    cr_assert_eq(mkdir(corpus, 0700), 0);
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(audit, .init = make_folder, .fini = remove_folder);

struct run {
    struct manifest *m;
    struct journal_writer *w;
    struct reduction reduction;
    struct audit_input in;
    struct audit audit;
    struct error e;
};

static void run_open(struct run *run)
{
    *run = (struct run){0};
    cr_assert_eq(manifest_create(corpus, "csv", &run->m, &run->e), STATUS_OK);
    cr_assert_eq(journal_writer_open(folder, fingerprint, 0, 1, &run->w, &run->e), STATUS_OK);
}

/* A scored video; hash_seed's pictures. */
static struct result scored(double p_fake, uint64_t hash_seed)
{
    struct result r = {.outcome = OUTCOME_SCORED, .p_fake = p_fake, .n_frames_wanted = 16, .n_frames_decoded = 16};
    struct random random;

    random_seed(&random, hash_seed);
    strcpy(r.facts.codec, "h264");
    strcpy(r.facts.container, "mov");
    r.facts.width_px = 640;
    r.facts.height_px = 360;
    r.facts.fps_num = 25;
    r.facts.fps_den = 1;
    r.facts.duration_us = 8000000;
    r.extras.base_fps_num = 25;
    r.extras.base_fps_den = 1;
    for (r.n_prints = 0; r.n_prints < RESULT_MAX_PRINTS; r.n_prints++) {
        struct picture_print *p = &r.prints[r.n_prints];

        *p = (struct picture_print){.pts_us = 1000000 * (int64_t)r.n_prints,
                                    .quality = 90,
                                    .brightness = 120,
                                    .sharpness = 900,
                                    .change = r.n_prints > 0 ? 600 : 0};
        for (unsigned k = 0; k < PRINT_HASH_WORDS; k++)
            p->hash[k] = random_next(&random);
    }
    return r;
}

/* Takes what r holds. */
static void add(struct run *run, struct manifest_entry entry, struct result r)
{
    entry.exists = true;
    if (entry.size_bytes == 0)
        entry.size_bytes = 1000 + manifest_count(run->m);
    entry.mtime_ns = 1;
    cr_assert_eq(manifest_add(run->m, &entry, &run->e), STATUS_OK, "%s", run->e.text);
    r.size_bytes = entry.size_bytes;
    r.mtime_ns = 1;
    cr_assert_eq(result_set_path(&r, entry.path), STATUS_OK);
    cr_assert_eq(journal_writer_append(run->w, &r, &run->e), STATUS_OK, "%s: %s", entry.path, run->e.text);
    result_clear(&r);
}

static void audit_it(struct run *run)
{
    const struct audit_settings settings = {.n_threads = 2, .mirrored = true};

    cr_assert_eq(journal_writer_flush(run->w, &run->e), STATUS_OK);
    cr_assert_eq(manifest_sort(run->m, &run->e), STATUS_OK);
    cr_assert_eq(reduce(folder, fingerprint, run->m, &run->reduction, &run->e), STATUS_OK, "%s", run->e.text);
    cr_assert_eq(run->reduction.n_foreign, 0);
    run->in = (struct audit_input){.run_folder = folder,
                                   .journal_folder = folder,
                                   .fingerprint = fingerprint,
                                   .manifest = run->m,
                                   .results = run->reduction.results};
    cr_assert_eq(audit_make(&run->in, &settings, &run->audit, &run->e), STATUS_OK, "%s", run->e.text);
}

static void run_close(struct run *run)
{
    audit_clear(&run->audit);
    reduction_clear(&run->reduction);
    journal_writer_close(&run->w);
    manifest_close(&run->m);
}

/* The one finding of a kind about a path, which must be there. */
static const struct audit_finding *found(const struct run *run, enum audit_kind kind, const char *path)
{
    for (size_t i = 0; i < run->audit.n_findings; i++) {
        const struct audit_finding *f = &run->audit.findings[i];

        if (f->kind == kind && f->a != UINT32_MAX && strcmp(manifest_entry(run->m, f->a)->path, path) == 0)
            return f;
    }
    cr_assert_fail("no %s of %s", audit_kind_name(kind), path);
    return NULL;
}

static size_t n_of(const struct run *run, enum audit_kind kind)
{
    return run->audit.counts[kind];
}

static void flip_bits(struct result *r, unsigned n)
{
    for (uint32_t i = 0; i < r->n_prints; i++) {
        for (unsigned k = 0; k < n; k++)
            r->prints[i].hash[k % 4] ^= UINT64_C(1) << (k * 7 + i) % 64;
    }
}

static void write_file(const char *name, const char *content)
{
    char *path = file_join(corpus, name);
    struct error e;

    cr_assert_eq(file_write(path, content, strlen(content), &e), STATUS_OK, "%s", e.text);
    free(path);
}

Test(audit, of_a_sound_corpus_finds_nothing)
{
    struct run run;
    char path[16];

    run_open(&run);
    for (uint64_t i = 0; i < 8; i++) {
        snprintf(path, sizeof(path), "%llu.mp4", (unsigned long long)i);
        add(&run, (struct manifest_entry){.path = path, .label = i % 2 ? LABEL_FAKE : LABEL_REAL, .split = "test"},
            scored(0.1 * (double)i, i));
    }
    audit_it(&run);
    cr_assert_eq(run.audit.n_findings, 0, "%s", run.audit.n_findings > 0 ? run.audit.findings[0].evidence : "");
    cr_assert_eq(run.audit.n_pictures, 64);
    cr_assert_eq(run.audit.n_with_prints, 8);
    run_close(&run);
}

Test(audit, tells_near_duplicates_from_fakes_of_stated_originals)
{
    struct run run;
    struct result near = scored(0.2, 1), far = scored(0.2, 1), related = scored(0.9, 1), unstated = scored(0.9, 2),
                  mirrored = scored(0.5, 3), poor = scored(0.5, 1);

    flip_bits(&near, 20);
    flip_bits(&far, 60);
    flip_bits(&related, 10);
    for (uint32_t i = 0; i < RESULT_MAX_PRINTS; i++) {
        for (unsigned k = 0; k < PRINT_HASH_WORDS; k++)
            mirrored.prints[i].hash[k] ^= UINT64_C(0x5555555555555555);
        poor.prints[i].quality = 49;
    }
    run_open(&run);
    add(&run, (struct manifest_entry){.path = "a.mp4", .label = LABEL_REAL}, scored(0.2, 1));
    add(&run, (struct manifest_entry){.path = "far.mp4", .label = LABEL_REAL}, far);
    add(&run, (struct manifest_entry){.path = "mirrored.mp4", .label = LABEL_REAL}, mirrored);
    add(&run, (struct manifest_entry){.path = "near.mp4", .label = LABEL_REAL}, near);
    add(&run, (struct manifest_entry){.path = "poor.mp4", .label = LABEL_REAL}, poor);
    add(&run, (struct manifest_entry){.path = "related.mp4", .label = LABEL_FAKE, .original = "a.mp4"}, related);
    add(&run, (struct manifest_entry){.path = "x.mp4", .label = LABEL_REAL}, scored(0.2, 2));
    add(&run, (struct manifest_entry){.path = "y.mp4", .label = LABEL_FAKE}, unstated);
    add(&run, (struct manifest_entry){.path = "z.mp4", .label = LABEL_REAL}, scored(0.2, 3));
    audit_it(&run);
    /* related.mp4 is near near.mp4 as well, which nobody says is its original; y.mp4 and x.mp4 alike. */
    cr_assert_eq(n_of(&run, AUDIT_NEAR_DUPLICATE), 2, "%zu", n_of(&run, AUDIT_NEAR_DUPLICATE));
    cr_assert(strstr(found(&run, AUDIT_NEAR_DUPLICATE, "a.mp4")->evidence, "8 of 8 pictures"));
    cr_assert(strstr(found(&run, AUDIT_NEAR_DUPLICATE, "mirrored.mp4")->evidence, "mirrored"));
    cr_assert_eq(n_of(&run, AUDIT_UNSTATED_ORIGINAL), 2, "%zu", n_of(&run, AUDIT_UNSTATED_ORIGINAL));
    cr_assert_not_null(found(&run, AUDIT_UNSTATED_ORIGINAL, "x.mp4"));
    cr_assert_eq(n_of(&run, AUDIT_LEAK), 0);
    run_close(&run);
}

Test(audit, finds_what_is_in_two_splits)
{
    struct run run;
    struct result near = scored(0.2, 1);

    flip_bits(&near, 5);
    run_open(&run);
    add(&run, (struct manifest_entry){.path = "a.mp4", .split = "train"}, scored(0.2, 1));
    add(&run, (struct manifest_entry){.path = "b.mp4", .split = "test"}, near);
    add(&run, (struct manifest_entry){.path = "c.mp4", .split = "train", .identity = "O'Hara"}, scored(0.2, 3));
    add(&run, (struct manifest_entry){.path = "d.mp4", .split = "test", .identity = "O'Hara"}, scored(0.2, 4));
    add(&run, (struct manifest_entry){.path = "e.mp4", .split = "train", .label = LABEL_REAL}, scored(0.2, 5));
    add(&run, (struct manifest_entry){.path = "f.mp4", .split = "val", .label = LABEL_FAKE, .original = "e"},
        scored(0.2, 6));
    add(&run, (struct manifest_entry){.path = "g.mp4", .split = "val", .label = LABEL_FAKE, .original = "gone"},
        scored(0.2, 7));
    add(&run, (struct manifest_entry){.path = "h.mp4", .split = "", .label = LABEL_FAKE, .original = "gone"},
        scored(0.2, 8));
    audit_it(&run);
    cr_assert_eq(n_of(&run, AUDIT_LEAK), 3);
    cr_assert(strstr(found(&run, AUDIT_LEAK, "a.mp4")->evidence, "in splits train and test"));
    cr_assert(strstr(found(&run, AUDIT_LEAK, "c.mp4")->evidence, "identity 'O'Hara' (2 videos)"));
    /* Quoted for SQL inside of the shell's quotes. */
    cr_assert(strstr(found(&run, AUDIT_LEAK, "c.mp4")->command, "identity = '\\''O'\\'''\\''Hara'\\''"), "%s",
              found(&run, AUDIT_LEAK, "c.mp4")->command);
    cr_assert(strstr(found(&run, AUDIT_LEAK, "e.mp4")->evidence, "original 'e'"));
    cr_assert_eq(n_of(&run, AUDIT_ORPHAN), 2);
    cr_assert_not_null(found(&run, AUDIT_ORPHAN, "h.mp4"));
    run_close(&run);
}

Test(audit, proves_duplicates_by_reading_them)
{
    struct run run;
    static const char x[SHA256_HEX_BYTES] = "aa112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    write_file("a.mp4", "one");
    write_file("b.mp4", "one");
    write_file("c.mp4", "two");
    write_file("unlisted.MOV", "three");
    write_file("notes.txt", "no video");
    run_open(&run);
    add(&run, (struct manifest_entry){.path = "a.mp4", .label = LABEL_REAL, .split = "train", .size_bytes = 3},
        scored(0.2, 1));
    add(&run, (struct manifest_entry){.path = "b.mp4", .label = LABEL_FAKE, .split = "test", .size_bytes = 3},
        scored(0.2, 1));
    add(&run, (struct manifest_entry){.path = "c.mp4", .size_bytes = 3}, scored(0.2, 1));
    add(&run, (struct manifest_entry){.path = "p.mp4", .content = x}, scored(0.2, 10));
    add(&run, (struct manifest_entry){.path = "q.mp4", .content = x}, scored(0.2, 10));
    /* Nobody can read these; they look the same. */
    add(&run, (struct manifest_entry){.path = "r.mp4", .size_bytes = 7}, scored(0.2, 11));
    add(&run, (struct manifest_entry){.path = "s.mp4", .size_bytes = 7}, scored(0.2, 11));
    audit_it(&run);
    cr_assert_eq(n_of(&run, AUDIT_DUPLICATE), 3);
    cr_assert_not_null(found(&run, AUDIT_DUPLICATE, "p.mp4"));
    cr_assert_not_null(found(&run, AUDIT_DUPLICATE, "r.mp4"));
    cr_assert_eq(n_of(&run, AUDIT_LABEL_CONFLICT), 1);
    cr_assert(strstr(found(&run, AUDIT_LABEL_CONFLICT, "a.mp4")->evidence, "one labelled REAL, the other FAKE"));
    cr_assert_eq(n_of(&run, AUDIT_LEAK), 1);
    /* The same pictures in other bytes. */
    cr_assert_eq(n_of(&run, AUDIT_NEAR_DUPLICATE), 1);
    cr_assert_eq(run.audit.n_verified, 3);
    cr_assert_eq(n_of(&run, AUDIT_EXTRA), 1);
    for (size_t i = 0; i < run.audit.n_findings; i++) {
        if (run.audit.findings[i].kind == AUDIT_EXTRA)
            cr_assert_str_eq(run.audit.findings[i].path, "unlisted.MOV");
    }
    run_close(&run);
}

static struct result unscored(enum outcome outcome, const char *message)
{
    struct result r = scored(NAN, 99);

    r.outcome = outcome;
    r.n_prints = 0;
    result_set_message(&r, "%s", message);
    return r;
}

Test(audit, flags_single_videos)
{
    struct run run;
    struct result black = scored(0.2, 1), frozen = scored(0.2, 2), dark = scored(0.2, 3), blurry = scored(0.2, 4),
                  odd = scored(0.2, 5), uneven = scored(0.2, 6), crowd = scored(0.2, 7), cut = scored(0.2, 8),
                  turned = unscored(OUTCOME_NO_FACE, "no face"), fields = scored(0.2, 9);

    for (uint32_t i = 0; i < RESULT_MAX_PRINTS; i++) {
        black.prints[i].black_percent = i < 4 ? 100 : 0;
        frozen.prints[i].change = i == 0 ? 0 : i < 5 ? 1 : 900;
        dark.prints[i].brightness = 10 + i;
        blurry.prints[i].sharpness = 2 + i;
    }
    odd.facts.height_px = 361;
    uneven.extras.base_fps_num = 60;
    fields.extras.base_fps_num = 50;
    crowd.clips = calloc(2, sizeof(*crowd.clips));
    cr_assert(crowd.clips);
    crowd.n_clips = crowd.n_tracks = 2;
    crowd.clips[1].track = 1;
    cut.outcome = OUTCOME_PARTIAL_DECODE;
    cut.n_frames_decoded = 9;
    result_set_message(&cut, "7 of 16 frames lost");
    turned.facts.rotation_deg = 90;
    run_open(&run);
    add(&run, (struct manifest_entry){.path = "black.mp4"}, black);
    add(&run, (struct manifest_entry){.path = "blurry.mp4"}, blurry);
    add(&run, (struct manifest_entry){.path = "broken.mp4"}, unscored(OUTCOME_DECODE_ERROR, "moov atom\nnot found"));
    add(&run, (struct manifest_entry){.path = "crowd.mp4"}, crowd);
    add(&run, (struct manifest_entry){.path = "cut.mp4"}, cut);
    add(&run, (struct manifest_entry){.path = "dark.mp4"}, dark);
    add(&run, (struct manifest_entry){.path = "fields.mp4"}, fields);
    add(&run, (struct manifest_entry){.path = "frozen.mp4"}, frozen);
    add(&run, (struct manifest_entry){.path = "gone.mp4"}, unscored(OUTCOME_MISSING, "cannot open"));
    add(&run, (struct manifest_entry){.path = "hung.mp4"}, unscored(OUTCOME_TIMEOUT, "past 600 s"));
    add(&run, (struct manifest_entry){.path = "odd.mp4"}, odd);
    add(&run, (struct manifest_entry){.path = "strange.mp4"}, unscored(OUTCOME_UNSUPPORTED, "no decoder"));
    add(&run, (struct manifest_entry){.path = "turned.mp4"}, turned);
    add(&run, (struct manifest_entry){.path = "uneven.mp4"}, uneven);
    audit_it(&run);
    found(&run, AUDIT_BLACK, "black.mp4");
    found(&run, AUDIT_BLURRY, "blurry.mp4");
    cr_assert(strstr(found(&run, AUDIT_CORRUPT, "broken.mp4")->evidence, "decode_error: moov atom not found"));
    found(&run, AUDIT_SEVERAL_FACES, "crowd.mp4");
    cr_assert(strstr(found(&run, AUDIT_TRUNCATED, "cut.mp4")->evidence, "7 of 16 frames lost"));
    found(&run, AUDIT_DARK, "dark.mp4");
    found(&run, AUDIT_FROZEN, "frozen.mp4");
    found(&run, AUDIT_MISSING, "gone.mp4");
    found(&run, AUDIT_FAILED, "hung.mp4");
    found(&run, AUDIT_ODD_SIZE, "odd.mp4");
    found(&run, AUDIT_UNSUPPORTED, "strange.mp4");
    found(&run, AUDIT_ROTATION, "turned.mp4");
    found(&run, AUDIT_NO_FACE, "turned.mp4");
    found(&run, AUDIT_VARIABLE_RATE, "uneven.mp4");
    cr_assert_eq(run.audit.n_findings, 14, "%zu", run.audit.n_findings);
    run_close(&run);
}

/* Reals at 25 frames a second, most fakes at 30; scores that know nothing. */
static void make_shortcut(struct run *run, bool swapped)
{
    struct random random;
    char path[16];

    random_seed(&random, 5);
    for (uint32_t i = 0; i < 200; i++) {
        bool is_fake = i % 2;
        struct result r =
            scored((swapped ? !is_fake : random_below(&random, 2)) * 0.5 + random_below(&random, 100) / 300.0, i);

        r.facts.fps_num = is_fake && i % 10 != 1 ? 30 : 25;
        r.extras.base_fps_num = r.facts.fps_num;
        r.facts.duration_us = 5000000 + random_below(&random, 5000000);
        snprintf(path, sizeof(path), "%03u.mp4", i);
        add(run,
            (struct manifest_entry){.path = path,
                                    .label = is_fake ? LABEL_FAKE : LABEL_REAL,
                                    .size_bytes = 100000 + random_below(&random, 900000)},
            r);
    }
}

Test(audit, measures_shortcuts_beside_the_detector)
{
    struct run run;
    const struct audit_shortcut *best;

    run_open(&run);
    make_shortcut(&run, false);
    audit_it(&run);
    best = &run.audit.shortcuts[0];
    /* 80 of 100 fakes lie above all reals, the others tie with them. */
    cr_assert_str_eq(best->name, "frame rate");
    cr_assert_float_eq(best->auc, 0.9, 1e-12, "%.17g", best->auc);
    cr_assert_lt(best->low, 0.9);
    cr_assert_gt(best->low, 0.83);
    cr_assert_eq(best->n, 200);
    cr_assert_gt(run.audit.all_facts.auc, 0.8);
    cr_assert_lt(fabs(run.audit.detector.auc - 0.5), 0.15);
    cr_assert_float_eq(run.audit.beats_facts_by, run.audit.detector.auc - run.audit.all_facts.auc, 1e-15);
    cr_assert_geq(n_of(&run, AUDIT_SHORTCUT), 2);
    cr_assert(strstr(run.audit.findings[0].evidence, "loses to metadata by"), "%s", run.audit.findings[0].evidence);
    cr_assert_eq(n_of(&run, AUDIT_ORIENTATION), 0);
    run_close(&run);
}

Test(audit, sees_scores_against_their_labels)
{
    struct run run;

    run_open(&run);
    make_shortcut(&run, true);
    audit_it(&run);
    cr_assert_eq(n_of(&run, AUDIT_ORIENTATION), 1);
    run_close(&run);
}

/* Two parts of a cut are as good as the whole; a part that stands twice counts once. */
Test(audit, joins_the_prints_of_parts)
{
    struct run run;

    run_open(&run);
    add(&run, (struct manifest_entry){.path = "whole.mp4"}, scored(0.5, 1));
    for (uint32_t i = 0; i < 3; i++) {
        struct result r = scored(0.5, 1);
        struct segment *s = calloc(1, sizeof(*s));
        struct manifest_entry entry = {.path = "parts.mp4", .exists = true, .size_bytes = 5, .mtime_ns = 1};

        cr_assert(s);
        *s = (struct segment){.index = i % 2, .count = 2, .state = SEGMENT_FAILED};
        s->clip_frames = calloc(1, sizeof(*s->clip_frames));
        r.segment = s;
        r.outcome = OUTCOME_DECODE_ERROR;
        r.p_fake = NAN;
        for (uint32_t k = 0; k < 4; k++)
            r.prints[k] = r.prints[k + 4 * (i % 2)];
        r.n_prints = 4;
        r.size_bytes = 5;
        r.mtime_ns = 1;
        if (i == 0)
            cr_assert_eq(manifest_add(run.m, &entry, &run.e), STATUS_OK);
        cr_assert_eq(result_set_path(&r, "parts.mp4"), STATUS_OK);
        cr_assert_eq(journal_writer_append(run.w, &r, &run.e), STATUS_OK, "%s", run.e.text);
        result_clear(&r);
    }
    audit_it(&run);
    cr_assert(strstr(found(&run, AUDIT_NEAR_DUPLICATE, "parts.mp4")->evidence, "8 of 8 pictures are near 8 of 8"), "%s",
              found(&run, AUDIT_NEAR_DUPLICATE, "parts.mp4")->evidence);
    run_close(&run);
}

static char *slurp(const char *name)
{
    char *path = file_join(folder, name), *data = NULL;
    struct error e;
    size_t len;

    cr_assert_eq(file_read(path, 1 << 20, &data, &len, &e), STATUS_OK, "%s", e.text);
    free(path);
    return data;
}

static cJSON *report_findings(struct run *run, const char *want_id)
{
    const struct report_input in = {.run_folder = folder,
                                    .manifest = run->m,
                                    .results = run->reduction.results,
                                    .protocol_json = "{}",
                                    .execution_json = "{}",
                                    .detector_name = "d",
                                    .detector_worth = ""};
    char *data;
    cJSON *root, *item;
    const cJSON *findings;

    cr_assert_eq(report_write(&in, &run->e), STATUS_OK, "%s", run->e.text);
    data = slurp("report.json");
    root = cJSON_Parse(data);
    free(data);
    findings = cJSON_GetObjectItem(cJSON_GetObjectItem(root, "results"), "findings");
    cJSON_ArrayForEach(item, findings)
    {
        if (strcmp(cJSON_GetObjectItem(item, "id")->valuestring, want_id) == 0)
            return root;
    }
    cJSON_Delete(root);
    return NULL;
}

Test(audit, writes_files_that_read_back_and_the_report_takes_them_up)
{
    struct run run;
    struct result near = scored(0.2, 1);
    char path[128], *data;
    cJSON *root;

    flip_bits(&near, 3);
    run_open(&run);
    add(&run, (struct manifest_entry){.path = "=cmd\"<b>.mp4", .split = "train"}, scored(0.2, 1));
    add(&run, (struct manifest_entry){.path = "x,y.mp4", .split = "test"}, near);
    audit_it(&run);
    snprintf(path, sizeof(path), "%s/out.csv", folder);
    cr_assert_eq(audit_write_csv(&run.audit, path, &run.e), STATUS_OK);
    data = slurp("out.csv");
    cr_assert(strstr(data, "critical,leak,\"'=cmd\"\"<b>.mp4\",\"x,y.mp4\",,,train,test,"), "%s", data);
    free(data);
    snprintf(path, sizeof(path), "%s/out.json", folder);
    cr_assert_eq(audit_write_json(&run.audit, path, &run.e), STATUS_OK);
    data = slurp("out.json");
    root = cJSON_ParseWithOpts(data, NULL, true);
    cr_assert(root, "%s", data);
    cr_assert_eq(cJSON_GetArraySize(cJSON_GetObjectItem(root, "findings")), 2);
    cJSON_Delete(root);
    free(data);
    cr_assert_null(report_findings(&run, "audit_leak"));
    cr_assert_eq(audit_write_summary(&run.audit, &run.e), STATUS_OK);
    root = report_findings(&run, "audit_leak");
    cr_assert(root);
    cJSON_Delete(root);
    /* Another state of the run: what was found is not shown as if it were of this one. */
    data = slurp("audit.json");
    memcpy(strstr(data, "\"decided\":2"), "\"decided\":1", 11);
    snprintf(path, sizeof(path), "%s/audit.json", folder);
    cr_assert_eq(file_write(path, data, strlen(data), &run.e), STATUS_OK);
    free(data);
    cr_assert_null(report_findings(&run, "audit_leak"));
    root = report_findings(&run, "audit_stale");
    cr_assert(root);
    cJSON_Delete(root);
    cr_assert_eq(file_write(path, "[1", 2, &run.e), STATUS_OK);
    root = report_findings(&run, "audit_unreadable");
    cr_assert(root);
    cJSON_Delete(root);
    run_close(&run);
}
