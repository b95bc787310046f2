/* SPDX-License-Identifier: ISC */
/* wire_rows.h - the attributes of conntrack messages as a table: what each
 * holds, which presence bits it stands for, when and in which order it is
 * sent (PROTOCOL.md 2.2, 2.3). */
#ifndef SYNC_WIRE_ROWS_H
#define SYNC_WIRE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flow.h"
#include "sync/wire_attr.h"
#include "sync/wire_flow.h"

/* Attribute numbers. There are no others and never will be: a reference node
 * refuses a message with one that it does not know. */
enum nta {
	NTA_IPV4,
	NTA_IPV6,
	NTA_L4PROTO,
	NTA_PORT,
	NTA_TCP_STATE,
	NTA_STATUS,
	NTA_TIMEOUT,
	NTA_MARK,
	NTA_MASTER_IPV4,
	NTA_MASTER_IPV6,
	NTA_MASTER_L4PROTO,
	NTA_MASTER_PORT,
	NTA_SNAT_IPV4,
	NTA_DNAT_IPV4,
	NTA_SPAT_PORT,
	NTA_DPAT_PORT,
	NTA_NAT_SEQ_ADJ,
	NTA_SCTP_STATE,
	NTA_SCTP_VTAG_ORIG,
	NTA_SCTP_VTAG_REPL,
	NTA_DCCP_STATE,
	NTA_DCCP_ROLE,
	NTA_ICMP_TYPE,
	NTA_ICMP_CODE,
	NTA_ICMP_ID,
	NTA_TCP_WSCALE_ORIG,
	NTA_TCP_WSCALE_REPL,
	NTA_HELPER_NAME,
	NTA_LABELS,
	NTA_SNAT_IPV6,
	NTA_DNAT_IPV6,
	NTA_SYNPROXY,
	NTA_ZONE,
	NTA_N
};

/* Traits of a layer-4 protocol that decide which attributes its flows have. */
enum wire_trait {
	TRAIT_PORTS = 0x01, /* ports, or the keys of GRE in their place */
	TRAIT_TCP = 0x02,
	TRAIT_SCTP = 0x04,
	TRAIT_DCCP = 0x08,
	TRAIT_ICMP = 0x10,
};

unsigned int wire_traits(uint8_t l4proto);

enum wire_got { GOT_FIELD, GOT_NOTHING, GOT_BAD };

struct wire_row {
	/* Bits that the flow has once every row with this bit was received;
	 * none of them is missing in a flow that this row is sent for. */
	uint64_t has;
	uint64_t needs; /* further bits without which it is not sent */
	uint8_t family; /* of its addresses, which is the flow's; 0: none */
	uint8_t trait;  /* that the protocol must have; 0: none */
	uint8_t nat;    /* enum flow_nat that must be found for it to be sent */
	struct wire_member members[WIRE_MEMBERS_MAX];
	/* What is no plain list of members. NULL: the list reads, writes. */
	enum wire_got (*get)(struct rd body, const struct wire_flow_opts *opts,
			     struct flow *out, struct wire_flow_stats *stats);
	void (*put)(struct wr *w, const struct wire_flow_opts *opts,
		    const struct flow *f);
};

/* Indexed by attribute number. */
extern const struct wire_row wire_rows[NTA_N];

/* Attribute numbers in the order of sending. */
extern const uint8_t wire_order[NTA_N];

#endif
