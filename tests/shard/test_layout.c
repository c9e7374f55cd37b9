#include "tests/shard/layout_fixture.h"

TestSuite(layout, .init = make_root, .fini = remove_root);

Test(layout, dir_takes_labels_and_families_from_folders)
{
    PUT("real/a.mp4", "real/deep/er/b.mkv", "fake/c.avi", "fake/faceswap/d.mp4", "fake/lip-sync/x/e.mp4", "other/f.mp4",
        "g.mp4");
    expect_noting("dir",
                  "dir{fake/c.avi FAKE|fake/faceswap/d.mp4 FAKE family=faceswap|fake/lip-sync/x/e.mp4 FAKE "
                  "family=lip-sync|g.mp4|other/f.mp4|real/a.mp4 REAL|real/deep/er/b.mkv REAL}",
                  "");
}

Test(layout, dir_takes_other_letters_and_says_so)
{
    PUT("Real/a.mp4", "Real/b.mp4", "FAKE/c.mp4", "realistic/d.mp4");
    expect_noting("auto", "dir{FAKE/c.mp4 FAKE|Real/a.mp4 REAL|Real/b.mp4 REAL|realistic/d.mp4}",
                  "folder 'FAKE' taken as FAKE; folder 'Real' taken as REAL");
}

Test(layout, dir_without_labels_is_any_tree)
{
    struct layout_summary summary;
    char *got;

    PUT("b/real/x.mp4", "a.mp4", ".hidden.mp4", ".git/y.mp4", "notes.txt", "b/readme", "b/mp4", "b/.mp4", "c.MP4",
        "d.mp4.part");
    got = scan("", "auto", &summary);
    cr_assert_str_eq(got, "dir{a.mp4|b/real/x.mp4|c.MP4}");
    cr_assert_eq(summary.n_unlabelled, 3);
    cr_assert_eq(summary.n_other_files, 4);
    cr_assert_str_eq(summary.other_example, "b/mp4");
    free(got);
}

Test(layout, folders_are_walked_in_the_byte_order_of_paths)
{
    PUT("a/x.mp4", "a.mp4", "a-b/x.mp4", "a0/x.mp4", "a/b.mp4", "B.mp4", "\xff.mp4", "a\n,\".mp4");
    expect("", "dir", "dir{B.mp4|a\n,\".mp4|a-b/x.mp4|a.mp4|a/b.mp4|a/x.mp4|a0/x.mp4|\xff.mp4}");
}

Test(layout, every_known_extension_is_taken)
{
    static const char *const known[] = {"mp4", "m4v",  "mov", "mkv",  "webm", "avi",  "ts",   "mts", "m2ts",
                                        "mpg", "mpeg", "flv", "wmv",  "asf",  "gif",  "webp", "3gp", "ogv",
                                        "mxf", "vob",  "264", "h264", "265",  "hevc", "ivf",  "y4m"};
    struct layout_summary summary;
    char path[32];
    char *got;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        snprintf(path, sizeof(path), "v.%s", known[i]);
        put(path, "x");
    }
    put("v.jpg", "x");
    got = scan("", "dir", &summary);
    cr_assert_eq(summary.n_files, sizeof(known) / sizeof(known[0]));
    cr_assert_eq(summary.n_other_files, 1);
    free(got);
}

Test(layout, linked_folder_is_followed_once_and_never_round)
{
    struct layout_summary summary;
    char *got;

    PUT("a/x.mp4", "pool/y.mp4");
    cr_assert_eq(symlink("..", at("a/up")), 0);
    cr_assert_eq(symlink(".", at("a/self")), 0);
    cr_assert_eq(symlink("../pool", at("a/pool")), 0);
    cr_assert_eq(symlink("../pool", at("a/pool2")), 0);
    got = scan("", "dir", &summary);
    cr_assert_str_eq(got, "dir{a/pool/y.mp4|a/x.mp4|pool/y.mp4}");
    cr_assert_eq(summary.n_skipped_links, 3);
    free(got);
}

Test(layout, links_between_all_folders_end)
{
    struct layout_summary summary;
    char *got;
    char link[64], target[64];

    for (unsigned i = 0; i < 12; i++) {
        snprintf(link, sizeof(link), "d%02u/v.mp4", i);
        put(link, "x");
    }
    for (unsigned i = 0; i < 12; i++) {
        for (unsigned k = 0; k < 12; k++) {
            snprintf(link, sizeof(link), "d%02u/to%02u", i, k);
            snprintf(target, sizeof(target), "../d%02u", k);
            cr_assert_eq(symlink(target, at(link)), 0);
        }
    }
    got = scan("", "dir", &summary);
    cr_assert_leq(summary.n_files, 24);
    cr_assert_geq(summary.n_files, 12);
    free(got);
}

Test(layout, what_is_not_a_plain_file_still_ends_with_an_outcome)
{
    struct layout_summary summary;
    char *got;

    PUT("a.mp4");
    cr_assert_eq(mkfifo(at("fifo.mp4"), 0600), 0);
    cr_assert_eq(symlink("nowhere", at("dead.mp4")), 0);
    cr_assert_eq(symlink("a.mp4", at("link.mp4")), 0);
    cr_assert_eq(symlink("round.mp4", at("round.mp4")), 0);
    got = scan("", "dir", &summary);
    cr_assert_str_eq(got, "dir{a.mp4|dead.mp4 gone|fifo.mp4|link.mp4|round.mp4 gone}");
    cr_assert_eq(summary.n_missing, 2);
    free(got);
}

/* A link to a file is no folder in which labels could lie: <link>/metadata.json gives ENOTDIR, and not "not there". */
Test(layout, auto_is_not_misled_by_links)
{
    struct layout_summary summary;
    char *got;

    PUT("pool/a.mp4");
    cr_assert_eq(symlink("pool/a.mp4", at("link.mp4")), 0);
    cr_assert_eq(symlink("nowhere", at("dead.mp4")), 0);
    cr_assert_eq(symlink("round.mp4", at("round.mp4")), 0);
    got = scan("", "auto", &summary);
    cr_assert_str_eq(got, "dir{dead.mp4 gone|link.mp4|pool/a.mp4|round.mp4 gone}");
    free(got);
}

Test(layout, what_is_left_out_is_told)
{
    struct layout_summary summary;
    struct text t = {0};

    PUT("a/x.mp4", "a/.y.mp4", "a/.notes", "b.txt");
    cr_assert_eq(symlink(".", at("a/self")), 0);
    free(scan("", "dir", &summary));
    layout_describe(&summary, &t);
    cr_assert_not(t.failed);
    cr_assert_str_eq(t.data,
                     "1 video (layout dir), 1 without a label, 0 missing, 1 other file left out, such as b.txt, "
                     "1 hidden video left out, 1 linked folder not followed again");
    text_clear(&t);
}

Test(layout, entries_carry_size_and_time_of_change)
{
    struct manifest *m = NULL;
    struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 1700000000, .tv_nsec = 123456789}};

    put("a.mp4", "12345");
    cr_assert_eq(utimensat(AT_FDCWD, at("a.mp4"), times, 0), 0);
    cr_assert_eq(layout_scan(root, NULL, &m, NULL, NULL), STATUS_OK);
    cr_assert_eq(manifest_entry(m, 0)->size_bytes, 5);
    cr_assert_eq(manifest_entry(m, 0)->mtime_ns, 1700000000123456789);
    cr_assert_eq(manifest_root(m)[0], '/');
    cr_assert_str_eq(manifest_layout(m), "dir");
    manifest_close(&m);
}

Test(layout, extensions_can_be_chosen)
{
    struct layout_settings settings = {.extensions = "dat,x"};
    struct manifest *m = NULL;
    struct error e = {0};

    PUT("a.dat", "b.mp4", "c.X");
    cr_assert_eq(layout_scan(root, &settings, &m, NULL, NULL), STATUS_OK);
    cr_assert_eq(manifest_count(m), 2);
    manifest_close(&m);
    settings.extensions = "mp4,.mkv";
    cr_assert_eq(layout_scan(root, &settings, &m, NULL, &e), STATUS_INVALID);
    cr_assert_str_eq(e.text, "extensions: must be words in lower case, without dots, between commas, such as mp4,mkv: "
                             "'mp4,.mkv'");
    settings.extensions = "";
    cr_assert_eq(layout_scan(root, &settings, &m, NULL, &e), STATUS_INVALID);
}

Test(layout, corpus_without_a_video_says_what_was_looked_for)
{
    struct layout_settings settings = {.extensions = "mp4,mkv"};
    struct manifest *m = NULL;
    struct error e = {0};
    char want[256];

    cr_assert_eq(layout_scan(root, &settings, &m, NULL, &e), STATUS_INVALID);
    snprintf(want, sizeof(want), "%s: no video: looked for *.mp4, *.mkv; found no file", root);
    cr_assert_str_eq(e.text, want);
    PUT("notes.txt", "z/b", "z/c");
    cr_assert_eq(layout_scan(root, &settings, &m, NULL, &e), STATUS_INVALID);
    snprintf(want, sizeof(want), "%s: no video: looked for *.mp4, *.mkv; found 3 other files such as notes.txt", root);
    cr_assert_str_eq(e.text, want);
    cr_assert_null(m);
}

Test(layout, corpus_that_is_not_one_is_an_error)
{
    put("a.mp4", "x");
    put("b.md", "# Title\nwords\n");
    put("empty.csv", "");
    put("head.csv", "path,label\n");
    put("labels/a.mp4", "x");
    cr_assert_eq(mkfifo(at("pipe"), 0600), 0);
    expect("gone", "auto", "not_found: ROOT/gone: no such folder or file");
    expect("a.mp4", "auto",
           "invalid: ROOT/a.mp4: a video, and not a corpus: give its folder, or a CSV file with its path");
    expect("b.md", "auto",
           "invalid: ROOT/b.md:1: no column 'path': a corpus file is CSV whose first row names its columns "
           "(path,label,split,family,original,identity,group,method,fake_segments; only path is needed)");
    expect("empty.csv", "auto", "invalid: ROOT/empty.csv: an empty file; its first row must name the columns");
    expect("head.csv", "auto", "invalid: ROOT/head.csv: no video: the file has column names and no row");
    expect("head.csv", "dfdc", "invalid: ROOT/head.csv: the layout dfdc needs a folder, and this is a file");
    expect("pipe", "auto", "invalid: ROOT/pipe: neither a folder nor a regular file");
    expect("labels", "csv", "not_found: ROOT/labels/labels.csv: cannot open: No such file or directory");
    expect("labels", "dfdc",
           "invalid: ROOT/labels: no labels of DFDC: looked for metadata.json, dataset.json and labels.csv "
           "in it and "
           "below, also in archives; videos found: 1");
    expect("labels", "ffpp2",
           "invalid: layout: not one of auto, dir, csv, dfdc, ffpp, celebdf, deepfakebench, "
           "avdeepfake1m, video2dataset: 'ffpp2'");
}

Test(layout, nested_too_deep_is_an_error)
{
    struct text t = {0};
    char *got;

    for (unsigned i = 0; i < 140; i++)
        text_append_string(&t, "d/");
    text_append_string(&t, "a.mp4");
    put(t.data, "x");
    got = scan("", "dir", NULL);
    cr_assert_not_null(strstr(got, "folders nest deeper than 128"), "%s", got);
    free(got);
    text_clear(&t);
}

Test(layout, csv_reads_every_column_in_any_order)
{
    struct layout_summary summary;
    char *got;

    PUT("v/a.mp4", "v/b, \"c\".mp4");
    put("list.csv", "\xef\xbb\xbfLabel,group,path,split,source,family,original,identity,licence\r\n"
                    "REAL,g1,v/a.mp4,train,web,,,id7,CC\r\n"
                    "1,,\"v/b, \"\"c\"\".mp4\",test,,lip-sync,v/a.mp4,,\r\n"
                    ",,./v//gone.mp4,,,,,,\r\n");
    got = scan("list.csv", "auto", &summary);
    cr_assert_str_eq(got, "csv{v/a.mp4 REAL split=train identity=id7 group=g1|v/b, \"c\".mp4 FAKE split=test "
                          "family=lip-sync original=v/a.mp4|v/gone.mp4 gone}");
    cr_assert_str_eq(summary.notes, "columns that are not read: 'source', 'licence'");
    cr_assert_eq(summary.n_missing, 1);
    cr_assert_eq(summary.n_unlabelled, 1);
    free(got);
}

Test(layout, csv_paths_start_at_its_folder_wherever_we_stand)
{
    struct text t = {0};

    PUT("in/a.mp4", "in/b.mp4");
    text_append_format(&t, "path\na.mp4\n%s/in/b.mp4\n", root);
    put("in/list.csv", t.data);
    text_clear(&t);
    expect("in/list.csv", "csv", "csv{a.mp4|b.mp4}");
}

Test(layout, csv_that_breaks_a_rule_names_its_line)
{
    static const struct {
        const char *content, *want;
    } cases[] = {
        {"path,label\na.mp4,REAL\nb.mp4,maybe\n",
         "invalid: ROOT/l.csv:3: label: not one of REAL, FAKE, 0, 1 (1 = fake) or empty: 'maybe'"},
        {"path,label\n\"a\n.mp4\",REAL\n\n../b.mp4,REAL\n",
         "invalid: ROOT/l.csv:5: path: has a '..' component: '../b.mp4'"},
        {"path\n/etc/passwd\n",
         "invalid: ROOT/l.csv:2: path: must be relative to the root, not absolute: '/etc/passwd'"},
        {"path,label\n,REAL\n", "invalid: ROOT/l.csv:2: path: must not be empty: ''"},
        {"path,label\na.mp4\n", "invalid: ROOT/l.csv:2: the row has 1 fields and the header 2"},
        {"path\na.mp4\nb.mp4\n./a.mp4\n", "invalid: ROOT/l.csv:4: path: stands twice: 'a.mp4'"},
        {"path,label,Path\na,0,b\n", "invalid: ROOT/l.csv:1: column 'Path' stands twice"},
        {"path\nfolder\n", "invalid: ROOT/l.csv:2: path: a folder, not a video: 'folder'"},
        {"path\n\"a.mp4\n", "corrupt: ROOT/l.csv:2: a quote is opened in this row and never closed"},
    };

    PUT("folder/x.mp4");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put("l.csv", cases[i].content);
        expect("l.csv", "auto", cases[i].want);
    }
}

Test(layout, auto_takes_a_folder_by_its_labels_csv)
{
    PUT("a.mp4", "b.mp4");
    put("labels.csv", "path,label\na.mp4,FAKE\n");
    expect("", "auto", "csv{a.mp4 FAKE}");
    expect("", "dir", "dir{a.mp4|b.mp4}");
    put("labels.csv", "video;label\na.mp4;FAKE\n");
    expect_noting("auto", "dir{a.mp4|b.mp4}", "labels.csv is not read: it has no column 'path'");
}

Test(layout, auto_reads_a_manifest_as_it_stands)
{
    struct manifest *m = NULL;

    PUT("real/a.mp4", "fake/swap/b.mp4");
    cr_assert_eq(layout_scan(root, NULL, &m, NULL, NULL), STATUS_OK);
    cr_assert_eq(manifest_write(m, at("m.csv"), NULL), STATUS_OK);
    manifest_close(&m);
    expect("m.csv", "auto", "manifest{fake/swap/b.mp4 FAKE family=swap|real/a.mp4 REAL}");
}

Test(layout, dfdc_train_part)
{
    struct layout_summary summary;
    char *got;

    PUT("dfdc_train_part_0/f.mp4", "dfdc_train_part_0/r.mp4", "dfdc_train_part_0/extra.mp4",
        "dfdc_train_part_1/f2.mp4");
    put("dfdc_train_part_0/metadata.json",
        "{\"f.mp4\":{\"label\":\"FAKE\",\"split\":\"train\",\"original\":\"r.mp4\"},"
        "\"r.mp4\":{\"label\":\"REAL\",\"split\":\"train\",\"original\":null},"
        "\"gone.mp4\":{\"label\":\"FAKE\",\"split\":\"train\",\"original\":\"lost.mp4\"}}");
    put("dfdc_train_part_1/metadata.json", "{\"f2.mp4\":{\"label\":\"FAKE\"}}");
    got = scan("", "auto", &summary);
    cr_assert_str_eq(got, "dfdc{dfdc_train_part_0/extra.mp4|dfdc_train_part_0/f.mp4 FAKE split=train "
                          "original=dfdc_train_part_0/r.mp4|dfdc_train_part_0/gone.mp4 FAKE split=train "
                          "original=dfdc_train_part_0/lost.mp4 gone|dfdc_train_part_0/r.mp4 REAL split=train|"
                          "dfdc_train_part_1/f2.mp4 FAKE}");
    cr_assert_eq(summary.n_missing, 1);
    cr_assert_eq(summary.n_unlabelled, 1);
    cr_assert_eq(summary.n_real, 1);
    cr_assert_eq(summary.n_fake, 3);
    free(got);
    expect("dfdc_train_part_1", "auto", "dfdc{f2.mp4 FAKE}");
}

Test(layout, dfdc_test_set_with_its_videos_in_a_folder_below)
{
    PUT("test_videos/a.mp4", "test_videos/b.mp4", "test_videos/c.mp4");
    put("metadata.json", "{\"a.mp4\":{\"is_fake\":1,\"augmentations\":{\"x\":[1]}},\"b.mp4\":{\"is_fake\":0}}");
    put("labels.csv", "filename,label\na.mp4,1\nb.mp4,0\nc.mp4,0\n");
    expect_noting("auto", "dfdc{test_videos/a.mp4 FAKE|test_videos/b.mp4 REAL|test_videos/c.mp4 REAL}",
                  "5 named videos were found in folders below their labels");
    expect("", "dfdc", "dfdc{test_videos/a.mp4 FAKE|test_videos/b.mp4 REAL|test_videos/c.mp4 REAL}");
}

Test(layout, dfdc_name_in_two_folders_below_is_not_guessed)
{
    PUT("x/a.mp4", "y/a.mp4");
    put("labels.csv", "filename,label\na.mp4,1\n");
    expect("", "auto", "dfdc{a.mp4 FAKE gone|x/a.mp4|y/a.mp4}");
}

Test(layout, dfdc_preview)
{
    PUT("method_A/1/2/v.mp4", "original_videos/1/o.mp4");
    put("dataset.json",
        "{\"method_A/1/2/v.mp4\":{\"label\":\"fake\",\"set\":\"train\",\"target_id\":1254,\"swapped_id\":77},"
        "\"original_videos/1/"
        "o.mp4\":{\"label\":\"real\",\"set\":\"test\",\"target_id\":\"9\",\"swapped_id\":null}}");
    expect("", "auto",
           "dfdc{method_A/1/2/v.mp4 FAKE split=train identity=1254|original_videos/1/o.mp4 REAL split=test "
           "identity=9}");
}

Test(layout, dfdc_labels_that_disagree_are_an_error)
{
    PUT("a.mp4");
    put("metadata.json", "{\"a.mp4\":{\"is_fake\":1}}");
    put("labels.csv", "filename,label\na.mp4,0\n");
    expect("", "auto", "invalid: ROOT: label: labels.csv says REAL of 'a.mp4' and metadata.json says FAKE");
}

Test(layout, dfdc_metadata_that_breaks_a_rule_names_file_and_key)
{
    static const struct {
        const char *json, *want;
    } cases[] = {
        {"{\"a.mp4\":{\"label\":\"real?\"}}", "invalid: ROOT/metadata.json: 'a.mp4': label: not REAL or FAKE: 'real?'"},
        {"{\"a.mp4\":{\"label\":1}}", "invalid: ROOT/metadata.json: 'a.mp4': label: not REAL or FAKE: '(no text)'"},
        {"{\"a.mp4\":{\"label\":\"REAL\"},\"b.mp4\":{}}",
         "invalid: ROOT/metadata.json: 'b.mp4': neither label nor is_fake"},
        {"{\"a.mp4\":{\"is_fake\":2}}", "invalid: ROOT/metadata.json: 'a.mp4': is_fake: not 0 or 1"},
        {"{\"a.mp4\":{\"label\":\"REAL\"},\"b.mp4\":7}",
         "invalid: ROOT/metadata.json: 'b.mp4': a video's name must lead to an object"},
        {"{\"a.mp4\":{\"label\":\"FAKE\",\"original\":[]}}",
         "invalid: ROOT/metadata.json: 'a.mp4': original: neither a text nor a number nor null"},
        {"{\"a.mp4\":{\"label\":\"FAKE\"},\"a.mp4\":{\"label\":\"FAKE\"}}",
         "invalid: ROOT/metadata.json: path: stands twice: 'a.mp4'"},
        {"{\"../a.mp4\":{\"label\":\"FAKE\"}}", "invalid: ROOT/metadata.json: path: has a '..' component: '../a.mp4'"},
        {"{\"/a.mp4\":{\"label\":\"FAKE\"}}",
         "invalid: ROOT/metadata.json: path: must be relative to the root, not absolute: '/a.mp4'"},
        {"{\n\"a.mp4\":{\"label\":\"FAKE\"},\n", "corrupt: ROOT/metadata.json:3: not JSON from here on, or nested too "
                                                 "deep"},
    };

    PUT("a.mp4");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put("metadata.json", cases[i].json);
        expect("", "auto", cases[i].want);
    }
}

Test(layout, metadata_of_something_else_is_not_dfdc)
{
    PUT("real/a.mp4");
    put("metadata.json", "{\"name\":\"set\",\"licence\":\"CC\"}");
    expect_noting("auto", "dir{real/a.mp4 REAL}", "metadata.json is not read: it is not DFDC's");
    put("metadata.json", "[{\"label\":\"FAKE\"}]");
    expect_noting("auto", "dir{real/a.mp4 REAL}", "metadata.json is not read: it is not DFDC's");
    put("p/metadata.json", "{\"b.mp4\":{\"label\":\"FAKE\"}}");
    expect_noting("auto", "dfdc{p/b.mp4 FAKE gone|real/a.mp4}", "metadata.json is not read: it is not DFDC's");
}

Test(layout, json_nested_without_end_is_refused)
{
    size_t n = 2 * 1000 * 1000;
    char *json = malloc(n + 1);

    PUT("a.mp4");
    memset(json, '[', n);
    json[n] = '\0';
    put("metadata.json", json);
    free(json);
    expect("", "dfdc", "corrupt: ROOT/metadata.json:1: not JSON from here on, or nested too deep");
}

/* Skips the test where the corpus is not at hand. */
static void find_shared(const char *path, char *ret_path, size_t room)
{
    snprintf(ret_path, room, "%s/../shared/%s", FAKESIFT_SOURCE_DIR, path);
    if (access(ret_path, R_OK) != 0)
        cr_skip_test("no %s beside the repository", path);
}

Test(layout, smoke_corpus)
{
    struct layout_settings settings = {.layout = "dir"};
    struct layout_summary summary;
    struct manifest *m = NULL;
    char path[4096];

    find_shared("corpus/smoke", path, sizeof(path));
    cr_assert_eq(layout_scan(path, &settings, &m, &summary, NULL), STATUS_OK);
    cr_assert_eq(summary.n_files, 27);
    cr_assert_eq(summary.n_real, 21);
    cr_assert_eq(summary.n_fake, 6);
    manifest_close(&m);
}

Test(layout, labelled_corpus)
{
    struct layout_summary summary;
    struct manifest *m = NULL;
    char path[4096];

    find_shared("corpus/labelled", path, sizeof(path));
    cr_assert_eq(layout_scan(path, NULL, &m, &summary, NULL), STATUS_OK);
    cr_assert_str_eq(summary.layout, "csv");
    cr_assert_eq(summary.n_files, 186);
    cr_assert_eq(summary.n_missing + summary.n_unlabelled, 0);
    cr_assert_str_eq(summary.notes, "columns that are not read: 'source', 'licence'");
    for (size_t i = 0; i < 186; i++) {
        cr_assert_eq(manifest_entry(m, i)->label == LABEL_FAKE, manifest_entry(m, i)->family[0] != '\0');
        cr_assert_str_neq(manifest_entry(m, i)->group, "");
    }
    manifest_close(&m);
}
