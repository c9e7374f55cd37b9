#include "tests/coordinator/report_fixture.h"

enum { N = 400 };

/* N videos: reals and fakes of two splits, two codecs, three sizes; scores that are three times too sure. */
static void make(struct run *run, struct manifest_entry *entries, char (*names)[32], bool with_splits)
{
    for (size_t i = 0; i < N; i++) {
        snprintf(names[i], sizeof(names[i]), "v%03zu.mp4", i);
        entries[i] = (struct manifest_entry){.path = names[i],
                                             .label = i % 2 ? LABEL_FAKE : LABEL_REAL,
                                             .group = i % 5 ? "a" : "b",
                                             .split = with_splits ? (i % 4 < 2 ? "val" : "test") : ""};
    }
    run_open(run, entries, N);
    for (size_t i = 0; i < N; i++) {
        /* One in five on the wrong side, at a logit of 3 that should have been 1.4. */
        bool looks_fake = (i % 2) ^ (i % 5 == 3);
        struct result *r = &run->results[manifest_find(run->m, names[i])];

        decide(run, names[i], OUTCOME_SCORED, 1 / (1 + exp(looks_fake ? -3 - (double)(i % 7) / 100 : 3)), "");
        snprintf(r->facts.codec, sizeof(r->facts.codec), "%s", i % 2 ? "gif" : "h264");
        snprintf(r->facts.container, sizeof(r->facts.container), "mov");
        r->facts.width_px = i % 3 == 0 ? 0 : i % 3 == 1 ? 1920 : 240;
        r->facts.height_px = i % 3 == 0 ? 0 : i % 3 == 1 ? 1080 : 426;
    }
}

static const cJSON *named(const cJSON *list, const char *name)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        if (cJSON_IsString(at(item, "name")) && strcmp(at(item, "name")->valuestring, name) == 0)
            return item;
    }
    cr_assert_fail("no group %s", name);
    return NULL;
}

static double count_of(const cJSON *group)
{
    return at(at(group, "coverage"), "n")->valuedouble;
}

Test(report_figures, groups_codecs_and_resolutions_part_the_corpus)
{
    static struct manifest_entry entries[N];
    static char names[N][32];
    struct run run;
    cJSON *results;

    make(&run, entries, names, false);
    write_all(&run);
    results = results_of(&run);
    cr_assert_eq(count_of(named(at(results, "groups"), "b")), N / 5);
    cr_assert_eq(count_of(named(at(results, "groups"), "a")), N - N / 5);
    cr_assert_eq(count_of(named(at(results, "codecs"), "gif")), N / 2);
    cr_assert_str_eq(at(at(at(named(at(results, "codecs"), "gif"), "metrics"), "undefined"), "auc")->valuestring,
                     undefined_reason(UNDEFINED_NO_REALS));
    cr_assert_eq(cJSON_GetArraySize(at(results, "resolutions")), 3);
    cr_assert_eq(count_of(named(at(results, "resolutions"), "")), (N + 2) / 3);
    cr_assert_eq(count_of(named(at(results, "resolutions"), "1080 to 2159")), N / 3);
    cr_assert_eq(count_of(named(at(results, "resolutions"), "240 to 359")), N / 3);
    cr_assert(at(at(results, "frame"), "undefined"));
    cr_assert(strstr(at(at(results, "calibration"), "undefined")->valuestring, "no split"));
    cJSON_Delete(results);
    run_close(&run);
}

Test(report_figures, every_figure_has_an_interval_around_it)
{
    static struct manifest_entry entries[N];
    static char names[N][32];
    struct run run;
    cJSON *results;
    const cJSON *video;

    make(&run, entries, names, false);
    write_all(&run);
    results = results_of(&run);
    video = at(results, "video");
    for (int k = 0; k < FIGURE_COUNT; k++) {
        const char *name = figure_name((enum figure_id)k);
        const cJSON *i = k == FIGURE_AUC ? at(video, "auc_bootstrap_95") : at(at(video, "bootstrap_95"), name);

        cr_expect_eq(at(i, "replicates")->valuedouble, 2000, "%s", name);
        /* A replicate's calibration error is mostly above the sample's: its interval is not around it. */
        if (k != FIGURE_ECE)
            cr_expect(at(i, "low")->valuedouble <= at(video, name)->valuedouble &&
                          at(i, "high")->valuedouble >= at(video, name)->valuedouble,
                      "%s", name);
    }
    cJSON_Delete(results);
    run_close(&run);
}

Test(report_figures, calibration_is_fitted_on_one_split_and_shown_on_another)
{
    static struct manifest_entry entries[N];
    static char names[N][32];
    struct run run;
    cJSON *results;
    const cJSON *c;

    make(&run, entries, names, true);
    write_all(&run);
    results = results_of(&run);
    c = at(results, "calibration");
    cr_assert_str_eq(at(c, "fitted_on")->valuestring, "val");
    cr_assert_str_eq(at(c, "shown_on")->valuestring, "test");
    cr_assert_eq(at(c, "n_fitted")->valuedouble, N / 2);
    cr_assert_eq(at(at(c, "before"), "n")->valuedouble, N / 2);
    cr_assert(at(c, "temperature")->valuedouble > 1.8 && at(c, "temperature")->valuedouble < 2.6, "%g",
              at(c, "temperature")->valuedouble);
    cr_assert_lt(at(at(c, "after"), "ece_15")->valuedouble, at(at(c, "before"), "ece_15")->valuedouble);
    cr_assert_lt(at(at(c, "after"), "log_loss")->valuedouble, at(at(c, "before"), "log_loss")->valuedouble);
    cr_assert_eq(at(at(c, "after"), "auc")->valuedouble, at(at(c, "before"), "auc")->valuedouble);
    cJSON_Delete(results);
    run_close(&run);
}
