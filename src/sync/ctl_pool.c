/* SPDX-License-Identifier: ISC */
#include "sync/ctl_pool.h"

#include <stdlib.h>

enum { CTL_FIRST_SIZE = 64, CTL_MAX_SIZE = 1 << 28 };

void ctl_pool_fini(struct ctl_pool *p)
{
	free(p->all);
	*p = (struct ctl_pool){ 0 };
}

static bool grow(struct ctl_pool *p)
{
	uint32_t n = p->n_all ? p->n_all * 2 : CTL_FIRST_SIZE;
	struct ctl *all;

	if (n > CTL_MAX_SIZE)
		return false;
	all = realloc(p->all, n * sizeof(*all));
	if (!all)
		return false;
	/* Element 0 is never given out: its id means none. */
	for (uint32_t i = n - 1; i >= (p->n_all ? p->n_all : 1); i--) {
		all[i].next = p->first_free;
		p->first_free = i;
	}
	p->all = all;
	p->n_all = n;
	return true;
}

uint32_t ctl_add(struct ctl_pool *p, const struct ctl *c)
{
	uint32_t id;

	if (!p->first_free && !grow(p))
		return 0;
	id = p->first_free;
	p->first_free = p->all[id].next;
	p->all[id] = *c;
	p->all[id].next = 0;
	return id;
}

struct ctl *ctl_at(const struct ctl_pool *p, uint32_t id)
{
	return &p->all[id];
}

void ctl_free_chain(struct ctl_pool *p, uint32_t first)
{
	while (first) {
		uint32_t next = p->all[first].next;

		p->all[first].next = p->first_free;
		p->first_free = first;
		first = next;
	}
}

void ctl_queue_append(struct ctl_queue *q, struct ctl_pool *p, uint32_t first)
{
	if (q->last)
		p->all[q->last].next = first;
	else
		q->first = first;
	for (uint32_t id = first; id; id = p->all[id].next) {
		q->last = id;
		q->n++;
	}
}

uint32_t ctl_queue_pop(struct ctl_queue *q, struct ctl_pool *p)
{
	uint32_t id = q->first;

	if (!id)
		return 0;
	q->n--;
	q->first = p->all[id].next;
	if (!q->first)
		q->last = 0;
	p->all[id].next = 0;
	return id;
}
