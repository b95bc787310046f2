/* SPDX-License-Identifier: ISC */
/* kernel_side.h - the sockets to the kernel's tables, and what is seen through
 * them (sync/kernel_view): when a dump begins, what it is for, and who hears of
 * its end. */
#ifndef KERNEL_SIDE_H
#define KERNEL_SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/filter.h"
#include "base/loop.h"
#include "base/names.h"
#include "cache/flow_cache.h"
#include "event_buffer.h"
#include "netlink/ct_kernel.h"
#include "sync/kernel_flush.h"
#include "sync/kernel_view.h"

struct kernel_side_opts {
	struct loop *loop;
	struct flow_cache *internal; /* the caller's, as all here */
	/* DisableInternalCache: it holds only what is still to be told. */
	bool is_bypassed;
	const struct filter *filter;
	bool filters_in_kernel; /* events: From Kernelspace */
	struct names *helpers, *contexts, *functions;
	/* ExpectationSync: those that pass the filter are replicated too. */
	bool has_expectations;
	struct expect_filter expect_filter;
	struct event_buffer_opts buffer;
	uint32_t events_per_turn; /* not 0 */
	bool events_reliable;
	bool tcp_window_tracking;
	/* PollSecs: a dump every so many seconds in place of events, of which
	 * nothing is read then. 0: events. Not with is_bypassed, for there must
	 * be something to compare with. */
	uint32_t poll_s;
	/* Polled, where peers' messages are put into the table: what these are,
	 * see kernel_side_injected(). NULL: nothing is put there. */
	struct flow_cache *injected;
	/* With that: whether this flow may be on its way there. */
	bool (*is_under_way)(void *ctx, const struct flow *f);
	/* When a dump repairs what was lost with events: see struct overrun. */
	int64_t overrun_fixed_ms;
	/* Whether an entry of the internal cache is to be told: engine.h. */
	void (*touch)(void *ctx, uint32_t id, enum touch how);
	/* kernel_side_work() has something to do at once. */
	void (*has_work)(void *ctx);
	/* Bypassed: all that there is must be told, for some was missed; and
	 * the end of kernel_side_fetch(). */
	void (*want_bulk)(void *ctx);
	void (*fetched)(void *ctx, bool is_complete);
	/* Once: the first dump has filled the cache, or has failed (a negative
	 * errno value, logged), which may be while it is being opened. */
	void (*filled)(void *ctx, int error);
	void *ctx;
};

struct kernel_side;

/* Subscribes to events, unless it polls, then begins the first dump. Errors are
 * logged. 0 or a negative errno value. */
NODISCARD int kernel_side_open(const struct kernel_side_opts *opts,
			       struct kernel_side **out);
void kernel_side_close(struct kernel_side *k); /* accepts NULL */

/* The table itself, for writers of others: close them before it. */
struct ct_kernel *kernel_side_table(struct kernel_side *k);

/* A set of one kind. Expectations are in the sets only if there are any. */
#define KERNEL_KIND(kind) (1U << (kind))

/* Hears of the end of what it was given to, once; it may be while that is being
 * begun. error: 0 or a negative errno value, logged. */
typedef void kernel_resynced_fn(void *ctx, int error);
typedef void kernel_flushed_fn(void *ctx,
			       const struct kernel_flush_report *report);

/* Makes the internal cache agree with the tables of these kinds (KERNEL_KIND()
 * of enum object_kind), flows first; the peers are not told of what
 * is new, unless it is polled: the next poll would tell. One at a time. */
void kernel_side_resync(struct kernel_side *k, unsigned int kinds,
			kernel_resynced_fn *done, void *ctx);

/* Bypassed: puts and touches all that the table has, of which fetched() tells
 * the end. Begins later, so that an engine may call it. */
void kernel_side_fetch(struct kernel_side *k);

/* With o.injected: a peer's message has had this effect on the table. */
void kernel_side_injected(struct kernel_side *k, enum kernel_op op,
			  const struct flow *f);

/* Deletes what passes the filter from the table of a kind. Of flows their
 * expectations go along. One at a time. */
void kernel_side_flush(struct kernel_side *k, enum object_kind kind,
		       kernel_flushed_fn *done, void *ctx);
/* Ends it early; a batch or two of deletions may be under way. done is called
 * when their answers are in, and not from in here. */
void kernel_side_stop_flush(struct kernel_side *k);

/* A piece of the walks that are under way; true: more can be done at once. */
bool kernel_side_work(struct kernel_side *k);
/* Once a second. */
void kernel_side_second(struct kernel_side *k);

struct kernel_side_stats {
	const struct ct_kernel_stats *table;
	const struct mirror_stats *mirror;
	const struct bypass_stats *bypass; /* NULL: not bypassed */
	const struct expect_mirror_stats *expect;
	uint64_t n_flushes, n_resyncs, n_polls;
};
struct kernel_side_stats kernel_side_stats(const struct kernel_side *k);

#endif
