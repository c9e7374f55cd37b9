#include "models/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shard/file.h"

enum { LOG_MAX_BYTES = 1 << 20, LINE_MAX_BYTES = 300 };

static void keep_line(char line[LINE_MAX_BYTES], const char *from)
{
    size_t len = strcspn(from, "\r\n");

    if (len >= LINE_MAX_BYTES)
        len = LINE_MAX_BYTES - 1;
    memcpy(line, from, len);
    line[len] = '\0';
}

/* The line of the log that says most, else its last that is not empty. */
static void pick_line(const struct spawn *sp, char line[LINE_MAX_BYTES])
{
    char *log = NULL;
    size_t len = 0;

    line[0] = '\0';
    if (file_read(sp->log_path, LOG_MAX_BYTES, &log, &len, NULL) != STATUS_OK)
        return;
    for (const char *const *t = sp->telling; t && *t; t++) {
        const char *hit = strstr(log, *t);

        if (hit) {
            while (hit > log && hit[-1] != '\n')
                hit--;
            keep_line(line, hit);
            goto end;
        }
    }
    for (const char *l = log; *l != '\0';) {
        const char *first = l + strspn(l, " \t\r");

        if (*first != '\n' && *first != '\0')
            keep_line(line, l);
        l += strcspn(l, "\n");
        l += *l == '\n';
    }
end:
    free(log);
}

static enum status start(const struct spawn *sp, pid_t *ret_pid, struct error *e)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    int problem = posix_spawn_file_actions_init(&actions);

    if (problem != 0)
        return error_set_errno(e, problem, "%s: cannot start", sp->argv[0]);
    problem = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (problem == 0)
        problem =
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, sp->log_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (problem == 0)
        problem = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (problem == 0)
        problem = posix_spawn_file_actions_addchdir_np(&actions, sp->folder);
    if (problem == 0)
        problem = posix_spawnp(ret_pid, sp->argv[0], &actions, NULL, (char *const *)(const void *)sp->argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (problem == ENOENT)
        return error_set(e, STATUS_NOT_FOUND, "%s: no such program in PATH", sp->argv[0]);
    if (problem != 0)
        return error_set_errno(e, problem, "%s: cannot start", sp->argv[0]);
    return STATUS_OK;
}

enum status spawn_run(const struct spawn *sp, struct error *e)
{
    char line[LINE_MAX_BYTES];
    pid_t pid = 0;
    int how = 0;
    enum status s = start(sp, &pid, e);

    if (s != STATUS_OK)
        return s;
    while (waitpid(pid, &how, 0) < 0) {
        if (errno != EINTR)
            return error_set_errno(e, errno, "%s: cannot wait for it", sp->argv[0]);
    }
    if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
        return STATUS_OK;
    pick_line(sp, line);
    if (WIFSIGNALED(how))
        return error_set(e, STATUS_IO, "%s: ended by signal %d: %s", sp->argv[0], WTERMSIG(how), line);
    return error_set(e, STATUS_IO, "%s: exit status %d: %s", sp->argv[0], WEXITSTATUS(how), line);
}
