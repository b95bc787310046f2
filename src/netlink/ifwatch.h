/* SPDX-License-Identifier: ISC */
/* ifwatch.h - tells when named network interfaces appear, go up or down, lose
 * their carrier, change their MTU, or disappear. A name may be an alternative
 * one; one that is renamed disappears. */
#ifndef NETLINK_IFWATCH_H
#define NETLINK_IFWATCH_H

#include <stdint.h>

#include "base/loop.h"
#include "base/util.h"

struct ifwatch;

enum ifwatch_status {
	IFWATCH_GONE, /* no interface has this name */
	IFWATCH_DOWN,
	IFWATCH_NO_CARRIER,
	IFWATCH_RUNNING,
};

/* name is the one that was added. index and mtu are 0 if it is gone. A new
 * index says that the interface was deleted and made again. */
typedef void ifwatch_fn(void *ctx, const char *name, uint32_t index,
			enum ifwatch_status status, uint32_t mtu);

/* Opens the socket; fn is called from the loop. 0 or a negative errno value. */
NODISCARD int ifwatch_open(struct loop *loop, ifwatch_fn *fn, void *ctx,
			   struct ifwatch **out);
void ifwatch_close(struct ifwatch *w); /* accepts NULL; not from fn */

/* Watches one more interface, which need not exist. fn hears of its state soon,
 * in any case, and then of each change. A name that is watched already does no
 * harm. 0, -ENAMETOOLONG or -ENOMEM. */
NODISCARD int ifwatch_add(struct ifwatch *w, const char *name);

#endif
