/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "sync/link_sock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

enum {
	KEEP_IDLE_S = 4, /* 4 + 2 * 2 seconds */
	KEEP_INTERVAL_S = 2,
	KEEP_PROBES = 2,
	CLASS_CS6 = 0xc0,
	PRIORITY_FIRST = 6, /* more needs CAP_NET_ADMIN (socket(7)) */
};

_Static_assert(FAMILY_IPV4 == AF_INET && FAMILY_IPV6 == AF_INET6,
	       "families are those of the sockets");

union sock_addr sock_addr_of(enum family family, const struct addr *a,
			     uint16_t port, unsigned int index)
{
	union sock_addr s;

	memset(&s, 0, sizeof(s));
	s.sa.sa_family = (sa_family_t)family;
	if (family == FAMILY_IPV4) {
		s.in.sin_port = htons(port);
		memcpy(&s.in.sin_addr, a->b, sizeof(s.in.sin_addr));
	} else {
		s.in6.sin6_port = htons(port);
		memcpy(&s.in6.sin6_addr, a->b, sizeof(s.in6.sin6_addr));
		/* the kernel ignores it where the address has no scope */
		s.in6.sin6_scope_id = index;
	}
	return s;
}

socklen_t sock_addr_len(const union sock_addr *s)
{
	return s->sa.sa_family == AF_INET ? sizeof(s->in) : sizeof(s->in6);
}

struct addr sock_addr_host(const union sock_addr *s)
{
	struct addr a = { { 0 } };

	if (s->sa.sa_family == AF_INET)
		memcpy(a.b, &s->in.sin_addr, sizeof(s->in.sin_addr));
	else if (s->sa.sa_family == AF_INET6)
		memcpy(a.b, &s->in6.sin6_addr, sizeof(s->in6.sin6_addr));
	return a;
}

uint16_t sock_addr_port(const union sock_addr *s)
{
	return ntohs(s->sa.sa_family == AF_INET ? s->in.sin_port
						: s->in6.sin6_port);
}

int sock_level(enum family family)
{
	return family == FAMILY_IPV4 ? IPPROTO_IP : IPPROTO_IPV6;
}

static int new_socket(enum family family, int type)
{
	int fd = socket((int)family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	return fd;
}

int sock_new(enum family family)
{
	return new_socket(family, SOCK_DGRAM);
}

int sock_new_stream(enum family family)
{
	return new_socket(family, SOCK_STREAM);
}

int sock_set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno
								    : 0;
}

int sock_bind(int fd, const union sock_addr *a)
{
	return bind(fd, &a->sa, sock_addr_len(a)) ? -errno : 0;
}

/* The forced option needs CAP_NET_ADMIN; the plain one is cut to the limit of
 * the system. */
static int set_buffer(int fd, int forced, int plain, uint32_t bytes)
{
	int value = bytes > INT32_MAX ? INT32_MAX : (int)bytes;

	if (bytes == 0 || sock_set(fd, SOL_SOCKET, forced, value) == 0)
		return 0;
	return sock_set(fd, SOL_SOCKET, plain, value);
}

int sock_set_send_buffer(int fd, const struct link_opts *opts)
{
	return set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF,
			  opts->send_buffer_bytes);
}

int sock_set_recv_buffer(int fd, const struct link_opts *opts)
{
	return set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF,
			  opts->recv_buffer_bytes);
}

int sock_set_keepalive(int fd)
{
	static const struct {
		int level, option, value;
	} rows[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES },
	};
	int err = 0;

	for (size_t i = 0; i < N_ELEMENTS(rows) && err == 0; i++)
		err = sock_set(fd, rows[i].level, rows[i].option,
			       rows[i].value);
	return err;
}

int sock_go_first(int fd, enum family family, const char **failed)
{
	int option = family == FAMILY_IPV4 ? IP_TOS : IPV6_TCLASS;
	int err = sock_set(fd, sock_level(family), option, CLASS_CS6);

	*failed = "IP_TOS";
	if (err)
		return err;
	/* After the class, which sets a priority of its own. */
	*failed = "SO_PRIORITY";
	return sock_set(fd, SOL_SOCKET, SO_PRIORITY, PRIORITY_FIRST);
}

int sock_open_sender(const struct link_opts *opts, int *fd, const char **failed)
{
	bool is_v4 = opts->family == FAMILY_IPV4;
	int err;

	*failed = "socket";
	*fd = sock_new(opts->family);
	if (*fd < 0)
		return *fd;
	err = sock_go_first(*fd, opts->family, failed);
	if (err)
		return err;
	*failed = "IP_RECVERR";
	err = sock_set(*fd, sock_level(opts->family),
		       is_v4 ? IP_RECVERR : IPV6_RECVERR, 1);
	if (err)
		return err;
	if (is_v4 && !opts->checksum) {
		*failed = "SO_NO_CHECK";
		err = sock_set(*fd, SOL_SOCKET, SO_NO_CHECK, 1);
		if (err)
			return err;
	}
	*failed = "SO_SNDBUF";
	return sock_set_send_buffer(*fd, opts);
}

int sock_open_receiver(const struct link_opts *opts, int *fd,
		       const char **failed)
{
	int err;

	*failed = "socket";
	*fd = sock_new(opts->family);
	if (*fd < 0)
		return *fd;
	*failed = "SO_REUSEADDR";
	err = sock_set(*fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (err)
		return err;
	*failed = "SO_RCVBUF";
	return sock_set_recv_buffer(*fd, opts);
}

uint32_t sock_buffer_bytes(int fd, int option)
{
	int value = 0;
	socklen_t len = sizeof(value);

	/* Linux doubles what it is asked for and shows the double (socket(7))
	 */
	if (getsockopt(fd, SOL_SOCKET, option, &value, &len) || value < 0)
		return 0;
	return (uint32_t)value / 2;
}
