/* SPDX-License-Identifier: ISC */
/* kinds.h - all there is to know of a kind of value, a row for each. `at` is
 * the place of the value itself, of the type that enum rule_kind names. */
#ifndef CONF_KINDS_H
#define CONF_KINDS_H

#include "base/buf.h"
#include "conf/parser.h"

struct kind {
	const char *type; /* in the man page: "number", "yes|no", ... */
	enum lex_class class;
	size_t size;      /* of the value, in bytes; 0: text, or none */
	bool is_single;   /* given again, it replaces what was given before */
	bool is_ranged;   /* the rule's .min and .max are its limits */
	const char *noun; /* what a number in this range is; NULL: no name */
	const char *zero_note; /* appended where 0 is told to be the default */
	/* Reads the token into f->base. False: told, and nothing is stored.
	 * NULL: no value follows the option's name. */
	bool (*read)(struct parser *p, struct frame *f, const struct rule *r,
		     const struct token *t);
	/* NULL: it is as zero bytes are. */
	void (*set_default)(const struct rule *r, void *at);
	/* True if the option is absent, and its absence has no word. */
	bool (*is_unset)(const struct rule *r, const void *at);
	/* Writes a value that is not unset, so that read gives the same again.
	 * NULL: it is not written; is_unset is NULL too. */
	void (*print)(struct wr *w, const void *at);
};

/* By enum rule_kind. */
extern const struct kind conf_kinds[RULE_KINDS];

#endif
