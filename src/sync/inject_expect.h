/* SPDX-License-Identifier: ISC */
/* inject_expect.h - the expectations of peers on their way into the kernel: the
 * part of sync/inject that knows them. Each is kept until the kernel has it, or
 * has refused it; one whose master is not there for as long as it may wait. */
#ifndef SYNC_INJECT_EXPECT_H
#define SYNC_INJECT_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/kernel_ops.h"
#include "cache/expect_cache.h"
#include "sync/expect_apply.h"

enum {
	INJECT_EXPECT_MAX = 1024, /* that are kept */
	INJECT_EXPECT_WAIT_S = 3, /* for a master */
};

struct inject_expect_opts {
	struct flow_cache *internal; /* the mirror's, or NULL */
	/* Whose answers go to inject_expect_done(), with cookies from
	 * first_cookie up. */
	const struct kernel_ops *kernel;
	uint32_t first_cookie;
};

struct inject_expect_stats {
	uint64_t n_created, n_destroyed;
	uint64_t n_create_failed, n_destroy_failed;
	uint64_t n_no_master; /* of the failures: it never came */
	/* Not failures: left alone, for they are this node's own. */
	uint64_t n_own;
};

struct inject_expect {
	struct inject_expect_opts o;
	struct expect_apply apply;
	struct flow_cache *kept;
	uint32_t n_ends;  /* deletions without an answer */
	bool has_orphans; /* some of those kept wait for their masters */
	uint32_t now_s;   /* of the call that is running */
	struct inject_expect_stats stats;
};

/* Must not move. -ENOMEM: nothing is held. */
NODISCARD int inject_expect_init(struct inject_expect *x,
				 const struct inject_expect_opts *o);
void inject_expect_fini(struct inject_expect *x); /* accepts a zeroed one */

/* Takes one up that a peer has told; what is under way of its master is to be
 * done before. False: there is no room, until answers have come. */
bool inject_expect_put(struct inject_expect *x, const struct expect *e,
		       uint32_t now_s);
/* It has ended there. False likewise. */
bool inject_expect_end(struct inject_expect *x, const struct expect *e,
		       uint32_t now_s);

/* Tries those again that wait for a master. False likewise. */
bool inject_expect_try(struct inject_expect *x, uint32_t now_s);

/* Goes on with what waits for answers that have come. */
void inject_expect_resume(struct inject_expect *x);
/* No answer is missing, and nothing is to be tried but for want of a master. */
bool inject_expect_is_idle(const struct inject_expect *x);

/* An answer. */
void inject_expect_done(struct inject_expect *x, enum kernel_op op,
			uint32_t cookie, int error);

#endif
