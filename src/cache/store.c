/* SPDX-License-Identifier: ISC */
#include "cache/store.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/hash.h"

enum { BUCKETS_PER_STEP = 64 };

static uint64_t hash_of(const void *ctx, uint32_t id)
{
	const struct store *s = ctx;
	const uint8_t *bytes = store_bytes(s, id);

	return hash_bytes(s->o.hash_key, bytes, s->o.key_len(bytes));
}

static void count_memory(struct store *s)
{
	s->stats[0].memory_bytes =
		sizeof(*s) + s->heads.bytes + s->bodies.bytes + s->table.bytes;
}

static unsigned int class_of(const struct store *s, const uint8_t *bytes)
{
	return s->o.class_of ? s->o.class_of(bytes) : 0;
}

unsigned int store_class(const struct store *s, uint32_t id)
{
	return class_of(s, store_bytes(s, id));
}

static struct store_stats *stats_of(struct store *s, uint32_t id)
{
	return &s->stats[store_class(s, id)];
}

int store_init(struct store *s, const struct store_opts *opts)
{
	*s = (struct store){ .o = *opts };
	if (table_init(&s->table, opts->first_size, &s->heads, hash_of, s))
		return -ENOMEM;
	count_memory(s);
	return 0;
}

void store_fini(struct store *s)
{
	table_fini(&s->table);
	bodies_fini(&s->bodies);
	slab_fini(&s->heads);
}

void store_observe(struct store *s, const struct store_observer *observer)
{
	assert(s->n_observers < STORE_OBSERVERS);
	s->observers[s->n_observers++] = observer;
}

void store_unobserve(struct store *s, const struct store_observer *observer)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < s->n_observers; i++)
		if (s->observers[i] != observer)
			s->observers[kept++] = s->observers[i];
	s->n_observers = kept;
}

static void tell(const struct store *s, uint32_t id, enum store_event event)
{
	for (unsigned int i = 0; i < s->n_observers; i++)
		s->observers[i]->told(s->observers[i]->ctx, id, event);
}

struct store_place store_find(const struct store *s, const uint8_t *key,
			      size_t len)
{
	uint64_t hash = hash_bytes(s->o.hash_key, key, len);
	uint32_t id = table_first(&s->table, hash);

	for (; id; id = table_next(&s->table, hash, id)) {
		const uint8_t *bytes = store_bytes(s, id);

		/* if these are equal, so is the length: nothing is read past
		 * the end */
		if (bytes[0] == key[0] && memcmp(bytes, key, len) == 0)
			break;
	}
	return (struct store_place){ hash, id };
}

static bool has_bytes(const struct store *s, uint32_t id, const uint8_t *bytes,
		      size_t len)
{
	uint32_t body = slab_head(&s->heads, id)->body;

	return bodies_slot(len) == bodies_size(&s->bodies, body) &&
	       memcmp(bytes, bodies_at(&s->bodies, body), len) == 0;
}

/* The body moves if its slot is of another size; on false there was no memory
 * and the old content is still there. */
static bool set_bytes(struct store *s, uint32_t id, const uint8_t *bytes,
		      size_t len)
{
	struct entry_head *head = slab_head(&s->heads, id);
	uint32_t old = head->body;

	if (!old || bodies_slot(len) != bodies_size(&s->bodies, old)) {
		uint32_t body = bodies_add(&s->bodies, len);

		if (!body)
			return false;
		if (old)
			bodies_remove(&s->bodies, old);
		head->body = body;
	}
	memcpy(bodies_at(&s->bodies, head->body), bytes, len);
	return true;
}

static void begin_life(struct store *s, uint32_t id, uint32_t now_s)
{
	struct entry_head *head = slab_head(&s->heads, id);

	head->state = ENTRY_NEW;
	head->created_s = now_s;
	head->changed_s = now_s;
	stats_of(s, id)->n_active++;
	stats_of(s, id)->n_created++;
}

static void end_life(struct store *s, uint32_t id)
{
	stats_of(s, id)->n_active--;
	stats_of(s, id)->n_destroyed++;
}

static enum put_result add(struct store *s, struct store_place *place,
			   const uint8_t *bytes, size_t len, uint32_t now_s)
{
	struct store_stats *stats = &s->stats[class_of(s, bytes)];
	uint32_t id;

	if (stats->n_entries >= s->o.limit) {
		stats->n_create_no_space++;
		return PUT_NO_SPACE;
	}
	id = slab_add(&s->heads);
	if (!id || !set_bytes(s, id, bytes, len)) {
		if (id)
			slab_remove(&s->heads, id);
		stats->n_create_no_memory++;
		return PUT_NO_MEMORY;
	}
	table_add(&s->table, place->hash, id);
	begin_life(s, id, now_s);
	stats->n_entries++;
	place->id = id;
	count_memory(s);
	tell(s, id, STORE_NEW);
	return PUT_NEW;
}

static enum put_result replace(struct store *s, uint32_t id,
			       const uint8_t *bytes, size_t len, uint32_t now_s)
{
	bool was_dead = slab_head(&s->heads, id)->state == ENTRY_DEAD;

	if (!set_bytes(s, id, bytes, len)) {
		stats_of(s, id)->n_create_no_memory++;
		return PUT_NO_MEMORY;
	}
	if (!was_dead)
		end_life(s, id);
	begin_life(s, id, now_s);
	count_memory(s);
	tell(s, id, was_dead ? STORE_REVIVED : STORE_REPLACED);
	return PUT_NEW;
}

static enum put_result change(struct store *s, uint32_t id,
			      const uint8_t *bytes, size_t len, uint32_t now_s)
{
	struct entry_head *head = slab_head(&s->heads, id);

	if (has_bytes(s, id, bytes, len)) {
		stats_of(s, id)->n_updated++;
		tell(s, id, STORE_SAME);
		return PUT_SAME;
	}
	if (!set_bytes(s, id, bytes, len)) {
		stats_of(s, id)->n_update_failed++;
		return PUT_NO_MEMORY;
	}
	head->state = ENTRY_ALIVE;
	head->changed_s = now_s;
	stats_of(s, id)->n_updated++;
	count_memory(s);
	tell(s, id, STORE_CHANGED);
	return PUT_CHANGED;
}

enum put_result store_put(struct store *s, struct store_place *place,
			  const uint8_t *bytes, size_t len,
			  enum store_mode mode, uint32_t now_s)
{
	if (!place->id)
		return add(s, place, bytes, len, now_s);
	if (mode == STORE_REPLACE ||
	    slab_head(&s->heads, place->id)->state == ENTRY_DEAD)
		return replace(s, place->id, bytes, len, now_s);
	return change(s, place->id, bytes, len, now_s);
}

void store_kill(struct store *s, uint32_t id)
{
	struct entry_head *head = slab_head(&s->heads, id);

	assert(head->state == ENTRY_NEW || head->state == ENTRY_ALIVE);
	head->state = ENTRY_DEAD;
	end_life(s, id);
	tell(s, id, STORE_KILLED);
}

void store_remove(struct store *s, uint32_t id)
{
	struct entry_head *head = slab_head(&s->heads, id);

	assert(head->state != ENTRY_FREE);
	tell(s, id, STORE_REMOVING);
	if (head->state != ENTRY_DEAD)
		end_life(s, id);
	stats_of(s, id)->n_entries--;
	table_remove(&s->table, hash_of(s, id), id);
	bodies_remove(&s->bodies, head->body);
	slab_remove(&s->heads, id);
	count_memory(s);
}

static bool has_room(const struct store *s, const struct store_stats *stats)
{
	return stats->n_entries <= s->o.limit - s->o.limit / 8;
}

bool store_has_room(const struct store *s)
{
	for (int i = 0; i < STORE_CLASSES; i++)
		if (!has_room(s, &s->stats[i]))
			return false;
	return true;
}

bool store_wants_room(const struct store *s)
{
	for (int i = 0; i < STORE_CLASSES; i++) {
		const struct store_stats *stats = &s->stats[i];

		if (!has_room(s, stats) && stats->n_entries > stats->n_active)
			return true;
	}
	return false;
}

void store_step(struct store *s)
{
	table_grow(&s->table, BUCKETS_PER_STEP);
	count_memory(s);
}
