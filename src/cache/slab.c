/* SPDX-License-Identifier: ISC */
#include "cache/slab.h"

#include <stdlib.h>
#include <string.h>

enum {
	CACHE_LINE = 64,
	CHUNK_BYTES = SLAB_CHUNK_HEADS * sizeof(struct entry_head) + CACHE_LINE,
	FIRST_CHUNKS = 16, /* first size of the array; it doubles */
};

static const uint32_t MAX_ID = ((uint32_t)1 << SLAB_ID_BITS) - 1;

static bool grow_array(struct slab *s)
{
	uint32_t max = s->max_chunks ? 2 * s->max_chunks : FIRST_CHUNKS;
	struct slab_chunk *chunks;

	chunks = realloc(s->chunks, max * sizeof(*chunks));
	if (!chunks)
		return false;
	s->bytes += (max - s->max_chunks) * sizeof(*chunks);
	s->chunks = chunks;
	s->max_chunks = max;
	return true;
}

static bool add_chunk(struct slab *s)
{
	struct slab_chunk chunk;
	uintptr_t past;

	if (s->n_chunks == s->max_chunks && !grow_array(s))
		return false;
	chunk.memory = calloc(1, CHUNK_BYTES);
	if (!chunk.memory)
		return false;
	past = (uintptr_t)chunk.memory % CACHE_LINE;
	chunk.heads =
		(void *)((char *)chunk.memory + (past ? CACHE_LINE - past : 0));
	s->chunks[s->n_chunks++] = chunk;
	s->bytes += CHUNK_BYTES;
	return true;
}

void slab_fini(struct slab *s)
{
	for (uint32_t i = 0; i < s->n_chunks; i++)
		free(s->chunks[i].memory);
	free(s->chunks);
	*s = (struct slab){ 0 };
}

uint32_t slab_add(struct slab *s)
{
	uint32_t id = s->first_free;
	struct entry_head *head;

	if (!id) {
		if (s->last_id == MAX_ID)
			return 0;
		id = s->last_id + 1;
		if (id >> SLAB_CHUNK_BITS >= s->n_chunks && !add_chunk(s))
			return 0;
		s->last_id = id;
		head = slab_head(s, id);
	} else {
		head = slab_head(s, id);
		s->first_free = head->next;
		head->next = 0;
	}
	head->state = ENTRY_NEW;
	return id;
}

void slab_remove(struct slab *s, uint32_t id)
{
	*slab_head(s, id) = (struct entry_head){ .next = s->first_free };
	s->first_free = id;
}

uint32_t slab_next(const struct slab *s, uint32_t after)
{
	for (uint32_t n = 1; n <= s->last_id - after; n++)
		if (n == SLAB_WALK_MAX ||
		    slab_head(s, after + n)->state != ENTRY_FREE)
			return after + n;
	return 0;
}
