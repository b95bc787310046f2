/* SPDX-License-Identifier: ISC */
#include "cache/slab.h"

#include <stdlib.h>
#include <string.h>

enum {
	CACHE_LINE = 64,
	SETS_BYTES = sizeof(uint64_t) * SLAB_SETS * SLAB_SET_WORDS,
	CHUNK_BYTES = SLAB_CHUNK_HEADS * sizeof(struct entry_head) +
		      SETS_BYTES + CACHE_LINE,
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
	struct slab_chunk chunk = { 0 };
	uintptr_t past;

	if (s->n_chunks == s->max_chunks && !grow_array(s))
		return false;
	chunk.memory = calloc(1, CHUNK_BYTES);
	if (!chunk.memory)
		return false;
	past = (uintptr_t)chunk.memory % CACHE_LINE;
	chunk.heads =
		(void *)((char *)chunk.memory + (past ? CACHE_LINE - past : 0));
	chunk.sets = (void *)(chunk.heads + SLAB_CHUNK_HEADS);
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
	for (unsigned int set = 0; set < SLAB_SETS; set++)
		slab_unmark(s, set, id);
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

static struct slab_chunk *chunk_of(const struct slab *s, uint32_t id)
{
	return &s->chunks[id >> SLAB_CHUNK_BITS];
}

static uint64_t *words_of(const struct slab_chunk *chunk, unsigned int set)
{
	return chunk->sets + (size_t)set * SLAB_SET_WORDS;
}

static uint64_t *word_of(const struct slab *s, unsigned int set, uint32_t id)
{
	return words_of(chunk_of(s, id), set) +
	       (id & (SLAB_CHUNK_HEADS - 1)) / 64;
}

static uint64_t bit_of(uint32_t id)
{
	return UINT64_C(1) << id % 64;
}

void slab_mark(struct slab *s, unsigned int set, uint32_t id)
{
	uint64_t *word = word_of(s, set, id);

	if (*word & bit_of(id))
		return;
	*word |= bit_of(id);
	chunk_of(s, id)->n_marked[set]++;
	s->n_marked[set]++;
}

bool slab_is_marked(const struct slab *s, unsigned int set, uint32_t id)
{
	return s->n_marked[set] && *word_of(s, set, id) & bit_of(id);
}

void slab_unmark(struct slab *s, unsigned int set, uint32_t id)
{
	if (!slab_is_marked(s, set, id))
		return;
	*word_of(s, set, id) &= ~bit_of(id);
	chunk_of(s, id)->n_marked[set]--;
	s->n_marked[set]--;
}

void slab_unmark_all(struct slab *s, unsigned int set)
{
	for (uint32_t i = 0; s->n_marked[set] && i < s->n_chunks; i++) {
		struct slab_chunk *chunk = &s->chunks[i];

		memset(words_of(chunk, set), 0,
		       SLAB_SET_WORDS * sizeof(*chunk->sets));
		s->n_marked[set] -= chunk->n_marked[set];
		chunk->n_marked[set] = 0;
	}
}

/* The next id in the chunk of this one, itself included, or the first id of
 * the next chunk. */
static uint32_t next_in_chunk(const struct slab *s, unsigned int set,
			      uint32_t id)
{
	uint32_t end = (id | (SLAB_CHUNK_HEADS - 1)) + 1;

	if (!chunk_of(s, id)->n_marked[set])
		return end;
	while (id < end) {
		uint64_t left = *word_of(s, set, id) & ~(bit_of(id) - 1);

		if (left)
			return (id & ~UINT32_C(63)) +
			       (uint32_t)__builtin_ctzll(left);
		id = (id | 63) + 1;
	}
	return end;
}

uint32_t slab_next_marked(const struct slab *s, unsigned int set,
			  uint32_t after)
{
	uint32_t id = after + 1;

	if (!s->n_marked[set])
		return 0;
	while (id <= s->last_id) {
		uint32_t next = next_in_chunk(s, set, id);

		if (next <= s->last_id && slab_is_marked(s, set, next))
			return next;
		id = next;
	}
	return 0;
}
