/* SPDX-License-Identifier: ISC */
/* ctmsg.h - requests of ctnetlink, written without the daemon's codecs. */
#ifndef TOOLS_CTMSG_H
#define TOOLS_CTMSG_H

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of NETLINK_NETFILTER; ends the program if there is none. */
static inline int netlink_open(uint32_t groups)
{
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK,
				  .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa))) {
		perror("netlink");
		exit(2);
	}
	return fd;
}

/* Begins a message at size bytes, which it zeroes. */
static inline struct nlmsghdr *msg_begin(uint8_t *at, size_t size, int type,
					 int flags, uint8_t family)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)at;
	struct nfgenmsg *g = NLMSG_DATA(h);

	memset(at, 0, size);
	h->nlmsg_len = NLMSG_LENGTH(sizeof(*g));
	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	g->nfgen_family = family;
	return h;
}

/* The caller sees to the room, as with those below. */
static inline void put(struct nlmsghdr *h, uint16_t type, const void *data,
		       size_t len)
{
	uint8_t *at = (uint8_t *)h + NLMSG_ALIGN(h->nlmsg_len);
	struct nlattr a = { .nla_len = (uint16_t)(NLA_HDRLEN + len),
			    .nla_type = type };

	memcpy(at, &a, sizeof(a));
	memcpy(at + NLA_HDRLEN, data, len);
	h->nlmsg_len = NLMSG_ALIGN(h->nlmsg_len) + NLA_ALIGN(a.nla_len);
}

static inline uint32_t nest(struct nlmsghdr *h, uint16_t type)
{
	uint32_t at = h->nlmsg_len;

	put(h, type | NLA_F_NESTED, "", 0);
	return at;
}

static inline void nest_end(struct nlmsghdr *h, uint32_t at)
{
	uint16_t len = (uint16_t)(h->nlmsg_len - at);

	memcpy((uint8_t *)h + at, &len, sizeof(len));
}

#endif
