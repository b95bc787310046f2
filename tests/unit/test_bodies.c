/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "cache/bodies.h"
#include "random_flow.h"

enum { N_SLOTS = 4000, N_STEPS = 40000 };

struct slot {
	uint32_t ref; /* 0: none */
	size_t size;
	uint8_t content;
};

static void assert_intact(const struct bodies *b, const struct slot *slot)
{
	const uint8_t *bytes = bodies_at(b, slot->ref);

	for (size_t i = 0; i < slot->size; i++)
		assert_int_equal(bytes[i], slot->content);
}

static void test_slots_keep_their_bytes_while_others_come_and_go(void **state)
{
	struct slot *slots = calloc(N_SLOTS, sizeof(*slots));
	struct bodies b = { 0 };
	uint64_t seed = 1;

	(void)state;
	for (unsigned int n = 0; n < N_STEPS; n++) {
		uint64_t r = random_next(&seed);
		struct slot *slot = &slots[(r >> 32) % N_SLOTS];

		if (slot->ref) {
			assert_intact(&b, slot);
			bodies_remove(&b, slot->ref);
			slot->ref = 0;
			continue;
		}
		slot->size = 1 + (r >> 8) % BODIES_MAX_SIZE;
		slot->content = (uint8_t)r;
		slot->ref = bodies_add(&b, slot->size);
		assert_int_not_equal(slot->ref, 0);
		assert_int_equal(bodies_size(&b, slot->ref),
				 bodies_slot(slot->size));
		memset(bodies_at(&b, slot->ref), slot->content,
		       bodies_size(&b, slot->ref));
	}
	for (unsigned int n = 0; n < N_SLOTS; n++)
		if (slots[n].ref)
			assert_intact(&b, &slots[n]);
	free(slots);
	bodies_fini(&b);
	assert_int_equal(b.bytes, 0);
}

static void test_a_slot_is_at_most_7_bytes_too_large(void **state)
{
	struct bodies b = { 0 };

	(void)state;
	for (size_t size = 1; size <= BODIES_MAX_SIZE; size++) {
		uint32_t ref = bodies_add(&b, size);

		assert_in_range(bodies_size(&b, ref), size, size + 7);
		assert_int_equal(bodies_slot(size), bodies_size(&b, ref));
	}
	bodies_fini(&b);
}

static void test_a_removed_slot_is_given_again(void **state)
{
	struct bodies b = { 0 };
	uint32_t first = bodies_add(&b, 41), second = bodies_add(&b, 48);

	(void)state;
	assert_int_not_equal(first, second);
	bodies_remove(&b, first);
	assert_int_equal(bodies_add(&b, 45), first);
	bodies_remove(&b, second);
	bodies_remove(&b, first);
	assert_int_equal(bodies_add(&b, 48), first);
	assert_int_equal(bodies_add(&b, 48), second);
	bodies_fini(&b);
}

/* Memory that one size class gives up serves another one. */
static void test_empty_chunks_are_freed(void **state)
{
	enum { PER_CHUNK = BODIES_CHUNK_BYTES / 64 - 1, N = 10 * PER_CHUNK };
	uint32_t *refs = calloc(N, sizeof(*refs));
	struct bodies b = { 0 };
	size_t full;

	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < N; i++)
			refs[i] = bodies_add(&b, 64);
		full = b.bytes;
		for (unsigned int i = 0; i < N; i++)
			bodies_remove(&b, refs[(i * 7919) % N]);
		assert_int_equal(full - b.bytes, 9 * BODIES_CHUNK_BYTES);
	}
	for (unsigned int i = 0; i < 9 * (PER_CHUNK / 2); i++)
		assert_int_not_equal(bodies_add(&b, 128), 0);
	assert_int_equal(b.bytes, full);
	free(refs);
	bodies_fini(&b);
}

static void test_a_failed_allocation_changes_nothing(void **state)
{
	enum { N = 70 * (BODIES_CHUNK_BYTES / BODIES_MAX_SIZE - 1) };
	size_t n;

	(void)state;
	for (n = 0;; n++) {
		struct bodies b = { 0 };
		unsigned int n_refused = 0;
		bool has_failed;

		alloc_fail_after(n);
		for (unsigned int i = 0; i < N; i++)
			n_refused += !bodies_add(&b, BODIES_MAX_SIZE);
		has_failed = alloc_fail_off();
		assert_int_equal(n_refused, has_failed);
		bodies_fini(&b);
		if (!has_failed)
			break;
	}
	assert_int_equal(n, 72); /* 70 chunks, the array made and doubled */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_slots_keep_their_bytes_while_others_come_and_go),
		cmocka_unit_test(test_a_slot_is_at_most_7_bytes_too_large),
		cmocka_unit_test(test_a_removed_slot_is_given_again),
		cmocka_unit_test(test_empty_chunks_are_freed),
		cmocka_unit_test(test_a_failed_allocation_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
