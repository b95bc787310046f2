/* SPDX-License-Identifier: ISC */
#include "base/timer.h"

#include <stddef.h>

bool timer_is_set(const struct timer *t)
{
	return t->is_set;
}

static bool is_before(const struct timer *a, const struct timer *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms
				      : a->order < b->order;
}

/* Makes one heap of two; either may be NULL. */
static struct timer *meld(struct timer *a, struct timer *b)
{
	struct timer *low = a;

	if (!a || !b)
		return a ? a : b;
	if (is_before(b, a)) {
		low = b;
		b = a;
	}
	b->prev = low;
	b->next = low->child;
	if (b->next)
		b->next->prev = b;
	low->child = b;
	return low;
}

/* Makes one heap of a list of siblings: in pairs, then the pairs from the last
 * to the first. The two passes are what keeps the heap flat. */
static struct timer *meld_siblings(struct timer *first)
{
	struct timer *pairs = NULL, *heap = NULL;

	while (first) {
		struct timer *a = first, *b = a->next;

		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct timer *t = pairs;

		pairs = t->next;
		t->next = NULL;
		heap = meld(heap, t);
	}
	return heap;
}

void timer_heap_cancel(struct timer_heap *h, struct timer *t)
{
	if (!t->is_set)
		return;
	if (t == h->root) {
		h->root = meld_siblings(t->child);
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		h->root = meld(h->root, meld_siblings(t->child));
	}
	t->child = t->next = t->prev = NULL;
	t->is_set = false;
}

void timer_heap_set(struct timer_heap *h, struct timer *t, int64_t due_ms)
{
	timer_heap_cancel(h, t);
	t->due_ms = due_ms > h->now_ms ? due_ms : h->now_ms;
	t->order = h->n_armed++;
	t->is_set = true;
	h->root = meld(h->root, t);
}

int64_t timer_heap_next_ms(const struct timer_heap *h)
{
	return h->root ? h->root->due_ms : TIMER_NEVER;
}

unsigned int timer_heap_fire(struct timer_heap *h, int64_t now_ms)
{
	uint64_t end = h->n_armed;
	unsigned int n = 0;
	struct timer *t;

	h->now_ms = now_ms;
	while ((t = h->root) && t->due_ms <= now_ms && t->order < end) {
		timer_heap_cancel(h, t);
		t->fn(t->ctx, now_ms);
		n++;
	}
	return n;
}
