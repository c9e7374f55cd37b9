#include "coordinator/main_detectors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum status run_detectors_find(const char *list, struct run_detectors *ret_d, struct error *e)
{
    struct run_detectors d = {0};
    enum status s = detector_set_find(list, &d.set, e);

    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < d.set.n_columns; i++) {
        d.has_ensemble = d.has_ensemble || d.set.columns[i].ensemble;
        if (i == 0)
            continue;
        text_append_format(&d.further, "%s%s", i > 1 ? "," : "", d.set.columns[i].name);
        text_append_format(&d.further_sha256, "%s%s", i > 1 ? "," : "", d.set.columns[i].sha256);
    }
    d.first = d.set.leaves[0].card;
    if (d.further.failed || d.further_sha256.failed) {
        run_detectors_clear(&d);
        return error_no_memory(e);
    }
    *ret_d = d;
    return STATUS_OK;
}

void run_detectors_clear(struct run_detectors *d)
{
    text_clear(&d->further);
    text_clear(&d->further_sha256);
    detector_set_clear(&d->set);
    *d = (struct run_detectors){0};
}

void run_detectors_identify(const struct run_detectors *d, struct run_identity *identity)
{
    run_identity_add(identity, "detector", d->set.columns[0].name);
    run_identity_add(identity, "detector_sha256", d->set.columns[0].sha256);
    if (d->set.n_columns < 2)
        return;
    run_identity_add(identity, "further_detectors", d->further.data);
    run_identity_add(identity, "further_sha256", d->further_sha256.data);
}

static bool is_card(const char *name)
{
    size_t n = strlen(name);

    return n > 5 && strcmp(name + n - 5, ".json") == 0;
}

char *run_detectors_absolute(const char *list, struct error *e)
{
    bool is_one = access(list, F_OK) == 0;
    char *copy = strdup(list), *at = copy;
    struct text t = {0};

    while (at) {
        char *comma = is_one ? NULL : strchr(at, ','), *absolute = NULL;

        if (comma)
            *comma = '\0';
        if (is_card(at)) {
            absolute = realpath(at, NULL);
            if (!absolute) {
                error_set_errno(e, errno, "%s: cannot be found", at);
                free(copy);
                text_clear(&t);
                return NULL;
            }
        }
        text_append_format(&t, "%s%s", t.len_bytes > 0 ? "," : "", absolute ? absolute : at);
        free(absolute);
        at = comma ? comma + 1 : NULL;
    }
    if (!copy || t.failed) {
        error_no_memory(e);
        text_clear(&t);
    }
    free(copy);
    return text_take(&t);
}
