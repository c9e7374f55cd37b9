/* The golden arrays of tests/data/networks are numpy's own files. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/npy.h"

Test(npy, reads_what_numpy_wrote)
{
    struct tensor_shape shape;
    enum tensor_type type;
    struct error e = {0};
    void *data = NULL;

    cr_assert_eq(npy_read(TEST_DATA_DIR "/networks/gru_in0.npy", &type, &shape, &data, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(type, TENSOR_F32);
    cr_assert_eq(shape.rank, 3);
    cr_assert_eq(shape.dims[0], 6);
    cr_assert_eq(shape.dims[2], 7);
    free(data);
}

Test(npy, writes_what_it_reads)
{
    static const int64_t values[6] = {1, -2, INT64_MAX, 4, 5, INT64_MIN};
    struct tensor_shape shapes[] = {{.rank = 2, .dims = {2, 3}}, {.rank = 1, .dims = {6}}, {.rank = 0}}, shape;
    char path[] = "/tmp/npyXXXXXX";
    enum tensor_type type;
    struct error e = {0};

    cr_assert_geq(mkstemp(path), 0);
    for (size_t i = 0; i < 3; i++) {
        void *data = NULL;

        cr_assert_eq(npy_write(path, TENSOR_I64, &shapes[i], values, &e), STATUS_OK, "%s", e.text);
        cr_assert_eq(npy_read(path, &type, &shape, &data, &e), STATUS_OK, "%s", e.text);
        cr_assert_eq(type, TENSOR_I64);
        cr_assert_eq(shape.rank, shapes[i].rank);
        cr_assert_eq(memcmp(data, values, (size_t)tensor_shape_count(&shape) * 8), 0);
        free(data);
    }
    unlink(path);
}

static enum status parse(const char *header, size_t data_bytes, struct error *e)
{
    struct tensor_shape shape;
    enum tensor_type type;
    void *data = NULL;
    size_t len = strlen(header);
    char *bytes = calloc(1, 10 + len + data_bytes + 1);
    enum status s;

    cr_assert_not_null(bytes);
    memcpy(bytes, "\x93NUMPY\x01", 7);
    bytes[8] = (char)(len & 0xff);
    bytes[9] = (char)(len >> 8);
    memcpy(bytes + 10, header, len);
    s = npy_parse(bytes, 10 + len + data_bytes, "x.npy", &type, &shape, &data, e);
    free(data);
    free(bytes);
    return s;
}

Test(npy, refuses_what_breaks_a_rule)
{
    struct tensor_shape shape;
    enum tensor_type type;
    struct error e;
    void *data = NULL;

    cr_assert_eq(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8, &e), STATUS_OK);
    cr_assert_eq(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7, &e), STATUS_CORRUPT);
    cr_assert_eq(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 9, &e), STATUS_CORRUPT);
    cr_assert_eq(parse("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", 8, &e), STATUS_UNSUPPORTED);
    cr_assert_eq(parse("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8, &e), STATUS_UNSUPPORTED);
    cr_assert_eq(parse("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 8, &e), STATUS_UNSUPPORTED);
    cr_assert_eq(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8, &e), STATUS_UNSUPPORTED);
    cr_assert_eq(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296,), }", 0, &e),
                 STATUS_CORRUPT);
    cr_assert_eq(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,), }", 0, &e),
                 STATUS_UNSUPPORTED);
    cr_assert_eq(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (2", 8, &e), STATUS_UNSUPPORTED);
    cr_assert_eq(parse("{}", 0, &e), STATUS_CORRUPT);
    cr_assert_eq(npy_parse("\x93NUMPY\x01\x00\xff\xff{}", 12, "x.npy", &type, &shape, &data, &e), STATUS_CORRUPT);
    cr_assert_eq(npy_parse("<html>", 6, "x.npy", &type, &shape, &data, &e), STATUS_CORRUPT);
    cr_assert_null(data);
}
