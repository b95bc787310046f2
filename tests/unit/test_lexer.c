/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "conf/lexer.h"

/* All tokens of text as "kind:text@line:col ...", END left out. */
static const char *tokens_of(const char *text, size_t len, enum lex_class class,
			     char *out, size_t size)
{
	static const char kinds[] = {
		[TOKEN_END] = 'E',  [TOKEN_OPEN] = 'o', [TOKEN_CLOSE] = 'c',
		[TOKEN_WORD] = 'w', [TOKEN_PATH] = 'p', [TOKEN_CHAR] = '?',
		[TOKEN_JUNK] = 'j'
	};
	char *exact = malloc(len + !len);
	struct lexer lx;
	size_t used = 0;

	memcpy(exact, text, len);
	lexer_init(&lx, exact, len);
	out[0] = '\0';
	for (;;) {
		struct token t = lexer_next(&lx, class);

		if (t.kind == TOKEN_END)
			break;
		assert_true(t.len > 0);
		used += (size_t)snprintf(
			out + used, size - used, "%s%c:%.*s@%u:%u%s",
			used ? " " : "", kinds[t.kind],
			t.kind == TOKEN_JUNK ? 0 : (int)t.len, t.at, t.line,
			t.col, t.first ? "!" : "");
		assert_true(used < size);
	}
	free(exact);
	return out;
}

#define TEXT(s) (s), sizeof(s) - 1

static const struct {
	const char *text;
	size_t len;
	enum lex_class class;
	const char *tokens;
} cases[] = {
	{ TEXT(""), LEX_WORD, "" },
	{ TEXT(" \t\r\n\f\v"), LEX_WORD, "" },
	{ TEXT("General{HashSize 5}"), LEX_WORD,
	  "w:General@1:1! o:{@1:8 w:HashSize@1:9 w:5@1:18 c:}@1:19" },
	{ TEXT("a\n\tb c"), LEX_WORD, "w:a@1:1! w:b@2:2! w:c@2:4" },
	{ TEXT("a # b\nc"), LEX_WORD, "w:a@1:1! w:c@2:1!" },
	{ TEXT("a#b"), LEX_WORD, "w:a@1:1!" },
	{ TEXT("# only\0 this"), LEX_WORD, "" },
	{ TEXT("a\r\nb"), LEX_WORD, "w:a@1:1! w:b@2:1!" },
	/* no LF at all: CR ends lines and comments */
	{ TEXT("a # x\rb"), LEX_WORD, "w:a@1:1! w:b@2:1!" },
	/* with an LF somewhere it does not */
	{ TEXT("a # x\rb\n"), LEX_WORD, "w:a@1:1!" },
	{ TEXT("\xef\xbb\xbf"
	       "a"),
	  LEX_WORD, "w:a@1:1!" },
	{ TEXT("q.931 h_245 br-0"), LEX_WORD,
	  "w:q.931@1:1! w:h_245@1:7 w:br-0@1:13" },
	{ TEXT("eth0:1"), LEX_WORD, "w:eth0@1:1! ?::@1:5 w:1@1:6" },
	{ TEXT("-5 +5"), LEX_NUMBER, "w:-5@1:1! w:+5@1:4" },
	{ TEXT("+5"), LEX_WORD, "?:+@1:1! w:5@1:2" },
	{ TEXT("fe80::1%eth0/64}"), LEX_ADDR,
	  "w:fe80::1%eth0/64@1:1! c:}@1:16" },
	{ TEXT("/run/x.ctl}\n#c"), LEX_VALUE, "p:/run/x.ctl}@1:1!" },
	{ TEXT("/a#b\t/c\"d"), LEX_VALUE,
	  "p:/a#b@1:1! p:/c@1:6 ?:\"@1:8 w:d@1:9" },
	{ TEXT("on} C:/x"), LEX_VALUE, "w:on@1:1! c:}@1:3 w:C:/x@1:5" },
	{ TEXT("/a"), LEX_WORD, "?:/@1:1! w:a@1:2" },
	{ TEXT("a\0\0b"), LEX_WORD, "w:a@1:1! j:@1:2 w:b@1:4" },
	{ TEXT("a\xc3\xa9\x01z"), LEX_WORD, "w:a@1:1! j:@1:2 j:@1:4 w:z@1:5" },
	{ TEXT("= ; | \\"), LEX_WORD, "?:=@1:1! ?:;@1:3 ?:|@1:5 ?:\\@1:7" },
};

static void test_text_is_cut_into_tokens_of_the_class_asked_for(void **state)
{
	char out[512];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_string_equal(tokens_of(cases[i].text, cases[i].len,
					      cases[i].class, out, sizeof(out)),
				    cases[i].tokens);
}

static void test_every_prefix_ends_without_overread(void **state)
{
	char out[512];

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		for (size_t n = 0; n <= cases[i].len; n++)
			for (int c = LEX_WORD; c <= LEX_VALUE; c++)
				tokens_of(cases[i].text, n, (enum lex_class)c,
					  out, sizeof(out));
}

static void test_words_are_compared_whole(void **state)
{
	const struct token t = { .kind = TOKEN_WORD, .at = "Mode", .len = 4 };

	(void)state;
	assert_true(token_is(&t, "Mode"));
	assert_false(token_is(&t, "mode"));
	assert_false(token_is(&t, "Mod"));
	assert_false(token_is(&t, "Modes"));
	assert_true(token_is_nocase(&t, "mODE"));
	assert_false(token_is_nocase(&t, "modes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_text_is_cut_into_tokens_of_the_class_asked_for),
		cmocka_unit_test(test_every_prefix_ends_without_overread),
		cmocka_unit_test(test_words_are_compared_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
