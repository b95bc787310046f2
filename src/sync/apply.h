/* SPDX-License-Identifier: ISC */
/* apply.h - puts one flow at a time into the kernel's table: it is created, or,
 * where something is in its way, that is looked at, and then updated, replaced
 * or left alone. What is under way is kept here, as values. */
#ifndef SYNC_APPLY_H
#define SYNC_APPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/kernel_ops.h"
#include "cache/flow_cache.h"
#include "sync/compare.h"

struct apply;

/* Flows under way at most: more than the two batches of a kernel side. */
enum { APPLY_SLOTS = 256 };

enum apply_result {
	APPLY_COMMITTED,
	APPLY_NEWER,     /* left alone: a newer connection has its tuple */
	APPLY_ABSENT,    /* nothing of it was there that could have gone */
	APPLY_NO_MASTER, /* its master is not there, see waits */
	APPLY_FAILED,
	APPLY_UNWANTED, /* see is_wanted() */
};

/* How it has ended for a flow. */
struct apply_end {
	enum apply_result result;
	enum kernel_op op; /* what the kernel has done, or has refused */
	int error;         /* APPLY_FAILED: a negative errno value */
	/* APPLY_COMMITTED: made without what this kernel has not. */
	bool lacks_helper, lacks_master;
	const struct flow *flow; /* as it was put; until the next is put */
};

struct apply_opts {
	struct flow_cache *internal;     /* the mirror's, or NULL */
	const struct kernel_ops *kernel; /* its results go to apply_done() */
	/* False: the flow given with this cookie is not to be there any more.
	 * Asked before each further step and at the end. */
	bool (*is_wanted)(void *ctx, uint32_t cookie);
	/* Told once of each flow, maybe within apply_put(); may put the next
	 * one if there is room. */
	void (*ended)(void *ctx, uint32_t cookie, const struct apply_end *end);
	void *ctx;
};

struct apply_item {
	/* As it is to be in the kernel, with a timeout. Copied: what its sender
	 * tells of it from now on is for the caller to put again. */
	const struct flow *flow;
	uint32_t told_s; /* the peer's last word on it, monotonic seconds */
	bool has_master; /* the caller knows its master: it can be had */
	bool waits; /* without its master it is not made: APPLY_NO_MASTER */
	uint8_t by; /* enum wanted_by */
	uint32_t cookie; /* the caller's */
};

/* NULL if there is no memory; nothing else allocates. */
struct apply *apply_new(const struct apply_opts *opts);
void apply_free(struct apply *a); /* accepts NULL; ended() is not called */

/* False: one waits for the kernel side to have room, or all slots are in use.
 * There may be room again whenever answers have come (see apply_resume()). */
bool apply_has_room(const struct apply *a);

/* Takes up a flow; there must be room. now_s: monotonic seconds. It may have
 * ended when this returns; if the kernel side has no room, it is kept. Masters
 * are to have ended before what is related to them is put. */
void apply_put(struct apply *a, const struct apply_item *item, uint32_t now_s);

/* Goes on with what waits for room, in the order in which it came to wait, as
 * far as there is some; to be called when answers have come. True if there is
 * room for another flow then. */
bool apply_resume(struct apply *a);

/* Sends what is queued although no batch is full: nothing more is put soon. */
void apply_finish(struct apply *a);

/* True if no flow is under way and no answer is missing. */
bool apply_is_idle(const struct apply *a);

/* A kernel_done_fn with the apply as its context. Answers come after the
 * submit() that they belong to has returned. */
void apply_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		const struct flow *found);

#endif
