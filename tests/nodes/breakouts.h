/* breakouts: what a lane that was taken over would try. Each tries one thing and says how far it came, so that a test can
 * ask which layer of the sandbox stopped it. Nothing here is linked into the program. */
#ifndef FAKESIFT_TESTS_NODES_BREAKOUTS_H
#define FAKESIFT_TESTS_NODES_BREAKOUTS_H

#include <stddef.h>
#include <sys/types.h>

/* What is there to be reached. Made before the sandbox is entered. */
struct breakout_world {
    char folder[108]; /* writable by everyone; holds "old" (a file), "door" (a listening socket) */
    int tcp_port, udp_port;
    pid_t neighbour; /* a process of the same user that may be traced */
    int kept_fd;     /* the descriptor that the sandbox leaves open */
    int agents_fd;   /* open in the agent */
};

enum breakout_kept { KEPT_NOTHING, KEPT_FOLDER, KEPT_FILE, KEPT_PROGRAM };

struct breakout {
    const char *name;
    /* What becomes of it where no layer is entered, then with each alone in the order of enum sandbox_layer, then with all:
     * o: it works, e: refused with an error, k: killed by the allow-list, -: not said */
    const char *ends;
    /* 0: it worked. Else a code of its own, 1..90. */
    int (*act)(const struct breakout_world *world);
    enum breakout_kept kept; /* what kept_fd is */
};

extern const struct breakout breakouts[];
extern const size_t n_breakouts;

#endif
