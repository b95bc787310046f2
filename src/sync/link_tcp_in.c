/* SPDX-License-Identifier: ISC */
/* The connection by which the peer of a TCP link sends. We never write to it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <unistd.h>

#include "sync/link_tcp.h"
#include "sync/wire.h"

enum {
	BACKLOG = 8, /* others must not keep the peer out */
	ACCEPTS_PER_TURN = 16,
	PAUSE_MS = 1000, /* without descriptors or memory */
};

static void drop(struct tcp_in *i)
{
	watch_remove(i->link->loop, &i->watch);
	if (i->fd >= 0)
		close(i->fd);
	i->fd = -1;
	stream_free(i->stream);
	i->stream = NULL;
}

static void fail(struct tcp_in *i)
{
	i->link->stats.n_recv_errors++;
	drop(i);
}

/* ---- reading ------------------------------------------------------------ */

/* Hands on what is whole. False: it cannot be known where the next message
 * begins; the peer finds the connection closed and makes another. */
static bool hand_on(struct tcp_in *i)
{
	const struct link_sink *sink = &i->link->sink;
	enum stream_step step;
	struct rd dgram;

	while ((step = stream_next(i->stream, &dgram)) != STREAM_MORE) {
		sink->received(sink->ctx, i->link, &i->link->opts.remote,
			       dgram);
		if (step == STREAM_BROKEN)
			return false;
	}
	return true;
}

/* Bytes read, up to most; 0: there are none, or the connection has ended. */
static size_t read_once(struct tcp_in *i, size_t most)
{
	struct link_stats *stats = &i->link->stats;
	size_t room;
	void *to = stream_room(i->stream, &room);
	ssize_t n = recv(i->fd, to, room < most ? room : most, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		if (n < 0)
			stats->n_recv_errors++;
		drop(i);
		return 0;
	}
	stats->n_packets_recv++;
	stats->n_bytes_recv += (uint64_t)n;
	stream_added(i->stream, (size_t)n);
	if (!hand_on(i)) {
		fail(i);
		return 0;
	}
	tcp_out_peer_spoke(i->out);
	return (size_t)n;
}

/* As much as so many datagrams would have. */
static void on_readable(void *ctx, unsigned int events)
{
	struct tcp_in *i = ctx;
	size_t left = i->link->opts.reads_per_turn * link_payload_max(i->link);
	size_t n;

	(void)events;
	while (left > 0 && (n = read_once(i, left)) > 0)
		left -= n;
}

/* ---- accepting ---------------------------------------------------------- */

/* In place of the one there is, which the peer has given up. */
static void take(struct tcp_in *i, int fd)
{
	drop(i);
	i->fd = fd;
	i->stream = stream_new();
	if (!i->stream || watch_add(i->link->loop, &i->watch, fd, LOOP_READ,
				    on_readable, i) < 0) {
		fail(i);
		return;
	}
	tcp_out_peer_came(i->out);
}

static void refuse(struct tcp_in *i, int fd, const struct addr *from)
{
	const struct link_sink *sink = &i->link->sink;

	close(fd);
	i->link->stats.n_refused++;
	sink->refused(sink->ctx, i->link, from);
}

/* False: there is no more for now. */
static bool accept_one(struct tcp_in *i)
{
	union sock_addr source = { { 0 } };
	socklen_t len = sizeof(source);
	struct loop *loop = i->link->loop;
	int fd = accept4(i->listen_fd, &source.sa, &len,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct addr from = sock_addr_host(&source);

	if (fd >= 0) {
		if (link_is_peer(&i->link->opts, &from))
			take(i, fd);
		else
			refuse(i, fd, &from);
		return true;
	}
	if (errno == ECONNABORTED || errno == EINTR)
		return true;
	if (errno != EAGAIN) { /* it stays readable: wait by time */
		i->link->stats.n_recv_errors++;
		watch_change(loop, &i->listen_watch, 0);
		timer_set(loop, &i->pause, loop_now_ms(loop) + PAUSE_MS);
	}
	return false;
}

static void on_listen(void *ctx, unsigned int events)
{
	(void)events;
	for (int n = 0; n < ACCEPTS_PER_TURN; n++)
		if (!accept_one(ctx))
			return;
}

static void on_pause(void *ctx, int64_t now_ms)
{
	struct tcp_in *i = ctx;

	(void)now_ms;
	watch_change(i->link->loop, &i->listen_watch, LOOP_READ);
}

/* ---- beginning ---------------------------------------------------------- */

static int start_listening(struct tcp_in *i, const char **failed)
{
	const struct link_opts *opts = &i->link->opts;
	const union sock_addr service =
		sock_addr_of(opts->family, &opts->group_or_local, opts->port,
			     i->link->index);
	int fd, err;

	*failed = "socket";
	fd = i->listen_fd = sock_new_stream(opts->family);
	if (fd < 0)
		return fd;
	*failed = "SO_REUSEADDR";
	err = sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	/* or a link without a local address takes the port of both families */
	if (err == 0 && opts->family == FAMILY_IPV6)
		err = sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (err)
		return err;
	*failed = "SO_RCVBUF"; /* both are inherited by what is accepted */
	err = sock_set_recv_buffer(fd, opts);
	if (err)
		return err;
	*failed = "keepalive";
	err = sock_set_keepalive(fd);
	if (err)
		return err;
	*failed = "bind to the local address and port";
	err = sock_bind(fd, &service);
	if (err == 0 && listen(fd, BACKLOG))
		err = -errno;
	return err;
}

int tcp_in_open(struct tcp_in *i, const char **failed)
{
	int err;

	tcp_in_close(i);
	i->pause = (struct timer){ .fn = on_pause, .ctx = i };
	err = start_listening(i, failed);
	if (err == 0) {
		*failed = "watch";
		err = watch_add(i->link->loop, &i->listen_watch, i->listen_fd,
				LOOP_READ, on_listen, i);
	}
	if (err)
		tcp_in_close(i);
	return err;
}

void tcp_in_close(struct tcp_in *i)
{
	drop(i);
	timer_cancel(i->link->loop, &i->pause);
	watch_remove(i->link->loop, &i->listen_watch);
	if (i->listen_fd >= 0)
		close(i->listen_fd);
	i->listen_fd = -1;
}
