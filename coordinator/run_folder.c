#include "coordinator/run_folder.h"

#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/run_lock.h"
#include "shard/file.h"
#include "shard/text.h"

enum { RUN_JSON_MAX_BYTES = 16 << 20, RUN_JSON_VERSION = 1 };

struct run_folder {
    char *path, *json_path, *manifest_path, *journal_path, *lock_path;
    char fingerprint[SHA256_HEX_BYTES];
    struct run_lock *lock;
    cJSON *json;
};

void run_identity_add(struct run_identity *identity, const char *name, const char *value)
{
    if (identity->n_fields == IDENTITY_MAX_FIELDS)
        return;
    identity->fields[identity->n_fields].name = name;
    identity->fields[identity->n_fields].value = value;
    identity->n_fields++;
}

enum status run_identity_fingerprint(const struct run_identity *identity, char ret_hex[SHA256_HEX_BYTES])
{
    struct hasher *h = hasher_open();

    if (!h)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < identity->n_fields; i++) {
        hasher_update_text(h, identity->fields[i].name);
        hasher_update_text(h, identity->fields[i].value);
    }
    hasher_finish(h, ret_hex);
    hasher_close(&h);
    return STATUS_OK;
}

static enum status folder_alloc(const char *path, struct run_folder **ret_f, struct error *e)
{
    struct run_folder *f = calloc(1, sizeof(*f));

    if (!f)
        return error_no_memory(e);
    f->path = strdup(path);
    f->json_path = file_join(path, "run.json");
    f->manifest_path = file_join(path, "manifest.csv");
    f->journal_path = file_join(path, "journal");
    f->lock_path = file_join(path, "lock");
    if (!f->path || !f->json_path || !f->manifest_path || !f->journal_path || !f->lock_path) {
        run_folder_close(&f);
        return error_no_memory(e);
    }
    *ret_f = f;
    return STATUS_OK;
}

void run_folder_close(struct run_folder **f)
{
    struct run_folder *x = *f;

    if (!x)
        return;
    run_lock_release(&x->lock);
    cJSON_Delete(x->json);
    free(x->path);
    free(x->json_path);
    free(x->manifest_path);
    free(x->journal_path);
    free(x->lock_path);
    free(x);
    *f = NULL;
}

static enum status read_json(struct run_folder *f, struct error *e)
{
    char *text;
    size_t len;
    const cJSON *version, *identity, *fingerprint;
    enum status s = file_read(f->json_path, RUN_JSON_MAX_BYTES, &text, &len, e);

    if (s != STATUS_OK)
        return s;
    f->json = cJSON_ParseWithLength(text, len);
    free(text);
    version = cJSON_GetObjectItemCaseSensitive(f->json, "fakesift_run");
    identity = cJSON_GetObjectItemCaseSensitive(f->json, "identity");
    fingerprint = cJSON_GetObjectItemCaseSensitive(f->json, "fingerprint");
    if (!cJSON_IsNumber(version) || !cJSON_IsObject(identity) || !cJSON_IsString(fingerprint) ||
        strlen(fingerprint->valuestring) != SHA256_HEX_BYTES - 1)
        return error_set(e, STATUS_CORRUPT, "%s: not the run.json of a fakesift run", f->json_path);
    if (version->valueint != RUN_JSON_VERSION)
        return error_set(e, STATUS_UNSUPPORTED, "%s: version %d, this fakesift knows %d", f->json_path,
                         version->valueint, RUN_JSON_VERSION);
    snprintf(f->fingerprint, sizeof(f->fingerprint), "%s", fingerprint->valuestring);
    return STATUS_OK;
}

static enum status write_json(struct run_folder *f, struct error *e)
{
    enum status s;
    char *text = cJSON_Print(f->json);

    if (!text)
        return error_no_memory(e);
    s = file_write(f->json_path, text, strlen(text), e);
    free(text);
    return s;
}

static enum status check_identity(struct run_folder *f, const struct run_identity *identity, struct error *e)
{
    const cJSON *field;

    for (size_t i = 0; i < identity->n_fields; i++) {
        const char *name = identity->fields[i].name, *now = identity->fields[i].value;
        const char *then = run_folder_identity(f, name);

        if (strcmp(then, now) != 0)
            return error_set(e, STATUS_MISMATCH,
                             "%s: began with %s = %s, now it is %s: resume with the same, or choose another run folder",
                             f->path, name, then, now);
    }
    cJSON_ArrayForEach(field, cJSON_GetObjectItemCaseSensitive(f->json, "identity"))
    {
        bool known = false;

        for (size_t i = 0; i < identity->n_fields; i++)
            known = known || strcmp(identity->fields[i].name, field->string) == 0;
        if (!known)
            return error_set(
                e, STATUS_MISMATCH,
                "%s: began with %s = %s, now there is none: resume with the same, or choose another run folder",
                f->path, field->string, run_folder_identity(f, field->string));
    }
    return STATUS_OK;
}

static enum status begin(struct run_folder *f, const struct run_identity *identity, struct error *e)
{
    cJSON *fields;
    bool ok;

    if (run_identity_fingerprint(identity, f->fingerprint) != STATUS_OK)
        return error_no_memory(e);
    f->json = cJSON_CreateObject();
    ok = cJSON_AddNumberToObject(f->json, "fakesift_run", RUN_JSON_VERSION) &&
         cJSON_AddStringToObject(f->json, "fingerprint", f->fingerprint) &&
         cJSON_AddStringToObject(f->json, "detector_worth", identity->detector_worth);
    if (ok && identity->detector_card) {
        cJSON *card = cJSON_Parse(identity->detector_card);

        ok = card && cJSON_AddItemToObject(f->json, "detector_card", card);
        if (!ok)
            cJSON_Delete(card);
    }
    fields = cJSON_AddObjectToObject(f->json, "identity");
    for (size_t i = 0; i < identity->n_fields; i++)
        ok = ok && cJSON_AddStringToObject(fields, identity->fields[i].name, identity->fields[i].value);
    ok = ok && cJSON_AddArrayToObject(f->json, "executions");
    return ok ? write_json(f, e) : error_no_memory(e);
}

/* A folder of somebody's other files must not become a run by a slip of the hand. */
static enum status check_empty(const char *path, struct error *e)
{
    enum status s = STATUS_OK;
    struct dirent *d;
    DIR *dir = opendir(path);

    if (!dir)
        return error_set_errno(e, errno, "%s: cannot list", path);
    while (s == STATUS_OK && (d = readdir(dir))) {
        if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 && strcmp(d->d_name, "lock") != 0 &&
            strcmp(d->d_name, "run.json.partial") != 0 && strcmp(d->d_name, "journal") != 0 &&
            strcmp(d->d_name, "slurm") != 0)
            s = error_set(e, STATUS_INVALID, "%s: holds %s and no run.json: not a run, and not empty", path, d->d_name);
    }
    closedir(dir);
    return s;
}

enum status run_folder_open(const char *path, const struct run_identity *identity, struct run_folder **ret_f,
                            struct error *e)
{
    struct run_folder *f = NULL;
    bool exists;
    enum status s = file_make_folder(path, e);

    if (s == STATUS_OK)
        s = folder_alloc(path, &f, e);
    if (s != STATUS_OK)
        return s;
    exists = access(f->json_path, F_OK) == 0;
    if (!exists)
        s = check_empty(path, e);
    if (s == STATUS_OK)
        s = run_lock_take(f->lock_path, NULL, &f->lock, e);
    if (s == STATUS_OK)
        s = run_lock_keep(f->lock, e);
    /* Looked at again: another job may have begun the run between. */
    exists = exists || access(f->json_path, F_OK) == 0;
    if (s == STATUS_OK && !exists)
        s = begin(f, identity, e);
    else if (s == STATUS_OK)
        s = read_json(f, e);
    if (s == STATUS_OK && exists)
        s = check_identity(f, identity, e);
    if (s != STATUS_OK) {
        run_folder_close(&f);
        return s;
    }
    *ret_f = f;
    return STATUS_OK;
}

enum status run_folder_open_readonly(const char *path, struct run_folder **ret_f, struct error *e)
{
    struct run_folder *f = NULL;
    enum status s = folder_alloc(path, &f, e);

    if (s != STATUS_OK)
        return s;
    s = read_json(f, e);
    if (s == STATUS_NOT_FOUND)
        error_set(e, s, "%s: no run there (it has no run.json)", path);
    if (s != STATUS_OK) {
        run_folder_close(&f);
        return s;
    }
    *ret_f = f;
    return STATUS_OK;
}

const char *run_folder_path(const struct run_folder *f)
{
    return f->path;
}

const char *run_folder_manifest_path(const struct run_folder *f)
{
    return f->manifest_path;
}

const char *run_folder_journal_path(const struct run_folder *f)
{
    return f->journal_path;
}

const char *run_folder_fingerprint(const struct run_folder *f)
{
    return f->fingerprint;
}

const char *run_folder_identity(const struct run_folder *f, const char *name)
{
    const cJSON *identity = cJSON_GetObjectItemCaseSensitive(f->json, "identity");
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(identity, name);

    return cJSON_IsString(field) ? field->valuestring : "";
}

const char *run_folder_worth(const struct run_folder *f)
{
    const cJSON *worth = cJSON_GetObjectItemCaseSensitive(f->json, "detector_worth");

    return cJSON_IsString(worth) ? worth->valuestring : "";
}

char *run_folder_card_json(const struct run_folder *f)
{
    const cJSON *card = cJSON_GetObjectItemCaseSensitive(f->json, "detector_card");

    return cJSON_IsObject(card) ? cJSON_Print(card) : NULL;
}

char *run_folder_identity_json(const struct run_folder *f)
{
    return cJSON_Print(cJSON_GetObjectItemCaseSensitive(f->json, "identity"));
}

char *run_folder_execution_json(const struct run_folder *f)
{
    char *text = NULL;
    cJSON *o = cJSON_CreateObject();
    cJSON *executions = cJSON_GetObjectItemCaseSensitive(f->json, "executions");

    if (o && cJSON_AddItemReferenceToObject(o, "executions", executions))
        text = cJSON_Print(o);
    cJSON_Delete(o);
    return text;
}

static bool add_damages(cJSON *execution, const struct journal_summary *journal)
{
    cJSON *o = cJSON_AddObjectToObject(execution, "journal");
    cJSON *list;
    bool ok = o && cJSON_AddNumberToObject(o, "segments", (double)journal->n_segments) &&
              cJSON_AddNumberToObject(o, "records", (double)journal->n_records) &&
              cJSON_AddNumberToObject(o, "torn_ends", (double)journal->n_torn) &&
              cJSON_AddNumberToObject(o, "damaged_stretches", (double)journal->n_corrupt);

    list = ok ? cJSON_AddArrayToObject(o, "damages") : NULL;
    for (unsigned i = 0; list && i < journal->n_named; i++) {
        const struct journal_damage *x = &journal->damages[i];
        cJSON *item = cJSON_CreateObject();

        if (!cJSON_AddItemToArray(list, item)) {
            cJSON_Delete(item);
            return false;
        }
        ok = ok && cJSON_AddStringToObject(item, "segment", x->segment) &&
             cJSON_AddNumberToObject(item, "byte", (double)x->at_byte) &&
             cJSON_AddNumberToObject(item, "bytes", (double)x->len_bytes) &&
             cJSON_AddBoolToObject(item, "torn", x->torn);
    }
    return ok && list;
}

static bool add_use(cJSON *o, const struct run_execution *x)
{
    const struct run_use *u = &x->use;
    cJSON *use = cJSON_AddObjectToObject(o, "lane_seconds"), *slow = cJSON_AddArrayToObject(o, "slowest");
    bool ok = use && slow && cJSON_AddNumberToObject(use, "available", u->available_lane_s) &&
              cJSON_AddNumberToObject(use, "busy", u->busy_lane_s) &&
              cJSON_AddNumberToObject(use, "idle", u->idle_lane_s) && cJSON_AddNumberToObject(use, "tail", u->tail_s) &&
              cJSON_AddNumberToObject(use, "tail_idle", u->tail_idle_lane_s) &&
              cJSON_AddNumberToObject(o, "efficiency", u->efficiency) &&
              cJSON_AddNumberToObject(o, "core_hours_per_1000_videos", u->core_hours_per_1000);

    for (size_t k = 0; ok && k < x->n_slow; k++) {
        cJSON *item = cJSON_CreateObject();
        struct text path = {0};

        /* JSON is UTF-8, a path is any bytes. */
        text_append_utf8(&path, x->slow[k].path);
        ok = item && !path.failed && cJSON_AddStringToObject(item, "path", path.data ? path.data : "") &&
             cJSON_AddStringToObject(item, "outcome", x->slow[k].outcome) &&
             cJSON_AddNumberToObject(item, "wall_s", (double)x->slow[k].wall_us / 1e6) &&
             cJSON_AddItemToArray(slow, item);
        text_clear(&path);
        if (!ok)
            cJSON_Delete(item);
    }
    return ok;
}

enum status run_folder_add_execution(struct run_folder *f, const struct run_execution *x, struct error *e)
{
    cJSON *executions = cJSON_GetObjectItemCaseSensitive(f->json, "executions");
    cJSON *o = cJSON_CreateObject();
    bool ok = executions && o && cJSON_AddStringToObject(o, "version", x->version) &&
              cJSON_AddNumberToObject(o, "start_unix_s", (double)x->start_unix_s) &&
              cJSON_AddNumberToObject(o, "wall_s", x->wall_s) && cJSON_AddStringToObject(o, "host", x->host_name) &&
              cJSON_AddStringToObject(o, "cpu", x->cpu) && cJSON_AddStringToObject(o, "job", x->job_id) &&
              cJSON_AddStringToObject(o, "sandbox", x->sandbox) && cJSON_AddNumberToObject(o, "ranks", x->n_ranks) &&
              cJSON_AddNumberToObject(o, "lanes", x->n_lanes) &&
              cJSON_AddNumberToObject(o, "videos_decided", (double)x->n_units_decided) &&
              cJSON_AddNumberToObject(o, "frames_decoded", (double)x->n_frames) &&
              cJSON_AddStringToObject(o, "end", x->end) && (!x->journal || add_damages(o, x->journal)) && add_use(o, x);

    if (!ok || !cJSON_AddItemToArray(executions, o)) {
        cJSON_Delete(o);
        return error_no_memory(e);
    }
    return write_json(f, e);
}

bool run_folder_is_held(const struct run_folder *f, char *ret_holder, size_t room_bytes)
{
    return run_lock_is_held(f->lock_path, NULL, ret_holder, room_bytes);
}

bool run_folder_is_lost(const struct run_folder *f)
{
    return f->lock && run_lock_is_lost(f->lock);
}
