#include "nodes/landmarks.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static enum status read_text(const char *text, size_t len, float **rows, size_t *n, struct error *e)
{
    int fd = memfd_create("landmarks", 0);
    enum status s;

    cr_assert_eq(write(fd, text, len), (ssize_t)len);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    s = landmarks_read(fd, &(struct window){0}, 2, rows, n, e);
    close(fd);
    return s;
}

Test(landmarks, rows_of_numbers_come_back)
{
    static const char text[] = "1 2 3 4\n\n-.5 1e-3 0 7 \r\n";
    static const float want[] = {1, 2, 3, 4, -0.5F, 1e-3F, 0, 7};
    float *rows = NULL;
    size_t n = 0;
    struct error e;

    cr_assert_eq(read_text(text, sizeof(text) - 1, &rows, &n, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(n, 2);
    for (size_t i = 0; i < 8; i++)
        cr_assert_eq(rows[i], want[i]);
    free(rows);
}

Test(landmarks, an_empty_file_has_no_rows)
{
    float *rows = NULL;
    size_t n = 9;
    struct error e;

    cr_assert_eq(read_text("", 0, &rows, &n, &e), STATUS_OK);
    cr_assert_eq(n, 0);
    free(rows);
}

Test(landmarks, what_is_not_a_row_is_named_by_its_line)
{
    static const struct {
        const char *text, *says;
    } cases[] = {{"1 2 3 4\n1 2 3\n", "line 2"},  {"1 2 3 4 5\n", "line 1"}, {"1 2 x 4\n", "line 1"},
                 {"1 2 nan 4\n", "line 1"},       {"1 2 inf 4\n", "line 1"}, {"<html>\n", "line 1"},
                 {"1\n1\n1\n1\n1\n1\n", "line 1"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        float *rows = NULL;
        size_t n;
        struct error e;

        cr_assert_eq(read_text(cases[i].text, strlen(cases[i].text), &rows, &n, &e), STATUS_CORRUPT, "case %zu", i);
        cr_assert(strstr(e.text, cases[i].says), "case %zu: %s", i, e.text);
    }
}

Test(landmarks, a_binary_file_is_refused)
{
    float *rows = NULL;
    size_t n;
    struct error e;

    cr_assert_eq(read_text("1 2\0 3 4", 8, &rows, &n, &e), STATUS_CORRUPT);
    cr_assert(strstr(e.text, "zero byte"));
}
