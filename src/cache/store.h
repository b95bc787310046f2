/* SPDX-License-Identifier: ISC */
/* store.h - objects as bytes, found by a key that the bytes begin with, each
 * with a 32-byte head and a 32-bit id that never moves. What the bytes mean is
 * the client's; flow_cache is one. Objects may be of several classes, which are
 * counted and limited each for itself. */
#ifndef CACHE_STORE_H
#define CACHE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "cache/bodies.h"
#include "cache/entry.h"
#include "cache/slab.h"
#include "cache/table.h"

enum {
	STORE_NO_ID = 0,     /* ids are 1 and up, at most 2^28 - 1 */
	STORE_OBSERVERS = 4, /* of one store at most */
	STORE_CLASSES = 2,
	STORE_MAX = BODIES_MAX_SIZE, /* bytes of one object at most */
};

struct store_opts {
	uint32_t first_size;  /* buckets at start; made a power of 2 */
	uint32_t limit;       /* most entries of a class, dead ones included */
	uint64_t hash_key[2]; /* random, the caller's */
	/* The length of the key that these bytes begin with. */
	size_t (*key_len)(const uint8_t *bytes);
	/* Their class, below STORE_CLASSES, which is a part of the key. NULL:
	 * all are of class 0. */
	unsigned int (*class_of)(const uint8_t *bytes);
};

/* Of one class. */
struct store_stats {
	uint32_t n_active;  /* entries that are not dead */
	uint32_t n_entries; /* dead ones included */
	uint64_t n_created, n_create_no_space, n_create_no_memory;
	uint64_t n_updated, n_update_failed;
	uint64_t n_destroyed;
	/* Slabs, bodies, hash table, for all classes: with the first one. */
	uint64_t memory_bytes;
};

/* What has happened to an entry. */
enum store_event {
	STORE_NEW,      /* there was none of this key */
	STORE_REVIVED,  /* it was dead, and begins anew */
	STORE_REPLACED, /* it was alive, and begins anew */
	STORE_CHANGED,  /* it lives on with other bytes */
	STORE_SAME,     /* put again, nothing differs */
	STORE_KILLED,   /* now dead */
	STORE_REMOVING, /* about to be removed; it is still there as it was */
};

/* Who is told of every put, kill and remove that has succeeded, once each,
 * within the call. It may read the store, and change the user's part of heads
 * and sets; it must not put, kill or remove in the same store. */
struct store_observer {
	void (*told)(void *ctx, uint32_t id, enum store_event event);
	void *ctx;
};

struct store {
	struct slab heads;
	struct bodies bodies;
	struct table table;
	struct store_opts o;
	struct store_stats stats[STORE_CLASSES];
	const struct store_observer *observers[STORE_OBSERVERS];
	unsigned int n_observers;
};

/* Where a key is, or would be; valid until the next call that changes the
 * store. id: of its entry, dead or alive, or STORE_NO_ID. */
struct store_place {
	uint64_t hash;
	uint32_t id;
};

/* What becomes of a living entry of the same key. A dead one begins anew with
 * either. */
enum store_mode {
	STORE_REPLACE, /* it begins anew: counts as destroyed and created */
	STORE_CHANGE,  /* it lives on with these bytes */
};

enum put_result {
	PUT_NEW,       /* there was none; or it begins anew: now ENTRY_NEW */
	PUT_CHANGED,   /* it lives on, the bytes differ: now ENTRY_ALIVE */
	PUT_SAME,      /* nothing differs; state and times untouched */
	PUT_OTHER,     /* a flow cache's: of another life than the cached one,
			* an earlier or a later: nothing stored */
	PUT_NO_SPACE,  /* limit reached, nothing stored, counted */
	PUT_NO_MEMORY, /* nothing changed, counted */
};

/* Makes an empty store; it must not move afterwards. -ENOMEM: nothing is
 * held. */
NODISCARD int store_init(struct store *s, const struct store_opts *opts);
/* Accepts a zeroed one. Observers are not told. */
void store_fini(struct store *s);

/* Adds an observer, which is borrowed until it is taken off; they are told in
 * the order in which they were added. STORE_OBSERVERS at most. */
void store_observe(struct store *s, const struct store_observer *observer);
/* Takes it off; one that is not there does no harm. */
void store_unobserve(struct store *s, const struct store_observer *observer);

/* Looks for a key. Two keys with the same first byte are equally long. */
struct store_place store_find(const struct store *s, const uint8_t *key,
			      size_t len);

/* Puts an object of len bytes, 1 to STORE_MAX, the key that place was found
 * with first; no two objects of different length may begin alike (say, their
 * length is told by what they begin with). now_s: monotonic seconds. place->id
 * is written for the first three results. An entry that begins anew keeps its
 * id, queue links, last_seq or generation, the bytes of its users and sets. */
enum put_result store_put(struct store *s, struct store_place *place,
			  const uint8_t *bytes, size_t len,
			  enum store_mode mode, uint32_t now_s);

/* Marks a living entry dead: it stays, with its bytes, until it is removed; a
 * put of its key revives it. Counts as destroyed. */
void store_kill(struct store *s, uint32_t id);

/* Frees an entry, dead or alive. The caller has taken it out of its queues. */
void store_remove(struct store *s, uint32_t id);

/* True if at least an eighth of the limit is left of every class. */
bool store_has_room(const struct store *s);

/* True if less is left of a class that has dead entries. */
bool store_wants_room(const struct store *s);

/* Does a bounded piece of the growth of the hash table; put does some too. */
void store_step(struct store *s);

/* The class of an entry, dead or alive. */
unsigned int store_class(const struct store *s, uint32_t id);

/* The bytes of an entry, dead or alive; valid until it is put again or
 * removed. */
static inline const uint8_t *store_bytes(const struct store *s, uint32_t id)
{
	return bodies_at(&s->bodies, slab_head(&s->heads, id)->body);
}

/* The head of an id in use or free (state ENTRY_FREE); NULL if the id was
 * never given out. Heads do not move: valid as long as the store. */
static inline struct entry_head *store_head(const struct store *s, uint32_t id)
{
	return id == STORE_NO_ID || id > s->heads.last_id
		       ? NULL
		       : slab_head(&s->heads, id);
}

/* The next id in use (dead ones included) after this one, in order of ids;
 * STORE_NO_ID begins and ends. An entry that lives through a whole walk is met
 * exactly once. After SLAB_WALK_MAX free ids it stops at a free one. */
static inline uint32_t store_next(const struct store *s, uint32_t after)
{
	return slab_next(&s->heads, after);
}

/* Sets of entries, STORE_SETS of them; what they mean is the client's. An entry
 * leaves all sets when it is removed, not when it is killed or revived. */
enum { STORE_SETS = SLAB_SETS };

static inline void store_mark(struct store *s, unsigned int set, uint32_t id)
{
	slab_mark(&s->heads, set, id);
}

static inline void store_unmark(struct store *s, unsigned int set, uint32_t id)
{
	slab_unmark(&s->heads, set, id);
}

static inline void store_unmark_all(struct store *s, unsigned int set)
{
	slab_unmark_all(&s->heads, set);
}

static inline bool store_is_marked(const struct store *s, unsigned int set,
				   uint32_t id)
{
	return slab_is_marked(&s->heads, set, id);
}

/* The next one of the set after this id; STORE_NO_ID begins and ends. */
static inline uint32_t store_next_marked(const struct store *s,
					 unsigned int set, uint32_t after)
{
	return slab_next_marked(&s->heads, set, after);
}

static inline uint32_t store_n_marked(const struct store *s, unsigned int set)
{
	return s->heads.n_marked[set];
}

#endif
