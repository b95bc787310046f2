/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/util.h"

/* What CPython 3.11, whose bytes hash is SipHash-1-3, gives for the bytes 0 1
 * 2 ... 63 and for texts, with PYTHONHASHSEED=0 (key 0) and 42. */
static const uint64_t zero_key[2] = { 0, 0 };
static const uint64_t key_42[2] = { UINT64_C(0xdc504fd368cd90af),
				    UINT64_C(0xb920bb9ffe99e9c1) };

static const struct {
	const char *text;
	uint64_t with_zero_key, with_key_42;
} vectors[] = {
	{ "a", UINT64_C(0x407448d2b89b1813), UINT64_C(0xfe4a47335692551e) },
	{ "abcdefg", UINT64_C(0x6db12aae9070f506),
	  UINT64_C(0x13162120b6bf06ed) },
	{ "abcdefgh", UINT64_C(0x3f7b849c0b8e35ea),
	  UINT64_C(0xb441be6d79f21056) },
	{ "abcdefghi", UINT64_C(0xf89b34a3d11eb6e5),
	  UINT64_C(0xad255ab35982cc7f) },
};

static uint64_t hash_exact(const uint64_t key[2], const void *bytes, size_t n)
{
	void *exact = malloc(n + !n);
	uint64_t value;

	memcpy(exact, bytes, n);
	value = hash_bytes(key, exact, n);
	free(exact);
	return value;
}

static void test_values_are_those_of_siphash_1_3(void **state)
{
	uint8_t bytes[64];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(vectors); i++) {
		const char *text = vectors[i].text;
		size_t n = strlen(text);

		assert_true(hash_exact(zero_key, text, n) ==
			    vectors[i].with_zero_key);
		assert_true(hash_exact(key_42, text, n) ==
			    vectors[i].with_key_42);
	}
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_true(hash_exact(key_42, bytes, sizeof(bytes)) ==
		    UINT64_C(0x91639ef7de8d52cb));
}

static void test_the_place_of_the_bytes_does_not_matter(void **state)
{
	char text[32] = "....abcdefghi";

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		memmove(text + shift, "abcdefghi", 9);
		assert_true(hash_bytes(zero_key, text + shift, 9) ==
			    vectors[3].with_zero_key);
	}
}

static void test_lengths_of_zero_bytes_differ(void **state)
{
	static const uint8_t zeros[32];

	(void)state;
	for (size_t n = 1; n < sizeof(zeros); n++)
		assert_true(hash_exact(key_42, zeros, n) !=
			    hash_exact(key_42, zeros, n - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_those_of_siphash_1_3),
		cmocka_unit_test(test_the_place_of_the_bytes_does_not_matter),
		cmocka_unit_test(test_lengths_of_zero_bytes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
