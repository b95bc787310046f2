/* SPDX-License-Identifier: ISC */
/* unknown.h - what a word that is no option of the open block may have been
 * meant to be, and how to say so. */
#ifndef CONF_UNKNOWN_H
#define CONF_UNKNOWN_H

#include "conf/parser.h"

enum found_what {
	FOUND_NOTHING,
	FOUND_ABOVE,     /* a '}' is missing: option of the open block .frame */
	FOUND_CLOSED,    /* option of .block, the section that ended before */
	FOUND_ELSEWHERE, /* option of another block */
	FOUND_NEAR,      /* nearly .rule of this block */
	FOUND_BARE,      /* a value of .rule, whose name is missing */
};

struct found {
	enum found_what what;
	struct frame *frame;
	const struct block *block;
	const struct rule *rule;
};

/* True if the word is an option of a block around f, and stands so far to the
 * left that it was written as one. */
bool unknown_is_above(struct parser *p, struct frame *f, const struct token *t);

struct found unknown_find(struct parser *p, struct frame *f,
			  const struct token *t);

void unknown_report(struct parser *p, const struct frame *f,
		    const struct token *t, const struct found *found);

/* Tells that the block is still open at t, under this name, and where it was
 * probably to be closed. */
void unknown_report_unclosed(struct parser *p, const struct frame *f,
			     const struct token *t, const char *name);

/* Tells of a word in a list (it was taken) that cannot be one of its items,
 * under this name. After a word of the language the rest of what looks like a
 * clause is skipped. */
void unknown_report_item(struct parser *p, const struct frame *f,
			 const struct token *t, const char *name);

/* Tells of a token that is no word where an option is due. */
void unknown_report_stray(struct parser *p, const struct frame *f,
			  const struct token *t);

#endif
