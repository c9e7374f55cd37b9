#include <math.h>
#include <string.h>

#include "coordinator/main_compare.h"
#include "coordinator/main_json.h"
#include "shard/plural.h"

static const double significant = 0.05;

/* Control bytes of a name would move the cursor. */
static void print_safe(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
}

static void print_protocol(const struct comparison *c, FILE *out)
{
    if (c->n_fields_differ == 0) {
        fprintf(out, "\nprotocol: the same in all %zu fields\n", c->n_fields);
        return;
    }
    fprintf(out, "\nprotocol: %zu of %zu fields differ\n", c->n_fields_differ, c->n_fields);
    for (size_t i = 0; i < c->n_fields; i++) {
        const struct field_pair *f = &c->fields[i];

        if (f->a && f->b && strcmp(f->a, f->b) == 0)
            continue;
        fprintf(out, "  %-28s a: ", f->name);
        print_safe(out, f->a ? f->a : "(none)");
        fprintf(out, "\n  %-28s b: ", "");
        print_safe(out, f->b ? f->b : "(none)");
        fputc('\n', out);
    }
    if (!c->has_cards)
        fprintf(
            out,
            "  (one of the runs was begun before runs kept their detector's card, so the cards are not compared)\n");
}

static void print_outcomes(const struct comparison *c, size_t n_listed, FILE *out)
{
    fprintf(out, "\noutcomes of common videos: %zu the same, %zu another\n", c->n_common - c->n_changed, c->n_changed);
    for (int a = 0; a < OUTCOME_COUNT; a++) {
        for (int b = 0; b < OUTCOME_COUNT; b++) {
            if (a != b && c->outcomes[a][b] > 0)
                fprintf(out, "  %8zu  %s -> %s\n", c->outcomes[a][b], outcome_name((enum outcome)a),
                        outcome_name((enum outcome)b));
        }
    }
    for (size_t i = 0; i < c->n_changed && i < n_listed; i++) {
        const struct video_pair *v = &c->changed[i];

        fprintf(out, "    ");
        print_safe(out, comparison_entry(c, 0, v)->path);
        fprintf(out, ": %s -> %s\n", outcome_name(comparison_outcome(c, 0, v)),
                outcome_name(comparison_outcome(c, 1, v)));
    }
    if (c->n_changed > n_listed)
        fprintf(out, "    ... and %zu more (--list, --json)\n", c->n_changed - n_listed);
}

static void print_flips(const struct comparison *c, size_t n_listed, FILE *out)
{
    fprintf(out, "\nscores: %zu video%s with one in both, %zu the same to the last bit", c->n_both_scored,
            plural_s(c->n_both_scored), c->n_same_score);
    if (c->n_both_scored > 0)
        fprintf(out, "; |a - b| is %.4f in the mean, %.4f at most", c->mean_difference, c->largest_difference);
    fprintf(out, "\nflips at 0.5: %zu", c->n_flips);
    if (c->n_flips_right[0] + c->n_flips_right[1] > 0)
        fprintf(out, "; of those with a label a has %zu right, b %zu", c->n_flips_right[0], c->n_flips_right[1]);
    fputc('\n', out);
    if (c->n_flips > 0 && n_listed > 0)
        fprintf(out, "  %7s  %7s  label\n", "a", "b");
    for (size_t i = 0; i < c->n_flips && i < n_listed; i++) {
        const struct video_pair *v = &c->flips[i];
        const struct manifest_entry *entry = comparison_entry(c, 0, v);

        fprintf(out, "  %7.4f  %7.4f  %-5s  ", comparison_score(c, 0, v), comparison_score(c, 1, v),
                label_name(entry->label));
        print_safe(out, entry->path);
        fputc('\n', out);
    }
    if (c->n_flips > n_listed)
        fprintf(out, "  ... and %zu more (--list, --json)\n", c->n_flips - n_listed);
}

static void print_measure(FILE *out, const struct measure *v)
{
    if (v->undefined)
        fprintf(out, "  %10s", "-");
    else
        fprintf(out, "  %10.4f", v->value);
}

static void print_test(FILE *out, const char *name, const struct paired *p)
{
    if (p->undefined)
        fprintf(out, "  %-30s none: %s\n", name, undefined_reason(p->undefined));
    else
        fprintf(out, "  %-30s a - b = %+.4f (95 %% %+.4f..%+.4f), p = %.2g: %s\n", name, p->difference, p->low, p->high,
                p->p, p->p < significant ? "they differ" : "not beyond chance");
}

static void print_figures(const struct comparison *c, FILE *out)
{
    const struct metrics *a = &c->common_figures[0], *b = &c->common_figures[1];
    const struct metrics *own_a = &c->own_figures[0], *own_b = &c->own_figures[1];

    fprintf(
        out,
        "\nfigures over the %zu labelled video%s that both scored (%zu real, %zu fake); beside them each run's own\n",
        a->n, plural_s(a->n), a->n_real, a->n_fake);
    fprintf(out, "  %-20s  %10s  %10s  %9s a  %9s b\n", "", "a", "b", "all of", "all of");
    fprintf(out, "  %-20s  %10zu  %10zu  %11zu  %11zu\n", "n", a->n, b->n, own_a->n, own_b->n);
    for (int k = 0; k < FIGURE_COUNT; k++) {
        enum figure_id f = (enum figure_id)k;

        fprintf(out, "  %-20s", figure_name(f));
        print_measure(out, metrics_figure(a, f));
        print_measure(out, metrics_figure(b, f));
        fputc(' ', out);
        print_measure(out, metrics_figure(own_a, f));
        fputc(' ', out);
        print_measure(out, metrics_figure(own_b, f));
        fputc('\n', out);
    }
    fprintf(out, "\npaired tests\n");
    print_test(out, "AUC (DeLong)", &c->auc);
    if (c->has_originals)
        print_test(out, "AUC, by original", &c->auc_by_original);
    print_test(out, "log loss, lower is better", &c->log_loss);
    print_test(out, "Brier, lower is better", &c->brier);
    print_test(out, "accuracy at 0.5", &c->accuracy);
    if (a->n > 0 && (a->n_real < 30 || a->n_fake < 30))
        fprintf(out, "  note: fewer than 30 of a class; these tests lean on many videos\n");
}

void comparison_print(const struct comparison *c, size_t n_listed, FILE *out)
{
    for (int k = 0; k < 2; k++) {
        fprintf(out, "%s: ", k == 0 ? "a" : "b");
        print_safe(out, c->path[k]);
        fprintf(out, ", %s, %zu video%s, %zu of them in this run alone\n",
                run_folder_identity(c->run[k].folder, "detector"), manifest_count(c->run[k].manifest),
                plural_s(manifest_count(c->run[k].manifest)), c->n_only[k]);
    }
    if (c->n_other_bytes > 0)
        fprintf(out, "warning: %zu common paths hold other bytes in b than in a\n", c->n_other_bytes);
    if (c->n_other_labels > 0)
        fprintf(out, "warning: %zu common videos have another label in b; they are in no figure\n", c->n_other_labels);
    print_protocol(c, out);
    print_outcomes(c, n_listed, out);
    print_flips(c, n_listed, out);
    print_figures(c, out);
}

static void add_test(struct json *j, cJSON *parent, const char *key, const struct paired *p)
{
    cJSON *o = json_object(j, parent, key);

    if (p->undefined) {
        json_text(j, o, "undefined", undefined_reason(p->undefined));
        return;
    }
    json_number(j, o, "n", (double)p->n);
    json_number(j, o, "a_minus_b", p->difference);
    json_number(j, o, "standard_error", p->standard_error);
    json_number(j, o, "z", p->z);
    json_number(j, o, "p", p->p);
    json_number(j, o, "low", p->low);
    json_number(j, o, "high", p->high);
}

static void add_videos(struct json *j, cJSON *parent, const char *key, const struct comparison *c,
                       const struct video_pair *videos, size_t n)
{
    static const char *const score_keys[2] = {"a", "b"}, *const outcome_keys[2] = {"a_outcome", "b_outcome"};
    cJSON *list = json_array(j, parent, key);

    for (size_t i = 0; i < n; i++) {
        cJSON *o = json_object(j, list, NULL);
        const struct manifest_entry *entry = comparison_entry(c, 0, &videos[i]);

        json_text(j, o, "path", entry->path);
        json_text(j, o, "label", label_name(entry->label));
        for (int k = 0; k < 2; k++) {
            enum outcome outcome = comparison_outcome(c, k, &videos[i]);

            json_number(j, o, score_keys[k], outcome_has_score(outcome) ? comparison_score(c, k, &videos[i]) : NAN);
            json_text(j, o, outcome_keys[k], outcome_name(outcome));
        }
    }
}

enum status comparison_write_json(const struct comparison *c, const char *path, struct error *e)
{
    static const char *const names[2] = {"a", "b"};
    struct json j = {0};
    cJSON *root = json_object(&j, NULL, NULL), *o, *list;

    json_number(&j, root, "fakesift_compare", 1);
    for (int k = 0; k < 2; k++) {
        o = json_object(&j, root, names[k]);
        json_text(&j, o, "run", c->path[k]);
        json_text(&j, o, "detector", run_folder_identity(c->run[k].folder, "detector"));
        json_number(&j, o, "n", (double)manifest_count(c->run[k].manifest));
        json_number(&j, o, "n_alone", (double)c->n_only[k]);
        json_metrics(&j, json_object(&j, o, "common"), &c->common_figures[k]);
        json_metrics(&j, json_object(&j, o, "own"), &c->own_figures[k]);
    }
    json_number(&j, root, "n_common", (double)c->n_common);
    json_number(&j, root, "n_other_bytes", (double)c->n_other_bytes);
    json_number(&j, root, "n_other_labels", (double)c->n_other_labels);
    json_number(&j, root, "n_both_scored", (double)c->n_both_scored);
    json_number(&j, root, "n_same_score", (double)c->n_same_score);
    json_number(&j, root, "mean_absolute_difference", c->mean_difference);
    list = json_array(&j, root, "protocol");
    for (size_t i = 0; i < c->n_fields; i++) {
        const struct field_pair *f = &c->fields[i];

        o = json_object(&j, list, NULL);
        json_text(&j, o, "field", f->name);
        if (f->a)
            json_text(&j, o, "a", f->a);
        if (f->b)
            json_text(&j, o, "b", f->b);
        json_bool(&j, o, "same", f->a && f->b && strcmp(f->a, f->b) == 0);
    }
    o = json_object(&j, root, "paired_tests");
    add_test(&j, o, "auc_delong", &c->auc);
    if (c->has_originals)
        add_test(&j, o, "auc_by_original", &c->auc_by_original);
    add_test(&j, o, "log_loss", &c->log_loss);
    add_test(&j, o, "brier", &c->brier);
    add_test(&j, o, "accuracy_at_0.5", &c->accuracy);
    add_videos(&j, root, "flips", c, c->flips, c->n_flips);
    add_videos(&j, root, "other_outcome", c, c->changed, c->n_changed);
    return json_write(&j, path, e);
}
