/* SPDX-License-Identifier: ISC */
/* ctlive.c - flows that live: begun, answered, marked twice, ended; some begin
 * again with another translation. By raw netlink, until it is killed.
 *
 *	ctlive [-r PER_SECOND] [-l LIFE_S] [-e EPOCH_MS] [-f FROM_MS]
 *
 * Flow I begins at EPOCH + I / PER_SECOND. Everything that happens to it has
 * its time, so another machine can go on where this one has stopped: -f tells
 * from when on. Times are milliseconds since boot; without -e and -f it is now.
 * At these shares of LIFE (30 s):
 *
 *	0    new, not answered
 *	1 %  answered: TCP established; assured
 *	17 % mark I + 1, where I % 3 is 0
 *	67 % mark I + 7, where I % 3 is 0
 *	1    ends, where I is even
 *	1.1  the same addresses and ports again, translated otherwise, where I %
 *	     4 is 0
 *
 * What is not ended runs out two LIFEs after its answer. A fourth is UDP, the
 * others TCP; source NAT for the first two of every four.
 *
 * At SIGTERM it prints what was refused, by reason; last line: `N done, N
 * refused, go on with -f MS`. Exit 0. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

#include "ct4.h"

enum stage { BEGIN, ANSWER, MARK1, MARK2, END, AGAIN, STAGES };

enum { MESSAGE_MAX = 512, PORTS = 50000 };

struct live {
	int fd;
	unsigned long rate;
	uint32_t life_s;
	int64_t epoch_ms;
	int64_t from_ms;
	int64_t next[STAGES]; /* the flow that is due next */
	unsigned long n_done;
	unsigned long n_refused;
	unsigned long refused[STAGES][256]; /* by errno */
};

static const char *const names[STAGES] = { "begin", "answer", "mark1",
					   "mark2", "end",    "again" };

static volatile sig_atomic_t stopping;

static void on_term(int sig)
{
	(void)sig;
	stopping = 1;
}

/* Since boot, the clock of /proc/uptime. */
static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* How old a flow is, in milliseconds, when this happens to it. */
static int64_t age_ms(const struct live *l, enum stage stage)
{
	static const int percent[STAGES] = { 0, 1, 17, 67, 100, 110 };

	return (int64_t)l->life_s * 10 * percent[stage];
}

static bool happens(enum stage stage, int64_t number)
{
	static const int every[STAGES] = { 1, 1, 3, 3, 2, 4 };

	return number % every[stage] == 0;
}

static int64_t due_ms(const struct live *l, enum stage stage, int64_t number)
{
	return l->epoch_ms + number * 1000 / (int64_t)l->rate +
	       age_ms(l, stage);
}

/* ---- messages ---- */

static void put_state(struct nlmsghdr *h, const struct live *l, bool is_tcp,
		      bool is_answered)
{
	put_be32(h, CTA_STATUS,
		 IPS_CONFIRMED |
			 (is_answered ? IPS_SEEN_REPLY | IPS_ASSURED : 0));
	put_be32(h, CTA_TIMEOUT, 2 * l->life_s);
	if (is_tcp)
		put_tcp_state(h, is_answered ? TCP_CONNTRACK_ESTABLISHED
					     : TCP_CONNTRACK_SYN_SENT);
}

static void put_begin(struct nlmsghdr *h, const struct half *orig, bool is_tcp,
		      int64_t number, bool is_again)
{
	struct half reply = { orig->dst, orig->src, orig->dport, orig->sport };

	put_tuple(h, CTA_TUPLE_REPLY, is_tcp ? IPPROTO_TCP : IPPROTO_UDP,
		  &reply);
	if (number % 4 < 2)
		put_snat(h,
			 (is_again ? 0xac180000 : 0xac100000) +
				 (uint32_t)(number / PORTS),
			 orig->sport);
}

static struct nlmsghdr *message(uint8_t *buf, const struct live *l,
				enum stage stage, int64_t number)
{
	struct half orig = { 0x0a400000 + (uint32_t)(number / PORTS),
			     0x0a800001, 1024 + (unsigned)(number % PORTS),
			     80 };
	bool is_tcp = number % 4 != 3;
	bool is_new = stage == BEGIN || stage == AGAIN;
	struct nlmsghdr *h = msg_begin(
		buf, MESSAGE_MAX,
		stage == END ? IPCTNL_MSG_CT_DELETE : IPCTNL_MSG_CT_NEW,
		is_new ? NLM_F_CREATE | NLM_F_EXCL : 0, AF_INET);

	h->nlmsg_seq = stage;
	put_tuple(h, CTA_TUPLE_ORIG, is_tcp ? IPPROTO_TCP : IPPROTO_UDP, &orig);
	if (is_new)
		put_begin(h, &orig, is_tcp, number, stage == AGAIN);
	if (is_new || stage == ANSWER)
		put_state(h, l, is_tcp, stage != BEGIN);
	if (stage == MARK1)
		put_be32(h, CTA_MARK, (uint32_t)number + 1);
	if (stage == MARK2)
		put_be32(h, CTA_MARK, (uint32_t)number + 7);
	return h;
}

/* ---- time ---- */

/* Only what is refused is answered. */
static void count_refused(struct live *l)
{
	_Alignas(struct nlmsghdr) uint8_t buf[8192];
	ssize_t got;

	while ((got = recv(l->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf;
		size_t left = (size_t)got;

		for (; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			l->refused[e->msg.nlmsg_seq % STAGES]
				  [-e->error & 255]++;
			l->n_refused++;
		}
	}
}

static void submit(struct live *l, enum stage stage, int64_t number)
{
	_Alignas(struct nlmsghdr) uint8_t buf[MESSAGE_MAX];
	struct nlmsghdr *h = message(buf, l, stage, number);

	if (send(l->fd, h, h->nlmsg_len, 0) < 0) {
		perror("send");
		exit(2);
	}
	l->n_done++;
	count_refused(l);
}

/* Everything that is due by now; of each flow in its order, however late. */
static void play(struct live *l, int64_t now)
{
	for (int s = 0; s < STAGES; s++) {
		enum stage stage = (enum stage)s;

		for (; due_ms(l, stage, l->next[s]) <= now; l->next[s]++)
			if (happens(stage, l->next[s]))
				submit(l, stage, l->next[s]);
	}
}

/* The first flow to which this happens at -f or later. */
static int64_t first_of(const struct live *l, enum stage stage)
{
	int64_t number = 0;

	while (due_ms(l, stage, number) < l->from_ms)
		number++;
	return number;
}

static void print_refused(const struct live *l)
{
	for (int s = 0; s < STAGES; s++)
		for (int e = 0; e < 256; e++)
			if (l->refused[s][e])
				printf("%s: %s: %lu\n", names[s], strerror(e),
				       l->refused[s][e]);
}

static bool options(struct live *l, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "r:l:e:f:")) != -1) {
		long long v = optarg ? strtoll(optarg, NULL, 10) : 0;

		if (opt == 'r')
			l->rate = (unsigned long)v;
		else if (opt == 'l')
			l->life_s = (uint32_t)v;
		else if (opt == 'e')
			l->epoch_ms = v;
		else if (opt == 'f')
			l->from_ms = v;
		else
			return false;
	}
	return l->rate && l->life_s && argc == optind;
}

int main(int argc, char **argv)
{
	static struct live l = { .rate = 200, .life_s = 30 };
	struct sigaction on_end = { .sa_handler = on_term };
	int64_t now = now_ms();

	l.epoch_ms = l.from_ms = now;
	if (!options(&l, argc, argv)) {
		fprintf(stderr, "usage: ctlive [-r PER_SECOND] [-l LIFE_S] "
				"[-e EPOCH_MS] [-f FROM_MS]\n");
		return 2;
	}
	sigaction(SIGTERM, &on_end, NULL);
	l.fd = netlink_open(0);
	for (int s = 0; s < STAGES; s++)
		l.next[s] = first_of(&l, (enum stage)s);
	while (!stopping) {
		now = now_ms();
		play(&l, now);
		usleep(5000);
	}
	print_refused(&l);
	printf("%lu done, %lu refused, go on with -f %lld\n", l.n_done,
	       l.n_refused, (long long)now + 1);
	return 0;
}
