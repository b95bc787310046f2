/* SPDX-License-Identifier: ISC */
/* reset.c - TCP connections that are reset, with data under way or without.
 *
 *	reset ADDR PORT OWN_PORT COUNT TELL
 *
 * Opens COUNT connections to a `stream server`, from OWN_PORT on (0: from any),
 * waits for an echo on each and prints `connected`. Then does what the lines
 *written into the named pipe TELL say, and answers `LINE ok`:
 *
 *	data	writes some kilobytes on each, and reads nothing
 *	reset	closes all of them by a reset
 *
 * IPv4. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CONNS = 64, RECORD_LEN = 512, PIECES = 8 };

static int fail(const char *what)
{
	perror(what);
	return 2;
}

/* A connection on which a record has come back; -1: there is none. */
static int open_one(const char *addr, const char *port, int own_port)
{
	struct sockaddr_in to = { .sin_family = AF_INET }, own = to;
	char record[RECORD_LEN] = { 0 };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_port = htons((uint16_t)atoi(port));
	own.sin_port = htons((uint16_t)own_port);
	if (inet_pton(AF_INET, addr, &to.sin_addr) != 1 ||
	    bind(fd, (struct sockaddr *)&own, sizeof(own)) ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) ||
	    write(fd, record, sizeof(record)) != sizeof(record) ||
	    recv(fd, record, sizeof(record), MSG_WAITALL) != sizeof(record))
		return -1;
	return fd;
}

static void write_data(int fd)
{
	char record[RECORD_LEN] = { 0 };

	for (int i = 0; i < PIECES; i++)
		if (send(fd, record, sizeof(record), MSG_DONTWAIT) < 0)
			return;
}

static void reset(int fd)
{
	const struct linger l = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
}

int main(int argc, char **argv)
{
	int fds[MAX_CONNS];
	int n = argc == 6 ? atoi(argv[4]) : 0;
	int own_port = argc == 6 ? atoi(argv[3]) : 0;
	char line[64];
	FILE *tell;

	if (n < 1 || n > MAX_CONNS) {
		fprintf(stderr, "usage: reset ADDR PORT OWN_PORT COUNT TELL\n");
		return 2;
	}
	for (int i = 0; i < n; i++) {
		fds[i] =
			open_one(argv[1], argv[2], own_port ? own_port + i : 0);
		if (fds[i] < 0)
			return fail("connect");
	}
	printf("connected\n");
	fflush(stdout);
	tell = fopen(argv[5], "r+"); /* so that it never ends */
	if (!tell)
		return fail(argv[5]);
	while (fgets(line, sizeof(line), tell)) {
		line[strcspn(line, "\n")] = '\0';
		for (int i = 0; i < n; i++)
			if (strcmp(line, "data") == 0)
				write_data(fds[i]);
			else
				reset(fds[i]);
		printf("%s ok\n", line);
		fflush(stdout);
		if (strcmp(line, "reset") == 0)
			break;
	}
	return 0;
}
