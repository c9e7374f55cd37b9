/* Any bytes into both unpackers. What is accepted must keep every rule (packing checks them) and come back
 * the same. */
#include <stdlib.h>
#include <string.h>

#include "shard/wire.h"

static void require(bool what)
{
    if (!what)
        abort();
}

static void fuzz_message(const uint8_t *data, size_t len)
{
    struct message m, again;
    uint8_t *first = NULL, *second = NULL;
    size_t len_first = 0, len_second = 0;

    if (message_unpack(data, len, &m) != STATUS_OK)
        return;
    require(message_pack(&m, &first, &len_first) == STATUS_OK);
    require(message_unpack(first, len_first, &again) == STATUS_OK);
    require(message_pack(&again, &second, &len_second) == STATUS_OK);
    require(len_first == len_second && memcmp(first, second, len_first) == 0);
    message_clear(&m);
    message_clear(&again);
    free(first);
    free(second);
}

static void fuzz_result(const uint8_t *data, size_t len)
{
    struct result r, again;
    uint8_t *first = NULL, *second = NULL;
    size_t len_first = 0, len_second = 0;

    if (result_unpack(data, len, &r) != STATUS_OK)
        return;
    require(result_pack(&r, &first, &len_first) == STATUS_OK);
    require(result_unpack(first, len_first, &again) == STATUS_OK);
    require(result_pack(&again, &second, &len_second) == STATUS_OK);
    require(len_first == len_second && memcmp(first, second, len_first) == 0);
    result_clear(&r);
    result_clear(&again);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len); /* libFuzzer has no header for it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fuzz_message(data, len);
    fuzz_result(data, len);
    return 0;
}
