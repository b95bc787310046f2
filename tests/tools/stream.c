/* SPDX-License-Identifier: ISC */
/* stream.c - plays client and server of a connection that has to survive.
 *
 *	stream server PORT
 *		echoes TCP streams and UDP datagrams, IPv4 and IPv6, until
 *killed stream [-u] [-t SECONDS] [-i INTERVAL_MS] [-s STALL_MS] client ADDR
 *PORT sends a numbered record every INTERVAL_MS and checks that all come back,
 *in order (-u: datagrams, which may be lost); ends after SECONDS or at SIGTERM;
 *with the verdict as its last line
 *
 * Exit: 0 survived; 1 died: reset, closed, wrong data, or nothing came back
 * for STALL_MS; 2 could not start. */
#define _GNU_SOURCE
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* So few records are on their way at once that a write is never cut. */
enum { RECORD_LEN = 512, MAX_CONNS = 64, MAX_ON_WAY = 64, PROGRESS = 50 };

struct client {
	int fd;
	bool is_udp;
	int64_t interval_ms;
	int64_t stall_ms;
	int64_t end_ms;
	uint64_t sent;
	uint64_t received;
	int64_t last_ms;    /* when the last record came back */
	int64_t longest_ms; /* the longest time between two of them */
	size_t n_in;        /* bytes of an incomplete record */
	uint8_t in[RECORD_LEN];
};

static volatile sig_atomic_t stopping;

static void on_term(int sig)
{
	(void)sig;
	stopping = 1;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void record_fill(uint8_t *rec, uint64_t number)
{
	memset(rec, (int)(number & 0xff), RECORD_LEN);
	memcpy(rec, &number, sizeof(number));
}

static bool record_is(const uint8_t *rec, uint64_t number)
{
	uint8_t want[RECORD_LEN];

	record_fill(want, number);
	return memcmp(rec, want, RECORD_LEN) == 0;
}

/* ---- server ---- */

static int listen_on(int type, uint16_t port)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6,
				    .sin6_port = htons(port) };
	int off = 0;
	int on = 1;
	int fd = socket(AF_INET6, type, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    (type == SOCK_STREAM && listen(fd, MAX_CONNS))) {
		close(fd);
		return -1;
	}
	return fd;
}

static void echo_datagram(int fd)
{
	uint8_t buf[2048];
	struct sockaddr_storage from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from,
			     &from_len);

	if (n > 0)
		sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from,
		       from_len);
}

/* False when the connection has ended. */
static bool echo_stream(int fd)
{
	uint8_t buf[16384];
	ssize_t n = read(fd, buf, sizeof(buf));
	ssize_t done = 0;

	while (done < n) {
		ssize_t w = write(fd, buf + done, (size_t)(n - done));

		if (w <= 0)
			return false;
		done += w;
	}
	return n > 0;
}

static int serve(uint16_t port)
{
	struct pollfd fds[2 + MAX_CONNS] = {
		{ .fd = listen_on(SOCK_STREAM, port), .events = POLLIN },
		{ .fd = listen_on(SOCK_DGRAM, port), .events = POLLIN },
	};
	nfds_t n = 2;

	if (fds[0].fd < 0 || fds[1].fd < 0) {
		perror("server");
		return 2;
	}
	printf("listening on port %u\n", port);
	while (!stopping) {
		if (poll(fds, n, -1) < 0)
			continue;
		if (fds[0].revents && n < 2 + MAX_CONNS)
			fds[n++] = (struct pollfd){
				.fd = accept(fds[0].fd, NULL, NULL),
				.events = POLLIN,
			};
		if (fds[1].revents)
			echo_datagram(fds[1].fd);
		for (nfds_t i = 2; i < n; i++) {
			if (!fds[i].revents || echo_stream(fds[i].fd))
				continue;
			close(fds[i].fd);
			fds[i--] = fds[--n];
		}
	}
	return 0;
}

/* ---- client ---- */

static int connect_to(const char *host, const char *port, bool is_udp)
{
	struct addrinfo hints = {
		.ai_socktype = is_udp ? SOCK_DGRAM : SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};
	struct addrinfo *ai = NULL;
	int fd;

	if (getaddrinfo(host, port, &hints, &ai))
		return -1;
	fd = socket(ai->ai_family, ai->ai_socktype, 0);
	if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen)) {
		close(fd);
		fd = -1;
	}
	freeaddrinfo(ai);
	return fd;
}

static uint16_t local_port(int fd)
{
	struct sockaddr_in6 sa; /* the port lies where IPv4 has it */
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		return 0;
	return ntohs(sa.sin6_port);
}

static void note_arrival(struct client *c)
{
	int64_t now = now_ms();

	if (now - c->last_ms > c->longest_ms)
		c->longest_ms = now - c->last_ms;
	c->last_ms = now;
	c->received++;
	if (c->received % PROGRESS == 0)
		printf("received %llu\n", (unsigned long long)c->received);
}

/* NULL or the reason of death. */
static const char *send_record(struct client *c)
{
	uint8_t rec[RECORD_LEN];
	ssize_t n;

	if (!c->is_udp && c->sent - c->received >= MAX_ON_WAY)
		return NULL;
	record_fill(rec, c->sent);
	n = send(c->fd, rec, RECORD_LEN, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == RECORD_LEN)
		c->sent++;
	else if (n >= 0)
		return "a short write";
	else if (errno != EAGAIN && !c->is_udp)
		return strerror(errno);
	return NULL;
}

static const char *receive_records(struct client *c)
{
	ssize_t n;

	for (;;) {
		n = recv(c->fd, c->in + c->n_in, RECORD_LEN - c->n_in,
			 MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || c->is_udp))
			return NULL;
		if (n < 0)
			return strerror(errno);
		if (n == 0)
			return "closed by the server";
		if (c->is_udp) {
			note_arrival(c);
			continue;
		}
		c->n_in += (size_t)n;
		if (c->n_in < RECORD_LEN)
			continue;
		if (!record_is(c->in, c->received))
			return "wrong data";
		c->n_in = 0;
		note_arrival(c);
	}
}

static bool has_ended(const struct client *c, int64_t now)
{
	if (!stopping && now < c->end_ms)
		return false;
	return c->is_udp || c->received == c->sent;
}

static const char *transfer(struct client *c)
{
	const char *reason = NULL;
	int64_t next_ms = now_ms();

	c->last_ms = next_ms;
	while (!reason) {
		struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
		int64_t now = now_ms();

		if (has_ended(c, now))
			return NULL;
		if (now - c->last_ms > c->stall_ms)
			return "nothing came back any more";
		if (now >= next_ms && !stopping && now < c->end_ms) {
			reason = send_record(c);
			next_ms += c->interval_ms;
			if (next_ms < now)
				next_ms = now;
		}
		if (!reason &&
		    poll(&pfd, 1, (int)(c->interval_ms < 10 ? 1 : 5)) > 0)
			reason = receive_records(c);
	}
	return reason;
}

static int run_client(struct client *c, const char *host, const char *port)
{
	const char *reason;

	c->fd = connect_to(host, port, c->is_udp);
	if (c->fd < 0) {
		perror("connect");
		return 2;
	}
	printf("connected from port %u\n", local_port(c->fd));
	reason = transfer(c);
	if (now_ms() - c->last_ms > c->longest_ms)
		c->longest_ms = now_ms() - c->last_ms;
	printf("sent %llu, received %llu records of %d bytes, longest gap %lld "
	       "ms\n",
	       (unsigned long long)c->sent, (unsigned long long)c->received,
	       RECORD_LEN, (long long)c->longest_ms);
	if (reason)
		printf("died: %s\n", reason);
	else
		printf("survived\n");
	return reason != NULL;
}

static int usage(void)
{
	fprintf(stderr, "usage: stream server PORT\n"
			"       stream [-u] [-t SECONDS] [-i INTERVAL_MS] "
			"[-s STALL_MS] client ADDR PORT\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct sigaction on_end = { .sa_handler = on_term };
	struct client c = { .interval_ms = 10, .stall_ms = 15000 };
	long seconds = 3600;
	int opt;

	while ((opt = getopt(argc, argv, "ut:i:s:")) != -1) {
		if (opt == 'u')
			c.is_udp = true;
		else if (opt == 't')
			seconds = strtol(optarg, NULL, 10);
		else if (opt == 'i')
			c.interval_ms = strtol(optarg, NULL, 10);
		else if (opt == 's')
			c.stall_ms = strtol(optarg, NULL, 10);
		else
			return usage();
	}
	argc -= optind;
	argv += optind;
	sigaction(SIGTERM, &on_end, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	c.end_ms = now_ms() + seconds * 1000;
	if (argc == 2 && strcmp(argv[0], "server") == 0)
		return serve((uint16_t)strtoul(argv[1], NULL, 10));
	if (argc == 3 && strcmp(argv[0], "client") == 0)
		return run_client(&c, argv[1], argv[2]);
	return usage();
}
