/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "sync/ext.h"

/* All that version 1 knows, by hand from the format in ARCHITECTURE.md. */
static const uint8_t full[] = {
	/* clang-format off */
	'c', 't', 'l', 'f', 1, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8,
	0, 1, 0, 20, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18,
	0, 0, 0, 7, 0, 0, 0, 9,
	0, 2, 0, 20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,
	0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 1,
	0, 3, 0, 20, 'n', 'a', 'm', 'e', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '!',
	0, 16, 0, 24, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38,
	2, 0, 0, 0, 0, 0, 0, 3, 0, 15, 0x42, 0x40,
	0, 17, 0, 8, 0xff, 0xff, 0xff, 0xf0,
	0, 18, 0, 12, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58,
	0, 19, 0, 12, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
	0, 20, 0, 8, 0x80, 0, 0, 1,
	/* clang-format on */
};

static const struct ext_record records[] = {
	{ EXT_ACK, .range = { UINT64_C(0x1112131415161718), 7, 9 } },
	{ EXT_NACK, .range = { UINT64_C(0x2122232425262728), 0xfffffffe, 1 } },
	{ EXT_STABLE_NAME, .name = { 'n', 'a', 'm', 'e', 0, 0, 0, 0, 0, 0, 0, 0,
				     0, 0, 0, '!' } },
	{ EXT_BULK_MARK,
	  .mark = { UINT64_C(0x3132333435363738), EXT_BULK_END, 3, 1000000 } },
	{ EXT_HELD, .oldest = 0xfffffff0 },
	{ EXT_ASK, .asked = UINT64_C(0x5152535455565758) },
	{ EXT_WANT, .asked = UINT64_C(0x6162636465666768) },
	{ EXT_TOLD, .told = 0x80000001 },
};

static void assert_record(const struct ext_record *r,
			  const struct ext_record *e)
{
	assert_int_equal(r->type, e->type);
	switch ((enum ext_record_type)e->type) {
	case EXT_ACK:
	case EXT_NACK:
		assert_true(r->range.node == e->range.node);
		assert_int_equal(r->range.from, e->range.from);
		assert_int_equal(r->range.to, e->range.to);
		break;
	case EXT_STABLE_NAME:
		assert_memory_equal(r->name, e->name, sizeof(r->name));
		break;
	case EXT_BULK_MARK:
		assert_true(r->mark.node == e->mark.node);
		assert_int_equal(r->mark.phase, e->mark.phase);
		assert_int_equal(r->mark.walk, e->mark.walk);
		assert_int_equal(r->mark.n_entries, e->mark.n_entries);
		break;
	case EXT_HELD:
		assert_int_equal(r->oldest, e->oldest);
		break;
	case EXT_TOLD:
		assert_int_equal(r->told, e->told);
		break;
	case EXT_ASK:
	case EXT_WANT:
		assert_true(r->asked == e->asked);
		break;
	}
}

static void test_all_records_are_read(void **state)
{
	struct ext_alive a;
	struct ext_record r;

	(void)state;
	assert_true(ext_open((struct rd){ full, sizeof(full) }, &a));
	assert_int_equal(a.version, 1);
	assert_int_equal(a.capabilities, EXT_CAP_ADDRESSED_ACK);
	assert_true(a.node == UINT64_C(0x0102030405060708));
	for (size_t i = 0; i < N_ELEMENTS(records); i++) {
		assert_int_equal(ext_next(&a.records, &r), EXT_RECORD);
		assert_record(&r, &records[i]);
	}
	assert_int_equal(ext_next(&a.records, &r), EXT_END);
}

static void test_all_records_are_written(void **state)
{
	uint8_t buf[sizeof(full)];
	struct wr w = { buf, sizeof(buf), 0, false };

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	ext_begin(&w, EXT_CAP_ADDRESSED_ACK, UINT64_C(0x0102030405060708));
	assert_int_equal(w.used, EXT_FIXED_LEN);
	for (size_t i = 0; i < N_ELEMENTS(records); i++) {
		size_t before = w.used;

		ext_add(&w, &records[i]);
		assert_int_equal(w.used - before,
				 ext_record_len(records[i].type));
	}
	assert_false(w.full);
	assert_int_equal(w.used, sizeof(full));
	assert_memory_equal(buf, full, sizeof(full));
}

static void test_a_copy_is_the_same_but_for_that(void **state)
{
	uint8_t buf[sizeof(full)];
	struct wr w = { .buf = buf, .size = sizeof(buf) };
	struct ext_alive a;

	(void)state;
	assert_true(ext_open((struct rd){ full, sizeof(full) }, &a));
	assert_false(a.is_copy);
	ext_copy(&w, (struct rd){ full, sizeof(full) });
	assert_int_equal(w.used, sizeof(full));
	assert_true(ext_open((struct rd){ buf, sizeof(buf) }, &a));
	assert_true(a.is_copy);
	buf[5] = 0;
	assert_memory_equal(buf, full, sizeof(full));
}

static void test_the_name_is_found_among_the_records(void **state)
{
	uint8_t name[EXT_NAME_SIZE] = { 0 };
	struct ext_alive a;

	(void)state;
	assert_true(ext_open((struct rd){ full, sizeof(full) }, &a));
	assert_true(ext_name(a.records, name));
	assert_memory_equal(name, records[2].name, sizeof(name));
	a.records.left = 40; /* both ranges */
	assert_false(ext_name(a.records, name));
}

/* full with one byte changed */
static bool opens(size_t offset, uint8_t value, size_t len)
{
	uint8_t copy[sizeof(full)];
	struct ext_alive a;
	uint8_t *exact;
	bool ok;

	memcpy(copy, full, sizeof(full));
	copy[offset] = value;
	exact = golden_exact(copy, len);
	ok = ext_open((struct rd){ exact, len }, &a);
	free(exact);
	return ok;
}

static void test_what_lacks_the_fixed_part_is_a_plain_alive(void **state)
{
	uint8_t nobody[EXT_FIXED_LEN] = { 'c', 't', 'l', 'f', 1 };
	struct ext_alive a;

	(void)state;
	for (size_t len = 0; len < EXT_FIXED_LEN; len++)
		assert_false(opens(0, 'c', len));
	assert_true(opens(0, 'c', EXT_FIXED_LEN));
	assert_false(opens(0, 'C', EXT_FIXED_LEN));
	assert_false(opens(3, 'F', EXT_FIXED_LEN));
	assert_false(opens(4, 0, EXT_FIXED_LEN));   /* version */
	assert_true(opens(5, 0xff, EXT_FIXED_LEN)); /* reserved */
	assert_false(ext_open((struct rd){ nobody, sizeof(nobody) }, &a));
}

static void test_records_of_a_newer_version_are_not_read(void **state)
{
	uint8_t newer[sizeof(full)];
	struct ext_alive a;
	struct ext_record r;

	(void)state;
	memcpy(newer, full, sizeof(full));
	newer[4] = 2;
	assert_true(ext_open((struct rd){ newer, sizeof(newer) }, &a));
	assert_int_equal(a.version, 2);
	assert_true(a.node == UINT64_C(0x0102030405060708));
	assert_int_equal(ext_next(&a.records, &r), EXT_END);
}

/* The steps that a list of records takes, a letter each. */
static const char *steps_of(const uint8_t *bytes, size_t n, char out[64])
{
	uint8_t *exact = golden_exact(bytes, n);
	struct rd rest = { exact, n };
	struct ext_record r;
	enum ext_step step;
	size_t i = 0;

	do {
		step = ext_next(&rest, &r);
		out[i++] = "rudE"[step];
	} while (step != EXT_END && i < 63);
	out[i] = 0;
	free(exact);
	return out;
}

static void test_unknown_records_are_skipped(void **state)
{
	static const uint8_t bytes[] = {
		0,  99, 0,  6,  1,  2,  0,  0, /* padded */
		0,  4,  0,  4,                 /* empty */
		0,  3,  0,  20, 1,  2,  3,  4, 5,  6, 7, 8, 9,
		10, 11, 12, 13, 14, 15, 16, 0, 98, 0, 5, 1
	}; /* at the end */
	char out[64];

	(void)state;
	assert_string_equal(steps_of(bytes, sizeof(bytes), out), "uuruE");
}

static void test_damage_ends_the_reading(void **state)
{
	static const struct {
		const char *steps;
		size_t n;
		uint8_t bytes[28];
	} rows[] = {
		{ "E", 0, { 0 } },
		{ "dE", 3, { 0, 99, 0 } },
		{ "dE", 4, { 0, 99, 0, 3 } },
		{ "dE", 8, { 0, 99, 0, 9, 0, 0, 0, 0 } },
		{ "dE", 8, { 0, 3, 0, 8, 0, 0, 0, 0 } }, /* short name */
		{ "dE", 24, { 0, 1, 0, 24 } },           /* long range */
		{ "dE", 24, { 0, 16, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 3 } },
		{ "rE", 24, { 0, 16, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 1 } },
		{ "udE", 10, { 0, 99, 0, 4, 0, 1, 0, 20, 0, 0 } },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		assert_string_equal(steps_of(rows[i].bytes, rows[i].n, out),
				    rows[i].steps);
}

static void walk(const uint8_t *bytes, size_t n)
{
	uint8_t *exact = golden_exact(bytes, n);
	struct ext_alive a;
	struct ext_record r;

	if (ext_open((struct rd){ exact, n }, &a))
		for (size_t i = 0; ext_next(&a.records, &r) != EXT_END; i++)
			assert_true(i <= n / 4);
	free(exact);
}

static void test_no_prefix_and_no_bit_flip_leads_outside(void **state)
{
	uint8_t copy[sizeof(full)];

	(void)state;
	memcpy(copy, full, sizeof(full));
	for (size_t n = 0; n <= sizeof(full); n++)
		walk(copy, n);
	for (size_t bit = 0; bit < 8 * sizeof(full); bit++) {
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
		walk(copy, sizeof(copy));
		copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_records_are_read),
		cmocka_unit_test(test_all_records_are_written),
		cmocka_unit_test(test_a_copy_is_the_same_but_for_that),
		cmocka_unit_test(test_the_name_is_found_among_the_records),
		cmocka_unit_test(
			test_what_lacks_the_fixed_part_is_a_plain_alive),
		cmocka_unit_test(test_records_of_a_newer_version_are_not_read),
		cmocka_unit_test(test_unknown_records_are_skipped),
		cmocka_unit_test(test_damage_ends_the_reading),
		cmocka_unit_test(test_no_prefix_and_no_bit_flip_leads_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
