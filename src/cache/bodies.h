/* SPDX-License-Identifier: ISC */
/* bodies.h - memory for packed bodies: chunks of 128 KiB, each cut into slots
 * of one size, addressed by 32-bit references. */
#ifndef CACHE_BODIES_H
#define CACHE_BODIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

enum {
	BODIES_UNIT = 8, /* slot sizes are its multiples */
	BODIES_MAX_SIZE = 256,
	BODIES_N_CLASSES = BODIES_MAX_SIZE / BODIES_UNIT,
	BODIES_UNIT_BITS = 14, /* bits of a reference that count units */
	BODIES_CHUNK_BYTES = BODIES_UNIT << BODIES_UNIT_BITS,
};

struct bodies_chunk {
	uint8_t *bytes;      /* NULL: this number is free */
	uint32_t next, prev; /* chunks of the class with room; or next free */
	uint16_t n_used, n_touched; /* slots; touched ones were used once */
	uint16_t first_free;        /* slot + 1; its first 2 bytes link on */
	uint8_t class;              /* slot size in units, less 1 */
};

struct bodies {
	struct bodies_chunk *chunks;   /* number 0 is not used */
	uint32_t n_chunks, max_chunks; /* numbers in use; room in the array */
	uint32_t first_free;           /* numbers of freed chunks */
	uint32_t with_room[BODIES_N_CLASSES];
	size_t bytes; /* memory held */
};

/* A zeroed struct bodies is empty and ready for use. Frees all memory. */
void bodies_fini(struct bodies *b);

/* Gives size (1 to BODIES_MAX_SIZE) bytes, not cleared, that stay where they
 * are until they are removed. 0 if there is no memory: nothing has changed. */
NODISCARD uint32_t bodies_add(struct bodies *b, size_t size);

/* Takes them back. A chunk without a slot in use is freed, but the last one
 * with room of its class. */
void bodies_remove(struct bodies *b, uint32_t ref);

/* The bytes of a reference; valid until it is removed. */
static inline uint8_t *bodies_at(const struct bodies *b, uint32_t ref)
{
	return b->chunks[ref >> BODIES_UNIT_BITS].bytes +
	       (size_t)(ref & ((1U << BODIES_UNIT_BITS) - 1)) * BODIES_UNIT;
}

/* The bytes of a slot that is given for so many. */
static inline size_t bodies_slot(size_t size)
{
	return (size + BODIES_UNIT - 1) / BODIES_UNIT * BODIES_UNIT;
}

/* The bytes that the slot of a reference has. */
static inline size_t bodies_size(const struct bodies *b, uint32_t ref)
{
	return ((size_t)b->chunks[ref >> BODIES_UNIT_BITS].class + 1) *
	       BODIES_UNIT;
}

#endif
