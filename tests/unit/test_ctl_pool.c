/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sync/ctl_pool.h"

static void test_a_queue_gives_back_in_order(void **state)
{
	struct ctl_pool p = { 0 };
	struct ctl_queue q = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		uint32_t id = ctl_add(&p, &(struct ctl){ .from = i });

		assert_int_not_equal(id, 0);
		ctl_queue_append(&q, &p, id);
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(ctl_at(&p, ctl_queue_pop(&q, &p))->from, i);
	assert_int_equal(ctl_queue_pop(&q, &p), 0);
	ctl_pool_fini(&p);
}

static void test_a_chain_is_appended_and_freed_whole(void **state)
{
	struct ctl_pool p = { 0 };
	struct ctl_queue chain = { 0 }, q = { 0 };
	uint32_t size;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		ctl_queue_append(&chain, &p,
				 ctl_add(&p, &(struct ctl){ .from = i }));
	size = p.n_all;
	ctl_queue_append(&q, &p, chain.first);
	assert_int_equal(ctl_at(&p, ctl_queue_pop(&q, &p))->from, 0);
	assert_int_equal(ctl_at(&p, q.first)->from, 1);
	assert_int_equal(ctl_at(&p, q.last)->from, 2);
	ctl_free_chain(&p, q.first);
	/* Freed elements are used again before the pool grows. */
	for (uint32_t i = 0; i < size - 2; i++)
		assert_int_not_equal(ctl_add(&p, &(struct ctl){ 0 }), 0);
	assert_int_equal(p.n_all, size);
	ctl_pool_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_queue_gives_back_in_order),
		cmocka_unit_test(test_a_chain_is_appended_and_freed_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
