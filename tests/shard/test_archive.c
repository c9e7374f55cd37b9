#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shard/tar.h"
#include "shard/zip.h"
#include "tests/shard/archive_builder.h"

static int fd_of(const struct text *t)
{
    int fd = memfd_create("archive", 0);

    cr_assert(fd >= 0 && !t->failed);
    cr_assert_eq(write(fd, t->data, t->len_bytes), (ssize_t)t->len_bytes);
    return fd;
}

/* "NAME=CONTENT|..." of what can be read in place, "NAME(kind)" of the rest, "!" where one is cut, then "end" or the error. */
static char *list(const struct text *archive, bool is_zip)
{
    int fd = fd_of(archive);
    struct tar_reader *tar = NULL;
    struct zip_reader *zip = NULL;
    struct archive_member m;
    struct error e = {0};
    struct text t = {0};
    enum status s = is_zip ? zip_open(fd, &zip, &e) : tar_open(fd, &tar, &e), again;

    for (unsigned n = 0; s == STATUS_OK; n++) {
        cr_assert_lt(n, 100u);
        s = is_zip ? zip_next(zip, &m, &e) : tar_next(tar, &m, &e);
        if (s != STATUS_OK)
            break;
        text_append_string(&t, m.name);
        if (m.kind != ARCHIVE_FILE) {
            text_append_format(&t, "(%d)|", m.kind);
        } else if (m.is_cut) {
            text_append_string(&t, "!|");
        } else {
            cr_assert_leq(m.offset + m.size_bytes, archive->len_bytes);
            text_append_string(&t, "=");
            text_append(&t, archive->data + m.offset, m.size_bytes < 40 ? m.size_bytes : 40);
            text_append_string(&t, "|");
        }
    }
    if (zip || tar) {
        struct error repeated = {0};

        again = is_zip ? zip_next(zip, &m, &repeated) : tar_next(tar, &m, &repeated);
        cr_assert_eq(again, s);
        cr_assert_str_eq(repeated.text, e.text);
    }
    text_append_string(&t, s == STATUS_END ? "end" : e.text);
    tar_close(&tar);
    zip_close(&zip);
    close(fd);
    return text_take(&t);
}

static void expect(struct text *archive, bool is_zip, const char *want)
{
    char *got = list(archive, is_zip);

    cr_assert_str_eq(got, want);
    free(got);
    text_clear(archive);
}

Test(archive, tar_gives_each_member_and_its_bytes)
{
    struct text t = {0};

    tar_put_file(&t, "000.json", "{}");
    tar_put_file(&t, "./000.mp4", "video");
    tar_put_file(&t, "empty.mp4", "");
    tar_put_header(&t, &(struct tar_header){.name = "folder/", .type = '5'});
    tar_put_header(&t, &(struct tar_header){.name = "old/", .type = '\0', .magic = "\0\0\0\0\0\0\0"});
    tar_put_header(&t, &(struct tar_header){.name = "b.mp4", .prefix = "long/prefix", .size = 2});
    tar_put_bytes(&t, "bb", 2);
    /* GNU keeps times where POSIX has the prefix. */
    tar_put_header(&t, &(struct tar_header){.name = "gnu.mp4", .prefix = "12345", .magic = "ustar  ", .size = 1});
    tar_put_bytes(&t, "g", 1);
    tar_put_end(&t);
    text_append_string(&t, "what follows is not read");
    expect(&t, false, "000.json={}|./000.mp4=video|empty.mp4=|folder/(1)|old/(1)|long/prefix/b.mp4=bb|gnu.mp4=g|end");
}

Test(archive, tar_long_names_and_sizes_of_both_kinds)
{
    char name[300];
    struct text t = {0}, want = {0};
    const char pax[] = "22 path=p\xc3\xa4th/pax.mp4\n13 size=0003\n19 SCHILY.fflags=a\n";

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    tar_put_header(&t, &(struct tar_header){.name = "././@LongLink", .type = 'K', .size = 5, .magic = "ustar  "});
    tar_put_bytes(&t, "link", 5);
    tar_put_header(
        &t, &(struct tar_header){.name = "././@LongLink", .type = 'L', .size = sizeof(name), .magic = "ustar  "});
    tar_put_bytes(&t, name, sizeof(name));
    tar_put_header(&t, &(struct tar_header){.name = "nnn", .size = 4, .magic = "ustar  "});
    tar_put_bytes(&t, "long", 4);
    tar_put_header(&t, &(struct tar_header){.name = "pax", .type = 'g', .size = 20});
    tar_put_bytes(&t, "20 comment=whatever\n", 20);
    tar_put_header(&t, &(struct tar_header){.name = "pax", .type = 'x', .size = sizeof(pax) - 1});
    tar_put_bytes(&t, pax, sizeof(pax) - 1);
    tar_put_header(&t, &(struct tar_header){.name = "short", .size = 0});
    tar_put_bytes(&t, "pax", 3);
    /* Base 256, and the next member is itself again. */
    tar_put_header(&t, &(struct tar_header){.name = "b256", .size_field = "\x80\0\0\0\0\0\0\0\0\0\0\x04"});
    tar_put_bytes(&t, "b256", 4);
    tar_put_end(&t);
    text_append_format(&want, "%s=long|p\xc3\xa4th/pax.mp4=pax|b256=b256|end", name);
    expect(&t, false, want.data);
    text_clear(&want);
}

Test(archive, tar_members_that_cannot_be_read_in_place_are_told_apart)
{
    const char sparse[] = "22 GNU.sparse.major=1\n29 GNU.sparse.name=holes.mp4\n";
    struct text t = {0};

    tar_put_header(&t, &(struct tar_header){.name = "soft.mp4", .type = '2', .size = 7}); /* no bytes follow */
    tar_put_header(&t, &(struct tar_header){.name = "hard.mp4", .type = '1', .size = 600});
    tar_put_header(&t, &(struct tar_header){.name = "fifo.mp4", .type = '6'});
    tar_put_header(&t, &(struct tar_header){.name = "hard2.mp4", .type = '1', .size = 3});
    tar_put_bytes(&t, "pax", 3); /* they do here */
    tar_put_header(&t, &(struct tar_header){.name = "pax", .type = 'x', .size = sizeof(sparse) - 1});
    tar_put_bytes(&t, sparse, sizeof(sparse) - 1);
    tar_put_file(&t, "GNUSparseFile.1/holes.mp4", "map");
    tar_put_header(
        &t, &(struct tar_header){.name = "s.mp4", .type = 'S', .size = 3, .magic = "ustar  ", .gnu_extended = 1});
    tar_put_bytes(&t, "\0", 1); /* the map goes on */
    tar_put_bytes(&t, "sss", 3);
    tar_put_file(&t, "after.mp4", "after");
    expect(&t, false, "soft.mp4(2)|hard.mp4(2)|fifo.mp4(5)|hard2.mp4(2)|holes.mp4(3)|s.mp4(3)|after.mp4=after|end");
}

Test(archive, tar_that_is_cut_or_damaged_says_where)
{
    struct text t = {0};
    char *whole;

    tar_put_file(&t, "a.mp4", "aaa");
    tar_put_file(&t, "b.mp4", "bbb");
    t.len_bytes = 1024 + 512 + 2;
    expect(&t, false, "a.mp4=aaa|b.mp4!|end");
    tar_put_file(&t, "a.mp4", "aaa");
    tar_put_file(&t, "b.mp4", "bbb");
    t.len_bytes = 1024 + 100;
    expect(&t, false, "a.mp4=aaa|ends inside a header at byte 1024");
    tar_put_file(&t, "a.mp4", "aaa");
    tar_put_file(&t, "b.mp4", "bbb");
    t.data[1024 + 3] ^= 1;
    expect(&t, false, "a.mp4=aaa|a damaged header at byte 1024");
    expect(&(struct text){.data = strdup(""), .len_bytes = 0}, false, "ends inside a header at byte 0");
    text_append_format(&t, "%1000s", "no tar");
    expect(&t, false, "no tar: no header at byte 0");
    tar_put_header(&t,
                   &(struct tar_header){.name = "x", .size_field = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"});
    expect(&t, false, "a header without a size at byte 0");
    tar_put_header(&t, &(struct tar_header){.name = "x", .size_field = "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"});
    expect(&t, false, "x!|end");
    tar_put_header(&t, &(struct tar_header){.name = "x", .size_field = "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"});
    expect(&t, false, "a header without a size at byte 0");
    tar_put_header(&t, &(struct tar_header){.name = "x", .size_field = "00000000z00"});
    expect(&t, false, "a header without a size at byte 0");
    tar_put_header(&t, &(struct tar_header){.name = "x", .type = 'x', .size = 99});
    expect(&t, false, "ends inside the header at byte 0");
    tar_put_header(&t, &(struct tar_header){.name = "x", .type = 'L', .size = 1u << 30});
    t.failed = false;
    whole = calloc(1, 512 + (2u << 20));
    memcpy(whole, t.data, 512);
    free(t.data);
    t = (struct text){.data = whole, .len_bytes = 512 + (2u << 20), .room_bytes = 512 + (2u << 20)};
    expect(&t, false, "ends inside the header at byte 0");
}

Test(archive, tar_pax_records_that_break_a_rule_are_damage)
{
    static const char *const bad[] = {
        "12 path=a.mp4",   "0 path=a\n",      "9999999 path=a\n",
        "11 path=abcd\n",  "5 pa\n",          "x path=a.mp4\n",
        "14 size=1 2 3\n", "14 size=-0001\n", "29 size=99999999999999999999\n",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct text t = {0};
        char *got;

        tar_put_header(&t, &(struct tar_header){.name = "x", .type = 'x', .size = strlen(bad[i])});
        tar_put_bytes(&t, bad[i], strlen(bad[i]));
        tar_put_file(&t, "a.mp4", "aaa");
        got = list(&t, false);
        cr_assert_str_eq(got, "a damaged extended header at byte 0", "%s: %s", bad[i], got);
        free(got);
        text_clear(&t);
    }
}

Test(archive, compressed_tar_is_named_as_such)
{
    static const struct {
        const char *bytes, *name;
    } packed[] = {{"\x1f\x8b\x08", "gzip"},
                  {"\x28\xb5\x2f\xfd", "zstd"},
                  {"\xfd"
                   "7zXZ",
                   "xz"},
                  {"BZh91AY", "bzip2"}};

    for (size_t i = 0; i < sizeof(packed) / sizeof(packed[0]); i++) {
        struct text t = {0};
        char want[128];

        tar_put_bytes(&t, packed[i].bytes, strlen(packed[i].bytes));
        snprintf(want, sizeof(want), "compressed (%s), so nothing can be read in place: unpack it", packed[i].name);
        expect(&t, false, want);
    }
}

static const struct zip_file three[] = {
    {.name = "p/metadata.json", .content = "{}"},
    {.name = "p/a.mp4", .content = "video"},
    {.name = "p/b.mp4", .content = "squeezed", .method = 8},
    {.name = "p/c.mp4", .content = "secret", .flags = 1},
    {.name = "p/d.mp4", .content = "a.mp4", .unix_mode = 0120777},
    {.name = "p/", .content = ""},
};

Test(archive, zip_gives_stored_members_and_tells_the_others)
{
    for (int zip64 = 0; zip64 < 2; zip64++) {
        struct text t = {0};

        zip_put(&t, three, 6, zip64);
        expect(&t, true, "p/metadata.json={}|p/a.mp4=video|p/b.mp4(4)|p/c.mp4(4)|p/d.mp4(2)|p/(1)|end");
    }
}

Test(archive, zip_that_is_cut_or_damaged_says_so)
{
    struct text t = {0};
    const char none[] = "no zip, or one that was cut: it has no directory at its end";
    char *got;

    zip_put(&t, three, 2, false);
    t.len_bytes -= 10;
    expect(&t, true, none);
    text_append_string(&t, "x");
    expect(&t, true, none);
    expect(&(struct text){.data = strdup(""), .len_bytes = 0}, true, none);
    zip_put(&t, three, 0, false);
    expect(&t, true, "end");
    zip_put(&t, three, 2, false);
    t.data[1] = 'X'; /* the first local header */
    expect(&t, true, "no header at byte 0, where 'p/metadata.json' should begin");
    /* Each byte of the directory turned in turn: an answer each time, and never a byte outside. */
    for (size_t i = 0;; i++) {
        zip_put(&t, three, 6, true);
        if (i == t.len_bytes)
            break;
        t.data[i] = (char)~t.data[i];
        got = list(&t, true);
        free(got);
        text_clear(&t);
    }
    text_clear(&t);
}

Test(archive, every_cut_and_turned_byte_of_a_tar_gets_an_answer)
{
    struct text whole = {0}, t = {0};
    char *got;

    tar_put_header(&whole, &(struct tar_header){.name = "x", .type = 'x', .size = 14});
    tar_put_bytes(&whole, "14 path=a.mp4\n", 14);
    tar_put_file(&whole, "z", "aaa");
    tar_put_header(&whole, &(struct tar_header){.name = "s.mp4", .type = 'S', .size = 3, .gnu_extended = 1});
    tar_put_bytes(&whole, "\0", 1);
    tar_put_bytes(&whole, "sss", 3);
    tar_put_end(&whole);
    for (size_t i = 0; i < whole.len_bytes; i++) {
        text_append(&t, whole.data, whole.len_bytes);
        t.data[i] = (char)~t.data[i];
        got = list(&t, false);
        free(got);
        t.len_bytes = 0;
        text_append(&t, whole.data, i);
        got = list(&t, false);
        free(got);
        text_clear(&t);
    }
    text_clear(&whole);
}

Test(archive, what_is_no_regular_file_is_refused)
{
    int ends[2];
    struct tar_reader *tar = NULL;
    struct zip_reader *zip = NULL;
    struct error e = {0};

    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(tar_open(ends[0], &tar, &e), STATUS_IO);
    cr_assert_eq(zip_open(ends[0], &zip, &e), STATUS_IO);
    cr_assert(!tar && !zip);
}
