/* SPDX-License-Identifier: ISC */
/* log.h - where the daemon's lines go: file, syslog, console. Only level 4
 * calls log_*(); lower levels return their errors. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/util.h"

struct log_opts {
	const char *file;        /* NULL: none; opened for append, mode 0600 */
	int syslog_facility;     /* a LOG_* facility of syslog(3); -1: none */
	const char *syslog_path; /* NULL: /dev/log */
	bool console; /* info and notice to stdout, the rest to stderr */
};

/* Opens the places that lines go to; what was open before stays open on
 * failure. Returns 0 or a negative errno value of opening the file. Strings are
 * copied. The files /dev/stdout and /dev/stderr are the descriptors 1 and 2
 * (which may be sockets, and need no /proc); the console is then silent, so no
 * line comes twice. A system's log that cannot be reached yet is a notice. */
NODISCARD int log_open(const struct log_opts *opts);

/* Opens the file anew (after it was rotated). 0 or a negative errno value;
 * on failure lines go on to the old one. */
NODISCARD int log_reopen(void);

/* Whether a path is one of these two. */
NODISCARD bool log_is_std_file(const char *path);

/* No more lines to the console (after the start has succeeded). */
void log_console_off(void);

/* Whether lines are held, or were lost and that was not told yet. */
NODISCARD bool log_is_behind(void);

/* Writes what is held, as far as it is taken, and tells what was lost. Answers
 * as log_is_behind() then would. */
bool log_flush(void);

/* Closes all places, after a wait of a second for each that does not take what
 * is held; lines go to the console again. */
void log_close(void);

/* One line `[<date>] (pid=<pid>) [<level>] <text>` (PROTOCOL.md 8.1); syslog
 * gets `conntrack-tools[<pid>]: <text>`. Before log_open(): the console.
 * Control characters become '?', so that nobody can forge lines; text beyond
 * 2000 bytes is cut and ends with "...". Nothing ever waits for a reader: a
 * line that cannot be written is held, 32 KiB of them for each place; what
 * there is no room for is lost, and how many were is said in the same place
 * when it takes lines again. errno is kept. */
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_notice(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
