/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "conf_use.h"

#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

struct report {
	conf_diag_fn *fn;
	void *ctx;
	int n_errors;
};

PRINTF_LIKE(5, 6)
static void tell(struct report *r, enum conf_severity severity,
		 const struct conf_pos *at, const char *name, const char *fmt,
		 ...)
{
	char text[512];
	struct conf_diag d = { .severity = severity,
			       .line = at->line,
			       .col = at->col,
			       .len = at->len,
			       .name = name,
			       .text = text };
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->n_errors += severity == CONF_ERROR;
	r->fn(r->ctx, &d);
}

/* ---- this version ------------------------------------------------------- */

static bool has_stats(const struct conf *c)
{
	return c->stats.present;
}

static const struct {
	bool (*is_used)(const struct conf *c);
	const char *option; /* where it stands in the file */
	const char *text;
	bool stops; /* there is nothing that could be done instead */
} not_as_said[] = {
	{ has_stats, "Stats",
	  "the Stats section is not in this version yet: the daemon does not "
	  "start with it",
	  true },
};

int conf_use_version(const struct conf *c, enum conf_severity severity,
		     conf_diag_fn *fn, void *ctx)
{
	struct report r = { fn, ctx, 0 };

	for (size_t i = 0; i < N_ELEMENTS(not_as_said); i++) {
		const struct conf_given *given =
			conf_find_given(c, NULL, not_as_said[i].option, -1);

		/* of an option in a wrong block the parser has told */
		if (given && not_as_said[i].is_used(c))
			tell(&r, not_as_said[i].stops ? severity : CONF_WARNING,
			     &given->at, "version", "%s", not_as_said[i].text);
	}
	/* of a file without any section the parser has said so */
	if (!c->has_errors && c->helper.present && !c->sync.present &&
	    !c->stats.present)
		tell(&r, severity, &c->helper.at, "empty-daemon",
		     "there is nothing but Helper, which is not supported: the "
		     "daemon does not start without a Sync or Stats section");
	return r.n_errors;
}

/* ---- this machine ------------------------------------------------------- */

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* For a path that the file gives: a default one has a fallback, or says itself
 * what is wrong. The log's own descriptors need no file. */
static void check_path(struct report *r, const struct conf *c,
		       enum conf_severity severity, const char *block,
		       const char *option, const char *path)
{
	const struct conf_given *given = conf_find_given(c, block, option, -1);
	const char *slash = strrchr(path, '/');
	char dir[CONF_PATH_MAX + 1];

	if (!given || !slash || log_is_std_file(path))
		return;
	(void)snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path);
	if (is_dir(path))
		tell(r, severity, &given->value, "directory",
		     "%s `%s' is a directory", option, path);
	else if (!is_dir(dir))
		tell(r, severity, &given->value, "missing-directory",
		     "there is no directory `%s' here, for %s", dir, option);
}

int conf_use_machine(const struct conf *c, enum conf_severity severity,
		     conf_diag_fn *fn, void *ctx)
{
	struct report r = { fn, ctx, 0 };

	for (size_t i = 0; i < c->sync.n_links; i++) {
		const struct conf_link *l = &c->sync.links[i];
		const struct conf_given *given =
			conf_find_given(c, NULL, "Interface", (int)i);

		if (l->interface[0] && if_nametoindex(l->interface) == 0)
			/* one of several is enough, and it may still come */
			tell(&r, CONF_WARNING, given ? &given->value : &l->at,
			     "interface", "there is no interface `%s' here",
			     l->interface);
	}
	check_path(&r, c, severity, "General", "LogFile", c->general.log_file);
	/* process_lock() has another place for the default. */
	check_path(&r, c,
		   strcmp(c->general.lock_file, CONF_DEFAULT_LOCK) == 0
			   ? CONF_WARNING
			   : severity,
		   "General", "LockFile", c->general.lock_file);
	check_path(&r, c, severity, "UNIX", "Path", c->general.unix_path);
	check_path(&r, c, severity, "Stats", "LogFile", c->stats.log_file);
	return r.n_errors;
}
