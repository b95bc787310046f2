/* SPDX-License-Identifier: ISC */
/* privileges.h - what the daemon keeps of root's rights once it has started. */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>

struct privileges_opts {
	bool binds_low_ports; /* sockets are opened again on ports below 1024 */
	const char *log_file; /* "": none */
	const char *lock_path, *socket_path;
};

/* Drops every capability that is not needed any more and forbids new ones. The
 * paths decide on DAC_OVERRIDE, which is kept but has no effect yet. 0 or a
 * negative errno value; without capabilities to drop: 0. */
int privileges_drop(const struct privileges_opts *o);

/* Whether files of other users may be opened and removed now: to open a rotated
 * log, and at the end. Nothing happens where that was not kept. */
void privileges_for_files(bool on);

#endif
