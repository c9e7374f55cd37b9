#include "shard/channel.h"

#include <mpi.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "shard/text.h"

enum {
    MESSAGE_TAG = 1,
    LENGTH_BYTES = 2, /* before each message of a parcel, little-endian */
    /* Under the eager limit of Open MPI's shared memory (4 KiB with its header), so that sending needs nothing of the
     * receiver; a message that does not fit goes alone. */
    PARCEL_BYTES = 3584,
    MOST_BYTES = CHANNEL_MAX_BYTES + LENGTH_BYTES,
    MAX_IN_FLIGHT = 8, /* parcels to one rank that it has not taken; more wait here */
};

_Static_assert(CHANNEL_MAX_BYTES <= UINT16_MAX, "a length has two bytes");

/* Messages on their way together. */
struct parcel {
    struct parcel *next;
    unsigned to, n_messages;
    MPI_Request request;
    size_t len_bytes, room_bytes;
    uint8_t data[];
};

/* What one rank is to get. */
struct outbox {
    struct parcel *first, *last; /* not started, oldest first; the last is still filled */
    unsigned n_messages, n_in_flight;
};

struct channel {
    bool mpi;
    unsigned rank, size;
    struct parcel *sending;        /* started, newest first */
    struct parcel *own, *own_last; /* to oneself, one message each, oldest first */
    struct outbox *outboxes;       /* by rank */
    size_t n_filled;               /* ranks with something that was not started */
    /* The parcel that was received last, as far as it was not handed out. */
    uint8_t *received;
    size_t received_bytes, taken_bytes;
    unsigned received_from;
};

static unsigned from_environment(const char *const names[], unsigned otherwise)
{
    for (size_t i = 0; names[i]; i++) {
        const char *value = getenv(names[i]);
        uint64_t number;

        if (value && parse_u64(value, 0, UINT32_MAX, &number) == STATUS_OK)
            return (unsigned)number;
    }
    return otherwise;
}

/* PMIX_RANK alone says that srun --mpi=pmix started us; SLURM_* are also there in a batch script's plain commands. */
bool channel_is_launched(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK");
}

unsigned channel_announced_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", NULL};

    return from_environment(names, 0);
}

unsigned channel_announced_size(void)
{
    static const char *const ompi[] = {"OMPI_COMM_WORLD_SIZE", NULL};
    static const char *const slurm[] = {"OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", NULL};

    return from_environment(getenv("PMIX_RANK") ? slurm : ompi, 1);
}

unsigned channel_announced_local_size(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_LOCAL_SIZE", NULL};

    return from_environment(names, 1);
}

enum status channel_open(bool launched, struct channel **ret_c, struct error *e)
{
    int rank = 0, size = 1;
    struct channel *c = calloc(1, sizeof(*c));

    if (!c)
        return error_no_memory(e);
    if (launched) {
        int provided;

        /* Other threads may live beside the one that owns the channel. */
        if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
            free(c);
            return error_set(e, STATUS_IO, "MPI_Init failed");
        }
        c->mpi = true;
        MPI_Comm_rank(MPI_COMM_WORLD, &rank);
        MPI_Comm_size(MPI_COMM_WORLD, &size);
    }
    c->rank = (unsigned)rank;
    c->size = (unsigned)size;
    c->outboxes = calloc(c->size, sizeof(*c->outboxes));
    c->received = malloc(MOST_BYTES);
    if (!c->outboxes || !c->received) {
        channel_close(&c, false);
        return error_no_memory(e);
    }
    *ret_c = c;
    return STATUS_OK;
}

/* Frees what was sent. */
static void collect(struct channel *c)
{
    struct parcel **link = &c->sending;

    while (*link) {
        struct parcel *p = *link;
        int done = 0;

        MPI_Test(&p->request, &done, MPI_STATUS_IGNORE);
        if (done) {
            *link = p->next;
            c->outboxes[p->to].n_messages -= p->n_messages;
            c->outboxes[p->to].n_in_flight--;
            free(p);
        } else {
            link = &p->next;
        }
    }
}

/* NOLINTBEGIN(clang-analyzer-optin.mpi.MPI-Checker): a request lives on in the list, whose members collect() tests and
 * channel_close() waits for; the checker looks for both within one call of this module. */
static enum status start(struct channel *c, struct outbox *box)
{
    struct parcel *p = box->first;

    if (MPI_Isend(p->data, (int)p->len_bytes, MPI_BYTE, (int)p->to, MESSAGE_TAG, MPI_COMM_WORLD, &p->request) !=
        MPI_SUCCESS)
        return STATUS_IO;
    box->first = p->next;
    if (!box->first)
        box->last = NULL;
    box->n_in_flight++;
    p->next = c->sending;
    c->sending = p;
    return STATUS_OK;
}

/* One that cannot be started is tried again at the next flush; the silence that it makes is judged elsewhere. */
void channel_flush(struct channel *c)
{
    if (!c->mpi || (!c->sending && c->n_filled == 0))
        return;
    collect(c);
    for (unsigned i = 0; i < c->size && c->n_filled > 0; i++) {
        struct outbox *box = &c->outboxes[i];

        if (!box->first)
            continue;
        while (box->first && box->n_in_flight < MAX_IN_FLIGHT) {
            if (start(c, box) != STATUS_OK)
                break;
        }
        c->n_filled -= !box->first;
    }
}

/* MPI's own waits spin. The others are usually there within milliseconds, so the waits grow with what was waited. */
static void wait_without_spinning(MPI_Request *request)
{
    enum { SHARE = 16, LONGEST_MS = 20 };
    int done = 0;

    for (int ms = 1, waited_ms = 0; MPI_Test(request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && !done;) {
        poll(NULL, 0, ms);
        waited_ms += ms;
        ms = 1 + waited_ms / SHARE < LONGEST_MS ? 1 + waited_ms / SHARE : LONGEST_MS;
    }
}

void channel_close(struct channel **c, bool orderly)
{
    struct channel *x = *c;
    MPI_Request all_are_here;

    if (!x)
        return;
    if (x->mpi && orderly) {
        channel_flush(x);
        for (struct parcel *p = x->sending; p; p = p->next)
            wait_without_spinning(&p->request);
        /* MPI_Finalize spins until the last rank is there, which may have a report to write. */
        if (MPI_Ibarrier(MPI_COMM_WORLD, &all_are_here) == MPI_SUCCESS)
            wait_without_spinning(&all_are_here);
        MPI_Finalize();
    }
    while (x->own) {
        struct parcel *p = x->own;

        x->own = p->next;
        free(p);
    }
    /* A disorderly end leaves parcels to MPI, which may still read them. */
    while (orderly && x->sending) {
        struct parcel *p = x->sending;

        x->sending = p->next;
        free(p);
    }
    for (unsigned i = 0; x->outboxes && i < x->size; i++) {
        while (x->outboxes[i].first) {
            struct parcel *p = x->outboxes[i].first;

            x->outboxes[i].first = p->next;
            free(p);
        }
    }
    free(x->outboxes);
    free(x->received);
    free(x);
    *c = NULL;
}

void channel_end_job(struct channel *c, int code)
{
    const char *recovery = getenv("OMPI_MCA_orte_enable_recovery");

    if (c->mpi && (!recovery || strcmp(recovery, "1") != 0))
        MPI_Abort(MPI_COMM_WORLD, code);
}

unsigned channel_rank(const struct channel *c)
{
    return c->rank;
}

unsigned channel_size(const struct channel *c)
{
    return c->size;
}

static struct parcel *new_parcel(unsigned to, size_t room_bytes)
{
    struct parcel *p = malloc(sizeof(*p) + room_bytes);

    if (p)
        *p = (struct parcel){.to = to, .room_bytes = room_bytes};
    return p;
}

static enum status send_to_self(struct channel *c, const void *data, size_t len_bytes)
{
    struct parcel *p = new_parcel(c->rank, len_bytes);

    if (!p)
        return STATUS_NO_MEMORY;
    p->len_bytes = len_bytes;
    memcpy(p->data, data, len_bytes);
    if (c->own_last && c->own)
        c->own_last->next = p;
    else
        c->own = p;
    c->own_last = p;
    return STATUS_OK;
}

static enum status add_to_outbox(struct channel *c, unsigned to, const void *data, size_t len_bytes)
{
    struct outbox *box = &c->outboxes[to];
    size_t needed = LENGTH_BYTES + len_bytes;
    struct parcel *p = box->last;

    if (!p || p->room_bytes - p->len_bytes < needed) {
        p = new_parcel(to, needed > PARCEL_BYTES ? needed : PARCEL_BYTES);
        if (!p)
            return STATUS_NO_MEMORY;
        if (box->last)
            box->last->next = p;
        else
            box->first = p;
        c->n_filled += !box->last;
        box->last = p;
    }
    p->data[p->len_bytes] = (uint8_t)len_bytes;
    p->data[p->len_bytes + 1] = (uint8_t)(len_bytes >> 8);
    memcpy(p->data + p->len_bytes + LENGTH_BYTES, data, len_bytes);
    p->len_bytes += needed;
    p->n_messages++;
    return STATUS_OK;
}

enum status channel_send(struct channel *c, unsigned to, const void *data, size_t len_bytes)
{
    enum status s;

    if (to >= c->size || len_bytes > CHANNEL_MAX_BYTES)
        return STATUS_INVALID;
    if (c->outboxes[to].n_messages >= CHANNEL_MAX_PENDING) {
        channel_flush(c);
        if (c->outboxes[to].n_messages >= CHANNEL_MAX_PENDING)
            return STATUS_BUSY;
    }
    s = to == c->rank ? send_to_self(c, data, len_bytes) : add_to_outbox(c, to, data, len_bytes);
    if (s == STATUS_OK)
        c->outboxes[to].n_messages++;
    return s;
}

static enum status receive_parcel(struct channel *c)
{
    MPI_Status status;
    int there = 0, count = 0;

    MPI_Iprobe(MPI_ANY_SOURCE, MESSAGE_TAG, MPI_COMM_WORLD, &there, &status);
    if (!there)
        return STATUS_AGAIN;
    MPI_Get_count(&status, MPI_BYTE, &count);
    if (count < 0 || count > MOST_BYTES)
        return STATUS_CORRUPT;
    MPI_Recv(c->received, count, MPI_BYTE, status.MPI_SOURCE, MESSAGE_TAG, MPI_COMM_WORLD, &status);
    c->received_bytes = (size_t)count;
    c->taken_bytes = 0;
    c->received_from = (unsigned)status.MPI_SOURCE;
    return STATUS_OK;
}

static enum status take_from_parcel(struct channel *c, uint8_t *ret_data, size_t *ret_len_bytes, unsigned *ret_from)
{
    const uint8_t *at = c->received + c->taken_bytes;
    size_t left = c->received_bytes - c->taken_bytes, len;

    len = left >= LENGTH_BYTES ? (size_t)at[0] | (size_t)at[1] << 8 : SIZE_MAX;
    if (len > CHANNEL_MAX_BYTES || len > left - LENGTH_BYTES) {
        c->taken_bytes = c->received_bytes;
        return STATUS_CORRUPT;
    }
    memcpy(ret_data, at + LENGTH_BYTES, len);
    c->taken_bytes += LENGTH_BYTES + len;
    *ret_len_bytes = len;
    *ret_from = c->received_from;
    return STATUS_OK;
}

enum status channel_receive(struct channel *c, uint8_t ret_data[CHANNEL_MAX_BYTES], size_t *ret_len_bytes,
                            unsigned *ret_from)
{
    enum status s;

    if (c->own) {
        struct parcel *p = c->own;

        c->own = p->next;
        c->outboxes[c->rank].n_messages--;
        memcpy(ret_data, p->data, p->len_bytes);
        *ret_len_bytes = p->len_bytes;
        *ret_from = c->rank;
        free(p);
        return STATUS_OK;
    }
    if (!c->mpi)
        return STATUS_AGAIN;
    if (c->taken_bytes == c->received_bytes) {
        channel_flush(c);
        s = receive_parcel(c);
        if (s != STATUS_OK)
            return s;
    }
    return take_from_parcel(c, ret_data, ret_len_bytes, ret_from);
}

size_t channel_pending(struct channel *c)
{
    size_t n = 0;

    channel_flush(c);
    for (unsigned i = 0; i < c->size; i++)
        n += i == c->rank ? 0 : c->outboxes[i].n_messages;
    return n;
}
/* NOLINTEND(clang-analyzer-optin.mpi.MPI-Checker) */
