/* SPDX-License-Identifier: ISC */
/* Kinds of values: what a row says of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/kinds.h"

static void test_a_default_is_written_or_has_no_word(void **state)
{
	static const struct {
		struct rule rule;
		const char *text; /* NULL: unset */
	} cases[] = {
		{ { .kind = RULE_U32, .deflt = 7 }, "7" },
		{ { .kind = RULE_U32 }, "0" },
		{ { .kind = RULE_U32, .flags = RULE_OMIT_ZERO }, NULL },
		{ { .kind = RULE_U32, .flags = RULE_UNSET, .deflt = 7 }, NULL },
		{ { .kind = RULE_U32, .flags = RULE_OMIT_ZERO, .deflt = 7 },
		  "7" },
		{ { .kind = RULE_PORT }, NULL },
		{ { .kind = RULE_BOOL }, "no" },
		{ { .kind = RULE_BOOL, .deflt = 1 }, "yes" },
		{ { .kind = RULE_PATH, .text = "/run/x" }, "/run/x" },
		{ { .kind = RULE_PATH }, NULL },
		{ { .kind = RULE_LOG, .text = "/var/log/x" }, "no" },
		{ { .kind = RULE_SYSLOG }, "no" },
		{ { .kind = RULE_RESYNC, .deflt = 30 }, "30" },
		{ { .kind = RULE_RESYNC }, "no" },
		{ { .kind = RULE_RESYNC, .flags = RULE_UNSET }, NULL },
		{ { .kind = RULE_SCHED }, NULL },
		{ { .kind = RULE_IFNAME }, NULL },
		{ { .kind = RULE_ADDR, .family = FAMILY_IPV4 }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct rule *r = &cases[i].rule;
		const struct kind *kind = &conf_kinds[r->kind];
		size_t size = kind->size ? kind->size : CONF_PATH_MAX + 1;
		void *at = calloc(1, size); /* ASan guards its end */
		char text[64] = "";
		struct wr w = { .buf = (uint8_t *)text,
				.size = sizeof(text) - 1 };

		if (kind->set_default)
			kind->set_default(r, at);
		assert_int_equal(kind->is_unset(r, at), !cases[i].text);
		if (cases[i].text) {
			kind->print(&w, at);
			assert_string_equal(text, cases[i].text);
		}
		free(at);
	}
}

static void test_what_is_written_can_be_read_and_be_unset(void **state)
{
	(void)state;
	for (size_t i = 0; i < RULE_KINDS; i++) {
		const struct kind *kind = &conf_kinds[i];

		assert_non_null(kind->type);
		assert_int_equal(!kind->print, !kind->is_unset);
		assert_true(!kind->print || kind->read);
		assert_true(!kind->set_default || kind->print);
		assert_int_equal(kind->is_single || i == RULE_PEER,
				 kind->print != NULL);
		assert_true(!kind->is_ranged || kind->class == LEX_NUMBER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_default_is_written_or_has_no_word),
		cmocka_unit_test(test_what_is_written_can_be_read_and_be_unset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
