/* SPDX-License-Identifier: ISC */
/* datagram.c - a UDP socket that sends what it is told, and tells what comes.
 *
 *	datagram [-6] PORT FIFO
 *
 * A line of the FIFO is `ADDRESS PORT TEXT`; in TEXT \r and \n stand for what
 *they do in C, and a digit after \ for the byte of that number. What comes is
 *printed as `from ADDRESS PORT TEXT`. */
#define _GNU_SOURCE
#include <poll.h>

#include "endpoint.h"

enum { TEXT_MAX = 4096 };

/* Returns the length. */
static size_t unescape(char *text)
{
	size_t n = 0;

	for (const char *at = text; *at; at++) {
		char c = *at;

		if (c == '\\' && at[1]) {
			at++;
			c = *at == 'r'   ? '\r'
			    : *at == 'n' ? '\n'
					 : (char)(*at - '0');
		}
		text[n++] = c;
	}
	return n;
}

static void print_escaped(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\r')
			printf("\\r");
		else if (text[i] == '\n')
			printf("\\n");
		else if (text[i] >= 0 && text[i] < 10)
			printf("\\%d", text[i]);
		else
			putchar(text[i]);
	putchar('\n');
}

static void transmit(int fd, char *line)
{
	char *addr = strtok(line, " "), *port = strtok(NULL, " ");
	char *text = strtok(NULL, "\n");
	union endpoint to;
	size_t len;

	if (!addr || !port || !text ||
	    !endpoint_parse(&to, addr, (unsigned)strtoul(port, NULL, 10))) {
		fprintf(stderr, "bad line\n");
		exit(1);
	}
	len = unescape(text);
	if (sendto(fd, text, len, 0, &to.sa, endpoint_len(&to)) < 0)
		die("sendto");
}

static void receive(int fd)
{
	char text[TEXT_MAX], addr[INET6_ADDRSTRLEN];
	union endpoint from;
	socklen_t size = sizeof(from);
	ssize_t len = recvfrom(fd, text, sizeof(text), 0, &from.sa, &size);

	if (len < 0)
		die("recvfrom");
	inet_ntop(from.sa.sa_family,
		  from.sa.sa_family == AF_INET ? (void *)&from.v4.sin_addr
					       : (void *)&from.v6.sin6_addr,
		  addr, sizeof(addr));
	printf("from %s %u ", addr, endpoint_port(&from));
	print_escaped(text, (size_t)len);
}

int main(int argc, char **argv)
{
	bool is_v6 = argc == 4 && strcmp(argv[1], "-6") == 0;
	union endpoint own;
	char line[TEXT_MAX];
	struct pollfd fds[2];
	int on = 1;
	FILE *in;

	if (argc != 3 + is_v6) {
		fprintf(stderr, "usage: datagram [-6] PORT FIFO\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	endpoint_parse(&own, is_v6 ? "::" : "0.0.0.0",
		       (unsigned)strtoul(argv[argc - 2], NULL, 10));
	in = fopen(argv[argc - 1], "r+"); /* so that it never ends */
	fds[0].fd = socket(own.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fds[0].fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (!in || fds[0].fd < 0 ||
	    bind(fds[0].fd, &own.sa, endpoint_len(&own)))
		die("datagram");
	fds[1].fd = fileno(in);
	fds[0].events = fds[1].events = POLLIN;
	setvbuf(in, NULL, _IONBF, 0); /* or poll knows less than it has read */
	printf("ready\n");
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			die("poll");
		if (fds[0].revents)
			receive(fds[0].fd);
		if (fds[1].revents && fgets(line, sizeof(line), in))
			transmit(fds[0].fd, line);
	}
}
