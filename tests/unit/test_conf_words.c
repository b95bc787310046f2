/* SPDX-License-Identifier: ISC */
/* Words that are no names, and names of helpers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "conf/helper_names.h"
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

static void test_helpers_are_known_by_name_beginning_and_port(void **state)
{
	static const struct {
		const char *name;
		bool is_known;
		const char *nearest;
	} cases[] = {
		{ "ftp", true, NULL },
		{ "FTP", true, NULL },
		{ "ras", true, NULL },
		{ "q.931", true, NULL },
		{ "H.245", true, NULL },
		{ "netbios-ns", true, NULL },
		{ "netbios", true, NULL },
		{ "q", true, NULL },
		{ "sip-5061", true, NULL },
		{ "sip-", true, NULL },
		{ "ftp-2121", true, NULL },
		{ "tns", true, NULL },
		{ "ssdp", true, NULL },
		{ "dhcpv6", true, NULL },
		{ "ftpp", false, "ftp" },
		{ "fpt", false, "ftp" },
		{ "netbios-nt", false, "netbios-ns" },
		{ "pptpd", false, "pptp" },
		{ "sip-5o61", false, NULL },
		{ "voicemail", false, NULL },
		{ "cafe", false, NULL },
		{ "", false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		size_t len = strlen(cases[i].name);
		const char *near = helper_name_nearest(cases[i].name, len);

		if (helper_name_is_known(cases[i].name, len) !=
		    cases[i].is_known)
			fail_msg("'%s' is %sknown", cases[i].name,
				 cases[i].is_known ? "not " : "");
		if (cases[i].is_known)
			continue;
		if (!cases[i].nearest)
			assert_null(near);
		else
			assert_string_equal(near ? near : "none",
					    cases[i].nearest);
	}
}

static void test_what_lists_name_in_vain_has_another_name(void **state)
{
	static const char *const words[] = { "h323", "NFS", "sqlnet" };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(words); i++) {
		size_t len = strlen(words[i]);

		assert_false(helper_name_is_known(words[i], len));
		assert_non_null(helper_name_instead(words[i], len));
	}
	assert_string_equal(helper_name_instead("nfs", 3), "rpc");
	assert_null(helper_name_instead("nf", 2));
	assert_null(helper_name_instead("ftp", 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_name_is_what_the_reference_takes_for_one),
		cmocka_unit_test(
			test_helpers_are_known_by_name_beginning_and_port),
		cmocka_unit_test(test_what_lists_name_in_vain_has_another_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
