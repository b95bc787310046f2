/* SPDX-License-Identifier: ISC */
#include "conf/lexer.h"

#include <string.h>
#include <strings.h>

static bool is_letter(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* Form feed and vertical tab are no blanks to the reference, which refuses a
 * file that has one. */
static bool is_blank(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_junk(unsigned char c)
{
	return c >= 0x7f || (c < ' ' && !is_blank(c));
}

static bool in_class(unsigned char c, enum lex_class class)
{
	static const char *const more[] = {
		[LEX_WORD] = "._-",
		[LEX_NUMBER] = "._-+",
		[LEX_ADDR] = "._-:/%",
		[LEX_VALUE] = "._-+:/",
	};

	return is_letter(c) || is_digit(c) || (c && strchr(more[class], c));
}

static bool ends_path(unsigned char c)
{
	return is_blank(c) || c == '"';
}

void lexer_init(struct lexer *lx, const char *text, size_t len)
{
	size_t bom = len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3) ? 3 : 0;

	*lx = (struct lexer){
		.text = text,
		.len = len,
		.pos = bom,
		.line_start = bom,
		.line = 1,
		.cr_lines = len && !memchr(text, '\n', len) &&
			    memchr(text, '\r', len),
		.at_line_start = true,
	};
}

static bool ends_line(const struct lexer *lx, char c)
{
	return c == '\n' || (lx->cr_lines && c == '\r');
}

static void skip_comment(struct lexer *lx)
{
	while (lx->pos < lx->len && !ends_line(lx, lx->text[lx->pos]))
		lx->pos++;
}

static void skip_blanks(struct lexer *lx)
{
	while (lx->pos < lx->len) {
		char c = lx->text[lx->pos];

		if (c == '#') {
			skip_comment(lx);
			continue;
		}
		if (!is_blank((unsigned char)c))
			return;
		lx->pos++;
		if (ends_line(lx, c)) {
			lx->line++;
			lx->line_start = lx->pos;
			lx->at_line_start = true;
		}
	}
}

static enum token_kind kind_of(unsigned char c, enum lex_class class)
{
	if (c == '{')
		return TOKEN_OPEN;
	if (c == '}')
		return TOKEN_CLOSE;
	if (c == '/' && class == LEX_VALUE)
		return TOKEN_PATH;
	if (in_class(c, class))
		return TOKEN_WORD;
	return is_junk(c) ? TOKEN_JUNK : TOKEN_CHAR;
}

/* True if c goes on with a token that began with first. */
static bool goes_on(enum token_kind kind, unsigned char first, unsigned char c,
		    enum lex_class class)
{
	switch (kind) {
	case TOKEN_WORD:
		return in_class(c, class);
	case TOKEN_PATH:
		return !ends_path(c);
	case TOKEN_JUNK:
		return first >= 0x80 ? c >= 0x80 : c == first;
	case TOKEN_END:
	case TOKEN_OPEN:
	case TOKEN_CLOSE:
	case TOKEN_CHAR:
		break;
	}
	return false;
}

struct token lexer_next(struct lexer *lx, enum lex_class class)
{
	struct token t = { .kind = TOKEN_END };
	const unsigned char *text = (const unsigned char *)lx->text;
	size_t start;

	skip_blanks(lx);
	start = lx->pos;
	t.at = lx->text + start;
	t.line = lx->line;
	t.col = (uint32_t)(start - lx->line_start + 1);
	t.first = lx->at_line_start;
	if (start == lx->len)
		return t;
	t.kind = kind_of(text[start], class);
	do
		lx->pos++;
	while (lx->pos < lx->len &&
	       goes_on(t.kind, text[start], text[lx->pos], class));
	t.len = lx->pos - start;
	lx->at_line_start = false;
	return t;
}

bool token_is(const struct token *t, const char *word)
{
	return t->len == strlen(word) && !memcmp(t->at, word, t->len);
}

bool token_is_nocase(const struct token *t, const char *word)
{
	return t->len == strlen(word) && !strncasecmp(t->at, word, t->len);
}

void token_copy(char *out, size_t size, const struct token *t)
{
	size_t n = t->len < size ? t->len : size - 1;

	memcpy(out, t->at, n);
	out[n] = '\0';
}
