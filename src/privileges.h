/* SPDX-License-Identifier: ISC */
/* privileges.h - what the daemon keeps of root's rights once it has started. */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include "conf/conf.h"

/* Drops every capability that is not needed any more and forbids new ones. The
 * paths of conf decide on DAC_OVERRIDE, its ports on NET_BIND_SERVICE. 0 or a
 * negative errno value; without capabilities to drop: 0. */
int privileges_drop(const struct conf *conf, const char *lock_path);

#endif
