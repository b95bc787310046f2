/* SPDX-License-Identifier: ISC */
/* endpoint.h - addresses of both families, TCP sockets of them, and how FTP
 * writes them. What fails ends the program. */
#ifndef TOOLS_ENDPOINT_H
#define TOOLS_ENDPOINT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { PATIENCE_S = 20 };

/* An address of either family, and a port. */
union endpoint {
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline void die(const char *what)
{
	perror(what);
	exit(1);
}

static inline socklen_t endpoint_len(const union endpoint *e)
{
	return e->sa.sa_family == AF_INET ? sizeof(e->v4) : sizeof(e->v6);
}

static inline unsigned endpoint_port(const union endpoint *e)
{
	return ntohs(e->sa.sa_family == AF_INET ? e->v4.sin_port
						: e->v6.sin6_port);
}

/* False: text is no address. */
static inline bool endpoint_parse(union endpoint *e, const char *text,
				  unsigned port)
{
	memset(e, 0, sizeof(*e));
	if (inet_pton(AF_INET, text, &e->v4.sin_addr) == 1) {
		e->sa.sa_family = AF_INET;
		e->v4.sin_port = htons((uint16_t)port);
		return true;
	}
	e->sa.sa_family = AF_INET6;
	e->v6.sin6_port = htons((uint16_t)port);
	return inet_pton(AF_INET6, text, &e->v6.sin6_addr) == 1;
}

/* Of a socket's own end; IPv4 as such. */
static inline union endpoint endpoint_own(int fd)
{
	union endpoint e = { 0 };
	socklen_t len = sizeof(e);
	in_port_t port;

	if (getsockname(fd, &e.sa, &len))
		die("getsockname");
	if (e.sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&e.v6.sin6_addr)) {
		uint8_t v4[4];

		port = e.v6.sin6_port;
		memcpy(v4, e.v6.sin6_addr.s6_addr + 12, 4);
		memset(&e, 0, sizeof(e));
		e.sa.sa_family = AF_INET;
		e.v4.sin_port = port;
		memcpy(&e.v4.sin_addr, v4, 4);
	}
	return e;
}

static inline int tcp_socket(int family)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int on = 1, off = 0;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

/* Port 0 becomes one that is free. */
static inline int tcp_listen(union endpoint *e)
{
	int fd = tcp_socket(e->sa.sa_family);

	if (bind(fd, &e->sa, endpoint_len(e)) || listen(fd, 4))
		die("listen");
	*e = endpoint_own(fd);
	return fd;
}

static inline int tcp_connect(const union endpoint *e)
{
	int fd = tcp_socket(e->sa.sa_family);

	if (connect(fd, &e->sa, endpoint_len(e)))
		die("connect");
	return fd;
}

static inline int tcp_accept(int listening)
{
	int fd = accept(listening, NULL, NULL);

	if (fd < 0)
		die("data connection");
	close(listening);
	return fd;
}

static inline void wait_for_ever(int fd)
{
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0 },
		   sizeof(struct timeval));
}

/* ---- addresses in the stream ---- */

/* h,h,h,h,p,p of PORT and PASV. */
static inline bool parse_numbers(const char *text, union endpoint *e)
{
	unsigned a[6];
	char addr[INET_ADDRSTRLEN];

	if (sscanf(text, "%u,%u,%u,%u,%u,%u", &a[0], &a[1], &a[2], &a[3], &a[4],
		   &a[5]) != 6)
		return false;
	snprintf(addr, sizeof(addr), "%u.%u.%u.%u", a[0] & 255, a[1] & 255,
		 a[2] & 255, a[3] & 255);
	return endpoint_parse(e, addr, a[4] << 8 | a[5]);
}

static inline void print_numbers(char *text, size_t size,
				 const union endpoint *e)
{
	uint32_t a = ntohl(e->v4.sin_addr.s_addr);
	unsigned port = endpoint_port(e);

	snprintf(text, size, "%u,%u,%u,%u,%u,%u", a >> 24, a >> 16 & 255,
		 a >> 8 & 255, a & 255, port >> 8, port & 255);
}

/* |1|h.h.h.h|p| and |2|h:...:h|p| of EPRT. */
static inline bool parse_bars(const char *text, union endpoint *e)
{
	char addr[INET6_ADDRSTRLEN];
	unsigned version, port;

	return sscanf(text, "|%u|%45[0-9a-fA-F.:]|%u|", &version, addr,
		      &port) == 3 &&
	       endpoint_parse(e, addr, port) &&
	       version == (e->sa.sa_family == AF_INET ? 1 : 2);
}

static inline void print_bars(char *text, size_t size, const union endpoint *e)
{
	bool is_v4 = e->sa.sa_family == AF_INET;
	const void *at = is_v4 ? (const void *)&e->v4.sin_addr
			       : (const void *)&e->v6.sin6_addr;
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(e->sa.sa_family, at, addr, sizeof(addr));
	snprintf(text, size, "|%d|%s|%u|", is_v4 ? 1 : 2, addr,
		 endpoint_port(e));
}

#endif
