/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "base/log_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* ---- opening ------------------------------------------------------------ */

/* O_NONBLOCK: a named pipe that nobody empties must not stop the daemon. */
static int open_file(const char *path)
{
	int fd = open(path,
		      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
			      O_NONBLOCK,
		      0600);

	if (fd < 0)
		return -errno;
	return fd;
}

/* Takes over fresh, its descriptor included. */
static int begin(struct log_out *o, struct log_out *fresh)
{
	fresh->held = calloc(1, LOG_HELD_MAX);
	if (!fresh->held) {
		if (fresh->fd >= 0)
			close(fresh->fd);
		return -ENOMEM;
	}
	*o = *fresh;
	return 0;
}

int log_out_open_file(struct log_out *o, const char *path)
{
	struct log_out fresh = { .kind = LOG_OUT_BYTES, .fd = open_file(path) };

	return fresh.fd < 0 ? fresh.fd : begin(o, &fresh);
}

/* A pipe or terminal of others, opened once more: O_NONBLOCK belongs to what
 * was opened, so theirs is left as it is. -1: not to be had (no /proc, a pipe
 * of another user). */
static int open_once_more(int fd)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

int log_out_use_fd(struct log_out *o, int fd)
{
	struct log_out fresh = { .kind = LOG_OUT_BYTES, .fd = -1 };
	struct stat st;
	bool can_wait;

	if (fstat(fd, &st) < 0)
		return -errno;
	fresh.is_socket = S_ISSOCK(st.st_mode);
	/* A file is not opened once more: others write at the same offset. */
	can_wait = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode);
	if (can_wait)
		fresh.fd = open_once_more(fd);
	if (fresh.fd < 0) {
		fresh.may_wait = can_wait;
		fresh.fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	}
	return fresh.fd < 0 ? -errno : begin(o, &fresh);
}

/* A connected socket of one type, or a negative errno value. */
static int connect_to(const struct sockaddr_un *to, int type)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int connect_syslog(struct log_out *o)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	_Static_assert(sizeof(o->path) <= sizeof(to.sun_path), "fits");
	if (o->fd >= 0)
		close(o->fd);
	memcpy(to.sun_path, o->path, sizeof(o->path));
	o->is_stream = false;
	o->fd = connect_to(&to, SOCK_DGRAM);
	if (o->fd != -EPROTOTYPE)
		return o->fd < 0 ? o->fd : 0;
	o->is_stream = true;
	o->fd = connect_to(&to, SOCK_STREAM);
	return o->fd < 0 ? o->fd : 0;
}

int log_out_open_syslog(struct log_out *o, const char *path)
{
	struct log_out fresh = { .kind = LOG_OUT_SYSLOG, .fd = -1 };
	int err;

	(void)snprintf(fresh.path, sizeof(fresh.path), "%s", path);
	err = begin(o, &fresh);
	return err < 0 ? err : connect_syslog(o);
}

/* ---- writing ------------------------------------------------------------ */

static bool takes_bytes(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, wait_ms) == 1;
}

/* Bytes written, or a negative errno value. A line goes out by one call, so
 * that those of several processes do not mix. */
static ssize_t write_bytes(const struct log_out *o, const char *at, size_t n)
{
	ssize_t done;

	if (o->may_wait && !takes_bytes(o->fd, 0))
		return -EAGAIN;
	do
		done = o->is_socket
			       ? send(o->fd, at, n, MSG_DONTWAIT | MSG_NOSIGNAL)
			       : write(o->fd, at, n);
	while (done < 0 && errno == EINTR);
	return done < 0 ? -errno : done;
}

/* The zero byte at its end is the mark of a record in a stream, nothing that
 * belongs into a datagram. */
static ssize_t send_record(const struct log_out *o, const char *at, size_t n)
{
	ssize_t done;

	if (o->fd < 0)
		return -ENOTCONN;
	done = send(o->fd, at, o->is_stream ? n : n - 1, MSG_NOSIGNAL);
	if (done < 0)
		return -errno;
	return o->is_stream ? done : (ssize_t)n;
}

/* One that has been started anew listens at a new socket, maybe while the old
 * one is still there and full. */
static ssize_t write_syslog(struct log_out *o, const char *at, size_t n)
{
	ssize_t done = send_record(o, at, n);
	int err;

	if (done >= 0 || (done == -EAGAIN && o->is_stream))
		return done;
	err = connect_syslog(o);
	return err < 0 ? err : send_record(o, at, n);
}

static ssize_t write_some(struct log_out *o, const char *at, size_t n)
{
	return o->kind == LOG_OUT_SYSLOG ? write_syslog(o, at, n)
					 : write_bytes(o, at, n);
}

/* ---- what is held ------------------------------------------------------- */

static bool has_room(const struct log_out *o, size_t n)
{
	return o->to - o->from + n <= LOG_HELD_MAX;
}

static void hold(struct log_out *o, const char *line, size_t n)
{
	if (o->to + n > LOG_HELD_MAX) {
		memmove(o->held, o->held + o->from, o->to - o->from);
		o->to -= o->from;
		o->from = 0;
	}
	memcpy(o->held + o->to, line, n);
	o->to += n;
}

/* Length of the first line held, with its end. */
static size_t first_line(const struct log_out *o)
{
	const char *at = o->held + o->from;
	const char *end = memchr(at, o->kind == LOG_OUT_SYSLOG ? '\0' : '\n',
				 o->to - o->from);

	return end ? (size_t)(end - at) + 1 : o->to - o->from;
}

int log_out_flush(struct log_out *o)
{
	while (o->from < o->to) {
		size_t n = first_line(o);
		ssize_t done = write_some(o, o->held + o->from, n);

		if (done < 0)
			return (int)done;
		o->from += (size_t)done;
	}
	o->from = o->to = 0;
	return 0;
}

void log_out_line(struct log_out *o, const char *line, size_t n)
{
	if (o->kind == LOG_OUT_NONE)
		return;
	if (!has_room(o, n))
		(void)log_out_flush(o);
	/* After a loss nothing goes on before the loss is told. */
	if (o->n_lost || !has_room(o, n)) {
		o->n_lost++;
		return;
	}
	hold(o, line, n);
	(void)log_out_flush(o);
}

unsigned long log_out_take_lost(struct log_out *o, size_t n)
{
	unsigned long n_lost = o->n_lost;

	if (n_lost && !has_room(o, n))
		(void)log_out_flush(o);
	if (!has_room(o, n))
		return 0;
	o->n_lost = 0;
	return n_lost;
}

bool log_out_is_behind(const struct log_out *o)
{
	return o->from < o->to || o->n_lost;
}

/* ---- the end ------------------------------------------------------------ */

int log_out_reopen(struct log_out *o, const char *path)
{
	int fd = open_file(path);

	if (fd < 0)
		return fd;
	(void)log_out_flush(o);
	close(o->fd);
	o->fd = fd;
	return 0;
}

static int64_t clock_ms(void)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now) < 0)
		return 0;
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void log_out_close(struct log_out *o, int wait_ms)
{
	int64_t end_ms = clock_ms() + wait_ms, left_ms = wait_ms;

	while (log_out_flush(o) == -EAGAIN && left_ms > 0 &&
	       takes_bytes(o->fd, (int)left_ms))
		left_ms = end_ms - clock_ms();
	free(o->held);
	if (o->kind != LOG_OUT_NONE && o->fd >= 0)
		close(o->fd);
	*o = (struct log_out){ .kind = LOG_OUT_NONE };
}
