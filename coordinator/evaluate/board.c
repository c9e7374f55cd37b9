#include "coordinator/evaluate/board_parts.h"

#include <stdlib.h>
#include <string.h>

#include "shard/file.h"
#include "shard/text.h"

static const struct {
    const char *name;
    enum figure_id figure;
} boards[BOARD_COUNT] = {
    [BOARD_AUTO] = {"auto", FIGURE_AUC},           [BOARD_RUN] = {"run", FIGURE_AUC},
    [BOARD_DFDC] = {"dfdc", FIGURE_LOG_LOSS},      [BOARD_FFPP] = {"ffpp", FIGURE_ACCURACY},
    [BOARD_1MDF] = {"1mdf", FIGURE_AUC},           [BOARD_1MDF_2] = {"1mdf-2", FIGURE_AUC},
    [BOARD_INCLUSION] = {"inclusion", FIGURE_AUC}, [BOARD_OPENMFC] = {"openmfc", FIGURE_AUC},
};

const char *board_name(enum board b)
{
    return (unsigned)b < BOARD_COUNT ? boards[b].name : NULL;
}

enum board board_from_name(const char *name)
{
    int b = 0;

    while (b < BOARD_COUNT && strcmp(boards[b].name, name) != 0)
        b++;
    return (enum board)b;
}

enum figure_id board_figure(enum board b)
{
    return boards[b].figure;
}

int board_openmfc_status(const char *status)
{
    /* The localisation and segment opt-outs still answer the detection task. */
    static const struct {
        const char *name;
        int answers;
    } known[] = {
        {"Processed", 1},          {"NonProcessed", 0},   {"OptOutAll", 0},     {"OptOutDetection", 0},
        {"OptOutLocalization", 1}, {"OptOutTemporal", 1}, {"OptOutSpatial", 1}, {"FailedValidation", 0},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(status, known[i].name) == 0)
            return known[i].answers;
    }
    return -1;
}

static int compare_rows(const void *left, const void *right)
{
    const struct board_row *a = left, *b = right;

    return strcmp(a->id, b->id);
}

static char *id_of(const char *path, enum board board, bool whole_paths)
{
    const char *slash = strrchr(path, '/');
    char *id = strdup(slash && !whole_paths ? slash + 1 : path), *dot;

    if (id && board == BOARD_OPENMFC && !whole_paths) {
        dot = strrchr(id, '.');
        if (dot && dot != id)
            *dot = '\0';
    }
    return id;
}

/* What would break the format's lines; CSV and JSON quote. */
static bool fits(const char *id, enum board board)
{
    if (board == BOARD_1MDF || board == BOARD_OPENMFC)
        return strpbrk(id, board == BOARD_1MDF ? ";\"\r\n" : "|\"\r\n") == NULL;
    return true;
}

static void append_openmfc(struct text *t, const char *id, enum outcome outcome, double p_fake)
{
    const char *status = "NonProcessed";

    if (outcome_has_score(outcome))
        status = "Processed";
    else if (outcome == OUTCOME_NO_FACE || outcome == OUTCOME_TOO_SHORT)
        status = "OptOutDetection"; /* it was looked at, and the detector has nothing to say */
    text_append_format(t, "%s|", id);
    text_append_double(t, outcome_has_score(outcome) ? p_fake : 0.5);
    text_append_format(t, "|%s|[]|[]|[]\n", status);
}

static void append_row(struct text *t, enum board board, const char *id, enum outcome outcome, double scored,
                       bool is_first)
{
    double p_fake = outcome_has_score(outcome) ? scored : 0.5;

    switch (board) {
    case BOARD_FFPP:
        text_append_string(t, is_first ? "\"" : ",\n\"");
        text_append_json(t, id);
        /* Without a score it is not called fake: an accusation takes a score. */
        text_append_format(t, "\":\"%s\"", outcome_has_score(outcome) && p_fake >= 0.5 ? "fake" : "real");
        break;
    case BOARD_1MDF:
        text_append_format(t, "%s;", id);
        text_append_double(t, p_fake);
        text_append(t, "\n", 1);
        break;
    case BOARD_OPENMFC:
        append_openmfc(t, id, outcome, p_fake);
        break;
    default:
        text_append_csv(t, id);
        text_append(t, ",", 1);
        text_append_double(t, p_fake);
        text_append(t, "\n", 1);
        break;
    }
}

static const char *heading(enum board board)
{
    switch (board) {
    case BOARD_DFDC:
        return "filename,label\n";
    case BOARD_INCLUSION:
        return "video_name,score\n";
    case BOARD_OPENMFC:
        return "ProbeFileID|ConfidenceScore|ProbeStatus|VideoFrameSegments|AudioSampleSegments|"
               "VideoFrameOptOutSegments\n";
    case BOARD_FFPP:
        return "{";
    default:
        return "";
    }
}

void board_rows_free(struct board_row *rows, size_t n)
{
    for (size_t i = 0; rows && i < n; i++)
        free(rows[i].id);
    free(rows);
}

enum status board_rows(enum board board, const struct manifest *m, bool whole_paths, struct board_row **ret_rows,
                       struct error *e)
{
    size_t n = manifest_count(m);
    struct board_row *rows = calloc(n + 1, sizeof(*rows));
    enum status s = rows ? STATUS_OK : error_no_memory(e);

    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        rows[i] = (struct board_row){.id = id_of(manifest_entry(m, i)->path, board, whole_paths), .index = i};
        if (!rows[i].id)
            s = error_no_memory(e);
        else if (!fits(rows[i].id, board))
            s = error_set(e, STATUS_INVALID, "%.200s: a file for %s cannot hold this name (its lines are not quoted)",
                          manifest_entry(m, i)->path, board_name(board));
    }
    if (s == STATUS_OK && n > 0)
        qsort(rows, n, sizeof(*rows), compare_rows);
    for (size_t i = 1; s == STATUS_OK && i < n; i++) {
        if (strcmp(rows[i - 1].id, rows[i].id) == 0)
            s = error_set(e, STATUS_MISMATCH, "%.200s and %.200s would both be '%.100s' in a file for %s; %s",
                          manifest_entry(m, rows[i - 1].index)->path, manifest_entry(m, rows[i].index)->path,
                          rows[i].id, board_name(board),
                          whole_paths ? "names differ in their bytes alone" : "--whole-paths keeps them apart");
    }
    if (s != STATUS_OK) {
        board_rows_free(rows, n);
        return s;
    }
    *ret_rows = rows;
    return STATUS_OK;
}

enum status board_write(enum board board, const struct manifest *m, const struct results *results, bool whole_paths,
                        const char *path, struct board_written *ret_written, struct error *e)
{
    size_t n = manifest_count(m);
    struct board_row *rows = NULL;
    struct board_written written = {.n = n};
    struct text t = {0};
    enum status s = board_rows(board, m, whole_paths, &rows, e);

    if (s != STATUS_OK)
        return s;
    text_append_string(&t, heading(board));
    for (size_t i = 0; i < n; i++) {
        enum outcome outcome = results_outcome(results, rows[i].index);

        append_row(&t, board, rows[i].id, outcome, results_p_fake(results, rows[i].index), i == 0);
        written.n_unscored += !outcome_has_score(outcome);
    }
    if (board == BOARD_FFPP)
        text_append_string(&t, "}\n");
    s = t.failed ? error_no_memory(e) : file_write(path, t.data ? t.data : "", t.len_bytes, e);
    board_rows_free(rows, n);
    text_clear(&t);
    if (s == STATUS_OK)
        *ret_written = written;
    return s;
}
