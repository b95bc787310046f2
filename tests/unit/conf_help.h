/* SPDX-License-Identifier: ISC */
/* conf_help.h - configurations under test: read in an exact-size block, with
 * all findings kept. */
#ifndef UNIT_CONF_HELP_H
#define UNIT_CONF_HELP_H

#include <stdbool.h>

#include "conf/conf.h"

struct finding {
	enum conf_severity severity;
	unsigned int line, col;
	char name[32];
	char text[512];
};

struct conf_read {
	struct finding findings[2 * CONF_FINDINGS_MAX + 2];
	size_t n;
	int result; /* of conf_parse() */
	struct conf conf;
};

/* Reads text; release with conf_read_free(). */
struct conf_read *conf_read_text(const char *text, size_t len);
void conf_read_free(struct conf_read *r);

/* Writes the findings as "error 5:11 range-hash; warning ..." to out. */
const char *conf_findings(const struct conf_read *r, char *out, size_t size);

bool conf_has_finding(const struct conf_read *r, enum conf_severity severity,
		      unsigned int line, unsigned int col);

/* Reads text; the test fails if no finding says this. */
void conf_assert_says(const char *text, const char *says);

/* The file at a path from the root of the project; freed by the caller, ends
 * with a zero byte that *len does not count. The test fails without it. */
char *conf_load(const char *path, size_t *len);

/* conf_print() into a new block, freed by the caller. */
char *conf_printed(const struct conf *c, size_t *len);

/* Calls fn for each row of a table of cells separated by tabs, the first row
 * left out. cells is valid until fn returns. */
enum { TSV_CELLS = 10 };
void conf_for_each_row(const char *path,
		       void (*fn)(void *ctx, char *cells[TSV_CELLS]),
		       void *ctx);

#endif
