/* SPDX-License-Identifier: ISC */
/* stray.h - what a character that has no place in the language was probably
 * written for. */
#ifndef CONF_STRAY_H
#define CONF_STRAY_H

#include "conf/parser.h"

/* What to know of it: "", or words in parentheses after a blank. Static. */
const char *stray_hint(const struct parser *p, const struct token *t);

#endif
