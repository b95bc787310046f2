/* SPDX-License-Identifier: ISC */
/* A multicast link: sends to a group, receives what others send to it on one
 * interface. Two sockets, so that what we send comes from a port of its own. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sync/link_dgram.h"

static int set_group(int fd, const struct link_opts *opts, unsigned int index,
		     int option4, int option6)
{
	struct ip_mreqn v4 = { .imr_ifindex = (int)index };
	struct ipv6_mreq v6 = { .ipv6mr_interface = index };
	int failed;

	memcpy(&v4.imr_multiaddr, opts->group_or_local.b,
	       sizeof(v4.imr_multiaddr));
	memcpy(&v6.ipv6mr_multiaddr, opts->group_or_local.b,
	       sizeof(v6.ipv6mr_multiaddr));
	failed = opts->family == FAMILY_IPV4
			 ? setsockopt(fd, IPPROTO_IP, option4, &v4, sizeof(v4))
			 : setsockopt(fd, IPPROTO_IPV6, option6, &v6,
				      sizeof(v6));
	return failed ? -errno : 0;
}

/* An interface without IPv6 (a small MTU, for one) is EINVAL to Linux 6.18, and
 * may have it later; that the group is one was seen to before. */
static int join(int fd, const struct link_opts *opts, unsigned int index)
{
	int err =
		set_group(fd, opts, index, IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP);

	return err == -EINVAL && opts->family == FAMILY_IPV6 ? -ENODEV : err;
}

/* Datagrams leave by this interface, one hop far, not back to ourselves. */
static int aim(int fd, const struct link_opts *opts, unsigned int index)
{
	struct ip_mreqn v4 = { .imr_ifindex = (int)index };
	int err;

	if (opts->family == FAMILY_IPV6) {
		err = sock_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, (int)index);
		if (!err)
			err = sock_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP,
				       0);
		if (!err)
			err = sock_set(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS,
				       1);
		return err;
	}
	if (opts->has_interface_addr)
		memcpy(&v4.imr_address, opts->interface_addr.b,
		       sizeof(v4.imr_address));
	if (setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &v4, sizeof(v4)))
		return -errno;
	err = sock_set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	if (!err)
		err = sock_set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1);
	return err;
}

static int open_sender(const struct link_opts *opts, unsigned int index,
		       int *fd, const char **failed)
{
	union sock_addr local;
	int err = sock_open_sender(opts, fd, failed);

	if (err)
		return err;
	*failed = "multicast interface";
	err = aim(*fd, opts, index);
	if (err || !opts->has_interface_addr)
		return err;
	*failed = "bind to the interface's address";
	local = sock_addr_of(opts->family, &opts->interface_addr, 0, index);
	return sock_bind(*fd, &local);
}

static int open_receiver(const struct link_opts *opts, unsigned int index,
			 int *fd, const char **failed)
{
	bool is_v4 = opts->family == FAMILY_IPV4;
	union sock_addr group = sock_addr_of(
		opts->family, &opts->group_or_local, opts->port, index);
	int err = sock_open_receiver(opts, fd, failed);

	if (err)
		return err;
	*failed = "IP_PKTINFO";
	err = sock_set(*fd, sock_level(opts->family),
		       is_v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, 1);
	if (err)
		return err;
	*failed = "bind to the group";
	err = sock_bind(*fd, &group);
	if (err)
		return err;
	*failed = "join the group";
	return join(*fd, opts, index);
}

static int mcast_open(const struct link_opts *opts, unsigned int index,
		      struct dgram_socks *s, const char **failed)
{
	int err;

	s->to = sock_addr_of(opts->family, &opts->group_or_local, opts->port,
			     index);
	err = open_sender(opts, index, &s->send_fd, failed);
	if (err)
		return err;
	return open_receiver(opts, index, &s->recv_fd, failed);
}

/* An interface whose MTU was too small for IP for a while has forgotten its
 * groups, the socket has not: leave, then join. */
static int mcast_renew(const struct link_opts *opts,
		       const struct dgram_socks *s, const char **failed)
{
	int err = set_group(s->recv_fd, opts, s->index, IP_DROP_MEMBERSHIP,
			    IPV6_LEAVE_GROUP);

	*failed = "join the group";
	if (err && err != -EADDRNOTAVAIL)
		return err;
	return join(s->recv_fd, opts, s->index);
}

/* The address that our datagrams to the group come from: what the kernel
 * chooses for a connected socket. */
static bool own_address(const struct link_opts *opts,
			const struct dgram_socks *s, struct addr *out)
{
	union sock_addr own;
	socklen_t len = sizeof(own);
	bool ok = false;
	int fd;

	if (opts->has_interface_addr) {
		*out = opts->interface_addr;
		return true;
	}
	fd = sock_new(opts->family);
	if (fd < 0)
		return false;
	if (aim(fd, opts, s->index) == 0 &&
	    connect(fd, &s->to.sa, sock_addr_len(&s->to)) == 0 &&
	    getsockname(fd, &own.sa, &len) == 0) {
		*out = sock_addr_host(&own);
		ok = true;
	}
	close(fd);
	return ok;
}

static enum dgram_judgement mcast_judge(const struct link_opts *opts,
					const struct dgram_socks *s,
					const union sock_addr *from,
					unsigned int in_index)
{
	union sock_addr own;
	socklen_t len = sizeof(own);
	struct addr host = sock_addr_host(from), own_host;

	if (in_index != s->index)
		return JUDGED_OTHER;
	/* A bridge or a switch may send our own datagrams back. Their port
	 * tells, and rarely another's has the same: only then look closer. */
	if (getsockname(s->send_fd, &own.sa, &len) == 0 &&
	    sock_addr_port(&own) == sock_addr_port(from) &&
	    own_address(opts, s, &own_host) && addr_equal(&host, &own_host))
		return JUDGED_OWN;
	return JUDGED_PEER;
}

const struct dgram_ops link_mcast_ops = {
	.open = mcast_open,
	.renew = mcast_renew,
	.judge = mcast_judge,
};
