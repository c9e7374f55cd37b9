#include "shard/manifest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"
#include "shard/text.h"

#define MORE_COLUMNS                                                                                                   \
    "path,label,split,family,original,identity,group,size_bytes,mtime_ns,container,codec,pixel_format,"                \
    "encoder,width_px,height_px,rotation_deg,fps_num,fps_den,duration_us,n_frames,bit_rate_bps,n_video_streams,"       \
    "n_audio_streams"
#define ARCHIVE_HEAD  "# fakesift manifest 1\n# root,/corpus\n# layout,dir\n" MORE_COLUMNS ",archive,offset_bytes\n"
#define ARCHIVE_FACTS ",,,,,,,,,,,,,,,"
#define COLUMNS                                                                                                        \
    "path,label,split,family,original,identity,group,size_bytes,mtime_ns,container,codec,pixel_format,"                \
    "encoder,"                                                                                                         \
    "width_px,height_px,rotation_deg,fps_num,fps_den,duration_us,n_frames,bit_rate_bps,n_video_streams,"               \
    "n_audio_streams\n"
#define HEAD     "# fakesift manifest 1\n# root,/corpus\n# layout,dir\n" COLUMNS
#define NO_FACTS ",,,,,,,,,,,,,,\n"

/* A folder of this test; Criterion runs each in a process of its own. */
static char folder[] = "/tmp/fakesift-manifest-XXXXXX";
static char file[64];

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file, sizeof(file), "%s/m.csv", folder);
}

static void remove_folder(void)
{
    unlink(file);
    rmdir(folder);
}

TestSuite(manifest, .init = make_folder, .fini = remove_folder);

static struct manifest *empty(const char *root)
{
    struct manifest *m = NULL;

    cr_assert_eq(manifest_create(root, "dir", &m, NULL), STATUS_OK);
    return m;
}

static void add(struct manifest *m, const char *path)
{
    struct manifest_entry entry = {.path = path, .exists = true, .size_bytes = 1, .mtime_ns = 2};

    cr_assert_eq(manifest_add(m, &entry, NULL), STATUS_OK);
}

static void expect_same_facts(const struct video_facts *a, const struct video_facts *b)
{
    cr_assert_str_eq(a->container, b->container);
    cr_assert_str_eq(a->codec, b->codec);
    cr_assert_str_eq(a->pixel_format, b->pixel_format);
    cr_assert_str_eq(a->encoder, b->encoder);
    cr_assert_eq(a->width_px, b->width_px);
    cr_assert_eq(a->height_px, b->height_px);
    cr_assert_eq(a->rotation_deg, b->rotation_deg);
    cr_assert_eq(a->fps_num, b->fps_num);
    cr_assert_eq(a->fps_den, b->fps_den);
    cr_assert_eq(a->duration_us, b->duration_us);
    cr_assert_eq(a->n_frames, b->n_frames);
    cr_assert_eq(a->bit_rate_bps, b->bit_rate_bps);
    cr_assert_eq(a->n_video_streams, b->n_video_streams);
    cr_assert_eq(a->n_audio_streams, b->n_audio_streams);
}

static void expect_same(const struct manifest *a, const struct manifest *b)
{
    cr_assert_str_eq(manifest_root(a), manifest_root(b));
    cr_assert_str_eq(manifest_layout(a), manifest_layout(b));
    cr_assert_eq(manifest_count(a), manifest_count(b));
    for (size_t i = 0; i < manifest_count(a); i++) {
        const struct manifest_entry *x = manifest_entry(a, i), *y = manifest_entry(b, i);

        cr_assert_str_eq(x->path, y->path);
        cr_assert_eq(x->label, y->label);
        cr_assert_str_eq(x->split, y->split);
        cr_assert_str_eq(x->family, y->family);
        cr_assert_str_eq(x->original, y->original);
        cr_assert_str_eq(x->identity, y->identity);
        cr_assert_str_eq(x->group, y->group);
        cr_assert_str_eq(x->content, y->content);
        cr_assert_eq(x->exists, y->exists);
        cr_assert_eq(x->size_bytes, y->size_bytes);
        cr_assert_eq(x->mtime_ns, y->mtime_ns);
        cr_assert_eq(x->archive_bytes, y->archive_bytes);
        cr_assert_eq(x->offset_bytes, y->offset_bytes);
        cr_assert_str_eq(x->method, y->method);
        cr_assert_str_eq(x->fake_segments, y->fake_segments);
        cr_assert_eq(x->facts == NULL, y->facts == NULL);
        if (x->facts)
            expect_same_facts(x->facts, y->facts);
    }
}

static void expect_round_trip(const struct manifest *m)
{
    struct manifest *back = NULL;
    struct error e = {0};
    char *first = NULL, *second = NULL;
    size_t len_first = 0, len_second = 0;

    cr_assert_eq(manifest_write(m, file, &e), STATUS_OK, "%s", e.text);
    cr_assert(manifest_is(file));
    cr_assert_eq(manifest_read(file, &back, &e), STATUS_OK, "%s", e.text);
    expect_same(m, back);
    cr_assert_eq(file_read(file, 1 << 24, &first, &len_first, NULL), STATUS_OK);
    cr_assert_eq(manifest_write(back, file, &e), STATUS_OK);
    cr_assert_eq(file_read(file, 1 << 24, &second, &len_second, NULL), STATUS_OK);
    cr_assert_eq(len_first, len_second);
    cr_assert_eq(memcmp(first, second, len_first), 0);
    free(first);
    free(second);
    manifest_close(&back);
}

Test(manifest, entries_come_back_from_the_file_as_they_were)
{
    struct manifest *m = empty("/corp\"us, of\nbytes \xff");
    struct video_facts facts = {.container = "mov",
                                .codec = "h264",
                                .pixel_format = "yuv420p",
                                .encoder = "Lavf, \"59\"\n",
                                .width_px = 1920,
                                .height_px = 1080,
                                .rotation_deg = 90,
                                .fps_num = 30000,
                                .fps_den = 1001,
                                .duration_us = INT64_MAX,
                                .n_frames = 300,
                                .bit_rate_bps = 1,
                                .n_video_streams = 1,
                                .n_audio_streams = 0};
    struct video_facts unknown_facts = {0};
    struct manifest_entry entries[] = {
        {.path = "real/b.mp4",
         .label = LABEL_REAL,
         .split = "train",
         .identity = "id 1",
         .group = " g ",
         .content = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
         .exists = true,
         .size_bytes = UINT64_MAX,
         .mtime_ns = INT64_MIN,
         .facts = &facts},
        {.path = "fake/a.mp4",
         .label = LABEL_FAKE,
         .split = "test",
         .family = "lip-sync",
         .original = "real/b.mp4",
         .exists = true,
         .size_bytes = 0,
         .mtime_ns = 0,
         .facts = &unknown_facts},
        {.path = "gone.mp4"},
        {.path = " blank ", .exists = true, .size_bytes = 7, .mtime_ns = 7},
        {.path = "a,b\"c\r\n\xff\xfe\x01\x7f.mp4", .exists = true},
        {.path = "\xef\xbb\xbfmark.mp4", .exists = true},
        {.path = "# root,x", .exists = true},
        {.path = "..x/...", .exists = true},
    };

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        cr_assert_eq(manifest_add(m, &entries[i], NULL), STATUS_OK);
    cr_assert_eq(manifest_sort(m, NULL), STATUS_OK);
    expect_round_trip(m);
    cr_assert_eq(manifest_entry(m, manifest_find(m, "gone.mp4"))->exists, false);
    cr_assert_eq(manifest_set_content(m, 0, "0123"), STATUS_INVALID);
    manifest_close(&m);
    cr_assert_null(m);
}

Test(manifest, place_in_an_archive_and_method_come_back)
{
    const struct manifest_entry entries[] = {
        {.path = "a,b/0.tar/x.mp4",
         .exists = true,
         .size_bytes = INT64_MAX - 1536,
         .mtime_ns = 5,
         .archive_bytes = 9,
         .offset_bytes = 1536,
         .method = "Face2Face",
         .fake_segments = "0.25:3.5;7:7.125"},
        {.path = "a,b/0.tar/y.mp4", .archive_bytes = 9, .offset_bytes = 99, .size_bytes = 7}, /* not there */
        {.path = "plain.mp4", .exists = true, .size_bytes = 3, .mtime_ns = 4},
    };
    const struct manifest_entry bad[] = {
        {.path = "a/b", .exists = true, .archive_bytes = 2},
        {.path = "a/b", .exists = true, .archive_bytes = 3},
        {.path = "a/b", .exists = true, .archive_bytes = 1, .offset_bytes = UINT64_MAX},
        {.path = "a/b", .exists = true, .archive_bytes = 1, .offset_bytes = INT64_MAX, .size_bytes = 1},
        {.path = "a/b", .fake_segments = "1:"},
        {.path = "a/b", .fake_segments = "2:1"},
        {.path = "a/b", .fake_segments = "1:2;"},
        {.path = "a/b", .fake_segments = "1-2"},
        {.path = "a/b", .fake_segments = "1:nan"},
    };
    struct manifest *m = empty("/c");

    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(manifest_add(m, &entries[i], NULL), STATUS_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(manifest_add(m, &bad[i], NULL), STATUS_INVALID, "%zu", i);
    cr_assert_eq(manifest_entry(m, 0)->offset_bytes, 1536);
    cr_assert_eq(manifest_entry(m, 1)->offset_bytes, 0);
    expect_round_trip(m);
    cr_assert_eq(manifest_set_place(m, 1, &entries[0]), STATUS_OK);
    cr_assert(manifest_entry(m, 1)->exists && manifest_entry(m, 1)->offset_bytes == 1536);
    cr_assert_eq(manifest_set_place(m, 2, &entries[0]), STATUS_INVALID);
    cr_assert_eq(manifest_set_content(m, 2, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
                 STATUS_OK);
    expect_round_trip(m);
    manifest_close(&m);
}

Test(manifest, content_that_is_none_is_refused)
{
    static const char head[] = "# fakesift manifest 1\n# root,/corpus\n# layout,dir\n" COLUMNS;
    struct manifest *m = NULL;
    struct error e;
    char text[1024];

    /* The same columns and one more. */
    snprintf(text, sizeof(text), "%.*s,content_sha256\na,,,,,,,1,1,,,,,,,,,,,,,,,0123\n", (int)sizeof(head) - 2, head);
    cr_assert_eq(file_write(file, text, strlen(text), &e), STATUS_OK);
    cr_assert_eq(manifest_read(file, &m, &e), STATUS_INVALID);
    cr_assert(strstr(e.text, ":5: content_sha256: not 64 digits in lower-case hex: '0123'"), "%s", e.text);
}

Test(manifest, every_byte_may_stand_in_a_path)
{
    struct manifest *m = empty("/");
    char path[] = "x?y";

    for (int c = 1; c < 256; c++) {
        path[1] = (char)c;
        if (c != '/')
            add(m, path);
        path[2] = '\0';
        if (c != '/')
            add(m, path);
        path[2] = 'y';
    }
    cr_assert_eq(manifest_sort(m, NULL), STATUS_OK);
    cr_assert_eq(manifest_count(m), 508);
    expect_round_trip(m);
    manifest_close(&m);
}

Test(manifest, random_names_come_back)
{
    struct manifest *m = empty("/corpus");
    uint64_t state = 88172645463325252u; /* xorshift64 (Marsaglia 2003) */

    for (unsigned i = 0; i < 5000; i++) {
        static const char awkward[] = "\",\r\n #/.\xef\xbb\xbf";
        char path[24];
        size_t len;
        struct manifest_entry entry = {.path = path, .original = path, .exists = true};

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        len = 1 + state % 16;
        snprintf(path + len, sizeof(path) - len, "%u", i);
        for (size_t k = 0; k < len; k++) {
            unsigned char c = (unsigned char)(state >> (k % 8 * 8));

            path[k] = (c & 1) ? awkward[(c >> 1) % (sizeof(awkward) - 1)] : (char)(c ? c : 1);
        }
        manifest_add(m, &entry, NULL); /* some break a rule */
    }
    cr_assert_eq(manifest_sort(m, NULL), STATUS_OK);
    cr_assert_gt(manifest_count(m), 2000);
    expect_round_trip(m);
    manifest_close(&m);
}

Test(manifest, sorts_by_bytes_and_finds_every_path)
{
    static const char *const in_order[] = {"A", "a", "a b", "a-b", "a.b", "a/b", "aa", "\xc3\xa9"};
    enum { N = sizeof(in_order) / sizeof(in_order[0]) };
    struct manifest *m = empty("/");

    for (size_t i = 0; i < N; i++)
        add(m, in_order[(i * 5 + 3) % N]);
    cr_assert_eq(manifest_sort(m, NULL), STATUS_OK);
    for (size_t i = 0; i < N; i++) {
        cr_assert_str_eq(manifest_entry(m, i)->path, in_order[i]);
        cr_assert_eq(manifest_find(m, in_order[i]), i);
    }
    cr_assert_eq(manifest_find(m, "a/"), SIZE_MAX);
    cr_assert_eq(manifest_find(m, ""), SIZE_MAX);
    cr_assert_eq(manifest_find(m, "\xff"), SIZE_MAX);
    manifest_close(&m);
}

Test(manifest, entries_do_not_move_while_it_grows)
{
    struct manifest *m = empty("/");
    const struct manifest_entry *first;
    char path[32];

    add(m, "00000");
    first = manifest_entry(m, 0);
    for (unsigned i = 20000; i > 1; i--) {
        snprintf(path, sizeof(path), "%05u", i);
        add(m, path);
    }
    cr_assert_eq(manifest_sort(m, NULL), STATUS_OK);
    cr_assert_eq(manifest_entry(m, 0), first);
    cr_assert_str_eq(manifest_entry(m, 19999)->path, "20000");
    manifest_close(&m);
}

Test(manifest, path_that_stands_twice_is_named)
{
    struct manifest *m = empty("/");
    struct error e = {0};

    add(m, "b.mp4");
    add(m, "a.mp4");
    add(m, "b.mp4");
    cr_assert_eq(manifest_sort(m, &e), STATUS_INVALID);
    cr_assert_str_eq(e.text, "path: stands twice: 'b.mp4'");
    cr_assert_eq(manifest_write(m, file, &e), STATUS_BUG);
    cr_assert_neq(access(file, F_OK), 0);
    manifest_close(&m);
}

Test(manifest, path_that_leaves_the_root_is_refused_by_its_rule)
{
    static const char *const cases[][2] = {
        {"", "path: must not be empty: ''"},
        {"/etc/passwd", "path: must be relative to the root, not absolute: '/etc/passwd'"},
        {"..", "path: has a '..' component: '..'"},
        {"a/../../b", "path: has a '..' component: 'a/../../b'"},
        {"a/..", "path: has a '..' component: 'a/..'"},
        {"./a", "path: has an empty or '.' component: './a'"},
        {"a//b", "path: has an empty or '.' component: 'a//b'"},
        {"a/", "path: has an empty or '.' component: 'a/'"},
    };
    struct manifest *m = empty("/");
    char long_path[MANIFEST_MAX_TEXT_BYTES + 2];
    struct manifest_entry entry = {.path = long_path};
    struct error e = {0};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        entry.path = cases[i][0];
        cr_assert_eq(manifest_add(m, &entry, &e), STATUS_INVALID);
        cr_assert_str_eq(e.text, cases[i][1]);
    }
    memset(long_path, 'x', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    entry.path = long_path;
    cr_assert_eq(manifest_add(m, &entry, &e), STATUS_INVALID);
    entry.path = "short";
    entry.group = long_path;
    cr_assert_eq(manifest_add(m, &entry, &e), STATUS_INVALID);
    cr_assert_eq(strncmp(e.text, "group: longer than 4095 bytes", 29), 0);
    cr_assert_eq(manifest_count(m), 0);
    long_path[MANIFEST_MAX_TEXT_BYTES] = '\0';
    cr_assert_eq(manifest_add(m, &entry, &e), STATUS_OK);
    manifest_close(&m);
    cr_assert_eq(manifest_create("relative", "dir", &m, &e), STATUS_INVALID);
}

static void hash_of(const char *root, const struct manifest_entry *entry, bool facts, char ret_hex[SHA256_HEX_BYTES])
{
    struct manifest *m = empty(root);
    struct video_facts f = {.codec = "h264"};

    add(m, "z.mp4");
    cr_assert_eq(manifest_add(m, entry, NULL), STATUS_OK);
    cr_assert_eq(manifest_sort(m, NULL), STATUS_OK);
    if (facts)
        cr_assert_eq(manifest_set_facts(m, 0, &f), STATUS_OK);
    cr_assert_eq(manifest_hash(m, ret_hex, NULL), STATUS_OK);
    manifest_close(&m);
}

Test(manifest, hash_follows_what_the_corpus_is_and_not_where)
{
    const struct manifest_entry base = {.path = "a.mp4",
                                        .label = LABEL_FAKE,
                                        .split = "s",
                                        .family = "f",
                                        .original = "o",
                                        .identity = "i",
                                        .group = "g",
                                        .exists = true,
                                        .size_bytes = 5,
                                        .mtime_ns = 6};
    struct manifest_entry changed[12];
    struct manifest_entry touched = base;
    char want[SHA256_HEX_BYTES], got[SHA256_HEX_BYTES];

    hash_of("/here", &base, false, want);
    hash_of("/there", &base, true, got);
    cr_assert_str_eq(want, got);
    touched.mtime_ns = 7;
    hash_of("/here", &touched, false, got);
    cr_assert_str_eq(want, got);
    for (size_t i = 0; i < 12; i++)
        changed[i] = base;
    changed[0].path = "b.mp4";
    changed[1].label = LABEL_REAL;
    changed[2].split = "";
    changed[3].family = "ff";
    changed[4].original = "";
    changed[5].identity = "g";
    changed[6].group = "i";
    changed[7].exists = false;
    changed[8].size_bytes = 6;
    changed[9].path = "0.tar/a.mp4";
    changed[9].archive_bytes = 5;
    changed[9].offset_bytes = 512;
    changed[10].method = "m";
    changed[11].fake_segments = "1:2";
    for (size_t i = 0; i < 12; i++) {
        hash_of("/here", &changed[i], false, got);
        cr_assert_str_neq(want, got, "change %zu", i);
    }
}

static void expect_refusal(const char *content, enum status want, const char *want_text)
{
    struct manifest *m = NULL;
    struct error e = {0};
    char *expected = NULL;

    cr_assert_eq(file_write(file, content, strlen(content), NULL), STATUS_OK);
    cr_assert_eq(manifest_read(file, &m, &e), want, "%s", e.text);
    cr_assert_null(m);
    cr_assert_gt(asprintf(&expected, "%s%s", file, want_text), 0);
    cr_assert_str_eq(e.text, expected);
    free(expected);
}

Test(manifest, file_that_breaks_a_rule_is_refused_with_line_field_and_rule)
{
    static const struct {
        const char *content, *text;
    } cases[] = {
        {HEAD "a,yes,,,,,,1,1" NO_FACTS, ":5: label: not one of REAL, FAKE, 0, 1 or empty: 'yes'"},
        {HEAD "a,,,,,,,-1,1" NO_FACTS, ":5: size_bytes: not a whole number in 0..18446744073709551615: '-1'"},
        {HEAD "a,,,,,,,1,x" NO_FACTS, ":5: mtime_ns: not a whole number of 64 bits: 'x'"},
        {HEAD "a,,,,,,,1," NO_FACTS, ":5: mtime_ns: not a whole number of 64 bits: ''"},
        {HEAD "a,,,,,,,,1" NO_FACTS, ":5: mtime_ns: must be empty where size_bytes is: '1'"},
        {HEAD "\"a\n\n\",,,,,,,1,1" NO_FACTS "b,?,,,,,,1,1" NO_FACTS,
         ":8: label: not one of REAL, FAKE, 0, 1 or empty: '?'"},
        {HEAD "../a,,,,,,,1,1" NO_FACTS, ":5: path: has a '..' component: '../a'"},
        {HEAD "b,,,,,,,1,1" NO_FACTS "a,,,,,,,1,1" NO_FACTS, ":6: path: not in the byte order of paths: 'a'"},
        {HEAD "b,,,,,,,1,1" NO_FACTS "b,,,,,,,1,1" NO_FACTS, ":6: path: stands twice: 'b'"},
        {HEAD "b,REAL\n", ":5: a row must have 23 fields and has 2"},
        {HEAD "a,,,,,,,1,1,mov,h264,,,1,1,45,1,1,1,1,1,1,1\n", ":5: rotation_deg: not one of 0, 90, 180, 270: '45'"},
        {HEAD "a,,,,,,,1,1,mov,h264,,,1,1,0,1,0,1,1,1,1,1\n", ":5: fps_den: must not be 0 where fps_num is not: '0'"},
        {HEAD "a,,,,,,,1,1,mov,h264,,,4294967296,1,0,1,1,1,1,1,1,1\n",
         ":5: width_px: not a whole number in 0..4294967295: '4294967296'"},
        {HEAD "a,,,,,,,1,1,mov,h264,,,1,1,0,1,1,1,1,1,1,\n",
         ":5: n_audio_streams: not a whole number in 0..4294967295: ''"},
        {HEAD "a,,,,,,,1,1,0123456789012345678901234567890x,,,,1,1,0,1,1,1,1,1,1,1\n",
         ":5: container: longer than its limit: '0123456789012345678901234567890x'"},
        {"# fakesift manifest 1\n# root,here\n# layout,dir\n" COLUMNS, ":2: root: not an absolute folder: 'here'"},
        {"# fakesift manifest 1\n# root,/a\n# layout,dir\npath,labels\n", ":4: column 2: must be 'label': 'labels'"},
        {"# fakesift manifest 1\n# root,/a\n# layout,dir\npath,label\n", ":4: column 3: must be 'split': ''"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_refusal(cases[i].content, STATUS_INVALID, cases[i].text);
    expect_refusal(ARCHIVE_HEAD "a/b,,,,,,,1,1" ARCHIVE_FACTS "b,512\n", STATUS_INVALID,
                   ":5: archive: must be the first folders of the path: 'b'");
    expect_refusal(ARCHIVE_HEAD "a/b,,,,,,,1,1" ARCHIVE_FACTS "a/b,512\n", STATUS_INVALID,
                   ":5: archive: must be the first folders of the path: 'a/b'");
    expect_refusal(ARCHIVE_HEAD "a/b,,,,,,,1,1" ARCHIVE_FACTS "a,\n", STATUS_INVALID,
                   ":5: offset_bytes: not a whole number in 0..9223372036854775807: ''");
    expect_refusal(ARCHIVE_HEAD "a/b,,,,,,,1,1" ARCHIVE_FACTS ",512\n", STATUS_INVALID,
                   ":5: offset_bytes: must be empty where archive or size_bytes is: '512'");
    expect_refusal(ARCHIVE_HEAD "a/b,,,,,,,9223372036854775807,1" ARCHIVE_FACTS "a,512\n", STATUS_INVALID,
                   ":5: archive: not the first folders of 'a/b', or an offset beyond its end");
    expect_refusal("# fakesift manifest 1\n# root,/a\n# layout,dir\n" MORE_COLUMNS ",archive\n", STATUS_INVALID,
                   ":4: column 25: must be 'offset_bytes': ''");
    expect_refusal("# fakesift manifest 1\n# root,/a\n# layout,dir\n" MORE_COLUMNS ",color\n", STATUS_INVALID,
                   ":4: column 24: not known: 'color'");
    expect_refusal("path,label\n", STATUS_INVALID, ": not a manifest: its first line must be '# fakesift manifest 1'");
    expect_refusal("", STATUS_INVALID, ": not a manifest: its first line must be '# fakesift manifest 1'");
    expect_refusal("# fakesift manifest 2\n", STATUS_UNSUPPORTED,
                   ":1: version: this build reads manifests of version 1: '2'");
    expect_refusal("# fakesift manifest 1\n", STATUS_CORRUPT,
                   ": not a whole manifest: no record '# root,...' under the first line");
    expect_refusal(HEAD "\"a,,,,,,,1,1" NO_FACTS, STATUS_CORRUPT, ":5: a quote is opened in this row and never closed");
}

Test(manifest, only_a_manifest_is_one)
{
    cr_assert_not(manifest_is(folder));
    cr_assert_not(manifest_is(file));
    cr_assert_eq(file_write(file, "path,label\n", 11, NULL), STATUS_OK);
    cr_assert_not(manifest_is(file));
    cr_assert_eq(file_write(file, "# fakesift manifest 9\n", 22, NULL), STATUS_OK);
    cr_assert(manifest_is(file), "another version is a manifest still; reading it says which");
}

Test(manifest, labels_are_read_in_any_case)
{
    static const struct {
        const char *text;
        enum label label;
    } cases[] = {{"REAL", LABEL_REAL}, {"real", LABEL_REAL}, {"0", LABEL_REAL},
                 {"Fake", LABEL_FAKE}, {"1", LABEL_FAKE},    {"", LABEL_UNKNOWN}};
    enum label l;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(label_parse(cases[i].text, &l), STATUS_OK);
        cr_assert_eq(l, cases[i].label);
    }
    cr_assert_eq(label_parse("2", &l), STATUS_INVALID);
    cr_assert_eq(label_parse(" real", &l), STATUS_INVALID);
}

Test(manifest, write_into_a_missing_folder_names_the_file)
{
    struct manifest *m = empty("/");
    struct error e = {0};

    add(m, "a");
    cr_assert_eq(manifest_write(m, "/nonexistent-folder/m.csv", &e), STATUS_NOT_FOUND);
    cr_assert_not_null(strstr(e.text, "/nonexistent-folder/m.csv"));
    manifest_close(&m);
}
