/* SPDX-License-Identifier: ISC */
/* ctl_client.h - sends one request to a daemon and copies its answer. */
#ifndef CLI_CTL_CLIENT_H
#define CLI_CTL_CLIENT_H

#include "base/buf.h"
#include "base/util.h"

enum { CTL_WHY_MAX = 512 }; /* room for any text of why */

/* Asks the daemon at path (enum ctl_code), waits for the end of the answer
 * and writes it to out_fd as it comes. Returns the exit status: what our own
 * daemon said; of another daemon, which cannot say it, 0; and 1 for whatever
 * went wrong on the way. What there is to say about it is appended to why,
 * without a newline. Raises SIGPIPE where writing to out_fd does. */
NODISCARD int ctl_client_run(const char *path, int code, int out_fd,
			     struct wr *why);

#endif
