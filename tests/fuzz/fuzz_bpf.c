/* SPDX-License-Identifier: ISC */
/* fuzz_bpf.c - bytes as a filter and some flows: the program that is made of
 * the filter gives the same verdict on every event of these. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "bpf_run.h"
#include "netlink/ct_bpf.h"
#include "netlink/ct_codec.h"
#include "netlink/nlmsg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGE_MAX = 2048, NETS_MOST = 64, LINKS_MOST = 4 };

struct program {
	struct sock_filter room[CT_BPF_MAX];
	const struct sock_filter *insns;
	uint32_t n;
};

/* 0 when there are no more. */
static uint8_t next(struct rd *r)
{
	uint8_t b = 0;

	(void)!rd_u8(r, &b);
	return b;
}

static enum family next_family(struct rd *r)
{
	return next(r) & 1 ? FAMILY_IPV4 : FAMILY_IPV6;
}

/* Of few values: one byte is two of an IPv4 address, or eight of the other. */
static struct addr next_addr(struct rd *r, enum family family)
{
	static const uint8_t values[] = { 0, 1, 0x80, 0xff };
	const size_t n = addr_size(family), step = n / 4;
	struct addr a = { { 0 } };

	for (size_t i = 0; i < n; i += step) {
		const uint8_t b = next(r);

		a.b[i] = values[b & 3];
		a.b[i + step - 1] = b & 0x80 ? b : values[b >> 2 & 3];
	}
	return a;
}

static void next_net(struct rd *r, struct filter_net *net)
{
	net->family = (uint8_t)next_family(r);
	net->prefix_len = (uint8_t)(next(r) % (8 * addr_size(net->family) + 1));
	net->addr = next_addr(r, net->family);
}

static void next_link(struct rd *r, struct filter_link *l)
{
	const uint8_t b = next(r);

	l->family = (uint8_t)next_family(r);
	l->l4proto = b & 1 ? L4_UDP : L4_TCP;
	l->has_local = b & 2;
	l->has_remote = b & 4;
	l->port = b >> 6;
	l->local = next_addr(r, l->family);
	l->remote = next_addr(r, l->family);
	if (b & 8)
		l->remote.b[0] = l->family == FAMILY_IPV4 ? 0xe1 : 0xff;
}

static struct filter *next_filter(struct rd *r)
{
	struct filter_net nets[NETS_MOST] = { 0 };
	struct filter_link links[LINKS_MOST] = { 0 };
	const uint8_t b = next(r);
	struct filter_opts o = { .protocol = b % 3,
				 .address = b / 3 % 3,
				 .state = b / 9 % 3,
				 .nets = nets,
				 .n_nets = next(r) % (NETS_MOST + 1),
				 .links = links,
				 .n_links = next(r) % (LINKS_MOST + 1) };

	o.tcp_states = next(r);
	o.tcp_states |= (uint16_t)(next(r) << 8);
	if (o.protocol != FILTER_NONE)
		for (size_t i = 0; i < sizeof(o.protocols); i++)
			o.protocols[i] = next(r);
	for (size_t i = 0; i < o.n_nets; i++)
		next_net(r, &nets[i]);
	for (size_t i = 0; i < o.n_links; i++)
		next_link(r, &links[i]);
	return filter_new(&o);
}

static void next_tuple(struct rd *r, enum family family, struct tuple *t)
{
	t->src = next_addr(r, family);
	t->dst = next_addr(r, family);
	t->sport = next(r) & 3;
	t->dport = next(r) & 3;
}

static struct flow next_flow(struct rd *r)
{
	static const uint8_t protos[] = { L4_TCP, L4_UDP, L4_ICMP, L4_ICMPV6 };
	const uint8_t has = next(r);
	struct flow f = { .family = (uint8_t)next_family(r) };

	f.l4proto = has & 0x80 ? next(r) : protos[has & 3];
	if (f.l4proto == L4_ICMP || f.l4proto == L4_ICMPV6)
		f.has |= FLOW_ICMP;
	else if (f.l4proto == L4_GRE)
		f.has |= FLOW_GRE_KEYS;
	else
		f.has |= FLOW_PORTS;
	f.has |= has & 4 ? FLOW_REPLY : 0;
	f.has |= has & 8 ? FLOW_TCP_STATE | FLOW_TCP_FLAGS_ORIG : 0;
	f.has |= has & 16 ? FLOW_STATUS | FLOW_MARK : 0;
	f.has |= has & 32 ? FLOW_LABELS | FLOW_COUNTERS_ORIG : 0;
	f.has |= has & 64 ? FLOW_ZONE_ORIG | FLOW_ID : 0;
	f.tcp_state = next(r);
	f.status = (uint32_t)next(r) << 8;
	next_tuple(r, f.family, &f.orig);
	next_tuple(r, f.family, &f.reply);
	return f;
}

static void try_event(const struct program *p, const struct filter *filter,
		      const struct flow *f, bool is_end)
{
	const struct ct_codec codec = { 0 };
	uint8_t bytes[MESSAGE_MAX];
	struct wr w = { bytes, sizeof(bytes), 0, false };
	struct flow seen;
	struct nlmsghdr h;
	struct rd body;

	assert(ct_encode_report(&codec, f, 0, &w) && !w.full);
	memcpy(&h, bytes, sizeof(h));
	if (is_end)
		h.nlmsg_type =
			NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	memcpy(bytes, &h, sizeof(h));
	body = (struct rd){ bytes + sizeof(h), w.used - sizeof(h) };
	assert(ct_decode(&codec, body, &seen));
	assert(bpf_passes(p->insns, p->n, bytes, w.used, NULL) ==
	       (is_end ? filter_accepts_end(filter, &seen)
		       : filter_accepts(filter, &seen)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = { data, size };
	struct filter *filter = next_filter(&r);
	const struct ct_bpf_opts o = { .filter = filter,
				       .quiet_port = CT_BPF_NO_PORT };
	struct program *p = malloc(sizeof(*p));

	if (filter && p) {
		p->n = ct_bpf_make(&o, p->room);
		assert(p->n && p->n <= CT_BPF_MAX);
		p->insns = p->room + CT_BPF_MAX - p->n;
		while (r.left) {
			const struct flow f = next_flow(&r);

			try_event(p, filter, &f, false);
			try_event(p, filter, &f, true);
		}
	}
	filter_free(filter);
	free(p);
	return 0;
}
