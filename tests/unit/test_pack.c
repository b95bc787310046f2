/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "cache/pack.h"
#include "random_flow.h"

static const uint64_t ALL_BITS = (UINT64_C(1) << FLOW_N_LAST) - 1;
static const enum family families[] = { FAMILY_IPV4, FAMILY_IPV6 };

enum { POISON = 0xa5 };

/* Packs a flow into an exact-size heap block, which the caller frees. */
static uint8_t *packed(const struct flow *f, size_t *len)
{
	uint8_t *room = malloc(PACK_MAX), *exact;

	*len = pack_encode(f, room);
	assert_in_range(*len, 1, PACK_MAX);
	exact = malloc(*len);
	memcpy(exact, room, *len);
	free(room);
	return exact;
}

/* The same flow without what is never packed. */
static struct flow without_left_out(const struct flow *f)
{
	struct flow kept = *f;

	kept.has &= ~(uint64_t)PACK_LEFT_OUT;
	kept.use = 0;
	memset(&kept.counters_orig, 0, sizeof(kept.counters_orig));
	memset(&kept.counters_reply, 0, sizeof(kept.counters_reply));
	return kept;
}

static void assert_comes_back(const struct flow *f)
{
	const struct flow want = without_left_out(f);
	struct flow got;
	size_t len;
	uint8_t *bytes = packed(f, &len);

	memset(&got, 0, sizeof(got));
	assert_int_equal(pack_decode(bytes, &got), len);
	assert_memory_equal(&got, &want, sizeof(got));
	free(bytes);
}

static void test_every_bit_alone_comes_back(void **state)
{
	uint64_t seed = 1;
	struct flow f;

	(void)state;
	for (unsigned int bit = 0; bit < FLOW_N_LAST; bit++) {
		for (unsigned int n = 0; n < 32; n++) {
			random_flow(&f, &seed, families[n & 1], FLOW_BIT(bit));
			assert_comes_back(&f);
		}
	}
}

static void test_all_and_no_bits_come_back(void **state)
{
	uint64_t seed = 2;
	struct flow f;

	(void)state;
	for (unsigned int n = 0; n < 256; n++) {
		random_flow(&f, &seed, families[n & 1], ALL_BITS);
		assert_comes_back(&f);
		random_flow(&f, &seed, families[n & 1], 0);
		assert_comes_back(&f);
	}
}

static void test_any_bits_come_back(void **state)
{
	uint64_t seed = 3;
	struct flow f;

	(void)state;
	for (unsigned int n = 0; n < 20000; n++) {
		uint64_t has = random_next(&seed) & ALL_BITS;

		random_flow(&f, &seed, families[n & 1], has);
		assert_comes_back(&f);
	}
}

static void test_what_is_not_known_is_not_written(void **state)
{
	uint64_t seed = 4;
	struct flow f, got;
	uint8_t poison[sizeof(f)];
	size_t len;

	(void)state;
	memset(poison, POISON, sizeof(poison));
	for (unsigned int n = 0; n < 2000; n++) {
		uint64_t has = random_next(&seed) & ALL_BITS;
		uint8_t *bytes;

		random_flow(&f, &seed, families[n & 1], has);
		bytes = packed(&f, &len);
		memset(&got, POISON, sizeof(got));
		pack_decode(bytes, &got);
		for (unsigned int bit = 0; bit < FLOW_N_LAST; bit++) {
			const struct pack_row *row = pack_row(bit);

			if (!(got.has & FLOW_BIT(bit)) && row->size)
				assert_memory_equal((char *)&got + row->offset,
						    poison, row->size);
		}
		free(bytes);
	}
}

static void test_what_is_known_shows_without_unpacking(void **state)
{
	uint64_t seed = 9;

	(void)state;
	for (unsigned int n = 0; n < 2000; n++) {
		uint64_t has = random_next(&seed) & ALL_BITS;
		struct flow f;
		uint8_t *bytes;
		size_t len;

		random_flow(&f, &seed, families[n & 1], has);
		bytes = packed(&f, &len);
		assert_true(pack_has(bytes) ==
			    (f.has & ~PACK_LEFT_OUT & ~(FLOW_REPLY - 1)));
		free(bytes);
	}
}

/* Whatever the flow held before: the rest of an IPv4 address is 0. */
static void test_the_key_and_addresses_are_written_whole(void **state)
{
	uint64_t seed = 7;
	struct flow f, got;
	size_t len;

	(void)state;
	for (unsigned int n = 0; n < 200; n++) {
		uint8_t *bytes;

		random_flow(&f, &seed, families[n & 1],
			    FLOW_REPLY | FLOW_MASTER);
		bytes = packed(&f, &len);
		memset(&got, POISON, sizeof(got));
		pack_decode(bytes, &got);
		assert_true(flow_same_key(&got, &f));
		assert_true(addr_equal(&got.reply.src, &f.reply.src));
		assert_true(addr_equal(&got.reply.dst, &f.reply.dst));
		assert_true(addr_equal(&got.master.src, &f.master.src));
		assert_true(addr_equal(&got.master.dst, &f.master.dst));
		free(bytes);
	}
}

static void test_what_is_not_known_is_not_packed(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (unsigned int n = 0; n < 2000; n++) {
		uint64_t has = random_next(&seed) & ALL_BITS;
		struct flow clean, dirty;
		size_t clean_len, dirty_len;
		uint8_t *a, *b;

		random_flow(&clean, &seed, families[n & 1], has);
		dirty = clean;
		for (unsigned int bit = 0; bit < FLOW_N_LAST; bit++) {
			const struct pack_row *row = pack_row(bit);

			if (!(has & FLOW_BIT(bit)))
				memset((char *)&dirty + row->offset, POISON,
				       row->size);
		}
		if (!(has & (FLOW_PORTS | FLOW_GRE_KEYS)))
			dirty.orig.sport = dirty.orig.dport = POISON;
		if (!(has & FLOW_ICMP))
			dirty.orig.icmp_id = POISON;
		a = packed(&clean, &clean_len);
		b = packed(&dirty, &dirty_len);
		assert_int_equal(clean_len, dirty_len);
		assert_memory_equal(a, b, clean_len);
		free(a);
		free(b);
	}
}

static void test_rows_cover_each_field_once(void **state)
{
	uint8_t taken[sizeof(struct flow)] = { 0 };

	(void)state;
	memset(taken, 1, offsetof(struct flow, reply));
	memset(taken + offsetof(struct flow, zone_orig), 1, 2);
	for (unsigned int bit = 0; bit < FLOW_N_LAST; bit++) {
		const struct pack_row *row = pack_row(bit);
		bool is_packed =
			bit >= FLOW_N_REPLY && !(FLOW_BIT(bit) & PACK_LEFT_OUT);

		assert_int_equal(row->size > 0, is_packed);
		assert_int_equal(row->encode != NULL, row->decode != NULL);
		assert_in_range(row->offset + row->size, 0, sizeof(taken));
		for (size_t i = 0; i < row->size; i++)
			assert_int_equal(taken[row->offset + i]++, 0);
	}
}

/* Two keys are equal as bytes exactly when base/flow.h says that they are. */
/* As a store compares. */
static bool has_key(const uint8_t *bytes, const uint8_t *key, size_t len)
{
	return bytes[0] == key[0] && memcmp(bytes, key, len) == 0;
}

static void test_packed_keys_are_those_of_the_flows(void **state)
{
	static const uint64_t parts[] = { 0, FLOW_PORTS, FLOW_ICMP,
					  FLOW_GRE_KEYS };
	uint64_t seed = 6;
	unsigned int n_same = 0;

	(void)state;
	for (unsigned int n = 0; n < 20000; n++) {
		uint64_t r = random_next(&seed);
		struct flow a, b;
		uint8_t key[PACK_KEY_MAX], *bytes;
		size_t len, key_len;

		random_flow(&a, &seed, families[n & 1], parts[r >> 62]);
		if (r & 3 << 20)
			a.has |= FLOW_ZONE_ORIG;
		b = a;
		if (r & 1)
			b.orig.src.b[r >> 8 & 3] ^= 1;
		if ((r & 6) == 6)
			b.orig.dport ^= 1;
		if ((r & 24) == 24)
			b.zone ^= 1;
		if ((r & 3 << 20) == 3 << 20)
			b.zone_orig = 1;
		if ((r & 96) == 96)
			b.orig.icmp_id ^= 1;
		b.has = (r & 7 << 16) ? b.has : parts[r >> 60 & 3];
		bytes = packed(&a, &len);
		key_len = pack_key(&b, key);
		assert_int_equal(pack_key_len(key), key_len);
		assert_int_equal(has_key(bytes, key, key_len),
				 flow_same_key(&a, &b));
		n_same += flow_same_key(&a, &b);
		free(bytes);
	}
	assert_in_range(n_same, 1000, 19000);
}

static void test_families_are_different_keys(void **state)
{
	struct flow a = { .family = FAMILY_IPV4, .l4proto = L4_TCP }, b = a;
	uint8_t bytes[PACK_MAX], key[PACK_KEY_MAX];
	size_t len;

	(void)state;
	b.family = FAMILY_IPV6;
	pack_encode(&a, bytes);
	len = pack_key(&b, key);
	assert_false(has_key(bytes, key, len));
}

static void test_a_translated_tcp_flow_has_46_bytes(void **state)
{
	struct flow f = {
		.has = FLOW_PORTS | FLOW_REPLY | FLOW_STATUS | FLOW_TIMEOUT |
		       FLOW_MARK | FLOW_TCP_STATE | FLOW_TCP_WSCALE_ORIG |
		       FLOW_TCP_WSCALE_REPLY | FLOW_TCP_FLAGS_ORIG |
		       FLOW_TCP_FLAGS_REPLY | FLOW_ID,
		.family = FAMILY_IPV4,
		.l4proto = L4_TCP,
		.orig = { .src = { { 10, 0, 0, 1 } },
			  .dst = { { 192, 0, 2, 1 } },
			  .sport = 40000,
			  .dport = 80 },
		.reply = { .src = { { 192, 0, 2, 1 } },
			   .dst = { { 203, 0, 113, 1 } },
			   .sport = 80,
			   .dport = 61000 },
	};
	uint8_t bytes[PACK_MAX];

	(void)state;
	assert_int_equal(pack_encode(&f, bytes), 46);
	f.reply = flow_inverse(&f);
	assert_int_equal(pack_encode(&f, bytes), 40);
}

static void test_the_longest_flow_fits(void **state)
{
	struct flow f = { .has = ALL_BITS,
			  .family = FAMILY_IPV6,
			  .l4proto = L4_TCP,
			  .zone = 1 };
	uint8_t *room = malloc(PACK_MAX), *key = malloc(PACK_KEY_MAX);

	(void)state;
	memset(&f.reply, 0xff, sizeof(f.reply));
	assert_int_equal(pack_key(&f, key), PACK_KEY_MAX);
	assert_int_equal(pack_encode(&f, room), 246);
	free(room);
	free(key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_bit_alone_comes_back),
		cmocka_unit_test(test_all_and_no_bits_come_back),
		cmocka_unit_test(test_any_bits_come_back),
		cmocka_unit_test(test_what_is_not_known_is_not_written),
		cmocka_unit_test(test_what_is_known_shows_without_unpacking),
		cmocka_unit_test(test_the_key_and_addresses_are_written_whole),
		cmocka_unit_test(test_what_is_not_known_is_not_packed),
		cmocka_unit_test(test_rows_cover_each_field_once),
		cmocka_unit_test(test_packed_keys_are_those_of_the_flows),
		cmocka_unit_test(test_families_are_different_keys),
		cmocka_unit_test(test_a_translated_tcp_flow_has_46_bytes),
		cmocka_unit_test(test_the_longest_flow_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
