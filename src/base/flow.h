/* SPDX-License-Identifier: ISC */
/* flow.h - a decoded conntrack entry: a plain value of fixed size. */
#ifndef BASE_FLOW_H
#define BASE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* Presence bits of struct flow. A field without its bit is never read. The
 * key (family, l4proto, both original addresses, zone) has no bit: a valid
 * flow always has it; zone 0 stands for none. Ports, ICMP fields, GRE keys and
 * the zone of the original direction belong to the key where they are known. */
#define FLOW_BIT(n) (UINT64_C(1) << (n))
enum flow_bit_number {
	FLOW_N_PORTS,
	FLOW_N_ICMP,
	FLOW_N_GRE_KEYS,
	FLOW_N_ZONE_ORIG,
	FLOW_N_REPLY,
	FLOW_N_STATUS,
	FLOW_N_TIMEOUT,
	FLOW_N_MARK,
	FLOW_N_TCP_STATE,
	FLOW_N_TCP_WSCALE_ORIG,
	FLOW_N_TCP_WSCALE_REPLY,
	FLOW_N_TCP_FLAGS_ORIG,
	FLOW_N_TCP_FLAGS_REPLY,
	FLOW_N_SCTP_STATE,
	FLOW_N_SCTP_VTAG_ORIG,
	FLOW_N_SCTP_VTAG_REPLY,
	FLOW_N_DCCP_STATE,
	FLOW_N_DCCP_ROLE,
	FLOW_N_DCCP_SEQ,
	FLOW_N_MASTER,
	FLOW_N_MASTER_PORTS,
	FLOW_N_HELPER,
	FLOW_N_LABELS,
	FLOW_N_SEQADJ_ORIG,
	FLOW_N_SEQADJ_REPLY,
	FLOW_N_SYNPROXY,
	FLOW_N_SECMARK,
	FLOW_N_SECCTX,
	FLOW_N_ID,
	FLOW_N_USE,
	FLOW_N_ZONE_REPLY,
	FLOW_N_COUNTERS_ORIG,
	FLOW_N_COUNTERS_REPLY,
	FLOW_N_TIMESTAMP_START,
	FLOW_N_TIMESTAMP_STOP,
	FLOW_N_LAST
};
#define FLOW_PORTS            FLOW_BIT(FLOW_N_PORTS)    /* orig.sport, dport */
#define FLOW_ICMP             FLOW_BIT(FLOW_N_ICMP)     /* orig.icmp_* */
#define FLOW_GRE_KEYS         FLOW_BIT(FLOW_N_GRE_KEYS) /* in sport, dport */
#define FLOW_ZONE_ORIG        FLOW_BIT(FLOW_N_ZONE_ORIG)
#define FLOW_REPLY            FLOW_BIT(FLOW_N_REPLY) /* the whole reply tuple */
#define FLOW_STATUS           FLOW_BIT(FLOW_N_STATUS)
#define FLOW_TIMEOUT          FLOW_BIT(FLOW_N_TIMEOUT)
#define FLOW_MARK             FLOW_BIT(FLOW_N_MARK)
#define FLOW_TCP_STATE        FLOW_BIT(FLOW_N_TCP_STATE)
#define FLOW_TCP_WSCALE_ORIG  FLOW_BIT(FLOW_N_TCP_WSCALE_ORIG)
#define FLOW_TCP_WSCALE_REPLY FLOW_BIT(FLOW_N_TCP_WSCALE_REPLY)
#define FLOW_TCP_FLAGS_ORIG   FLOW_BIT(FLOW_N_TCP_FLAGS_ORIG)
#define FLOW_TCP_FLAGS_REPLY  FLOW_BIT(FLOW_N_TCP_FLAGS_REPLY)
#define FLOW_SCTP_STATE       FLOW_BIT(FLOW_N_SCTP_STATE)
#define FLOW_SCTP_VTAG_ORIG   FLOW_BIT(FLOW_N_SCTP_VTAG_ORIG)
#define FLOW_SCTP_VTAG_REPLY  FLOW_BIT(FLOW_N_SCTP_VTAG_REPLY)
#define FLOW_DCCP_STATE       FLOW_BIT(FLOW_N_DCCP_STATE)
#define FLOW_DCCP_ROLE        FLOW_BIT(FLOW_N_DCCP_ROLE)
#define FLOW_DCCP_SEQ         FLOW_BIT(FLOW_N_DCCP_SEQ)
#define FLOW_MASTER           FLOW_BIT(FLOW_N_MASTER) /* addresses, protocol */
#define FLOW_MASTER_PORTS     FLOW_BIT(FLOW_N_MASTER_PORTS)
#define FLOW_HELPER           FLOW_BIT(FLOW_N_HELPER)
#define FLOW_LABELS           FLOW_BIT(FLOW_N_LABELS)
#define FLOW_SEQADJ_ORIG      FLOW_BIT(FLOW_N_SEQADJ_ORIG)
#define FLOW_SEQADJ_REPLY     FLOW_BIT(FLOW_N_SEQADJ_REPLY)
#define FLOW_SYNPROXY         FLOW_BIT(FLOW_N_SYNPROXY)
#define FLOW_SECMARK          FLOW_BIT(FLOW_N_SECMARK)
#define FLOW_SECCTX           FLOW_BIT(FLOW_N_SECCTX)
#define FLOW_ID               FLOW_BIT(FLOW_N_ID)
#define FLOW_USE              FLOW_BIT(FLOW_N_USE)
#define FLOW_ZONE_REPLY       FLOW_BIT(FLOW_N_ZONE_REPLY)
#define FLOW_COUNTERS_ORIG    FLOW_BIT(FLOW_N_COUNTERS_ORIG)
#define FLOW_COUNTERS_REPLY   FLOW_BIT(FLOW_N_COUNTERS_REPLY)
#define FLOW_TIMESTAMP_START  FLOW_BIT(FLOW_N_TIMESTAMP_START)
#define FLOW_TIMESTAMP_STOP   FLOW_BIT(FLOW_N_TIMESTAMP_STOP)

/* IP protocol numbers that have a meaning here (IANA). */
enum l4proto {
	L4_ICMP = 1,
	L4_TCP = 6,
	L4_UDP = 17,
	L4_DCCP = 33,
	L4_GRE = 47,
	L4_ICMPV6 = 58,
	L4_SCTP = 132,
	L4_UDPLITE = 136,
};

/* Status bits, those of Linux (enum ip_conntrack_status); netlink/ proves it.
 */
enum flow_status {
	STATUS_EXPECTED = 0x0001,
	STATUS_SEEN_REPLY = 0x0002,
	STATUS_ASSURED = 0x0004,
	STATUS_CONFIRMED = 0x0008,
	STATUS_SRC_NAT = 0x0010,
	STATUS_DST_NAT = 0x0020,
	STATUS_SEQ_ADJUST = 0x0040,
	STATUS_SRC_NAT_DONE = 0x0080,
	STATUS_DST_NAT_DONE = 0x0100,
	STATUS_DYING = 0x0200,
	STATUS_FIXED_TIMEOUT = 0x0400,
	STATUS_TEMPLATE = 0x0800,
	STATUS_NAT_CLASH = 0x1000,
	STATUS_HELPER = 0x2000,
	STATUS_OFFLOAD = 0x4000,
	STATUS_HW_OFFLOAD = 0x8000,
};

/* TCP states of Linux (enum tcp_conntrack); netlink/ proves it. */
enum flow_tcp_state {
	TCP_STATE_NONE,
	TCP_STATE_SYN_SENT,
	TCP_STATE_SYN_RECV,
	TCP_STATE_ESTABLISHED,
	TCP_STATE_FIN_WAIT,
	TCP_STATE_CLOSE_WAIT,
	TCP_STATE_LAST_ACK,
	TCP_STATE_TIME_WAIT,
	TCP_STATE_CLOSE,
	TCP_STATE_SYN_SENT2,
	TCP_STATE_N
};

/* Per-direction TCP flags of Linux (IP_CT_TCP_FLAG_*). */
enum flow_tcp_flag {
	TCP_FLAG_WINDOW_SCALE = 0x01,
	TCP_FLAG_BE_LIBERAL = 0x08,
	TCP_FLAG_MAXACK_SET = 0x20, /* an acknowledgement was seen */
};

/* One direction. Ports and GRE keys are in host order. */
struct tuple {
	struct addr src, dst;
	uint16_t sport, dport; /* FLOW_PORTS; or source and destination key */
	uint16_t icmp_id;      /* FLOW_ICMP */
	uint8_t icmp_type, icmp_code;
};

struct flow_seqadj {
	uint32_t pos;
	uint32_t before, after; /* two's complement offsets */
};

struct flow_counters {
	uint64_t packets, bytes;
};

struct flow {
	uint64_t has; /* FLOW_* bits */

	/* the key */
	uint8_t family; /* enum family */
	uint8_t l4proto;
	uint16_t zone; /* of both directions; 0 is none */
	struct tuple orig;

	struct tuple reply; /* as the kernel has it: shows NAT */
	uint32_t status;
	uint32_t timeout_s;
	uint32_t mark;

	uint8_t tcp_state;
	uint8_t tcp_wscale_orig, tcp_wscale_reply;
	uint8_t tcp_flags_orig, tcp_flags_reply;
	uint8_t sctp_state;
	uint8_t dccp_state, dccp_role;
	uint32_t sctp_vtag_orig, sctp_vtag_reply;
	uint64_t dccp_seq;

	struct {
		struct addr src, dst;
		uint16_t sport, dport; /* FLOW_MASTER_PORTS */
		uint8_t l4proto;
	} master;

	uint16_t helper;    /* id in the daemon's table of names */
	uint16_t secctx;    /* likewise */
	uint8_t labels[16]; /* bit b of label l: labels[l / 8] bit l % 8 */
	struct flow_seqadj seqadj_orig, seqadj_reply;
	struct {
		uint32_t isn, its, tsoff;
	} synproxy;
	uint32_t secmark;
	uint32_t id; /* the kernel's identity of this life of the entry */
	uint32_t use;
	/* Zones of one direction only. That of the original one is a part of
	 * the key, as in Linux; the reply's tells no two flows apart. */
	uint16_t zone_orig, zone_reply;
	struct flow_counters counters_orig, counters_reply;
	uint64_t start_ns, stop_ns; /* wall clock */
};

/* True if family, addresses, protocol, zones and what tells flows of the
 * protocol apart (ports, ICMP fields, GRE keys) are equal. */
bool flow_same_key(const struct flow *a, const struct flow *b);

/* For two of the same key: false if both know their reply tuple and these
 * differ, which one connection never changes: they are two lives. */
bool flow_same_reply(const struct flow *a, const struct flow *b);

/* For two of the same key: false if both know the kernel's id and these differ:
 * they are two lives. Equal ids prove little: a life that begins at once may
 * get the memory, and with it the id, of the one before. */
bool flow_same_id(const struct flow *a, const struct flow *b);

/* The reply direction of an untranslated flow: addresses and ports swapped,
 * ICMP type answered (8-0, 13-14, 15-16, 17-18, 128-129, 139-140; others have
 * no answer and stay). */
struct tuple flow_inverse(const struct flow *f);

/* The reply tuple if it is known, its inverse otherwise. */
struct tuple flow_reply(const struct flow *f);

/* Takes over every field that from has and to may change: the key and, if to
 * knows one, the reply tuple stay (PROTOCOL.md 4.2). */
void flow_merge(struct flow *to, const struct flow *from);

/* The kernel reports an offloaded flow without timeout and protocol data. What
 * is not known of one becomes what the kernel would have said: established,
 * and a timeout in force while nothing is heard of it. Others are left alone.
 */
void flow_complete_offloaded(struct flow *f);
bool flow_is_offloaded(const struct flow *f);

/* What makes a flow "related" on commit: a known master (PROTOCOL.md 5.4). */
bool flow_is_related(const struct flow *f);

/* The master of a related flow, as far as it is known: a key to find it by. */
struct flow flow_master(const struct flow *f);

/* NAT as the wire and the kernel name it: what the reply tuple shows, as far
 * as the status allows it (PROTOCOL.md 2.3). A set of NAT_* bits. */
enum flow_nat {
	NAT_SRC_ADDR = 1,
	NAT_DST_ADDR = 2,
	NAT_SRC_PORT = 4,
	NAT_DST_PORT = 8,
};
unsigned int flow_nat(const struct flow *f);

#endif
