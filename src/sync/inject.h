/* SPDX-License-Identifier: ISC */
/* inject.h - what peers tell, put into the kernel's table at once
 * (DisableExternalCache). Nothing is kept but what waits for its master, and
 * nothing of it comes back: this node's own part of a flow begins with an event
 * that its traffic causes. */
#ifndef SYNC_INJECT_H
#define SYNC_INJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/kernel_ops.h"
#include "cache/flow_cache.h"
#include "sync/inject_expect.h"
#include "sync/roster.h"
#include "sync/wire_flow.h"

struct inject;

enum {
	INJECT_WAITING_MAX = 1024, /* flows that wait for their masters */
	INJECT_WAIT_S = 3,         /* so long; then they go without */
};

struct inject_opts {
	struct flow_cache *internal; /* the mirror's, or NULL */
	struct wire_flow_opts wire;
	/* A message has had its effect: op is what the kernel has done. May be
	 * NULL. */
	void (*injected)(void *ctx, enum kernel_op op, const struct flow *f);
	void *ctx;
	bool has_expectations; /* false: what is told of them is ignored */
};

struct inject_stats {
	/* What was done to the kernel's table, and what it has refused. */
	uint64_t n_created, n_updated, n_destroyed;
	uint64_t n_create_failed, n_update_failed, n_destroy_failed;
	/* Why: each failure is in one of these. */
	uint64_t n_full;  /* its table is full */
	uint64_t n_taken; /* another entry has one of the tuples */
	uint64_t n_other; /* it takes no such entry */
	/* Messages that were not put in, for it takes nothing just now. */
	uint64_t n_stuck;
	/* Not failures: */
	uint64_t n_newer; /* left alone: this kernel knows better */
	uint64_t n_without_helper, n_without_master; /* made like that */
	struct wire_flow_stats wire;
};

/* Nothing may come before it is connected. NULL if there is no memory. */
struct inject *inject_new(const struct inject_opts *opts);
void inject_free(struct inject *x); /* accepts NULL */

/* To a kernel side, which is copied; its results go to inject_done(). */
void inject_connect(struct inject *x, const struct kernel_ops *kernel);

/* Takes up a data message of a peer. The kernel is asked at the end of the
 * turn, or before, as it must: messages on one flow have their effect in the
 * order of their coming. VERDICT_OK, _BAD_PAYLOAD, _IGNORED, or _NO_ROOM: the
 * kernel takes nothing just now. */
enum verdict inject_data(struct inject *x, const struct peer *from,
			 const struct msg *m, int64_t now_ms);

/* At the end of a turn of the loop, before what it has received is
 * acknowledged: the kernel has all of it after this, if it takes anything. */
void inject_turn(struct inject *x, int64_t now_ms);

/* Once a second: who has waited for a master for long goes without. */
void inject_second(struct inject *x, int64_t now_ms);

/* True if this flow may be on its way into the kernel, and how that ends is not
 * known yet. */
bool inject_is_under_way(const struct inject *x, const struct flow *f);

/* False while the kernel takes nothing. */
bool inject_has_room(const struct inject *x);

const struct inject_stats *inject_stats(const struct inject *x);
const struct inject_expect_stats *
inject_stats_of_expectations(const struct inject *x);

/* A kernel_done_fn with the inject as its context. */
void inject_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		 const struct flow *found);

#endif
