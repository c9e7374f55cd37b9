#include "shard/csv.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"
#include "shard/text.h"

static char folder[] = "/tmp/fakesift-csv-XXXXXX";
static char file[64];

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/t.csv", folder);
}

static void remove_folder(void)
{
    unlink(file);
    rmdir(folder);
}

TestSuite(csv, .init = make_folder, .fini = remove_folder);

/* Every row as LINE:[FIELD|FIELD], then the failure's text without the file's name. */
static char *read_bytes(const char *bytes, size_t len)
{
    struct csv_reader *r = NULL;
    struct csv_row row;
    struct error e = {0};
    struct text t = {0};
    enum status s;

    cr_assert_eq(file_write(file, bytes, len, NULL), STATUS_OK);
    cr_assert_eq(csv_reader_open(file, &r, &e), STATUS_OK, "%s", e.text);
    while ((s = csv_reader_next(r, &row, &e)) == STATUS_OK) {
        text_append_format(&t, "%zu:[", row.line);
        for (size_t i = 0; i < row.n_fields; i++)
            text_append_format(&t, "%s%s", i ? "|" : "", row.fields[i]);
        text_append_string(&t, "]");
    }
    if (s != STATUS_END) {
        struct error again = {0};

        text_append_string(&t, e.text + strlen(file));
        cr_assert_eq(csv_reader_next(r, &row, &again), s, "a failed reader stays failed");
        cr_assert_str_eq(again.text, e.text);
    } else {
        cr_assert_eq(csv_reader_next(r, &row, &e), STATUS_END);
    }
    csv_reader_close(&r);
    cr_assert_null(r);
    return text_take(&t);
}

static void expect(const char *bytes, const char *want)
{
    char *got = read_bytes(bytes, strlen(bytes));

    cr_assert_str_eq(got, want);
    free(got);
}

Test(csv, reads_rfc_4180)
{
    expect("", "");
    expect("a,b\nc,d\n", "1:[a|b]2:[c|d]");
    expect("a,b\r\nc,d\r\n", "1:[a|b]2:[c|d]");
    expect("a,b\nc,d", "1:[a|b]2:[c|d]");
    expect(",\n", "1:[|]");
    expect("\"\"\n", "1:[]");
    expect("\"a\"\"b\",\"c,d\"", "1:[a\"b|c,d]");
    expect("\"a\"", "1:[a]");
    expect(" a , b\t\n", "1:[ a | b\t]");
    expect("\" a \"", "1:[ a ]");
    expect("\xff\xfe\n", "1:[\xff\xfe]");
}

Test(csv, lines_are_counted_through_quotes_and_empty_lines)
{
    expect("\"a\nb\r\nc\"\nd\n", "1:[a\nb\r\nc]4:[d]");
    expect("\n\na\n\r\nb", "3:[a]5:[b]");
    expect("a\n\n\n", "1:[a]");
}

Test(csv, byte_order_mark_is_skipped_at_the_start_alone)
{
    expect("\xef\xbb\xbfpath\n", "1:[path]");
    expect("\xef\xbb\xbf", "");
    expect("a\n\xef\xbb\xbf\n", "1:[a]2:[\xef\xbb\xbf]");
    expect("\xef\xbb", "1:[\xef\xbb]");
}

#define QUOTES                                                                                                         \
    ": a quote inside a field that is not quoted, or text after a closing quote (RFC 4180: quote the field "           \
    "and "                                                                                                             \
    "double its quotes)"

Test(csv, what_is_not_rfc_4180_is_an_error_with_its_line)
{
    static const char zero[] = "a\nb\0c\n";
    char *got;

    expect("a\nb\"c\"\n", "1:[a]:2" QUOTES);
    expect("\"a\"b\n", ":1" QUOTES);
    expect("\"a\" ,b\n", ":1" QUOTES);
    expect("a\n\"b\nc\n", "1:[a]:2: a quote is opened in this row and never closed");
    expect("a\rb\n", ":1: a carriage return without a line feed");
    expect("a\nb\r", "1:[a]:2: a carriage return without a line feed");
    got = read_bytes(zero, sizeof(zero) - 1);
    cr_assert_str_eq(got, "1:[a]:2: a zero byte; this is not a text file");
    free(got);
}

Test(csv, limits_hold)
{
    size_t len = CSV_MAX_ROW_BYTES;
    char *bytes = malloc(len + 2);
    char *got;

    memset(bytes, 'x', len);
    bytes[len - 1] = '\n';
    got = read_bytes(bytes, len);
    cr_assert_eq(strlen(got), len - 1 + strlen("1:[]"), "the longest row is read");
    free(got);
    bytes[len - 1] = 'x';
    bytes[len] = '\n';
    got = read_bytes(bytes, len + 1);
    cr_assert_str_eq(got, ":1: the row is longer than 1048576 bytes");
    free(got);
    bytes[0] = '"';
    got = read_bytes(bytes, len + 1);
    cr_assert_str_eq(got, ":1: the row is longer than 1048576 bytes (a quote that is not closed?)");
    free(got);
    memset(bytes, ',', CSV_MAX_FIELDS);
    got = read_bytes(bytes, CSV_MAX_FIELDS - 1);
    cr_assert_eq(strlen(got), CSV_MAX_FIELDS - 1 + strlen("1:[]"));
    free(got);
    got = read_bytes(bytes, CSV_MAX_FIELDS);
    cr_assert_str_eq(got, ":1: more than 1024 fields");
    free(got);
    free(bytes);
}

Test(csv, rows_across_read_borders_are_whole)
{
    struct text t = {0}, want = {0};
    char *got;

    for (unsigned i = 0; i < 40000; i++) {
        text_append_format(&t, "row%u,\"q\n%u\"\r\n", i, i * 7);
        text_append_format(&want, "%u:[row%u|q\n%u]", 2 * i + 1, i, i * 7);
    }
    got = read_bytes(t.data, t.len_bytes);
    cr_assert(strcmp(got, want.data) == 0);
    free(got);
    text_clear(&t);
    text_clear(&want);
}

Test(csv, only_regular_files_are_opened)
{
    struct csv_reader *r = NULL;
    struct error e = {0};

    cr_assert_eq(csv_reader_open(file, &r, &e), STATUS_NOT_FOUND);
    cr_assert_eq(csv_reader_open(folder, &r, &e), STATUS_INVALID);
    cr_assert_not_null(strstr(e.text, "not a regular file"));
    cr_assert_eq(mkfifo(file, 0600), 0);
    cr_assert_eq(csv_reader_open(file, &r, &e), STATUS_INVALID, "a FIFO must not hang");
    cr_assert_null(r);
}
