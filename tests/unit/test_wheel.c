/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/wheel.h"

enum { N = 100000, START_MS = 7000000, LONGEST_MS = 61000 };

struct fixture {
	struct flow_cache *cache; /* has the ids 1 to N */
	struct wheel w;
	int64_t at_ms[N + 1]; /* when each is to be due; 0: it is not in */
};

static int set_up(void **state)
{
	const struct flow_cache_opts opts = { .first_size = N, .limit = N };
	struct fixture *t = calloc(1, sizeof(*t));
	struct flow f = { .family = FAMILY_IPV4, .has = FLOW_PORTS };

	t->cache = flow_cache_new(&opts);
	for (uint32_t i = 1; i <= N; i++) {
		uint32_t id = 0;

		f.orig.sport = (uint16_t)i;
		f.orig.dport = (uint16_t)(i >> 16);
		if (flow_cache_put(t->cache, &f, PUT_MERGE, 0, &id) !=
			    PUT_NEW ||
		    id != i)
			return -1;
	}
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *t = *state;

	flow_cache_free(t->cache);
	free(t);
	return 0;
}

static void add(struct fixture *t, uint32_t id, int64_t at_ms)
{
	wheel_add(&t->w, id, at_ms);
	t->at_ms[id] = at_ms;
}

/* Takes out the next one that is due; 0: none. */
static uint32_t take(struct fixture *t, int64_t now_ms)
{
	uint32_t id = wheel_due(&t->w, now_ms);

	if (id == FLOW_CACHE_NO_ID)
		return 0;
	assert_true(t->at_ms[id]);
	assert_true(t->at_ms[id] < now_ms + t->w.tick_ms);
	wheel_remove(&t->w, id);
	t->at_ms[id] = 0;
	return id;
}

static void assert_takes(struct fixture *t, int64_t now_ms,
			 const uint32_t *want)
{
	do {
		assert_int_equal(take(t, now_ms), *want);
	} while (*want++);
}

static void test_entries_are_due_in_the_order_of_their_times(void **state)
{
	struct fixture *t = *state;

	wheel_init(&t->w, t->cache, LONGEST_MS, START_MS);
	add(t, 5, START_MS + 3000);
	add(t, 1, START_MS + 1200);
	add(t, 7, START_MS + 61000);
	add(t, 3, START_MS + 1200);
	assert_takes(t, START_MS + 1199, (uint32_t[]){ 0 });
	assert_takes(t, START_MS + 1200, (uint32_t[]){ 1, 3, 0 });
	assert_takes(t, START_MS + 2999, (uint32_t[]){ 0 });
	assert_takes(t, START_MS + 60000, (uint32_t[]){ 5, 0 });
	assert_takes(t, START_MS + 61000, (uint32_t[]){ 7, 0 });
}

static void test_one_that_is_due_stays_until_it_is_taken_out(void **state)
{
	struct fixture *t = *state;

	wheel_init(&t->w, t->cache, LONGEST_MS, START_MS);
	add(t, 9, START_MS + 2000);
	assert_int_equal(wheel_due(&t->w, START_MS + 2000), 9);
	assert_int_equal(wheel_due(&t->w, START_MS + 9000), 9);
	wheel_remove(&t->w, 9);
	assert_int_equal(wheel_due(&t->w, START_MS + 9000), 0);
}

static void test_what_was_taken_out_before_its_time_is_not_due(void **state)
{
	struct fixture *t = *state;

	wheel_init(&t->w, t->cache, LONGEST_MS, START_MS);
	for (uint32_t id = 1; id <= 3; id++)
		add(t, id, START_MS + 5000);
	wheel_remove(&t->w, 2);
	assert_takes(t, START_MS + 6000, (uint32_t[]){ 1, 3, 0 });
}

static void test_it_says_when_the_next_one_will_be_due(void **state)
{
	struct fixture *t = *state;
	int64_t far_ms = START_MS + 90000;

	wheel_init(&t->w, t->cache, LONGEST_MS, START_MS);
	assert_int_equal(wheel_next_ms(&t->w, far_ms), far_ms);
	add(t, 1, START_MS + 4000);
	add(t, 2, START_MS + 60000);
	assert_int_equal(wheel_next_ms(&t->w, far_ms), START_MS + 4000);
	assert_int_equal(wheel_next_ms(&t->w, START_MS + 1000),
			 START_MS + 1000);
	assert_takes(t, START_MS + 4000, (uint32_t[]){ 1, 0 });
	assert_int_equal(wheel_next_ms(&t->w, far_ms), START_MS + 60000);
}

/* How many are taken; each of them is put in again. */
static uint32_t take_all(struct fixture *t, int64_t now_ms)
{
	uint32_t id, n = 0;

	while ((id = take(t, now_ms))) {
		add(t, id, now_ms + 1200 + 40 * id);
		n++;
	}
	return n;
}

/* The daemon was stopped for an hour and some: all are due, each once, though
 * what is put in again goes to slots that are not looked at yet. */
static void test_after_a_long_pause_each_is_due_once(void **state)
{
	struct fixture *t = *state;

	for (int64_t more_ms = 0; more_ms < 80000; more_ms += 1000) {
		int64_t late_ms = START_MS + 3600000 + more_ms;

		wheel_init(&t->w, t->cache, LONGEST_MS, START_MS);
		for (uint32_t id = 1; id <= 1000; id++)
			add(t, id, START_MS + 1200 + 40 * id);
		assert_int_equal(take_all(t, late_ms), 1000);
		assert_true(t->w.n_steps <= WHEEL_SLOTS + 1 + 1000);
		assert_int_equal(take_all(t, late_ms + LONGEST_MS), 1000);
	}
}

/* Ticks of years have 32 bits in the heads. */
static void test_ticks_wrap(void **state)
{
	struct fixture *t = *state;
	int64_t wrap_ms = (INT64_C(1) << 32) * WHEEL_TICK_MS;

	wheel_init(&t->w, t->cache, LONGEST_MS, wrap_ms - 5000);
	add(t, 1, wrap_ms - 1000);
	add(t, 2, wrap_ms + 1000);
	assert_takes(t, wrap_ms - 500, (uint32_t[]){ 1, 0 });
	assert_takes(t, wrap_ms + 500, (uint32_t[]){ 0 });
	assert_takes(t, wrap_ms + 1000, (uint32_t[]){ 2, 0 });
}

static void test_long_waits_have_coarser_ticks_and_come_in_time(void **state)
{
	static const int64_t longest_s[] = {
		5, 81, 82, 3600, 86400, INT32_MAX
	};
	struct fixture *t = *state;

	for (size_t i = 0; i < N_ELEMENTS(longest_s); i++) {
		int64_t longest_ms = longest_s[i] * 1000;

		wheel_init(&t->w, t->cache, longest_ms, START_MS);
		assert_true(longest_ms / t->w.tick_ms < WHEEL_SLOTS);
		add(t, 1, START_MS + longest_ms);
		add(t, 2, START_MS + 1200);
		assert_takes(t, START_MS + 1200, (uint32_t[]){ 2, 0 });
		assert_takes(t, START_MS + longest_ms - t->w.tick_ms,
			     (uint32_t[]){ 0 });
		assert_takes(t, START_MS + longest_ms, (uint32_t[]){ 1, 0 });
	}
}

/* As many steps as ticks and dues, whether a hundred wait or a hundred
 * thousand. */
static void test_a_second_costs_what_is_due_in_it(void **state)
{
	struct fixture *t = *state;

	for (uint32_t n = 100; n <= N; n *= 10) {
		int64_t now_ms = START_MS;
		uint64_t before;

		wheel_init(&t->w, t->cache, LONGEST_MS, START_MS);
		for (uint32_t id = 1; id <= n; id++)
			add(t, id, START_MS + LONGEST_MS - id % 1000);
		for (uint32_t id = 1; id <= 50; id++) {
			wheel_remove(&t->w, id);
			add(t, id, START_MS + 1000 + id);
		}
		before = t->w.n_steps;
		for (uint32_t found = 0; found < 50; now_ms += 20)
			while (take(t, now_ms))
				found++;
		assert_true(t->w.n_steps - before <= 2 * (1060 / 20) + 50 + 2);
	}
}

#define WITH_FIXTURE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_entries_are_due_in_the_order_of_their_times),
		WITH_FIXTURE(test_one_that_is_due_stays_until_it_is_taken_out),
		WITH_FIXTURE(
			test_what_was_taken_out_before_its_time_is_not_due),
		WITH_FIXTURE(test_it_says_when_the_next_one_will_be_due),
		WITH_FIXTURE(test_after_a_long_pause_each_is_due_once),
		WITH_FIXTURE(test_ticks_wrap),
		WITH_FIXTURE(
			test_long_waits_have_coarser_ticks_and_come_in_time),
		WITH_FIXTURE(test_a_second_costs_what_is_due_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
