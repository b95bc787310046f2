/* SPDX-License-Identifier: ISC */
/* ftp.c - as much of active-mode FTP as a NAT helper has to understand.
 *
 *	ftp server			on port 21, one session at a time
 *	ftp client OWN SERVER FIFO	does what the lines of the FIFO say
 *
 * Lines for the client; it prints each with `ok` once it has succeeded:
 *	noop WORD	the server says the word
 *	get BYTES	PORT, a data connection, BYTES of a known pattern
 *	hold		PORT, a data connection that stays
 *	ping WORD	the word goes over that one and comes back
 * The client gives its own address in PORT: a translating firewall must write
 * another one into the stream, of another length. Whatever is not as expected
 * ends the client: exit 1. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { LINE_MAX_LEN = 256, PATIENCE_S = 20, CONTROL_PORT = 21 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int tcp_socket(void)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return fd;
}

static int tcp_listen(struct sockaddr_in *sa)
{
	socklen_t len = sizeof(*sa);
	int fd = tcp_socket();

	if (bind(fd, (struct sockaddr *)sa, len) || listen(fd, 4) ||
	    getsockname(fd, (struct sockaddr *)sa, &len))
		die("listen");
	return fd;
}

static int tcp_connect(const struct sockaddr_in *sa)
{
	int fd = tcp_socket();

	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)))
		die("connect");
	return fd;
}

/* Reads a line without its end. False: the connection has ended. */
static bool read_line(int fd, char *line)
{
	size_t n = 0;

	while (n < LINE_MAX_LEN - 1 && read(fd, line + n, 1) == 1) {
		if (line[n] == '\n') {
			line[n] = 0;
			line[strcspn(line, "\r")] = 0;
			return true;
		}
		n++;
	}
	return false;
}

static void say(int fd, const char *what, const char *rest)
{
	char line[LINE_MAX_LEN];
	int len = snprintf(line, sizeof(line), "%s%s\r\n", what, rest);

	if (write(fd, line, (size_t)len) != len)
		die("write");
}

static uint8_t pattern(long i)
{
	return (uint8_t)(i * 7 + i / 251);
}

/* ---- server ---- */

static void send_pattern(int fd, long count)
{
	uint8_t buf[1024];
	long done = 0;

	while (done < count) {
		long n = 0;

		while (n < (long)sizeof(buf) && done + n < count) {
			buf[n] = pattern(done + n);
			n++;
		}
		if (write(fd, buf, (size_t)n) != n)
			die("data");
		done += n;
	}
}

/* Sends back what comes until the end, in a process of its own. */
static void echo(int fd)
{
	char buf[LINE_MAX_LEN];
	ssize_t n;

	if (fork() != 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0 },
		   sizeof(struct timeval));
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			break;
	exit(0);
}

static bool parse_port(const char *text, struct sockaddr_in *sa)
{
	unsigned a[6];

	if (sscanf(text, "%u,%u,%u,%u,%u,%u", &a[0], &a[1], &a[2], &a[3], &a[4],
		   &a[5]) != 6)
		return false;
	sa->sin_family = AF_INET;
	sa->sin_addr.s_addr = htonl(a[0] << 24 | a[1] << 16 | a[2] << 8 | a[3]);
	sa->sin_port = htons((uint16_t)(a[4] << 8 | a[5]));
	return true;
}

static void session(int fd)
{
	struct sockaddr_in to = { 0 };
	char line[LINE_MAX_LEN];
	int data;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0 },
		   sizeof(struct timeval));
	say(fd, "220 ready", "");
	while (read_line(fd, line)) {
		printf("%s\n", line);
		if (strncmp(line, "NOOP ", 5) == 0) {
			say(fd, "200 ", line + 5);
		} else if (strncmp(line, "PORT ", 5) == 0 &&
			   parse_port(line + 5, &to)) {
			say(fd, "200 port", "");
		} else if (strncmp(line, "RETR ", 5) == 0) {
			say(fd, "150 here it comes", "");
			data = tcp_connect(&to);
			send_pattern(data, atol(line + 5));
			close(data);
			say(fd, "226 done", "");
		} else if (strcmp(line, "HOLD") == 0) {
			data = tcp_connect(&to);
			echo(data);
			close(data);
			say(fd, "200 held", "");
		} else {
			say(fd, "500 ", line);
		}
	}
}

static void server(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(CONTROL_PORT) };
	int fd = tcp_listen(&sa);

	printf("listening\n");
	for (;;) {
		int one;

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0 },
			   sizeof(struct timeval));
		one = accept(fd, NULL, NULL);
		if (one < 0)
			die("accept");
		session(one);
		close(one);
	}
}

/* ---- client ---- */

struct client {
	struct in_addr own;
	int control, held;
};

static void expect(struct client *c, const char *code, const char *rest)
{
	char line[LINE_MAX_LEN], want[LINE_MAX_LEN];

	snprintf(want, sizeof(want), "%s%s", code, rest);
	if (!read_line(c->control, line))
		die("control connection");
	if (strcmp(line, want) == 0)
		return;
	printf("bad answer: %s, not %s\n", line, want);
	exit(1);
}

/* Says PORT and then the command; returns the data connection. */
static int open_data(struct client *c, const char *command, const char *rest)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = c->own };
	int listening = tcp_listen(&sa), data;
	uint32_t a = ntohl(c->own.s_addr);
	unsigned port = ntohs(sa.sin_port);
	char text[LINE_MAX_LEN];

	snprintf(text, sizeof(text), "PORT %u,%u,%u,%u,%u,%u", a >> 24,
		 a >> 16 & 255, a >> 8 & 255, a & 255, port >> 8, port & 255);
	say(c->control, text, "");
	expect(c, "200 port", "");
	say(c->control, command, rest);
	data = accept(listening, NULL, NULL);
	if (data < 0)
		die("data connection");
	close(listening);
	return data;
}

static void get(struct client *c, const char *count)
{
	int data = open_data(c, "RETR ", count);
	long i = 0;
	uint8_t byte;
	FILE *in = fdopen(data, "r");

	if (!in)
		die("data connection");
	expect(c, "150 here it comes", "");
	while (fread(&byte, 1, 1, in) == 1)
		if (byte != pattern(i++)) {
			printf("bad data at %ld\n", i - 1);
			exit(1);
		}
	fclose(in);
	if (i != atol(count)) {
		printf("bad data: %ld bytes\n", i);
		exit(1);
	}
	expect(c, "226 done", "");
}

static void ping(struct client *c, const char *word)
{
	char line[LINE_MAX_LEN];

	say(c->held, word, "");
	if (!read_line(c->held, line))
		die("held connection");
	if (strcmp(line, word) != 0) {
		printf("bad echo: %s\n", line);
		exit(1);
	}
}

static void obey(struct client *c, char *line)
{
	char *rest = strchr(line, ' ');

	rest = rest ? rest + 1 : line + strlen(line);
	if (strncmp(line, "noop ", 5) == 0) {
		say(c->control, "NOOP ", rest);
		expect(c, "200 ", rest);
	} else if (strncmp(line, "get ", 4) == 0) {
		get(c, rest);
	} else if (strcmp(line, "hold") == 0) {
		c->held = open_data(c, "HOLD", "");
		expect(c, "200 held", "");
	} else if (strncmp(line, "ping ", 5) == 0) {
		ping(c, rest);
	} else {
		printf("bad command: %s\n", line);
		exit(1);
	}
	printf("%s ok\n", line);
}

static int client(const char *own, const char *to, const char *fifo)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(CONTROL_PORT) };
	struct client c = { .held = -1 };
	char line[LINE_MAX_LEN];
	FILE *in = fopen(fifo, "r+"); /* so that it never ends */

	if (!in || inet_pton(AF_INET, own, &c.own) != 1 ||
	    inet_pton(AF_INET, to, &sa.sin_addr) != 1)
		die("ftp");
	c.control = tcp_connect(&sa);
	expect(&c, "220 ready", "");
	printf("connected\n");
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = 0;
		obey(&c, line);
	}
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && strcmp(argv[1], "server") == 0)
		server();
	if (argc == 5 && strcmp(argv[1], "client") == 0)
		return client(argv[2], argv[3], argv[4]);
	fprintf(stderr, "usage: ftp server, ftp client OWN SERVER FIFO\n");
	return 2;
}
