/* The page, the database, hostile names, and which videos belong together. */
#include "tests/coordinator/report_fixture.h"

Test(report_files, hostile_names_stay_text_everywhere)
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
    page = slurp_page(&run);
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
    cr_expect_str_eq(at(cJSON_GetArrayItem(unscored, 1), "path_hex")->valuestring, "fffe0a2271756f746564222e6d7034");
    cJSON_Delete(results);
    run_close(&run);
}

Test(report_files, an_original_is_found_by_path_by_folder_by_name_and_by_stem)
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
        {.path = "f/one.mp4", .label = LABEL_FAKE, .original = "gone"}, /* 9 and 10: not there, but the same */
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

Test(report_files, videos_without_an_identity_stand_alone)
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

Test(report_files, a_family_a_video_costs_no_square_and_loses_none)
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
        entries[i] = (struct manifest_entry){
            .path = names[i], .family = names[i], .split = names[i], .label = i % 2 ? LABEL_FAKE : LABEL_REAL};
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

Test(report_files, sqlite_holds_every_video_and_clip)
{
    struct run run;

    if (system("command -v sqlite3 >/dev/null") != 0)
        cr_skip_test("sqlite3(1) is not installed");
    decide_small(&run);
    run.results[0].clips = calloc(2, sizeof(struct clip_score));
    run.results[0].n_clips = 2;
    run.results[0].clips[1] =
        (struct clip_score){.track = 1, .clip = 3, .start_us = -5, .end_us = 7, .n_frames = 9, .p_fake = 0.25};
    run.results[0].wall_us = 1500000;
    run.results[1].wall_us = 2500000;
    run.results[1].network_us = 250000;
    write_all(&run);
    write_all(&run); /* over the first */
    expect_answer(&run, "PRAGMA integrity_check", "ok\n");
    expect_answer(&run, "SELECT id, path, label, outcome, p_fake, n_clips FROM video WHERE id IN (0, 3)",
                  "0|a.mp4|REAL|scored|0.1|2\n3|d.mp4|FAKE|no_face||0\n");
    expect_answer(&run, "SELECT count(*), max(typeof(path)) FROM video", "5|text\n");
    expect_answer(&run, "SELECT * FROM clip", "0|0|0|0|0|0|0.0\n0|1|3|-5|7|9|0.25\n");
    expect_answer(&run, "SELECT path, is_right FROM judged", "a.mp4|1\nb.mp4|1\nc.mp4|1\n");
    expect_answer(&run, "SELECT value FROM run WHERE key = 'n_scored'", "4\n");
    expect_answer(&run, "SELECT * FROM track", "0|0|1|0|0|0.0|0.0|0.0|0\n0|1|1|-5|7|0.25|0.25|0.25|0\n");
    expect_answer(&run, "SELECT outcome, n, share, n_real, n_fake FROM outcome",
                  "no_face|1|0.2|0|1\npartial_decode|1|0.2|0|1\nscored|3|0.6|2|0\n");
    expect_answer(&run, "SELECT sum(n), sum(n_scored), sum(n_called_fake) FROM by_family", "5|4|2\n");
    expect_answer(&run, "SELECT sum(n), sum(n_scored), sum(n_called_fake) FROM by_split", "5|4|2\n");
    expect_answer(&run, "SELECT sum(n), sum(n_scored), sum(n_called_fake) FROM by_stream", "5|4|2\n");
    expect_answer(&run, "SELECT path, outcome, message FROM unscored", "d.mp4|no_face|no face in 16 frames\n");
    expect_answer(&run, "SELECT count(*) FROM wrong", "0\n");
    expect_answer(&run, "SELECT fake_path, real_path, is_ordered FROM pair", "c.mp4|a.mp4|1\n");
    expect_answer(&run, "SELECT path, wall_s, network_s FROM slowest", "b.mp4|2.5|0.25\na.mp4|1.5|0.0\n");
    expect_answer(&run, "SELECT value FROM run WHERE key = 'protocol'", "{\"sampling\":\"uniform\"}\n");
    run_close(&run);
}

Test(report_files, sqlite_keeps_the_bytes_of_a_name_that_is_not_utf8)
{
    static const struct manifest_entry entries[] = {{.path = "\xc3\xa9'); DROP TABLE video; --"},
                                                    {.path = "\xff\xed\xa0\x80"}};
    struct run run;

    if (system("command -v sqlite3 >/dev/null") != 0)
        cr_skip_test("sqlite3(1) is not installed");
    run_open(&run, entries, 2);
    write_all(&run);
    expect_answer(&run, "SELECT typeof(path), hex(path) FROM video WHERE id = 1", "blob|FFEDA080\n");
    expect_answer(&run, "SELECT typeof(path), path FROM video WHERE id = 0", "text|\xc3\xa9'); DROP TABLE video; --\n");
    run_close(&run);
}

Test(report_files, utf8_is_told_from_other_bytes)
{
    static const char *const good[] = {
        "", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect(utf8_is_valid(good[i]), "case %zu", i);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect(!utf8_is_valid(bad[i]), "case %zu", i);
}

Test(report_files, the_page_names_the_hashes_of_its_own_style_and_script)
{
    struct run run;
    char *page;

    decide_small(&run);
    write_all(&run);
    page = slurp_page(&run);
    /* 32 bytes are 43 base64 digits and one "=". */
    cr_expect(strstr(page, "default-src 'none'"));
    for (const char *p = page; (p = strstr(p, "'sha256-")) != NULL; p++)
        cr_expect_eq(strcspn(p + 8, "'"), 44);
    cr_expect(!strstr(page, "unsafe-inline"));
    cr_expect(!strstr(page, "{{"));
    cr_expect(!strstr(page, "://"), "the page points outside");
    cr_expect(!strstr(page, "url(") && !strstr(page, "@import") && !strstr(page, "src=\""));
    free(page);
    run_close(&run);
}
