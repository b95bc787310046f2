/* SPDX-License-Identifier: ISC */
/* loop.h - one thread's event loop: descriptors, timers, signals, deferred
 * calls. The only reader of the clock. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/util.h"

struct loop;

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_ERROR = 4 };

/* events: a set of enum loop_events; LOOP_ERROR comes unasked. */
typedef void watch_fn(void *ctx, unsigned int events);
typedef void timer_fn(void *ctx, int64_t now_ms);
typedef void loop_fn(void *ctx);

/* Embedded in its owner; all fields belong to the loop after watch_add(). */
struct watch {
	int fd;
	unsigned int events;
	watch_fn *fn;
	void *ctx;
	bool is_added;
};

/* Embedded in its owner; a zeroed one with fn and ctx set is disarmed. */
struct timer {
	timer_fn *fn;
	void *ctx;
	int64_t due_ms;
	uint32_t slot; /* 1 + place in the heap; 0: disarmed */
};

/* Embedded in its owner; runs once after the current batch of events. */
struct deferred {
	loop_fn *fn;
	void *ctx;
	struct deferred *next;
	bool is_queued;
};

/* NULL if the system refuses a descriptor or memory; errno tells why. */
struct loop *loop_new(void);
void loop_free(struct loop *l); /* accepts NULL; owners remove theirs before */

/* Serves events until loop_stop(). 0, or a negative errno value of epoll. */
NODISCARD int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Monotonic milliseconds, read once for each turn of the loop. */
int64_t loop_now_ms(const struct loop *l);
/* The same, read now. */
int64_t loop_clock_ms(struct loop *l);
/* Wall clock in seconds, read once for each turn. */
int64_t loop_wall_s(const struct loop *l);

/* Starts watching w->fd for events. The descriptor stays the caller's. 0 or a
 * negative errno value. */
NODISCARD int watch_add(struct loop *l, struct watch *w, int fd,
			unsigned int events, watch_fn *fn, void *ctx);
void watch_change(struct loop *l, struct watch *w, unsigned int events);
/* Before the descriptor is closed. Accepts one that was never added. */
void watch_remove(struct loop *l, struct watch *w);

/* (Re)arms t for the first turn at or after due_ms. Never fails: room is made
 * in timer_reserve() or is there for the first 64. */
void timer_set(struct loop *l, struct timer *t, int64_t due_ms);
void timer_cancel(struct loop *l, struct timer *t);
bool timer_is_set(const struct timer *t);

/* Runs d->fn once, after all events of this turn have been handled. */
void loop_defer(struct loop *l, struct deferred *d);
void loop_defer_cancel(struct loop *l, struct deferred *d);

/* Called at the end of every turn, after deferred calls (one function). */
void loop_set_turn_end(struct loop *l, loop_fn *fn, void *ctx);

/* Blocks the signals of the zero-terminated list and delivers them through
 * the loop: fn gets the number in events. 0 or a negative errno value. */
NODISCARD int loop_signals(struct loop *l, const int *signals, watch_fn *fn,
			   void *ctx);

/* Statistics for -s runtime and the 20 ms bound: longest turns of CPU time. */
struct loop_stats {
	uint64_t n_turns;
	uint64_t n_wait_failed; /* epoll_wait() errors other than EINTR */
	uint64_t turn_us[24];   /* turns whose CPU time is below 2^i us */
	uint64_t longest_turn_us;
};
const struct loop_stats *loop_stats(const struct loop *l);

#endif
