/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void test_numbers_are_read_in_their_byte_order(void **state)
{
	static const uint8_t bytes[] = { 0xa1, 0xb2, 0xc3, 0xd4,
					 0xe5, 0xf6, 7,    8 };
	struct rd r = { bytes, sizeof(bytes) };
	uint8_t u8 = 0;
	uint16_t be16 = 0, u16 = 0, native16;
	uint32_t be32 = 0, u32 = 0, native32;
	uint64_t be64 = 0;

	(void)state;
	assert_true(rd_be64(&r, &be64));
	assert_true(be64 == UINT64_C(0xa1b2c3d4e5f60708));
	assert_int_equal(r.left, 0);
	r = (struct rd){ bytes, sizeof(bytes) };
	assert_true(rd_u8(&r, &u8) && rd_be16(&r, &be16) && rd_be32(&r, &be32));
	assert_int_equal(u8, 0xa1);
	assert_int_equal(be16, 0xb2c3);
	assert_int_equal(be32, 0xd4e5f607);
	r = (struct rd){ bytes + 1, 6 };
	assert_true(rd_u16(&r, &u16) && rd_u32(&r, &u32));
	memcpy(&native16, bytes + 1, 2);
	memcpy(&native32, bytes + 3, 4);
	assert_int_equal(u16, native16);
	assert_int_equal(u32, native32);
}

/* Each getter on each length: it takes all it needs, or nothing. */
static void test_a_short_buffer_moves_nothing(void **state)
{
	static const size_t sizes[] = { 1, 2, 4, 2, 4, 8, 3, 3, 3 };

	(void)state;
	for (size_t left = 0; left < 10; left++) {
		uint8_t *exact = calloc(1, left + !left);

		for (size_t kind = 0; kind < N_ELEMENTS(sizes); kind++) {
			struct rd r = { exact, left }, out = { NULL, 77 };
			uint8_t u8 = 77, bytes[3] = { 77, 77, 77 };
			uint16_t u16 = 77, be16 = 77;
			uint32_t u32 = 77, be32 = 77;
			uint64_t be64 = 77;
			bool is_ok = kind == 0   ? rd_u8(&r, &u8)
				     : kind == 1 ? rd_u16(&r, &u16)
				     : kind == 2 ? rd_u32(&r, &u32)
				     : kind == 3 ? rd_be16(&r, &be16)
				     : kind == 4 ? rd_be32(&r, &be32)
				     : kind == 5 ? rd_be64(&r, &be64)
				     : kind == 6 ? rd_bytes(&r, bytes, 3)
				     : kind == 7 ? rd_take(&r, 3, &out)
						 : rd_skip(&r, 3);

			assert_int_equal(is_ok, sizes[kind] <= left);
			assert_int_equal(r.left,
					 is_ok ? left - sizes[kind] : left);
			assert_ptr_equal(r.at,
					 is_ok ? exact + sizes[kind] : exact);
			if (is_ok)
				continue;
			assert_true(u8 == 77 && u16 == 77 && u32 == 77);
			assert_true(be16 == 77 && be32 == 77 && be64 == 77);
			assert_true(bytes[0] == 77 && out.left == 77);
		}
		free(exact);
	}
}

static void test_what_is_written_is_read_back(void **state)
{
	uint8_t *exact = calloc(1, 26);
	struct wr w = { .buf = exact, .size = 26 };
	struct rd r;
	uint8_t u8 = 0, text[3];
	uint16_t u16 = 0, be16 = 0;
	uint32_t u32 = 0, be32 = 0;
	uint64_t be64 = 0;

	(void)state;
	wr_u8(&w, 0x12);
	wr_u16(&w, 0x1234);
	wr_u32(&w, 0x12345678);
	wr_be16(&w, 0);
	wr_be32(&w, 0x89abcdef);
	wr_be64(&w, UINT64_C(0xfedcba9876543210));
	wr_bytes(&w, "abc", 3);
	wr_zeros(&w, 2);
	wr_patch_be16(&w, 7, 0x4711);
	assert_false(w.full);
	assert_int_equal(w.used, 26);
	r = (struct rd){ exact, w.used };
	assert_true(rd_u8(&r, &u8) && rd_u16(&r, &u16) && rd_u32(&r, &u32) &&
		    rd_be16(&r, &be16) && rd_be32(&r, &be32) &&
		    rd_be64(&r, &be64) && rd_bytes(&r, text, 3));
	assert_int_equal(u8, 0x12);
	assert_int_equal(u16, 0x1234);
	assert_int_equal(u32, 0x12345678);
	assert_int_equal(be16, 0x4711);
	assert_int_equal(be32, 0x89abcdef);
	assert_true(be64 == UINT64_C(0xfedcba9876543210));
	assert_memory_equal(text, "abc", 3);
	assert_int_equal(r.left, 2);
	free(exact);
}

static void test_a_full_writer_stays_full_and_writes_nothing(void **state)
{
	uint8_t *exact = calloc(1, 5);
	struct wr w = { .buf = exact, .size = 5 };

	(void)state;
	wr_be16(&w, 0x0102);
	wr_be32(&w, 0xffffffff);
	assert_true(w.full);
	wr_u8(&w, 0xff); /* there would be room */
	wr_printf(&w, "x");
	wr_patch_be16(&w, 0, 0xffff);
	assert_int_equal(w.used, 2);
	assert_memory_equal(exact, ((uint8_t[]){ 1, 2, 0, 0, 0 }), 5);
	assert_null(wr_reserve(&w, 0));
	free(exact);
}

static void test_formatted_text_needs_room_for_a_zero_byte(void **state)
{
	(void)state;
	for (size_t size = 0; size < 8; size++) {
		uint8_t *exact = calloc(1, size + !size);
		struct wr w = { .buf = exact, .size = size };

		wr_printf(&w, "%s-%d", "ab", 42); /* 5 bytes */
		assert_int_equal(w.full, size < 6);
		assert_int_equal(w.used, size < 6 ? 0 : 5);
		if (!w.full)
			assert_memory_equal(exact, "ab-42", 5);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_read_in_their_byte_order),
		cmocka_unit_test(test_a_short_buffer_moves_nothing),
		cmocka_unit_test(test_what_is_written_is_read_back),
		cmocka_unit_test(
			test_a_full_writer_stays_full_and_writes_nothing),
		cmocka_unit_test(
			test_formatted_text_needs_room_for_a_zero_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
