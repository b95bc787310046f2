/* SPDX-License-Identifier: ISC */
/* words.h - which words belong to the language. One of them among names means
 * that a brace or a value is missing there. */
#ifndef CONF_WORDS_H
#define CONF_WORDS_H

#include "conf/lexer.h"

/* True for keywords of today's language, booleans and modes: the reference
 * takes none of them for a name. Legacy clauses are words like others. */
bool word_is_reserved(const struct token *t);

/* True if t has the form of a name: a letter, then letters, digits, '.', '-',
 * '_'. */
bool word_has_form_of_name(const struct token *t);

/* True if the reference takes t for a name: its form, not reserved, and not
 * one to four hexadecimal digits, which it reads as an IPv6 address. */
bool word_is_name(const struct token *t);

#endif
