/* report_fixture: a run made up in memory and its report in a folder under /tmp, for the tests of
 * coordinator/report. */
#ifndef FAKESIFT_TESTS_COORDINATOR_REPORT_FIXTURE_H
#define FAKESIFT_TESTS_COORDINATOR_REPORT_FIXTURE_H

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/report/model.h"
#include "coordinator/report/report.h"
#include "shard/file.h"

struct run {
    char folder[64];
    struct manifest *m;
    struct result *results;
    struct results *table; /* of them; see input() */
    size_t n;
    struct report_input in;
};

static inline void run_open(struct run *run, const struct manifest_entry *entries, size_t n)
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
                                    .protocol_json = "{\"sampling\":\"uniform\"}",
                                    .execution_json = "{\"version\":\"0.1.0\"}",
                                    .detector_name = "test-detector",
                                    .detector_worth = "nothing but a test"};
}

static inline void decide(struct run *run, const char *path, enum outcome outcome, double p_fake, const char *message)
{
    size_t i = manifest_find(run->m, path);

    cr_assert_neq(i, SIZE_MAX, "no %s", path);
    cr_assert_eq(result_set_path(&run->results[i], path), STATUS_OK);
    run->results[i].outcome = outcome;
    run->results[i].p_fake = p_fake;
    result_set_message(&run->results[i], "%s", message);
}

static inline char *slurp(const struct run *run, const char *name)
{
    char *path = file_join(run->folder, name), *data = NULL;
    size_t len;
    struct error e = {0};

    cr_assert_eq(file_read(path, 1u << 30, &data, &len, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(strlen(data), len, "a zero byte in %s", name);
    free(path);
    return data;
}

/* report.html without the charts' library, which is other people's code. */
static inline char *slurp_page(const struct run *run)
{
    char *page = slurp(run, "report.html");
    size_t len = strlen(page), from = 0, to;

    while (from < len && strncmp(page + from, "<script id=\"charts\">", 20) != 0)
        from++;
    for (to = from; to < len && strncmp(page + to, "</script>", 9) != 0;)
        to++;
    memmove(page + from, page + to, len - to + 1);
    return page;
}

/* What run->results holds now, as the report takes it. */
static inline const struct report_input *input(struct run *run)
{
    results_close(&run->table);
    cr_assert_eq(results_open(run->n, &run->table), STATUS_OK);
    for (size_t i = 0; i < run->n; i++) {
        if (run->results[i].outcome != OUTCOME_UNDECIDED)
            cr_assert_eq(results_put(run->table, i, &run->results[i]), STATUS_OK);
    }
    run->in.results = run->table;
    return &run->in;
}

static inline void write_all(struct run *run)
{
    struct error e = {0};

    cr_assert_eq(report_write(input(run), &e), STATUS_OK, "%s", e.text);
}

static inline cJSON *results_of(const struct run *run)
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

static inline int has_finding(const cJSON *results, const char *id)
{
    const cJSON *f;

    cJSON_ArrayForEach(f, at(results, "findings"))
    {
        if (strcmp(at(f, "id")->valuestring, id) == 0)
            return 1;
    }
    return 0;
}

static inline char *summary(struct run *run)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    struct error e = {0};

    cr_assert_eq(report_print_summary(input(run), f, &e), STATUS_OK, "%s", e.text);
    fclose(f);
    return text;
}

static inline void run_close(struct run *run)
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
    results_close(&run->table);
    manifest_close(&run->m);
}

static const struct manifest_entry small[] = {
    {.path = "a.mp4", .label = LABEL_REAL, .split = "test", .exists = true, .size_bytes = 10},
    {.path = "b.mp4", .label = LABEL_REAL, .split = "test", .exists = true, .size_bytes = 11},
    {.path = "c.mp4",
     .label = LABEL_FAKE,
     .split = "test",
     .family = "faceswap",
     .original = "a.mp4",
     .method = "swap:net",
     .fake_segments = "0.5:1.25"},
    {.path = "d.mp4", .label = LABEL_FAKE, .split = "train", .family = "lip-sync", .original = "b"},
    {.path = "e.mp4"},
};

static inline void decide_small(struct run *run)
{
    run_open(run, small, 5);
    decide(run, "a.mp4", OUTCOME_SCORED, 0.1, "");
    decide(run, "b.mp4", OUTCOME_SCORED, 1.0 / 3, "");
    decide(run, "c.mp4", OUTCOME_PARTIAL_DECODE, 0.9, "3 of 16 frames lost");
    decide(run, "d.mp4", OUTCOME_NO_FACE, NAN, "no face in 16 frames");
    decide(run, "e.mp4", OUTCOME_SCORED, 0.5, "");
}

#endif
