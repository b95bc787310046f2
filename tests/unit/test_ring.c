/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sync/ring.h"
#include "sync/seq.h"

static const struct ring_ref none = { RING_NONE, 0 };

static struct ring_ref flow(uint32_t id)
{
	return (struct ring_ref){ RING_FLOW, id };
}

static void test_slots_are_a_power_of_two_of_at_least_4096(void **state)
{
	static const uint32_t sizes[][2] = {
		{ 1, 4096 }, { 4096, 4096 }, { 4097, 8192 }, { 131072, 131072 }
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		struct ring r;

		assert_int_equal(ring_init(&r, sizes[i][0], 7), 0);
		assert_int_equal(ring_free(&r), sizes[i][1]);
		ring_fini(&r);
	}
}

static void test_numbers_follow_each_other_over_the_wrap(void **state)
{
	struct ring r;

	(void)state;
	assert_int_equal(ring_init(&r, 1, UINT32_MAX - 1), 0);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(ring_push(&r, flow(100 + i), 1),
				 (uint32_t)(UINT32_MAX - 1 + i));
	assert_int_equal(ring_used(&r), 5);
	assert_int_equal(ring_at(&r, UINT32_MAX).id, 101);
	assert_int_equal(ring_at(&r, 0).id, 102);
	assert_int_equal(ring_at(&r, 3).kind, RING_NONE);
	ring_fini(&r);
}

static void test_what_holds_nothing_takes_no_slot_at_the_front(void **state)
{
	struct ring r;

	(void)state;
	assert_int_equal(ring_init(&r, 1, 10), 0);
	assert_int_equal(ring_push(&r, none, 0), 10);
	assert_int_equal(ring_used(&r), 0);
	assert_int_equal(ring_push(&r, flow(1), 1), 11);
	assert_int_equal(ring_push(&r, none, 0), 12);
	assert_int_equal(ring_push(&r, flow(2), 1), 13);
	assert_int_equal(ring_used(&r), 3);
	ring_clear(&r, 11); /* and 12 with it */
	assert_int_equal(r.first, 13);
	ring_clear(&r, 13);
	assert_int_equal(r.first, r.next);
	ring_fini(&r);
}

static void test_owners_of_an_answer_are_kept_by_number(void **state)
{
	struct ring r;

	(void)state;
	assert_int_equal(ring_init(&r, 1, 0), 0);
	ring_push(&r, flow(1), 5);
	ring_set_debtors(&r, 0, 4);
	assert_int_equal(ring_debtors(&r, 0), 4);
	ring_set_debtors(&r, 1, 4); /* not held: nothing happens */
	assert_int_equal(ring_debtors(&r, 1), 0);
	ring_clear(&r, 77);
	assert_int_equal(ring_used(&r), 1);
	ring_fini(&r);
}

static void test_a_range_is_cut_to_what_is_held(void **state)
{
	static const struct {
		uint32_t from, to;
		bool any;
		uint32_t cut_from, cut_to;
	} cases[] = {
		{ 10, 13, true, 10, 13 },
		{ 0, 11, true, 10, 11 },
		{ 12, 4000000, true, 12, 13 },
		{ 0, 9, false, 0, 0 },
		{ 14, 20, false, 0, 0 },
		{ 10 - 0x70000000u, 13 + 0xfffffff, true, 10, 13 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint32_t from = cases[i].from, to = cases[i].to;
		struct ring r;

		assert_int_equal(ring_init(&r, 1, 10), 0);
		for (int k = 0; k < 4; k++)
			ring_push(&r, flow(1), 1);
		assert_int_equal(ring_clip(&r, &from, &to), cases[i].any);
		if (cases[i].any) {
			assert_int_equal(from, cases[i].cut_from);
			assert_int_equal(to, cases[i].cut_to);
		}
		ring_fini(&r);
	}
}

static void test_sequence_numbers_compare_over_the_wrap(void **state)
{
	(void)state;
	assert_true(seq_before(UINT32_MAX, 0));
	assert_false(seq_before(0, UINT32_MAX));
	assert_false(seq_before(5, 5));
	assert_true(seq_after(0x80000000u, 1));
	assert_true(seq_within(1, UINT32_MAX, 2));
	assert_false(seq_within(3, UINT32_MAX, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_slots_are_a_power_of_two_of_at_least_4096),
		cmocka_unit_test(test_numbers_follow_each_other_over_the_wrap),
		cmocka_unit_test(
			test_what_holds_nothing_takes_no_slot_at_the_front),
		cmocka_unit_test(test_owners_of_an_answer_are_kept_by_number),
		cmocka_unit_test(test_a_range_is_cut_to_what_is_held),
		cmocka_unit_test(test_sequence_numbers_compare_over_the_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
