/* SPDX-License-Identifier: ISC */
/* ctl_server.h - the daemon's end of the control socket. No client can make
 * it wait: requests are read and answers sent in pieces, as they come. */
#ifndef CLI_CTL_SERVER_H
#define CLI_CTL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/util.h"

enum {
	CTL_ITEM_MAX = 4096, /* bytes that a source may write at a time */
	CTL_DEFAULT_CLIENTS = 128,
	CTL_DEFAULT_SILENCE_MS = 30000,
	CTL_STALL_MS = 60000, /* of a reader that may make room for others */
};

struct ctl_server;

/* A request (enum ctl_code, without CTL_WITH_STATUS) has come in. Sooner or
 * later it wants one ctl_server_answer() or ctl_server_finish(); until then
 * the client waits. client is a number that is never given twice. */
typedef void ctl_request_fn(void *ctx, uint64_t client, int code);

struct ctl_server_opts {
	struct loop *loop;
	const char *path;        /* of the socket; copied */
	unsigned int n_max;      /* clients at a time; 0: the default */
	unsigned int silence_ms; /* for a request to arrive; 0: the default */
	ctl_request_fn *request;
	void *ctx;
};

struct ctl_server_stats {
	uint64_t n_requests;    /* known ones */
	uint64_t n_unknown;     /* requests of an unknown code */
	uint64_t n_missing;     /* clients that left without a request */
	uint64_t n_silent;      /* dropped: no request in time */
	uint64_t n_crowded_out; /* dropped to make room for others */
	uint64_t n_refused;     /* no room, and nobody to drop */
	uint64_t n_failed;      /* no descriptor or no memory */
};

/* Listens at the path; errors are those of ctl_socket_listen(), and -ENOMEM. */
NODISCARD int ctl_server_open(const struct ctl_server_opts *opts,
			      struct ctl_server **out);

/* Takes no more clients and removes the socket file, if it is still ours.
 * Clients that wait stay, and can be finished. */
void ctl_server_stop(struct ctl_server *s);

/* Stops and drops all clients. Accepts NULL. Not from inside a callback. */
void ctl_server_close(struct ctl_server *s);

enum ctl_progress {
	CTL_GO_ON,
	CTL_DONE,
	CTL_FAILED, /* it breaks off here: exit status 1, see the log */
};

/* Where the text of an answer comes from: a walk that can be resumed. */
struct ctl_source {
	/* Appends the next piece, at most CTL_ITEM_MAX bytes and none of them
	 * 0; maybe nothing. Called while the client takes more, the
	 * first time from inside ctl_server_answer(). */
	enum ctl_progress (*next)(void *ctx, struct wr *out);
	/* Called once: the answer is complete, or the client has left. May be
	 * NULL. */
	void (*end)(void *ctx);
	void *ctx;
};

/* Answers with the text of a source and exit status 0. A client that has left
 * meanwhile is no error: the source just ends. */
void ctl_server_answer(struct ctl_server *s, uint64_t client,
		       const struct ctl_source *source);

/* Ends the wait of a client without text. Clients of the reference's protocol
 * do not hear the status (0 to 255) and the reason, which may be NULL. A
 * client that has left is no error. */
void ctl_server_finish(struct ctl_server *s, uint64_t client, int status,
		       const char *reason);

/* Whether the client is still there to hear of the end. */
bool ctl_server_has_client(const struct ctl_server *s, uint64_t client);

const struct ctl_server_stats *ctl_server_stats(const struct ctl_server *s);

#endif
