/* SPDX-License-Identifier: ISC */
#include "cache/flow_cache.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "cache/bodies.h"
#include "cache/pack.h"
#include "cache/slab.h"
#include "cache/table.h"

enum { BUCKETS_PER_STEP = 64 };

struct flow_cache {
	struct slab heads;
	struct bodies bodies;
	struct table table;
	uint64_t hash_key[2];
	uint32_t limit;
	struct flow_cache_stats stats;
};

/* A packed flow on its way into the cache. */
struct packed {
	uint8_t bytes[PACK_MAX];
	size_t len;
};

_Static_assert((int)PACK_MAX <= (int)BODIES_MAX_SIZE, "every flow has a slot");

static const uint8_t *body_of(const struct flow_cache *c, uint32_t id)
{
	return bodies_at(&c->bodies, slab_head(&c->heads, id)->body);
}

static uint64_t hash_of(const void *ctx, uint32_t id)
{
	const struct flow_cache *c = ctx;
	const uint8_t *body = body_of(c, id);

	return hash_bytes(c->hash_key, body, pack_key_len(body));
}

static uint32_t lookup(const struct flow_cache *c, uint64_t hash,
		       const uint8_t *key, size_t key_len)
{
	uint32_t id = table_first(&c->table, hash);

	while (id && !pack_has_key(body_of(c, id), key, key_len))
		id = table_next(&c->table, hash, id);
	return id;
}

static void count_memory(struct flow_cache *c)
{
	c->stats.memory_bytes =
		sizeof(*c) + c->heads.bytes + c->bodies.bytes + c->table.bytes;
}

struct flow_cache *flow_cache_new(const struct flow_cache_opts *opts)
{
	struct flow_cache *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->limit = opts->limit;
	memcpy(c->hash_key, opts->hash_key, sizeof(c->hash_key));
	if (table_init(&c->table, opts->first_size, &c->heads, hash_of, c)) {
		free(c);
		return NULL;
	}
	count_memory(c);
	return c;
}

void flow_cache_free(struct flow_cache *c)
{
	if (!c)
		return;
	table_fini(&c->table);
	bodies_fini(&c->bodies);
	slab_fini(&c->heads);
	free(c);
}

/* Gives an entry this content. The body moves if its slot is of another size;
 * on false there was no memory and the old content is still there. */
static bool store(struct flow_cache *c, struct entry_head *head,
		  const struct packed *p)
{
	uint32_t old = head->body;

	if (!old || bodies_slot(p->len) != bodies_size(&c->bodies, old)) {
		uint32_t body = bodies_add(&c->bodies, p->len);

		if (!body)
			return false;
		if (old)
			bodies_remove(&c->bodies, old);
		head->body = body;
	}
	memcpy(bodies_at(&c->bodies, head->body), p->bytes, p->len);
	return true;
}

static void begin_life(struct flow_cache *c, struct entry_head *head,
		       uint32_t now_s)
{
	head->state = ENTRY_NEW;
	head->created_s = now_s;
	head->changed_s = now_s;
	c->stats.n_active++;
	c->stats.n_created++;
}

static void end_life(struct flow_cache *c)
{
	c->stats.n_active--;
	c->stats.n_destroyed++;
}

static enum put_result add(struct flow_cache *c, uint64_t hash,
			   const struct packed *p, uint32_t now_s, uint32_t *id)
{
	uint32_t added;

	if (c->stats.n_entries >= c->limit) {
		c->stats.n_create_no_space++;
		return PUT_NO_SPACE;
	}
	added = slab_add(&c->heads);
	if (!added || !store(c, slab_head(&c->heads, added), p)) {
		if (added)
			slab_remove(&c->heads, added);
		c->stats.n_create_no_memory++;
		return PUT_NO_MEMORY;
	}
	table_add(&c->table, hash, added);
	begin_life(c, slab_head(&c->heads, added), now_s);
	c->stats.n_entries++;
	*id = added;
	return PUT_NEW;
}

/* Dead or alive, the entry begins again with this content. */
static enum put_result replace(struct flow_cache *c, uint32_t id,
			       const struct packed *p, uint32_t now_s)
{
	struct entry_head *head = slab_head(&c->heads, id);

	if (!store(c, head, p)) {
		c->stats.n_create_no_memory++;
		return PUT_NO_MEMORY;
	}
	if (head->state != ENTRY_DEAD)
		end_life(c);
	begin_life(c, head, now_s);
	return PUT_NEW;
}

static enum put_result update(struct flow_cache *c, uint32_t id,
			      const struct flow *f, enum put_mode mode,
			      uint32_t now_s)
{
	struct entry_head *head = slab_head(&c->heads, id);
	const uint8_t *body = bodies_at(&c->bodies, head->body);
	struct packed p;
	struct flow whole;
	size_t old_len = pack_decode(body, &whole);

	if (mode == PUT_TOLD && !flow_same_id(&whole, f))
		return PUT_OTHER;
	if (mode == PUT_TOLD && !flow_same_reply(&whole, f)) {
		p.len = pack_encode(f, p.bytes);
		return replace(c, id, &p, now_s);
	}
	if (mode == PUT_CONTENT)
		whole = *f;
	else
		flow_merge(&whole, f);
	p.len = pack_encode(&whole, p.bytes);
	if (p.len == old_len && memcmp(p.bytes, body, p.len) == 0) {
		c->stats.n_updated++;
		return PUT_SAME;
	}
	if (!store(c, head, &p)) {
		c->stats.n_update_failed++;
		return PUT_NO_MEMORY;
	}
	head->state = ENTRY_ALIVE;
	head->changed_s = now_s;
	c->stats.n_updated++;
	return PUT_CHANGED;
}

enum put_result flow_cache_put(struct flow_cache *c, const struct flow *f,
			       enum put_mode mode, uint32_t now_s, uint32_t *id)
{
	struct packed p;
	uint64_t hash;
	uint32_t found;
	enum put_result result;

	p.len = pack_key(f, p.bytes);
	hash = hash_bytes(c->hash_key, p.bytes, p.len);
	found = lookup(c, hash, p.bytes, p.len);
	if (found && mode != PUT_REPLACE &&
	    slab_head(&c->heads, found)->state != ENTRY_DEAD) {
		result = update(c, found, f, mode, now_s);
	} else {
		p.len = pack_encode(f, p.bytes);
		result = found ? replace(c, found, &p, now_s)
			       : add(c, hash, &p, now_s, &found);
	}
	count_memory(c);
	if (result <= PUT_OTHER)
		*id = found;
	return result;
}

uint32_t flow_cache_find(const struct flow_cache *c, const struct flow *f)
{
	uint8_t key[PACK_KEY_MAX];
	size_t len = pack_key(f, key);
	uint32_t id = lookup(c, hash_bytes(c->hash_key, key, len), key, len);

	if (id && slab_head(&c->heads, id)->state == ENTRY_DEAD)
		return FLOW_CACHE_NO_ID;
	return id;
}

void flow_cache_get(const struct flow_cache *c, uint32_t id, struct flow *out)
{
	pack_decode(body_of(c, id), out);
}

bool flow_cache_is_related(const struct flow_cache *c, uint32_t id)
{
	return pack_has(body_of(c, id)) & FLOW_MASTER;
}

struct entry_head *flow_cache_head(struct flow_cache *c, uint32_t id)
{
	if (id == FLOW_CACHE_NO_ID || id > c->heads.last_id)
		return NULL;
	return slab_head(&c->heads, id);
}

void flow_cache_kill(struct flow_cache *c, uint32_t id)
{
	struct entry_head *head = slab_head(&c->heads, id);

	assert(head->state == ENTRY_NEW || head->state == ENTRY_ALIVE);
	head->state = ENTRY_DEAD;
	end_life(c);
}

void flow_cache_remove(struct flow_cache *c, uint32_t id)
{
	struct entry_head *head = slab_head(&c->heads, id);

	assert(head->state != ENTRY_FREE);
	if (head->state != ENTRY_DEAD)
		end_life(c);
	table_remove(&c->table, hash_of(c, id), id);
	bodies_remove(&c->bodies, head->body);
	slab_remove(&c->heads, id);
	c->stats.n_entries--;
	count_memory(c);
}

uint32_t flow_cache_next(const struct flow_cache *c, uint32_t after)
{
	return slab_next(&c->heads, after);
}

_Static_assert((int)FLOW_CACHE_SETS == (int)SLAB_SETS, "all there are");

void flow_cache_mark(struct flow_cache *c, unsigned int set, uint32_t id)
{
	slab_mark(&c->heads, set, id);
}

void flow_cache_unmark(struct flow_cache *c, unsigned int set, uint32_t id)
{
	slab_unmark(&c->heads, set, id);
}

void flow_cache_unmark_all(struct flow_cache *c, unsigned int set)
{
	slab_unmark_all(&c->heads, set);
}

bool flow_cache_is_marked(const struct flow_cache *c, unsigned int set,
			  uint32_t id)
{
	return slab_is_marked(&c->heads, set, id);
}

uint32_t flow_cache_next_marked(const struct flow_cache *c, unsigned int set,
				uint32_t after)
{
	return slab_next_marked(&c->heads, set, after);
}

uint32_t flow_cache_n_marked(const struct flow_cache *c, unsigned int set)
{
	return c->heads.n_marked[set];
}

bool flow_cache_has_room(const struct flow_cache *c)
{
	return c->stats.n_entries <= c->limit - c->limit / 8;
}

bool flow_cache_wants_room(const struct flow_cache *c)
{
	return !flow_cache_has_room(c) &&
	       c->stats.n_entries > c->stats.n_active;
}

void flow_cache_step(struct flow_cache *c)
{
	table_grow(&c->table, BUCKETS_PER_STEP);
	count_memory(c);
}

const struct flow_cache_stats *flow_cache_stats(const struct flow_cache *c)
{
	return &c->stats;
}
