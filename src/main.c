/* SPDX-License-Identifier: ISC */
/* main.c - reads the command line and does what it says. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/args.h"
#include "cli/ctl_client.h"
#include "cli/usage.h"
#include "conf_file.h"
#include "notify.h"
#include "setup.h"

enum { ERROR_MAX = 512 };

static int print(const struct wr *w)
{
	size_t n = fwrite(w->buf, 1, w->used, stdout);

	return n == w->used && fflush(stdout) == 0 ? 0 : 1;
}

static int print_usage(const char *program)
{
	uint8_t text[USAGE_MAX];
	struct wr w = { .buf = text, .size = sizeof(text) };

	usage_text(program, CONF_DEFAULT_FILE, &w);
	return print(&w);
}

static int print_version(void)
{
	uint8_t text[USAGE_MAX];
	struct wr w = { .buf = text, .size = sizeof(text) };

	version_text(&w);
	return print(&w);
}

static int refuse(const char *program, const struct args_error *err)
{
	uint8_t text[ERROR_MAX];
	struct wr w = { .buf = text, .size = sizeof(text) };

	if (err->fault != ARGS_UNKNOWN_PARAMETER)
		(void)print_usage(program);
	args_error_text(err, &w);
	log_error("%.*s", (int)w.used, (const char *)text);
	return 1;
}

/* The file is needed for its UNIX path only. Where it gives none, its daemon
 * listens on the default; but if there are errors, the path may be in what
 * could not be read, and the default may be another daemon's. */
static int run_client(const struct request *r, const char *path,
		      struct conf *conf)
{
	uint8_t text[CTL_WHY_MAX];
	struct wr why = { .buf = text, .size = sizeof(text) };
	int n = conf_file_read(path, CONF_FOR_CLIENT, conf);
	struct ctl_client_opts opts = { .code = r->code,
					.out_fd = STDOUT_FILENO };
	int status;

	if (n < 0 || (n > 0 && !conf->general.has_unix_path))
		return 1;
	opts.path = conf->general.unix_path;
	status = ctl_client_run(&opts, &why);
	if (why.used && status)
		log_error("%.*s", (int)why.used, (const char *)text);
	else if (why.used)
		log_warn("%.*s", (int)why.used, (const char *)text);
	return status;
}

static int check(const char *path, bool is_printed, struct conf *conf)
{
	int n = conf_file_read(path, CONF_FOR_CHECK, conf);

	if (n != 0)
		return 1;
	fprintf(stderr, "%s: ok\n", path);
	return !is_printed || conf_file_print(conf) ? 0 : 1;
}

static int serve(const struct conf *conf, bool is_background)
{
	struct setup setup;
	int status = 1;

	if (setup_read(conf, is_background, &setup) == 0)
		status = daemon_main(&setup.daemon);
	else
		log_error("can't start: %s", strerror(ENOMEM));
	setup_fini(&setup);
	return status;
}

static int run(const struct request *r, const char *program)
{
	const char *path = r->config ? r->config : CONF_DEFAULT_FILE;
	struct conf conf;
	int status = 1;

	conf_defaults(&conf);
	switch (r->role) {
	case ROLE_USAGE:
		return print_usage(program);
	case ROLE_VERSION:
		return print_version();
	case ROLE_CLIENT:
		status = run_client(r, path, &conf);
		break;
	case ROLE_CHECK:
	case ROLE_PRINT:
		status = check(path, r->role == ROLE_PRINT, &conf);
		break;
	case ROLE_DAEMON:
		/* Log files, lock and socket are for root only. */
		(void)umask(0177);
		if (conf_file_read(path, CONF_FOR_DAEMON, &conf) != 0)
			break;
		if (!conf.general.systemd)
			notify_off();
		status = serve(&conf, r->is_background);
		break;
	}
	conf_fini(&conf);
	return status;
}

int main(int argc, char **argv)
{
	const char *program = argc > 0 ? argv[0] : "conntrackd";
	struct args_error err;
	struct request r;

	if (args_parse(argc, argv, &r, &err) != ARGS_OK)
		return refuse(program, &err);
	if (r.warning)
		log_warn("%s", r.warning);
	return run(&r, program);
}
