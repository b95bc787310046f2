/* SPDX-License-Identifier: ISC */
/* expect_cache.h - packed expectations among the flows of a cache: entries with
 * ids, heads, sets and queues like theirs, counted and limited for
 * themselves (flow_cache_stats_of()). */
#ifndef CACHE_EXPECT_CACHE_H
#define CACHE_EXPECT_CACHE_H

#include <stdint.h>

#include "base/expect.h"
#include "cache/flow_cache.h"

/* Adds the expectation, or puts it in the place of the one with the same key,
 * as a whole: with STORE_REPLACE that begins anew, with STORE_CHANGE it lives
 * on. now_s: monotonic seconds. *id is written for the first three results. A
 * dead one of the same key is revived. */
enum put_result expect_cache_put(struct flow_cache *c, const struct expect *e,
				 enum store_mode mode, uint32_t now_s,
				 uint32_t *id);

/* The id of the living one with the key of e, or FLOW_CACHE_NO_ID. */
uint32_t expect_cache_find(struct flow_cache *c, const struct expect *e);

/* Unpacks one (dead ones too); id must be that of an expectation. */
void expect_cache_get(struct flow_cache *c, uint32_t id, struct expect *out);

#endif
