/* SPDX-License-Identifier: ISC */
#include "sync/commit.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
	COMMIT_STEP = 1024,     /* entries looked at in one step */
	TIMEOUT_OVERDUE_S = 60, /* spec 7.2: the sender's has passed */
	COOKIE_STEP_SHIFT = 28,
};

/* How far an entry has come. It is in the high 4 bits of the cookie, the id in
 * the others. */
enum step {
	STEP_CREATE,   /* create; EEXIST: look at what is there */
	STEP_UPDATE,   /* what is there has the same translation and master */
	STEP_LOOK,     /* get what is there */
	STEP_ADJUST,   /* update, having looked: no second look */
	STEP_DELETE,   /* what is there has another translation: remove it, */
	STEP_REPLACE,  /* and create */
	STEP_RECREATE, /* an update found nothing: create, no second try */
	STEP_PLAIN,    /* the kernel lacks the helper: create without it */
	STEP_ORPHAN,   /* the master has ended: create without it */
	STEP_BARE,     /* both */
};

struct commit {
	struct commit_opts o;
	bool is_running;
	bool related;   /* second pass */
	bool is_at_end; /* of this pass: only answers are missing */
	uint32_t position;
	uint32_t n_in_flight;
	uint32_t now_s;
	/* Entries to be taken up again, cookies; the kernel side has at most a
	 * batch or two in flight. */
	uint32_t *again;
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

/* The kernel keeps the translation and the master that an entry was made with,
 * whatever an update says. */
static bool can_update(const struct flow *there, const struct flow *wanted)
{
	struct tuple a = flow_reply(there), b = flow_reply(wanted);

	return same_direction(&a, &b) && same_master(there, wanted);
}

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
	case STEP_REPLACE:
	case STEP_RECREATE:
	case STEP_PLAIN:
	case STEP_ORPHAN:
	case STEP_BARE:
		return KERNEL_CREATE;
	case STEP_UPDATE:
	case STEP_ADJUST:
		return KERNEL_UPDATE;
	case STEP_LOOK:
		return KERNEL_GET;
	case STEP_DELETE:
		return KERNEL_DELETE;
	}
	return KERNEL_GET;
}

/* The entry as it is to be in the kernel. there: what is there now, or NULL:
 * the kernel does not let go of what it has seen of a flow. */
static void load(const struct commit *c, uint32_t id, const struct flow *there,
		 struct flow *f)
{
	const struct entry_head *h = flow_cache_head(c->o.external, id);
	const uint32_t sticky =
		STATUS_EXPECTED | STATUS_SEEN_REPLY | STATUS_ASSURED;

	flow_cache_get(c->o.external, id, f);
	f->timeout_s = commit_timeout_s(c->o.timeout_s, f->has & FLOW_TIMEOUT,
					f->timeout_s,
					(int64_t)c->now_s - h->changed_s);
	f->has |= FLOW_TIMEOUT;
	if (there && (there->has & FLOW_STATUS)) {
		f->status = (f->has & FLOW_STATUS ? f->status : 0) |
			    (there->status & sticky);
		f->has |= FLOW_STATUS;
	}
}

/* 0, or what submit() says. */
static int submit(struct commit *c, enum step step, uint32_t id,
		  const struct flow *f)
{
	const struct object o = { .kind = OBJECT_FLOW, .flow = f };
	uint32_t cookie = (uint32_t)step << COOKIE_STEP_SHIFT | id;
	int err =
		c->o.kernel->submit(c->o.kernel->self, op_of(step), &o, cookie);

	if (err == 0) {
		c->n_in_flight++;
		flow_cache_head(c->o.external, id)->flags |= ENTRY_PENDING;
	}
	return err;
}

/* Takes an entry up again once the kernel side has room. */
static void later(struct commit *c, enum step step, uint32_t id)
{
	if (c->n_again == c->again_size) {
		uint32_t size = c->again_size ? c->again_size * 2 : 256;
		uint32_t *again = realloc(c->again, size * sizeof(*again));

		if (!again) {
			failed(c, op_of(step), -ENOMEM);
			return;
		}
		c->again = again;
		c->again_size = size;
	}
	c->again[c->n_again++] = (uint32_t)step << COOKIE_STEP_SHIFT | id;
}

/* Submits an entry at a step; what does not go now is taken up later. */
static void go(struct commit *c, enum step step, uint32_t id,
	       const struct flow *there)
{
	struct flow f;
	int err;

	load(c, id, there, &f);
	if (step == STEP_PLAIN || step == STEP_BARE)
		f.has &= ~FLOW_HELPER;
	if (step == STEP_ORPHAN || step == STEP_BARE)
		f.has &= ~FLOW_MASTER;
	err = submit(c, step, id, &f);
	if (err == 0 && step == STEP_DELETE) {
		step = STEP_REPLACE;
		err = submit(c, step, id, &f);
	}
	/* What it was adjusted to may be another by then: ask again. */
	if (err == -EAGAIN)
		later(c, step == STEP_ADJUST ? STEP_LOOK : step, id);
	else if (err < 0)
		failed(c, op_of(step), err);
}

/* The first step of an entry: what the internal cache knows of the kernel
 * saves a question. */
static void begin(struct commit *c, uint32_t id, const struct flow *wanted)
{
	uint32_t known = FLOW_CACHE_NO_ID;
	struct flow there;

	if (c->o.internal)
		known = flow_cache_find(c->o.internal, wanted);
	if (known == FLOW_CACHE_NO_ID) {
		go(c, STEP_CREATE, id, NULL);
		return;
	}
	flow_cache_get(c->o.internal, known, &there);
	go(c, can_update(&there, wanted) ? STEP_UPDATE : STEP_DELETE, id,
	   &there);
}

static void found_one(struct commit *c, uint32_t id, const struct flow *there)
{
	struct flow wanted;

	flow_cache_get(c->o.external, id, &wanted);
	go(c, can_update(there, &wanted) ? STEP_ADJUST : STEP_DELETE, id,
	   there);
}

/* A creation was refused: what is left to try. False: nothing. A flow outlives
 * its master, but no kernel makes one of a master that it does not have. */
static bool go_without(struct commit *c, enum step step, uint32_t id, int error)
{
	struct flow wanted;

	if (step == STEP_ORPHAN || step == STEP_BARE)
		return false;
	if (error == -EOPNOTSUPP && step != STEP_PLAIN) {
		go(c, STEP_PLAIN, id, NULL);
		return true;
	}
	flow_cache_get(c->o.external, id, &wanted);
	if (error != -ENOENT || !flow_is_related(&wanted))
		return false;
	go(c, step == STEP_PLAIN ? STEP_BARE : STEP_ORPHAN, id, NULL);
	return true;
}

static void judge(struct commit *c, enum step step, uint32_t id, int error,
		  const struct flow *found)
{
	bool is_there = step == STEP_CREATE && error == -EEXIST;

	switch (step) {
	case STEP_CREATE:
	case STEP_UPDATE:
	case STEP_ADJUST:
	case STEP_REPLACE:
	case STEP_RECREATE:
	case STEP_PLAIN:
	case STEP_ORPHAN:
	case STEP_BARE:
		if (error == 0)
			c->report.n_committed++;
		/* EBUSY: the status takes back what the kernel has seen.
		 * ENOBUFS: its answer was lost. */
		else if (is_there || (step == STEP_UPDATE && error == -EBUSY) ||
			 ((step == STEP_CREATE || step == STEP_UPDATE) &&
			  error == -ENOBUFS))
			go(c, STEP_LOOK, id, NULL);
		/* ETIME: it is ending. */
		else if (op_of(step) == KERNEL_UPDATE &&
			 (error == -ENOENT || error == -ETIME))
			go(c, STEP_RECREATE, id, NULL);
		else if (op_of(step) != KERNEL_CREATE ||
			 !go_without(c, step, id, error))
			failed(c, op_of(step), error);
		break;
	case STEP_LOOK:
		if (error == 0 && found)
			found_one(c, id, found);
		else if (error == -ENOENT)
			go(c, STEP_RECREATE, id, NULL);
		else
			failed(c, KERNEL_GET, error);
		break;
	case STEP_DELETE: /* the creation that follows tells the result */
		break;
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
	if (step != STEP_DELETE)
		h->flags &= (uint8_t)~ENTRY_PENDING;
	judge(c, step, id, error, found);
}

/* Resumes what had no room, oldest first. False: there is still no room. */
static bool resume(struct commit *c)
{
	uint32_t n = c->n_again, i = 0;

	while (i < n) {
		uint32_t cookie = c->again[i++];
		uint32_t n_before = c->n_again;
		const struct entry_head *h =
			flow_cache_head(c->o.external, cookie & id_mask);

		if (h->state == ENTRY_FREE)
			continue;
		go(c, (enum step)(cookie >> COOKIE_STEP_SHIFT),
		   cookie & id_mask, NULL);
		if (c->n_again != n_before)
			break; /* went to the end of the list: no room */
	}
	for (uint32_t k = i; k < c->n_again; k++)
		c->again[k - i] = c->again[k];
	c->n_again -= i;
	return c->n_again == 0;
}

/* Takes up the next entries of this pass. */
static void walk(struct commit *c)
{
	for (int i = 0; i < COMMIT_STEP && !c->is_at_end && !c->n_again; i++) {
		uint32_t id = flow_cache_next(c->o.external, c->position);
		struct flow f;

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
