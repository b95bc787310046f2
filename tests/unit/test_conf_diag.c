/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/diag.h"
#include "conf/protocols.h"

static void test_the_nearest_word_is_found(void **state)
{
	static const char *const words[] = { "HashSize", "HashLimit",
					     "LogFile",  "PollSecs",
					     "UNIX",     "IPv4_address" };
	static const struct {
		const char *word, *best;
	} cases[] = {
		{ "HashSise", "HashSize" },
		{ "hashsize", "HashSize" },
		{ "HashSzie", "HashSize" },
		{ "HshSiz", "HashSize" },
		{ "Pollsecs", "PollSecs" },
		{ "Unix", "UNIX" },
		{ "IPv4", "IPv4_address" },
		{ "Hash", "HashSize" },
		{ "LogFiles", "LogFile" },
		{ "Logging", NULL },
		{ "UN", NULL },
		{ "", NULL },
		{ "SomethingElse", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct nearest n;

		nearest_init(&n, cases[i].word, strlen(cases[i].word));
		for (size_t w = 0; w < N_ELEMENTS(words); w++)
			nearest_try(&n, words[w]);
		if (!cases[i].best)
			assert_null(n.best);
		else
			assert_string_equal(n.best ? n.best : "none",
					    cases[i].best);
	}
}

static void test_what_is_quoted_is_short_and_printable(void **state)
{
	char out[DIAG_QUOTE_SIZE], zeros[1000] = { 0 };
	char *word = malloc(100000);

	(void)state;
	assert_string_equal(diag_quote("a b", 3, out), "a b");
	assert_string_equal(diag_quote("a\t\xc3\0", 4, out),
			    "a\\x09\\xC3\\x00");
	memset(word, 'w', 100000);
	word[99999] = 'z';
	assert_string_equal(diag_quote(word, 100000, out),
			    "wwwwwwwwwwwwwwwwwwwwwwwwwwww...wwwwwwwz");
	for (size_t n = 0; n <= sizeof(zeros); n++)
		assert_true(strlen(diag_quote(zeros, n, out)) <
			    DIAG_QUOTE_SIZE);
	free(word);
}

struct told {
	char text[4096];
	size_t used;
};

static void note(void *ctx, const struct conf_diag *d)
{
	struct told *t = ctx;

	t->used += (size_t)snprintf(t->text + t->used,
				    sizeof(t->text) - t->used, "%u:%u %s %s;",
				    d->line, d->col, d->name, d->text);
	assert_true(t->used < sizeof(t->text));
}

static void test_findings_are_told_in_the_order_of_their_places(void **state)
{
	static const struct conf_diag found[] = {
		{ CONF_ERROR, 7, 1, 1, "a", "first" },
		{ CONF_WARNING, 3, 9, 1, "b", "second" },
		{ CONF_ERROR, 3, 2, 1, "c", "third" },
		{ CONF_WARNING, 3, 2, 1, "d", "fourth" },
		{ CONF_WARNING, 0, 0, 0, "e", "of the file" },
	};
	struct told t = { .used = 0 };
	struct diags d = { .fn = note, .ctx = &t };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(found); i++)
		diag_keep(&d, &found[i]);
	assert_int_equal(t.used, 0);
	diag_flush(&d);
	assert_string_equal(t.text,
			    "1:1 e of the file;3:2 c third;3:2 d fourth;"
			    "3:9 b second;7:1 a first;");
	assert_int_equal(d.n[CONF_ERROR], 2);
	assert_int_equal(d.n[CONF_WARNING], 3);
}

static void test_that_there_are_more_is_told_last(void **state)
{
	struct told *t = calloc(1, sizeof(*t));
	struct diags d = { .fn = note, .ctx = t };
	struct conf_diag found = { CONF_ERROR, 0, 1, 1, "n", "x" };

	(void)state;
	for (uint32_t line = 300; line > 0; line--) {
		found.line = line;
		diag_keep(&d, &found);
	}
	diag_flush(&d);
	assert_int_equal(d.n[CONF_ERROR], 300);
	assert_true(!strncmp(t->text, "201:1 n x;202:1 n x;", 20));
	assert_string_equal(strstr(t->text, "300:1"),
			    "300:1 n x;200:1 limit too many errors, others "
			    "are not shown;");
	free(t);
}

static void test_protocols_have_names_in_any_case(void **state)
{
	static const struct {
		const char *name;
		int number;
		const char *use;
	} cases[] = {
		{ "TCP", 6, NULL },        { "tcp", 6, NULL },
		{ "Udp", 17, NULL },       { "IPV6-ICMP", 58, NULL },
		{ "sctp", 132, NULL },     { "ICMPv6", 58, "IPv6-ICMP" },
		{ "fc", 133, NULL },       { "tp++", 39, NULL },
		{ "ipsec-esp", 50, NULL }, { "FOO", -1, NULL },
		{ "", -1, NULL },
	};
	const char *use;

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		assert_int_equal(protocols_number(cases[i].name,
						  strlen(cases[i].name), &use),
				 cases[i].number);
		if (cases[i].use)
			assert_string_equal(use, cases[i].use);
		else
			assert_null(use);
	}
	assert_string_equal(protocols_nearest("SCTPP", 5), "SCTP");
	assert_string_equal(protocols_name(50), "ESP");
	assert_null(protocols_name(200));
}

static void test_each_protocol_name_gives_its_number_back(void **state)
{
	const char *use;

	(void)state;
	for (unsigned int i = 0; i < 256; i++) {
		const char *name = protocols_name(i);

		if (name)
			assert_int_equal(
				protocols_number(name, strlen(name), &use), i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_nearest_word_is_found),
		cmocka_unit_test(test_what_is_quoted_is_short_and_printable),
		cmocka_unit_test(
			test_findings_are_told_in_the_order_of_their_places),
		cmocka_unit_test(test_that_there_are_more_is_told_last),
		cmocka_unit_test(test_protocols_have_names_in_any_case),
		cmocka_unit_test(test_each_protocol_name_gives_its_number_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
