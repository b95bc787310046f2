/* SPDX-License-Identifier: ISC */
#include "netlink/ct_bpf.h"

#include <stddef.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "base/buf.h"
#include "base/util.h"
#include "netlink/bpf.h"
#include "netlink/bpf_set.h"
#include "netlink/nlmsg.h"

_Static_assert((int)CT_BPF_MAX == (int)BPF_MAXINSNS, "the limit of Linux");

/* Words of memory. M[0] to M[3]: the address that is looked at. */
enum {
	M_SRC = 0,
	M_DST = 4,
	M_PROTO = 8,
	M_SPORT,
	M_DPORT,
};

enum { ATTRS_AT = NLMSG_HDRLEN + sizeof(struct nfgenmsg) };

/* Where an attribute is: the types of the nests it lies in, and its own. */
struct path {
	uint16_t types[4];
	unsigned int n;
};

/* Attributes of an address of a family. */
struct ends {
	uint8_t family;
	uint16_t src, dst;
	uint32_t n_words;
};

/* What is written last comes first. */
static const struct ends all_ends[] = {
	{ FAMILY_IPV6, CTA_IP_V6_SRC, CTA_IP_V6_DST, 4 },
	{ FAMILY_IPV4, CTA_IP_V4_SRC, CTA_IP_V4_DST, 1 },
};

/* A program that is being written, from its end to its begin: each function
 * below writes what comes before all that is there. */
struct maker {
	struct bpf b;
	const struct filter_opts *sets;
	uint32_t pass, drop; /* places */
	bool has_failed;     /* no memory */
};

/* ---- parts --------------------------------------------------------------- */

/* The place of what was written last. */
static uint32_t here(const struct maker *m)
{
	return m->b.n;
}

/* Loads see network order; headers are in the byte order of this machine. */
static uint32_t loaded(const void *bytes, size_t size)
{
	const uint8_t *b = bytes;
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | b[i];
	return value;
}

/* A comparison of a 16-bit member of the header, which is loaded first. */
static void if_u16(struct maker *m, size_t offset, uint16_t comparison,
		   uint16_t value, uint32_t yes, uint32_t no)
{
	bpf_if(&m->b, comparison, loaded(&value, sizeof(value)), &yes, &no);
	bpf_op(&m->b, BPF_LD | BPF_H | BPF_ABS, (uint32_t)offset);
}

static void if_type(struct maker *m, uint8_t type, uint32_t yes, uint32_t no)
{
	if_u16(m, offsetof(struct nlmsghdr, nlmsg_type), BPF_JEQ,
	       (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type), yes, no);
}

static void fetch(struct maker *m, uint32_t at)
{
	bpf_op(&m->b, BPF_LD | BPF_MEM, at);
}

/* A comparison with a word of memory. */
static void if_word(struct maker *m, uint32_t at, uint32_t value, uint32_t yes,
		    uint32_t no)
{
	bpf_if(&m->b, BPF_JEQ, value, &yes, &no);
	fetch(m, at);
}

/* A: where the attribute is, relative to the message. */
static void find_or(struct maker *m, struct path path, uint32_t present,
		    uint32_t *absent)
{
	for (unsigned int i = path.n; i-- > 0; present = here(m)) {
		const int what = i ? SKF_AD_NLATTR_NEST : SKF_AD_NLATTR;

		bpf_if(&m->b, BPF_JEQ, 0, absent, &present);
		bpf_op(&m->b, BPF_LD | BPF_W | BPF_ABS,
		       (uint32_t)(SKF_AD_OFF + what));
		bpf_op(&m->b, BPF_LDX | BPF_IMM, path.types[i]);
	}
	bpf_op(&m->b, BPF_LD | BPF_IMM, ATTRS_AT);
}

static void find(struct maker *m, struct path path, uint32_t *absent)
{
	find_or(m, path, here(m), absent);
}

/* A: what is at this offset in the value of the attribute that was found. size:
 * BPF_B, BPF_H, BPF_W */
static void load_at(struct maker *m, uint16_t size, uint32_t offset)
{
	bpf_op(&m->b, BPF_LD | BPF_IND | size, NLMSG_ATTR_HDR + offset);
}

/* X and A: its value. */
static void load(struct maker *m, uint16_t size)
{
	load_at(m, size, 0);
	bpf_op(&m->b, BPF_MISC | BPF_TAX, 0);
}

/* The address that was found to M[to] and what follows; A: its first word. */
static void load_addr(struct maker *m, const struct ends *e, uint32_t to)
{
	for (uint32_t i = 0; i < e->n_words; i++) {
		bpf_op(&m->b, BPF_ST, to + i);
		load_at(m, BPF_W, 4 * i);
	}
	bpf_op(&m->b, BPF_MISC | BPF_TAX, 0);
}

static struct path in_tuple(uint16_t tuple, uint16_t part, uint16_t type)
{
	return (struct path){ { tuple, part, type }, 3 };
}

/* ---- addresses ----------------------------------------------------------- */

/* The source of the replies; without one the destination stands for it. */
static void load_reply_src(struct maker *m, const struct ends *e)
{
	uint32_t found, absent;

	load_addr(m, e, M_SRC);
	found = here(m);
	find(m, in_tuple(CTA_TUPLE_ORIG, CTA_TUPLE_IP, e->dst), &m->pass);
	absent = here(m);
	find_or(m, in_tuple(CTA_TUPLE_REPLY, CTA_TUPLE_IP, e->src), found,
		&absent);
}

/* The last test. Code cannot be used twice, for there are no jumps back. */
static void judge_addresses(struct maker *m, const struct ends *e)
{
	bool accepts = m->sets->address == FILTER_ACCEPT;
	uint32_t *hit = accepts ? &m->pass : &m->drop;
	uint32_t *miss = accepts ? &m->drop : &m->pass;
	struct bpf_nets nets;
	uint32_t second;

	if (!bpf_nets_init(&nets, e->family, m->sets->nets, m->sets->n_nets)) {
		m->has_failed = true;
		return;
	}
	if (m->sets->address == FILTER_NONE) {
		bpf_go(&m->b, m->pass);
	} else if (nets.n == 0) {
		bpf_go(&m->b, *miss);
	} else {
		bpf_set_nets(&m->b, &nets, hit, miss);
		load_reply_src(m, e);
		second = here(m);
		bpf_set_nets(&m->b, &nets, hit, &second);
		load_addr(m, e, M_SRC);
		find(m, in_tuple(CTA_TUPLE_ORIG, CTA_TUPLE_IP, e->src),
		     &m->pass);
	}
	bpf_nets_fini(&nets);
}

/* ---- own traffic --------------------------------------------------------- */

static void if_addr(struct maker *m, const struct ends *e, uint32_t at,
		    const struct addr *a, uint32_t yes, uint32_t no)
{
	for (uint32_t i = e->n_words; i-- > 0; yes = here(m))
		if_word(m, at + i, loaded(a->b + (size_t)4 * i, 4), yes, no);
}

/* An end that is not known matches any address. */
static void if_between(struct maker *m, const struct ends *e,
		       const struct filter_link *l, uint32_t local_at,
		       uint32_t remote_at, uint32_t no)
{
	uint32_t yes = m->drop;

	if (l->has_remote) {
		if_addr(m, e, remote_at, &l->remote, yes, no);
		yes = here(m);
	}
	if (l->has_local)
		if_addr(m, e, local_at, &l->local, yes, no);
}

static void if_port(struct maker *m, uint16_t port, uint32_t yes, uint32_t no)
{
	if_word(m, M_DPORT, port, yes, no);
	if_word(m, M_SPORT, port, yes, here(m));
}

static void judge_link(struct maker *m, const struct ends *e,
		       const struct filter_link *l)
{
	uint32_t go_on = here(m);

	if_between(m, e, l, M_DST, M_SRC, go_on);
	if_between(m, e, l, M_SRC, M_DST, here(m));
	if_port(m, l->port, here(m), go_on);
	if_word(m, M_PROTO, l->l4proto, here(m), go_on);
}

static void load_port(struct maker *m, uint16_t type, uint32_t to,
		      uint32_t *absent)
{
	bpf_op(&m->b, BPF_ST, to);
	load(m, BPF_H);
	find(m, in_tuple(CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, type), absent);
}

/* Addresses are looked at where the port of a link is seen. */
static void judge_own(struct maker *m, const struct ends *e)
{
	const struct filter_link *links = m->sets->links;
	const uint32_t start = here(m);
	uint32_t go_on = start, absent, seen;

	for (size_t i = 0; i < m->sets->n_links; i++)
		if (links[i].family == e->family)
			judge_link(m, e, &links[i]);
	if (here(m) == start)
		return;
	load_addr(m, e, M_DST);
	find(m, in_tuple(CTA_TUPLE_ORIG, CTA_TUPLE_IP, e->dst), &m->pass);
	load_addr(m, e, M_SRC);
	find(m, in_tuple(CTA_TUPLE_ORIG, CTA_TUPLE_IP, e->src), &m->pass);
	seen = here(m);
	absent = go_on;
	for (size_t i = 0; i < m->sets->n_links; i++) {
		if (links[i].family != e->family ||
		    (i && links[i].port == links[i - 1].port &&
		     links[i - 1].family == e->family))
			continue;
		if_port(m, links[i].port, seen, go_on);
		go_on = here(m);
	}
	load_port(m, CTA_PROTO_DST_PORT, M_DPORT, &absent);
	load_port(m, CTA_PROTO_SRC_PORT, M_SPORT, &absent);
}

/* ---- the other tests ----------------------------------------------------- */

static void judge_bits(struct maker *m, enum filter_action action,
		       const uint8_t *bits, size_t size)
{
	bool accepts = action == FILTER_ACCEPT;
	uint32_t go_on = here(m);

	bpf_set_bits(&m->b, bits, size, accepts ? &go_on : &m->drop,
		     accepts ? &m->drop : &go_on);
}

/* Of a TCP flow that has not ended, and tells its state. */
static void judge_state(struct maker *m)
{
	static const struct path state = {
		{ CTA_PROTOINFO, CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE }, 3
	};
	const uint16_t states = m->sets->tcp_states;
	const uint8_t bits[] = { (uint8_t)states, (uint8_t)(states >> 8) };
	uint32_t go_on = here(m);

	if (m->sets->state == FILTER_NONE)
		return;
	judge_bits(m, m->sets->state, bits, sizeof(bits));
	load(m, BPF_B);
	find(m, state, &go_on);
	if_word(m, M_PROTO, L4_TCP, here(m), go_on);
	if_type(m, IPCTNL_MSG_CT_DELETE, go_on, here(m));
}

static void judge_protocol(struct maker *m)
{
	if (m->sets->protocol != FILTER_NONE)
		judge_bits(m, m->sets->protocol, m->sets->protocols,
			   sizeof(m->sets->protocols));
	bpf_op(&m->b, BPF_ST, M_PROTO);
	load(m, BPF_B);
	find(m, in_tuple(CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_PROTO_NUM),
	     &m->pass);
}

static void judge_clash(struct maker *m)
{
	static const struct path status = { { CTA_STATUS }, 1 };
	uint32_t go_on = here(m), absent = go_on;

	bpf_if(&m->b, BPF_JSET, STATUS_NAT_CLASH, &m->drop, &go_on);
	load(m, BPF_W);
	find(m, status, &absent);
}

/* Each family by itself. */
static void judge_ends(struct maker *m)
{
	uint32_t absent = m->pass;

	if (m->sets->address == FILTER_NONE && m->sets->n_links == 0)
		return;
	for (size_t i = 0; i < N_ELEMENTS(all_ends); i++) {
		const struct ends *e = &all_ends[i];
		uint32_t place;

		judge_addresses(m, e);
		judge_own(m, e);
		place = here(m);
		find_or(m, in_tuple(CTA_TUPLE_ORIG, CTA_TUPLE_IP, e->src),
			place, &absent);
		absent = here(m);
	}
}

static void judge_flow(struct maker *m)
{
	judge_ends(m);
	judge_state(m);
	judge_protocol(m);
	judge_clash(m);
}

/* ---- the program --------------------------------------------------------- */

/* The test of flows is there already, if there is one. */
static void judge_message(struct maker *m, uint32_t quiet_port)
{
	const uint16_t begin = NLM_F_CREATE | NLM_F_EXCL;
	uint32_t judged = here(m), from_others, from_us;

	if (m->sets) {
		if_type(m, IPCTNL_MSG_CT_NEW, judged, m->pass);
		if_type(m, IPCTNL_MSG_CT_DELETE, judged, here(m));
	}
	from_others = here(m);
	if_u16(m, offsetof(struct nlmsghdr, nlmsg_flags), BPF_JSET, begin,
	       m->drop, m->pass);
	if_type(m, IPCTNL_MSG_CT_NEW, here(m), m->pass);
	from_us = here(m);
	bpf_if(&m->b, BPF_JEQ, loaded(&quiet_port, sizeof(quiet_port)),
	       &from_us, &from_others);
	bpf_op(&m->b, BPF_LD | BPF_W | BPF_ABS,
	       offsetof(struct nlmsghdr, nlmsg_pid));
}

uint32_t ct_bpf_make(const struct ct_bpf_opts *o,
		     struct sock_filter insns[CT_BPF_MAX])
{
	struct maker m = { .b = { .insns = insns, .size = CT_BPF_MAX } };

	bpf_op(&m.b, BPF_RET | BPF_K, 0);
	m.drop = here(&m);
	bpf_op(&m.b, BPF_RET | BPF_K, UINT32_MAX);
	m.pass = here(&m);
	if (o->filter) {
		m.sets = filter_sets(o->filter);
		judge_flow(&m);
	}
	judge_message(&m, o->quiet_port);
	return m.has_failed ? 0 : m.b.n;
}
