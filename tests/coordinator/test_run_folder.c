#include "coordinator/run_folder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shard/file.h"

static char *base;

static void make_base(void)
{
    char pattern[] = "/tmp/fakesift-run-XXXXXX";

    base = strdup(mkdtemp(pattern));
}

static void remove_base(void)
{
    char command[256];

    snprintf(command, sizeof(command), "rm -rf '%s'", base);
    cr_assert_eq(system(command), 0);
    free(base);
}

TestSuite(run_folder, .init = make_base, .fini = remove_base);

static struct run_identity identity_of(const char *detector)
{
    struct run_identity identity = {.detector_worth = "little", .detector_card = "{\"sampling.frames\":\"10\"}"};

    run_identity_add(&identity, "detector", detector);
    run_identity_add(&identity, "protocol", "1");
    return identity;
}

Test(run_folder, the_same_identity_resumes_and_another_names_the_field_and_both_values)
{
    struct run_identity a = identity_of("meso"), b = identity_of("other");
    struct run_folder *f = NULL;
    struct error e;
    char *path = file_join(base, "deep/run"), *card;

    cr_assert_eq(run_folder_open(path, &a, &f, &e), STATUS_OK, "%s", e.text);
    run_folder_close(&f);
    cr_assert_eq(run_folder_open(path, &a, &f, &e), STATUS_OK, "%s", e.text);
    cr_assert_str_eq(run_folder_identity(f, "detector"), "meso");
    cr_assert_str_eq(run_folder_worth(f), "little");
    card = run_folder_card_json(f);
    cr_assert(card && strstr(card, "\"sampling.frames\":\t\"10\""), "%s", card ? card : "no card");
    free(card);
    run_folder_close(&f);
    cr_assert_eq(run_folder_open(path, &b, &f, &e), STATUS_MISMATCH);
    cr_assert(strstr(e.text, "detector = meso") && strstr(e.text, "other"), "%s", e.text);
    free(path);
}

Test(run_folder, a_second_job_is_refused_with_the_holder_named)
{
    struct run_identity identity = identity_of("meso");
    struct run_folder *f = NULL;
    struct error e;
    char holder[256];
    int status;
    pid_t pid;

    cr_assert_eq(run_folder_open(base, &identity, &f, &e), STATUS_OK, "%s", e.text);
    cr_assert(run_folder_is_held(f, holder, sizeof(holder)));
    pid = fork();
    if (pid == 0) {
        struct run_folder *second = NULL;
        char wanted[64];

        snprintf(wanted, sizeof(wanted), "pid %ld", (long)getppid());
        _exit(run_folder_open(base, &identity, &second, &e) == STATUS_BUSY && strstr(e.text, wanted) ? 0 : 1);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    run_folder_close(&f);
    cr_assert_eq(run_folder_open_readonly(base, &f, &e), STATUS_OK);
    cr_assert_not(run_folder_is_held(f, holder, sizeof(holder)));
    run_folder_close(&f);
}

Test(run_folder, the_lock_of_a_dead_holder_is_taken_over)
{
    struct run_identity identity = identity_of("meso");
    struct run_folder *f = NULL;
    struct error e;
    int status;
    pid_t pid = fork();

    if (pid == 0)
        _exit(run_folder_open(base, &identity, &f, &e) == STATUS_OK ? 0 : 1);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
    cr_assert_eq(run_folder_open(base, &identity, &f, &e), STATUS_OK, "%s", e.text);
    run_folder_close(&f);
}

Test(run_folder, a_folder_with_other_files_does_not_become_a_run)
{
    struct run_identity identity = identity_of("meso");
    struct run_folder *f = NULL;
    struct error e;
    char *path = file_join(base, "thesis.tex");

    cr_assert_eq(file_write(path, "x", 1, &e), STATUS_OK);
    cr_assert_eq(run_folder_open(base, &identity, &f, &e), STATUS_INVALID);
    cr_assert(strstr(e.text, "thesis.tex"), "%s", e.text);
    free(path);
}

Test(run_folder, what_is_not_a_run_is_said_to_be_none)
{
    struct run_folder *f = NULL;
    struct error e;
    char *path = file_join(base, "run.json");
    static const char *const bad[] = {"",    "<html>",
                                      "{}",  "{\"fakesift_run\":1}",
                                      "[1]", "{\"fakesift_run\":1,\"identity\":{},\"fingerprint\":\"short\"}"};

    cr_assert_eq(run_folder_open_readonly(base, &f, &e), STATUS_NOT_FOUND);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(file_write(path, bad[i], strlen(bad[i]), &e), STATUS_OK);
        cr_assert_eq(run_folder_open_readonly(base, &f, &e), STATUS_CORRUPT, "%s", bad[i]);
    }
    free(path);
}

Test(run_folder, executions_are_kept_in_order)
{
    struct run_identity identity = identity_of("meso");
    struct run_execution x = {
        .version = "1", .host_name = "h", .cpu = "c", .job_id = "", .sandbox = "s", .end = "drained"};
    struct run_folder *f = NULL;
    struct error e;
    char *json, *first, *second;

    cr_assert_eq(run_folder_open(base, &identity, &f, &e), STATUS_OK);
    cr_assert_eq(run_folder_add_execution(f, &x, &e), STATUS_OK);
    x.end = "complete";
    cr_assert_eq(run_folder_add_execution(f, &x, &e), STATUS_OK);
    run_folder_close(&f);
    cr_assert_eq(run_folder_open_readonly(base, &f, &e), STATUS_OK);
    json = run_folder_execution_json(f);
    first = strstr(json, "drained");
    second = strstr(json, "complete");
    cr_assert(first && second && first < second);
    free(json);
    run_folder_close(&f);
}
