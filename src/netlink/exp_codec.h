/* SPDX-License-Identifier: ISC */
/* exp_codec.h - expectation messages of Linux to and from struct expect. */
#ifndef NETLINK_EXP_CODEC_H
#define NETLINK_EXP_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/expect.h"
#include "base/kernel_ops.h"
#include "base/util.h"
#include "netlink/ct_codec.h"

struct nlmsg;

/* True for messages of the subsystem of expectations; *type is then the type
 * within it (IPCTNL_MSG_EXP_*). */
bool exp_is_expect(const struct nlmsg *msg, uint8_t *type);

/* Reads the body of a message (what follows the netlink header). Linux does not
 * tell the zone: it is 0, whatever that of the master is. Attributes
 * that are unknown or longer than expected do no harm. On false (cut short, or
 * without the tuples of the key) *out is worthless. */
NODISCARD bool exp_decode(const struct ct_codec *c, struct rd body,
			  struct expect *out);

/* Appends the request for one operation. Linux finds what is there by zone and
 * expected tuple; DELETE and GET name the id too, if it is known, and mean this
 * life only. UPDATE changes nothing but the timeout, which a new one has of its
 * helper's policy. False, and nothing written, without a key (a DELETE would
 * empty the table). Look at w->full. */
NODISCARD bool exp_encode(const struct ct_codec *c, enum kernel_op op,
			  const struct expect *e, uint32_t seq, struct wr *w);

/* Appends e as the kernel would report it. False, and nothing written, if e
 * has no key. */
NODISCARD bool exp_encode_report(const struct ct_codec *c,
				 const struct expect *e, uint32_t seq,
				 struct wr *w);

/* Appends the request for a dump of the whole table. */
void exp_encode_dump(uint32_t seq, struct wr *w);

#endif
