/* SPDX-License-Identifier: ISC */
/* timer.h - a heap of timers that are embedded in their owners: it never
 * allocates, so arming a timer cannot fail. For the few dozen real ones, not
 * for entries. The loop wraps it: timer_set() and timer_cancel() in loop.h. */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#define TIMER_NEVER INT64_MAX

typedef void timer_fn(void *ctx, int64_t now_ms);

/* A zeroed one with fn and ctx set is disarmed; all other fields belong to the
 * heap. It must be disarmed before its storage goes away. */
struct timer {
	timer_fn *fn;
	void *ctx;
	int64_t due_ms;
	uint64_t order; /* counts the armings: first armed, first fired */
	struct timer *child, *next, *prev; /* prev: or the parent */
	bool is_set;
};

/* A pairing heap by (due_ms, order). Zeroed: empty. */
struct timer_heap {
	struct timer *root; /* the next one to fire */
	uint64_t n_armed;   /* how often a timer was armed */
	int64_t now_ms;     /* of the last fire */
};

bool timer_is_set(const struct timer *t);

/* (Re)arms t. A time before the last fire stands for that time, so that nobody
 * can push in before those who wait. */
void timer_heap_set(struct timer_heap *h, struct timer *t, int64_t due_ms);

/* Accepts one that is disarmed. */
void timer_heap_cancel(struct timer_heap *h, struct timer *t);

/* When the first timer is due; TIMER_NEVER if there is none. */
int64_t timer_heap_next_ms(const struct timer_heap *h);

/* Fires every timer that is due at now_ms, in the order of their times; each
 * is disarmed before its call. One that is armed by such a call waits for the
 * next fire, even if it is due at once. Returns how many fired. */
unsigned int timer_heap_fire(struct timer_heap *h, int64_t now_ms);

#endif
