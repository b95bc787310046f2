/* SPDX-License-Identifier: ISC */
#include "sync/apply.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "sync/apply_step.h"

enum { LOOKS_MAX = 16 }; /* at what is in the way of one flow */

/* A flow under way. */
struct slot {
	struct wanted wanted;
	struct there there; /* from STEP_COMPARE on */
	uint32_t cookie;
	uint8_t step; /* enum step: what it is at, or waits to do */
	uint8_t n_looks;
	bool waits;        /* for its master */
	struct slot *next; /* free, or waiting */
};

struct apply {
	struct apply_opts o;
	struct slot *free;
	struct slot *waiting, *last_waiting; /* for room, oldest first */
	uint32_t n_used;
	uint32_t n_touched; /* slots; the memory of the others is not in use */
	uint32_t n_in_flight; /* operations without an answer */
	struct slot slots[APPLY_SLOTS];
};

/* Whether the kernel side has taken an operation. */
enum sent {
	SENT,
	SENT_NOT,     /* it has no room now */
	SENT_NO_MORE, /* there is nothing to send: the flow has ended */
};

static uint32_t find_here(const struct apply *a, const struct flow *f)
{
	return a->o.internal ? flow_cache_find(a->o.internal, f)
			     : FLOW_CACHE_NO_ID;
}

/* ---- slots -------------------------------------------------------------- */

struct apply *apply_new(const struct apply_opts *opts)
{
	struct apply *a = calloc(1, sizeof(*a));

	if (a)
		a->o = *opts;
	return a;
}

void apply_free(struct apply *a)
{
	free(a);
}

static bool has_slot(const struct apply *a)
{
	return a->free || a->n_touched < APPLY_SLOTS;
}

bool apply_has_room(const struct apply *a)
{
	return has_slot(a) && !a->waiting;
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

	if (s)
		a->free = s->next;
	else
		s = &a->slots[a->n_touched++];
	a->n_used++;
	return s;
}

/* Its slot is free before the caller is told, who may want it at once. */
static enum sent end(struct apply *a, struct slot *s, struct apply_end how)
{
	how.flow = &s->wanted.flow;
	s->next = a->free;
	a->free = s;
	a->n_used--;
	a->o.ended(a->o.ctx, s->cookie, &how);
	return SENT_NO_MORE;
}

static enum sent fail(struct apply *a, struct slot *s, enum kernel_op op,
		      int error)
{
	return end(a, s,
		   (struct apply_end){
			   .result = APPLY_FAILED, .op = op, .error = error });
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
		return submit(a, s, KERNEL_CREATE, &s->wanted.flow);
	less = s->wanted.flow;
	if (s->step != STEP_ORPHAN)
		less.has &= ~FLOW_HELPER;
	if (s->step != STEP_PLAIN)
		less.has &= ~FLOW_MASTER;
	return submit(a, s, KERNEL_CREATE, &less);
}

static enum sent look(struct apply *a, struct slot *s)
{
	struct flow turned;

	if (s->step != STEP_LOOK_REPLY)
		return submit(a, s, KERNEL_GET, &s->wanted.flow);
	turned = s->wanted.flow;
	turned.orig = flow_reply(&s->wanted.flow);
	turned.has &= ~FLOW_REPLY;
	return submit(a, s, KERNEL_GET, &turned);
}

static enum sent update(struct apply *a, struct slot *s, bool is_newer)
{
	struct flow f;
	enum sent sent;

	compare_update(&s->wanted, &s->there, is_newer, &f);
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

static enum sent end_there(struct apply *a, struct slot *s)
{
	enum sent sent = submit(a, s, KERNEL_DELETE, &s->there.flow);

	if (sent == SENT)
		s->step = STEP_END;
	return sent;
}

static enum sent leave(struct apply *a, struct slot *s,
		       enum apply_result result)
{
	return end(a, s, (struct apply_end){ .result = result });
}

/* Goes on from what the kernel has. known: the entry of the internal cache, if
 * it has one. What was learnt is kept if there is no room for what follows: to
 * ask once more might take the room that the answer needs, for ever. */
static enum sent compare(struct apply *a, struct slot *s, uint32_t known)
{
	s->step = STEP_COMPARE;
	switch (compare_flows(&s->wanted, &s->there, a->o.internal, known)) {
	case COMPARE_UPDATE:
		return update(a, s, false);
	case COMPARE_UPDATE_NEWER:
		return update(a, s, true);
	case COMPARE_REPLACE:
		return replace(a, s);
	case COMPARE_NEXT_LIFE:
		return leave(a, s, APPLY_NEWER);
	case COMPARE_END:
		return end_there(a, s);
	case COMPARE_ANOTHER:
		break;
	}
	if (s->wanted.by == WANTED_GONE)
		return leave(a, s, APPLY_ABSENT);
	return fail(a, s, KERNEL_CREATE, -EEXIST);
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
	case STEP_SEEK:
	case STEP_SEEK_END:
		return look(a, s);
	case STEP_COMPARE:
		return compare(a, s, find_here(a, &s->there.flow));
	case STEP_FAIL:
	case STEP_SUCCEED:
	case STEP_UPDATE: /* these are sent by a comparison only */
	case STEP_END:
	case STEP_N:
		break;
	}
	assert(false);
	return SENT_NO_MORE;
}

/* Ends it if the caller has lost interest. */
static bool is_wanted(struct apply *a, struct slot *s)
{
	if (a->o.is_wanted(a->o.ctx, s->cookie))
		return true;
	(void)leave(a, s, APPLY_UNWANTED);
	return false;
}

/* What the internal cache knows of the kernel saves a commit a question. A
 * peer's message is not to undo what has come since: packets, for one. */
static enum sent begin(struct apply *a, struct slot *s, uint32_t now_s)
{
	uint32_t known = find_here(a, &s->wanted.flow);
	struct there *there = &s->there;

	s->step = STEP_CREATE;
	if (s->wanted.by == WANTED_GONE)
		s->step = STEP_SEEK_END;
	else if (s->wanted.by == WANTED_BY_UPDATE || known != FLOW_CACHE_NO_ID)
		s->step = STEP_SEEK;
	if (known == FLOW_CACHE_NO_ID || s->wanted.by != WANTED_BY_COMMIT)
		return go_on(a, s);
	flow_cache_get(a->o.internal, known, &there->flow);
	there->age_s = (int64_t)now_s -
		       flow_cache_head(a->o.internal, known)->changed_s;
	return compare(a, s, known);
}

/* As the kernel will have it: ports that are not known are 0, and keys as well
 * (PROTOCOL.md 5.4). Otherwise what is there of it is another one's. */
static void give_ports(struct flow *f)
{
	const uint64_t bit = f->l4proto == L4_GRE       ? FLOW_GRE_KEYS
			     : f->l4proto == L4_UDPLITE ? FLOW_PORTS
							: 0;

	if (!bit || f->has & bit)
		return;
	f->has |= bit;
	f->orig.sport = f->orig.dport = 0;
	f->reply.sport = f->reply.dport = 0;
}

void apply_put(struct apply *a, const struct apply_item *item, uint32_t now_s)
{
	struct slot *s;

	assert(apply_has_room(a));
	s = take_slot(a);
	s->wanted = (struct wanted){ *item->flow, item->told_s,
				     item->has_master, item->by };
	give_ports(&s->wanted.flow);
	s->waits = item->waits;
	s->cookie = item->cookie;
	s->n_looks = 0;
	if (begin(a, s, now_s) == SENT_NOT)
		wait_last(a, s);
	/* nobody can put what would fill the batch */
	else if (!has_slot(a))
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

/* What the table says, within limits. A flow outlives its master, but what has
 * none does not fail for lack of one. What is in the way is not looked at for
 * ever, for packets may change it as often. */
static enum step next_step(struct slot *s, int error)
{
	enum step next = apply_next_step((enum step)s->step, error);

	if ((next == STEP_ORPHAN || next == STEP_BARE) &&
	    !flow_is_related(&s->wanted.flow))
		return STEP_FAIL;
	if ((next == STEP_LOOK || next == STEP_SEEK || next == STEP_SEEK_END) &&
	    s->n_looks++ >= LOOKS_MAX)
		return STEP_FAIL;
	return next;
}

static void succeed(struct apply *a, struct slot *s, enum kernel_op op,
		    uint8_t step, int error)
{
	const struct apply_end how = {
		.result = error ? APPLY_ABSENT : APPLY_COMMITTED,
		.op = op,
		.lacks_helper = step == STEP_PLAIN || step == STEP_BARE,
		.lacks_master = step == STEP_ORPHAN || step == STEP_BARE,
	};

	(void)end(a, s, how);
}

void apply_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		const struct flow *found)
{
	struct apply *a = ctx;
	struct slot *s = &a->slots[cookie];
	uint8_t step = s->step;

	assert(a->n_in_flight > 0);
	a->n_in_flight--;
	/* The creation that followed tells all, even that there is none. */
	if ((op == KERNEL_DELETE && step != STEP_END) || !is_wanted(a, s))
		return;
	s->step = (uint8_t)next_step(s, error);
	if (s->step == STEP_SUCCEED) {
		succeed(a, s, op, step, error);
		return;
	}
	if ((s->step == STEP_ORPHAN || s->step == STEP_BARE) && s->waits &&
	    error == -ENOENT) {
		(void)leave(a, s, APPLY_NO_MASTER);
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
