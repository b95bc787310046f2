/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "sync/link.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sync/link_impl.h"
#include "sync/link_sock.h"

enum {
	PAYLOAD_LEAST = 64,   /* of an MTU too small to be meant */
	PAYLOAD_MOST = 65507, /* of UDP over IPv4, whatever the MTU */
	MTU_UNKNOWN = 1500,   /* while there is no interface */
};

static const struct link_ops *const ops_of[] = {
	[LINK_MCAST] = &link_dgram_ops,
	[LINK_UDP] = &link_dgram_ops,
	[LINK_TCP] = &link_tcp_ops,
};

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

int link_new(const struct link_opts *opts, struct loop *loop,
	     const struct link_sink *sink, struct link **out)
{
	const struct link_ops *ops = ops_of[opts->kind];
	struct link *l = ops->new ();

	if (!l)
		return -ENOMEM;
	l->ops = ops;
	l->opts = *opts;
	l->loop = loop;
	l->sink = *sink;
	*out = l;
	return 0;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	l->ops->close(l);
	l->ops->free(l);
}

const struct link_opts *link_opts(const struct link *l)
{
	return &l->opts;
}

bool link_is_peer(const struct link_opts *opts, const struct addr *from)
{
	for (size_t i = 0; i < opts->n_sources; i++)
		if (addr_equal(&opts->sources[i], from))
			return true;
	return false;
}

const struct link_stats *link_stats(const struct link *l)
{
	return &l->stats;
}

bool link_connections(struct link *l, bool *is_server, bool *is_client)
{
	if (!l->ops->connections)
		return false;
	l->ops->connections(l, is_server, is_client);
	return true;
}

bool link_buffer_note(struct link *l, uint32_t *send_bytes,
		      uint32_t *recv_bytes)
{
	l->ops->buffers(l, send_bytes, recv_bytes);
	return *send_bytes < l->opts.send_buffer_bytes ||
	       *recv_bytes < l->opts.recv_buffer_bytes;
}

size_t link_payload_max(const struct link *l)
{
	size_t headers = l->ops->headers(l);
	size_t mtu = l->mtu ? l->mtu : MTU_UNKNOWN;

	if (mtu < headers + PAYLOAD_LEAST)
		return PAYLOAD_LEAST;
	return mtu - headers > PAYLOAD_MOST ? PAYLOAD_MOST : mtu - headers;
}

void link_set_interface(struct link *l, enum link_status status,
			unsigned int index, unsigned int mtu)
{
	/* it came up, or its carrier came back */
	if (status != LINK_DOWN && (l->status < status || mtu != l->mtu))
		l->needs_renewal = true;
	l->status = status;
	l->index = index;
	l->mtu = mtu;
}

bool link_has_interface(const struct link *l)
{
	return l->index != 0;
}

static bool is_open(const struct link *l)
{
	return l->opened_index == l->index;
}

bool link_needs_repair(const struct link *l)
{
	return l->index && l->status != LINK_DOWN &&
	       (!is_open(l) || l->needs_renewal);
}

int link_repair(struct link *l, const char **failed)
{
	bool was_open = is_open(l);
	int err = 0;

	*failed = "interface";
	if (!l->index)
		return -ENODEV;
	if (!was_open)
		err = l->ops->open(l, failed);
	else if (l->needs_renewal)
		err = l->ops->renew(l, failed);
	if (err < 0)
		return err;
	l->needs_renewal = false;
	return !was_open;
}

bool link_is_usable(const struct link *l)
{
	return l->status == LINK_RUNNING && l->index && is_open(l) &&
	       !l->needs_renewal;
}

enum link_status link_status(const struct link *l)
{
	return l->status;
}

int link_send(struct link *l, const void *dgram, size_t len)
{
	if (!l->opened_index) {
		l->stats.n_send_errors++;
		return -ENETDOWN;
	}
	return l->ops->send(l, dgram, len);
}
