/* SPDX-License-Identifier: ISC */
#define _POSIX_C_SOURCE 200809L
#include "cli/ctl_client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/ctl_proto.h"
#include "cli/ctl_socket.h"

enum { PIECE_SIZE = 65536 };

enum outcome {
	OUTCOME_DONE,      /* the answer is complete */
	OUTCOME_EMPTY,     /* the daemon does not know answers with status */
	OUTCOME_NO_DAEMON, /* nobody listens */
	OUTCOME_CUT,       /* the connection ended too early */
	OUTCOME_OUTPUT,    /* the answer cannot be written */
};

struct exchange {
	int fd;
	int out_fd;
	struct ctl_answer answer;
	int status; /* OUTCOME_DONE */
	const char *reason;
	int err; /* positive errno value of the last failure; 0: none */
};

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

/* Copies text until the end of the connection. */
static enum outcome copy_answer(struct exchange *x, bool with_status)
{
	uint8_t buf[PIECE_SIZE];
	struct rd text;
	ssize_t n;

	while ((n = recv(x->fd, buf, sizeof(buf), 0)) != 0) {
		struct rd in = { buf, n > 0 ? (size_t)n : 0 };

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			x->err = errno;
			return OUTCOME_CUT;
		}
		while (with_status
			       ? ctl_answer_text(&x->answer, &in, &text)
			       : rd_take(&in, in.left, &text) && text.left) {
			x->err = write_all(x->out_fd, text);
			if (x->err)
				return OUTCOME_OUTPUT;
		}
	}
	return OUTCOME_DONE;
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
static enum outcome ask(struct exchange *x, const char *path, int code,
			bool with_status)
{
	uint32_t request = (uint32_t)code;
	enum outcome outcome = OUTCOME_CUT;
	ssize_t n;

	if (with_status)
		request |= CTL_WITH_STATUS;
	x->fd = ctl_socket_connect(path);
	if (x->fd < 0) {
		x->err = -x->fd;
		return OUTCOME_NO_DAEMON;
	}
	do
		n = send(x->fd, &request, sizeof(request), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		x->err = errno;
	else if (n == sizeof(request))
		outcome = copy_answer(x, with_status);
	close(x->fd);
	if (outcome == OUTCOME_DONE && with_status)
		outcome = judge_end(x);
	return outcome;
}

int ctl_client_run(const char *path, int code, int out_fd, struct wr *why)
{
	struct exchange x = { .out_fd = out_fd, .reason = "" };
	enum outcome outcome = ask(&x, path, code, true);

	if (outcome == OUTCOME_EMPTY)
		outcome = ask(&x, path, code, false);
	switch (outcome) {
	case OUTCOME_DONE:
		wr_printf(why, "%s", x.reason);
		return x.status;
	case OUTCOME_NO_DAEMON: /* scripts look for this text */
		wr_printf(why, "can't connect: is conntrackd running? "
			       "appropriate permissions?");
		break;
	case OUTCOME_OUTPUT:
		wr_printf(why, "can't write the answer: %s", strerror(x.err));
		break;
	case OUTCOME_EMPTY:
	case OUTCOME_CUT:
		wr_printf(why, "the daemon ended before the answer did%s%s",
			  x.err ? ": " : "", x.err ? strerror(x.err) : "");
		break;
	}
	return 1;
}
