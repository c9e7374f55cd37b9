/* scores.csv: one row a video, in the manifest's order, whatever became of it. RFC 4180, LF line ends.
 *
 * Spreadsheets run a cell that begins with = + - @ tab CR or LF (and with the full-width forms of the first four) as a
 * formula, and names come from other people's files: a text cell that begins so gets an apostrophe before it. One that
 * begins with an apostrophe gets one more, so a reader undoes it by dropping one leading apostrophe. */
#include "coordinator/report/model.h"

#include <string.h>

#include "shard/file.h"
#include "shard/text.h"

enum { WRITE_BYTES = 64 * 1024 }; /* rows are gathered to this much */

static const char *const columns[] = {
    "path",
    "label",
    "split",
    "family",
    "outcome",
    "p_fake",
    "message",
    "original",
    "identity",
    "group",
    "n_frames_wanted",
    "n_frames_decoded",
    "n_frames_with_face",
    "n_tracks",
    "n_clips",
    "container",
    "codec",
    "pixel_format",
    "width_px",
    "height_px",
    "rotation_deg",
    "fps",
    "duration_us",
    "n_frames",
    "bit_rate_bps",
    "n_audio_streams",
    "size_bytes",
    "method",
    "fake_segments",
};

/* U+FF1D, U+FF0B, U+FF0D, U+FF20: spreadsheets of some languages take them for the ASCII ones. */
static bool is_full_width(const char *s)
{
    return s[0] == '\xef' && s[1] == '\xbc' && s[2] != '\0' && strchr("\x9d\x8b\x8d\xa0", s[2]);
}

static void append_cell(struct text *t, const char *string)
{
    if (string[0] != '\0' && (strchr("=+-@\t\r\n'", string[0]) || is_full_width(string))) {
        /* Quoted by hand: the apostrophe hides a leading blank from text_append_csv, and a tab must stay
         * quoted. */
        text_append_string(t, "\"'");
        for (const char *p = string; *p != '\0'; p++)
            text_append(t, *p == '"' ? "\"\"" : p, *p == '"' ? 2 : 1);
        text_append_string(t, "\"");
        return;
    }
    text_append_csv(t, string);
}

static void append_text(struct text *t, const char *string)
{
    append_cell(t, string);
    text_append(t, ",", 1);
}

/* Unknown facts are zero; an empty cell says so. */
static void append_fact(struct text *t, bool is_known, int64_t value)
{
    if (is_known)
        text_append_i64(t, value);
    text_append(t, ",", 1);
}

/* Most rates of a corpus are few; the last one written is kept. */
struct rate {
    uint32_t num, den;
    struct text text;
};

static void append_rate(struct text *t, struct rate *last, uint32_t num, uint32_t den)
{
    if (num != last->num || den != last->den) {
        last->text.len_bytes = 0;
        text_append_double(&last->text, (double)num / den);
        last->num = num;
        last->den = den;
    }
    t->failed = t->failed || last->text.failed;
    text_append(t, last->text.data, last->text.len_bytes);
}

static void append_row(struct text *t, struct rate *rate, const struct report_model *m, size_t index)
{
    const struct manifest_entry *entry = manifest_entry(m->in->manifest, index);
    const struct result *r = results_get(m->reader, index);
    const struct video_facts *facts = model_facts(entry, r);
    bool has_stream = facts->codec[0] != '\0';

    append_text(t, entry->path);
    append_text(t, label_name(entry->label));
    append_text(t, entry->split);
    append_text(t, entry->family);
    append_text(t, outcome_name(r->outcome));
    if (outcome_has_score(r->outcome))
        text_append_double(t, r->p_fake);
    text_append(t, ",", 1);
    append_text(t, r->message);
    append_text(t, entry->original);
    append_text(t, entry->identity);
    append_text(t, entry->group);
    append_fact(t, r->outcome != OUTCOME_UNDECIDED, r->n_frames_wanted);
    append_fact(t, r->outcome != OUTCOME_UNDECIDED, r->n_frames_decoded);
    append_fact(t, r->outcome != OUTCOME_UNDECIDED, r->n_frames_with_face);
    append_fact(t, r->outcome != OUTCOME_UNDECIDED, r->n_tracks);
    append_fact(t, r->outcome != OUTCOME_UNDECIDED, (int64_t)r->n_clips);
    append_text(t, facts->container);
    append_text(t, facts->codec);
    append_text(t, facts->pixel_format);
    append_fact(t, facts->width_px > 0, facts->width_px);
    append_fact(t, facts->height_px > 0, facts->height_px);
    append_fact(t, has_stream, facts->rotation_deg);
    if (facts->fps_num > 0 && facts->fps_den > 0)
        append_rate(t, rate, facts->fps_num, facts->fps_den);
    text_append(t, ",", 1);
    append_fact(t, facts->duration_us > 0, facts->duration_us);
    append_fact(t, facts->n_frames > 0, facts->n_frames);
    append_fact(t, facts->bit_rate_bps > 0, facts->bit_rate_bps);
    append_fact(t, has_stream, facts->n_audio_streams);
    if (entry->exists)
        text_append_u64(t, entry->size_bytes);
    text_append(t, ",", 1);
    append_text(t, entry->method);
    text_append_string(t, entry->fake_segments); /* digits and colons */
    for (size_t k = 0; k < m->further.n; k++) {
        struct member_score score = results_member(m->in->results, index, k);

        text_append(t, ",", 1);
        if (outcome_has_score(score.outcome))
            text_append_double(t, score.p_fake);
        text_append(t, ",", 1);
        append_cell(t, outcome_name(score.outcome));
    }
    text_append(t, "\n", 1);
}

enum status scores_csv_write(const struct report_model *m, const char *path, struct error *e)
{
    struct file_writer *w = NULL;
    struct text row = {0};
    struct rate rate = {0};
    enum status s = file_writer_open(path, &w, e);

    if (s != STATUS_OK)
        return s;
    for (size_t k = 0; k < sizeof(columns) / sizeof(columns[0]); k++)
        text_append_format(&row, "%s%s", k > 0 ? "," : "", columns[k]);
    /* Names are plain: a-z, 0-9, '.', '_', '-'. */
    for (size_t k = 0; k < m->further.n; k++)
        text_append_format(&row, ",score_%s,outcome_%s", m->further.list[k], m->further.list[k]);
    text_append(&row, "\n", 1);
    for (size_t i = 0; i <= m->n && !row.failed; i++) {
        if (i == m->n || row.len_bytes >= WRITE_BYTES) {
            fwrite(row.data, 1, row.len_bytes, file_writer_stream(w));
            row.len_bytes = 0;
        }
        if (i < m->n)
            append_row(&row, &rate, m, i);
    }
    text_clear(&rate.text);
    if (row.failed) {
        file_writer_discard(&w);
        text_clear(&row);
        return error_no_memory(e);
    }
    text_clear(&row);
    return file_writer_commit(&w, e);
}
