/* The file of 1M-Deepfakes' second task, from a run: {"NAME":[[confidence,start,end],...], ...} in the manifest's order. */
#include "coordinator/evaluate/board.h"

#include <stdio.h>
#include <stdlib.h>

#include "coordinator/evaluate/board_parts.h"
#include "coordinator/evaluate/proposals.h"
#include "shard/file.h"
#include "shard/text.h"

static void append_video(struct text *t, const char *id, const struct proposal *p, size_t n)
{
    text_append_string(t, "\"");
    text_append_json(t, id);
    text_append_string(t, "\":[");
    for (size_t k = 0; k < n; k++) {
        text_append_string(t, k > 0 ? ",[" : "[");
        text_append_double(t, p[k].confidence);
        text_append(t, ",", 1);
        text_append_double(t, p[k].start_s);
        text_append(t, ",", 1);
        text_append_double(t, p[k].end_s);
        text_append(t, "]", 1);
    }
    text_append(t, "]", 1);
}

static enum status write_videos(FILE *out, const struct manifest *m, const struct results *results,
                                const char *const *ids, struct frame_reader *frames, struct board_written *written,
                                struct error *e)
{
    struct results_reader *reader = NULL;
    struct text t = {0};
    enum status s = results_reader_open(results, &reader) == STATUS_OK ? STATUS_OK : error_no_memory(e);

    fputs("{", out);
    for (size_t i = 0; s == STATUS_OK && i < manifest_count(m); i++) {
        struct proposal proposals[PROPOSALS_MAX];
        const struct frame_score *list = NULL;
        size_t n_frames = 0, n = 0;

        if (frames)
            s = frame_reader_next(frames, manifest_entry(m, i)->path, &list, &n_frames, e);
        if (s == STATUS_OK && outcome_has_score(results_outcome(results, i)))
            s = proposals_make(results_get(reader, i), list, n_frames, proposals, &n, e);
        else
            written->n_unscored++;
        text_append_string(&t, i > 0 ? ",\n" : "");
        append_video(&t, ids[i], proposals, n);
        if (t.failed) {
            s = error_no_memory(e);
            break;
        }
        fwrite(t.data, 1, t.len_bytes, out);
        t.len_bytes = 0;
    }
    fputs("}\n", out);
    text_clear(&t);
    results_reader_close(&reader);
    return s;
}

enum status board_write_segments(const struct manifest *m, const struct results *results, const char *run_folder,
                                 bool whole_paths, const char *path, struct board_written *ret_written, struct error *e)
{
    size_t n = manifest_count(m);
    struct board_written written = {.n = n};
    struct board_row *rows = NULL;
    const char **ids = calloc(n + 1, sizeof(*ids));
    struct frame_reader *frames = NULL;
    struct file_writer *w = NULL;
    enum status s = ids ? board_rows(BOARD_1MDF_2, m, whole_paths, &rows, e) : error_no_memory(e);

    for (size_t k = 0; s == STATUS_OK && k < n; k++)
        ids[rows[k].index] = rows[k].id;
    if (s == STATUS_OK)
        s = frame_reader_open(run_folder, &frames, e);
    if (s == STATUS_OK)
        s = file_writer_open(path, &w, e);
    if (s == STATUS_OK)
        s = write_videos(file_writer_stream(w), m, results, ids, frames, &written, e);
    if (s == STATUS_OK)
        s = file_writer_commit(&w, e);
    file_writer_discard(&w);
    frame_reader_close(&frames);
    board_rows_free(rows, n);
    free(ids);
    if (s == STATUS_OK)
        *ret_written = written;
    return s;
}
