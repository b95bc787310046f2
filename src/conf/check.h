/* SPDX-License-Identifier: ISC */
/* check.h - what no single option can show: parts that are missing, and
 * combinations that cannot work. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/parser.h"

/* Judges p->conf after the whole text was read, reports, and makes values
 * effective that depend on others. */
void check_run(struct parser *p);

#endif
