/* SPDX-License-Identifier: ISC */
#include "netlink/ct_codec.h"

#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include "netlink/ct_attrs.h"
#include "netlink/ct_rows.h"
#include "netlink/nlmsg.h"

#define BIT(n) (UINT64_C(1) << (n))

enum {
	WSCALE_MAX = 14, /* RFC 7323 */
	/* What the kernel refuses (EBUSY), or what speaks of its own handling
	 * of the flow. */
	STATUS_NEVER_SENT = STATUS_DYING | STATUS_TEMPLATE | STATUS_NAT_CLASH |
			    STATUS_OFFLOAD | STATUS_HW_OFFLOAD,
	/* TCP flags that describe the connection; that of the window scales
	 * goes with them, and the others are the kernel's notes on packets it
	 * has seen. */
	TCP_FLAGS_SENT = IP_CT_TCP_FLAG_SACK_PERM | IP_CT_TCP_FLAG_CLOSE_INIT |
			 IP_CT_TCP_FLAG_BE_LIBERAL,
};

struct encoder {
	const struct ct_codec *codec;
	struct wr *w;
	uint8_t op;       /* one of enum ct_ops */
	struct flow flow; /* with what the request changes */
	struct ct_side side;
};

/* Ports that are not known are 0 (PROTOCOL.md 5.4: GRE and UDP-Lite). */
static struct ct_tuple side_tuple(const struct flow *f, const struct tuple *t,
				  uint8_t l4proto, uint64_t has)
{
	struct ct_tuple side = { .t = *t, .l4proto = l4proto };

	side.has = BIT(CT_N_L4PROTO) |
		   (f->family == FAMILY_IPV4 ? BIT(CT_N_IPV4) : BIT(CT_N_IPV6));
	if (!(has & (FLOW_PORTS | FLOW_GRE_KEYS)))
		side.t.sport = side.t.dport = 0;
	if (has & (FLOW_PORTS | FLOW_GRE_KEYS) || ct_needs_ports(l4proto))
		side.has |= BIT(CT_N_PORTS);
	if (has & FLOW_ICMP)
		side.has |=
			l4proto == L4_ICMP ? BIT(CT_N_ICMP) : BIT(CT_N_ICMPV6);
	return side;
}

static void give_zone(struct ct_tuple *side, const struct flow *f, uint64_t bit,
		      uint16_t zone)
{
	if (f->has & bit) {
		side->zone = zone;
		side->has |= BIT(CT_N_ZONE);
	}
}

static void give_tuples(struct encoder *e, const struct flow *f)
{
	struct tuple reply = flow_inverse(f);

	e->side.orig = side_tuple(f, &f->orig, f->l4proto, f->has);
	give_zone(&e->side.orig, f, FLOW_ZONE_ORIG, f->zone_orig);
	if (e->op == CT_REPORT)
		reply = f->reply;
	if (e->op == CT_CREATE || f->has & FLOW_REPLY)
		e->side.reply = side_tuple(f, &reply, f->l4proto, f->has);
	give_zone(&e->side.reply, f, FLOW_ZONE_REPLY, f->zone_reply);
	if (f->has & FLOW_MASTER) {
		struct tuple master = { .src = f->master.src,
					.dst = f->master.dst,
					.sport = f->master.sport,
					.dport = f->master.dport };

		e->side.master =
			side_tuple(f, &master, f->master.l4proto,
				   f->has & FLOW_MASTER_PORTS ? FLOW_PORTS : 0);
	}
}

/* The port, key or ICMP id to translate to is always named along with an
 * address: left to itself, the kernel takes another one if this one seems in
 * use, and the connection is broken without an error. */
static struct ct_nat nat_part(const struct flow *f, const struct addr *addr,
			      uint16_t port, unsigned int has_addr)
{
	struct ct_nat nat = { .addr = *addr, .port = port };

	if (has_addr)
		nat.has |= f->family == FAMILY_IPV4 ? BIT(CT_N_IPV4)
						    : BIT(CT_N_IPV6);
	if (f->has & (FLOW_PORTS | FLOW_GRE_KEYS | FLOW_ICMP))
		nat.has |= BIT(CT_N_PORTS);
	return nat;
}

static void give_nat(struct encoder *e, const struct flow *f)
{
	const struct tuple *reply = &f->reply;
	unsigned int nat = flow_nat(f);
	bool is_icmp = f->has & FLOW_ICMP;

	if (nat & (NAT_SRC_ADDR | NAT_SRC_PORT))
		e->side.nat_src = nat_part(
			f, &reply->dst, is_icmp ? reply->icmp_id : reply->dport,
			nat & NAT_SRC_ADDR);
	if (nat & (NAT_DST_ADDR | NAT_DST_PORT))
		e->side.nat_dst = nat_part(
			f, &reply->src, is_icmp ? reply->icmp_id : reply->sport,
			nat & NAT_DST_ADDR);
}

/* TCP: the kernel heeds the window scales only with their flag in both
 * directions, and refuses those above 14 (ERANGE). */
static void give_tcp(struct encoder *e)
{
	const uint64_t scales = FLOW_TCP_WSCALE_ORIG | FLOW_TCP_WSCALE_REPLY;
	const uint64_t all = scales | FLOW_TCP_STATE | FLOW_TCP_FLAGS_ORIG |
			     FLOW_TCP_FLAGS_REPLY;
	struct flow *f = &e->flow;
	uint8_t flags = e->codec->tcp_window_tracking ? 0 : TCP_FLAG_BE_LIBERAL;

	if (f->l4proto != L4_TCP) {
		f->has &= ~all;
		return;
	}
	if (!(f->has & FLOW_TCP_FLAGS_ORIG))
		f->tcp_flags_orig = 0;
	if (!(f->has & FLOW_TCP_FLAGS_REPLY))
		f->tcp_flags_reply = 0;
	if ((f->has & scales) == scales && f->tcp_wscale_orig <= WSCALE_MAX &&
	    f->tcp_wscale_reply <= WSCALE_MAX)
		flags |= TCP_FLAG_WINDOW_SCALE;
	else
		f->has &= ~scales;
	f->tcp_flags_orig = (f->tcp_flags_orig & TCP_FLAGS_SENT) | flags;
	f->tcp_flags_reply = (f->tcp_flags_reply & TCP_FLAGS_SENT) | flags;
	f->has |= FLOW_TCP_FLAGS_ORIG | FLOW_TCP_FLAGS_REPLY;
}

/* SCTP and DCCP: the kernel wants all of it or nothing (EINVAL). */
static void give_sctp_dccp(struct encoder *e)
{
	const uint64_t sctp =
		FLOW_SCTP_STATE | FLOW_SCTP_VTAG_ORIG | FLOW_SCTP_VTAG_REPLY;
	const uint64_t dccp = FLOW_DCCP_STATE | FLOW_DCCP_ROLE;
	struct flow *f = &e->flow;

	if (f->l4proto != L4_SCTP || (f->has & sctp) != sctp)
		f->has &= ~sctp;
	if (f->l4proto != L4_DCCP || (f->has & dccp) != dccp)
		f->has &= ~(dccp | FLOW_DCCP_SEQ);
}

static void give_status(struct encoder *e)
{
	struct flow *f = &e->flow;

	f->status &= ~STATUS_NEVER_SENT;
	if (e->op == CT_CREATE) /* EBUSY; the master sets it by itself */
		f->status &= ~STATUS_EXPECTED;
	f->status |= STATUS_CONFIRMED;
	/* EPERM for the whole update */
	if (e->op == CT_UPDATE && f->has & FLOW_STATUS &&
	    f->status & STATUS_FIXED_TIMEOUT)
		f->has &= ~FLOW_TIMEOUT;
}

static void encode_message(struct encoder *e, uint8_t type, uint16_t flags,
			   uint32_t seq)
{
	struct flow *f = &e->flow;
	struct wr *w = e->w;
	size_t msg =
		nlmsg_begin(w, NFNL_SUBSYS_CTNETLINK << 8 | type, flags, seq);

	wr_u8(w, f->family);
	wr_u8(w, NFNETLINK_V0);
	wr_be16(w, 0);
	ct_attrs_write(e->codec, e->op, &ct_message_table, f, &e->side,
		       f->has | (f->zone ? BIT(CT_N_ZONE) : 0), w);
	nlmsg_end(w, msg);
}

static bool has_key(const struct flow *f)
{
	return f->family == FAMILY_IPV4 || f->family == FAMILY_IPV6;
}

bool ct_encode(const struct ct_codec *c, enum kernel_op op,
	       const struct flow *f, uint32_t seq, struct wr *w)
{
	static const struct {
		uint8_t op, type;
		uint16_t flags;
	} requests[] = {
		[KERNEL_CREATE] = { CT_CREATE, IPCTNL_MSG_CT_NEW,
				    NLM_F_CREATE | NLM_F_EXCL },
		[KERNEL_UPDATE] = { CT_UPDATE, IPCTNL_MSG_CT_NEW, 0 },
		[KERNEL_DELETE] = { CT_DELETE, IPCTNL_MSG_CT_DELETE, 0 },
		[KERNEL_GET] = { CT_GET, IPCTNL_MSG_CT_GET, 0 },
	};
	struct encoder e = { .codec = c, .w = w, .op = requests[op].op };

	if (!has_key(f))
		return false;
	e.flow = *f;
	give_tuples(&e, f);
	if (op == KERNEL_CREATE)
		give_nat(&e, f);
	give_status(&e);
	give_tcp(&e);
	give_sctp_dccp(&e);
	encode_message(&e, requests[op].type,
		       NLM_F_REQUEST | requests[op].flags, seq);
	return true;
}

bool ct_encode_report(const struct ct_codec *c, const struct flow *f,
		      uint32_t seq, struct wr *w)
{
	struct encoder e = { .codec = c, .w = w, .op = CT_REPORT };

	if (!has_key(f))
		return false;
	e.flow = *f;
	give_tuples(&e, f);
	encode_message(&e, IPCTNL_MSG_CT_NEW, 0, seq);
	return true;
}

void ct_encode_dump(uint32_t seq, struct wr *w)
{
	struct encoder e = { .w = w };

	encode_message(&e, IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, seq);
}
