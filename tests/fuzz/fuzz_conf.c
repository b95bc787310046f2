/* SPDX-License-Identifier: ISC */
/* fuzz_conf.c - lexer, parser, checks and printer: no text may crash them, and
 * what is printed for a file without errors reads as the same again. */
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(void *ctx, const struct conf_diag *d)
{
	size_t *n = ctx;

	/* texts that are not texts would be met here */
	*n += strlen(d->text) + strlen(d->name);
	if (!d->line || !d->col || !*d->text || !*d->name)
		abort();
}

/* Prints into a block that is grown until it suffices. */
static char *print(const struct conf *c, size_t *len)
{
	for (size_t size = 4096;; size *= 4) {
		struct wr w = { .buf = malloc(size), .size = size };

		if (!w.buf)
			abort();
		conf_print(c, &w);
		if (!w.full) {
			*len = w.used;
			return (char *)w.buf;
		}
		free(w.buf);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf c, again;
	size_t n = 0, first_len, second_len;
	char *first, *second;
	int result = conf_parse((const char *)data, size, &c, look, &n);

	if (result == 0) {
		first = print(&c, &first_len);
		if (conf_parse(first, first_len, &again, look, &n) != 0)
			abort();
		second = print(&again, &second_len);
		if (first_len != second_len ||
		    memcmp(first, second, first_len) != 0)
			abort();
		free(first);
		free(second);
		conf_fini(&again);
	}
	conf_fini(&c);
	return 0;
}
