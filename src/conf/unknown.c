/* SPDX-License-Identifier: ISC */
#include "conf/unknown.h"

#include <stdio.h>
#include <string.h>

enum { NOTE_SIZE = 128, LIST_SIZE = 200 };

/* Words that are taken for something else, by the block they stand in. */
static const struct hint {
	enum block_id block;
	const char *word;
	const char *use;  /* option of this block that is meant, or NULL */
	const char *name; /* of the finding; NULL: as usual */
	const char *text;
} hints[] = {
	{ BLOCK_MULTICAST, "Port", "Group", NULL, "use Group" },
	{ BLOCK_MULTICAST, "IPv4_Destination_Address", NULL, NULL,
	  "the group address is both" },
	{ BLOCK_MULTICAST, "IPv6_Destination_Address", NULL, NULL,
	  "the group address is both" },
	{ BLOCK_UDP, "Group", "Port", NULL, "use Port" },
	{ BLOCK_TCP, "Group", "Port", NULL, "use Port" },
	{ BLOCK_UDP, "IPv4_interface", NULL, NULL,
	  "the local address goes into IPv4_address" },
	{ BLOCK_TCP, "IPv4_interface", NULL, NULL,
	  "the local address goes into IPv4_address" },
	{ BLOCK_HELPER, "QueueNum", NULL, "queue",
	  "it belongs in a Type block" },
	{ BLOCK_HELPER, "QueueLen", NULL, "queue",
	  "it belongs in a Type block" },
	{ BLOCK_HELPER, "Policy", NULL, "queue-policy",
	  "it belongs in a Type block" },
	{ BLOCK_TYPE, "Type", NULL, "queue-type",
	  "the Type before it is not closed: one cannot hold another" },
	{ BLOCK_TYPE, "Setup", NULL, NULL, "it belongs directly in Helper" },
};

static const struct hint *find_hint(const struct block *b,
				    const struct token *t)
{
	for (size_t i = 0; i < N_ELEMENTS(hints); i++)
		if (hints[i].block == b->id && token_is(t, hints[i].word))
			return &hints[i];
	return NULL;
}

static struct frame *above(struct frame *f, const struct token *t)
{
	if (!t->first || t->col > f->keyword.col)
		return NULL;
	for (struct frame *up = f->up; up; up = up->up)
		if (!up->is_guest && block_rule(up->block, t))
			return up;
	return NULL;
}

bool unknown_is_above(struct parser *p, struct frame *f, const struct token *t)
{
	(void)p;
	return above(f, t) != NULL;
}

/* The block that has this option; those with a place of their own first. */
static const struct block *home_of(const struct token *t)
{
	const struct block *home = NULL;

	for (size_t i = 0; i < BLOCKS; i++) {
		const struct block *b = conf_blocks[i];

		if (block_rule(b, t) &&
		    (!home || (home->base == NO_BASE && b->base != NO_BASE)))
			home = b;
	}
	return home;
}

static const struct rule *rule_named(const struct block *b, const char *name)
{
	const struct token t = { .at = name, .len = strlen(name) };

	return block_rule(b, &t);
}

struct found unknown_find(struct parser *p, struct frame *f,
			  const struct token *t)
{
	struct found found = { .what = FOUND_NOTHING };
	const struct hint *hint = find_hint(f->block, t);
	struct nearest near;

	(void)p;
	found.frame = above(f, t);
	if (found.frame) {
		found.what = FOUND_ABOVE;
		return found;
	}
	found.block = home_of(t);
	if (hint) {
		found.what = hint->use ? FOUND_NEAR : FOUND_NOTHING;
		if (hint->use)
			found.rule = rule_named(f->block, hint->use);
		return found;
	}
	if (found.block) {
		found.what = FOUND_ELSEWHERE;
		found.rule = block_rule(found.block, t);
		return found;
	}
	nearest_init(&near, t->at, t->len);
	for (size_t i = 0; i < f->block->n_rules; i++)
		nearest_try(&near, f->block->rules[i].name);
	if (near.best) {
		found.what = FOUND_NEAR;
		found.rule = rule_named(f->block, near.best);
	}
	return found;
}

/* Lists what the block holds, if that is short. */
static const char *expected_in(const struct block *b, char out[LIST_SIZE])
{
	size_t used = 0;

	out[0] = '\0';
	if (b->id == BLOCK_FILE)
		return "General, Sync, Stats or Helper";
	for (size_t i = 0; i < b->n_rules; i++) {
		const struct rule *r = &b->rules[i];
		int n;

		if (r->note || (r->flags & RULE_ALIAS))
			continue;
		n = snprintf(out + used, LIST_SIZE - used, "%s%s",
			     used ? ", " : "", r->name);
		if (n < 0 || (size_t)n >= LIST_SIZE - used)
			return "";
		used += (size_t)n;
	}
	return out;
}

/* A path may be the cause: a '}' at its end belongs to it, a blank ends it. */
static const char *path_note(struct parser *p, const struct token *t,
			     char out[NOTE_SIZE])
{
	out[0] = '\0';
	if (!p->brace_path.line && p->path_line == t->line)
		snprintf(out, NOTE_SIZE, "; a path ends at a blank");
	if (p->brace_path.line)
		snprintf(out, NOTE_SIZE,
			 "; the path at %u:%u ends in '}', put a blank before "
			 "it",
			 (unsigned int)p->brace_path.line,
			 (unsigned int)p->brace_path.col);
	p->brace_path = (struct conf_pos){ 0 };
	return out;
}

static void report_above(struct parser *p, const struct frame *f,
			 const struct token *t)
{
	const struct hint *hint = find_hint(f->block, t);
	char note[NOTE_SIZE];

	path_note(p, t, note);
	parser_expected(p, t, hint && hint->name ? hint->name : "unclosed",
			"%s or '}': %s was opened at %u:%u, a '}' is probably "
			"missing%s",
			f->block->items ? f->block->items : "an option",
			f->block->name, (unsigned int)f->open.line,
			(unsigned int)f->open.col, note);
}

/* Names the blocks that have this option. */
static const char *homes_of(const struct token *t, char out[LIST_SIZE])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < BLOCKS; i++) {
		const struct rule *r = block_rule(conf_blocks[i], t);
		int n;

		if (!r || (r->flags & (RULE_LEGACY | RULE_IGNORED)))
			continue;
		n = snprintf(out + used, LIST_SIZE - used, "%s%s",
			     used ? ", " : "", conf_blocks[i]->name);
		if (n > 0 && (size_t)n < LIST_SIZE - used)
			used += (size_t)n;
	}
	return out;
}

static void report_elsewhere(struct parser *p, const struct frame *f,
			     const struct token *t)
{
	char text[TOKEN_TEXT_SIZE], homes[LIST_SIZE], note[NOTE_SIZE];
	const struct hint *hint = find_hint(f->block, t);
	const char *where = f->block->name;

	path_note(p, t, note);
	token_text(t, text);
	if (hint)
		parser_error(p, token_pos(t),
			     hint->name ? hint->name : "misplaced",
			     "%s is not an option of %s, %s%s", text, where,
			     hint->text, note);
	else if (block_rule(&conf_block_file, t))
		parser_error(p, token_pos(t), "misplaced",
			     "%s is a top-level section, not an option of %s%s",
			     text, where, note);
	else if (f->block->id == BLOCK_FILE)
		parser_error(p, token_pos(t), "misplaced",
			     "%s is not a section, it belongs in %s%s", text,
			     homes_of(t, homes), note);
	else
		parser_error(p, token_pos(t), "misplaced",
			     "%s is not an option of %s, it belongs in %s%s",
			     text, where, homes_of(t, homes), note);
}

static void report_unknown(struct parser *p, const struct frame *f,
			   const struct token *t, const struct found *found)
{
	char text[TOKEN_TEXT_SIZE], list[LIST_SIZE], note[NOTE_SIZE];
	bool is_file = f->block->id == BLOCK_FILE;
	const char *name = is_file ? "section" : "option";
	const char *expected = expected_in(f->block, list);

	path_note(p, t, note);
	token_text(t, text);
	if (found->what == FOUND_NEAR)
		parser_error(p, token_pos(t), name,
			     "unknown %s %s%s%s, did you mean '%s'?%s%s", name,
			     text, is_file ? "" : " in ",
			     is_file ? "" : f->block->name, found->rule->name,
			     token_is_nocase(t, found->rule->name)
				     ? " Names are case-sensitive"
				     : "",
			     note);
	else
		parser_error(p, token_pos(t), name, "unknown %s %s%s%s%s%s%s",
			     name, text, is_file ? "" : " in ",
			     is_file ? "" : f->block->name,
			     *expected ? ", expected " : "", expected, note);
}

void unknown_report(struct parser *p, const struct frame *f,
		    const struct token *t, const struct found *found)
{
	if (found->what == FOUND_ABOVE)
		report_above(p, f, t);
	else if (found->block)
		report_elsewhere(p, f, t);
	else
		report_unknown(p, f, t, found);
}

static const char *stray_hint(const struct token *t)
{
	static const struct {
		char c;
		const char *hint;
	} rows[] = {
		{ ';', " (no ';' in this language)" },
		{ '=', " (no '=' in this language)" },
		{ ',', " (items are separated by blanks)" },
		{ '"', " (no quotes in this language)" },
		{ '\'', " (no quotes in this language)" },
		{ '\\', " (a clause may go on in the next line as it is)" },
		{ '/', " (comments start with '#')" },
		{ ':', " (no ':' in names)" },
		{ '@', " (what follows '@' is no part of the name)" },
		{ '[', " (an unfilled placeholder?)" },
	};

	for (size_t i = 0; t->kind == TOKEN_CHAR && i < N_ELEMENTS(rows); i++)
		if (*t->at == rows[i].c)
			return rows[i].hint;
	return "";
}

void unknown_report_stray(struct parser *p, const struct frame *f,
			  const struct token *t)
{
	char note[NOTE_SIZE], text[TOKEN_TEXT_SIZE];
	const struct block *b = f->block;

	path_note(p, t, note);
	if (t->kind == TOKEN_CLOSE)
		parser_error(p, token_pos(t), "brace",
			     "found '}' with no open block, expected General, "
			     "Sync, Stats, Helper or the end of the file%s",
			     note);
	else if (b->id == BLOCK_FILE)
		parser_expected(p, t, "syntax",
				"General, Sync, Stats or Helper%s%s",
				stray_hint(t), note);
	else
		parser_error(p, token_pos(t), "syntax",
			     "found %s, expected %s%s or '}'%s%s",
			     token_text(t, text),
			     b->items ? b->items : "an option of ",
			     b->items ? "" : b->name, stray_hint(t), note);
}
