/* SPDX-License-Identifier: ISC */
/* loop.h - one thread's event loop: descriptors, timers, signals, deferred
 * calls. The only reader of the clock. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"
#include "base/util.h"

struct loop;

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_ERROR = 4 };

/* events: a set of enum loop_events; LOOP_ERROR comes unasked. */
typedef void watch_fn(void *ctx, unsigned int events);
typedef void loop_fn(void *ctx);

/* Embedded in its owner; all fields belong to the loop after watch_add(). The
 * owner must not be freed by its own callback: loop_defer() is for that. */
struct watch {
	int fd;
	unsigned int events;
	watch_fn *fn;
	void *ctx;
	bool is_added;
};

/* Embedded in its owner; a zeroed one with fn and ctx set is idle. fn runs
 * once, after the current batch of events; it may free the owner of d. */
struct deferred {
	loop_fn *fn;
	void *ctx;
	struct deferred *next;
	bool is_queued;
};

/* NULL if the system refuses a descriptor or memory; errno tells why. */
struct loop *loop_new(void);

/* Accepts NULL. Owners remove their watches and timers before. */
void loop_free(struct loop *l);

/* Serves events until loop_stop(), the turn in which it comes being finished;
 * one that came before loop_run() counts. A turn is a batch of events, then
 * the timers that are due, then deferred calls, then the end of turn. 0, or a
 * negative errno value of epoll. */
NODISCARD int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Monotonic milliseconds, read once for each turn of the loop. */
int64_t loop_now_ms(const struct loop *l);

/* The same, read now; loop_now_ms() goes on from there. */
int64_t loop_clock_ms(struct loop *l);

/* Monotonic microseconds, read now, for measuring how long something took. */
int64_t loop_clock_us(void);

/* Wall clock in seconds, read once for each turn. */
int64_t loop_wall_s(const struct loop *l);

/* Starts watching w->fd for events. The descriptor stays the caller's. 0 or a
 * negative errno value (-EPERM: a regular file, which cannot be watched), with
 * *w untouched. */
NODISCARD int watch_add(struct loop *l, struct watch *w, int fd,
			unsigned int events, watch_fn *fn, void *ctx);

/* From now on only these events (and LOOP_ERROR) are delivered, those that the
 * current batch still holds included. */
void watch_change(struct loop *l, struct watch *w, unsigned int events);

/* Before the descriptor is closed. Nothing is delivered afterwards, not even
 * what the current batch holds. Accepts one that was never added. */
void watch_remove(struct loop *l, struct watch *w);

/* (Re)arms t for the first turn at or after due_ms; a time that has passed
 * means the next turn. Never fails. */
void timer_set(struct loop *l, struct timer *t, int64_t due_ms);
void timer_cancel(struct loop *l, struct timer *t);

/* Runs d->fn once, after all events and timers of this turn; what a deferred
 * call defers runs in the next turn, which does not wait for events. Nothing
 * happens if d is queued already. */
void loop_defer(struct loop *l, struct deferred *d);
void loop_defer_cancel(struct loop *l, struct deferred *d);

/* Called at the end of every turn, after deferred calls (one function). */
void loop_set_turn_end(struct loop *l, loop_fn *fn, void *ctx);

/* Blocks the signals of the zero-terminated list and delivers them through
 * the loop: fn gets the number in events. 0 or a negative errno value; -EBUSY
 * if it was called before. The signals stay blocked after loop_free(), or one
 * that is pending would kill the process on its way out. */
NODISCARD int loop_signals(struct loop *l, const int *signals, watch_fn *fn,
			   void *ctx);

enum { LOOP_STATS_N = 24 };

/* Statistics for -s runtime and the 20 ms bound: CPU time of the turns in
 * which something was served. */
struct loop_stats {
	uint64_t n_turns;
	uint64_t n_wait_failed; /* epoll_wait() errors other than EINTR */
	/* [i]: turns of less than 2^i us that are in no lower one; the last
	 * takes all longer ones too */
	uint64_t turn_us[LOOP_STATS_N];
	uint64_t longest_turn_us;
};
const struct loop_stats *loop_stats(const struct loop *l);

#endif
