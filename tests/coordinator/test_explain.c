/* fakesift explain: what it makes of a result, how it finds a video, and what it prints. */
#include "coordinator/report/explain.h"
#include "tests/coordinator/report_fixture.h"

static const struct manifest_entry entries[] = {
    {.path = "fake/one.mp4", .label = LABEL_FAKE, .family = "face<swap>"},
    {.path = "real/evil\033[2J\xc2\x9b.mp4", .label = LABEL_REAL},
    {.path = "real/none.mp4", .label = LABEL_REAL},
    {.path = "real/other_name.mp4", .label = LABEL_REAL},
};

/* A video of 20 s: face 0 in clips 1 and 3, face 2 in clip 3. */
static void run_make(struct run *run)
{
    static const struct clip_score clips[] = {
        {.track = 0, .clip = 1, .start_us = 2000000, .end_us = 4000000, .n_frames = 16, .p_fake = 0.25},
        {.track = 0, .clip = 3, .start_us = 10000000, .end_us = 12000000, .n_frames = 16, .p_fake = 0.75},
        {.track = 2, .clip = 3, .start_us = 11000000, .end_us = 13000000, .n_frames = 9, .p_fake = 1},
    };
    struct result *r;

    run_open(run, entries, 4);
    r = &run->results[0];
    decide(run, entries[0].path, OUTCOME_PARTIAL_DECODE, 0.7, "2 of 64 frames lost");
    decide(run, entries[1].path, OUTCOME_SCORED, 0.1, "");
    decide(run, entries[2].path, OUTCOME_NO_FACE, NAN, "no face in 64 frames");
    decide(run, entries[3].path, OUTCOME_SCORED, 0.7, "");
    r->clips = malloc(sizeof(clips));
    cr_assert(r->clips);
    memcpy(r->clips, clips, sizeof(clips));
    r->n_clips = 3;
    r->n_frames_wanted = 64;
    r->n_frames_decoded = 62;
    r->n_frames_with_face = 32;
    snprintf(r->facts.codec, sizeof(r->facts.codec), "h264");
    r->facts.duration_us = 20000000;
    r->facts.fps_num = 25;
    r->facts.fps_den = 1;
    run->results[2].n_frames_wanted = run->results[2].n_frames_decoded = 64;
}

static void explain_at(struct run *run, size_t index, struct explain *x)
{
    struct error e = {0};

    cr_assert_eq(explain_open(input(run), index, x, &e), STATUS_OK, "%s", e.text);
}

Test(explain, faces_gaps_and_missing_clips_come_from_the_clips)
{
    static const int64_t gaps[][2] = {{0, 2000000}, {4000000, 10000000}, {13000000, 20000000}};
    struct explain x;
    struct run run;

    run_make(&run);
    explain_at(&run, 0, &x);
    cr_assert_eq(x.n_tracks, 2);
    cr_expect_eq(x.tracks[0].n, 2);
    cr_expect_eq(x.tracks[0].n_fake, 1);
    cr_expect_eq(x.tracks[0].mean, 0.5);
    cr_expect_eq(x.tracks[0].covered_us, 4000000);
    cr_expect_eq(x.tracks[1].track, 2);
    cr_assert_eq(x.n_gaps, 3);
    for (size_t k = 0; k < 3; k++)
        cr_expect(x.gaps[k].start_us == gaps[k][0] && x.gaps[k].end_us == gaps[k][1], "gap %zu", k);
    cr_expect_eq(x.covered_us, 5000000);
    cr_assert_eq(x.n_missing, 2);
    cr_expect(x.missing[0] == 0 && x.missing[1] == 2);
    cr_expect(x.all.n == 2 && x.all.n_lower == 1 && x.all.n_equal == 1);
    cr_expect(x.reals.n == 2 && x.fakes.n == 0);
    explain_clear(&x);
    run_close(&run);
}

Test(explain, a_clip_number_of_billions_is_no_loop_of_billions)
{
    struct explain x;
    struct run run;

    run_make(&run);
    run.results[0].clips[2].clip = UINT32_MAX;
    explain_at(&run, 0, &x);
    cr_expect_eq(x.n_missing, 1000);
    explain_clear(&x);
    run_close(&run);
}

static char *printed(struct run *run, size_t index, struct explain_look look)
{
    struct explain x;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    cr_assert(out);
    explain_at(run, index, &x);
    explain_print(&x, &look, out);
    fclose(out);
    explain_clear(&x);
    return text;
}

Test(explain, the_time_line_shows_each_face_where_it_was_scored)
{
    struct run run;
    char *text;

    run_make(&run);
    text = printed(&run, 0, (struct explain_look){.width = 52, .is_plain = true});
    /* 40 columns of half a second. */
    cr_expect(strstr(text, "\nface 1      ....22222...........77777...............\n"), "%s", text);
    cr_expect(strstr(text, "\nface 3      ......................99999.............\n"), "%s", text);
    cr_expect(strstr(text, "P(fake)     0.7000 by test-detector\n"), "%s", text);
    cr_expect(strstr(text, "higher than  75.0 % of the 2 other videos"), "%s", text);
    cr_expect(strstr(text, "look at     11.0 to 13.0 s: face 3, 1.000\n"), "%s", text);
    cr_expect(strstr(text, "2 of 64 wanted frames could not be read\n"), "%s", text);
    cr_expect(strstr(text, "30 of 62 frames showed no face that was followed\n"), "%s", text);
    cr_expect(strstr(text, "no face was scored in clips 1, 3\n"), "%s", text);
    cr_expect(strstr(text, "of about 125 frames within the scored clips 62 were read\n"), "%s", text);
    cr_expect(strstr(text, "15.0 of 20.0 seconds lie in no scored clip; the longest such stretch is 13.0 to 20.0 s\n"),
              "%s", text);
    free(text);
    text = printed(&run, 0, (struct explain_look){.width = 400, .with_clips = true});
    cr_expect(strstr(text, "       4       11.00     13.00     3       9   1.0000\n"), "%s", text);
    free(text);
    run_close(&run);
}

Test(explain, a_video_without_a_score_says_why)
{
    struct run run;
    char *text;

    run_make(&run);
    text = printed(&run, 2, (struct explain_look){.width = 80, .is_plain = true});
    cr_expect(strstr(text, "outcome     no_face: no face in 64 frames\n"), "%s", text);
    cr_expect(strstr(text, "64 of 64 frames showed no face"), "%s", text);
    cr_expect(!strstr(text, "P(fake)") && !strstr(text, "nan"), "%s", text);
    free(text);
    run_close(&run);
}

Test(explain, a_name_cannot_drive_the_terminal)
{
    struct run run;
    char *text;

    run_make(&run);
    for (int plain = 0; plain < 2; plain++) {
        text = printed(&run, 1, (struct explain_look){.width = 80, .is_plain = plain});
        cr_expect(!strchr(text, '\033') && !strstr(text, "\xc2\x9b"), "%s", text);
        cr_expect(strstr(text, "real/evil?[2J?.mp4"), "%s", text);
        free(text);
    }
    run_close(&run);
}

Test(explain, json_holds_the_same)
{
    struct explain x;
    struct run run;
    struct text t = {0};
    cJSON *root;

    run_make(&run);
    for (size_t index = 0; index < 4; index++) {
        explain_at(&run, index, &x);
        explain_json(&x, &t);
        cr_assert(!t.failed);
        root = cJSON_ParseWithOpts(t.data, NULL, true);
        cr_assert(root, "%s", t.data);
        cr_expect_str_eq(at(root, "path")->valuestring, entries[index].path);
        if (index == 0) {
            cr_expect_eq(cJSON_GetArraySize(at(root, "tracks")), 2);
            cr_expect_eq(cJSON_GetArraySize(at(root, "unscored_spans")), 3);
            cr_expect_eq(cJSON_GetArraySize(at(root, "not_seen")), 5);
            cr_expect_eq(at(at(at(root, "among"), "all"), "equal")->valuedouble, 1);
            cr_expect_eq(at(root, "p_fake")->valuedouble, 0.7);
        }
        if (index == 2)
            cr_expect(cJSON_IsNull(at(root, "p_fake")));
        cJSON_Delete(root);
        text_clear(&t);
        explain_clear(&x);
    }
    run_close(&run);
}

static void expect_found(const struct manifest *m, const char *path, size_t want)
{
    struct error e = {0};
    size_t index = SIZE_MAX;

    cr_expect_eq(explain_find(m, path, &index, &e), STATUS_OK, "%s", e.text);
    cr_expect_eq(index, want);
}

static void expect_not_found(const struct manifest *m, const char *path, const char *want)
{
    struct error e = {0};
    size_t index = 7;

    cr_expect_eq(explain_find(m, path, &index, &e), STATUS_NOT_FOUND);
    cr_expect_str_eq(e.text, want);
    cr_expect_eq(index, 7);
}

Test(explain, a_video_is_found_by_its_path_and_else_like_ones_are_named)
{
    struct run run;

    run_make(&run);
    expect_found(run.m, "real/none.mp4", 2);
    expect_found(run.m, "/corpus/real/none.mp4", 2);
    expect_found(run.m, "./real/none.mp4", 2);
    expect_not_found(run.m, "other_name.mp4", "other_name.mp4: not in this run; near it: real/other_name.mp4");
    expect_not_found(run.m, "real/othername.mp4", "real/othername.mp4: not in this run; near it: real/other_name.mp4");
    expect_not_found(
        run.m, "nothing like it",
        "nothing like it: not in this run; its 4 paths are relative to /corpus, the first is fake/one.mp4");
    run_close(&run);
}

Test(explain, the_page_keeps_names_text_and_runs_nothing_else)
{
    struct explain x;
    struct error e = {0};
    struct run run;
    char *path, *page;

    run_make(&run);
    run.in.detector_worth = "</style><script>alert(1)</script>";
    explain_at(&run, 0, &x);
    path = file_join(run.folder, "report.html");
    cr_assert_eq(explain_html_write(&x, path, &e), STATUS_OK, "%s", e.text);
    page = slurp_page(&run);
    cr_expect(strstr(page, "default-src 'none'") && !strstr(page, "unsafe-inline"));
    cr_expect(!strstr(page, "<script>alert") && !strstr(page, "face<swap>") && !strstr(page, "{{"));
    cr_expect(strstr(page, "<li>no face was scored in clips 1, 3</li>"), "%s", page);
    cr_expect(strstr(page, "\"clips\":{\"0\":[0,1,2000,2000,16,250000,"));
    free(page);
    free(path);
    explain_clear(&x);
    run_close(&run);
}
