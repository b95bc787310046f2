/* SPDX-License-Identifier: ISC */
/* TCP links over the loopback device, with real sockets, and a loop and clock
 * of the test's own. The peer is what the test connects and accepts. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "sync/link.h"

enum {
	WATCHES_MAX = 8,
	PATIENCE_MS = 5000, /* of real time, for the kernel */
	BIG = 60000,        /* of a datagram */
	SMALL_BUFFER = 8192,
};

/* ---- a loop ------------------------------------------------------------- */

struct loop {
	struct timer_heap timers;
	int64_t now_ms;
	struct watch *watches[WATCHES_MAX];
};

int64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

void timer_set(struct loop *l, struct timer *timer, int64_t due_ms)
{
	timer_heap_set(&l->timers, timer, due_ms);
}

void timer_cancel(struct loop *l, struct timer *timer)
{
	timer_heap_cancel(&l->timers, timer);
}

int watch_add(struct loop *l, struct watch *w, int fd, unsigned int events,
	      watch_fn *fn, void *ctx)
{
	int i = 0;

	while (l->watches[i])
		assert_true(++i < WATCHES_MAX);
	*w = (struct watch){ fd, events, fn, ctx, true };
	l->watches[i] = w;
	return 0;
}

void watch_change(struct loop *l, struct watch *w, unsigned int events)
{
	(void)l;
	assert_true(w->is_added);
	w->events = events;
}

void watch_remove(struct loop *l, struct watch *w)
{
	for (int i = 0; i < WATCHES_MAX; i++)
		if (l->watches[i] == w)
			l->watches[i] = NULL;
	w->is_added = false;
}

static unsigned int events_of(short revents)
{
	return (revents & (POLLIN | POLLHUP) ? LOOP_READ : 0U) |
	       (revents & POLLOUT ? LOOP_WRITE : 0U) |
	       (revents & (POLLERR | POLLHUP) ? LOOP_ERROR : 0U);
}

/* Serves what is ready and due now, or within wait_ms of real time. */
static void turn(struct loop *l, int wait_ms)
{
	struct watch *watches[WATCHES_MAX];
	struct pollfd fds[WATCHES_MAX];

	for (int i = 0; i < WATCHES_MAX; i++) {
		const struct watch *w = watches[i] = l->watches[i];

		fds[i] = (struct pollfd){ .fd = -1 };
		if (!w)
			continue;
		fds[i].fd = w->fd;
		fds[i].events = (short)((w->events & LOOP_READ ? POLLIN : 0) |
					(w->events & LOOP_WRITE ? POLLOUT : 0));
	}
	assert_true(poll(fds, WATCHES_MAX, wait_ms) >= 0);
	for (int i = 0; i < WATCHES_MAX; i++) {
		struct watch *w = watches[i];
		unsigned int events = events_of(fds[i].revents);

		if (!w || l->watches[i] != w || w->fd != fds[i].fd)
			continue;
		events &= w->events | LOOP_ERROR;
		if (events)
			w->fn(w->ctx, events);
	}
	timer_heap_fire(&l->timers, l->now_ms);
}

/* ---- the fixture -------------------------------------------------------- */

static struct {
	struct loop loop;
	struct link *link;
	uint16_t port;
	int listen_fd, from_link, to_link; /* of the peer */
	uint8_t seen[4 * BIG];             /* what was handed on, end to end */
	size_t n_seen;
	int n_messages, n_refused, n_events[4];
	struct addr refused;
	int last_error;
} t;

static void on_received(void *ctx, struct link *l, const struct addr *from,
			struct rd bytes)
{
	(void)ctx;
	assert_true(addr_equal(from, &link_opts(l)->remote));
	assert_true(t.n_seen + bytes.left <= sizeof(t.seen));
	memcpy(t.seen + t.n_seen, bytes.at, bytes.left);
	t.n_seen += bytes.left;
	t.n_messages++;
}

static void on_refused(void *ctx, struct link *l, const struct addr *from)
{
	(void)ctx;
	(void)l;
	t.n_refused++;
	t.refused = *from;
}

static void on_event(void *ctx, struct link *l, enum link_event what, int err)
{
	(void)ctx;
	(void)l;
	t.n_events[what]++;
	t.last_error = err;
}

/* 127.0.0.host */
static struct sockaddr_in at(uint8_t host, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host),
	};
}

static int new_socket(uint8_t host, uint16_t port)
{
	const struct sockaddr_in a = at(host, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	int bytes = SMALL_BUFFER;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One that is free at both addresses, most likely. */
static uint16_t free_port(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int fd = new_socket(1, 0);

	if (fd < 0)
		return 0;
	getsockname(fd, (struct sockaddr *)&a, &len);
	close(fd);
	return ntohs(a.sin_port);
}

static int set_up(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	t.listen_fd = t.from_link = t.to_link = -1;
	t.loop.now_ms = 100000;
	t.port = free_port();
	if (!t.port)
		skip(); /* no loopback device */
	return 0;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int tear_down(void **state)
{
	(void)state;
	link_free(t.link);
	close_fd(&t.listen_fd);
	close_fd(&t.from_link);
	close_fd(&t.to_link);
	for (int i = 0; i < WATCHES_MAX; i++)
		if (t.loop.watches[i])
			return -1;
	return timer_heap_next_ms(&t.loop.timers) == TIMER_NEVER ? 0 : -1;
}

static struct link_opts opts(void)
{
	return (struct link_opts){
		.kind = LINK_TCP,
		.family = FAMILY_IPV4,
		.group_or_local = { { 127, 0, 0, 1 } },
		.remote = { { 127, 0, 0, 2 } },
		.sources = { { { 127, 0, 0, 2 } }, { { 127, 0, 0, 4 } } },
		.n_sources = 2,
		.port = t.port,
		.interface = "lo",
		.send_buffer_bytes = SMALL_BUFFER,
		.recv_buffer_bytes = SMALL_BUFFER,
		.reads_per_turn = 1,
	};
}

static void open_link(const struct link_opts *o)
{
	const struct link_sink sink = { NULL, on_received, on_refused,
					on_event };
	const char *failed = "";

	assert_int_equal(link_new(o, &t.loop, &sink, &t.link), 0);
	assert_int_equal(link_look(t.link), 0);
	assert_int_equal(link_repair(t.link, &failed), 1);
	assert_true(link_is_usable(t.link));
}

static void open_usual(void)
{
	const struct link_opts o = opts();

	open_link(&o);
}

static void peer_listens(void)
{
	t.listen_fd = new_socket(2, t.port);
	assert_true(t.listen_fd >= 0);
	assert_int_equal(listen(t.listen_fd, 8), 0);
}

static bool is_client(void)
{
	bool server, client;

	assert_true(link_connections(t.link, &server, &client));
	return client;
}

static bool is_server(void)
{
	bool server, client;

	assert_true(link_connections(t.link, &server, &client));
	return server;
}

static bool is_not_server(void)
{
	return !is_server();
}

static bool is_not_client(void)
{
	return !is_client();
}

/* Turns until it is so. */
static void until(bool (*is_so)(void))
{
	for (int ms = 0; !is_so(); ms += 10) {
		assert_true(ms < PATIENCE_MS);
		turn(&t.loop, 10);
	}
}

/* What is ready, and what that makes ready. */
static void settle(void)
{
	for (int i = 0; i < 5; i++)
		turn(&t.loop, 2);
}

/* Time goes by, one timer after the other. */
static void pass(int64_t ms)
{
	int64_t end_ms = t.loop.now_ms + ms, next_ms;

	while ((next_ms = timer_heap_next_ms(&t.loop.timers)) <= end_ms) {
		if (t.loop.now_ms < next_ms)
			t.loop.now_ms = next_ms;
		turn(&t.loop, 0);
		settle();
	}
	t.loop.now_ms = end_ms;
	settle();
}

/* The link has connected to the peer. */
static void accept_link(void)
{
	until(is_client);
	close_fd(&t.from_link);
	t.from_link = accept4(t.listen_fd, NULL, NULL, SOCK_CLOEXEC);
	assert_true(t.from_link >= 0);
}

static int connect_from(uint8_t host)
{
	const struct sockaddr_in to = at(1, t.port);
	int fd = new_socket(host, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)),
			 0);
	return fd;
}

static void connect_peer(void)
{
	t.to_link = connect_from(2);
	until(is_server);
}

/* The connection ends as if the machine had forgotten it. */
static void break_off(int *fd)
{
	const struct linger none = { .l_onoff = 1 };

	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close_fd(fd);
}

/* A message with this number, and so many bytes. */
static void message(uint8_t number, uint8_t *bytes, size_t n)
{
	memset(bytes, number, n);
	bytes[0] = 0x1a;
	bytes[2] = (uint8_t)(n >> 8);
	bytes[3] = (uint8_t)n;
}

static void peer_writes(const uint8_t *bytes, size_t n)
{
	assert_int_equal(write(t.to_link, bytes, n), n);
}

static bool has_seen_one(void)
{
	return t.n_messages == 1;
}

static bool has_seen_two(void)
{
	return t.n_messages == 2;
}

/* ---- both ways ---------------------------------------------------------- */

static void test_two_nodes_are_joined_by_two_connections(void **state)
{
	uint8_t bytes[100], got[100];
	const struct link_stats *s;

	(void)state;
	peer_listens();
	open_usual();
	accept_link();
	assert_int_equal(t.n_events[LINK_CONNECTED], 1);
	assert_false(is_server());
	connect_peer();
	message(7, bytes, sizeof(bytes));
	assert_int_equal(link_send(t.link, bytes, sizeof(bytes)), 0);
	assert_int_equal(recv(t.from_link, got, sizeof(got), MSG_WAITALL), 100);
	assert_memory_equal(bytes, got, sizeof(bytes));
	peer_writes(bytes, sizeof(bytes));
	until(has_seen_one);
	assert_memory_equal(bytes, t.seen, sizeof(bytes));
	s = link_stats(t.link);
	assert_int_equal(s->n_bytes_sent, 100);
	assert_int_equal(s->n_packets_sent, 1);
	assert_int_equal(s->n_bytes_recv, 100);
	assert_int_equal(s->n_packets_recv, 1);
	assert_int_equal(s->n_send_errors + s->n_recv_errors, 0);
}

static void test_ipv6_too(void **state)
{
	struct link_opts o = opts();
	uint8_t bytes[8];

	(void)state;
	o.family = FAMILY_IPV6; /* a node that is its own peer */
	o.group_or_local = o.remote = (struct addr){ { [15] = 1 } };
	o.sources[0] = o.remote;
	o.n_sources = 1;
	if (access("/proc/sys/net/ipv6", F_OK))
		skip();
	open_link(&o);
	until(is_client);
	until(is_server);
	message(1, bytes, sizeof(bytes));
	assert_int_equal(link_send(t.link, bytes, sizeof(bytes)), 0);
	until(has_seen_one);
}

static void test_sockets_are_as_they_should_be(void **state)
{
	static const struct {
		int level, option, value;
	} rows[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 4 },
		{ IPPROTO_TCP, TCP_KEEPINTVL, 2 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 2 },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, 8000 },
	};
	enum { FIRST_OF_ALL = 1 }; /* what the receiving one has of them */

	(void)state;
	peer_listens();
	open_usual();
	accept_link();
	connect_peer();
	for (int i = 0; i < WATCHES_MAX; i++) {
		const struct watch *w = t.loop.watches[i];
		struct sockaddr_in to;
		socklen_t len = sizeof(to);
		bool is_sender;

		if (!w || getpeername(w->fd, (struct sockaddr *)&to, &len))
			continue; /* it listens */
		is_sender = ntohs(to.sin_port) == t.port;
		for (size_t k = is_sender ? 0 : FIRST_OF_ALL;
		     k < N_ELEMENTS(rows) - !is_sender; k++) {
			int value = -1;

			len = sizeof(value);
			assert_int_equal(getsockopt(w->fd, rows[k].level,
						    rows[k].option, &value,
						    &len),
					 0);
			assert_int_equal(value, rows[k].value);
		}
	}
}

/* ---- receiving ---------------------------------------------------------- */

static void test_messages_may_be_cut_anywhere(void **state)
{
	uint8_t bytes[40];

	(void)state;
	open_usual();
	message(1, bytes, 24);
	message(2, bytes + 24, 16);
	for (size_t piece = 1; piece < sizeof(bytes); piece += 3) {
		t.n_messages = 0;
		t.n_seen = 0;
		close_fd(&t.to_link);
		until(is_not_server);
		connect_peer();
		for (size_t i = 0; i < sizeof(bytes); i += piece) {
			size_t n = sizeof(bytes) - i;

			peer_writes(bytes + i, n < piece ? n : piece);
			turn(&t.loop, 1);
		}
		until(has_seen_two);
		assert_memory_equal(t.seen, bytes, sizeof(bytes));
	}
}

static void test_half_a_message_goes_with_its_connection(void **state)
{
	static const bool resets[] = { false, true };
	uint8_t bytes[24];

	(void)state;
	open_usual();
	message(1, bytes, sizeof(bytes));
	for (size_t i = 0; i < N_ELEMENTS(resets); i++) {
		t.n_messages = 0;
		t.n_seen = 0;
		connect_peer();
		peer_writes(bytes, 13);
		settle();
		if (resets[i])
			break_off(&t.to_link);
		else
			close_fd(&t.to_link);
		until(is_not_server);
		assert_int_equal(link_stats(t.link)->n_recv_errors, resets[i]);
		connect_peer();
		peer_writes(bytes, sizeof(bytes));
		until(has_seen_one);
		assert_memory_equal(t.seen, bytes, sizeof(bytes));
		close_fd(&t.to_link);
		until(is_not_server);
	}
}

static void test_a_second_connection_replaces_the_first(void **state)
{
	uint8_t bytes[24];
	int first;

	(void)state;
	open_usual();
	message(1, bytes, sizeof(bytes));
	connect_peer();
	peer_writes(bytes, 13);
	settle();
	first = t.to_link;
	t.to_link = connect_from(2);
	peer_writes(bytes, sizeof(bytes));
	until(has_seen_one);
	assert_memory_equal(t.seen, bytes, sizeof(bytes));
	assert_int_equal(recv(first, bytes, 1, 0), 0); /* closed */
	close(first);
	assert_true(is_server());
}

static void test_who_is_not_the_peer_is_refused_and_counted(void **state)
{
	const struct addr other = { { 127, 0, 0, 3 } };
	uint8_t bytes[24];
	int fd;

	(void)state;
	open_usual();
	connect_peer();
	for (int i = 1; i <= 3; i++) {
		fd = connect_from(3);
		for (int k = 0; t.n_refused < i; k++) {
			assert_true(k < PATIENCE_MS / 10);
			turn(&t.loop, 10);
		}
		assert_true(recv(fd, bytes, 1, 0) <= 0);
		close(fd);
	}
	assert_true(addr_equal(&t.refused, &other));
	assert_int_equal(link_stats(t.link)->n_refused, 3);
	/* the peer's connection is none the worse for it */
	message(1, bytes, sizeof(bytes));
	peer_writes(bytes, sizeof(bytes));
	until(has_seen_one);
}

static void
test_the_peer_may_connect_from_another_of_its_addresses(void **state)
{
	uint8_t bytes[24];

	(void)state;
	open_usual();
	t.to_link = connect_from(4);
	until(is_server);
	message(1, bytes, sizeof(bytes));
	peer_writes(bytes, sizeof(bytes));
	until(has_seen_one);
	assert_int_equal(t.n_refused, 0);
}

static void test_what_is_no_header_ends_the_connection(void **state)
{
	uint8_t bytes[32];

	(void)state;
	open_usual();
	connect_peer();
	message(1, bytes, 16);
	memset(bytes + 16, 0, 16);
	peer_writes(bytes, sizeof(bytes));
	until(is_not_server);
	assert_int_equal(t.n_messages, 2); /* that header, to be counted */
	assert_int_equal(t.n_seen, 16 + 8);
	assert_int_equal(link_stats(t.link)->n_recv_errors, 1);
}

static void test_a_turn_reads_its_share(void **state)
{
	struct link_opts o = opts();
	uint8_t bytes[1000];

	(void)state;
	open_link(&o);
	link_set_interface(t.link, LINK_RUNNING, 1, 1040);
	connect_peer();
	message(1, bytes, sizeof(bytes));
	for (int i = 0; i < 4; i++)
		peer_writes(bytes, sizeof(bytes));
	until(has_seen_one);
	assert_int_equal(t.n_messages, 1);
	until(has_seen_two);
}

static void test_without_memory_a_connection_is_closed(void **state)
{
	(void)state;
	open_usual();
	t.to_link = connect_from(2);
	alloc_fail_after(0);
	for (int i = 0; link_stats(t.link)->n_recv_errors == 0; i++) {
		assert_true(i < PATIENCE_MS / 10);
		turn(&t.loop, 10);
	}
	assert_true(alloc_fail_off());
	assert_false(is_server());
}

static void test_without_descriptors_it_is_accepted_later(void **state)
{
	struct rlimit before, none;

	(void)state;
	open_usual();
	t.to_link = connect_from(2);
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	/* without poll(), which would fail too */
	for (int i = 0; i < WATCHES_MAX; i++) {
		struct watch *w = t.loop.watches[i];

		if (w && w->events == LOOP_READ)
			w->fn(w->ctx, LOOP_READ);
	}
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(link_stats(t.link)->n_recv_errors, 1);
	settle();
	assert_false(is_server());
	pass(1000);
	assert_true(is_server());
}

/* ---- sending ------------------------------------------------------------ */

/* Sends datagrams of their own numbers until none is taken; returns how many
 * were. */
static int fill_up(void)
{
	static uint8_t bytes[BIG];
	int n = 0, err;

	for (;;) {
		message((uint8_t)n, bytes, sizeof(bytes));
		err = link_send(t.link, bytes, sizeof(bytes));
		if (err)
			break;
		assert_true(++n < 200);
	}
	assert_int_equal(err, -EAGAIN);
	return n;
}

/* The peer reads this datagram, whole. */
static void read_datagram(int number)
{
	static uint8_t bytes[BIG], got[BIG];

	message((uint8_t)number, bytes, sizeof(bytes));
	for (size_t n = 0, tries = 0; n < sizeof(got); tries++) {
		ssize_t k = recv(t.from_link, got + n, sizeof(got) - n,
				 MSG_DONTWAIT);

		assert_true(k > 0 || (k < 0 && errno == EAGAIN));
		assert_true(tries < PATIENCE_MS);
		n += k > 0 ? (size_t)k : 0;
		turn(&t.loop, 1);
	}
	assert_memory_equal(bytes, got, sizeof(bytes));
}

static void test_a_datagram_taken_in_part_goes_on(void **state)
{
	uint8_t byte = 0;
	int n;

	(void)state;
	peer_listens();
	open_usual();
	accept_link();
	n = fill_up();
	assert_int_equal(link_send(t.link, &byte, 1), -EAGAIN);
	for (int i = 0; i < n; i++)
		read_datagram(i);
	assert_int_equal(link_stats(t.link)->n_packets_sent, n);
	assert_int_equal(link_stats(t.link)->n_bytes_sent, (uint64_t)n * BIG);
	n = fill_up();
	for (int i = 0; i < n; i++)
		read_datagram(i);
	assert_int_equal(link_stats(t.link)->n_send_errors, 0);
}

static void test_a_datagram_taken_in_part_goes_with_its_connection(void **state)
{
	(void)state;
	peer_listens();
	open_usual();
	accept_link();
	pass(2000);
	(void)fill_up();
	break_off(&t.from_link);
	until(is_not_client);
	assert_int_equal(t.n_events[LINK_BROKEN], 1);
	pass(1);
	accept_link();
	assert_int_equal(t.n_events[LINK_CONNECTED], 2);
	(void)fill_up();
	read_datagram(0);
}

static void test_without_a_connection_datagrams_are_lost(void **state)
{
	(void)state;
	open_usual();
	settle();
	assert_int_equal(link_send(t.link, "x", 1), -ENOTCONN);
	assert_int_equal(link_stats(t.link)->n_packets_sent, 0);
}

/* ---- attempts ----------------------------------------------------------- */

static void test_attempts_become_rarer(void **state)
{
	static const int64_t times_s[] = { 0, 1, 3, 7, 15, 31, 61, 91, 121 };
	const struct link_stats *s;

	(void)state;
	open_usual();
	s = link_stats(t.link);
	settle();
	for (size_t i = 0; i < N_ELEMENTS(times_s) - 1; i++) {
		assert_int_equal(s->n_send_errors, i + 1);
		pass((times_s[i + 1] - times_s[i]) * 1000 - 1);
		assert_int_equal(s->n_send_errors, i + 1);
		pass(1);
	}
	assert_int_equal(t.n_events[LINK_UNREACHED], 1);
	assert_int_equal(t.last_error, -ECONNREFUSED);
	peer_listens();
	pass(30000);
	assert_true(is_client());
	assert_int_equal(t.n_events[LINK_UNREACHED], 1);
}

static void test_an_attempt_that_nobody_answers_is_given_up(void **state)
{
	int extra[4];

	(void)state;
	/* a queue that is full */
	t.listen_fd = new_socket(2, t.port);
	assert_int_equal(listen(t.listen_fd, 0), 0);
	for (size_t i = 0; i < N_ELEMENTS(extra); i++) {
		const struct sockaddr_in to = at(2, t.port);

		extra[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(extra[i], (const struct sockaddr *)&to,
			      sizeof(to));
	}
	open_usual();
	pass(9999);
	assert_int_equal(link_stats(t.link)->n_send_errors, 0);
	pass(1);
	assert_int_equal(link_stats(t.link)->n_send_errors, 1);
	assert_int_equal(t.n_events[LINK_UNREACHED], 1);
	assert_int_equal(t.last_error, -ETIMEDOUT);
	for (size_t i = 0; i < N_ELEMENTS(extra); i++)
		close(extra[i]);
}

static void test_the_peer_that_connects_is_connected_to_at_once(void **state)
{
	(void)state;
	open_usual();
	pass(20000);
	assert_false(is_client());
	peer_listens();
	connect_peer();
	until(is_client); /* without any time */
}

static void test_what_lasted_is_made_again_at_once(void **state)
{
	(void)state;
	peer_listens();
	open_usual();
	accept_link();
	pass(1000);
	close_fd(&t.from_link);
	until(is_not_client);
	assert_int_equal(t.n_events[LINK_BROKEN], 1);
	assert_int_equal(t.last_error, 0);
	pass(0);
	accept_link();
	/* and what did not, a second after it was begun */
	pass(400);
	break_off(&t.from_link);
	until(is_not_client);
	assert_int_equal(t.last_error, -ECONNRESET);
	pass(599);
	assert_false(is_client());
	pass(1);
	assert_true(is_client());
}

static void test_whoever_writes_to_us_is_no_peer(void **state)
{
	(void)state;
	peer_listens();
	open_usual();
	accept_link();
	assert_int_equal(write(t.from_link, "SSH-2.0", 7), 7);
	until(is_not_client);
	assert_int_equal(t.last_error, -EPROTO);
	pass(999);
	assert_false(is_client());
}

static void test_an_interface_that_comes_back_has_a_new_connection(void **state)
{
	static const struct {
		enum link_status status;
		unsigned int mtu;
	} rows[] = { { LINK_DOWN, 1500 },
		     { LINK_RUNNING, 1500 },
		     { LINK_NO_CARRIER, 1500 },
		     { LINK_RUNNING, 1500 } };
	static const bool renews[] = { false, true, false, true };
	const char *failed = "";
	int n = 1;

	(void)state;
	peer_listens();
	open_usual();
	accept_link();
	link_set_interface(t.link, LINK_RUNNING, 1, 1500);
	assert_int_equal(link_repair(t.link, &failed), 0);
	accept_link();
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		link_set_interface(t.link, rows[i].status, 1, rows[i].mtu);
		assert_int_equal(link_needs_repair(t.link), renews[i]);
		if (!renews[i])
			continue;
		assert_int_equal(link_repair(t.link, &failed), 0);
		assert_int_equal(t.n_events[LINK_BROKEN], ++n);
		assert_true(link_is_usable(t.link));
		accept_link();
	}
}

/* ---- a peer that does not read ------------------------------------------ */

/* Five seconds after the kernels have moved on what they could: they do that in
 * their own time, while seconds of the test's pass. */
static void wait_for_cut_off(void)
{
	int64_t end_ms = t.loop.now_ms + 60000;

	while (is_client()) {
		assert_true(t.loop.now_ms < end_ms);
		pass(500);
	}
}

static void test_a_peer_that_reads_nothing_is_cut_off(void **state)
{
	uint8_t bytes[8];

	(void)state;
	peer_listens();
	open_usual();
	accept_link();
	connect_peer();
	(void)fill_up();
	pass(4999);
	assert_true(is_client());
	wait_for_cut_off();
	/* it is left alone, but for a try now and then */
	pass(29000);
	assert_int_equal(t.n_events[LINK_CONNECTED], 1);
	pass(1000);
	accept_link();
	(void)fill_up();
	wait_for_cut_off();
	assert_int_equal(t.n_events[LINK_CUT_OFF], 2);
	/* until it says something */
	message(1, bytes, sizeof(bytes));
	peer_writes(bytes, sizeof(bytes));
	until(is_client);
	assert_int_equal(t.n_events[LINK_CONNECTED], 3);
}

/* The peer reads what it has, until that makes room for more. */
static void read_until_room(void)
{
	const struct link_stats *s = link_stats(t.link);
	uint64_t before = s->n_bytes_sent;
	static uint8_t some[1000];

	for (int ms = 0; s->n_bytes_sent == before; ms += 2) {
		assert_true(ms < PATIENCE_MS);
		(void)recv(t.from_link, some, sizeof(some), MSG_DONTWAIT);
		turn(&t.loop, 2);
	}
}

static void test_a_peer_that_reads_slowly_is_not(void **state)
{
	(void)state;
	peer_listens();
	open_usual();
	accept_link();
	for (int i = 0; i < 10; i++) {
		(void)fill_up();
		pass(4000);
		read_until_room();
	}
	assert_int_equal(t.n_events[LINK_CUT_OFF], 0);
	assert_true(is_client());
}

/* ---- the end ------------------------------------------------------------ */

static void test_what_was_sent_arrives_after_the_end(void **state)
{
	int n;

	(void)state;
	peer_listens();
	open_usual();
	accept_link();
	n = fill_up();
	link_free(t.link);
	t.link = NULL;
	for (int i = 0; i < n - 1; i++)
		read_datagram(i);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
		T(test_two_nodes_are_joined_by_two_connections),
		T(test_ipv6_too),
		T(test_sockets_are_as_they_should_be),
		T(test_messages_may_be_cut_anywhere),
		T(test_half_a_message_goes_with_its_connection),
		T(test_a_second_connection_replaces_the_first),
		T(test_who_is_not_the_peer_is_refused_and_counted),
		T(test_the_peer_may_connect_from_another_of_its_addresses),
		T(test_what_is_no_header_ends_the_connection),
		T(test_a_turn_reads_its_share),
		T(test_without_memory_a_connection_is_closed),
		T(test_without_descriptors_it_is_accepted_later),
		T(test_a_datagram_taken_in_part_goes_on),
		T(test_a_datagram_taken_in_part_goes_with_its_connection),
		T(test_without_a_connection_datagrams_are_lost),
		T(test_attempts_become_rarer),
		T(test_an_attempt_that_nobody_answers_is_given_up),
		T(test_the_peer_that_connects_is_connected_to_at_once),
		T(test_what_lasted_is_made_again_at_once),
		T(test_whoever_writes_to_us_is_no_peer),
		T(test_an_interface_that_comes_back_has_a_new_connection),
		T(test_a_peer_that_reads_nothing_is_cut_off),
		T(test_a_peer_that_reads_slowly_is_not),
		T(test_what_was_sent_arrives_after_the_end),
	};
#undef T

	return cmocka_run_group_tests(tests, NULL, NULL);
}
