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

/* Beyond this many videos, an index whose order is not the manifest's costs as much as all else, and nobody looks for the
 * scored ones among the outcomes. */
enum { MAX_WHOLE_INDEXES = 1000000 };

struct database {
    char *path, *partial_path;
    bool made; /* the partial file is there, perhaps */
    sqlite3 *db;
    sqlite3_stmt *insert, *insert_clip;
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
    size_t len = strlen(text);

    if (utf8_is_valid(text))
        sqlite3_bind_text64(d->insert, column, text, len, SQLITE_STATIC, SQLITE_UTF8);
    else
        sqlite3_bind_blob64(d->insert, column, text, len, SQLITE_STATIC);
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

static void bind_video(struct database *d, size_t i, const struct manifest_entry *entry, const struct result *r)
{
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
    bind_known_text(d, 36, entry->method);
    bind_known_text(d, 37, entry->fake_segments);
}

static enum status insert_clip(struct database *d, size_t i, const struct clip_score *clip, struct error *e)
{
    sqlite3_stmt *s = d->insert_clip;

    sqlite3_bind_int64(s, 1, (int64_t)i);
    sqlite3_bind_int64(s, 2, clip->track);
    sqlite3_bind_int64(s, 3, clip->clip);
    sqlite3_bind_int64(s, 4, clip->start_us);
    sqlite3_bind_int64(s, 5, clip->end_us);
    sqlite3_bind_int64(s, 6, clip->n_frames);
    sqlite3_bind_double(s, 7, clip->p_fake);
    if (sqlite3_step(s) != SQLITE_DONE)
        return fail(d, e);
    sqlite3_reset(s);
    return STATUS_OK;
}

static enum status insert_videos(struct database *d, const struct report_input *in, const atomic_bool *stop,
                                 struct error *e)
{
    size_t n = manifest_count(in->manifest);
    enum status s = prepare(d,
                            "INSERT INTO video VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,"
                            "?,?,?,?,?,?)",
                            e);

    if (s == STATUS_OK &&
        sqlite3_prepare_v2(d->db, "INSERT INTO clip VALUES (?,?,?,?,?,?,?)", -1, &d->insert_clip, NULL) != SQLITE_OK)
        s = fail(d, e);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        const struct result *r = results_get(d->reader, i);

        if (i % 4096 == 0 && atomic_load(stop))
            return error_set(e, STATUS_BUSY, "%s: given up", d->partial_path);
        bind_video(d, i, manifest_entry(in->manifest, i), r);
        s = step(d, e);
        for (size_t k = 0; s == STATUS_OK && k < r->n_clips; k++)
            s = insert_clip(d, i, &r->clips[k], e);
    }
    return s;
}

/* The scores of every detector, the first one's too; nothing where there is one. */
static enum status insert_scores(struct database *d, const struct report_input *in, const atomic_bool *stop,
                                 struct error *e)
{
    struct detector_names further;
    enum status s;

    detector_names_split(in->further_detectors, &further);
    if (further.n == 0)
        return STATUS_OK;
    s = run_sql(d,
                "CREATE TABLE score (video_id INTEGER NOT NULL REFERENCES video(id), detector TEXT NOT NULL,"
                " outcome TEXT NOT NULL, p_fake REAL, message TEXT, PRIMARY KEY (video_id, detector)) WITHOUT ROWID",
                e);
    if (s == STATUS_OK)
        s = prepare(d, "INSERT INTO score VALUES (?,?,?,?,?)", e);
    for (size_t i = 0; s == STATUS_OK && i < manifest_count(in->manifest); i++) {
        const struct result *r = results_get(d->reader, i);

        if (i % 4096 == 0 && atomic_load(stop))
            return error_set(e, STATUS_BUSY, "%s: given up", d->partial_path);
        for (size_t k = 0; s == STATUS_OK && k <= further.n; k++) {
            struct member_score score = {r->outcome, r->p_fake, r->message};

            if (k > 0)
                score = results_member(in->results, i, k - 1);
            sqlite3_bind_int64(d->insert, 1, (int64_t)i);
            bind_text(d, 2, k > 0 ? further.list[k - 1] : in->detector_name ? in->detector_name : "");
            bind_text(d, 3, outcome_name(score.outcome));
            if (outcome_has_score(score.outcome))
                sqlite3_bind_double(d->insert, 4, score.p_fake);
            bind_known_text(d, 5, score.message);
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

void results_sqlite_abandon(struct database **d)
{
    struct database *x = *d;

    if (!x)
        return;
    sqlite3_finalize(x->insert);
    sqlite3_finalize(x->insert_clip);
    sqlite3_close(x->db);
    if (x->partial_path && x->made)
        unlink(x->partial_path);
    results_reader_close(&x->reader);
    free(x->partial_path);
    free(x->path);
    free(x);
    *d = NULL;
}

static enum status open_database(const struct report_input *in, const char *path, struct database *d, struct error *e)
{
    d->path = strdup(path);
    if (!d->path || asprintf(&d->partial_path, "%s.partial", path) < 0) {
        d->partial_path = NULL;
        return error_no_memory(e);
    }
    if (results_reader_open(in->results, &d->reader) != STATUS_OK)
        return error_no_memory(e);
    /* What a killed run left there; SQLite would open it. */
    if (unlink(d->partial_path) != 0 && errno != ENOENT)
        return error_set_errno(e, errno, "%s: cannot remove", d->partial_path);
    d->made = true;
    /* Counting its memory costs a lock an allocation. Refused, and no matter, once SQLite has begun. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    if (sqlite3_open_v2(d->partial_path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK)
        return d->db ? fail(d, e) : error_no_memory(e);
    /* A crash leaves a partial file that nobody reads, so no journal is needed; sync_file does the one sync. What an
     * index sorts stays in memory, since SQLite's other place for it is outside the run's folder. */
    return run_sql(d,
                   "PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                   "PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY; BEGIN",
                   e);
}

enum status results_sqlite_begin(const struct report_input *in, const char *path, const atomic_bool *stop,
                                 struct database **ret_d, struct error *e)
{
    struct database *d = calloc(1, sizeof(*d));
    enum status s = d ? open_database(in, path, d, e) : error_no_memory(e);

    if (s == STATUS_OK)
        s = run_sql(d, schema_sql, e);
    if (s == STATUS_OK)
        s = insert_videos(d, in, stop, e);
    if (s == STATUS_OK)
        s = insert_scores(d, in, stop, e);
    /* Indexes after the rows: one sort instead of as many look-ups as rows. */
    if (s == STATUS_OK)
        s = run_sql(d,
                    "CREATE UNIQUE INDEX video_path ON video(path);"
                    "CREATE INDEX clip_video ON clip(video_id, track, clip)",
                    e);
    if (s == STATUS_OK)
        s = run_sql(d,
                    manifest_count(in->manifest) <= MAX_WHOLE_INDEXES
                        ? "CREATE INDEX video_outcome ON video(outcome);"
                          "CREATE INDEX video_label_p_fake ON video(label, p_fake)"
                        : "CREATE INDEX video_outcome ON video(outcome) WHERE p_fake IS NULL",
                    e);
    if (s != STATUS_OK) {
        results_sqlite_abandon(&d);
        return s;
    }
    *ret_d = d;
    return STATUS_OK;
}

enum status results_sqlite_finish(struct database **d, const struct report_model *m, struct error *e)
{
    struct database *x = *d;
    enum status s = insert_run(x, m, e);

    if (s == STATUS_OK)
        s = run_sql(x, "COMMIT", e);
    sqlite3_finalize(x->insert);
    sqlite3_finalize(x->insert_clip);
    x->insert = x->insert_clip = NULL;
    if (s == STATUS_OK && sqlite3_close(x->db) != SQLITE_OK)
        s = error_set(e, STATUS_BUG, "%s: a statement was left open", x->partial_path);
    else if (s == STATUS_OK)
        x->db = NULL;
    if (s == STATUS_OK)
        s = sync_file(x->partial_path, e);
    if (s == STATUS_OK && rename(x->partial_path, x->path) != 0)
        s = error_set_errno(e, errno, "%s: cannot rename to it", x->path);
    x->made = s != STATUS_OK;
    results_sqlite_abandon(d);
    return s;
}
