#include "nodes/lane_death.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* The notes come from a process that may have been taken over: printable text of bounded length, nothing else. */
static void quote_notes(const struct lane_notes *notes, char *ret_text, size_t room)
{
    char stage[sizeof(notes->stage)], message[sizeof(notes->message)];

    memcpy(stage, notes->stage, sizeof(stage));
    memcpy(message, notes->message, sizeof(message));
    stage[sizeof(stage) - 1] = message[sizeof(message) - 1] = '\0';
    snprintf(ret_text, room, "%s%s%s%.190s", stage[0] ? " during " : "", stage, message[0] ? ": " : "", message);
}

void lane_death_describe(const struct lane_death *d, enum outcome *ret_outcome, char ret_message[RESULT_MESSAGE_BYTES])
{
    int wait_status = d->event->wait_status;
    struct result made = {0};
    char notes[RESULT_MESSAGE_BYTES];

    quote_notes(d->notes, notes, sizeof(notes));
    *ret_outcome = OUTCOME_CRASHED;
    if (d->timeout_us > 0) {
        *ret_outcome = OUTCOME_TIMEOUT;
        result_set_message(&made, "no answer within %.3g s%s", (double)d->timeout_us / 1e6, notes);
    } else if (d->given_up) {
        result_set_message(&made, "given up at a drain");
    } else if (d->misdeed) {
        result_set_message(&made, "its lane %s%s", d->misdeed, notes);
    } else if (d->event->text[0]) {
        result_set_message(&made, "%.200s", d->event->text);
    } else if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGSYS) {
        result_set_message(&made, "stopped by the sandbox: a system call that decoding does not need%s", notes);
    } else if (WIFSIGNALED(wait_status)) {
        result_set_message(&made, "killed by signal %d (%s)%s", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)),
                           notes);
    } else {
        result_set_message(&made, "ended with status %d%s", WEXITSTATUS(wait_status), notes);
    }
    memcpy(ret_message, made.message, RESULT_MESSAGE_BYTES);
}
