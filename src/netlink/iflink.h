/* SPDX-License-Identifier: ISC */
/* iflink.h - what the kernel says about a network interface, decoded. */
#ifndef NETLINK_IFLINK_H
#define NETLINK_IFLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"
#include "netlink/nlmsg.h"

enum { IFLINK_NAME_SIZE = 16 }; /* with the zero byte: IFNAMSIZ */

struct iflink {
	char name[IFLINK_NAME_SIZE];
	uint32_t index;
	uint32_t mtu;
	bool is_gone; /* the interface is no more; what follows is its last */
	bool is_up;   /* as the administrator wants it */
	bool is_running; /* up, and has a carrier */
};

/* Reads a message about an interface. False, and *out is worthless, if it is
 * about something else (a port of a bridge, say) or malformed. */
NODISCARD bool iflink_decode(const struct nlmsg *msg, struct iflink *out);

/* Whether the interface of a message that was decoded goes by this name: its
 * own, or one of its alternative ones (ip-link(8), property). */
bool iflink_has_name(const struct nlmsg *msg, const char *name);

/* Appends the request for a dump of all interfaces. */
void iflink_encode_dump(uint32_t seq, struct wr *w);

#endif
