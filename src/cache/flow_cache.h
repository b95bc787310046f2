/* SPDX-License-Identifier: ISC */
/* flow_cache.h - a store (cache/store.h) of packed flows, each merged into what
 * is known of it. Serves as internal and as external cache. There may be packed
 * expectations among them (cache/expect_cache.h): what is here of an entry in
 * general holds for both, what takes or gives a flow is for flows alone. */
#ifndef CACHE_FLOW_CACHE_H
#define CACHE_FLOW_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/flow.h"
#include "base/object.h"
#include "base/util.h"
#include "cache/entry.h"
#include "cache/store.h"

struct flow_cache;

enum { FLOW_CACHE_NO_ID = 0 }; /* ids are 1 and up, at most 2^28 - 1 */

struct flow_cache_opts {
	uint32_t first_size; /* buckets at start: HashSize; made a power of 2 */
	/* Most entries of each kind, dead ones included: HashLimit. */
	uint32_t limit;
	uint64_t hash_key[2]; /* random, the caller's */
};

/* NULL if there is no memory. */
struct flow_cache *flow_cache_new(const struct flow_cache_opts *opts);
void flow_cache_free(struct flow_cache *c); /* accepts NULL */

/* Has every put, kill and remove told from now on: see cache/store.h. */
void flow_cache_observe(struct flow_cache *c,
			const struct store_observer *observer);
void flow_cache_unobserve(struct flow_cache *c,
			  const struct store_observer *observer);

enum put_mode {
	PUT_MERGE,   /* an existing entry is merged (flow_merge) */
	PUT_CONTENT, /* the same, but what f has not is gone, and the reply
		      * tuple may change too */
	PUT_TOLD,    /* a change that the kernel tells: PUT_REPLACE if the reply
		      * tuple differs, for then it is the next life; PUT_OTHER
		      * if the id does; PUT_MERGE otherwise */
	PUT_REPLACE, /* an existing entry is replaced: counts as destroyed and
		      * created, becomes ENTRY_NEW, its age starts again; id,
		      * queue links and what is the users' stay */
};

/* Adds the flow or merges it into the entry of the same key. now_s: monotonic
 * seconds. *id is written for the first four results. A timeout that differs
 * counts as a difference. Counters and the use count are not kept. A dead
 * entry of the same key is revived under its id, as PUT_NEW: nothing of its
 * content is left, its links and what belongs to the users of the cache are. */
enum put_result flow_cache_put(struct flow_cache *c, const struct flow *f,
			       enum put_mode mode, uint32_t now_s,
			       uint32_t *id);

/* The id of the living entry with the key of f, or FLOW_CACHE_NO_ID. */
uint32_t flow_cache_find(const struct flow_cache *c, const struct flow *f);

/* What an entry is (dead ones too); id must be one in use. */
enum object_kind flow_cache_kind(const struct flow_cache *c, uint32_t id);

/* Unpacks a flow (dead ones too); id must be one in use. */
void flow_cache_get(const struct flow_cache *c, uint32_t id, struct flow *out);

/* True if the flow has a master (flow_is_related()); does not unpack it. */
bool flow_cache_is_related(const struct flow_cache *c, uint32_t id);

/* The head of an id in use or free (state ENTRY_FREE); NULL if the id was
 * never given out. Heads do not move: valid as long as the cache. */
struct entry_head *flow_cache_head(struct flow_cache *c, uint32_t id);

/* Marks a living entry dead: it stays, with its content, until it is removed,
 * but is found by nobody; a put of its key revives it. Counts as destroyed. */
void flow_cache_kill(struct flow_cache *c, uint32_t id);

/* Frees an entry, dead or alive. The caller has taken it out of its queues. */
void flow_cache_remove(struct flow_cache *c, uint32_t id);

/* The next id in use (dead ones included) after the given one, in order of
 * ids; start with FLOW_CACHE_NO_ID, which is also the answer at the end. An
 * entry that lives through a whole walk is met exactly once, whatever is
 * added or removed meanwhile. A call looks at at most 4096 free ids: a walk
 * that stops there says so by an id whose state is ENTRY_FREE. */
uint32_t flow_cache_next(const struct flow_cache *c, uint32_t after);

/* Sets of entries, FLOW_CACHE_SETS of them, for what few have; what they mean
 * is the user's. An entry leaves all sets when it is removed, not when it is
 * killed or revived. next: the next one of the set after this id, in order of
 * ids; FLOW_CACHE_NO_ID begins and ends. */
enum { FLOW_CACHE_SETS = 6 };
void flow_cache_mark(struct flow_cache *c, unsigned int set, uint32_t id);
void flow_cache_unmark(struct flow_cache *c, unsigned int set, uint32_t id);
void flow_cache_unmark_all(struct flow_cache *c, unsigned int set);
bool flow_cache_is_marked(const struct flow_cache *c, unsigned int set,
			  uint32_t id);
uint32_t flow_cache_next_marked(const struct flow_cache *c, unsigned int set,
				uint32_t after);
uint32_t flow_cache_n_marked(const struct flow_cache *c, unsigned int set);

/* True if of flows or of expectations less than an eighth of the limit is left
 * and some are dead: whoever keeps those may remove them. */
bool flow_cache_wants_room(const struct flow_cache *c);

/* True if at least an eighth of the limit is left of both. */
bool flow_cache_has_room(const struct flow_cache *c);

/* Does a bounded piece of the growth of the hash table; put does some too. */
void flow_cache_step(struct flow_cache *c);

/* Of the flows; its memory is that of all. */
const struct store_stats *flow_cache_stats(const struct flow_cache *c);
/* Of one kind. */
const struct store_stats *flow_cache_stats_of(const struct flow_cache *c,
					      enum object_kind kind);

/* Flows and expectations, dead ones included. */
uint32_t flow_cache_n_entries(const struct flow_cache *c);

/* What is below it, for cache/expect_cache.c. */
struct store *flow_cache_store(struct flow_cache *c);

#endif
