/* SPDX-License-Identifier: ISC */
/* ctload.c - fills, changes and counts a conntrack table by raw netlink.
 *
 *	ctload [OPTION]... insert COUNT   entries FIRST..FIRST+COUNT-1
 *	ctload [OPTION]... update COUNT   each of them gets a new mark
 *	ctload [OPTION]... delete COUNT
 *	ctload [OPTION]... churn COUNT    inserts; deletes what is KEEP older
 *	ctload [OPTION]... expect COUNT   each entry's helper expects another
 *	ctload [OPTION]... unexpect COUNT connection, or no longer
 *	ctload dump                       counts all entries
 *	ctload events COUNT               reads until COUNT events have come
 *
 *	-f FIRST (0)     -r PER_SECOND (0: as fast as it goes)
 *	-t TIMEOUT (600) -m MARK (1)  -k KEEP (4000)
 *	-n               source NAT: to 172.16.0.0 + number / 16384
 *	-u               UDP; otherwise TCP, established
 *	-h               entries have the helper ftp
 *
 * Entry I is 10.64.0.0 + I, port 20000 + I % 16384, to 10.128.0.1 port 80; it
 * expects a connection from there to port 30000 + I % 16384, translated if -n.
 * Last line: `N done, N failed, S.SSS s, cpu U.UU us each`. Exit 0 if none
 * failed. CPU time is this process's, so it holds the kernel's part of what
 * it asks for: the floor under any program that does the same. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <time.h>

#include "ct4.h"

enum { BATCH = 64, MESSAGE_MAX = 512, PORT_SPAN = 16384 };

enum action { INSERT, UPDATE, DELETE, EXPECT, UNEXPECT };

struct load {
	int fd;
	unsigned long first;
	unsigned long rate;
	unsigned long keep;
	uint32_t timeout_s;
	uint32_t mark;
	bool has_nat;
	bool is_udp;
	bool has_helper;
	unsigned long n_done;
	unsigned long n_failed;
	int error; /* the first one */
	size_t used;
	unsigned n_batched;
	_Alignas(struct nlmsghdr) uint8_t batch[BATCH * MESSAGE_MAX];
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t cpu_us(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (int64_t)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1000000 +
	       ru.ru_utime.tv_usec + ru.ru_stime.tv_usec;
}

/* With room for all that may come, which a full table answers to a dump. */
static int open_wide(uint32_t groups)
{
	int fd = netlink_open(groups);
	int buffer = 64 << 20;
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	return fd;
}

/* ---- messages ---- */

/* Of a helper that the entry has. */
static void put_expect(struct load *l, enum action action, unsigned long number)
{
	static const struct half mask = { ~0U, ~0U, 0, 65535 };
	unsigned port = (unsigned)(number % PORT_SPAN);
	struct half master = { 0x0a400000 + (uint32_t)number, 0x0a800001,
			       20000 + port, 80 };
	struct half other = { master.dst, master.src, 0, 30000 + port };
	struct half nat = { master.src, 0, other.dport, 0 };
	bool is_new = action == EXPECT;
	struct nlmsghdr *h =
		msg_begin(l->batch + l->used, MESSAGE_MAX,
			  is_new ? IPCTNL_MSG_EXP_NEW : IPCTNL_MSG_EXP_DELETE,
			  is_new ? NLM_F_CREATE | NLM_F_EXCL : 0, AF_INET);
	uint32_t part;

	h->nlmsg_type += (NFNL_SUBSYS_CTNETLINK_EXP - NFNL_SUBSYS_CTNETLINK)
			 << 8;
	if (l->has_nat)
		other.dst = 0xac100000 + (uint32_t)(number / PORT_SPAN);
	put_tuple(h, CTA_EXPECT_TUPLE, IPPROTO_TCP, &other);
	if (is_new) {
		put_tuple(h, CTA_EXPECT_MASTER, IPPROTO_TCP, &master);
		put_tuple(h, CTA_EXPECT_MASK, IPPROTO_TCP, &mask);
		put_be32(h, CTA_EXPECT_TIMEOUT, l->timeout_s);
	}
	if (is_new && l->has_nat) {
		part = nest(h, CTA_EXPECT_NAT);
		put_be32(h, CTA_EXPECT_NAT_DIR, 1);
		put_tuple(h, CTA_EXPECT_NAT_TUPLE, IPPROTO_TCP, &nat);
		nest_end(h, part);
		put(h, CTA_EXPECT_FN, "nat-follow-master", 18);
	}
	l->used += NLMSG_ALIGN(h->nlmsg_len);
	l->n_batched++;
}

static void put_helper(struct nlmsghdr *h)
{
	uint32_t part = nest(h, CTA_HELP);

	put(h, CTA_HELP_NAME, "ftp", 4);
	nest_end(h, part);
}

static void put_entry(struct load *l, enum action action, unsigned long number)
{
	static const int types[] = { IPCTNL_MSG_CT_NEW, IPCTNL_MSG_CT_NEW,
				     IPCTNL_MSG_CT_DELETE };
	static const int flags[] = { NLM_F_CREATE | NLM_F_EXCL, 0, 0 };
	unsigned port = 20000 + (unsigned)(number % PORT_SPAN);
	struct half orig = { 0x0a400000 + (uint32_t)number, 0x0a800001, port,
			     80 };
	struct half reply = { orig.dst, orig.src, 80, port };
	uint8_t proto = l->is_udp ? IPPROTO_UDP : IPPROTO_TCP;
	struct nlmsghdr *h = msg_begin(l->batch + l->used, MESSAGE_MAX,
				       types[action], flags[action], AF_INET);

	put_tuple(h, CTA_TUPLE_ORIG, proto, &orig);
	if (action == UPDATE)
		put_be32(h, CTA_MARK, l->mark);
	if (action == INSERT) {
		put_tuple(h, CTA_TUPLE_REPLY, proto, &reply);
		put_be32(h, CTA_TIMEOUT, l->timeout_s);
		put_be32(h, CTA_STATUS,
			 IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED);
		reply.dst = 0xac100000 + (uint32_t)(number / PORT_SPAN);
		if (l->has_nat)
			put_snat(h, reply.dst, reply.dport);
		if (!l->is_udp)
			put_tcp_state(h, TCP_CONNTRACK_ESTABLISHED);
		if (l->has_helper)
			put_helper(h);
	}
	l->used += NLMSG_ALIGN(h->nlmsg_len);
	l->n_batched++;
}

/* ---- requests ---- */

static void count_results(struct load *l)
{
	_Alignas(struct nlmsghdr) uint8_t buf[65536];

	for (;;) {
		ssize_t got = recv(l->fd, buf, sizeof(buf), 0);
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
		const struct nlmsgerr *e;
		size_t left = (size_t)got;

		if (got < 0) {
			perror("recv");
			exit(2);
		}
		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			e = NLMSG_DATA(h);
			if (e->error == 0)
				return; /* asked for with the last one only */
			l->n_failed++;
			if (!l->error)
				l->error = -e->error;
			if (e->msg.nlmsg_flags & NLM_F_ACK)
				return;
		}
	}
}

static void flush(struct load *l)
{
	struct nlmsghdr *h = (struct nlmsghdr *)(void *)l->batch;
	size_t left = l->used;

	if (!l->n_batched)
		return;
	while (NLMSG_ALIGN(h->nlmsg_len) < left)
		h = NLMSG_NEXT(h, left);
	h->nlmsg_flags |= NLM_F_ACK;
	if (send(l->fd, l->batch, l->used, 0) != (ssize_t)l->used) {
		perror("send");
		exit(2);
	}
	count_results(l);
	l->n_done += l->n_batched;
	l->n_batched = 0;
	l->used = 0;
}

static void submit(struct load *l, enum action action, unsigned long number)
{
	if (action == EXPECT || action == UNEXPECT)
		put_expect(l, action, number);
	else
		put_entry(l, action, number);
	if (l->n_batched == BATCH)
		flush(l);
}

/* Sleeps until entry number i is due at the rate that was asked for. */
static void pace(struct load *l, int64_t start_us, unsigned long i)
{
	int64_t due_us;

	if (!l->rate)
		return;
	due_us = start_us + (int64_t)(i * 1000000 / l->rate);
	if (due_us <= now_us())
		return;
	flush(l);
	while (now_us() < due_us)
		usleep(1000);
}

static void load_run(struct load *l, enum action action, unsigned long count)
{
	int64_t start_us = now_us();

	for (unsigned long i = 0; i < count; i++) {
		pace(l, start_us, i);
		submit(l, action, l->first + i);
	}
	flush(l);
}

static void load_churn(struct load *l, unsigned long count)
{
	int64_t start_us = now_us();

	for (unsigned long i = 0; i < count; i++) {
		pace(l, start_us, i);
		submit(l, INSERT, l->first + i);
		if (i >= l->keep)
			submit(l, DELETE, l->first + i - l->keep);
	}
	flush(l);
}

static void load_dump(struct load *l)
{
	_Alignas(struct nlmsghdr) uint8_t buf[65536];
	struct nlmsghdr *h = msg_begin(l->batch, MESSAGE_MAX, IPCTNL_MSG_CT_GET,
				       NLM_F_DUMP, AF_INET);
	struct nfgenmsg *g = NLMSG_DATA(h);

	g->nfgen_family = AF_UNSPEC;
	if (send(l->fd, h, h->nlmsg_len, 0) < 0) {
		perror("send");
		exit(2);
	}
	for (;;) {
		ssize_t got = recv(l->fd, buf, sizeof(buf), 0);
		size_t left = (size_t)got;

		if (got < 0) {
			perror("recv");
			exit(2);
		}
		h = (struct nlmsghdr *)(void *)buf;
		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return;
			l->n_done++;
		}
	}
}

static void load_drain(struct load *l, int fd)
{
	_Alignas(struct nlmsghdr) uint8_t buf[65536];
	ssize_t got;

	while ((got = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0 ||
	       errno == ENOBUFS) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
		size_t left = got > 0 ? (size_t)got : 0;

		l->n_failed += got < 0;
		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
			l->n_done++;
	}
}

static void load_events(struct load *l, unsigned long count)
{
	static const uint32_t groups = NF_NETLINK_CONNTRACK_NEW |
				       NF_NETLINK_CONNTRACK_UPDATE |
				       NF_NETLINK_CONNTRACK_DESTROY;
	struct pollfd pfd = { .fd = open_wide(groups), .events = POLLIN };

	fprintf(stderr, "listening\n");
	while (l->n_done < count && poll(&pfd, 1, 20000) > 0) {
		usleep(1000); /* fewer wake-ups: they cost more than copies */
		load_drain(l, pfd.fd);
	}
}

static int usage(void)
{
	fprintf(stderr,
		"usage: ctload [-f FIRST] [-r PER_SECOND] [-t TIMEOUT] "
		"[-m MARK] [-k KEEP] [-n] [-u] [-h]\n"
		"              insert|update|delete|churn|expect|unexpect|"
		"events COUNT, or dump\n");
	return 2;
}

static bool options(struct load *l, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "f:r:t:m:k:nuh")) != -1) {
		unsigned long v = optarg ? strtoul(optarg, NULL, 10) : 0;

		if (opt == 'f')
			l->first = v;
		else if (opt == 'r')
			l->rate = v;
		else if (opt == 't')
			l->timeout_s = (uint32_t)v;
		else if (opt == 'm')
			l->mark = (uint32_t)v;
		else if (opt == 'k')
			l->keep = v;
		else if (opt == 'n')
			l->has_nat = true;
		else if (opt == 'u')
			l->is_udp = true;
		else if (opt == 'h')
			l->has_helper = true;
		else
			return false;
	}
	return true;
}

static bool run(struct load *l, const char *what, unsigned long count)
{
	static const char *const actions[] = { "insert", "update", "delete",
					       "expect", "unexpect" };

	for (unsigned i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (strcmp(what, actions[i]) == 0) {
			load_run(l, (enum action)i, count);
			return true;
		}
	}
	if (strcmp(what, "churn") == 0)
		load_churn(l, count);
	else if (strcmp(what, "dump") == 0)
		load_dump(l);
	else if (strcmp(what, "events") == 0)
		load_events(l, count);
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	static struct load l = { .timeout_s = 600, .mark = 1, .keep = 4000 };
	int64_t start_us = now_us();

	if (!options(&l, argc, argv) || optind >= argc)
		return usage();
	l.fd = open_wide(0);
	if (!run(&l, argv[optind],
		 optind + 1 < argc ? strtoul(argv[optind + 1], NULL, 10) : 0))
		return usage();
	if (l.error)
		fprintf(stderr, "first error: %s\n", strerror(l.error));
	printf("%lu done, %lu failed, %.3f s, cpu %.2f us each\n", l.n_done,
	       l.n_failed, (double)(now_us() - start_us) / 1e6,
	       (double)cpu_us() / (double)(l.n_done + !l.n_done));
	return l.n_failed != 0;
}
