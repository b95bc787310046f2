/* SPDX-License-Identifier: ISC */
/* recpeer.c - a peer that records: an FT-FW node as plain as a reference one
 * (HELLO, ALIVE, ACK, NACK), over UDP, that prints all that it is sent and
 * sends what it is told to. Its codec is its own.
 *
 *	recpeer OWN_ADDRESS PEER_ADDRESS PORT FIFO
 *
 * Output, a line for each message:
 *	CT_NEW ATTRIBUTES		also CT_UPD, CT_DEL: see attrs.h
 *	EXP_NEW N bytes			also EXP_UPD, EXP_DEL
 *	RESYNC, NACK FROM TO, BAD what is wrong with the message
 *	DATAGRAM BYTES MESSAGES		after those of one that has data
 * Lines that it reads from the FIFO:
 *	CT_NEW ATTRIBUTES		also CT_UPD, CT_DEL
 *	hex FILE			the messages in it, newly numbered
 *	RESYNC */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "attrs.h"

enum {
	DGRAM_MAX = 65536,
	HEADER = 8,
	TICK_MS = 100,
	ALIVE_TICKS = 10,
	WINDOW = 200, /* messages until an acknowledgement is due */
};

enum flag {
	RESYNC = 0x02,
	NACK = 0x04,
	ACK = 0x08,
	ALIVE = 0x10,
	HELLO = 0x20,
	HELLO_BACK = 0x40,
};

enum { CT_DEL = 2, EXP_DEL = 5, CTL = 10 };

static const char *const types[] = { "CT_NEW",  "CT_UPD",  "CT_DEL",
				     "EXP_NEW", "EXP_UPD", "EXP_DEL" };

/* A reference sends from a port of its own: one socket listens, another one,
 * connected, sends. */
struct peer {
	int in, out;
	uint32_t next;
	bool is_answered; /* our HELLO was */
	bool owes_hello_back;
	uint32_t last; /* number heard */
	bool has_last;
	uint32_t ack_from, n_unacked;
	int ticks;
};

static uint32_t get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return ntohl(v);
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static void put32(uint8_t *at, uint32_t v)
{
	v = htonl(v);
	memcpy(at, &v, sizeof(v));
}

static void put16(uint8_t *at, size_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

/* ---- sending ---- */

/* Numbers a message, gives it the flags that are due and sends it. */
static void send_message(struct peer *p, uint8_t *m, size_t len)
{
	if (!p->is_answered)
		m[1] |= HELLO;
	if (p->owes_hello_back)
		m[1] |= HELLO_BACK;
	p->owes_hello_back = false;
	put32(m + 4, p->next++);
	p->ticks = 0;
	if (send(p->out, m, len, 0) < 0)
		send(p->out, m, len, 0); /* that told of an earlier one */
}

static void send_control(struct peer *p, enum flag what, uint32_t from,
			 uint32_t to)
{
	uint8_t m[16] = { 0x10 | CTL, (uint8_t)what };
	size_t len = what == ALIVE ? HEADER : sizeof(m);

	put16(m + 2, len);
	put32(m + 8, from);
	put32(m + 12, to);
	send_message(p, m, len);
}

static void send_attrs(struct peer *p, int type, const struct attrs *a)
{
	uint8_t m[4096] = { 0 };
	size_t len = HEADER;

	for (enum attr t = 0; t < A_N; t++) {
		if (!attrs_has(a, t))
			continue;
		put16(m + len, a->len[t] + 4);
		put16(m + len + 2, t);
		memcpy(m + len + 4, a->value[t], a->len[t]);
		len += 4 + ((a->len[t] + 3) & ~(size_t)3);
	}
	m[0] = (uint8_t)(0x10 | type);
	put16(m + 2, len);
	send_message(p, m, len);
}

static void send_hex(struct peer *p, const char *path)
{
	static uint8_t m[DGRAM_MAX];
	FILE *f = fopen(path, "r");
	size_t n = 0, at = 0;
	unsigned byte;

	if (!f) {
		printf("BAD file %s\n", path);
		return;
	}
	while (n < sizeof(m) && fscanf(f, "%2x", &byte) == 1)
		m[n++] = (uint8_t)byte;
	fclose(f);
	while (at + HEADER <= n) {
		size_t len = get16(m + at + 2);

		if (len < HEADER || len > n - at)
			len = n - at; /* what is damaged goes as it is */
		m[at + 1] &= (uint8_t) ~(HELLO | HELLO_BACK);
		send_message(p, m + at, len);
		at += len;
	}
}

static void obey(struct peer *p, char *line)
{
	char *rest = strchr(line, ' ');
	struct attrs a;

	line[strcspn(line, "\n")] = 0;
	if (rest)
		*rest++ = 0;
	for (int type = 0; type <= CT_DEL; type++) {
		if (strcmp(line, types[type]) == 0 && rest &&
		    attrs_parse(&a, rest)) {
			send_attrs(p, type, &a);
			return;
		}
	}
	if (strcmp(line, "hex") == 0 && rest)
		send_hex(p, rest);
	else if (strcmp(line, "RESYNC") == 0)
		send_control(p, RESYNC, 0, 0);
	else
		printf("BAD command %s\n", line);
}

/* ---- receiving ---- */

static const char *read_attrs(const uint8_t *m, size_t len, struct attrs *a)
{
	size_t at = HEADER;

	a->has = 0;
	while (at < len) {
		size_t n, padded;
		unsigned type;

		if (len - at < 4)
			return "stray bytes";
		n = get16(m + at);
		type = get16(m + at + 2);
		padded = (n + 3) & ~(size_t)3;
		if (n < 4 || padded > len - at)
			return "length of an attribute";
		if (type >= A_N)
			return "unknown attribute";
		if (attrs_has(a, type))
			return "an attribute twice";
		if (n - 4 > ATTR_LEN_MAX ||
		    (attr_len(type) && attr_len(type) != n - 4))
			return "size of an attribute";
		if (type == A_HELPER && (n < 6 || n > 16 || m[at + n - 1]))
			return "helper name";
		for (size_t i = n; i < padded; i++)
			if (m[at + i])
				return "padding";
		attrs_set(a, type, m + at + 4, n - 4);
		at += padded;
	}
	return NULL;
}

static void show_data(int type, const uint8_t *m, size_t len)
{
	const char *wrong;
	struct attrs a;

	if (type > CT_DEL && type <= EXP_DEL) {
		printf("%s %zu bytes\n", types[type], len);
		return;
	}
	wrong = read_attrs(m, len, &a);
	printf("%s ", wrong ? "BAD" : types[type]);
	if (wrong)
		fputs(wrong, stdout);
	else
		attrs_show(&a, stdout);
	fputc('\n', stdout);
}

static bool is_data(const uint8_t *m)
{
	return (m[0] & 15) <= EXP_DEL;
}

static void show(const uint8_t *m, size_t len)
{
	int type = m[0] & 15, flags = m[1] & ~(HELLO | HELLO_BACK);

	if (m[0] >> 4 != 1)
		printf("BAD version %d\n", m[0] >> 4);
	else if (type <= EXP_DEL && flags == 0)
		show_data(type, m, len);
	else if (type != CTL || (flags != RESYNC && flags != NACK &&
				 flags != ACK && flags != ALIVE))
		printf("BAD type %d, flags 0x%x\n", type, m[1]);
	else if (flags != ALIVE && len < 16)
		printf("BAD size of a control message, %zu\n", len);
	else if (flags == RESYNC)
		printf("RESYNC\n");
	else if (flags == NACK)
		printf("NACK %u %u\n", get32(m + 8), get32(m + 12));
}

/* True: the message is to be read. */
static bool follow(struct peer *p, uint8_t flags, uint32_t n)
{
	bool is_hello = flags & HELLO;

	if (flags & HELLO_BACK)
		p->is_answered = true;
	if (is_hello)
		p->owes_hello_back = true;
	if (p->has_last && !is_hello && (int32_t)(n - p->last) <= 0)
		return false;
	if (p->has_last && !is_hello && n != p->last + 1)
		send_control(p, NACK, p->last + 1, n - 1);
	if (p->n_unacked++ == 0 || n < p->ack_from)
		p->ack_from = n;
	p->last = n;
	p->has_last = true;
	return true;
}

static void acknowledge(struct peer *p)
{
	if (p->n_unacked)
		send_control(p, ACK, p->ack_from, p->last);
	p->n_unacked = 0;
}

static void receive(struct peer *p)
{
	static uint8_t d[DGRAM_MAX];
	ssize_t got = recv(p->in, d, sizeof(d), MSG_DONTWAIT);
	size_t left = got > 0 ? (size_t)got : 0, at = 0;
	int n = 0, n_data = 0;

	while (left > 0) {
		size_t len = left >= HEADER ? get16(d + at + 2) : 0;

		if (len < HEADER || len > left) {
			printf("BAD datagram, %zu bytes left\n", left);
			return;
		}
		if (follow(p, d[at + 1], get32(d + at + 4)))
			show(d + at, len);
		n++;
		n_data += is_data(d + at);
		at += len;
		left -= len;
	}
	if (n_data)
		printf("DATAGRAM %zd %d\n", got, n);
	if (p->n_unacked >= WINDOW)
		acknowledge(p);
}

static void tick(struct peer *p)
{
	if (p->n_unacked)
		acknowledge(p);
	else if (++p->ticks >= ALIVE_TICKS)
		send_control(p, ALIVE, 0, 0);
}

/* ---- */

/* False: errno tells. */
static bool open_sockets(struct peer *p, char **argv)
{
	struct sockaddr_in own = { .sin_family = AF_INET,
				   .sin_port = htons((uint16_t)atoi(argv[2])) };
	struct sockaddr_in peer = own;
	int buffer = 4 << 20, on = 1;

	p->in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	p->out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(p->in, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	setsockopt(p->in, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return inet_pton(AF_INET, argv[0], &own.sin_addr) == 1 &&
	       inet_pton(AF_INET, argv[1], &peer.sin_addr) == 1 &&
	       bind(p->in, (struct sockaddr *)&own, sizeof(own)) == 0 &&
	       connect(p->out, (struct sockaddr *)&peer, sizeof(peer)) == 0;
}

static void serve(struct peer *p, FILE *commands)
{
	struct pollfd fds[] = { { .fd = p->in, .events = POLLIN },
				{ .fd = fileno(commands), .events = POLLIN } };
	char line[4096];

	for (;;) {
		int n = poll(fds, 2, TICK_MS);

		if (fds[0].revents)
			receive(p);
		if (fds[1].revents && fgets(line, sizeof(line), commands))
			obey(p, line);
		if (n <= 0)
			tick(p);
	}
}

int main(int argc, char **argv)
{
	struct peer p = { .next = (uint32_t)time(NULL) };
	FILE *commands;

	if (argc != 5) {
		fprintf(stderr, "usage: recpeer OWN PEER PORT FIFO\n");
		return 2;
	}
	commands = fopen(argv[4], "r+"); /* so that it never ends */
	if (!commands || !open_sockets(&p, argv + 1)) {
		perror("recpeer");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(commands, NULL, _IONBF, 0);
	send_control(&p, ALIVE, 0, 0);
	printf("listening\n");
	serve(&p, commands);
}
