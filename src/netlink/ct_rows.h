/* SPDX-License-Identifier: ISC */
/* ct_rows.h - the attributes of a conntrack message of Linux as tables, which
 * ct_attrs walks in both directions. Nobody but the codecs and the tests needs
 * them. */
#ifndef NETLINK_CT_ROWS_H
#define NETLINK_CT_ROWS_H

#include <stdint.h>

#include "base/flow.h"

enum ct_kind {
	CT_SKIP, /* no row: the attribute is unknown or unwanted */
	CT_U8,
	CT_BE16,
	CT_BE32,
	CT_BE64,
	CT_ADDR4,    /* first 4 bytes of a struct addr */
	CT_ADDR16,   /* a struct addr */
	CT_FLAGS,    /* flags and the mask of those that count; read: flags */
	CT_LABELS,   /* 16 bytes: 4 words in the order of this machine */
	CT_HELPER,   /* text, kept as its id in the table of helpers */
	CT_CONTEXT,  /* text, kept as its id in the table of contexts */
	CT_FUNCTION, /* text, kept as its id in the table of functions */
	CT_NEST,     /* attributes; base moves by offset */
	CT_SIDE,     /* attributes; base is the codec's own struct (struct
		      * ct_side, exp_side) plus offset */
};

/* In which messages a row is read or written. */
enum ct_ops {
	CT_IN = 0x01,     /* read from the kernel */
	CT_REPORT = 0x02, /* written as the kernel reports an entry */
	CT_CREATE = 0x04,
	CT_UPDATE = 0x08,
	CT_DELETE = 0x10,
	CT_GET = 0x20,
	CT_ANY = 0xff,
};

/* Presence bits besides those of struct flow. */
enum ct_bit_number {
	CT_N_ALL = FLOW_N_LAST, /* nest whose row has a bit: all members */
	CT_N_ZONE,
	CT_N_IPV4,
	CT_N_IPV6,
	CT_N_L4PROTO,
	CT_N_PORTS,
	CT_N_ICMP,
	CT_N_ICMPV6,
	CT_N_NONE /* the members of a nest have bits of their own */
};
_Static_assert(CT_N_NONE < 64, "presence bits fit a 64-bit mask");

struct ct_row {
	uint8_t kind; /* enum ct_kind */
	uint8_t bit;
	uint8_t ops;     /* enum ct_ops */
	uint8_t size;    /* bytes of the field */
	uint16_t offset; /* of the field, from the base of the table */
	/* Rows of one table that share a bit: bit t is type t. The presence
	 * bit is set once all of them were seen. 0: this row alone. */
	uint16_t group;
	const struct ct_table *nest; /* CT_NEST and CT_SIDE */
};

/* Rows are indexed by attribute type, so no two can share one. */
struct ct_table {
	const struct ct_row *rows;
	uint8_t n_rows;
};

/* What a message holds in another shape than struct flow. has comes first: it
 * has the presence bits of the nest. */
struct ct_tuple {
	uint64_t has;
	struct tuple t;
	uint16_t zone;
	uint8_t l4proto;
};

/* A translation: address and port (or ICMP id, or GRE key) to choose. */
struct ct_nat {
	uint64_t has;
	struct addr addr;
	uint16_t port;
};

struct ct_side {
	struct ct_tuple orig, reply, master;
	struct ct_nat nat_src, nat_dst;
};

/* A tuple; its base is struct ct_tuple. */
extern const struct ct_table ct_tuple_table;

/* The top of the tree; its base is struct flow. */
extern const struct ct_table ct_message_table;

#endif
