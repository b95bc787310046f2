/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/expect.h"
#include "base/util.h"

static struct expect ftp(void)
{
	return (struct expect){
		.family = FAMILY_IPV4,
		.master_l4proto = L4_TCP,
		.l4proto = L4_TCP,
		.zone = 7,
		.master = { .src = { { 10, 0, 0, 1 } },
			    .dst = { { 192, 0, 2, 1 } },
			    .sport = 40000,
			    .dport = 21 },
		.expected = { .src = { { 192, 0, 2, 1 } },
			      .dst = { { 198, 51, 100, 1 } },
			      .dport = 36405 },
		.mask = { .dport = 0xffff },
	};
}

/* Every part of the key, changed alone. */
static void two_of_one_key_are_equal_in_all_its_parts(void **state)
{
	struct expect a = ftp(), b;
	struct {
		void *part;
		const char *name;
	} parts[] = {
		{ &b.family, "family" },
		{ &b.zone, "zone" },
		{ &b.master_l4proto, "protocol of the master" },
		{ &b.l4proto, "protocol" },
		{ &b.master.src, "master's source" },
		{ &b.master.dport, "master's port" },
		{ &b.expected.dst, "destination" },
		{ &b.expected.sport, "source port" },
		{ &b.mask.src, "mask of the source" },
		{ &b.mask.sport, "mask of the source port" },
	};

	(void)state;
	b = a;
	b.has = EXPECT_CLASS;
	b.class = 3;
	assert_true(expect_same_key(&a, &b));
	for (size_t i = 0; i < N_ELEMENTS(parts); i++) {
		b = a;
		*(uint8_t *)parts[i].part ^= 1;
		if (expect_same_key(&a, &b))
			fail_msg("%s does not count", parts[i].name);
	}
}

static void the_master_is_found_by_the_key_of_a_flow(void **state)
{
	struct expect e = ftp();
	struct flow wanted = { .has = FLOW_PORTS,
			       .family = FAMILY_IPV4,
			       .l4proto = L4_TCP,
			       .zone = 7,
			       .orig = e.master };
	struct flow f = expect_master(&e);

	(void)state;
	assert_true(flow_same_key(&f, &wanted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_of_one_key_are_equal_in_all_its_parts),
		cmocka_unit_test(the_master_is_found_by_the_key_of_a_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
