/* SPDX-License-Identifier: ISC */
#include "cli/args.h"

#include <string.h>

#include "cli/ctl_proto.h"

static const struct args_word commit_words[] = {
	{ "ct", CTL_COMMIT_CT, NULL },
	{ "expect", CTL_COMMIT_EXPECT, NULL },
	{ NULL, 0, NULL },
};

static const struct args_word internal_words[] = {
	{ "ct", CTL_DUMP_INTERNAL, NULL },
	{ "expect", CTL_DUMP_INTERNAL_EXPECT, NULL },
	{ NULL, 0, NULL },
};

static const struct args_word external_words[] = {
	{ "ct", CTL_DUMP_EXTERNAL, NULL },
	{ "expect", CTL_DUMP_EXTERNAL_EXPECT, NULL },
	{ NULL, 0, NULL },
};

static const struct args_word flush_words[] = {
	{ "internal", CTL_FLUSH_INTERNAL, NULL },
	{ "external", CTL_FLUSH_EXTERNAL, NULL },
	{ NULL, 0, NULL },
};

static const struct args_word kernel_words[] = {
	{ "ct", CTL_FLUSH_KERNEL_CT, NULL },
	{ "expect", CTL_FLUSH_KERNEL_EXPECT, NULL },
	{ NULL, 0, NULL },
};

static const struct args_word resync_words[] = {
	{ "ct", CTL_RESYNC_CT, NULL },
	{ "expect", CTL_RESYNC_EXPECT, NULL },
	{ NULL, 0, NULL },
};

/* New words go behind these: `-s r` must stay `-s runtime`. */
static const struct args_word stats_words[] = {
	{ "network", CTL_STATS_NETWORK, NULL },
	{ "cache", CTL_STATS_CACHE, NULL },
	{ "runtime", CTL_STATS_RUNTIME, NULL },
	{ "multicast", CTL_STATS_LINK,
	  "use `link' instead of `multicast' as parameter." },
	{ "link", CTL_STATS_LINK, NULL },
	{ "rsqueue", CTL_STATS_RSQUEUE, NULL },
	{ "process", CTL_STATS_PROCESS, NULL },
	{ "queue", CTL_STATS_QUEUE, NULL },
	{ "ct", CTL_STATS, NULL },
	{ "expect", CTL_STATS_EXPECT, NULL },
	{ NULL, 0, NULL },
};

/* clang-format off */
static const struct args_row rows[] = {
	{ 'd', ARGS_BACKGROUND, 0, false, NULL,
	  "run in the background; returns once it is ready" },
	{ 'C', ARGS_CONFIG, 0, false, NULL,
	  "read this configuration file" },
	{ 'T', ARGS_CHECK, 0, false, NULL,
	  "check the configuration; twice: print it back too" },
	{ 'v', ARGS_VERSION, 0, false, NULL,
	  "show version, licence and protocol" },
	{ 'h', ARGS_USAGE, 0, false, NULL,
	  "show this text" },
	{ 'c', ARGS_COMMAND, CTL_COMMIT, false, commit_words,
	  "commit the peers' entries to the kernel, and wait" },
	{ 'i', ARGS_COMMAND, CTL_DUMP_INTERNAL, false, internal_words,
	  "list the internal cache: this firewall's entries" },
	{ 'e', ARGS_COMMAND, CTL_DUMP_EXTERNAL, false, external_words,
	  "list the external cache: the peers' entries" },
	{ 'x', ARGS_XML, 0, false, NULL,
	  "with -i or -e: list as XML, one element to a line" },
	{ 'f', ARGS_COMMAND, CTL_FLUSH_CACHES, true, flush_words,
	  "empty both caches or one; the kernel keeps its own" },
	{ 'F', ARGS_COMMAND, CTL_FLUSH_KERNEL, false, kernel_words,
	  "empty the kernel's table; the caches keep theirs" },
	{ 'R', ARGS_COMMAND, CTL_RESYNC, false, resync_words,
	  "fill the internal cache from the kernel anew" },
	{ 'B', ARGS_COMMAND, CTL_SEND_BULK, false, NULL,
	  "send the whole internal cache to the peers" },
	{ 'n', ARGS_COMMAND, CTL_REQUEST_BULK, false, NULL,
	  "ask the peers to send theirs" },
	{ 't', ARGS_COMMAND, CTL_RESET_TIMERS, false, NULL,
	  "empty the kernel's table in PurgeTimeout seconds" },
	{ 'k', ARGS_COMMAND, CTL_KILL, false, NULL,
	  "end the daemon, and wait until it is gone" },
	{ 's', ARGS_COMMAND, CTL_STATS, true, stats_words,
	  "show statistics, in general or of one part" },
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

/* The first word that begins with what is written; "" is the first one. */
static const struct args_word *find_word(const struct args_word *words,
					 const char *beginning)
{
	for (; words->word; words++)
		if (!strncmp(words->word, beginning, strlen(beginning)))
			return words;
	return NULL;
}

static enum args_fault read_command(struct reader *r, const char *arg,
				    const struct args_row *row)
{
	const struct args_word *word = NULL;
	uint8_t xml;

	if (!sets_role(r, ROLE_CLIENT))
		return fault(r, ARGS_BAD_COMBINATION, arg, row->letter);
	r->req.code = row->code;
	if (row->words && is_parameter(r)) {
		word = find_word(row->words, r->next[0]);
		if (!word && row->must_match)
			return fault(r, ARGS_UNKNOWN_PARAMETER, r->next[0],
				     row->letter);
	}
	if (word) {
		r->next++;
		r->n_left--;
		r->req.code = word->code;
		if (word->warning)
			r->req.warning = word->warning;
	}
	if (!r->has_xml)
		return ARGS_OK;
	xml = ctl_row((unsigned int)r->req.code)->xml;
	if (!xml)
		return fault(r, ARGS_BAD_COMBINATION, arg, row->letter);
	r->req.code = xml;
	r->has_xml = false;
	return ARGS_OK;
}

/* Belongs to the dump before it or, without a command so far, to the next. */
static enum args_fault read_xml(struct reader *r, const char *arg)
{
	uint8_t xml = 0;

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
	case ARGS_COMMAND:
		return read_command(r, arg, row);
	case ARGS_XML:
		return read_xml(r, arg);
	}
	return ARGS_OK;
}

/* What follows the letter in the same word is ignored, as the reference
 * does: `-ix` is -i. A word without a dash is no option. */
static const struct args_row *find_row(const char *arg)
{
	if (arg[0] != '-' || !arg[1])
		return NULL;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		if (rows[i].letter == arg[1])
			return &rows[i];
	return NULL;
}

static enum args_fault read_all(struct reader *r)
{
	enum args_fault result = ARGS_OK;

	while (r->n_left > 0 && result == ARGS_OK) {
		const char *arg = *r->next++;
		const struct args_row *row = find_row(arg);

		r->n_left--;
		result = row ? read_option(r, arg, row)
			     : fault(r, ARGS_UNKNOWN_OPTION, arg, 0);
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
