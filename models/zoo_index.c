#include "models/zoo_index.h"

#include <stdlib.h>
#include <string.h>

#include "models/card.h"
#include "models/fields.h"
#include "shard/file.h"

#define AT(type, member)   .offset = offsetof(struct type, member)
#define TEXT(type, member) AT(type, member), .size = sizeof(((struct type *)0)->member)

/* clang-format off */

static const struct field file_fields[] = {
    {"name", FIELD_NAME, 1, 1, TEXT(zoo_file, name)},
    {"option", FIELD_TEXT, 1, 0, TEXT(zoo_file, option)},
    {"sha256", FIELD_SHA256, 1, 1, TEXT(zoo_file, sha256)},
    {"bytes", FIELD_COUNT, 1, 1, AT(zoo_file, bytes), .min = 1, .max = 1e9},
    {"licence", FIELD_BOOL, 1, 0, AT(zoo_file, licence), .late = true},
    {"npm", FIELD_FILE, 1, 0, TEXT(zoo_file, npm), .silent = true},
    {"url", FIELD_TEXT, 1, 0, TEXT(zoo_file, url), .silent = true},
    {"mirror", FIELD_FILE, 1, 0, TEXT(zoo_file, mirror), .silent = true},
    {0}};

static const struct field model_fields[] = {
    {"name", FIELD_NAME, 1, 1, TEXT(zoo_model, name)},
    {"npm_package", FIELD_TEXT, 1, 0, TEXT(zoo_model, npm_package), .silent = true},
    {"npm_version", FIELD_TEXT, 1, 0, TEXT(zoo_model, npm_version), .silent = true},
    {"licence", FIELD_TEXT, 1, 0, TEXT(zoo_model, licence), .silent = true},
    {"converter", FIELD_FILE, 1, 0, TEXT(zoo_model, converter)},
    {"files", FIELD_LIST, 1, 1, AT(zoo_model, files), .min = 1, .max = ZOO_MAX_FILES, .size = sizeof(struct zoo_file),
     .count_offset = offsetof(struct zoo_model, n_files), .fields = file_fields},
    {0}};

static const struct field index_fields[] = {
    {"format", FIELD_COUNT, 1, 1, AT(zoo_index, format), .min = 1, .max = 1},
    {"models", FIELD_LIST, 1, 1, AT(zoo_index, models), .min = 1, .max = ZOO_MAX_MODELS,
     .size = sizeof(struct zoo_model), .count_offset = offsetof(struct zoo_index, n_models), .fields = model_fields},
    {0}};

/* clang-format on */

static enum status broken(const char *path, const char *model, const char *rule, struct error *e)
{
    return error_set(e, STATUS_INVALID, "%s: %s: %s", path, model, rule);
}

/* Names of packages and options become arguments of programs: none may look like another option. */
static enum status check_model(const char *path, const struct zoo_model *m, struct error *e)
{
    bool npm = m->npm_package[0] != '\0';

    if (npm != (m->npm_version[0] != '\0'))
        return broken(path, m->name, "npm_package and npm_version stand together", e);
    if (m->npm_package[0] == '-' || m->npm_package[0] == '.' || m->npm_package[0] == '/')
        return broken(path, m->name, "npm_package is not a package's name", e);
    for (unsigned i = 0; i < m->n_files; i++) {
        const struct zoo_file *f = &m->files[i];

        if (f->npm[0] != '\0' && !npm)
            return broken(path, m->name, "files.npm without npm_package", e);
        if (f->npm[0] == '\0' && f->url[0] == '\0' && f->mirror[0] == '\0')
            return broken(path, m->name, "a file without npm, url or mirror", e);
        if (f->url[0] != '\0' && strncmp(f->url, "https://", 8) != 0)
            return broken(path, m->name, "files.url does not begin with https://", e);
        if (f->licence && f->option[0] != '\0')
            return broken(path, m->name, "a licence has no files.option", e);
        if (!f->licence && (m->converter[0] != '\0') != (strncmp(f->option, "--", 2) == 0))
            return broken(path, m->name, "files.option (--NAME) stands with a converter", e);
        if (f->sha256[0] == '\0')
            return broken(path, m->name, "files.sha256 is empty", e);
    }
    return STATUS_OK;
}

enum status zoo_index_load(const char *data_folder, struct zoo_index **ret_index, struct error *e)
{
    struct fields_reader r = {.of = 1, .of_text = "the zoo", .e = e};
    struct zoo_index *index = calloc(1, sizeof(*index));
    char *path = file_join(data_folder, "zoo.json");
    cJSON *root = NULL;
    enum status s;

    if (!index || !path) {
        s = error_no_memory(e);
        goto end;
    }
    r.path = path;
    s = json_read(path, CARD_MAX_BYTES, &root, e);
    if (s != STATUS_OK)
        goto end;
    s = cJSON_IsObject(root) ? fields_read(&r, root, "", index_fields, index)
                             : fields_wrong_type(&r, "the index", "an object", root);
    for (unsigned i = 0; s == STATUS_OK && i < index->n_models; i++) {
        s = check_model(path, &index->models[i], e);
        for (unsigned k = 0; s == STATUS_OK && k < i; k++) {
            if (strcmp(index->models[k].name, index->models[i].name) == 0)
                s = broken(path, index->models[i].name, "listed twice", e);
        }
    }
    if (s != STATUS_OK)
        goto end;
    *ret_index = index;
    index = NULL;
end:
    cJSON_Delete(root);
    free(path);
    free(index);
    return s;
}

const struct zoo_model *zoo_index_find(const struct zoo_index *index, const char *name)
{
    for (unsigned i = 0; i < index->n_models; i++) {
        if (strcmp(index->models[i].name, name) == 0)
            return &index->models[i];
    }
    return NULL;
}

static enum status hash_below(struct hasher *h, const char *folder, const char *below, const char *name,
                              struct error *e)
{
    char hex[SHA256_HEX_BYTES];
    char *inner = file_join(folder, below), *path = inner ? file_join(inner, name) : NULL;
    enum status s = path ? hash_file(path, hex, e) : error_no_memory(e);

    if (s == STATUS_OK)
        hasher_update_text(h, hex);
    free(inner);
    free(path);
    return s;
}

enum status zoo_model_hash(const struct zoo_model *m, const char *data_folder, char ret_sha256[SHA256_HEX_BYTES],
                           struct error *e)
{
    struct hasher *h = hasher_open();
    char card[96];
    enum status s;

    if (!h)
        return error_no_memory(e);
    snprintf(card, sizeof(card), "%s/card.json", m->name);
    fields_hash(h, model_fields, m);
    s = hash_below(h, data_folder, "cards", card, e);
    if (s == STATUS_OK && m->converter[0] != '\0') {
        s = hash_below(h, data_folder, "convert", m->converter, e);
        if (s == STATUS_OK)
            s = hash_below(h, data_folder, "convert", "onnx_build.py", e);
    }
    if (s == STATUS_OK)
        hasher_finish(h, ret_sha256);
    hasher_close(&h);
    return s;
}
