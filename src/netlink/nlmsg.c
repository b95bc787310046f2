/* SPDX-License-Identifier: ISC */
#include "netlink/nlmsg.h"

#include <linux/netlink.h>

enum { FLAGS_OFFSET = 6 };

_Static_assert(NLMSG_ALIGNTO == NLMSG_ALIGN_TO && NLA_ALIGNTO == NLMSG_ALIGN_TO,
	       "messages and attributes are padded alike");
_Static_assert(offsetof(struct nlmsghdr, nlmsg_flags) == FLAGS_OFFSET &&
		       NLMSG_HDRLEN == 16 && NLA_HDRLEN == NLMSG_ATTR_HDR &&
		       (uint16_t)NLA_TYPE_MASK == NLMSG_TYPE_MASK,
	       "headers are read and written field by field");

static size_t padding_of(size_t len)
{
	return -len & (NLMSG_ALIGN_TO - 1);
}

enum nlmsg_step nlmsg_next(struct rd *datagram, struct nlmsg *out)
{
	struct nlmsg msg;
	uint32_t len; /* with the header, without padding */

	if (!datagram->left)
		return NLMSG_STEP_END;
	if (!rd_u32(datagram, &len) || !rd_u16(datagram, &msg.type) ||
	    !rd_u16(datagram, &msg.flags) || !rd_u32(datagram, &msg.seq) ||
	    !rd_u32(datagram, &msg.port) || len < NLMSG_HDRLEN ||
	    !rd_take(datagram, len - NLMSG_HDRLEN, &msg.body))
		return NLMSG_STEP_MALFORMED;
	if (!rd_skip(datagram, padding_of(len))) /* the last may lack it */
		datagram->left = 0;
	*out = msg;
	return NLMSG_STEP_ITEM;
}

bool nlmsg_error(const struct nlmsg *msg, int *error)
{
	struct rd body = msg->body;
	uint32_t value = 0;

	if (!(msg->type == NLMSG_DONE && !body.left) && !rd_u32(&body, &value))
		return false;
	*error = (int)value;
	return true;
}

/* Overwrites bytes that were written before. */
static void patch(struct wr *w, size_t offset, const void *bytes, size_t n)
{
	if (!w->full)
		memcpy(w->buf + offset, bytes, n);
}

size_t nlmsg_begin(struct wr *w, uint16_t type, uint16_t flags, uint32_t seq)
{
	size_t msg = w->used;

	wr_u32(w, 0); /* the length: nlmsg_end() */
	wr_u16(w, type);
	wr_u16(w, flags);
	wr_u32(w, seq);
	wr_u32(w, 0); /* the port: the kernel knows ours */
	return msg;
}

void nlmsg_end(struct wr *w, size_t msg)
{
	uint32_t len = (uint32_t)(w->used - msg);

	patch(w, msg, &len, sizeof(len));
}

void nlmsg_add_flags(struct wr *w, size_t msg, uint16_t flags)
{
	uint16_t old;

	if (w->full)
		return;
	memcpy(&old, w->buf + msg + FLAGS_OFFSET, sizeof(old));
	flags |= old;
	patch(w, msg + FLAGS_OFFSET, &flags, sizeof(flags));
}

void nlmsg_put(struct wr *w, uint16_t type, const void *bytes, size_t n)
{
	wr_u16(w, (uint16_t)(NLA_HDRLEN + n));
	wr_u16(w, type);
	wr_bytes(w, bytes, n);
	wr_zeros(w, padding_of(n));
}

size_t nlmsg_nest_begin(struct wr *w, uint16_t type)
{
	size_t nest = w->used;

	wr_u16(w, 0); /* the length: nlmsg_nest_end() */
	wr_u16(w, type | NLA_F_NESTED);
	return nest;
}

void nlmsg_nest_end(struct wr *w, size_t nest)
{
	uint16_t len = (uint16_t)(w->used - nest);

	patch(w, nest, &len, sizeof(len));
}

void nlmsg_nest_end_or_drop(struct wr *w, size_t nest)
{
	if (w->used == nest + NLA_HDRLEN)
		w->used = nest;
	else
		nlmsg_nest_end(w, nest);
}
