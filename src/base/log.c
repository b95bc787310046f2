/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/log_out.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_N
};

enum place { PLACE_FILE, PLACE_SYSLOG, PLACE_STDOUT, PLACE_STDERR, PLACE_N };

static const char *const place_names[] = {
	[PLACE_FILE] = "log file",
	[PLACE_SYSLOG] = "syslog",
	[PLACE_STDOUT] = "standard output",
	[PLACE_STDERR] = "standard error",
};
_Static_assert(N_ELEMENTS(place_names) == PLACE_N, "a name for each place");

static const struct {
	const char *name;
	int syslog;
	enum place console;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "ERROR", LOG_ERR, PLACE_STDERR },
	[LOG_LEVEL_WARN] = { "warning", LOG_WARNING, PLACE_STDERR },
	[LOG_LEVEL_NOTICE] = { "notice", LOG_NOTICE, PLACE_STDOUT },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO, PLACE_STDOUT },
};
_Static_assert(N_ELEMENTS(levels) == LOG_LEVEL_N, "a row for each level");

/* Files that are descriptors of ours. */
static const struct {
	const char *path;
	int fd;
} std_files[] = {
	{ "/dev/stdout", STDOUT_FILENO },
	{ "/dev/stderr", STDERR_FILENO },
};

enum {
	TEXT_SIZE = 2001,
	LINE_SIZE = TEXT_SIZE + 100, /* less than PIPE_BUF: in one piece */
	CLOSE_WAIT_MS = 1000,        /* for what is held at the end */
};

#define SYSLOG_PATH "/dev/log"

/* The only mutable state of the program that is not passed around: a line may
 * have to be written from anywhere in level 4. */
static struct {
	bool is_open; /* before log_open() lines go to the console */
	int facility; /* of the system's log */
	char *path;   /* of the file; NULL: none */
	struct log_out places[PLACE_N];
} sink;

static int std_fd(const char *path)
{
	for (size_t i = 0; i < N_ELEMENTS(std_files); i++) {
		if (strcmp(path, std_files[i].path) == 0)
			return std_files[i].fd;
	}
	return -1;
}

bool log_is_std_file(const char *path)
{
	return std_fd(path) >= 0;
}

static char *copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = calloc(1, size);

	if (copy)
		memcpy(copy, text, size);
	return copy;
}

static int open_file(const char *path, struct log_out *file)
{
	int fd = std_fd(path);

	return fd >= 0 ? log_out_use_fd(file, fd)
		       : log_out_open_file(file, path);
}

/* A descriptor that cannot be used is a console that is silent. */
static void open_console(void)
{
	if (log_out_use_fd(&sink.places[PLACE_STDOUT], STDOUT_FILENO) < 0 ||
	    log_out_use_fd(&sink.places[PLACE_STDERR], STDERR_FILENO) < 0)
		return;
}

/* *away: why the system's log cannot be reached, which is no failure. */
static int open_places(const struct log_opts *opts, struct log_out *file,
		       struct log_out *syslog, int *away)
{
	int err = opts->file ? open_file(opts->file, file) : 0;

	if (err < 0 || opts->syslog_facility < 0)
		return err;
	*away = log_out_open_syslog(
		syslog, opts->syslog_path ? opts->syslog_path : SYSLOG_PATH);
	if (*away != -ENOMEM)
		return 0;
	log_out_close(file, 0);
	return -ENOMEM;
}

int log_open(const struct log_opts *opts)
{
	struct log_out file = { .kind = LOG_OUT_NONE };
	struct log_out syslog = { .kind = LOG_OUT_NONE };
	char *path = opts->file ? copy_text(opts->file) : NULL;
	int away = 0;
	int err = opts->file && !path
			  ? -ENOMEM
			  : open_places(opts, &file, &syslog, &away);

	if (err < 0) {
		free(path);
		return err;
	}
	log_close();
	tzset();
	sink.is_open = true;
	sink.facility = opts->syslog_facility;
	sink.path = path;
	sink.places[PLACE_FILE] = file;
	sink.places[PLACE_SYSLOG] = syslog;
	if (opts->console && !(path && log_is_std_file(path)))
		open_console();
	if (away < 0)
		log_notice("syslog: %s: lines wait until it answers",
			   strerror(-away));
	return 0;
}

int log_reopen(void)
{
	if (!sink.path || log_is_std_file(sink.path))
		return 0;
	return log_out_reopen(&sink.places[PLACE_FILE], sink.path);
}

void log_console_off(void)
{
	log_out_close(&sink.places[PLACE_STDOUT], CLOSE_WAIT_MS);
	log_out_close(&sink.places[PLACE_STDERR], CLOSE_WAIT_MS);
}

void log_close(void)
{
	for (int i = 0; i < PLACE_N; i++)
		log_out_close(&sink.places[i], CLOSE_WAIT_MS);
	free(sink.path);
	memset(&sink, 0, sizeof(sink));
}

/* Without its end: a file's line gets '\n', a record of syslog has its '\0'. */
static size_t format_line(char line[LINE_SIZE], enum place place,
			  enum log_level level, const char *text)
{
	time_t now = time(NULL);
	char date[32] = ""; /* Tue Nov 24 04:15:03 2026, and a newline */
	int n;

	if (!ctime_r(&now, date))
		date[0] = '\0';
	date[strcspn(date, "\n")] = '\0';
	if (place == PLACE_SYSLOG) /* RFC 3164: no week day, no year */
		n = snprintf(line, LINE_SIZE,
			     "<%d>%.15s conntrack-tools[%ld]: %s",
			     sink.facility | levels[level].syslog, date + 4,
			     (long)getpid(), text);
	else
		n = snprintf(line, LINE_SIZE, "[%s] (pid=%ld) [%s] %s\n", date,
			     (long)getpid(), levels[level].name, text);
	if (n < 0)
		return 0;
	return place == PLACE_SYSLOG ? (size_t)n + 1 : (size_t)n;
}

static void tell_lost(enum place place)
{
	unsigned long n_lost =
		log_out_take_lost(&sink.places[place], LINE_SIZE);
	char line[LINE_SIZE], text[64];

	if (n_lost == 0)
		return;
	(void)snprintf(text, sizeof(text), "%s: %lu lines were lost",
		       place_names[place], n_lost);
	log_out_line(&sink.places[place], line,
		     format_line(line, place, LOG_LEVEL_WARN, text));
}

/* Before there is a log: somebody is at the terminal, and waits for it. */
static void write_terminal(enum log_level level, const char *text)
{
	char line[LINE_SIZE];
	size_t n = format_line(line, levels[level].console, level, text);
	const char *at = line;
	ssize_t done;

	for (; n > 0; at += done, n -= (size_t)done) {
		done = write(levels[level].console == PLACE_STDOUT
				     ? STDOUT_FILENO
				     : STDERR_FILENO,
			     at, n);
		if (done < 0 && errno == EINTR)
			done = 0;
		if (done < 0)
			return;
	}
}

static void write_line(enum log_level level, const char *text)
{
	const enum place places[] = { PLACE_FILE, levels[level].console,
				      PLACE_SYSLOG };
	char line[LINE_SIZE];

	if (!sink.is_open) {
		write_terminal(level, text);
		return;
	}
	for (size_t i = 0; i < N_ELEMENTS(places); i++) {
		struct log_out *o = &sink.places[places[i]];

		if (o->kind == LOG_OUT_NONE)
			continue;
		tell_lost(places[i]);
		log_out_line(o, line,
			     format_line(line, places[i], level, text));
	}
}

bool log_is_behind(void)
{
	bool is_behind = false;

	for (int i = 0; i < PLACE_N; i++)
		is_behind |= log_out_is_behind(&sink.places[i]);
	return is_behind;
}

bool log_flush(void)
{
	for (int i = 0; i < PLACE_N; i++)
		if (log_out_flush(&sink.places[i]) == 0)
			tell_lost((enum place)i);
	return log_is_behind();
}

PRINTF_LIKE(2, 0)
static void log_text(enum log_level level, const char *fmt, va_list ap)
{
	static const char cut[] = "...";
	int saved_errno = errno;
	char text[TEXT_SIZE];
	int n = vsnprintf(text, sizeof(text), fmt, ap);

	if (n >= (int)sizeof(text))
		memcpy(text + sizeof(text) - sizeof(cut), cut, sizeof(cut));
	for (char *c = text; n >= 0 && *c != '\0'; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	if (n >= 0)
		write_line(level, text);
	errno = saved_errno;
}

void log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(LOG_LEVEL_WARN, fmt, ap);
	va_end(ap);
}

void log_notice(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(LOG_LEVEL_NOTICE, fmt, ap);
	va_end(ap);
}

void log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_text(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}
