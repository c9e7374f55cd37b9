#include "models/zoo_licence.h"

#include <stdlib.h>
#include <string.h>

#include "models/json.h"
#include "models/zoo_source.h"
#include "shard/file.h"

enum { PACKAGE_JSON_MAX_BYTES = 1 << 20 };

bool zoo_licence_is_permissive(const char *spdx)
{
    static const char *const permissive[] = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0",
                                             "ISC",  "MIT",        "Unlicense",    "Zlib",         NULL};

    for (const char *const *p = permissive; *p; p++) {
        if (strcmp(*p, spdx) == 0)
            return true;
    }
    return false;
}

static bool has_text(const struct zoo_model *m)
{
    for (unsigned i = 0; i < m->n_files; i++) {
        if (m->files[i].licence)
            return true;
    }
    return false;
}

enum status zoo_licence_check(const struct zoo_model *m, bool accepted, FILE *out, struct error *e)
{
    if (m->licence[0] == '\0')
        return STATUS_OK;
    fprintf(out, "%s: licence %s\n", m->name, m->licence);
    if (accepted || zoo_licence_is_permissive(m->licence))
        return STATUS_OK;
    return error_set(e, STATUS_INVALID,
                     "%s: its licence, %s, is not a permissive one: read https://spdx.org/licenses/%s.html, then give "
                     "--accept-licence",
                     m->name, m->licence, m->licence);
}

enum status zoo_licence_of_package(const struct zoo_model *m, const char *package_json, struct error *e)
{
    cJSON *root = NULL;
    const cJSON *stated;
    enum status s;

    if (m->licence[0] == '\0')
        return STATUS_OK;
    s = json_read(package_json, PACKAGE_JSON_MAX_BYTES, &root, e);
    if (s != STATUS_OK)
        return s;
    stated = cJSON_GetObjectItemCaseSensitive(root, "license");
    if (!cJSON_IsString(stated) || strcmp(stated->valuestring, m->licence) != 0)
        s = error_set(
            e, STATUS_MISMATCH, "%s@%s: its package.json states the licence %.60s, but %s is wanted; not installed",
            m->npm_package, m->npm_version, cJSON_IsString(stated) ? stated->valuestring : "(none)", m->licence);
    cJSON_Delete(root);
    return s;
}

enum status zoo_licence_write(const struct zoo_model *m, const char *folder, struct error *e)
{
    char *path, *line;
    enum status s = STATUS_OK;

    if (m->licence[0] == '\0' || has_text(m))
        return STATUS_OK;
    path = file_join(folder, "licence.txt");
    line = m->npm_package[0] != '\0'
               ? zoo_path("%s, as package.json of the npm package %s %s states it; its text: "
                          "https://spdx.org/licenses/%s.html\n",
                          m->licence, m->npm_package, m->npm_version, m->licence)
               : zoo_path("%s; its text: https://spdx.org/licenses/%s.html\n", m->licence, m->licence);
    s = path && line ? file_write(path, line, strlen(line), e) : error_no_memory(e);
    free(path);
    free(line);
    return s;
}
