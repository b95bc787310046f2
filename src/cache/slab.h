/* SPDX-License-Identifier: ISC */
/* slab.h - heads of entries in chunks, addressed by 32-bit ids. A head never
 * moves; memory grows by one chunk of 130 KiB at a time and is kept. Beside the
 * heads are a few sets of ids, as bits, for what few entries have. */
#ifndef CACHE_SLAB_H
#define CACHE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "cache/entry.h"

enum {
	SLAB_ID_BITS = 28, /* ids are 1 to 2^28 - 1; 0 is no id */
	SLAB_CHUNK_BITS = 12,
	SLAB_CHUNK_HEADS = 1 << SLAB_CHUNK_BITS,
	SLAB_WALK_MAX = 4096, /* heads that one slab_next() looks at */
	SLAB_SETS = 6,
	SLAB_SET_WORDS = SLAB_CHUNK_HEADS / 64, /* of one set in a chunk */
};

struct slab_chunk {
	struct entry_head *heads; /* at a multiple of 64: two to a cache line */
	uint64_t *sets;           /* SLAB_SET_WORDS of each set, behind them */
	void *memory;             /* what was allocated */
	uint16_t n_marked[SLAB_SETS];
};

struct slab {
	struct slab_chunk *chunks;
	uint32_t n_chunks, max_chunks; /* in use; room in the array */
	uint32_t last_id;              /* highest id ever given out */
	uint32_t first_free; /* ids given back, linked by next; last in first */
	uint32_t n_marked[SLAB_SETS]; /* ids in each set */
	size_t bytes;                 /* memory held */
};

/* A zeroed struct slab is empty and ready for use. Frees all memory. */
void slab_fini(struct slab *s);

/* Gives an id; its head is zeroed but for the state, ENTRY_NEW. 0 if there is
 * no memory or no id left; nothing has changed then. */
NODISCARD uint32_t slab_add(struct slab *s);

/* Takes an id back; its head becomes zero (ENTRY_FREE) but for next, and it
 * leaves all sets. */
void slab_remove(struct slab *s, uint32_t id);

/* The next id in use after this one (0: the first), in order of ids; 0 at the
 * end. After SLAB_WALK_MAX free ones in a row it stops at a free id, from
 * which the walk is to be continued. */
uint32_t slab_next(const struct slab *s, uint32_t after);

/* Puts an id in use into a set (0 to SLAB_SETS - 1), or takes it out. */
void slab_mark(struct slab *s, unsigned int set, uint32_t id);
void slab_unmark(struct slab *s, unsigned int set, uint32_t id);
bool slab_is_marked(const struct slab *s, unsigned int set, uint32_t id);
void slab_unmark_all(struct slab *s, unsigned int set);

/* The next id of a set after this one (0: the first), in order of ids; 0 at
 * the end. Chunks without one cost a nanosecond each. */
uint32_t slab_next_marked(const struct slab *s, unsigned int set,
			  uint32_t after);

/* The head of an id that was given out. */
static inline struct entry_head *slab_head(const struct slab *s, uint32_t id)
{
	return &s->chunks[id >> SLAB_CHUNK_BITS]
			.heads[id & (SLAB_CHUNK_HEADS - 1)];
}

#endif
