/* SPDX-License-Identifier: ISC */
#include "cache/flow_cache.h"

#include <stdlib.h>
#include <string.h>

#include "cache/pack.h"
#include "cache/pack_expect.h"

struct flow_cache {
	struct store store;
};

_Static_assert((int)OBJECT_EXPECT < (int)STORE_CLASSES, "a class for each");
_Static_assert((int)PACK_MAX <= (int)STORE_MAX, "every flow has a place");
_Static_assert((int)FLOW_CACHE_NO_ID == (int)STORE_NO_ID, "one numbering");
_Static_assert((int)FLOW_CACHE_SETS == (int)STORE_SETS, "all there are");

static bool is_expect(const uint8_t *bytes)
{
	return bytes[0] & PACK_IS_EXPECT;
}

static unsigned int class_of(const uint8_t *bytes)
{
	return is_expect(bytes) ? OBJECT_EXPECT : OBJECT_FLOW;
}

static size_t key_len(const uint8_t *bytes)
{
	return is_expect(bytes) ? pack_expect_key_len(bytes)
				: pack_key_len(bytes);
}

struct flow_cache *flow_cache_new(const struct flow_cache_opts *opts)
{
	struct flow_cache *c = calloc(1, sizeof(*c));
	struct store_opts o = { .first_size = opts->first_size,
				.limit = opts->limit,
				.key_len = key_len,
				.class_of = class_of };

	if (!c)
		return NULL;
	memcpy(o.hash_key, opts->hash_key, sizeof(o.hash_key));
	if (store_init(&c->store, &o) < 0) {
		free(c);
		return NULL;
	}
	return c;
}

void flow_cache_free(struct flow_cache *c)
{
	if (!c)
		return;
	store_fini(&c->store);
	free(c);
}

void flow_cache_observe(struct flow_cache *c,
			const struct store_observer *observer)
{
	store_observe(&c->store, observer);
}

void flow_cache_unobserve(struct flow_cache *c,
			  const struct store_observer *observer)
{
	store_unobserve(&c->store, observer);
}

static bool is_living(const struct flow_cache *c, uint32_t id)
{
	return id != STORE_NO_ID &&
	       store_head(&c->store, id)->state != ENTRY_DEAD;
}

/* Puts f into what a living entry is. *how becomes STORE_REPLACE if it is the
 * next life. False: f is of another life than the cached one. */
static bool merge(struct flow *whole, const struct flow *f, enum put_mode mode,
		  enum store_mode *how)
{
	if (mode == PUT_TOLD && !flow_same_id(whole, f))
		return false;
	if (mode == PUT_TOLD && !flow_same_reply(whole, f)) {
		*whole = *f;
		*how = STORE_REPLACE;
	} else {
		flow_merge(whole, f);
	}
	return true;
}

enum put_result flow_cache_put(struct flow_cache *c, const struct flow *f,
			       enum put_mode mode, uint32_t now_s, uint32_t *id)
{
	uint8_t bytes[PACK_MAX];
	size_t len = pack_key(f, bytes);
	struct store_place place = store_find(&c->store, bytes, len);
	enum store_mode how =
		mode == PUT_REPLACE ? STORE_REPLACE : STORE_CHANGE;
	enum put_result result;
	struct flow whole;

	if (is_living(c, place.id) && (mode == PUT_MERGE || mode == PUT_TOLD)) {
		flow_cache_get(c, place.id, &whole);
		if (!merge(&whole, f, mode, &how)) {
			*id = place.id;
			return PUT_OTHER;
		}
		f = &whole;
	}
	len = pack_encode(f, bytes);
	result = store_put(&c->store, &place, bytes, len, how, now_s);
	if (result <= PUT_SAME)
		*id = place.id;
	return result;
}

uint32_t flow_cache_find(const struct flow_cache *c, const struct flow *f)
{
	uint8_t key[PACK_KEY_MAX];
	size_t len = pack_key(f, key);
	uint32_t id = store_find(&c->store, key, len).id;

	return is_living(c, id) ? id : FLOW_CACHE_NO_ID;
}

void flow_cache_get(const struct flow_cache *c, uint32_t id, struct flow *out)
{
	pack_decode(store_bytes(&c->store, id), out);
}

bool flow_cache_is_related(const struct flow_cache *c, uint32_t id)
{
	return pack_has(store_bytes(&c->store, id)) & FLOW_MASTER;
}

struct entry_head *flow_cache_head(struct flow_cache *c, uint32_t id)
{
	return store_head(&c->store, id);
}

void flow_cache_kill(struct flow_cache *c, uint32_t id)
{
	store_kill(&c->store, id);
}

void flow_cache_remove(struct flow_cache *c, uint32_t id)
{
	store_remove(&c->store, id);
}

uint32_t flow_cache_next(const struct flow_cache *c, uint32_t after)
{
	return store_next(&c->store, after);
}

void flow_cache_mark(struct flow_cache *c, unsigned int set, uint32_t id)
{
	store_mark(&c->store, set, id);
}

void flow_cache_unmark(struct flow_cache *c, unsigned int set, uint32_t id)
{
	store_unmark(&c->store, set, id);
}

void flow_cache_unmark_all(struct flow_cache *c, unsigned int set)
{
	store_unmark_all(&c->store, set);
}

bool flow_cache_is_marked(const struct flow_cache *c, unsigned int set,
			  uint32_t id)
{
	return store_is_marked(&c->store, set, id);
}

uint32_t flow_cache_next_marked(const struct flow_cache *c, unsigned int set,
				uint32_t after)
{
	return store_next_marked(&c->store, set, after);
}

uint32_t flow_cache_n_marked(const struct flow_cache *c, unsigned int set)
{
	return store_n_marked(&c->store, set);
}

bool flow_cache_has_room(const struct flow_cache *c)
{
	return store_has_room(&c->store);
}

bool flow_cache_wants_room(const struct flow_cache *c)
{
	return store_wants_room(&c->store);
}

void flow_cache_step(struct flow_cache *c)
{
	store_step(&c->store);
}

const struct store_stats *flow_cache_stats(const struct flow_cache *c)
{
	return flow_cache_stats_of(c, OBJECT_FLOW);
}

const struct store_stats *flow_cache_stats_of(const struct flow_cache *c,
					      enum object_kind kind)
{
	return &c->store.stats[kind];
}

uint32_t flow_cache_n_entries(const struct flow_cache *c)
{
	return c->store.stats[OBJECT_FLOW].n_entries +
	       c->store.stats[OBJECT_EXPECT].n_entries;
}

enum object_kind flow_cache_kind(const struct flow_cache *c, uint32_t id)
{
	return (enum object_kind)store_class(&c->store, id);
}

struct store *flow_cache_store(struct flow_cache *c)
{
	return &c->store;
}
