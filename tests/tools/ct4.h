/* SPDX-License-Identifier: ISC */
/* ct4.h - attributes of the IPv4 flows that load is made of. */
#ifndef TOOLS_CT4_H
#define TOOLS_CT4_H

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>

#include "ctmsg.h"

static inline void put_u8(struct nlmsghdr *h, uint16_t type, uint8_t v)
{
	put(h, type, &v, sizeof(v));
}

static inline void put_be16(struct nlmsghdr *h, uint16_t type, unsigned v)
{
	uint16_t be = htons((uint16_t)v);

	put(h, type, &be, sizeof(be));
}

static inline void put_be32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	uint32_t be = htonl(v);

	put(h, type, &be, sizeof(be));
}

/* One direction of an IPv4 flow, in host order. */
struct half {
	uint32_t src, dst;
	unsigned sport, dport;
};

static inline void put_tuple(struct nlmsghdr *h, uint16_t type, uint8_t proto,
			     const struct half *t)
{
	uint32_t tuple = nest(h, type);
	uint32_t part = nest(h, CTA_TUPLE_IP);

	put_be32(h, CTA_IP_V4_SRC, t->src);
	put_be32(h, CTA_IP_V4_DST, t->dst);
	nest_end(h, part);
	part = nest(h, CTA_TUPLE_PROTO);
	put_u8(h, CTA_PROTO_NUM, proto);
	put_be16(h, CTA_PROTO_SRC_PORT, t->sport);
	put_be16(h, CTA_PROTO_DST_PORT, t->dport);
	nest_end(h, part);
	nest_end(h, tuple);
}

/* Source NAT to this address and port. */
static inline void put_snat(struct nlmsghdr *h, uint32_t addr, unsigned port)
{
	uint32_t nat = nest(h, CTA_NAT_SRC);
	uint32_t ports;

	put_be32(h, CTA_NAT_V4_MINIP, addr);
	ports = nest(h, CTA_NAT_PROTO);
	put_be16(h, CTA_PROTONAT_PORT_MIN, port);
	put_be16(h, CTA_PROTONAT_PORT_MAX, port);
	nest_end(h, ports);
	nest_end(h, nat);
}

/* Of a connection whose sequence numbers nobody checks. */
static inline void put_tcp_state(struct nlmsghdr *h, uint8_t state)
{
	static const struct nf_ct_tcp_flags liberal = {
		.flags = IP_CT_TCP_FLAG_BE_LIBERAL,
		.mask = IP_CT_TCP_FLAG_BE_LIBERAL,
	};
	uint32_t info = nest(h, CTA_PROTOINFO);
	uint32_t tcp = nest(h, CTA_PROTOINFO_TCP);

	put_u8(h, CTA_PROTOINFO_TCP_STATE, state);
	put(h, CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, &liberal, sizeof(liberal));
	put(h, CTA_PROTOINFO_TCP_FLAGS_REPLY, &liberal, sizeof(liberal));
	nest_end(h, tcp);
	nest_end(h, info);
}

#endif
