/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_help.h"

#ifndef SRCDIR
#define SRCDIR "."
#endif

static void keep(void *ctx, const struct conf_diag *d)
{
	struct conf_read *r = ctx;
	struct finding *f = &r->findings[r->n++];

	assert_true(r->n <= N_ELEMENTS(r->findings));
	f->severity = d->severity;
	f->line = d->line;
	f->col = d->col;
	snprintf(f->name, sizeof(f->name), "%s", d->name);
	snprintf(f->text, sizeof(f->text), "%s", d->text);
}

struct conf_read *conf_read_text(const char *text, size_t len)
{
	struct conf_read *r = calloc(1, sizeof(*r));
	char *exact = malloc(len + !len);

	assert_non_null(r);
	assert_non_null(exact);
	memcpy(exact, text, len);
	r->result = conf_parse(exact, len, &r->conf, keep, r);
	free(exact);
	return r;
}

void conf_read_free(struct conf_read *r)
{
	conf_fini(&r->conf);
	free(r);
}

const char *conf_findings(const struct conf_read *r, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < r->n; i++) {
		const struct finding *f = &r->findings[i];
		int n = snprintf(out + used, size - used, "%s%s %u:%u %s",
				 used ? "; " : "",
				 f->severity == CONF_ERROR ? "error"
							   : "warning",
				 f->line, f->col, f->name);

		assert_true(n > 0 && (size_t)n < size - used);
		used += (size_t)n;
	}
	return out;
}

bool conf_has_finding(const struct conf_read *r, enum conf_severity severity,
		      unsigned int line, unsigned int col)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->findings[i].severity == severity &&
		    r->findings[i].line == line && r->findings[i].col == col)
			return true;
	return false;
}

void conf_assert_says(const char *text, const char *says)
{
	struct conf_read *r = conf_read_text(text, strlen(text));
	bool found = false;

	for (size_t i = 0; i < r->n; i++)
		found |= strstr(r->findings[i].text, says) != NULL;
	if (!found)
		fail_msg("%s\n  is:     %s\n  should: %s", text,
			 r->n ? r->findings[0].text : "", says);
	conf_read_free(r);
}

char *conf_load(const char *path, size_t *len)
{
	char full[512];
	char *text;
	FILE *f;
	long size;

	snprintf(full, sizeof(full), "%s/%s", SRCDIR, path);
	f = fopen(full, "rb");
	if (!f)
		fail_msg("cannot open %s (run from the root of the project)",
			 full);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size = ftell(f);
	assert_true(size >= 0);
	rewind(f);
	text = calloc(1, (size_t)size + 1);
	assert_non_null(text);
	*len = fread(text, 1, (size_t)size, f);
	assert_int_equal(*len, size);
	fclose(f);
	return text;
}

char *conf_printed(const struct conf *c, size_t *len)
{
	size_t size = 64; /* too small on purpose: it grows */

	for (;;) {
		struct wr w = { .buf = malloc(size), .size = size };

		assert_non_null(w.buf);
		conf_print(c, &w);
		if (!w.full) {
			*len = w.used;
			return (char *)w.buf;
		}
		free(w.buf);
		size *= 2;
	}
}

void conf_for_each_row(const char *path,
		       void (*fn)(void *ctx, char *cells[TSV_CELLS]), void *ctx)
{
	size_t len;
	char *text = conf_load(path, &len);
	char *line = strchr(text, '\n');

	assert_non_null(line);
	line++;
	while (*line) {
		char *cells[TSV_CELLS] = { NULL };
		char *end = strchr(line, '\n');
		size_t n = 0;

		assert_non_null(end);
		*end = '\0';
		for (char *at = line; at && n < TSV_CELLS; n++) {
			cells[n] = at;
			at = strchr(at, '\t');
			if (at)
				*at++ = '\0';
		}
		fn(ctx, cells);
		line = end + 1;
	}
	free(text);
}
