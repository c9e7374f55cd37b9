/* What a rank does before it meets the others: signals, and MPI_Init with an end to its patience. */
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "coordinator/main.h"
#include "coordinator/main_job.h"

int job_catch_signals(void)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    /* A journal on a file system with a size limit must give an error, not a death. */
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void give_up_waiting(int signal_number)
{
    static const char text[] = "fakesift run: MPI_Init does not return: another rank died or never came\n";

    (void)signal_number;
    if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
        _exit(EXIT_RESUMABLE);
    _exit(EXIT_RESUMABLE);
}

/* MPI_Init waits for every rank, for ever when one has died before its own and mpirun does not end the others. */
enum status job_open_channel(unsigned silence_s, struct channel **ret_channel, struct error *e)
{
    enum { PATIENCE = 4 }; /* silences: a big job takes its time to start */
    enum status s;

    signal(SIGALRM, give_up_waiting);
    alarm(PATIENCE * silence_s);
    s = channel_open(channel_is_launched(), ret_channel, e);
    alarm(0);
    return s;
}
