/* SPDX-License-Identifier: ISC */
/* ctexp.c - what the kernel's helpers expect as lines of words, by raw netlink
 * and without the daemon's codecs.
 *
 *	ctexp add	makes an expectation of each line of its input
 *	ctexp del	deletes them: what is expected, and the zone
 *	ctexp dump	prints all, in the same form
 *
 *	proto=6 src=10.2.0.10 dst=10.2.0.1 sport=0 dport=4000
 *	mask-src=255.255.255.255 mask-dst=255.255.255.255 mask-sport=0
 *	mask-dport=65535 master-proto=6 master-src=10.1.0.10
 *	master-dst=10.2.0.10 master-sport=3000 master-dport=21 zone=0 flags=0
 *	class=0 timeout=300 nat-dir=1 nat-proto=6 nat-src=10.1.0.10
 *	nat-dst=0.0.0.0 nat-sport=4000 nat-dport=0 helper=ftp
 *	fn=nat-follow-master
 *
 * What a line does not name is 0 or, from nat-dir on, absent. The kernel does
 *not tell the zone. Exit 1 if one was refused. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>

#include "ctmsg.h"

enum { LINE_MAX_LEN = 1024, MESSAGE_MAX = 2048, NAME_SIZE = 32 };

struct end {
	uint8_t addr[16];
	uint8_t port[2]; /* big-endian */
};

struct tuple {
	struct end src, dst;
	uint8_t proto;
};

struct expectation {
	bool is_v6, has_nat;
	struct tuple expected, mask, master, nat;
	unsigned zone, flags, class, timeout_s, nat_dir;
	char helper[NAME_SIZE], fn[NAME_SIZE];
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* ---- lines ---- */

static bool parse_addr(struct expectation *e, uint8_t *addr, const char *text)
{
	if (inet_pton(AF_INET, text, addr) == 1)
		return true;
	e->is_v6 = true;
	return inet_pton(AF_INET6, text, addr) == 1;
}

/* What is left of a word behind the prefix; NULL if it has another. */
static const char *behind(const char *word, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(word, prefix, n) == 0 ? word + n : NULL;
}

static bool parse_tuple(struct expectation *e, struct tuple *t,
			const char *word)
{
	uint16_t port;
	const char *v;

	if ((v = behind(word, "src=")))
		return parse_addr(e, t->src.addr, v);
	if ((v = behind(word, "dst=")))
		return parse_addr(e, t->dst.addr, v);
	if ((v = behind(word, "proto="))) {
		t->proto = (uint8_t)strtoul(v, NULL, 10);
		return true;
	}
	if (!(v = behind(word, "sport=")) && !behind(word, "dport="))
		return false;
	port = htons((uint16_t)strtoul(strchr(word, '=') + 1, NULL, 10));
	memcpy(v ? t->src.port : t->dst.port, &port, 2);
	return true;
}

static bool parse_number(struct expectation *e, const char *word)
{
	const struct {
		const char *name;
		unsigned *to;
	} rows[] = {
		{ "zone=", &e->zone },       { "flags=", &e->flags },
		{ "class=", &e->class },     { "timeout=", &e->timeout_s },
		{ "nat-dir=", &e->nat_dir },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *v = behind(word, rows[i].name);

		if (!v)
			continue;
		*rows[i].to = (unsigned)strtoul(v, NULL, 0);
		return true;
	}
	return false;
}

static bool parse_word(struct expectation *e, const char *word)
{
	const char *v;

	if (parse_number(e, word))
		return true;
	if ((v = behind(word, "helper="))) {
		snprintf(e->helper, NAME_SIZE, "%s", v);
		return true;
	}
	if ((v = behind(word, "fn="))) {
		snprintf(e->fn, NAME_SIZE, "%s", v);
		return true;
	}
	if ((v = behind(word, "mask-")))
		return parse_tuple(e, &e->mask, v);
	if ((v = behind(word, "master-")))
		return parse_tuple(e, &e->master, v);
	if ((v = behind(word, "nat-"))) {
		e->has_nat = true;
		return parse_tuple(e, &e->nat, v);
	}
	return parse_tuple(e, &e->expected, word);
}

static void parse_line(struct expectation *e, char *line)
{
	for (char *word = strtok(line, " \n"); word; word = strtok(NULL, " \n"))
		if (!parse_word(e, word)) {
			fprintf(stderr, "bad word: %s\n", word);
			exit(2);
		}
}

/* With a blank behind each word. */
static void print_tuple(const char *prefix, const struct tuple *t, bool is_v6)
{
	int family = is_v6 ? AF_INET6 : AF_INET;
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	inet_ntop(family, t->src.addr, src, sizeof(src));
	inet_ntop(family, t->dst.addr, dst, sizeof(dst));
	printf("%sproto=%u %ssrc=%s %sdst=%s %ssport=%u %sdport=%u ", prefix,
	       t->proto, prefix, src, prefix, dst, prefix,
	       t->src.port[0] << 8 | t->src.port[1], prefix,
	       t->dst.port[0] << 8 | t->dst.port[1]);
}

static void print(const struct expectation *e)
{
	print_tuple("", &e->expected, e->is_v6);
	print_tuple("mask-", &e->mask, e->is_v6);
	print_tuple("master-", &e->master, e->is_v6);
	printf("zone=%u flags=%u class=%u timeout=%u ", e->zone, e->flags,
	       e->class, e->timeout_s);
	if (e->has_nat) {
		printf("nat-dir=%u ", e->nat_dir);
		print_tuple("nat-", &e->nat, e->is_v6);
	}
	if (e->helper[0])
		printf("helper=%s ", e->helper);
	if (e->fn[0])
		printf("fn=%s", e->fn);
	printf("\n");
}

/* ---- requests ---- */

static void put_tuple(struct nlmsghdr *h, uint16_t type, const struct tuple *t,
		      bool is_v6)
{
	size_t len = is_v6 ? 16 : 4;
	uint32_t tuple = nest(h, type), part = nest(h, CTA_TUPLE_IP);

	put(h, is_v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, t->src.addr, len);
	put(h, is_v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, t->dst.addr, len);
	nest_end(h, part);
	part = nest(h, CTA_TUPLE_PROTO);
	put(h, CTA_PROTO_NUM, &t->proto, 1);
	put(h, CTA_PROTO_SRC_PORT, t->src.port, 2);
	put(h, CTA_PROTO_DST_PORT, t->dst.port, 2);
	nest_end(h, part);
	nest_end(h, tuple);
}

static void put_be32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	v = htonl(v);
	put(h, type, &v, sizeof(v));
}

static void put_rest(struct nlmsghdr *h, const struct expectation *e)
{
	uint32_t nat;

	put_tuple(h, CTA_EXPECT_MASK, &e->mask, e->is_v6);
	put_tuple(h, CTA_EXPECT_MASTER, &e->master, e->is_v6);
	put_be32(h, CTA_EXPECT_TIMEOUT, e->timeout_s);
	put_be32(h, CTA_EXPECT_FLAGS, e->flags);
	put_be32(h, CTA_EXPECT_CLASS, e->class);
	if (e->helper[0])
		put(h, CTA_EXPECT_HELP_NAME, e->helper, strlen(e->helper) + 1);
	if (e->fn[0])
		put(h, CTA_EXPECT_FN, e->fn, strlen(e->fn) + 1);
	if (e->has_nat) {
		nat = nest(h, CTA_EXPECT_NAT);
		put_be32(h, CTA_EXPECT_NAT_DIR, e->nat_dir);
		put_tuple(h, CTA_EXPECT_NAT_TUPLE, &e->nat, e->is_v6);
		nest_end(h, nat);
	}
}

static struct nlmsghdr *begin(uint8_t *buf, int type, int flags, int family)
{
	struct nlmsghdr *h =
		msg_begin(buf, MESSAGE_MAX, type, flags, (uint8_t)family);

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK_EXP << 8 | type);
	return h;
}

/* Returns 0 or what the kernel says is wrong. */
static int ask(int fd, const struct nlmsghdr *request)
{
	_Alignas(struct nlmsghdr) uint8_t buf[8192];
	struct nlmsghdr *h = (void *)buf;
	const struct nlmsgerr *e = NLMSG_DATA(h);

	if (send(fd, request, request->nlmsg_len, 0) < 0 ||
	    recv(fd, buf, sizeof(buf), 0) < 0)
		die("netlink");
	return h->nlmsg_type == NLMSG_ERROR ? -e->error : EPROTO;
}

static int change(int fd, bool is_new)
{
	_Alignas(struct nlmsghdr) uint8_t buf[MESSAGE_MAX];
	char line[LINE_MAX_LEN];
	int status = 0;

	while (fgets(line, sizeof(line), stdin)) {
		struct expectation e = { 0 };
		struct nlmsghdr *h;
		uint16_t zone;
		int error;

		parse_line(&e, line);
		h = begin(buf,
			  is_new ? IPCTNL_MSG_EXP_NEW : IPCTNL_MSG_EXP_DELETE,
			  NLM_F_ACK | (is_new ? NLM_F_CREATE | NLM_F_EXCL : 0),
			  e.is_v6 ? AF_INET6 : AF_INET);
		put_tuple(h, CTA_EXPECT_TUPLE, &e.expected, e.is_v6);
		if (is_new)
			put_rest(h, &e);
		zone = htons((uint16_t)e.zone);
		if (e.zone)
			put(h, CTA_EXPECT_ZONE, &zone, sizeof(zone));
		error = ask(fd, h);
		if (!error)
			continue;
		fprintf(stderr, "%s: ", strerror(error));
		fprintf(stderr, "dport %u\n",
			e.expected.dst.port[0] << 8 | e.expected.dst.port[1]);
		status = 1;
	}
	return status;
}

/* ---- dump ---- */

/* Attributes of one level by their types; those above are left out. */
enum { TYPES_MAX = 16 };

struct level {
	const struct nlattr *at[TYPES_MAX];
};

static struct level read_level(const uint8_t *data, size_t len)
{
	struct level l = { { NULL } };

	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const void *)data;
		unsigned type = a->nla_type & NLA_TYPE_MASK;
		size_t step = NLA_ALIGN(a->nla_len);

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			break;
		if (type < TYPES_MAX)
			l.at[type] = a;
		if (step >= len)
			break;
		data += step;
		len -= step;
	}
	return l;
}

static struct level nested(const struct nlattr *a)
{
	if (!a)
		return (struct level){ { NULL } };
	return read_level((const uint8_t *)a + NLA_HDRLEN,
			  a->nla_len - NLA_HDRLEN);
}

/* At most size bytes of its payload; those that it lacks stay as they are. */
static void take(const struct nlattr *a, void *to, size_t size)
{
	size_t len = a ? a->nla_len - NLA_HDRLEN : 0;

	if (a)
		memcpy(to, (const uint8_t *)a + NLA_HDRLEN,
		       len < size ? len : size);
}

static unsigned take_be32(const struct nlattr *a)
{
	uint32_t v = 0;

	take(a, &v, sizeof(v));
	return ntohl(v);
}

static void take_tuple(const struct nlattr *a, struct tuple *t, bool *is_v6)
{
	struct level l = nested(a), ip = nested(l.at[CTA_TUPLE_IP]);
	struct level proto = nested(l.at[CTA_TUPLE_PROTO]);

	if (ip.at[CTA_IP_V6_SRC])
		*is_v6 = true;
	take(ip.at[CTA_IP_V4_SRC], t->src.addr, 4);
	take(ip.at[CTA_IP_V4_DST], t->dst.addr, 4);
	take(ip.at[CTA_IP_V6_SRC], t->src.addr, 16);
	take(ip.at[CTA_IP_V6_DST], t->dst.addr, 16);
	take(proto.at[CTA_PROTO_NUM], &t->proto, 1);
	take(proto.at[CTA_PROTO_SRC_PORT], t->src.port, 2);
	take(proto.at[CTA_PROTO_DST_PORT], t->dst.port, 2);
}

static void print_message(const struct nlmsghdr *h)
{
	size_t head = NLMSG_LENGTH(sizeof(struct nfgenmsg));
	struct level l =
		read_level((const uint8_t *)h + head, h->nlmsg_len - head);
	struct level nat = nested(l.at[CTA_EXPECT_NAT]);
	struct expectation e = { .has_nat = l.at[CTA_EXPECT_NAT] != NULL };
	uint16_t zone = 0;

	take_tuple(l.at[CTA_EXPECT_TUPLE], &e.expected, &e.is_v6);
	take_tuple(l.at[CTA_EXPECT_MASK], &e.mask, &e.is_v6);
	take_tuple(l.at[CTA_EXPECT_MASTER], &e.master, &e.is_v6);
	take_tuple(nat.at[CTA_EXPECT_NAT_TUPLE], &e.nat, &e.is_v6);
	e.nat_dir = take_be32(nat.at[CTA_EXPECT_NAT_DIR]);
	e.timeout_s = take_be32(l.at[CTA_EXPECT_TIMEOUT]);
	e.flags = take_be32(l.at[CTA_EXPECT_FLAGS]);
	e.class = take_be32(l.at[CTA_EXPECT_CLASS]);
	take(l.at[CTA_EXPECT_ZONE], &zone, sizeof(zone));
	e.zone = ntohs(zone);
	take(l.at[CTA_EXPECT_HELP_NAME], e.helper, NAME_SIZE - 1);
	take(l.at[CTA_EXPECT_FN], e.fn, NAME_SIZE - 1);
	print(&e);
}

static int dump(int fd)
{
	_Alignas(struct nlmsghdr) uint8_t buf[65536];
	struct nlmsghdr *h =
		begin(buf, IPCTNL_MSG_EXP_GET, NLM_F_DUMP, AF_UNSPEC);

	if (send(fd, h, h->nlmsg_len, 0) < 0)
		die("netlink");
	for (;;) {
		ssize_t got = recv(fd, buf, sizeof(buf), 0);
		size_t left = (size_t)got;

		if (got < 0)
			die("netlink");
		h = (struct nlmsghdr *)(void *)buf;
		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return 0;
			print_message(h);
		}
	}
}

int main(int argc, char **argv)
{
	int fd = netlink_open(0);

	if (argc == 2 && strcmp(argv[1], "add") == 0)
		return change(fd, true);
	if (argc == 2 && strcmp(argv[1], "del") == 0)
		return change(fd, false);
	if (argc == 2 && strcmp(argv[1], "dump") == 0)
		return dump(fd);
	fprintf(stderr, "usage: ctexp add, del or dump\n");
	return 2;
}
