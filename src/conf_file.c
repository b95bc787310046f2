/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/diag.h"
#include "conf/excerpt.h"
#include "conf_use.h"

enum {
	FIRST_SIZE = 16384,
	MOST_BYTES = 64 << 20, /* nobody writes that by hand */
};

struct file {
	const char *path;
	char *text;
	size_t len;
	bool is_terminal;   /* stderr: show the line */
	struct diags found; /* by the parser, and by this machine */
};

/* Reads all there is, from a file or a pipe. 0 or a negative errno value. */
static int slurp(int fd, struct file *f)
{
	size_t size = 0;

	for (;;) {
		ssize_t n;

		if (f->len == size) {
			char *text;

			size = size ? size * 2 : FIRST_SIZE;
			if (size > MOST_BYTES)
				return -EFBIG;
			text = realloc(f->text, size);
			if (!text)
				return -ENOMEM;
			f->text = text;
		}
		n = read(fd, f->text + f->len, size - f->len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return 0;
		if (n > 0)
			f->len += (size_t)n;
	}
}

/* /dev/stdin is descriptor 0, also where there is no /dev or it is a socket. */
static int open_file(const char *path)
{
	if (strcmp(path, "/dev/stdin") == 0)
		return fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int read_file(struct file *f)
{
	int fd = open_file(f->path);
	int err = fd < 0 ? -errno : slurp(fd, f);

	if (fd >= 0)
		close(fd);
	if (err < 0)
		log_error("can't open config file `%s': %s", f->path,
			  strerror(-err));
	return err;
}

static void show_line(const struct file *f, const struct conf_diag *d)
{
	uint8_t text[EXCERPT_MAX];
	struct wr w = { .buf = text, .size = sizeof(text) };
	struct conf_pos at = { d->line, d->col, d->len };

	excerpt(f->text, f->len, &at, &w);
	(void)fwrite(w.buf, 1, w.used, stderr);
}

static void print_finding(void *ctx, const struct conf_diag *d)
{
	const struct file *f = ctx;

	fprintf(stderr, "%s:%u:%u: %s: %s [%s]\n", f->path, d->line, d->col,
		d->severity == CONF_ERROR ? "error" : "warning", d->text,
		d->name);
	if (f->is_terminal)
		show_line(f, d);
}

static void keep_finding(void *ctx, const struct conf_diag *d)
{
	struct file *f = ctx;

	diag_keep(&f->found, d);
}

/* A client needs one path of the file: its output stays clean. */
static void tell_count(const struct file *f, int n_errors)
{
	if (n_errors > 0)
		fprintf(stderr, "%s: %d error%s, see conntrackd -C %s -T\n",
			f->path, n_errors, n_errors > 1 ? "s" : "", f->path);
}

/* What is not to be had stops the daemon; a check may be on another machine. */
static int judge(struct file *f, enum conf_purpose purpose, struct conf *out)
{
	enum conf_severity severity =
		purpose == CONF_FOR_DAEMON ? CONF_ERROR : CONF_WARNING;
	bool is_client = purpose == CONF_FOR_CLIENT;
	int n = conf_parse(f->text, f->len, out,
			   is_client ? NULL : keep_finding, f);

	if (n >= 0 && is_client)
		tell_count(f, n);
	else if (n >= 0)
		n += conf_use_version(out, severity, keep_finding, f) +
		     conf_use_machine(out, severity, keep_finding, f);
	diag_flush(&f->found);
	if (n < 0)
		log_error("%s: %s", f->path, strerror(-n));
	return n < 0 ? -1 : n;
}

int conf_file_read(const char *path, enum conf_purpose purpose,
		   struct conf *out)
{
	struct file f = { .path = path, .is_terminal = isatty(STDERR_FILENO) };
	int n = -1;

	f.found = (struct diags){ .fn = print_finding, .ctx = &f };

	conf_defaults(out);
	if (read_file(&f) == 0)
		n = judge(&f, purpose, out);
	free(f.text);
	return n;
}

bool conf_file_print(const struct conf *c)
{
	struct wr w = { .size = FIRST_SIZE };

	for (;;) {
		uint8_t *buf = realloc(w.buf, w.size);

		if (!buf)
			break;
		w = (struct wr){ .buf = buf, .size = w.size };
		conf_print(c, &w);
		if (!w.full) {
			bool ok = fwrite(w.buf, 1, w.used, stdout) == w.used &&
				  fflush(stdout) == 0;

			free(w.buf);
			return ok;
		}
		w.size *= 2;
	}
	free(w.buf);
	return false;
}
