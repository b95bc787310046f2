/* SPDX-License-Identifier: ISC */
#include "sim_kernel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---------------------------------------------------------- */

/* By malloc(): tests that make allocations fail mean those of the daemon. */
static void grow(struct sim_kernel *k, uint32_t number)
{
	uint32_t size = k->size ? k->size : 64;
	struct sim_flow *flows;

	assert(number < SIM_FLOWS_MAX);
	while (size <= number)
		size *= 2;
	flows = malloc(size * sizeof(*flows));
	assert(flows);
	memset(flows, 0, size * sizeof(*flows));
	if (k->size)
		memcpy(flows, k->flows, k->size * sizeof(*flows));
	free(k->flows);
	k->flows = flows;
	k->size = size;
}

static struct sim_flow *flow_at(struct sim_kernel *k, uint32_t number)
{
	if (number >= k->size)
		grow(k, number);
	return &k->flows[number];
}

void sim_kernel_fini(struct sim_kernel *k)
{
	free(k->flows);
	*k = (struct sim_kernel){ 0 };
}

void sim_kernel_begin(struct sim_kernel *k, uint32_t number, int64_t now_ms)
{
	struct sim_flow *f = flow_at(k, number);

	k->n_alive += !f->is_alive;
	*f = (struct sim_flow){ .life = (uint16_t)(f->life + 1),
				.changed_ms = (uint32_t)now_ms,
				.is_alive = true };
}

void sim_kernel_update(struct sim_kernel *k, uint32_t number, uint32_t mark,
		       int64_t now_ms)
{
	struct sim_flow *f = flow_at(k, number);

	if (!f->is_alive)
		sim_kernel_begin(k, number, now_ms);
	f->is_updated = true;
	f->mark = mark;
	f->changed_ms = (uint32_t)now_ms;
}

void sim_kernel_end(struct sim_kernel *k, uint32_t number, int64_t now_ms)
{
	struct sim_flow *f = flow_at(k, number);

	k->n_alive -= f->is_alive;
	f->is_alive = false;
	f->changed_ms = (uint32_t)now_ms;
}

void sim_kernel_clear(struct sim_kernel *k, int64_t now_ms)
{
	for (uint32_t i = 0; i < k->size; i++)
		if (k->flows[i].is_alive)
			sim_kernel_end(k, i, now_ms);
}

const struct sim_flow *sim_kernel_flow(const struct sim_kernel *k,
				       uint32_t number)
{
	return number < k->size && k->flows[number].life ? &k->flows[number]
							 : NULL;
}

/* ---- what a flow looks like --------------------------------------------- */

/* The next number of a sequence that looks random (splitmix64). */
static uint64_t mix(uint64_t *seed)
{
	uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static bool one_in(uint64_t *seed, uint64_t n)
{
	return mix(seed) % n == 0;
}

static void set_address(struct addr *a, enum family family, uint8_t net,
			uint8_t machine, uint8_t host)
{
	size_t last = family == FAMILY_IPV4 ? 3 : 15;

	a->b[0] = net;
	a->b[1] = machine;
	a->b[last] = host;
}

static void set_key(struct flow *f, int machine, uint32_t number,
		    uint64_t *seed)
{
	static const uint8_t protocols[] = {
		L4_TCP, L4_TCP,  L4_TCP,  L4_TCP,  L4_TCP, L4_UDP,
		L4_UDP, L4_ICMP, L4_SCTP, L4_DCCP, L4_GRE, L4_UDPLITE,
	};

	f->family = one_in(seed, 4) ? FAMILY_IPV6 : FAMILY_IPV4;
	f->l4proto = protocols[mix(seed) % sizeof(protocols)];
	if (one_in(seed, 8))
		f->zone = 7;
	set_address(&f->orig.src, f->family, 10, (uint8_t)machine, 1);
	f->orig.src.b[2] = (uint8_t)(number >> 16);
	set_address(&f->orig.dst, f->family, 192, 0, (uint8_t)mix(seed));
	if (f->l4proto == L4_ICMP) {
		f->has |= FLOW_ICMP;
		f->orig.icmp_id = (uint16_t)number;
		f->orig.icmp_type = 8;
		if (f->family == FAMILY_IPV6) {
			f->l4proto = L4_ICMPV6;
			f->orig.icmp_type = 128;
		}
	} else {
		f->has |= f->l4proto == L4_GRE ? FLOW_GRE_KEYS : FLOW_PORTS;
		f->orig.sport = (uint16_t)number;
		f->orig.dport = 80;
	}
}

static void set_translation(struct flow *f, uint64_t *seed)
{
	f->has |= FLOW_REPLY | FLOW_STATUS;
	f->reply = flow_inverse(f);
	f->status = STATUS_CONFIRMED;
	if (one_in(seed, 2)) {
		f->status |= STATUS_SRC_NAT | STATUS_SRC_NAT_DONE;
		set_address(&f->reply.dst, f->family, 203, 0,
			    (uint8_t)mix(seed));
		if (f->has & FLOW_PORTS)
			f->reply.dport = (uint16_t)mix(seed);
	}
	if (one_in(seed, 4)) {
		f->status |= STATUS_DST_NAT | STATUS_DST_NAT_DONE;
		set_address(&f->reply.src, f->family, 172, 16,
			    (uint8_t)mix(seed));
		if ((f->has & FLOW_PORTS) && one_in(seed, 2))
			f->reply.sport = 8080;
	}
}

static void set_relations(struct flow *f, struct names *helpers, uint64_t *seed)
{
	if (one_in(seed, 8)) {
		f->has |= FLOW_MASTER | FLOW_MASTER_PORTS;
		f->master.src = f->orig.src;
		f->master.dst = f->orig.dst;
		f->master.l4proto = L4_TCP;
		f->master.sport = (uint16_t)mix(seed);
		f->master.dport = 21;
	} else if (helpers && one_in(seed, 8)) {
		f->has |= FLOW_HELPER;
		f->helper = names_intern(helpers, "ftp", 3);
	}
	if (one_in(seed, 8)) {
		f->has |= FLOW_SYNPROXY;
		f->synproxy.isn = (uint32_t)mix(seed);
		f->synproxy.its = f->orig.sport;
		f->synproxy.tsoff = (uint32_t)mix(seed);
	}
}

static void set_window_scale(struct flow *f, uint64_t life)
{
	f->has |= FLOW_TCP_WSCALE_ORIG | FLOW_TCP_WSCALE_REPLY;
	f->tcp_wscale_orig = (uint8_t)(life % 15);
	f->tcp_wscale_reply = (uint8_t)(life / 15 % 15);
}

static void set_state(struct flow *f, bool is_updated, uint64_t change)
{
	if (f->l4proto == L4_TCP) {
		f->has |= FLOW_TCP_STATE;
		f->tcp_state =
			is_updated ? (uint8_t)(TCP_STATE_SYN_RECV + change % 7)
				   : TCP_STATE_SYN_SENT;
	} else if (f->l4proto == L4_SCTP) {
		f->has |= FLOW_SCTP_STATE | FLOW_SCTP_VTAG_ORIG |
			  FLOW_SCTP_VTAG_REPLY;
		f->sctp_state = (uint8_t)(is_updated ? 2 + change % 6 : 1);
		f->sctp_vtag_orig = f->orig.sport;
		f->sctp_vtag_reply = (uint32_t)change;
	} else if (f->l4proto == L4_DCCP) {
		f->has |= FLOW_DCCP_STATE | FLOW_DCCP_ROLE;
		f->dccp_state = (uint8_t)(is_updated ? 2 + change % 6 : 1);
		f->dccp_role = (uint8_t)(f->orig.sport % 2);
	}
}

/* What the kernel reports only later in the life of a flow. */
static void set_later(struct flow *f, const struct sim_flow *k, uint64_t *life,
		      uint64_t *change)
{
	bool has_labels = one_in(life, 4), is_shifted = one_in(life, 8);

	if (f->l4proto == L4_TCP && !one_in(life, 4))
		set_window_scale(f, mix(life));
	f->has |= FLOW_MARK;
	f->mark = k->mark;
	f->status |= STATUS_SEEN_REPLY;
	if (mix(change) % 2)
		f->status |= STATUS_ASSURED;
	if (has_labels) {
		f->has |= FLOW_LABELS;
		f->labels[0] = 1;
		f->labels[5] = (uint8_t)mix(change);
		f->labels[15] = 0x80;
	}
	if (is_shifted) {
		f->has |= FLOW_SEQADJ_ORIG | FLOW_SEQADJ_REPLY;
		f->status |= STATUS_SEQ_ADJUST;
		f->seqadj_orig.pos = f->orig.sport;
		f->seqadj_orig.after = (uint32_t)mix(change);
		f->seqadj_reply.before = (uint32_t)mix(change);
	}
}

void sim_flow_value(const struct sim_flow *k, int machine, uint32_t number,
		    struct names *helpers, struct flow *out)
{
	uint64_t seed = (uint64_t)machine << 32 | number;
	uint64_t life, change;

	*out = (struct flow){ 0 };
	set_key(out, machine, number, &seed);
	life = seed ^ (uint64_t)k->life << 40;
	set_translation(out, &life);
	set_relations(out, helpers, &life);
	change = life ^ (k->is_updated ? k->mark + UINT64_C(1) : 0);
	out->has |= FLOW_TIMEOUT;
	out->timeout_s = 1 + (uint32_t)(mix(&change) % 432000);
	set_state(out, k->is_updated, mix(&change));
	if (k->is_updated)
		set_later(out, k, &life, &change);
}

int sim_flow_machine(const struct flow *f)
{
	bool is_one = f->orig.src.b[0] == 10 && f->orig.dst.b[0] == 192;

	return is_one ? f->orig.src.b[1] : -1;
}

uint32_t sim_flow_number(const struct flow *f)
{
	return (uint32_t)f->orig.src.b[2] << 16 |
	       (f->has & FLOW_ICMP ? f->orig.icmp_id : f->orig.sport);
}
