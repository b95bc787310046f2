/* SPDX-License-Identifier: ISC */
/* kernel_view.h - what the kernel tells of its tables, and what becomes of it:
 * flows and expectations, mirrored in the internal cache or, without one, on
 * their way to the peers. One face for mirror, bypass, expect_mirror and
 * injected: who gives it events and rows need not know which there are. */
#ifndef SYNC_KERNEL_VIEW_H
#define SYNC_KERNEL_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "sync/bypass.h"
#include "sync/expect_mirror.h"
#include "sync/injected.h"
#include "sync/mirror.h"

struct kernel_view_opts {
	struct flow_cache *internal;
	bool is_bypassed; /* it holds only what is still to be told */
	bool is_polled;   /* dumps come in place of events; not bypassed */
	bool has_expectations;
	const struct filter *filter;
	struct expect_filter expect_filter;
	/* Polled, where peers' messages are put into the table: what these are.
	 * NULL: nothing is put there. */
	struct flow_cache *injected;
	/* With that: whether this flow may be on its way there. */
	bool (*is_under_way)(void *ctx, const struct flow *f);
	bool events_reliable;
	/* For questions; their answers go to kernel_view_answer(). */
	const struct kernel_ops *kernel;
	/* Whether an entry of the internal cache is to be told: engine.h. */
	void (*touch)(void *ctx, uint32_t id, enum touch how);
	/* Rows are wanted again; or there is work. */
	void (*has_room)(void *ctx);
	void *ctx;
};

/* What a dump does besides making the cache agree with the table. */
enum view_dump {
	VIEW_QUIET, /* what it finds is not told, changes and ends are;
		     * bypassed: a bulk tells it */
	VIEW_TELL,  /* it is */
	VIEW_POLL,  /* in place of events */
};

struct kernel_view {
	struct kernel_view_opts o;
	struct mirror mirror; /* one of these two */
	struct bypass bypass;
	struct expect_mirror expect;
	struct injected injected;
	/* The dump that is running, or was the last. */
	enum object_kind kind;
	enum view_dump dump;
};

/* Must not move. -ENOMEM: nothing is held. */
NODISCARD int kernel_view_init(struct kernel_view *v,
			       const struct kernel_view_opts *o);
void kernel_view_fini(struct kernel_view *v); /* accepts a zeroed one */

/* An event, in the order in which they are read. now_s: monotonic seconds. */
void kernel_view_event(struct kernel_view *v, enum flow_event type,
		       enum flow_origin origin, const struct flow *f,
		       uint32_t now_s);
void kernel_view_expect_event(struct kernel_view *v, enum flow_event type,
			      enum flow_origin origin, const struct expect *e,
			      uint32_t now_s);

/* A dump of one table is requested; one at a time, and that of expectations
 * when the flows are settled. */
void kernel_view_dump_begins(struct kernel_view *v, enum object_kind kind,
			     enum view_dump dump);
/* A row of it. is_sure: none of the events that were handled since was its end.
 * False: rows that are read now would only wait. */
bool kernel_view_row(struct kernel_view *v, const struct flow *f, bool is_sure,
		     uint32_t now_s);
bool kernel_view_expect_row(struct kernel_view *v, const struct expect *e,
			    bool is_sure, uint32_t now_s);
bool kernel_view_has_room(const struct kernel_view *v);
void kernel_view_dump_ends(struct kernel_view *v, bool is_complete);
/* All that the rows have left to do is done. */
bool kernel_view_is_settled(const struct kernel_view *v);
/* Bypassed: something of the last dumps was lost. */
bool kernel_view_has_missed(const struct kernel_view *v);
/* True once after an event that only a dump of expectations can explain. */
bool kernel_view_wants_expectations(struct kernel_view *v);

/* With o.injected: a peer's message has had this effect on the table. */
void kernel_view_injected(struct kernel_view *v, enum kernel_op op,
			  const struct flow *f, uint32_t now_s);

/* The mirror, for a flush; NULL: there is none. */
struct mirror *kernel_view_mirror(struct kernel_view *v);

/* Whether kernel_view_work() has something to do at once; a piece of it. */
bool kernel_view_has_work(const struct kernel_view *v);
void kernel_view_work(struct kernel_view *v, uint32_t now_s);
/* Once a second. */
void kernel_view_second(struct kernel_view *v, uint32_t now_s);

/* A kernel_done_fn with the view as its context. */
void kernel_view_answer(void *ctx, enum kernel_op op, uint32_t cookie,
			int error, const struct flow *found);

#endif
