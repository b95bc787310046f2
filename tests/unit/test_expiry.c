/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/expiry.h"

enum { TIMEOUT_S = 30 };

struct fixture {
	struct flow_cache *cache;
	struct expiry e;
};

static int set_up(void **state)
{
	const struct flow_cache_opts o = { .first_size = 16, .limit = 20000 };
	struct fixture *t = calloc(1, sizeof(*t));

	t->cache = flow_cache_new(&o);
	expiry_init(&t->e, t->cache, TIMEOUT_S);
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *t = *state;

	expiry_fini(&t->e);
	flow_cache_free(t->cache);
	free(t);
	return 0;
}

static uint32_t tell(struct fixture *t, uint16_t number, uint32_t now_s)
{
	struct flow f = { .family = FAMILY_IPV4, .has = FLOW_PORTS };
	uint32_t id = FLOW_CACHE_NO_ID;

	f.orig.sport = number;
	(void)flow_cache_put(t->cache, &f, PUT_CONTENT, now_s, &id);
	expiry_told(&t->e, id, now_s);
	return id;
}

/* How many entries are left at this second. */
static uint32_t left_at(struct fixture *t, uint32_t now_s)
{
	if (expiry_is_due(&t->e, now_s))
		while (expiry_step(&t->e))
			;
	return flow_cache_stats(t->cache)->n_entries;
}

static void test_an_entry_lives_for_the_timeout(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(left_at(t, 100), 0);
	tell(t, 1, 100);
	assert_int_equal(left_at(t, 130), 1);
	assert_int_equal(left_at(t, 131), 0);
	assert_int_equal(t->e.n_expired, 1);
	assert_int_equal(t->e.queue.n, 0);
}

static void test_being_told_again_prolongs_it(void **state)
{
	struct fixture *t = *state;

	tell(t, 1, 100);
	tell(t, 2, 100);
	tell(t, 1, 120);
	assert_int_equal(left_at(t, 140), 1);
	assert_int_equal(left_at(t, 150), 1);
	assert_int_equal(left_at(t, 151), 0);
}

static void test_what_was_removed_does_not_expire(void **state)
{
	struct fixture *t = *state;
	uint32_t first = tell(t, 1, 100), id = tell(t, 2, 100),
		 last = tell(t, 3, 100);

	flow_cache_remove(t->cache, id);
	assert_int_equal(t->e.queue.n, 2);
	flow_cache_remove(t->cache, last);
	flow_cache_remove(t->cache, first);
	assert_int_equal(left_at(t, 200), 0);
	assert_int_equal(t->e.n_expired, 0);
}

/* It is looked at between the clock's seconds, too. */
static void test_what_was_told_since_the_last_second_stays(void **state)
{
	struct fixture *t = *state;

	assert_false(expiry_is_due(&t->e, 100));
	tell(t, 1, 101);
	assert_false(expiry_step(&t->e));
	assert_int_equal(flow_cache_stats(t->cache)->n_entries, 1);
}

static void test_seconds_wrap(void **state)
{
	struct fixture *t = *state;

	tell(t, 1, UINT32_MAX - 10);
	tell(t, 2, 5);
	assert_int_equal(left_at(t, 19), 2);
	assert_int_equal(left_at(t, 20), 1);
	assert_int_equal(left_at(t, 36), 0);
}

/* A crowd goes in pieces, and nobody looks at those who stay. */
static void test_a_piece_is_bounded_and_takes_only_what_is_due(void **state)
{
	struct fixture *t = *state;
	uint32_t n = 0;

	for (uint16_t i = 0; i < 10000; i++)
		tell(t, i, 100);
	for (uint16_t i = 10000; i < 15000; i++)
		tell(t, i, 120);
	assert_true(expiry_is_due(&t->e, 140));
	while (expiry_step(&t->e)) {
		n++;
		assert_true(t->e.n_expired <= n * 1024);
	}
	assert_int_equal(t->e.n_expired, 10000);
	assert_int_equal(flow_cache_stats(t->cache)->n_entries, 5000);
}

static void test_it_says_what_is_left(void **state)
{
	struct fixture *t = *state;
	const struct entry_head *h = flow_cache_head(t->cache, tell(t, 1, 100));

	assert_int_equal(expiry_left_s(h, TIMEOUT_S, 100), 30);
	assert_int_equal(expiry_left_s(h, TIMEOUT_S, 125), 5);
	assert_int_equal(expiry_left_s(h, TIMEOUT_S, 130), 0);
	assert_int_equal(expiry_left_s(h, TIMEOUT_S, 131), 0);
}

#define WITH_FIXTURE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_an_entry_lives_for_the_timeout),
		WITH_FIXTURE(test_being_told_again_prolongs_it),
		WITH_FIXTURE(test_what_was_removed_does_not_expire),
		WITH_FIXTURE(test_what_was_told_since_the_last_second_stays),
		WITH_FIXTURE(test_seconds_wrap),
		WITH_FIXTURE(
			test_a_piece_is_bounded_and_takes_only_what_is_due),
		WITH_FIXTURE(test_it_says_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
