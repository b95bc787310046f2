/* SPDX-License-Identifier: ISC */
#include "sync/expiry.h"

enum { STEP = 1024 }; /* entries in one piece */

static void on_stored(void *ctx, uint32_t id, enum store_event event)
{
	struct expiry *e = ctx;

	if (event == STORE_NEW)
		queue_push(&e->queue, e->cache, id);
	else if (event == STORE_REMOVING)
		queue_remove(&e->queue, e->cache, id);
}

void expiry_init(struct expiry *e, struct flow_cache *c, uint32_t timeout_s)
{
	*e = (struct expiry){ .cache = c,
			      .observer = { on_stored, e },
			      .timeout_s = timeout_s };
	flow_cache_observe(c, &e->observer);
}

void expiry_fini(struct expiry *e)
{
	flow_cache_unobserve(e->cache, &e->observer);
}

void expiry_told(struct expiry *e, uint32_t id, uint32_t now_s)
{
	queue_remove(&e->queue, e->cache, id);
	queue_push(&e->queue, e->cache, id);
	flow_cache_head(e->cache, id)->told_s = now_s;
	e->now_s = now_s;
}

static bool is_first_due(const struct expiry *e)
{
	const struct entry_head *h = flow_cache_head(e->cache, e->queue.first);

	return h && e->now_s - h->told_s > e->timeout_s;
}

bool expiry_is_due(struct expiry *e, uint32_t now_s)
{
	e->now_s = now_s;
	return is_first_due(e);
}

bool expiry_step(struct expiry *e)
{
	for (int i = 0; i < STEP && is_first_due(e); i++) {
		flow_cache_remove(e->cache, e->queue.first);
		e->n_expired++;
	}
	return is_first_due(e);
}

uint32_t expiry_left_s(const struct entry_head *h, uint32_t timeout_s,
		       uint32_t now_s)
{
	uint32_t age_s = now_s - h->told_s;

	return age_s < timeout_s ? timeout_s - age_s : 0;
}
