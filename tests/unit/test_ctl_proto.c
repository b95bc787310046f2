/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/ctl_proto.h"

/* Feeds bytes in an exact-size block; returns the verdict. */
static enum ctl_verdict feed(struct ctl_request *q, const void *bytes, size_t n,
			     const struct ctl_row **row, bool *with_status)
{
	uint8_t *exact = malloc(n + !n);
	struct rd in = { exact, n };
	enum ctl_verdict v;

	memcpy(exact, bytes, n);
	v = ctl_request_read(q, &in, row, with_status);
	free(exact);
	return v;
}

static void test_a_request_may_come_byte_by_byte(void **state)
{
	const uint32_t code = 21;
	uint8_t bytes[4];
	struct ctl_request q = { 0 };
	const struct ctl_row *row = NULL;
	bool with_status = true;

	(void)state;
	memcpy(bytes, &code, sizeof(bytes));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(feed(&q, bytes + i, 1, &row, &with_status),
				 CTL_MORE);
		assert_int_equal(feed(&q, bytes, 0, &row, &with_status),
				 CTL_MORE);
	}
	assert_null(row);
	assert_int_equal(feed(&q, bytes + 3, 1, &row, &with_status), CTL_KNOWN);
	assert_int_equal(row->code, 21);
	assert_false(with_status);
}

static void test_codes_are_judged(void **state)
{
	static const struct {
		uint32_t code;
		enum ctl_verdict verdict;
		bool with_status;
	} cases[] = {
		{ 0, CTL_KNOWN, false },
		{ 48, CTL_KNOWN, false },
		{ 0x1000, CTL_KNOWN, true },
		{ 0x1000 + 46, CTL_KNOWN, true },
		{ 2, CTL_UNKNOWN, false },
		{ 27, CTL_UNKNOWN, false },
		{ 49, CTL_UNKNOWN, false },
		{ 0x1000 + 27, CTL_UNKNOWN, false },
		/* ours have the bit in their code */
		{ 0x1100, CTL_KNOWN, true },
		{ 0x1101, CTL_UNKNOWN, false },
		{ 0x100, CTL_UNKNOWN, false },
		{ 0x2100, CTL_UNKNOWN, false },
		{ 0x2000 + 21, CTL_UNKNOWN, false },
		{ 21u << 24, CTL_UNKNOWN, false }, /* other byte order */
		{ 0x7fffffff, CTL_UNKNOWN, false },
		{ 0xffffffff, CTL_UNKNOWN, false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct ctl_request q = { 0 };
		const struct ctl_row *row = NULL;
		bool with_status = false;

		assert_int_equal(
			feed(&q, &cases[i].code, 4, &row, &with_status),
			cases[i].verdict);
		assert_int_equal(!!row, cases[i].verdict == CTL_KNOWN);
		assert_int_equal(with_status, cases[i].with_status);
	}
}

static void test_bytes_behind_a_request_are_left_alone(void **state)
{
	const uint32_t codes[2] = { 21, 30 };
	struct ctl_request q = { 0 };
	struct rd in = { (const uint8_t *)codes, sizeof(codes) };
	const struct ctl_row *row;
	bool with_status;

	(void)state;
	assert_int_equal(ctl_request_read(&q, &in, &row, &with_status),
			 CTL_KNOWN);
	assert_int_equal(in.left, 4);
	assert_int_equal(row->code, 21);
}

/* Reads an answer in pieces of so many bytes. text has room for all of it. */
static enum ctl_end read_answer(const void *bytes, size_t n, size_t piece,
				char *text, int *status, char *reason)
{
	struct ctl_answer a = { 0 };
	const char *why = "";
	enum ctl_end end;

	*text = '\0';
	for (size_t at = 0; at < n; at += piece) {
		size_t len = n - at < piece ? n - at : piece;
		uint8_t *exact = malloc(len);
		struct rd in = { exact, len }, part;

		memcpy(exact, (const uint8_t *)bytes + at, len);
		while (ctl_answer_text(&a, &in, &part))
			strncat(text, (const char *)part.at, part.left);
		assert_int_equal(in.left, 0);
		free(exact);
	}
	end = ctl_answer_end(&a, status, &why);
	strcpy(reason, why);
	return end;
}

static void test_answers_with_status_are_read_in_any_pieces(void **state)
{
	static const char failed[] =
		"\0ctl1\nline 1\nline 2\n\0exit 1: no such "
		"thing\n";
	static const char good[] = "\0ctl1\n\0exit 0\n";
	char text[64], reason[300];
	int status;

	(void)state;
	for (size_t piece = 1; piece < sizeof(failed); piece++) {
		status = -1;
		assert_int_equal(read_answer(failed, sizeof(failed) - 1, piece,
					     text, &status, reason),
				 CTL_END_STATUS);
		assert_string_equal(text, "line 1\nline 2\n");
		assert_int_equal(status, 1);
		assert_string_equal(reason, "no such thing");
		assert_int_equal(read_answer(good, sizeof(good) - 1, piece,
					     text, &status, reason),
				 CTL_END_STATUS);
		assert_string_equal(text, "");
		assert_int_equal(status, 0);
		assert_string_equal(reason, "");
	}
}

static void test_an_answer_that_ends_early_is_noticed(void **state)
{
	static const char whole[] = "\0ctl1\nx\n\0exit 255: why\n";
	char text[64], reason[300];
	int status = -1;

	(void)state;
	assert_int_equal(read_answer(whole, 0, 1, text, &status, reason),
			 CTL_END_EMPTY);
	for (size_t n = 1; n < sizeof(whole) - 1; n++)
		assert_int_equal(
			read_answer(whole, n, 5, text, &status, reason),
			CTL_END_CUT);
	assert_int_equal(status, -1);
	assert_int_equal(
		read_answer(whole, sizeof(whole) - 1, 5, text, &status, reason),
		CTL_END_STATUS);
	assert_int_equal(status, 255);
}

static void test_what_is_no_answer_with_status_is_refused(void **state)
{
#define BYTES(text) text, sizeof(text) - 1
	static const struct {
		const char *bytes;
		size_t n;
	} cases[] = {
		{ BYTES("cache internal:\n") },
		{ BYTES("\0ctl2\n\0exit 0\n") },
		{ BYTES("\0ctl1\n\0") },
		{ BYTES("\0ctl1\n\0\n") },
		{ BYTES("\0ctl1\n\0exit\n") },
		{ BYTES("\0ctl1\n\0exit \n") },
		{ BYTES("\0ctl1\n\0exit 256\n") },
		{ BYTES("\0ctl1\n\0exit 99999999999\n") },
		{ BYTES("\0ctl1\n\0exit 1 x\n") },
		{ BYTES("\0ctl1\n\0exit -1\n") },
		{ BYTES("\0ctl1\n\0exit 0\n\0") },
	};
#undef BYTES
	char text[64], reason[300];
	int status = -1;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		assert_int_equal(read_answer(cases[i].bytes, cases[i].n, 3,
					     text, &status, reason),
				 CTL_END_CUT);
		assert_string_equal(text, "");
	}
	assert_int_equal(status, -1);
}

static void test_a_written_answer_is_read_back(void **state)
{
	char longest[CTL_REASON_MAX + 10];
	uint8_t buf[CTL_TAIL_MAX + 64];
	char text[64], reason[300];
	struct wr w = { .buf = buf, .size = sizeof(buf) };
	int status = -1;

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	longest[3] = '\n';
	ctl_answer_head(&w);
	wr_printf(&w, "%s", "text");
	ctl_answer_tail(255, longest, &w);
	assert_false(w.full);
	assert_true(w.used <= 6 + 4 + CTL_TAIL_MAX);
	assert_int_equal(read_answer(buf, w.used, 7, text, &status, reason),
			 CTL_END_STATUS);
	assert_string_equal(text, "text");
	assert_int_equal(status, 255);
	assert_int_equal(strlen(reason), CTL_REASON_MAX);
	assert_int_equal(reason[3], ' ');
}

static void test_a_tail_without_end_is_not_kept(void **state)
{
	static const char head[] = "\0ctl1\n";
	uint8_t bytes[6 + 1 + 2 * CTL_TAIL_MAX];
	char text[64], reason[300];
	int status = -1;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, head, sizeof(head)); /* its end begins the tail */
	assert_int_equal(
		read_answer(bytes, sizeof(bytes), 100, text, &status, reason),
		CTL_END_CUT);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_may_come_byte_by_byte),
		cmocka_unit_test(test_codes_are_judged),
		cmocka_unit_test(test_bytes_behind_a_request_are_left_alone),
		cmocka_unit_test(
			test_answers_with_status_are_read_in_any_pieces),
		cmocka_unit_test(test_an_answer_that_ends_early_is_noticed),
		cmocka_unit_test(test_what_is_no_answer_with_status_is_refused),
		cmocka_unit_test(test_a_written_answer_is_read_back),
		cmocka_unit_test(test_a_tail_without_end_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
