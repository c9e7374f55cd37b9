/* The table and the JSON of `fakesift eval` for files of fake stretches. */
#include <math.h>
#include <string.h>

#include "coordinator/main_eval_print.h"
#include "coordinator/main_json.h"
#include "shard/plural.h"

enum { NAME_COLUMNS = 40 };

static void print_row(FILE *out, const struct segment_standings *s, size_t k, int width)
{
    const struct segment_row *row = &s->rows[k];
    const struct localisation *l = &row->figures;
    const char *name = row->submission->name;
    size_t len = strlen(name);

    fprintf(out, "%5zu  ", k + 1);
    eval_print_name(out, len > NAME_COLUMNS ? name + len - NAME_COLUMNS : name, width);
    fprintf(out, "  %7.4f", l->figures[LOCALISE_FIGURES - 1]);
    if (l->replicates > 0)
        fprintf(out, "  %7.4f %7.4f", l->low[LOCALISE_FIGURES - 1], l->high[LOCALISE_FIGURES - 1]);
    else
        fprintf(out, "  %-15s", "-");
    for (int f = 0; f < LOCALISE_FIGURES - 1; f++)
        fprintf(out, "  %7.4f", l->figures[f]);
    fprintf(out, "  %9zu", l->n_proposals);
    if (!isnan(row->ahead_of_next))
        fprintf(out, "  %s in %.1f %% of replicates", row->ahead_of_next >= 0.975 ? "yes," : "no,",
                100 * row->ahead_of_next);
    fputc('\n', out);
}

void eval_print_segments(const struct eval *v, const struct eval_part *part, FILE *out)
{
    const struct segment_standings *s = &part->segments;
    int width = (int)strlen("submission");

    for (size_t k = 0; k < s->n; k++) {
        int len = (int)strlen(s->rows[k].submission->name);

        len = len < NAME_COLUMNS ? len : NAME_COLUMNS;
        width = len > width ? len : width;
    }
    (void)v;
    fprintf(out, "\n%s: %zu video%s with %zu fake stretch%s; by score, higher is better\n", part->name, s->n_videos,
            plural_s(s->n_videos), s->n_spans, s->n_spans == 1 ? "" : "es");
    if (s->n_left_out > 0)
        fprintf(out, "%zu fakes whose stretches the truth does not state are left out\n", s->n_left_out);
    fprintf(out, "place  ");
    eval_print_name(out, "submission", width);
    fprintf(out, "  %7s  %-15s", "score", "95 % interval");
    for (int f = 0; f < LOCALISE_FIGURES - 1; f++)
        fprintf(out, "  %7s", localise_names[f]);
    fprintf(out, "  %9s  ahead of the next?\n", "proposals");
    for (size_t k = 0; k < s->n; k++)
        print_row(out, s, k, width);
    for (size_t k = 0; k < s->n; k++) {
        const struct submission *x = s->rows[k].submission;

        if (x->n_beyond_end > 0) {
            fprintf(out, "note: ");
            eval_print_name(out, x->name, 0);
            fprintf(out, ": %zu proposals end a second or more after their video\n", x->n_beyond_end);
        }
    }
}

void eval_json_segments(struct json *j, cJSON *part, const struct segment_standings *s)
{
    cJSON *rows;

    json_number(j, part, "n", (double)s->n_videos);
    json_number(j, part, "n_fake_segments", (double)s->n_spans);
    json_number(j, part, "n_fakes_left_out", (double)s->n_left_out);
    rows = json_array(j, part, "rows");
    for (size_t k = 0; k < s->n; k++) {
        const struct segment_row *row = &s->rows[k];
        cJSON *o = json_object(j, rows, NULL), *low, *high;

        json_number(j, o, "place", (double)k + 1);
        json_text(j, o, "submission", row->submission->name);
        json_number(j, o, "n_proposals", (double)row->figures.n_proposals);
        for (int f = 0; f < LOCALISE_FIGURES; f++)
            json_number(j, o, localise_names[f], row->figures.figures[f]);
        json_number(j, o, "replicates", (double)row->figures.replicates);
        if (row->figures.replicates > 0) {
            low = json_object(j, o, "low_95");
            high = json_object(j, o, "high_95");
            for (int f = 0; f < LOCALISE_FIGURES; f++) {
                json_number(j, low, localise_names[f], row->figures.low[f]);
                json_number(j, high, localise_names[f], row->figures.high[f]);
            }
        }
        json_number(j, o, "ahead_of_next_in_share_of_replicates", row->ahead_of_next);
    }
}
