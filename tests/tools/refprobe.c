/* SPDX-License-Identifier: ISC */
/* refprobe.c - holds the dialogues of probes.h with a reference node over UDP.
 *
 *	refprobe OWN_ADDRESS PEER_ADDRESS PORT COMMAND [NUMBER]...
 *
 * COMMAND, a program, does to the node what a dialogue needs, with these
 * arguments; it starts anew for each:
 *	start 0|1	a fresh daemon; 1: with StartupResync
 *	stop		it ends; its kernel has no flows
 *	begin N, update N, finish N
 *			its kernel has a new TCP flow from port 3000 + N, ...
 *	has N, lacks N	its external cache has one from port 2000 + N
 * NUMBER: these dialogues only, the first is 0. Prints a line for each. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "probes.h"

enum { DGRAM_MAX = 65536, PORT_BASE = 3000 };

struct node {
	int in, out;
	const char *command;
	uint8_t dgram[DGRAM_MAX];
	size_t len, at; /* of it, and what was read of that */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void send_to(void *ctx, const uint8_t *bytes, size_t len)
{
	struct node *n = ctx;

	if (send(n->out, bytes, len, 0) < 0)
		send(n->out, bytes, len, 0); /* that told of an earlier one */
}

static size_t next_message(struct node *n, uint8_t *bytes)
{
	size_t len = probe_get(n->dgram + n->at + 2, 2);

	if (len < 8 || len > 512 || len > n->len - n->at) {
		n->at = n->len;
		return 0;
	}
	memcpy(bytes, n->dgram + n->at, len);
	n->at += len;
	return len;
}

static size_t receive(void *ctx, uint8_t *bytes, int *ms)
{
	struct node *n = ctx;
	int64_t end = now_ms() + *ms;
	size_t len = 0;

	while (!len && *ms > 0) {
		struct pollfd p = { .fd = n->in, .events = POLLIN };

		if (n->at < n->len) {
			len = next_message(n, bytes);
		} else if (poll(&p, 1, *ms) > 0) {
			ssize_t got = recv(n->in, n->dgram, DGRAM_MAX, 0);

			n->at = 0;
			n->len = got > 0 ? (size_t)got : 0;
		}
		*ms = end > now_ms() ? (int)(end - now_ms()) : 0;
	}
	return len;
}

static bool run(const struct node *n, const char *what, int number)
{
	char line[512];

	snprintf(line, sizeof(line), "%s %s %d", n->command, what, number);
	return system(line) == 0;
}

/* What the cache has may take a moment to be there. */
static bool run_within(const struct node *n, const char *what, int number)
{
	int64_t end = now_ms() + 2000;

	while (!run(n, what, number)) {
		if (now_ms() > end)
			return false;
		usleep(50000);
	}
	return true;
}

static bool act(void *ctx, enum probe_op op, int number)
{
	const struct node *n = ctx;

	switch (op) {
	case PROBE_START:
		return run(n, "start", number);
	case PROBE_BEGIN:
		return run(n, "begin", number);
	case PROBE_UPDATE:
		return run(n, "update", number);
	case PROBE_FINISH:
		return run(n, "finish", number);
	case PROBE_HAS:
		return run_within(n, "has", number);
	case PROBE_LACKS:
		return run_within(n, "lacks", number);
	default:
		return false;
	}
}

static unsigned port(void *ctx, int number)
{
	(void)ctx;
	return PORT_BASE + (unsigned)number;
}

static bool open_sockets(struct node *n, char **args)
{
	struct sockaddr_in own = { .sin_family = AF_INET };
	struct sockaddr_in peer = own;

	own.sin_port = peer.sin_port = htons((uint16_t)atoi(args[2]));
	n->in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	n->out = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->in < 0 || n->out < 0 ||
	    inet_pton(AF_INET, args[0], &own.sin_addr) != 1 ||
	    inet_pton(AF_INET, args[1], &peer.sin_addr) != 1)
		return false;
	return bind(n->in, (struct sockaddr *)&own, sizeof(own)) == 0 &&
	       connect(n->out, (struct sockaddr *)&peer, sizeof(peer)) == 0;
}

static void drain(struct node *n)
{
	while (recv(n->in, n->dgram, DGRAM_MAX, MSG_DONTWAIT) >= 0)
		;
	n->len = n->at = 0;
}

static bool hold(struct node *n, int number)
{
	const struct probe_peer peer = { n, send_to, receive, act, port };
	bool ok = probe_hold(&probes[number], &peer, stdout);

	fflush(stdout);
	ok &= run(n, "stop", 0);
	drain(n);
	return ok;
}

int main(int argc, char **argv)
{
	static struct node n;
	bool ok = true;

	if (argc < 5) {
		fprintf(stderr, "refprobe OWN_ADDRESS PEER_ADDRESS PORT "
				"COMMAND [NUMBER]...\n");
		return 2;
	}
	n.command = argv[4];
	if (!open_sockets(&n, argv + 1)) {
		perror("refprobe");
		return 2;
	}
	for (int i = 5; i < argc; i++)
		ok &= hold(&n, atoi(argv[i]) % N_PROBES);
	for (int i = 0; i < N_PROBES && argc == 5; i++)
		ok &= hold(&n, i);
	return ok ? 0 : 1;
}
