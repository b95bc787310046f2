/* SPDX-License-Identifier: ISC */
/* privileges.h - what the daemon keeps of root's rights once it has started. */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include "conf/conf.h"

/* Drops every capability that is not needed any more and forbids new ones. The
 * ports of conf decide on NET_BIND_SERVICE, its paths on DAC_OVERRIDE, which is
 * kept but has no effect yet. 0 or a negative errno value; without capabilities
 * to drop: 0. */
int privileges_drop(const struct conf *conf, const char *lock_path);

/* Whether files of other users may be opened and removed now: to open a rotated
 * log, and at the end. Nothing happens where that was not kept. */
void privileges_for_files(bool on);

#endif
