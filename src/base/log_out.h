/* SPDX-License-Identifier: ISC */
/* log_out.h - one place where lines go: a file, a standard descriptor, the
 * system's log. It never makes its caller wait: what cannot be written at once
 * is held, and what there is no room for is lost and counted. */
#ifndef BASE_LOG_OUT_H
#define BASE_LOG_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/util.h"

enum {
	LOG_HELD_MAX = 32768, /* bytes that are held of one place */
	LOG_SYSLOG_PATH_MAX = 107,
};

enum log_out_kind { LOG_OUT_NONE, LOG_OUT_BYTES, LOG_OUT_SYSLOG };

/* A zeroed one is open for nothing: lines vanish. */
struct log_out {
	enum log_out_kind kind;
	int fd;         /* ours; of the system's log -1 while it is away */
	bool is_socket; /* of bytes: takes MSG_DONTWAIT */
	bool may_wait;  /* a write could; so a look at the descriptor first */
	bool is_stream; /* of the system's log: old ones take connections */
	char path[LOG_SYSLOG_PATH_MAX + 1];
	char *held; /* what waits: the bytes between from and to */
	size_t from, to;
	unsigned long n_lost; /* lines, since log_out_take_lost() */
};

/* Opens a file for append, made with mode 0600 less the umask. A named pipe
 * without a reader is -ENXIO. 0 or a negative errno value with *o untouched, as
 * below. */
NODISCARD int log_out_open_file(struct log_out *o, const char *path);

/* Uses descriptor fd (1, 2), which stays the caller's. Whoever else has it sees
 * no change: not even O_NONBLOCK is set on what it refers to. */
NODISCARD int log_out_use_fd(struct log_out *o, int fd);

/* The system's log behind a socket (/dev/log). When it is made anew, lines go
 * there. 0; -ENOMEM: *o is untouched; another negative errno value: it is open,
 * but what listens there cannot be reached yet, and lines are held. */
int log_out_open_syslog(struct log_out *o, const char *path);

/* Goes on in the file that has this name now, with what is held. A failure
 * leaves it in the old one. */
NODISCARD int log_out_reopen(struct log_out *o, const char *path);

/* Writes one line, n bytes with its end: '\n', of the system's log '\0'. What
 * is held goes first. */
void log_out_line(struct log_out *o, const char *line, size_t n);

/* Writes what is held. 0: all is written; -EAGAIN: it takes no more for now;
 * another negative errno value: it cannot be written to. */
int log_out_flush(struct log_out *o);

/* Lines that were lost, if there is room for n bytes to tell of them; 0: none,
 * or no room. They count as told. */
unsigned long log_out_take_lost(struct log_out *o, size_t n);

/* Whether something is held, or was lost and not told. */
bool log_out_is_behind(const struct log_out *o);

/* Writes what is held, waiting up to wait_ms for it, then closes. */
void log_out_close(struct log_out *o, int wait_ms);

#endif
