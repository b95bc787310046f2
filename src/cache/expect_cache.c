/* SPDX-License-Identifier: ISC */
#include "cache/expect_cache.h"

#include "cache/pack_expect.h"

_Static_assert((int)PACK_EXPECT_MAX <= (int)STORE_MAX, "each has a place");

enum put_result expect_cache_put(struct flow_cache *c, const struct expect *e,
				 enum store_mode mode, uint32_t now_s,
				 uint32_t *id)
{
	struct store *s = flow_cache_store(c);
	uint8_t bytes[PACK_EXPECT_MAX];
	size_t key_len = pack_expect_key(e, bytes);
	struct store_place place = store_find(s, bytes, key_len);
	size_t len = pack_expect_encode(e, bytes);
	enum put_result result = store_put(s, &place, bytes, len, mode, now_s);

	if (result <= PUT_SAME)
		*id = place.id;
	return result;
}

uint32_t expect_cache_find(struct flow_cache *c, const struct expect *e)
{
	const struct store *s = flow_cache_store(c);
	uint8_t key[PACK_EXPECT_KEY_MAX];
	uint32_t id = store_find(s, key, pack_expect_key(e, key)).id;

	return id != STORE_NO_ID && store_head(s, id)->state != ENTRY_DEAD
		       ? id
		       : FLOW_CACHE_NO_ID;
}

void expect_cache_get(struct flow_cache *c, uint32_t id, struct expect *out)
{
	pack_expect_decode(store_bytes(flow_cache_store(c), id), out);
}
