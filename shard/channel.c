#include "shard/channel.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "shard/text.h"

enum { MESSAGE_TAG = 1 };

struct parcel {
    struct parcel *next;
    unsigned to;
    MPI_Request request; /* unused in the queue to oneself */
    size_t len_bytes;
    uint8_t data[];
};

struct channel {
    bool mpi;
    unsigned rank, size;
    struct parcel *sending;        /* started, newest first */
    struct parcel *own, *own_last; /* to oneself, oldest first */
    unsigned *n_pending;           /* by rank */
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
    c->n_pending = calloc(c->size, sizeof(*c->n_pending));
    if (!c->n_pending) {
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
            c->n_pending[p->to]--;
            free(p);
        } else {
            link = &p->next;
        }
    }
}

void channel_close(struct channel **c, bool orderly)
{
    struct channel *x = *c;

    if (!x)
        return;
    if (x->mpi && orderly) {
        for (struct parcel *p = x->sending; p; p = p->next)
            MPI_Wait(&p->request, MPI_STATUS_IGNORE);
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
    free(x->n_pending);
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

enum status channel_send(struct channel *c, unsigned to, const void *data, size_t len_bytes)
{
    struct parcel *p;

    if (to >= c->size || len_bytes > CHANNEL_MAX_BYTES)
        return STATUS_INVALID;
    if (c->n_pending[to] >= CHANNEL_MAX_PENDING) {
        collect(c);
        if (c->n_pending[to] >= CHANNEL_MAX_PENDING)
            return STATUS_BUSY;
    }
    p = malloc(sizeof(*p) + len_bytes);
    if (!p)
        return STATUS_NO_MEMORY;
    *p = (struct parcel){.to = to, .len_bytes = len_bytes};
    memcpy(p->data, data, len_bytes);
    c->n_pending[to]++;
    if (to == c->rank) {
        if (c->own_last && c->own)
            c->own_last->next = p;
        else
            c->own = p;
        c->own_last = p;
        return STATUS_OK;
    }
    /* NOLINTBEGIN(clang-analyzer-optin.mpi.MPI-Checker): the request lives on in the list, whose members collect()
     * tests and channel_close() waits for; the checker looks for both in this function alone. */
    if (MPI_Isend(p->data, (int)len_bytes, MPI_BYTE, (int)to, MESSAGE_TAG, MPI_COMM_WORLD, &p->request) !=
        MPI_SUCCESS) {
        c->n_pending[to]--;
        free(p);
        return STATUS_IO;
    }
    p->next = c->sending;
    c->sending = p;
    return STATUS_OK;
    /* NOLINTEND(clang-analyzer-optin.mpi.MPI-Checker) */
}

enum status channel_receive(struct channel *c, uint8_t ret_data[CHANNEL_MAX_BYTES], size_t *ret_len_bytes,
                            unsigned *ret_from)
{
    MPI_Status status;
    int there = 0, count = 0;

    if (c->own) {
        struct parcel *p = c->own;

        c->own = p->next;
        c->n_pending[c->rank]--;
        memcpy(ret_data, p->data, p->len_bytes);
        *ret_len_bytes = p->len_bytes;
        *ret_from = c->rank;
        free(p);
        return STATUS_OK;
    }
    if (!c->mpi)
        return STATUS_AGAIN;
    collect(c);
    MPI_Iprobe(MPI_ANY_SOURCE, MESSAGE_TAG, MPI_COMM_WORLD, &there, &status);
    if (!there)
        return STATUS_AGAIN;
    MPI_Get_count(&status, MPI_BYTE, &count);
    if (count < 0 || count > CHANNEL_MAX_BYTES)
        return STATUS_CORRUPT;
    MPI_Recv(ret_data, count, MPI_BYTE, status.MPI_SOURCE, MESSAGE_TAG, MPI_COMM_WORLD, &status);
    *ret_len_bytes = (size_t)count;
    *ret_from = (unsigned)status.MPI_SOURCE;
    return STATUS_OK;
}

size_t channel_pending(struct channel *c)
{
    size_t n = 0;

    collect(c);
    for (struct parcel *p = c->sending; p; p = p->next)
        n++;
    return n;
}
