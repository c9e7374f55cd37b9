/* clusters: which videos of a manifest depend on each other, since they show the same. */
#ifndef FAKESIFT_COORDINATOR_REPORT_CLUSTERS_H
#define FAKESIFT_COORDINATOR_REPORT_CLUSTERS_H

#include "shard/manifest.h"

/* cluster[i] for each entry of the manifest: the index of one entry that stands for all that
 * depend on each other. *ret_any: some entry states an original, an identity, a group. */
enum status clusters_by_original(const struct manifest *m, uint32_t *cluster, bool *ret_any, struct error *e);
enum status clusters_by_identity(const struct manifest *m, uint32_t *cluster, bool *ret_any, struct error *e);
enum status clusters_by_group(const struct manifest *m, uint32_t *cluster, bool *ret_any, struct error *e);

#endif
