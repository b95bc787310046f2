/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/show_expect.h"

/* An IPv4 expectation of 10.2.0.10>10.1.0.10 on a control connection that runs
 * the other way. */
static struct expect expect4(uint8_t l4proto, uint16_t dport, uint16_t master)
{
	const struct addr a = { { 10, 1, 0, 10 } }, b = { { 10, 2, 0, 10 } };
	const struct addr ones = { { 255, 255, 255, 255 } };

	return (struct expect){
		.has = EXPECT_CLASS | EXPECT_HELPER | EXPECT_FLAGS,
		.family = FAMILY_IPV4,
		.l4proto = l4proto,
		.master_l4proto = L4_TCP,
		.expected = { .src = b, .dst = a, .dport = dport },
		.mask = { .src = ones, .dst = ones, .dport = 0xffff },
		.master = { .src = a, .dst = b, .sport = master, .dport = 21 },
	};
}

#define ONES "mask-src=255.255.255.255 mask-dst=255.255.255.255"

static void assert_line(const struct expect_view *v, const char *line)
{
	char text[SHOW_EXPECT_MAX + 1];
	struct wr w = { (uint8_t *)text, SHOW_EXPECT_MAX, 0, false };

	show_expect(v, &w);
	assert_false(w.full);
	text[w.used] = 0;
	assert_string_equal(text, line);
}

/* As conntrackd 1.4.7 printed them. */
static void test_lines_are_those_of_the_reference(void **state)
{
	struct expect e = expect4(L4_TCP, 50000, 42100);
	struct expect_view v = {
		.expect = &e, .parts = SHOW_AGE, .helper = "ftp", .age_s = 2
	};

	(void)state;
	assert_line(
		&v,
		"proto=6 src=10.2.0.10 dst=10.1.0.10 sport=0 dport=50000 " ONES
		" sport=0 dport=65535 master-src=10.1.0.10 "
		"master-dst=10.2.0.10 sport=42100 dport=21 class=0 "
		"helper=ftp [active since 2s]");
	e = expect4(L4_UDP, 5060, 5060);
	e.master_l4proto = L4_UDP;
	e.master.dport = 5060;
	e.flags = EXPECT_FLAG_PERMANENT | EXPECT_FLAG_INACTIVE;
	v.helper = "sip";
	v.age_s = 4;
	assert_line(
		&v,
		"proto=17 src=10.2.0.10 dst=10.1.0.10 sport=0 dport=5060 " ONES
		" sport=0 dport=65535 master-src=10.1.0.10 "
		"master-dst=10.2.0.10 sport=5060 dport=5060 "
		"PERMANENT,INACTIVE class=0 helper=sip [active since 4s]");
	e = expect4(L4_GRE, 7, 1005);
	e.expected.sport = 5;
	e.mask.sport = 0xffff;
	v.parts = 0;
	v.helper = "ftp";
	assert_line(&v, "proto=47 src=10.2.0.10 dst=10.1.0.10 srckey=0x5 "
			"dstkey=0x7 " ONES " srckey=0xffff dstkey=0xffff "
			"master-src=10.1.0.10 master-dst=10.2.0.10 sport=1005 "
			"dport=21 class=0 helper=ftp");
	e = expect4(253, 0, 1007);
	assert_line(&v, "proto=253 src=10.2.0.10 dst=10.1.0.10 " ONES
			" master-src=10.1.0.10 master-dst=10.2.0.10 "
			"sport=1007 dport=21 class=0 helper=ftp");
}

static void test_ipv6_is_written_in_short_form(void **state)
{
	struct expect e = { .family = FAMILY_IPV6,
			    .l4proto = L4_TCP,
			    .master_l4proto = L4_TCP };
	const struct expect_view v = { .expect = &e };

	(void)state;
	e.expected.src = (struct addr){ { 0xfd, [15] = 2 } };
	e.expected.dport = 50001;
	memset(&e.mask.src, 0xff, sizeof(e.mask.src));
	assert_line(&v, "proto=6 src=fd00::2 dst=:: sport=0 dport=50001 "
			"mask-src=ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
			"mask-dst=:: sport=0 dport=0 master-src=:: "
			"master-dst=:: sport=0 dport=0");
}

static void test_what_is_known_besides_is_shown(void **state)
{
	struct expect e = expect4(L4_TCP, 1, 2);
	struct expect_view v = { .expect = &e,
				 .parts = SHOW_EXPIRES | SHOW_AGE,
				 .helper = "a b\n",
				 .age_s = 1,
				 .expires_s = 7 };

	(void)state;
	e.zone = 513;
	e.flags = EXPECT_FLAG_USERSPACE;
	e.class = 3;
	assert_line(&v,
		    "proto=6 src=10.2.0.10 dst=10.1.0.10 sport=0 dport=1 " ONES
		    " sport=0 dport=65535 master-src=10.1.0.10 "
		    "master-dst=10.2.0.10 sport=2 dport=21 zone=513 "
		    "USERSPACE class=3 helper=a?b? [expires in 7s] "
		    "[active since 1s]");
	e.has = 0;
	v.parts = 0;
	assert_line(&v,
		    "proto=6 src=10.2.0.10 dst=10.1.0.10 sport=0 dport=1 " ONES
		    " sport=0 dport=65535 master-src=10.1.0.10 "
		    "master-dst=10.2.0.10 sport=2 dport=21 zone=513");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_those_of_the_reference),
		cmocka_unit_test(test_ipv6_is_written_in_short_form),
		cmocka_unit_test(test_what_is_known_besides_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
