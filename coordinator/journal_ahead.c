#include "coordinator/journal_ahead.h"

#include <pthread.h>
#include <stdlib.h>

#include "shard/wire.h"

/* Enough that neither side waits for the other's pauses. Room for texts and clips is for what is usual: larger results are
 * allocated. About 3 MB. */
enum { N_BATCHES = 24, TEXT_BYTES = JOURNAL_BATCH * 192, N_CLIPS = JOURNAL_BATCH * 16 };

struct batch {
    struct result results[JOURNAL_BATCH];
    bool is_owned[JOURNAL_BATCH]; /* what the result holds is allocated; else it lies here */
    size_t n;
    struct wire_room room; /* what is left of these two */
    char text[TEXT_BYTES];
    struct clip_score clips[N_CLIPS];
};

/* A ring: the reader fills batches[n_filled % N_BATCHES], the taker empties batches[n_taken % N_BATCHES]. */
struct ahead {
    const char *folder, *fingerprint;
    journal_visit_batch *visit;
    void *context;
    struct batch *batches;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Under the mutex. */
    size_t n_filled, n_taken;
    bool ended;   /* by the reader: nothing follows n_filled */
    bool stopped; /* by the taker: nothing is wanted any more */
    /* The reader's, until it has ended. */
    struct batch *filling;
    struct journal_summary summary;
    enum status status;
    struct error e;
};

/* The batch that the reader may fill; NULL once nothing is wanted. */
static struct batch *wait_for_room(struct ahead *a)
{
    struct batch *b;

    pthread_mutex_lock(&a->mutex);
    while (!a->stopped && a->n_filled - a->n_taken == N_BATCHES)
        pthread_cond_wait(&a->changed, &a->mutex);
    b = a->stopped ? NULL : &a->batches[a->n_filled % N_BATCHES];
    pthread_mutex_unlock(&a->mutex);
    return b;
}

static struct batch *wait_for_batch(struct ahead *a)
{
    struct batch *b;

    pthread_mutex_lock(&a->mutex);
    while (!a->ended && a->n_filled == a->n_taken)
        pthread_cond_wait(&a->changed, &a->mutex);
    b = a->n_filled == a->n_taken ? NULL : &a->batches[a->n_taken % N_BATCHES];
    pthread_mutex_unlock(&a->mutex);
    return b;
}

static void advance(struct ahead *a, size_t *counter)
{
    pthread_mutex_lock(&a->mutex);
    ++*counter;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->mutex);
}

static void raise_flag(struct ahead *a, bool *flag)
{
    pthread_mutex_lock(&a->mutex);
    *flag = true;
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->mutex);
}

static void clear_batch(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->is_owned[i])
            result_clear(&b->results[i]);
        b->is_owned[i] = false;
    }
    b->n = 0;
    b->room = (struct wire_room){.text = b->text, .text_bytes = TEXT_BYTES, .clips = b->clips, .n_clips = N_CLIPS};
}

/* STATUS_AGAIN: it is no result. */
static enum status put(struct batch *b, const uint8_t *payload, size_t len_bytes, struct error *e)
{
    struct result r = {0};
    enum status s = result_unpack_plain(payload, len_bytes, &b->room, &b->results[b->n]);

    if (s == STATUS_AGAIN) {
        s = result_unpack(payload, len_bytes, &r);
        if (s == STATUS_NO_MEMORY)
            return error_no_memory(e);
        if (s != STATUS_OK)
            return STATUS_AGAIN;
        b->results[b->n] = r;
        b->is_owned[b->n] = true;
    }
    b->n++;
    return STATUS_OK;
}

static enum status put_ahead(void *context, const uint8_t *payload, size_t len_bytes, struct error *e)
{
    struct ahead *a = context;
    enum status s;

    /* The mutex is asked for once a batch. */
    if (!a->filling)
        a->filling = wait_for_room(a);
    if (!a->filling)
        return error_set(e, STATUS_BUSY, "%s: given up", a->folder);
    s = put(a->filling, payload, len_bytes, e);
    if (a->filling->n == JOURNAL_BATCH) {
        a->filling = NULL;
        advance(a, &a->n_filled);
    }
    return s;
}

static void *read_all(void *context)
{
    struct ahead *a = context;

    a->status = journal_walk(a->folder, a->fingerprint, put_ahead, a, &a->summary, &a->e);
    if (a->filling && a->filling->n > 0)
        advance(a, &a->n_filled);
    raise_flag(a, &a->ended);
    return NULL;
}

static enum status take_all(struct ahead *a, struct error *e)
{
    enum status s = STATUS_OK;
    struct batch *b;

    while (s == STATUS_OK && (b = wait_for_batch(a)) != NULL) {
        s = a->visit(a->context, b->results, b->n, e);
        clear_batch(b);
        advance(a, &a->n_taken);
    }
    raise_flag(a, &a->stopped);
    return s;
}

/* Without a thread: one batch, filled and emptied in turns. */
static enum status put_here(void *context, const uint8_t *payload, size_t len_bytes, struct error *e)
{
    struct ahead *a = context;
    struct batch *b = a->batches;
    enum status s = put(b, payload, len_bytes, e);

    if (s == STATUS_OK && b->n == JOURNAL_BATCH) {
        s = a->visit(a->context, b->results, b->n, e);
        clear_batch(b);
    }
    return s;
}

static enum status read_here(struct ahead *a, struct error *e)
{
    struct batch *b = a->batches;
    enum status s = journal_walk(a->folder, a->fingerprint, put_here, a, &a->summary, e);

    if (s == STATUS_OK && b->n > 0)
        s = a->visit(a->context, b->results, b->n, e);
    return s;
}

enum status journal_read_ahead(const char *folder, const char fingerprint[SHA256_HEX_BYTES], journal_visit_batch *visit,
                               void *context, struct journal_summary *ret_summary, struct error *e)
{
    struct ahead a = {.folder = folder,
                      .fingerprint = fingerprint,
                      .visit = visit,
                      .context = context,
                      .batches = calloc(N_BATCHES, sizeof(*a.batches)),
                      .mutex = PTHREAD_MUTEX_INITIALIZER,
                      .changed = PTHREAD_COND_INITIALIZER};
    pthread_t thread;
    enum status s;

    if (!a.batches)
        return error_no_memory(e);
    for (size_t i = 0; i < N_BATCHES; i++)
        clear_batch(&a.batches[i]);
    if (pthread_create(&thread, NULL, read_all, &a) == 0) {
        s = take_all(&a, e);
        pthread_join(thread, NULL);
        if (s == STATUS_OK && a.status != STATUS_OK) {
            s = a.status;
            *e = a.e;
        }
    } else {
        s = read_here(&a, e);
    }
    for (size_t i = 0; i < N_BATCHES; i++)
        clear_batch(&a.batches[i]);
    free(a.batches);
    if (s == STATUS_OK)
        *ret_summary = a.summary;
    return s;
}
