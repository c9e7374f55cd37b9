/* json: a whole JSON file (RFC 8259), strictly: bounded size and depth, no key twice in an object, no control
 * bytes, no \u0000, no number beyond a double. Errors name the file, the line and the column. */
#ifndef FAKESIFT_MODELS_JSON_H
#define FAKESIFT_MODELS_JSON_H

#include <stddef.h>

#include <cjson/cJSON.h>

#include "shard/status.h"

enum { JSON_MAX_DEPTH = 16, JSON_MAX_KEYS = 512, JSON_MAX_PATH = 160 };

/* *ret_root is the caller's to cJSON_Delete. STATUS_CORRUPT: not such a file; else as file_read. */
enum status json_read(const char *path, size_t max_bytes, cJSON **ret_root, struct error *e);

/* A key's path for an error; one that is too long is cut. */
void json_key(char ret_key[JSON_MAX_PATH], const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
