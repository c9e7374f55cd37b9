/* fakesift: scores every video of a corpus for deepfakes.
 * In: a command and its arguments. Out: what that command writes, and an exit code (coordinator/main.h). */
#include "coordinator/main.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/main_manual.h"
#include "shard/channel.h"

const char *argp_program_version = "fakesift " FAKESIFT_VERSION;

static const struct command {
    const char *name, *purpose;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"scan", "list a corpus with its labels into a manifest", main_scan},
    {"run", "score a corpus, alone or under mpirun; resumes by itself", main_run},
    {"status", "how far a run is", main_status},
    {"report", "write a run's report again", main_report},
    {"audit", "find leaks, duplicates, shortcuts and broken files in a run's corpus", main_audit},
    {"compare", "two runs over the same videos, beside each other", main_compare},
    {"eval", "rank submissions to a leaderboard, and check them", main_eval},
    {"explain", "what a run saw of one video", main_explain},
    {"submit", "hand a run in to Slurm", main_submit},
    {"models", "list, fetch and inspect detectors and networks", main_models},
};

static void print_help(FILE *out)
{
    fputs("Usage: fakesift COMMAND [ARGUMENT...]\n"
          "Scores every video of a corpus for deepfakes, on one machine or on a cluster.\n\n",
          out);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].purpose);
    fputs("\n`fakesift COMMAND --help` lists a command's options.\n"
          "Exit codes: 0 done, 1 usage, 2 failed, 3 done with unscored videos (--strict) or findings (audit "
          "--fail-on), 75 stopped early, resumable.\n",
          out);
}

void main_parse(const struct argp *argp, int argc, char **argv, void *context)
{
    static char name[64];
    unsigned flags = channel_announced_rank() == 0 ? 0 : ARGP_NO_ERRS | ARGP_NO_EXIT;

    if (manual_asked(argc, argv)) {
        manual_print_argp(stdout, argp);
        exit(EXIT_DONE);
    }
    snprintf(name, sizeof(name), "fakesift %s", argv[0]);
    argv[0] = name;
    argp_err_exit_status = EXIT_USAGE;
    if (argp_parse(argp, argc, argv, flags, NULL, context) != 0)
        exit(EXIT_USAGE);
}

int main_fail(const char *command, const struct error *e)
{
    fprintf(stderr, "fakesift %s: %s\n", command, e->text);
    return EXIT_FAILED;
}

/* A journal that got a standard stream's number would receive what is logged. */
static bool occupy_standard_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int main(int argc, char **argv)
{
    if (!occupy_standard_descriptors())
        return EXIT_FAILED;
    if (argc < 2) {
        fputs("fakesift: no command; `fakesift --help` lists them\n", stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts(argp_program_version);
        return EXIT_DONE;
    }
    for (size_t i = 0; manual_asked(argc, argv) && i < sizeof(commands) / sizeof(commands[0]); i++)
        manual_print_command(stdout, commands[i].name, commands[i].purpose);
    if (manual_asked(argc, argv))
        return EXIT_DONE;
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "fakesift: no command %s; `fakesift --help` lists them\n", argv[1]);
    return EXIT_USAGE;
}
