/* SPDX-License-Identifier: ISC */
/* given.h - where each option stands in the file, and what is said of one that
 * is given again. */
#ifndef CONF_GIVEN_H
#define CONF_GIVEN_H

#include "conf/parser.h"

/* Remembers that the option stands at `at`, with this value (NULL: none), in
 * the frame and in conf->given. Tells if it stood somewhere before, but for
 * blocks with an .enter of their own, which know more to say. */
void given_add(struct parser *p, struct frame *f, const struct rule *r,
	       const struct token *at, const struct token *value);

/* Where the option stands already; line 0: nowhere. It is the same option by
 * another name, in another block of its kind, and in Sync and its modes. */
struct conf_pos given_earlier(struct parser *p, struct frame *f,
			      const struct rule *r);

/* Warns of what is given again: `NAME is given again, that at L:C WHAT`. Says
 * nothing if it was not given before (line 0), or in a frame that is extra.
 * f NULL: in no frame. */
void given_again(struct parser *p, const struct frame *f, struct conf_pos at,
		 struct conf_pos first, const char *name, const char *what);

/* WHAT of a block of options. */
#define READ_AS_ONE "is read as one with it"

/* True for General, Sync, Stats and Helper, which are written once: with two of
 * them it is not seen which of their options count. */
bool given_is_section(const struct frame *f, const struct rule *r);

#endif
