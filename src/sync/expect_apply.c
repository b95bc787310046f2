/* SPDX-License-Identifier: ISC */
#include "sync/expect_apply.h"

#include <errno.h>

static void end(struct expect_apply *a, uint32_t id, int error)
{
	flow_cache_unmark(a->o.cache, SET_EXPECT_UNDER_WAY, id);
	flow_cache_unmark(a->o.cache, SET_EXPECT_AGAIN, id);
	flow_cache_unmark(a->o.cache, SET_EXPECT_TRIED, id);
	flow_cache_unmark(a->o.cache, SET_EXPECT_MADE, id);
	a->o.ended(a->o.ctx, id, error);
}

/* False: there is no room. */
static bool submit(struct expect_apply *a, enum kernel_op op, uint32_t id)
{
	const struct kernel_ops *k = a->o.kernel;
	struct expect e;
	const struct object o = { .kind = OBJECT_EXPECT, .expect = &e };
	int err;

	a->o.get(a->o.ctx, id, &e);
	err = k->submit(k->self, op, &o, a->o.first_cookie + id);
	if (err == -EAGAIN)
		return false;
	if (err == 0)
		a->n_in_flight++;
	else if (op != KERNEL_DELETE)
		end(a, id, err);
	return true;
}

bool expect_apply_put(struct expect_apply *a, uint32_t id)
{
	flow_cache_mark(a->o.cache, SET_EXPECT_UNDER_WAY, id);
	if (submit(a, KERNEL_CREATE, id))
		return true;
	flow_cache_unmark(a->o.cache, SET_EXPECT_UNDER_WAY, id);
	return false;
}

/* What has no room for the second half begins again with the first. */
static bool replace(struct expect_apply *a, uint32_t id)
{
	flow_cache_mark(a->o.cache, SET_EXPECT_TRIED, id);
	if (!submit(a, KERNEL_DELETE, id) || !submit(a, KERNEL_CREATE, id))
		return false;
	flow_cache_unmark(a->o.cache, SET_EXPECT_AGAIN, id);
	return true;
}

static bool give_time(struct expect_apply *a, uint32_t id)
{
	if (!submit(a, KERNEL_UPDATE, id))
		return false;
	flow_cache_unmark(a->o.cache, SET_EXPECT_MADE, id);
	return true;
}

/* False: there is no room for all of the set. */
static bool go_on(struct expect_apply *a, enum expect_apply_set set,
		  bool (*step)(struct expect_apply *, uint32_t))
{
	uint32_t id = FLOW_CACHE_NO_ID;

	while ((id = flow_cache_next_marked(a->o.cache, set, id)) !=
	       FLOW_CACHE_NO_ID)
		if (!step(a, id))
			return false;
	return true;
}

bool expect_apply_resume(struct expect_apply *a)
{
	return go_on(a, SET_EXPECT_MADE, give_time) &&
	       go_on(a, SET_EXPECT_AGAIN, replace);
}

bool expect_apply_is_idle(const struct expect_apply *a)
{
	return !a->n_in_flight &&
	       !flow_cache_n_marked(a->o.cache, SET_EXPECT_MADE) &&
	       !flow_cache_n_marked(a->o.cache, SET_EXPECT_AGAIN);
}

/* One of the same connection, or an answer that was lost. */
static bool is_worth_a_try(int error)
{
	return error == -EEXIST || error == -EBUSY || error == -ENOBUFS;
}

void expect_apply_done(struct expect_apply *a, enum kernel_op op, uint32_t id,
		       int error)
{
	a->n_in_flight--;
	/* the creation that follows a deletion tells all; what has left the
	 * cache has left its sets */
	if (op == KERNEL_DELETE ||
	    !flow_cache_is_marked(a->o.cache, SET_EXPECT_UNDER_WAY, id))
		return;
	if (op == KERNEL_CREATE && !error)
		flow_cache_mark(a->o.cache, SET_EXPECT_MADE, id);
	else if (op == KERNEL_UPDATE) /* it is there, or has come meanwhile */
		end(a, id, 0);
	else if (is_worth_a_try(error) &&
		 !flow_cache_is_marked(a->o.cache, SET_EXPECT_TRIED, id))
		flow_cache_mark(a->o.cache, SET_EXPECT_AGAIN, id);
	else
		end(a, id, error);
}
