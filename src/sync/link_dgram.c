/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "sync/link_dgram.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sync/link_impl.h"

enum {
	HEADERS_IPV4 = 20 + 8, /* IP and UDP */
	HEADERS_IPV6 = 40 + 8,
	DRAIN_MOST = 256, /* errors read in one go; the rest later */
};

struct link_dgram {
	struct link base;
	struct dgram_socks socks;
	struct watch recv_watch, send_watch;
	uint8_t bytes[LINK_DATAGRAM_MAX]; /* the one that was received */
};

static struct link_dgram *dgram_of(struct link *l)
{
	return CONTAINER_OF(l, struct link_dgram, base);
}

static const struct dgram_ops *kind_of(const struct link *l)
{
	return l->opts.kind == LINK_MCAST ? &link_mcast_ops : &link_udp_ops;
}

static struct link *dgram_new(void)
{
	struct link_dgram *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->socks.send_fd = l->socks.recv_fd = -1;
	return &l->base;
}

static void dgram_free(struct link *l)
{
	free(dgram_of(l));
}

/* ---- receiving ---------------------------------------------------------- */

/* Index of the interface that the datagram came in by; 0 if it is not told. */
static unsigned int arrival_index(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo v4;

			memcpy(&v4, CMSG_DATA(c), sizeof(v4));
			return (unsigned int)v4.ipi_ifindex;
		}
		if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo v6;

			memcpy(&v6, CMSG_DATA(c), sizeof(v6));
			return (unsigned int)v6.ipi6_ifindex;
		}
	}
	return 0;
}

static void hand_on(struct link_dgram *l, const union sock_addr *source,
		    unsigned int in_index, size_t n)
{
	struct link *base = &l->base;
	struct addr from = sock_addr_host(source);
	/* UDP has one peer, wherever its datagrams seem to come from. */
	const struct addr *sender =
		base->opts.kind == LINK_UDP ? &base->opts.remote : &from;

	switch (kind_of(base)->judge(&base->opts, &l->socks, source,
				     in_index)) {
	case JUDGED_PEER:
		base->stats.n_packets_recv++;
		base->stats.n_bytes_recv += n;
		if (n)
			base->sink.received(base->sink.ctx, base, sender,
					    (struct rd){ l->bytes, n });
		break;
	case JUDGED_OTHER:
		base->stats.n_refused++;
		base->sink.refused(base->sink.ctx, base, &from);
		break;
	case JUDGED_OWN: /* it came back */
		break;
	}
}

/* False: there is none. */
static bool receive_one(struct link_dgram *l)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
	union sock_addr source = { { 0 } };
	struct iovec iov = { l->bytes, sizeof(l->bytes) };
	struct msghdr m = {
		.msg_name = &source,
		.msg_namelen = sizeof(source),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(l->socks.recv_fd, &m, 0);

	if (n >= 0) {
		hand_on(l, &source, arrival_index(&m), (size_t)n);
		return true;
	}
	if (errno == EAGAIN || errno == EINTR)
		return false;
	l->base.stats.n_recv_errors++;
	return true;
}

static void on_readable(void *ctx, unsigned int events)
{
	struct link_dgram *l = ctx;

	(void)events;
	for (uint32_t i = 0; i < l->base.opts.reads_per_turn; i++)
		if (!receive_one(l))
			return;
}

/* ---- sending ------------------------------------------------------------ */

/* Empties the error queue of the sending socket. Each error is a datagram that
 * was sent and did not arrive. */
static void drain_errors(struct link_dgram *l)
{
	char control[512];
	int err;
	socklen_t len = sizeof(err);

	for (int i = 0; i < DRAIN_MOST; i++) {
		struct msghdr m = { .msg_control = control,
				    .msg_controllen = sizeof(control) };

		if (recvmsg(l->socks.send_fd, &m, MSG_ERRQUEUE) < 0)
			break;
		l->base.stats.n_send_errors++;
	}
	/* reading it clears it; what it was does not matter */
	if (getsockopt(l->socks.send_fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return;
}

static void on_send_event(void *ctx, unsigned int events)
{
	struct link_dgram *l = ctx;

	if (events & LOOP_ERROR)
		drain_errors(l);
	if (events & LOOP_WRITE) /* that the loop takes a turn is enough */
		watch_change(l->base.loop, &l->send_watch, 0);
}

static int send_once(struct link_dgram *l, const void *dgram, size_t len)
{
	const union sock_addr *to = &l->socks.to;

	if (sendto(l->socks.send_fd, dgram, len, MSG_NOSIGNAL, &to->sa,
		   sock_addr_len(to)) < 0)
		return -errno;
	l->base.stats.n_packets_sent++;
	l->base.stats.n_bytes_sent += len;
	return 0;
}

static bool is_full(int err)
{
	return err == -EAGAIN || err == -ENOBUFS;
}

static int dgram_send(struct link *base, const void *dgram, size_t len)
{
	struct link_dgram *l = dgram_of(base);
	int err = send_once(l, dgram, len);

	if (err && !is_full(err)) {
		/* It may be an earlier datagram that was refused or too big on
		 * its way: this one has not been tried then. */
		drain_errors(l);
		err = send_once(l, dgram, len);
		if (err && !is_full(err))
			base->stats.n_send_errors++;
	}
	if (err == -EAGAIN)
		watch_change(base->loop, &l->send_watch, LOOP_WRITE);
	return err;
}

static size_t dgram_headers(const struct link *l)
{
	return l->opts.family == FAMILY_IPV4 ? HEADERS_IPV4 : HEADERS_IPV6;
}

/* ---- its sockets -------------------------------------------------------- */

static void close_socks(struct dgram_socks *s)
{
	if (s->send_fd >= 0)
		close(s->send_fd);
	if (s->recv_fd >= 0)
		close(s->recv_fd);
	s->send_fd = s->recv_fd = -1;
}

static void dgram_close(struct link *base)
{
	struct link_dgram *l = dgram_of(base);

	watch_remove(base->loop, &l->recv_watch);
	watch_remove(base->loop, &l->send_watch);
	close_socks(&l->socks);
	base->opened_index = 0;
}

/* Without a watch sockets are of no use. */
static int watch_socks(struct link_dgram *l)
{
	struct loop *loop = l->base.loop;
	int err = watch_add(loop, &l->recv_watch, l->socks.recv_fd, LOOP_READ,
			    on_readable, l);

	if (err == 0)
		err = watch_add(loop, &l->send_watch, l->socks.send_fd, 0,
				on_send_event, l);
	return err;
}

/* If the new ones cannot be had the old ones stay. */
static int dgram_open(struct link *base, const char **failed)
{
	struct link_dgram *l = dgram_of(base);
	struct dgram_socks fresh = { -1, -1, base->index, { { 0 } } };
	int err = kind_of(base)->open(&base->opts, base->index, &fresh, failed);

	if (err) {
		close_socks(&fresh);
		return err;
	}
	dgram_close(base);
	l->socks = fresh;
	base->opened_index = fresh.index;
	*failed = "watch";
	err = watch_socks(l);
	if (err)
		dgram_close(base);
	return err;
}

static int dgram_renew(struct link *base, const char **failed)
{
	const struct dgram_ops *kind = kind_of(base);

	if (!kind->renew)
		return 0;
	return kind->renew(&base->opts, &dgram_of(base)->socks, failed);
}

static void dgram_buffers(struct link *base, uint32_t *send_bytes,
			  uint32_t *recv_bytes)
{
	const struct link_dgram *l = dgram_of(base);

	*send_bytes = sock_buffer_bytes(l->socks.send_fd, SO_SNDBUF);
	*recv_bytes = sock_buffer_bytes(l->socks.recv_fd, SO_RCVBUF);
}

const struct link_ops link_dgram_ops = {
	.new = dgram_new,
	.free = dgram_free,
	.open = dgram_open,
	.close = dgram_close,
	.renew = dgram_renew,
	.send = dgram_send,
	.headers = dgram_headers,
	.buffers = dgram_buffers,
};
