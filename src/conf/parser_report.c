/* SPDX-License-Identifier: ISC */
#include "conf/parser.h"

#include <stdio.h>
#include <string.h>

#include "conf/stray.h"

struct conf_pos token_pos(const struct token *t)
{
	return (struct conf_pos){ t->line, t->col, (uint32_t)t->len };
}

const char *token_text(const struct token *t, char out[TOKEN_TEXT_SIZE])
{
	char quote[DIAG_QUOTE_SIZE];

	if (t->kind == TOKEN_END)
		snprintf(out, TOKEN_TEXT_SIZE, "the end of the file");
	else
		snprintf(out, TOKEN_TEXT_SIZE, "'%s'",
			 diag_quote(t->at, t->len, quote));
	return out;
}

void parser_error(struct parser *p, struct conf_pos at, const char *name,
		  const char *fmt, ...)
{
	va_list ap;

	if (p->is_quiet)
		return;
	/* the reference takes what follows a tab for a part of the path */
	if (p->tab_path_brace ||
	    (p->tab_path_line && p->tab_path_line == at.line))
		name = "path-tab";
	va_start(ap, fmt);
	diag_report(&p->diags, CONF_ERROR, at, name, fmt, ap);
	va_end(ap);
}

void parser_warn(struct parser *p, struct conf_pos at, const char *name,
		 const char *fmt, ...)
{
	va_list ap;

	if (p->is_quiet)
		return;
	va_start(ap, fmt);
	diag_report(&p->diags, CONF_WARNING, at, name, fmt, ap);
	va_end(ap);
}

bool parser_expected(struct parser *p, const struct token *t, const char *name,
		     const char *fmt, ...)
{
	char found[TOKEN_TEXT_SIZE], expected[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(expected, sizeof(expected), fmt, ap);
	va_end(ap);
	parser_error(p, token_pos(t), name, "found %s, expected %s%s",
		     token_text(t, found), expected, stray_hint(p, t));
	return false;
}

/* U+2010 to U+201F are dashes, then quotation marks. */
static const char *typography(const struct token *t)
{
	unsigned char last = t->len >= 3 ? (unsigned char)t->at[2] : 0;

	if (!last || memcmp(t->at, "\xe2\x80", 2) != 0)
		return NULL;
	if (last >= 0x90 && last <= 0x95)
		return "dash, write '-'";
	return last >= 0x98 && last <= 0x9f
		       ? "quotation mark, values are written without quotes"
		       : NULL;
}

void parser_report_junk(struct parser *p, const struct token *t)
{
	unsigned char c = (unsigned char)t->at[0];

	if (!c)
		parser_error(p, token_pos(t), "nul", "NUL byte in the file");
	else if (c < 0x80)
		parser_error(p, token_pos(t), "control",
			     "control byte 0x%02X in the file", c);
	else if (typography(t))
		parser_error(p, token_pos(t), "encoding",
			     "found a typographic %s", typography(t));
	else
		parser_error(p, token_pos(t), "encoding",
			     "unexpected byte 0x%02X%s", c,
			     t->len >= 2 && !memcmp(t->at, "\xc2\xa0", 2)
				     ? " (no-break space)"
				     : "");
}
