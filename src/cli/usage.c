/* SPDX-License-Identifier: ISC */
#include "cli/usage.h"

#include <stdio.h>

#include "cli/args.h"

enum { HELP_COLUMN = 27 };

/* ` [ct|expect]`; a word that only warns is not advertised. */
static void write_words(const struct args_word *words, struct wr *out)
{
	const char *before = " [";

	for (; words && words->word; words++) {
		if (words->warning)
			continue;
		wr_printf(out, "%s%s", before, words->word);
		before = "|";
	}
	if (before[0] == '|')
		wr_printf(out, "]");
}

static void write_option(const struct args_row *row, struct wr *out)
{
	size_t start = out->used;
	size_t width;

	wr_printf(out, "  -%c", row->letter);
	if (row->action == ARGS_CONFIG)
		wr_printf(out, " FILE");
	write_words(row->words, out);
	width = out->used - start;
	if (width >= HELP_COLUMN) {
		wr_printf(out, "\n");
		width = 0;
	}
	wr_printf(out, "%*s%s\n", (int)(HELP_COLUMN - width), "", row->help);
}

static bool is_command(const struct args_row *row)
{
	return row->action == ARGS_COMMAND || row->action == ARGS_XML;
}

void usage_text(const char *program, const char *config, struct wr *out)
{
	size_t n;
	const struct args_row *rows = args_rows(&n);

	wr_printf(out,
		  "conntrackd (library-free) v%s: one connection table "
		  "for many firewalls\n"
		  "Usage: %s [-C FILE] [-d | -T | COMMAND]\n\n"
		  "Without -d and without a command it is the daemon, in the "
		  "foreground.\n"
		  "The default FILE is %s\n\n",
		  VERSION, program, config);
	for (size_t i = 0; i < n; i++)
		if (!is_command(&rows[i]))
			write_option(&rows[i], out);
	wr_printf(out, "\nCommands to a running daemon; words may be cut:\n");
	for (size_t i = 0; i < n; i++)
		if (is_command(&rows[i]))
			write_option(&rows[i], out);
	wr_printf(out, "\nThe exit status is 0 if all went well and 1 "
		       "otherwise. See conntrackd(8).\n");
}

void version_text(struct wr *out)
{
	wr_printf(out,
		  "conntrackd (library-free) v%s\n"
		  "Copyright the conntrackd library-free authors. Licence: "
		  "ISC.\n"
		  "Speaks version 1 of the conntrackd synchronisation "
		  "protocol.\n",
		  VERSION);
}
