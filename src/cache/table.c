/* SPDX-License-Identifier: ISC */
#include "cache/table.h"

#include <errno.h>
#include <stdlib.h>

enum {
	FIRST_SEGMENTS = 16, /* first size of the array; it doubles */
	GROW_PER_ADD = 2,    /* catches up where memory was short */
	SEGMENT_BYTES = TABLE_SEGMENT_BUCKETS * sizeof(uint32_t),
};

static const uint32_t ID_MASK = ((uint32_t)1 << SLAB_ID_BITS) - 1;

/* The tag is taken from the far end of the bits that choose the bucket. */
static uint32_t tag_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32) & ~ID_MASK;
}

static uint32_t *bucket_at(const struct table *t, uint32_t bucket)
{
	return &t->segments[bucket >> TABLE_SEGMENT_BITS]
			   [bucket & (TABLE_SEGMENT_BUCKETS - 1)];
}

/* Buckets that do not exist yet are those of one bit less. */
static uint32_t *bucket_of(const struct table *t, uint64_t hash)
{
	uint32_t bucket = (uint32_t)hash & t->mask;

	return bucket_at(t, bucket < t->n_buckets ? bucket
						  : bucket & t->mask >> 1);
}

static bool grow_array(struct table *t)
{
	uint32_t max = t->max_segments ? 2 * t->max_segments : FIRST_SEGMENTS;
	uint32_t **segments;

	segments = realloc(t->segments, max * sizeof(*segments));
	if (!segments)
		return false;
	t->bytes += (max - t->max_segments) * sizeof(*segments);
	t->segments = segments;
	t->max_segments = max;
	return true;
}

static bool add_segment(struct table *t)
{
	uint32_t *segment;

	if (t->n_segments == t->max_segments && !grow_array(t))
		return false;
	segment = calloc(1, SEGMENT_BYTES);
	if (!segment)
		return false;
	t->segments[t->n_segments++] = segment;
	t->bytes += SEGMENT_BYTES;
	return true;
}

/* Splits the bucket whose turn it is: what has the next bit of the hash set
 * goes over to a new bucket at the end. */
static bool split_bucket(struct table *t)
{
	uint32_t number = t->n_buckets, *keep, *give, link;

	if (number >> TABLE_MAX_BITS ||
	    (number >> TABLE_SEGMENT_BITS >= t->n_segments && !add_segment(t)))
		return false;
	if (number > t->mask)
		t->mask = 2 * t->mask + 1;
	t->n_buckets++;
	keep = bucket_at(t, number & t->mask >> 1);
	give = bucket_at(t, number);
	for (link = *keep; link;) {
		struct entry_head *head = slab_head(t->heads, link & ID_MASK);
		uint64_t hash = t->hash_of(t->ctx, link & ID_MASK);
		uint32_t **end =
			((uint32_t)hash & t->mask) == number ? &give : &keep;

		**end = link;
		*end = &head->next;
		link = head->next;
	}
	*keep = 0;
	*give = 0;
	return true;
}

int table_init(struct table *t, uint32_t first_size, const struct slab *heads,
	       table_hash_fn hash_of, const void *ctx)
{
	*t = (struct table){
		.heads = heads, .hash_of = hash_of, .ctx = ctx, .n_buckets = 1
	};
	while (t->n_buckets < first_size && !(t->n_buckets >> TABLE_MAX_BITS))
		t->n_buckets *= 2;
	t->mask = t->n_buckets - 1;
	while ((uint64_t)t->n_segments * TABLE_SEGMENT_BUCKETS < t->n_buckets) {
		if (!add_segment(t)) {
			table_fini(t);
			return -ENOMEM;
		}
	}
	return 0;
}

void table_fini(struct table *t)
{
	for (uint32_t i = 0; i < t->n_segments; i++)
		free(t->segments[i]);
	free(t->segments);
	*t = (struct table){ 0 };
}

void table_add(struct table *t, uint64_t hash, uint32_t id)
{
	uint32_t *bucket = bucket_of(t, hash);

	slab_head(t->heads, id)->next = *bucket;
	*bucket = tag_of(hash) | id;
	t->n_entries++;
	table_grow(t, GROW_PER_ADD);
}

void table_remove(struct table *t, uint64_t hash, uint32_t id)
{
	uint32_t *at = bucket_of(t, hash);

	while ((*at & ID_MASK) != id)
		at = &slab_head(t->heads, *at & ID_MASK)->next;
	*at = slab_head(t->heads, id)->next;
	t->n_entries--;
}

/* The first id with this tag from a link on. */
static uint32_t with_tag(const struct table *t, uint32_t link, uint32_t tag)
{
	while (link && (link & ~ID_MASK) != tag)
		link = slab_head(t->heads, link & ID_MASK)->next;
	return link & ID_MASK;
}

uint32_t table_first(const struct table *t, uint64_t hash)
{
	return with_tag(t, *bucket_of(t, hash), tag_of(hash));
}

uint32_t table_next(const struct table *t, uint64_t hash, uint32_t id)
{
	return with_tag(t, slab_head(t->heads, id)->next, tag_of(hash));
}

void table_grow(struct table *t, uint32_t n)
{
	while (t->n_entries > t->n_buckets && n-- > 0)
		if (!split_bucket(t))
			return;
}
