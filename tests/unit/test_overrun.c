/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "overrun.h"

static void test_the_first_repair_follows_the_end_of_the_loss(void **state)
{
	struct overrun o;

	(void)state;
	overrun_init(&o, 0);
	assert_int_equal(overrun_lost(&o, 50000), 50250);
	assert_int_equal(overrun_lost(&o, 50100), 50350);
	assert_int_equal(overrun_lost(&o, 50700), 50950);
	/* it does not end: after a second all the same */
	assert_int_equal(overrun_lost(&o, 50900), 51000);
	assert_int_equal(overrun_lost(&o, 51400), 51000);
	overrun_begins(&o);
	assert_true(overrun_ended(&o, true, 51500) == TIMER_NEVER);
}

static void test_repairs_become_rarer_while_losses_go_on(void **state)
{
	static const int64_t want_ms[] = { 250,   1000,  2000,  4000, 8000,
					   16000, 30000, 30000, 30000 };
	int64_t now_ms = 1000000, due_ms;
	struct overrun o;

	(void)state;
	overrun_init(&o, 0);
	for (size_t i = 0; i < sizeof(want_ms) / sizeof(want_ms[0]); i++) {
		due_ms = overrun_lost(&o, now_ms);
		assert_int_equal(due_ms - now_ms, want_ms[i]);
		now_ms = due_ms;
		overrun_begins(&o);
		now_ms += 70; /* takes a while, and more is lost meanwhile */
		assert_true(overrun_lost(&o, now_ms) == TIMER_NEVER);
		now_ms += 30;
		due_ms = overrun_ended(&o, true, now_ms);
		if (i + 1 < sizeof(want_ms) / sizeof(want_ms[0]))
			assert_int_equal(due_ms - now_ms, want_ms[i + 1]);
	}
	/* after a while without the next one is a first again */
	overrun_begins(&o);
	assert_true(overrun_ended(&o, true, now_ms) == TIMER_NEVER);
	now_ms += OVERRUN_CALM_MS + 1;
	assert_int_equal(overrun_lost(&o, now_ms), now_ms + 250);
}

static void test_a_failed_repair_is_tried_again(void **state)
{
	struct overrun o;
	int64_t due_ms = overrun_lost((overrun_init(&o, 0), &o), 5000);

	(void)state;
	for (int i = 0; i < 10; i++) {
		int64_t now_ms = due_ms;

		overrun_begins(&o);
		due_ms = overrun_ended(&o, false, now_ms);
		assert_in_range(due_ms - now_ms, 1000, OVERRUN_MOST_MS);
	}
}

static void test_what_the_file_says_holds(void **state)
{
	struct overrun o;

	(void)state;
	overrun_init(&o, 7000);
	assert_int_equal(overrun_lost(&o, 100), 7100);
	assert_int_equal(overrun_lost(&o, 6000), 7100);
	overrun_begins(&o);
	assert_true(overrun_lost(&o, 7200) == TIMER_NEVER);
	assert_int_equal(overrun_ended(&o, true, 7300), 14200);
	overrun_begins(&o);
	assert_int_equal(overrun_ended(&o, false, 14400), 21400);
	overrun_init(&o, -1);
	assert_true(overrun_lost(&o, 100) == TIMER_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_the_first_repair_follows_the_end_of_the_loss),
		cmocka_unit_test(test_repairs_become_rarer_while_losses_go_on),
		cmocka_unit_test(test_a_failed_repair_is_tried_again),
		cmocka_unit_test(test_what_the_file_says_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
