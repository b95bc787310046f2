/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/linkset.h"

enum { PATIENT_UNTIL = 5000 };

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

	linkset_init(&s, PATIENT_UNTIL);
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
	assert_false(linkset_heard(&s, 0));
	assert_true(linkset_heard(&s, 1));
	assert_int_equal(s.current, 1);
	assert_false(linkset_heard(&s, 1));
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
	assert_false(linkset_heard(&s, 0));
	assert_int_equal(s.current, 1);
	/* where none is known to be usable, being heard is better than that */
	links[1].is_usable = false;
	assert_true(linkset_heard(&s, 0));
	assert_int_equal(s.current, 0);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
