/* SPDX-License-Identifier: ISC */
/* expiry.h - entries of an external cache that go when they were not told for a
 * while: a queue through their heads, in the order in which they were told
 * last. A second costs what is due in it. */
#ifndef SYNC_EXPIRY_H
#define SYNC_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/queue.h"

struct expiry {
	struct flow_cache *cache;
	struct store_observer observer; /* of the cache */
	uint32_t timeout_s;
	uint32_t now_s;
	struct queue queue; /* oldest first: every entry is in it */
	uint64_t n_expired;
};

/* The cache is empty, and outlives it. From here on it hears of every put and
 * remove in the cache, until expiry_fini(); it must not move. timeout_s: how
 * long an entry lives from the last time it was told, up to a second more. */
void expiry_init(struct expiry *e, struct flow_cache *c, uint32_t timeout_s);
void expiry_fini(struct expiry *e);

/* The entry was told at now_s, monotonic seconds. */
void expiry_told(struct expiry *e, uint32_t id, uint32_t now_s);

/* It is now_s. True if something is due, for expiry_step(). */
bool expiry_is_due(struct expiry *e, uint32_t now_s);

/* Removes some of what is due. True if more is left. */
bool expiry_step(struct expiry *e);

/* Seconds that are left to an entry of a cache with this timeout. */
uint32_t expiry_left_s(const struct entry_head *h, uint32_t timeout_s,
		       uint32_t now_s);

#endif
