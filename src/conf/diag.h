/* SPDX-License-Identifier: ISC */
/* diag.h - hands findings to the caller, bounded; shortens what it quotes;
 * finds the word that was meant. */
#ifndef CONF_DIAG_H
#define CONF_DIAG_H

#include <stdarg.h>

#include "conf/conf.h"

struct kept_diag;

struct diags {
	conf_diag_fn *fn; /* may be NULL */
	void *ctx;
	unsigned int n[2];      /* findings of each severity, told or not */
	struct kept_diag *kept; /* to be told in order of their place */
	size_t n_kept;
};

/* Keeps one finding until diag_flush(). After CONF_FINDINGS_MAX of a severity
 * one more says so and the rest is only counted. Without memory a finding is
 * told at once. */
PRINTF_LIKE(5, 0)
void diag_report(struct diags *d, enum conf_severity severity,
		 struct conf_pos at, const char *name, const char *fmt,
		 va_list ap);

/* The same for a finding that has its text already, which is copied. */
void diag_keep(struct diags *d, const struct conf_diag *diag);

/* Tells all findings, the first in the file first, and forgets them. That there
 * are more than were kept comes last. */
void diag_flush(struct diags *d);

enum { DIAG_QUOTE_SIZE = 72 };

/* Writes bytes of the file so that they can be shown: at most some 40 of them,
 * the middle of longer runs left out, what is not printable ASCII as \xNN.
 * Returns out. */
const char *diag_quote(const char *at, size_t len, char out[DIAG_QUOTE_SIZE]);

/* Search for the candidate that is nearest to a word. */
struct nearest {
	const char *word;
	size_t len;
	const char *best; /* NULL: none is near enough */
	unsigned int distance;
};

void nearest_init(struct nearest *n, const char *word, size_t len);

/* Near enough: the same but for case, at most one change in three letters and
 * three in all (a swap of neighbours is one), or a beginning of at least four
 * letters. The first of equals wins. */
void nearest_try(struct nearest *n, const char *candidate);

#endif
