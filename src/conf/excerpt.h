/* SPDX-License-Identifier: ISC */
/* excerpt.h - the line of a finding, and a caret under its place. */
#ifndef CONF_EXCERPT_H
#define CONF_EXCERPT_H

#include "base/buf.h"
#include "conf/conf.h"

/* Bytes that suffice for one excerpt. */
enum { EXCERPT_MAX = 1024 };

/* Writes two lines to out: what a terminal shows of the line in which *at is,
 * with tabs as blanks and what it could act on as '?', and the caret. Of a long
 * line only the part around the place is written. A place behind the end of the
 * line or of the text has its caret there. Every valid UTF-8 sequence counts as
 * one column. */
void excerpt(const char *text, size_t len, const struct conf_pos *at,
	     struct wr *out);

#endif
