/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "cache/slab.h"

enum { MANY = 3 * SLAB_CHUNK_HEADS + 5 };

static void test_heads_never_move_and_do_not_overlap(void **state)
{
	struct slab s = { 0 };
	struct entry_head **at = calloc(MANY + 1, sizeof(*at));

	(void)state;
	for (uint32_t id = 1; id <= MANY; id++) {
		assert_int_equal(slab_add(&s), id);
		at[id] = slab_head(&s, id);
		assert_int_equal(at[id]->state, ENTRY_NEW);
		assert_int_equal((uintptr_t)at[id] % sizeof(*at[id]), 0);
		at[id]->last_seq = id;
	}
	for (uint32_t id = 1; id <= MANY; id++) {
		assert_ptr_equal(slab_head(&s, id), at[id]);
		assert_int_equal(at[id]->last_seq, id);
	}
	assert_in_range(s.bytes, MANY * sizeof(struct entry_head),
			5 * SLAB_CHUNK_HEADS * sizeof(struct entry_head));
	free(at);
	slab_fini(&s);
	assert_int_equal(s.bytes, 0);
}

static void test_removed_ids_come_again_clean(void **state)
{
	struct slab s = { 0 };

	(void)state;
	for (uint32_t id = 1; id <= 10; id++)
		assert_int_equal(slab_add(&s), id);
	slab_head(&s, 3)->outbox = 0xff;
	slab_head(&s, 7)->last_seq = 7;
	slab_remove(&s, 3);
	slab_remove(&s, 7);
	assert_int_equal(slab_head(&s, 3)->state, ENTRY_FREE);
	assert_int_equal(slab_add(&s), 7);
	assert_int_equal(slab_add(&s), 3);
	assert_int_equal(slab_add(&s), 11);
	assert_int_equal(slab_head(&s, 3)->outbox, 0);
	assert_int_equal(slab_head(&s, 3)->next, 0);
	assert_int_equal(slab_head(&s, 7)->next, 0);
	assert_int_equal(slab_head(&s, 7)->last_seq, 0);
	assert_int_equal(slab_head(&s, 7)->state, ENTRY_NEW);
	slab_fini(&s);
}

static void test_a_walk_goes_up_and_leaves_out_free_ids(void **state)
{
	static const uint32_t want[] = { 1, 3, 4, 6, 7, 9, 10, 0, 1 };
	struct slab s = { 0 };
	uint32_t id = 0;

	(void)state;
	assert_int_equal(slab_next(&s, 0), 0);
	for (uint32_t i = 1; i <= 10; i++)
		assert_int_equal(slab_add(&s), i);
	slab_remove(&s, 2);
	slab_remove(&s, 8);
	slab_remove(&s, 5);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		id = slab_next(&s, id);
		assert_int_equal(id, want[i]);
	}
	slab_fini(&s);
}

static void test_a_walk_rests_after_4096_free_ids(void **state)
{
	struct slab s = { 0 };
	uint32_t id = 0;
	unsigned int n_rests = 0;

	(void)state;
	for (uint32_t i = 1; i <= 5 * SLAB_WALK_MAX; i++)
		assert_int_equal(slab_add(&s), i);
	for (uint32_t i = 1; i < 5 * SLAB_WALK_MAX; i++)
		slab_remove(&s, i);
	while ((id = slab_next(&s, id)) != 0) {
		if (slab_head(&s, id)->state != ENTRY_FREE)
			break;
		assert_int_equal(id, ++n_rests * SLAB_WALK_MAX);
	}
	assert_int_equal(id, 5 * SLAB_WALK_MAX);
	assert_int_equal(n_rests, 4);
	/* all free: it ends none the less */
	slab_remove(&s, id);
	for (id = 0, n_rests = 0; (id = slab_next(&s, id)) != 0; n_rests++)
		assert_int_equal(slab_head(&s, id)->state, ENTRY_FREE);
	assert_in_range(n_rests, 4, 5);
	slab_fini(&s);
}

/* Against a plain array: two sets, every step checked by whole walks. */
static void test_sets_hold_what_was_marked_and_nothing_else(void **state)
{
	static const uint32_t probes[] = { 1,    63,   64,   65,   4095,
					   4096, 4097, 8191, 8192, MANY };
	struct slab s = { 0 };
	bool *want = calloc(MANY + 1, sizeof(*want));
	uint32_t id, n = 0;

	(void)state;
	assert_int_equal(slab_next_marked(&s, 1, 0), 0);
	for (uint32_t i = 1; i <= MANY; i++)
		assert_int_equal(slab_add(&s), i);
	assert_int_equal(slab_next_marked(&s, 1, 0), 0);
	for (uint32_t i = 1; i <= MANY; i += 1 + i % 200) {
		slab_mark(&s, 1, i);
		slab_mark(&s, 1, i); /* twice is once */
		want[i] = true;
		n++;
	}
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		slab_mark(&s, 2, probes[i]);
		slab_unmark(&s, 1, probes[i]);
		slab_unmark(&s, 1, probes[i]);
		n -= want[probes[i]];
		want[probes[i]] = false;
	}
	assert_int_equal(s.n_marked[1], n);
	id = 0;
	for (uint32_t i = 1; i <= MANY; i++) {
		assert_int_equal(slab_is_marked(&s, 1, i), want[i]);
		if (want[i]) {
			id = slab_next_marked(&s, 1, id);
			assert_int_equal(id, i);
		}
	}
	assert_int_equal(slab_next_marked(&s, 1, id), 0);
	id = 0;
	for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
		id = slab_next_marked(&s, 2, id);
		assert_int_equal(id, probes[i]);
	}
	assert_int_equal(slab_next_marked(&s, 2, id), 0);
	slab_unmark_all(&s, 1);
	assert_int_equal(slab_next_marked(&s, 1, 0), 0);
	assert_int_equal(s.n_marked[1], 0);
	assert_int_equal(slab_next_marked(&s, 2, 0), 1);
	free(want);
	slab_fini(&s);
}

static void test_an_id_that_comes_again_is_in_no_set(void **state)
{
	struct slab s = { 0 };

	(void)state;
	assert_int_equal(slab_add(&s), 1);
	assert_int_equal(slab_add(&s), 2);
	for (unsigned int set = 0; set < SLAB_SETS; set++)
		slab_mark(&s, set, 2);
	slab_remove(&s, 2);
	assert_int_equal(slab_add(&s), 2);
	for (unsigned int set = 0; set < SLAB_SETS; set++) {
		assert_false(slab_is_marked(&s, set, 2));
		assert_int_equal(slab_next_marked(&s, set, 0), 0);
		assert_int_equal(s.n_marked[set], 0);
	}
	slab_fini(&s);
}

static void test_ids_end_at_28_bits(void **state)
{
	struct slab s = { .last_id = (UINT32_C(1) << SLAB_ID_BITS) - 1 };

	(void)state;
	assert_int_equal(slab_add(&s), 0);
	assert_int_equal(s.n_chunks, 0);
}

static void test_a_failed_allocation_changes_nothing(void **state)
{
	size_t n;

	(void)state;
	for (n = 0;; n++) {
		struct slab s = { 0 };
		uint32_t id, want = 1;

		alloc_fail_after(n);
		for (uint32_t i = 0; i < MANY; i++) {
			id = slab_add(&s);
			if (id)
				assert_int_equal(id, want++);
		}
		if (!alloc_fail_off()) {
			slab_fini(&s);
			break;
		}
		assert_int_equal(want, MANY); /* one of them failed */
		slab_fini(&s);
	}
	assert_in_range(n, 4, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads_never_move_and_do_not_overlap),
		cmocka_unit_test(test_removed_ids_come_again_clean),
		cmocka_unit_test(test_a_walk_goes_up_and_leaves_out_free_ids),
		cmocka_unit_test(test_a_walk_rests_after_4096_free_ids),
		cmocka_unit_test(
			test_sets_hold_what_was_marked_and_nothing_else),
		cmocka_unit_test(test_an_id_that_comes_again_is_in_no_set),
		cmocka_unit_test(test_ids_end_at_28_bits),
		cmocka_unit_test(test_a_failed_allocation_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
