/* SPDX-License-Identifier: ISC */
/* Words that are no names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "conf/words.h"

/* What conntrackd 1.4.7 -C FILE -s makes of the word in a Protocol set: a
 * name, known or not, or a syntax error. */
static void test_a_name_is_what_the_reference_takes_for_one(void **state)
{
	static const struct {
		const char *word;
		bool is_name, is_reserved;
	} cases[] = {
		{ "abcde", true, false },
		{ "foo-bar", true, false },
		{ "AX.25", true, false },
		{ "no-name", true, false },
		{ "on1", true, false },
		{ "TCPx", true, false },
		{ "Defaults", true, false },
		{ "daemon", true, false },
		{ "RR", true, false },
		{ "Family", true, false }, /* was an option until 1.4.4 */
		{ "RelaxTransitions", true, false },
		{ "a", false, false },
		{ "fc", false, false },
		{ "cafe", false, false },
		{ "1cafe", false, false },
		{ "6", false, false },
		{ "1.5", false, false },
		{ "10.0.1.4", false, false },
		{ "fe80::1", false, false },
		{ "tcp/udp", false, false },
		{ "foo+bar", false, false },
		{ "_foo", false, false },
		{ "-foo", false, false },
		{ "", false, false },
		{ "Address", false, true },
		{ "General", false, true },
		{ "UNIX", false, true },
		{ "HashSize", false, true },
		{ "SocketBufferSize", false, true },
		{ "IPv4_address", false, true },
		{ "ErrorQueueLength", false, true },
		{ "ExpectMax", false, true },
		{ "Nice", false, true },
		{ "Accept", false, true },
		{ "Ignore", false, true },
		{ "Default", false, true },
		{ "From", false, true },
		{ "Userspace", false, true },
		{ "Kernelspace", false, true },
		{ "for", false, true },
		{ "SYN_SENT", false, true },
		{ "CLOSE", false, true },
		{ "LISTEN", false, true },
		{ "yes", false, true },
		{ "Off", false, true },
		{ "FTFW", false, true },
		{ "nOtRaCk", false, true },
		{ "nack", false, true },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct token t = { .kind = TOKEN_WORD,
					 .at = cases[i].word,
					 .len = strlen(cases[i].word) };

		if (word_is_name(&t) != cases[i].is_name ||
		    word_is_reserved(&t) != cases[i].is_reserved)
			fail_msg("'%s': %sa name, %sreserved", cases[i].word,
				 word_is_name(&t) ? "" : "not ",
				 word_is_reserved(&t) ? "" : "not ");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_name_is_what_the_reference_takes_for_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
