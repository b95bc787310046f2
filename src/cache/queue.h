/* SPDX-License-Identifier: ISC */
/* queue.h - doubly linked queues of cache entries through the links in their
 * heads. An entry is in one queue at most, and its user knows in which. */
#ifndef CACHE_QUEUE_H
#define CACHE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/flow_cache.h"

struct queue {
	uint32_t first, last; /* FLOW_CACHE_NO_ID: empty */
	uint32_t n;
};

/* Appends an entry that is in no queue. */
void queue_push(struct queue *q, struct flow_cache *c, uint32_t id);
/* Takes out an entry that is in this queue. */
void queue_remove(struct queue *q, struct flow_cache *c, uint32_t id);
/* Takes the first one; FLOW_CACHE_NO_ID if the queue is empty. */
uint32_t queue_pop(struct queue *q, struct flow_cache *c);

#endif
