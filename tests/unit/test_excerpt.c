/* SPDX-License-Identifier: ISC */
/* The caret stands under the place, whatever the line is made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/excerpt.h"

/* The excerpt as a string; the text is in an exact-size block. */
static const char *shown(const char *text, size_t len, uint32_t line,
			 uint32_t col, char out[EXCERPT_MAX + 1])
{
	struct wr w = { .buf = (uint8_t *)out, .size = EXCERPT_MAX };
	struct conf_pos at = { line, col, 1 };
	char *exact = malloc(len + !len);

	memcpy(exact, text, len);
	excerpt(exact, len, &at, &w);
	free(exact);
	assert_false(w.full);
	out[w.used] = '\0';
	return out;
}

static void test_the_caret_is_under_the_place(void **state)
{
	static const struct {
		const char *text;
		uint32_t line, col;
		const char *shown;
	} cases[] = {
		{ "a b\nc d\n", 1, 3, "    a b\n      ^\n" },
		{ "a b\nc d\n", 2, 1, "    c d\n    ^\n" },
		{ "a b\r\nc d\r\n", 1, 3, "    a b\n      ^\n" },
		/* only CR ends lines there */
		{ "a b\rc d\r", 2, 3, "    c d\n      ^\n" },
		/* tabs go to the next multiple of 8 */
		{ "\tPort x", 1, 2, "            Port x\n            ^\n" },
		{ "ab\tx", 1, 4, "    ab      x\n            ^\n" },
		{ "\t\tx", 1, 3,
		  "                    x\n                    ^\n" },
		{ "a\tb", 1, 2, "    a       b\n     ^\n" },
		/* one character of several bytes is one column */
		{ "\xc3\xa9\xe2\x82\xac x", 1, 7,
		  "    \xc3\xa9\xe2\x82\xac x\n       ^\n" },
		{ "\xf0\x9f\x94\xa5x", 1, 5,
		  "    \xf0\x9f\x94\xa5x\n     ^\n" },
		/* a mark at the begin has no column */
		{ "\xef\xbb\xbf"
		  "a b",
		  1, 3, "    a b\n      ^\n" },
		/* nothing that a terminal acts on */
		{ "\x1b[2Jx", 1, 5, "    ?[2Jx\n        ^\n" },
		{ "\xc2\x9b"
		  "2Jx",
		  1, 5, "    ?2Jx\n       ^\n" },
		{ "\xff\xc3(\x7fx", 1, 5, "    ?\?(?x\n        ^\n" },
		/* ends */
		{ "ab\ncd", 1, 3, "    ab\n      ^\n" },
		{ "ab\ncd", 2, 3, "    cd\n      ^\n" },
		{ "ab\ncd", 2, 99, "    cd\n      ^\n" },
		{ "ab\n", 2, 1, "    \n    ^\n" },
		{ "ab\n", 9, 5, "    \n    ^\n" },
		{ "", 1, 1, "    \n    ^\n" },
	};
	char out[EXCERPT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(shown(cases[i].text, strlen(cases[i].text),
					  cases[i].line, cases[i].col, out),
				    cases[i].shown);
}

static void test_of_a_long_line_the_part_with_the_place_is_shown(void **state)
{
	char text[5000], out[EXCERPT_MAX + 1], expected[EXCERPT_MAX];
	size_t at = 0;

	(void)state;
	memset(text, '.', sizeof(text));
	text[4000] = 'X';
	memset(expected, '.', sizeof(expected));
	memcpy(expected, "    ", 4);
	expected[4 + 60] = 'X';
	at = 4 + 72;
	expected[at++] = '\n';
	memset(expected + at, ' ', 64);
	memcpy(expected + at + 64, "^\n", 3);
	assert_string_equal(shown(text, sizeof(text), 1, 4001, out), expected);
}

static void test_the_longest_excerpt_fits(void **state)
{
	char text[4000], out[EXCERPT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i += 4)
		memcpy(text + i, "\xf0\x9f\x94\xa5", 4);
	for (uint32_t col = 1; col < 4100; col += 3)
		(void)shown(text, sizeof(text), 1, col, out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_caret_is_under_the_place),
		cmocka_unit_test(
			test_of_a_long_line_the_part_with_the_place_is_shown),
		cmocka_unit_test(test_the_longest_excerpt_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
