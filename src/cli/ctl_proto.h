/* SPDX-License-Identifier: ISC */
/* ctl_proto.h - what travels over the control socket: the reader of a request,
 * and the answer that carries an exit status. The requests are in ctl_rows.h.
 *
 * The protocol is the reference's: one request per connection, a C int in the
 * byte order of the machine; text until end of file is the answer. A daemon
 * that does not know a code answers nothing.
 *
 * Such an answer cannot say that a command failed, so our pair adds a form
 * that can. Our client first sends CTL_WITH_STATUS | code. Our daemon answers
 * at once, before it does anything, with CTL_ANSWER_HEAD; then comes the same
 * text as for the plain code, which never has a zero byte; and last a zero
 * byte and `exit N` or `exit N: REASON` with a newline. A daemon that answers
 * nothing at all does not know this form and has done nothing: the client
 * sends it the plain code over a new connection. Requests of our own
 * (CTL_OWN_FIRST) have that bit in their code and no plain form. */
#ifndef CLI_CTL_PROTO_H
#define CLI_CTL_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"
#include "cli/ctl_rows.h"

enum {
	CTL_WITH_STATUS = 0x1000,
	CTL_REQUEST_SIZE = 4,               /* bytes of a request */
	CTL_PATH_MAX = 107,                 /* longest path of a socket */
	CTL_REASON_MAX = 255,               /* longest REASON of an answer */
	CTL_TAIL_MAX = CTL_REASON_MAX + 16, /* zero byte to newline */
};

/* A request as far as it has come in; zeroed at the start. */
struct ctl_request {
	uint8_t bytes[CTL_REQUEST_SIZE];
	uint8_t n_bytes; /* a full one has CTL_REQUEST_SIZE */
};

enum ctl_verdict {
	CTL_MORE,    /* the rest has not come yet */
	CTL_KNOWN,   /* a request of the table */
	CTL_UNKNOWN, /* to be answered with end of file, nothing else */
};

/* Takes what it needs off in, which may be empty. *row and *with_status are
 * written on CTL_KNOWN only. */
enum ctl_verdict ctl_request_read(struct ctl_request *q, struct rd *in,
				  const struct ctl_row **row,
				  bool *with_status);

/* Begin and end of an answer with status. status is 0 to 255; reason may be
 * NULL or "", is cut at CTL_REASON_MAX, and its control characters become
 * blanks. */
void ctl_answer_head(struct wr *out);
void ctl_answer_tail(int status, const char *reason, struct wr *out);

/* The client's view of an answer with status; zeroed at the start. */
struct ctl_answer {
	uint8_t state;
	uint16_t n_tail;
	uint64_t n_bytes; /* read so far */
	char tail[CTL_TAIL_MAX];
};

/* Takes bytes off in and gives back the next piece of text among them, which
 * lies inside of in. False: in is used up. */
bool ctl_answer_text(struct ctl_answer *a, struct rd *in, struct rd *text);

enum ctl_end {
	CTL_END_STATUS, /* complete */
	CTL_END_EMPTY,  /* no byte came: the daemon does not know this form */
	CTL_END_CUT,    /* anything else */
};

/* What the answer was, at end of file. *status, and *reason, which lives in a
 * and may be "", are written on CTL_END_STATUS only. */
enum ctl_end ctl_answer_end(struct ctl_answer *a, int *status,
			    const char **reason);

#endif
