/* Miniature trees of the data sets that are known, each as it is when unpacked, and each from the wrong folder. */
#include "tests/shard/archive_builder.h"
#include "tests/shard/layout_fixture.h"

TestSuite(layout_sets, .init = make_root, .fini = remove_root);

static void put_archive(const char *path, struct text *t)
{
    char folder[8192];

    snprintf(folder, sizeof(folder), "%s", at(path));
    *strrchr(folder, '/') = '\0';
    cr_assert_eq(file_make_folder(folder, NULL), STATUS_OK);
    cr_assert_eq(file_write(at(path), t->data, t->len_bytes, NULL), STATUS_OK);
    text_clear(t);
}

/* The scan of path, its notes and what layout_describe says behind the layout. */
static char *scan_all(const char *path, const char *layout, struct layout_summary *summary)
{
    struct text t = {0};
    char *entries = scan(path, layout, summary);

    text_append_string(&t, entries);
    free(entries);
    if (summary->notes[0] != '\0')
        text_append_format(&t, " NOTES %s", summary->notes);
    return text_take(&t);
}

static void expect_all(const char *path, const char *layout, const char *want)
{
    struct layout_summary summary = {0};
    char *got = scan_all(path, layout, &summary);

    cr_assert_str_eq(got, want);
    free(got);
}

static void expect_why(const char *path, const char *layout, const char *why)
{
    struct layout_summary summary = {0};
    char *got = scan(path, "auto", &summary);

    cr_assert_str_eq(summary.layout, layout, "%s", got);
    cr_assert_str_eq(summary.why, why);
    free(got);
}

/* --- FaceForensics++ */

static void put_ffpp(const char *base)
{
    static const char *const videos[] = {
        "original_sequences/youtube/c23/videos/000.mp4",
        "original_sequences/youtube/c23/videos/003.mp4",
        "original_sequences/actors/c23/videos/01__hugging_happy.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/003_000.mp4",
        "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4",
        "manipulated_sequences/NeuralTextures/c40/videos/000_003.mp4",
        "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__hugging_happy__ABCDEF12.mp4",
    };
    char path[512];

    for (size_t i = 0; i < sizeof(videos) / sizeof(videos[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", base, videos[i]);
        put(path, "video");
    }
}

Test(layout_sets, ffpp_without_splits)
{
    put_ffpp("");
    expect_all(
        "", "ffpp",
        "ffpp{manipulated_sequences/DeepFakeDetection/c23/videos/01_02__hugging_happy__ABCDEF12.mp4 FAKE "
        "family=faceswap "
        "original=original_sequences/actors/c23/videos/01__hugging_happy.mp4 identity=actor-01 "
        "method=DeepFakeDetection|"
        "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4 FAKE family=faceswap "
        "original=original_sequences/youtube/c23/videos/000.mp4 identity=000 group=000_003 method=Deepfakes|"
        "manipulated_sequences/Deepfakes/c23/videos/003_000.mp4 FAKE family=faceswap "
        "original=original_sequences/youtube/c23/videos/003.mp4 identity=003 group=000_003 method=Deepfakes|"
        "manipulated_sequences/NeuralTextures/c40/videos/000_003.mp4 FAKE family=reenactment "
        "original=original_sequences/youtube/c40/videos/000.mp4 identity=000 group=000_003 method=NeuralTextures|"
        "original_sequences/actors/c23/videos/01__hugging_happy.mp4 REAL identity=actor-01|"
        "original_sequences/youtube/c23/videos/000.mp4 REAL identity=000 group=000_003|"
        "original_sequences/youtube/c23/videos/003.mp4 REAL identity=003 group=000_003}"
        " NOTES no train.json, val.json or test.json, so no video has a split");
    expect_why("", "ffpp", "the folder manipulated_sequences");
}

Test(layout_sets, ffpp_splits_are_carried_and_absent_videos_named)
{
    struct layout_summary summary = {0};
    char *got;

    put("original_sequences/youtube/c23/videos/000.mp4", "x");
    put("original_sequences/youtube/c23/videos/003.mp4", "x");
    put("original_sequences/youtube/c23/videos/005.mp4", "x");
    put("manipulated_sequences/Face2Face/c23/videos/003_000.mp4", "x");
    put("manipulated_sequences/Face2Face/c23/videos/003_005.mp4", "x");
    put("splits/train.json", "[[\"000\",\"003\"]]");
    put("splits/test.json", "[[\"005\",\"006\"]]");
    put("stray.mp4", "x");
    got = scan_all("", "auto", &summary);
    cr_assert_str_eq(
        got, "ffpp{manipulated_sequences/Face2Face/c23/videos/000_003.mp4 FAKE split=train family=reenactment "
             "original=original_sequences/youtube/c23/videos/000.mp4 identity=000 group=000_003 method=Face2Face gone|"
             "manipulated_sequences/Face2Face/c23/videos/003_000.mp4 FAKE split=train family=reenactment "
             "original=original_sequences/youtube/c23/videos/003.mp4 identity=003 group=000_003 method=Face2Face|"
             "manipulated_sequences/Face2Face/c23/videos/003_005.mp4 FAKE family=reenactment "
             "original=original_sequences/youtube/c23/videos/003.mp4 identity=003 group=003_005 method=Face2Face|"
             "manipulated_sequences/Face2Face/c23/videos/005_006.mp4 FAKE split=test family=reenactment "
             "original=original_sequences/youtube/c23/videos/005.mp4 identity=005 group=005_006 method=Face2Face gone|"
             "manipulated_sequences/Face2Face/c23/videos/006_005.mp4 FAKE split=test family=reenactment "
             "original=original_sequences/youtube/c23/videos/006.mp4 identity=006 group=005_006 method=Face2Face gone|"
             "original_sequences/youtube/c23/videos/000.mp4 REAL split=train identity=000 group=000_003|"
             "original_sequences/youtube/c23/videos/003.mp4 REAL split=train identity=003 group=000_003|"
             "original_sequences/youtube/c23/videos/005.mp4 REAL split=test identity=005 group=005_006|"
             "original_sequences/youtube/c23/videos/006.mp4 REAL split=test identity=006 group=005_006 gone|stray.mp4}"
             " NOTES 1 fakes are of pairs that no list has, such as "
             "manipulated_sequences/Face2Face/c23/videos/003_005.mp4");
    cr_assert_eq(summary.n_missing, 4);
    cr_assert_eq(summary.extra.n, 1);
    cr_assert_str_eq(summary.extra.first, "stray.mp4");
    free(got);
}

Test(layout_sets, ffpp_lists_that_break_a_rule_name_the_pair)
{
    put_ffpp("");
    put("train.json", "[[\"000\",\"003\"],[\"000\",\"004\"]]");
    expect("", "ffpp", "invalid: ROOT/train.json: pair 2: 000 or 004 stands in another pair or split already");
    put("train.json", "[[\"000\",3]]");
    expect("", "ffpp", "invalid: ROOT/train.json: pair 1: not two different numbers of three digits in quotes");
    put("train.json", "[[\"000\"");
    expect("", "ffpp", "corrupt: ROOT/train.json:1: not JSON from here on, or nested too deep");
}

Test(layout_sets, ffpp_from_the_wrong_folder)
{
    put_ffpp("all/ff/");
    put("other/a.mp4", "x");
    /* One too high, or two: found all the same, by full paths. */
    expect_why("all", "ffpp", "the folder ff/manipulated_sequences");
    expect_why("", "ffpp", "the folder all/ff/manipulated_sequences");
    expect(
        "other", "ffpp",
        "invalid: ROOT/other: no videos of FaceForensics++: looked for original_sequences/SET/COMPRESSION/videos/ and "
        "manipulated_sequences/METHOD/COMPRESSION/videos/ in it and below; videos found: 1");
    expect_all("all/ff/manipulated_sequences/Deepfakes/c23", "auto",
               "dir{videos/000_003.mp4|videos/003_000.mp4} NOTES the folder lies in manipulated_sequences of "
               "FaceForensics++: give the folder above that for labels");
}

/* --- Celeb-DF */

Test(layout_sets, celebdf_one_is_real)
{
    PUT("Celeb-real/id0_0000.mp4", "Celeb-real/id1_0003.mp4", "YouTube-real/00170.mp4",
        "Celeb-synthesis/id0_id1_0000.mp4");
    put("List_of_testing_videos.txt", "1 YouTube-real/00170.mp4\r\n0 Celeb-synthesis/id0_id1_0000.mp4\n"
                                      "1 Celeb-real/id9_0001.mp4\n");
    expect_all(
        "", "auto",
        "celebdf{Celeb-real/id0_0000.mp4 REAL split=train identity=id0|Celeb-real/id1_0003.mp4 REAL split=train "
        "identity=id1|Celeb-real/id9_0001.mp4 REAL split=test identity=id9 gone|Celeb-synthesis/id0_id1_0000.mp4 "
        "FAKE split=test family=faceswap original=Celeb-real/id0_0000.mp4 identity=id0 method=Celeb-synthesis|"
        "YouTube-real/00170.mp4 REAL split=test}");
    expect_why("", "celebdf", "the folder Celeb-real");
}

Test(layout_sets, celebdf_folders_in_other_letters_are_taken_and_said)
{
    PUT("celeb-Real/id0_0000.mp4", "celeb-synthesis/id0_id1_0000.mp4", "extra.mp4");
    put("list_of_testing_videos.txt", "1 Celeb-real/id0_0000.mp4\n");
    expect_all("", "auto",
               "celebdf{celeb-Real/id0_0000.mp4 REAL split=test identity=id0|celeb-synthesis/id0_id1_0000.mp4 FAKE "
               "split=train family=faceswap original=celeb-Real/id0_0000.mp4 identity=id0 method=Celeb-synthesis|"
               "extra.mp4} NOTES folder 'celeb-Real' taken as Celeb-real; folder 'celeb-synthesis' taken as "
               "Celeb-synthesis");
}

Test(layout_sets, celebdf_list_turned_round_is_refused)
{
    PUT("Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4");
    put("List_of_testing_videos.txt", "\n1 Celeb-synthesis/id0_id1_0000.mp4\n");
    expect("", "celebdf",
           "invalid: ROOT/List_of_testing_videos.txt:2: label: 1 means REAL in this list (1 is real, 0 fake), and "
           "'Celeb-synthesis/id0_id1_0000.mp4' is FAKE: is the list turned round?");
    put("List_of_testing_videos.txt", "2 Celeb-real/id0_0000.mp4\n");
    expect("", "celebdf",
           "invalid: ROOT/List_of_testing_videos.txt:1: not a label, 1 (real) or 0 (fake), and a path: "
           "'2 Celeb-real/id0_0000.mp4'");
    put("List_of_testing_videos.txt", "1 id0_0000.mp4\n");
    expect("", "celebdf",
           "invalid: ROOT/List_of_testing_videos.txt:1: not in Celeb-real/, YouTube-real/ or Celeb-synthesis/: "
           "'id0_0000.mp4'");
    put("List_of_testing_videos.txt", "1 Celeb-real/../../../etc/id0_0000.mp4\n");
    expect("", "celebdf",
           "invalid: ROOT/List_of_testing_videos.txt:1: not in Celeb-real/, YouTube-real/ or Celeb-synthesis/: "
           "'Celeb-real/../../../etc/id0_0000.mp4'");
}

Test(layout_sets, celebdf_from_the_wrong_folder)
{
    PUT("sets/celeb/Celeb-real/id0_0000.mp4", "sets/celeb/Celeb-synthesis/id0_id1_0000.mp4", "none/x.mp4");
    expect_why("sets", "celebdf", "the folder celeb/Celeb-real");
    expect(
        "none", "celebdf",
        "invalid: ROOT/none: no videos of Celeb-DF: looked for folders Celeb-real, YouTube-real and Celeb-synthesis in "
        "it and below; videos found: 1");
    expect_all(
        "sets/celeb/Celeb-synthesis", "auto",
        "dir{id0_id1_0000.mp4} NOTES the folder is Celeb-synthesis of Celeb-DF: give the folder above it for labels");
}

/* --- DeepfakeBench */

static const char bench[] =
    "{\"FaceForensics++\":{\"FF-real\":{\"train\":{\"c23\":{\"000\":{\"label\":\"FF-real\",\"frames\":["
    "\"FaceForensics++\\\\original_sequences\\\\youtube\\\\c23\\\\frames\\\\000\\\\001.png\"]}}}},"
    "\"FF-F2F\":{\"test\":{\"c23\":{\"000_003\":{\"label\":\"FF-F2F\",\"frames\":["
    "\"FaceForensics++/manipulated_sequences/Face2Face/c23/frames/000_003/000.png\"]}}}},"
    "\"FF-NT\":{\"test\":{\"c23\":{\"000_003\":{\"label\":\"FF-NT\",\"frames\":["
    "\"FaceForensics++/manipulated_sequences/NeuralTextures/c23/frames/000_003/000.png\"]}}}}}}";

Test(layout_sets, deepfakebench_finds_the_videos_that_frames_were_cut_from)
{
    struct layout_summary summary = {0};
    char *got;

    put("rgb/FaceForensics++/original_sequences/youtube/c23/videos/000.mp4", "x");
    put("rgb/FaceForensics++/manipulated_sequences/Face2Face/c23/videos/000_003.mp4", "x");
    put("rgb/FaceForensics++/manipulated_sequences/Deepfakes/c23/videos/000_003.mp4", "x");
    put("dataset_json/FaceForensics++.json", bench);
    got = scan_all("", "auto", &summary);
    /* NeuralTextures' 000_003 is none of the two that are there. */
    cr_assert_str_eq(
        got,
        "deepfakebench{FaceForensics++/manipulated_sequences/NeuralTextures/c23/videos/000_003.mp4 FAKE split=test "
        "family=reenactment method=NeuralTextures gone|"
        "rgb/FaceForensics++/manipulated_sequences/Deepfakes/c23/videos/000_003.mp4|"
        "rgb/FaceForensics++/manipulated_sequences/Face2Face/c23/videos/000_003.mp4 FAKE split=test "
        "family=reenactment method=Face2Face|"
        "rgb/FaceForensics++/original_sequences/youtube/c23/videos/000.mp4 REAL split=train}");
    cr_assert_eq(summary.extra.n, 1);
    cr_assert_str_eq(summary.extra.first, "rgb/FaceForensics++/manipulated_sequences/Deepfakes/c23/videos/000_003.mp4");
    cr_assert_str_eq(summary.why, "the list dataset_json/FaceForensics++.json");
    free(got);
}

Test(layout_sets, deepfakebench_root_one_level_low_and_list_given_as_file)
{
    put("original_sequences/youtube/c23/videos/000.avi", "x");
    put("list.json", bench);
    expect("list.json", "auto",
           "deepfakebench{FaceForensics++/manipulated_sequences/Face2Face/c23/videos/000_003.mp4 FAKE split=test "
           "family=reenactment method=Face2Face gone|FaceForensics++/manipulated_sequences/NeuralTextures/c23/videos/"
           "000_003.mp4 FAKE split=test family=reenactment method=NeuralTextures gone|"
           "original_sequences/youtube/c23/videos/000.avi REAL split=train}");
}

Test(layout_sets, deepfakebench_of_which_nothing_is_here_is_an_error)
{
    put("a.mp4", "x");
    put("list.json", bench);
    expect("", "auto",
           "not_found: ROOT/list.json: none of the 3 videos that it names is below ROOT: looked for paths that end as "
           "FaceForensics++/original_sequences/youtube/c23/videos/000.*");
    put("list.json", "{\"set\":{\"real\":{\"train\":{\"v\":{\"label\":3,\"frames\":0}}}}}");
    expect("list.json", "auto", "invalid: ROOT/list.json: 'label': leads to no object");
    put("list.json", "{\"label\":{\"frames\":{\"train\":[]}}}");
    expect("list.json", "auto",
           "invalid: ROOT/list.json: 'label': not data set -> label -> split -> video, as DeepfakeBench's lists are");
    expect("", "avdeepfake1m",
           "invalid: ROOT: no list of AV-Deepfake1M: looked for *.json in it and in dataset_json/; videos found: 1");
}

/* --- AV-Deepfake1M */

static const char million[] =
    "[{\"file\":\"id1/a/fake.mp4\",\"original\":\"id1/a/"
    "real.mp4\",\"split\":\"train\",\"modify_type\":\"visual_modified\","
    "\"fake_segments\":[[0.2,0.9]]},\n"
    "{\"file\":\"id1/a/real.mp4\",\"original\":null,\"split\":\"train\",\"modify_type\":\"real\",\"fake_segments\":[]},"
    "{\"file\":\"id2/a/fake.mp4\",\"original\":\"id2/a/"
    "real.mp4\",\"split\":\"train\",\"modify_type\":\"audio_modified\","
    "\"fake_segments\":[[1,2]]},"
    "{\"file\":\"id3/gone.mp4\",\"split\":\"train\",\"modify_type\":\"both_modified\",\"x\":\"a,]}\\\"[\"}]\n";

Test(layout_sets, avdeepfake1m_list_beside_its_split)
{
    struct layout_summary summary = {0};
    char *got;

    PUT("train/id1/a/fake.mp4", "train/id1/a/real.mp4", "train/id2/a/fake.mp4", "train/id4/more.mp4");
    put("train_metadata.json", million);
    got = scan_all("", "auto", &summary);
    cr_assert_str_eq(
        got,
        "avdeepfake1m{id3/gone.mp4 FAKE split=train family=lip-sync method=both_modified gone|"
        "train/id1/a/fake.mp4 FAKE split=train family=lip-sync original=train/id1/a/real.mp4 method=visual_modified "
        "segments=0.2:0.9|"
        "train/id1/a/real.mp4 REAL split=train|train/id2/a/fake.mp4 FAKE split=train family=audio "
        "original=id2/a/real.mp4 method=audio_modified segments=1:2|train/id4/more.mp4} NOTES 1 fakes have their sound "
        "alone "
        "changed (family audio), which no detector of pictures can see, such as id2/a/fake.mp4");
    cr_assert_eq(summary.extra.n, 1);
    cr_assert_str_eq(summary.extra.first, "train/id4/more.mp4");
    free(got);
}

Test(layout_sets, avdeepfake1m_list_that_breaks_a_rule_names_the_element)
{
    static const char *const cases[][2] = {
        {"[{\"file\":\"a.mp4\",\"modify_type\":\"real\"},{\"file\":3}]",
         "invalid: ROOT/l.json: element 2: file: no path"},
        {"[{\"file\":\"a.mp4\",\"modify_type\":\"real\"},]", "corrupt: ROOT/l.json: element 2: nothing there"},
        {"[{\"file\":\"a.mp4\",\"modify_type\":\"real\"}", "corrupt: ROOT/l.json: ends inside element 1"},
        {"[{\"file\":\"a.mp4\",\"modify_type\":\"real\"}] x",
         "corrupt: ROOT/l.json: no list of JSON: 'x' behind its end"},
        {"[{\"file\":\"a.mp4\",\"modify_type\":\"real\"},3]", "corrupt: ROOT/l.json: element 2: no object of JSON"},
        {"[{\"file\":\"a.mp4\",\"modify_type\":\"real\"},{\"file\":\"a.mp4\",\"modify_type\":\"real\"}]",
         "invalid: ROOT/l.json: path: stands twice: 'a.mp4'"},
        {"[{\"file\":\"../a.mp4\",\"modify_type\":\"real\"}]",
         "not_found: ROOT/l.json: none of the 1 videos that it names is below ROOT: looked for paths that end as "
         "../a.mp4"},
        {"[{\"file\":\"a.mp4\",\"modify_type\":\"visual_modified\",\"fake_segments\":[[1,2],[3]]}]",
         "invalid: ROOT/l.json: element 1: fake_segments: not [[start, end], ...] in seconds"},
        {"[{\"file\":\"a.mp4\",\"modify_type\":\"visual_modified\",\"fake_segments\":[[2,1]]}]",
         "invalid: ROOT/l.json: element 1: fake_segments: 2 to 1 is no stretch of time"},
        {"[{\"file\":\"a.mp4\",\"modify_type\":[]}]",
         "invalid: ROOT/l.json: 'element 1': modify_type: neither a text nor a number nor null"},
    };

    put("a.mp4", "x");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put("l.json", cases[i][0]);
        expect("l.json", "avdeepfake1m", cases[i][1]);
    }
}

/* --- archives */

static void put_part(const char *path, bool tar)
{
    static const char metadata[] = "{\"a.mp4\":{\"label\":\"FAKE\",\"split\":\"train\",\"original\":\"b.mp4\"},"
                                   "\"b.mp4\":{\"label\":\"REAL\"},\"c.mp4\":{\"label\":\"FAKE\"}}";
    const struct zip_file files[] = {
        {.name = "dfdc_train_part_0/metadata.json", .content = metadata},
        {.name = "dfdc_train_part_0/a.mp4", .content = "aaa"},
        {.name = "dfdc_train_part_0/b.mp4", .content = "bb", .method = 8},
    };
    struct text t = {0};

    if (!tar) {
        zip_put(&t, files, 3, false);
    } else {
        tar_put_file(&t, files[0].name, files[0].content);
        tar_put_file(&t, files[1].name, files[1].content);
        tar_put_header(&t, &(struct tar_header){.name = files[2].name, .type = '2'});
        tar_put_end(&t);
    }
    put_archive(path, &t);
}

Test(layout_sets, dfdc_parts_in_archives_are_read_in_place)
{
    struct layout_summary summary = {0};
    char *got;

    put_part("dfdc_train_part_00.zip", false);
    put_part("dfdc_train_part_01.tar", true);
    put("dfdc_train_part_02.tar.gz", "x");
    got = scan_all("", "auto", &summary);
    cr_assert_str_eq(got, "dfdc{dfdc_train_part_00.zip/dfdc_train_part_0/a.mp4 FAKE split=train "
                          "original=dfdc_train_part_00.zip/dfdc_train_part_0/b.mp4|"
                          "dfdc_train_part_00.zip/dfdc_train_part_0/b.mp4 REAL gone|"
                          "dfdc_train_part_00.zip/dfdc_train_part_0/c.mp4 FAKE gone|"
                          "dfdc_train_part_01.tar/dfdc_train_part_0/a.mp4 FAKE split=train "
                          "original=dfdc_train_part_01.tar/dfdc_train_part_0/b.mp4|"
                          "dfdc_train_part_01.tar/dfdc_train_part_0/b.mp4 REAL gone|"
                          "dfdc_train_part_01.tar/dfdc_train_part_0/c.mp4 FAKE gone}");
    cr_assert_str_eq(summary.why, "labels of DFDC in dfdc_train_part_00.zip");
    cr_assert_eq(summary.unreadable.n, 2);
    cr_assert_str_eq(summary.unreadable.first,
                     "dfdc_train_part_00.zip/dfdc_train_part_0/b.mp4 (compressed or encrypted: "
                     "unpack the archive)");
    cr_assert_eq(summary.packed.n, 1);
    cr_assert_str_eq(summary.packed.first, "dfdc_train_part_02.tar.gz");
    free(got);
}

Test(layout_sets, shards_of_samples_with_labels_beside)
{
    struct layout_summary summary = {0};
    struct text t = {0};
    char *got;

    tar_put_file(&t, "000000000.json",
                 "{\"label\":\"FAKE\",\"family\":\"lip-sync\",\"split\":\"val\",\"caption\":\"x\"}");
    tar_put_file(&t, "000000000.mp4", "v0");
    tar_put_file(&t, "000000000.txt", "a caption");
    tar_put_file(&t, "000000001.mp4", "v1");
    tar_put_file(&t, "000000001.json", "{\"is_fake\":0,\"identity\":7}");
    tar_put_file(&t, "000000002.mp4", "v2"); /* no labels */
    tar_put_file(&t, "000000003.mp4", "v3");
    tar_put_file(&t, "000000003.json", "{\"label\":\"a cat\"}");
    tar_put_file(&t, "000000004.json", "{");
    tar_put_file(&t, "._000000005.mp4", "hidden");
    tar_put_end(&t);
    put_archive("00000.tar", &t);
    tar_put_file(&t, "000000000.mp4", "another");
    tar_put_header(&t, &(struct tar_header){.name = "x.mp4", .type = '1'});
    tar_put_header(&t, &(struct tar_header){.name = "cut.mp4", .size = 5000});
    put_archive("00001.tar", &t);
    put("00002.tar", "no tar at all");
    put("00000.parquet", "x");
    got = scan_all("", "auto", &summary);
    cr_assert_str_eq(
        got,
        "video2dataset{00000.tar/000000000.mp4 FAKE split=val family=lip-sync|00000.tar/000000001.mp4 REAL identity=7|"
        "00000.tar/000000002.mp4|00000.tar/000000003.mp4|00001.tar/000000000.mp4|00001.tar/cut.mp4 gone} NOTES "
        "1 label of samples not taken, being none of REAL, FAKE, 0, 1, such as 00000.tar/000000003.json: a cat; "
        "1 JSON file of samples cannot be read, such as 00000.tar/000000004.json; "
        "1 JSON file without a video beside in the archive, such as 00000.tar/000000004.json");
    cr_assert_str_eq(summary.why, "videos in 00000.tar");
    cr_assert_eq(summary.n_archives, 3);
    cr_assert_eq(summary.damaged.n, 2);
    cr_assert_str_eq(summary.damaged.first, "00001.tar: ends inside 'cut.mp4'");
    cr_assert_str_eq(summary.unreadable.first, "00001.tar/x.mp4 (a link)");
    cr_assert_eq(summary.n_hidden, 1);
    cr_assert_eq(summary.n_other_files, 1);
    free(got);
}

Test(layout_sets, members_carry_their_place)
{
    struct text t = {0};
    struct manifest *m = NULL;
    const struct manifest_entry *entry;
    struct stat st;

    tar_put_file(&t, "a/./x.json", "{}");
    tar_put_file(&t, "/a//x.mp4", "video");
    tar_put_end(&t);
    put_archive("deep/s.tar", &t);
    cr_assert_eq(layout_scan(at(""), NULL, &m, NULL, NULL), STATUS_OK);
    cr_assert_eq(stat(at("deep/s.tar"), &st), 0);
    entry = manifest_entry(m, 0);
    cr_assert_eq(manifest_count(m), 1);
    cr_assert_str_eq(entry->path, "deep/s.tar/a/x.mp4");
    cr_assert_eq(entry->archive_bytes, strlen("deep/s.tar"));
    cr_assert_eq(entry->offset_bytes, 1536);
    cr_assert_eq(entry->size_bytes, 5);
    cr_assert_eq(entry->mtime_ns, (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec);
    manifest_close(&m);
}

Test(layout_sets, shards_in_folders_of_labels)
{
    struct text t = {0};

    tar_put_file(&t, "x.mp4", "x");
    tar_put_end(&t);
    put_archive("fake/faceswap/0.tar", &t);
    tar_put_file(&t, "x.mp4", "x");
    tar_put_file(&t, "x.json", "{\"method\":\"SimSwap\"}");
    tar_put_end(&t);
    put_archive("fake/1.tar", &t);
    tar_put_file(&t, "fake/x.mp4", "x"); /* a folder in an archive says nothing */
    tar_put_end(&t);
    put_archive("real/0.tar", &t);
    expect("", "auto",
           "dir{fake/1.tar/x.mp4 FAKE method=SimSwap|fake/faceswap/0.tar/x.mp4 FAKE family=faceswap|"
           "real/0.tar/fake/x.mp4 REAL}");
    tar_put_file(&t, "x.json", "{\"label\":1}");
    tar_put_file(&t, "x.mp4", "x");
    tar_put_end(&t);
    put_archive("real/1.tar", &t);
    expect("", "auto", "invalid: ROOT: label: 'real/1.tar/x.mp4' lies in a folder of REAL, and its JSON says FAKE");
}

Test(layout_sets, archives_without_a_video_that_can_be_read)
{
    struct text t = {0};

    put("a.tar.gz", "x");
    put("b.tar", "\x1f\x8b\x08 and so on");
    tar_put_header(&t, &(struct tar_header){.name = "x.mp4", .type = 'S'});
    tar_put_end(&t);
    put_archive("c.tar", &t);
    expect("", "auto",
           "invalid: ROOT: no video that can be read: found 1 damaged archives, such as b.tar: ends inside a header at "
           "byte "
           "0, 1 videos in archives that cannot be read in place, such as c.tar/x.mp4 (sparse), 1 archives to unpack "
           "first, such as a.tar.gz");
    expect("", "video2dataset",
           "invalid: ROOT: no video that can be read: found 1 damaged archives, such as b.tar: ends inside a header at "
           "byte "
           "0, 1 videos in archives that cannot be read in place, such as c.tar/x.mp4 (sparse), 1 archives to unpack "
           "first, such as a.tar.gz");
    expect("c.tar", "auto", "invalid: ROOT/c.tar: an archive, and not a corpus: give the folder that holds it");
    put("v.mp4", "x");
    cr_assert_eq(remove(at("b.tar")), 0);
    cr_assert_eq(remove(at("c.tar")), 0);
    expect("", "video2dataset", "invalid: ROOT: no shards: looked for *.tar in it and below; videos found: 1");
}

Test(layout_sets, member_that_leads_out_of_its_archive_is_refused)
{
    struct text t = {0};

    tar_put_file(&t, "../../x.mp4", "x");
    tar_put_end(&t);
    put_archive("0.tar", &t);
    expect("", "auto", "invalid: ROOT: path: has a '..' component: '0.tar/../../x.mp4'");
}

/* --- plain folders */

Test(layout_sets, dir_one_level_too_high_or_low_is_said)
{
    PUT("set/real/a.mp4", "set/fake/faceswap/b.mp4");
    expect_all(
        "", "auto",
        "dir{set/fake/faceswap/b.mp4|set/real/a.mp4} NOTES real/ and fake/ are in 'set': give that folder for labels");
    expect_all("set/fake", "auto",
               "dir{faceswap/b.mp4} NOTES the folder is itself 'fake': give the folder above it for "
               "labels");
}

Test(layout_sets, same_name_in_two_methods_is_two_videos)
{
    put_ffpp("");
    put("manipulated_sequences/Face2Face/c23/videos/000_003.mp4", "y");
    for (unsigned k = 0; k < 2; k++) {
        struct layout_summary summary = {0};
        char *got = scan("", k ? "auto" : "dir", &summary);

        cr_assert_not_null(strstr(got, "manipulated_sequences/Face2Face/c23/videos/000_003.mp4"));
        cr_assert_not_null(strstr(got, "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4"));
        cr_assert_not_null(strstr(got, "manipulated_sequences/NeuralTextures/c40/videos/000_003.mp4"));
        free(got);
    }
}

/* --- csv */

Test(layout_sets, csv_may_name_members_of_archives)
{
    struct layout_summary summary = {0};
    struct text t = {0};
    char *got;

    tar_put_file(&t, "a.mp4", "aa");
    tar_put_file(&t, "a.txt", "aa");
    tar_put_file(&t, "b.dat", "b");
    tar_put_file(&t, "c.mp4", "c");
    tar_put_end(&t);
    put_archive("x.tar/y.tar", &t); /* a folder that is called as a shard is none */
    put("x.tar/plain.mp4", "x");
    put("stray.mp4", "x");
    put("labels.csv", "path,label,method\nx.tar/y.tar/a.mp4,FAKE,SimSwap\nx.tar/y.tar/b.dat,REAL,\n"
                      "x.tar/plain.mp4,0,\nx.tar/y.tar/gone.mp4,1,\nx.tar/z.tar/d.mp4,1,\n");
    for (unsigned k = 0; k < 2; k++) {
        got = scan_all(k ? "labels.csv" : "", "auto", &summary);
        cr_assert_str_eq(got, "csv{x.tar/plain.mp4 REAL|x.tar/y.tar/a.mp4 FAKE method=SimSwap|x.tar/y.tar/b.dat REAL|"
                              "x.tar/y.tar/gone.mp4 FAKE gone|x.tar/z.tar/d.mp4 FAKE gone}");
        cr_assert_eq(summary.n_archives, 1);
        /* A folder is its list's; a list may be a part of its folder. */
        cr_assert_eq(summary.extra.n, k ? 1 : 2);
        cr_assert_str_eq(summary.extra.first, k ? "x.tar/y.tar/c.mp4" : "stray.mp4");
        free(got);
    }
}
