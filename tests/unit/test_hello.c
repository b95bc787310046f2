/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/hello.h"

static struct peer *add_reference(struct roster *r, int64_t now_ms)
{
	struct peer_addr at = { .link = 0, .family = FAMILY_IPV4 };
	struct peer *p;

	at.addr.b[3] = (uint8_t)(r->n_places + 1);
	p = roster_add(r, &at, now_ms);
	assert_non_null(p);
	assert_true(roster_is_reference(p));
	return p;
}

static int new_roster(void **state)
{
	*state = calloc(1, sizeof(struct roster));
	return *state ? 0 : -1;
}

static int free_roster(void **state)
{
	free(*state);
	return 0;
}

static void test_it_is_said_until_somebody_answers(void **state)
{
	struct roster *r = *state;
	struct hello h;

	hello_init(&h, 10);
	assert_true(hello_is_due(&h, r, 0));
	assert_true(hello_is_due(&h, r, 1000000));
	h.ever_answered = true;
	assert_false(hello_is_due(&h, r, 1000000));
}

static void test_for_a_later_reference_it_is_tried_for_a_while(void **state)
{
	struct roster *r = *state;
	struct hello h;
	struct peer *p;

	hello_init(&h, 10);
	h.ever_answered = true;
	p = add_reference(r, 5000);
	assert_true(hello_is_due(&h, r, 5000));
	assert_true(hello_is_due(&h, r, 7999));
	hello_give_up(&h, r, 7999);
	assert_false(p->never_answers);
	assert_false(hello_is_due(&h, r, 8000));
	hello_give_up(&h, r, 8001);
	assert_true(p->never_answers);
	assert_false(hello_is_due(&h, r, 70000)); /* not for its sake */
	roster_deaf(p);
	assert_true(hello_is_due(&h, r, 70000));
}

static void test_it_is_not_tried_again_soon(void **state)
{
	struct roster *r = *state;
	struct hello h;

	hello_init(&h, 10);
	h.ever_answered = true;
	add_reference(r, 0);
	assert_true(hello_is_due(&h, r, 5000));
	assert_false(hello_is_due(&h, r, 64999));
	assert_true(hello_is_due(&h, r, 65000));
}

static void test_nodes_of_ours_and_who_answered_do_not_need_it(void **state)
{
	struct roster *r = *state;
	struct hello h;
	struct peer *p;

	hello_init(&h, 10);
	h.ever_answered = true;
	p = add_reference(r, 0);
	roster_answered(p);
	assert_false(hello_is_due(&h, r, 0));
	roster_named(add_reference(r, 0), 77);
	assert_false(hello_is_due(&h, r, 0));
}

static void test_who_may_have_heard_it_may_have_forgotten(void **state)
{
	static const struct {
		bool has_acked;
		uint32_t acked_to;
		int64_t now_ms;
		bool want;
	} cases[] = {
		{ true, 2, 5999, true }, /* late copies of it */
		{ true, 2, 6000, false },   { true, 1, 6000, false },
		{ true, 0, 6000, true },    { false, 0, 6000, true },
		{ false, 0, 61000, false },
	};
	struct hello h;

	(void)state;
	hello_init(&h, UINT32_MAX);
	assert_false(hello_was_said(&h));
	assert_false(hello_may_reach(&h, false, 0, 1000));
	hello_said(&h, 2, 1000); /* under number 1 */
	assert_true(hello_was_said(&h));
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_int_equal(hello_may_reach(&h, cases[i].has_acked,
						 cases[i].acked_to,
						 cases[i].now_ms),
				 cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, new_roster, free_roster)
		T(test_it_is_said_until_somebody_answers),
		T(test_for_a_later_reference_it_is_tried_for_a_while),
		T(test_it_is_not_tried_again_soon),
		T(test_nodes_of_ours_and_who_answered_do_not_need_it),
		T(test_who_may_have_heard_it_may_have_forgotten),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
