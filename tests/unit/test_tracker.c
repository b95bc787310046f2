/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/util.h"
#include "sync/tracker.h"

enum { AGAIN_MS = 200 };

static void take(struct tracker *t, uint32_t seq)
{
	if (t->is_set && seq != t->last + 1)
		tracker_miss(t, seq, 0);
	tracker_take(t, seq, 0, 0);
}

static void assert_run(struct seq_run run, uint32_t from, uint32_t to)
{
	assert_int_equal(run.from, from);
	assert_int_equal(run.to, to);
}

static void test_numbers_in_a_row_are_one_run(void **state)
{
	struct tracker t = { 0 };

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
	struct tracker t = { 0 };

	(void)state;
	take(&t, 10);
	assert_int_equal(tracker_miss(&t, 15, 500), 4);
	tracker_take(&t, 15, 900, 0);
	assert_int_equal(tracker_miss(&t, 18, 700), 2);
	tracker_take(&t, 18, 900, 0);
	assert_int_equal(t.n_runs, 3);
	assert_run(t.runs[1], 15, 15);
	assert_run(t.unasked, 11, 17); /* in one piece */
	assert_int_equal(t.ask_due_ms, 500);
	tracker_acked(&t, 0);
	assert_int_equal(tracker_due_ms(&t), 500);
	tracker_asked(&t, AGAIN_MS, 500);
	assert_int_equal(tracker_due_ms(&t), INT64_MAX);
	assert_int_equal(t.n_runs, 3); /* told again next time */
}

static void test_only_the_newest_runs_are_remembered(void **state)
{
	struct tracker t = { 0 };

	(void)state;
	for (uint32_t n = 0; n < 100; n++)
		take(&t, 2 * n);
	assert_int_equal(t.n_runs, TRACKER_RUNS);
	assert_run(t.runs[TRACKER_RUNS - 1], 198, 198);
	assert_run(t.runs[0], 168, 168);
	assert_run(t.gap, 1, 197);
}

static void test_what_is_not_held_is_not_asked_for(void **state)
{
	struct tracker t = { 0 };

	(void)state;
	take(&t, 10);
	take(&t, 20);
	take(&t, 30);
	tracker_acked(&t, 0);
	tracker_held(&t, 25, AGAIN_MS, 1);
	assert_run(t.unasked, 25, 29);
	assert_int_equal(t.n_runs, 1);
	tracker_held(&t, 30, AGAIN_MS, 1);
	assert_false(t.is_ask_due || t.has_gap);
	assert_int_equal(t.n_runs, 1); /* it still holds 30 */
	tracker_held(&t, 31, AGAIN_MS, 1);
	assert_int_equal(t.n_runs, 0);
}

static void test_what_is_still_held_is_asked_for_again_but_rarer(void **state)
{
	struct tracker t = { 0 };
	int64_t last_ms = 0;
	int n_asked = 0;

	(void)state;
	take(&t, 10);
	take(&t, 20);
	for (int64_t now_ms = 0; now_ms < 30000; now_ms += 100) {
		tracker_held(&t, 12, AGAIN_MS, now_ms);
		if (!t.is_ask_due)
			continue;
		assert_run(t.unasked, 12, 19);
		assert_true(!n_asked || now_ms - last_ms >= AGAIN_MS);
		tracker_asked(&t, AGAIN_MS, now_ms);
		last_ms = now_ms;
		n_asked++;
	}
	assert_in_range(n_asked, 20, 40);
}

static void test_an_acknowledgement_that_was_missed_is_said_again(void **state)
{
	struct tracker t = { 0 };

	(void)state;
	take(&t, 10);
	tracker_acked(&t, 1000);
	tracker_held(&t, 10, AGAIN_MS, 1199);
	assert_int_equal(tracker_due_ms(&t), INT64_MAX);
	tracker_held(&t, 10, AGAIN_MS, 1200);
	assert_int_equal(tracker_due_ms(&t), 1200);
	assert_run(t.runs[0], 10, 10);
}

static void test_what_needs_no_answer_makes_none_due(void **state)
{
	struct tracker t = { 0 };

	(void)state;
	tracker_take(&t, 1, INT64_MAX, 0);
	tracker_take(&t, 2, INT64_MAX, 0);
	assert_int_equal(tracker_due_ms(&t), INT64_MAX);
	tracker_take(&t, 3, 100, 0);
	tracker_take(&t, 4, INT64_MAX, 0);
	tracker_take(&t, 5, 200, 0);
	assert_int_equal(tracker_due_ms(&t), 100);
	assert_run(t.runs[0], 1, 5);
}

static void test_runs_are_told_once_to_who_keeps_no_account(void **state)
{
	struct tracker t = { 0 };

	(void)state;
	take(&t, 10);
	take(&t, 20);
	tracker_told(&t, 0);
	assert_int_equal(t.n_runs, 1);
	assert_int_equal(tracker_due_ms(&t), 0);
	tracker_told(&t, 0);
	assert_int_equal(t.n_runs, 1); /* it goes on from there */
	tracker_asked(&t, AGAIN_MS, 0);
	assert_int_equal(tracker_due_ms(&t), INT64_MAX);
	take(&t, 21);
	assert_run(t.runs[0], 20, 21);
}

static void test_two_places_of_one_node_are_joined(void **state)
{
	struct tracker t = { 0 }, other = { 0 };

	(void)state;
	take(&t, 10);
	take(&t, 12);
	for (uint32_t n = 20; n <= 22; n++)
		take(&other, n);
	tracker_join(&t, &other, 5);
	assert_int_equal(t.first, 10);
	assert_int_equal(t.last, 22);
	assert_int_equal(t.n_runs, 3);
	assert_run(t.runs[2], 20, 22);
	assert_run(t.unasked, 11, 19); /* what got lost in between as well */
}

static void test_an_older_place_is_not_joined(void **state)
{
	struct tracker t = { 0 }, older = { 0 }, none = { 0 };

	(void)state;
	take(&t, 10);
	take(&older, 5);
	tracker_join(&t, &older, 5);
	tracker_join(&t, &none, 5);
	assert_int_equal(t.last, 10);
	tracker_join(&none, &t, 5);
	assert_int_equal(none.last, 10);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
