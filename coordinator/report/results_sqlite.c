/* results.sqlite: the results for queries. Written in one transaction to a partial file, then renamed, so a
 * reader never sees half of it. docs/REPORT.md describes the schema.
 *
 * Names are bytes. Text that is UTF-8 is bound as TEXT; other bytes are bound as BLOB, unchanged, because
 * SQLite's text functions are undefined on them. typeof(path) tells which. */
#include "coordinator/report/model.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/report/embedded.h"

struct database {
    char *partial_path;
    sqlite3 *db;
    sqlite3_stmt *insert;
    struct results_reader *reader; /* its own: it works beside the other writers */
};

static enum status fail(const struct database *d, struct error *e)
{
    int code = sqlite3_errcode(d->db);
    enum status s = code == SQLITE_NOMEM ? STATUS_NO_MEMORY : code == SQLITE_FULL ? STATUS_NO_SPACE : STATUS_IO;

    return error_set(e, s, "%s: %s", d->partial_path, sqlite3_errmsg(d->db));
}

static enum status run_sql(const struct database *d, const char *sql, struct error *e)
{
    return sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK ? STATUS_OK : fail(d, e);
}

static enum status prepare(struct database *d, const char *sql, struct error *e)
{
    sqlite3_finalize(d->insert);
    d->insert = NULL;
    return sqlite3_prepare_v2(d->db, sql, -1, &d->insert, NULL) == SQLITE_OK ? STATUS_OK : fail(d, e);
}

/* A failed bind leaves NULL and shows when the row breaks its table's rules, or as no memory at the step. */
static void bind_text(struct database *d, int column, const char *text)
{
    if (utf8_is_valid(text))
        sqlite3_bind_text(d->insert, column, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_blob64(d->insert, column, text, strlen(text), SQLITE_STATIC);
}

/* "" = unknown = NULL. */
static void bind_known_text(struct database *d, int column, const char *text)
{
    if (text[0] != '\0')
        bind_text(d, column, text);
}

static void bind_known(struct database *d, int column, bool is_known, int64_t value)
{
    if (is_known)
        sqlite3_bind_int64(d->insert, column, value);
}

static enum status step(struct database *d, struct error *e)
{
    if (sqlite3_step(d->insert) != SQLITE_DONE)
        return fail(d, e);
    sqlite3_reset(d->insert);
    sqlite3_clear_bindings(d->insert);
    return STATUS_OK;
}

static enum status insert_run(struct database *d, const struct report_model *m, struct error *e)
{
    const struct report_input *in = m->in;
    const struct {
        const char *key, *text;
        size_t number;
    } rows[] = {
        {"format", "1", 0},
        {"detector", in->detector_name ? in->detector_name : "", 0},
        {"protocol", in->protocol_json ? in->protocol_json : "{}", 0},
        {"execution", in->execution_json ? in->execution_json : "{}", 0},
        {"layout", manifest_layout(in->manifest), 0},
        {"manifest_sha256", m->manifest_sha256, 0},
        {"n_videos", NULL, m->n},
        {"n_decided", NULL, m->tally.n_decided},
        {"n_scored", NULL, m->tally.n_scored},
    };
    enum status s = prepare(d, "INSERT INTO run VALUES (?, ?)", e);

    for (size_t k = 0; s == STATUS_OK && k < sizeof(rows) / sizeof(rows[0]); k++) {
        bind_text(d, 1, rows[k].key);
        if (rows[k].text)
            bind_text(d, 2, rows[k].text);
        else
            sqlite3_bind_int64(d->insert, 2, (int64_t)rows[k].number);
        s = step(d, e);
    }
    return s;
}

static void bind_facts(struct database *d, int column, const struct video_facts *facts)
{
    bool has_stream = facts->codec[0] != '\0';

    bind_known_text(d, column++, facts->container);
    bind_known_text(d, column++, facts->codec);
    bind_known_text(d, column++, facts->pixel_format);
    bind_known_text(d, column++, facts->encoder);
    bind_known(d, column++, facts->width_px > 0, facts->width_px);
    bind_known(d, column++, facts->height_px > 0, facts->height_px);
    bind_known(d, column++, has_stream, facts->rotation_deg);
    if (facts->fps_num > 0 && facts->fps_den > 0)
        sqlite3_bind_double(d->insert, column, (double)facts->fps_num / facts->fps_den);
    column++;
    bind_known(d, column++, facts->duration_us > 0, facts->duration_us);
    bind_known(d, column++, facts->n_frames > 0, facts->n_frames);
    bind_known(d, column++, facts->bit_rate_bps > 0, facts->bit_rate_bps);
    bind_known(d, column++, has_stream, facts->n_audio_streams);
}

static enum status insert_videos(struct database *d, const struct report_model *m, struct error *e)
{
    enum status s = prepare(d,
                            "INSERT INTO video VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
                            "?,?,?,?)",
                            e);

    for (size_t i = 0; s == STATUS_OK && i < m->n; i++) {
        const struct manifest_entry *entry = manifest_entry(m->in->manifest, i);
        const struct result *r = results_get(d->reader, i);
        bool decided = r->outcome != OUTCOME_UNDECIDED;

        sqlite3_bind_int64(d->insert, 1, (int64_t)i);
        bind_text(d, 2, entry->path);
        bind_known_text(d, 3, label_name(entry->label));
        bind_known_text(d, 4, entry->split);
        bind_known_text(d, 5, entry->family);
        bind_known_text(d, 6, entry->original);
        bind_known_text(d, 7, entry->identity);
        bind_known_text(d, 8, entry->group);
        bind_text(d, 9, outcome_name(r->outcome));
        if (outcome_has_score(r->outcome))
            sqlite3_bind_double(d->insert, 10, r->p_fake);
        bind_known_text(d, 11, r->message);
        bind_known(d, 12, decided, r->n_frames_wanted);
        bind_known(d, 13, decided, r->n_frames_decoded);
        bind_known(d, 14, decided, r->n_frames_with_face);
        bind_known(d, 15, decided, r->n_tracks);
        bind_known(d, 16, decided, (int64_t)r->n_clips);
        bind_facts(d, 17, model_facts(entry, r));
        bind_known(d, 29, entry->exists, (int64_t)entry->size_bytes);
        bind_known(d, 30, decided, r->attempt);
        bind_known(d, 31, decided, r->rank);
        bind_known(d, 32, decided, r->wall_us);
        bind_known(d, 33, decided, r->decode_us);
        bind_known(d, 34, decided, r->face_us);
        bind_known(d, 35, decided, r->network_us);
        s = step(d, e);
    }
    return s;
}

static enum status insert_clips(struct database *d, const struct report_model *m, struct error *e)
{
    enum status s = prepare(d, "INSERT INTO clip VALUES (?,?,?,?,?,?,?)", e);

    for (size_t i = 0; s == STATUS_OK && i < m->n; i++) {
        const struct result *r = results_get(d->reader, i);

        for (size_t k = 0; s == STATUS_OK && k < r->n_clips; k++) {
            const struct clip_score *clip = &r->clips[k];

            sqlite3_bind_int64(d->insert, 1, (int64_t)i);
            sqlite3_bind_int64(d->insert, 2, clip->track);
            sqlite3_bind_int64(d->insert, 3, clip->clip);
            sqlite3_bind_int64(d->insert, 4, clip->start_us);
            sqlite3_bind_int64(d->insert, 5, clip->end_us);
            sqlite3_bind_int64(d->insert, 6, clip->n_frames);
            sqlite3_bind_double(d->insert, 7, clip->p_fake);
            s = step(d, e);
        }
    }
    return s;
}

static enum status sync_file(const char *path, struct error *e)
{
    enum status s = STATUS_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        s = error_set_errno(e, errno, "%s: cannot sync", path);
    if (fd >= 0)
        close(fd);
    return s;
}

enum status results_sqlite_write(const struct report_model *m, const char *path, struct error *e)
{
    struct database d = {0};
    enum status s = STATUS_OK;

    if (asprintf(&d.partial_path, "%s.partial", path) < 0)
        return error_no_memory(e);
    /* What a killed run left there; SQLite would open it. */
    if (unlink(d.partial_path) != 0 && errno != ENOENT) {
        s = error_set_errno(e, errno, "%s: cannot remove", d.partial_path);
        goto end;
    }
    if (sqlite3_open_v2(d.partial_path, &d.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK) {
        s = d.db ? fail(&d, e) : error_no_memory(e);
        goto end;
    }
    if (results_reader_open(m->in->results, &d.reader) != STATUS_OK) {
        s = error_no_memory(e);
        goto end;
    }
    /* A crash leaves a partial file that nobody reads, so no journal is needed; sync_file does the one sync.
     */
    s = run_sql(&d, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN", e);
    if (s == STATUS_OK)
        s = run_sql(&d, schema_sql, e);
    if (s == STATUS_OK)
        s = insert_run(&d, m, e);
    if (s == STATUS_OK)
        s = insert_videos(&d, m, e);
    if (s == STATUS_OK)
        s = insert_clips(&d, m, e);
    /* Indexes after the rows: one sort instead of as many look-ups as rows. */
    if (s == STATUS_OK)
        s = run_sql(&d,
                    "CREATE UNIQUE INDEX video_path ON video(path);"
                    "CREATE INDEX video_outcome ON video(outcome);"
                    "CREATE INDEX video_label_p_fake ON video(label, p_fake);"
                    "CREATE INDEX clip_video ON clip(video_id, track, clip);"
                    "COMMIT",
                    e);
    sqlite3_finalize(d.insert);
    if (sqlite3_close(d.db) != SQLITE_OK && s == STATUS_OK)
        s = error_set(e, STATUS_BUG, "%s: a statement was left open", d.partial_path);
    d.db = NULL;
    if (s == STATUS_OK)
        s = sync_file(d.partial_path, e);
    if (s == STATUS_OK && rename(d.partial_path, path) != 0)
        s = error_set_errno(e, errno, "%s: cannot rename to it", path);
    if (s != STATUS_OK)
        unlink(d.partial_path);
end:
    results_reader_close(&d.reader);
    sqlite3_close(d.db);
    free(d.partial_path);
    return s;
}
