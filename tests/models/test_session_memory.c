/* A run allocates nothing: every allocation of this program is counted while one goes on. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "models/network.h"

#if defined(__SANITIZE_ADDRESS__)
#define COUNTS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COUNTS 0
#endif
#endif
#ifndef COUNTS
#define COUNTS 1
#endif

/* volatile: the compiler knows malloc, and takes it that malloc leaves our variables alone. */
static _Thread_local volatile bool counting;
static _Thread_local volatile unsigned allocations;
static _Thread_local volatile size_t most_bytes;
static _Thread_local volatile int held; /* allocated less freed */

#if COUNTS
void __libc_free(void *p);
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);

static void count(size_t bytes)
{
    if (!counting)
        return;
    allocations++;
    held++;
    most_bytes = bytes > most_bytes ? bytes : most_bytes;
}

void free(void *p)
{
    if (p && counting)
        held--;
    __libc_free(p);
}

void *malloc(size_t bytes)
{
    count(bytes);
    return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    count(n * bytes);
    return __libc_calloc(n, bytes);
}

void *realloc(void *p, size_t bytes)
{
    count(bytes);
    if (p && counting)
        held--;
    return __libc_realloc(p, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
    count(bytes);
    return __libc_memalign(align, bytes);
}

int posix_memalign(void **p, size_t align, size_t bytes)
{
    count(bytes);
    *p = __libc_memalign(align, bytes);
    return *p ? 0 : 12;
}
#endif

/* Runs once more and counts. */
static unsigned count_run(const char *name, enum network_backend backend)
{
    const struct session_settings settings = {.backend = backend};
    struct network *n = NULL;
    struct session *s = NULL;
    struct error e = {0};
    char path[512];
    unsigned counted;
    enum status st;

    snprintf(path, sizeof(path), TEST_DATA_DIR "/networks/%s.onnx", name);
    cr_assert_eq(network_open(path, &n, &e), STATUS_OK, "%s", e.text);
    if (session_open(n, &settings, &s, &e) != STATUS_OK) {
        /* "shapes" pads by reflection, which a single pixel cannot be */
        cr_assert_fail("%s", e.text);
    }
    for (size_t k = 0; k < network_input_count(n); k++) {
        struct tensor_shape shape;

        session_input_shape(s, k, &shape);
        memset(session_input(s, k), 0, (size_t)tensor_shape_count(&shape) * sizeof(float));
    }
    cr_assert_eq(session_run(s, &e), STATUS_OK, "%s", e.text);
    allocations = 0;
    most_bytes = 0;
    held = 0;
    counting = true;
    st = session_run(s, &e);
    counted = allocations;
    counting = false;
    cr_assert_eq(st, STATUS_OK, "%s", e.text);
    session_close(&s);
    network_close(&n);
    return counted;
}

static const char *const names[] = {"joint", "gru", "block", "shapes", "attention", "video", "old"};

static void check_counter(void)
{
    unsigned counted;
    void *volatile p; /* or the compiler drops the pair */

    if (!COUNTS)
        cr_skip_test("the sanitizer has its own allocator");
    allocations = 0;
    counting = true;
    p = malloc(1);
    counted = allocations;
    free(p);
    counting = false;
    cr_assert_eq(counted, 1, "the counter counts %u", counted);
}

Test(session, a_run_allocates_nothing)
{
    check_counter();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unsigned counted = count_run(names[i], NETWORK_BACKEND_NATIVE);

        cr_assert_eq(counted, 0, "%s: %u allocations", names[i], counted);
    }
}

/* oneDNN keeps the arguments of a primitive in a table of its own while it runs: a few nodes that are freed again. What
 * is small and freed comes from the heap as it is and asks the system for nothing. OpenBLAS, too, takes a little for
 * some products. */
Test(session, what_the_libraries_allocate_in_a_run_is_small_and_freed)
{
    static const enum network_backend backends[] = {NETWORK_BACKEND_ONEDNN, NETWORK_BACKEND_OPENBLAS};

    check_counter();
    for (size_t i = 0; i < 2 * sizeof(names) / sizeof(names[0]); i++) {
        const char *name = names[i / 2];

        (void)count_run(name, backends[i % 2]);
        cr_assert_leq(most_bytes, 4096, "%s: an allocation of %zu bytes", name, (size_t)most_bytes);
        cr_assert_eq(held, 0, "%s: %d allocations are left", name, (int)held);
    }
}
