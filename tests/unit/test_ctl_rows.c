/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/ctl_rows.h"

static void test_every_code_has_a_row(void **state)
{
	static const struct {
		unsigned int first, last;
	} known[] = { { 0, 1 }, { 16, 26 }, { 28, 48 }, { 0x1100, 0x1100 } };

	(void)state;
	for (unsigned int code = 0; code <= 0x2fff; code++) {
		bool is_known = false;

		for (size_t i = 0; i < N_ELEMENTS(known); i++)
			is_known |=
				code >= known[i].first && code <= known[i].last;
		assert_int_equal(!!ctl_row(code), is_known);
		if (is_known)
			assert_int_equal(ctl_row_is_own(ctl_row(code)),
					 code > 48);
	}
}

static void test_xml_codes_are_those_of_the_reference(void **state)
{
	static const unsigned int pairs[][2] = {
		{ 16, 24 },
		{ 17, 25 },
		{ 40, 47 },
		{ 41, 48 },
	};
	unsigned int n_xml = 0;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(pairs); i++)
		assert_int_equal(ctl_row(pairs[i][0])->xml, pairs[i][1]);
	for (unsigned int code = 0; code <= 48; code++)
		n_xml += ctl_row(code) && ctl_row(code)->xml;
	assert_int_equal(n_xml, N_ELEMENTS(pairs));
}

static void test_what_is_answered_at_once_is_marked(void **state)
{
	static const unsigned int at_once[] = { 21, 22, 23, 26, 28, 29,    30,
						31, 32, 35, 36, 37, 0x1100 };
	size_t n = 0;

	(void)state;
	for (unsigned int code = 0; code <= 0x2000; code++) {
		if (!ctl_row(code))
			continue;
		if (n < N_ELEMENTS(at_once) && code == at_once[n]) {
			assert_false(ctl_row_is_long(ctl_row(code)));
			n++;
		} else {
			assert_true(ctl_row_is_long(ctl_row(code)));
		}
	}
	assert_int_equal(n, N_ELEMENTS(at_once));
}

static void test_an_option_is_a_letter_and_maybe_a_word(void **state)
{
	size_t n;
	const struct ctl_row *rows = ctl_rows(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const char *o = rows[i].option;

		assert_true(o[0] == '-' && o[1] && o[1] != '-');
		assert_true(!o[2] || (o[2] == ' ' && o[3]));
		if (ctl_row_letter(&rows[i]))
			assert_null(strchr(o + 1, '-'));
	}
	assert_int_equal(ctl_row_letter(ctl_row(CTL_COMMIT_CT)), 'c');
	assert_string_equal(ctl_row_word(ctl_row(CTL_COMMIT_CT)), "ct");
	assert_null(ctl_row_word(ctl_row(CTL_COMMIT)));
	assert_int_equal(ctl_row_letter(ctl_row(CTL_DUMP_INTERNAL_XML)), 0);
}

static void test_a_letter_comes_before_its_words_and_has_the_help(void **state)
{
	size_t n;
	const struct ctl_row *rows = ctl_rows(&n);
	char current = 0;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct ctl_row *r = &rows[i];
		char letter = ctl_row_letter(r);

		if (letter && !ctl_row_word(r)) {
			assert_ptr_equal(ctl_row_typed(letter), r);
			current = letter;
		}
		assert_true(!letter || letter == current);
		assert_int_equal(!!r->help, letter && !ctl_row_word(r));
	}
}

static void test_every_word_is_found_and_none_hides_another(void **state)
{
	size_t n;
	const struct ctl_row *rows = ctl_rows(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		const struct ctl_row *r = &rows[i];

		if (ctl_row_letter(r) && ctl_row_word(r))
			assert_ptr_equal(ctl_row_with_word(ctl_row_letter(r),
							   ctl_row_word(r)),
					 r);
	}
	assert_null(ctl_row_with_word('s', "networks"));
	assert_null(ctl_row_with_word('k', ""));
	assert_null(ctl_row_with_word(0, ""));
	assert_null(ctl_row_typed('z'));
	assert_null(ctl_row_typed(0));
	assert_int_equal(ctl_row_with_word('s', "")->code, CTL_STATS_NETWORK);
	assert_int_equal(ctl_row_with_word('s', "r")->code, CTL_STATS_RUNTIME);
	assert_int_equal(ctl_row_with_word('s', "c")->code, CTL_STATS_CACHE);
}

static void test_what_is_not_built_is_known(void **state)
{
	static const unsigned int missing[] = { 24, 25, 47, 48 };
	size_t at = 0;

	(void)state;
	for (unsigned int code = 0; code <= 0x2000; code++) {
		const struct ctl_row *r = ctl_row(code);

		if (!r || ctl_row_is_built(r))
			continue;
		assert_true(at < N_ELEMENTS(missing));
		assert_int_equal(code, missing[at++]);
	}
	assert_int_equal(at, N_ELEMENTS(missing));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_code_has_a_row),
		cmocka_unit_test(test_xml_codes_are_those_of_the_reference),
		cmocka_unit_test(test_what_is_answered_at_once_is_marked),
		cmocka_unit_test(test_an_option_is_a_letter_and_maybe_a_word),
		cmocka_unit_test(
			test_a_letter_comes_before_its_words_and_has_the_help),
		cmocka_unit_test(
			test_every_word_is_found_and_none_hides_another),
		cmocka_unit_test(test_what_is_not_built_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
