/* SPDX-License-Identifier: ISC */
/* expect_apply.h - expectations of a cache put into the kernel's table. What is
 * in the way of one is deleted, and it is tried once more. Their masters have
 * to be there before. Linux gives a new one the time of its helper: ours is set
 * behind that. */
#ifndef SYNC_EXPECT_APPLY_H
#define SYNC_EXPECT_APPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/kernel_ops.h"
#include "cache/expect_cache.h"

/* The sets of the cache, which nobody else changes. */
enum expect_apply_set {
	SET_EXPECT_UNDER_WAY = 1,
	SET_EXPECT_AGAIN, /* of these: to be tried once more, */
	SET_EXPECT_TRIED, /* tried for the last time, */
	SET_EXPECT_MADE,  /* or in the kernel, and to be given its time */
};

struct expect_apply_opts {
	struct flow_cache *cache;
	const struct kernel_ops *kernel; /* results: expect_apply_done() */
	uint32_t first_cookie;           /* operations have this and the id */
	/* Gives the expectation as it is to be in the kernel, with a
	 * timeout. */
	void (*get)(void *ctx, uint32_t id, struct expect *out);
	/* Told once of each that was put and is still in the cache. error: 0
	 * or a negative errno value. May remove it. */
	void (*ended)(void *ctx, uint32_t id, int error);
	void *ctx;
};

struct expect_apply {
	struct expect_apply_opts o;
	uint32_t n_in_flight; /* operations without an answer */
};

/* Puts one in. False: the kernel side has no room, nothing was done. ended()
 * may have been called when this returns. */
bool expect_apply_put(struct expect_apply *a, uint32_t id);

/* Goes on with those that met something in their way or were made, as far as
 * there is room; to be called when answers have come. True if there was room
 * for all. */
bool expect_apply_resume(struct expect_apply *a);

/* No answer is missing, and nothing is left to do. */
bool expect_apply_is_idle(const struct expect_apply *a);

/* An answer to an operation on this entry. Answers come after the submit() that
 * they belong to has returned. */
void expect_apply_done(struct expect_apply *a, enum kernel_op op, uint32_t id,
		       int error);

#endif
