/* What report.html holds beside its looks: the rows, clips and crops that its scripts read, and the charts' numbers. */
#include <sys/stat.h>

#include "coordinator/report/page.h"
#include "tests/coordinator/report_fixture.h"

/* The page's data, as its scripts parse them. */
static cJSON *data_of(const struct run *run)
{
    static const char begin[] = "<script type=\"application/json\" id=\"data\">";
    char *page = slurp(run, "report.html"), *first = strstr(page, begin), *end;
    cJSON *data;

    cr_assert(first);
    first += sizeof(begin) - 1;
    end = strstr(first, "</script>");
    cr_assert(end);
    *end = '\0';
    data = cJSON_ParseWithOpts(first, NULL, true);
    cr_assert(data, "not JSON: %.200s", first);
    free(page);
    return data;
}

static double number_at(const cJSON *array, int k)
{
    return cJSON_GetArrayItem(array, k)->valuedouble;
}

Test(page, paths_unfold_to_the_manifests)
{
    static const struct manifest_entry entries[] = {{.path = "a/one.mp4"},           {.path = "a/one.mp4.bak.mp4"},
                                                    {.path = "a/other.mp4"},         {.path = "b\n\"</script>.mp4"},
                                                    {.path = "\xc3\xa9t\xc3\xa9/1"}, {.path = "\xc3\xa9t\xc3\xa9/2"}};
    char last[64] = "";
    struct run run;
    cJSON *data;
    const cJSON *list;

    run_open(&run, entries, 6);
    write_all(&run);
    data = data_of(&run);
    list = at(at(data, "rows"), "path");
    cr_assert_eq(cJSON_GetArraySize(list), 12);
    for (int k = 0; k < 6; k++) {
        snprintf(last + (int)number_at(list, 2 * k), sizeof(last) - (size_t)number_at(list, 2 * k), "%s",
                 cJSON_GetArrayItem(list, 2 * k + 1)->valuestring);
        cr_expect_str_eq(last, entries[k].path);
    }
    /* Bytes are not characters beyond ASCII, so nothing of such a name is shared. */
    cr_expect_eq(number_at(list, 10), 0);
    cr_expect_eq(number_at(list, 2), 9);
    cJSON_Delete(data);
    run_close(&run);
}

Test(page, rows_hold_what_is_known_and_clips_their_times)
{
    struct run run;
    cJSON *data;
    const cJSON *rows, *clips, *texts;

    decide_small(&run);
    run.results[2].clips = calloc(2, sizeof(struct clip_score));
    run.results[2].n_clips = 2;
    run.results[2].clips[0] =
        (struct clip_score){.start_us = 1500000, .end_us = 2750999, .n_frames = 16, .p_fake = 0.25};
    run.results[2].clips[1] =
        (struct clip_score){.track = 3, .clip = 2, .start_us = 9000000, .end_us = 9000000, .p_fake = 1};
    write_all(&run);
    data = data_of(&run);
    rows = at(data, "rows");
    texts = at(data, "texts");
    cr_expect_eq(number_at(at(rows, "p"), 2), 900000);
    cr_expect_eq(number_at(at(rows, "p"), 3), -1, "no_face has a score");
    cr_expect_eq(number_at(at(rows, "label"), 1), LABEL_REAL);
    cr_expect_eq(number_at(at(rows, "outcome"), 2), OUTCOME_PARTIAL_DECODE);
    cr_expect_eq(number_at(at(rows, "tenths"), 0), -1, "an unknown length is shown");
    cr_expect_str_eq(cJSON_GetArrayItem(texts, (int)number_at(at(rows, "message"), 3))->valuestring,
                     "no face in 16 frames");
    cr_expect_str_eq(cJSON_GetArrayItem(texts, (int)number_at(at(rows, "family"), 2))->valuestring, "faceswap");
    clips = at(at(data, "clips"), "2");
    {
        static const double want[] = {0, 0, 1500, 1250, 16, 250000, 3, 2, 9000, 0, 0, 1000000};

        cr_assert_eq(cJSON_GetArraySize(clips), 12);
        for (int k = 0; k < 12; k++)
            cr_expect_eq(number_at(clips, k), want[k], "number %d of the clips is %g", k, number_at(clips, k));
    }
    cJSON_Delete(data);
    run_close(&run);
}

Test(page, beyond_its_bounds_it_keeps_what_matters_and_says_so)
{
    enum { N = PAGE_MAX_ROWS + 3 };
    struct manifest_entry *entries = calloc(N, sizeof(*entries));
    char(*names)[16] = calloc(N, sizeof(*names));
    struct run run;
    cJSON *data;
    const cJSON *rows, *clips;
    char *page;
    double n_clips = 0;

    cr_assert(entries && names);
    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "%06zu", i);
        entries[i] = (struct manifest_entry){.path = names[i]};
    }
    run_open(&run, entries, N);
    for (size_t i = 0; i < N; i++) {
        /* The lowest scores stand first; each has two clips. */
        decide(&run, names[i], i == 1 ? OUTCOME_CRASHED : OUTCOME_SCORED, i == 1 ? NAN : (double)i / N, "");
        if (i == 1)
            continue;
        run.results[i].clips = calloc(2, sizeof(struct clip_score));
        cr_assert(run.results[i].clips);
        run.results[i].n_clips = 2;
    }
    write_all(&run);
    data = data_of(&run);
    rows = at(data, "rows");
    cr_expect_eq(cJSON_GetArraySize(at(rows, "p")), PAGE_MAX_ROWS);
    cr_expect_eq(number_at(at(rows, "outcome"), 0), OUTCOME_CRASHED, "a video without a score was left out");
    clips = at(data, "clips");
    for (const cJSON *x = clips->child; x; x = x->next)
        n_clips += cJSON_GetArraySize(x) / 6.0;
    cr_expect(n_clips <= PAGE_MAX_CLIPS && n_clips > PAGE_MAX_CLIPS * 0.99, "%g clips", n_clips);
    cr_expect(cJSON_GetObjectItem(clips, "99999"), "the highest score has no clips");
    page = slurp_page(&run);
    cr_expect(strstr(page, "This page holds 100,000 of 100,003 videos"));
    cr_expect(strstr(page, "Of 200,004 clip scores"));
    free(page);
    cJSON_Delete(data);
    run_close(&run);
    free(entries);
    free(names);
}

static void put(const struct run *run, const char *name, const void *bytes, size_t len)
{
    struct error e = {0};
    char *path = file_join(run->folder, name);

    cr_assert_eq(file_write(path, bytes, len, &e), STATUS_OK, "%s", e.text);
    free(path);
}

static void drop(const struct run *run, const char *name)
{
    char *path = file_join(run->folder, name);

    cr_assert_eq(remove(path), 0);
    free(path);
}

Test(page, crops_are_pictures_inside_their_folder_within_bounds)
{
    static const char jpeg[] = "\xff\xd8\xff\xe0 not much of one";
    static const char list[] = "path,track,clip,time_us,file\n"
                               "c.mp4,1,2,5000,a.jpg\n"
                               "c.mp4,0,0,1,../secret.jpg\n"
                               "c.mp4,0,0,1,/etc/passwd\n"
                               "c.mp4,0,0,1,text.jpg\n"
                               "c.mp4,0,0,1,none.jpg\n"
                               "c.mp4,x,0,1,a.jpg\n"
                               "c.mp4\n"
                               "b.mp4,0,0,1,a.jpg\n"
                               "z.mp4,0,0,1,a.jpg\n";
    char *folder;
    struct run run;
    cJSON *data;
    const cJSON *crops, *crop;

    decide_small(&run);
    folder = file_join(run.folder, "crops");
    cr_assert_eq(mkdir(folder, 0700), 0);
    put(&run, "crops/a.jpg", jpeg, sizeof(jpeg) - 1);
    put(&run, "crops/text.jpg", "text", 4);
    put(&run, "secret.jpg", jpeg, sizeof(jpeg) - 1);
    put(&run, "crops/crops.csv", list, sizeof(list) - 1);
    write_all(&run);
    data = data_of(&run);
    crops = at(data, "crops");
    /* b is neither suspicious nor wrong; z is not of the run. */
    cr_assert_eq(cJSON_GetArraySize(crops), 1);
    crops = at(crops, "c.mp4");
    cr_assert_eq(cJSON_GetArraySize(crops), 1);
    crop = cJSON_GetArrayItem(crops, 0);
    cr_expect_eq(number_at(crop, 0), 1);
    cr_expect_eq(number_at(crop, 1), 2);
    cr_expect_eq(number_at(crop, 2), 5000);
    /* base64 of the bytes above, by Python's. */
    cr_expect_str_eq(cJSON_GetArrayItem(crop, 3)->valuestring, "data:image/jpeg;base64,/9j/4CBub3QgbXVjaCBvZiBvbmU=");
    cJSON_Delete(data);

    /* A list that is none costs a warning, not the report. */
    put(&run, "crops/crops.csv", "a,b\n\"", 5);
    write_all(&run);
    data = data_of(&run);
    cr_expect_eq(cJSON_GetArraySize(at(data, "crops")), 0);
    cJSON_Delete(data);
    drop(&run, "crops/crops.csv");
    drop(&run, "crops/a.jpg");
    drop(&run, "crops/text.jpg");
    drop(&run, "secret.jpg");
    cr_assert_eq(rmdir(folder), 0);
    free(folder);
    run_close(&run);
}

enum { N_EACH = 400 };

/* Reals at 0.1; every other fake at 0.9, the others at 0.05. */
static void two_level_run(struct run *run, struct manifest_entry *entries, char (*names)[16])
{
    for (size_t i = 0; i < 2 * N_EACH; i++) {
        snprintf(names[i], sizeof(names[i]), "%06zu", i);
        entries[i] = (struct manifest_entry){.path = names[i], .label = i < N_EACH ? LABEL_REAL : LABEL_FAKE};
    }
    run_open(run, entries, 2 * N_EACH);
    for (size_t i = 0; i < 2 * N_EACH; i++)
        decide(run, names[i], OUTCOME_SCORED, i < N_EACH ? 0.1 : i % 2 ? 0.9 : 0.05, "");
}

Test(page, curves_and_their_bands_are_where_theory_has_them)
{
    struct manifest_entry *entries = calloc(2 * N_EACH, sizeof(*entries));
    char(*names)[16] = calloc(2 * N_EACH, sizeof(*names));
    struct run run;
    cJSON *data;
    const cJSON *charts, *sets, *first, *bins;

    cr_assert(entries && names);
    if (!page_has_charts())
        cr_skip_test("this build has no charts (npm was not to be had)");
    two_level_run(&run, entries, names);
    write_all(&run);
    data = data_of(&run);
    charts = at(data, "charts");
    sets = at(at(charts, "roc"), "sets");
    cr_assert_eq(cJSON_GetArraySize(at(sets, "curve")), 4);
    cr_expect_eq(at(cJSON_GetArrayItem(at(sets, "curve"), 1), "y")->valuedouble, 0.5);
    cr_expect_eq(at(cJSON_GetArrayItem(at(sets, "curve"), 2), "x")->valuedouble, 1);
    /* Half of 400 fakes lie beyond all reals: a share of 0.5 with a standard error of 0.025. */
    first = cJSON_GetArrayItem(at(sets, "band"), 0);
    cr_expect_float_eq(at(first, "low")->valuedouble, 0.5 - 1.96 * 0.025, 0.012);
    cr_expect_float_eq(at(first, "high")->valuedouble, 0.5 + 1.96 * 0.025, 0.012);
    sets = at(at(charts, "pr"), "sets");
    cr_expect_eq(at(cJSON_GetArrayItem(at(sets, "curve"), 0), "y")->valuedouble, 1);
    cr_expect_float_eq(at(cJSON_GetArrayItem(at(sets, "curve"), 1), "y")->valuedouble, 1.0 / 3, 1e-5);
    /* 10 % missed is the quantile -1.28155 of scipy.stats.norm.ppf; here 50 %: 0. */
    sets = at(at(charts, "det"), "sets");
    cr_expect_float_eq(at(cJSON_GetArrayItem(at(sets, "at"), 0), "y")->valuedouble, 0, 1e-9);
    bins = at(at(at(charts, "reliability"), "sets"), "bins");
    cr_assert_eq(cJSON_GetArraySize(bins), 3);
    /* 0 of 400 fakes near 0.1: Wilson's upper end is z^2 / (n + z^2). */
    first = cJSON_GetArrayItem(bins, 1);
    cr_expect_eq(at(first, "share")->valuedouble, 0);
    cr_expect_float_eq(at(first, "high")->valuedouble, 3.841458820694124 / (400 + 3.841458820694124), 1e-6);
    cJSON_Delete(data);
    run_close(&run);
    free(entries);
    free(names);
}

Test(page, counts_have_their_number_and_environment_is_no_json)
{
    static const struct manifest_entry entry = {.path = "only.mp4", .label = LABEL_FAKE};
    struct run run;
    char *page;

    run_open(&run, &entry, 1);
    run.in.execution_json =
        "{\"executions\":[{\"version\":\"9\",\"start_unix_s\":1795472705,\"wall_s\":90,\"host\":\"<h>\","
        "\"ranks\":2,\"lanes\":1234,\"efficiency\":0.5,\"end\":\"complete\",\"slowest\":[{\"path\":\"x\"}],"
        "\"journal\":{\"segments\":3}}]}";
    decide(&run, "only.mp4", OUTCOME_SCORED, 0.75, "");
    run.results[0].wall_us = 1230000;
    write_all(&run);
    page = slurp_page(&run);
    cr_expect(strstr(page, "<title>fakesift: test-detector on 1 video</title>"));
    cr_expect(strstr(page, "1 of 1 video has a score"));
    cr_expect(!strstr(page, "1 videos"));
    cr_expect(strstr(page, "worked on in 1 start."));
    cr_expect(strstr(page, "2026-11-23 22:25:05 UTC"));
    cr_expect(strstr(page, "90.0\xc2\xa0s"));
    cr_expect(strstr(page, "&lt;h&gt;"));
    cr_expect(strstr(page, "1,234"));
    cr_expect(strstr(page, "50.0\xc2\xa0%"));
    cr_expect(strstr(page, "journal.segments"));
    cr_expect(strstr(page, "<td>1.23</td>"), "the slowest video");
    cr_expect(!strstr(page, "{&quot;"), "JSON on the page");
    free(page);
    run_close(&run);
}
