/* SPDX-License-Identifier: ISC */
/* The connection by which a TCP link sends. The peer never writes to it. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sync/link_tcp.h"

enum {
	BACKOFF_FIRST_MS = 1000,
	BACKOFF_MOST_MS = 30000,
	UNTOLD_MS = 2000,
	ATTEMPT_MS = 10000,    /* an attempt is given up */
	FRESH_MS = 500,        /* a younger attempt has lost nothing yet */
	LASTING_MS = 1000,     /* a connection that lasts is a success */
	STUCK_MS = 5000,       /* the peer takes nothing */
	LOOK_MS = 1000,        /* whether it does */
	DEAD_MS = 8000,        /* it acknowledges nothing */
	UNSENT_BYTES = 131072, /* kept by the kernel; the rest waits here, where
				* ten changes of a flow are one message */
};

static int64_t now(const struct tcp_out *o)
{
	return loop_now_ms(o->link->loop);
}

static void tell(const struct tcp_out *o, enum link_event what, int err)
{
	o->link->sink.event(o->link->sink.ctx, o->link, what, err);
}

static void drop(struct tcp_out *o)
{
	struct loop *loop = o->link->loop;

	timer_cancel(loop, &o->next);
	timer_cancel(loop, &o->stuck);
	watch_remove(loop, &o->watch);
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
	o->state = TCP_OUT_IDLE;
	o->rest_at = o->rest_end = 0;
}

/* What the peer has not taken yet shall not arrive beside what follows by the
 * next connection. */
static void reset(struct tcp_out *o)
{
	const struct linger none = { .l_onoff = 1 };

	if (o->fd >= 0)
		(void)setsockopt(o->fd, SOL_SOCKET, SO_LINGER, &none,
				 sizeof(none));
	drop(o);
}

/* ---- attempts ----------------------------------------------------------- */

static void attempt_at(struct tcp_out *o, int64_t due_ms)
{
	timer_set(o->link->loop, &o->next, due_ms);
}

static void failed_attempt(struct tcp_out *o, int err)
{
	o->backoff_ms = o->backoff_ms ? 2 * o->backoff_ms : BACKOFF_FIRST_MS;
	if (o->backoff_ms > BACKOFF_MOST_MS)
		o->backoff_ms = BACKOFF_MOST_MS;
	o->link->stats.n_send_errors++;
	reset(o);
	attempt_at(o, o->started_ms + o->backoff_ms);
	/* what passes in a moment is worth no line */
	if (o->is_told || (err != -ETIMEDOUT && o->backoff_ms <= UNTOLD_MS))
		return;
	o->is_told = true;
	tell(o, LINK_UNREACHED, err);
}

/* err: 0 if the peer has closed it. */
static void broken(struct tcp_out *o, int err)
{
	o->link->stats.n_send_errors++;
	reset(o);
	if (now(o) - o->started_ms >= LASTING_MS)
		o->backoff_ms = 0;
	else
		o->backoff_ms =
			o->backoff_ms ? o->backoff_ms : BACKOFF_FIRST_MS;
	attempt_at(o, o->started_ms + o->backoff_ms);
	tell(o, LINK_BROKEN, err);
}

static void connected(struct tcp_out *o)
{
	o->state = TCP_OUT_CONNECTED;
	o->is_cut_off = false;
	o->is_told = false;
	timer_cancel(o->link->loop, &o->next);
	watch_change(o->link->loop, &o->watch, LOOP_READ);
	tell(o, LINK_CONNECTED, 0);
}

/* ---- a socket that is full ---------------------------------------------- */

/* Bytes that the peer has acknowledged so far, less a constant. */
static uint64_t taken(const struct tcp_out *o)
{
	int n_queued = 0;

	(void)ioctl(o->fd, SIOCOUTQ, &n_queued);
	return o->link->stats.n_bytes_sent - (uint64_t)n_queued;
}

static void wait_for_room(struct tcp_out *o)
{
	watch_change(o->link->loop, &o->watch, LOOP_READ | LOOP_WRITE);
	if (timer_is_set(&o->stuck))
		return;
	o->n_taken = taken(o);
	o->taken_ms = now(o);
	timer_set(o->link->loop, &o->stuck, now(o) + LOOK_MS);
}

/* Slow is not stuck: the socket tells of room only when a third of it is. */
static void on_stuck(void *ctx, int64_t now_ms)
{
	struct tcp_out *o = ctx;
	uint64_t n = taken(o);

	if (n != o->n_taken) {
		o->n_taken = n;
		o->taken_ms = now_ms;
	}
	if (now_ms - o->taken_ms < STUCK_MS) {
		timer_set(o->link->loop, &o->stuck, now_ms + LOOK_MS);
		return;
	}
	/* The kernel of a stopped peer would accept the next connection, and
	 * the next: it has to show that it goes on. */
	o->link->stats.n_send_errors++;
	reset(o);
	o->is_cut_off = true;
	o->backoff_ms = 0;
	attempt_at(o, now_ms + BACKOFF_MOST_MS);
	tell(o, LINK_CUT_OFF, 0);
}

/* Bytes that the socket has taken; -EAGAIN: none for now. */
static int put(struct tcp_out *o, const uint8_t *bytes, size_t len)
{
	ssize_t n = send(o->fd, bytes, len, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	o->link->stats.n_bytes_sent += (uint64_t)n;
	return (int)n;
}

static void send_rest(struct tcp_out *o)
{
	int n = 0;

	if (o->rest_at < o->rest_end)
		n = put(o, o->rest + o->rest_at, o->rest_end - o->rest_at);
	if (n < 0 && n != -EAGAIN) {
		broken(o, n);
		return;
	}
	o->rest_at += n > 0 ? (size_t)n : 0;
	if (o->rest_at < o->rest_end)
		return;
	timer_cancel(o->link->loop, &o->stuck);
	watch_change(o->link->loop, &o->watch, LOOP_READ);
}

int tcp_out_send(struct tcp_out *o, const void *dgram, size_t len)
{
	int n;

	if (o->state != TCP_OUT_CONNECTED) {
		o->link->stats.n_send_errors++;
		return -ENOTCONN;
	}
	if (o->rest_at < o->rest_end)
		return -EAGAIN;
	n = put(o, dgram, len);
	if (n < 0) {
		if (n == -EAGAIN)
			wait_for_room(o);
		else
			broken(o, n);
		return n;
	}
	o->link->stats.n_packets_sent++;
	if ((size_t)n < len) {
		o->rest_at = 0;
		o->rest_end = len - (size_t)n;
		memcpy(o->rest, (const uint8_t *)dgram + n, o->rest_end);
		wait_for_room(o);
	}
	return 0;
}

/* ---- what happens to the socket ----------------------------------------- */

static void finish(struct tcp_out *o, unsigned int events)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(o->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err)
		failed_attempt(o, -err);
	else if (events & LOOP_WRITE)
		connected(o);
}

/* Its end can be read. A byte is of something that is no peer of ours. */
static void look_for_end(struct tcp_out *o)
{
	char byte;
	ssize_t n = recv(o->fd, &byte, sizeof(byte), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		broken(o, -EPROTO);
	else
		broken(o, n < 0 ? -errno : 0);
}

static void on_event(void *ctx, unsigned int events)
{
	struct tcp_out *o = ctx;

	if (o->state == TCP_OUT_CONNECTING) {
		finish(o, events);
		return;
	}
	if (events & LOOP_WRITE)
		send_rest(o);
	if (o->state == TCP_OUT_CONNECTED && events & (LOOP_READ | LOOP_ERROR))
		look_for_end(o);
}

/* ---- beginning ---------------------------------------------------------- */

static int make_socket(struct tcp_out *o, const char **failed)
{
	const struct link_opts *opts = &o->link->opts;
	const union sock_addr from = sock_addr_of(
		opts->family, &opts->group_or_local, 0, o->link->index);
	int err;

	*failed = "socket";
	o->fd = sock_new_stream(opts->family);
	if (o->fd < 0)
		return o->fd;
	*failed = "SO_SNDBUF";
	err = sock_set_send_buffer(o->fd, opts);
	if (err)
		return err;
	*failed = "TCP_NODELAY";
	err = sock_set(o->fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (err)
		return err;
	*failed = "keepalive";
	err = sock_set_keepalive(o->fd);
	if (err == 0)
		err = sock_set(o->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, DEAD_MS);
	if (err == 0)
		err = sock_set(o->fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT,
			       UNSENT_BYTES);
	if (err)
		return err;
	err = sock_go_first(o->fd, opts->family, failed);
	if (err)
		return err;
	*failed = "bind to the local address";
	return sock_bind(o->fd, &from);
}

static int start(struct tcp_out *o, const char **failed)
{
	const struct link_opts *opts = &o->link->opts;
	const union sock_addr to = sock_addr_of(opts->family, &opts->remote,
						opts->port, o->link->index);
	int err = make_socket(o, failed);

	if (err)
		return err;
	*failed = "watch";
	err = watch_add(o->link->loop, &o->watch, o->fd, LOOP_WRITE, on_event,
			o);
	if (err)
		return err;
	o->state = TCP_OUT_CONNECTING;
	*failed = "connect";
	if (connect(o->fd, &to.sa, sock_addr_len(&to)) && errno != EINPROGRESS)
		return -errno;
	return 0;
}

static void on_next(void *ctx, int64_t now_ms);

static int attempt(struct tcp_out *o, const char **failed)
{
	int err;

	reset(o);
	o->next = (struct timer){ .fn = on_next, .ctx = o };
	o->stuck = (struct timer){ .fn = on_stuck, .ctx = o };
	o->started_ms = now(o);
	err = start(o, failed);
	if (err)
		failed_attempt(o, err);
	else
		attempt_at(o, o->started_ms + ATTEMPT_MS);
	return err;
}

static void on_next(void *ctx, int64_t now_ms)
{
	struct tcp_out *o = ctx;
	const char *failed;

	(void)now_ms;
	if (o->state == TCP_OUT_CONNECTING)
		failed_attempt(o, -ETIMEDOUT);
	else
		(void)attempt(o, &failed);
}

int tcp_out_open(struct tcp_out *o, const char **failed)
{
	bool was_connected = o->state == TCP_OUT_CONNECTED;
	int err;

	o->backoff_ms = 0;
	err = attempt(o, failed);
	if (was_connected)
		tell(o, LINK_BROKEN, -ENETDOWN);
	/* All else may be the peer's, and is tried again by time. */
	return err == -EADDRNOTAVAIL ? err : 0;
}

void tcp_out_close(struct tcp_out *o)
{
	drop(o);
}

void tcp_out_peer_came(struct tcp_out *o)
{
	const char *failed;

	if (o->state == TCP_OUT_CONNECTED ||
	    (o->state == TCP_OUT_CONNECTING &&
	     now(o) - o->started_ms < FRESH_MS))
		return;
	o->backoff_ms = 0;
	(void)attempt(o, &failed);
}

void tcp_out_peer_spoke(struct tcp_out *o)
{
	if (o->is_cut_off && o->state == TCP_OUT_IDLE)
		tcp_out_peer_came(o);
}
