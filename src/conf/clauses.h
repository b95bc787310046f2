/* SPDX-License-Identifier: ISC */
/* clauses.h - the one loop over blocks and clauses: each is read as its table
 * says. */
#ifndef CONF_CLAUSES_H
#define CONF_CLAUSES_H

#include "conf/parser.h"

/* Reads all of the text into p->conf, which has its defaults. p->lx and
 * p->diags are ready, the rest is zero. */
void clauses_read(struct parser *p);

#endif
