/* SPDX-License-Identifier: ISC */
/* A TCP link: a connection in each direction, each made by who sends by it. */
#define _GNU_SOURCE
#include "sync/link_tcp.h"

#include <stdlib.h>

enum {
	HEADERS = 20 + 20
}; /* IPv4 and TCP: a message may be cut anywhere, so
    * more of them costs nothing (PROTOCOL.md 1.3) */

struct link_tcp {
	struct link base;
	struct tcp_out out;
	struct tcp_in in;
};

static struct link_tcp *tcp_of(struct link *l)
{
	return CONTAINER_OF(l, struct link_tcp, base);
}

static struct link *tcp_new(void)
{
	struct link_tcp *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->out.link = l->in.link = &l->base;
	l->in.out = &l->out;
	l->out.fd = l->in.fd = l->in.listen_fd = -1;
	return &l->base;
}

static void tcp_free(struct link *l)
{
	free(tcp_of(l));
}

static void tcp_close(struct link *base)
{
	struct link_tcp *l = tcp_of(base);

	tcp_out_close(&l->out);
	tcp_in_close(&l->in);
	base->opened_index = 0;
}

static int tcp_open(struct link *base, const char **failed)
{
	struct link_tcp *l = tcp_of(base);
	int err = tcp_in_open(&l->in, failed);

	if (err == 0)
		err = tcp_out_open(&l->out, failed);
	if (err)
		tcp_close(base);
	else
		base->opened_index = base->index;
	return err;
}

/* What is under way on a connection over an interface that was away may wait
 * for seconds until it is tried again: another one is faster. */
static int tcp_renew(struct link *base, const char **failed)
{
	return tcp_out_open(&tcp_of(base)->out, failed);
}

static int tcp_send(struct link *base, const void *dgram, size_t len)
{
	return tcp_out_send(&tcp_of(base)->out, dgram, len);
}

static size_t tcp_headers(const struct link *l)
{
	(void)l;
	return HEADERS;
}

static void tcp_buffers(struct link *base, uint32_t *send_bytes,
			uint32_t *recv_bytes)
{
	const struct link_tcp *l = tcp_of(base);

	*send_bytes = base->opts.send_buffer_bytes;
	if (l->out.fd >= 0)
		*send_bytes = sock_buffer_bytes(l->out.fd, SO_SNDBUF);
	*recv_bytes = sock_buffer_bytes(l->in.listen_fd, SO_RCVBUF);
}

static void tcp_connections(struct link *base, bool *is_server, bool *is_client)
{
	const struct link_tcp *l = tcp_of(base);

	*is_server = l->in.fd >= 0;
	*is_client = l->out.state == TCP_OUT_CONNECTED;
}

const struct link_ops link_tcp_ops = {
	.new = tcp_new,
	.free = tcp_free,
	.open = tcp_open,
	.close = tcp_close,
	.renew = tcp_renew,
	.send = tcp_send,
	.headers = tcp_headers,
	.buffers = tcp_buffers,
	.connections = tcp_connections,
};
