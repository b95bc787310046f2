/* SPDX-License-Identifier: ISC */
/* push.c - a UDP stream whose packets come from the server, unasked.
 *
 *	push server PORT INTERVAL_US	sends a datagram every INTERVAL_US to
 *					whoever has sent it the last one
 *	push client ADDR PORT OWN_PORT	sends one datagram, then only counts
 *
 * The client prints `received N` for every 50th datagram. Both go on until they
 * are killed. IPv4. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS = 50 };

static struct sockaddr_in place(const char *addr, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_port = htons((uint16_t)atoi(port));
	if (addr && inet_pton(AF_INET, addr, &a.sin_addr) != 1)
		exit(2);
	return a;
}

static int open_at(const char *port)
{
	struct sockaddr_in a = place(NULL, port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a))) {
		perror("push");
		exit(2);
	}
	return fd;
}

static _Noreturn void serve(const char *port, long interval_us)
{
	const struct timespec pause = { interval_us / 1000000,
					interval_us % 1000000 * 1000 };
	struct sockaddr_in to = { 0 };
	int fd = open_at(port);
	char byte = 0;

	printf("listening\n");
	fflush(stdout);
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		socklen_t len = sizeof(to);

		if (poll(&p, 1, to.sin_port ? 0 : -1) > 0)
			recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&to, &len);
		if (to.sin_port) /* what is refused on the way is tried again */
			sendto(fd, &byte, 1, 0, (struct sockaddr *)&to,
			       sizeof(to));
		nanosleep(&pause, NULL);
	}
}

static int count(const char *addr, const char *port, const char *own_port)
{
	struct sockaddr_in to = place(addr, port);
	int fd = open_at(own_port);
	unsigned long n = 0;
	char byte = 0;

	if (sendto(fd, &byte, 1, 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("push");
		return 2;
	}
	for (;;) {
		if (recv(fd, &byte, 1, 0) < 0 || ++n % PROGRESS)
			continue;
		printf("received %lu\n", n);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "server") == 0)
		serve(argv[2], atol(argv[3]));
	if (argc == 5 && strcmp(argv[1], "client") == 0)
		return count(argv[2], argv[3], argv[4]);
	fprintf(stderr, "usage: push server PORT INTERVAL_US | push client "
			"ADDR PORT OWN_PORT\n");
	return 2;
}
