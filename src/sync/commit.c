/* SPDX-License-Identifier: ISC */
#include "sync/commit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "sync/mirror.h"

enum {
	COMMIT_STEP = 1024,     /* ids looked at in one step, or some more */
	LOOKS_MAX = 16,         /* at one entry, before it is given up */
	TIMEOUT_OVERDUE_S = 60, /* spec 7.2: the sender's has passed */
	TIMEOUT_CLOSE_S = 10,   /* of the kernel, for a connection reset */
	COOKIE_STEP_SHIFT = 28,
};

/* How far an entry has come. It is in the high 4 bits of the cookie, the id in
 * the others. */
enum step {
	STEP_CREATE,
	STEP_PLAIN,      /* create: the kernel lacks the helper, go without */
	STEP_ORPHAN,     /* create: the master has ended, go without */
	STEP_BARE,       /* create: without both */
	STEP_UPDATE,     /* what is there has the same translation, master */
	STEP_DELETE,     /* what is there gives way; a creation follows */
	STEP_LOOK,       /* get what has the original tuple */
	STEP_LOOK_REPLY, /* nothing has: get what has the reply tuple */
};

/* An entry of the kernel's, and since when it is known as it is here. */
struct there {
	struct flow flow;
	uint32_t known_s;
};

/* An entry that there was no room for, to be taken up again. */
struct waiting {
	uint32_t cookie;
	struct there there; /* at STEP_UPDATE and STEP_DELETE */
};

struct commit {
	struct commit_opts o;
	bool is_running;
	bool related;   /* second pass */
	bool is_at_end; /* of this pass: only answers are missing */
	uint32_t position;
	uint32_t n_in_flight;
	uint32_t now_s;
	/* Oldest first; the kernel side has at most a batch or two in flight.
	 */
	struct waiting *again;
	uint32_t n_again, again_size;
	struct commit_report report;
};

static const uint32_t id_mask = (UINT32_C(1) << COOKIE_STEP_SHIFT) - 1;

struct commit *commit_new(const struct commit_opts *opts)
{
	struct commit *c = calloc(1, sizeof(*c));

	if (c)
		c->o = *opts;
	return c;
}

void commit_free(struct commit *c)
{
	if (!c)
		return;
	free(c->again);
	free(c);
}

bool commit_is_running(const struct commit *c)
{
	return c->is_running;
}

int commit_start(struct commit *c)
{
	if (c->is_running)
		return -EBUSY;
	c->is_running = true;
	c->related = false;
	c->is_at_end = false;
	c->position = FLOW_CACHE_NO_ID;
	c->n_again = 0;
	c->report = (struct commit_report){ 0 };
	return 0;
}

uint32_t commit_timeout_s(uint32_t configured_s, bool has_timeout,
			  uint32_t received_s, int64_t age_s)
{
	int64_t left = (int64_t)received_s - age_s;

	if (configured_s)
		return configured_s;
	/* The kernel refuses an entry without a timeout. */
	if (!has_timeout || left < 0)
		return TIMEOUT_OVERDUE_S;
	if (left == 0)
		return received_s ? received_s : TIMEOUT_OVERDUE_S;
	return (uint32_t)left;
}

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

/* A master that neither cache knows has ended: no kernel makes a flow with it,
 * and one that was made without it need not be made again. */
static bool has_master_left(const struct commit *c, const struct flow *f)
{
	struct flow m = flow_master(f);

	return flow_cache_find(c->o.external, &m) != FLOW_CACHE_NO_ID ||
	       (c->o.internal &&
		flow_cache_find(c->o.internal, &m) != FLOW_CACHE_NO_ID);
}

/* The kernel keeps the translation and the master that an entry was made with,
 * whatever an update says. */
static bool can_update(const struct commit *c, const struct flow *there,
		       const struct flow *wanted)
{
	struct tuple a = flow_reply(there), b = flow_reply(wanted);

	if (!same_direction(&a, &b))
		return false;
	return same_master(there, wanted) ||
	       (!(there->has & FLOW_MASTER) && !has_master_left(c, wanted));
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

static enum age age_of(const struct commit *c, uint32_t id,
		       const struct flow *there)
{
	uint32_t told_s = flow_cache_head(c->o.external, id)->changed_s;
	const struct entry_head *h;
	uint32_t known;

	if (!c->o.internal)
		return AGE_OLDER;
	known = flow_cache_find(c->o.internal, there);
	if (known == FLOW_CACHE_NO_ID) /* its event has not been read yet */
		return is_in_handshake(there) && has_begun_here(there)
			       ? AGE_NEXT_LIFE
			       : AGE_OLDER;
	h = flow_cache_head(c->o.internal, known);
	/* nobody knows since when */
	if (flow_cache_is_marked(c->o.internal, SET_DOUBTED, known))
		return AGE_OLDER;
	if (h->created_s > told_s && has_begun_here(there))
		return AGE_NEXT_LIFE;
	return h->changed_s > told_s ? AGE_NEWER : AGE_OLDER;
}

/* Takes off an update what has happened here since the peer's last word. */
static void keep_newer(const struct commit *c, const struct there *there,
		       struct flow *f)
{
	const uint64_t tracked =
		FLOW_TCP_STATE | FLOW_SCTP_STATE | FLOW_SCTP_VTAG_ORIG |
		FLOW_SCTP_VTAG_REPLY | FLOW_DCCP_STATE | FLOW_DCCP_ROLE |
		FLOW_DCCP_SEQ | FLOW_LABELS | FLOW_SEQADJ_ORIG |
		FLOW_SEQADJ_REPLY | FLOW_SYNPROXY;
	int64_t left_s = (int64_t)there->flow.timeout_s -
			 ((int64_t)c->now_s - there->known_s);

	f->has &= ~(there->flow.has & tracked);
	if (there->flow.has & FLOW_MARK && there->flow.mark)
		f->has &= ~FLOW_MARK;
	if (there->flow.has & FLOW_TIMEOUT && left_s > f->timeout_s)
		f->timeout_s = (uint32_t)left_s;
}

/* ---- steps of an entry -------------------------------------------------- */

static void failed(struct commit *c, enum kernel_op op, int error)
{
	struct commit_report *r = &c->report;
	int i = 0;

	r->n_failed++;
	while (i < r->n_reasons &&
	       (r->reasons[i].op != op || r->reasons[i].error != error))
		i++;
	if (i == COMMIT_REASONS)
		return;
	if (i == r->n_reasons)
		r->reasons[r->n_reasons++] =
			(struct commit_reason){ .op = op, .error = error };
	r->reasons[i].n++;
}

static enum kernel_op op_of(enum step step)
{
	switch (step) {
	case STEP_CREATE:
	case STEP_PLAIN:
	case STEP_ORPHAN:
	case STEP_BARE:
		return KERNEL_CREATE;
	case STEP_UPDATE:
		return KERNEL_UPDATE;
	case STEP_DELETE:
		return KERNEL_DELETE;
	case STEP_LOOK:
	case STEP_LOOK_REPLY:
		return KERNEL_GET;
	}
	return KERNEL_GET;
}

/* The entry as it is to be in the kernel. What has been reset has not more to
 * live than the kernel would have given it, whatever CommitTimeout says. */
static void load(const struct commit *c, uint32_t id, struct flow *f)
{
	const struct entry_head *h = flow_cache_head(c->o.external, id);
	int64_t age_s = (int64_t)c->now_s - h->changed_s;

	flow_cache_get(c->o.external, id, f);
	f->timeout_s = commit_timeout_s(c->o.timeout_s, f->has & FLOW_TIMEOUT,
					f->timeout_s, age_s);
	f->has |= FLOW_TIMEOUT;
	if (f->has & FLOW_TCP_STATE && f->tcp_state == TCP_STATE_CLOSE &&
	    f->timeout_s > TIMEOUT_CLOSE_S - age_s)
		f->timeout_s = age_s < TIMEOUT_CLOSE_S
				       ? (uint32_t)(TIMEOUT_CLOSE_S - age_s)
				       : 1;
}

/* Takes an entry up again once the kernel side has room. What was learnt of it
 * is kept: to ask once more might take the room that the answer needs, for
 * ever. */
static void later(struct commit *c, enum step step, uint32_t id,
		  const struct there *there)
{
	struct waiting *w;

	if (c->n_again == c->again_size) {
		uint32_t size = c->again_size ? c->again_size * 2 : 64;

		w = realloc(c->again, size * sizeof(*w));
		if (!w) {
			failed(c, op_of(step), -ENOMEM);
			return;
		}
		c->again = w;
		c->again_size = size;
	}
	w = &c->again[c->n_again++];
	w->cookie = (uint32_t)step << COOKIE_STEP_SHIFT | id;
	if (there)
		w->there = *there;
	flow_cache_head(c->o.external, id)->flags |= ENTRY_PENDING;
}

/* Submits an operation on f for an entry; what does not go now is taken up
 * later. there: what it rests on, if it does. False: it did not go. */
static bool submit(struct commit *c, enum step step, uint32_t id,
		   const struct flow *f, const struct there *there)
{
	const struct object o = { .kind = OBJECT_FLOW, .flow = f };
	uint32_t cookie = (uint32_t)step << COOKIE_STEP_SHIFT | id;
	int err =
		c->o.kernel->submit(c->o.kernel->self, op_of(step), &o, cookie);

	if (err == 0) {
		c->n_in_flight++;
		flow_cache_head(c->o.external, id)->flags |= ENTRY_PENDING;
	} else if (err == -EAGAIN) {
		later(c, step, id, there);
	} else {
		failed(c, op_of(step), err);
	}
	return err == 0;
}

static void create(struct commit *c, enum step step, uint32_t id)
{
	struct flow f;

	load(c, id, &f);
	if (step == STEP_PLAIN || step == STEP_BARE)
		f.has &= ~FLOW_HELPER;
	if (step == STEP_ORPHAN || step == STEP_BARE)
		f.has &= ~FLOW_MASTER;
	(void)submit(c, step, id, &f, NULL);
}

static void look(struct commit *c, enum step step, uint32_t id)
{
	struct flow f;

	load(c, id, &f);
	if (step == STEP_LOOK_REPLY) {
		f.orig = flow_reply(&f);
		f.has &= ~FLOW_REPLY;
	}
	(void)submit(c, step, id, &f, NULL);
}

/* The kernel does not let go of what it has seen of a flow, and a flow is
 * expected or not for all its life. */
static void update(struct commit *c, uint32_t id, const struct there *there,
		   enum age age)
{
	const uint32_t seen = STATUS_SEEN_REPLY | STATUS_ASSURED;
	struct flow f;

	load(c, id, &f);
	if (there->flow.has & FLOW_STATUS) {
		f.status = f.has & FLOW_STATUS ? f.status : 0;
		f.status &= ~(uint32_t)STATUS_EXPECTED;
		f.status |= there->flow.status & (seen | STATUS_EXPECTED);
		f.has |= FLOW_STATUS;
	}
	if (age == AGE_NEWER)
		keep_newer(c, there, &f);
	(void)submit(c, STEP_UPDATE, id, &f, there);
}

/* Both in one batch, if they fit: a packet that comes in between makes an
 * entry of its own. */
static void replace(struct commit *c, uint32_t id, const struct there *there)
{
	if (submit(c, STEP_DELETE, id, &there->flow, there))
		create(c, STEP_CREATE, id);
}

/* Goes on from what the kernel has. */
static void compare(struct commit *c, uint32_t id, const struct there *there)
{
	enum age age = age_of(c, id, &there->flow);
	struct flow wanted;

	flow_cache_get(c->o.external, id, &wanted);
	if (flow_same_key(&there->flow, &wanted)) {
		if (age == AGE_NEXT_LIFE)
			c->report.n_newer++;
		else if (can_update(c, &there->flow, &wanted))
			update(c, id, there, age);
		else
			replace(c, id, there);
	} else if (!runs_back(&there->flow, &wanted)) {
		failed(c, KERNEL_CREATE, -EEXIST); /* another flow's */
	} else if (age == AGE_NEXT_LIFE) {
		c->report.n_newer++;
	} else {
		replace(c, id, there);
	}
}

/* The first step of an entry: what the internal cache knows of the kernel
 * saves a question. */
static void begin(struct commit *c, uint32_t id, const struct flow *wanted)
{
	uint32_t known = FLOW_CACHE_NO_ID;
	struct there there;

	flow_cache_head(c->o.external, id)->n_looks = 0;
	if (c->o.internal)
		known = flow_cache_find(c->o.internal, wanted);
	if (known == FLOW_CACHE_NO_ID) {
		create(c, STEP_CREATE, id);
		return;
	}
	flow_cache_get(c->o.internal, known, &there.flow);
	there.known_s = flow_cache_head(c->o.internal, known)->changed_s;
	compare(c, id, &there);
}

/* The kernel has something else than was thought: it is asked, but not for
 * ever, for packets may change it as often. */
static void look_again(struct commit *c, enum kernel_op op, uint32_t id,
		       int error)
{
	struct entry_head *h = flow_cache_head(c->o.external, id);

	if (h->n_looks++ < LOOKS_MAX)
		look(c, STEP_LOOK, id);
	else
		failed(c, op, error);
}

/* A creation was refused: what is left to try. False: nothing. A flow outlives
 * its master, but no kernel makes one of a master that it does not have. */
static bool go_without(struct commit *c, enum step step, uint32_t id, int error)
{
	bool has_helper = step == STEP_CREATE || step == STEP_ORPHAN;
	bool has_master = step == STEP_CREATE || step == STEP_PLAIN;
	struct flow wanted;

	flow_cache_get(c->o.external, id, &wanted);
	if (error == -EOPNOTSUPP && has_helper)
		create(c, has_master ? STEP_PLAIN : STEP_BARE, id);
	else if (error == -ENOENT && has_master && flow_is_related(&wanted))
		create(c, has_helper ? STEP_ORPHAN : STEP_BARE, id);
	else
		return false;
	return true;
}

static void judge_creation(struct commit *c, enum step step, uint32_t id,
			   int error)
{
	if (error == 0)
		c->report.n_committed++;
	else if (error == -EEXIST || error == -ENOBUFS) /* or answer lost */
		look_again(c, KERNEL_CREATE, id, error);
	else if (!go_without(c, step, id, error))
		failed(c, KERNEL_CREATE, error);
}

static void judge_update(struct commit *c, uint32_t id, int error)
{
	if (error == 0)
		c->report.n_committed++;
	/* EBUSY: the status takes back what the kernel has seen. */
	else if (error == -EBUSY || error == -ENOBUFS)
		look_again(c, KERNEL_UPDATE, id, error);
	else if (error == -ENOENT || error == -ETIME) /* it is ending */
		create(c, STEP_CREATE, id);
	else
		failed(c, KERNEL_UPDATE, error);
}

static void judge_look(struct commit *c, enum step step, uint32_t id, int error,
		       const struct flow *found)
{
	struct there there = { .known_s = c->now_s };

	if (error == 0 && found) {
		there.flow = *found;
		compare(c, id, &there);
	} else if (error == -ENOENT && step == STEP_LOOK) {
		look(c, STEP_LOOK_REPLY, id);
	} else if (error == -ENOENT) { /* what was in the way has gone */
		create(c, STEP_CREATE, id);
	} else if (error == -ENOBUFS) {
		look_again(c, KERNEL_GET, id, error);
	} else {
		failed(c, KERNEL_GET, error);
	}
}

void commit_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		 const struct flow *found)
{
	struct commit *c = ctx;
	enum step step = (enum step)(cookie >> COOKIE_STEP_SHIFT);
	uint32_t id = cookie & id_mask;
	struct entry_head *h = flow_cache_head(c->o.external, id);

	assert(op == op_of(step) && c->n_in_flight > 0);
	c->n_in_flight--;
	/* The entry may have gone meanwhile, its id be another's. */
	if (!h || h->state == ENTRY_FREE || !(h->flags & ENTRY_PENDING))
		return;
	if (op == KERNEL_DELETE) /* the creation that follows tells all */
		return;
	h->flags &= (uint8_t)~ENTRY_PENDING;
	if (op == KERNEL_CREATE)
		judge_creation(c, step, id, error);
	else if (op == KERNEL_UPDATE)
		judge_update(c, id, error);
	else
		judge_look(c, step, id, error, found);
}

/* Takes one up where it was left. */
static void go_on(struct commit *c, const struct waiting *w)
{
	enum step step = (enum step)(w->cookie >> COOKIE_STEP_SHIFT);
	uint32_t id = w->cookie & id_mask;

	/* The entry may have gone meanwhile, its id be another's. */
	if (!(flow_cache_head(c->o.external, id)->flags & ENTRY_PENDING))
		return;
	switch (op_of(step)) {
	case KERNEL_CREATE:
		create(c, step, id);
		break;
	case KERNEL_GET:
		look(c, step, id);
		break;
	case KERNEL_UPDATE:
	case KERNEL_DELETE:
		compare(c, id, &w->there);
		break;
	}
}

/* Resumes what had no room, oldest first. False: there is still no room. */
static bool resume(struct commit *c)
{
	uint32_t n = c->n_again, i = 0;

	while (i < n) {
		struct waiting w = c->again[i++];
		uint32_t n_before = c->n_again;

		go_on(c, &w);
		if (c->n_again != n_before) { /* no room: it stays the first */
			c->again[--i] = c->again[--c->n_again];
			break;
		}
	}
	for (uint32_t k = i; k < c->n_again; k++)
		c->again[k - i] = c->again[k];
	c->n_again -= i;
	return c->n_again == 0;
}

/* Takes up the next entries of this pass. */
static void walk(struct commit *c)
{
	uint32_t n = 0;

	while (n < COMMIT_STEP && !c->is_at_end && !c->n_again) {
		uint32_t id = flow_cache_next(c->o.external, c->position);
		struct flow f;

		n += id - c->position; /* free ids too */
		c->position = id;
		c->is_at_end = id == FLOW_CACHE_NO_ID;
		if (c->is_at_end)
			break;
		if (flow_cache_head(c->o.external, id)->state == ENTRY_FREE)
			continue;
		flow_cache_get(c->o.external, id, &f);
		if (flow_is_related(&f) == c->related)
			begin(c, id, &f);
	}
}

static void end(struct commit *c)
{
	c->is_running = false;
	c->o.ended(c->o.ctx, &c->report);
}

bool commit_step(struct commit *c, uint32_t now_s)
{
	if (!c->is_running)
		return false;
	c->now_s = now_s;
	if (!resume(c))
		return false;
	walk(c);
	if (c->n_again)
		return false;
	if (!c->is_at_end)
		return true;
	/* The masters must be in the kernel before what is related to them. */
	c->o.kernel->finish(c->o.kernel->self);
	if (c->n_in_flight || c->n_again)
		return false;
	if (c->related) {
		end(c);
		return false;
	}
	c->related = true;
	c->is_at_end = false;
	return true;
}
