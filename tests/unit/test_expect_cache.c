/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache/expect_cache.h"
#include "expect_text.h"
#include "random_flow.h"

enum { ALL_BITS = 2 * EXPECT_ID - 1 };

static struct flow_cache *cache_of(uint32_t limit)
{
	const struct flow_cache_opts o = { .first_size = 1,
					   .limit = limit,
					   .hash_key = { 1, 2 } };

	return flow_cache_new(&o);
}

static struct expect numbered(uint32_t n)
{
	return (struct expect){
		.family = FAMILY_IPV4,
		.master_l4proto = L4_TCP,
		.l4proto = L4_TCP,
		.master = { .src = { { 10, 0, 0, 1 } },
			    .dst = { { 192, 0, 2, 1 } },
			    .sport = (uint16_t)(1024 + n),
			    .dport = 21 },
	};
}

/* Nothing but its master, which looks most like it. */
static struct flow master_of(const struct expect *e)
{
	return expect_master(e);
}

static void one_lives_beside_the_flow_that_announces_it(void **state)
{
	struct flow_cache *c = cache_of(10);
	struct expect e = numbered(1), got;
	struct flow f = master_of(&e);
	uint32_t id, flow_id;

	(void)state;
	assert_int_equal(expect_cache_find(c, &e), FLOW_CACHE_NO_ID);
	assert_int_equal(expect_cache_put(c, &e, STORE_REPLACE, 5, &id),
			 PUT_NEW);
	assert_int_equal(flow_cache_find(c, &f), FLOW_CACHE_NO_ID);
	assert_int_equal(flow_cache_put(c, &f, PUT_REPLACE, 5, &flow_id),
			 PUT_NEW);
	assert_int_equal(flow_cache_kind(c, id), OBJECT_EXPECT);
	assert_int_equal(flow_cache_kind(c, flow_id), OBJECT_FLOW);
	assert_int_equal(expect_cache_find(c, &e), id);
	assert_int_equal(flow_cache_find(c, &f), flow_id);
	expect_cache_get(c, id, &got);
	assert_true(expect_same_key(&e, &got));
	assert_int_equal(flow_cache_stats(c)->n_active, 1);
	assert_int_equal(flow_cache_stats_of(c, OBJECT_EXPECT)->n_active, 1);
	assert_int_equal(flow_cache_n_entries(c), 2);
	flow_cache_free(c);
}

static void it_is_put_as_a_whole(void **state)
{
	struct flow_cache *c = cache_of(10);
	struct expect e = numbered(1), got;
	uint32_t id, again;

	(void)state;
	e.has = EXPECT_TIMEOUT | EXPECT_CLASS;
	e.timeout_s = 300;
	e.class = 1;
	expect_cache_put(c, &e, STORE_REPLACE, 5, &id);
	assert_int_equal(expect_cache_put(c, &e, STORE_CHANGE, 6, &again),
			 PUT_SAME);
	assert_int_equal(again, id);
	e.has = EXPECT_TIMEOUT;
	assert_int_equal(expect_cache_put(c, &e, STORE_CHANGE, 7, &again),
			 PUT_CHANGED);
	expect_cache_get(c, id, &got);
	assert_int_equal(got.has, EXPECT_TIMEOUT);
	assert_int_equal(flow_cache_head(c, id)->created_s, 5);
	assert_int_equal(expect_cache_put(c, &e, STORE_REPLACE, 8, &again),
			 PUT_NEW);
	assert_int_equal(again, id);
	assert_int_equal(flow_cache_head(c, id)->created_s, 8);
	flow_cache_kill(c, id);
	assert_int_equal(expect_cache_find(c, &e), FLOW_CACHE_NO_ID);
	assert_int_equal(expect_cache_put(c, &e, STORE_CHANGE, 9, &again),
			 PUT_NEW);
	assert_int_equal(again, id);
	flow_cache_free(c);
}

static void a_full_kind_leaves_room_to_the_other(void **state)
{
	struct flow_cache *c = cache_of(8);
	struct expect e;
	struct flow f;
	uint32_t id;

	(void)state;
	for (uint32_t n = 0; n < 8; n++) {
		e = numbered(n);
		assert_int_equal(expect_cache_put(c, &e, STORE_REPLACE, 1, &id),
				 PUT_NEW);
	}
	e = numbered(8);
	assert_int_equal(expect_cache_put(c, &e, STORE_REPLACE, 1, &id),
			 PUT_NO_SPACE);
	f = master_of(&e);
	assert_int_equal(flow_cache_put(c, &f, PUT_REPLACE, 1, &id), PUT_NEW);
	flow_cache_free(c);
}

static void what_is_there_is_found_among_many(void **state)
{
	enum { N = 3000 };
	struct flow_cache *c = cache_of(N);
	static struct expect all[N];
	uint32_t ids[N];
	uint64_t seed = 4;

	(void)state;
	for (int n = 0; n < N; n++) {
		random_expect(&all[n], &seed, n & 1 ? FAMILY_IPV4 : FAMILY_IPV6,
			      (uint32_t)random_next(&seed) & ALL_BITS);
		expect_cache_put(c, &all[n], STORE_REPLACE, 1, &ids[n]);
	}
	for (int n = 0; n < N; n++) {
		struct expect got;

		memset(&got, 0, sizeof(got));
		assert_int_equal(expect_cache_find(c, &all[n]), ids[n]);
		expect_cache_get(c, ids[n], &got);
		assert_memory_equal(&got, &all[n], sizeof(got));
		flow_cache_remove(c, ids[n]);
	}
	assert_int_equal(flow_cache_n_entries(c), 0);
	flow_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_lives_beside_the_flow_that_announces_it),
		cmocka_unit_test(it_is_put_as_a_whole),
		cmocka_unit_test(a_full_kind_leaves_room_to_the_other),
		cmocka_unit_test(what_is_there_is_found_among_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
