/* SPDX-License-Identifier: ISC */
#include "netlink/ct_rows.h"

#include <stddef.h>
#include <sys/socket.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "base/util.h"

/* flow.h has its own names for what Linux defines. */
#define SAME(ours, theirs)                                                \
	_Static_assert((int)(ours) == (int)(theirs), #ours " is that of " \
							   "Linux")
SAME(STATUS_EXPECTED, IPS_EXPECTED);
SAME(STATUS_SEEN_REPLY, IPS_SEEN_REPLY);
SAME(STATUS_ASSURED, IPS_ASSURED);
SAME(STATUS_CONFIRMED, IPS_CONFIRMED);
SAME(STATUS_SRC_NAT, IPS_SRC_NAT);
SAME(STATUS_DST_NAT, IPS_DST_NAT);
SAME(STATUS_SEQ_ADJUST, IPS_SEQ_ADJUST);
SAME(STATUS_SRC_NAT_DONE, IPS_SRC_NAT_DONE);
SAME(STATUS_DST_NAT_DONE, IPS_DST_NAT_DONE);
SAME(STATUS_DYING, IPS_DYING);
SAME(STATUS_FIXED_TIMEOUT, IPS_FIXED_TIMEOUT);
SAME(STATUS_TEMPLATE, IPS_TEMPLATE);
SAME(STATUS_NAT_CLASH, IPS_UNTRACKED); /* its old name, for user space */
SAME(STATUS_HELPER, IPS_HELPER);
SAME(STATUS_OFFLOAD, IPS_OFFLOAD);
SAME(STATUS_HW_OFFLOAD, IPS_HW_OFFLOAD);
SAME(TCP_STATE_NONE, TCP_CONNTRACK_NONE);
SAME(TCP_STATE_SYN_SENT, TCP_CONNTRACK_SYN_SENT);
SAME(TCP_STATE_SYN_RECV, TCP_CONNTRACK_SYN_RECV);
SAME(TCP_STATE_ESTABLISHED, TCP_CONNTRACK_ESTABLISHED);
SAME(TCP_STATE_FIN_WAIT, TCP_CONNTRACK_FIN_WAIT);
SAME(TCP_STATE_CLOSE_WAIT, TCP_CONNTRACK_CLOSE_WAIT);
SAME(TCP_STATE_LAST_ACK, TCP_CONNTRACK_LAST_ACK);
SAME(TCP_STATE_TIME_WAIT, TCP_CONNTRACK_TIME_WAIT);
SAME(TCP_STATE_CLOSE, TCP_CONNTRACK_CLOSE);
SAME(TCP_STATE_SYN_SENT2, TCP_CONNTRACK_SYN_SENT2);
SAME(TCP_STATE_N, TCP_CONNTRACK_MAX);
SAME(FAMILY_IPV4, AF_INET);
SAME(FAMILY_IPV6, AF_INET6);
SAME(TCP_FLAG_WINDOW_SCALE, IP_CT_TCP_FLAG_WINDOW_SCALE);
SAME(TCP_FLAG_BE_LIBERAL, IP_CT_TCP_FLAG_BE_LIBERAL);
SAME(TCP_FLAG_MAXACK_SET, IP_CT_TCP_FLAG_MAXACK_SET);
#undef SAME

#define FIELD(kind, bit, type, field) MEMBER(kind, bit, type, field, 0)
#define MEMBER(kind, bit, type, field, group)                  \
	{                                                      \
		kind, bit, CT_ANY, sizeof(((type *)0)->field), \
			offsetof(type, field), group, NULL     \
	}
#define WITHIN(table)                                         \
	{                                                     \
		CT_NEST, CT_N_NONE, CT_ANY, 0, 0, 0, &(table) \
	}
#define TABLE(rows)                    \
	{                              \
		rows, N_ELEMENTS(rows) \
	}

/* clang-format off */

enum { /* groups */
	IPV4 = 1 << CTA_IP_V4_SRC | 1 << CTA_IP_V4_DST,
	IPV6 = 1 << CTA_IP_V6_SRC | 1 << CTA_IP_V6_DST,
	PORTS = 1 << CTA_PROTO_SRC_PORT | 1 << CTA_PROTO_DST_PORT,
	ICMP = 1 << CTA_PROTO_ICMP_ID | 1 << CTA_PROTO_ICMP_TYPE |
	       1 << CTA_PROTO_ICMP_CODE,
	ICMPV6 = 1 << CTA_PROTO_ICMPV6_ID | 1 << CTA_PROTO_ICMPV6_TYPE |
		 1 << CTA_PROTO_ICMPV6_CODE,
	COUNTERS = 1 << CTA_COUNTERS_PACKETS | 1 << CTA_COUNTERS_BYTES,
	SEQADJ = 1 << CTA_SEQADJ_CORRECTION_POS |
		 1 << CTA_SEQADJ_OFFSET_BEFORE | 1 << CTA_SEQADJ_OFFSET_AFTER,
	SYNPROXY = 1 << CTA_SYNPROXY_ISN | 1 << CTA_SYNPROXY_ITS |
		   1 << CTA_SYNPROXY_TSOFF,
};

/* ---- tuples, based on struct ct_tuple ------------------------------------ */

static const struct ct_row ip_rows[] = {
	[CTA_IP_V4_SRC] = MEMBER(CT_ADDR4, CT_N_IPV4, struct ct_tuple, t.src, IPV4),
	[CTA_IP_V4_DST] = MEMBER(CT_ADDR4, CT_N_IPV4, struct ct_tuple, t.dst, IPV4),
	[CTA_IP_V6_SRC] = MEMBER(CT_ADDR16, CT_N_IPV6, struct ct_tuple, t.src, IPV6),
	[CTA_IP_V6_DST] = MEMBER(CT_ADDR16, CT_N_IPV6, struct ct_tuple, t.dst, IPV6),
};
static const struct ct_table ip_table = TABLE(ip_rows);

/* GRE keys stand in the ports (kernel: nf_conntrack_proto_gre.c). */
static const struct ct_row proto_rows[] = {
	[CTA_PROTO_NUM] = FIELD(CT_U8, CT_N_L4PROTO, struct ct_tuple, l4proto),
	[CTA_PROTO_SRC_PORT] = MEMBER(CT_BE16, CT_N_PORTS, struct ct_tuple, t.sport, PORTS),
	[CTA_PROTO_DST_PORT] = MEMBER(CT_BE16, CT_N_PORTS, struct ct_tuple, t.dport, PORTS),
	[CTA_PROTO_ICMP_ID] = MEMBER(CT_BE16, CT_N_ICMP, struct ct_tuple, t.icmp_id, ICMP),
	[CTA_PROTO_ICMP_TYPE] = MEMBER(CT_U8, CT_N_ICMP, struct ct_tuple, t.icmp_type, ICMP),
	[CTA_PROTO_ICMP_CODE] = MEMBER(CT_U8, CT_N_ICMP, struct ct_tuple, t.icmp_code, ICMP),
	[CTA_PROTO_ICMPV6_ID] = MEMBER(CT_BE16, CT_N_ICMPV6, struct ct_tuple, t.icmp_id, ICMPV6),
	[CTA_PROTO_ICMPV6_TYPE] = MEMBER(CT_U8, CT_N_ICMPV6, struct ct_tuple, t.icmp_type, ICMPV6),
	[CTA_PROTO_ICMPV6_CODE] = MEMBER(CT_U8, CT_N_ICMPV6, struct ct_tuple, t.icmp_code, ICMPV6),
};
static const struct ct_table proto_table = TABLE(proto_rows);

static const struct ct_row tuple_rows[] = {
	[CTA_TUPLE_IP] = WITHIN(ip_table),
	[CTA_TUPLE_PROTO] = WITHIN(proto_table),
	[CTA_TUPLE_ZONE] = FIELD(CT_BE16, CT_N_ZONE, struct ct_tuple, zone),
};
const struct ct_table ct_tuple_table = TABLE(tuple_rows);

/* ---- translation, based on struct ct_nat --------------------------------- */

/* A missing maximum is equal to the minimum. */
static const struct ct_row protonat_rows[] = {
	[CTA_PROTONAT_PORT_MIN] = FIELD(CT_BE16, CT_N_PORTS, struct ct_nat, port),
};
static const struct ct_table protonat_table = TABLE(protonat_rows);

static const struct ct_row nat_rows[] = {
	[CTA_NAT_V4_MINIP] = FIELD(CT_ADDR4, CT_N_IPV4, struct ct_nat, addr),
	[CTA_NAT_PROTO] = WITHIN(protonat_table),
	[CTA_NAT_V6_MINIP] = FIELD(CT_ADDR16, CT_N_IPV6, struct ct_nat, addr),
};
static const struct ct_table nat_table = TABLE(nat_rows);

/* ---- parts of struct flow ------------------------------------------------ */

static const struct ct_row counters_rows[] = {
	[CTA_COUNTERS_PACKETS] = MEMBER(CT_BE64, CT_N_ALL, struct flow_counters, packets, COUNTERS),
	[CTA_COUNTERS_BYTES] = MEMBER(CT_BE64, CT_N_ALL, struct flow_counters, bytes, COUNTERS),
};
static const struct ct_table counters_table = TABLE(counters_rows);

static const struct ct_row seqadj_rows[] = {
	[CTA_SEQADJ_CORRECTION_POS] = MEMBER(CT_BE32, CT_N_ALL, struct flow_seqadj, pos, SEQADJ),
	[CTA_SEQADJ_OFFSET_BEFORE] = MEMBER(CT_BE32, CT_N_ALL, struct flow_seqadj, before, SEQADJ),
	[CTA_SEQADJ_OFFSET_AFTER] = MEMBER(CT_BE32, CT_N_ALL, struct flow_seqadj, after, SEQADJ),
};
static const struct ct_table seqadj_table = TABLE(seqadj_rows);

#define FLOW(kind, bit, field) FIELD(kind, bit, struct flow, field)

static const struct ct_row synproxy_rows[] = {
	[CTA_SYNPROXY_ISN] = MEMBER(CT_BE32, FLOW_N_SYNPROXY, struct flow, synproxy.isn, SYNPROXY),
	[CTA_SYNPROXY_ITS] = MEMBER(CT_BE32, FLOW_N_SYNPROXY, struct flow, synproxy.its, SYNPROXY),
	[CTA_SYNPROXY_TSOFF] = MEMBER(CT_BE32, FLOW_N_SYNPROXY, struct flow, synproxy.tsoff, SYNPROXY),
};
static const struct ct_table synproxy_table = TABLE(synproxy_rows);

static const struct ct_row tcp_rows[] = {
	[CTA_PROTOINFO_TCP_STATE] = FLOW(CT_U8, FLOW_N_TCP_STATE, tcp_state),
	[CTA_PROTOINFO_TCP_WSCALE_ORIGINAL] = FLOW(CT_U8, FLOW_N_TCP_WSCALE_ORIG, tcp_wscale_orig),
	[CTA_PROTOINFO_TCP_WSCALE_REPLY] = FLOW(CT_U8, FLOW_N_TCP_WSCALE_REPLY, tcp_wscale_reply),
	[CTA_PROTOINFO_TCP_FLAGS_ORIGINAL] = FLOW(CT_FLAGS, FLOW_N_TCP_FLAGS_ORIG, tcp_flags_orig),
	[CTA_PROTOINFO_TCP_FLAGS_REPLY] = FLOW(CT_FLAGS, FLOW_N_TCP_FLAGS_REPLY, tcp_flags_reply),
};
static const struct ct_table tcp_table = TABLE(tcp_rows);

static const struct ct_row dccp_rows[] = {
	[CTA_PROTOINFO_DCCP_STATE] = FLOW(CT_U8, FLOW_N_DCCP_STATE, dccp_state),
	[CTA_PROTOINFO_DCCP_ROLE] = FLOW(CT_U8, FLOW_N_DCCP_ROLE, dccp_role),
	[CTA_PROTOINFO_DCCP_HANDSHAKE_SEQ] = FLOW(CT_BE64, FLOW_N_DCCP_SEQ, dccp_seq),
};
static const struct ct_table dccp_table = TABLE(dccp_rows);

static const struct ct_row sctp_rows[] = {
	[CTA_PROTOINFO_SCTP_STATE] = FLOW(CT_U8, FLOW_N_SCTP_STATE, sctp_state),
	[CTA_PROTOINFO_SCTP_VTAG_ORIGINAL] = FLOW(CT_BE32, FLOW_N_SCTP_VTAG_ORIG, sctp_vtag_orig),
	[CTA_PROTOINFO_SCTP_VTAG_REPLY] = FLOW(CT_BE32, FLOW_N_SCTP_VTAG_REPLY, sctp_vtag_reply),
};
static const struct ct_table sctp_table = TABLE(sctp_rows);

static const struct ct_row protoinfo_rows[] = {
	[CTA_PROTOINFO_TCP] = WITHIN(tcp_table),
	[CTA_PROTOINFO_DCCP] = WITHIN(dccp_table),
	[CTA_PROTOINFO_SCTP] = WITHIN(sctp_table),
};
static const struct ct_table protoinfo_table = TABLE(protoinfo_rows);

static const struct ct_row help_rows[] = {
	[CTA_HELP_NAME] = FLOW(CT_HELPER, FLOW_N_HELPER, helper),
};
static const struct ct_table help_table = TABLE(help_rows);

static const struct ct_row secctx_rows[] = {
	[CTA_SECCTX_NAME] = FLOW(CT_CONTEXT, FLOW_N_SECCTX, secctx),
};
static const struct ct_table secctx_table = TABLE(secctx_rows);

static const struct ct_row timestamp_rows[] = {
	[CTA_TIMESTAMP_START] = FLOW(CT_BE64, FLOW_N_TIMESTAMP_START, start_ns),
	[CTA_TIMESTAMP_STOP] = FLOW(CT_BE64, FLOW_N_TIMESTAMP_STOP, stop_ns),
};
static const struct ct_table timestamp_table = TABLE(timestamp_rows);

#undef FLOW

/* ---- the message, based on struct flow ----------------------------------- */

/* KNOWN: read, and written in a report only. CHANGE: also given to a new entry
 * and to one that exists. KEY: in every message. An update that has the reply
 * tuple, a translation, a master or a helper is refused by the kernel or does
 * not do what it says. */
enum {
	KNOWN = CT_IN | CT_REPORT,
	NEW = KNOWN | CT_CREATE,
	CHANGE = NEW | CT_UPDATE,
	KEY = CHANGE | CT_DELETE | CT_GET,
};

#define FLOW(ops, kind, bit, field)                                            \
	{ kind, bit, ops, sizeof(((struct flow *)0)->field),                   \
	  offsetof(struct flow, field), 0, NULL }
#define PART(ops, bit, field, table)                                           \
	{ CT_NEST, bit, ops, sizeof(((struct flow *)0)->field),                \
	  offsetof(struct flow, field), 0, &(table) }
#define SIDE(ops, field, table)                                                \
	{ CT_SIDE, CT_N_NONE, ops, sizeof(((struct ct_side *)0)->field),       \
	  offsetof(struct ct_side, field), 0, &(table) }
#define GROUP(ops, table)                                                      \
	{ CT_NEST, CT_N_NONE, ops, 0, 0, 0, &(table) }

static const struct ct_row message_rows[] = {
	[CTA_TUPLE_ORIG] = SIDE(KEY, orig, ct_tuple_table),
	[CTA_TUPLE_REPLY] = SIDE(NEW, reply, ct_tuple_table),
	[CTA_STATUS] = FLOW(CHANGE, CT_BE32, FLOW_N_STATUS, status),
	[CTA_PROTOINFO] = GROUP(CHANGE, protoinfo_table),
	[CTA_HELP] = GROUP(NEW, help_table),
	[CTA_NAT_SRC] = SIDE(CT_CREATE, nat_src, nat_table),
	[CTA_TIMEOUT] = FLOW(CHANGE, CT_BE32, FLOW_N_TIMEOUT, timeout_s),
	[CTA_MARK] = FLOW(CHANGE, CT_BE32, FLOW_N_MARK, mark),
	[CTA_COUNTERS_ORIG] = PART(KNOWN, FLOW_N_COUNTERS_ORIG, counters_orig, counters_table),
	[CTA_COUNTERS_REPLY] = PART(KNOWN, FLOW_N_COUNTERS_REPLY, counters_reply, counters_table),
	[CTA_USE] = FLOW(KNOWN, CT_BE32, FLOW_N_USE, use),
	/* a deletion that names the id ends this life of the entry only */
	[CTA_ID] = FLOW(KNOWN | CT_DELETE, CT_BE32, FLOW_N_ID, id),
	[CTA_NAT_DST] = SIDE(CT_CREATE, nat_dst, nat_table),
	[CTA_TUPLE_MASTER] = SIDE(NEW, master, ct_tuple_table),
	[CTA_SEQ_ADJ_ORIG] = PART(CHANGE, FLOW_N_SEQADJ_ORIG, seqadj_orig, seqadj_table),
	[CTA_SEQ_ADJ_REPLY] = PART(CHANGE, FLOW_N_SEQADJ_REPLY, seqadj_reply, seqadj_table),
	[CTA_SECMARK] = FLOW(KNOWN, CT_BE32, FLOW_N_SECMARK, secmark),
	[CTA_ZONE] = FLOW(KEY, CT_BE16, CT_N_ZONE, zone),
	[CTA_SECCTX] = GROUP(KNOWN, secctx_table),
	[CTA_TIMESTAMP] = GROUP(KNOWN, timestamp_table),
	[CTA_LABELS] = FLOW(CHANGE, CT_LABELS, FLOW_N_LABELS, labels),
	[CTA_SYNPROXY] = GROUP(CHANGE, synproxy_table),
};
/* clang-format on */

#undef FLOW
#undef PART
#undef SIDE
#undef GROUP
#undef FIELD
#undef MEMBER
#undef WITHIN

const struct ct_table ct_message_table = TABLE(message_rows);
#undef TABLE
