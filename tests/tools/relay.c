/* SPDX-License-Identifier: ISC */
/* relay.c - a bad line between two interfaces, and what somebody may send into
 * it who has listened.
 *
 *	relay [-s SEED] FAULTS IF1 IF2   forwards every frame, both ways
 *	relay play [-s SEED] [-n COUNT] [-r PER_SECOND] [-a SOURCE] [-m | -g]
 *	           CAPTURE 1|2 IF        sends what came from IF1 or IF2
 *
 * FAULTS is a file that is read again when it changes, lines of `NAME VALUE`,
 * all 0 at first: loss, duplicate, reorder, biterror, truncate (percent of the
 * UDP datagrams); delay, spread (milliseconds: of all, of reordered ones);
 * seen (1: checksums of damaged ones are made right, so that the receiver sees
 * the damage). `capture PATH` keeps copies there from then on. At SIGTERM:
 * one line of counts.
 *
 * play: COUNT datagrams, the captured ones over and over (default: each
 * once); -m: up to four bytes of each are changed, added or removed; -g:
 * random bytes instead; -a: from this IPv4 address. Lengths and checksums are
 * made right. Ends with `N sent`. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME_MAX = 66000,
	ETH_LEN = 14,
	IP_LEN = 20,
	HEADERS_LEN = ETH_LEN + IP_LEN + 8,
	REREAD_MS = 20,
};

struct frame {
	struct frame *next;
	int64_t at_ms;
	int out; /* index of the interface it leaves by */
	size_t len;
	uint8_t bytes[];
};

enum fault {
	LOSS,
	DUPLICATE,
	REORDER,
	BITERROR,
	TRUNCATE,
	DELAY,
	SPREAD,
	SEEN,
	N_FAULTS
};

static const char *const fault_names[N_FAULTS] = {
	"loss",     "duplicate", "reorder", "biterror",
	"truncate", "delay",     "spread",  "seen",
};

struct relay {
	const char *faults_path;
	struct timespec faults_mtime;
	unsigned int faults[N_FAULTS];
	FILE *capture;
	int fds[2];
	struct frame *waiting; /* sorted by time */
	uint64_t random;
	unsigned long n_forwarded, n_by[N_FAULTS];
};

static volatile sig_atomic_t is_ended;

static void on_signal(int number)
{
	(void)number;
	is_ended = 1;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t below(uint64_t *state, uint64_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % n;
}

static int open_packets(const char *name)
{
	struct sockaddr_ll sa = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex(name) };
	int size = 16 << 20;
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	if (fd < 0 || !sa.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		perror(name);
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

/* ---- frames ---- */

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static bool is_udp4(const uint8_t *f, size_t len)
{
	return len >= HEADERS_LEN && get16(f + 12) == ETH_P_IP &&
	       f[ETH_LEN] == 0x45 && f[ETH_LEN + 9] == IPPROTO_UDP &&
	       (get16(f + ETH_LEN + 6) & 0x3fff) == 0;
}

static uint32_t sum(const uint8_t *at, size_t n, uint32_t start)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		start += get16(at + i);
	return n % 2 ? start + (uint32_t)(at[n - 1] << 8) : start;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

/* Lengths and checksums of an IPv4 UDP frame as its length asks for. */
static void make_right(uint8_t *f, size_t len)
{
	uint8_t *ip = f + ETH_LEN, *udp = ip + IP_LEN;
	size_t udp_len = len - ETH_LEN - IP_LEN;
	uint16_t check;

	put16(ip + 2, len - ETH_LEN);
	put16(ip + 10, 0);
	put16(ip + 10, fold(sum(ip, IP_LEN, 0)));
	put16(udp + 4, udp_len);
	put16(udp + 6, 0);
	check = fold(sum(udp, udp_len,
			 sum(ip + 12, 8, IPPROTO_UDP + (uint32_t)udp_len)));
	put16(udp + 6, check ? check : 0xffff);
}

/* ---- the line ---- */

static void read_faults(struct relay *r)
{
	char name[32], value[256];
	struct stat st;
	FILE *f;

	if (stat(r->faults_path, &st) < 0 ||
	    memcmp(&st.st_mtim, &r->faults_mtime, sizeof(st.st_mtim)) == 0)
		return;
	f = fopen(r->faults_path, "r");
	if (!f)
		return;
	r->faults_mtime = st.st_mtim;
	memset(r->faults, 0, sizeof(r->faults));
	if (r->capture)
		fclose(r->capture);
	r->capture = NULL;
	while (fscanf(f, "%31s %255s", name, value) == 2) {
		for (int i = 0; i < N_FAULTS; i++)
			if (strcmp(name, fault_names[i]) == 0)
				r->faults[i] = (unsigned int)atoi(value);
		if (strcmp(name, "capture") == 0)
			r->capture = fopen(value, "ab");
	}
	fclose(f);
}

static bool happens(struct relay *r, enum fault what)
{
	if (!r->faults[what] || below(&r->random, 100) >= r->faults[what])
		return false;
	r->n_by[what]++;
	return true;
}

static void send_frame(struct relay *r, const struct frame *f)
{
	/* a full queue is a loss like any other */
	if (send(r->fds[f->out], f->bytes, f->len, 0) >= 0)
		r->n_forwarded++;
}

static void queue(struct relay *r, int out, const uint8_t *bytes, size_t len,
		  int64_t at_ms)
{
	struct frame **at = &r->waiting;
	struct frame *f = calloc(1, sizeof(*f) + len);

	if (!f)
		exit(1);
	f->at_ms = at_ms;
	f->out = out;
	f->len = len;
	memcpy(f->bytes, bytes, len);
	while (*at && (*at)->at_ms <= at_ms)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
}

static void damage(struct relay *r, uint8_t *bytes, size_t *len)
{
	bool is_damaged = false;

	if (*len == HEADERS_LEN)
		return;
	if (happens(r, BITERROR)) {
		uint64_t bit = below(&r->random, (*len - HEADERS_LEN) * 8);

		bytes[HEADERS_LEN + bit / 8] ^= (uint8_t)(1 << bit % 8);
		is_damaged = true;
	}
	if (happens(r, TRUNCATE)) {
		*len -= 1 + below(&r->random, *len - HEADERS_LEN);
		is_damaged = true;
	}
	if (is_damaged && r->faults[SEEN])
		make_right(bytes, *len);
}

static void take(struct relay *r, int in, uint8_t *bytes, size_t len)
{
	int64_t at_ms = now_ms() + r->faults[DELAY];
	uint32_t head[2] = { (uint32_t)in + 1, (uint32_t)len };

	if (!is_udp4(bytes, len)) {
		queue(r, !in, bytes, len, at_ms);
		return;
	}
	/* what a veth hands on has no checksum yet */
	make_right(bytes, len);
	if (r->capture) {
		fwrite(head, sizeof(head), 1, r->capture);
		fwrite(bytes, 1, len, r->capture);
		fflush(r->capture);
	}
	if (happens(r, LOSS))
		return;
	if (happens(r, REORDER))
		at_ms += 1 + (int64_t)below(&r->random, r->faults[SPREAD] + 1);
	if (happens(r, DUPLICATE))
		queue(r, !in, bytes, len,
		      at_ms + (int64_t)below(&r->random,
					     r->faults[SPREAD] + 1));
	damage(r, bytes, &len);
	queue(r, !in, bytes, len, at_ms);
}

static void receive(struct relay *r, int in)
{
	static uint8_t bytes[FRAME_MAX];

	for (int i = 0; i < 256; i++) {
		struct sockaddr_ll from = { 0 };
		socklen_t size = sizeof(from);
		ssize_t n =
			recvfrom(r->fds[in], bytes, sizeof(bytes), MSG_DONTWAIT,
				 (struct sockaddr *)&from, &size);

		if (n < 0)
			return;
		if (from.sll_pkttype != PACKET_OUTGOING)
			take(r, in, bytes, (size_t)n);
	}
}

static void send_due(struct relay *r)
{
	while (r->waiting && r->waiting->at_ms <= now_ms()) {
		struct frame *f = r->waiting;

		r->waiting = f->next;
		send_frame(r, f);
		free(f);
	}
}

static void forward(struct relay *r)
{
	struct pollfd p[2] = { { .fd = r->fds[0], .events = POLLIN },
			       { .fd = r->fds[1], .events = POLLIN } };

	printf("forwarding\n");
	fflush(stdout);
	while (!is_ended) {
		int64_t wait =
			r->waiting ? r->waiting->at_ms - now_ms() : REREAD_MS;

		if (wait < 0 || wait > REREAD_MS)
			wait = wait < 0 ? 0 : REREAD_MS;
		poll(p, 2, (int)wait);
		read_faults(r);
		receive(r, 0);
		receive(r, 1);
		send_due(r);
	}
	printf("%lu forwarded", r->n_forwarded);
	for (int i = 0; i < DELAY; i++)
		printf(", %lu %s", r->n_by[i], fault_names[i]);
	printf("\n");
}

/* ---- what somebody sends into it ---- */

struct play {
	uint64_t random;
	unsigned long count, per_second, n_sent;
	bool is_mutated, is_garbage;
	struct in_addr source;
	uint8_t *capture;
	size_t size;
};

static void load(struct play *p, const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;

	if (!f || fstat(fileno(f), &st) < 0) {
		perror(path);
		exit(1);
	}
	p->size = (size_t)st.st_size;
	p->capture = calloc(1, p->size + 1);
	if (!p->capture || fread(p->capture, 1, p->size, f) != p->size)
		exit(1);
	fclose(f);
}

static size_t change(struct play *p, uint8_t *f, size_t len)
{
	for (uint64_t n = 1 + below(&p->random, 4); n; n--) {
		size_t span = len - HEADERS_LEN;
		size_t at = HEADERS_LEN + below(&p->random, span + 1);

		switch (below(&p->random, 4)) {
		case 0: /* a byte more */
			if (len >= 1500)
				break;
			memmove(f + at + 1, f + at, len - at);
			f[at] = (uint8_t)below(&p->random, 256);
			len++;
			break;
		case 1: /* cut */
			len = at;
			break;
		default:
			if (at < len)
				f[at] = (uint8_t)below(&p->random, 256);
		}
	}
	return len;
}

static size_t garbage(struct play *p, uint8_t *f)
{
	size_t len = HEADERS_LEN + below(&p->random, 1400);

	for (size_t i = HEADERS_LEN; i < len; i++)
		f[i] = (uint8_t)below(&p->random, 256);
	return len;
}

/* Sends every frame of one side once. */
static void play_once(struct play *p, int fd, uint32_t side, int64_t since_ms)
{
	uint8_t frame[FRAME_MAX];
	uint32_t head[2];

	for (size_t at = 0; at + sizeof(head) <= p->size;) {
		size_t len;

		memcpy(head, p->capture + at, sizeof(head));
		len = head[1];
		if (len > FRAME_MAX / 2 || at + sizeof(head) + len > p->size)
			return;
		memcpy(frame, p->capture + at + sizeof(head), len);
		at += sizeof(head) + len;
		if (head[0] != side)
			continue;
		if (p->is_garbage)
			len = garbage(p, frame);
		else if (p->is_mutated)
			len = change(p, frame, len);
		if (p->source.s_addr)
			memcpy(frame + ETH_LEN + 12, &p->source, 4);
		make_right(frame, len);
		while (send(fd, frame, len, 0) < 0 && errno == ENOBUFS)
			usleep(1000);
		p->n_sent++;
		if (p->count && p->n_sent == p->count)
			return;
		while (p->per_second &&
		       (now_ms() - since_ms) * (int64_t)p->per_second / 1000 <
			       (int64_t)p->n_sent)
			usleep(500);
	}
}

static int play(int argc, char **argv, struct play *p)
{
	int64_t since_ms = now_ms();
	unsigned long before;
	int fd;

	if (argc != 3)
		return 2;
	load(p, argv[0]);
	fd = open_packets(argv[2]);
	do {
		before = p->n_sent;
		play_once(p, fd, (uint32_t)atoi(argv[1]), since_ms);
	} while (p->n_sent < p->count && p->n_sent > before && !is_ended);
	printf("%lu sent\n", p->n_sent);
	free(p->capture);
	return p->n_sent == 0;
}

int main(int argc, char **argv)
{
	struct sigaction end = { .sa_handler = on_signal };
	struct play p = { 0 };
	struct relay r = { 0 };
	bool is_play = argc > 1 && strcmp(argv[1], "play") == 0;
	uint64_t seed = 1;
	int c;

	argc -= is_play;
	argv += is_play;
	sigaction(SIGTERM, &end, NULL);
	while ((c = getopt(argc, argv, "s:n:r:a:mg")) != -1) {
		switch (c) {
		case 's':
			seed = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			p.count = strtoul(optarg, NULL, 10);
			break;
		case 'r':
			p.per_second = strtoul(optarg, NULL, 10);
			break;
		case 'a':
			if (!inet_aton(optarg, &p.source))
				return 2;
			break;
		case 'm':
			p.is_mutated = true;
			break;
		case 'g':
			p.is_garbage = true;
			break;
		default:
			return 2;
		}
	}
	p.random = r.random = seed * 2654435761u + 88172645463325252u;
	if (is_play)
		return play(argc - optind, argv + optind, &p);
	if (argc - optind != 3) {
		fprintf(stderr, "usage: relay [-s SEED] FAULTS IF1 IF2\n");
		return 2;
	}
	r.faults_path = argv[optind];
	r.fds[0] = open_packets(argv[optind + 1]);
	r.fds[1] = open_packets(argv[optind + 2]);
	forward(&r);
	return 0;
}
