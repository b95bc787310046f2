/* SPDX-License-Identifier: ISC */
#include "sync/bypass.h"

#include <errno.h>
#include <stdlib.h>

enum { MET_MAX = 1 << 19 }; /* 8 MiB, while a dump runs */

static uint32_t n_untold(const struct bypass *b)
{
	return flow_cache_n_entries(b->o.untold);
}

static void on_stored(void *ctx, uint32_t id, enum store_event event)
{
	const struct bypass *b = ctx;

	(void)id;
	if (event == STORE_REMOVING && b->is_dumping &&
	    n_untold(b) == BYPASS_UNTOLD_MOST / 2)
		b->o.has_room(b->o.ctx);
}

void bypass_init(struct bypass *b, const struct bypass_opts *o)
{
	*b = (struct bypass){ .o = *o,
			      .observer = { on_stored, b },
			      .met = { .max = MET_MAX } };
	flow_cache_observe(o->untold, &b->observer);
}

void bypass_fini(struct bypass *b)
{
	if (b->o.untold)
		flow_cache_unobserve(b->o.untold, &b->observer);
	ct_tombs_clear(&b->met);
	free(b->asked);
	*b = (struct bypass){ 0 };
}

/* False: there is no room or memory, which the cache has counted. */
static bool put(struct bypass *b, const struct flow *f, enum put_mode mode,
		uint32_t *id)
{
	enum put_result result =
		flow_cache_put(b->o.untold, f, mode, b->now_s, id);

	/* Events come in the order in which things happen: what waits is of
	 * the life before. */
	if (result == PUT_OTHER)
		result = flow_cache_put(b->o.untold, f, PUT_REPLACE, b->now_s,
					id);
	return result <= PUT_SAME;
}

static bool tell(struct bypass *b, const struct flow *f, enum put_mode mode,
		 enum touch how)
{
	uint32_t id;

	/* with what waits of it, it is more than a change */
	if (how == TOUCH_CHANGE &&
	    flow_cache_find(b->o.untold, f) != FLOW_CACHE_NO_ID)
		how = TOUCH_SEND;
	if (!put(b, f, mode, &id))
		return false;
	b->o.touch(b->o.ctx, id, how);
	return true;
}

/* ---- what is asked for -------------------------------------------------- */

static void ask_for(struct bypass *b, const struct flow *f, enum touch how)
{
	if (b->n_asked == b->size_asked) {
		size_t size = b->size_asked ? 2 * b->size_asked : 64;
		struct bypass_asked *asked =
			realloc(b->asked, size * sizeof(*asked));

		if (!asked) {
			b->has_missed |= how == TOUCH_QUIET;
			return;
		}
		b->asked = asked;
		b->size_asked = size;
	}
	b->asked[b->n_asked++] = (struct bypass_asked){ *f, how };
}

static bool is_passing(int error)
{
	return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM;
}

/* Later, behind the others. */
static void ask_again(struct bypass *b, const struct bypass_asked *a)
{
	const struct bypass_asked again = *a;

	b->is_paused = true;
	ask_for(b, &again.flow, again.how);
}

static void ask(struct bypass *b, uint32_t i)
{
	const struct kernel_ops *k = b->o.kernel;
	/* answers to others may come meanwhile, and the array may move */
	const struct flow f = b->asked[i].flow;
	const struct object o = { .kind = OBJECT_FLOW, .flow = &f };

	if (is_passing(k->submit(k->self, KERNEL_GET, &o, i)))
		ask_again(b, &b->asked[i]);
}

/* What is not there has ended: that was told, or its event is on its way. */
void bypass_answer(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		   const struct flow *found)
{
	struct bypass *b = ctx;
	const struct bypass_asked *a = &b->asked[cookie];

	(void)op;
	if (is_passing(error)) {
		ask_again(b, a);
		return;
	}
	/* A question by a tuple finds what has it in either direction, and what
	 * has it in another kind of zone. */
	if (error < 0 || !found || !flow_same_key(&a->flow, found) ||
	    !filter_accepts(b->o.filter, found))
		return;
	if (!tell(b, found, a->how == TOUCH_CHANGE ? PUT_TOLD : PUT_REPLACE,
		  a->how))
		b->has_missed |= a->how == TOUCH_QUIET;
}

bool bypass_has_work(const struct bypass *b)
{
	return b->n_asked > 0 && !b->is_paused;
}

void bypass_work(struct bypass *b, uint32_t now_s)
{
	b->now_s = now_s;
	for (int n = 0;
	     n < BYPASS_ASK_STEP && !b->is_paused && b->next_asked < b->n_asked;
	     n++)
		ask(b, (uint32_t)b->next_asked++);
	b->o.kernel->finish(b->o.kernel->self);
	if (b->next_asked == b->n_asked)
		b->next_asked = b->n_asked = 0;
}

void bypass_second(struct bypass *b)
{
	b->is_paused = false;
}

/* ---- events ------------------------------------------------------------- */

/* It is told though nothing of it waits: the peers may know it. An end may be
 * that of an earlier life: told late (with reliable events), or what waits is
 * of a life whose end was lost. Then the kernel is asked what is there now. */
static bool tell_end(struct bypass *b, const struct flow *f)
{
	uint32_t id = flow_cache_find(b->o.untold, f);
	bool is_doubtful = b->o.events_reliable;
	struct flow waiting;

	if (id != FLOW_CACHE_NO_ID) {
		flow_cache_get(b->o.untold, id, &waiting);
		is_doubtful |= !flow_same_id(&waiting, f);
	} else if (!put(b, f, PUT_REPLACE, &id)) {
		return false;
	}
	flow_cache_kill(b->o.untold, id);
	b->o.touch(b->o.ctx, id, TOUCH_SEND);
	if (is_doubtful)
		ask_for(b, f, TOUCH_SEND);
	return true;
}

/* By how much a NAT helper shifts the numbers of a connection is in no event
 * (PROTOCOL.md 5.6): it is asked for when the status tells of it, and when a
 * related flow begins, whose announcement has shifted those of its master. */
static void ask_for_shifts(struct bypass *b, enum flow_event type,
			   const struct flow *f)
{
	if (type == FLOW_EVENT_NEW && flow_is_related(f) &&
	    f->master.l4proto == L4_TCP) {
		const struct flow master = flow_master(f);

		ask_for(b, &master, TOUCH_CHANGE);
	} else if (f->has & FLOW_STATUS && f->status & STATUS_SEQ_ADJUST &&
		   !(f->has & FLOW_SEQADJ_ORIG)) {
		ask_for(b, f, TOUCH_CHANGE);
	}
}

static void pass_on(struct bypass *b, enum flow_event type,
		    const struct flow *f)
{
	if (type == FLOW_EVENT_DESTROY) {
		b->stats.n_destroyed += tell_end(b, f);
		return;
	}
	/* It may be read after the end, and would undo it. */
	if (f->has & FLOW_STATUS && f->status & STATUS_DYING)
		return;
	if (type == FLOW_EVENT_NEW)
		b->stats.n_new += tell(b, f, PUT_REPLACE, TOUCH_SEND);
	else
		b->stats.n_updated += tell(b, f, PUT_TOLD, TOUCH_CHANGE);
	ask_for_shifts(b, type, f);
}

void bypass_event(struct bypass *b, enum flow_event type,
		  enum flow_origin origin, const struct flow *f, uint32_t now_s)
{
	bool is_end = type == FLOW_EVENT_DESTROY;

	b->now_s = now_s;
	if (is_end ? !filter_accepts_end(b->o.filter, f)
		   : !filter_accepts(b->o.filter, f)) {
		b->stats.n_filtered++;
		return;
	}
	if (b->is_dumping && !is_end && !ct_tombs_add(&b->met, f))
		b->has_forgotten = true;
	if (origin == ORIGIN_OTHER)
		pass_on(b, type, f);
}

/* ---- dumps -------------------------------------------------------------- */

void bypass_dump_begins(struct bypass *b)
{
	b->is_dumping = true;
	b->has_missed = b->has_forgotten = false;
}

void bypass_row(struct bypass *b, const struct flow *f, bool is_sure,
		uint32_t now_s)
{
	b->now_s = now_s;
	if (!filter_accepts(b->o.filter, f))
		return;
	if (!is_sure || b->has_forgotten || ct_tombs_has(&b->met, f))
		ask_for(b, f, TOUCH_QUIET);
	else if (!tell(b, f, PUT_REPLACE, TOUCH_QUIET))
		b->has_missed = true;
}

bool bypass_has_room(const struct bypass *b)
{
	return n_untold(b) < BYPASS_UNTOLD_MOST &&
	       b->n_asked - b->next_asked < BYPASS_ASKED_MOST;
}

void bypass_dump_ends(struct bypass *b, bool is_complete)
{
	b->is_dumping = false;
	b->has_missed |= !is_complete;
	ct_tombs_clear(&b->met);
}

bool bypass_is_settled(const struct bypass *b)
{
	return !b->is_dumping && b->n_asked == 0;
}

bool bypass_has_missed(const struct bypass *b)
{
	return b->has_missed;
}
