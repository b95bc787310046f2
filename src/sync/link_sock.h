/* SPDX-License-Identifier: ISC */
/* link_sock.h - sockets of both families, for the kinds of link. */
#ifndef SYNC_LINK_SOCK_H
#define SYNC_LINK_SOCK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "base/util.h"
#include "sync/link.h"

union sock_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

/* index is the scope of an IPv6 address that needs one. */
union sock_addr sock_addr_of(enum family family, const struct addr *a,
			     uint16_t port, unsigned int index);
socklen_t sock_addr_len(const union sock_addr *s);
/* Address and port in s, whatever its family. */
struct addr sock_addr_host(const union sock_addr *s);
uint16_t sock_addr_port(const union sock_addr *s);

/* Level of the options of a family: IPPROTO_IP or IPPROTO_IPV6. */
int sock_level(enum family family);

/* A datagram socket, CLOEXEC and NONBLOCK; a negative errno value. */
int sock_new(enum family family);
/* The same, of TCP. */
int sock_new_stream(enum family family);
/* 0 or a negative errno value, as all below. */
NODISCARD int sock_set(int fd, int level, int option, int value);
/* -EADDRNOTAVAIL: no interface has the address, or it is tentative. */
NODISCARD int sock_bind(int fd, const union sock_addr *a);

/* What is sent goes before other traffic: it has the class of network control
 * for who forwards it (CS6, RFC 2474), and the first place in our own queues.
 */
NODISCARD int sock_go_first(int fd, enum family family, const char **failed);

/* Opens what all kinds share. Sender: goes first, errors of earlier datagrams
 * and a full queue are reported, checksum and buffer as in opts. Receiver:
 * address shared with others, buffer as in opts. On success *fd is the new
 * socket. */
NODISCARD int sock_open_sender(const struct link_opts *opts, int *fd,
			       const char **failed);
NODISCARD int sock_open_receiver(const struct link_opts *opts, int *fd,
				 const char **failed);

/* The buffers as in opts. */
NODISCARD int sock_set_send_buffer(int fd, const struct link_opts *opts);
NODISCARD int sock_set_recv_buffer(int fd, const struct link_opts *opts);

/* TCP: a peer that is gone is noticed within 10 s, though nothing is sent. */
NODISCARD int sock_set_keepalive(int fd);

/* Bytes that a buffer (SO_SNDBUF, SO_RCVBUF) has, in the unit in which they
 * are asked for. */
uint32_t sock_buffer_bytes(int fd, int option);

#endif
