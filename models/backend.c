/* Which backends and precisions there are, by name, and what this machine can do. */
#include <string.h>

#include "models/backend_onednn.h"
#include "models/network.h"

static const char *const backend_names[] = {
    [NETWORK_BACKEND_AUTO] = "auto",
    [NETWORK_BACKEND_NATIVE] = "native",
    [NETWORK_BACKEND_OPENBLAS] = "openblas",
    [NETWORK_BACKEND_ONEDNN] = "onednn",
};

static const char *const precision_names[] = {
    [NETWORK_PRECISION_F32] = "f32",
    [NETWORK_PRECISION_BF16] = "bf16",
};

static bool find(const char *const *names, unsigned n, const char *name, unsigned *ret_index)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    return false;
}

const char *network_backend_name(enum network_backend b)
{
    return backend_names[b];
}

bool network_backend_parse(const char *name, enum network_backend *ret_b)
{
    unsigned i;

    if (!find(backend_names, sizeof(backend_names) / sizeof(backend_names[0]), name, &i))
        return false;
    *ret_b = (enum network_backend)i;
    return true;
}

const char *network_precision_name(enum network_precision p)
{
    return precision_names[p];
}

bool network_precision_parse(const char *name, enum network_precision *ret_p)
{
    unsigned i;

    if (!find(precision_names, sizeof(precision_names) / sizeof(precision_names[0]), name, &i))
        return false;
    *ret_p = (enum network_precision)i;
    return true;
}

enum network_backend network_backend_auto(void)
{
    return onednn_is_fast() ? NETWORK_BACKEND_ONEDNN : NETWORK_BACKEND_OPENBLAS;
}

enum status network_check_precision(enum network_backend b, enum network_precision p, struct error *e)
{
    if (p == NETWORK_PRECISION_F32)
        return STATUS_OK;
    if (b == NETWORK_BACKEND_AUTO)
        b = network_backend_auto();
    if (b != NETWORK_BACKEND_ONEDNN)
        return error_set(e, STATUS_UNSUPPORTED, "precision bf16 needs backend onednn, not %s", network_backend_name(b));
    if (!onednn_has_bf16())
        return error_set(e, STATUS_UNSUPPORTED, "precision bf16 needs a processor with AVX512-BF16 or AMX");
    return STATUS_OK;
}
