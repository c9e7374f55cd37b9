/* Files: tests/golden/make_external.py (python3-onnx, numpy). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/network_private.h"
#include "models/npy.h"
#include "shard/file.h"

#define EXTERNAL TEST_DATA_DIR "/external/"

static enum status open_in(const char *folder, const char *name, struct network **ret_n, struct error *e)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s.onnx", folder, name);
    return network_open(path, ret_n, e);
}

static void *read_array(const char *path, struct tensor_shape *ret_shape)
{
    enum tensor_type type;
    struct error e = {0};
    void *data = NULL;

    cr_assert_eq(npy_read(path, &type, ret_shape, &data, &e), STATUS_OK, "%s", e.text);
    return data;
}

static void check_result(struct network *n)
{
    struct tensor_shape shape;
    float *x = read_array(EXTERNAL "in.npy", &shape), *wanted;
    struct session *s = NULL;
    struct error e = {0};
    const float *got;

    cr_assert_eq(session_open(n, NULL, &s, &e), STATUS_OK, "%s", e.text);
    memcpy(session_input(s, 0), x, (size_t)tensor_shape_count(&shape) * sizeof(float));
    cr_assert_eq(session_run(s, &e), STATUS_OK, "%s", e.text);
    wanted = read_array(EXTERNAL "out.npy", &shape);
    got = session_output(s, 0);
    for (int64_t i = 0; i < tensor_shape_count(&shape); i++)
        cr_assert(fabsf(got[i] - wanted[i]) <= 1e-5f + 1e-5f * fabsf(wanted[i]), "%lld: %g, not %g", (long long)i,
                  (double)got[i], (double)wanted[i]);
    free(x);
    free(wanted);
    session_close(&s);
}

Test(external, weights_beside_the_model_are_read)
{
    struct network *n = NULL;
    struct error e = {0};

    cr_assert_eq(open_in(EXTERNAL, "good", &n, &e), STATUS_OK, "%s", e.text);
    check_result(n);
    network_close(&n);
    /* A path without a folder means the folder that one is in. */
    cr_assert_eq(chdir(EXTERNAL), 0);
    cr_assert_eq(network_open("good.onnx", &n, &e), STATUS_OK, "%s", e.text);
    check_result(n);
    network_close(&n);
}

Test(external, a_location_that_breaks_a_rule_is_refused_with_its_reason)
{
    static const struct {
        const char *name;
        enum status status;
        const char *word;
    } cases[] = {
        {"parent", STATUS_CORRUPT, "'../external/weights.bin' leaves the folder"},
        {"inner_parent", STATUS_CORRUPT, "leaves the folder"},
        {"absolute", STATUS_CORRUPT, "'/etc/passwd' leaves the folder"},
        {"empty", STATUS_CORRUPT, "leaves the folder"},
        {"missing", STATUS_NOT_FOUND, "cannot open 'nothing.bin'"},
        {"past_end", STATUS_CORRUPT, "of 'weights.bin', which has 4950"},
        {"far_offset", STATUS_CORRUPT, "4611686018427387904"},
        {"negative_offset", STATUS_CORRUPT, "external offset '-4096' is no number of bytes"},
        {"short", STATUS_CORRUPT, "holds 4796 bytes, its shape needs 4800"},
        {"words", STATUS_CORRUPT, "external offset 'zero'"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct network *n = NULL;
        struct error e = {0};
        enum status s = open_in(EXTERNAL, cases[i].name, &n, &e);

        cr_assert_eq(s, cases[i].status, "%s: %s: %s", cases[i].name, status_name(s), e.text);
        cr_assert_null(n);
        cr_assert_not_null(strstr(e.text, cases[i].word), "%s lacks %s", e.text, cases[i].word);
        cr_assert_not_null(strstr(e.text, "tensor 'w'"), "%s", e.text);
    }
}

static void copy_file(const char *from, const char *folder, const char *name)
{
    char path[512], *data = NULL;
    struct error e = {0};
    size_t len;

    cr_assert_eq(file_read(from, 1 << 20, &data, &len, &e), STATUS_OK, "%s", e.text);
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    cr_assert_eq(file_write(path, data, len, &e), STATUS_OK, "%s", e.text);
    free(data);
}

static void forget(const char *folder, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    (void)remove(path);
}

Test(external, a_link_may_stay_in_the_folder_and_not_leave_it)
{
    char folder[] = "/tmp/fakesift_external_XXXXXX", link[512], sub[512];
    struct network *n = NULL;
    struct error e = {0};

    cr_assert_not_null(mkdtemp(folder));
    copy_file(EXTERNAL "link.onnx", folder, "link.onnx");
    copy_file(EXTERNAL "folder.onnx", folder, "folder.onnx");
    copy_file(EXTERNAL "weights.bin", folder, "weights.bin");
    snprintf(link, sizeof(link), "%s/link.bin", folder);
    snprintf(sub, sizeof(sub), "%s/sub", folder);
    /* Out of the folder, by an absolute and by a relative way: both name a file that is there. */
    cr_assert_eq(symlink(EXTERNAL "weights.bin", link), 0);
    cr_assert_eq(open_in(folder, "link", &n, &e), STATUS_CORRUPT, "%s", e.text);
    cr_assert_not_null(strstr(e.text, "'link.bin' is a link that leaves the folder"), "%s", e.text);
    cr_assert_eq(unlink(link), 0);
    cr_assert_eq(symlink("../../etc/passwd", link), 0);
    cr_assert_eq(open_in(folder, "link", &n, &e), STATUS_CORRUPT, "%s", e.text);
    cr_assert_not_null(strstr(e.text, "leaves the folder"), "%s", e.text);
    cr_assert_eq(unlink(link), 0);
    /* Round and round. */
    cr_assert_eq(symlink("link.bin", link), 0);
    cr_assert_eq(open_in(folder, "link", &n, &e), STATUS_CORRUPT, "%s", e.text);
    cr_assert_eq(unlink(link), 0);
    /* What is no regular file. */
    cr_assert_eq(mkdir(sub, 0700), 0);
    cr_assert_eq(open_in(folder, "folder", &n, &e), STATUS_CORRUPT, "%s", e.text);
    cr_assert_not_null(strstr(e.text, "not a regular file"), "%s", e.text);
    cr_assert_eq(rmdir(sub), 0);
    cr_assert_eq(mkfifo(sub, 0600), 0);
    cr_assert_eq(open_in(folder, "folder", &n, &e), STATUS_CORRUPT, "%s", e.text);
    cr_assert_not_null(strstr(e.text, "not a regular file"), "%s", e.text);
    cr_assert_null(n);
    forget(folder, "sub");
    forget(folder, "link.onnx");
    forget(folder, "folder.onnx");
    forget(folder, "weights.bin");
    cr_assert_eq(rmdir(folder), 0);
}

Test(external, bytes_without_a_folder_have_no_files_beside_them)
{
    struct network *n = NULL;
    struct error e = {0};
    char *data = NULL;
    size_t len;

    cr_assert_eq(file_read(EXTERNAL "good.onnx", 1 << 20, &data, &len, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(network_open_memory(data, len, EXTERNAL "good.onnx", &n, &e), STATUS_UNSUPPORTED);
    cr_assert_not_null(strstr(e.text, "external"), "%s", e.text);
    cr_assert_null(n);
    free(data);
}
