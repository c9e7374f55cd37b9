/* What the report says: scores.csv, report.json and the summary. */
#include "coordinator/evaluate/random.h"
#include "tests/coordinator/report_fixture.h"

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
    cr_expect_str_eq(got,
                     "path,label,split,family,outcome,p_fake,message,original,identity,group,n_frames_wanted,n_"
                     "frames_decoded,"
                     "n_frames_with_face,n_tracks,n_clips,container,codec,pixel_format,width_px,height_px,rotation_"
                     "deg,fps,"
                     "duration_us,n_frames,bit_rate_bps,n_audio_streams,size_bytes,method,fake_segments\n"
                     "a.mp4,REAL,test,,scored,0.1,,,,,16,16,15,1,0,mov,h264,yuv420p,640,360,90,29.97002997002997,"
                     "10000000,300,,"
                     "1,10,,\n"
                     "b.mp4,REAL,test,,scored,0.3333333333333333,,,,,0,0,0,0,0,,,,,,,,,,,,11,,\n"
                     "c.mp4,FAKE,test,faceswap,partial_decode,0.9,3 of 16 frames "
                     "lost,a.mp4,,,0,0,0,0,0,,,,,,,,,,,,,swap:net,0.5:1.25\n"
                     "d.mp4,FAKE,train,lip-sync,no_face,,no face in 16 frames,b,,,0,0,0,0,0,,,,,,,,,,,,,,\n"
                     "e.mp4,,,,scored,0.5,,,,,0,0,0,0,0,,,,,,,,,,,,,,\n");
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
    cr_expect(strstr(got, "x.mp4,,,,crashed,,signal 11,,,,0,0,0,0,0,mov,hevc,,8,6,0,,,,,0,,,\n"), "%s", got);
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
        {"\nx", "\"'\nx\","},
        {"\xef\xbc\x9d"
         "1",
         "\"'\xef\xbc\x9d"
         "1\","},
        {"\xef\xbc\xa1.mp4", "\xef\xbc\xa1.mp4,"}, /* a full-width A */
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
    const struct manifest_entry entries[] = {{.path = "a", .label = LABEL_FAKE}, {.path = "b", .label = LABEL_FAKE}};
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
    cr_expect_str_eq(at(at(video, "undefined"), "auc")->valuestring, "no scored reals: it needs both classes");
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
    text = slurp_page(&run);
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
    text = slurp_page(&run);
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
    cr_expect(strstr(text, "  scored                  3\n  partial_decode          1\n  no_face                 1\n"
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

Test(report, input_that_breaks_its_promise_is_refused)
{
    struct run run;
    struct error e = {0};

    decide_small(&run);
    run.in.protocol_json = "[1]";
    cr_expect_eq(report_write(input(&run), &e), STATUS_INVALID);
    cr_expect(strstr(e.text, "protocol"), "%s", e.text);
    run.in.protocol_json = "{\"a\":1} trailing";
    cr_expect_eq(report_write(input(&run), &e), STATUS_INVALID);
    run.in.protocol_json = NULL;
    run.n = 4;
    cr_expect_eq(report_write(input(&run), &e), STATUS_MISMATCH);
    cr_expect(strstr(e.text, "4 results") && strstr(e.text, "5 videos"), "%s", e.text);
    run.n = 5;
    run_close(&run);
}

Test(report, a_folder_that_cannot_be_written_is_an_error_that_names_it)
{
    struct run run;
    struct error e = {0};

    decide_small(&run);
    run.in.run_folder = "/nonexistent/run";
    cr_expect_neq(report_write(input(&run), &e), STATUS_OK);
    cr_expect(strstr(e.text, "/nonexistent/run/scores.csv"), "%s", e.text);
    run.in.run_folder = run.folder;
    run_close(&run);
}
