/* SPDX-License-Identifier: ISC */
/* injected.h - which rows of a poll are what peers have told, put into the
 * kernel by us: with polls (PollSecs) and direct injection
 * (DisableExternalCache) together no event says who has caused what. Nobody is
 * told of them. A flow is ours from the first row that differs from the one
 * before, if no peer has told of it in between. */
#ifndef SYNC_INJECTED_H
#define SYNC_INJECTED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flow.h"
#include "base/kernel_ops.h"
#include "cache/flow_cache.h"

/* A zeroed one with flows set is empty. */
struct injected {
	/* As the last poll has shown them; the caller's, for this alone. */
	struct flow_cache *flows;
	bool is_polling;  /* rows come */
	bool is_sweeping; /* what is no longer there is forgotten: */
	bool is_complete; /* also what they have not shown */
	uint32_t position;
};

/* A message of a peer has had its effect: op is what the kernel has done. now_s
 * here and below: monotonic seconds. */
void injected_done(struct injected *x, enum kernel_op op, const struct flow *f,
		   uint32_t now_s);

/* A poll begins; one at a time, and not while injected_has_work(). */
void injected_poll_begins(struct injected *x);
/* True if a row of it is what peers have told. */
bool injected_has_row(struct injected *x, const struct flow *row,
		      uint32_t now_s);
/* Complete: what it has not shown is no longer there. */
void injected_poll_ends(struct injected *x, bool is_complete);

/* From now on this flow is ours, whoever has told of it. */
void injected_forget(struct injected *x, const struct flow *f);

/* Whether injected_work() has something to do at once; a piece of it. */
bool injected_has_work(const struct injected *x);
void injected_work(struct injected *x);

#endif
