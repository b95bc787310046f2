/* SPDX-License-Identifier: ISC */
#include "sync/compare.h"

#include "sync/mirror.h"
#include "sync/outbox.h"

enum {
	ALIVE_S = 4, /* a timeout has as much more left if packets came */
};

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

static bool is_over(const struct flow *f)
{
	return f->has & FLOW_TCP_STATE &&
	       (f->tcp_state == TCP_STATE_TIME_WAIT ||
		f->tcp_state == TCP_STATE_CLOSE);
}

/* It has begun here since. Who tells of it at the same time may see its other
 * direction, unless what he tells of is over before it is open. */
static enum age age_of_begun(const struct wanted *wanted,
			     const struct flow *there)
{
	if (wanted->by == WANTED_BY_COMMIT ||
	    (is_over(&wanted->flow) && is_in_handshake(there)))
		return AGE_NEXT_LIFE;
	return AGE_NEWER;
}

/* From when on this kernel's word is the newer one: what has just been told and
 * a peer's message have crossed. */
static uint32_t newer_from_s(const struct wanted *wanted)
{
	return wanted->by == WANTED_BY_COMMIT ? wanted->told_s + 1
					      : wanted->told_s - MIRROR_OWN_S;
}

/* The internal cache knows the entry by something else than an event of this
 * kernel's own: nobody knows since when it is so, or a peer has told. */
static bool is_not_own(const struct flow_cache *internal, uint32_t known)
{
	return flow_cache_is_marked(internal, SET_DOUBTED, known) ||
	       flow_cache_is_marked(internal, SET_INJECTED, known);
}

/* known: the entry of the internal cache, if it has one. */
static enum age age_of(const struct wanted *wanted, const struct flow *there,
		       struct flow_cache *internal, uint32_t known)
{
	const uint32_t from_s = newer_from_s(wanted);
	const struct entry_head *h;

	if (!internal)
		return AGE_OLDER;
	if (known == FLOW_CACHE_NO_ID) /* its event has not been read yet */
		return is_in_handshake(there) && has_begun_here(there)
			       ? age_of_begun(wanted, there)
			       : AGE_OLDER;
	if (is_not_own(internal, known))
		return AGE_OLDER;
	h = flow_cache_head(internal, known);
	if (h->created_s >= from_s && has_begun_here(there))
		return age_of_begun(wanted, there);
	return h->changed_s >= from_s ? AGE_NEWER : AGE_OLDER;
}

/* Packets have come since the cache heard of it: they begin its time anew, and
 * no event tells. */
static bool is_alive_here(const struct there *there, const struct wanted *w,
			  struct flow_cache *internal, uint32_t known)
{
	int64_t left_s;
	struct flow f;

	if (!internal || known == FLOW_CACHE_NO_ID)
		return false;
	flow_cache_get(internal, known, &f);
	left_s = (int64_t)f.timeout_s +
		 flow_cache_head(internal, known)->changed_s - w->told_s;
	return f.has & there->flow.has & FLOW_TIMEOUT &&
	       there->flow.timeout_s > left_s + ALIVE_S;
}

/* What this kernel last told of it, or will, the peers have not heard yet. */
static bool is_unknown(const struct there *there, struct flow_cache *internal,
		       uint32_t known)
{
	if (!internal)
		return false;
	if (known == FLOW_CACHE_NO_ID) /* its event has not been read yet */
		return is_in_handshake(&there->flow) &&
		       has_begun_here(&there->flow);
	return !is_not_own(internal, known) &&
	       !outbox_peers_know(flow_cache_head(internal, known));
}

/* What the cache knows may be a life before: our flush has deleted that, and a
 * peer has told this one. */
static bool is_known_life(struct flow_cache *internal, uint32_t known,
			  const struct flow *there)
{
	struct flow f;

	if (!internal || known == FLOW_CACHE_NO_ID)
		return false;
	flow_cache_get(internal, known, &f);
	return flow_same_id(&f, there);
}

/* A peer's DEL ends the life that it names, if that does not go on here. */
static enum comparison compare_end(const struct wanted *wanted,
				   const struct there *there,
				   struct flow_cache *internal, uint32_t known)
{
	struct tuple was = flow_reply(&there->flow);

	if (!is_known_life(internal, known, &there->flow))
		known = FLOW_CACHE_NO_ID;
	if (!flow_same_key(&there->flow, &wanted->flow) ||
	    (wanted->flow.has & FLOW_REPLY &&
	     !same_direction(&was, &wanted->flow.reply)))
		return COMPARE_ANOTHER;
	return is_unknown(there, internal, known) ||
			       is_alive_here(there, wanted, internal, known)
		       ? COMPARE_NEXT_LIFE
		       : COMPARE_END;
}

/* How far a connection has come; only such states are compared. */
static int rank_of(const struct flow *f)
{
	return f->tcp_state == TCP_STATE_SYN_SENT2 ? TCP_STATE_SYN_SENT
						   : f->tcp_state;
}

/* A peer's NEW of a connection that is over here: as in Linux, its addresses
 * and ports are used again. */
static bool is_used_again(const struct wanted *wanted, const struct flow *there)
{
	return wanted->by == WANTED_BY_NEW && is_over(there) &&
	       wanted->flow.has & FLOW_TCP_STATE && !is_over(&wanted->flow);
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

	if (wanted->by == WANTED_GONE)
		return compare_end(wanted, there, internal, known);
	if (!is_same && !runs_back(&there->flow, &wanted->flow))
		return COMPARE_ANOTHER;
	age = age_of(wanted, &there->flow, internal, known);
	if (age == AGE_NEXT_LIFE)
		return COMPARE_NEXT_LIFE;
	if (!is_same || !can_update(wanted, &there->flow, internal) ||
	    is_used_again(wanted, &there->flow))
		return age == AGE_NEWER && wanted->by != WANTED_BY_COMMIT
			       ? COMPARE_NEXT_LIFE
			       : COMPARE_REPLACE;
	return age == AGE_NEWER ? COMPARE_UPDATE_NEWER : COMPARE_UPDATE;
}

/* What decides how long the kernel keeps an idle flow. */
static bool is_same_stage(const struct flow *a, const struct flow *b)
{
	const uint32_t seen = STATUS_SEEN_REPLY | STATUS_ASSURED;
	const uint64_t both = a->has & b->has;

	return !(both & FLOW_STATUS && (a->status ^ b->status) & seen) &&
	       !(both & FLOW_TCP_STATE && a->tcp_state != b->tcp_state) &&
	       !(both & FLOW_SCTP_STATE && a->sctp_state != b->sctp_state) &&
	       !(both & FLOW_DCCP_STATE && a->dccp_state != b->dccp_state);
}

/* A peer does not know when the last packet came here. */
static void keep_time(const struct wanted *wanted, const struct there *there,
		      struct flow *f)
{
	if (there->flow.has & FLOW_TIMEOUT &&
	    there->flow.timeout_s > f->timeout_s &&
	    is_same_stage(&wanted->flow, &there->flow))
		f->has &= ~FLOW_TIMEOUT;
}

/* A connection does not go back: of two who know it the one knows more who has
 * seen it come further, whenever that was. */
static void keep_rank(const struct wanted *wanted, const struct there *there,
		      struct flow *f)
{
	int step;

	if (!(wanted->flow.has & there->flow.has & FLOW_TCP_STATE))
		return;
	step = rank_of(&wanted->flow) - rank_of(&there->flow);
	if (step < 0)
		f->has &= ~(FLOW_TCP_STATE | FLOW_TIMEOUT);
	if (step <= 0)
		return;
	f->tcp_state = wanted->flow.tcp_state;
	f->timeout_s = wanted->flow.timeout_s;
	f->has |= FLOW_TCP_STATE | FLOW_TIMEOUT;
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
	if (wanted->by == WANTED_BY_COMMIT)
		return;
	keep_time(wanted, there, out);
	keep_rank(wanted, there, out);
}
