/* SPDX-License-Identifier: ISC */
/* daemon.h - the daemon as a whole. */
#ifndef DAEMON_H
#define DAEMON_H

#include <stdbool.h>

#include "conf/conf.h"

/* Runs the daemon until it is told to end: logs, locks, sockets, everything.
 * is_background: in a child; the first process ends when the daemon serves.
 * Returns the exit status of the process. */
int daemon_main(const struct conf *conf, bool is_background);

#endif
