/* SPDX-License-Identifier: ISC */
/* cthelper.c - helpers in user space, by raw netlink (nfnetlink_cthelper). The
 * kernel has one table of them for all namespaces.
 *
 *	cthelper new|del NAME	one for TCP over IPv4, of queue 0
 *
 * Exit 1 if the kernel refused, 77 if it has no such helpers. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink_cthelper.h>

#include "ctmsg.h"

enum { MESSAGE_MAX = 512 };

static void put_be32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	uint32_t be = htonl(v);

	put(h, type, &be, sizeof(be));
}

static void put_tuple(struct nlmsghdr *h)
{
	uint32_t tuple = nest(h, NFCTH_TUPLE);
	uint16_t l3proto = htons(AF_INET);
	uint8_t l4proto = IPPROTO_TCP;

	put(h, NFCTH_TUPLE_L3PROTONUM, &l3proto, sizeof(l3proto));
	put(h, NFCTH_TUPLE_L4PROTONUM, &l4proto, sizeof(l4proto));
	nest_end(h, tuple);
}

/* What a helper has to say of the expectations that it makes. */
static void put_policy(struct nlmsghdr *h, const char *name)
{
	uint32_t set = nest(h, NFCTH_POLICY), policy;

	put_be32(h, NFCTH_POLICY_SET_NUM, 1);
	policy = nest(h, NFCTH_POLICY_SET1);
	put(h, NFCTH_POLICY_NAME, name, strlen(name) + 1);
	put_be32(h, NFCTH_POLICY_EXPECT_MAX, 1);
	put_be32(h, NFCTH_POLICY_EXPECT_TIMEOUT, 300);
	nest_end(h, policy);
	nest_end(h, set);
}

/* A negative errno value, or 0. */
static int ask(int fd, const struct nlmsghdr *h)
{
	_Alignas(struct nlmsghdr) uint8_t answer[4096];
	struct nlmsghdr *a = (struct nlmsghdr *)(void *)answer;
	const struct nlmsgerr *e = NLMSG_DATA(a);

	if (send(fd, h, h->nlmsg_len, 0) < 0 ||
	    recv(fd, answer, sizeof(answer), 0) < 0)
		return -errno;
	return a->nlmsg_type == NLMSG_ERROR ? e->error : -EPROTO;
}

int main(int argc, char **argv)
{
	_Alignas(struct nlmsghdr) uint8_t buf[MESSAGE_MAX];
	struct nlmsghdr *h;
	int is_new, err;

	if (argc != 3 || strlen(argv[2]) > 15) {
		fprintf(stderr, "usage: cthelper new|del NAME\n");
		return 2;
	}
	is_new = strcmp(argv[1], "new") == 0;
	h = msg_begin(buf, sizeof(buf),
		      is_new ? NFNL_MSG_CTHELPER_NEW : NFNL_MSG_CTHELPER_DEL,
		      NLM_F_ACK | (is_new ? NLM_F_CREATE : 0), AF_UNSPEC);
	h->nlmsg_type =
		(uint16_t)(NFNL_SUBSYS_CTHELPER << 8 | (h->nlmsg_type & 0xff));
	put(h, NFCTH_NAME, argv[2], strlen(argv[2]) + 1);
	put_tuple(h);
	if (is_new) {
		put_be32(h, NFCTH_QUEUE_NUM, 0);
		put_be32(h, NFCTH_PRIV_DATA_LEN, 0);
		put_policy(h, argv[2]);
	}
	err = ask(netlink_open(0), h);
	if (err)
		fprintf(stderr, "cthelper: %s\n", strerror(-err));
	/* no such subsystem */
	return !err ? 0 : err == -EINVAL && is_new ? 77 : 1;
}
