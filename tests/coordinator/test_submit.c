#include "coordinator/results.h"
#include "coordinator/submit.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seconds_of(const char *text)
{
    uint64_t s = 0;

    cr_assert_eq(submit_parse_time(text, &s), STATUS_OK, "%s", text);
    return s;
}

Test(submit, times_are_read_as_slurm_reads_them)
{
    cr_assert_eq(seconds_of("90"), 5400);
    cr_assert_eq(seconds_of("1:30"), 90);
    cr_assert_eq(seconds_of("02:00:00"), 7200);
    cr_assert_eq(seconds_of("1-12"), 129600);
    cr_assert_eq(seconds_of("1-00:30"), 88200);
    cr_assert_eq(seconds_of("7-00:00:01"), 604801);
    cr_assert_eq(seconds_of("infinite"), UINT64_MAX);
    cr_assert_eq(seconds_of("UNLIMITED"), UINT64_MAX);
}

Test(submit, what_is_no_time_is_refused)
{
    static const char *const bad[] = {"", "1h", ":", "1:", "1:2:3:4", "-1", "1-", "1--2", " 1", "99999999999999999999"};
    uint64_t s = 7;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(submit_parse_time(bad[i], &s), STATUS_INVALID, "%s", bad[i]);
    cr_assert_eq(s, 7);
}

Test(submit, a_time_that_is_written_reads_back)
{
    char text[32];

    submit_format_time(123456, text, sizeof(text));
    cr_assert_str_eq(text, "1-10:17:36");
    cr_assert_eq(seconds_of(text), 123456);
}

#define SINFO                                                                                                          \
    "batch*|n1|32|128000|1-00:00:00|up|idle\nbatch*|n2|16|64000+|1-00:00:00|up|mixed\nbatch*|n3|8|1000|1-00:00:00|up|" \
    "down*\n"                                                                                                          \
    "batch*|n4|8|1000|1-00:00:00|up|idle*\nbatch*|n5|8|1000|1-00:00:00|up|drained\nlong|n1|32|128000|infinite|down|"   \
    "idle\n"

Test(submit, the_default_partition_counts_its_nodes_that_are_up)
{
    char text[] = SINFO;
    struct submit_partition p;
    struct error e = {0};

    cr_assert_eq(submit_read_sinfo(text, NULL, &p, &e), STATUS_OK, "%s", e.text);
    cr_assert_str_eq(p.name, "batch");
    cr_assert_eq(p.n_nodes, 2);
    cr_assert_eq(p.min_cpus, 16);
    cr_assert_eq(p.min_memory_mib, 64000);
    cr_assert_eq(p.max_time_s, 86400);
    cr_assert(p.up);
}

Test(submit, a_named_partition_is_found_and_an_unknown_one_is_refused_with_a_list)
{
    char text[] = SINFO, again[] = SINFO, empty[] = "";
    struct submit_partition p;
    struct error e = {0};

    cr_assert_eq(submit_read_sinfo(text, "long", &p, &e), STATUS_OK);
    cr_assert_eq(p.max_time_s, UINT64_MAX);
    cr_assert_not(p.up);
    cr_assert_eq(submit_read_sinfo(again, "gpu", &p, &e), STATUS_NOT_FOUND);
    cr_assert_str_eq(e.text, "no partition gpu; there are: batch, long");
    cr_assert_eq(submit_read_sinfo(empty, NULL, &p, &e), STATUS_NOT_FOUND);
}

Test(submit, lines_that_are_no_nodes_are_passed_over)
{
    char text[] = "batch*|n1\n||||||\nbatch*|n1|x|y|z|up|idle\nbatch*|n2|4|8000|10:00|up|idle\n";
    struct submit_partition p;
    struct error e = {0};

    cr_assert_eq(submit_read_sinfo(text, NULL, &p, &e), STATUS_OK);
    cr_assert_eq(p.n_nodes, 1);
    cr_assert_eq(p.min_cpus, 4);
}

Test(submit, scontrol_limits_the_nodes_of_a_job)
{
    struct submit_partition p = {.max_nodes = UINT64_MAX};

    submit_read_scontrol("PartitionName=batch MaxNodes=UNLIMITED MaxTime=1", &p);
    cr_assert_eq(p.max_nodes, UINT64_MAX);
    submit_read_scontrol("PartitionName=batch MaxNodes=3 MaxTime=1", &p);
    cr_assert_eq(p.max_nodes, 3);
}

static const struct submit_partition partition = {
    .name = "batch",
    .n_nodes = 10,
    .min_cpus = 32,
    .min_memory_mib = 128000,
    .max_time_s = 4 * 3600,
    .max_nodes = 8,
    .up = true,
};

Test(submit, a_plan_aims_at_an_hour_within_what_the_partition_gives)
{
    const struct submit_estimate hundred_hours = {.n_videos = 100000, .lane_s = 360000, .longest_s = 10};
    const struct submit_estimate much = {.n_videos = 1000000, .lane_s = 1e8, .longest_s = 10};
    const struct submit_wish wish = {.lane_memory_mib = 1536};
    struct submit_plan p;
    struct error e = {0};

    cr_assert_eq(submit_make_plan(&hundred_hours, &wish, &partition, &p, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(p.n_cpus, 32);
    cr_assert_eq(p.n_lanes, 32);
    cr_assert_eq(p.memory_per_cpu_mib, 1552);
    cr_assert_eq(p.n_nodes, 4);
    cr_assert_float_eq(p.wall_s, 2812.5, 1e-6);
    cr_assert_eq(p.time_s % 300, 0);
    cr_assert_geq((double)p.time_s, 1.5 * p.wall_s);
    cr_assert_eq(p.n_starts, 1);
    cr_assert_eq(p.signal_s, 130);
    /* More than fits into the limit: the partition's most, in several starts. */
    cr_assert_eq(submit_make_plan(&much, &wish, &partition, &p, &e), STATUS_OK);
    cr_assert_eq(p.n_nodes, 8);
    cr_assert_eq(p.time_s, 4 * 3600);
    cr_assert_eq(p.n_starts, 28);
}

Test(submit, the_longest_video_bounds_the_wall_time)
{
    const struct submit_estimate x = {.n_videos = 3, .lane_s = 4000, .longest_s = 3900};
    const struct submit_wish wish = {.lane_memory_mib = 1536};
    struct submit_plan p;
    struct error e = {0};

    cr_assert_eq(submit_make_plan(&x, &wish, &partition, &p, &e), STATUS_OK);
    cr_assert_eq(p.n_nodes, 1);
    cr_assert_eq(p.wall_s, 3900);
}

Test(submit, little_memory_means_fewer_lanes)
{
    const struct submit_estimate x = {.n_videos = 1000, .lane_s = 1000, .longest_s = 1};
    const struct submit_wish wish = {.lane_memory_mib = 1536};
    struct submit_partition small = partition;
    struct submit_plan p;
    struct error e = {0};

    small.min_memory_mib = 16000;
    cr_assert_eq(submit_make_plan(&x, &wish, &small, &p, &e), STATUS_OK);
    cr_assert_eq(p.memory_per_cpu_mib, 500);
    cr_assert_eq(p.n_lanes, 10);
    small.min_memory_mib = 2000;
    cr_assert_eq(submit_make_plan(&x, &wish, &small, &p, &e), STATUS_INVALID);
}

Test(submit, wishes_beyond_the_partition_are_refused_with_both_numbers)
{
    const struct submit_estimate x = {.n_videos = 10, .lane_s = 10, .longest_s = 1};
    const struct submit_wish nodes = {.n_nodes = 9, .lane_memory_mib = 100},
                             cpus = {.n_cpus = 33, .lane_memory_mib = 100},
                             time = {.time_s = 5 * 3600, .lane_memory_mib = 100};
    struct submit_partition off = partition;
    struct submit_plan p;
    struct error e = {0};

    cr_assert_eq(submit_make_plan(&x, &nodes, &partition, &p, &e), STATUS_INVALID);
    cr_assert_str_eq(e.text, "--nodes 9: partition batch gives a job 8");
    cr_assert_eq(submit_make_plan(&x, &cpus, &partition, &p, &e), STATUS_INVALID);
    cr_assert_str_eq(e.text, "--cpus 33: the smallest node of partition batch has 32");
    cr_assert_eq(submit_make_plan(&x, &time, &partition, &p, &e), STATUS_INVALID);
    cr_assert_str_eq(e.text, "--time of 18000 s: partition batch ends jobs after 0-04:00:00");
    off.up = false;
    cr_assert_eq(submit_make_plan(&x, &(struct submit_wish){.lane_memory_mib = 100}, &off, &p, &e), STATUS_INVALID);
    off = partition;
    off.n_nodes = 0;
    cr_assert_eq(submit_make_plan(&x, &(struct submit_wish){.lane_memory_mib = 100}, &off, &p, &e), STATUS_INVALID);
}

static struct manifest *manifest_of(size_t n)
{
    struct manifest *m = NULL;
    struct error e = {0};

    cr_assert_eq(manifest_create("/corpus", "dir", &m, &e), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        char path[32];
        struct manifest_entry entry = {.path = path, .exists = true, .size_bytes = 1000000};

        snprintf(path, sizeof(path), "%04zu.mp4", i);
        cr_assert_eq(manifest_add(m, &entry, &e), STATUS_OK);
    }
    cr_assert_eq(manifest_sort(m, &e), STATUS_OK);
    return m;
}

static struct results *results_of(size_t n, size_t n_scored)
{
    const struct result scored = {.outcome = OUTCOME_SCORED, .p_fake = 0.5, .wall_us = 4000000};
    struct results *t = NULL;

    cr_assert_eq(results_open(n, &t), STATUS_OK);
    for (size_t i = 0; i < n_scored; i++)
        cr_assert_eq(results_put(t, i, &scored), STATUS_OK);
    return t;
}

Test(submit, an_estimate_is_scaled_to_what_was_measured)
{
    const struct plan_work work = {.reads_video = true, .clips = 1, .frames = 16, .clip_s = 0.1, .face_s = 0.05};
    const struct result no_video = {.outcome = OUTCOME_NO_VIDEO, .p_fake = NAN, .wall_us = 1};
    struct manifest *m = manifest_of(100);
    struct reduction done = {.results = results_of(100, 25), .count = 100};
    struct submit_estimate x = {0};
    size_t n;
    double scale;

    /* Says nothing of the others. */
    cr_assert_eq(results_put(done.results, 25, &no_video), STATUS_OK);
    scale = submit_scale(&work, m, &done, &n);
    cr_assert_eq(n, 25);
    submit_estimate_add(&x, &work, m, &done, scale);
    cr_assert_eq(x.n_videos, 100);
    cr_assert_float_eq(x.lane_s, 74 * 4.0, 1e-6);
    cr_assert_float_eq(x.longest_s, 4.0, 1e-9);
    results_close(&done.results);
    done.results = results_of(100, 10);
    cr_assert_eq(submit_scale(&work, m, &done, &n), 1, "ten videos are too few");
    results_close(&done.results);
    manifest_close(&m);
}

Test(submit, folders_of_one_machine_are_refused)
{
    char doubt[512];
    struct error e = {0};

    cr_assert_eq(submit_check_path("/tmp/run", doubt, sizeof(doubt), &e), STATUS_INVALID);
    cr_assert_eq(submit_check_path("/dev/shm/x", doubt, sizeof(doubt), &e), STATUS_INVALID);
    cr_assert_eq(submit_check_path("/tmpfiles/none/such", doubt, sizeof(doubt), &e), STATUS_OK);
    cr_assert(strlen(doubt) > 0);
}

Test(submit, a_disk_without_room_is_refused)
{
    struct error e = {0};

    cr_assert_eq(submit_check_space("/tmp/no/such/folder", 10, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(submit_check_space("/tmp", (size_t)1 << 40, &e), STATUS_NO_SPACE);
    cr_assert_neq(submit_check_space("relative", 10, &e), STATUS_OK);
}

Test(submit, a_program_that_fails_or_is_not_there_is_an_error)
{
    const char *const echo[] = {"echo", "a 'b'", NULL}, *const bad[] = {"false", NULL},
                      *const none[] = {"no-such-sinfo", NULL};
    char *text = NULL;
    struct error e = {0};

    cr_assert_eq(submit_run_program(echo, &text, &e), STATUS_OK, "%s", e.text);
    cr_assert_str_eq(text, "a 'b'\n");
    free(text);
    cr_assert_eq(submit_run_program(bad, &text, &e), STATUS_IO);
    cr_assert_eq(submit_run_program(none, &text, &e), STATUS_NOT_FOUND);
}

static enum status script_for(const char *corpus, const char *run, const char *partition_name, unsigned n_tasks,
                              char **ret_text, struct error *e)
{
    static const char *const arguments[] = {"--strict", NULL};
    const struct submit_plan plan = {.n_nodes = 3,
                                     .n_cpus = 8,
                                     .n_lanes = 8,
                                     .memory_per_cpu_mib = 1600,
                                     .time_s = 3600,
                                     .signal_s = 120,
                                     .wall_s = 60};
    const struct submit_estimate estimate = {.n_videos = 7, .lane_s = 60};
    const struct submit_script s = {
        .fakesift = "/opt/fakesift",
        .detector = "meso4-df",
        .corpus = corpus,
        .run = run,
        .partition = partition_name,
        .launch = "mpirun",
        .plan = &plan,
        .estimate = &estimate,
        .n_tasks = n_tasks,
        .n_at_once = 2,
        .arguments = arguments,
    };

    return submit_write_script(&s, ret_text, e);
}

Test(submit, a_script_quotes_what_it_passes_on)
{
    char *text = NULL;
    struct error e = {0};

    cr_assert_eq(script_for("/data/it's $(x)", "/runs/a b", "batch", 0, &text, &e), STATUS_OK, "%s", e.text);
    cr_assert(strstr(text, "\nset -- '/data/it'\\''s $(x)' 'meso4-df' '/runs/a b' '--strict'\n"), "%s", text);
    cr_assert(strstr(text, "\n#SBATCH --output=\"/runs/a b/slurm/%j.log\"\n"));
    cr_assert(strstr(text, "\n#SBATCH --partition=batch\n"));
    cr_assert(strstr(text, "\n#SBATCH --time=0-01:00:00\n"));
    cr_assert(strstr(text, "\nmain \"$@\"\n"), "the body is missing");
    cr_assert_null(strstr(text, "--array"));
    free(text);
}

Test(submit, an_array_takes_its_corpus_from_the_list)
{
    char *text = NULL;
    struct error e = {0};

    cr_assert_eq(script_for("/runs/list", "/runs", NULL, 12, &text, &e), STATUS_OK, "%s", e.text);
    cr_assert(strstr(text, "\n#SBATCH --array=1-12%2\n"));
    cr_assert(strstr(text, "/runs/slurm/%A_%a.log"));
    free(text);
}

Test(submit, what_an_sbatch_line_cannot_hold_is_refused)
{
    static const char *const bad[] = {"/runs/a\"b", "/runs/100%", "/runs/a\nb", "/runs/a\\b"};
    char *text = NULL;
    struct error e = {0};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(script_for("/data", bad[i], NULL, 0, &text, &e), STATUS_INVALID, "%s", bad[i]);
    cr_assert_eq(script_for("/data", "/runs", "a b", 0, &text, &e), STATUS_INVALID);
    cr_assert_eq(script_for("/data", "/runs", "a\n#SBATCH --x", 0, &text, &e), STATUS_INVALID);
    cr_assert_null(text);
}
