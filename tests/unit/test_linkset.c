/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/linkset.h"

/* In place of the real links, which are sockets. */
struct link {
	enum link_status status;
};

enum link_status link_status(const struct link *l)
{
	return l->status;
}

static struct linkset make(struct link *links, int n, unsigned int defaults)
{
	struct linkset s;

	linkset_init(&s);
	for (int i = 0; i < n; i++)
		linkset_add(&s, &links[i], defaults >> i & 1);
	return s;
}

static void test_an_empty_set_has_no_current_link(void **state)
{
	struct linkset s = make(NULL, 0, 0);

	(void)state;
	assert_int_equal(s.current, -1);
	assert_int_equal(linkset_update(&s), LINKSET_NONE_USABLE);
}

static void test_the_last_default_or_else_the_first_starts(void **state)
{
	static const struct {
		unsigned int defaults;
		int current;
	} rows[] = { { 0, 0 }, { 1, 0 }, { 2, 1 }, { 8, 3 }, { 6, 2 } };
	struct link links[4] = { { LINK_RUNNING } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_int_equal(make(links, 4, rows[i].defaults).current,
				 rows[i].current);
}

static void test_carrier_decides_and_there_is_no_way_back(void **state)
{
	struct link links[3] = { { LINK_RUNNING },
				 { LINK_NO_CARRIER },
				 { LINK_RUNNING } };
	struct linkset s = make(links, 3, 0);

	(void)state;
	assert_int_equal(linkset_update(&s), LINKSET_SAME);
	links[0].status = LINK_DOWN;
	assert_int_equal(linkset_update(&s), LINKSET_SWITCHED);
	assert_int_equal(s.current, 2); /* 1 is up, but has no carrier */
	links[0].status = LINK_RUNNING;
	assert_int_equal(linkset_update(&s), LINKSET_SAME);
	assert_int_equal(s.current, 2);
	links[2].status = LINK_NO_CARRIER;
	assert_int_equal(linkset_update(&s), LINKSET_SWITCHED);
	assert_int_equal(s.current, 0);
}

static void test_without_a_running_link_the_current_one_stays(void **state)
{
	struct link links[2] = { { LINK_NO_CARRIER }, { LINK_NO_CARRIER } };
	struct linkset s = make(links, 2, 2);

	(void)state;
	assert_int_equal(linkset_update(&s), LINKSET_NONE_USABLE);
	assert_int_equal(s.current, 1);
}

static void test_we_follow_the_link_that_the_peer_uses(void **state)
{
	struct link links[2] = { { LINK_RUNNING }, { LINK_RUNNING } };
	struct linkset s = make(links, 2, 0);

	(void)state;
	assert_false(linkset_heard(&s, 0));
	assert_true(linkset_heard(&s, 1));
	assert_int_equal(s.current, 1);
	assert_false(linkset_heard(&s, 1));
	links[1].status = LINK_DOWN;
	assert_int_equal(linkset_update(&s), LINKSET_SWITCHED);
	assert_int_equal(s.current, 0);
}

/* What was received before the link went down may be read after. */
static void
test_what_a_dead_link_had_still_to_say_does_not_lead_back(void **state)
{
	struct link links[2] = { { LINK_DOWN }, { LINK_RUNNING } };
	struct linkset s = make(links, 2, 0);

	(void)state;
	assert_int_equal(linkset_update(&s), LINKSET_SWITCHED);
	assert_false(linkset_heard(&s, 0));
	assert_int_equal(s.current, 1);
	/* where none is known to be usable, being heard is better than that */
	links[1].status = LINK_NO_CARRIER;
	assert_true(linkset_heard(&s, 0));
	assert_int_equal(s.current, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_empty_set_has_no_current_link),
		cmocka_unit_test(
			test_the_last_default_or_else_the_first_starts),
		cmocka_unit_test(test_carrier_decides_and_there_is_no_way_back),
		cmocka_unit_test(
			test_without_a_running_link_the_current_one_stays),
		cmocka_unit_test(test_we_follow_the_link_that_the_peer_uses),
		cmocka_unit_test(
			test_what_a_dead_link_had_still_to_say_does_not_lead_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
