/* SPDX-License-Identifier: ISC */
/* log.h - where the daemon's lines go: file, syslog, console. Only level 4
 * calls log_*(); lower levels return their errors. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/util.h"

struct log_opts {
	const char *file;    /* NULL: none; opened for append, mode 0600 */
	int syslog_facility; /* a LOG_* facility of syslog(3); -1: none */
	bool console;        /* info and notice to stdout, the rest to stderr */
};

/* Opens the sinks; what was open before stays open on failure. Returns 0 or
 * a negative errno value of opening the file. Strings are copied. The files
 * /dev/stdout and /dev/stderr are the descriptors 1 and 2 (which may be
 * sockets, and need no /proc); the console is then silent, so no line comes
 * twice. */
NODISCARD int log_open(const struct log_opts *opts);

/* Opens the file anew (after it was rotated). 0 or a negative errno value;
 * on failure lines go on to the old one. */
NODISCARD int log_reopen(void);

/* Whether a path is one of these two. */
NODISCARD bool log_is_std_file(const char *path);

/* Switches the console sink on or off (after the start has succeeded). */
void log_console(bool on);

/* Closes file and syslog; lines go to the console again. */
void log_close(void);

/* One line `[<date>] (pid=<pid>) [<level>] <text>` (spec cli 2.6); syslog gets
 * the text only. Before log_open(): the console. Control characters become
 * '?', so that nobody can forge lines; text beyond 2000 bytes is cut and ends
 * with "...". A line that cannot be written is lost, and how many were is said
 * when writing succeeds again; errno is kept. */
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_notice(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
