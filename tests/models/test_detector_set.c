#include "models/detector_set.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/ensemble.h"
#include "shard/file.h"

#define HEAD(name) "\"name\":\"" name "\",\"title\":\"X\",\"licence\":\"MIT\",\"provenance\":\"made here\""
#define DETECTOR(name)                                                                                                 \
    "{\"kind\":\"detector\",\"input\":\"frames\"," HEAD(                                                               \
        name) ",\"worth\":\"none\",\"sampling\":{\"frames\":8},\"crop\":{\"width_px\":64,\"height_px\":64},"           \
              "\"tensor\":{\"layout\":\"nchw\",\"order\":\"rgb\"},\"networks\":{\"frame\":{\"file\":\"n.onnx\"}},"     \
              "\"output\":{\"meaning\":\"logit\"}}"
#define LANDMARKS                                                                                                      \
    "{\"kind\":\"detector\",\"input\":\"landmarks\"," HEAD(                                                            \
        "marks") ",\"worth\":\"none\",\"landmark_points\":2,\"sampling\":{\"frames\":8},"                              \
                 "\"networks\":{\"temporal\":[{\"file\":\"n.onnx\"}]},\"output\":{\"meaning\":\"logit\"}}"
#define ENSEMBLE(name, rest) "{\"kind\":\"ensemble\"," HEAD(name) ",\"worth\":\"none\"," rest "}"
#define MEMBERS              "\"members\":[{\"detector\":\"one\",\"weight\":3},{\"detector\":\"two\"}]"

static char root[64];

static void put(const char *below, const char *content)
{
    struct error e;
    char path[512], *slash;

    snprintf(path, sizeof(path), "%s/%s", root, below);
    slash = strrchr(path, '/');
    *slash = '\0';
    cr_assert_eq(file_make_folder(path, &e), STATUS_OK, "%s", e.text);
    *slash = '/';
    cr_assert_eq(file_write(path, content, strlen(content), &e), STATUS_OK, "%s", e.text);
}

static void put_detector(const char *name, const char *card)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/card.json", name);
    put(path, card);
    snprintf(path, sizeof(path), "%s/n.onnx", name);
    put(path, "never opened");
}

static void make_root(void)
{
    strcpy(root, "/tmp/fakesift-set-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    setenv("FAKESIFT_CACHE", root, 1);
    setenv("FAKESIFT_DATA", root, 1);
    put_detector("one", DETECTOR("one"));
    put_detector("two", DETECTOR("two"));
    put_detector("three", DETECTOR("three"));
    put_detector("marks", LANDMARKS);
    put("both/card.json", ENSEMBLE("both", "\"ensemble\":{" MEMBERS ",\"combine\":\"mean_logit\"}"));
}

static void remove_root(void)
{
    char command[128];

    snprintf(command, sizeof(command), "/bin/rm -rf '%s'", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(detector_set, .init = make_root, .fini = remove_root);

static struct detector_set found(const char *list)
{
    struct detector_set s;
    struct error e = {0};

    cr_assert_eq(detector_set_find(list, &s, &e), STATUS_OK, "%s", e.text);
    return s;
}

static void expect_columns(const char *list, const char *want, size_t n_leaves)
{
    struct detector_set s = found(list);
    char names[256] = "";

    for (size_t i = 0; i < s.n_columns; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i > 0 ? " " : "", s.columns[i].name);
    cr_expect_str_eq(names, want, "%s: %s", list, names);
    cr_expect_eq(s.n_leaves, n_leaves, "%s: %zu detectors", list, s.n_leaves);
    detector_set_clear(&s);
}

static void expect_refusal(const char *list, const char *what)
{
    struct detector_set s = {.n_leaves = 77};
    struct error e = {0};

    cr_assert_neq(detector_set_find(list, &s, &e), STATUS_OK, "%s", list);
    cr_expect(strstr(e.text, what), "%s: %s", list, e.text);
    cr_expect_eq(s.n_leaves, 77, "a failure leaves the set as it was");
}

Test(detector_set, columns_are_the_list_then_members_that_it_does_not_name)
{
    expect_columns("one", "one", 1);
    expect_columns("two,one", "two one", 2);
    expect_columns("both", "both one two", 2);
    expect_columns("both,two", "both two one", 2);
    expect_columns("three,both", "three both one two", 3);
}

Test(detector_set, a_detector_has_the_hash_that_it_has_alone)
{
    struct detector_set alone = found("two"), beside = found("both,two");

    cr_assert_str_eq(beside.columns[1].sha256, alone.columns[0].sha256);
    cr_assert_str_neq(beside.columns[0].sha256, alone.columns[0].sha256);
    detector_set_clear(&alone);
    detector_set_clear(&beside);
}

Test(detector_set, an_ensembles_hash_changes_with_rule_weights_and_members)
{
    static const char *const cards[] = {
        "\"ensemble\":{" MEMBERS ",\"combine\":\"mean\"}",
        "\"ensemble\":{" MEMBERS ",\"combine\":\"mean_logit\",\"needs\":\"any\"}",
        "\"ensemble\":{" MEMBERS ",\"combine\":\"mean_logit\"},\"calibration\":{\"bias\":1}",
        "\"ensemble\":{\"members\":[{\"detector\":\"one\",\"weight\":2},{\"detector\":\"two\"}],\"combine\":\"mean_"
        "logit\"}",
        "\"ensemble\":{\"members\":[{\"detector\":\"one\",\"weight\":3},{\"detector\":\"three\"}],\"combine\":\"mean_"
        "logit\"}",
    };
    struct detector_set before = found("both");

    /* Another network alone makes a detector another one. */
    put("three/n.onnx", "other bytes");
    for (size_t i = 0; i < sizeof(cards) / sizeof(cards[0]); i++) {
        struct detector_set after;
        char card[1024];

        snprintf(card, sizeof(card), ENSEMBLE("both", "%s"), cards[i]);
        put("both/card.json", card);
        after = found("both");
        cr_expect_str_neq(after.columns[0].sha256, before.columns[0].sha256, "%s", cards[i]);
        detector_set_clear(&after);
    }
    detector_set_clear(&before);
}

Test(detector_set, mistakes_are_named)
{
    char list[1024] = "one";

    expect_refusal("", "empty name");
    expect_refusal("one,,two", "empty name");
    expect_refusal("one,one", "one: named twice");
    expect_refusal("both,both", "are called both");
    expect_refusal("one,nowhere", "nowhere: no such detector");
    expect_refusal("one,marks", "they have no corpus in common");
    put("outer/card.json",
        ENSEMBLE("outer", "\"ensemble\":{\"members\":[{\"detector\":\"both\"},{\"detector\":\"one\"}]}"));
    expect_refusal("outer", "ensemble.members[0]");
    put_detector("copy", DETECTOR("one"));
    put("copy/n.onnx", "other bytes");
    expect_refusal("one,copy", "two detectors are called one");
    for (int i = 0; i < DETECTORS_MAX; i++) {
        char name[32], card[1024];

        snprintf(name, sizeof(name), "d%d", i);
        snprintf(card, sizeof(card), DETECTOR("%s"), name);
        put_detector(name, card);
        snprintf(list + strlen(list), sizeof(list) - strlen(list), ",%s", name);
    }
    expect_refusal(list, "more than 16 detectors");
}

static void expect_card(const char *rest, const char *what)
{
    char card[1024];

    snprintf(card, sizeof(card), ENSEMBLE("bad", "%s"), rest);
    put("bad/card.json", card);
    expect_refusal("bad", what);
}

Test(detector_set, an_ensembles_card_is_checked)
{
    expect_card("\"ensemble\":{}", "ensemble.members: missing");
    expect_card("\"ensemble\":{\"members\":[{\"detector\":\"one\"}]}", "1 entries are not in 2..15");
    expect_card("\"ensemble\":{\"members\":[{\"detector\":\"one\"},{\"detector\":\"one\"}]}",
                "one is a member already");
    expect_card("\"ensemble\":{\"members\":[{\"detector\":\"one\",\"weight\":0},{\"detector\":\"two\"}]}",
                "ensemble.members[0].weight: 0 is not in");
    expect_card("\"ensemble\":{" MEMBERS ",\"combine\":\"max\"}",
                "has a meaning with combine mean and mean_logit alone");
    expect_card("\"ensemble\":{" MEMBERS ",\"combine\":\"share\"}", "\"share\" is not one of mean, mean_logit, max");
    expect_card("\"ensemble\":{" MEMBERS "},\"sampling\":{\"frames\":8}", "sampling: unknown key");
    expect_card("\"ensemble\":{\"members\":[{\"detector\":\"../one\"},{\"detector\":\"two\"}]}",
                "inside the card's folder");
}

static double combined(enum aggregation rule, enum ensemble_needs needs, const double *p, unsigned n)
{
    struct card c = {.kind = CARD_ENSEMBLE,
                     .ensemble = {.n_members = n, .combine = rule, .top_k = 2, .needs = needs},
                     .calibration = {.temperature = 1}};
    double got = -1;

    for (unsigned i = 0; i < n; i++)
        c.ensemble.members[i].weight = 1;
    return ensemble_combine(&c, p, &got) ? got : -1;
}

Test(ensemble, rules_are_those_of_aggregation)
{
    const double p[] = {0.25, 0.5, 0.9375};
    double copy[3];
    static const enum aggregation rules[] = {AGGREGATE_MEAN, AGGREGATE_MEAN_LOGIT, AGGREGATE_MAX, AGGREGATE_MEDIAN,
                                             AGGREGATE_TOP_K};

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        memcpy(copy, p, sizeof(p));
        cr_expect_eq(combined(rules[i], ENSEMBLE_NEEDS_ALL, p, 3), aggregate(rules[i], 2, copy, 3), "rule %d",
                     rules[i]);
    }
}

Test(ensemble, a_missing_score_refuses_or_is_left_out)
{
    const double p[] = {0.25, NAN, 0.75}, none[] = {NAN, NAN};

    cr_assert_eq(combined(AGGREGATE_MEAN, ENSEMBLE_NEEDS_ALL, p, 3), -1);
    cr_assert_eq(combined(AGGREGATE_MEAN, ENSEMBLE_NEEDS_ANY, p, 3), 0.5);
    cr_assert_eq(combined(AGGREGATE_MAX, ENSEMBLE_NEEDS_ANY, none, 2), -1);
}

Test(ensemble, weights_and_calibration_count)
{
    struct card c = {.kind = CARD_ENSEMBLE,
                     .ensemble = {.n_members = 2, .combine = AGGREGATE_MEAN, .members = {{.weight = 3}, {.weight = 1}}},
                     .calibration = {.temperature = 2}};
    const double p[] = {0.75, 0.25};
    double got;

    cr_assert(ensemble_combine(&c, p, &got));
    /* sigmoid(logit(0.625) / 2) */
    cr_assert_float_eq(got, 1 / (1 + sqrt(0.375 / 0.625)), 1e-15);
    c.ensemble.combine = AGGREGATE_MEAN_LOGIT;
    c.calibration.temperature = 1;
    cr_assert(ensemble_combine(&c, p, &got));
    /* (3 ln 3 - ln 3) / 4 = ln sqrt 3 */
    cr_assert_float_eq(got, 1 / (1 + 1 / sqrt(3)), 1e-15);
}
