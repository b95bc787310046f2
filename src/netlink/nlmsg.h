/* SPDX-License-Identifier: ISC */
/* nlmsg.h - netlink messages and attributes: walked and built in memory that
 * the caller owns. Headers are in the byte order of this machine. */
#ifndef NETLINK_NLMSG_H
#define NETLINK_NLMSG_H

#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"

struct nlmsg {
	uint16_t type;
	uint16_t flags;
	uint32_t seq;
	uint32_t port;  /* netlink port of who caused it; 0: the kernel */
	struct rd body; /* what follows the header; borrowed */
};

struct nlmsg_attr {
	uint16_t type;  /* without the flag bits */
	struct rd body; /* payload; borrowed */
};

enum nlmsg_step { NLMSG_STEP_ITEM, NLMSG_STEP_END, NLMSG_STEP_MALFORMED };

/* Takes the next message off a datagram. *out is written on ITEM only. */
NODISCARD enum nlmsg_step nlmsg_next(struct rd *datagram, struct nlmsg *out);

enum { NLMSG_ATTR_HDR = 4, NLMSG_ALIGN_TO = 4, NLMSG_TYPE_MASK = 0x3fff };

/* Takes the next attribute off a message or a nest. *out is written on ITEM
 * only. The last one may lack its padding. Inline: an event has some 30. */
NODISCARD static inline enum nlmsg_step nlmsg_attr_next(struct rd *attrs,
							struct nlmsg_attr *out)
{
	uint16_t header[2]; /* length without padding, type and flags */
	struct rd rest = *attrs;
	struct rd body;

	if (!rest.left)
		return NLMSG_STEP_END;
	if (!rd_bytes(&rest, header, sizeof(header)) ||
	    header[0] < NLMSG_ATTR_HDR ||
	    !rd_take(&rest, header[0] - (size_t)NLMSG_ATTR_HDR, &body))
		return NLMSG_STEP_MALFORMED;
	if (!rd_skip(&rest, -header[0] & (NLMSG_ALIGN_TO - 1)))
		rest.left = 0;
	*attrs = rest;
	*out = (struct nlmsg_attr){ header[1] & NLMSG_TYPE_MASK, body };
	return NLMSG_STEP_ITEM;
}

/* The verdict in an NLMSG_ERROR or NLMSG_DONE message: 0 or a negative errno
 * value. A DONE without payload means 0. False if it is cut short. */
NODISCARD bool nlmsg_error(const struct nlmsg *msg, int *error);

/* Starts a message with the port left 0. Returns its offset, which the
 * functions below take. A w without room becomes full and stays so. */
size_t nlmsg_begin(struct wr *w, uint16_t type, uint16_t flags, uint32_t seq);
/* Writes the length of the message that began at this offset. */
void nlmsg_end(struct wr *w, size_t msg);
/* Adds flags to the message that began at this offset. */
void nlmsg_add_flags(struct wr *w, size_t msg, uint16_t flags);

/* Appends one attribute with its padding. */
void nlmsg_put(struct wr *w, uint16_t type, const void *bytes, size_t n);

/* Starts a nest and returns its offset, which nlmsg_nest_end() takes. */
size_t nlmsg_nest_begin(struct wr *w, uint16_t type);
void nlmsg_nest_end(struct wr *w, size_t nest);
/* The same, but a nest that stayed empty is taken back. */
void nlmsg_nest_end_or_drop(struct wr *w, size_t nest);

#endif
