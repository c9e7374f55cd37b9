/* zoo_index: models/zoo.json, the known models and where their files come from. Internal to models. */
#ifndef FAKESIFT_MODELS_ZOO_INDEX_H
#define FAKESIFT_MODELS_ZOO_INDEX_H

#include <stddef.h>

#include "shard/hash.h"
#include "shard/status.h"

enum { ZOO_MAX_FILES = 8, ZOO_MAX_MODELS = 64 };

/* A source file. At least one of npm, url and mirror is given. */
struct zoo_file {
    char name[128];
    char option[32]; /* of the converter, such as "--weights"; "" without a converter: the file is the network
                      */
    char sha256[SHA256_HEX_BYTES];
    unsigned bytes;
    bool licence;     /* a licence or notice: kept beside the networks, not given to the converter */
    char npm[256];    /* path in the package */
    char url[512];    /* https */
    char mirror[256]; /* path below $FAKESIFT_ZOO_MIRROR */
};

struct zoo_model {
    char name[64];
    char npm_package[128], npm_version[32];
    char licence[64];    /* SPDX; "" = the card's word alone. An npm package must state the same in its package.json */
    char converter[128]; /* in models/convert; "" = none */
    struct zoo_file files[ZOO_MAX_FILES];
    unsigned n_files;
};

struct zoo_index {
    unsigned format;
    struct zoo_model models[ZOO_MAX_MODELS];
    unsigned n_models;
};

/* Of the data folder. *ret_index is the caller's to free(). */
enum status zoo_index_load(const char *data_folder, struct zoo_index **ret_index, struct error *e);
const struct zoo_model *zoo_index_find(const struct zoo_index *index, const char *name);

/* Everything that decides what an installation of m holds: its entry, card and converter. */
enum status zoo_model_hash(const struct zoo_model *m, const char *data_folder, char ret_sha256[SHA256_HEX_BYTES],
                           struct error *e);

#endif
