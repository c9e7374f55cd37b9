#include "models/detector.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/zoo.h"
#include "shard/file.h"

#define HEAD(name) "\"name\":\"" name "\",\"title\":\"X\",\"licence\":\"MIT\",\"provenance\":\"made here\""
#define FINDER                                                                                                         \
    "{\"kind\":\"face_detector\"," HEAD(                                                                               \
        "finder") ",\"architecture\":\"yunet\",\"face_networks\":[{\"file\":\"y.onnx\"}]}"
#define DETECTOR(frame_sha256)                                                                                         \
    "{\"kind\":\"detector\",\"input\":\"faces\"," HEAD(                                                                \
        "mine") ",\"worth\":\"none\",\"sampling\":{\"frames\":8},"                                                     \
                "\"face\":{\"detector\":\"finder\"},\"crop\":{\"width_px\":64,\"height_px\":64},"                      \
                "\"tensor\":{\"layout\":\"nchw\",\"order\":\"rgb\"},"                                                  \
                "\"networks\":{\"frame\":{\"file\":\"a.onnx\",\"sha256\":\"" frame_sha256                              \
                "\"}},\"output\":{\"meaning\":\"logit\"}}"
#define SHA256_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static char root[64];

static void put(const char *below, const char *content)
{
    struct error e;
    char path[512], *slash;

    snprintf(path, sizeof(path), "%s/%s", root, below);
    slash = strrchr(path, '/');
    *slash = '\0';
    cr_assert_eq(file_make_folder(path, &e), STATUS_OK, "%s", e.text);
    *slash = '/';
    cr_assert_eq(file_write(path, content, strlen(content), &e), STATUS_OK, "%s", e.text);
}

static void set_folder(const char *variable, const char *below)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", root, below);
    setenv(variable, path, 1);
}

static void make_root(void)
{
    strcpy(root, "/tmp/fakesift-detector-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    set_folder("FAKESIFT_CACHE", "cache");
    set_folder("FAKESIFT_DATA", "data");
}

static void remove_root(void)
{
    char command[128];

    snprintf(command, sizeof(command), "/bin/rm -rf '%s'", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(detector, .init = make_root, .fini = remove_root);

static void identify(const char *name, char hex[SHA256_HEX_BYTES])
{
    struct card *c = NULL;
    struct error e = {0};

    cr_assert_eq(detector_identify(name, &c, hex, &e), STATUS_OK, "%s", e.text);
    cr_assert_str_eq(c->name, "mine");
    card_close(&c);
}

static void expect_error(const char *name, enum status want, const char *format)
{
    struct card *c = NULL;
    struct error e = {0};
    char hex[SHA256_HEX_BYTES] = "untouched", text[1024];
    enum status s = detector_identify(name, &c, hex, &e);

    snprintf(text, sizeof(text), format, root, root, root);
    cr_assert_eq(s, want, "%s: %s", status_name(s), e.text);
    cr_assert_str_eq(e.text, text);
    cr_assert_null(c);
    cr_assert_str_eq(hex, "untouched");
}

Test(detector, where_it_is_installed_does_not_change_its_hash)
{
    char cached[SHA256_HEX_BYTES], shipped[SHA256_HEX_BYTES], by_path[SHA256_HEX_BYTES];
    char path[256];

    put("cache/finder/card.json", FINDER);
    put("cache/finder/y.onnx", "the finder");
    put("cache/mine/card.json", DETECTOR(SHA256_OF_ABC));
    put("cache/mine/a.onnx", "abc");
    identify("mine", cached);
    put("elsewhere/other name.json", DETECTOR(""));
    put("elsewhere/a.onnx", "abc");
    snprintf(path, sizeof(path), "%s/elsewhere/other name.json", root);
    identify(path, by_path);
    cr_assert_str_eq(by_path, cached);
    set_folder("FAKESIFT_CACHE", "empty");
    put("data/cards/finder/card.json", FINDER);
    put("data/cards/finder/y.onnx", "the finder");
    put("data/cards/mine/card.json", DETECTOR(""));
    put("data/cards/mine/a.onnx", "abc");
    identify("mine", shipped);
    cr_assert_str_eq(shipped, cached);
    snprintf(path, sizeof(path), "%s/data/cards/mine", root);
    identify(path, by_path);
    cr_assert_str_eq(by_path, cached);
}

Test(detector, its_hash_changes_with_any_weight_and_with_the_face_detector)
{
    char before[SHA256_HEX_BYTES], weights[SHA256_HEX_BYTES], faces[SHA256_HEX_BYTES];

    put("cache/finder/card.json", FINDER);
    put("cache/finder/y.onnx", "the finder");
    put("cache/mine/card.json", DETECTOR(""));
    put("cache/mine/a.onnx", "abc");
    identify("mine", before);
    put("cache/mine/a.onnx", "abd");
    identify("mine", weights);
    cr_assert_str_neq(weights, before);
    put("cache/finder/y.onnx", "another finder");
    identify("mine", faces);
    cr_assert_str_neq(faces, weights);
}

Test(detector, the_cache_goes_before_what_is_shipped)
{
    struct card *c = NULL;
    struct error e = {0};
    char hex[SHA256_HEX_BYTES];

    put("data/cards/finder/card.json", FINDER);
    put("data/cards/finder/y.onnx", "the finder");
    put("data/cards/mine/card.json", "broken");
    put("cache/mine/card.json", DETECTOR(""));
    put("cache/mine/a.onnx", "abc");
    cr_assert_eq(detector_identify("mine", &c, hex, &e), STATUS_OK, "%s", e.text);
    card_close(&c);
}

Test(detector, weights_that_differ_from_the_card_are_refused_with_both_sums)
{
    put("cache/mine/card.json", DETECTOR(SHA256_OF_ABC));
    put("cache/mine/a.onnx", "");
    expect_error("mine", STATUS_MISMATCH,
                 "%s/cache/mine/a.onnx: its sha256 is "
                 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, "
                 "but %s/cache/mine/card.json states " SHA256_OF_ABC);
}

Test(detector, what_is_not_there_is_told_with_what_installs_it)
{
    expect_error("nobody", STATUS_NOT_FOUND,
                 "nobody: no such detector (looked for %s/cache/nobody/card.json and %s/data/cards/nobody/card.json); "
                 "`fakesift models list` names the known ones");
    expect_error("No Body", STATUS_INVALID,
                 "\"No Body\" is not a detector's name (a-z, 0-9, '.', '_', '-') nor the path of a card (.json)");
    put("data/cards/mine/card.json", DETECTOR(""));
    expect_error("mine", STATUS_NOT_FOUND,
                 "mine: not installed (%s/data/cards/mine/a.onnx is not there); `fakesift models fetch mine` "
                 "installs it");
    put("data/cards/mine/a.onnx", "abc");
    put("data/cards/finder/card.json", FINDER);
    expect_error("mine", STATUS_NOT_FOUND,
                 "finder: not installed (%s/data/cards/finder/y.onnx is not there); `fakesift models fetch "
                 "finder` installs it");
    put("cache/mine/card.json", DETECTOR(""));
    expect_error("mine", STATUS_NOT_FOUND, "%s/cache/mine/a.onnx: cannot open: No such file or directory");
}

Test(detector, a_face_detector_is_not_a_detector)
{
    put("cache/finder/card.json", FINDER);
    put("cache/finder/y.onnx", "the finder");
    expect_error("finder", STATUS_INVALID,
                 "%s/cache/finder/card.json: kind: a detector is wanted here, not a face_detector");
}

Test(detector, folders_follow_their_variables)
{
    char *folder;

    setenv("FAKESIFT_CACHE", "/a", 1);
    folder = zoo_cache_folder();
    cr_assert_str_eq(folder, "/a");
    free(folder);
    setenv("FAKESIFT_CACHE", "", 1);
    setenv("XDG_CACHE_HOME", "/b", 1);
    folder = zoo_cache_folder();
    cr_assert_str_eq(folder, "/b/fakesift");
    free(folder);
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/c", 1);
    folder = zoo_cache_folder();
    cr_assert_str_eq(folder, "/c/.cache/fakesift");
    free(folder);
    setenv("FAKESIFT_DATA", "", 1);
    folder = zoo_data_folder();
    cr_assert_str_eq(folder, FAKESIFT_SOURCE_DIR "/models");
    free(folder);
}

Test(detector, alignment_by_landmarks_needs_a_face_detector_that_gives_them)
{
    static const char *const architectures[] = {"yunet", "ultraface", "blazeface"};

    put("cache/mine/a.onnx", "abc");
    put("cache/finder/y.onnx", "y");
    for (unsigned i = 0; i < 3; i++) {
        static const char finder_card[] = FINDER, mine_card[] = DETECTOR("");
        char finder[512], mine[1024];
        const char *at = strstr(finder_card, "yunet"), *crop = strstr(mine_card, "\"width_px\"");

        snprintf(finder, sizeof(finder), "%.*s%s%s", (int)(at - finder_card), finder_card, architectures[i], at + 5);
        snprintf(mine, sizeof(mine), "%.*s\"alignment\":\"similarity\",%s", (int)(crop - mine_card), mine_card, crop);
        put("cache/finder/card.json", finder);
        put("cache/mine/card.json", mine);
        if (i == 0) {
            char hex[SHA256_HEX_BYTES];

            identify("mine", hex);
        } else {
            expect_error(
                "mine", STATUS_INVALID,
                "%s/cache/mine/card.json: crop.alignment: \"similarity\" needs five landmarks, which finder does "
                "not give: take \"box\", or face.detector mtcnn or yunet");
        }
    }
}
