/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "sync/stream.h"
#include "sync/wire.h"

static void feed(struct stream *s, const uint8_t *bytes, size_t n)
{
	size_t room;
	void *to = stream_room(s, &room);

	assert_true(n <= room);
	memcpy(to, bytes, n);
	stream_added(s, n);
}

/* Takes what is whole; it must go on where *n_taken ended. */
static void take_up_to(struct stream *s, const uint8_t *bytes, size_t end,
		       size_t *n_taken)
{
	/* of the messages: a receiver must not count on multiples of 4 */
	static const size_t ends[] = { 8, 20, 29 };
	struct rd dgram;

	for (size_t i = 0; i < N_ELEMENTS(ends); i++) {
		if (ends[i] <= *n_taken || ends[i] > end)
			continue;
		assert_int_equal(stream_next(s, &dgram), STREAM_MSG);
		assert_int_equal(dgram.left, ends[i] - *n_taken);
		assert_memory_equal(dgram.at, bytes + *n_taken, dgram.left);
		*n_taken = ends[i];
	}
	assert_int_equal(stream_next(s, &dgram), STREAM_MORE);
}

static void test_messages_cut_anywhere_come_whole(void **state)
{
	static const uint8_t bytes[] = {
		0x1a, 0x10, 0, 8, 0, 0,    0,    1, 0x1a, 0x10, 0, 12, 0, 0, 0,
		2,    1,    2, 3, 4, 0x1a, 0x10, 0, 9,    0,    0, 0,  3, 5,
	};

	(void)state;
	for (size_t piece = 1; piece <= sizeof(bytes); piece++) {
		struct stream *s = stream_new();
		size_t n_taken = 0, n;

		for (size_t at = 0; at < sizeof(bytes); at += n) {
			n = sizeof(bytes) - at;
			n = n < piece ? n : piece;
			feed(s, bytes + at, n);
			take_up_to(s, bytes, at + n, &n_taken);
		}
		assert_int_equal(n_taken, sizeof(bytes));
		stream_free(s);
	}
}

static void test_what_is_no_header_is_the_end(void **state)
{
	static const uint8_t whole[] = { 0x1a, 0x10, 0, 8, 0, 0, 0, 1 };
	static const uint8_t rows[][WIRE_HEADER_LEN] = {
		{ 0x1a, 0x10, 0, 7, 0, 0, 0, 2 },
		{ 0x1a, 0x10, 0, 0, 0, 0, 0, 2 },
		/* of another version, or amid a message */
		{ 0x2a, 0x10, 0, 8, 0, 0, 0, 2 },
		{ 0x00, 0x05, 0, 16, 0, 0, 0, 2 },
	};
	enum verdict why = VERDICT_OK;
	struct rd dgram;
	struct msg m;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct stream *s = stream_new();

		feed(s, whole, sizeof(whole));
		feed(s, rows[i], 7);
		assert_int_equal(stream_next(s, &dgram), STREAM_MSG);
		assert_int_equal(stream_next(s, &dgram), STREAM_MORE);
		feed(s, rows[i] + 7, 1);
		assert_int_equal(stream_next(s, &dgram), STREAM_BROKEN);
		assert_int_equal(stream_next(s, &dgram), STREAM_BROKEN);
		assert_int_equal(dgram.left, WIRE_HEADER_LEN);
		assert_memory_equal(dgram.at, rows[i], WIRE_HEADER_LEN);
		assert_int_not_equal(wire_next(&dgram, &m, &why), WIRE_MSG);
		assert_true(verdict_is_malformed(why));
		stream_free(s);
	}
}

static void test_the_longest_message_fits(void **state)
{
	static uint8_t bytes[UINT16_MAX] = { 0x1a, 0x10, 0xff, 0xff };
	struct stream *s = stream_new();
	struct rd dgram;
	size_t room;

	(void)state;
	feed(s, bytes, sizeof(bytes) - 1);
	assert_int_equal(stream_next(s, &dgram), STREAM_MORE);
	(void)stream_room(s, &room);
	assert_int_equal(room, 1);
	feed(s, bytes + sizeof(bytes) - 1, 1);
	assert_int_equal(stream_next(s, &dgram), STREAM_MSG);
	assert_int_equal(dgram.left, sizeof(bytes));
	(void)stream_room(s, &room);
	assert_int_equal(room, sizeof(bytes));
	stream_free(s);
}

static void test_without_memory_there_is_no_stream(void **state)
{
	(void)state;
	alloc_fail_after(0);
	assert_null(stream_new());
	assert_true(alloc_fail_off());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_cut_anywhere_come_whole),
		cmocka_unit_test(test_what_is_no_header_is_the_end),
		cmocka_unit_test(test_the_longest_message_fits),
		cmocka_unit_test(test_without_memory_there_is_no_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
