/* SPDX-License-Identifier: ISC */
#include "conf/given.h"

#include <string.h>

#include "conf/kinds.h"

/* Where the place of an option is kept. One value has one place, whatever name
 * it is given by, in however many blocks of its kind, and also where a block
 * further out has the same option of the same object (Sync and its modes). */
static struct option_pos *slot_of(struct parser *p, struct frame *f,
				  const struct rule *r)
{
	const struct rule *same =
		block_rule_named(f->block, r->modern ? r->modern : r->name);
	struct frame *home = f;
	struct frame *up = f->is_guest ? NULL : f->up;

	for (; up && up->base == f->base && !up->is_guest; up = up->up) {
		const struct rule *outer =
			block_rule_named(up->block, same->name);

		if (outer) {
			home = up;
			same = outer;
		}
	}
	if (home->block->base == NO_BASE || home->is_guest)
		return &home->own_pos[same - home->block->rules];
	return &p->pos[home->block->id][same - home->block->rules];
}

struct conf_pos given_earlier(struct parser *p, struct frame *f,
			      const struct rule *r)
{
	return slot_of(p, f, r)->at;
}

bool given_is_section(const struct frame *f, const struct rule *r)
{
	return f->block->id == BLOCK_FILE && r->kind == RULE_BLOCK &&
	       !(r->flags & RULE_LEGACY);
}

void given_again(struct parser *p, const struct frame *f, struct conf_pos at,
		 struct conf_pos first, const char *name, const char *what)
{
	if (first.line && !(f && f->is_extra))
		parser_warn(p, at, "duplicate",
			    "%s is given again, that at %u:%u %s", name,
			    (unsigned int)first.line, (unsigned int)first.col,
			    what);
}

static bool is_scalar(const struct rule *r)
{
	return conf_kinds[r->kind].is_single && !(r->flags & RULE_IGNORED);
}

/* Blocks with an .enter of their own tell that themselves. */
static void tell_again(struct parser *p, const struct frame *f,
		       const struct rule *r, struct conf_pos at,
		       struct conf_pos first)
{
	if (given_is_section(f, r) && first.line && !f->is_extra)
		parser_error(p, at, "duplicate-section",
			     "a second section %s, the first is at %u:%u: "
			     "write its options there",
			     r->name, (unsigned int)first.line,
			     (unsigned int)first.col);
	else if (is_scalar(r))
		given_again(p, f, at, first, r->modern ? r->modern : r->name,
			    r->flags & RULE_FIRST_COUNTS ? "counts"
							 : "no longer counts");
	else if (r->kind == RULE_BLOCK && !r->enter && !given_is_section(f, r))
		given_again(p, f, at, first, r->name, READ_AS_ONE);
}

void given_add(struct parser *p, struct frame *f, const struct rule *r,
	       const struct token *at, const struct token *value)
{
	struct conf *c = p->conf;
	struct conf_given *given;
	struct option_pos *pos = slot_of(p, f, r);

	tell_again(p, f, r, token_pos(at), pos->at);
	/* of many sections the first one is named */
	if (!given_is_section(f, r) || !pos->at.line)
		pos->at = token_pos(at);
	pos->value = value ? token_pos(value) : (struct conf_pos){ 0 };
	if (f->is_guest) /* in the wrong place, and told */
		return;
	given = parser_grow(p, c->given, c->n_given, sizeof(*given));
	if (!given)
		return;
	c->given = given;
	given[c->n_given++] = (struct conf_given){
		.block = f->block->name,
		.option = r->modern ? r->modern : r->name,
		.at = token_pos(at),
		.value = pos->value,
		.link = (uint8_t)(f->link < 0 ? 0 : f->link),
	};
}

const struct conf_given *conf_find_given(const struct conf *c,
					 const char *block, const char *option,
					 int link)
{
	for (size_t i = c->n_given; i-- > 0;) {
		const struct conf_given *g = &c->given[i];

		if ((!block || !strcmp(g->block, block)) &&
		    !strcmp(g->option, option) && (link < 0 || g->link == link))
			return g;
	}
	return NULL;
}
