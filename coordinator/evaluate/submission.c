#include "coordinator/evaluate/submission_parts.h"

#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shard/csv.h"
#include "shard/file.h"
#include "shard/text.h"

enum { SNIFF_BYTES = 4096, MAX_JSON_BYTES = 256 * 1024 * 1024 };

const char *problem_name(enum problem p)
{
    static const char *const names[PROBLEM_COUNT] = {
        [PROBLEM_FORM] = "malformed",     [PROBLEM_NUMBER] = "not a number", [PROBLEM_RANGE] = "out of range",
        [PROBLEM_VALUE] = "unknown word", [PROBLEM_REPEATED] = "repeated",   [PROBLEM_EXTRA] = "extra",
        [PROBLEM_MISSING] = "missing",
    };

    return (unsigned)p < PROBLEM_COUNT ? names[p] : NULL;
}

enum status submission_tell(struct submission *s, enum problem kind, const char *format, ...)
{
    struct error line;
    char text[ERROR_TEXT_BYTES], **more;
    va_list args;

    s->n_problems[kind]++;
    if (s->n_told_of[kind] >= SUBMISSION_MAX_TOLD)
        return STATUS_OK;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    error_set(&line, STATUS_INVALID, "%s", text); /* escapes control bytes */
    more = reallocarray(s->told, s->n_told + 1, sizeof(*more));
    if (!more)
        return STATUS_NO_MEMORY;
    s->told = more;
    s->told[s->n_told] = strdup(line.text);
    if (!s->told[s->n_told])
        return STATUS_NO_MEMORY;
    s->n_told++;
    s->n_told_of[kind]++;
    return STATUS_OK;
}

enum status submission_take_id(struct submission *s, const struct truth *t, size_t line, const char *id,
                               size_t *ret_index)
{
    size_t found = truth_find(t, id);

    s->n_rows++;
    *ret_index = SIZE_MAX;
    if (found == SIZE_MAX) {
        /* A run may have scored more than the truth has labels for. */
        if (s->board == BOARD_RUN)
            return STATUS_OK;
        return submission_tell(s, PROBLEM_EXTRA, "%s:%zu: '%.200s': an id that the truth does not have", s->path, line,
                               id);
    }
    if (s->answer[found] != ANSWER_MISSING)
        return submission_tell(s, PROBLEM_REPEATED, "%s:%zu: '%.200s': an id that stands twice; the first counts",
                               s->path, line, id);
    *ret_index = found;
    return STATUS_OK;
}

static enum status take_score(struct submission *s, size_t line, const char *score, size_t index)
{
    double p;

    s->answer[index] = ANSWER_DECLINED; /* the id is not missing, whatever the score is */
    if (parse_double(score, -DBL_MAX, DBL_MAX, &p) != STATUS_OK)
        return submission_tell(s, PROBLEM_NUMBER, "%s:%zu: '%.100s': not a number", s->path, line, score);
    if (!(p >= 0 && p <= 1))
        return submission_tell(s, PROBLEM_RANGE, "%s:%zu: '%.100s': not in 0..1", s->path, line, score);
    s->answer[index] = ANSWER_GIVEN;
    s->p_fake[index] = p;
    return STATUS_OK;
}

/* What a row of a board's table needs, by column. */
struct table {
    size_t id, score, status, n_fields;
};

static size_t find_field(const struct csv_row *row, const char *name)
{
    for (size_t i = 0; name && i < row->n_fields; i++) {
        if (strcmp(row->fields[i], name) == 0)
            return i;
    }
    return SIZE_MAX;
}

/* A further detector's column of a run, else the board's. */
static size_t find_column(const struct submission *s, const struct csv_row *row, const char *prefix, const char *name)
{
    char column[128];

    if (!s->detector)
        return find_field(row, name);
    snprintf(column, sizeof(column), "%s%s", prefix, s->detector);
    return find_field(row, column);
}

/* STATUS_END: the heading is not the board's, which has been told. */
static enum status read_heading(struct submission *s, const struct csv_row *row, struct table *ret_table)
{
    static const struct {
        const char *id, *score, *status, *rule;
        size_t n_fields; /* 0: any */
    } wanted[BOARD_COUNT] = {
        [BOARD_RUN] = {"path", "p_fake", "outcome", "scores.csv of a run names path, outcome and p_fake", 0},
        [BOARD_DFDC] = {"filename", "label", NULL, "the first row must be filename,label", 2},
        [BOARD_INCLUSION] = {"video_name", "score", NULL, "the first row must be video_name,score", 2},
        [BOARD_OPENMFC] = {"ProbeFileID", "ConfidenceScore", "ProbeStatus",
                           "the first row must name ProbeFileID|ConfidenceScore|ProbeStatus", 0},
    };
    struct table t = {.id = find_field(row, wanted[s->board].id),
                      .score = find_column(s, row, "score_", wanted[s->board].score),
                      .status =
                          wanted[s->board].status ? find_column(s, row, "outcome_", wanted[s->board].status) : SIZE_MAX,
                      .n_fields = row->n_fields};
    enum status status;

    if (t.id == SIZE_MAX || t.score == SIZE_MAX || (wanted[s->board].status && t.status == SIZE_MAX) ||
        (wanted[s->board].n_fields > 0 && (t.n_fields != wanted[s->board].n_fields || t.id != 0))) {
        s->is_cut = true;
        status = submission_tell(s, PROBLEM_FORM, "%s:%zu: '%.100s': %s", s->path, row->line,
                                 row->n_fields > 0 ? row->fields[0] : "",
                                 s->detector ? "the run has no such further detector" : wanted[s->board].rule);
        return status == STATUS_OK ? STATUS_END : status;
    }
    *ret_table = t;
    return STATUS_OK;
}

/* scores.csv guards cells that a spreadsheet would run; one apostrophe comes off again. */
static const char *unguarded(const char *cell)
{
    return cell[0] == '\'' ? cell + 1 : cell;
}

static enum status take_row(struct submission *s, const struct truth *t, const struct table *table,
                            const struct csv_row *row)
{
    const char *id, *score;
    size_t index;
    enum status status;
    int answers = 1;

    if (row->n_fields != table->n_fields)
        return submission_tell(s, PROBLEM_FORM, "%s:%zu: the row has %zu fields, not %zu", s->path, row->line,
                               row->n_fields, table->n_fields);
    id = s->board == BOARD_RUN ? unguarded(row->fields[table->id]) : row->fields[table->id];
    score = row->fields[table->score];
    status = submission_take_id(s, t, row->line, id, &index);
    if (status != STATUS_OK || index == SIZE_MAX)
        return status;
    if (s->board == BOARD_OPENMFC) {
        answers = board_openmfc_status(row->fields[table->status]);
        if (answers < 0) {
            s->answer[index] = ANSWER_DECLINED;
            return submission_tell(s, PROBLEM_VALUE, "%s:%zu: '%.100s': not a ProbeStatus", s->path, row->line,
                                   row->fields[table->status]);
        }
    } else if (s->board == BOARD_RUN) {
        answers = outcome_has_score(outcome_from_name(row->fields[table->status]));
    }
    if (answers == 0) {
        s->answer[index] = ANSWER_DECLINED;
        return STATUS_OK;
    }
    return take_score(s, row->line, score, index);
}

static enum status read_table(struct submission *s, const struct truth *t, struct error *e)
{
    struct csv_reader *r = NULL;
    struct csv_row row;
    struct table table = {.id = 0, .score = 1, .n_fields = 2};
    struct error why = {0};
    char last[256] = "";
    enum status status = csv_reader_open_delimited(s->path,
                                                   s->board == BOARD_1MDF      ? ';'
                                                   : s->board == BOARD_OPENMFC ? '|'
                                                                               : ',',
                                                   &r, &why);

    if (status == STATUS_OK && s->board != BOARD_1MDF) {
        status = csv_reader_next(r, &row, &why);
        if (status == STATUS_OK)
            status = read_heading(s, &row, &table);
        else if (status == STATUS_END && submission_tell(s, PROBLEM_FORM, "%s: empty", s->path) != STATUS_OK)
            status = STATUS_NO_MEMORY;
    }
    while (status == STATUS_OK) {
        status = csv_reader_next(r, &row, &why);
        if (status != STATUS_OK)
            break;
        status = take_row(s, t, &table, &row);
        if (s->board != BOARD_DFDC || row.n_fields == 0)
            continue;
        if (s->first_unsorted_line == 0 && strncmp(last, row.fields[0], sizeof(last) - 1) > 0)
            s->first_unsorted_line = row.line;
        snprintf(last, sizeof(last), "%s", row.fields[0]);
    }
    csv_reader_close(&r);
    if (status == STATUS_NO_MEMORY)
        return error_no_memory(e);
    /* The reader's own words name file, line and rule. */
    s->is_cut = s->is_cut || status != STATUS_END;
    if (status != STATUS_END && submission_tell(s, PROBLEM_FORM, "%s", why.text) != STATUS_OK)
        return error_no_memory(e);
    return STATUS_OK;
}

/* The line of each key of the outermost object, in their order, of text that cJSON has accepted. */
struct key_lines {
    const char *at;
    size_t line;
};

static size_t next_key_line(struct key_lines *k)
{
    int depth = 0;

    /* From behind the last key: over its value up to the comma, then to the quote that opens the next. */
    for (bool wants_key = k->line == 0; *k->at != '\0'; k->at++) {
        if (k->line == 0) {
            k->line = 1;
            depth = -1; /* the opening brace comes first */
        }
        if (*k->at == '\n')
            k->line++;
        if (*k->at == '"') {
            const char *start = k->at++;
            size_t line = k->line;

            for (; *k->at != '\0' && *k->at != '"'; k->at++) {
                k->at += *k->at == '\\' && k->at[1] != '\0';
                k->line += *k->at == '\n';
            }
            if (*k->at == '\0')
                return line;
            if (wants_key && depth == 0 && start) {
                k->at++;
                return line;
            }
        } else if (*k->at == '{' || *k->at == '[') {
            depth++;
        } else if (*k->at == '}' || *k->at == ']') {
            depth--;
        } else if (*k->at == ',' && depth == 0) {
            wants_key = true;
        }
    }
    return k->line;
}

static enum status take_item(struct submission *s, const struct truth *t, const cJSON *item, size_t line)
{
    const char *word = cJSON_IsString(item) ? item->valuestring : NULL;
    size_t index;
    enum status status = submission_take_id(s, t, line, item->string ? item->string : "", &index);

    if (status != STATUS_OK || index == SIZE_MAX)
        return status;
    s->answer[index] = ANSWER_DECLINED;
    if (!word || (strcmp(word, "fake") != 0 && strcmp(word, "real") != 0))
        return submission_tell(s, PROBLEM_VALUE, "%s:%zu: '%.100s': not \"fake\" or \"real\"", s->path, line,
                               word ? word : "(not a text)");
    s->answer[index] = ANSWER_GIVEN;
    s->p_fake[index] = word[0] == 'f';
    return STATUS_OK;
}

static size_t line_of(const char *data, const char *at)
{
    size_t line = 1;

    for (; data < at; data++)
        line += *data == '\n';
    return line;
}

static enum status read_json(struct submission *s, const struct truth *t, struct error *e)
{
    char *data = NULL;
    const char *end = NULL;
    size_t len;
    struct error why = {0};
    cJSON *root = NULL;
    struct key_lines lines;
    enum status status = file_read(s->path, MAX_JSON_BYTES, &data, &len, &why);

    if (status == STATUS_NO_MEMORY)
        return error_no_memory(e);
    s->is_cut = status != STATUS_OK;
    if (status != STATUS_OK)
        return submission_tell(s, PROBLEM_FORM, "%s", why.text) == STATUS_OK ? STATUS_OK : error_no_memory(e);
    if (strlen(data) != len)
        status = submission_tell(s, PROBLEM_FORM, "%s:%zu: a zero byte; this is not a text file", s->path,
                                 line_of(data, data + strlen(data)));
    else
        root = cJSON_ParseWithOpts(data, &end, true);
    if (strlen(data) == len && !root)
        status = submission_tell(s, PROBLEM_FORM, "%s:%zu: not JSON from here: '%.40s'", s->path,
                                 line_of(data, end ? end : data), end ? end : "");
    else if (root && !cJSON_IsObject(root))
        status = submission_tell(s, PROBLEM_FORM, "%s:1: not an object: %s", s->path,
                                 s->board == BOARD_1MDF_2 ? "{\"000001.mp4\":[[confidence,start,end], ...], ...}"
                                                          : "{\"0000.png\":\"fake\", ...}");
    s->is_cut = !cJSON_IsObject(root);
    lines = (struct key_lines){.at = data};
    for (const cJSON *item = cJSON_IsObject(root) ? root->child : NULL; status == STATUS_OK && item; item = item->next)
        status = s->board == BOARD_1MDF_2 ? submission_take_proposals(s, t, item, next_key_line(&lines))
                                          : take_item(s, t, item, next_key_line(&lines));
    cJSON_Delete(root);
    free(data);
    return status == STATUS_OK ? STATUS_OK : error_no_memory(e);
}

/* Whether the first value of a JSON object is a list. */
static bool is_list_first(const char *json)
{
    const char *at = json + 1 + strspn(json + 1, " \t\r\n");

    if (*at != '"')
        return false;
    for (at++; *at != '\0' && *at != '"'; at++)
        at += *at == '\\' && at[1] != '\0';
    at += *at == '"';
    at += strspn(at, " \t\r\n");
    at += *at == ':';
    return at[strspn(at, " \t\r\n")] == '[';
}

/* By the first bytes; a file that is none of them is read as a run's, whose heading it then lacks. */
static enum board sniff(const char *path)
{
    char start[SNIFF_BYTES + 1];
    size_t len, first;
    struct stat st;
    FILE *f;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return BOARD_RUN;
    f = fopen(path, "rb");
    len = f ? fread(start, 1, SNIFF_BYTES, f) : 0;
    if (f)
        fclose(f);
    start[len] = '\0';
    first = strncmp(start, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    first += strspn(start + first, " \t\r\n");
    if (start[first] == '{')
        return is_list_first(start + first) ? BOARD_1MDF_2 : BOARD_FFPP;
    start[first + strcspn(start + first, "\r\n")] = '\0';
    if (strncmp(start + first, "filename,", 9) == 0)
        return BOARD_DFDC;
    if (strncmp(start + first, "video_name,", 11) == 0)
        return BOARD_INCLUSION;
    if (strstr(start + first, "ProbeFileID"))
        return BOARD_OPENMFC;
    if (strchr(start + first, ';') && !strchr(start + first, ','))
        return BOARD_1MDF;
    return BOARD_RUN;
}

/* What is left to say once the file is read. */
static enum status finish(struct submission *s, const struct truth *t)
{
    enum status status = STATUS_OK;

    for (size_t i = 0; status == STATUS_OK && i < truth_count(t); i++) {
        const struct manifest_entry *entry = manifest_entry(truth_manifest(t), i);

        if (entry->label == LABEL_UNKNOWN) {
            s->n_unlabelled++;
            continue;
        }
        s->n_given += s->answer[i] == ANSWER_GIVEN;
        s->n_declined += s->answer[i] == ANSWER_DECLINED;
        s->n_half += s->board != BOARD_1MDF_2 && s->answer[i] == ANSWER_GIVEN && s->p_fake[i] == 0.5;
        if (s->answer[i] == ANSWER_MISSING && !s->is_cut)
            status = submission_tell(s, PROBLEM_MISSING, "%s: '%.200s': an id of the truth that has no row", s->path,
                                     entry->path);
    }
    return status;
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* FILE, RUN or RUN:DETECTOR -> the file and the detector. */
static void find_file(struct submission *s, const char *path)
{
    const char *colon = strrchr(path, ':');
    char *run = colon && !is_folder(path) ? strndup(path, (size_t)(colon - path)) : NULL;

    if (run && is_folder(run)) {
        s->path = file_join(run, "scores.csv");
        s->detector = strdup(colon + 1);
        /* Without it the main scores would be taken. */
        if (!s->detector) {
            free(s->path);
            s->path = NULL;
        }
    } else {
        s->path = is_folder(path) ? file_join(path, "scores.csv") : strdup(path);
    }
    free(run);
}

enum status submission_open(const char *path, enum board board, const struct truth *t, struct submission **ret_s,
                            struct error *e)
{
    struct submission *s = calloc(1, sizeof(*s));
    size_t n = truth_count(t);
    enum status status = STATUS_NO_MEMORY;

    if (!s)
        return error_no_memory(e);
    find_file(s, path);
    s->name = strdup(path);
    s->p_fake = malloc((n + 1) * sizeof(*s->p_fake));
    s->answer = calloc(n + 1, sizeof(*s->answer));
    if (!s->path || !s->name || !s->p_fake || !s->answer) {
        error_no_memory(e);
        goto error;
    }
    for (size_t i = 0; i < n; i++)
        s->p_fake[i] = 0.5;
    s->board = board == BOARD_AUTO ? sniff(s->path) : board;
    status = s->board == BOARD_FFPP || s->board == BOARD_1MDF_2 ? read_json(s, t, e) : read_table(s, t, e);
    if (status == STATUS_OK)
        status = finish(s, t) == STATUS_OK ? STATUS_OK : error_no_memory(e);
    if (status != STATUS_OK)
        goto error;
    *ret_s = s;
    return STATUS_OK;
error:
    submission_close(&s);
    return STATUS_NO_MEMORY;
}

void submission_close(struct submission **s)
{
    if (!*s)
        return;
    for (size_t i = 0; i < (*s)->n_told; i++)
        free((*s)->told[i]);
    free((*s)->told);
    free((*s)->path);
    free((*s)->detector);
    free((*s)->name);
    free((*s)->p_fake);
    free((*s)->answer);
    free((*s)->proposals);
    free((*s)->first_proposal);
    free((*s)->n_proposals_of);
    free(*s);
    *s = NULL;
}

bool submission_is_valid(const struct submission *s, bool may_miss)
{
    for (int p = 0; p < PROBLEM_COUNT; p++) {
        if (s->n_problems[p] > 0 && !(p == PROBLEM_MISSING && may_miss))
            return false;
    }
    return s->n_given > 0;
}
