/* SPDX-License-Identifier: ISC */
/* exp_rows.h - the attributes of an expectation message of Linux as a table,
 * which ct_attrs walks in both directions. Nobody but exp_codec and the tests
 * needs it. */
#ifndef NETLINK_EXP_ROWS_H
#define NETLINK_EXP_ROWS_H

#include "netlink/ct_rows.h"

/* Presence bits: number n is bit 1 << n of enum expect_bit. */
enum exp_bit_number {
	EXP_N_TIMEOUT,
	EXP_N_FLAGS,
	EXP_N_CLASS,
	EXP_N_NAT,
	EXP_N_HELPER,
	EXP_N_FUNCTION,
	EXP_N_ID,
	EXP_N_ZONE, /* this one and the next are none of struct expect */
	EXP_N_NONE
};

/* What a message holds in another shape than struct expect. */
struct exp_nat {
	uint64_t has; /* EXP_N_NAT */
	uint32_t dir;
};

struct exp_side {
	struct ct_tuple master, expected, mask, nat_tuple;
	struct exp_nat nat;
};

/* The top of the tree; its base is struct expect. */
extern const struct ct_table exp_message_table;

#endif
