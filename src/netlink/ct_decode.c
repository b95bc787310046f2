/* SPDX-License-Identifier: ISC */
#include "netlink/ct_codec.h"

#include <linux/netfilter/nfnetlink.h>

#include "netlink/ct_attrs.h"
#include "netlink/ct_rows.h"
#include "netlink/nlmsg.h"

#define BIT(n) (UINT64_C(1) << (n))

enum { NFGEN_LEN = sizeof(struct nfgenmsg) };

/* What tells flows of this protocol apart, as far as the tuple has it. */
static uint64_t parts_of(const struct ct_tuple *t)
{
	switch (t->l4proto) {
	case L4_ICMP:
		return t->has & BIT(CT_N_ICMP) ? FLOW_ICMP : 0;
	case L4_ICMPV6:
		return t->has & BIT(CT_N_ICMPV6) ? FLOW_ICMP : 0;
	case L4_GRE:
		return t->has & BIT(CT_N_PORTS) ? FLOW_GRE_KEYS : 0;
	default:
		return t->has & BIT(CT_N_PORTS) ? FLOW_PORTS : 0;
	}
}

/* Copies what belongs to parts; the rest becomes 0. */
static struct tuple tuple_of(const struct ct_tuple *from, uint64_t parts)
{
	struct tuple t = { .src = from->t.src, .dst = from->t.dst };

	if (parts & (FLOW_PORTS | FLOW_GRE_KEYS)) {
		t.sport = from->t.sport;
		t.dport = from->t.dport;
	}
	if (parts & FLOW_ICMP) {
		t.icmp_id = from->t.icmp_id;
		t.icmp_type = from->t.icmp_type;
		t.icmp_code = from->t.icmp_code;
	}
	return t;
}

/* The original tuple makes the key; without it there is no flow. */
static bool take_key(const struct ct_side *side, struct flow *f)
{
	f->family = (uint8_t)ct_tuple_family(&side->orig);
	f->l4proto = side->orig.l4proto;
	f->has |= parts_of(&side->orig);
	f->orig = tuple_of(&side->orig, f->has);
	return f->family != FAMILY_NONE && side->orig.has & BIT(CT_N_L4PROTO);
}

static bool take_reply(const struct ct_side *side, struct flow *f)
{
	const struct ct_tuple *reply = &side->reply;
	const uint64_t parts = FLOW_PORTS | FLOW_GRE_KEYS | FLOW_ICMP;

	if (!(reply->has & BIT(CT_N_L4PROTO)) || !ct_tuple_family(reply))
		return true;
	if (ct_tuple_family(reply) != f->family || reply->l4proto != f->l4proto)
		return false;
	if (parts_of(reply) == (f->has & parts)) {
		f->reply = tuple_of(reply, f->has);
		f->has |= FLOW_REPLY;
	}
	return true;
}

static void take_master(const struct ct_side *side, struct flow *f)
{
	const struct ct_tuple *master = &side->master;

	if (!(master->has & BIT(CT_N_L4PROTO)) ||
	    ct_tuple_family(master) != f->family)
		return;
	f->master.src = master->t.src;
	f->master.dst = master->t.dst;
	f->master.l4proto = master->l4proto;
	f->has |= FLOW_MASTER;
	if (master->has & BIT(CT_N_PORTS)) {
		f->master.sport = master->t.sport;
		f->master.dport = master->t.dport;
		f->has |= FLOW_MASTER_PORTS;
	}
}

/* The kernel tells a zone of both directions at the top, one of a single
 * direction in that tuple. */
static void take_zones(const struct ct_side *side, struct flow *f)
{
	bool has_orig = side->orig.has & BIT(CT_N_ZONE);
	bool has_reply = side->reply.has & BIT(CT_N_ZONE);

	if (has_orig && has_reply && side->orig.zone == side->reply.zone) {
		f->zone = side->orig.zone;
		return;
	}
	if (has_orig) {
		f->zone_orig = side->orig.zone;
		f->has |= FLOW_ZONE_ORIG;
	}
	if (has_reply) {
		f->zone_reply = side->reply.zone;
		f->has |= FLOW_ZONE_REPLY;
	}
}

bool ct_is_conntrack(const struct nlmsg *msg, uint8_t *type)
{
	*type = (uint8_t)msg->type;
	return msg->type >> 8 == NFNL_SUBSYS_CTNETLINK;
}

bool ct_decode(const struct ct_codec *c, struct rd body, struct flow *out)
{
	struct ct_side side = { 0 };

	out->has = 0;
	out->zone = 0;
	if (!rd_skip(&body, NFGEN_LEN) ||
	    !ct_attrs_read(c, &ct_message_table, out, &side, body, &out->has))
		return false;
	out->has &= BIT(FLOW_N_LAST) - 1; /* without CT_N_NONE */
	if (!take_key(&side, out) || !take_reply(&side, out))
		return false;
	take_master(&side, out);
	take_zones(&side, out);
	return true;
}
