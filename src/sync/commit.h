/* SPDX-License-Identifier: ISC */
/* commit.h - puts the external cache into the kernel's table, in batches: the
 * flows, masters before those that are related to them, or the expectations.
 * What is to be done for each, sync/apply and sync/expect_apply know. */
#ifndef SYNC_COMMIT_H
#define SYNC_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/kernel_ops.h"
#include "cache/flow_cache.h"

struct commit;
enum { COMMIT_REASONS = 16 };

/* The set of the external cache for flows, which nobody else changes. */
enum commit_set { SET_UNDER_WAY }; /* on its way into the kernel */

/* Why entries could not be committed: one line of the log each. */
struct commit_reason {
	enum kernel_op op;
	int error; /* negative errno value */
	uint32_t n;
};

struct commit_report {
	uint32_t n_committed, n_failed;
	uint32_t n_newer; /* left alone: a newer connection has its tuple */
	struct commit_reason reasons[COMMIT_REASONS];
	int n_reasons; /* further reasons are in n_failed only */
};

struct commit_opts {
	struct flow_cache *external;
	struct flow_cache *internal;     /* the mirror's, or NULL */
	const struct kernel_ops *kernel; /* its results go to commit_done() */
	uint32_t timeout_s;              /* CommitTimeout; 0: not set */
	/* The walk has ended and every answer is in. May start the next one. */
	void (*ended)(void *ctx, const struct commit_report *report);
	void *ctx;
};

/* NULL if there is no memory. */
struct commit *commit_new(const struct commit_opts *opts);
void commit_free(struct commit *c); /* accepts NULL */

/* Starts with the first entry of a kind; commit_step() does the work. The flows
 * are to be there before their expectations are committed. -EBUSY if one is
 * running. */
NODISCARD int commit_start(struct commit *c, enum object_kind kind);
bool commit_is_running(const struct commit *c);

/* Submits as much as the kernel side takes, looking at a bounded number of
 * entries. now_s: monotonic seconds. True if it could go on at once; otherwise
 * an answer is awaited (or nothing is running). */
bool commit_step(struct commit *c, uint32_t now_s);

/* A kernel_done_fn with the commit as its context. */
void commit_done(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		 const struct flow *found);

/* The timeout an entry is given in the kernel. has_timeout: the
 * sender told one. age_s: since its last change. */
uint32_t commit_timeout_s(uint32_t configured_s, bool has_timeout,
			  uint32_t received_s, int64_t age_s);

#endif
