/* SPDX-License-Identifier: ISC */
/* table.h - from the hash of a key to the ids that may have it. Chains run
 * through entry_head.next; the table grows by one bucket at a time (linear
 * hashing), so that no call ever pays for all.
 *
 * A link is an id with 4 bits of the hash above it: most strangers in a chain
 * are passed by without a look at their bodies. */
#ifndef CACHE_TABLE_H
#define CACHE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"
#include "cache/slab.h"

enum {
	TABLE_SEGMENT_BITS = 15,
	TABLE_SEGMENT_BUCKETS = 1 << TABLE_SEGMENT_BITS,
	TABLE_MAX_BITS = 28, /* never more than 2^28 buckets */
};

/* The hash of the key of an entry, as it was given to table_add(). */
typedef uint64_t (*table_hash_fn)(const void *ctx, uint32_t id);

struct table {
	const struct slab *heads;
	table_hash_fn hash_of;
	const void *ctx;

	uint32_t **segments; /* of TABLE_SEGMENT_BUCKETS first links each */
	uint32_t n_segments, max_segments; /* in use; room in the array */
	uint32_t n_buckets;
	uint32_t mask; /* power of 2, less 1: the least that covers them */
	uint32_t n_entries;
	size_t bytes; /* memory held */
};

/* Makes an empty table of at least first_size buckets over these heads, which
 * are borrowed. -ENOMEM: nothing is held. */
NODISCARD int table_init(struct table *t, uint32_t first_size,
			 const struct slab *heads, table_hash_fn hash_of,
			 const void *ctx);
void table_fini(struct table *t); /* accepts a zeroed one */

/* Adds an id that is not in the table, and grows the table by up to 2 buckets
 * if it has more entries than buckets. Does without if there is no memory. */
void table_add(struct table *t, uint64_t hash, uint32_t id);

/* Takes out an id that is in the table. */
void table_remove(struct table *t, uint64_t hash, uint32_t id);

/* The first id that may have this hash, and the next one after it; 0 if there
 * is none. Others may come as well: the caller compares keys. */
uint32_t table_first(const struct table *t, uint64_t hash);
uint32_t table_next(const struct table *t, uint64_t hash, uint32_t id);

/* Adds up to n buckets while there are more entries than buckets. */
void table_grow(struct table *t, uint32_t n);

#endif
