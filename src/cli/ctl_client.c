/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE /* struct ucred */
#include "cli/ctl_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/ctl_proto.h"
#include "cli/ctl_socket.h"

enum {
	PIECE_SIZE = 65536,
	SILENCE_MS = 10000,
	MUTE_MS = 300000,
	REFUSALS_MAX = 3, /* of a daemon that is about to end */
};

enum outcome {
	OUTCOME_DONE,      /* the answer is complete */
	OUTCOME_EMPTY,     /* the daemon does not know answers with status */
	OUTCOME_UNKNOWN,   /* nor, therefore, this request of our own */
	OUTCOME_NO_DAEMON, /* nobody listens */
	OUTCOME_SILENT,    /* somebody does, but does not answer */
	OUTCOME_CUT,       /* the connection ended too early */
	OUTCOME_OUTPUT,    /* the answer cannot be written */
};

/* A process as the system sees it. */
struct process {
	char state; /* of proc(5); 0: it cannot be seen */
	unsigned long long cpu_ticks;
};

struct exchange {
	struct ctl_client_opts o;
	const struct ctl_row *row;
	int fd;
	pid_t pid;        /* of the daemon; 0: not known */
	char state;       /* of its process, when it did not answer */
	int64_t heard_ms; /* when there was last a sign of life */
	int n_refusals;
	struct ctl_answer answer;
	int status; /* OUTCOME_DONE */
	const char *reason;
	int err; /* positive errno value of the last failure; 0: none */
};

static int64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* True once there is something to read (or an end of file), false after the
 * limit. */
static bool wait_readable(int fd, unsigned int limit_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t end_ms = clock_ms() + limit_ms;

	for (;;) {
		int64_t left_ms = end_ms - clock_ms();

		if (poll(&p, 1, left_ms > 0 ? (int)left_ms : 0) > 0)
			return true;
		if (left_ms <= 0)
			return false;
	}
}

/* 0 or a positive errno value. */
static int write_all(int fd, struct rd text)
{
	while (text.left > 0) {
		ssize_t n = write(fd, text.at, text.left);

		if (n >= 0) {
			text.at += n;
			text.left -= (size_t)n;
		} else if (errno == EAGAIN) { /* it was handed to us so */
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			(void)poll(&p, 1, -1);
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

/* 0 or a positive errno value. */
static int send_code(int fd, uint32_t request)
{
	ssize_t n;

	do
		n = send(fd, &request, sizeof(request), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno;
	return n == sizeof(request) ? 0 : EIO;
}

/* ---- is it alive? ------------------------------------------------------- */

/* Who listens; a daemon of the conntrack-tools that has gone to the background
 * has listened in a process that is no more. */
static pid_t peer_pid(int fd)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0
		       ? peer.pid
		       : 0;
}

/* The text n fields on; fields are separated by one space each. */
static const char *skip_fields(const char *at, int n)
{
	for (; at && n > 0; n--) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at;
}

/* Fields 3, 14 and 15 of /proc/PID/stat (proc(5)); field 2 is a name in
 * parentheses, and may have any of its own. */
static struct process look_at(pid_t pid)
{
	struct process p = { 0 };
	char path[32], text[1024];
	char *end;
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return p;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = skip_fields(strrchr(text, ')'), 1);
	if (!at || *at == 'Z') /* somebody else has its socket */
		return p;
	p.state = *at;
	at = skip_fields(at, 11);
	if (at) {
		p.cpu_ticks = strtoull(at, &end, 10);
		p.cpu_ticks += strtoull(end, NULL, 10);
	}
	return p;
}

/* Whether anything at all is answered on a second connection. */
static bool answers(struct exchange *x)
{
	int fd = ctl_socket_connect(x->o.path, x->o.silence_ms);
	bool is_answered;

	if (fd == -EAGAIN)
		return false;
	/* It takes no more requests: it is about to end. */
	if (fd < 0)
		return ++x->n_refusals <= REFUSALS_MAX;
	is_answered = send_code(fd, CTL_STATS_PROCESS) != 0 ||
		      wait_readable(fd, x->o.silence_ms);
	close(fd);
	return is_answered;
}

static bool is_alive(struct exchange *x)
{
	struct process before = look_at(x->pid), after;

	if (answers(x)) {
		x->heard_ms = clock_ms();
		return true;
	}
	after = look_at(x->pid);
	x->state = after.state;
	if (before.state && after.state)
		return after.cpu_ticks != before.cpu_ticks;
	return clock_ms() - x->heard_ms < x->o.mute_ms;
}

/* True once there is something to read, false if nothing will come. */
static bool wait_for_answer(struct exchange *x)
{
	while (!wait_readable(x->fd, x->o.silence_ms))
		if (!ctl_row_is_long(x->row) || !is_alive(x))
			return false;
	x->heard_ms = clock_ms();
	return true;
}

/* ---- one connection ----------------------------------------------------- */

/* Copies text until the end of the connection. */
static enum outcome copy_answer(struct exchange *x, bool with_status)
{
	uint8_t buf[PIECE_SIZE];
	struct rd text;
	ssize_t n;

	for (;;) {
		struct rd in = { .at = buf };

		if (!wait_for_answer(x))
			return OUTCOME_SILENT;
		n = recv(x->fd, buf, sizeof(buf), 0);
		if (n == 0)
			return OUTCOME_DONE;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			x->err = errno;
			return OUTCOME_CUT;
		}
		in.left = (size_t)n;
		while (with_status
			       ? ctl_answer_text(&x->answer, &in, &text)
			       : rd_take(&in, in.left, &text) && text.left) {
			x->err = write_all(x->o.out_fd, text);
			if (x->err)
				return OUTCOME_OUTPUT;
		}
	}
}

static enum outcome judge_end(struct exchange *x)
{
	switch (ctl_answer_end(&x->answer, &x->status, &x->reason)) {
	case CTL_END_STATUS:
		return OUTCOME_DONE;
	case CTL_END_EMPTY:
		return OUTCOME_EMPTY;
	case CTL_END_CUT:
		break;
	}
	return OUTCOME_CUT;
}

/* One connection: request and answer, in one of the two forms. */
static enum outcome ask(struct exchange *x, bool with_status)
{
	uint32_t request = (uint32_t)x->o.code;
	enum outcome outcome = OUTCOME_CUT;

	if (with_status)
		request |= CTL_WITH_STATUS;
	x->fd = ctl_socket_connect(x->o.path, x->o.silence_ms);
	if (x->fd < 0) {
		x->err = -x->fd;
		return x->fd == -EAGAIN ? OUTCOME_SILENT : OUTCOME_NO_DAEMON;
	}
	x->pid = peer_pid(x->fd);
	x->heard_ms = clock_ms();
	x->err = send_code(x->fd, request);
	if (!x->err)
		outcome = copy_answer(x, with_status);
	close(x->fd);
	if (outcome == OUTCOME_DONE && with_status)
		outcome = judge_end(x);
	return outcome;
}

static void describe(const struct exchange *x, enum outcome outcome,
		     struct wr *why)
{
	switch (outcome) {
	case OUTCOME_DONE:
		wr_printf(why, "%s", x->reason);
		break;
	case OUTCOME_NO_DAEMON: /* scripts look for this text */
		wr_printf(why, "can't connect: is conntrackd running? "
			       "appropriate permissions?");
		break;
	case OUTCOME_SILENT:
		wr_printf(why, "the daemon does not answer");
		if (x->state == 'T' || x->state == 't')
			wr_printf(why, ": its process %ld is stopped",
				  (long)x->pid);
		break;
	case OUTCOME_UNKNOWN:
		wr_printf(why, "this daemon does not know `%s'",
			  x->row->option);
		break;
	case OUTCOME_OUTPUT:
		wr_printf(why, "can't write the answer: %s", strerror(x->err));
		break;
	case OUTCOME_EMPTY:
	case OUTCOME_CUT:
		wr_printf(why, "the daemon ended before the answer did%s%s",
			  x->err ? ": " : "", x->err ? strerror(x->err) : "");
		break;
	}
}

int ctl_client_run(const struct ctl_client_opts *opts, struct wr *why)
{
	struct exchange x = { .o = *opts, .reason = "" };
	enum outcome outcome;

	if (!x.o.silence_ms)
		x.o.silence_ms = SILENCE_MS;
	if (!x.o.mute_ms)
		x.o.mute_ms = MUTE_MS;
	x.row = ctl_row((unsigned int)x.o.code);
	outcome = ask(&x, true);
	if (outcome == OUTCOME_EMPTY && ctl_row_is_own(x.row))
		outcome = OUTCOME_UNKNOWN;
	else if (outcome == OUTCOME_EMPTY)
		outcome = ask(&x, false);
	if (outcome == OUTCOME_SILENT && !x.state)
		x.state = look_at(x.pid).state;
	describe(&x, outcome, why);
	return outcome == OUTCOME_DONE ? x.status : 1;
}
