/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "netlink/nlsock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif

struct nlsock_batch {
	unsigned int n_max;
	struct mmsghdr *msgs;
	struct iovec *iovs;
	struct sockaddr_nl *senders;
	uint8_t *bytes;
};

static int own_port(struct nlsock *s)
{
	struct sockaddr_nl addr = { 0 };
	socklen_t len = sizeof(addr);

	if (getsockname(s->fd, (struct sockaddr *)&addr, &len))
		return -errno;
	s->port = addr.nl_pid;
	return 0;
}

int nlsock_open(struct nlsock *s, int protocol)
{
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	int err;

	*s = (struct nlsock){ 0 };
	s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
		       protocol);
	if (s->fd < 0)
		return -errno;
	s->is_open = true;
	err = bind(s->fd, (const struct sockaddr *)&any, sizeof(any)) ? -errno
								      : 0;
	if (!err)
		err = own_port(s);
	if (err)
		nlsock_close(s);
	else /* kernels before 4.3 repeat the request: longer, nothing else */
		(void)!nlsock_enable(s, NETLINK_CAP_ACK);
	return err;
}

void nlsock_close(struct nlsock *s)
{
	if (s->is_open)
		close(s->fd);
	s->is_open = false;
}

int nlsock_join(struct nlsock *s, int group)
{
	return setsockopt(s->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
			  sizeof(group))
		       ? -errno
		       : 0;
}

int nlsock_enable(struct nlsock *s, int option)
{
	const int on = 1;

	return setsockopt(s->fd, SOL_NETLINK, option, &on, sizeof(on)) ? -errno
								       : 0;
}

static uint32_t buffer_size(const struct nlsock *s, int option)
{
	int bytes = 0;
	socklen_t len = sizeof(bytes);

	if (getsockopt(s->fd, SOL_SOCKET, option, &bytes, &len))
		return 0;
	return (uint32_t)bytes;
}

/* The kernel doubles what it is given, for its overhead. */
static uint32_t set_buffer(struct nlsock *s, uint32_t bytes, int force,
			   int option)
{
	const int half = (int)(bytes / 2);

	if (setsockopt(s->fd, SOL_SOCKET, force, &half, sizeof(half)))
		(void)!setsockopt(s->fd, SOL_SOCKET, option, &half,
				  sizeof(half));
	return buffer_size(s, option);
}

uint32_t nlsock_rcvbuf(const struct nlsock *s)
{
	return buffer_size(s, SO_RCVBUF);
}

uint32_t nlsock_set_rcvbuf(struct nlsock *s, uint32_t bytes)
{
	return set_buffer(s, bytes, SO_RCVBUFFORCE, SO_RCVBUF);
}

uint32_t nlsock_set_sndbuf(struct nlsock *s, uint32_t bytes)
{
	return set_buffer(s, bytes, SO_SNDBUFFORCE, SO_SNDBUF);
}

/* The old one first: both together may be more than the kernel allows. */
int nlsock_filter(struct nlsock *s, struct sock_filter *insns, uint16_t n)
{
	const struct sock_fprog program = { n, insns };
	const int none = 0;

	(void)setsockopt(s->fd, SOL_SOCKET, SO_DETACH_FILTER, &none,
			 sizeof(none));
	return setsockopt(s->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
			  sizeof(program))
		       ? -errno
		       : 0;
}

uint32_t nlsock_drops(const struct nlsock *s)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(s->fd, SOL_SOCKET, SO_MEMINFO, info, &len))
		return 0;
	return info[SK_MEMINFO_DROPS];
}

int nlsock_send(struct nlsock *s, const void *bytes, size_t n)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	ssize_t sent;

	do
		sent = sendto(s->fd, bytes, n, 0,
			      (const struct sockaddr *)&kernel, sizeof(kernel));
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* What one received datagram is worth. */
static int judge(const struct msghdr *msg, size_t n, struct rd *out)
{
	const struct sockaddr_nl *sender = msg->msg_name;

	if (msg->msg_namelen < sizeof(*sender) || sender->nl_pid != 0)
		return -EPERM;
	if (msg->msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	*out = (struct rd){ msg->msg_iov->iov_base, n };
	return 0;
}

int nlsock_recv(struct nlsock *s, void *buf, size_t size, struct rd *out)
{
	struct sockaddr_nl sender;
	struct iovec iov = { buf, size };
	struct msghdr msg = { .msg_name = &sender,
			      .msg_namelen = sizeof(sender),
			      .msg_iov = &iov,
			      .msg_iovlen = 1 };
	ssize_t n;

	do
		n = recvmsg(s->fd, &msg, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : judge(&msg, (size_t)n, out);
}

struct nlsock_batch *nlsock_batch_new(unsigned int n, size_t size)
{
	struct nlsock_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->n_max = n;
	b->msgs = calloc(n, sizeof(*b->msgs));
	b->iovs = calloc(n, sizeof(*b->iovs));
	b->senders = calloc(n, sizeof(*b->senders));
	b->bytes = calloc(n, size);
	if (!b->msgs || !b->iovs || !b->senders || !b->bytes) {
		nlsock_batch_free(b);
		return NULL;
	}
	for (unsigned int i = 0; i < n; i++) {
		b->iovs[i] = (struct iovec){ b->bytes + i * size, size };
		b->msgs[i].msg_hdr.msg_iov = &b->iovs[i];
		b->msgs[i].msg_hdr.msg_iovlen = 1;
		b->msgs[i].msg_hdr.msg_name = &b->senders[i];
	}
	return b;
}

void nlsock_batch_free(struct nlsock_batch *b)
{
	if (!b)
		return;
	free(b->msgs);
	free(b->iovs);
	free(b->senders);
	free(b->bytes);
	free(b);
}

int nlsock_recv_batch(struct nlsock *s, struct nlsock_batch *b,
		      unsigned int max)
{
	int n;

	if (max > b->n_max)
		max = b->n_max;
	for (unsigned int i = 0; i < max; i++)
		b->msgs[i].msg_hdr.msg_namelen = sizeof(b->senders[i]);
	do
		n = recvmmsg(s->fd, b->msgs, max, 0, NULL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int nlsock_batch_get(const struct nlsock_batch *b, unsigned int i,
		     struct rd *out)
{
	return judge(&b->msgs[i].msg_hdr, b->msgs[i].msg_len, out);
}
