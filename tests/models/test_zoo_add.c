#include <criterion/criterion.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/card.h"
#include "models/detector.h"
#include "models/zoo.h"
#include "models/zoo_licence.h"
#include "shard/file.h"

#define NETWORKS      TEST_DATA_DIR "/detector/"
#define SHA256_OF_ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define HEAD(name)    "\"name\":\"" name "\",\"title\":\"T\",\"licence\":\"?\",\"provenance\":\"p\""
#define WAITING                                                                                                        \
    "{\"kind\":\"detector\",\"input\":\"faces\"," HEAD(                                                                \
        "waiting") ",\"worth\":\"none\",\"sampling\":{\"frames\":8},"                                                  \
                   "\"face\":{\"detector\":\"finder\"},\"crop\":{\"width_px\":64,\"height_px\":64},"                   \
                   "\"tensor\":{\"layout\":\"nchw\",\"order\":\"rgb\"},\"networks\":{\"frame\":{\"file\":\"mine."      \
                   "onnx\"}},"                                                                                         \
                   "\"output\":{\"meaning\":\"logit\"},\"notes\":{\"weights\":\"ask the "                              \
                   "authors\",\"published\":[{\"what\":\"AUC\","                                                       \
                   "\"value\":\".9\",\"source\":\"a \\\"paper\\\"\"}]}}"
#define FINDER                                                                                                         \
    "{\"kind\":\"face_detector\"," HEAD(                                                                               \
        "finder") ",\"architecture\":\"yunet\",\"face_networks\":[{\"file\":\"net.onnx\"}]}"
#define FILE_ABC(more) "{\"name\":\"net.onnx\",\"sha256\":\"" SHA256_OF_ABC "\",\"bytes\":3," more "}"
#define LICENCE_ABC                                                                                                    \
    "{\"name\":\"licence.txt\",\"licence\":true,\"sha256\":\"" SHA256_OF_ABC "\",\"bytes\":3,\"mirror\":\"a\"}"
#define INDEX(licence, files) "{\"format\":1,\"models\":[{\"name\":\"finder\"," licence "\"files\":[" files "]}]}"
#define PACKAGE               "\"licence\":\"MIT\",\"npm_package\":\"a-package\",\"npm_version\":\"1.2.3\","

static char root[64];

static const char *at(const char *below)
{
    static char paths[8][512];
    static unsigned next;
    char *path = paths[next++ % 8];

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

static void put_program(const char *name, const char *script)
{
    char below[64], path[600];

    snprintf(below, sizeof(below), "bin/%s", name);
    put(below, script);
    cr_assert_eq(chmod(at(below), 0755), 0);
    snprintf(path, sizeof(path), "%s:/usr/bin:/bin", at("bin"));
    setenv("PATH", path, 1);
}

static void make_root(void)
{
    strcpy(root, "/tmp/fakesift-add-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    setenv("FAKESIFT_CACHE", at("cache"), 1);
    setenv("FAKESIFT_DATA", at("data"), 1);
    setenv("FAKESIFT_ZOO_MIRROR", at("mirror"), 1);
    put("mirror/a", "abc");
    put("data/cards/finder/card.json", FINDER);
    put("data/cards/waiting/card.json", WAITING);
    put("data/zoo.json", INDEX("", FILE_ABC("\"mirror\":\"a\"")));
}

static void remove_root(void)
{
    char command[128];

    snprintf(command, sizeof(command), "/bin/rm -rf '%s'", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(zoo_add, .init = make_root, .fini = remove_root);

static bool exists(const char *below)
{
    return access(at(below), F_OK) == 0;
}

static unsigned count_partial(void)
{
    DIR *d = opendir(at("cache"));
    struct dirent *entry;
    unsigned n = 0;

    while (d && (entry = readdir(d)) != NULL)
        n += strstr(entry->d_name, ".partial-") != NULL;
    if (d)
        closedir(d);
    return n;
}

/* What is told, to be freed; the error's text behind "error: " when it fails. */
static char *tell(enum status (*action)(const char *, const char *, FILE *, struct error *), const char *a,
                  const char *b)
{
    struct error e = {0};
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    if (action(a, b, out, &e) != STATUS_OK)
        fprintf(out, "error: %s\n", e.text);
    fclose(out);
    return text;
}

static enum status add_one(const char *name, const char *file, FILE *out, struct error *e)
{
    return zoo_add(name, &file, 1, out, e);
}

static enum status fetch_one(const char *name, const char *accept, FILE *out, struct error *e)
{
    const struct zoo_fetch_settings how = {.accept_licence = accept != NULL};

    return zoo_fetch_as(name, &how, out, e);
}

static void expect_refused(const char *file, const char *wanted)
{
    char *text = tell(add_one, "waiting", file);

    cr_assert_not_null(strstr(text, wanted), "%s", text);
    cr_assert_eq(strncmp(text, "error: ", 7), 0);
    cr_assert_not(exists("cache/waiting"), "%s", text);
    cr_assert_eq(count_partial(), 0);
    free(text);
}

Test(zoo_add, an_export_is_installed_with_its_sum_and_found_by_name)
{
    struct card *c = NULL;
    struct error e = {0};
    char hex[SHA256_HEX_BYTES], want[SHA256_HEX_BYTES], *text = tell(add_one, "waiting", NETWORKS "score.onnx");

    cr_assert_not_null(strstr(text, "waiting: installed in "), "%s", text);
    cr_assert_not_null(strstr(text, "  mine.onnx sha256 "), "%s", text);
    cr_assert_not_null(strstr(text, "its face detector is missing: `fakesift models fetch finder`"), "%s", text);
    free(text);
    free(tell(fetch_one, "finder", NULL));
    cr_assert_eq(detector_identify("waiting", &c, hex, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(hash_file(NETWORKS "score.onnx", want, &e), STATUS_OK);
    cr_assert_str_eq(c->networks.frame.sha256, want);
    card_close(&c);
    text = tell(add_one, "waiting", NETWORKS "score.onnx");
    cr_assert_null(strstr(text, "missing"), "%s", text);
    free(text);
    cr_assert_eq(count_partial(), 0);
}

Test(zoo_add, a_card_of_ones_own_is_installed_under_its_name)
{
    char *text;

    put("own/card.json", WAITING);
    text = tell(add_one, at("own/card.json"), NETWORKS "score.onnx");
    cr_assert_null(strstr(text, "error"), "%s", text);
    cr_assert(exists("cache/waiting/mine.onnx"));
    free(text);
}

Test(zoo_add, what_does_not_fit_the_card_is_told_by_the_users_file_and_not_installed)
{
    expect_refused(NETWORKS "features.onnx", "features.onnx: ");
    expect_refused(NETWORKS "features.onnx", "output.classes is 1");
    expect_refused(NETWORKS "small.onnx", "small.onnx: input");
    expect_refused(NETWORKS "small.onnx", "wants [N,3,H,W] with 64");
    expect_refused(NETWORKS "grey.onnx", "grey.onnx: input");
    expect_refused(NETWORKS "two_inputs.onnx", "two_inputs.onnx: 2 inputs");
    expect_refused(NETWORKS "clip.onnx", "clip.onnx: input input has 3 dimensions; ");
    expect_refused(NETWORKS "clip.onnx", "data/cards/waiting/card.json wants [N,3,H,W]");
    expect_refused("/nonexistent/x.onnx", "/nonexistent/x.onnx: cannot open");
    expect_refused("/", "/: not a file");
    put("text.onnx", "this is no network");
    expect_refused(at("text.onnx"), "text.onnx: ");
}

Test(zoo_add, a_bad_file_leaves_what_was_installed)
{
    char *text;

    free(tell(add_one, "waiting", NETWORKS "score.onnx"));
    text = tell(add_one, "waiting", NETWORKS "small.onnx");
    cr_assert_not_null(strstr(text, "error: "), "%s", text);
    cr_assert(exists("cache/waiting/mine.onnx"));
    free(text);
}

Test(zoo_add, counts_and_names_are_checked)
{
    const char *const two[] = {NETWORKS "score.onnx", NETWORKS "score.onnx"};
    struct error e = {0};
    char *text;

    cr_assert_eq(zoo_add("waiting", two, 2, stdout, &e), STATUS_INVALID);
    cr_assert_str_eq(e.text, "waiting: 2 files given, but the card names 1: mine.onnx");
    cr_assert_eq(zoo_add("waiting", two, 0, stdout, &e), STATUS_INVALID);
    cr_assert_str_eq(e.text, "waiting: 0 files given, but the card names 1: mine.onnx");
    text = tell(add_one, "nobody", NETWORKS "score.onnx");
    cr_assert_str_eq(text, "error: nobody: no such card; `fakesift models list` names the known ones\n");
    free(text);
    text = tell(add_one, "Not plain", NETWORKS "score.onnx");
    cr_assert_not_null(strstr(text, "is not a detector's name"), "%s", text);
    free(text);
}

Test(zoo_add, a_card_that_waits_says_so_in_the_list_and_when_it_is_run_or_fetched)
{
    struct card *c = NULL;
    struct error e = {0};
    char hex[SHA256_HEX_BYTES], *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    cr_assert_eq(zoo_list(out, &e), STATUS_OK, "%s", e.text);
    fclose(out);
    cr_assert_not_null(strstr(text, "bring your own weights: mine.onnx"), "%s", text);
    cr_assert_not_null(strstr(text, "waiting, published: AUC: .9 (a \"paper\")\n"), "%s", text);
    free(text);
    cr_assert_eq(detector_identify("waiting", &c, hex, &e), STATUS_NOT_FOUND);
    cr_assert_not_null(strstr(e.text, "`fakesift models add waiting FILE.onnx` installs an export"), "%s", e.text);
    text = tell(fetch_one, "waiting", NULL);
    cr_assert_not_null(strstr(text, "error: waiting: bring your own weights: "), "%s", text);
    free(text);
    out = open_memstream(&text, &len);
    cr_assert_eq(zoo_list_json(out, &e), STATUS_OK, "%s", e.text);
    fclose(out);
    cr_assert_not_null(
        strstr(text, "{\"name\":\"waiting\",\"kind\":\"detector\",\"state\":\"bring your own weights: mine.onnx\","
                     "\"licence\":\"?\",\"title\":\"T\",\"published\":[{\"what\":\"AUC\",\"value\":\".9\","
                     "\"source\":\"a \\\"paper\\\"\"}],\"measured\":[],\"networks\":[\"mine.onnx\"]}"),
        "%s", text);
    free(text);
}

Test(zoo_add, a_licence_that_is_not_permissive_is_accepted_by_name_only)
{
    char *text;

    put("data/zoo.json", INDEX("\"licence\":\"CC-BY-NC-4.0\",", FILE_ABC("\"mirror\":\"a\"") "," LICENCE_ABC));
    text = tell(fetch_one, "finder", NULL);
    cr_assert_str_eq(
        text, "finder: licence CC-BY-NC-4.0\nerror: finder: its licence, CC-BY-NC-4.0, is not a permissive one: read "
              "https://spdx.org/licenses/CC-BY-NC-4.0.html, then give --accept-licence\n");
    free(text);
    cr_assert_not(exists("cache/finder"));
    free(tell(fetch_one, "finder", "yes"));
    cr_assert(exists("cache/finder/net.onnx") && exists("cache/finder/licence.txt"));
    cr_assert(zoo_licence_is_permissive("MIT") && zoo_licence_is_permissive("Apache-2.0"));
    cr_assert_not(zoo_licence_is_permissive("GPL-3.0-only") || zoo_licence_is_permissive("") ||
                  zoo_licence_is_permissive("MIT AND GPL-3.0-only"));
}

Test(zoo_add, a_changed_licence_text_is_refused)
{
    char *text;

    put("mirror/b", "abd");
    put("data/zoo.json",
        INDEX("\"licence\":\"MIT\",",
              FILE_ABC("\"mirror\":\"a\"") ",{\"name\":\"licence.txt\",\"licence\":true,\"sha256\":\"" SHA256_OF_ABC
                                           "\",\"bytes\":3,\"mirror\":\"b\"}"));
    text = tell(fetch_one, "finder", NULL);
    cr_assert_not_null(strstr(text, "mirror/b: its sha256 is "), "%s", text);
    cr_assert_not(exists("cache/finder"));
    free(text);
}

#define NPM(license)                                                                                                   \
    "#!/bin/sh\nmkdir -p package && printf abc > package/abc && printf '{\"license\":\"" license "\"}' > "             \
    "package/package.json\ntar -czf p.tgz package && rm -r package\n"

Test(zoo_add, a_package_states_the_licence_that_is_wanted_or_is_refused)
{
    char *text, *kept = NULL;
    size_t len = 0;

    put("data/zoo.json", INDEX(PACKAGE, FILE_ABC("\"npm\":\"abc\"")));
    put_program("npm", NPM("GPL-3.0-only"));
    text = tell(fetch_one, "finder", NULL);
    cr_assert_not_null(
        strstr(text, "a-package@1.2.3: its package.json states the licence GPL-3.0-only, but MIT is wanted; not "
                     "installed"),
        "%s", text);
    free(text);
    cr_assert_not(exists("cache/finder"));
    put_program("npm", NPM("MIT"));
    free(tell(fetch_one, "finder", NULL));
    cr_assert_eq(file_read(at("cache/finder/licence.txt"), 4096, &kept, &len, NULL), STATUS_OK);
    cr_assert_not_null(strstr(kept, "MIT, as package.json of the npm package a-package 1.2.3 states it"), "%s", kept);
    free(kept);
}

Test(zoo_add, a_truncated_package_leaves_nothing)
{
    char *text;

    put("data/zoo.json", INDEX(PACKAGE, FILE_ABC("\"npm\":\"abc\"")));
    put_program(
        "npm",
        "#!/bin/sh\nmkdir -p package && head -c 100000 /dev/urandom > package/abc && tar -czf whole.tar package\n"
        "head -c 40000 whole.tar > p.tgz && rm -r whole.tar package\n");
    text = tell(fetch_one, "finder", NULL);
    cr_assert_not_null(strstr(text, "error: finder: cannot unpack a-package@1.2.3: tar: exit status 2: "), "%s", text);
    cr_assert_not(exists("cache/finder"));
    cr_assert_eq(count_partial(), 0);
    free(text);
}

Test(zoo_add, without_a_network_and_with_a_mirror_that_is_not_there_the_source_is_named)
{
    char *text;

    setenv("FAKESIFT_ZOO_MIRROR", at("no-such-mirror"), 1);
    put("data/zoo.json", INDEX("", FILE_ABC("\"mirror\":\"a\",\"url\":\"https://example.org/abc\"")));
    put_program("curl", "#!/bin/sh\necho 'curl: (7) Failed to connect to example.org port 443' >&2\nexit 7\n");
    text = tell(fetch_one, "finder", NULL);
    cr_assert_str_eq(
        text,
        "finder: https://example.org/abc\nerror: https://example.org/abc: cannot be fetched: curl: exit status 7: "
        "curl: (7) Failed to connect to example.org port 443; $FAKESIFT_ZOO_MIRROR may name a folder that holds "
        "a\n");
    cr_assert_not(exists("cache/finder"));
    free(text);
}

/* curl writes half of the file, says so and never ends: the fetch is killed in its middle. */
Test(zoo_add, a_fetch_that_is_killed_leaves_nothing_installed_and_the_next_clears_up)
{
    char byte, *text;
    int ready[2], how = 0;
    pid_t child;

    put("data/zoo.json", INDEX("", FILE_ABC("\"url\":\"https://example.org/abc\"")));
    cr_assert_eq(pipe(ready), 0);
    put_program("curl", "#!/bin/sh\nwhile [ \"$1\" != --output ]; do shift; done\nprintf a > \"$2\"\n: > \"$HALF\"\n"
                        "kill -9 $PPID\n");
    setenv("HALF", at("half"), 1);
    child = fork();
    if (child == 0) {
        FILE *out = fopen("/dev/null", "w");

        zoo_fetch("finder", out, NULL);
        _exit(0);
    }
    close(ready[1]);
    cr_assert_eq(waitpid(child, &how, 0), child);
    cr_assert_eq(read(ready[0], &byte, 1), 0);
    cr_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    cr_assert(exists("half"));
    cr_assert_not(exists("cache/finder"));
    cr_assert_eq(count_partial(), 1);
    put_program("curl", "#!/bin/sh\nwhile [ \"$1\" != --output ]; do shift; done\nprintf abc > \"$2\"\n");
    text = tell(fetch_one, "finder", NULL);
    cr_assert_null(strstr(text, "error"), "%s", text);
    cr_assert(exists("cache/finder/net.onnx"));
    cr_assert_eq(count_partial(), 0);
    free(text);
}
