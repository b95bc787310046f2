/* SPDX-License-Identifier: ISC */
#include "conf/parser.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct token parser_peek(struct parser *p, enum lex_class class)
{
	for (;;) {
		struct lexer ahead = p->lx;
		struct token t = lexer_next(&ahead, class);

		if (t.kind != TOKEN_JUNK)
			return t;
		parser_report_junk(p, &t);
		p->lx = ahead;
	}
}

struct token parser_take(struct parser *p, enum lex_class class)
{
	struct token t = parser_peek(p, class);

	(void)lexer_next(&p->lx, class);
	if (t.kind == TOKEN_CLOSE && t.line == p->tab_path_line)
		p->tab_path_brace = true;
	return t;
}

bool frame_is_clean(const struct parser *p, const struct frame *f)
{
	return p->diags.n[CONF_ERROR] == f->n_errors;
}

bool parser_is_unsure(const struct parser *p, enum block_id id)
{
	bool in_general = id == BLOCK_UNIX || id == BLOCK_SCHEDULER;

	return p->is_cut || p->has_unknown[id] || p->has_unknown[BLOCK_FILE] ||
	       (in_general && p->has_unknown[BLOCK_GENERAL]);
}

struct option_pos frame_pos(const struct frame *f, const char *option)
{
	const struct rule *r = block_rule_named(f->block, option);

	assert(f->block->base == NO_BASE);
	return r ? f->own_pos[r - f->block->rules]
		 : (struct option_pos){ .at = { 0 } };
}

/* No memory: everything comes to its end quietly. */
static void give_up(struct parser *p)
{
	p->err = -ENOMEM;
	p->is_quiet = true;
	p->lx.pos = p->lx.len;
}

void *parser_grow(struct parser *p, void *items, size_t n, size_t item_size)
{
	bool full = n >= 8 && !(n & (n - 1)); /* room for 8, 16, 32, ... */
	void *grown = items;

	if (!n)
		grown = calloc(8, item_size);
	else if (full)
		grown = n > SIZE_MAX / 2 / item_size
				? NULL
				: realloc(items, 2 * n * item_size);
	if (!grown)
		give_up(p);
	return grown;
}

/* Takes '{', which was peeked, and all up to the '}' that belongs to it. */
static void skip_block(struct parser *p)
{
	size_t depth = 0;

	do {
		struct token t = parser_take(p, LEX_VALUE);

		if (t.kind == TOKEN_END)
			return;
		depth += t.kind == TOKEN_OPEN;
		depth -= t.kind == TOKEN_CLOSE;
	} while (depth);
}

static bool begins_clause(const struct parser *p, const struct token *t)
{
	char c = *t->at;

	return t->kind == TOKEN_WORD &&
	       ((t->first && (c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
		block_rule(p->top->block, t) ||
		block_rule(&conf_block_file, t));
}

void parser_recover(struct parser *p)
{
	for (;;) {
		struct token t = parser_peek(p, LEX_WORD);

		if (t.kind == TOKEN_END || t.kind == TOKEN_CLOSE)
			return;
		if (t.kind == TOKEN_OPEN) {
			skip_block(p);
			t = parser_peek(p, LEX_WORD);
			if (t.kind != TOKEN_CHAR || t.first)
				return;
			continue; /* such as ${NAME}/rest */
		}
		if (begins_clause(p, &t))
			return;
		(void)parser_take(p, LEX_VALUE);
	}
}
