/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "cache/table.h"
#include "random_flow.h"

enum { MANY = 50000 };

/* A table over heads whose hashes are ours to choose. */
struct fixture {
	struct slab heads;
	struct table table;
	uint64_t hashes[MANY + 1];
};

static uint64_t hash_of(const void *ctx, uint32_t id)
{
	return ((const struct fixture *)ctx)->hashes[id];
}

static int setup(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	*state = x;
	return table_init(&x->table, 1, &x->heads, hash_of, x);
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	table_fini(&x->table);
	slab_fini(&x->heads);
	free(x);
	return 0;
}

static uint32_t add(struct fixture *x, uint64_t hash)
{
	uint32_t id = slab_add(&x->heads);

	assert_int_not_equal(id, 0);
	x->hashes[id] = hash;
	table_add(&x->table, hash, id);
	return id;
}

/* How often the id comes up for its hash; *n_all counts what else does. */
static unsigned int times_found(const struct fixture *x, uint32_t id,
				unsigned int *n_all)
{
	uint64_t hash = x->hashes[id];
	unsigned int n = 0;

	for (uint32_t i = table_first(&x->table, hash); i;
	     i = table_next(&x->table, hash, i)) {
		n += i == id;
		++*n_all;
	}
	return n;
}

static void test_every_id_is_found_after_each_step_of_growth(void **state)
{
	struct fixture *x = *state;
	unsigned int n_all = 0;
	uint64_t seed = 1;

	for (uint32_t n = 1; n <= 600; n++) {
		add(x, random_next(&seed));
		assert_int_equal(x->table.n_buckets, n);
		for (uint32_t id = 1; id <= n; id++)
			assert_int_equal(times_found(x, id, &n_all), 1);
	}
	/* a stranger comes up for 1 in 16 of those in the same chain */
	assert_in_range(n_all, 600 * 601 / 2, 600 * 601 / 2 * 11 / 10);
}

static void test_half_of_many_are_removed_the_others_found(void **state)
{
	struct fixture *x = *state;
	unsigned int n_all = 0;
	uint64_t seed = 2;

	for (uint32_t n = 0; n < MANY; n++)
		add(x, random_next(&seed));
	for (uint32_t id = 1; id <= MANY; id += 2)
		table_remove(&x->table, x->hashes[id], id);
	for (uint32_t id = 1; id <= MANY; id++)
		assert_int_equal(times_found(x, id, &n_all), id % 2 == 0);
	assert_int_equal(x->table.n_entries, MANY / 2);
	assert_int_equal(x->table.n_buckets, MANY);
}

static void test_equal_hashes_live_in_one_chain(void **state)
{
	struct fixture *x = *state;
	unsigned int n_all = 0;

	for (uint32_t n = 0; n < 200; n++)
		add(x, UINT64_C(0x123456789abcdef0));
	add(x, UINT64_C(0x123456789abcdef0) ^ UINT64_C(1) << 63);
	for (uint32_t id = 1; id <= 200; id++)
		assert_int_equal(times_found(x, id, &n_all), 1);
	assert_int_equal(n_all, 200 * 200); /* the tag keeps the last one out */
	for (uint32_t id = 3; id <= 200; id += 3)
		table_remove(&x->table, x->hashes[id], id);
	n_all = 0;
	for (uint32_t id = 1; id <= 200; id++)
		assert_int_equal(times_found(x, id, &n_all), id % 3 != 0);
	assert_int_equal(times_found(x, 201, &n_all), 1);
}

static void test_the_first_size_is_made_a_power_of_two(void **state)
{
	static const uint32_t sizes[][2] = {
		{ 0, 1 },         { 1, 1 },         { 3, 4 },
		{ 16384, 16384 }, { 16385, 32768 }, { 100000, 131072 },
	};
	struct slab heads = { 0 };
	struct table t;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(
			table_init(&t, sizes[i][0], &heads, hash_of, NULL), 0);
		assert_int_equal(t.n_buckets, sizes[i][1]);
		assert_in_range(
			t.bytes, 4 * t.n_buckets,
			4 * (t.n_buckets + TABLE_SEGMENT_BUCKETS + 256));
		table_fini(&t);
		assert_int_equal(t.bytes, 0);
	}
}

static void test_without_memory_the_table_works_and_grows_later(void **state)
{
	struct fixture *x = *state;
	unsigned int n_all = 0;
	uint64_t seed = 3;

	for (uint32_t n = 0; n < TABLE_SEGMENT_BUCKETS; n++)
		add(x, random_next(&seed));
	assert_int_not_equal(slab_add(&x->heads), 0); /* a chunk to go on */
	alloc_fail_after(0);
	table_add(&x->table, x->hashes[TABLE_SEGMENT_BUCKETS + 1] = 77,
		  TABLE_SEGMENT_BUCKETS + 1);
	assert_true(alloc_fail_off());
	assert_int_equal(x->table.n_buckets, TABLE_SEGMENT_BUCKETS);
	for (uint32_t id = 1; id <= TABLE_SEGMENT_BUCKETS + 1; id++)
		assert_int_equal(times_found(x, id, &n_all), 1);
	table_grow(&x->table, 5);
	assert_int_equal(x->table.n_buckets, TABLE_SEGMENT_BUCKETS + 1);
	for (uint32_t id = 1; id <= TABLE_SEGMENT_BUCKETS + 1; id++)
		assert_int_equal(times_found(x, id, &n_all), 1);
}

static void test_a_table_that_cannot_be_made_holds_nothing(void **state)
{
	struct slab heads = { 0 };
	struct table t;
	int err;

	(void)state;
	for (size_t n = 0;; n++) {
		alloc_fail_after(n);
		err = table_init(&t, 300000, &heads, hash_of, NULL);
		if (!alloc_fail_off())
			break;
		assert_true(err < 0);
		assert_null(t.segments);
	}
	assert_int_equal(err, 0);
	table_fini(&t);
}

#define WITH_FIXTURE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FIXTURE(test_every_id_is_found_after_each_step_of_growth),
		WITH_FIXTURE(test_half_of_many_are_removed_the_others_found),
		WITH_FIXTURE(test_equal_hashes_live_in_one_chain),
		cmocka_unit_test(test_the_first_size_is_made_a_power_of_two),
		WITH_FIXTURE(
			test_without_memory_the_table_works_and_grows_later),
		cmocka_unit_test(
			test_a_table_that_cannot_be_made_holds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
