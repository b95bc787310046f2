/* SPDX-License-Identifier: ISC */
/* nlsock.h - netlink sockets: never blocking, closed on exec, deaf to all
 * senders but the kernel. */
#ifndef NETLINK_NLSOCK_H
#define NETLINK_NLSOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/util.h"

struct sock_filter;

/* A zeroed one is closed. */
struct nlsock {
	int fd;
	bool is_open;
	uint32_t port; /* our address, which the kernel puts into events */
};

/* Opens and binds a socket of this protocol (NETLINK_*). Answers do not repeat
 * the request. 0 or a negative errno value. */
NODISCARD int nlsock_open(struct nlsock *s, int protocol);
void nlsock_close(struct nlsock *s); /* accepts a closed one */

/* Subscribes to a multicast group. 0 or a negative errno value. */
NODISCARD int nlsock_join(struct nlsock *s, int group);

/* Switches a NETLINK_* socket option on. 0 or a negative errno value. */
NODISCARD int nlsock_enable(struct nlsock *s, int option);

/* From now on the kernel queues only what passes this program of n instructions
 * (classic BPF), in place of the one before: while they change, all passes. 0
 * or a negative errno value, and then there is none. */
NODISCARD int nlsock_filter(struct nlsock *s, struct sock_filter *insns,
			    uint16_t n);

/* Bytes that the kernel queues for us, its own overhead included. */
uint32_t nlsock_rcvbuf(const struct nlsock *s);

/* Asks for a receive (send) buffer of so many effective bytes; without the
 * privilege to force it the system's limit holds. Returns what became of it. */
uint32_t nlsock_set_rcvbuf(struct nlsock *s, uint32_t bytes);
uint32_t nlsock_set_sndbuf(struct nlsock *s, uint32_t bytes);

/* How many messages found no room in the receive buffer, ever; 0 where the
 * kernel does not tell (before 4.12). */
uint32_t nlsock_drops(const struct nlsock *s);

/* Sends one datagram to the kernel, which has handled it when this returns. 0
 * or a negative errno value; -EAGAIN, -ENOBUFS, -ENOMEM: try later. */
NODISCARD int nlsock_send(struct nlsock *s, const void *bytes, size_t n);

/* Receives one datagram into buf; *out is its content. 0; -EAGAIN: there is
 * none; -EPERM: it was not from the kernel; -EMSGSIZE: it was larger and is
 * lost; -ENOBUFS: others were lost; or another negative errno value. */
NODISCARD int nlsock_recv(struct nlsock *s, void *buf, size_t size,
			  struct rd *out);

/* Room for many datagrams that are received with one system call. */
struct nlsock_batch;

/* n datagrams of up to size bytes. NULL if there is no memory. */
struct nlsock_batch *nlsock_batch_new(unsigned int n, size_t size);
void nlsock_batch_free(struct nlsock_batch *b); /* accepts NULL */

/* Receives up to max datagrams, at most as many as b has room for. How many
 * came; fewer than that: no more are there, or an error is, which the next
 * call returns. Otherwise a negative errno value as nlsock_recv() has it. */
NODISCARD int nlsock_recv_batch(struct nlsock *s, struct nlsock_batch *b,
				unsigned int max);

/* Datagram i of the last call: 0 and *out; -EPERM or -EMSGSIZE as above. */
NODISCARD int nlsock_batch_get(const struct nlsock_batch *b, unsigned int i,
			       struct rd *out);

#endif
