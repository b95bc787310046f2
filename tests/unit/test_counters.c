/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "cli/counters.h"

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

/* Names of Prometheus: letters, digits and underscores. */
static void test_names_are_snake_case(void **state)
{
	(void)state;
	for (enum counter i = 0; i < COUNTER_N; i++) {
		const char *name = counter_name(i);

		assert_non_null(name);
		for (const char *c = name; *c; c++)
			assert_true(islower(*c) || isdigit(*c) || *c == '_');
		assert_null(strstr(name, "__"));
		assert_false(ends_with(name, "_") || name[0] == '_');
	}
}

static void test_no_two_counters_have_one_name(void **state)
{
	(void)state;
	for (enum counter i = 0; i < COUNTER_N; i++)
		for (enum counter j = 0; j < i; j++)
			assert_string_not_equal(counter_name(i),
						counter_name(j));
}

/* A total ends with _total; a base unit stands before that. */
static void test_names_say_kind_and_unit(void **state)
{
	(void)state;
	for (enum counter i = 0; i < COUNTER_N; i++) {
		const struct counter_row *r = counter_row(i);
		const char *name = counter_name(i);
		const char *unit = counter_about(i)->unit;
		bool is_total = r->kind == COUNTER_TOTAL;
		static const char *const base[] = { "bytes", "seconds" };

		assert_int_equal(ends_with(name, "_total"), is_total);
		for (size_t u = 0; u < N_ELEMENTS(base); u++) {
			char end[32];

			snprintf(end, sizeof(end), "_%s%s", base[u],
				 is_total ? "_total" : "");
			assert_int_equal(ends_with(name, end),
					 !strcmp(unit, base[u]));
		}
		/* only what has a base unit can be a fraction of it */
		if (r->decimals)
			assert_string_equal(unit, "seconds");
	}
}

static void test_every_counter_is_explained_in_one_sentence(void **state)
{
	(void)state;
	for (enum counter i = 0; i < COUNTER_N; i++) {
		const struct counter_about *r = counter_about(i);
		size_t len = strlen(r->help);

		assert_true(len > 10);
		assert_true(isupper(r->help[0]) || isdigit(r->help[0]));
		assert_ptr_equal(strchr(r->help, '.'), r->help + len - 1);
		assert_null(strpbrk(r->help, "\n\""));
		assert_true(r->unit && r->unit[0]);
		assert_true(r->owner && r->owner[0]);
	}
}

/* So that a listing has the subjects of one kind together. */
static void test_counters_of_one_kind_of_subject_are_together(void **state)
{
	unsigned int seen = 0;

	(void)state;
	for (enum counter i = 0; i < COUNTER_N; i++) {
		unsigned int bit = 1u << counter_row(i)->per;

		assert_true(counter_row(i)->per < COUNTER_PER_N);
		if (i > 0 && counter_row(i)->per != counter_row(i - 1)->per)
			assert_false(seen & bit);
		seen |= bit;
	}
	assert_int_equal(seen, (1u << COUNTER_PER_N) - 1);
	assert_null(counter_labels(COUNTER_PER_DAEMON)->label);
	for (int per = COUNTER_PER_CACHE; per < COUNTER_PER_N; per++)
		assert_non_null(counter_labels((enum counter_per)per)->label);
}

static void test_a_set_keeps_what_it_is_given(void **state)
{
	char longest[COUNTED_LABEL_SIZE + 8];
	struct counter_set *s = counter_set_new(2);
	struct counted *c;

	(void)state;
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	c = counter_set_add(s, COUNTER_PER_LINK, longest, "eth2");
	assert_ptr_equal(c, &s->all[0]);
	assert_int_equal(strlen(c->label), COUNTED_LABEL_SIZE - 1);
	assert_string_equal(c->detail, "eth2");
	assert_int_equal(counted_get(c, COUNTER_LINK_SENT), 0);
	assert_false(c->has[COUNTER_LINK_SENT]);
	counted_set(c, COUNTER_LINK_SENT, UINT64_MAX);
	assert_true(counted_get(c, COUNTER_LINK_SENT) == UINT64_MAX);
	assert_true(c->has[COUNTER_LINK_SENT]);
	c = counter_set_add(s, COUNTER_PER_DAEMON, NULL, NULL);
	assert_string_equal(c->label, "");
	assert_int_equal(s->n, 2);
	assert_int_equal(counted_get(NULL, COUNTER_UPTIME), 0);
	free(s);
}

static void test_a_set_without_memory_is_none(void **state)
{
	(void)state;
	alloc_fail_after(0);
	assert_null(counter_set_new(3));
	assert_true(alloc_fail_off());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_are_snake_case),
		cmocka_unit_test(test_no_two_counters_have_one_name),
		cmocka_unit_test(test_names_say_kind_and_unit),
		cmocka_unit_test(
			test_every_counter_is_explained_in_one_sentence),
		cmocka_unit_test(
			test_counters_of_one_kind_of_subject_are_together),
		cmocka_unit_test(test_a_set_keeps_what_it_is_given),
		cmocka_unit_test(test_a_set_without_memory_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
