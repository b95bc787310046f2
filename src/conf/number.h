/* SPDX-License-Identifier: ISC */
/* number.h - decimal numbers with a range, and what they are mistaken for. */
#ifndef CONF_NUMBER_H
#define CONF_NUMBER_H

#include "conf/parser.h"

/* Reads digits only; the value saturates. False: other bytes are among them,
 * or there are none; *out is untouched. */
NODISCARD bool number_digits(const char *at, size_t len, uint64_t *out);

/* Reads the number t as the value of rule r in frame f: range checked, 0
 * replaced by the default where the rule says so. *out is written on true;
 * false: told. */
NODISCARD bool number_read(struct parser *p, const struct frame *f,
			   const struct rule *r, const struct token *t,
			   uint32_t *out);

#endif
