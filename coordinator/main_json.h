/* main_json: pieces of the JSON that fakesift eval and fakesift compare write. Names are any bytes; JSON gets UTF-8. Out of
 * memory is seen once, at the end: an object that lacks a piece is a NULL further up. */
#ifndef FAKESIFT_COORDINATOR_MAIN_JSON_H
#define FAKESIFT_COORDINATOR_MAIN_JSON_H

#include <cjson/cJSON.h>

#include "coordinator/evaluate/metrics.h"

/* A JSON tree in the making. failed: some piece could not be had. */
struct json {
    cJSON *root;
    bool failed;
};

cJSON *json_object(struct json *j, cJSON *parent, const char *key); /* key NULL: into an array */
cJSON *json_array(struct json *j, cJSON *parent, const char *key);
void json_text(struct json *j, cJSON *parent, const char *key, const char *value);
void json_number(struct json *j, cJSON *parent, const char *key, double value); /* null unless finite */
void json_bool(struct json *j, cJSON *parent, const char *key, bool value);
/* {"low":..,"high":..} or {"undefined":"why"} */
void json_interval(struct json *j, cJSON *parent, const char *key, const struct interval *i);
/* n, n_real, n_fake, each figure with its bootstrap interval, and DeLong's. */
void json_metrics(struct json *j, cJSON *parent, const struct metrics *m);
/* Writes it to path and frees the tree. */
enum status json_write(struct json *j, const char *path, struct error *e);

#endif
