/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/expect_filter.h"
#include "base/util.h"

static void names_are_beginnings_in_any_case(void **state)
{
	static const struct {
		const char *helper; /* NULL: it has none */
		bool ftp_and_h, all;
	} cases[] = {
		{ "ftp", true, true },   { "FTP-2121", true, true },
		{ "H.245", true, true }, { "RAS", false, true },
		{ "tftp", false, true }, { "ft", false, true },
		{ NULL, false, true },
	};
	char names[][EXPECT_FILTER_NAME_MAX + 1] = { "Ftp", "h" };
	struct expect_filter some = { .names = names, .n_names = 2 };
	struct expect_filter all = { .n_names = 0 };
	struct names *helpers = names_new(10, 15);

	(void)state;
	some.helpers = all.helpers = helpers;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const char *helper = cases[i].helper;
		struct expect e = { 0 };

		if (helper) {
			e.has = EXPECT_HELPER;
			e.helper =
				names_intern(helpers, helper, strlen(helper));
		}
		assert_int_equal(expect_filter_accepts(&some, &e),
				 cases[i].ftp_and_h);
		assert_int_equal(expect_filter_accepts(&all, &e), cases[i].all);
	}
	names_free(helpers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_beginnings_in_any_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
