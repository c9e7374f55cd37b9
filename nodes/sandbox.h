/* sandbox: what a lane gives up before it touches a video: other descriptors, memory and CPU without bound, new
 * privileges, the filesystem, the network, other processes, and every system call that decoding does not need.
 *
 * In: limits. Out: which layers are active, as text. A layer that the kernel lacks is left out and named.
 * docs/SECURITY.md says against whom, and which test shows what stops what. */
#ifndef FAKESIFT_NODES_SANDBOX_H
#define FAKESIFT_NODES_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

enum sandbox_layer {
    SANDBOX_LIMITS = 1 << 0, /* rlimits: memory, CPU time, descriptors, no file growth, no processes (root may fork) */
    SANDBOX_PRIVILEGES = 1 << 1, /* no_new_privs, no capability, not traceable */
    SANDBOX_NAMESPACES = 1 << 2, /* own user, mount, network, IPC and UTS namespace; an empty read-only root */
    SANDBOX_LANDLOCK =
        1 << 3, /* no filesystem; also no TCP, signals or abstract sockets to others, as far as the kernel
                                  * has it */
    SANDBOX_SYSCALLS = 1 << 4, /* seccomp allow-list; anything else kills */
    SANDBOX_ALL = (1 << 5) - 1
};

struct sandbox_settings {
    uint64_t memory_bytes; /* address space beyond what the process has now; 0: no limit */
    uint64_t cpu_s;        /* CPU seconds of the process; 0: no limit */
    int keep_fd;           /* the only descriptor, beside standard error, that stays open for reading and writing */
    unsigned leave_out;    /* layers that are not to be entered; 0 but where a test looks at one layer alone */
};

/* Cannot be undone. Returns the layers that are active, a set of enum sandbox_layer. */
unsigned sandbox_enter(const struct sandbox_settings *settings);

/* "limits, no_new_privs, namespaces, landlock, seccomp"; those not in layers after ", without: ". */
void sandbox_describe(unsigned layers, char *ret_text, size_t room_bytes);

#endif
