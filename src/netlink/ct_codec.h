/* SPDX-License-Identifier: ISC */
/* ct_codec.h - conntrack messages of Linux to and from struct flow. */
#ifndef NETLINK_CT_CODEC_H
#define NETLINK_CT_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/flow.h"
#include "base/kernel_ops.h"
#include "base/names.h"
#include "base/util.h"

struct nlmsg;

struct ct_codec {
	struct names *helpers;   /* may be NULL: helpers are left out */
	struct names *contexts;  /* may be NULL: security contexts likewise */
	struct names *functions; /* of expectations; may be NULL likewise */
	/* Off: TCP entries are created and updated so that the kernel does not
	 * check their windows (be liberal). */
	bool tcp_window_tracking;
};

/* True for messages of the conntrack subsystem; *type is then the type within
 * it (IPCTNL_MSG_CT_*). */
bool ct_is_conntrack(const struct nlmsg *msg, uint8_t *type);

/* Reads the body of a message (what follows the netlink header). Attributes
 * that are unknown or longer than expected do no harm. On false (cut short, or
 * without a key) *out is worthless. */
NODISCARD bool ct_decode(const struct ct_codec *c, struct rd body,
			 struct flow *out);

/* Appends the request for one operation. A new entry gets the untranslated
 * reply tuple and the translation beside it, as flow_nat() sees it. A status
 * that is written has CONFIRMED and none of the bits that the kernel refuses;
 * the kernel refuses an update (EBUSY) whose status lacks EXPECTED, SEEN_REPLY
 * or ASSURED where the entry has it, or has EXPECTED where it has not.
 * False, and nothing written, if f has no key (without one a DELETE would
 * empty the table). Look at w->full. */
NODISCARD bool ct_encode(const struct ct_codec *c, enum kernel_op op,
			 const struct flow *f, uint32_t seq, struct wr *w);

/* Appends f as the kernel would report it, reply tuple, status and all. */
NODISCARD bool ct_encode_report(const struct ct_codec *c, const struct flow *f,
				uint32_t seq, struct wr *w);

/* Appends the request for a dump of the whole table. */
void ct_encode_dump(uint32_t seq, struct wr *w);

#endif
