#include "coordinator/submit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_OUTPUT_BYTES = 16 << 20 };

/* Reads to the end, whatever the size, so that the program ends; keeps at most MAX_OUTPUT_BYTES. */
static void read_all(int fd, struct text *t, bool *ret_too_long)
{
    char block[4096];
    ssize_t n;

    while ((n = read(fd, block, sizeof(block))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        if (t->len_bytes + (size_t)n > MAX_OUTPUT_BYTES)
            *ret_too_long = true;
        else
            text_append(t, block, (size_t)n);
    }
}

static int spawn(const char *const argv[], int out, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    int failed = posix_spawn_file_actions_init(&actions);

    if (failed)
        return failed;
    failed = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    /* posix_spawnp does not change what argv points to; its type is older than const. */
    if (!failed)
        failed = posix_spawnp(ret_pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

enum status submit_run_program(const char *const argv[], char **ret_output, struct error *e)
{
    struct text t = {0};
    bool too_long = false;
    int ends[2], failed, state = 0;
    char *output;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0) {
        error_set_errno(e, errno, "%s: no pipe", argv[0]);
        return STATUS_IO;
    }
    failed = spawn(argv, ends[1], &pid);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        error_set_errno(e, failed, "%s: cannot be started (Slurm's programs must be on the path)", argv[0]);
        return failed == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
    }
    read_all(ends[0], &t, &too_long);
    close(ends[0]);
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
        ;
    output = text_take(&t);
    if (!output)
        return error_no_memory(e);
    if (too_long || !WIFEXITED(state) || WEXITSTATUS(state) != 0) {
        free(output);
        if (too_long)
            error_set(e, STATUS_IO, "%s: printed more than %d MiB", argv[0], MAX_OUTPUT_BYTES >> 20);
        else
            error_set(e, STATUS_IO, "%s: ended with %s %d", argv[0], WIFEXITED(state) ? "code" : "signal",
                      WIFEXITED(state) ? WEXITSTATUS(state) : WTERMSIG(state));
        return STATUS_IO;
    }
    *ret_output = output;
    return STATUS_OK;
}

/* ---- times ---- */

/* Up to three numbers between colons. */
static enum status parse_colons(const char *text, uint64_t ret_parts[3], unsigned *ret_n)
{
    unsigned n = 0;
    size_t len;

    for (;; text += len + 1) {
        char part[16];

        len = strcspn(text, ":");
        if (n == 3 || len >= sizeof(part))
            return STATUS_INVALID;
        memcpy(part, text, len);
        part[len] = '\0';
        if (parse_u64(part, 0, 100000000, &ret_parts[n++]) != STATUS_OK)
            return STATUS_INVALID;
        if (text[len] == '\0')
            break;
    }
    *ret_n = n;
    return STATUS_OK;
}

enum status submit_parse_time(const char *text, uint64_t *ret_s)
{
    uint64_t days = 0, part[3] = {0};
    unsigned n;
    const char *dash = strchr(text, '-');
    char number[16];

    if (strcmp(text, "infinite") == 0 || strcmp(text, "UNLIMITED") == 0) {
        *ret_s = UINT64_MAX;
        return STATUS_OK;
    }
    if (dash) {
        if ((size_t)(dash - text) >= sizeof(number))
            return STATUS_INVALID;
        memcpy(number, text, (size_t)(dash - text));
        number[dash - text] = '\0';
        if (parse_u64(number, 0, 100000, &days) != STATUS_OK)
            return STATUS_INVALID;
    }
    if (parse_colons(dash ? dash + 1 : text, part, &n) != STATUS_OK)
        return STATUS_INVALID;
    if (dash || n == 3)
        *ret_s = days * 86400 + part[0] * 3600 + part[1] * 60 + part[2];
    else
        *ret_s = part[0] * 60 + part[1];
    return STATUS_OK;
}

void submit_format_time(uint64_t seconds, char *ret_text, size_t room)
{
    if (seconds == UINT64_MAX)
        snprintf(ret_text, room, "UNLIMITED");
    else
        snprintf(ret_text, room, "%" PRIu64 "-%02u:%02u:%02u", seconds / 86400, (unsigned)(seconds / 3600 % 24),
                 (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60));
}

/* ---- sinfo and scontrol ---- */

struct node_line {
    char *partition, *node, *cpus, *memory, *limit, *available, *state;
    bool is_default;
};

/* Splits in place; false when it is not seven fields. */
static bool split(char *line, struct node_line *ret_l)
{
    char *field[7], *end;
    size_t n = 0;

    for (char *at = line; n < 7; at = end + 1) {
        field[n++] = at;
        end = strchr(at, '|');
        if (!end)
            break;
        *end = '\0';
    }
    if (n != 7)
        return false;
    *ret_l = (struct node_line){field[0], field[1], field[2], field[3], field[4], field[5], field[6], false};
    end = field[0] + strlen(field[0]);
    if (end > field[0] && end[-1] == '*') {
        end[-1] = '\0';
        ret_l->is_default = true;
    }
    return true;
}

/* A '*' behind the state: it does not answer. */
static bool node_is_up(const char *state)
{
    static const char *const bad[] = {"down", "drain", "fail", "maint", "unknown", "inval", "power"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (strncmp(state, bad[i], strlen(bad[i])) == 0)
            return false;
    }
    return !strchr(state, '*');
}

static void add_node(struct submit_partition *p, const struct node_line *l)
{
    uint64_t cpus = 0, memory = 0;
    char number[32];

    p->up = strcmp(l->available, "up") == 0;
    if (submit_parse_time(l->limit, &p->max_time_s) != STATUS_OK)
        p->max_time_s = UINT64_MAX;
    /* "2+": at least. */
    snprintf(number, sizeof(number), "%.*s", (int)strcspn(l->cpus, "+"), l->cpus);
    if (parse_u64(number, 1, 1 << 20, &cpus) != STATUS_OK || !node_is_up(l->state))
        return;
    snprintf(number, sizeof(number), "%.*s", (int)strcspn(l->memory, "+"), l->memory);
    if (parse_u64(number, 1, UINT64_C(1) << 40, &memory) != STATUS_OK)
        return;
    p->n_nodes++;
    if (p->min_cpus == 0 || cpus < p->min_cpus)
        p->min_cpus = (unsigned)cpus;
    if (p->min_memory_mib == 0 || memory < p->min_memory_mib)
        p->min_memory_mib = memory;
}

enum status submit_read_sinfo(char *sinfo_text, const char *name, struct submit_partition *ret_p, struct error *e)
{
    struct submit_partition p = {.max_nodes = UINT64_MAX, .max_time_s = UINT64_MAX};
    char known[512] = "", last[SUBMIT_MAX_NAME] = "", *rest = NULL;
    bool found = false;

    for (char *line = strtok_r(sinfo_text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        struct node_line l;
        size_t used = strlen(known);

        if (!split(line, &l))
            continue;
        if (strcmp(last, l.partition) != 0 && !strstr(known, l.partition))
            snprintf(known + used, sizeof(known) - used, "%s%s", used > 0 ? ", " : "", l.partition);
        snprintf(last, sizeof(last), "%s", l.partition);
        if (name ? strcmp(l.partition, name) != 0 : !l.is_default)
            continue;
        found = true;
        snprintf(p.name, sizeof(p.name), "%s", l.partition);
        add_node(&p, &l);
    }
    if (!found) {
        if (name)
            error_set(e, STATUS_NOT_FOUND, "no partition %s; there are: %s", name, known);
        else
            error_set(e, STATUS_NOT_FOUND, "no default partition; --partition takes one of: %s", known);
        return STATUS_NOT_FOUND;
    }
    *ret_p = p;
    return STATUS_OK;
}

void submit_read_scontrol(const char *scontrol_text, struct submit_partition *p)
{
    static const char field[] = " MaxNodes=";
    const char *at = strstr(scontrol_text, field);
    char number[32];
    uint64_t n;

    if (!at)
        return;
    at += sizeof(field) - 1;
    snprintf(number, sizeof(number), "%.*s", (int)strcspn(at, " \n"), at);
    if (parse_u64(number, 1, UINT32_MAX, &n) == STATUS_OK)
        p->max_nodes = n;
}

enum status submit_ask_site(const char *partition, struct submit_partition *ret_p, struct error *e)
{
    const char *const sinfo[] = {"sinfo", "-h", "-N", "-o", "%P|%N|%c|%m|%l|%a|%T", NULL};
    struct submit_partition p = {.name = ""};
    const char *const scontrol[] = {"scontrol", "show", "partition", "-o", p.name, NULL};
    char *text = NULL;
    enum status s = submit_run_program(sinfo, &text, e);

    if (s != STATUS_OK)
        return s;
    s = submit_read_sinfo(text, partition, &p, e);
    free(text);
    text = NULL;
    if (s != STATUS_OK)
        return s;
    s = submit_run_program(scontrol, &text, e);
    if (s != STATUS_OK)
        return s;
    submit_read_scontrol(text, &p);
    free(text);
    *ret_p = p;
    return STATUS_OK;
}
