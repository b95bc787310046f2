/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/timer.h"
#include "base/util.h"

enum { MAX_FIRED = 4096 };

/* What happened, and what a timer shall do when it fires. */
struct journal {
	struct timer_heap heap;
	int fired[MAX_FIRED];
	size_t n_fired;
	int64_t now_ms;
};

struct probe {
	struct timer timer;
	struct journal *journal;
	int number;
	struct probe *cancels; /* NULL: none */
	bool is_repeating;
	int64_t rearm_ms;
};

static void on_timer(void *ctx, int64_t now_ms)
{
	struct probe *p = ctx;
	struct journal *j = p->journal;

	assert_false(timer_is_set(&p->timer));
	assert_true(j->n_fired < MAX_FIRED);
	j->fired[j->n_fired++] = p->number;
	j->now_ms = now_ms;
	if (p->cancels)
		timer_heap_cancel(&j->heap, &p->cancels->timer);
	if (p->is_repeating)
		timer_heap_set(&j->heap, &p->timer, p->rearm_ms);
}

static void probe_init(struct probe *p, struct journal *j, int number)
{
	*p = (struct probe){ .journal = j, .number = number };
	p->timer.fn = on_timer;
	p->timer.ctx = p;
}

static void assert_fired(const struct journal *j, const int *numbers, size_t n)
{
	assert_int_equal(j->n_fired, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(j->fired[i], numbers[i]);
}
#define ASSERT_FIRED(j, ...)                          \
	assert_fired(j, (const int[]){ __VA_ARGS__ }, \
		     N_ELEMENTS(((const int[]){ __VA_ARGS__ })))

static void test_an_empty_heap_is_never_due(void **state)
{
	struct timer_heap h = { 0 };
	struct timer t = { 0 };

	(void)state;
	assert_true(timer_heap_next_ms(&h) == TIMER_NEVER);
	assert_int_equal(timer_heap_fire(&h, INT64_MAX), 0);
	timer_heap_cancel(&h, &t);
	assert_false(timer_is_set(&t));
}

static void test_timers_fire_in_the_order_of_their_times(void **state)
{
	static const int64_t due_ms[] = { 50, 10, 40, 10, 30, 20 };
	struct probe p[N_ELEMENTS(due_ms)];
	struct journal j = { 0 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(p); i++) {
		probe_init(&p[i], &j, (int)i);
		timer_heap_set(&j.heap, &p[i].timer, due_ms[i]);
	}
	assert_true(timer_heap_next_ms(&j.heap) == 10);
	assert_int_equal(timer_heap_fire(&j.heap, 9), 0);
	assert_int_equal(timer_heap_fire(&j.heap, 30), 4);
	ASSERT_FIRED(&j, 1, 3, 5, 4);
	assert_true(j.now_ms == 30);
	assert_true(timer_heap_next_ms(&j.heap) == 40);
	assert_false(timer_is_set(&p[4].timer));
	assert_true(timer_is_set(&p[0].timer));
	assert_int_equal(timer_heap_fire(&j.heap, 1000), 2);
	ASSERT_FIRED(&j, 1, 3, 5, 4, 2, 0);
	assert_true(timer_heap_next_ms(&j.heap) == TIMER_NEVER);
}

static void test_arming_again_moves_a_timer(void **state)
{
	struct journal j = { 0 };
	struct probe a, b;

	(void)state;
	probe_init(&a, &j, 1);
	probe_init(&b, &j, 2);
	timer_heap_set(&j.heap, &a.timer, 10);
	timer_heap_set(&j.heap, &b.timer, 20);
	timer_heap_set(&j.heap, &a.timer, 30);
	assert_int_equal(timer_heap_fire(&j.heap, 25), 1);
	timer_heap_set(&j.heap, &a.timer, 26);
	assert_int_equal(timer_heap_fire(&j.heap, 29), 1);
	ASSERT_FIRED(&j, 2, 1);
}

static void test_a_callback_cancels_one_that_is_due_too(void **state)
{
	struct journal j = { 0 };
	struct probe a, b;

	(void)state;
	probe_init(&a, &j, 1);
	probe_init(&b, &j, 2);
	a.cancels = &b;
	timer_heap_set(&j.heap, &a.timer, 10);
	timer_heap_set(&j.heap, &b.timer, 10);
	assert_int_equal(timer_heap_fire(&j.heap, 10), 1);
	ASSERT_FIRED(&j, 1);
	assert_false(timer_is_set(&b.timer));
}

static void test_one_that_arms_itself_for_the_past_starves_nobody(void **state)
{
	struct journal j = { 0 };
	struct probe greedy, other;

	(void)state;
	probe_init(&greedy, &j, 1);
	probe_init(&other, &j, 2);
	greedy.is_repeating = true; /* for 0: long ago */
	timer_heap_set(&j.heap, &greedy.timer, 5);
	timer_heap_set(&j.heap, &other.timer, 6);
	assert_int_equal(timer_heap_fire(&j.heap, 10), 2);
	ASSERT_FIRED(&j, 1, 2);
	assert_true(timer_heap_next_ms(&j.heap) == 10);
	assert_int_equal(timer_heap_fire(&j.heap, 10), 1);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Against an array that is searched from end to end. */
static void test_random_use_agrees_with_a_plain_list(void **state)
{
	enum { N = 100, ROUNDS = 3000 };
	static struct probe p[N];
	static struct journal j;
	int64_t due_ms[N], now_ms = 0;
	uint32_t seed = 4711;

	(void)state;
	for (int i = 0; i < N; i++) {
		probe_init(&p[i], &j, i);
		due_ms[i] = TIMER_NEVER;
	}
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t i = next_random(&seed) % N;
		int64_t first = TIMER_NEVER, last = 0;
		unsigned int n_due = 0;

		if (next_random(&seed) % 4 == 0) {
			timer_heap_cancel(&j.heap, &p[i].timer);
			due_ms[i] = TIMER_NEVER;
		} else {
			due_ms[i] = now_ms + next_random(&seed) % 50;
			timer_heap_set(&j.heap, &p[i].timer, due_ms[i]);
		}
		for (i = 0; i < N; i++) {
			assert_int_equal(timer_is_set(&p[i].timer),
					 due_ms[i] != TIMER_NEVER);
			if (due_ms[i] < first)
				first = due_ms[i];
		}
		assert_true(timer_heap_next_ms(&j.heap) == first);
		if (round % 8 != 0)
			continue;
		now_ms += next_random(&seed) % 20;
		for (i = 0; i < N; i++)
			n_due += due_ms[i] <= now_ms;
		j.n_fired = 0;
		assert_int_equal(timer_heap_fire(&j.heap, now_ms), n_due);
		for (size_t k = 0; k < j.n_fired; k++) {
			assert_true(due_ms[j.fired[k]] >= last);
			last = due_ms[j.fired[k]];
			assert_true(last <= now_ms);
			due_ms[j.fired[k]] = TIMER_NEVER;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_heap_is_never_due),
		cmocka_unit_test(test_timers_fire_in_the_order_of_their_times),
		cmocka_unit_test(test_arming_again_moves_a_timer),
		cmocka_unit_test(test_a_callback_cancels_one_that_is_due_too),
		cmocka_unit_test(
			test_one_that_arms_itself_for_the_past_starves_nobody),
		cmocka_unit_test(test_random_use_agrees_with_a_plain_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
