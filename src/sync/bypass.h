/* SPDX-License-Identifier: ISC */
/* bypass.h - events on their way to the peers without an internal cache: what
 * they tell is kept until it was sent, and no longer. For a bulk the rows of a
 * dump wait among that. Where a row may be older than what an event has told
 * since the dump began, the kernel is asked. */
#ifndef SYNC_BYPASS_H
#define SYNC_BYPASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/filter.h"
#include "base/kernel_ops.h"
#include "cache/flow_cache.h"
#include "netlink/ct_kernel.h"
#include "netlink/ct_tombs.h"
#include "sync/engine.h"

enum {
	BYPASS_UNTOLD_MOST = 4096, /* no more rows while so many wait */
	BYPASS_ASKED_MOST = 1024,  /* or are to be asked for */
	BYPASS_ASK_STEP = 200,     /* questions in one piece of work */
};

struct bypass_opts {
	/* What is to be told. Whoever tells it removes it. */
	struct flow_cache *untold;
	const struct filter *filter;
	/* For questions, as the mirror has it; the answers go to
	 * bypass_answer(). */
	const struct kernel_ops *kernel;
	bool events_reliable; /* ends may come late: NetlinkEventsReliable */
	/* How the entry that was put or killed is to be told. TOUCH_QUIET: by
	 * the bulk. */
	void (*touch)(void *ctx, uint32_t id, enum touch how);
	/* While a dump runs: half of what waited was told. */
	void (*has_room)(void *ctx);
	void *ctx;
};

struct bypass_stats {
	uint64_t n_filtered;                    /* events */
	uint64_t n_new, n_updated, n_destroyed; /* those that were passed on */
};

/* A flow that the kernel is to be asked for. */
struct bypass_asked {
	struct flow flow;
	/* How the answer is told; TOUCH_QUIET: by the bulk, as a row. */
	enum touch how;
};

struct bypass {
	struct bypass_opts o;
	struct store_observer observer; /* of untold */
	uint32_t now_s;                 /* of the call that is running */
	bool is_dumping;
	bool has_missed; /* not all of the dump could be told */
	/* The lives that an event told of since the dump began; has_forgotten:
	 * there were more. */
	struct ct_tombs met;
	bool has_forgotten;
	/* In the order of coming; those before next_asked are done with. */
	struct bypass_asked *asked;
	size_t n_asked, size_asked, next_asked;
	/* The kernel takes no questions just now: until the next second. */
	bool is_paused;
	struct bypass_stats stats;
};

/* Observes untold until bypass_fini(); must not move. */
void bypass_init(struct bypass *b, const struct bypass_opts *o);
void bypass_fini(struct bypass *b); /* accepts a zeroed one */

/* An event, in the order in which they are read. What we have caused ourselves
 * is not told. now_s: monotonic seconds. */
void bypass_event(struct bypass *b, enum flow_event type,
		  enum flow_origin origin, const struct flow *f,
		  uint32_t now_s);

/* A dump is requested, for a bulk; one at a time. */
void bypass_dump_begins(struct bypass *b);
/* A row of it, older than the events that were handled since. is_sure: none of
 * them was its end. */
void bypass_row(struct bypass *b, const struct flow *f, bool is_sure,
		uint32_t now_s);
/* False: rows that are read now would only wait. */
bool bypass_has_room(const struct bypass *b);
void bypass_dump_ends(struct bypass *b, bool is_complete);
/* All questions are answered: what a dump has shown waits for the bulk, or was
 * told. */
bool bypass_is_settled(const struct bypass *b);
/* Something of the last dump was lost: it failed, or there was no room. */
bool bypass_has_missed(const struct bypass *b);

/* Whether bypass_work() has something to do at once; a piece of it. */
bool bypass_has_work(const struct bypass *b);
void bypass_work(struct bypass *b, uint32_t now_s);
/* Once a second. */
void bypass_second(struct bypass *b);

/* A kernel_done_fn with the bypass as its context. */
void bypass_answer(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		   const struct flow *found);

#endif
