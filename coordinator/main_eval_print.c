#include "coordinator/main_eval_print.h"

#include <math.h>
#include <string.h>

#include "coordinator/main_json.h"
#include "shard/plural.h"

/* Under what an eye takes for certain. */
static const double significant = 0.05;

enum { NAME_COLUMNS = 40 };

/* A name from the command line may hold anything; control bytes would move the cursor. */
void eval_print_name(FILE *out, const char *name, int width)
{
    size_t len = strlen(name);
    int n = 0;

    /* The end tells files apart. */
    if (len > NAME_COLUMNS) {
        fputs("..", out);
        name += len - (NAME_COLUMNS - 2);
        n = 2;
    }
    for (; *name != '\0'; name++, n++)
        fputc((unsigned char)*name < 0x20 || *name == 0x7f ? '?' : *name, out);
    for (; n < width; n++)
        fputc(' ', out);
}

static void print_measure(FILE *out, const struct measure *v)
{
    if (v->undefined)
        fprintf(out, "  %9s", "-");
    else
        fprintf(out, "  %9.4f", v->value);
}

static void print_interval(FILE *out, const struct interval *i)
{
    if (i->undefined)
        fprintf(out, "  %-17s", "-");
    else
        fprintf(out, "  %8.4f %8.4f", i->low, i->high);
}

static void print_ahead(FILE *out, const struct ahead *a)
{
    if (a->undefined)
        fprintf(out, "unknown: %s", undefined_reason(a->undefined));
    else
        fprintf(out, "%s by %.4f (%.4f..%.4f), p = %.2g", a->p < significant ? "yes," : "no,",
                fabs(a->by) < 5e-5 ? 0 : a->by, a->low, a->high, a->p);
}

static int name_width(const struct standings *s)
{
    size_t width = strlen("submission");

    for (size_t k = 0; k < s->n; k++) {
        size_t len = strlen(s->rows[k].submission->name);

        len = len < NAME_COLUMNS ? len : NAME_COLUMNS;
        width = len > width ? len : width;
    }
    return (int)width;
}

static const char *heading(enum figure_id f)
{
    switch (f) {
    case FIGURE_ACCURACY:
        return "acc@0.5";
    case FIGURE_AVERAGE_PRECISION:
        return "AP";
    case FIGURE_PAUC:
        return "pauc@0.1";
    case FIGURE_TPR_AT_FPR_1E2:
        return "tpr@0.01";
    case FIGURE_TPR_AT_FPR_1E3:
        return "tpr@0.001";
    default:
        return figure_name(f);
    }
}

static void print_standings(FILE *out, const struct eval *v, const struct eval_part *part)
{
    const struct standings *s = &part->standings;
    enum figure_id by = v->settings.figure;
    int width = name_width(s);

    fprintf(out, "\n%s: %zu video%s, %zu real, %zu fake; by %s, %s is better\n", part->name, s->n_videos,
            plural_s(s->n_videos), s->n_real, s->n_fake, figure_name(by),
            figure_lower_is_better(by) ? "lower" : "higher");
    fprintf(out, "place  ");
    eval_print_name(out, "submission", width);
    fprintf(out, "  %9.9s  %-17s", heading(by), "95 % interval");
    if (by != FIGURE_AUC)
        fprintf(out, "  %9s  %-17s", "auc", "95 % (DeLong)");
    if (by != FIGURE_LOG_LOSS)
        fprintf(out, "  %9s", "log_loss");
    if (by != FIGURE_ACCURACY)
        fprintf(out, "  %9s", heading(FIGURE_ACCURACY));
    fprintf(out, "  %8s  %7s  %6s  ahead of the next?\n", "answered", "places", "first");
    for (size_t k = 0; k < s->n; k++) {
        const struct standing *row = &s->rows[k];
        char places[32] = "-";

        fprintf(out, "%5zu  ", k + 1);
        eval_print_name(out, row->submission->name, width);
        print_measure(out, metrics_figure(&row->metrics, by));
        print_interval(out, by == FIGURE_AUC ? &row->metrics.auc_delong : &row->metrics.intervals[by]);
        if (by != FIGURE_AUC) {
            print_measure(out, &row->metrics.auc);
            print_interval(out, &row->metrics.auc_delong);
        }
        if (by != FIGURE_LOG_LOSS)
            print_measure(out, &row->metrics.log_loss);
        if (by != FIGURE_ACCURACY)
            print_measure(out, &row->metrics.accuracy);
        fprintf(out, "  %6.1f %%", s->n_videos > 0 ? 100.0 * (double)row->n_answered / (double)s->n_videos : 0.0);
        if (row->place_low > 0)
            snprintf(places, sizeof(places), "%zu..%zu", row->place_low, row->place_high);
        fprintf(out, "  %7s", places);
        if (isnan(row->share_first))
            fprintf(out, "  %6s  ", "-");
        else
            fprintf(out, "  %4.0f %%  ", 100 * row->share_first);
        if (k + 1 < s->n)
            print_ahead(out, &row->of_next);
        fputc('\n', out);
    }
}

static void print_verdict(FILE *out, const struct standings *s)
{
    const struct ahead *a;

    if (s->n < 2)
        return;
    a = &s->rows[0].of_next;
    if (a->undefined) {
        fprintf(out, "Whether the first is ahead of the second cannot be told: %s.\n", undefined_reason(a->undefined));
        return;
    }
    fprintf(out, "Is the first really ahead of the second? %s: %s over %zu videos, p = %.2g.\n",
            a->p < significant ? "Yes" : "Not beyond chance", a->test, a->n, a->p);
    if (s->n > 2) {
        size_t n_close = 0;

        for (size_t k = 1; k < s->n; k++)
            n_close += s->rows[k].of_this.undefined || !(s->rows[k].of_this_p_holm < significant);
        fprintf(out, "%zu of the %zu behind it cannot be told from the first at 5 %% (Holm).\n", n_close, s->n - 1);
    }
}

/* Public places beside private ones: how much was tuned to the public part. */
static void print_moves(FILE *out, const struct standings *before, const struct standings *after)
{
    bool any = false;

    for (size_t k = 0; k < after->n; k++) {
        size_t was = 0;

        while (before->rows[was].submission != after->rows[k].submission)
            was++;
        if (was == k)
            continue;
        fprintf(out, "%s", any ? ", " : "Places that changed, public -> private: ");
        eval_print_name(out, after->rows[k].submission->name, 0);
        fprintf(out, " %zu -> %zu", was + 1, k + 1);
        any = true;
    }
    fprintf(out, "%s\n", any ? "." : "Public and private order are the same.");
}

static bool is_ranked(const struct eval *v, const struct submission *s)
{
    return submission_is_valid(s, v->may_miss);
}

static void print_notes(FILE *out, const struct eval *v)
{
    for (size_t k = 0; k < v->n_submissions; k++) {
        const struct submission *s = v->submissions[k];

        if (!is_ranked(v, s))
            continue;
        if (s->n_half > 0 && s->n_given > 0) {
            fprintf(out, "note: ");
            eval_print_name(out, s->name, 0);
            fprintf(out, ": %zu of %zu scores (%.1f %%) are exactly 0.5\n", s->n_half, s->n_given,
                    100.0 * (double)s->n_half / (double)s->n_given);
        }
        if (s->n_declined > 0 || (v->may_miss && s->n_problems[PROBLEM_MISSING] > 0)) {
            fprintf(out, "note: ");
            eval_print_name(out, s->name, 0);
            fprintf(out, ": without an answer: %zu, %s\n", s->n_declined + s->n_problems[PROBLEM_MISSING],
                    v->settings.unanswered == UNANSWERED_HALF ? "counted as 0.5" : "left out");
        }
        if (s->first_unsorted_line > 0) {
            fprintf(out, "note: ");
            eval_print_name(out, s->name, 0);
            fprintf(out, ":%zu: not sorted by filename, which the board's sample is\n", s->first_unsorted_line);
        }
    }
}

void eval_print(const struct eval *v, FILE *out)
{
    const struct standings *last = &v->parts[v->n_parts - 1].standings;
    size_t n_unlabelled = 0;

    for (size_t i = 0; i < truth_count(v->truth); i++)
        n_unlabelled += manifest_entry(truth_manifest(v->truth), i)->label == LABEL_UNKNOWN;
    fprintf(out, "truth: %s, %zu video%s", v->truth_path, truth_count(v->truth), plural_s(truth_count(v->truth)));
    if (n_unlabelled > 0)
        fprintf(out, ", %zu of them without a label, which do not count", n_unlabelled);
    if (v->dealt)
        fprintf(out, "; public and private %s", v->dealt);
    fputc('\n', out);
    for (size_t k = 0; v->has_segments && k < v->n_parts; k++)
        eval_print_segments(v, &v->parts[k], out);
    for (size_t k = 0; last->n > 0 && k < v->n_parts; k++)
        print_standings(out, v, &v->parts[k]);
    if (last->n > 0) {
        fputc('\n', out);
        print_verdict(out, last);
        if (v->n_parts == 2)
            print_moves(out, &v->parts[0].standings, last);
        fprintf(out, "A constant 0.5 has AUC 0.5 and log loss 0.6931.\n");
    }
    print_notes(out, v);
    for (size_t k = 0; k < v->n_submissions; k++) {
        const struct submission *s = v->submissions[k];
        bool any = false;

        if (is_ranked(v, s))
            continue;
        fprintf(out, "refused: ");
        eval_print_name(out, s->name, 0);
        fprintf(out, " (%s): ", board_name(s->board));
        for (int p = 0; p < PROBLEM_COUNT; p++) {
            if (s->n_problems[p] > 0 && !(p == PROBLEM_MISSING && v->may_miss)) {
                fprintf(out, "%s%zu %s", any ? ", " : "", s->n_problems[p], problem_name((enum problem)p));
                any = true;
            }
        }
        fprintf(out, "%s\n", any ? "" : "no score at all");
    }
}

void eval_print_problems(const struct eval *v, FILE *out)
{
    for (size_t k = 0; k < v->n_submissions; k++) {
        const struct submission *s = v->submissions[k];

        if (is_ranked(v, s))
            continue;
        for (size_t i = 0; i < s->n_told; i++)
            fprintf(out, "%s\n", s->told[i]);
        for (int p = 0; p < PROBLEM_COUNT; p++) {
            if (s->n_problems[p] > s->n_told_of[p])
                fprintf(out, "%s: %zu more lines: %s\n", s->path, s->n_problems[p] - s->n_told_of[p],
                        problem_name((enum problem)p));
        }
    }
}

static void add_ahead(struct json *j, cJSON *parent, const char *key, const struct ahead *a)
{
    cJSON *o = json_object(j, parent, key);

    if (a->undefined) {
        json_text(j, o, "undefined", undefined_reason(a->undefined));
        return;
    }
    json_text(j, o, "test", a->test);
    json_number(j, o, "n", (double)a->n);
    json_number(j, o, "ahead_by", a->by);
    json_number(j, o, "low", a->low);
    json_number(j, o, "high", a->high);
    json_number(j, o, "p", a->p);
}

static void add_row(struct json *j, cJSON *rows, const struct standings *s, size_t k)
{
    const struct standing *row = &s->rows[k];
    cJSON *o = json_object(j, rows, NULL);

    json_number(j, o, "place", (double)k + 1);
    json_text(j, o, "submission", row->submission->name);
    json_number(j, o, "answered", (double)row->n_answered);
    json_number(j, o, "trr", s->n_videos > 0 ? (double)row->n_answered / (double)s->n_videos : NAN);
    json_metrics(j, o, &row->metrics);
    if (row->by_cluster.replicates > 0 || row->by_cluster.is_influence)
        json_interval(j, o, "auc_bootstrap_by_original_95", &row->by_cluster);
    json_number(j, o, "first_in_share_of_replicates", row->share_first);
    if (row->place_low > 0) {
        json_number(j, o, "place_low", (double)row->place_low);
        json_number(j, o, "place_high", (double)row->place_high);
    }
    if (k + 1 < s->n)
        add_ahead(j, o, "against_next", &row->of_next);
    if (k > 0) {
        add_ahead(j, o, "first_against_this", &row->of_this);
        json_number(j, o, "first_against_this_p_holm", row->of_this_p_holm);
    }
}

enum status eval_write_json(const struct eval *v, const char *path, struct error *e)
{
    struct json j = {0};
    cJSON *root = json_object(&j, NULL, NULL), *list;

    json_number(&j, root, "fakesift_eval", 1);
    json_text(&j, root, "truth", v->truth_path);
    json_text(&j, root, "ranked_by", v->has_segments ? "score" : figure_name(v->settings.figure));
    json_text(&j, root, "unanswered", v->settings.unanswered == UNANSWERED_HALF ? "half" : "drop");
    json_number(&j, root, "log_loss_epsilon", v->settings.metrics.log_loss_epsilon);
    if (v->dealt)
        json_text(&j, root, "public_and_private", v->dealt);
    list = json_array(&j, root, "submissions");
    for (size_t k = 0; k < v->n_submissions; k++) {
        const struct submission *s = v->submissions[k];
        cJSON *o = json_object(&j, list, NULL), *problems, *told;

        json_text(&j, o, "submission", s->name);
        json_text(&j, o, "board", board_name(s->board));
        json_bool(&j, o, "valid", is_ranked(v, s));
        json_number(&j, o, "rows", (double)s->n_rows);
        json_number(&j, o, "scores", (double)s->n_given);
        json_number(&j, o, "exactly_half", (double)s->n_half);
        json_number(&j, o, "declined", (double)s->n_declined);
        problems = json_object(&j, o, "problems");
        for (int p = 0; p < PROBLEM_COUNT; p++)
            json_number(&j, problems, problem_name((enum problem)p), (double)s->n_problems[p]);
        told = json_array(&j, o, "lines");
        for (size_t i = 0; i < s->n_told; i++)
            json_text(&j, told, NULL, s->told[i]);
    }
    list = json_array(&j, root, "standings");
    for (size_t k = 0; k < v->n_parts; k++) {
        const struct standings *s = &v->parts[k].standings;
        cJSON *o = json_object(&j, list, NULL), *rows;

        json_text(&j, o, "part", v->parts[k].name);
        if (v->has_segments) {
            eval_json_segments(&j, o, &v->parts[k].segments);
            continue;
        }
        json_number(&j, o, "n", (double)s->n_videos);
        json_number(&j, o, "n_real", (double)s->n_real);
        json_number(&j, o, "n_fake", (double)s->n_fake);
        json_number(&j, o, "replicates_over", (double)s->n_common);
        rows = json_array(&j, o, "rows");
        for (size_t r = 0; r < s->n; r++)
            add_row(&j, rows, s, r);
    }
    return json_write(&j, path, e);
}
