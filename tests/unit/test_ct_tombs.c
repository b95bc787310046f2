/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "netlink/ct_tombs.h"

/* Life number life of flow i. The kernel's id is as good as random. */
static struct flow flow(uint32_t i, uint32_t life)
{
	return (struct flow){
		.has = FLOW_PORTS | FLOW_ID,
		.family = FAMILY_IPV4,
		.l4proto = L4_TCP,
		.orig = { .src.b = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8),
				     (uint8_t)i } },
		.id = (i * 64 + life) * 2654435761U,
	};
}

static void test_what_was_destroyed_is_remembered(void **state)
{
	enum { N = 20000 };
	struct ct_tombs t = { .max = N };

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		const struct flow f = flow(i, 0);

		assert_true(ct_tombs_add(&t, &f));
	}
	for (uint32_t i = 0; i < N; i++) {
		const struct flow old = flow(i, 0), other = flow(N + i, 0);

		assert_true(ct_tombs_has(&t, &old));
		assert_false(ct_tombs_has(&t, &other));
	}
	ct_tombs_clear(&t);
}

static void test_a_new_life_of_the_same_tuple_is_another(void **state)
{
	struct ct_tombs t = { .max = 10 };
	const struct flow old = flow(1, 0), young = flow(1, 1);
	struct flow zone = old, protocol = old, zone_orig = old;

	(void)state;
	zone.zone = 7;
	zone_orig.has |= FLOW_ZONE_ORIG;
	zone_orig.zone_orig = 7;
	protocol.l4proto = L4_UDP;
	assert_true(ct_tombs_add(&t, &old));
	assert_true(ct_tombs_has(&t, &old));
	assert_false(ct_tombs_has(&t, &young));
	assert_false(ct_tombs_has(&t, &zone));
	assert_false(ct_tombs_has(&t, &zone_orig));
	assert_false(ct_tombs_has(&t, &protocol));
	ct_tombs_clear(&t);
}

static void test_a_full_set_says_so(void **state)
{
	struct ct_tombs t = { .max = 3 };

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		const struct flow f = flow(i, 0);

		assert_int_equal(ct_tombs_add(&t, &f), i < 3);
	}
	ct_tombs_clear(&t);
	for (uint32_t i = 0; i < 5; i++) { /* and is as good as new */
		const struct flow f = flow(i, 0);

		assert_false(ct_tombs_has(&t, &f));
		assert_int_equal(ct_tombs_add(&t, &f), i < 3);
	}
	ct_tombs_clear(&t);
}

static void test_one_that_is_known_takes_no_room(void **state)
{
	struct ct_tombs t = { .max = 2 };
	const struct flow f = flow(1, 0);

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(ct_tombs_add(&t, &f));
	assert_int_equal(t.n, 1);
	ct_tombs_clear(&t);
}

static void test_lack_of_memory_loses_nothing_that_is_there(void **state)
{
	struct ct_tombs t = { .max = 2000 };
	uint32_t n = 0;

	(void)state;
	alloc_fail_after(1); /* the first growth */
	for (bool is_good = true; is_good; n += is_good) {
		const struct flow f = flow(n, 0);

		is_good = ct_tombs_add(&t, &f);
	}
	assert_true(alloc_fail_off());
	assert_in_range(n, 1, 1023);
	for (uint32_t i = 0; i <= n; i++) {
		const struct flow f = flow(i, 0);

		assert_int_equal(ct_tombs_has(&t, &f), i < n);
	}
	ct_tombs_clear(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_destroyed_is_remembered),
		cmocka_unit_test(test_a_new_life_of_the_same_tuple_is_another),
		cmocka_unit_test(test_a_full_set_says_so),
		cmocka_unit_test(test_one_that_is_known_takes_no_room),
		cmocka_unit_test(
			test_lack_of_memory_loses_nothing_that_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
