/* SPDX-License-Identifier: ISC */
#include "conf/clauses.h"

#include <assert.h>
#include <string.h>

#include "conf/given.h"
#include "conf/kinds.h"
#include "conf/unknown.h"

/* Sections written into sections are read there, to find what is wrong inside,
 * but no deeper than any good file goes. */
enum { MAX_DEPTH = 6 };

/* The largest value that a repetition does not replace. */
enum { FIRST_MAX = sizeof(uint32_t) };

static void note_unknown(struct parser *p, struct frame *f)
{
	f->has_unknown = true;
	p->has_unknown[f->block->id] = true;
}

/* Looks for the '{' of a block. Where it was forgotten, but an option of the
 * block follows, or a '}' right under the keyword, goes on as if it were
 * there. */
static bool open_block(struct parser *p, struct frame *f)
{
	struct token t = parser_peek(p, LEX_WORD);

	f->open = t;
	if (t.kind == TOKEN_OPEN) {
		(void)parser_take(p, LEX_WORD);
		return true;
	}
	parser_expected(p, &t, "syntax", "'{' after %s", f->block->name);
	while (t.kind == TOKEN_CHAR && !t.first) {
		(void)parser_take(p, LEX_WORD);
		t = parser_peek(p, LEX_WORD);
	}
	if (t.kind == TOKEN_OPEN) {
		f->open = parser_take(p, LEX_WORD);
		return true;
	}
	if (t.kind == TOKEN_CLOSE)
		return t.first && t.col == f->keyword.col;
	p->is_cut = true;
	f->is_loose = t.kind == TOKEN_WORD && block_rule(f->block, &t);
	return f->is_loose;
}

static void parse_block(struct parser *p, struct frame *f);

static void parse_inner(struct parser *p, struct frame *f, const struct rule *r,
			const struct token *keyword)
{
	struct frame inner = { .up = f,
			       .block = r->block,
			       .keyword = *keyword,
			       .link = f->link,
			       .n_errors = p->diags.n[CONF_ERROR],
			       .depth = f->depth + 1 };
	enum enter_result entered = ENTER_BLOCK;
	struct frame *top = p->top; /* not f, where f is a guest */

	inner.base = r->block && r->block->base != NO_BASE
			     ? (char *)p->conf + r->block->base
			     : f->base;
	inner.earlier = given_earlier(p, f, r);
	inner.is_extra = f->is_extra || f->is_guest ||
			 (given_is_section(f, r) && inner.earlier.line);
	given_add(p, f, r, keyword, NULL);
	if (r->enter)
		entered =
			r->enter(p, &inner, keyword, &inner.block, &inner.base);
	if (entered == ENTER_DONE)
		return;
	assert(entered == ENTER_FAILED || inner.block);
	if (entered == ENTER_FAILED || !open_block(p, &inner)) {
		parser_recover(p);
		return;
	}
	p->top = &inner;
	parse_block(p, &inner);
	p->top = top;
}

/* An option's name at the begin of a line means that the value is missing,
 * although it might be the name of an interface. */
static bool is_next_clause(const struct frame *f, const struct token *t)
{
	return t->first && t->kind == TOKEN_WORD && block_rule(f->block, t);
}

/* Reads the value that follows keyword and stores it in f->base. False: told,
 * nothing stored, the parser is to recover. */
static bool read_value(struct parser *p, struct frame *f, const struct rule *r,
		       const struct token *keyword)
{
	const struct kind *kind = &conf_kinds[r->kind];
	char *at = (char *)f->base + r->at;
	bool keep =
		(r->flags & RULE_FIRST_COUNTS) && frame_pos(f, r->name).at.line;
	char first[FIRST_MAX];
	struct token t;

	if (!kind->read) {
		given_add(p, f, r, keyword, NULL);
		return true;
	}
	t = parser_peek(p, kind->class);
	given_add(p, f, r, keyword, &t);
	if (t.kind == TOKEN_END || t.kind == TOKEN_OPEN ||
	    t.kind == TOKEN_CLOSE || is_next_clause(f, &t))
		return parser_expected(p, &t, "value", "a value for %s (%s)",
				       r->name, kind->type);
	if (keep) {
		assert(kind->size && kind->size <= sizeof(first));
		memcpy(first, at, kind->size);
	}
	if (!kind->read(p, f, r, &t))
		return false;
	if (keep)
		memcpy(at, first, kind->size);
	(void)parser_take(p, kind->class);
	p->single = t.kind == TOKEN_PATH ? NULL : r->name;
	return true;
}

static void parse_clause(struct parser *p, struct frame *f,
			 const struct rule *r, const struct token *keyword)
{
	p->single = NULL;
	p->path_line = 0;
	if (r->note)
		parser_warn(p, token_pos(keyword),
			    r->flags & RULE_LEGACY ? "legacy" : "deprecated",
			    "%s %s", r->name, r->note);
	if (r->kind == RULE_BLOCK)
		parse_inner(p, f, r, keyword);
	else if (!read_value(p, f, r, keyword))
		parser_recover(p);
}

/* After a section a word that belongs into it: one '}' was too many. Goes on
 * in the section, as if it were not there. */
static void parse_reopened(struct parser *p, struct frame *f,
			   const struct block *section)
{
	struct frame again = { .up = f,
			       .block = section,
			       .keyword = p->closed_keyword,
			       .open = p->closed_by,
			       .link = -1,
			       .base = (char *)p->conf + section->base,
			       .n_errors = p->diags.n[CONF_ERROR],
			       .depth = f->depth + 1,
			       .is_loose = true };
	struct frame *top = p->top;

	p->top = &again;
	parse_block(p, &again);
	p->top = top;
}

/* A word that belongs to a block further out: those in between end here. Their
 * own '}' may still come. */
static void unwind_to(struct parser *p, struct frame *f, struct frame *outer)
{
	p->unwind = outer; /* the word is read there */
	for (; f != outer; f = f->up)
		p->n_assumed += !f->is_loose;
}

/* One word at the begin of a clause, which is not an option of this block. */
static void parse_unknown(struct parser *p, struct frame *f,
			  const struct token *t)
{
	struct found found = unknown_find(p, f, t);

	if (found.what != FOUND_ABOVE || !f->is_loose)
		unknown_report(p, f, t, &found);
	if (found.what == FOUND_ABOVE) {
		unwind_to(p, f, found.frame);
		return;
	}
	note_unknown(p, f);
	if (found.what == FOUND_CLOSED) {
		parse_reopened(p, f, found.block);
		return;
	}
	if (found.what == FOUND_BARE) {
		p->is_quiet = true;
		if (!read_value(p, f, found.rule, t))
			(void)parser_take(p, LEX_ADDR);
		p->is_quiet = p->err != 0;
		return;
	}
	(void)parser_take(p, LEX_WORD);
	if (found.what == FOUND_NEAR) {
		bool was_extra = f->is_extra;

		p->is_quiet = p->is_quiet || found.rule->kind != RULE_BLOCK;
		f->is_extra = true;
		parse_clause(p, f, found.rule, t);
		f->is_extra = was_extra;
		p->is_quiet = p->err != 0;
	} else if (found.what == FOUND_ELSEWHERE &&
		   found.block->base != NO_BASE && f->depth < MAX_DEPTH) {
		struct frame there = { .up = f,
				       .block = found.block,
				       .link = -1,
				       .keyword = f->keyword,
				       .open = f->open,
				       .is_guest = true,
				       .depth = f->depth + 1 };

		there.base = (char *)p->conf + found.block->base;
		parse_clause(p, &there, found.rule, t);
	} else {
		parser_recover(p);
	}
}

/* Who indents blocks shows by the column of a '}' which one it is for. True if
 * that is not the block of f, but one around it. */
static bool is_for_outer(const struct frame *f, const struct token *t)
{
	if (!t->first || !f->keyword.first || t->col >= f->keyword.col)
		return false;
	for (const struct frame *up = f->up; up->up; up = up->up)
		if (up->keyword.first && up->keyword.col == t->col)
			return true;
	return false;
}

/* Takes the '}' of f, unless a brace of f is missing and this one is another's.
 */
static void take_close(struct parser *p, const struct frame *f,
		       const struct token *t)
{
	bool is_odd = is_for_outer(f, t);

	if (is_odd && f->is_loose)
		return;
	(void)parser_take(p, LEX_WORD);
	if (is_odd && !p->odd_close.close.line)
		p->odd_close =
			(struct odd_close){ f->block->name, token_pos(&f->open),
					    token_pos(t) };
}

/* True if the block ends here. */
static bool parse_end(struct parser *p, struct frame *f, const struct token *t)
{
	if (t->kind == TOKEN_END) {
		p->is_cut = p->is_cut || f->up;
		if (f->up && !f->is_loose)
			unknown_report_unclosed(p, f, t, "unclosed");
		while (f->up)
			f = f->up;
		p->unwind = f;
		return true;
	}
	if (t->kind == TOKEN_CLOSE && f->up) {
		take_close(p, f, t);
		p->single = NULL;
		p->path_line = 0;
		if (f->block->close)
			f->block->close(p, f);
		if (!f->up->up) {
			p->closed = f->block;
			p->closed_keyword = f->keyword;
			p->closed_by = *t;
		}
		return true;
	}
	return false;
}

static void parse_block(struct parser *p, struct frame *f)
{
	for (;;) {
		struct token t = parser_peek(p, LEX_WORD);
		const struct rule *r;

		if (parse_end(p, f, &t))
			return;
		r = block_rule(f->block, &t);
		if (r) {
			(void)parser_take(p, LEX_WORD);
			parse_clause(p, f, r, &t);
		} else if (f->block->item && t.kind == TOKEN_WORD &&
			   !unknown_is_above(p, f, &t)) {
			f->block->item(p, f);
		} else if (t.kind == TOKEN_WORD) {
			parse_unknown(p, f, &t);
		} else if (t.kind == TOKEN_CLOSE && p->n_assumed) {
			p->n_assumed--; /* it was not missing, but late */
			(void)parser_take(p, LEX_WORD);
		} else {
			unknown_report_stray(p, f, &t);
			if (t.kind == TOKEN_CLOSE) { /* of nothing */
				(void)parser_take(p, LEX_WORD);
			} else {
				note_unknown(p, f);
				parser_recover(p);
			}
		}
		if (p->unwind == f && f->up)
			p->unwind = NULL;
		if (p->unwind)
			return;
	}
}

void clauses_read(struct parser *p)
{
	struct frame file = { .block = &conf_block_file,
			      .base = p->conf,
			      .link = -1 };

	p->top = &file;
	do {
		p->unwind = NULL;
		parse_block(p, &file);
	} while (parser_peek(p, LEX_WORD).kind != TOKEN_END);
	p->top = NULL;
	p->tab_path_line = 0;
	p->tab_path_brace = false;
}
