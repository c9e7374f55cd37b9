#include "shard/channel.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct channel *open_alone(void)
{
    struct channel *c = NULL;
    struct error e;

    cr_assert_eq(channel_open(false, &c, &e), STATUS_OK);
    return c;
}

Test(channel, without_mpi_it_is_rank_0_of_1_and_carries_messages_to_itself_in_order)
{
    struct channel *c = open_alone();
    uint8_t got[CHANNEL_MAX_BYTES];
    size_t len;
    unsigned from = 9;

    cr_assert_eq(channel_rank(c), 0);
    cr_assert_eq(channel_size(c), 1);
    cr_assert_eq(channel_receive(c, got, &len, &from), STATUS_AGAIN);
    cr_assert_eq(channel_send(c, 0, "one", 3), STATUS_OK);
    cr_assert_eq(channel_send(c, 0, "", 0), STATUS_OK);
    cr_assert_eq(channel_receive(c, got, &len, &from), STATUS_OK);
    cr_assert(len == 3 && memcmp(got, "one", 3) == 0 && from == 0);
    cr_assert_eq(channel_send(c, 0, "three", 5), STATUS_OK);
    cr_assert_eq(channel_receive(c, got, &len, &from), STATUS_OK);
    cr_assert_eq(len, 0);
    cr_assert_eq(channel_receive(c, got, &len, &from), STATUS_OK);
    cr_assert_eq(len, 5);
    channel_close(&c, true);
}

Test(channel, what_is_under_way_is_bounded_and_sizes_and_ranks_are_checked)
{
    struct channel *c = open_alone();
    uint8_t *big = calloc(1, CHANNEL_MAX_BYTES + 1);

    cr_assert_eq(channel_send(c, 1, "x", 1), STATUS_INVALID);
    cr_assert_eq(channel_send(c, 0, big, CHANNEL_MAX_BYTES + 1), STATUS_INVALID);
    cr_assert_eq(channel_send(c, 0, big, CHANNEL_MAX_BYTES), STATUS_OK);
    for (unsigned i = 1; i < CHANNEL_MAX_PENDING; i++)
        cr_assert_eq(channel_send(c, 0, "x", 1), STATUS_OK);
    cr_assert_eq(channel_send(c, 0, "x", 1), STATUS_BUSY);
    free(big);
    channel_close(&c, true);
}
