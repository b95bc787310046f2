/* SPDX-License-Identifier: ISC */
/* link_tcp.h - the two connections of a TCP link (PROTOCOL.md 6.3): we send by
 * the one that we have made, and read the one that the peer has made. */
#ifndef SYNC_LINK_TCP_H
#define SYNC_LINK_TCP_H

#include "sync/link_impl.h"
#include "sync/link_sock.h"
#include "sync/stream.h"

/* ---- link_tcp_out.c: the connection to the peer ---- */

enum tcp_state {
	TCP_OUT_IDLE, /* an attempt is due when `next` says so */
	TCP_OUT_CONNECTING,
	TCP_OUT_CONNECTED,
};

/* Zeroed but for link and fd (-1) at first; all belongs to link_tcp_out.c. */
struct tcp_out {
	struct link *link;
	int fd;
	enum tcp_state state;
	struct watch watch;
	struct timer next;  /* the next attempt, or the end of this one */
	struct timer stuck; /* is set: the socket takes no more */
	int64_t started_ms; /* the last attempt */
	int64_t backoff_ms; /* from one attempt to the next */
	bool is_cut_off;    /* the peer did not read: it is to say something */
	bool is_told;       /* that it cannot be reached */
	int64_t taken_ms;   /* since then the peer has taken n_taken bytes */
	uint64_t n_taken;
	/* Of a datagram that the socket took in part: */
	size_t rest_at, rest_end;
	uint8_t rest[LINK_DATAGRAM_MAX];
};

/* Makes an attempt, in place of the connection or attempt that there is, and
 * goes on by itself until tcp_out_close(). 0 or a negative errno value. */
NODISCARD int tcp_out_open(struct tcp_out *o, const char **failed);
/* What was sent is still delivered, if the peer takes it. */
void tcp_out_close(struct tcp_out *o);
/* The contract of link_send(). */
NODISCARD int tcp_out_send(struct tcp_out *o, const void *dgram, size_t len);
/* The peer has connected to us, so it can be reached now. */
void tcp_out_peer_came(struct tcp_out *o);
/* Bytes of the peer have come. */
void tcp_out_peer_spoke(struct tcp_out *o);

/* ---- link_tcp_in.c: the connection from the peer ---- */

/* The same, fds -1. */
struct tcp_in {
	struct link *link;
	struct tcp_out *out; /* is told when the peer comes or speaks */
	int listen_fd, fd;
	struct watch listen_watch, watch;
	struct timer pause; /* until there are descriptors again */
	struct stream *stream;
};

/* Listens, in place of what there is. 0 or a negative errno value; *failed
 * names the step. */
NODISCARD int tcp_in_open(struct tcp_in *i, const char **failed);
void tcp_in_close(struct tcp_in *i);

#endif
