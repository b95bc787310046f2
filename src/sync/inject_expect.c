/* SPDX-License-Identifier: ISC */
#include "sync/inject_expect.h"

#include <errno.h>

#include "sync/outbox.h"

enum {
	FIRST_SIZE = 64, /* buckets */
	/* What a sender with CommitTimeout does not tell: what Linux gives to
	 * one of FTP. */
	TIMEOUT_S = 300,
};

static void get(void *ctx, uint32_t id, struct expect *out)
{
	const struct inject_expect *x = ctx;

	expect_cache_get(x->kept, id, out);
	if (!(out->has & EXPECT_TIMEOUT))
		out->timeout_s = TIMEOUT_S;
	out->has |= EXPECT_TIMEOUT;
	out->has &= ~(uint32_t)EXPECT_ID; /* the peer's */
}

static bool may_wait(const struct inject_expect *x, uint32_t id)
{
	return x->now_s - flow_cache_head(x->kept, id)->created_s <=
	       INJECT_EXPECT_WAIT_S;
}

bool inject_expect_is_idle(const struct inject_expect *x)
{
	return !x->n_ends && expect_apply_is_idle(&x->apply);
}

static void ended(void *ctx, uint32_t id, int error)
{
	struct inject_expect *x = ctx;

	if (error == -ENOENT && may_wait(x, id)) {
		x->has_orphans = true;
		return;
	}
	flow_cache_remove(x->kept, id);
	x->stats.n_created += error == 0;
	x->stats.n_create_failed += error != 0;
	x->stats.n_no_master += error == -ENOENT;
}

int inject_expect_init(struct inject_expect *x,
		       const struct inject_expect_opts *o)
{
	const struct flow_cache_opts kept = { .first_size = FIRST_SIZE,
					      .limit = INJECT_EXPECT_MAX };

	*x = (struct inject_expect){ .o = *o };
	x->kept = flow_cache_new(&kept);
	x->apply.o = (struct expect_apply_opts){
		.cache = x->kept,
		.kernel = o->kernel,
		.first_cookie = o->first_cookie,
		.get = get,
		.ended = ended,
		.ctx = x,
	};
	return x->kept ? 0 : -ENOMEM;
}

void inject_expect_fini(struct inject_expect *x)
{
	flow_cache_free(x->kept);
	x->kept = NULL;
}

/* The entry of the internal cache: what traffic here has made. */
static uint32_t own(const struct inject_expect *x, const struct expect *e)
{
	return x->o.internal ? expect_cache_find(x->o.internal, e)
			     : FLOW_CACHE_NO_ID;
}

/* True if all that is kept only waits for masters, which may never come. */
static bool refuse(struct inject_expect *x)
{
	if (!inject_expect_is_idle(x))
		return false;
	x->stats.n_create_failed++;
	return true;
}

bool inject_expect_put(struct inject_expect *x, const struct expect *e,
		       uint32_t now_s)
{
	uint32_t id;

	x->now_s = now_s;
	if (own(x, e) != FLOW_CACHE_NO_ID) {
		x->stats.n_own++;
		return true;
	}
	switch (expect_cache_put(x->kept, e, STORE_REPLACE, now_s, &id)) {
	case PUT_NEW:
	case PUT_CHANGED:
	case PUT_SAME:
		break;
	case PUT_OTHER:
	case PUT_NO_SPACE:
	case PUT_NO_MEMORY:
		return refuse(x);
	}
	if (expect_apply_put(&x->apply, id))
		return true;
	flow_cache_remove(x->kept, id);
	return false;
}

bool inject_expect_end(struct inject_expect *x, const struct expect *e,
		       uint32_t now_s)
{
	const struct kernel_ops *k = x->o.kernel;
	struct expect ended = *e;
	const struct object o = { .kind = OBJECT_EXPECT, .expect = &ended };
	uint32_t id = own(x, e);
	int err;

	x->now_s = now_s;
	if (id != FLOW_CACHE_NO_ID &&
	    !outbox_peers_know(flow_cache_head(x->o.internal, id))) {
		x->stats.n_own++;
		return true;
	}
	ended.has &= ~(uint32_t)EXPECT_ID;
	err = k->submit(k->self, KERNEL_DELETE, &o,
			x->o.first_cookie + FLOW_CACHE_NO_ID);
	if (err == -EAGAIN)
		return false;
	x->n_ends += err == 0;
	x->stats.n_destroy_failed += err != 0;
	id = expect_cache_find(x->kept, e);
	if (id != FLOW_CACHE_NO_ID)
		flow_cache_remove(x->kept, id);
	return true;
}

bool inject_expect_try(struct inject_expect *x, uint32_t now_s)
{
	uint32_t id = FLOW_CACHE_NO_ID;

	x->now_s = now_s;
	if (!x->has_orphans)
		return true;
	x->has_orphans = false;
	while ((id = flow_cache_next(x->kept, id)) != FLOW_CACHE_NO_ID) {
		if (flow_cache_head(x->kept, id)->state == ENTRY_FREE ||
		    flow_cache_is_marked(x->kept, SET_EXPECT_UNDER_WAY, id))
			continue;
		if (expect_apply_put(&x->apply, id))
			continue;
		x->has_orphans = true;
		return false;
	}
	return true;
}

void inject_expect_resume(struct inject_expect *x)
{
	(void)expect_apply_resume(&x->apply);
}

void inject_expect_done(struct inject_expect *x, enum kernel_op op,
			uint32_t cookie, int error)
{
	uint32_t id = cookie - x->o.first_cookie;

	if (id != FLOW_CACHE_NO_ID) {
		expect_apply_done(&x->apply, op, id, error);
		return;
	}
	x->n_ends--;
	x->stats.n_destroyed += error == 0;
	x->stats.n_destroy_failed += error != 0 && error != -ENOENT;
}
