/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "sync/tlv.h"

/* Walks to the end; -1 if the message is malformed. */
static int count_items(const uint8_t *bytes, size_t n)
{
	struct rd msg = { bytes, n };
	enum tlv_step step;
	struct tlv t;
	int items = 0;

	while ((step = tlv_next(&msg, &t)) == TLV_ITEM)
		items++;
	return step == TLV_END ? items : -1;
}

static void test_every_prefix_is_judged_without_overread(void **state)
{
	static const uint8_t msg[] = { 0, 5, 0, 3, 42, 0, 0, 0, /* type 3 */
				       0, 6, 0, 7, 1,  2 };     /* type 7 */
	static const int items[] = { 0, 0, 0, 0, 0, 1,  1, 1,
				     1, 1, 1, 1, 1, -1, 2 };

	(void)state;
	for (size_t n = 0; n <= sizeof(msg); n++) {
		uint8_t *exact = golden_exact(msg, n);

		assert_int_equal(count_items(exact, n), items[n]);
		free(exact);
	}
}

static void test_an_item_borrows_its_payload_without_padding(void **state)
{
	static const uint8_t msg[] = { 0, 5, 1, 3, 42, 9, 9, 9,
				       0, 6, 0, 7, 1,  2, 9, 9 };
	struct rd r = { msg, sizeof(msg) };
	struct tlv t;

	(void)state;
	assert_int_equal(tlv_next(&r, &t), TLV_ITEM);
	assert_int_equal(t.type, 0x103);
	assert_int_equal(t.body.left, 1);
	assert_ptr_equal(t.body.at, msg + 4);
	assert_int_equal(tlv_next(&r, &t), TLV_ITEM);
	assert_int_equal(t.type, 7);
	assert_int_equal(t.body.left, 2);
	assert_ptr_equal(t.body.at, msg + 12);
	assert_int_equal(tlv_next(&r, &t), TLV_END);
}

static void test_an_impossible_length_is_malformed(void **state)
{
	static const uint8_t bad[][8] = {
		{ 0, 0, 0, 7, 1, 2, 3, 4 },
		{ 0, 3, 0, 7, 1, 2, 3, 4 },
		{ 0, 9, 0, 7, 1, 2, 3, 4 },
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(bad); i++)
		assert_int_equal(count_items(bad[i], sizeof(bad[i])), -1);
}

static void test_what_is_written_is_padded_with_zeros(void **state)
{
	static const uint8_t expected[] = { 0,   9,   0, 27, 'p', 'p',
					    't', 'p', 0, 0,  0,   0 };
	uint8_t buf[sizeof(expected)];
	struct wr w = { buf, sizeof(buf), 0, false };

	(void)state;
	memset(buf, 0xee, sizeof(buf));
	tlv_header(&w, 27, 5);
	wr_bytes(&w, "pptp", 5);
	tlv_pad(&w, 5);
	assert_false(w.full);
	assert_int_equal(w.used, sizeof(expected));
	assert_memory_equal(buf, expected, sizeof(expected));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_prefix_is_judged_without_overread),
		cmocka_unit_test(
			test_an_item_borrows_its_payload_without_padding),
		cmocka_unit_test(test_an_impossible_length_is_malformed),
		cmocka_unit_test(test_what_is_written_is_padded_with_zeros),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
