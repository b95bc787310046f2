/* SPDX-License-Identifier: ISC */
#include "netlink/exp_codec.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "netlink/ct_attrs.h"
#include "netlink/exp_rows.h"
#include "netlink/nlmsg.h"

#define BIT(n) (UINT64_C(1) << (n))

enum { NFGEN_LEN = sizeof(struct nfgenmsg) };

bool exp_is_expect(const struct nlmsg *msg, uint8_t *type)
{
	*type = (uint8_t)msg->type;
	return msg->type >> 8 == NFNL_SUBSYS_CTNETLINK_EXP;
}

static bool is_family(const struct ct_tuple *t, uint8_t family)
{
	return ct_tuple_family(t) == (enum family)family;
}

static struct tuple take_tuple(const struct ct_tuple *from)
{
	struct tuple t = { .src = from->t.src, .dst = from->t.dst };

	if (from->has & BIT(CT_N_PORTS)) {
		t.sport = from->t.sport;
		t.dport = from->t.dport;
	}
	return t;
}

static bool take_key(const struct exp_side *side, struct expect *e)
{
	e->family = (uint8_t)ct_tuple_family(&side->expected);
	e->master_l4proto = side->master.l4proto;
	e->l4proto = side->expected.l4proto;
	e->master = take_tuple(&side->master);
	e->expected = take_tuple(&side->expected);
	e->mask = take_tuple(&side->mask);
	return e->family != FAMILY_NONE &&
	       is_family(&side->master, e->family) &&
	       is_family(&side->mask, e->family) &&
	       side->master.has & side->expected.has & BIT(CT_N_L4PROTO);
}

static void take_nat(const struct exp_side *side, struct expect *e)
{
	const struct ct_tuple *nat = &side->nat_tuple;

	if (!(side->nat.has & BIT(EXP_N_NAT)) ||
	    !(nat->has & BIT(CT_N_L4PROTO)) || !is_family(nat, e->family))
		return;
	e->nat = take_tuple(nat);
	e->nat_l4proto = nat->l4proto;
	e->nat_dir = side->nat.dir != 0;
	e->has |= EXPECT_NAT;
}

bool exp_decode(const struct ct_codec *c, struct rd body, struct expect *out)
{
	struct exp_side side = { 0 };
	uint64_t has = 0;

	*out = (struct expect){ 0 };
	if (!rd_skip(&body, NFGEN_LEN) ||
	    !ct_attrs_read(c, &exp_message_table, out, &side, body, &has))
		return false;
	out->has = (uint32_t)(has & (BIT(EXP_N_ZONE) - 1));
	if (!take_key(&side, out))
		return false;
	take_nat(&side, out);
	return true;
}

static struct ct_tuple give_tuple(const struct expect *e, const struct tuple *t,
				  uint8_t l4proto)
{
	struct ct_tuple side = { .t = *t, .l4proto = l4proto };

	side.has = BIT(CT_N_L4PROTO) |
		   (e->family == FAMILY_IPV4 ? BIT(CT_N_IPV4) : BIT(CT_N_IPV6));
	if (ct_needs_ports(l4proto))
		side.has |= BIT(CT_N_PORTS);
	return side;
}

static void give_sides(struct exp_side *side, const struct expect *e)
{
	side->master = give_tuple(e, &e->master, e->master_l4proto);
	side->expected = give_tuple(e, &e->expected, e->l4proto);
	side->mask = give_tuple(e, &e->mask, e->l4proto);
	if (e->has & EXPECT_NAT) {
		side->nat_tuple = give_tuple(e, &e->nat, e->nat_l4proto);
		side->nat = (struct exp_nat){ BIT(EXP_N_NAT), e->nat_dir };
	}
}

struct request {
	enum ct_ops op;
	uint8_t type;
	uint16_t flags;
};

static bool encode(const struct ct_codec *c, struct request r,
		   const struct expect *e, uint32_t seq, struct wr *w)
{
	struct exp_side side = { 0 };
	size_t msg;

	if (e->family != FAMILY_IPV4 && e->family != FAMILY_IPV6)
		return false;
	give_sides(&side, e);
	msg = nlmsg_begin(w, NFNL_SUBSYS_CTNETLINK_EXP << 8 | r.type, r.flags,
			  seq);
	wr_u8(w, e->family);
	wr_u8(w, NFNETLINK_V0);
	wr_be16(w, 0);
	ct_attrs_write(c, r.op, &exp_message_table, e, &side,
		       e->has | (e->zone ? BIT(EXP_N_ZONE) : 0), w);
	nlmsg_end(w, msg);
	return true;
}

bool exp_encode(const struct ct_codec *c, enum kernel_op op,
		const struct expect *e, uint32_t seq, struct wr *w)
{
	static const struct request requests[] = {
		[KERNEL_CREATE] = { CT_CREATE, IPCTNL_MSG_EXP_NEW,
				    NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL },
		[KERNEL_UPDATE] = { CT_UPDATE, IPCTNL_MSG_EXP_NEW,
				    NLM_F_REQUEST },
		[KERNEL_DELETE] = { CT_DELETE, IPCTNL_MSG_EXP_DELETE,
				    NLM_F_REQUEST },
		[KERNEL_GET] = { CT_GET, IPCTNL_MSG_EXP_GET, NLM_F_REQUEST },
	};

	return encode(c, requests[op], e, seq, w);
}

bool exp_encode_report(const struct ct_codec *c, const struct expect *e,
		       uint32_t seq, struct wr *w)
{
	return encode(c, (struct request){ CT_REPORT, IPCTNL_MSG_EXP_NEW, 0 },
		      e, seq, w);
}

void exp_encode_dump(uint32_t seq, struct wr *w)
{
	size_t msg = nlmsg_begin(
		w, NFNL_SUBSYS_CTNETLINK_EXP << 8 | IPCTNL_MSG_EXP_GET,
		NLM_F_REQUEST | NLM_F_DUMP, seq);

	wr_zeros(w, NFGEN_LEN);
	nlmsg_end(w, msg);
}
