/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "base/names.h"

static uint16_t intern(struct names *n, const char *text)
{
	size_t len = strlen(text);
	char *exact = malloc(len + !len);
	uint16_t id;

	memcpy(exact, text, len);
	id = names_intern(n, exact, len);
	free(exact);
	return id;
}

static void test_the_same_text_has_the_same_id(void **state)
{
	struct names *n = names_new(10, 16);
	uint16_t ftp = intern(n, "ftp"), sip = intern(n, "sip");

	(void)state;
	assert_int_not_equal(ftp, 0);
	assert_int_not_equal(sip, 0);
	assert_int_not_equal(ftp, sip);
	assert_int_equal(intern(n, "ftp"), ftp);
	assert_int_equal(intern(n, "sip"), sip);
	assert_string_equal(names_text(n, ftp), "ftp");
	assert_string_equal(names_text(n, sip), "sip");
	assert_true(names_refused(n) == 0);
	names_free(n);
}

static void test_a_text_and_its_beginning_are_two_names(void **state)
{
	struct names *n = names_new(10, 16);
	uint16_t q = intern(n, "q.931"), q9 = intern(n, "q.9");

	(void)state;
	assert_int_not_equal(q, q9);
	assert_string_equal(names_text(n, q9), "q.9");
	assert_int_equal(intern(n, "q.931"), q);
	names_free(n);
}

static void test_unknown_ids_have_an_empty_text(void **state)
{
	struct names *n = names_new(10, 16);

	(void)state;
	intern(n, "ftp");
	assert_string_equal(names_text(n, 0), "");
	assert_string_equal(names_text(n, 2), "");
	assert_string_equal(names_text(n, 65535), "");
	names_free(n);
}

static void test_what_does_not_fit_is_refused_and_counted(void **state)
{
	struct names *n = names_new(2, 4);

	(void)state;
	assert_int_equal(intern(n, ""), 0);
	assert_int_equal(intern(n, "12345"), 0);
	assert_int_equal(intern(n, "1234"), 1);
	assert_int_equal(intern(n, "b"), 2);
	assert_int_equal(intern(n, "c"), 0); /* full */
	assert_int_equal(intern(n, "b"), 2); /* known ones stay known */
	assert_true(names_refused(n) == 3);
	names_free(n);
}

static void test_the_largest_table_fills_up_and_texts_stay(void **state)
{
	struct names *n = names_new(65535, 8);
	uint16_t first = intern(n, "first");
	const char *text = names_text(n, first);
	char name[16];

	(void)state;
	for (unsigned int i = 2; i <= 65535; i++) {
		/* an order that is neither up nor down */
		snprintf(name, sizeof(name), "%u", i * 40503 & 0xffff);
		assert_int_equal(names_intern(n, name, strlen(name)), i);
	}
	assert_int_equal(intern(n, "one more"), 0);
	for (unsigned int i = 2; i <= 65535; i += 111) {
		snprintf(name, sizeof(name), "%u", i * 40503 & 0xffff);
		assert_int_equal(names_intern(n, name, strlen(name)), i);
		assert_string_equal(names_text(n, (uint16_t)i), name);
	}
	assert_ptr_equal(names_text(n, first), text);
	assert_string_equal(text, "first");
	names_free(n);
}

static void test_lack_of_memory_is_a_refusal_and_passes(void **state)
{
	struct names *n;
	size_t i;

	(void)state;
	alloc_fail_after(0);
	assert_null(names_new(10, 16));
	assert_true(alloc_fail_off());
	for (i = 0;; i++) {
		uint16_t id;

		n = names_new(10, 16);
		alloc_fail_after(i);
		id = intern(n, "ftp");
		if (!alloc_fail_off())
			break;
		assert_int_equal(id, 0);
		assert_true(names_refused(n) == 1);
		assert_int_equal(intern(n, "ftp"), 1);
		assert_int_equal(intern(n, "ftp"), 1);
		names_free(n);
	}
	assert_true(i > 0);
	names_free(n);
	names_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_text_has_the_same_id),
		cmocka_unit_test(test_a_text_and_its_beginning_are_two_names),
		cmocka_unit_test(test_unknown_ids_have_an_empty_text),
		cmocka_unit_test(test_what_does_not_fit_is_refused_and_counted),
		cmocka_unit_test(
			test_the_largest_table_fills_up_and_texts_stay),
		cmocka_unit_test(test_lack_of_memory_is_a_refusal_and_passes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
