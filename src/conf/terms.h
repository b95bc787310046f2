/* SPDX-License-Identifier: ISC */
/* terms.h - words of the language that stand for a value: yes and no, modes,
 * TCP states. conf.h has the names of facilities and kinds of links. */
#ifndef CONF_TERMS_H
#define CONF_TERMS_H

#include "base/util.h"
#include "conf/conf.h"
#include "conf/diag.h"
#include "conf/lexer.h"

/* True if the token is yes, no, on or off in any case; *out is written then. */
NODISCARD bool term_bool(const struct token *t, bool *out);

/* The mode of that name in any case, also of one that is no longer written:
 * *old is then that name in capitals, otherwise NULL. False: it is no mode, and
 * nothing is written. */
NODISCARD bool term_mode(const struct token *t, enum conf_mode *out,
			 const char **old);

/* Tries the names of today's modes; see nearest_try(). */
void term_nearest_mode(struct nearest *near);

/* The TCP state (enum flow_tcp_state) of exactly that name; *out is written on
 * true. */
NODISCARD bool term_state(const struct token *t, unsigned int *out);

/* "SYN_SENT", ...; NULL: none of enum flow_tcp_state. */
const char *term_state_name(unsigned int state);

/* Tries the names of all TCP states. */
void term_nearest_state(struct nearest *near);

#endif
