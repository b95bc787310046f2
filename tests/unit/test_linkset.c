/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/linkset.h"

enum { PATIENT_UNTIL = 5000, SETTLE = 300 };

/* In place of the real links, which are sockets. */
struct link {
	bool is_usable;
};

bool link_is_usable(const struct link *l)
{
	return l->is_usable;
}

static struct linkset make(struct link *links, int n, unsigned int defaults)
{
	struct linkset s;

	linkset_init(&s, PATIENT_UNTIL, SETTLE);
	for (int i = 0; i < n; i++)
		linkset_add(&s, &links[i], defaults >> i & 1);
	return s;
}

static void test_an_empty_set_has_no_current_link(void **state)
{
	struct linkset s = make(NULL, 0, 0);

	(void)state;
	assert_int_equal(s.current, -1);
	assert_int_equal(linkset_update(&s, PATIENT_UNTIL), LINKSET_LOST);
}

static void test_the_last_default_or_else_the_first_starts(void **state)
{
	static const struct {
		unsigned int defaults;
		int current;
	} rows[] = { { 0, 0 }, { 1, 0 }, { 2, 1 }, { 8, 3 }, { 6, 2 } };
	struct link links[4] = { { true } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(make(links, 4, rows[i].defaults).current,
				 rows[i].current);
}

static void test_use_decides_and_there_is_no_way_back(void **state)
{
	struct link links[3] = { { true }, { false }, { true } };
	struct linkset s = make(links, 3, 0);

	(void)state;
	assert_int_equal(linkset_update(&s, 0), LINKSET_SAME);
	links[0].is_usable = false;
	assert_int_equal(linkset_update(&s, 0), LINKSET_SWITCHED);
	assert_int_equal(s.current, 2);
	links[0].is_usable = true;
	assert_int_equal(linkset_update(&s, 0), LINKSET_SAME);
	assert_int_equal(s.current, 2);
	links[2].is_usable = false;
	assert_int_equal(linkset_update(&s, 0), LINKSET_SWITCHED);
	assert_int_equal(s.current, 0);
}

static void test_a_loss_is_said_once_and_so_is_the_return(void **state)
{
	struct link links[2] = { { false }, { true } };
	struct linkset s = make(links, 2, 2);

	(void)state;
	assert_int_equal(linkset_update(&s, 0), LINKSET_SAME);
	links[1].is_usable = false;
	/* one was usable: there is no patience any more */
	assert_int_equal(linkset_update(&s, 1), LINKSET_LOST);
	assert_int_equal(s.current, 1);
	assert_int_equal(linkset_update(&s, 2), LINKSET_SAME);
	links[1].is_usable = true;
	assert_int_equal(linkset_update(&s, 3), LINKSET_RETURNED);
	assert_int_equal(linkset_update(&s, 4), LINKSET_SAME);
	links[1].is_usable = false;
	assert_int_equal(linkset_update(&s, 5), LINKSET_LOST);
	/* another one comes to the rescue */
	links[0].is_usable = true;
	assert_int_equal(linkset_update(&s, 6), LINKSET_SWITCHED);
	assert_int_equal(s.current, 0);
	assert_int_equal(linkset_update(&s, 7), LINKSET_SAME);
}

static void test_links_have_time_to_come_up(void **state)
{
	struct link links[2] = { { false }, { false } };
	struct linkset s = make(links, 2, 2);

	(void)state;
	assert_int_equal(linkset_update(&s, 0), LINKSET_SAME);
	assert_int_equal(linkset_update(&s, PATIENT_UNTIL - 1), LINKSET_SAME);
	links[1].is_usable = true;
	assert_int_equal(linkset_update(&s, PATIENT_UNTIL - 1), LINKSET_SAME);
	s = make(links, 2, 0);
	assert_int_equal(linkset_update(&s, 1), LINKSET_SWITCHED);
	links[1].is_usable = false;
	s = make(links, 2, 2);
	assert_int_equal(linkset_update(&s, PATIENT_UNTIL), LINKSET_LOST);
	links[1].is_usable = true;
	assert_int_equal(linkset_update(&s, PATIENT_UNTIL + 1),
			 LINKSET_RETURNED);
}

static void test_we_follow_the_link_that_the_peer_uses(void **state)
{
	struct link links[2] = { { true }, { true } };
	struct linkset s = make(links, 2, 0);

	(void)state;
	assert_false(linkset_heard(&s, 0, 0));
	assert_true(linkset_heard(&s, 1, 0));
	assert_int_equal(s.current, 1);
	assert_false(linkset_heard(&s, 1, 0));
	links[1].is_usable = false;
	assert_int_equal(linkset_update(&s, 0), LINKSET_SWITCHED);
	assert_int_equal(s.current, 0);
}

/* What was received before the link went down may be read after. */
static void
test_what_a_dead_link_had_still_to_say_does_not_lead_back(void **state)
{
	struct link links[2] = { { false }, { true } };
	struct linkset s = make(links, 2, 0);

	(void)state;
	assert_int_equal(linkset_update(&s, 0), LINKSET_SWITCHED);
	assert_false(linkset_heard(&s, 0, 0));
	assert_int_equal(s.current, 1);
	/* where none is known to be usable, being heard is better than that */
	links[1].is_usable = false;
	assert_true(linkset_heard(&s, 0, 0));
	assert_int_equal(s.current, 0);
}

/* What had been sent to the link before. */
static void test_the_link_that_was_left_does_not_lead_back_at_once(void **state)
{
	struct link links[3] = { { true }, { true }, { true } };
	struct linkset s = make(links, 3, 0);

	(void)state;
	assert_true(linkset_heard(&s, 1, 1000));
	assert_false(linkset_heard(&s, 0, 1000 + SETTLE - 1));
	assert_true(linkset_heard(&s, 2, 1000 + SETTLE - 1));
	assert_true(linkset_heard(&s, 0, 1000 + SETTLE - 1));
	assert_false(linkset_heard(&s, 2, 1000 + SETTLE));
	assert_true(linkset_heard(&s, 2, 1000 + 2 * SETTLE));
	/* but if there is no other */
	links[2].is_usable = false;
	assert_true(linkset_heard(&s, 0, 1000 + 2 * SETTLE));
}

/* Each is heard on its link by the other, again and again. */
static void test_two_that_change_places_come_together(void **state)
{
	struct link links[2] = { { true }, { true } };
	struct linkset a = make(links, 2, 1), b = make(links, 2, 2);
	int n = 0;

	(void)state;
	b.settle_ms = SETTLE + 50;
	for (int64_t ms = 0; ms < 10000; ms += 10) {
		int at_a = a.current, at_b = b.current;

		n += linkset_heard(&a, at_b, ms);
		n += linkset_heard(&b, at_a, ms);
	}
	assert_int_equal(a.current, b.current);
	assert_in_range(n, 1, 4);
}

static void test_a_silent_link_is_left_for_one_that_is_heard(void **state)
{
	struct link links[3] = { { true }, { true }, { false } };
	struct linkset s = make(links, 3, 0);

	(void)state;
	assert_false(linkset_missed(&s, 0, 0));
	assert_false(linkset_missed(&s, 2, 0));
	assert_true(linkset_missed(&s, 1, 0));
	assert_int_equal(s.current, 1);
	assert_int_equal(linkset_update(&s, 0), LINKSET_SAME);
}

/* Of three nodes, of which two hear each other on neither link. */
static void test_where_no_link_is_good_it_is_changed_less_often(void **state)
{
	struct link links[2] = { { true }, { true } };
	struct linkset s = make(links, 2, 0);
	int n = 0;

	(void)state;
	for (int64_t ms = 0; ms < 600000; ms += 100)
		n += linkset_missed(&s, !s.current, ms);
	assert_in_range(n, 5, 20);
	/* after a while it is as it was */
	assert_true(linkset_missed(&s, !s.current, 2000000));
	assert_false(linkset_missed(&s, !s.current, 2004999));
	assert_true(linkset_missed(&s, !s.current, 2005000));
}

static void test_the_search_goes_over_all_links_that_are_usable(void **state)
{
	static const int rows[] = { 1, 2, 1, 0, 1 };
	struct link links[4] = { { true }, { true }, { true }, { false } };
	struct linkset s = make(links, 4, 2);

	(void)state;
	for (uint32_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(linkset_search(&s, i), rows[i]);
	assert_int_equal(s.current, 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_set_has_no_current_link),
		cmocka_unit_test(
			test_the_last_default_or_else_the_first_starts),
		cmocka_unit_test(test_use_decides_and_there_is_no_way_back),
		cmocka_unit_test(test_a_loss_is_said_once_and_so_is_the_return),
		cmocka_unit_test(test_links_have_time_to_come_up),
		cmocka_unit_test(test_we_follow_the_link_that_the_peer_uses),
		cmocka_unit_test(
			test_what_a_dead_link_had_still_to_say_does_not_lead_back),
		cmocka_unit_test(
			test_the_link_that_was_left_does_not_lead_back_at_once),
		cmocka_unit_test(test_two_that_change_places_come_together),
		cmocka_unit_test(
			test_a_silent_link_is_left_for_one_that_is_heard),
		cmocka_unit_test(
			test_where_no_link_is_good_it_is_changed_less_often),
		cmocka_unit_test(
			test_the_search_goes_over_all_links_that_are_usable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
