/* SPDX-License-Identifier: ISC */
#include "conf/unknown.h"

#include <stdio.h>
#include <string.h>

#include "conf/stray.h"
#include "conf/words.h"

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
	{ BLOCK_MULTICAST, "Address", NULL, NULL,
	  "use IPv4_address or IPv6_address" },
	{ BLOCK_UDP, "Address", NULL, NULL,
	  "use IPv4_address or IPv6_address" },
	{ BLOCK_TCP, "Address", NULL, NULL,
	  "use IPv4_address or IPv6_address" },
	{ BLOCK_MULTICAST, "Default", NULL, NULL, "it stands before the '{'" },
	{ BLOCK_UDP, "Default", NULL, NULL, "it stands before the '{'" },
	{ BLOCK_TCP, "Default", NULL, NULL, "it stands before the '{'" },
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
	if ((!t->first || t->col > f->keyword.col) && !f->is_loose)
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

/* The option that an address without one was meant for. */
static const struct rule *bare_rule(struct parser *p, const struct block *b)
{
	struct token t = parser_peek(p, LEX_ADDR);
	const char *slash = memchr(t.at, '/', t.len);
	size_t len = slash ? (size_t)(slash - t.at) : t.len;
	struct addr ignored;

	if (addr_parse(FAMILY_IPV4, t.at, len, &ignored))
		return block_rule_named(b, "IPv4_address");
	if (addr_parse(FAMILY_IPV6, t.at, len, &ignored))
		return block_rule_named(b, "IPv6_address");
	return NULL;
}

struct found unknown_find(struct parser *p, struct frame *f,
			  const struct token *t)
{
	struct found found = { .what = FOUND_NOTHING };
	const struct hint *hint = find_hint(f->block, t);
	struct nearest near;

	found.frame = above(f, t);
	if (found.frame) {
		found.what = FOUND_ABOVE;
		return found;
	}
	if (!f->up && p->closed && p->closed->base != NO_BASE &&
	    block_rule(p->closed, t)) {
		found.what = FOUND_CLOSED;
		found.block = p->closed;
		return found;
	}
	found.block = home_of(t);
	if (hint) {
		found.what = hint->use ? FOUND_NEAR : FOUND_NOTHING;
		if (hint->use)
			found.rule = block_rule_named(f->block, hint->use);
		return found;
	}
	if (found.block) {
		found.what = FOUND_ELSEWHERE;
		found.rule = block_rule(found.block, t);
		return found;
	}
	found.rule = bare_rule(p, f->block);
	if (found.rule) {
		found.what = FOUND_BARE;
		return found;
	}
	nearest_init(&near, t->at, t->len);
	for (size_t i = 0; i < f->block->n_rules; i++)
		nearest_try(&near, f->block->rules[i].name);
	if (near.best) {
		found.what = FOUND_NEAR;
		found.rule = block_rule_named(f->block, near.best);
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
	if (!t->first && p->single && t->kind == TOKEN_WORD)
		snprintf(out, NOTE_SIZE, "; %s has one value", p->single);
	else if (!p->brace_path.line && p->path_line == t->line)
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

void unknown_report_unclosed(struct parser *p, const struct frame *f,
			     const struct token *t, const char *name)
{
	const struct odd_close *odd = &p->odd_close;
	char note[NOTE_SIZE], where[NOTE_SIZE] = "";

	path_note(p, t, note);
	if (odd->close.line)
		snprintf(where, NOTE_SIZE,
			 " before %u:%u, which closes %s, opened at %u:%u",
			 (unsigned int)odd->close.line,
			 (unsigned int)odd->close.col, odd->block,
			 (unsigned int)odd->open.line,
			 (unsigned int)odd->open.col);
	parser_expected(p, t, name,
			"%s or '}': %s was opened at %u:%u, a '}' is probably "
			"missing%s%s",
			f->block->items ? f->block->items : "an option",
			f->block->name, (unsigned int)f->open.line,
			(unsigned int)f->open.col, where, note);
}

static void report_above(struct parser *p, const struct frame *f,
			 const struct token *t)
{
	const struct hint *hint = find_hint(f->block, t);

	unknown_report_unclosed(p, f, t,
				hint && hint->name ? hint->name : "unclosed");
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
			     used ? " or " : "", conf_blocks[i]->name);
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

static void report_closed(struct parser *p, const struct token *t)
{
	char text[TOKEN_TEXT_SIZE];

	parser_error(p, token_pos(t), "misplaced",
		     "%s is not a section, it belongs in %s, which was closed "
		     "at %u:%u: is that '}' one too many?",
		     token_text(t, text), p->closed->name,
		     (unsigned int)p->closed_by.line,
		     (unsigned int)p->closed_by.col);
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

static void report_bare(struct parser *p, const struct rule *r)
{
	struct token t = parser_peek(p, LEX_ADDR);
	char text[TOKEN_TEXT_SIZE];

	parser_error(p, token_pos(&t), "option",
		     "found %s without an option, expected %s before it",
		     token_text(&t, text), r->name);
}

void unknown_report(struct parser *p, const struct frame *f,
		    const struct token *t, const struct found *found)
{
	if (found->what != FOUND_NOTHING)
		p->single = NULL;
	if (found->what == FOUND_ABOVE)
		report_above(p, f, t);
	else if (found->what == FOUND_CLOSED)
		report_closed(p, t);
	else if (found->what == FOUND_BARE)
		report_bare(p, found->rule);
	else if (found->block || find_hint(f->block, t))
		report_elsewhere(p, f, t);
	else
		report_unknown(p, f, t, found);
}

static bool is_address(const struct token *t)
{
	const char *slash = memchr(t->at, '/', t->len);
	size_t len = slash ? (size_t)(slash - t->at) : t->len;
	struct addr ignored;

	return addr_parse(FAMILY_IPV4, t->at, len, &ignored) ||
	       addr_parse(FAMILY_IPV6, t->at, len, &ignored);
}

/* True for an option of a block around f. */
static bool is_option_above(const struct frame *f, const struct token *t)
{
	for (f = f->up; f; f = f->up)
		if (!f->is_guest && block_rule(f->block, t))
			return true;
	return false;
}

void unknown_report_item(struct parser *p, const struct frame *f,
			 const struct token *t, const char *name)
{
	const char *note = f->block->id == BLOCK_PROTOCOL && is_address(t)
				   ? "; addresses go into an Address set"
				   : "";

	if (is_option_above(f, t))
		unknown_report_unclosed(p, f, t, name);
	else
		parser_expected(p, t, name, "%s or '}'%s", f->block->items,
				note);
	if (word_is_reserved(t))
		parser_recover(p);
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
				"General, Sync, Stats or Helper%s", note);
	else
		parser_error(p, token_pos(t), "syntax",
			     "found %s, expected %s%s or '}'%s%s",
			     token_text(t, text),
			     b->items ? b->items : "an option of ",
			     b->items ? "" : b->name, stray_hint(p, t), note);
}
