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

#if COUNTS
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);

void *malloc(size_t bytes)
{
    allocations += counting;
    return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    allocations += counting;
    return __libc_calloc(n, bytes);
}

void *realloc(void *p, size_t bytes)
{
    allocations += counting;
    return __libc_realloc(p, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
    allocations += counting;
    return __libc_memalign(align, bytes);
}

int posix_memalign(void **p, size_t align, size_t bytes)
{
    allocations += counting;
    *p = __libc_memalign(align, bytes);
    return *p ? 0 : 12;
}
#endif

Test(session, a_run_allocates_nothing)
{
    static const char *const names[] = {"joint", "gru", "block", "shapes", "attention", "video", "old"};

    if (!COUNTS)
        cr_skip_test("the sanitizer has its own allocator");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct network *n = NULL;
        struct session *s = NULL;
        struct error e = {0};
        char path[512];
        unsigned counted;
        enum status st;
        void *volatile p; /* or the compiler drops the pair */

        allocations = 0;
        counting = true;
        p = malloc(1);
        counted = allocations;
        counting = false;
        free(p);
        cr_assert_eq(counted, 1, "the counter counts %u", counted);
        snprintf(path, sizeof(path), TEST_DATA_DIR "/networks/%s.onnx", names[i]);
        cr_assert_eq(network_open(path, &n, &e), STATUS_OK, "%s", e.text);
        if (session_open(n, NULL, &s, &e) != STATUS_OK) {
            /* "shapes" pads by reflection, which a single pixel cannot be */
            cr_assert_fail("%s", e.text);
        }
        for (size_t k = 0; k < network_input_count(n); k++) {
            struct tensor_shape shape;

            session_input_shape(s, k, &shape);
            memset(session_input(s, k), 0, (size_t)tensor_shape_count(&shape) * sizeof(float));
        }
        allocations = 0;
        counting = true;
        st = session_run(s, &e);
        counted = allocations;
        counting = false;
        cr_assert_eq(st, STATUS_OK, "%s", e.text);
        cr_assert_eq(counted, 0, "%s: %u allocations", names[i], counted);
        session_close(&s);
        network_close(&n);
    }
}
