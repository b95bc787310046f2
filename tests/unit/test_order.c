/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/util.h"
#include "sync/order.h"

enum { AGAIN_MS = 200 };

static void accept_due(struct order *t, uint32_t seq, int64_t due_ms)
{
	order_take(t, &(struct order_msg){ .seq = seq }, due_ms, 0);
}

static void take(struct order *t, uint32_t seq)
{
	if (t->is_set && seq != t->last + 1)
		order_miss(t, seq, 0);
	accept_due(t, seq, 0);
}

static void assert_run(struct seq_run run, uint32_t from, uint32_t to)
{
	assert_int_equal(run.from, from);
	assert_int_equal(run.to, to);
}

static void test_numbers_in_a_row_are_one_run(void **state)
{
	struct order t = { 0 };

	(void)state;
	for (uint32_t n = 0xfffffff0; n != 0x10; n++) /* they wrap */
		take(&t, n);
	assert_int_equal(t.n_runs, 1);
	assert_run(t.runs[0], 0xfffffff0, 0xf);
	assert_int_equal(t.first, 0xfffffff0);
	assert_false(t.has_gap || t.is_ask_due);
}

static void test_what_was_missed_lies_between_runs(void **state)
{
	struct order t = { 0 };

	(void)state;
	take(&t, 10);
	assert_int_equal(order_miss(&t, 15, 500), 4);
	accept_due(&t, 15, 900);
	assert_int_equal(order_miss(&t, 18, 700), 2);
	accept_due(&t, 18, 900);
	assert_int_equal(t.n_runs, 3);
	assert_run(t.runs[1], 15, 15);
	assert_run(t.unasked, 11, 17); /* in one piece */
	assert_int_equal(t.ask_due_ms, 500);
	order_acked(&t, 0);
	assert_int_equal(order_due_ms(&t), 500);
	order_asked(&t, AGAIN_MS, 500);
	assert_int_equal(order_due_ms(&t), INT64_MAX);
	assert_int_equal(t.n_runs, 3); /* told again next time */
}

static void test_only_the_newest_runs_are_remembered(void **state)
{
	struct order t = { 0 };

	(void)state;
	for (uint32_t n = 0; n < 100; n++)
		take(&t, 2 * n);
	assert_int_equal(t.n_runs, ORDER_RUNS);
	assert_run(t.runs[ORDER_RUNS - 1], 198, 198);
	assert_run(t.runs[0], 168, 168);
	assert_run(t.gap, 1, 197);
}

static void test_what_is_not_held_is_not_asked_for(void **state)
{
	struct order t = { 0 };

	(void)state;
	take(&t, 10);
	take(&t, 20);
	take(&t, 30);
	order_acked(&t, 0);
	order_held(&t, 25, AGAIN_MS, 1);
	assert_run(t.unasked, 25, 29);
	assert_int_equal(t.n_runs, 1);
	order_held(&t, 30, AGAIN_MS, 1);
	assert_false(t.is_ask_due || t.has_gap);
	assert_int_equal(t.n_runs, 1); /* it still holds 30 */
	order_held(&t, 31, AGAIN_MS, 1);
	assert_int_equal(t.n_runs, 0);
}

static void test_what_is_still_held_is_asked_for_again_but_rarer(void **state)
{
	struct order t = { 0 };
	int64_t last_ms = 0;
	int n_asked = 0;

	(void)state;
	take(&t, 10);
	take(&t, 20);
	for (int64_t now_ms = 0; now_ms < 30000; now_ms += 100) {
		order_held(&t, 12, AGAIN_MS, now_ms);
		if (!t.is_ask_due)
			continue;
		assert_run(t.unasked, 12, 19);
		assert_true(!n_asked || now_ms - last_ms >= AGAIN_MS);
		order_asked(&t, AGAIN_MS, now_ms);
		last_ms = now_ms;
		n_asked++;
	}
	assert_in_range(n_asked, 20, 40);
}

static void test_an_acknowledgement_that_was_missed_is_said_again(void **state)
{
	struct order t = { 0 };

	(void)state;
	take(&t, 10);
	order_acked(&t, 1000);
	order_held(&t, 10, AGAIN_MS, 1199);
	assert_int_equal(order_due_ms(&t), INT64_MAX);
	order_held(&t, 10, AGAIN_MS, 1200);
	assert_int_equal(order_due_ms(&t), 1200);
	assert_run(t.runs[0], 10, 10);
}

static void test_what_needs_no_answer_makes_none_due(void **state)
{
	struct order t = { 0 };

	(void)state;
	accept_due(&t, 1, INT64_MAX);
	accept_due(&t, 2, INT64_MAX);
	assert_int_equal(order_due_ms(&t), INT64_MAX);
	accept_due(&t, 3, 100);
	accept_due(&t, 4, INT64_MAX);
	accept_due(&t, 5, 200);
	assert_int_equal(order_due_ms(&t), 100);
	assert_run(t.runs[0], 1, 5);
}

static void test_runs_are_told_once_to_who_keeps_no_account(void **state)
{
	struct order t = { 0 };

	(void)state;
	take(&t, 10);
	take(&t, 20);
	order_told(&t, 0);
	assert_int_equal(t.n_runs, 1);
	assert_int_equal(order_due_ms(&t), 0);
	order_told(&t, 0);
	assert_int_equal(t.n_runs, 1); /* it goes on from there */
	order_asked(&t, AGAIN_MS, 0);
	assert_int_equal(order_due_ms(&t), INT64_MAX);
	take(&t, 21);
	assert_run(t.runs[0], 20, 21);
}

static void test_two_places_of_one_node_are_joined(void **state)
{
	struct order t = { 0 }, other = { 0 };

	(void)state;
	take(&t, 10);
	take(&t, 12);
	for (uint32_t n = 20; n <= 22; n++)
		take(&other, n);
	order_join(&t, &other, 5);
	assert_int_equal(t.first, 10);
	assert_int_equal(t.last, 22);
	assert_int_equal(t.n_runs, 3);
	assert_run(t.runs[2], 20, 22);
	assert_run(t.unasked, 11, 19); /* what got lost in between as well */
}

static void test_an_older_place_is_not_joined(void **state)
{
	struct order t = { 0 }, older = { 0 }, none = { 0 };

	(void)state;
	take(&t, 10);
	take(&older, 5);
	order_join(&t, &older, 5);
	order_join(&t, &none, 5);
	assert_int_equal(t.last, 10);
	order_join(&none, &t, 5);
	assert_int_equal(none.last, 10);
}

/* ---- one verdict on a message ------------------------------------------- */

/* The last number of a run that came at 1000 ms. */
static struct order order_at(uint32_t last)
{
	struct order o = { 0 };

	order_take(&o, &(struct order_msg){ .seq = last - 1 }, 0, 900);
	order_take(&o, &(struct order_msg){ .seq = last }, 0, 1000);
	return o;
}

static void test_a_number_is_judged_by_the_last_one(void **state)
{
	static const struct {
		uint32_t last;
		struct order_msg m;
		enum order_verdict want;
	} cases[] = {
		{ 10, { .seq = 11 }, ORDER_NEXT },
		{ 10, { .seq = 12 }, ORDER_GAP },
		{ 10, { .seq = 27 }, ORDER_GAP },
		{ 10, { .seq = 28 }, ORDER_WILD },
		{ 10, { .seq = 10 }, ORDER_LATE },
		{ 10, { .seq = UINT32_MAX }, ORDER_LATE },
		{ UINT32_MAX, { .seq = 0 }, ORDER_NEXT },
		{ UINT32_MAX - 2, { .seq = 3 }, ORDER_GAP },
		{ 2, { .seq = UINT32_MAX - 2 }, ORDER_LATE },
		/* A node of ours announces itself every second. */
		{ 10, { .seq = 11 + (1 << 20), .is_node = true }, ORDER_LATE },
		{ 10,
		  { .seq = 11 + (1 << 20), .is_node = true, .has_id = true },
		  ORDER_WILD },
		{ 10, { .seq = 10 + (1 << 20), .is_node = true }, ORDER_WILD },
		/* A reference that starts says HELLO, a node of ours an id. */
		{ 10, { .seq = 11, .is_hello = true }, ORDER_RESTART },
		{ 10,
		  { .seq = 11, .is_hello = true, .is_node = true },
		  ORDER_NEXT },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct order o = order_at(cases[i].last);

		assert_int_equal(order_judge(&o, &cases[i].m, 1100),
				 cases[i].want);
	}
}

static void test_anything_is_the_first_number(void **state)
{
	struct order o = { 0 };

	(void)state;
	assert_int_equal(
		order_judge(&o, &(struct order_msg){ .seq = 0x90000000 }, 0),
		ORDER_NEXT);
}

static void test_a_wild_number_is_confirmed_by_the_next_one(void **state)
{
	static const struct {
		uint32_t second;
		enum order_verdict want;
	} cases[] = {
		{ 5000, ORDER_WILD },       { 5001, ORDER_GAP },
		{ 5016, ORDER_GAP },        { 5017, ORDER_WILD },
		{ UINT32_MAX, ORDER_LATE }, { 12, ORDER_GAP },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct order o = order_at(10);

		assert_int_equal(order_judge(&o,
					     &(struct order_msg){ .seq = 5000 },
					     1100),
				 ORDER_WILD);
		assert_int_equal(order_judge(&o,
					     &(struct order_msg){
						     .seq = cases[i].second },
					     1100),
				 cases[i].want);
	}
}

static void test_what_comes_in_between_ends_a_wild_number(void **state)
{
	struct order o = order_at(10);

	(void)state;
	order_judge(&o, &(struct order_msg){ .seq = 5000 }, 1100);
	order_take(&o, &(struct order_msg){ .seq = 11 }, 0, 1100);
	assert_int_equal(
		order_judge(&o, &(struct order_msg){ .seq = 5001 }, 1100),
		ORDER_WILD);
}

static void test_one_start_says_hello_many_times(void **state)
{
	static const struct {
		uint32_t seq;
		enum order_verdict want;
	} cases[] = {
		{ 103, ORDER_NEXT },       { 104, ORDER_GAP },
		{ 102 + 4096, ORDER_GAP }, { 102 + 4097, ORDER_RESTART },
		{ 100, ORDER_LATE },       { 102, ORDER_LATE },
		{ 99, ORDER_RESTART },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct order o = { 0 };
		struct order_msg m = { .is_hello = true };

		for (m.seq = 100; m.seq <= 102; m.seq++)
			order_take(&o, &m, 0, 1000);
		m.seq = cases[i].seq;
		assert_int_equal(order_judge(&o, &m, 1100), cases[i].want);
	}
}

/* Each comes after a row of late ones with the numbers before it. */
static void test_a_row_of_refused_ones_is_a_restart(void **state)
{
	static const struct {
		struct order_msg m;
		uint32_t row;
		int64_t at_ms;
		enum order_verdict want;
	} cases[] = {
		{ { 0 }, 8, 4000, ORDER_RESTART },
		{ { 0 }, 7, 4000, ORDER_LATE },
		{ { 0 }, 8, 3999, ORDER_LATE }, /* it was heard just now */
		/* The id is still said. */
		{ { .is_node = true, .announced_ms = 2000 },
		  8,
		  4999,
		  ORDER_LATE },
		{ { .is_node = true, .announced_ms = 2000 },
		  8,
		  5000,
		  ORDER_RESTART },
		{ { .is_node = true, .is_plain = true, .announced_ms = 1000 },
		  3,
		  2200,
		  ORDER_RESTART },
		{ { .is_node = true, .is_plain = true, .announced_ms = 1000 },
		  3,
		  2199,
		  ORDER_LATE },
		{ { .is_node = true, .is_plain = true, .announced_ms = 1000 },
		  2,
		  2200,
		  ORDER_LATE },
		/* It says its id, and asks for an answer, or hears us. */
		{ { .is_node = true, .has_id = true }, 3, 4000, ORDER_RESTART },
		{ { .is_node = true, .has_id = true, .is_content = true },
		  3,
		  4000,
		  ORDER_LATE },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct order o = order_at(0x10);
		struct order_msg m = cases[i].m;
		enum order_verdict v = ORDER_NEXT;

		m.seq = 0xfffffff0;
		for (uint32_t n = 0; n < cases[i].row; n++, m.seq++)
			v = order_judge(&o, &m, cases[i].at_ms);
		assert_int_equal(v, cases[i].want);
	}
}

static void test_numbers_that_repeat_are_no_row(void **state)
{
	struct order o = order_at(100);

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(
			order_judge(&o, &(struct order_msg){ .seq = 50 }, 9000),
			ORDER_LATE);
}

static void
test_the_window_fills_with_data_until_it_is_acknowledged(void **state)
{
	struct order o = { 0 };

	(void)state;
	assert_true(order_fills(&o, 1));
	order_acked(&o, 0);
	assert_false(order_fills(&o, 3));
	assert_false(order_fills(&o, 3));
	assert_true(order_fills(&o, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_in_a_row_are_one_run),
		cmocka_unit_test(test_what_was_missed_lies_between_runs),
		cmocka_unit_test(test_only_the_newest_runs_are_remembered),
		cmocka_unit_test(test_what_is_not_held_is_not_asked_for),
		cmocka_unit_test(
			test_what_is_still_held_is_asked_for_again_but_rarer),
		cmocka_unit_test(
			test_an_acknowledgement_that_was_missed_is_said_again),
		cmocka_unit_test(test_what_needs_no_answer_makes_none_due),
		cmocka_unit_test(
			test_runs_are_told_once_to_who_keeps_no_account),
		cmocka_unit_test(test_two_places_of_one_node_are_joined),
		cmocka_unit_test(test_an_older_place_is_not_joined),
		cmocka_unit_test(test_a_number_is_judged_by_the_last_one),
		cmocka_unit_test(test_anything_is_the_first_number),
		cmocka_unit_test(
			test_a_wild_number_is_confirmed_by_the_next_one),
		cmocka_unit_test(test_what_comes_in_between_ends_a_wild_number),
		cmocka_unit_test(test_one_start_says_hello_many_times),
		cmocka_unit_test(test_a_row_of_refused_ones_is_a_restart),
		cmocka_unit_test(test_numbers_that_repeat_are_no_row),
		cmocka_unit_test(
			test_the_window_fills_with_data_until_it_is_acknowledged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
