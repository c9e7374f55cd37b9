/* fakesift models. In: a subcommand and names. Out: tables about the zoo, installed detectors, networks run on .npy. */
#include <stdio.h>
#include <string.h>

#include "coordinator/main.h"
#include "models/zoo.h"

static int list(int argc, char **argv)
{
    struct error e = {0};

    (void)argv;
    if (argc != 1) {
        fputs("fakesift models list: takes no arguments\n", stderr);
        return EXIT_USAGE;
    }
    return zoo_list(stdout, &e) == STATUS_OK ? EXIT_DONE : main_fail("models list", &e);
}

static int for_each(int argc, char **argv, enum status (*action)(const char *, FILE *, struct error *))
{
    int code = EXIT_DONE;

    if (argc < 2) {
        fprintf(stderr, "fakesift models %s: NAME is missing\n", argv[0]);
        return EXIT_USAGE;
    }
    for (int i = 1; i < argc; i++) {
        struct error e = {0};

        if (action(argv[i], stdout, &e) != STATUS_OK)
            code = main_fail("models", &e);
    }
    return code;
}

static int fetch(int argc, char **argv)
{
    return for_each(argc, argv, zoo_fetch);
}

static int info(int argc, char **argv)
{
    return for_each(argc, argv, zoo_info);
}

static const struct subcommand {
    const char *name, *arguments, *purpose;
    int (*run)(int argc, char **argv);
} subcommands[] = {
    {"list", "", "the zoo: what there is, and what is installed", list},
    {"fetch", "NAME...", "get, verify, convert and install; `all` for whatever can be had here", fetch},
    {"info", "NAME|FILE.onnx...", "what a detector or a network takes, gives, holds and costs", info},
};

int main_models(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
    }
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)) {
        puts("Usage: fakesift models SUBCOMMAND [ARGUMENT...]\nDetectors and networks.\n");
        for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
            printf("  %-6s %-18s %s\n", subcommands[i].name, subcommands[i].arguments, subcommands[i].purpose);
        return EXIT_DONE;
    }
    fprintf(stderr, "fakesift models: %s%s; `fakesift models --help` lists the subcommands\n",
            argc > 1 ? "no subcommand " : "no subcommand given", argc > 1 ? argv[1] : "");
    return EXIT_USAGE;
}
