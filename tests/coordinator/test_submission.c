#include "coordinator/evaluate/standings.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shard/file.h"

/* A folder of files, gone at the end. */
static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/fakesift-test-eval-XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(submission, .init = make_folder, .fini = remove_folder);
TestSuite(standings, .init = make_folder, .fini = remove_folder);

static const char *put_bytes(const char *name, const char *data, size_t len)
{
    static char path[8][128];
    static int next;
    char *mine = path[next++ % 8];
    struct error e = {0};

    snprintf(mine, 128, "%s/%s", folder, name);
    cr_assert_eq(file_write(mine, data, len, &e), STATUS_OK, "%s", e.text);
    return mine;
}

static const char *put(const char *name, const char *data)
{
    return put_bytes(name, data, strlen(data));
}

static struct truth *open_truth(const char *data)
{
    struct truth *t = NULL;
    struct error e = {0};

    cr_assert_eq(truth_open(put("truth.csv", data), &t, &e), STATUS_OK, "%s", e.text);
    return t;
}

static struct truth *four(void)
{
    return open_truth("filename,label\na.mp4,1\nb.mp4,0\nc.mp4,1\nd.mp4,0\n");
}

static struct submission *hand_in(const struct truth *t, enum board board, const char *name, const char *data)
{
    struct submission *s = NULL;
    struct error e = {0};

    cr_assert_eq(submission_open(put(name, data), board, t, &s, &e), STATUS_OK, "%s", e.text);
    return s;
}

/* The submission is refused, for one thing alone, and told so with file, line, value and rule. */
static void expect_problem(enum board board, const char *name, const char *data, enum problem kind, const char *told)
{
    struct truth *t = four();
    struct submission *s = hand_in(t, board, name, data);
    bool said = false;

    cr_expect(!submission_is_valid(s, false), "%s", told);
    cr_expect_eq(s->n_problems[kind], 1, "%s: %zu", told, s->n_problems[kind]);
    for (size_t i = 0; i < s->n_told; i++)
        said = said || strstr(s->told[i], told);
    cr_expect(said, "not told: %s; but: %s", told, s->n_told > 0 ? s->told[0] : "nothing");
    submission_close(&s);
    truth_close(&t);
}

static const char *refuse_truth(const char *data)
{
    static struct error e;
    struct truth *t = NULL;

    e = (struct error){0};
    cr_assert_eq(truth_open(put("truth.csv", data), &t, &e), STATUS_INVALID, "%s", e.text);
    cr_assert_null(t);
    return e.text;
}

Test(submission, each_board_is_recognised_and_read)
{
    static const struct {
        enum board board;
        const char *data;
    } files[] = {
        {BOARD_DFDC, "filename,label\na.mp4,0.9\nb.mp4,0\nc.mp4,1\nd.mp4,2e-3\n"},
        {BOARD_DFDC, "\xef\xbb\xbf"
                     "filename,label\r\na.mp4,0.9\r\nb.mp4,0\r\nc.mp4,1\r\nd.mp4,2e-3"},
        {BOARD_INCLUSION, "video_name,score\na.mp4,0.9\nb.mp4,0\nc.mp4,1\nd.mp4,0.5\n"},
        {BOARD_1MDF, "d.mp4;0.25\na.mp4;0.9\nb.mp4;0\nc.mp4;1\n"},
        {BOARD_FFPP, " {\"a.mp4\":\"fake\",\n\"b.mp4\":\"real\",\"c.mp4\":\"fake\",\"d.mp4\":\"real\"}\n"},
        {BOARD_OPENMFC,
         "ProbeFileID|ConfidenceScore|ProbeStatus|VideoFrameSegments\na|0.9|Processed|[]\nb|0|Processed|[]\n"
         "c|1|OptOutTemporal|[[1,2]]\nd|0.1|Processed|[]\n"},
        {BOARD_RUN,
         "path,label,outcome,p_fake,message\na.mp4,,scored,0.9,\nb.mp4,,scored,0,\nc.mp4,,partial_decode,1,\n"
         "d.mp4,,scored,0.25,\nnot-in-the-truth.mp4,,scored,0.25,\n"},
    };

    for (size_t k = 0; k < sizeof(files) / sizeof(files[0]); k++) {
        struct truth *t = four();
        struct submission *s = hand_in(t, BOARD_AUTO, "s.txt", files[k].data);

        cr_expect_eq(s->board, files[k].board, "%zu: %s", k, board_name(s->board));
        cr_expect(submission_is_valid(s, false), "%zu: %s", k, s->n_told > 0 ? s->told[0] : "");
        cr_expect_eq(s->n_given, 4);
        cr_expect(s->p_fake[0] >= 0.9 && s->p_fake[1] == 0 && s->p_fake[2] == 1, "%zu", k);
        submission_close(&s);
        truth_close(&t);
    }
}

Test(submission, each_break_of_a_rule_names_file_line_value_and_rule)
{
    const char *const head = "filename,label\n";
    char data[512];

#define DFDC(rows) (snprintf(data, sizeof(data), "%s%s", head, rows), data)
    expect_problem(BOARD_DFDC, "s.csv", DFDC("a.mp4,nan\nb.mp4,0\nc.mp4,1\nd.mp4,0\n"), PROBLEM_NUMBER,
                   "s.csv:2: 'nan': not a number");
    expect_problem(BOARD_DFDC, "s.csv", DFDC("a.mp4,0x1\nb.mp4,0\nc.mp4,1\nd.mp4,0\n"), PROBLEM_NUMBER,
                   "s.csv:2: '0x1': not a number");
    expect_problem(BOARD_DFDC, "s.csv", DFDC("a.mp4,\nb.mp4,0\nc.mp4,1\nd.mp4,0\n"), PROBLEM_NUMBER,
                   "s.csv:2: '': not a number");
    expect_problem(BOARD_DFDC, "s.csv", DFDC("a.mp4,1\nb.mp4,1.0000001\nc.mp4,1\nd.mp4,0\n"), PROBLEM_RANGE,
                   "s.csv:3: '1.0000001': not in 0..1");
    expect_problem(BOARD_DFDC, "s.csv", DFDC("a.mp4,1\nb.mp4,-0.5\nc.mp4,1\nd.mp4,0\n"), PROBLEM_RANGE,
                   "s.csv:3: '-0.5': not in 0..1");
    expect_problem(BOARD_DFDC, "s.csv", DFDC("a.mp4,1\nb.mp4,1\nc.mp4,1\nd.mp4,0\na.mp4,0\n"), PROBLEM_REPEATED,
                   "s.csv:6: 'a.mp4': an id that stands twice");
    expect_problem(BOARD_DFDC, "s.csv", DFDC("a.mp4,1\nb.mp4,1\nc.mp4,1\nd.mp4,0\n\nx\x1b.mp4,0\n"), PROBLEM_EXTRA,
                   "an id that the truth does not have");
    expect_problem(BOARD_DFDC, "s.csv", DFDC("a.mp4,1\nb.mp4,1\nc.mp4,1\n"), PROBLEM_MISSING,
                   "s.csv: 'd.mp4': an id of the truth that has no row");
    expect_problem(BOARD_DFDC, "s.csv", DFDC("a.mp4,1\nb.mp4,1,\nb.mp4,1\nc.mp4,1\nd.mp4,0\n"), PROBLEM_FORM,
                   "s.csv:3: the row has 3 fields, not 2");
    expect_problem(BOARD_DFDC, "s.csv", DFDC("a.mp4,1\n\"b.mp4,1\n"), PROBLEM_FORM, "s.csv:3: a quote is opened");
#undef DFDC
    expect_problem(BOARD_DFDC, "s.csv", "name,label\na.mp4,1\n", PROBLEM_FORM,
                   "s.csv:1: 'name': the first row must be filename,label");
    expect_problem(BOARD_DFDC, "s.csv", "", PROBLEM_FORM, "s.csv: empty");
    expect_problem(BOARD_INCLUSION, "s.csv", "filename,label\na.mp4,1\n", PROBLEM_FORM,
                   "the first row must be video_name,score");
    expect_problem(BOARD_1MDF, "s.txt", "a.mp4;1\nb.mp4;0\nc.mp4;one\nd.mp4;0\n", PROBLEM_NUMBER,
                   "s.txt:3: 'one': not a number");
    expect_problem(BOARD_FFPP, "s.json",
                   "{\"a.mp4\":\"fake\",\n\"b.mp4\":\"real\",\n\n\"c.mp4\":\"FAKE\",\"d.mp4\":\"real\"}", PROBLEM_VALUE,
                   "s.json:4: 'FAKE': not \"fake\" or \"real\"");
    expect_problem(BOARD_FFPP, "s.json",
                   "{\"a.mp4\":\"fake\",\"b.mp4\":{\"c.mp4\":\n\"fake\"},\"c.mp4\":\"fake\",\n\"d.mp4\":\"real\"}",
                   PROBLEM_VALUE, "s.json:1: '(not a text)'");
    expect_problem(BOARD_FFPP, "s.json",
                   "{\"a.mp4\":\"fake\",\"b\\n\\\".mp4\":\"real\",\n\"b.mp4\":\"real\",\n\"c.mp4\":\"fake\","
                   "\"d.mp4\":\"real\",\n\"d.mp4\":\"real\"}",
                   PROBLEM_REPEATED, "s.json:4: 'd.mp4': an id that stands twice");
    expect_problem(BOARD_FFPP, "s.json", "{\"a.mp4\":\"fake\",\n\"b.mp4\":}", PROBLEM_FORM,
                   "s.json:2: not JSON from here: '}'");
    expect_problem(BOARD_FFPP, "s.json", "[1]", PROBLEM_FORM, "s.json:1: not an object");
    expect_problem(BOARD_OPENMFC, "s.txt",
                   "ProbeFileID|ConfidenceScore|ProbeStatus\na|0.9|Processed\nb|0|Lost\nc|1|Processed\nd|0|Processed\n",
                   PROBLEM_VALUE, "s.txt:3: 'Lost': not a ProbeStatus");
    expect_problem(BOARD_OPENMFC, "s.txt", "ProbeFileID|ConfidenceScore\na|0.9\n", PROBLEM_FORM, "s.txt:1: ");
}

Test(submission, a_file_that_cannot_be_read_is_a_submission_with_that_error)
{
    struct truth *t = four();
    struct submission *s = NULL;
    struct error e = {0};

    cr_assert_eq(submission_open("/no/such/file", BOARD_AUTO, t, &s, &e), STATUS_OK);
    cr_assert(!submission_is_valid(s, true));
    cr_assert(strstr(s->told[0], "/no/such/file: cannot open"), "%s", s->told[0]);
    cr_assert_eq(s->n_problems[PROBLEM_MISSING], 0, "what is missing of a file that is not there");
    submission_close(&s);
    cr_assert_eq(submission_open(put_bytes("zero.json", "{\"a\0\":1}", 8), BOARD_FFPP, t, &s, &e), STATUS_OK);
    cr_assert(strstr(s->told[0], "zero byte"), "%s", s->told[0]);
    submission_close(&s);
    truth_close(&t);
}

Test(submission, many_errors_are_counted_and_a_few_told)
{
    struct truth *t = four();
    char data[4096] = "filename,label\n";
    struct submission *s;

    for (int i = 0; i < 100; i++)
        snprintf(data + strlen(data), sizeof(data) - strlen(data), "no%d.mp4,0.5\n", i);
    s = hand_in(t, BOARD_DFDC, "s.csv", data);
    cr_assert_eq(s->n_problems[PROBLEM_EXTRA], 100);
    cr_assert_eq(s->n_told_of[PROBLEM_EXTRA], SUBMISSION_MAX_TOLD);
    cr_assert_eq(s->n_told, SUBMISSION_MAX_TOLD + 4);
    submission_close(&s);
    truth_close(&t);
}

Test(submission, no_answer_is_neither_missing_nor_a_score)
{
    struct truth *t = four();
    struct submission *s =
        hand_in(t, BOARD_AUTO, "s.txt",
                "ProbeFileID|ConfidenceScore|ProbeStatus\na|0.9|Processed\nb|0|OptOutAll\nc|1|NonProcessed\n"
                "d|0.5|Processed\n");

    cr_assert(submission_is_valid(s, false));
    cr_assert_eq(s->n_given, 2);
    cr_assert_eq(s->n_declined, 2);
    cr_assert_eq(s->n_half, 1);
    submission_close(&s);
    s = hand_in(t, BOARD_AUTO, "scores.csv",
                "path,outcome,p_fake\na.mp4,scored,0.9\nb.mp4,timeout,\nc.mp4,no_face,\n\"'d.mp4\",scored,0.1\n");
    cr_assert(submission_is_valid(s, true));
    cr_assert_eq(s->n_given, 2);
    cr_assert_eq(s->n_declined, 2);
    submission_close(&s);
    truth_close(&t);
}

Test(submission, rows_of_dfdc_that_are_not_sorted_are_noticed)
{
    struct truth *t = four();
    struct submission *s = hand_in(t, BOARD_DFDC, "s.csv", "filename,label\na.mp4,1\nc.mp4,1\nb.mp4,1\nd.mp4,0\n");

    cr_assert_eq(s->first_unsorted_line, 4);
    cr_assert(submission_is_valid(s, false));
    submission_close(&s);
    truth_close(&t);
}

Test(truth, breaks_of_its_rules_name_the_line, .init = make_folder, .fini = remove_folder)
{
    cr_expect(strstr(refuse_truth("filename,label\na.mp4,1\nb.mp4,0\na.mp4,1\n"), ":4: 'a.mp4': stands twice"));
    cr_expect(strstr(refuse_truth("filename,label\na.mp4,1\nb.mp4,fakeish\n"), ":3: 'fakeish': not a label"));
    cr_expect(strstr(refuse_truth("filename,label\na.mp4,1\nb.mp4\n"), ":3: the row has 1 fields"));
    cr_expect(strstr(refuse_truth("filename,score\na.mp4,1\n"), ":1: no column 'label'"));
    cr_expect(strstr(refuse_truth("name,label\na.mp4,1\n"), ":1: no column 'path'"));
    cr_expect(strstr(refuse_truth("filename,label\na.mp4,\n"), "not one label among 1"));
    cr_expect(strstr(refuse_truth("filename,label\n../../etc/passwd,1\n"), ":2: "));
    cr_expect(strstr(refuse_truth(""), "empty"));
}

Test(truth, ids_are_paths_names_or_stems_that_one_entry_has, .init = make_folder, .fini = remove_folder)
{
    struct truth *t = open_truth("path,label\nx/a.mp4,1\ny/a.mp4,0\nx/b.mp4,0\n");

    cr_assert_str_eq(manifest_entry(truth_manifest(t), truth_find(t, "y/a.mp4"))->path, "y/a.mp4");
    cr_assert_eq(truth_find(t, "a.mp4"), SIZE_MAX, "two have this name");
    cr_assert_str_eq(manifest_entry(truth_manifest(t), truth_find(t, "b.mp4"))->path, "x/b.mp4");
    cr_assert_str_eq(manifest_entry(truth_manifest(t), truth_find(t, "b"))->path, "x/b.mp4");
    cr_assert_eq(truth_find(t, ""), SIZE_MAX);
    truth_close(&t);
}

static void many_rows(char *data, size_t room, size_t n, double (*score)(size_t))
{
    size_t len = (size_t)snprintf(data, room, "filename,label\n");

    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(data + len, room - len, "v%04zu.mp4,%.6f\n", i, score(i));
}

static double is_fake(size_t i)
{
    return (double)(i % 2);
}

/* In 0..1, the same everywhere. */
static double noise(size_t i)
{
    return (double)(i * 2654435761u % 100003) / 100003;
}

static double good(size_t i)
{
    return 0.3 * is_fake(i) + 0.7 * noise(i);
}

static double bad(size_t i)
{
    return 0.1 * is_fake(i) + 0.9 * noise(i + 5000);
}

static double as_good(size_t i)
{
    return 0.3 * is_fake(i) + 0.7 * noise(i + 9000);
}

enum { N = 1000, ROOM = 40 * N };

struct contest {
    struct truth *t;
    struct submission *s[3];
    uint8_t counts[N];
    struct standings_settings settings;
};

static void begin(struct contest *c)
{
    char *data = malloc(ROOM);
    struct error e = {0};

    cr_assert(data);
    *c = (struct contest){.settings = {.figure = FIGURE_AUC, .metrics = metrics_defaults}};
    c->settings.metrics.replicates = 500;
    many_rows(data, ROOM, N, is_fake);
    for (char *p = strstr(data, ".000000"); p; p = strstr(p, ".000000"))
        memmove(p, p + 7, strlen(p + 7) + 1);
    cr_assert_eq(truth_open(put("truth.csv", data), &c->t, &e), STATUS_OK, "%s", e.text);
    many_rows(data, ROOM, N, bad);
    c->s[0] = hand_in(c->t, BOARD_AUTO, "bad.csv", data);
    many_rows(data, ROOM, N, good);
    c->s[1] = hand_in(c->t, BOARD_AUTO, "good.csv", data);
    many_rows(data, ROOM, N, as_good);
    c->s[2] = hand_in(c->t, BOARD_AUTO, "as_good.csv", data);
    memset(c->counts, 1, sizeof(c->counts));
    free(data);
}

static void end(struct contest *c)
{
    for (int k = 0; k < 3; k++)
        submission_close(&c->s[k]);
    truth_close(&c->t);
}

static struct standings stand(struct contest *c)
{
    struct standings s;
    struct error e = {0};

    cr_assert_eq(standings_make(c->t, c->s, 3, c->counts, &c->settings, &s, &e), STATUS_OK, "%s", e.text);
    return s;
}

Test(standings, the_better_are_first_and_chance_is_told_from_more)
{
    static const enum figure_id figures[] = {FIGURE_AUC,      FIGURE_LOG_LOSS,          FIGURE_BRIER,
                                             FIGURE_ACCURACY, FIGURE_AVERAGE_PRECISION, FIGURE_EER};
    struct contest c;
    struct standings s;

    begin(&c);
    for (size_t k = 0; k < sizeof(figures) / sizeof(figures[0]); k++) {
        c.settings.figure = figures[k];
        s = stand(&c);
        cr_expect_eq(s.n_videos, N);
        cr_expect_eq(s.rows[2].submission, c.s[0], "%s: the bad one is last", figure_name(figures[k]));
        cr_expect_lt(s.rows[1].of_next.p, 0.01, "%s", figure_name(figures[k]));
        cr_expect(s.rows[1].of_next.by > 0 && s.rows[1].of_next.low > 0, "%s", figure_name(figures[k]));
        cr_expect_lt(s.rows[2].of_this_p_holm, 0.02);
        cr_expect_geq(s.rows[1].of_this_p_holm, s.rows[1].of_this.p);
        cr_expect_eq(s.rows[2].place_low, 3);
        cr_expect_eq(s.rows[2].share_first, 0);
        cr_expect_float_eq(s.rows[0].share_first + s.rows[1].share_first, 1, 0.05);
        cr_expect(s.rows[0].of_next.by >= 0);
        standings_clear(&s);
    }
    end(&c);
}

Test(standings, equals_stay_in_the_order_given_with_p_1)
{
    struct contest c;
    struct standings s;

    begin(&c);
    memcpy(c.s[2]->p_fake, c.s[1]->p_fake, N * sizeof(double));
    s = stand(&c);
    cr_assert_eq(s.rows[0].submission, c.s[1]);
    cr_assert_eq(s.rows[1].submission, c.s[2]);
    cr_assert_eq(s.rows[0].of_next.p, 1);
    cr_assert_eq(s.rows[0].share_first, 1);
    cr_assert_eq(s.rows[1].share_first, 1);
    standings_clear(&s);
    end(&c);
}

Test(standings, unanswered_videos_count_as_half_or_are_left_out)
{
    struct contest c;
    struct standings s;

    begin(&c);
    for (size_t i = 0; i < 100; i++) {
        c.s[1]->answer[i] = ANSWER_DECLINED;
        c.s[1]->p_fake[i] = 0.5;
    }
    c.settings.unanswered = UNANSWERED_HALF;
    s = stand(&c);
    cr_assert_eq(s.rows[1].submission, c.s[1], "a tenth at 0.5 costs the place");
    cr_assert_eq(s.rows[1].n, N);
    cr_assert_eq(s.rows[1].n_answered, N - 100);
    standings_clear(&s);
    c.settings.unanswered = UNANSWERED_DROP;
    s = stand(&c);
    cr_assert_eq(s.n_common, N - 100);
    for (size_t k = 0; k < 3; k++)
        cr_assert_eq(s.rows[k].n, s.rows[k].submission == c.s[1] ? N - 100 : N);
    standings_clear(&s);
    end(&c);
}

Test(standings, a_share_is_dealt_by_the_ids_alone_and_each_class_alike)
{
    struct contest c;
    struct standings s;
    static uint8_t again[N], other[N];
    size_t n = 0, n_fake = 0, n_both = 0;
    struct error e = {0};

    begin(&c);
    cr_assert_eq(truth_split_by_share(c.t, 0.3, 7, c.counts, &e), STATUS_OK);
    cr_assert_eq(truth_split_by_share(c.t, 0.3, 7, again, &e), STATUS_OK);
    cr_assert_eq(truth_split_by_share(c.t, 0.3, 8, other, &e), STATUS_OK);
    cr_assert_arr_eq(c.counts, again, N);
    for (size_t i = 0; i < N; i++) {
        n += c.counts[i];
        n_fake += c.counts[i] && i % 2;
        n_both += c.counts[i] && other[i];
    }
    cr_assert_eq(n, 300);
    cr_assert_eq(n_fake, 150);
    cr_assert(n_both > 50 && n_both < 130, "%zu in both of two seeds", n_both);
    s = stand(&c);
    cr_assert_eq(s.n_videos, 300);
    cr_assert_eq(s.rows[0].metrics.n, 300);
    standings_clear(&s);
    end(&c);
}

Test(standings, private_videos_come_from_a_list_or_from_the_truth)
{
    struct truth *t =
        open_truth("filename,label,Usage\na.mp4,1,Public\nb.mp4,0,Private\nc.mp4,1,Private\nd.mp4,0,Public\n");
    uint8_t held[4];
    bool is_there;
    struct error e = {0};

    truth_split_by_itself(t, held, &is_there);
    cr_assert(is_there && !held[0] && held[1] && held[2] && !held[3]);
    cr_assert_eq(truth_split_by_file(t, put("list", "filename\nd.mp4\na.mp4\n"), held, &e), STATUS_OK, "%s", e.text);
    cr_assert(held[0] && !held[1] && !held[2] && held[3]);
    cr_assert_eq(truth_split_by_file(t, put("list", "d.mp4\nx.mp4\n"), held, &e), STATUS_INVALID);
    cr_assert(strstr(e.text, "list:2: 'x.mp4'"), "%s", e.text);
    truth_close(&t);
    t = four();
    truth_split_by_itself(t, held, &is_there);
    cr_assert(!is_there);
    truth_close(&t);
}

/* What is written for a board is what the board's reader takes, with the same scores. */
Test(submission, what_is_written_for_a_board_is_valid_there)
{
    static const struct manifest_entry entries[] = {{.path = "real/b \"x\", y.mp4", .label = LABEL_REAL},
                                                    {.path = "fake/a.mp4", .label = LABEL_FAKE},
                                                    {.path = "real/c.mp4", .label = LABEL_REAL},
                                                    {.path = "fake/d.mp4", .label = LABEL_FAKE}};
    static const double scores[] = {1.0 / 3, 0.75, 0.1, 0};
    struct manifest *m = NULL;
    struct results *results = NULL;
    struct board_written written;
    struct truth *t = NULL;
    struct error e = {0};
    char path[128];

    cr_assert_eq(manifest_create("/corpus", "csv", &m, &e), STATUS_OK);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(manifest_add(m, &entries[i], &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(manifest_sort(m, &e), STATUS_OK);
    cr_assert_eq(results_open(4, &results), STATUS_OK);
    for (size_t i = 0; i < 4; i++) {
        const char *name = manifest_entry(m, i)->path;
        struct result r = {.outcome = OUTCOME_SCORED, .p_fake = NAN};

        for (size_t k = 0; k < 4; k++) {
            if (strcmp(entries[k].path, name) == 0)
                r.p_fake = scores[k];
        }
        if (strcmp(name, "fake/d.mp4") == 0) {
            r.outcome = OUTCOME_TIMEOUT;
            r.p_fake = NAN;
        }
        cr_assert_eq(results_put(results, i, &r), STATUS_OK);
    }
    snprintf(path, sizeof(path), "%s/truth-manifest.csv", folder);
    cr_assert_eq(manifest_write(m, path, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(truth_open(path, &t, &e), STATUS_OK, "%s", e.text);
    for (enum board board = BOARD_DFDC; board < BOARD_COUNT; board++) {
        struct submission *s = NULL;
        size_t at = truth_find(t, "real/b \"x\", y.mp4");
        enum status status;

        snprintf(path, sizeof(path), "%s/out.%s", folder, board_name(board));
        if (board == BOARD_1MDF_2) {
            cr_assert_eq(board_write_segments(m, results, folder, false, path, &written, &e), STATUS_OK, "%s", e.text);
            cr_assert_eq(written.n_unscored, 1);
            cr_assert_eq(submission_open(path, BOARD_AUTO, t, &s, &e), STATUS_OK);
            cr_assert_eq(s->board, board);
            cr_assert(submission_is_valid(s, false), "%s", s->n_told > 0 ? s->told[0] : "");
            submission_close(&s);
            continue;
        }
        status = board_write(board, m, results, false, path, &written, &e);
        if (board == BOARD_1MDF || board == BOARD_OPENMFC) {
            cr_assert_eq(status, STATUS_INVALID, "a quote in a format without quotes");
            cr_assert(strstr(e.text, "real/b"), "%s", e.text);
            continue;
        }
        cr_assert_eq(status, STATUS_OK, "%s", e.text);
        cr_assert_eq(written.n_unscored, 1);
        cr_assert_eq(submission_open(path, BOARD_AUTO, t, &s, &e), STATUS_OK);
        cr_assert_eq(s->board, board);
        cr_assert(submission_is_valid(s, false), "%s: %s", board_name(board), s->n_told > 0 ? s->told[0] : "");
        cr_assert_eq(s->first_unsorted_line, 0);
        cr_assert_eq(s->p_fake[at], board == BOARD_FFPP ? 0 : 1.0 / 3, "%s", board_name(board));
        cr_assert_eq(s->p_fake[truth_find(t, "fake/d.mp4")], board == BOARD_FFPP ? 0 : 0.5);
        submission_close(&s);
    }
    truth_close(&t);
    results_close(&results);
    manifest_close(&m);
}

Test(submission, two_videos_of_one_name_are_not_written_as_one)
{
    static const struct manifest_entry entries[] = {{.path = "fake/a.mp4"}, {.path = "real/a.mp4"}};
    struct manifest *m = NULL;
    struct results *results = NULL;
    struct board_written written;
    struct error e = {0};
    char path[128], *data;
    size_t len;

    cr_assert_eq(manifest_create("/corpus", "csv", &m, &e), STATUS_OK);
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(manifest_add(m, &entries[i], &e), STATUS_OK);
    cr_assert_eq(manifest_sort(m, &e), STATUS_OK);
    cr_assert_eq(results_open(2, &results), STATUS_OK);
    snprintf(path, sizeof(path), "%s/out", folder);
    cr_assert_eq(board_write(BOARD_OPENMFC, m, results, false, path, &written, &e), STATUS_MISMATCH);
    cr_assert(strstr(e.text, "fake/a.mp4") && strstr(e.text, "--whole-paths"), "%s", e.text);
    cr_assert_eq(access(path, F_OK), -1);
    cr_assert_eq(board_write(BOARD_OPENMFC, m, results, true, path, &written, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(file_read(path, 4096, &data, &len, &e), STATUS_OK);
    cr_assert(strstr(data, "\nfake/a.mp4|0.5|NonProcessed|[]|[]|[]\n"), "%s", data);
    free(data);
    results_close(&results);
    manifest_close(&m);
}
