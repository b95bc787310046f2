/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "conf_use.h"

#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

static bool polls(const struct conf *c)
{
	return c->general.poll_s != 0;
}

static bool filters_in_kernel(const struct conf *c)
{
	return c->filter.from_kernelspace;
}

static bool syncs_expectations(const struct conf *c)
{
	return c->sync.expect_sync != CONF_EXPECT_OFF;
}

static bool has_no_external_cache(const struct conf *c)
{
	return c->sync.disable_external_cache;
}

static bool has_no_internal_cache(const struct conf *c)
{
	return c->sync.disable_internal_cache;
}

static bool is_alarm(const struct conf *c)
{
	return c->sync.present && c->sync.mode == CONF_ALARM;
}

static bool is_notrack(const struct conf *c)
{
	return c->sync.present && c->sync.mode == CONF_NOTRACK;
}

static bool uses_tcp(const struct conf *c)
{
	return c->sync.n_links && c->sync.links[0].kind == CONF_TCP;
}

static bool has_stats(const struct conf *c)
{
	return c->stats.present;
}

static const struct {
	bool (*is_used)(const struct conf *c);
	enum conf_severity severity;
	const char *option; /* where it stands in the file */
	const char *instead;
} not_yet[] = {
	{ polls, CONF_WARNING, "PollSecs", "events are used" },
	{ filters_in_kernel, CONF_WARNING, "Filter",
	  "the filter works in user space, with the same result" },
	{ syncs_expectations, CONF_WARNING, "ExpectationSync",
	  "expectations are not replicated" },
	{ has_no_internal_cache, CONF_ERROR, "DisableInternalCache", NULL },
	{ has_no_external_cache, CONF_ERROR, "DisableExternalCache", NULL },
	{ is_alarm, CONF_ERROR, "Mode", NULL },
	{ is_notrack, CONF_ERROR, "Mode", NULL },
	{ uses_tcp, CONF_ERROR, "TCP", NULL },
	{ has_stats, CONF_ERROR, "Stats", NULL },
};

int conf_use_version(const struct conf *c, conf_diag_fn *fn, void *ctx)
{
	static const struct conf_pos nowhere = { 1, 1, 0 };
	struct report r = { fn, ctx, 0 };

	for (size_t i = 0; i < N_ELEMENTS(not_yet); i++) {
		const char *option = not_yet[i].option;
		const struct conf_given *given =
			conf_find_given(c, NULL, option, -1);

		if (!not_yet[i].is_used(c))
			continue;
		tell(&r, not_yet[i].severity, given ? &given->at : &nowhere,
		     "version", "`%s' used so is not in this version yet%s%s",
		     option, not_yet[i].instead ? ": " : "",
		     not_yet[i].instead ? not_yet[i].instead : "");
	}
	if (!c->sync.present && !c->stats.present)
		tell(&r, CONF_ERROR, &nowhere, "missing",
		     "there is neither a Sync nor a Stats section: nothing to "
		     "do");
	return r.n_errors;
}

/* ---- this machine ------------------------------------------------------- */

static bool has_dir(const char *path)
{
	char dir[CONF_PATH_MAX + 1];
	const char *slash = strrchr(path, '/');
	struct stat st;

	if (!slash || slash == path)
		return true;
	(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	return stat(dir, &st) == 0 && S_ISDIR(st.st_mode);
}

static void check_dir(struct report *r, const struct conf *c,
		      enum conf_severity severity, const char *block,
		      const char *option, const char *path)
{
	const struct conf_given *given = conf_find_given(c, block, option, -1);

	/* A default path has a fallback, or says itself what is wrong. */
	if (given && path[0] && !has_dir(path))
		tell(r, severity, &given->value, "missing-directory",
		     "there is no directory for %s `%s'", option, path);
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
			tell(&r, severity, given ? &given->value : &l->at,
			     "interface", "there is no interface `%s' here",
			     l->interface);
	}
	check_dir(&r, c, severity, "General", "LogFile", c->general.log_file);
	check_dir(&r, c, severity, "General", "LockFile", c->general.lock_file);
	check_dir(&r, c, severity, "UNIX", "Path", c->general.unix_path);
	return r.n_errors;
}
