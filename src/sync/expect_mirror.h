/* SPDX-License-Identifier: ISC */
/* expect_mirror.h - the expectations in the internal cache as events and dumps
 * of the kernel make them, beside the flows that announce them (sync/mirror);
 * or, without an internal cache, on their way to the peers (sync/bypass). */
#ifndef SYNC_EXPECT_MIRROR_H
#define SYNC_EXPECT_MIRROR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/expect_filter.h"
#include "base/filter.h"
#include "cache/expect_cache.h"
#include "netlink/ct_kernel.h"
#include "sync/engine.h"
#include "sync/mirror.h"

enum {
	EXPECT_MIRROR_WAITING_MAX = 1024, /* that wait for their masters */
	EXPECT_MIRROR_WAIT_S = 3,         /* so long; then they are refused */
	EXPECT_MIRROR_ZONES = 1 << 16,
};

struct expect_mirror_opts {
	struct flow_cache *cache; /* the mirror's: their masters are there */
	/* The cache has what is still to be told, and whoever tells it removes
	 * it. Of masters the filter says whether they are replicated. */
	bool is_bypassed;
	const struct filter *masters;
	struct expect_filter filter;
	/* Whether the entry that was put or killed is to be told. */
	void (*touch)(void *ctx, uint32_t id, enum touch how);
	void *ctx;
};

struct expect_mirror_stats {
	uint64_t n_filtered;
	uint64_t n_no_master; /* refused: their masters are not replicated */
	uint64_t n_new, n_destroyed; /* bypassed: those that were passed on */
};

enum expect_mirror_phase {
	EXPECT_MIRROR_SETTLED,
	EXPECT_MIRROR_ROWS,  /* a dump is running */
	EXPECT_MIRROR_SWEEP, /* what it has not met has ended */
};

struct expect_mirror {
	struct expect_mirror_opts o;
	uint32_t now_s; /* of the call that is running */
	enum expect_mirror_phase phase;
	enum touch new_how; /* whether one that the dump finds is told */
	uint32_t sweep_position;
	/* New ones whose masters are not there: a helper may announce one
	 * before the flow itself is told. Their owner is an enum touch. */
	struct flow_cache *waiting;
	bool may_be_there; /* a flow has come that may be a master */
	/* Bit by bit: those that flows have had. The kernel does not tell in
	 * which one an expectation is (PROTOCOL.md 5.9): it is its master's. */
	uint64_t zones[EXPECT_MIRROR_ZONES / 64];
	bool is_in_doubt;
	/* The time of one of those that are cached is up then, and no event may
	 * tell so. 0: there is none. */
	uint32_t due_s;
	/* Our own flush has deleted some from the kernel that live on here; all
	 * of their time is up then, and until then nothing is due. 0: none. */
	uint32_t flushed_until_s;
	bool has_missed; /* bypassed: not all of the dump could be told */
	struct expect_mirror_stats stats;
};

/* -ENOMEM: nothing is held. */
NODISCARD int expect_mirror_init(struct expect_mirror *m,
				 const struct expect_mirror_opts *o);
void expect_mirror_fini(struct expect_mirror *m); /* accepts a zeroed one */

/* An event, in the order in which they are read. now_s: monotonic seconds. */
void expect_mirror_event(struct expect_mirror *m, enum flow_event type,
			 enum flow_origin origin, const struct expect *e,
			 uint32_t now_s);

/* A flow, which may be a master, was handled by the mirror: of an event or a
 * row. */
void expect_mirror_flow_came(struct expect_mirror *m, const struct flow *f);

/* A dump is requested, when the flows agree with the kernel; how: whether what
 * it finds is told. Changes and ends always are. One at a time. */
void expect_mirror_dump_begins(struct expect_mirror *m, enum touch how);
/* A row of it. is_sure: it has not ended since. */
void expect_mirror_row(struct expect_mirror *m, const struct expect *e,
		       bool is_sure, uint32_t now_s);
/* Complete: what it has not met ends; settled when that is done. */
void expect_mirror_dump_ends(struct expect_mirror *m, bool is_complete);
bool expect_mirror_is_settled(const struct expect_mirror *m);

/* True once after something was heard that only a dump can explain, or the time
 * of some is up. */
bool expect_mirror_wants_dump(struct expect_mirror *m);

/* Whether expect_mirror_work() has something to do at once; a piece of it. */
bool expect_mirror_has_work(const struct expect_mirror *m);
void expect_mirror_work(struct expect_mirror *m, uint32_t now_s);

/* Once a second: who has waited for a master for long is refused. */
void expect_mirror_second(struct expect_mirror *m, uint32_t now_s);

#endif
