/* passing: datagrams with descriptors attached, over SOCK_SEQPACKET sockets between agent, zygote and lanes. */
#ifndef FAKESIFT_NODES_PASSING_H
#define FAKESIFT_NODES_PASSING_H

#include <stddef.h>

#include "shard/status.h"

enum { PASSING_MAX_FDS = 32 };

/* One packet; the descriptors are duplicated by the kernel. Never raises SIGPIPE.
 * STATUS_END: the other end is closed. STATUS_AGAIN: a non-blocking socket is full. */
enum status passing_send(int socket_fd, const void *data, size_t len_bytes, const int *fds, size_t n_fds);

/* One packet of at most room_bytes. ret_fds gets up to PASSING_MAX_FDS descriptors, the rest of it -1; they are the
 * caller's, close-on-exec. STATUS_END: closed. STATUS_AGAIN: nothing on a non-blocking socket.
 * STATUS_CORRUPT: the packet was longer than the room. ret_fds may be NULL: any descriptor is closed. */
enum status passing_receive(int socket_fd, void *ret_data, size_t room_bytes, size_t *ret_len_bytes,
                            int ret_fds[PASSING_MAX_FDS]);

#endif
