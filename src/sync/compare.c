/* SPDX-License-Identifier: ISC */
#include "sync/compare.h"

#include "sync/mirror.h"

static bool same_direction(const struct tuple *a, const struct tuple *b)
{
	return addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst) &&
	       a->sport == b->sport && a->dport == b->dport &&
	       a->icmp_id == b->icmp_id;
}

static bool same_master(const struct flow *a, const struct flow *b)
{
	if ((a->has & FLOW_MASTER) != (b->has & FLOW_MASTER))
		return false;
	return !(a->has & FLOW_MASTER) ||
	       (addr_equal(&a->master.src, &b->master.src) &&
		addr_equal(&a->master.dst, &b->master.dst) &&
		a->master.l4proto == b->master.l4proto &&
		(!(a->has & b->has & FLOW_MASTER_PORTS) ||
		 (a->master.sport == b->master.sport &&
		  a->master.dport == b->master.dport)));
}

/* A master that nobody knows has ended: no kernel makes a flow with it, and
 * one that was made without it need not be made again. */
static bool has_master_left(const struct wanted *wanted,
			    const struct flow_cache *internal)
{
	struct flow m = flow_master(&wanted->flow);

	return wanted->has_master ||
	       (internal && flow_cache_find(internal, &m) != FLOW_CACHE_NO_ID);
}

/* The kernel keeps the translation and the master that an entry was made with,
 * whatever an update says. */
static bool can_update(const struct wanted *wanted, const struct flow *there,
		       const struct flow_cache *internal)
{
	struct tuple was = flow_reply(there), is = flow_reply(&wanted->flow);

	if (!same_direction(&was, &is))
		return false;
	return same_master(there, &wanted->flow) ||
	       (!(there->has & FLOW_MASTER) &&
		!has_master_left(wanted, internal));
}

/* What the kernel has made of packets that run the other way, before there was
 * an entry of the flow that they belong to. */
static bool runs_back(const struct flow *there, const struct flow *wanted)
{
	struct tuple reply = flow_reply(wanted), inverse = flow_inverse(wanted);

	return same_direction(&there->orig, &reply) ||
	       same_direction(&there->orig, &inverse);
}

/* What is there, against the peer's last word. */
enum age {
	AGE_OLDER,
	AGE_NEWER,     /* the same connection, seen here since */
	AGE_NEXT_LIFE, /* another connection, that has begun here since */
};

static bool is_in_handshake(const struct flow *f)
{
	return f->has & FLOW_TCP_STATE && (f->tcp_state == TCP_STATE_SYN_SENT ||
					   f->tcp_state == TCP_STATE_SYN_RECV ||
					   f->tcp_state == TCP_STATE_SYN_SENT2);
}

/* The kernel has tracked this connection from its SYN on: one that it has
 * picked up, and one that a commit has made, is liberal about windows, and one
 * that was made by hand has seen no acknowledgement (kernel:
 * nf_conntrack_proto_tcp.c). */
static bool has_begun_here(const struct flow *f)
{
	uint8_t flags = f->has & FLOW_TCP_FLAGS_ORIG ? f->tcp_flags_orig : 0;

	if (f->l4proto != L4_TCP || flags & TCP_FLAG_BE_LIBERAL)
		return false;
	return is_in_handshake(f) || flags & TCP_FLAG_MAXACK_SET;
}

/* known: the entry of the internal cache, if it has one. */
static enum age age_of(const struct flow *there, struct flow_cache *internal,
		       uint32_t known, uint32_t told_s)
{
	const struct entry_head *h;

	if (!internal)
		return AGE_OLDER;
	if (known == FLOW_CACHE_NO_ID) /* its event has not been read yet */
		return is_in_handshake(there) && has_begun_here(there)
			       ? AGE_NEXT_LIFE
			       : AGE_OLDER;
	/* nobody knows since when */
	if (flow_cache_is_marked(internal, SET_DOUBTED, known))
		return AGE_OLDER;
	h = flow_cache_head(internal, known);
	if (h->created_s > told_s && has_begun_here(there))
		return AGE_NEXT_LIFE;
	return h->changed_s > told_s ? AGE_NEWER : AGE_OLDER;
}

/* Takes off an update what has happened here since the peer's last word. */
static void keep_newer(const struct there *there, struct flow *f)
{
	const uint64_t tracked =
		FLOW_TCP_STATE | FLOW_SCTP_STATE | FLOW_SCTP_VTAG_ORIG |
		FLOW_SCTP_VTAG_REPLY | FLOW_DCCP_STATE | FLOW_DCCP_ROLE |
		FLOW_DCCP_SEQ | FLOW_LABELS | FLOW_SEQADJ_ORIG |
		FLOW_SEQADJ_REPLY | FLOW_SYNPROXY;
	int64_t left_s = (int64_t)there->flow.timeout_s - there->age_s;

	f->has &= ~(there->flow.has & tracked);
	if (there->flow.has & FLOW_MARK && there->flow.mark)
		f->has &= ~FLOW_MARK;
	if (there->flow.has & FLOW_TIMEOUT && left_s > f->timeout_s)
		f->timeout_s = (uint32_t)left_s;
}

enum comparison compare_flows(const struct wanted *wanted,
			      const struct there *there,
			      struct flow_cache *internal, uint32_t known)
{
	bool is_same = flow_same_key(&there->flow, &wanted->flow);
	enum age age;

	if (!is_same && !runs_back(&there->flow, &wanted->flow))
		return COMPARE_ANOTHER;
	age = age_of(&there->flow, internal, known, wanted->told_s);
	if (age == AGE_NEXT_LIFE)
		return COMPARE_NEXT_LIFE;
	if (!is_same || !can_update(wanted, &there->flow, internal))
		return COMPARE_REPLACE;
	return age == AGE_NEWER ? COMPARE_UPDATE_NEWER : COMPARE_UPDATE;
}

/* The kernel does not let go of what it has seen of a flow, and a flow is
 * expected or not for all its life. */
void compare_update(const struct wanted *wanted, const struct there *there,
		    bool is_newer, struct flow *out)
{
	const uint32_t seen = STATUS_SEEN_REPLY | STATUS_ASSURED;

	*out = wanted->flow;
	if (there->flow.has & FLOW_STATUS) {
		out->status = out->has & FLOW_STATUS ? out->status : 0;
		out->status &= ~(uint32_t)STATUS_EXPECTED;
		out->status |= there->flow.status & (seen | STATUS_EXPECTED);
		out->has |= FLOW_STATUS;
	}
	if (is_newer)
		keep_newer(there, out);
}
