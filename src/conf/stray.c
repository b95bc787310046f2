/* SPDX-License-Identifier: ISC */
#include "conf/stray.h"

/* A '/' that begins no path: what was it? */
static const char *slash_hint(const struct parser *p, const struct token *t)
{
	const char *next = t->at + 1;
	enum block_id id = p->top ? p->top->block->id : BLOCK_FILE;

	if (next < p->lx.text + p->lx.len && (*next == '/' || *next == '*'))
		return " (comments start with '#')";
	if (id == BLOCK_ADDRESS || id == BLOCK_OLD_TRAFFIC)
		return " (no blank before the '/' of a prefix)";
	return "";
}

const char *stray_hint(const struct parser *p, const struct token *t)
{
	static const struct {
		char c;
		const char *hint;
	} rows[] = {
		{ ';', " (no ';' in this language)" },
		{ '=', " (no '=' in this language)" },
		{ '"', " (no quotes in this language)" },
		{ '\'', " (no quotes in this language)" },
		{ '$', " (no variables in this language)" },
		{ '\\', " (a clause may go on in the next line as it is)" },
		{ ':', " (no ':' here, and none in names)" },
		{ '@', " (what follows '@' is no part of the name)" },
		{ '[', " (no brackets here; or an unfilled placeholder?)" },
		{ '<', " (an unfilled placeholder?)" },
	};

	if (t->kind == TOKEN_OPEN && t->at + 1 < p->lx.text + p->lx.len &&
	    (t->at[1] == '{' || t->at[1] == '%'))
		return " (an unfilled placeholder?)";
	if (t->kind != TOKEN_CHAR)
		return "";
	if (*t->at == '/')
		return slash_hint(p, t);
	if (*t->at == ',')
		return p->top && p->top->block->items
			       ? " (items are separated by blanks)"
			       : " (an option has one value)";
	if (*t->at == '[' && p->top && !p->top->up)
		return " (a section is written NAME { ... })";
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (*t->at == rows[i].c)
			return rows[i].hint;
	return "";
}
