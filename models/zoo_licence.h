/* zoo_licence: the licence of what is fetched: told, checked against what its package states, kept beside the networks.
 * Internal to models. */
#ifndef FAKESIFT_MODELS_ZOO_LICENCE_H
#define FAKESIFT_MODELS_ZOO_LICENCE_H

#include <stdio.h>

#include "models/zoo_index.h"

/* Whether an SPDX identifier is of a licence that asks for no more than to be passed on with its text. */
bool zoo_licence_is_permissive(const char *spdx);
/* Tells m's licence. STATUS_INVALID: not permissive and not accepted. */
enum status zoo_licence_check(const struct zoo_model *m, bool accepted, FILE *out, struct error *e);
/* That an npm package's package.json states m's licence. */
enum status zoo_licence_of_package(const struct zoo_model *m, const char *package_json, struct error *e);
/* Where no licence's text came with m's files: folder/licence.txt, a line that names the licence and who states it. */
enum status zoo_licence_write(const struct zoo_model *m, const char *folder, struct error *e);

#endif
