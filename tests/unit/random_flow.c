/* SPDX-License-Identifier: ISC */
#include "random_flow.h"

#include <stddef.h>
#include <string.h>

struct field {
	uint64_t bit;
	size_t offset, size;
};

#define AT(field) \
	offsetof(struct flow, field), sizeof(((struct flow *)0)->field)
static const struct field fields[] = {
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
	{ FLOW_ZONE_ORIG, AT(zone_orig) },
	{ FLOW_ZONE_REPLY, AT(zone_reply) },
	{ FLOW_COUNTERS_ORIG, AT(counters_orig) },
	{ FLOW_COUNTERS_REPLY, AT(counters_reply) },
	{ FLOW_TIMESTAMP_START, AT(start_ns) },
	{ FLOW_TIMESTAMP_STOP, AT(stop_ns) },
};
#undef AT

uint64_t random_next(uint64_t *seed)
{
	uint64_t x = *seed;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*seed = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

static void fill(void *to, size_t n, uint64_t *seed)
{
	for (size_t i = 0; i < n; i++)
		((uint8_t *)to)[i] = (uint8_t)(random_next(seed) >> 32);
}

static void fill_tuple(struct tuple *t, const struct flow *f, uint64_t *seed)
{
	size_t n_addr = f->family == FAMILY_IPV4 ? 4 : 16;

	if (random_next(seed) >> 63)
		fill(&t->src, n_addr, seed);
	if (random_next(seed) >> 63)
		fill(&t->dst, n_addr, seed);
	if (f->has & (FLOW_PORTS | FLOW_GRE_KEYS)) {
		if (random_next(seed) >> 63)
			fill(&t->sport, sizeof(t->sport), seed);
		if (random_next(seed) >> 63)
			fill(&t->dport, sizeof(t->dport), seed);
	}
	if (f->has & FLOW_ICMP && random_next(seed) >> 63) {
		fill(&t->icmp_id, sizeof(t->icmp_id), seed);
		fill(&t->icmp_type, sizeof(t->icmp_type), seed);
		fill(&t->icmp_code, sizeof(t->icmp_code), seed);
	}
}

void random_flow(struct flow *f, uint64_t *seed, enum family family,
		 uint64_t has)
{
	size_t n_addr = family == FAMILY_IPV4 ? 4 : 16;

	memset(f, 0, sizeof(*f));
	f->family = (uint8_t)family;
	f->l4proto = (uint8_t)(random_next(seed) >> 32);
	f->has = has;
	if (random_next(seed) >> 63)
		fill(&f->zone, sizeof(f->zone), seed);
	fill_tuple(&f->orig, f, seed);
	if (has & FLOW_REPLY) {
		f->reply = flow_inverse(f);
		fill_tuple(&f->reply, f, seed);
	}
	if (has & FLOW_MASTER) {
		fill(&f->master.src, n_addr, seed);
		fill(&f->master.dst, n_addr, seed);
	}
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (has & fields[i].bit)
			fill((char *)f + fields[i].offset, fields[i].size,
			     seed);
}
