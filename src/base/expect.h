/* SPDX-License-Identifier: ISC */
/* expect.h - a decoded expectation: a connection that a helper has announced,
 * as a plain value of fixed size. */
#ifndef BASE_EXPECT_H
#define BASE_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/flow.h"

/* Presence bits of struct expect. A field without its bit is never read. What
 * has no bit is always known: it is the key (family, zone, protocols, and the
 * tuples of master, expected connection and mask); zone 0 stands for none. */
enum expect_bit {
	EXPECT_TIMEOUT = 1 << 0,
	EXPECT_FLAGS = 1 << 1,
	EXPECT_CLASS = 1 << 2,
	EXPECT_NAT = 1 << 3, /* nat, nat_l4proto and nat_dir */
	EXPECT_HELPER = 1 << 4,
	EXPECT_FUNCTION = 1 << 5,
	EXPECT_ID = 1 << 6,
};

/* Flags of Linux (NF_CT_EXPECT_*); netlink/ proves it. */
enum expect_flag {
	EXPECT_FLAG_PERMANENT = 1,
	EXPECT_FLAG_INACTIVE = 2,
	EXPECT_FLAG_USERSPACE = 4,
};

struct expect {
	uint32_t has; /* EXPECT_* bits */

	/* the key */
	uint8_t family; /* enum family, of all tuples */
	uint8_t master_l4proto;
	uint8_t l4proto;       /* of what is expected */
	uint16_t zone;         /* the master's; 0 is none */
	struct tuple master;   /* its original direction */
	struct tuple expected; /* ports: 0 where the mask lets any pass */
	struct tuple mask;     /* the bits of expected that count */

	uint32_t timeout_s;
	uint32_t flags; /* enum expect_flag */
	uint32_t class; /* which of the helper's policies */

	/* What the kernel puts in place of the expected connection's addresses
	 * and ports; in Linux only the source is in use. */
	struct tuple nat;
	uint8_t nat_l4proto;
	uint8_t nat_dir; /* 0: of the original direction, 1: of the reply */

	uint16_t helper;   /* id in the daemon's table of helpers */
	uint16_t function; /* id in the daemon's table of functions: what the
			    * kernel runs on the expected connection */
	uint32_t id;       /* the kernel's identity of it */
};

/* True if the keys are equal in full. */
bool expect_same_key(const struct expect *a, const struct expect *b);

/* The flow that has announced it, as far as it is known: a key to find it by.
 */
struct flow expect_master(const struct expect *e);

#endif
