/* SPDX-License-Identifier: ISC */
#include "cli/usage.h"

#include <stdio.h>

#include "cli/args.h"
#include "cli/ctl_rows.h"

enum { HELP_COLUMN = 27 };

/* Behind what stands in the line from start on. */
static void write_help(const char *help, size_t start, struct wr *out)
{
	size_t width = out->used - start;

	if (width >= HELP_COLUMN) {
		wr_printf(out, "\n");
		width = 0;
	}
	wr_printf(out, "%*s%s\n", (int)(HELP_COLUMN - width), "", help);
}

static void write_option(const struct args_row *row, struct wr *out)
{
	size_t start = out->used;

	wr_printf(out, "  -%c", row->letter);
	if (row->argument)
		wr_printf(out, " %s", row->argument);
	write_help(row->help, start, out);
}

/* ` [ct|expect]`; a word that warns, or does not work yet, is not
 * advertised. */
static void write_words(char letter, struct wr *out)
{
	const char *before = " [";
	size_t n;
	const struct ctl_row *rows = ctl_rows(&n);

	for (size_t i = 0; i < n; i++) {
		const struct ctl_row *r = &rows[i];
		const char *word = ctl_row_word(r);

		if (ctl_row_letter(r) != letter || !word || r->warning ||
		    !ctl_row_is_built(ctl_row(r->code)))
			continue;
		wr_printf(out, "%s%s", before, word);
		before = "|";
	}
	if (before[0] == '|')
		wr_printf(out, "]");
}

static void write_command(const struct ctl_row *row, struct wr *out)
{
	size_t start = out->used;

	wr_printf(out, "  %s", row->option);
	write_words(ctl_row_letter(row), out);
	write_help(row->help, start, out);
}

static bool has_xml(const struct ctl_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].xml && ctl_row_is_built(ctl_row(rows[i].xml)))
			return true;
	return false;
}

/* What a daemon of this version refuses; others may know it. */
static void write_missing(struct wr *out)
{
	const char *before = "\nNot in this version:\n  ";
	size_t n;
	const struct ctl_row *rows = ctl_rows(&n);

	for (size_t i = 0; i < n; i++) {
		if (!ctl_row_letter(&rows[i]) ||
		    ctl_row_is_built(ctl_row(rows[i].code)))
			continue;
		wr_printf(out, "%s%s", before, rows[i].option);
		before = ", ";
	}
	if (!has_xml(rows, n)) {
		wr_printf(out, "%s-x", before);
		before = ", ";
	}
	if (before[0] == ',')
		wr_printf(out, "\n");
}

static void write_commands(struct wr *out)
{
	size_t n;
	const struct ctl_row *rows = ctl_rows(&n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].help)
			write_command(&rows[i], out);
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
		if (rows[i].action != ARGS_XML)
			write_option(&rows[i], out);
	wr_printf(out, "\nCommands to a running daemon; words may be cut:\n");
	write_commands(out);
	for (size_t i = 0; i < n; i++)
		if (rows[i].action == ARGS_XML)
			write_option(&rows[i], out);
	write_missing(out);
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
