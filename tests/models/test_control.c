/* If, Loop and Scan that cannot be put in place, and other models that ask for too much. Files: tests/golden/
 * make_hostile.py. What is right is held by tests/golden/check_operators.py and ONNX's cases. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "models/network_private.h"

static const struct {
    const char *name;
    enum status status;
    const char *words[2];
} cases[] = {
    {"loop_endless", STATUS_UNSUPPORTED, {"'loop1'", "more than 32768 nodes"}},
    {"loop_idle", STATUS_UNSUPPORTED, {"'loop1'", "more than 32768 turns"}},
    {"loop_forever", STATUS_UNSUPPORTED, {"'loop1'", "more than 32768 nodes"}},
    {"loop_heavy", STATUS_UNSUPPORTED, {"'loop1'", "more than 32768 nodes"}},
    {"loop_count", STATUS_UNSUPPORTED, {"'loop1'", "number of turns is known only at run time"}},
    {"loop_stops", STATUS_UNSUPPORTED, {"'loop1'", "after turn 0 is known only at run time"}},
    {"loop_ports", STATUS_CORRUPT, {"'loop1'", "3 inputs and 2 outputs, must have 4 and 3"}},
    {"loop_body", STATUS_CORRUPT, {"'loop1'", "has no body"}},
    {"loop_doubles", STATUS_INVALID, {"Concat", "beyond"}},
    {"if_input", STATUS_UNSUPPORTED, {"'if1'", "condition is known only at run time"}},
    {"if_outputs", STATUS_CORRUPT, {"'if1'", "1 outputs, must have 0 and 2"}},
    {"if_capture", STATUS_CORRUPT, {"'nobody'", "nothing writes"}},
    {"if_twice", STATUS_CORRUPT, {"'b'", "written twice"}},
    {"if_cycle", STATUS_CORRUPT, {"'if1'", "part of a cycle"}},
    {"scan_axis", STATUS_CORRUPT, {"'scan1'", "axis 7 is outside rank 2"}},
    {"scan_open", STATUS_UNSUPPORTED, {"'scan1'", "length that it scans is known only at run time"}},
    {"scan_count", STATUS_CORRUPT, {"'scan1'", "num_scan_inputs"}},
    {"einsum_huge", STATUS_INVALID, {"'sum1'", "too large"}},
    {"einsum_stray", STATUS_INVALID, {"'sum1'", "stray ';'"}},
    {"einsum_terms", STATUS_INVALID, {"'sum1'", "2 terms"}},
    {"nms_pairs", STATUS_UNSUPPORTED, {"'nms1'", "200000 boxes"}},
    {"nms_sorted", STATUS_UNSUPPORTED, {"'nms1'", "to select up to 1 from"}},
    {"sparse", STATUS_UNSUPPORTED, {"'sp'", "sparse initializer"}},
};

/* 4 GiB hold all but what is refused; the sanitizer's shadow would not fit under such a limit. */
static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__)
    struct rlimit most = {(rlim_t)4 << 30, (rlim_t)4 << 30};

    cr_assert_eq(setrlimit(RLIMIT_AS, &most), 0);
#endif
}

Test(control, what_cannot_be_put_in_place_is_refused_with_its_reason, .timeout = 120)
{
    limit_memory();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct network *n = NULL;
        struct error e = {0};
        char path[512];
        enum status s;

        snprintf(path, sizeof(path), TEST_DATA_DIR "/hostile/%s.onnx", cases[i].name);
        s = network_open(path, &n, &e);
        cr_assert_eq(s, cases[i].status, "%s: %s: %s", cases[i].name, status_name(s), e.text);
        cr_assert_null(n);
        for (size_t k = 0; k < 2; k++)
            cr_assert_not_null(strstr(e.text, cases[i].words[k]), "%s lacks %s", e.text, cases[i].words[k]);
    }
}

/* Writes field `number` of a message: a length and its bytes. */
static size_t put(unsigned char *to, unsigned number, const void *bytes, size_t len)
{
    size_t n = 0;

    to[n++] = (unsigned char)(number << 3 | 2);
    for (size_t rest = len;; rest >>= 7) {
        to[n++] = (unsigned char)((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
        if (rest <= 0x7f)
            break;
    }
    memmove(to + n, bytes, len);
    return n + len;
}

/* GraphProto: an If on "c" whose branch is `inner`, or an Identity of x; its output is y. */
static size_t wrap(unsigned char *graph, const unsigned char *inner, size_t len, size_t room)
{
    static const unsigned char type_graph[] = {0xa0, 0x01, 5}; /* AttributeProto.type */
    unsigned char *attribute = malloc(room), *node = malloc(room);
    size_t n_node = 0, n = 0;

    cr_assert_not_null(attribute);
    cr_assert_not_null(node);
    n_node += put(node + n_node, 1, inner ? "c" : "x", 1);
    n_node += put(node + n_node, 2, "y", 1);
    n_node += put(node + n_node, 4, inner ? "If" : "Identity", inner ? 2 : 8);
    if (inner) {
        size_t n_attribute = put(attribute, 1, "then_branch", 11);

        n_attribute += put(attribute + n_attribute, 6, inner, len);
        memcpy(attribute + n_attribute, type_graph, sizeof(type_graph));
        n_node += put(node + n_node, 5, attribute, n_attribute + sizeof(type_graph));
    }
    n += put(graph + n, 1, node, n_node);
    n += put(graph + n, 12, "\x0a\x01y", 3);
    free(attribute);
    free(node);
    return n;
}

/* A model of `depth` nested Ifs, its condition the constant true. */
static size_t nested(int depth, unsigned char *model, size_t room)
{
    static const unsigned char opset[] = {0x10, 13};                               /* version 13 */
    static const unsigned char yes[] = {0x10, 9, 0x42, 1, 'c', 0x4a, 1, 1};        /* TensorProto: bool, name, raw */
    static const unsigned char type[] = {0x0a, 1, 'x', 0x12, 4, 0x0a, 2, 0x08, 1}; /* ValueInfoProto: x, float */
    unsigned char *graph = malloc(room), *inner = malloc(room);
    size_t n, len;

    cr_assert_not_null(graph);
    cr_assert_not_null(inner);
    len = wrap(graph, NULL, 0, room);
    for (int i = 0; i < depth; i++) {
        memcpy(inner, graph, len);
        len = wrap(graph, inner, len, room);
    }
    len += put(graph + len, 5, yes, sizeof(yes));
    len += put(graph + len, 11, type, sizeof(type));
    n = put(model, 7, graph, len);
    n += put(model + n, 8, opset, sizeof(opset));
    free(graph);
    free(inner);
    return n;
}

Test(control, nested_branches_are_put_in_place_down_to_a_bound)
{
    enum { ROOM = 1 << 17 };
    unsigned char *model = malloc(ROOM);
    struct network *n = NULL;
    struct error e = {0};

    cr_assert_not_null(model);
    for (int depth = 0; depth <= 8; depth += 4) {
        struct session *s = NULL;

        cr_assert_eq(network_open_memory(model, nested(depth, model, ROOM), "deep.onnx", &n, &e), STATUS_OK, "%d: %s",
                     depth, e.text);
        cr_assert_eq(session_open(n, NULL, &s, &e), STATUS_OK, "%s", e.text);
        *(float *)session_input(s, 0) = 3.5f;
        cr_assert_eq(session_run(s, &e), STATUS_OK, "%s", e.text);
        cr_assert_eq(*(const float *)session_output(s, 0), 3.5f);
        session_close(&s);
        network_close(&n);
    }
    for (int depth = 30; depth <= 1000; depth += 970) {
        cr_assert_eq(network_open_memory(model, nested(depth, model, ROOM), "deep.onnx", &n, &e), STATUS_CORRUPT, "%d",
                     depth);
        cr_assert_not_null(strstr(e.text, "nested too deep"), "%s", e.text);
        cr_assert_null(n);
    }
    free(model);
}
