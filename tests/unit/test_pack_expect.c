/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cache/pack.h"
#include "cache/pack_expect.h"
#include "expect_text.h"
#include "random_flow.h"

enum { ALL_BITS = 2 * EXPECT_ID - 1 };

static enum family family_of(unsigned int n)
{
	return n & 1 ? FAMILY_IPV4 : FAMILY_IPV6;
}

/* Packs into an exact-size heap block, which the caller frees. */
static uint8_t *packed(const struct expect *e, size_t *len)
{
	uint8_t room[PACK_EXPECT_MAX], *exact;

	*len = pack_expect_encode(e, room);
	assert_in_range(*len, 1, PACK_EXPECT_MAX);
	exact = malloc(*len);
	memcpy(exact, room, *len);
	return exact;
}

static void any_bits_come_back(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned int n = 0; n < 20000; n++) {
		struct expect e, got;
		uint8_t *bytes, key[PACK_EXPECT_KEY_MAX];
		size_t len;

		random_expect(&e, &seed, family_of(n),
			      (uint32_t)random_next(&seed) & ALL_BITS);
		bytes = packed(&e, &len);
		memset(&got, 0, sizeof(got));
		assert_int_equal(pack_expect_decode(bytes, &got), len);
		assert_memory_equal(&got, &e, sizeof(e));
		len = pack_expect_key(&e, key);
		assert_int_equal(pack_expect_key_len(bytes), len);
		assert_memory_equal(key, bytes, len);
		free(bytes);
	}
}

static void keys_are_equal_where_those_of_the_values_are(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (unsigned int n = 0; n < 2000; n++) {
		struct expect a, b;
		uint8_t keys[2][PACK_EXPECT_KEY_MAX];
		size_t len[2];

		random_expect(&a, &seed, family_of(n), 0);
		b = a;
		((uint8_t *)&b)[random_next(&seed) % sizeof(b)] ^= 1;
		b.family = a.family;
		b.has = ALL_BITS; /* no part of it */
		len[0] = pack_expect_key(&a, keys[0]);
		len[1] = pack_expect_key(&b, keys[1]);
		if (a.family == FAMILY_IPV4 && !expect_same_key(&a, &b))
			continue; /* it may be past an address's end */
		assert_int_equal(len[0] == len[1] &&
					 memcmp(keys[0], keys[1], len[0]) == 0,
				 expect_same_key(&a, &b));
	}
}

static void no_flow_begins_like_one(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned int n = 0; n < 2000; n++) {
		struct expect e;
		struct flow f;
		uint8_t key[PACK_EXPECT_KEY_MAX], of_flow[PACK_KEY_MAX];

		random_expect(&e, &seed, family_of(n), 0);
		random_flow(&f, &seed, family_of(n),
			    random_next(&seed) & (FLOW_BIT(FLOW_N_REPLY) - 1));
		pack_expect_key(&e, key);
		pack_key(&f, of_flow);
		assert_true(key[0] & PACK_IS_EXPECT);
		assert_false(of_flow[0] & PACK_IS_EXPECT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bits_come_back),
		cmocka_unit_test(keys_are_equal_where_those_of_the_values_are),
		cmocka_unit_test(no_flow_begins_like_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
