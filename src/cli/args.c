/* SPDX-License-Identifier: ISC */
#include "cli/args.h"

#include <string.h>

#include "cli/ctl_rows.h"

/* clang-format off */
static const struct args_row rows[] = {
	{ 'd', ARGS_BACKGROUND, NULL,
	  "run in the background; returns once it is ready" },
	{ 'C', ARGS_CONFIG, "FILE", "read this configuration file" },
	{ 'T', ARGS_CHECK, NULL,
	  "check the configuration; twice: print it back too" },
	{ 'v', ARGS_VERSION, NULL, "show version, licence and protocol" },
	{ 'h', ARGS_USAGE, NULL, "show this text" },
	{ 'x', ARGS_XML, NULL,
	  "with -i or -e: list as XML, one element to a line" },
};
/* clang-format on */

const struct args_row *args_rows(size_t *n)
{
	*n = N_ELEMENTS(rows);
	return rows;
}

struct reader {
	char *const *next; /* the rest of argv */
	int n_left;
	struct request req;
	bool has_command;
	bool has_xml; /* an -x waits for the command it belongs to */
	struct args_error err;
};

static enum args_fault fault(struct reader *r, enum args_fault what,
			     const char *word, char letter)
{
	r->err = (struct args_error){ what, word, letter };
	return what;
}

/* The daemon, a command and a check exclude each other; so do two commands of
 * different roles, while of several client commands the last one counts. */
static bool sets_role(struct reader *r, enum role role)
{
	if (r->req.is_background || r->has_command)
		return r->has_command && role == ROLE_CLIENT &&
		       r->req.role == ROLE_CLIENT;
	r->req.role = role;
	r->has_command = true;
	return true;
}

static bool is_parameter(const struct reader *r)
{
	return r->n_left > 0 && r->next[0][0] != '-';
}

static enum args_fault read_command(struct reader *r, const char *arg,
				    const struct ctl_row *row)
{
	char letter = ctl_row_letter(row);
	const struct ctl_row *with_word = NULL;
	uint16_t xml;

	if (!sets_role(r, ROLE_CLIENT))
		return fault(r, ARGS_BAD_COMBINATION, arg, letter);
	r->req.code = row->code;
	if (is_parameter(r)) {
		with_word = ctl_row_with_word(letter, r->next[0]);
		if (!with_word && row->is & CTL_IS_STRICT)
			return fault(r, ARGS_UNKNOWN_PARAMETER, r->next[0],
				     letter);
	}
	if (with_word) {
		r->next++;
		r->n_left--;
		r->req.code = with_word->code;
		if (with_word->warning)
			r->req.warning = with_word->warning;
	}
	if (!r->has_xml)
		return ARGS_OK;
	xml = ctl_row((unsigned int)r->req.code)->xml;
	if (!xml)
		return fault(r, ARGS_BAD_COMBINATION, arg, letter);
	r->req.code = xml;
	r->has_xml = false;
	return ARGS_OK;
}

/* Belongs to the dump before it or, without a command so far, to the next. */
static enum args_fault read_xml(struct reader *r, const char *arg)
{
	uint16_t xml = 0;

	if (r->has_command && r->req.role == ROLE_CLIENT)
		xml = ctl_row((unsigned int)r->req.code)->xml;
	if (xml)
		r->req.code = xml;
	else if (r->has_command || r->has_xml)
		return fault(r, ARGS_BAD_COMBINATION, arg, 'x');
	else
		r->has_xml = true;
	return ARGS_OK;
}

static enum args_fault read_option(struct reader *r, const char *arg,
				   const struct args_row *row)
{
	switch (row->action) {
	case ARGS_BACKGROUND:
		if (r->has_command)
			return fault(r, ARGS_BAD_COMBINATION, arg, 'd');
		r->req.is_background = true;
		return ARGS_OK;
	case ARGS_CONFIG:
		if (!r->n_left)
			return fault(r, ARGS_NO_CONFIG_NAME, arg, 'C');
		r->req.config = *r->next++;
		r->n_left--;
		return ARGS_OK;
	case ARGS_CHECK:
		if (r->has_command && r->req.role == ROLE_CHECK)
			r->req.role = ROLE_PRINT;
		else if (r->req.role != ROLE_PRINT && !sets_role(r, ROLE_CHECK))
			return fault(r, ARGS_BAD_COMBINATION, arg, 'T');
		return ARGS_OK;
	case ARGS_VERSION:
		r->req.role = ROLE_VERSION;
		r->n_left = 0;
		return ARGS_OK;
	case ARGS_USAGE:
		r->req.role = ROLE_USAGE;
		r->n_left = 0;
		return ARGS_OK;
	case ARGS_XML:
		return read_xml(r, arg);
	}
	return ARGS_OK;
}

/* What follows the letter in the same word is ignored, as the reference
 * does: `-ix` is -i. A word without a dash is no option. */
static enum args_fault read_word(struct reader *r, const char *arg)
{
	const struct ctl_row *command;

	if (arg[0] != '-' || !arg[1])
		return fault(r, ARGS_UNKNOWN_OPTION, arg, 0);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (rows[i].letter == arg[1])
			return read_option(r, arg, &rows[i]);
	command = ctl_row_typed(arg[1]);
	return command ? read_command(r, arg, command)
		       : fault(r, ARGS_UNKNOWN_OPTION, arg, 0);
}

static enum args_fault read_all(struct reader *r)
{
	enum args_fault result = ARGS_OK;

	while (r->n_left > 0 && result == ARGS_OK) {
		const char *arg = *r->next++;

		r->n_left--;
		result = read_word(r, arg);
	}
	if (result == ARGS_OK && r->has_xml && r->req.role != ROLE_USAGE &&
	    r->req.role != ROLE_VERSION)
		result = fault(r, ARGS_BAD_COMBINATION, "-x", 'x');
	return result;
}

enum args_fault args_parse(int argc, char *const *argv, struct request *out,
			   struct args_error *err)
{
	struct reader r = {
		.next = argv + (argc > 0),
		.n_left = argc - (argc > 0),
		.req = { .role = ROLE_DAEMON },
	};
	enum args_fault result = read_all(&r);

	if (result == ARGS_OK)
		*out = r.req;
	else
		*err = r.err;
	return result;
}

void args_error_text(const struct args_error *err, struct wr *out)
{
	switch (err->fault) {
	case ARGS_OK:
	case ARGS_N_FAULTS:
		break;
	case ARGS_UNKNOWN_OPTION:
		wr_printf(out, "Unknown option: %s", err->word);
		break;
	case ARGS_BAD_COMBINATION:
		wr_printf(out,
			  "Invalid parameters: `%s' does not go with the "
			  "rest",
			  err->word);
		break;
	case ARGS_NO_CONFIG_NAME:
		wr_printf(out, "Missing config filename");
		break;
	case ARGS_UNKNOWN_PARAMETER:
		wr_printf(out, "unknown parameter `%s' for option `-%c'",
			  err->word, err->letter);
		break;
	}
}
