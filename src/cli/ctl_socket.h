/* SPDX-License-Identifier: ISC */
/* ctl_socket.h - both ends of a UNIX stream socket at a path of the file
 * system. */
#ifndef CLI_CTL_SOCKET_H
#define CLI_CTL_SOCKET_H

#include "base/util.h"

/* The descriptor of a connection that blocks, or a negative errno value;
 * -EAGAIN: the listener has had no room for another one for limit_ms (0: wait
 * for ever). It is CLOEXEC and never 0, 1 or 2, so that a closed output is not
 * taken for it. */
NODISCARD int ctl_socket_connect(const char *path, unsigned int limit_ms);

/* The descriptor of a listener, CLOEXEC and NONBLOCK, whose file has mode
 * 0600. A socket file that nobody answers at is replaced. -EADDRINUSE:
 * somebody answers; -EEXIST: the file is no socket; -ENAMETOOLONG: the path is
 * above CTL_PATH_MAX; or another negative errno value. */
NODISCARD int ctl_socket_listen(const char *path);

#endif
