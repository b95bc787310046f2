/* SPDX-License-Identifier: ISC */
#include "sync/injected.h"

enum { SWEEP_STEP = 4096 }; /* ids in one piece of a sweep, or twice that */

/* The sets of the cache. */
enum {
	SET_HEARD, /* shown or told since the poll began */
	SET_TOLD,  /* since the kernel has last shown it: it may differ */
	SET_ENDED, /* by a peer, since the poll began */
};

/* What differs from row to row though nothing has happened that an event would
 * tell of. */
#define UNTOLD                                                       \
	(FLOW_TIMEOUT | FLOW_TCP_FLAGS_ORIG | FLOW_TCP_FLAGS_REPLY | \
	 FLOW_TIMESTAMP_START | FLOW_TIMESTAMP_STOP)

void injected_forget(struct injected *x, const struct flow *f)
{
	uint32_t id = flow_cache_find(x->flows, f);

	if (id != FLOW_CACHE_NO_ID)
		flow_cache_remove(x->flows, id);
}

void injected_done(struct injected *x, enum kernel_op op, const struct flow *f,
		   uint32_t now_s)
{
	bool is_running = x->is_polling || x->is_sweeping;
	uint32_t id;

	if (op == KERNEL_DELETE && !is_running) {
		injected_forget(x, f);
		return;
	}
	/* without room it is taken for ours, which the cache has counted */
	if (flow_cache_put(x->flows, f, PUT_REPLACE, now_s, &id) > PUT_SAME)
		return;
	flow_cache_mark(x->flows, SET_TOLD, id);
	flow_cache_unmark(x->flows, SET_ENDED, id);
	/* a row that is read now may be of the time before */
	if (is_running)
		flow_cache_mark(x->flows, SET_HEARD, id);
	if (op == KERNEL_DELETE)
		flow_cache_mark(x->flows, SET_ENDED, id);
}

void injected_poll_begins(struct injected *x)
{
	x->is_polling = true;
}

bool injected_has_row(struct injected *x, const struct flow *row,
		      uint32_t now_s)
{
	uint32_t id = flow_cache_find(x->flows, row);
	struct flow shown = *row;
	enum put_result result;

	if (id == FLOW_CACHE_NO_ID)
		return false;
	if (flow_cache_is_marked(x->flows, SET_HEARD, id))
		return true;
	shown.has &= ~UNTOLD;
	result = flow_cache_put(x->flows, &shown, PUT_CONTENT, now_s, &id);
	if (result > PUT_SAME ||
	    (result == PUT_CHANGED &&
	     !flow_cache_is_marked(x->flows, SET_TOLD, id))) {
		injected_forget(x, row);
		return false;
	}
	flow_cache_unmark(x->flows, SET_TOLD, id);
	flow_cache_mark(x->flows, SET_HEARD, id);
	return true;
}

void injected_poll_ends(struct injected *x, bool is_complete)
{
	x->is_polling = false;
	x->is_sweeping = true;
	x->is_complete = is_complete;
	x->position = FLOW_CACHE_NO_ID;
}

bool injected_has_work(const struct injected *x)
{
	return x->is_sweeping;
}

static bool is_gone(const struct injected *x, uint32_t id)
{
	if (flow_cache_head(x->flows, id)->state == ENTRY_FREE)
		return false;
	return flow_cache_is_marked(x->flows, SET_ENDED, id) ||
	       (x->is_complete &&
		!flow_cache_is_marked(x->flows, SET_HEARD, id));
}

void injected_work(struct injected *x)
{
	for (uint32_t n = 0; x->is_sweeping && n < SWEEP_STEP;) {
		uint32_t id = flow_cache_next(x->flows, x->position);

		n += id - x->position; /* free ids too */
		x->position = id;
		if (id == FLOW_CACHE_NO_ID) {
			flow_cache_unmark_all(x->flows, SET_HEARD);
			x->is_sweeping = false;
		} else if (is_gone(x, id)) {
			flow_cache_remove(x->flows, id);
		}
	}
}
