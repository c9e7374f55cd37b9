#include "coordinator/evaluate/resample.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/evaluate/random.h"

enum { MAX_THREADS = 64, WORTH_A_THREAD = 2000000 /* draws */ };

static int compare_names(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return a < b ? -1 : a > b;
}

/* Names that are few but large become their ranks, so that a table of all of them is small. */
static enum status shorten(uint32_t *names, size_t n, uint32_t *max_name, struct error *e)
{
    uint32_t *sorted = malloc(n * sizeof(*sorted));
    size_t n_distinct = 0;

    if (!sorted)
        return error_no_memory(e);
    memcpy(sorted, names, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_names);
    for (size_t i = 0; i < n; i++) {
        if (n_distinct == 0 || sorted[n_distinct - 1] != sorted[i])
            sorted[n_distinct++] = sorted[i];
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t *at = bsearch(&names[i], sorted, n_distinct, sizeof(*sorted), compare_names);

        if (at) /* always */
            names[i] = (uint32_t)(at - sorted);
    }
    *max_name = (uint32_t)(n_distinct - 1);
    free(sorted);
    return STATUS_OK;
}

enum status resample_open(const struct ranking *r, const uint32_t *cluster, uint64_t seed, struct resample *ret_s,
                          struct error *e)
{
    struct resample s = {.seed = seed, .of_position = malloc((r->n + 1) * sizeof(*s.of_position))};
    uint32_t max_name = 0, *number = NULL;
    uint8_t *holds = NULL;
    size_t next[RESAMPLE_STRATA];
    enum status status;

    if (!s.of_position)
        return error_no_memory(e);
    for (size_t i = 0; i < r->n; i++) {
        uint32_t name = cluster ? cluster[r->item[i]] : r->item[i];

        s.of_position[i] = name;
        max_name = name > max_name ? name : max_name;
    }
    status = max_name / 8 > r->n ? shorten(s.of_position, r->n, &max_name, e) : STATUS_OK;
    if (status != STATUS_OK)
        goto error;
    holds = calloc((size_t)max_name + 1, sizeof(*holds));
    number = malloc(((size_t)max_name + 1) * sizeof(*number));
    if (!holds || !number) {
        status = error_no_memory(e);
        goto error;
    }
    for (size_t i = 0; i < r->n; i++)
        holds[s.of_position[i]] |= r->is_fake[i] ? 2 : 1;
    for (size_t k = 0; k <= max_name; k++) {
        s.first[holds[k] + 1] += holds[k] != 0;
        s.n += holds[k] != 0;
    }
    for (int stratum = 0; stratum < RESAMPLE_STRATA; stratum++) {
        s.first[stratum + 1] += s.first[stratum];
        next[stratum] = s.first[stratum];
    }
    for (size_t k = 0; k <= max_name; k++) {
        if (holds[k] != 0)
            number[k] = (uint32_t)next[holds[k]]++;
    }
    for (size_t i = 0; i < r->n; i++)
        s.of_position[i] = number[s.of_position[i]];
    free(holds);
    free(number);
    *ret_s = s;
    return STATUS_OK;
error:
    free(holds);
    free(number);
    resample_close(&s);
    return status;
}

void resample_close(struct resample *s)
{
    free(s->of_position);
    *s = (struct resample){0};
}

/* n of n, with replacement. A count of 256 would need one cluster drawn 256 times, which has a chance below 1 / 256!; random
 * numbers are 32 bits of xoshiro256**, brought to 0 .. n - 1 without bias (Lemire 2019). */
static void draw(struct random *random, uint32_t n, uint8_t *drawn)
{
    uint32_t threshold = n > 0 ? (uint32_t)-n % n : 0;

    for (uint32_t k = 0; k < n;) {
        uint64_t bits = random_next(random);

        for (int half = 0; half < 2 && k < n; half++, bits >>= 32) {
            uint64_t m = (bits & UINT32_MAX) * n;

            if ((uint32_t)m < threshold)
                continue;
            drawn[m >> 32]++;
            k++;
        }
    }
}

void resample_draw(const struct resample *s, uint64_t replicate, uint8_t *drawn)
{
    struct random random;

    memset(drawn, 0, s->n);
    random_seed_stream(&random, s->seed, replicate);
    for (int stratum = 1; stratum < RESAMPLE_STRATA; stratum++)
        draw(&random, (uint32_t)(s->first[stratum + 1] - s->first[stratum]), drawn + s->first[stratum]);
}

struct share {
    atomic_size_t next;
    size_t n;
    resample_work *work;
    void *context;
};

struct worker {
    pthread_t thread;
    struct share *share;
    void *scratch;
};

static void *run(void *context)
{
    struct worker *w = context;

    for (;;) {
        size_t k = atomic_fetch_add(&w->share->next, 1);

        if (k >= w->share->n)
            return NULL;
        w->share->work(w->share->context, k, w->scratch);
    }
}

static unsigned count_processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

enum status resample_each(size_t n_replicates, size_t cost, unsigned n_threads, size_t scratch_bytes,
                          resample_work *work, void *context, struct error *e)
{
    struct worker workers[MAX_THREADS] = {{0}};
    struct share share = {.n = n_replicates, .work = work, .context = context};
    size_t worth = 1 + n_replicates * cost / WORTH_A_THREAD;
    size_t wanted = n_threads > 0 ? n_threads : count_processors(), n = 0;

    wanted = wanted < worth ? wanted : worth;
    wanted = wanted < n_replicates ? wanted : n_replicates;
    wanted = wanted < MAX_THREADS ? wanted : MAX_THREADS;
    for (; n < wanted || n == 0; n++) {
        workers[n].share = &share;
        workers[n].scratch = calloc(1, scratch_bytes + 1);
        if (!workers[n].scratch)
            break;
        /* The first is this thread; where no more can be had, fewer do the same work. */
        if (n > 0 && pthread_create(&workers[n].thread, NULL, run, &workers[n]) != 0) {
            free(workers[n].scratch);
            break;
        }
    }
    if (n == 0)
        return error_no_memory(e);
    run(&workers[0]);
    for (size_t k = 0; k < n; k++) {
        if (k > 0)
            pthread_join(workers[k].thread, NULL);
        free(workers[k].scratch);
    }
    return STATUS_OK;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

static double quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t below = (size_t)at;

    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

void resample_percentiles(double *values, size_t n, double *ret_low, double *ret_high)
{
    qsort(values, n, sizeof(*values), compare_doubles);
    *ret_low = quantile(values, n, 0.025);
    *ret_high = quantile(values, n, 0.975);
}
