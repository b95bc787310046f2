/* SPDX-License-Identifier: ISC */
#include "conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/check.h"
#include "conf/clauses.h"
#include "conf/parser.h"

void conf_defaults(struct conf *out)
{
	*out = (struct conf){ .given = NULL };
	for (size_t i = 0; i < BLOCKS; i++)
		if (conf_blocks[i]->base != NO_BASE)
			block_defaults(conf_blocks[i],
				       (char *)out + conf_blocks[i]->base);
	out->general.sched_priority = 0; /* of a Type only */
}

void conf_fini(struct conf *c)
{
	if (!c)
		return;
	free(c->filter.nets);
	free(c->sync.expect_names);
	free(c->helper.types);
	free(c->given);
	*c = (struct conf){ .given = NULL };
}

/* Every second byte of English text in UTF-16 is zero: one finding is enough.
 */
static bool is_utf16(struct parser *p, const char *text, size_t len)
{
	struct conf_pos at = { 1, 1, 1 };

	if (len >= 2 &&
	    (!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2))) {
		parser_error(p, at, "encoding",
			     "the file is in UTF-16, save it as UTF-8");
		return true;
	}
	if (len < 4 || (!text[0] == !text[1]) || (!text[2] == !text[3]))
		return false;
	at.col = text[0] ? 2 : 1;
	parser_error(p, at, "nul", "NUL byte: is this file in UTF-16?");
	return true;
}

int conf_parse(const char *text, size_t len, struct conf *out, conf_diag_fn *fn,
	       void *ctx)
{
	struct parser p = { .diags = { .fn = fn, .ctx = ctx }, .conf = out };

	conf_defaults(out);
	out->general.unix_path[0] = '\0'; /* to see whether it is given */
	out->general.sched_priority = SCHED_PRIORITY_DEFAULT;
	if (!len)
		text = "";
	lexer_init(&p.lx, text, len);
	if (p.lx.pos)
		parser_warn(&p, (struct conf_pos){ 1, 1, 0 }, "encoding-mark",
			    "the byte order mark at the beginning is skipped");
	if (!is_utf16(&p, text, len))
		clauses_read(&p);
	if (!p.err)
		check_run(&p);
	if (!out->general.unix_path[0])
		memcpy(out->general.unix_path, CONF_DEFAULT_SOCKET,
		       sizeof(CONF_DEFAULT_SOCKET));
	out->has_errors = p.diags.n[CONF_ERROR] > 0;
	diag_flush(&p.diags);
	return p.err ? p.err : (int)p.diags.n[CONF_ERROR];
}
