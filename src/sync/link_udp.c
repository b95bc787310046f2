/* SPDX-License-Identifier: ISC */
/* A UDP link: one configured peer, sent to from a port of our own, received
 * from on the configured one. */
#define _GNU_SOURCE
#include <errno.h>

#include "sync/link_dgram.h"

static int udp_open(const struct link_opts *opts, unsigned int index,
		    struct dgram_socks *s, const char **failed)
{
	union sock_addr local =
		sock_addr_of(opts->family, &opts->group_or_local, 0, index);
	union sock_addr service = sock_addr_of(
		opts->family, &opts->group_or_local, opts->port, index);
	int err;

	s->to = sock_addr_of(opts->family, &opts->remote, opts->port, index);
	err = sock_open_sender(opts, &s->send_fd, failed);
	if (err)
		return err;
	*failed = "bind to the local address";
	err = sock_bind(s->send_fd, &local);
	if (err)
		return err;
	err = sock_open_receiver(opts, &s->recv_fd, failed);
	if (err)
		return err;
	*failed = "bind to the local address and port";
	return sock_bind(s->recv_fd, &service);
}

/* The peer sends from a port of its own: only the address tells. */
static enum dgram_judgement udp_judge(const struct link_opts *opts,
				      const struct dgram_socks *s,
				      const union sock_addr *from,
				      unsigned int in_index)
{
	struct addr host = sock_addr_host(from);

	(void)s;
	(void)in_index;
	return link_is_peer(opts, &host) ? JUDGED_PEER : JUDGED_OTHER;
}

const struct dgram_ops link_udp_ops = {
	.open = udp_open,
	.judge = udp_judge,
};
