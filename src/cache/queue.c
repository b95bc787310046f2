/* SPDX-License-Identifier: ISC */
#include "cache/queue.h"

void queue_push(struct queue *q, struct flow_cache *c, uint32_t id)
{
	struct entry_head *head = flow_cache_head(c, id);

	head->q_prev = q->last;
	head->q_next = FLOW_CACHE_NO_ID;
	if (q->last)
		flow_cache_head(c, q->last)->q_next = id;
	else
		q->first = id;
	q->last = id;
	q->n++;
}

void queue_remove(struct queue *q, struct flow_cache *c, uint32_t id)
{
	struct entry_head *head = flow_cache_head(c, id);

	if (head->q_prev)
		flow_cache_head(c, head->q_prev)->q_next = head->q_next;
	else
		q->first = head->q_next;
	if (head->q_next)
		flow_cache_head(c, head->q_next)->q_prev = head->q_prev;
	else
		q->last = head->q_prev;
	head->q_prev = FLOW_CACHE_NO_ID;
	head->q_next = FLOW_CACHE_NO_ID;
	q->n--;
}

uint32_t queue_pop(struct queue *q, struct flow_cache *c)
{
	uint32_t id = q->first;

	if (id != FLOW_CACHE_NO_ID)
		queue_remove(q, c, id);
	return id;
}
