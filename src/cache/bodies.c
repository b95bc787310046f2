/* SPDX-License-Identifier: ISC */
#include "cache/bodies.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_CHUNKS = 64, /* first size of the array; it doubles */
	MAX_CHUNKS = 1 << (32 - BODIES_UNIT_BITS),
	/* The last bytes stay untouched: with the header of a heap they would
	 * be the only ones used on one more page. */
	TAIL_UNITS = 8,
};

static unsigned int slot_units(const struct bodies_chunk *k)
{
	return k->class + 1U;
}

static unsigned int n_slots(const struct bodies_chunk *k)
{
	return ((1U << BODIES_UNIT_BITS) - TAIL_UNITS) / slot_units(k);
}

static void link_chunk(struct bodies *b, uint32_t number)
{
	struct bodies_chunk *k = &b->chunks[number];
	uint32_t *first = &b->with_room[k->class];

	k->prev = 0;
	k->next = *first;
	if (*first)
		b->chunks[*first].prev = number;
	*first = number;
}

static void unlink_chunk(struct bodies *b, uint32_t number)
{
	const struct bodies_chunk *k = &b->chunks[number];

	if (k->prev)
		b->chunks[k->prev].next = k->next;
	else
		b->with_room[k->class] = k->next;
	if (k->next)
		b->chunks[k->next].prev = k->prev;
}

static bool grow_array(struct bodies *b)
{
	uint32_t max = b->max_chunks ? 2 * b->max_chunks : FIRST_CHUNKS;
	struct bodies_chunk *chunks;

	if (b->max_chunks == MAX_CHUNKS)
		return false;
	chunks = realloc(b->chunks, max * sizeof(*chunks));
	if (!chunks)
		return false;
	b->bytes += (max - b->max_chunks) * sizeof(*chunks);
	if (!b->n_chunks)
		b->n_chunks = 1; /* so that no reference is 0 */
	b->chunks = chunks;
	b->max_chunks = max;
	return true;
}

/* The number of a new chunk of this class, which is linked; 0: no memory. */
static uint32_t add_chunk(struct bodies *b, uint8_t class)
{
	uint32_t number = b->first_free;
	uint8_t *bytes;

	if (!number && b->n_chunks == b->max_chunks && !grow_array(b))
		return 0;
	bytes = calloc(1, BODIES_CHUNK_BYTES);
	if (!bytes)
		return 0;
	if (number)
		b->first_free = b->chunks[number].next;
	else
		number = b->n_chunks++;
	b->chunks[number] =
		(struct bodies_chunk){ .bytes = bytes, .class = class };
	b->bytes += BODIES_CHUNK_BYTES;
	link_chunk(b, number);
	return number;
}

static void remove_chunk(struct bodies *b, uint32_t number)
{
	unlink_chunk(b, number);
	free(b->chunks[number].bytes);
	b->chunks[number] = (struct bodies_chunk){ .next = b->first_free };
	b->first_free = number;
	b->bytes -= BODIES_CHUNK_BYTES;
}

void bodies_fini(struct bodies *b)
{
	for (uint32_t i = 1; i < b->n_chunks; i++)
		free(b->chunks[i].bytes);
	free(b->chunks);
	*b = (struct bodies){ 0 };
}

uint32_t bodies_add(struct bodies *b, size_t size)
{
	uint8_t class = (uint8_t)((size - 1) / BODIES_UNIT);
	uint32_t number = b->with_room[class];
	struct bodies_chunk *k;
	unsigned int unit;

	if (!number) {
		number = add_chunk(b, class);
		if (!number)
			return 0;
	}
	k = &b->chunks[number];
	if (k->first_free) {
		unit = (k->first_free - 1U) * slot_units(k);
		memcpy(&k->first_free, k->bytes + (size_t)unit * BODIES_UNIT,
		       sizeof(k->first_free));
	} else {
		unit = k->n_touched++ * slot_units(k);
	}
	if (++k->n_used == n_slots(k))
		unlink_chunk(b, number);
	return number << BODIES_UNIT_BITS | unit;
}

void bodies_remove(struct bodies *b, uint32_t ref)
{
	uint32_t number = ref >> BODIES_UNIT_BITS;
	struct bodies_chunk *k = &b->chunks[number];
	unsigned int unit = ref & ((1U << BODIES_UNIT_BITS) - 1);

	memcpy(bodies_at(b, ref), &k->first_free, sizeof(k->first_free));
	k->first_free = (uint16_t)(unit / slot_units(k) + 1);
	if (k->n_used-- == n_slots(k))
		link_chunk(b, number);
	if (k->n_used == 0 && (k->next || k->prev))
		remove_chunk(b, number);
}
