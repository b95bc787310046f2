/* SPDX-License-Identifier: ISC */
/* values.h - reads and writes the value of an option, by the kind of its
 * rule. */
#ifndef CONF_VALUES_H
#define CONF_VALUES_H

#include "conf/parser.h"

/* Reads the value that follows keyword and stores it in f->base. False: told,
 * nothing stored, the parser is to recover. */
NODISCARD bool value_read(struct parser *p, struct frame *f,
			  const struct rule *r, const struct token *keyword);

/* True if the token is yes, no, on or off in any case; *out is written then. */
NODISCARD bool value_is_bool(const struct token *t, bool *out);

/* Copies a token as a text that ends with a zero byte. size is at least
 * t->len + 1. */
void value_copy(char *out, size_t size, const struct token *t);

/* What the man page calls a value of this kind: "number", "yes|no", ... */
const char *value_type(enum rule_kind kind);

#endif
