/* SPDX-License-Identifier: ISC */
#include "sync/apply.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "sync/mirror.h"

enum { LOOKS_MAX = 16 }; /* at what is in the way of one flow */

/* How far a flow has come. */
enum step {
	STEP_FAIL,       /* no way is left */
	STEP_SUCCEED,    /* it is in the kernel */
	STEP_CREATE,     /* as it is */
	STEP_PLAIN,      /* create: the kernel lacks the helper, go without */
	STEP_ORPHAN,     /* create: the master has ended, go without */
	STEP_BARE,       /* create: without both */
	STEP_LOOK,       /* get what has the original tuple */
	STEP_LOOK_REPLY, /* nothing has: get what has the reply tuple */
	STEP_COMPARE,    /* with what is there, which decides what is next */
	STEP_UPDATE,     /* what is there has the same translation, master */
	STEP_N
};

/* What the kernel answers, as far as it makes a difference. */
enum answer {
	ANSWER_OTHER,
	ANSWER_OK,
	ANSWER_EXISTS,  /* one of the tuples is another entry's */
	ANSWER_LOST,    /* it may have been done or not */
	ANSWER_LACKS,   /* no such helper */
	ANSWER_MISSING, /* no such entry; creating: no such master */
	ANSWER_BUSY,    /* the status takes back what the kernel has seen */
	ANSWER_ENDING,  /* the entry is on its way out */
	ANSWER_N
};

/* What follows from an answer. Whatever is left out fails. A creation that has
 * gone without something is tried as a whole once something else was in its
 * way, for then the kernel is not what it was. STEP_LOOK from here is counted.
 */
static const uint8_t next_steps[STEP_N][ANSWER_N] = {
	[STEP_CREATE] = { [ANSWER_OK] = STEP_SUCCEED,
			  [ANSWER_EXISTS] = STEP_LOOK,
			  [ANSWER_LOST] = STEP_LOOK,
			  [ANSWER_LACKS] = STEP_PLAIN,
			  [ANSWER_MISSING] = STEP_ORPHAN },
	[STEP_PLAIN] = { [ANSWER_OK] = STEP_SUCCEED,
			 [ANSWER_EXISTS] = STEP_LOOK,
			 [ANSWER_LOST] = STEP_LOOK,
			 [ANSWER_MISSING] = STEP_BARE },
	[STEP_ORPHAN] = { [ANSWER_OK] = STEP_SUCCEED,
			  [ANSWER_EXISTS] = STEP_LOOK,
			  [ANSWER_LOST] = STEP_LOOK,
			  [ANSWER_LACKS] = STEP_BARE },
	[STEP_BARE] = { [ANSWER_OK] = STEP_SUCCEED,
			[ANSWER_EXISTS] = STEP_LOOK,
			[ANSWER_LOST] = STEP_LOOK },
	[STEP_LOOK] = { [ANSWER_OK] = STEP_COMPARE,
			[ANSWER_LOST] = STEP_LOOK,
			[ANSWER_MISSING] = STEP_LOOK_REPLY },
	[STEP_LOOK_REPLY] = { [ANSWER_OK] = STEP_COMPARE,
			      [ANSWER_LOST] = STEP_LOOK,
			      /* what was in the way has gone */
			      [ANSWER_MISSING] = STEP_CREATE },
	[STEP_UPDATE] = { [ANSWER_OK] = STEP_SUCCEED,
			  [ANSWER_LOST] = STEP_LOOK,
			  [ANSWER_MISSING] = STEP_CREATE,
			  [ANSWER_BUSY] = STEP_LOOK,
			  [ANSWER_ENDING] = STEP_CREATE },
};

/* An entry of the kernel's. */
struct there {
	struct flow flow;
	int64_t age_s; /* how long it had been so when this was taken up */
};

/* A flow under way. */
struct slot {
	struct flow wanted;
	struct there there; /* from STEP_COMPARE on */
	uint32_t told_s, cookie;
	bool has_master;
	uint8_t step; /* enum step: what it is at, or waits to do */
	uint8_t n_looks;
	struct slot *next; /* free, or waiting */
};

struct apply {
	struct apply_opts o;
	struct slot *free;
	struct slot *waiting, *last_waiting; /* for room, oldest first */
	uint32_t n_used;
	uint32_t n_in_flight; /* operations without an answer */
	struct slot slots[APPLY_SLOTS];
};

/* Whether the kernel side has taken an operation. */
enum sent {
	SENT,
	SENT_NOT,     /* it has no room now */
	SENT_NO_MORE, /* there is nothing to send: the flow has ended */
};

/* ---- what is there, and what is wanted ---------------------------------- */

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

static uint32_t find_here(const struct apply *a, const struct flow *f)
{
	return a->o.internal ? flow_cache_find(a->o.internal, f)
			     : FLOW_CACHE_NO_ID;
}

/* A master that nobody knows has ended: no kernel makes a flow with it, and
 * one that was made without it need not be made again. */
static bool has_master_left(const struct apply *a, const struct slot *s)
{
	struct flow m = flow_master(&s->wanted);

	return s->has_master || find_here(a, &m) != FLOW_CACHE_NO_ID;
}

/* The kernel keeps the translation and the master that an entry was made with,
 * whatever an update says. */
static bool can_update(const struct apply *a, const struct slot *s)
{
	const struct flow *there = &s->there.flow;
	struct tuple was = flow_reply(there), is = flow_reply(&s->wanted);

	if (!same_direction(&was, &is))
		return false;
	return same_master(there, &s->wanted) ||
	       (!(there->has & FLOW_MASTER) && !has_master_left(a, s));
}

/* What the kernel has made of packets that run the other way, before there was
 * an entry of the flow that they belong to. */
static bool runs_back(const struct flow *there, const struct flow *wanted)
{
	struct tuple reply = flow_reply(wanted), inverse = flow_inverse(wanted);

	return same_direction(&there->orig, &reply) ||
	       same_direction(&there->orig, &inverse);
}

/* ---- what this firewall knows better ------------------------------------ */

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
static enum age age_of(const struct apply *a, const struct flow *there,
		       uint32_t known, uint32_t told_s)
{
	const struct entry_head *h;

	if (!a->o.internal)
		return AGE_OLDER;
	if (known == FLOW_CACHE_NO_ID) /* its event has not been read yet */
		return is_in_handshake(there) && has_begun_here(there)
			       ? AGE_NEXT_LIFE
			       : AGE_OLDER;
	/* nobody knows since when */
	if (flow_cache_is_marked(a->o.internal, SET_DOUBTED, known))
		return AGE_OLDER;
	h = flow_cache_head(a->o.internal, known);
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

/* ---- slots -------------------------------------------------------------- */

struct apply *apply_new(const struct apply_opts *opts)
{
	struct apply *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->o = *opts;
	for (size_t i = APPLY_SLOTS; i-- > 0;) {
		a->slots[i].next = a->free;
		a->free = &a->slots[i];
	}
	return a;
}

void apply_free(struct apply *a)
{
	free(a);
}

bool apply_has_room(const struct apply *a)
{
	return a->free && !a->waiting;
}

bool apply_is_idle(const struct apply *a)
{
	return !a->n_used && !a->n_in_flight;
}

void apply_finish(struct apply *a)
{
	a->o.kernel->finish(a->o.kernel->self);
}

static struct slot *take_slot(struct apply *a)
{
	struct slot *s = a->free;

	a->free = s->next;
	a->n_used++;
	return s;
}

/* Its slot is free before the caller is told, who may want it at once. */
static enum sent end(struct apply *a, struct slot *s,
		     const struct apply_end *how)
{
	s->next = a->free;
	a->free = s;
	a->n_used--;
	a->o.ended(a->o.ctx, s->cookie, how);
	return SENT_NO_MORE;
}

static enum sent fail(struct apply *a, struct slot *s, enum kernel_op op,
		      int error)
{
	const struct apply_end how = { APPLY_FAILED, op, error };

	return end(a, s, &how);
}

static void wait_last(struct apply *a, struct slot *s)
{
	s->next = NULL;
	if (a->waiting)
		a->last_waiting->next = s;
	else
		a->waiting = s;
	a->last_waiting = s;
}

static void wait_first(struct apply *a, struct slot *s)
{
	s->next = a->waiting;
	if (!a->waiting)
		a->last_waiting = s;
	a->waiting = s;
}

/* ---- steps -------------------------------------------------------------- */

static enum sent submit(struct apply *a, struct slot *s, enum kernel_op op,
			const struct flow *f)
{
	const struct object o = { .kind = OBJECT_FLOW, .flow = f };
	int err = a->o.kernel->submit(a->o.kernel->self, op, &o,
				      (uint32_t)(s - a->slots));

	if (err == -EAGAIN)
		return SENT_NOT;
	if (err)
		return fail(a, s, op, err);
	a->n_in_flight++;
	return SENT;
}

static enum sent create(struct apply *a, struct slot *s)
{
	struct flow less;

	if (s->step == STEP_CREATE)
		return submit(a, s, KERNEL_CREATE, &s->wanted);
	less = s->wanted;
	if (s->step != STEP_ORPHAN)
		less.has &= ~FLOW_HELPER;
	if (s->step != STEP_PLAIN)
		less.has &= ~FLOW_MASTER;
	return submit(a, s, KERNEL_CREATE, &less);
}

static enum sent look(struct apply *a, struct slot *s)
{
	struct flow turned;

	if (s->step == STEP_LOOK)
		return submit(a, s, KERNEL_GET, &s->wanted);
	turned = s->wanted;
	turned.orig = flow_reply(&s->wanted);
	turned.has &= ~FLOW_REPLY;
	return submit(a, s, KERNEL_GET, &turned);
}

/* The kernel does not let go of what it has seen of a flow, and a flow is
 * expected or not for all its life. */
static enum sent update(struct apply *a, struct slot *s, enum age age)
{
	const uint32_t seen = STATUS_SEEN_REPLY | STATUS_ASSURED;
	const struct flow *there = &s->there.flow;
	struct flow f = s->wanted;
	enum sent sent;

	if (there->has & FLOW_STATUS) {
		f.status = f.has & FLOW_STATUS ? f.status : 0;
		f.status &= ~(uint32_t)STATUS_EXPECTED;
		f.status |= there->status & (seen | STATUS_EXPECTED);
		f.has |= FLOW_STATUS;
	}
	if (age == AGE_NEWER)
		keep_newer(&s->there, &f);
	sent = submit(a, s, KERNEL_UPDATE, &f);
	if (sent == SENT)
		s->step = STEP_UPDATE;
	return sent;
}

/* Both in one batch, if they fit: a packet that comes in between makes an
 * entry of its own. */
static enum sent replace(struct apply *a, struct slot *s)
{
	enum sent sent = submit(a, s, KERNEL_DELETE, &s->there.flow);

	if (sent != SENT)
		return sent;
	s->step = STEP_CREATE;
	return create(a, s);
}

/* Goes on from what the kernel has. known: see age_of(). What was learnt is
 * kept if there is no room for what follows: to ask once more might take the
 * room that the answer needs, for ever. */
static enum sent compare(struct apply *a, struct slot *s, uint32_t known)
{
	const struct apply_end newer = { .result = APPLY_NEWER };
	const struct flow *there = &s->there.flow;
	bool is_same = flow_same_key(there, &s->wanted);
	enum age age;

	s->step = STEP_COMPARE;
	if (!is_same && !runs_back(there, &s->wanted)) /* another flow's */
		return fail(a, s, KERNEL_CREATE, -EEXIST);
	age = age_of(a, there, known, s->told_s);
	if (age == AGE_NEXT_LIFE)
		return end(a, s, &newer);
	if (is_same && can_update(a, s))
		return update(a, s, age);
	return replace(a, s);
}

/* Does what a flow is at. */
static enum sent go_on(struct apply *a, struct slot *s)
{
	switch ((enum step)s->step) {
	case STEP_CREATE:
	case STEP_PLAIN:
	case STEP_ORPHAN:
	case STEP_BARE:
		return create(a, s);
	case STEP_LOOK:
	case STEP_LOOK_REPLY:
		return look(a, s);
	case STEP_COMPARE:
		return compare(a, s, find_here(a, &s->there.flow));
	case STEP_FAIL:
	case STEP_SUCCEED:
	case STEP_UPDATE: /* is sent by a comparison only */
	case STEP_N:
		break;
	}
	assert(false);
	return SENT_NO_MORE;
}

/* Ends it if the caller has lost interest. */
static bool is_wanted(struct apply *a, struct slot *s)
{
	const struct apply_end unwanted = { .result = APPLY_UNWANTED };

	if (a->o.is_wanted(a->o.ctx, s->cookie))
		return true;
	(void)end(a, s, &unwanted);
	return false;
}

/* What the internal cache knows of the kernel saves a question. */
static enum sent begin(struct apply *a, struct slot *s, uint32_t now_s)
{
	uint32_t known = find_here(a, &s->wanted);
	struct there *there = &s->there;

	if (known == FLOW_CACHE_NO_ID) {
		s->step = STEP_CREATE;
		return create(a, s);
	}
	flow_cache_get(a->o.internal, known, &there->flow);
	there->age_s = (int64_t)now_s -
		       flow_cache_head(a->o.internal, known)->changed_s;
	return compare(a, s, known);
}

void apply_put(struct apply *a, const struct apply_item *item, uint32_t now_s)
{
	struct slot *s;

	assert(apply_has_room(a));
	s = take_slot(a);
	s->wanted = *item->flow;
	s->told_s = item->told_s;
	s->cookie = item->cookie;
	s->has_master = item->has_master;
	s->n_looks = 0;
	if (begin(a, s, now_s) == SENT_NOT)
		wait_last(a, s);
	/* nobody can put what would fill the batch */
	else if (!a->free)
		apply_finish(a);
}

bool apply_resume(struct apply *a)
{
	while (a->waiting) {
		struct slot *s = a->waiting;

		a->waiting = s->next;
		if (is_wanted(a, s) && go_on(a, s) == SENT_NOT) {
			wait_first(a, s);
			break;
		}
	}
	return apply_has_room(a);
}

static enum answer answer_of(int error)
{
	switch (-error) {
	case 0:
		return ANSWER_OK;
	case EEXIST:
		return ANSWER_EXISTS;
	case ENOBUFS:
		return ANSWER_LOST;
	case EOPNOTSUPP:
		return ANSWER_LACKS;
	case ENOENT:
		return ANSWER_MISSING;
	case EBUSY:
		return ANSWER_BUSY;
	case ETIME:
		return ANSWER_ENDING;
	default:
		return ANSWER_OTHER;
	}
}

/* What the table says, within limits. A flow outlives its master, but what has
 * none does not fail for lack of one. What is in the way is not looked at for
 * ever, for packets may change it as often. */
static enum step next_step(struct slot *s, int error)
{
	enum step next = (enum step)next_steps[s->step][answer_of(error)];

	if ((next == STEP_ORPHAN || next == STEP_BARE) &&
	    !flow_is_related(&s->wanted))
		return STEP_FAIL;
	if (next == STEP_LOOK && s->n_looks++ >= LOOKS_MAX)
		return STEP_FAIL;
	return next;
}

void apply_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		const struct flow *found)
{
	const struct apply_end success = { .result = APPLY_COMMITTED };
	struct apply *a = ctx;
	struct slot *s = &a->slots[cookie];

	assert(a->n_in_flight > 0);
	a->n_in_flight--;
	/* The creation that followed tells all, even that there is none. */
	if (op == KERNEL_DELETE || !is_wanted(a, s))
		return;
	s->step = next_step(s, error);
	if (s->step == STEP_SUCCEED) {
		(void)end(a, s, &success);
		return;
	}
	if (s->step == STEP_FAIL) {
		(void)fail(a, s, op, error);
		return;
	}
	if (s->step == STEP_COMPARE)
		s->there = (struct there){ .flow = *found };
	if (go_on(a, s) == SENT_NOT)
		wait_last(a, s);
}
