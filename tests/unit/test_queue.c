/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/queue.h"

enum { N = 8 };

/* A cache with the ids 1 to N. */
static int setup(void **state)
{
	const struct flow_cache_opts opts = { .first_size = 4, .limit = N };
	struct flow_cache *c = flow_cache_new(&opts);
	struct flow f = { .family = FAMILY_IPV4, .has = FLOW_PORTS };

	for (uint16_t i = 1; i <= N; i++) {
		uint32_t id = 0;

		f.orig.sport = i;
		if (flow_cache_put(c, &f, PUT_MERGE, 0, &id) != PUT_NEW ||
		    id != i)
			return -1;
	}
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	flow_cache_free(*state);
	return 0;
}

static void assert_pops(struct queue *q, struct flow_cache *c,
			const uint32_t *want)
{
	do {
		assert_int_equal(queue_pop(q, c), *want);
	} while (*want++);
	assert_int_equal(q->n, 0);
	assert_int_equal(q->first, FLOW_CACHE_NO_ID);
	assert_int_equal(q->last, FLOW_CACHE_NO_ID);
}

static void test_entries_leave_in_the_order_they_came(void **state)
{
	static const uint32_t order[] = { 5, 1, 8, 2, 0 };
	struct queue q = { 0 };

	for (size_t i = 0; order[i]; i++)
		queue_push(&q, *state, order[i]);
	assert_int_equal(q.n, 4);
	assert_pops(&q, *state, order);
}

static void test_an_empty_queue_gives_no_id(void **state)
{
	struct queue q = { 0 };

	assert_int_equal(queue_pop(&q, *state), FLOW_CACHE_NO_ID);
	assert_int_equal(q.n, 0);
}

static void test_first_middle_and_last_can_be_taken_out(void **state)
{
	static const uint32_t taken[] = { 1, 3, 5 };
	static const uint32_t left[3][5] = {
		{ 2, 3, 4, 5, 0 },
		{ 1, 2, 4, 5, 0 },
		{ 1, 2, 3, 4, 0 },
	};

	for (size_t i = 0; i < 3; i++) {
		struct queue q = { 0 };

		for (uint32_t id = 1; id <= 5; id++)
			queue_push(&q, *state, id);
		queue_remove(&q, *state, taken[i]);
		assert_int_equal(q.n, 4);
		assert_pops(&q, *state, left[i]);
	}
}

static void test_the_only_one_can_be_taken_out_and_come_again(void **state)
{
	static const uint32_t order[] = { 4, 0 };
	struct queue q = { 0 };

	queue_push(&q, *state, 4);
	queue_remove(&q, *state, 4);
	assert_int_equal(q.first, FLOW_CACHE_NO_ID);
	queue_push(&q, *state, 4);
	assert_pops(&q, *state, order);
}

static void test_the_bytes_of_others_are_left_alone(void **state)
{
	struct entry_head *h = flow_cache_head(*state, 6);
	struct queue q = { 0 };

	h->outbox = 1;
	h->bulk = 2;
	h->round = 3;
	queue_push(&q, *state, 6);
	assert_int_equal(queue_pop(&q, *state), 6);
	assert_int_equal(h->outbox, 1);
	assert_int_equal(h->bulk, 2);
	assert_int_equal(h->round, 3);
}

#define WITH_CACHE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_entries_leave_in_the_order_they_came),
		WITH_CACHE(test_an_empty_queue_gives_no_id),
		WITH_CACHE(test_first_middle_and_last_can_be_taken_out),
		WITH_CACHE(test_the_only_one_can_be_taken_out_and_come_again),
		WITH_CACHE(test_the_bytes_of_others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
