/* SPDX-License-Identifier: ISC */
/* wheel.h - entries of a cache that wait for their time, in the slots of a
 * ring, through the links in their heads. A call costs what is due and the
 * slots that have passed, however many entries wait. */
#ifndef SYNC_WHEEL_H
#define SYNC_WHEEL_H

#include <stdint.h>

#include "cache/queue.h"

enum {
	WHEEL_SLOTS = 4096,
	WHEEL_TICK_MS = 20, /* of a slot, at least */
};

/* Bounded: of what is drawn at random no slot has more than a few times its
 * share. */
struct wheel {
	struct flow_cache *cache;
	struct queue slots[WHEEL_SLOTS]; /* by head->due_tick */
	uint32_t tick_ms;
	int64_t tick;     /* nothing is due before it */
	uint64_t n_steps; /* slots and entries looked at: what it has cost */
};

/* Makes an empty one for waits of up to longest_ms. The cache outlives it.
 * Longer waits make for coarser ticks. */
void wheel_init(struct wheel *w, struct flow_cache *c, int64_t longest_ms,
		int64_t now_ms);

/* Puts in an entry that is in no queue: it is due at at_ms, or up to a tick
 * before; at_ms is at most longest_ms ahead. */
void wheel_add(struct wheel *w, uint32_t id, int64_t at_ms);
/* Takes out one that is in it, due or not. */
void wheel_remove(struct wheel *w, uint32_t id);

/* The one that has been due for longest; it stays until it is taken out.
 * FLOW_CACHE_NO_ID: there is none. */
uint32_t wheel_due(struct wheel *w, int64_t now_ms);

/* When one will be due, after wheel_due() had none; until_ms if that is not
 * before. */
int64_t wheel_next_ms(struct wheel *w, int64_t until_ms);

#endif
