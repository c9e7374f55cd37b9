/* Fails the n-th allocation of our own code, for each n, in everything that reads, keeps and writes what
 * travels: the answer is STATUS_NO_MEMORY, outputs are untouched, and (in the asan preset) nothing leaks. The
 * linker turns our objects' calls into __wrap_*; libraries keep theirs. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"
#include "shard/layout.h"
#include "shard/wire.h"

static long countdown = -1; /* allocations until one fails; < 0: none does */

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

#define WRAP(type, name, parameters, arguments)                                                                        \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        return fails() ? NULL : __real_##name arguments;                                                               \
    }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *p, size_t size), (p, size))
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, strdup, (const char *s), (s))
WRAP(char *, strndup, (const char *s, size_t n), (s, n))

static char folder[] = "/tmp/fakesift-allocation-XXXXXX";

static const char *at(const char *name)
{
    static char made[128];

    snprintf(made, sizeof(made), "%s/%s", folder, name);
    return made;
}

static void put(const char *name, const char *content)
{
    cr_assert_eq(file_write(at(name), content, strlen(content), NULL), STATUS_OK);
}

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(mkdir(at("real"), 0700), 0);
    put("real/a.mp4", "a");
    put("real/b.mp4", "b");
}

static void remove_folder(void)
{
    static const char *const names[] = {"real/a.mp4", "real/b.mp4",    "real/link",     "real", "labels.csv",
                                        "m.csv",      "m.csv.partial", "metadata.json", ""};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove(at(names[i]));
}

TestSuite(allocation, .init = make_folder, .fini = remove_folder);

/* attempt runs once without a failure, then once for each allocation. */
static void fail_each(enum status (*attempt)(void))
{
    long n = 0;

    for (;; n++) {
        enum status s;

        countdown = n;
        s = attempt();
        if (countdown >= 0) {
            countdown = -1;
            cr_assert_eq(s, STATUS_OK);
            break;
        }
        cr_assert_eq(s, STATUS_NO_MEMORY, "allocation %ld: %s", n, status_name(s));
        cr_assert_lt(n, 100000);
    }
    cr_assert_gt(n, 0, "nothing was allocated: are the calls wrapped?");
}

static enum status scan(const char *layout)
{
    struct layout_settings settings = {.layout = layout};
    struct manifest *m = NULL;
    enum status s = layout_scan(folder, &settings, &m, NULL, NULL);

    cr_assert_eq(m == NULL, s != STATUS_OK);
    manifest_close(&m);
    return s;
}

static enum status scan_auto(void)
{
    return scan("auto");
}

Test(allocation, dir)
{
    cr_assert_eq(symlink("..", at("real/link")), 0);
    fail_each(scan_auto);
}

Test(allocation, csv)
{
    put("labels.csv", "path,label,split,x\nreal/a.mp4,REAL,train,\nreal/b.mp4,FAKE,test,\n");
    fail_each(scan_auto);
}

static enum status scan_dfdc(void)
{
    return scan("dfdc");
}

/* auto would read metadata.json twice. */
Test(allocation, dfdc)
{
    put("metadata.json", "{\"a.mp4\":{\"label\":\"REAL\"},\"b.mp4\":{\"label\":\"FAKE\",\"original\":\"a.mp4\"},"
                         "\"c.mp4\":{\"label\":\"FAKE\",\"split\":\"train\"}}");
    put("labels.csv", "filename,label\na.mp4,0\nc.mp4,1\n");
    fail_each(scan_dfdc);
}

static enum status write_and_read(void)
{
    struct video_facts facts = {.codec = "h264"};
    struct manifest_entry entry = {.path = "b", .group = "g", .facts = &facts};
    struct manifest *m = NULL, *back = NULL;
    char hex[SHA256_HEX_BYTES];
    enum status s = manifest_create("/", "dir", &m, NULL);

    if (s == STATUS_OK)
        s = manifest_add(m, &entry, NULL);
    entry.path = "a";
    entry.group = "h";
    if (s == STATUS_OK)
        s = manifest_add(m, &entry, NULL);
    if (s == STATUS_OK)
        s = manifest_sort(m, NULL);
    if (s == STATUS_OK)
        s = manifest_set_facts(m, 0, &facts);
    if (s == STATUS_OK)
        s = manifest_hash(m, hex, NULL);
    if (s == STATUS_OK)
        s = manifest_write(m, at("m.csv"), NULL);
    if (s == STATUS_OK)
        s = manifest_read(at("m.csv"), &back, NULL);
    cr_assert_eq(back == NULL, s != STATUS_OK);
    manifest_close(&m);
    manifest_close(&back);
    return s;
}

Test(allocation, manifest)
{
    fail_each(write_and_read);
}

static enum status pack_and_unpack(void)
{
    struct clip_score clips[2] = {{.clip = 0, .p_fake = 0.5}, {.clip = 1, .p_fake = 0.25}};
    char path[] = "a.mp4";
    struct result r = {
        .path = path, .outcome = OUTCOME_SCORED, .p_fake = 0.5, .n_tracks = 1, .clips = clips, .n_clips = 2};
    struct result back = {0};
    struct message m = {.kind = MESSAGE_LEASE, .text = path, .lease = 1, .attempt = 1}, again = {0};
    uint8_t *data = NULL;
    size_t len = 0;
    enum status s = result_pack(&r, &data, &len);

    if (s == STATUS_OK)
        s = result_unpack(data, len, &back);
    free(data);
    data = NULL;
    if (s == STATUS_OK)
        s = message_pack(&m, &data, &len);
    if (s == STATUS_OK)
        s = message_unpack(data, len, &again);
    free(data);
    result_clear(&back);
    message_clear(&again);
    return s;
}

Test(allocation, wire)
{
    fail_each(pack_and_unpack);
}
