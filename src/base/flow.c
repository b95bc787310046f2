/* SPDX-License-Identifier: ISC */
#include "base/flow.h"

#include <stddef.h>
#include <string.h>

#include "base/util.h"

/* What an offloaded flow is taken to have left: the kernel gives TCP a day
 * (nf_flow_table_core.c), others their ordinary time
 * (nf_conntrack_proto_udp.c).
 */
enum { OFFLOADED_TCP_S = 86400, OFFLOADED_OTHER_S = 120 };

/* A field, or several neighbours, that belong to one presence bit. */
struct merge_row {
	uint64_t bit;
	uint16_t offset;
	uint16_t size;
};

#define AT(field) \
	offsetof(struct flow, field), sizeof(((struct flow *)0)->field)
/* All that may change in the life of a flow: not the key. */
static const struct merge_row merge_rows[] = {
	{ FLOW_STATUS, AT(status) },
	{ FLOW_TIMEOUT, AT(timeout_s) },
	{ FLOW_MARK, AT(mark) },
	{ FLOW_TCP_STATE, AT(tcp_state) },
	{ FLOW_TCP_WSCALE_ORIG, AT(tcp_wscale_orig) },
	{ FLOW_TCP_WSCALE_REPLY, AT(tcp_wscale_reply) },
	{ FLOW_TCP_FLAGS_ORIG, AT(tcp_flags_orig) },
	{ FLOW_TCP_FLAGS_REPLY, AT(tcp_flags_reply) },
	{ FLOW_SCTP_STATE, AT(sctp_state) },
	{ FLOW_SCTP_VTAG_ORIG, AT(sctp_vtag_orig) },
	{ FLOW_SCTP_VTAG_REPLY, AT(sctp_vtag_reply) },
	{ FLOW_DCCP_STATE, AT(dccp_state) },
	{ FLOW_DCCP_ROLE, AT(dccp_role) },
	{ FLOW_DCCP_SEQ, AT(dccp_seq) },
	{ FLOW_MASTER, AT(master.src) },
	{ FLOW_MASTER, AT(master.dst) },
	{ FLOW_MASTER, AT(master.l4proto) },
	{ FLOW_MASTER_PORTS, AT(master.sport) },
	{ FLOW_MASTER_PORTS, AT(master.dport) },
	{ FLOW_HELPER, AT(helper) },
	{ FLOW_LABELS, AT(labels) },
	{ FLOW_SEQADJ_ORIG, AT(seqadj_orig) },
	{ FLOW_SEQADJ_REPLY, AT(seqadj_reply) },
	{ FLOW_SYNPROXY, AT(synproxy) },
	{ FLOW_SECMARK, AT(secmark) },
	{ FLOW_SECCTX, AT(secctx) },
	{ FLOW_ID, AT(id) },
	{ FLOW_USE, AT(use) },
	{ FLOW_ZONE_REPLY, AT(zone_reply) },
	{ FLOW_COUNTERS_ORIG, AT(counters_orig) },
	{ FLOW_COUNTERS_REPLY, AT(counters_reply) },
	{ FLOW_TIMESTAMP_START, AT(start_ns) },
	{ FLOW_TIMESTAMP_STOP, AT(stop_ns) },
};
#undef AT

/* ICMP messages that answer one another. */
static const struct {
	uint8_t l4proto, type, answer;
} icmp_rows[] = {
	{ L4_ICMP, 8, 0 },       /* echo */
	{ L4_ICMP, 13, 14 },     /* timestamp */
	{ L4_ICMP, 15, 16 },     /* information */
	{ L4_ICMP, 17, 18 },     /* address mask */
	{ L4_ICMPV6, 128, 129 }, /* echo */
	{ L4_ICMPV6, 139, 140 }, /* node information */
};

/* has: which parts both tuples have. */
static bool same_tuple(uint64_t has, const struct tuple *s,
		       const struct tuple *t)
{
	if (!addr_equal(&s->src, &t->src) || !addr_equal(&s->dst, &t->dst))
		return false;
	if ((has & (FLOW_PORTS | FLOW_GRE_KEYS)) &&
	    (s->sport != t->sport || s->dport != t->dport))
		return false;
	return !(has & FLOW_ICMP) ||
	       (s->icmp_id == t->icmp_id && s->icmp_type == t->icmp_type &&
		s->icmp_code == t->icmp_code);
}

bool flow_same_key(const struct flow *a, const struct flow *b)
{
	const uint64_t parts =
		FLOW_PORTS | FLOW_GRE_KEYS | FLOW_ICMP | FLOW_ZONE_ORIG;

	return a->family == b->family && a->l4proto == b->l4proto &&
	       a->zone == b->zone && (a->has & parts) == (b->has & parts) &&
	       (!(a->has & FLOW_ZONE_ORIG) || a->zone_orig == b->zone_orig) &&
	       same_tuple(a->has, &a->orig, &b->orig);
}

bool flow_same_reply(const struct flow *a, const struct flow *b)
{
	return !(a->has & b->has & FLOW_REPLY) ||
	       same_tuple(a->has, &a->reply, &b->reply);
}

bool flow_same_id(const struct flow *a, const struct flow *b)
{
	return !(a->has & b->has & FLOW_ID) || a->id == b->id;
}

static uint8_t icmp_answer(uint8_t l4proto, uint8_t type)
{
	for (size_t i = 0; i < N_ELEMENTS(icmp_rows); i++) {
		if (icmp_rows[i].l4proto != l4proto)
			continue;
		if (icmp_rows[i].type == type)
			return icmp_rows[i].answer;
		if (icmp_rows[i].answer == type)
			return icmp_rows[i].type;
	}
	return type;
}

struct tuple flow_inverse(const struct flow *f)
{
	struct tuple t = { .src = f->orig.dst, .dst = f->orig.src };

	if (f->has & (FLOW_PORTS | FLOW_GRE_KEYS)) {
		t.sport = f->orig.dport;
		t.dport = f->orig.sport;
	}
	if (f->has & FLOW_ICMP) {
		t.icmp_id = f->orig.icmp_id;
		t.icmp_type = icmp_answer(f->l4proto, f->orig.icmp_type);
		t.icmp_code = f->orig.icmp_code;
	}
	return t;
}

struct tuple flow_reply(const struct flow *f)
{
	return f->has & FLOW_REPLY ? f->reply : flow_inverse(f);
}

void flow_merge(struct flow *to, const struct flow *from)
{
	uint64_t taken = 0;

	for (size_t i = 0; i < N_ELEMENTS(merge_rows); i++) {
		const struct merge_row *row = &merge_rows[i];

		if (!(from->has & row->bit))
			continue;
		memcpy((char *)to + row->offset,
		       (const char *)from + row->offset, row->size);
		taken |= row->bit;
	}
	if (from->has & FLOW_REPLY && !(to->has & FLOW_REPLY)) {
		to->reply = from->reply;
		taken |= FLOW_REPLY;
	}
	to->has |= taken;
}

bool flow_is_offloaded(const struct flow *f)
{
	return f->has & FLOW_STATUS &&
	       f->status & (STATUS_OFFLOAD | STATUS_HW_OFFLOAD);
}

void flow_complete_offloaded(struct flow *f)
{
	if (!flow_is_offloaded(f))
		return;
	if (!(f->has & FLOW_TIMEOUT))
		f->timeout_s = f->l4proto == L4_TCP ? OFFLOADED_TCP_S
						    : OFFLOADED_OTHER_S;
	f->has |= FLOW_TIMEOUT;
	/* nothing else is ever offloaded (nft_flow_offload) */
	if (f->l4proto == L4_TCP && !(f->has & FLOW_TCP_STATE)) {
		f->tcp_state = TCP_STATE_ESTABLISHED;
		f->has |= FLOW_TCP_STATE;
	}
}

bool flow_is_related(const struct flow *f)
{
	return f->has & FLOW_MASTER;
}

struct flow flow_master(const struct flow *f)
{
	struct flow m = { .family = f->family,
			  .l4proto = f->master.l4proto,
			  .zone = f->zone,
			  .zone_orig = f->zone_orig,
			  .has = f->has & FLOW_ZONE_ORIG,
			  .orig = { .src = f->master.src,
				    .dst = f->master.dst,
				    .sport = f->master.sport,
				    .dport = f->master.dport } };

	if (f->has & FLOW_MASTER_PORTS)
		m.has |= FLOW_PORTS;
	return m;
}

unsigned int flow_nat(const struct flow *f)
{
	const struct tuple *o = &f->orig, *r = &f->reply;
	bool has_ports = f->has & FLOW_PORTS && f->l4proto != L4_ICMP &&
			 f->l4proto != L4_ICMPV6;
	uint32_t allowed = f->has & FLOW_STATUS ? f->status : UINT32_MAX;
	unsigned int nat = 0;

	if (!(f->has & FLOW_REPLY))
		return 0;
	if (allowed & STATUS_SRC_NAT_DONE) {
		if (!addr_equal(&r->dst, &o->src))
			nat |= NAT_SRC_ADDR;
		if (has_ports && r->dport != o->sport)
			nat |= NAT_SRC_PORT;
	}
	if (allowed & STATUS_DST_NAT_DONE) {
		if (!addr_equal(&r->src, &o->dst))
			nat |= NAT_DST_ADDR;
		if (has_ports && r->sport != o->dport)
			nat |= NAT_DST_PORT;
	}
	return nat;
}
