/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "sync/link.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sync/link_impl.h"

enum {
	HEADERS_IPV4 = 20 + 8, /* IP and UDP */
	HEADERS_IPV6 = 40 + 8,
	PAYLOAD_LEAST = 64,   /* of an MTU too small to be meant */
	PAYLOAD_MOST = 65507, /* of UDP over IPv4, whatever the MTU */
	MTU_UNKNOWN = 1500,   /* while there is no interface */
	DRAIN_MOST = 256,     /* errors read in one go; the rest later */
};

struct link {
	struct link_opts opts;
	struct link_stats stats;
	const struct link_ops *ops;
	struct link_socks socks;
	enum link_status status;
	unsigned int index, mtu; /* of the interface; 0: there is none */
	bool has_lost_group;     /* maybe: to be joined again */
};

static const struct link_ops *ops_of(enum link_kind kind)
{
	switch (kind) {
	case LINK_MCAST:
		return &link_mcast_ops;
	case LINK_UDP:
		return &link_udp_ops;
	case LINK_TCP:
		break;
	}
	return NULL;
}

const char *link_kind_name(enum link_kind kind)
{
	switch (kind) {
	case LINK_MCAST:
		return "multicast";
	case LINK_UDP:
		return "UDP";
	case LINK_TCP:
		return "TCP";
	}
	return "";
}

static void close_socks(struct link_socks *s)
{
	if (s->send_fd >= 0)
		close(s->send_fd);
	if (s->recv_fd >= 0)
		close(s->recv_fd);
	s->send_fd = s->recv_fd = -1;
}

static enum link_status status_of(short flags)
{
	if (!(flags & IFF_UP))
		return LINK_DOWN;
	return flags & IFF_RUNNING ? LINK_RUNNING : LINK_NO_CARRIER;
}

static int look_at(int fd, struct link *l)
{
	struct ifreq req;

	memset(&req, 0, sizeof(req));
	memcpy(req.ifr_name, l->opts.interface, sizeof(req.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFINDEX, &req))
		return -errno;
	l->index = (unsigned int)req.ifr_ifindex;
	if (ioctl(fd, SIOCGIFFLAGS, &req))
		return -errno;
	l->status = status_of(req.ifr_flags);
	if (ioctl(fd, SIOCGIFMTU, &req))
		return -errno;
	l->mtu = (unsigned int)req.ifr_mtu;
	return 0;
}

int link_look(struct link *l)
{
	int fd = sock_new(FAMILY_IPV4);
	int err;

	if (fd < 0) /* a kernel without IPv4 */
		fd = sock_new(FAMILY_IPV6);
	if (fd < 0)
		return fd;
	err = look_at(fd, l);
	close(fd);
	return err;
}

int link_new(const struct link_opts *opts, struct link **out)
{
	struct link *l;

	if (!ops_of(opts->kind))
		return -EPROTONOSUPPORT;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->opts = *opts;
	l->ops = ops_of(opts->kind);
	l->socks.send_fd = l->socks.recv_fd = -1;
	*out = l;
	return 0;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	close_socks(&l->socks);
	free(l);
}

const struct link_opts *link_opts(const struct link *l)
{
	return &l->opts;
}

const struct link_stats *link_stats(const struct link *l)
{
	return &l->stats;
}

bool link_buffer_note(const struct link *l, uint32_t *send_bytes,
		      uint32_t *recv_bytes)
{
	*send_bytes = sock_buffer_bytes(l->socks.send_fd, SO_SNDBUF);
	*recv_bytes = sock_buffer_bytes(l->socks.recv_fd, SO_RCVBUF);
	return *send_bytes < l->opts.send_buffer_bytes ||
	       *recv_bytes < l->opts.recv_buffer_bytes;
}

int link_recv_fd(const struct link *l)
{
	return l->socks.recv_fd;
}

int link_send_fd(const struct link *l)
{
	return l->socks.send_fd;
}

size_t link_payload_max(const struct link *l)
{
	size_t headers =
		l->opts.family == FAMILY_IPV4 ? HEADERS_IPV4 : HEADERS_IPV6;
	size_t mtu = l->mtu ? l->mtu : MTU_UNKNOWN;

	if (mtu < headers + PAYLOAD_LEAST)
		return PAYLOAD_LEAST;
	return mtu - headers > PAYLOAD_MOST ? PAYLOAD_MOST : mtu - headers;
}

void link_set_interface(struct link *l, enum link_status status,
			unsigned int index, unsigned int mtu)
{
	if (status != LINK_DOWN && (l->status == LINK_DOWN || mtu != l->mtu))
		l->has_lost_group = l->ops->renew != NULL;
	l->status = status;
	l->index = index;
	l->mtu = mtu;
}

bool link_has_interface(const struct link *l)
{
	return l->index != 0;
}

static bool has_sockets(const struct link *l)
{
	return l->socks.index == l->index;
}

bool link_needs_repair(const struct link *l)
{
	return l->index && l->status != LINK_DOWN &&
	       (!has_sockets(l) || l->has_lost_group);
}

/* A failure leaves the old ones as they are. */
static int replace_socks(struct link *l, const char **failed)
{
	struct link_socks fresh = { -1, -1, l->index, { { 0 } } };
	int err = l->ops->open(&l->opts, l->index, &fresh, failed);

	if (err) {
		close_socks(&fresh);
		return err;
	}
	close_socks(&l->socks);
	l->socks = fresh;
	return 1;
}

int link_repair(struct link *l, const char **failed)
{
	int err = 0;

	*failed = "interface";
	if (!l->index)
		return -ENODEV;
	if (!has_sockets(l)) {
		err = replace_socks(l, failed);
	} else if (l->has_lost_group) {
		*failed = "join the group";
		err = l->ops->renew(&l->opts, &l->socks);
	}
	if (err >= 0)
		l->has_lost_group = false;
	return err;
}

void link_reset(struct link *l)
{
	close_socks(&l->socks);
	l->socks.index = 0;
}

bool link_is_usable(const struct link *l)
{
	return l->status == LINK_RUNNING && l->index && has_sockets(l) &&
	       !l->has_lost_group;
}

enum link_status link_status(const struct link *l)
{
	return l->status;
}

static int send_once(struct link *l, const void *dgram, size_t len)
{
	const union sock_addr *to = &l->socks.to;

	if (sendto(l->socks.send_fd, dgram, len, MSG_NOSIGNAL, &to->sa,
		   sock_addr_len(to)) < 0)
		return -errno;
	l->stats.n_packets_sent++;
	l->stats.n_bytes_sent += len;
	return 0;
}

static bool is_full(int err)
{
	return err == -EAGAIN || err == -ENOBUFS;
}

int link_send(struct link *l, const void *dgram, size_t len)
{
	int err;

	if (l->socks.send_fd < 0) {
		l->stats.n_send_errors++;
		return -ENETDOWN;
	}
	err = send_once(l, dgram, len);
	if (!err || is_full(err))
		return err;
	/* It may be an earlier datagram that was refused or too big on its
	 * way: this one has not been tried then. */
	link_drain_errors(l);
	err = send_once(l, dgram, len);
	if (err && !is_full(err))
		l->stats.n_send_errors++;
	return err;
}

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

static int judge(struct link *l, const union sock_addr *source,
		 unsigned int in_index, ssize_t n)
{
	switch (l->ops->judge(&l->opts, &l->socks, source, in_index)) {
	case JUDGED_PEER:
		l->stats.n_packets_recv++;
		l->stats.n_bytes_recv += (uint64_t)n;
		return (int)n;
	case JUDGED_OTHER:
		l->stats.n_refused++;
		return -EPERM;
	case JUDGED_OWN:
		break;
	}
	return 0;
}

int link_recv(struct link *l, void *buf, size_t size, struct addr *from,
	      uint16_t *from_port)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control;
	union sock_addr source = { { 0 } };
	struct iovec iov = { buf, size };
	struct msghdr m = {
		.msg_name = &source,
		.msg_namelen = sizeof(source),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(l->socks.recv_fd, &m, 0);

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return -EAGAIN;
		l->stats.n_recv_errors++;
		return -errno;
	}
	*from = sock_addr_host(&source);
	*from_port = sock_addr_port(&source);
	return judge(l, &source, arrival_index(&m), n);
}

void link_drain_errors(struct link *l)
{
	char control[512];
	int err;
	socklen_t len = sizeof(err);

	for (int i = 0; i < DRAIN_MOST; i++) {
		struct msghdr m = { .msg_control = control,
				    .msg_controllen = sizeof(control) };

		if (recvmsg(l->socks.send_fd, &m, MSG_ERRQUEUE) < 0)
			break;
		l->stats.n_send_errors++;
	}
	/* reading it clears it; what it was does not matter */
	if (getsockopt(l->socks.send_fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return;
}
