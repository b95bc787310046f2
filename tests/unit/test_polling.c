/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "polling.h"

static const struct {
	int64_t began_ms, ended_ms, due_ms;
} rows[] = {
	{ 0, 0, 1000 },       { 5000, 5010, 6000 },  { 5000, 5800, 6000 },
	{ 5000, 5900, 6125 }, { 5000, 9000, 10000 },
};

static void test_one_begins_in_time_or_after_a_rest(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct polling p = { .period_ms = 1000 };

		polling_begins(&p, rows[i].began_ms);
		assert_int_equal(polling_ended(&p, true, rows[i].ended_ms),
				 rows[i].due_ms);
	}
}

static void test_one_that_fails_is_followed_by_the_next(void **state)
{
	struct polling p = { .period_ms = 1000 };

	(void)state;
	polling_begins(&p, 5000);
	assert_int_equal(polling_ended(&p, false, 5001), 6000);
	assert_true(p.has_failed);
	polling_begins(&p, 6000);
	assert_int_equal(polling_ended(&p, true, 6001), 7000);
	assert_false(p.has_failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_begins_in_time_or_after_a_rest),
		cmocka_unit_test(test_one_that_fails_is_followed_by_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
