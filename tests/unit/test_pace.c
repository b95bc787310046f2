/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sync/pace.h"

enum { DATAGRAM = 1472 };

/* Sends whenever it may; returns the bytes of ms milliseconds. */
static size_t send_for(struct pace *p, int64_t from_ms, int64_t ms)
{
	size_t n = 0;

	for (int64_t now = from_ms; now < from_ms + ms; now++)
		while (pace_allows(p, now)) {
			pace_spent(p, DATAGRAM);
			n += DATAGRAM;
		}
	return n;
}

static void test_so_much_goes_in_a_second_and_no_more(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 1000);
	assert_in_range(send_for(&p, 1000, 1000), 2900000, 3100000);
}

static void test_a_long_pause_saves_a_few_datagrams_only(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 1000);
	assert_in_range(send_for(&p, INT64_C(1) << 40, 1), DATAGRAM,
			10 * DATAGRAM);
}

static void test_it_says_when_to_come_back(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 1000);
	assert_true(pace_allows(&p, 1001));
	assert_int_equal(pace_due_ms(&p), 1001);
	pace_spent(&p, 65000);
	assert_false(pace_allows(&p, pace_due_ms(&p) - 1));
	assert_true(pace_allows(&p, pace_due_ms(&p)));
}

static void test_losses_make_it_slower_within_bounds(void **state)
{
	struct pace p;
	size_t slow;

	(void)state;
	pace_init(&p, 0);
	pace_slower(&p);
	assert_in_range(send_for(&p, 0, 1000), 1450000, 1550000);
	for (int i = 0; i < 100; i++)
		pace_slower(&p);
	slow = send_for(&p, 1000, 1000);
	assert_in_range(slow, 250000, 262000);
	for (int i = 0; i < 100; i++)
		pace_faster(&p);
	assert_in_range(send_for(&p, 2000, 1000), 2900000, 3100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_so_much_goes_in_a_second_and_no_more),
		cmocka_unit_test(test_a_long_pause_saves_a_few_datagrams_only),
		cmocka_unit_test(test_it_says_when_to_come_back),
		cmocka_unit_test(test_losses_make_it_slower_within_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
