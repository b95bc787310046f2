/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"

static bool parse_exact(enum family family, const char *text, struct addr *out)
{
	size_t len = strlen(text);
	char *exact = malloc(len + !len);
	bool is_valid;

	memcpy(exact, text, len);
	is_valid = addr_parse(family, exact, len, out);
	free(exact);
	return is_valid;
}

static const struct {
	enum family family;
	const char *text;
	const char *canonical;
	struct addr addr;
} valid[] = {
	{ FAMILY_IPV4, "0.0.0.0", "0.0.0.0", { { 0 } } },
	{ FAMILY_IPV4, "192.0.2.130", "192.0.2.130", { { 192, 0, 2, 130 } } },
	{ FAMILY_IPV4,
	  "255.255.255.255",
	  "255.255.255.255",
	  { { 255, 255, 255, 255 } } },
	{ FAMILY_IPV6, "::", "::", { { 0 } } },
	{ FAMILY_IPV6, "::1", "::1", { { [15] = 1 } } },
	{ FAMILY_IPV6, "1::", "1::", { { 0, 1 } } },
	{ FAMILY_IPV6,
	  "2001:0DB8:0:0:0:0:0:00fF",
	  "2001:db8::ff",
	  { { 0x20, 1, 0xd, 0xb8, [15] = 0xff } } },
	{ FAMILY_IPV6,
	  "2001:db8::abcd:ef01",
	  "2001:db8::abcd:ef01",
	  { { 0x20, 1, 0xd, 0xb8, [12] = 0xab, 0xcd, 0xef, 1 } } },
	{ FAMILY_IPV6,
	  "1:0:0:2:0:0:0:3",
	  "1:0:0:2::3",
	  { { 0, 1, [7] = 2, [15] = 3 } } },
	/* of two equal runs the first, and a single zero stays */
	{ FAMILY_IPV6,
	  "1:0:0:2:3:0:0:4",
	  "1::2:3:0:0:4",
	  { { 0, 1, [7] = 2, [9] = 3, [15] = 4 } } },
	{ FAMILY_IPV6,
	  "1:0:2:3:4:5:6:7",
	  "1:0:2:3:4:5:6:7",
	  { { 0, 1, 0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7 } } },
	{ FAMILY_IPV6,
	  "1:2:3:4:5:6:7::",
	  "1:2:3:4:5:6:7:0",
	  { { 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7 } } },
	{ FAMILY_IPV6,
	  "::2:3:4:5:6:7:8",
	  "0:2:3:4:5:6:7:8",
	  { { 0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8 } } },
	{ FAMILY_IPV6,
	  "::ffff:192.0.2.1",
	  "::ffff:192.0.2.1",
	  { { [10] = 255, 255, 192, 0, 2, 1 } } },
	{ FAMILY_IPV6,
	  "::c000:201",
	  "::192.0.2.1",
	  { { [12] = 192, 0, 2, 1 } } },
	{ FAMILY_IPV6,
	  "64:ff9b::192.0.2.1",
	  "64:ff9b::c000:201",
	  { { 0, 0x64, 0xff, 0x9b, [12] = 192, 0, 2, 1 } } },
	{ FAMILY_IPV6,
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	  { { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	      255, 255, 255 } } },
};

static void test_valid_addresses_are_read_and_written_canonically(void **state)
{
	char text[ADDR_TEXT_SIZE];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(valid); i++) {
		memset(&a, 0xee, sizeof(a));
		assert_true(parse_exact(valid[i].family, valid[i].text, &a));
		assert_true(addr_equal(&a, &valid[i].addr));
		assert_string_equal(addr_text(valid[i].family, &a, text),
				    valid[i].canonical);
		assert_true(
			parse_exact(valid[i].family, valid[i].canonical, &a));
		assert_true(addr_equal(&a, &valid[i].addr));
	}
}

static void test_malformed_addresses_are_refused(void **state)
{
	static const struct {
		enum family family;
		const char *text;
	} bad[] = {
		{ FAMILY_IPV4, "" },
		{ FAMILY_IPV4, "1.2.3" },
		{ FAMILY_IPV4, "1.2.3." },
		{ FAMILY_IPV4, "1.2.3.4." },
		{ FAMILY_IPV4, "1.2.3.4.5" },
		{ FAMILY_IPV4, ".1.2.3" },
		{ FAMILY_IPV4, "1..2.3" },
		{ FAMILY_IPV4, "256.1.1.1" },
		{ FAMILY_IPV4, "01.2.3.4" },
		{ FAMILY_IPV4, "1.2.3.0004" },
		{ FAMILY_IPV4, "0x1.2.3.4" },
		{ FAMILY_IPV4, "a.2.3.4" },
		{ FAMILY_IPV4, " 1.2.3.4" },
		{ FAMILY_IPV4, "1.2.3.4/8" },
		{ FAMILY_IPV4, "::1" },
		{ FAMILY_IPV6, "" },
		{ FAMILY_IPV6, ":" },
		{ FAMILY_IPV6, ":::" },
		{ FAMILY_IPV6, ":1" },
		{ FAMILY_IPV6, "1:" },
		{ FAMILY_IPV6, "1::2::3" },
		{ FAMILY_IPV6, "1:::2" },
		{ FAMILY_IPV6, "1:2:3:4:5:6:7" },
		{ FAMILY_IPV6, "1:2:3:4:5:6:7:8:9" },
		{ FAMILY_IPV6, "1:2:3:4:5:6:7:8::" },
		{ FAMILY_IPV6, "::1:2:3:4:5:6:7:8" },
		{ FAMILY_IPV6, "1:2:3:4:5:6:7:1.2.3.4" },
		{ FAMILY_IPV6, "1.2.3.4" },
		{ FAMILY_IPV6, "1.2.3.4::" },
		{ FAMILY_IPV6, "::1.2.3.4:5" },
		{ FAMILY_IPV6, "::1.2.3" },
		{ FAMILY_IPV6, "::1.2.3.256" },
		{ FAMILY_IPV6, "12345::" },
		{ FAMILY_IPV6, "g::" },
		{ FAMILY_IPV6, "fe80::1%eth0" },
		{ FAMILY_IPV6, "1:2:3:4:5:6:7:x" },
		{ FAMILY_NONE, "1.2.3.4" },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		struct addr a = { { 1, 2, 3 } };

		if (parse_exact(bad[i].family, bad[i].text, &a))
			fail_msg("accepted: '%s'", bad[i].text);
		assert_true(addr_equal(&a, &(struct addr){ { 1, 2, 3 } }));
	}
}

static void test_every_prefix_of_an_address_is_judged_without_overread(void **s)
{
	static const char text[] = "2001:db8:1:2:3:4:192.168.222.111";
	const size_t len = sizeof(text) - 1;
	struct addr a;

	(void)s;
	for (size_t n = 0; n <= len; n++) {
		char *exact = malloc(n + !n);

		memcpy(exact, text, n);
		/* the quad ends with 1, 11 or 111 */
		assert_int_equal(addr_parse(FAMILY_IPV6, exact, n, &a),
				 n >= len - 2);
		free(exact);
	}
}

static void test_every_pattern_of_zero_words_survives_text(void **state)
{
	char text[ADDR_TEXT_SIZE];

	(void)state;
	for (unsigned int zeros = 0; zeros < 256; zeros++) {
		struct addr a = { { 0 } }, back;

		for (size_t i = 0; i < 8; i++) {
			if (zeros >> i & 1)
				continue;
			a.b[2 * i] = (uint8_t)(0x10 * i + 0xa);
			a.b[2 * i + 1] = (uint8_t)i;
		}
		addr_text(FAMILY_IPV6, &a, text);
		assert_true(parse_exact(FAMILY_IPV6, text, &back));
		assert_true(addr_equal(&a, &back));
		assert_true(zeros != 0xff || strcmp(text, "::") == 0);
	}
}

static void test_an_unknown_family_has_no_size_and_no_text(void **state)
{
	char text[ADDR_TEXT_SIZE] = "x";
	struct addr a = { { 1 } };

	(void)state;
	assert_int_equal(addr_size(FAMILY_IPV4), 4);
	assert_int_equal(addr_size(FAMILY_IPV6), 16);
	assert_int_equal(addr_size(FAMILY_NONE), 0);
	assert_ptr_equal(addr_text(FAMILY_NONE, &a, text), text);
	assert_string_equal(text, "");
}

static void test_a_prefix_compares_exactly_its_bits(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 128; bit++) {
		struct addr a = { { 0x5a, 0xa5, [15] = 0x3c } };
		struct addr b = a;

		b.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		for (unsigned int len = 0; len <= 128; len++)
			assert_int_equal(addr_in_prefix(&a, &b, len),
					 len <= bit);
		assert_true(addr_in_prefix(&a, &a, 128));
	}
}

static void test_multicast_is_told_by_the_first_bits(void **state)
{
	static const struct {
		enum family family;
		uint8_t first;
		bool is_multicast;
	} cases[] = {
		{ FAMILY_IPV4, 223, false }, { FAMILY_IPV4, 224, true },
		{ FAMILY_IPV4, 239, true },  { FAMILY_IPV4, 240, false },
		{ FAMILY_IPV6, 254, false }, { FAMILY_IPV6, 255, true },
		{ FAMILY_IPV6, 224, false }, { FAMILY_NONE, 224, false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_int_equal(
			addr_is_multicast(cases[i].family,
					  &(struct addr){ { cases[i].first } }),
			cases[i].is_multicast);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_valid_addresses_are_read_and_written_canonically),
		cmocka_unit_test(test_malformed_addresses_are_refused),
		cmocka_unit_test(
			test_every_prefix_of_an_address_is_judged_without_overread),
		cmocka_unit_test(
			test_every_pattern_of_zero_words_survives_text),
		cmocka_unit_test(
			test_an_unknown_family_has_no_size_and_no_text),
		cmocka_unit_test(test_multicast_is_told_by_the_first_bits),
		cmocka_unit_test(test_a_prefix_compares_exactly_its_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
