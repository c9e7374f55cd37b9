#include "coordinator/report/report.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/evaluate/random.h"
#include "coordinator/report/model.h"
#include "shard/file.h"

/* A run made up in memory. */
struct run {
    char folder[64];
    struct manifest *m;
    struct result *results;
    size_t n;
    struct report_input in;
};

static void run_open(struct run *run, const struct manifest_entry *entries, size_t n)
{
    struct error e = {0};

    *run = (struct run){.folder = "/tmp/fakesift-test-report-XXXXXX", .n = n};
    cr_assert(mkdtemp(run->folder));
    cr_assert_eq(manifest_create("/corpus", "csv", &run->m, &e), STATUS_OK, "%s", e.text);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(manifest_add(run->m, &entries[i], &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(manifest_sort(run->m, &e), STATUS_OK, "%s", e.text);
    run->results = calloc(n + 1, sizeof(*run->results));
    cr_assert(run->results);
    for (size_t i = 0; i < n; i++)
        run->results[i].p_fake = NAN;
    run->in = (struct report_input){.run_folder = run->folder,
                                    .manifest = run->m,
                                    .results = run->results,
                                    .protocol_json = "{\"sampling\":\"uniform\"}",
                                    .execution_json = "{\"version\":\"0.1.0\"}",
                                    .detector_name = "test-detector",
                                    .detector_worth = "nothing but a test"};
}

static void decide(struct run *run, const char *path, enum outcome outcome, double p_fake,
                   const char *message)
{
    size_t i = manifest_find(run->m, path);

    cr_assert_neq(i, SIZE_MAX, "no %s", path);
    cr_assert_eq(result_set_path(&run->results[i], path), STATUS_OK);
    run->results[i].outcome = outcome;
    run->results[i].p_fake = p_fake;
    result_set_message(&run->results[i], "%s", message);
}

static char *slurp(const struct run *run, const char *name)
{
    char *path = file_join(run->folder, name), *data = NULL;
    size_t len;
    struct error e = {0};

    cr_assert_eq(file_read(path, 1u << 30, &data, &len, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(strlen(data), len, "a zero byte in %s", name);
    free(path);
    return data;
}

static void write_all(struct run *run)
{
    struct error e = {0};

    cr_assert_eq(report_write(&run->in, &e), STATUS_OK, "%s", e.text);
}

static cJSON *results_of(const struct run *run)
{
    char *data = slurp(run, "report.json");
    cJSON *root = cJSON_ParseWithOpts(data, NULL, true);
    cJSON *results;

    cr_assert(root, "report.json is not JSON: %s", data);
    cr_assert_eq(cJSON_GetObjectItem(root, "fakesift_report")->valueint, 1);
    results = cJSON_DetachItemFromObject(root, "results");
    cr_assert(results);
    cJSON_Delete(root);
    free(data);
    return results;
}

static const cJSON *at(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    cr_assert(item, "no %s", key);
    return item;
}

static int has_finding(const cJSON *results, const char *id)
{
    const cJSON *f;

    cJSON_ArrayForEach(f, at(results, "findings"))
    {
        if (strcmp(at(f, "id")->valuestring, id) == 0)
            return 1;
    }
    return 0;
}

static char *summary(struct run *run)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    struct error e = {0};

    cr_assert_eq(report_print_summary(&run->in, f, &e), STATUS_OK, "%s", e.text);
    fclose(f);
    return text;
}

static void run_close(struct run *run)
{
    static const char *const names[] = {"scores.csv", "report.json", "results.sqlite", "report.html"};

    for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        char *path = file_join(run->folder, names[k]);

        unlink(path);
        free(path);
    }
    /* Fails, and the test with it, when anything else was left there: a partial file, say. */
    cr_assert_eq(rmdir(run->folder), 0, "something is left in %s", run->folder);
    for (size_t i = 0; i < run->n; i++)
        result_clear(&run->results[i]);
    free(run->results);
    manifest_close(&run->m);
}

static const struct manifest_entry small[] = {
    {.path = "a.mp4", .label = LABEL_REAL, .split = "test", .exists = true, .size_bytes = 10},
    {.path = "b.mp4", .label = LABEL_REAL, .split = "test", .exists = true, .size_bytes = 11},
    {.path = "c.mp4", .label = LABEL_FAKE, .split = "test", .family = "faceswap", .original = "a.mp4"},
    {.path = "d.mp4", .label = LABEL_FAKE, .split = "train", .family = "lip-sync", .original = "b"},
    {.path = "e.mp4"},
};

static void decide_small(struct run *run)
{
    run_open(run, small, 5);
    decide(run, "a.mp4", OUTCOME_SCORED, 0.1, "");
    decide(run, "b.mp4", OUTCOME_SCORED, 1.0 / 3, "");
    decide(run, "c.mp4", OUTCOME_PARTIAL_DECODE, 0.9, "3 of 16 frames lost");
    decide(run, "d.mp4", OUTCOME_NO_FACE, NAN, "no face in 16 frames");
    decide(run, "e.mp4", OUTCOME_SCORED, 0.5, "");
}

Test(report, scores_csv_has_a_row_a_video_in_the_manifests_order)
{
    struct run run;
    char *got;
    struct result *a;

    decide_small(&run);
    a = &run.results[0];
    a->n_frames_wanted = 16;
    a->n_frames_decoded = 16;
    a->n_frames_with_face = 15;
    a->n_tracks = 1;
    a->facts = (struct video_facts){.container = "mov",
                                    .codec = "h264",
                                    .pixel_format = "yuv420p",
                                    .width_px = 640,
                                    .height_px = 360,
                                    .rotation_deg = 90,
                                    .fps_num = 30000,
                                    .fps_den = 1001,
                                    .duration_us = 10000000,
                                    .n_frames = 300,
                                    .n_audio_streams = 1};
    write_all(&run);
    got = slurp(&run, "scores.csv");
    cr_expect_str_eq(
        got, "path,label,split,family,outcome,p_fake,message,original,identity,group,n_frames_wanted,n_"
             "frames_decoded,"
             "n_frames_with_face,n_tracks,n_clips,container,codec,pixel_format,width_px,height_px,rotation_"
             "deg,fps,"
             "duration_us,n_frames,bit_rate_bps,n_audio_streams,size_bytes\n"
             "a.mp4,REAL,test,,scored,0.1,,,,,16,16,15,1,0,mov,h264,yuv420p,640,360,90,29.97002997002997,"
             "10000000,300,,"
             "1,10\n"
             "b.mp4,REAL,test,,scored,0.3333333333333333,,,,,0,0,0,0,0,,,,,,,,,,,,11\n"
             "c.mp4,FAKE,test,faceswap,partial_decode,0.9,3 of 16 frames lost,a.mp4,,,0,0,0,0,0,,,,,,,,,,,,\n"
             "d.mp4,FAKE,train,lip-sync,no_face,,no face in 16 frames,b,,,0,0,0,0,0,,,,,,,,,,,,\n"
             "e.mp4,,,,scored,0.5,,,,,0,0,0,0,0,,,,,,,,,,,,\n");
    free(got);
    run_close(&run);
}

Test(report, facts_of_the_scan_serve_where_no_lane_came_so_far)
{
    const struct video_facts facts = {.container = "mov", .codec = "hevc", .width_px = 8, .height_px = 6};
    const struct manifest_entry entry = {.path = "x.mp4", .facts = &facts};
    struct run run;
    char *got;

    run_open(&run, &entry, 1);
    decide(&run, "x.mp4", OUTCOME_CRASHED, NAN, "signal 11");
    write_all(&run);
    got = slurp(&run, "scores.csv");
    cr_expect(strstr(got, "x.mp4,,,,crashed,,signal 11,,,,0,0,0,0,0,mov,hevc,,8,6,0,,,,,0,\n"), "%s", got);
    free(got);
    run_close(&run);
}

Test(report, cells_that_a_spreadsheet_would_run_are_defused)
{
    static const struct {
        const char *path, *want;
    } cases[] = {
        {"=cmd|' /C calc'!A0", "\"'=cmd|' /C calc'!A0\","},
        {"+1", "\"'+1\","},
        {"-1", "\"'-1\","},
        {"@SUM(1,\"2\")", "\"'@SUM(1,\"\"2\"\")\","},
        {"\tx", "\"'\tx\","},
        {"\rx", "\"'\rx\","},
        {"'x", "\"''x\","},
        {"a,\"b\"\n=c", "\"a,\"\"b\"\"\n=c\","},
        {"\xff\xfe.mp4", "\xff\xfe.mp4,"},
        {"a=b", "a=b,"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct manifest_entry entry = {.path = cases[i].path};
        struct run run;
        char *got, *row;

        run_open(&run, &entry, 1);
        write_all(&run);
        got = slurp(&run, "scores.csv");
        row = strchr(got, '\n') + 1;
        cr_expect_eq(strncmp(row, cases[i].want, strlen(cases[i].want)), 0, "case %zu gave %s", i, row);
        free(got);
        run_close(&run);
    }
}

Test(report, json_counts_add_up_and_name_every_unscored_video)
{
    struct run run;
    cJSON *results;
    const cJSON *unscored, *family;
    double sum = 0;

    decide_small(&run);
    write_all(&run);
    results = results_of(&run);
    for (int k = 1; k < OUTCOME_COUNT; k++)
        sum += at(at(results, "outcomes"), outcome_name((enum outcome)k))->valuedouble;
    sum += at(at(results, "outcomes"), "undecided")->valuedouble;
    cr_expect_eq(sum, 5);
    cr_expect_eq(at(at(results, "outcomes"), "total")->valuedouble, 5);
    cr_expect_eq(at(at(results, "coverage"), "n_scored")->valuedouble, 4);
    cr_expect_eq(at(at(results, "coverage"), "scored_share")->valuedouble, 0.8);
    cr_expect(cJSON_IsTrue(at(results, "is_complete")));
    cr_expect_str_eq(at(at(results, "protocol"), "sampling")->valuestring, "uniform");
    unscored = at(results, "unscored");
    cr_expect_eq(cJSON_GetArraySize(unscored), 1);
    cr_expect_str_eq(at(cJSON_GetArrayItem(unscored, 0), "path")->valuestring, "d.mp4");
    cr_expect_str_eq(at(cJSON_GetArrayItem(unscored, 0), "outcome")->valuestring, "no_face");
    cr_expect_str_eq(at(cJSON_GetArrayItem(unscored, 0), "message")->valuestring, "no face in 16 frames");
    /* Families: "", faceswap, lip-sync; a family's fakes stand against all reals. */
    cr_expect_eq(cJSON_GetArraySize(at(results, "families")), 3);
    family = cJSON_GetArrayItem(at(results, "families"), 1);
    cr_expect_str_eq(at(family, "name")->valuestring, "faceswap");
    cr_expect_eq(at(at(family, "metrics"), "n_real")->valuedouble, 2);
    cr_expect_eq(at(at(family, "metrics"), "n_fake")->valuedouble, 1);
    cr_expect_eq(at(at(family, "metrics"), "auc")->valuedouble, 1);
    cJSON_Delete(results);
    run_close(&run);
}

Test(report, policies_for_unscored_videos_bracket_the_truth)
{
    struct run run;
    cJSON *results;
    const cJSON *policies;

    decide_small(&run);
    write_all(&run);
    results = results_of(&run);
    policies = at(results, "unscored_policies");
    /* Reals .1 and 1/3, fakes .9 and the unscored one. */
    cr_expect_eq(at(cJSON_GetArrayItem(policies, 0), "auc")->valuedouble, 1);
    cr_expect_eq(at(cJSON_GetArrayItem(policies, 1), "auc")->valuedouble, 1);
    cr_expect_eq(at(cJSON_GetArrayItem(policies, 2), "auc")->valuedouble, 0.5);
    cr_expect_eq(at(cJSON_GetArrayItem(policies, 3), "auc")->valuedouble, 1);
    cr_expect_eq(at(cJSON_GetArrayItem(policies, 0), "n")->valuedouble, 3);
    cr_expect_eq(at(cJSON_GetArrayItem(policies, 1), "n")->valuedouble, 4);
    cr_expect_eq(at(cJSON_GetArrayItem(policies, 1), "accuracy_at_0.5")->valuedouble, 1);
    cr_expect_eq(at(cJSON_GetArrayItem(policies, 2), "accuracy_at_0.5")->valuedouble, 0.75);
    cJSON_Delete(results);
    run_close(&run);
}

Test(report, clip_level_counts_clips_and_draws_videos)
{
    struct run run;
    cJSON *results;
    const cJSON *clip;

    decide_small(&run);
    for (size_t i = 0; i < 5; i++) {
        run.results[i].n_clips = i == 3 ? 0 : 3;
        run.results[i].clips = calloc(3, sizeof(struct clip_score));
        for (size_t k = 0; k < run.results[i].n_clips; k++)
            run.results[i].clips[k] =
                (struct clip_score){.clip = (uint32_t)k, .p_fake = i == 2 ? 0.4 * (double)k : 0.3};
    }
    write_all(&run);
    results = results_of(&run);
    clip = at(results, "clip");
    /* The unlabelled video's clips are in no metric. Fakes 0, .4, .8 against six times .3. */
    cr_expect_eq(at(clip, "n")->valuedouble, 9);
    cr_expect_eq(at(clip, "n_fake")->valuedouble, 3);
    cr_expect_float_eq(at(clip, "auc")->valuedouble, 2.0 / 3, 1e-15);
    cr_expect_eq(at(at(clip, "auc_bootstrap_by_video_95"), "clusters")->valuedouble, 3);
    cJSON_Delete(results);
    run_close(&run);
}

Test(report, one_class_only_gives_reasons_instead_of_figures)
{
    const struct manifest_entry entries[] = {{.path = "a", .label = LABEL_FAKE},
                                             {.path = "b", .label = LABEL_FAKE}};
    struct run run;
    cJSON *results;
    const cJSON *video;
    char *text;

    run_open(&run, entries, 2);
    decide(&run, "a", OUTCOME_SCORED, 0.9, "");
    decide(&run, "b", OUTCOME_SCORED, 0.2, "");
    write_all(&run);
    results = results_of(&run);
    video = at(results, "video");
    cr_expect(cJSON_IsNull(at(video, "auc")));
    cr_expect_str_eq(at(at(video, "undefined"), "auc")->valuestring,
                     "no scored reals: it needs both classes");
    cr_expect(cJSON_GetObjectItem(at(video, "auc_delong_95"), "undefined"));
    cr_expect_eq(at(video, "accuracy_at_0.5")->valuedouble, 0.5);
    cr_expect(has_finding(results, "one_class"));
    cJSON_Delete(results);
    text = summary(&run);
    cr_expect(strstr(text, "AUC: none: no scored reals"), "%s", text);
    cr_expect(!strstr(text, "nan"), "%s", text);
    free(text);
    run_close(&run);
}

Test(report, nothing_scored_is_said_and_not_nan)
{
    struct run run;
    cJSON *results;
    char *text;

    run_open(&run, small, 5);
    for (size_t i = 0; i < 5; i++)
        decide(&run, small[i].path, OUTCOME_DECODE_ERROR, NAN, "broken");
    write_all(&run);
    results = results_of(&run);
    cr_expect(has_finding(results, "nothing_scored"));
    cr_expect_eq(at(at(results, "video"), "n")->valuedouble, 0);
    cr_expect(cJSON_IsNull(at(at(results, "video"), "log_loss")));
    cr_expect_eq(cJSON_GetArraySize(at(results, "unscored")), 5);
    cJSON_Delete(results);
    text = summary(&run);
    cr_expect(strstr(text, "5 of 5 videos decided, 0 scored (coverage 0.0 %)"), "%s", text);
    free(text);
    text = slurp(&run, "report.html");
    cr_expect(!strstr(text, "nan"), "NaN on the page");
    free(text);
    run_close(&run);
}

Test(report, an_empty_manifest_is_reported_as_such)
{
    struct run run;
    char *text;
    cJSON *results;

    run_open(&run, NULL, 0);
    write_all(&run);
    results = results_of(&run);
    cr_expect(cJSON_IsNull(at(at(results, "coverage"), "scored_share")));
    cJSON_Delete(results);
    text = summary(&run);
    cr_expect(strstr(text, "0 of 0 videos decided, 0 scored\n"), "%s", text);
    free(text);
    run_close(&run);
}

Test(report, a_run_that_is_not_complete_says_how_many_are_open)
{
    struct run run;
    cJSON *results;
    char *text;

    run_open(&run, small, 5);
    decide(&run, "a.mp4", OUTCOME_SCORED, 0.1, "");
    write_all(&run);
    results = results_of(&run);
    cr_expect(cJSON_IsFalse(at(results, "is_complete")));
    cr_expect(has_finding(results, "incomplete"));
    cJSON_Delete(results);
    text = summary(&run);
    cr_expect(strstr(text, "1 of 5 videos decided"), "%s", text);
    cr_expect(strstr(text, "4 not yet decided"), "%s", text);
    free(text);
    text = slurp(&run, "report.html");
    cr_expect(strstr(text, "4 of 5 videos are not yet decided"));
    free(text);
    run_close(&run);
}

Test(report, summary_shows_counts_coverage_auc_and_the_page)
{
    struct run run;
    char *text;

    decide_small(&run);
    text = summary(&run);
    cr_expect(strstr(text,
                     "  scored                  3\n  partial_decode          1\n  no_face                 1\n"
                     "  total                   5\n"),
              "%s", text);
    cr_expect(strstr(text, "5 of 5 videos decided, 4 scored (coverage 80.0 %)\n"), "%s", text);
    cr_expect(strstr(text, "AUC 1.0000 (video level, n = 3: 2 real, 1 fake"), "%s", text);
    cr_expect(strstr(text, "/report.html\n"), "%s", text);
    free(text);
    run_close(&run);
}

/* n videos, every second a fake, scores that separate them by shift. */
static void run_open_many(struct run *run, size_t n, double shift)
{
    struct manifest_entry *entries = calloc(n, sizeof(*entries));
    char(*names)[32] = calloc(n, sizeof(*names));
    struct random random;

    cr_assert(entries && names);
    random_seed(&random, 3);
    for (size_t i = 0; i < n; i++) {
        snprintf(names[i], sizeof(names[i]), "%07zu.mp4", i);
        entries[i] = (struct manifest_entry){.path = names[i], .label = i % 2 ? LABEL_FAKE : LABEL_REAL};
    }
    run_open(run, entries, n);
    for (size_t i = 0; i < n; i++) {
        run->results[i].outcome = OUTCOME_SCORED;
        run->results[i].p_fake = 0.25 + random_below(&random, 1000) * 5e-4 + (i % 2 ? shift : -shift);
    }
    free(entries);
    free(names);
}

Test(report, labels_that_look_swapped_are_called_out)
{
    struct run run;
    cJSON *results;

    run_open_many(&run, 200, -0.1);
    write_all(&run);
    results = results_of(&run);
    cr_expect(has_finding(results, "orientation"));
    cJSON_Delete(results);
    run_close(&run);

    run_open_many(&run, 200, 0.1);
    write_all(&run);
    results = results_of(&run);
    cr_expect(!has_finding(results, "orientation"));
    cJSON_Delete(results);
    run_close(&run);

    /* Two and two in the wrong order are chance. */
    run_open_many(&run, 4, -0.25);
    write_all(&run);
    results = results_of(&run);
    cr_expect_eq(at(at(results, "video"), "auc")->valuedouble, 0);
    cr_expect(!has_finding(results, "orientation"));
    cJSON_Delete(results);
    run_close(&run);
}

Test(report, the_same_input_gives_the_same_bytes_whatever_the_execution)
{
    static const char *const names[] = {"scores.csv", "report.json"};
    struct run run;
    char *before[2], *after;

    decide_small(&run);
    write_all(&run);
    before[0] = slurp(&run, names[0]);
    before[1] = slurp(&run, names[1]);
    for (size_t i = 0; i < run.n; i++) {
        run.results[i].rank = 7;
        run.results[i].attempt = 2;
        run.results[i].wall_us = 12345;
        run.results[i].decode_us = run.results[i].face_us = run.results[i].network_us = 99;
    }
    write_all(&run);
    for (int k = 0; k < 2; k++) {
        after = slurp(&run, names[k]);
        cr_expect_str_eq(after, before[k]);
        free(after);
        free(before[k]);
    }
    run_close(&run);
}

Test(report, hostile_names_stay_text_everywhere)
{
    const struct manifest_entry entries[] = {
        {.path = "</script><script>alert(1)</script>.mp4",
         .label = LABEL_FAKE,
         .family = "<img src=x onerror=alert(2)>"},
        {.path = "<!--<script>.mp4", .label = LABEL_REAL, .split = "\"><b id=evil>"},
        {.path = "\xff\xfe\n\"quoted\".mp4", .label = LABEL_REAL},
        {.path = "\xe2\x80\xae"
                 "gpj.mp4",
         .label = LABEL_FAKE,
         .family = "{{rows}}"},
    };
    struct run run;
    cJSON *results;
    const cJSON *unscored;
    char *page;

    run_open(&run, entries, 4);
    run.in.detector_name = "<i>d</i>";
    run.in.detector_worth = "a & b </style>";
    run.in.protocol_json = "{\"note\":\"</script><script>alert(3)</script>\"}";
    decide(&run, entries[0].path, OUTCOME_SCORED, 0.9, "");
    decide(&run, entries[1].path, OUTCOME_CRASHED, NAN, "</td><script>alert(4)</script>");
    decide(&run, entries[2].path, OUTCOME_MISSING, NAN, "gone");
    decide(&run, entries[3].path, OUTCOME_SCORED, 0.8, "");
    write_all(&run);
    page = slurp(&run, "report.html");
    cr_expect(!strstr(page, "<script>alert"), "a name became markup");
    cr_expect(!strstr(page, "<img src=x"));
    cr_expect(!strstr(page, "<!--<script>"));
    cr_expect(!strstr(page, "<b id=evil>"));
    cr_expect(!strstr(page, "<i>d</i>"));
    cr_expect(!strstr(page, "a & b </style>"));
    cr_expect(strstr(page, "{{rows}}"), "a name was taken for a placeholder");
    cr_expect(strstr(page, "&lt;img src=x onerror=alert(2)&gt;"));
    free(page);
    results = results_of(&run);
    unscored = at(results, "unscored");
    cr_expect_str_eq(at(cJSON_GetArrayItem(unscored, 1), "path_hex")->valuestring,
                     "fffe0a2271756f746564222e6d7034");
    cJSON_Delete(results);
    run_close(&run);
}

Test(report, input_that_breaks_its_promise_is_refused)
{
    struct run run;
    struct error e = {0};

    decide_small(&run);
    run.results[2].p_fake = NAN;
    cr_expect_eq(report_write(&run.in, &e), STATUS_INVALID);
    cr_expect(strstr(e.text, "c.mp4"), "%s", e.text);
    run.results[2].p_fake = 0.5;
    run.in.protocol_json = "[1]";
    cr_expect_eq(report_write(&run.in, &e), STATUS_INVALID);
    cr_expect(strstr(e.text, "protocol"), "%s", e.text);
    run.in.protocol_json = "{\"a\":1} trailing";
    cr_expect_eq(report_write(&run.in, &e), STATUS_INVALID);
    run.in.protocol_json = NULL;
    cr_assert_eq(result_set_path(&run.results[0], "other.mp4"), STATUS_OK);
    cr_expect_eq(report_write(&run.in, &e), STATUS_MISMATCH);
    run_close(&run);
}

Test(report, a_folder_that_cannot_be_written_is_an_error_that_names_it)
{
    struct run run;
    struct error e = {0};

    decide_small(&run);
    run.in.run_folder = "/nonexistent/run";
    cr_expect_neq(report_write(&run.in, &e), STATUS_OK);
    cr_expect(strstr(e.text, "/nonexistent/run/scores.csv"), "%s", e.text);
    run.in.run_folder = run.folder;
    run_close(&run);
}

Test(report, an_original_is_found_by_path_by_folder_by_name_and_by_stem)
{
    /* Sorted by path, so that the index is the place in this list. */
    static const struct manifest_entry entries[] = {
        {.path = "a/000_003.mp4", .label = LABEL_FAKE, .original = "000"},    /* 0: stem of 6 */
        {.path = "a/x.mp4", .label = LABEL_FAKE, .original = "b/real.mp4"},   /* 1: path of 4 */
        {.path = "b/fake.mp4", .label = LABEL_FAKE, .original = "real.mp4"},  /* 2: its folder's 4, not 5 */
        {.path = "b/fake2.mp4", .label = LABEL_FAKE, .original = "only.mp4"}, /* 3: name of 8 */
        {.path = "b/real.mp4", .label = LABEL_REAL},
        {.path = "c/real.mp4", .label = LABEL_REAL},
        {.path = "d/000.mp4", .label = LABEL_REAL},
        {.path = "d/fake.mp4", .label = LABEL_FAKE, .original = "real.mp4"}, /* 7: 4 or 5, so neither */
        {.path = "e/only.mp4", .label = LABEL_REAL},
        {.path = "f/one.mp4",
         .label = LABEL_FAKE,
         .original = "gone"}, /* 9 and 10: not there, but the same */
        {.path = "f/two.mp4", .label = LABEL_FAKE, .original = "gone"},
        {.path = "g/alone.mp4", .label = LABEL_FAKE},
    };
    static const uint32_t want[] = {6, 4, 4, 8, 4, 5, 6, 7, 8, 9, 9, 11};
    uint32_t cluster[12];
    bool any = false;
    struct run run;
    struct error e = {0};

    run_open(&run, entries, 12);
    cr_assert_eq(clusters_by_original(run.m, cluster, &any, &e), STATUS_OK);
    cr_expect(any);
    for (size_t i = 0; i < 12; i++)
        cr_expect_eq(cluster[i], want[i], "%s is with %u, not %u", entries[i].path, cluster[i], want[i]);
    run_close(&run);
}

Test(report, videos_without_an_identity_stand_alone)
{
    static const struct manifest_entry entries[] = {
        {.path = "a", .identity = "ann"}, {.path = "b"}, {.path = "c", .identity = "ann"}, {.path = "d"}};
    static const uint32_t want[] = {0, 1, 0, 3};
    uint32_t cluster[4];
    bool any = false;
    struct run run;
    struct error e = {0};

    run_open(&run, entries, 4);
    cr_assert_eq(clusters_by_identity(run.m, cluster, &any, &e), STATUS_OK);
    cr_expect(any);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(cluster[i], want[i]);
    cr_assert_eq(clusters_by_group(run.m, cluster, &any, &e), STATUS_OK);
    cr_expect(!any);
    run_close(&run);
}

Test(report, a_family_a_video_costs_no_square_and_loses_none)
{
    enum { N = 3000 };
    struct manifest_entry *entries = calloc(N, sizeof(*entries));
    char(*names)[16] = calloc(N, sizeof(*names));
    struct run run;
    cJSON *results;
    const cJSON *families, *f;
    double n = 0;

    cr_assert(entries && names);
    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "%04zu", i);
        entries[i] = (struct manifest_entry){.path = names[i],
                                             .family = names[i],
                                             .split = names[i],
                                             .label = i % 2 ? LABEL_FAKE : LABEL_REAL};
    }
    run_open(&run, entries, N);
    for (size_t i = 0; i < N; i++)
        decide(&run, names[i], OUTCOME_SCORED, (double)i / N, "");
    write_all(&run);
    results = results_of(&run);
    families = at(results, "families");
    cr_expect_eq(cJSON_GetArraySize(families), MODEL_MAX_GROUPS + 1);
    cr_expect_eq(cJSON_GetArraySize(at(results, "splits")), MODEL_MAX_GROUPS + 1);
    cJSON_ArrayForEach(f, families) n += at(at(f, "coverage"), "n")->valuedouble;
    cr_expect_eq(n, N);
    f = cJSON_GetArrayItem(families, MODEL_MAX_GROUPS);
    cr_expect(cJSON_IsNull(at(f, "name")));
    cr_expect_eq(at(f, "rest_of")->valuedouble, N - MODEL_MAX_GROUPS);
    cJSON_Delete(results);
    run_close(&run);
    free(entries);
    free(names);
}

/* What sqlite3(1) answers; NULL where it is not installed. */
static char *query(const struct run *run, const char *sql)
{
    char command[512], *answer = NULL;
    size_t len = 0;
    FILE *pipe;

    snprintf(command, sizeof(command), "sqlite3 -batch %s/results.sqlite \"%s\" 2>&1", run->folder, sql);
    pipe = popen(command, "r");
    cr_assert(pipe);
    if (getdelim(&answer, &len, '\0', pipe) < 0)
        answer[0] = '\0';
    pclose(pipe);
    return answer;
}

static void expect_answer(const struct run *run, const char *sql, const char *want)
{
    char *got = query(run, sql);

    cr_expect_str_eq(got, want, "%s gave %s", sql, got);
    free(got);
}

Test(report, sqlite_holds_every_video_and_clip)
{
    struct run run;

    if (system("command -v sqlite3 >/dev/null") != 0)
        cr_skip_test("sqlite3(1) is not installed");
    decide_small(&run);
    run.results[0].clips = calloc(2, sizeof(struct clip_score));
    run.results[0].n_clips = 2;
    run.results[0].clips[1] = (struct clip_score){
        .track = 1, .clip = 3, .start_us = -5, .end_us = 7, .n_frames = 9, .p_fake = 0.25};
    write_all(&run);
    write_all(&run); /* over the first */
    expect_answer(&run, "PRAGMA integrity_check", "ok\n");
    expect_answer(&run, "SELECT id, path, label, outcome, p_fake, n_clips FROM video WHERE id IN (0, 3)",
                  "0|a.mp4|REAL|scored|0.1|2\n3|d.mp4|FAKE|no_face||0\n");
    expect_answer(&run, "SELECT count(*), max(typeof(path)) FROM video", "5|text\n");
    expect_answer(&run, "SELECT * FROM clip", "0|0|0|0|0|0|0.0\n0|1|3|-5|7|9|0.25\n");
    expect_answer(&run, "SELECT path, is_right FROM judged", "a.mp4|1\nb.mp4|1\nc.mp4|1\n");
    expect_answer(&run, "SELECT value FROM run WHERE key = 'n_scored'", "4\n");
    expect_answer(&run, "SELECT value FROM run WHERE key = 'protocol'", "{\"sampling\":\"uniform\"}\n");
    run_close(&run);
}

Test(report, sqlite_keeps_the_bytes_of_a_name_that_is_not_utf8)
{
    static const struct manifest_entry entries[] = {{.path = "\xc3\xa9'); DROP TABLE video; --"},
                                                    {.path = "\xff\xed\xa0\x80"}};
    struct run run;

    if (system("command -v sqlite3 >/dev/null") != 0)
        cr_skip_test("sqlite3(1) is not installed");
    run_open(&run, entries, 2);
    write_all(&run);
    expect_answer(&run, "SELECT typeof(path), hex(path) FROM video WHERE id = 1", "blob|FFEDA080\n");
    expect_answer(&run, "SELECT typeof(path), path FROM video WHERE id = 0",
                  "text|\xc3\xa9'); DROP TABLE video; --\n");
    run_close(&run);
}

Test(report, utf8_is_told_from_other_bytes)
{
    static const char *const good[] = {
        "", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80",    "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xe2\x82"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect(utf8_is_valid(good[i]), "case %zu", i);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect(!utf8_is_valid(bad[i]), "case %zu", i);
}

Test(report, the_page_names_the_hashes_of_its_own_style_and_script)
{
    struct run run;
    char *page;

    decide_small(&run);
    write_all(&run);
    page = slurp(&run, "report.html");
    /* 32 bytes are 43 base64 digits and one "=". */
    cr_expect(strstr(page, "default-src 'none'"));
    for (const char *p = page; (p = strstr(p, "'sha256-")) != NULL; p++)
        cr_expect_eq(strcspn(p + 8, "'"), 44);
    cr_expect(!strstr(page, "unsafe-inline"));
    cr_expect(!strstr(page, "{{"));
    /* The one address is SVG's name, which nobody fetches. */
    for (const char *p = page; (p = strstr(p, "://")) != NULL; p++)
        cr_expect_eq(strncmp(p, "://www.w3.org/2000/svg\"", 23), 0, "the page points outside: %.60s", p);
    cr_expect(!strstr(page, "url(") && !strstr(page, "@import") && !strstr(page, "src=\""));
    free(page);
    run_close(&run);
}
