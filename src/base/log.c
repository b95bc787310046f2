/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_NOTICE,
	LOG_LEVEL_INFO,
	LOG_LEVEL_N
};

static const struct {
	const char *name;
	int syslog;
	int console_fd;
} levels[] = {
	[LOG_LEVEL_ERROR] = { "ERROR", LOG_ERR, STDERR_FILENO },
	[LOG_LEVEL_WARN] = { "warning", LOG_WARNING, STDERR_FILENO },
	[LOG_LEVEL_NOTICE] = { "notice", LOG_NOTICE, STDOUT_FILENO },
	[LOG_LEVEL_INFO] = { "info", LOG_INFO, STDOUT_FILENO },
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

enum { TEXT_SIZE = 2001, LINE_SIZE = TEXT_SIZE + 100 };

/* The only mutable state of the program that is not passed around: a line may
 * have to be written from anywhere in level 4. */
static struct {
	bool is_open;
	bool is_console; /* wanted; before log_open() it is on anyway */
	bool is_std;     /* the file is one of std_files */
	bool is_syslog;
	int fd;               /* of the file, if path is set */
	char *path;           /* NULL: no file */
	unsigned long n_lost; /* lines since a write to the file failed */
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

/* O_NONBLOCK: a named pipe that nobody empties must not stop the daemon. */
static int open_file(const char *path)
{
	int fd = std_fd(path);

	if (fd >= 0)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	else
		fd = open(path,
			  O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
				  O_NONBLOCK,
			  0600);
	return fd < 0 ? -errno : fd;
}

static char *copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = calloc(1, size);

	if (copy)
		memcpy(copy, text, size);
	return copy;
}

int log_open(const struct log_opts *opts)
{
	char *path = NULL;
	int fd = -1;

	if (opts->file) {
		path = copy_text(opts->file);
		fd = path ? open_file(path) : -ENOMEM;
		if (fd < 0) {
			free(path);
			return fd;
		}
	}
	log_close();
	tzset();
	if (opts->syslog_facility >= 0)
		openlog("conntrack-tools", LOG_PID, opts->syslog_facility);
	sink.is_open = true;
	sink.is_console = opts->console;
	sink.is_std = path && std_fd(path) >= 0;
	sink.is_syslog = opts->syslog_facility >= 0;
	sink.fd = fd;
	sink.path = path;
	return 0;
}

int log_reopen(void)
{
	int fd;

	if (!sink.path || sink.is_std)
		return 0;
	fd = open_file(sink.path);
	if (fd < 0)
		return fd;
	close(sink.fd);
	sink.fd = fd;
	return 0;
}

void log_console(bool on)
{
	sink.is_console = on;
}

void log_close(void)
{
	if (sink.path)
		close(sink.fd);
	if (sink.is_syslog)
		closelog();
	free(sink.path);
	memset(&sink, 0, sizeof(sink));
}

/* 0 or a negative errno value. A line goes out by one call, so that those of
 * several processes do not mix; a rest is tried again. */
static int write_all(int fd, const char *at, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, at, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

static size_t format_line(char line[LINE_SIZE], enum log_level level,
			  const char *text)
{
	time_t now = time(NULL);
	char date[32]; /* Tue Nov 24 04:15:03 2026, and a newline */
	int n;

	if (!ctime_r(&now, date))
		date[0] = '\0';
	date[strcspn(date, "\n")] = '\0';
	n = snprintf(line, LINE_SIZE, "[%s] (pid=%ld) [%s] %s\n", date,
		     (long)getpid(), levels[level].name, text);
	return n < 0 ? 0 : (size_t)n;
}

static void write_file(const char *line, size_t n)
{
	char lost[LINE_SIZE], text[64];

	if (sink.n_lost > 0) {
		snprintf(text, sizeof(text), "log file: %lu lines were lost",
			 sink.n_lost);
		if (write_all(sink.fd, lost,
			      format_line(lost, LOG_LEVEL_WARN, text)) == 0)
			sink.n_lost = 0;
	}
	if (sink.n_lost > 0 || write_all(sink.fd, line, n) < 0)
		sink.n_lost++;
}

static void write_line(enum log_level level, const char *text)
{
	char line[LINE_SIZE];
	size_t n = format_line(line, level, text);

	if (sink.path)
		write_file(line, n);
	if (!sink.is_open || (sink.is_console && !sink.is_std))
		(void)write_all(levels[level].console_fd, line, n);
	if (sink.is_syslog)
		syslog(levels[level].syslog, "%s", text);
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
