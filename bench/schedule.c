/* schedule: the coordinator's dispatch, ledger, planner and prefetch, as they are in the program, under a virtual clock.
 * Agents and lanes are simulated; no MPI, no sleep, no file.
 *
 *     bench_schedule [--units N] [--lanes N[,N...]] [--seed N] [--no-losses] [--longest SECONDS] > result.json
 *
 * Units: real seconds from a lognormal body (median 8 s, sigma 1) and, for one in a hundred, a Pareto tail (from 60 s,
 * alpha 1.3, cut off at --longest, by default 86,400 s: a day of one lane for one video). The planner sees them through a
 * factor of their class (0.4 to 2.5, which it has to find) and lognormal noise (sigma 0.5), and cuts what it thinks is longer
 * than 300 s. Messages take 25 ms each way, as with ranks that look 20 times a second. One agent in fifty, one at the least, is lost at a random moment of the first nine tenths.
 *
 * Out: the makespan beside max(work / lanes, longest unit), where lanes of lost agents count until their loss, the CPU time a
 * unit of everything (simulator included), memory of the coordinator a unit, and static sharding of the same videos (whole,
 * and with the planner's cuts) beside the bound without losses. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/dispatch.h"
#include "shard/log.h"

enum {
    DELAY_US = 25000,
    BEAT_US = 10000000,
    SILENCE_US = 30000000,
    N_BIASES = 4,
    CLIPS = 64,
    BOUND_S = 300,
    MAX_RUNS = 16,
};

struct options {
    uint32_t n_units;
    uint32_t lanes[MAX_RUNS];
    unsigned n_runs;
    uint64_t seed;
    bool losses;
    double longest_s; /* a video */
};

/* splitmix64, so that a seed gives the same figures everywhere. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state)
{
    return ((double)(next_random(state) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(uint64_t *state)
{
    double r = sqrt(-2 * log(uniform(state)));

    return r * cos(6.283185307179586 * uniform(state));
}

struct lease_note {
    uint64_t lease;
    uint32_t unit;
    int64_t there_us;
};

struct agent {
    uint32_t n_lanes, n_idle;
    bool lost, stopping, left;
    int64_t loss_us;            /* INT64_MAX: never */
    struct lease_note *waiting; /* ring */
    size_t first, n_waiting, room;
};

/* A lane's unit ends. */
struct event {
    int64_t end_us;
    uint64_t lease;
    uint32_t agent, unit;
    float seconds;
};

struct simulation {
    const float *real_s; /* by entry */
    struct units *units;
    struct dispatch *dispatch;
    struct agent *agents;
    uint32_t n_agents;
    struct event *heap;
    size_t n_heap;
    /* Results on their way: all take the same time, so a queue. */
    struct event *results;
    size_t first_result, n_results, room_results;
    int64_t now_us, last_end_us;
    uint64_t n_started;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_schedule: %s\n", what);
    exit(1);
}

static void *grab(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);

    if (!p)
        die("out of memory");
    return p;
}

static void heap_push(struct simulation *s, struct event e)
{
    size_t at = s->n_heap++;

    while (at > 0 && s->heap[(at - 1) / 2].end_us > e.end_us) {
        s->heap[at] = s->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    s->heap[at] = e;
}

static struct event heap_pop(struct simulation *s)
{
    struct event top = s->heap[0], last = s->heap[--s->n_heap];
    size_t at = 0, child;

    while ((child = 2 * at + 1) < s->n_heap) {
        child += child + 1 < s->n_heap && s->heap[child + 1].end_us < s->heap[child].end_us;
        if (s->heap[child].end_us >= last.end_us)
            break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = last;
    return top;
}

static double unit_seconds(const struct simulation *s, uint32_t unit)
{
    struct unit_place place = units_place(s->units, unit);

    return (double)s->real_s[place.entry] / place.n_segments;
}

static void start_units(struct simulation *s, uint32_t number)
{
    struct agent *a = &s->agents[number];

    while (a->n_idle > 0 && a->n_waiting > 0) {
        struct lease_note note = a->waiting[a->first];
        int64_t start_us = note.there_us > s->now_us ? note.there_us : s->now_us;
        double seconds = unit_seconds(s, note.unit);

        a->first = (a->first + 1) % a->room;
        a->n_waiting--;
        a->n_idle--;
        s->n_started++;
        heap_push(s, (struct event){.end_us = start_us + (int64_t)(seconds * 1e6),
                                    .lease = note.lease,
                                    .agent = number,
                                    .unit = note.unit,
                                    .seconds = (float)seconds});
    }
}

static enum status hear(void *context, uint32_t number, const struct message *m)
{
    struct simulation *s = context;
    struct agent *a = &s->agents[number];

    if (m->kind == MESSAGE_STOP) {
        a->stopping = true;
        a->n_waiting = 0;
    }
    if (m->kind != MESSAGE_LEASE || a->lost)
        return STATUS_OK;
    if (a->n_waiting == a->room)
        die("an agent was given more than it may hold");
    a->waiting[(a->first + a->n_waiting++) % a->room] =
        (struct lease_note){.lease = m->lease, .unit = (uint32_t)m->unit, .there_us = s->now_us + DELAY_US};
    start_units(s, number);
    return STATUS_OK;
}

static enum status never_given_up(void *context, uint32_t unit, struct error *e)
{
    (void)context;
    (void)unit;
    (void)e;
    die("a unit was given up");
    return STATUS_BUG;
}

static void say(struct simulation *s, uint32_t agent, struct message m)
{
    if (m.text)
        m.text = strdup(m.text);
    dispatch_take(s->dispatch, agent, &m, s->now_us);
}

static void say_hello(struct simulation *s, uint32_t agent)
{
    struct message m = {.kind = MESSAGE_HELLO, .n_lanes = s->agents[agent].n_lanes, .text = (char *)(uintptr_t) "node"};

    snprintf(m.fingerprint, sizeof(m.fingerprint), "f");
    say(s, agent, m);
}

static void lose_agents(struct simulation *s)
{
    for (uint32_t i = 0; i < s->n_agents; i++)
        s->agents[i].lost = s->agents[i].lost || s->now_us >= s->agents[i].loss_us;
}

static void end_unit(struct simulation *s)
{
    struct event e = heap_pop(s);
    struct agent *a = &s->agents[e.agent];

    s->now_us = e.end_us;
    if (a->lost || e.end_us >= a->loss_us)
        return;
    a->n_idle++;
    s->last_end_us = e.end_us;
    if (s->n_results == s->room_results)
        die("more results on the way than there are lanes");
    s->results[(s->first_result + s->n_results++) % s->room_results] = e;
    start_units(s, e.agent);
}

static void take_result(struct simulation *s)
{
    struct event e = s->results[s->first_result];

    s->first_result = (s->first_result + 1) % s->room_results;
    s->n_results--;
    s->now_us = e.end_us + DELAY_US;
    say(s, e.agent,
        (struct message){.kind = MESSAGE_RESULT,
                         .unit = e.unit,
                         .lease = e.lease,
                         .outcome = OUTCOME_SCORED,
                         .wall_us = (int64_t)((double)e.seconds * 1e6),
                         .segment_state = units_place(s->units, e.unit).n_segments > 1 ? SEGMENT_CLEAN : 0});
}

static void beat(struct simulation *s)
{
    for (uint32_t i = 0; i < s->n_agents; i++) {
        struct agent *a = &s->agents[i];

        if (a->lost || a->left)
            continue;
        if (a->stopping && a->n_idle == a->n_lanes) {
            a->left = true;
            say(s, i, (struct message){.kind = MESSAGE_BYE});
        } else {
            say(s, i, (struct message){.kind = MESSAGE_HEARTBEAT});
        }
    }
}

static void simulate(struct simulation *s)
{
    int64_t beat_us = BEAT_US;

    for (uint32_t i = 0; i < s->n_agents; i++)
        say_hello(s, i);
    while (dispatch_step(s->dispatch, s->now_us) == STATUS_OK) {
        int64_t end_us, result_us;

        /* What happens on the nodes the coordinator hears of later. */
        for (;;) {
            end_us = s->n_heap > 0 ? s->heap[0].end_us : INT64_MAX;
            result_us = s->n_results > 0 ? s->results[s->first_result].end_us + DELAY_US : INT64_MAX;
            if (end_us >= result_us || end_us >= beat_us)
                break;
            end_unit(s);
        }
        if (beat_us <= result_us) {
            s->now_us = beat_us;
            beat_us += BEAT_US;
            lose_agents(s);
            beat(s);
        } else {
            take_result(s);
        }
    }
}

/* The shortest time in which lanes that end with their agents can do the work. */
static double lower_bound(const struct simulation *s, double work_s, double longest_s)
{
    double low = 0, high = work_s;

    for (unsigned i = 0; i < 200; i++) {
        double middle = (low + high) / 2, capacity = 0;

        for (uint32_t k = 0; k < s->n_agents; k++)
            capacity += s->agents[k].n_lanes * fmin(middle, (double)s->agents[k].loss_us / 1e6);
        if (capacity < work_s)
            low = middle;
        else
            high = middle;
    }
    return fmax(high, longest_s);
}

static double resident_bytes(void)
{
    unsigned long long size, resident;
    FILE *f = fopen("/proc/self/statm", "re");

    if (!f || fscanf(f, "%llu %llu", &size, &resident) != 2)
        die("/proc/self/statm cannot be read");
    fclose(f);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct corpus {
    uint32_t n;
    float *real_s, *predicted_s;
    uint8_t *bias;
};

static struct corpus make_corpus(const struct options *o)
{
    static const double biases[N_BIASES] = {0.4, 0.8, 1.2, 2.5};
    uint64_t random = o->seed;
    struct corpus c = {.n = o->n_units};

    c.real_s = grab(c.n, sizeof(float));
    c.predicted_s = grab(c.n, sizeof(float));
    c.bias = grab(c.n, 1);
    for (uint32_t i = 0; i < c.n; i++) {
        bool tail = uniform(&random) < 0.01;

        c.real_s[i] =
            (float)(tail ? fmin(60 * pow(uniform(&random), -1 / 1.3), o->longest_s) : 8 * exp(normal(&random)));
        c.bias[i] = (uint8_t)(next_random(&random) % N_BIASES);
        c.predicted_s[i] = (float)(c.real_s[i] / biases[c.bias[i]] * exp(0.5 * normal(&random)));
    }
    return c;
}

/* Videos (cut: units) dealt out beforehand, as a job array does. No agent is lost. */
static double static_makespan(const struct corpus *c, const struct units *u, uint32_t n_lanes, bool blocks, bool cut)
{
    double *lanes = grab(n_lanes, sizeof(double)), longest = 0;
    uint64_t next = 0;

    for (uint32_t i = 0; i < c->n; i++) {
        uint32_t n = 0;

        if (cut)
            units_first_segment(u, i, &n);
        n = n > 0 ? n : 1;
        for (uint32_t k = 0; k < n; k++, next++)
            lanes[blocks ? (uint64_t)i * n_lanes / c->n : next % n_lanes] += (double)c->real_s[i] / n;
    }
    for (uint32_t i = 0; i < n_lanes; i++)
        longest = fmax(longest, lanes[i]);
    free(lanes);
    return longest;
}

static struct manifest *make_manifest(uint32_t n)
{
    struct manifest *m = NULL;
    struct error e;

    if (manifest_create("/corpus", "dir", &m, &e) != STATUS_OK)
        die(e.text);
    for (uint32_t i = 0; i < n; i++) {
        char path[32];
        struct manifest_entry entry = {.path = path, .exists = true, .size_bytes = i, .mtime_ns = 1};

        snprintf(path, sizeof(path), "part%04u/video%08u.mp4", i / 4096, i);
        if (manifest_add(m, &entry, &e) != STATUS_OK)
            die(e.text);
    }
    if (manifest_sort(m, &e) != STATUS_OK)
        die(e.text);
    return m;
}

static struct units *make_units(const struct corpus *c, double *ret_work_s, double *ret_longest_s)
{
    static const struct plan_work work = {.reads_video = true, .clips = CLIPS, .frames = 16};
    struct units *u = NULL;

    if (units_open(c->n, &u) != STATUS_OK)
        die("out of memory");
    for (uint32_t i = 0; i < c->n; i++) {
        unsigned n = plan_segments(&work, (double)c->predicted_s[i], BOUND_S);

        units_set_cost(u, i, (double)c->predicted_s[i], c->bias[i]);
        if (n > 1 && units_cut(u, i, n) != STATUS_OK)
            die("a video cannot be cut");
        *ret_work_s += (double)c->real_s[i];
        *ret_longest_s = fmax(*ret_longest_s, (double)c->real_s[i] / n);
    }
    return u;
}

static void make_agents(struct simulation *s, const struct options *o, uint32_t n_lanes, double about_s)
{
    uint32_t per_agent = n_lanes >= 256 ? 64 : n_lanes / 4 > 0 ? n_lanes / 4 : 1, n_lost;
    uint64_t random = o->seed + 1;

    s->n_agents = n_lanes / per_agent;
    s->agents = grab(s->n_agents, sizeof(*s->agents));
    s->heap = grab(n_lanes, sizeof(*s->heap));
    s->room_results = 4 * (size_t)n_lanes + 1024;
    s->results = grab(s->room_results, sizeof(*s->results));
    for (uint32_t i = 0; i < s->n_agents; i++) {
        struct agent *a = &s->agents[i];

        *a = (struct agent){.n_lanes = per_agent, .n_idle = per_agent, .loss_us = INT64_MAX, .room = per_agent + 512};
        a->waiting = grab(a->room, sizeof(*a->waiting));
    }
    n_lost = !o->losses || s->n_agents < 2 ? 0 : s->n_agents >= 50 ? s->n_agents / 50 : 1;
    for (uint32_t i = 0; i < n_lost; i++)
        s->agents[next_random(&random) % s->n_agents].loss_us = (int64_t)(uniform(&random) * 0.9 * about_s * 1e6);
}

static void close_simulation(struct simulation *s)
{
    for (uint32_t i = 0; i < s->n_agents; i++)
        free(s->agents[i].waiting);
    free(s->agents);
    free(s->heap);
    free(s->results);
    dispatch_close(&s->dispatch);
    units_close(&s->units);
}

static void run(const struct options *o, const struct corpus *c, const struct manifest *m, double manifest_bytes,
                uint32_t n_lanes, bool is_last)
{
    struct simulation s = {.real_s = c->real_s};
    double work_s = 0, longest_s = 0, before_bytes = resident_bytes(), bytes, started_s, used_s, bound_s, unlost_s,
           makespan_s;
    struct ledger_settings ledger = {.attempts = 2, .max_losses = 4, .lease_us = INT64_C(100000000000000)};
    struct dispatch_settings settings = {.manifest = m,
                                         .fingerprint = "f",
                                         .silence_us = SILENCE_US,
                                         .send = hear,
                                         .record_given_up = never_given_up,
                                         .context = &s};
    struct error e;
    uint32_t n_lost = 0;

    s.units = make_units(c, &work_s, &longest_s);
    make_agents(&s, o, n_lanes, work_s / n_lanes);
    ledger.n_units = units_count(s.units);
    ledger.n_agents = settings.n_agents = s.n_agents;
    if (ledger_open(&ledger, &settings.ledger) != STATUS_OK)
        die("out of memory");
    units_fill(s.units, settings.ledger);
    settings.units = s.units;
    if (dispatch_open(&settings, 0, &s.dispatch, &e) != STATUS_OK)
        die(e.text);
    started_s = cpu_s();
    simulate(&s);
    used_s = cpu_s() - started_s;
    bytes = resident_bytes() - before_bytes;
    if (ledger_done(settings.ledger) != units_count(s.units))
        die("not every unit was done");
    for (uint32_t i = 0; i < s.n_agents; i++)
        n_lost += s.agents[i].lost;
    makespan_s = (double)s.last_end_us / 1e6;
    bound_s = lower_bound(&s, work_s, longest_s);
    unlost_s = fmax(work_s / n_lanes, longest_s);
    printf("    {\"lanes\": %u, \"agents\": %u, \"agents_lost\": %u, \"videos\": %u, \"units\": %zu, "
           "\"work_s\": %.0f, \"longest_unit_s\": %.0f, \"bound_s\": %.1f, \"makespan_s\": %.1f, \"over_bound\": %.5f, "
           "\"starts\": %llu, \"cpu_us_a_unit\": %.2f, \"bytes_a_unit\": %.1f, \"static_round_robin\": %.4f, "
           "\"static_blocks\": %.4f, \"static_round_robin_cut\": %.4f}%s\n",
           n_lanes, s.n_agents, n_lost, c->n, units_count(s.units), work_s, longest_s, bound_s, makespan_s,
           makespan_s / bound_s - 1, (unsigned long long)s.n_started, 1e6 * used_s / (double)units_count(s.units),
           (manifest_bytes + bytes) / (double)units_count(s.units),
           static_makespan(c, s.units, n_lanes, false, false) / unlost_s,
           static_makespan(c, s.units, n_lanes, true, false) / unlost_s,
           static_makespan(c, s.units, n_lanes, false, true) / unlost_s, is_last ? "" : ",");
    fflush(stdout);
    ledger_close(&settings.ledger);
    close_simulation(&s);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value;

    if (!text)
        die("a number is missing");
    value = strtoull(text, &end, 10);
    if (end == text || (*end != '\0' && *end != ','))
        die("not a number");
    return value;
}

static struct options parse(int argc, char **argv)
{
    static const struct option names[] = {
        {"units", required_argument, NULL, 'u'},   {"lanes", required_argument, NULL, 'l'},
        {"seed", required_argument, NULL, 's'},    {"no-losses", no_argument, NULL, 'n'},
        {"longest", required_argument, NULL, 'm'}, {0}};
    struct options o = {.n_units = 10000000,
                        .lanes = {16, 64, 256, 1024, 4096, 16384},
                        .n_runs = 6,
                        .seed = 1,
                        .losses = true,
                        .longest_s = 86400};
    int key;

    while ((key = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (key) {
        case 'u':
            o.n_units = (uint32_t)number(optarg);
            break;
        case 'l':
            o.n_runs = 0;
            for (const char *p = optarg; p && o.n_runs < MAX_RUNS; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
                o.lanes[o.n_runs++] = (uint32_t)number(p);
            break;
        case 's':
            o.seed = number(optarg);
            break;
        case 'n':
            o.losses = false;
            break;
        case 'm':
            o.longest_s = (double)number(optarg);
            break;
        default:
            exit(1);
        }
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct corpus c = make_corpus(&o);
    double before_bytes = resident_bytes(), manifest_bytes;
    struct manifest *m = make_manifest(c.n);

    log_setup(LOG_LEVEL_ERROR, -1);
    manifest_bytes = resident_bytes() - before_bytes;
    printf("{\"manifest_bytes_a_video\": %.1f, \"runs\": [\n", manifest_bytes / c.n);
    for (unsigned i = 0; i < o.n_runs; i++)
        run(&o, &c, m, manifest_bytes, o.lanes[i], i + 1 == o.n_runs);
    printf("]}\n");
    manifest_close(&m);
    free(c.real_s);
    free(c.predicted_s);
    free(c.bias);
    return 0;
}
