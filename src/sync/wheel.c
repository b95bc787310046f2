/* SPDX-License-Identifier: ISC */
#include "sync/wheel.h"

void wheel_init(struct wheel *w, struct flow_cache *c, int64_t longest_ms,
		int64_t now_ms)
{
	int64_t tick_ms = longest_ms / (WHEEL_SLOTS - 1) + 1;

	*w = (struct wheel){ .cache = c };
	w->tick_ms =
		(uint32_t)(tick_ms < WHEEL_TICK_MS ? WHEEL_TICK_MS : tick_ms);
	w->tick = now_ms / w->tick_ms;
}

static struct queue *slot_of(struct wheel *w, uint32_t tick)
{
	return &w->slots[tick % WHEEL_SLOTS];
}

void wheel_add(struct wheel *w, uint32_t id, int64_t at_ms)
{
	struct entry_head *h = flow_cache_head(w->cache, id);

	h->due_tick = (uint32_t)(at_ms / w->tick_ms);
	queue_push(slot_of(w, h->due_tick), w->cache, id);
}

void wheel_remove(struct wheel *w, uint32_t id)
{
	struct entry_head *h = flow_cache_head(w->cache, id);

	queue_remove(slot_of(w, h->due_tick), w->cache, id);
}

/* The first one of the slot, if it is due at this tick. Who comes late to a
 * slot finds those of the next turn of the ring behind the others. */
static uint32_t first_due(struct wheel *w, int64_t slot, int64_t tick)
{
	uint32_t id = slot_of(w, (uint32_t)slot)->first;
	const struct entry_head *h = flow_cache_head(w->cache, id);

	w->n_steps++;
	return h && (int32_t)(h->due_tick - (uint32_t)tick) <= 0
		       ? id
		       : FLOW_CACHE_NO_ID;
}

uint32_t wheel_due(struct wheel *w, int64_t now_ms)
{
	int64_t now = now_ms / w->tick_ms;
	uint32_t id;

	/* After a long pause each slot is looked at once. */
	if (now - w->tick > WHEEL_SLOTS)
		w->tick = now - WHEEL_SLOTS;
	while ((id = first_due(w, w->tick, now)) == FLOW_CACHE_NO_ID &&
	       w->tick < now)
		w->tick++;
	return id;
}

int64_t wheel_next_ms(struct wheel *w, int64_t until_ms)
{
	for (int64_t t = w->tick; t * w->tick_ms < until_ms; t++)
		if (first_due(w, t, t) != FLOW_CACHE_NO_ID)
			return t * w->tick_ms;
	return until_ms;
}
