/* Intervals of N made-up videos (default 1,000,000): the AUC by 2,000 stratified replicates, by video and by original, and
 * all other figures; on 1 thread and on 2, whose bits must be the same. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "coordinator/evaluate/metrics.h"
#include "coordinator/evaluate/random.h"
#include "shard/clock.h"

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static double uniform(struct random *random)
{
    return (double)(random_next(random) >> 11) / 9007199254740992.0;
}

/* Scores that overlap, one in five a fake's; fakes of one original, four of them, share a part of theirs. */
static void make(size_t n, double *p_fake, uint8_t *is_fake, uint32_t *cluster)
{
    struct random random;
    double shared = 0;

    random_seed(&random, 1);
    for (size_t i = 0; i < n; i++) {
        double x;

        if (i % 5 == 0)
            shared = uniform(&random);
        is_fake[i] = i % 5 != 0;
        cluster[i] = (uint32_t)(i / 5);
        x = 2 * uniform(&random) + shared + is_fake[i] - 2;
        p_fake[i] = 1 / (1 + exp(-2 * x));
    }
}

struct timed {
    struct interval i, all[FIGURE_COUNT];
    double wall_s, cpu_s;
};

static enum status run(const struct ranking *r, const uint32_t *cluster, unsigned n_threads, bool all,
                       struct timed *ret_t, struct error *e)
{
    struct metrics_settings settings = metrics_defaults;
    double wall = (double)clock_monotonic_us() / 1e6, cpu = cpu_s();
    enum status s;

    settings.n_threads = n_threads;
    s = all ? metrics_intervals(r, cluster, &settings, ret_t->all, e)
            : metrics_bootstrap(r, cluster, &settings, &ret_t->i, e);
    if (all)
        ret_t->i = ret_t->all[FIGURE_LOG_LOSS];
    ret_t->wall_s = (double)clock_monotonic_us() / 1e6 - wall;
    ret_t->cpu_s = cpu_s() - cpu;
    return s;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"AUC, by video", "AUC, by original", "all figures, by video"};
    size_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    double *p_fake = malloc((n + 1) * sizeof(*p_fake));
    uint8_t *is_fake = malloc(n + 1);
    uint32_t *cluster = malloc((n + 1) * sizeof(*cluster));
    struct ranking r = {0};
    struct error e = {0};
    bool same = true;
    enum status s = p_fake && is_fake && cluster && n > 0 ? STATUS_OK : STATUS_NO_MEMORY;

    if (s == STATUS_OK) {
        make(n, p_fake, is_fake, cluster);
        s = ranking_open(p_fake, is_fake, n, &r, &e);
    }
    for (int what = 0; s == STATUS_OK && what < 3; what++) {
        struct timed t[2];

        for (unsigned k = 0; s == STATUS_OK && k < 2; k++) {
            s = run(&r, what == 1 ? cluster : NULL, k + 1, what == 2, &t[k], &e);
            if (s == STATUS_OK)
                printf("%-22s %zu videos, %u replicates, %u thread%s: %.1f s, CPU %.1f s; 95 %% %.6f..%.6f\n",
                       names[what], n, t[k].i.replicates, k + 1, k == 0 ? " " : "s", t[k].wall_s, t[k].cpu_s,
                       t[k].i.low, t[k].i.high);
        }
        same = same && memcmp(&t[0].i.low, &t[1].i.low, sizeof(double)) == 0 &&
               memcmp(&t[0].i.high, &t[1].i.high, sizeof(double)) == 0;
    }
    ranking_close(&r);
    free(p_fake);
    free(is_fake);
    free(cluster);
    if (s != STATUS_OK)
        fprintf(stderr, "bench_metrics: %s\n", e.text);
    else
        printf("the same bits on 1 and 2 threads: %s\n", same ? "yes" : "NO");
    return s == STATUS_OK && same ? 0 : 2;
}
