/* SPDX-License-Identifier: ISC */
/* ftp.c - as much of FTP as a NAT helper has to understand.
 *
 *	ftp server			on port 21
 *	ftp client OWN SERVER FIFO	does what the lines of the FIFO say
 *
 * Lines for the client; it prints each with `ok` once it has succeeded:
 *	noop WORD	the server says the word
 *	mode WORD	how data connections are negotiated from now on: port
 *			(at first) and eprt, the server connects; pasv and epsv,
 *			the client does. IPv6 has eprt and epsv only
 *	offer		negotiates the data connection of the next get or hold
 *	get BYTES	a data connection, BYTES of a known pattern
 *	hold		a data connection that stays
 *	ping WORD	the word goes over that one and comes back
 * Client and server give their own addresses: a translating firewall must write
 * another one into the stream, of another length. Whatever is not as expected
 * ends the client: exit 1. */
#define _GNU_SOURCE
#include "endpoint.h"

enum { LINE_MAX_LEN = 256, CONTROL_PORT = 21 };

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

static void say(int fd, const char *what, const char *rest, const char *end)
{
	char line[LINE_MAX_LEN];
	int len = snprintf(line, sizeof(line), "%s%s%s\r\n", what, rest, end);

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
	wait_for_ever(fd);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write(fd, buf, (size_t)n) != n)
			break;
	exit(0);
}

/* Where the next data connection goes, or comes in. */
struct session {
	int control;
	int listening; /* -1: to is where it goes */
	union endpoint to;
};

static void listen_for_data(struct session *s, const char *command)
{
	char text[LINE_MAX_LEN];
	union endpoint e = endpoint_own(s->control);

	if (e.sa.sa_family == AF_INET)
		e.v4.sin_port = 0;
	else
		e.v6.sin6_port = 0;
	s->listening = tcp_listen(&e);
	if (strcmp(command, "PASV") == 0) {
		print_numbers(text, sizeof(text), &e);
		say(s->control, "227 Entering Passive Mode (", text, ")");
	} else {
		snprintf(text, sizeof(text), "%u", endpoint_port(&e));
		say(s->control, "229 Entering Extended Passive Mode (|||", text,
		    "|)");
	}
}

static int data_connection(struct session *s)
{
	int fd = s->listening < 0 ? tcp_connect(&s->to)
				  : tcp_accept(s->listening);

	s->listening = -1;
	return fd;
}

static void serve(struct session *s, const char *line)
{
	int fd = s->control, data;

	if (strncmp(line, "NOOP ", 5) == 0) {
		say(fd, "200 ", line + 5, "");
	} else if ((strncmp(line, "PORT ", 5) == 0 &&
		    parse_numbers(line + 5, &s->to)) ||
		   (strncmp(line, "EPRT ", 5) == 0 &&
		    parse_bars(line + 5, &s->to))) {
		say(fd, "200 port", "", "");
	} else if (strcmp(line, "PASV") == 0 || strcmp(line, "EPSV") == 0) {
		listen_for_data(s, line);
	} else if (strncmp(line, "RETR ", 5) == 0) {
		say(fd, "150 here it comes", "", "");
		data = data_connection(s);
		send_pattern(data, atol(line + 5));
		close(data);
		say(fd, "226 done", "", "");
	} else if (strcmp(line, "HOLD") == 0) {
		data = data_connection(s);
		echo(data);
		close(data);
		say(fd, "200 held", "", "");
	} else {
		say(fd, "500 ", line, "");
	}
}

static void session(int fd)
{
	struct session s = { .control = fd, .listening = -1 };
	char line[LINE_MAX_LEN];

	wait_for_ever(fd);
	say(fd, "220 ready", "", "");
	while (read_line(fd, line)) {
		printf("%s\n", line);
		serve(&s, line);
	}
}

static void server(void)
{
	union endpoint any = { .v6 = { .sin6_family = AF_INET6,
				       .sin6_port = htons(CONTROL_PORT) } };
	int fd = tcp_listen(&any);

	printf("listening\n");
	for (;;) {
		int one;

		wait_for_ever(fd);
		one = accept(fd, NULL, NULL);
		if (one < 0)
			die("accept");
		if (fork() == 0) {
			session(one);
			exit(0);
		}
		close(one);
	}
}

/* ---- client ---- */

enum mode { PORT, EPRT, PASV, EPSV };

struct client {
	union endpoint own, server;
	int control, held;
	enum mode mode;
	bool is_offered;
	int listening; /* if the server connects */
	union endpoint to;
};

static void answer(struct client *c, char *line)
{
	if (!read_line(c->control, line))
		die("control connection");
}

static void bad(const char *what, const char *line)
{
	printf("bad %s: %s\n", what, line);
	exit(1);
}

static void expect(struct client *c, const char *code, const char *rest)
{
	char line[LINE_MAX_LEN], want[LINE_MAX_LEN];

	snprintf(want, sizeof(want), "%s%s", code, rest);
	answer(c, line);
	if (strcmp(line, want) != 0)
		bad("answer", line);
}

static void offer_active(struct client *c)
{
	union endpoint e = c->own;
	char text[LINE_MAX_LEN];

	c->listening = tcp_listen(&e);
	if (c->mode == PORT)
		print_numbers(text, sizeof(text), &e);
	else
		print_bars(text, sizeof(text), &e);
	say(c->control, c->mode == PORT ? "PORT " : "EPRT ", text, "");
	expect(c, "200 port", "");
}

static void offer_passive(struct client *c)
{
	char line[LINE_MAX_LEN];
	const char *at;
	unsigned port;

	say(c->control, c->mode == PASV ? "PASV" : "EPSV", "", "");
	answer(c, line);
	at = strchr(line, '(');
	if (c->mode == PASV && at && strncmp(line, "227 ", 4) == 0 &&
	    parse_numbers(at + 1, &c->to))
		return;
	if (c->mode != EPSV || !at || strncmp(line, "229 ", 4) != 0 ||
	    sscanf(at, "(|||%u|)", &port) != 1)
		bad("answer", line);
	c->to = c->server;
	if (c->to.sa.sa_family == AF_INET)
		c->to.v4.sin_port = htons((uint16_t)port);
	else
		c->to.v6.sin6_port = htons((uint16_t)port);
}

static void offer(struct client *c)
{
	if (c->mode == PORT || c->mode == EPRT)
		offer_active(c);
	else
		offer_passive(c);
	c->is_offered = true;
}

/* Negotiates, unless that is done, and says the command. */
static int open_data(struct client *c, const char *command, const char *rest)
{
	if (!c->is_offered)
		offer(c);
	c->is_offered = false;
	say(c->control, command, rest, "");
	if (c->mode == PORT || c->mode == EPRT)
		return tcp_accept(c->listening);
	return tcp_connect(&c->to);
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
		if (byte != pattern(i++))
			bad("data of", count);
	fclose(in);
	if (i != atol(count))
		bad("length, not", count);
	expect(c, "226 done", "");
}

static void ping(struct client *c, const char *word)
{
	char line[LINE_MAX_LEN];

	say(c->held, word, "", "");
	if (!read_line(c->held, line))
		die("held connection");
	if (strcmp(line, word) != 0)
		bad("echo", line);
}

static void set_mode(struct client *c, const char *word)
{
	static const char *const words[] = { "port", "eprt", "pasv", "epsv" };

	for (int i = 0; i < 4; i++)
		if (strcmp(word, words[i]) == 0) {
			c->mode = (enum mode)i;
			return;
		}
	bad("mode", word);
}

static void obey(struct client *c, char *line)
{
	char *rest = strchr(line, ' ');

	rest = rest ? rest + 1 : line + strlen(line);
	if (strncmp(line, "noop ", 5) == 0) {
		say(c->control, "NOOP ", rest, "");
		expect(c, "200 ", rest);
	} else if (strncmp(line, "mode ", 5) == 0) {
		set_mode(c, rest);
	} else if (strcmp(line, "offer") == 0) {
		offer(c);
	} else if (strncmp(line, "get ", 4) == 0) {
		get(c, rest);
	} else if (strcmp(line, "hold") == 0) {
		c->held = open_data(c, "HOLD", "");
		expect(c, "200 held", "");
	} else if (strncmp(line, "ping ", 5) == 0) {
		ping(c, rest);
	} else {
		bad("command", line);
	}
	printf("%s ok\n", line);
}

static int client(const char *own, const char *to, const char *fifo)
{
	struct client c = { .held = -1 };
	char line[LINE_MAX_LEN];
	FILE *in = fopen(fifo, "r+"); /* so that it never ends */

	if (!in || !endpoint_parse(&c.own, own, 0) ||
	    !endpoint_parse(&c.server, to, CONTROL_PORT))
		die("ftp");
	c.control = tcp_connect(&c.server);
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
