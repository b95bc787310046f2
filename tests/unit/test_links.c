/* SPDX-License-Identifier: ISC */
/* The links of a daemon, with links, engine, interfaces and loop of the test's
 * own: what is sent when, what waits, and what the log says. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "links.h"
#include "netlink/ifwatch.h"
#include "sync/message.h"

enum { LINES_MAX = 32, PATIENCE_MS = 5000, FOREVER_MS = 60000 };

/* ---- in place of the rest of the program -------------------------------- */

struct loop {
	struct timer_heap timers;
	int64_t now_ms;
	struct deferred *deferred; /* the last one */
	int n_deferred;
};

struct link {
	struct link_opts opts;
	struct link_sink sink;
	enum link_status status;
	unsigned int index;
	bool is_open;
	int look_error, repair_error, send_error;
	int n_sent, n_repairs, n_copies, n_announced;
	uint8_t first_byte; /* of the last datagram */
};

/* The engine of a real node: datagrams are of one byte, their number. */
struct fake {
	struct engine base;
	int n_to_send;
	bool announces; /* the next one */
	int n_filled, n_heard, n_link_changes, n_connected;
	bool accepts;
	struct peer_addr from;
	struct roster peers;
};

struct ifwatch {
	ifwatch_fn *fn;
	void *ctx;
	int n_names;
};

static struct {
	struct loop loop;
	struct link links[2];
	int n_links, n_freed;
	struct fake engine;
	struct node *node;
	struct ifwatch ifwatch;
	char lines[LINES_MAX][128];
	int n_lines;
	int n_has_links, n_has_no_links;
} t;

int64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

int64_t loop_clock_ms(struct loop *l)
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

void loop_defer(struct loop *l, struct deferred *d)
{
	l->deferred = d;
	l->n_deferred++;
}

void loop_defer_cancel(struct loop *l, struct deferred *d)
{
	if (l->deferred == d)
		l->deferred = NULL;
}

int link_new(const struct link_opts *opts, struct loop *loop,
	     const struct link_sink *sink, struct link **out)
{
	struct link *l = &t.links[t.n_links];

	assert_ptr_equal(loop, &t.loop);
	if (opts->kind == LINK_TCP)
		return -ENOMEM;
	t.n_links++;
	l->opts = *opts;
	l->sink = *sink;
	*out = l;
	return 0;
}

void link_free(struct link *l)
{
	(void)l;
	t.n_freed++;
}

const struct link_opts *link_opts(const struct link *l)
{
	return &l->opts;
}

bool link_buffer_note(struct link *l, uint32_t *send_bytes,
		      uint32_t *recv_bytes)
{
	*send_bytes = 1;
	*recv_bytes = 2;
	return l->opts.send_buffer_bytes > 1;
}

size_t link_payload_max(const struct link *l)
{
	(void)l;
	return 1000;
}

int link_look(struct link *l)
{
	return l->look_error;
}

void link_set_interface(struct link *l, enum link_status status,
			unsigned int index, unsigned int mtu)
{
	(void)mtu;
	l->status = status;
	l->index = index;
}

bool link_has_interface(const struct link *l)
{
	return l->index != 0;
}

bool link_needs_repair(const struct link *l)
{
	return l->index && l->status != LINK_DOWN && !l->is_open;
}

int link_repair(struct link *l, const char **failed)
{
	l->n_repairs++;
	*failed = "a step";
	if (!l->index)
		return -ENODEV;
	if (l->repair_error)
		return l->repair_error;
	l->is_open = true;
	return 1;
}

bool link_is_usable(const struct link *l)
{
	return l->index && l->status == LINK_RUNNING && l->is_open;
}

enum link_status link_status(const struct link *l)
{
	return l->status;
}

/* The flag behind header, magic and version. */
static bool is_copy(const uint8_t *dgram)
{
	return dgram[0] == (1 << 4 | MSG_CTL) && dgram[13] & 1;
}

int link_send(struct link *l, const void *dgram, size_t len)
{
	if (l->send_error)
		return l->send_error;
	l->n_announced += len > 1 && !is_copy(dgram);
	l->n_copies += is_copy(dgram);
	if (len > 1)
		return 0;
	l->n_sent++;
	l->first_byte = *(const uint8_t *)dgram;
	return 0;
}

static enum verdict fake_receive(struct engine *e, const struct peer_addr *from,
				 const struct msg *m, int64_t now_ms)
{
	struct fake *f = CONTAINER_OF(e, struct fake, base);

	assert_int_equal(now_ms, t.loop.now_ms);
	assert_int_equal(m->type, MSG_CTL);
	f->n_heard++;
	f->from = *from;
	return f->accepts ? VERDICT_OK : VERDICT_IGNORED;
}

static enum fill fake_fill(struct engine *e, struct wr *dgram, size_t room,
			   int64_t now_ms)
{
	struct fake *f = CONTAINER_OF(e, struct fake, base);

	assert_int_equal(now_ms, t.loop.now_ms);
	assert_int_equal(room, 1000);
	if (f->announces) {
		const uint8_t name[EXT_NAME_SIZE] = { 1 };
		size_t at = message_alive(
			dgram, 1, 0,
			&(struct message_self){ 1, EXT_CAP_COPIES }, 1);

		message_add_name(dgram, name);
		f->announces = false;
		return wire_end(dgram, at) ? FILL_SOME : FILL_IDLE;
	}
	if (f->n_to_send == 0)
		return FILL_IDLE;
	f->n_to_send--;
	wr_u8(dgram, (uint8_t)++f->n_filled);
	return f->n_to_send ? FILL_FULL : FILL_SOME;
}

static int64_t fake_due_ms(struct engine *e)
{
	(void)e;
	return t.loop.now_ms + 700;
}

static void fake_link_changed(struct engine *e)
{
	CONTAINER_OF(e, struct fake, base)->n_link_changes++;
}

static void fake_connected(struct engine *e)
{
	CONTAINER_OF(e, struct fake, base)->n_connected++;
}

static const struct roster *fake_peers(struct engine *e)
{
	return &CONTAINER_OF(e, struct fake, base)->peers;
}

static void fake_free(struct engine *e)
{
	(void)e;
}

static const struct engine_ops fake_ops = {
	.link_changed = fake_link_changed,
	.receive = fake_receive,
	.fill = fake_fill,
	.due_ms = fake_due_ms,
	.peers = fake_peers,
	.free = fake_free,
	.connected = fake_connected,
};

static struct engine *make_fake(const struct node_opts *opts,
				const struct engine_sink *sink, int64_t now_ms)
{
	(void)opts;
	(void)sink;
	(void)now_ms;
	t.engine.base.ops = &fake_ops;
	return &t.engine.base;
}

int ifwatch_open(struct loop *loop, ifwatch_fn *fn, void *ctx,
		 struct ifwatch **out)
{
	(void)loop;
	t.ifwatch.fn = fn;
	t.ifwatch.ctx = ctx;
	*out = &t.ifwatch;
	return 0;
}

void ifwatch_close(struct ifwatch *w)
{
	(void)w;
}

int ifwatch_add(struct ifwatch *w, const char *name)
{
	(void)name;
	w->n_names++;
	return 0;
}

PRINTF_LIKE(1, 0)
static void note_line(const char *fmt, va_list ap)
{
	assert_in_range(t.n_lines, 0, LINES_MAX - 1);
	vsnprintf(t.lines[t.n_lines++], sizeof(t.lines[0]), fmt, ap);
}

#define LOG(name)                       \
	void name(const char *fmt, ...) \
	{                               \
		va_list ap;             \
		va_start(ap, fmt);      \
		note_line(fmt, ap);     \
		va_end(ap);             \
	}
LOG(log_error)
LOG(log_warn)
LOG(log_notice)
#undef LOG

/* ---- the fixture -------------------------------------------------------- */

static void on_links(void *ctx)
{
	(void)ctx;
	t.n_has_links++;
}

static void on_no_links(void *ctx)
{
	(void)ctx;
	t.n_has_no_links++;
}

static int open_two(enum link_kind second, struct links **out)
{
	const struct links_link links[] = {
		{ .link = { .kind = LINK_UDP,
			    .family = FAMILY_IPV4,
			    .interface = "eth2" } },
		{ .link = { .kind = second,
			    .family = FAMILY_IPV4,
			    .interface = "eth3" } },
	};
	const struct links_opts o = {
		.loop = &t.loop,
		.node = t.node,
		.links = links,
		.n_links = 2,
		.has_links = on_links,
		.has_no_links = on_no_links,
	};

	return links_open(&o, out);
}

static int set_up(void **state)
{
	const struct node_opts opts = { 0 };

	(void)state;
	memset(&t, 0, sizeof(t));
	t.loop.now_ms = 1000;
	t.node = node_new(&opts, make_fake, 1000);
	return t.node ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	node_free(t.node);
	return 0;
}

static void begin_again(void)
{
	void *state = NULL;

	assert_int_equal(tear_down(&state), 0);
	assert_int_equal(set_up(&state), 0);
}

static void tell_interface(const char *name, unsigned int index,
			   enum ifwatch_status status)
{
	t.ifwatch.fn(t.ifwatch.ctx, name, index, status, 1500);
}

/* Both interfaces are there. */
static struct links *open_good(void)
{
	struct links *l = NULL;

	for (int i = 0; i < 2; i++) {
		t.links[i].index = 3;
		t.links[i].status = LINK_RUNNING;
	}
	assert_int_equal(open_two(LINK_UDP, &l), 0);
	tell_interface("eth2", 3, IFWATCH_RUNNING);
	tell_interface("eth3", 3, IFWATCH_RUNNING);
	assert_int_equal(t.n_lines, 0);
	links_start(l);
	return l;
}

/* A turn of the loop at this time. */
static void turn_at(struct links *l, int64_t now_ms)
{
	t.loop.now_ms = now_ms;
	t.loop.deferred = NULL;
	timer_heap_fire(&t.loop.timers, now_ms);
	links_pump(l);
}

static void wait_until(struct links *l, int64_t end_ms)
{
	while (timer_heap_next_ms(&t.loop.timers) <= end_ms)
		turn_at(l, timer_heap_next_ms(&t.loop.timers));
	t.loop.now_ms = end_ms;
}

static void hear(int link)
{
	static const uint8_t bytes[] = {
		1 << 4 | MSG_CTL, MSG_ALIVE, 0, 8, 0, 0, 0, 1
	};
	const struct addr from = { { 10, 0, 0, 7 } };
	struct link *l = &t.links[link];

	l->sink.received(l->sink.ctx, l, &from,
			 (struct rd){ bytes, sizeof(bytes) });
}

static void refuse(int link, uint8_t host)
{
	const struct addr from = { { 10, 0, 0, host } };
	struct link *l = &t.links[link];

	l->sink.refused(l->sink.ctx, l, &from);
}

static void tell_event(int link, enum link_event what, int err)
{
	struct link *l = &t.links[link];

	l->sink.event(l->sink.ctx, l, what, err);
}

static void expect_line(const char *text)
{
	assert_true(t.n_lines > 0);
	assert_string_equal(t.lines[t.n_lines - 1], text);
}

/* ---- sending ------------------------------------------------------------ */

static void test_nothing_is_sent_before_the_start(void **state)
{
	struct links *l = NULL;

	(void)state;
	t.links[0].index = 3;
	t.links[0].status = LINK_RUNNING;
	assert_int_equal(open_two(LINK_UDP, &l), 0);
	t.engine.n_to_send = 1;
	turn_at(l, 1000);
	assert_int_equal(t.engine.n_filled, 0);
	links_start(l);
	turn_at(l, 1000);
	assert_int_equal(t.links[0].n_sent, 1);
	links_close(l);
}

static void test_a_turn_sends_its_share_and_asks_for_another(void **state)
{
	struct links *l = open_good();

	(void)state;
	t.engine.n_to_send = 100;
	turn_at(l, 1000);
	assert_int_equal(t.links[0].n_sent, 64);
	assert_int_equal(t.loop.n_deferred, 1);
	turn_at(l, 1000);
	assert_int_equal(t.links[0].n_sent, 100);
	assert_int_equal(t.loop.n_deferred, 1);
	/* and the node says when it will have more */
	assert_int_equal(timer_heap_next_ms(&t.loop.timers), 1700);
	links_close(l);
}

static void test_a_datagram_that_was_not_taken_is_kept(void **state)
{
	struct links *l = open_good();

	(void)state;
	t.engine.n_to_send = 3;
	t.links[0].send_error = -EAGAIN;
	turn_at(l, 1000);
	turn_at(l, 1001);
	assert_int_equal(t.engine.n_filled, 1);
	t.links[0].send_error = 0;
	turn_at(l, 1002);
	assert_int_equal(t.engine.n_filled, 3);
	assert_int_equal(t.links[0].n_sent, 3);
	assert_int_equal(t.links[0].first_byte, 3);
	links_close(l);
}

/* The socket is writable again at once, so the wait is by time. */
static void test_a_full_queue_is_waited_for_longer_each_time(void **state)
{
	static const int64_t waits_ms[] = { 1, 2, 4, 8, 16, 32, 50, 50 };
	struct links *l = open_good();
	int64_t now_ms = 1000;

	(void)state;
	t.engine.n_to_send = 1;
	t.links[0].send_error = -ENOBUFS;
	turn_at(l, now_ms);
	for (size_t i = 0; i < N_ELEMENTS(waits_ms); i++) {
		now_ms += waits_ms[i];
		assert_int_equal(timer_heap_next_ms(&t.loop.timers), now_ms);
		turn_at(l, now_ms - 1 + (waits_ms[i] == 1));
		turn_at(l, now_ms);
	}
	t.links[0].send_error = 0;
	turn_at(l, now_ms + 50);
	assert_int_equal(t.links[0].n_sent, 1);
	/* the next time begins with a short one */
	t.engine.n_to_send = 1;
	t.links[0].send_error = -ENOBUFS;
	turn_at(l, 5000);
	assert_int_equal(timer_heap_next_ms(&t.loop.timers), 5001);
	links_close(l);
}

static void test_other_errors_lose_the_datagram(void **state)
{
	struct links *l = open_good();

	(void)state;
	t.engine.n_to_send = 2;
	t.links[0].send_error = -ENETDOWN;
	turn_at(l, 1000);
	assert_int_equal(t.engine.n_filled, 2);
	t.links[0].send_error = 0;
	turn_at(l, 1001);
	assert_int_equal(t.links[0].n_sent, 0);
	links_close(l);
}

/* ---- receiving ---------------------------------------------------------- */

static void test_the_node_hears_and_is_followed(void **state)
{
	struct links *l = open_good();

	(void)state;
	hear(1); /* nothing of it is accepted */
	assert_int_equal(t.engine.from.link, 1);
	assert_int_equal(t.engine.from.family, FAMILY_IPV4);
	assert_int_equal(t.engine.from.addr.b[3], 7);
	assert_int_equal(links_set(l)->current, 0);
	t.engine.accepts = true;
	hear(1);
	assert_int_equal(links_set(l)->current, 1);
	assert_int_equal(t.engine.n_link_changes, 1);
	expect_line("device `eth3' becomes dedicated link");
	hear(1);
	assert_int_equal(t.engine.n_link_changes, 1);
	assert_int_equal(t.engine.n_heard, 3);
	t.engine.n_to_send = 1;
	turn_at(l, 1000);
	assert_int_equal(t.links[1].n_sent, 1);
	links_close(l);
}

static void test_a_refused_source_has_one_line(void **state)
{
	struct links *l = open_good();

	(void)state;
	refuse(0, 9);
	refuse(0, 9);
	assert_int_equal(t.n_lines, 1);
	expect_line("link eth2: datagrams from 10.0.0.9 are refused: the peer "
		    "is 0.0.0.0 (IPv4_Destination_Address)");
	refuse(1, 9);
	assert_int_equal(t.n_lines, 2);
	links_close(l);
}

static void test_after_many_refused_sources_the_log_is_left_alone(void **state)
{
	struct links *l = open_good();

	(void)state;
	for (int i = 0; i < 200; i++) {
		t.n_lines = i < 64 ? 0 : t.n_lines;
		refuse(0, (uint8_t)i);
	}
	assert_int_equal(t.n_lines, 1); /* the 64th */
	links_close(l);
}

/* ---- links that are up and carry nothing -------------------------------- */

enum { PEER_NODE = 7 };

static struct peer *add_peer(void)
{
	t.engine.peers.n_places = 1;
	t.engine.peers.peers[0] = (struct peer){
		.is_used = true,
		.is_live = true,
		.node = PEER_NODE,
		.capabilities = EXT_CAP_COPIES,
		.announced_ms = t.loop.now_ms,
	};
	return &t.engine.peers.peers[0];
}

/* And waits for the copies. */
static void announce_at(struct links *l, int64_t now_ms)
{
	t.engine.announces = true;
	turn_at(l, now_ms);
	turn_at(l, now_ms + 100);
}

static void hear_copy(int link)
{
	const struct addr from = { { 10, 0, 0, 7 } };
	struct link *l = &t.links[link];
	uint8_t bytes[64];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	size_t at = message_alive(
		&w, 1, 0, &(struct message_self){ PEER_NODE, EXT_CAP_COPIES },
		1);

	assert_true(wire_end(&w, at));
	bytes[13] = 1;
	l->sink.received(l->sink.ctx, l, &from, (struct rd){ bytes, w.used });
}

static void test_announcements_are_copied_to_links_not_in_use(void **state)
{
	struct links *l = open_good();
	struct peer *p = add_peer();

	(void)state;
	announce_at(l, 1000);
	assert_int_equal(t.links[0].n_announced, 1);
	assert_int_equal(t.links[0].n_copies, 0);
	assert_int_equal(t.links[1].n_announced, 0);
	assert_int_equal(t.links[1].n_copies, 1);
	t.engine.n_to_send = 3;
	turn_at(l, 1100);
	assert_int_equal(t.links[1].n_copies, 1);
	/* one that is not usable, and a peer that does not know them */
	t.links[1].is_open = false;
	announce_at(l, 1200);
	t.links[1].is_open = true;
	p->capabilities = 0;
	announce_at(l, 1400);
	assert_int_equal(t.links[1].n_copies, 1);
	assert_int_equal(t.links[0].n_announced, 3);
	links_close(l);
}

static void test_a_link_that_takes_nothing_does_not_stop_copies(void **state)
{
	struct links *l = open_good();

	(void)state;
	add_peer();
	announce_at(l, 1000);
	t.links[0].send_error = -EAGAIN;
	t.engine.n_to_send = 1;
	turn_at(l, 1100);
	turn_at(l, 2099);
	assert_int_equal(t.links[1].n_copies, 1);
	turn_at(l, 2100);
	turn_at(l, 2500);
	turn_at(l, 3100);
	assert_int_equal(t.links[1].n_copies, 3);
	assert_int_equal(t.links[1].n_sent, 0);
	links_close(l);
}

static void
test_a_silent_link_is_left_and_told_and_so_is_its_return(void **state)
{
	struct links *l = open_good();
	struct peer *p = add_peer();

	(void)state;
	for (int i = 1; i < 3; i++) {
		t.loop.now_ms = 1000 + 1000 * i;
		hear_copy(1);
	}
	assert_int_equal(links_set(l)->current, 0);
	assert_int_equal(t.n_lines, 0);
	t.loop.now_ms = 4000;
	hear_copy(1);
	assert_int_equal(links_set(l)->current, 1);
	assert_int_equal(t.engine.n_link_changes, 1);
	assert_int_equal(t.n_lines, 2);
	assert_string_equal(t.lines[0],
			    "link eth2: nothing comes here from a peer that is "
			    "heard on eth3");
	expect_line("device `eth3' becomes dedicated link");
	hear_copy(1);
	assert_int_equal(t.n_lines, 2);
	p->announced_ms = t.loop.now_ms = 5000;
	hear_copy(0);
	assert_int_equal(links_set(l)->current, 1);
	assert_int_equal(t.n_lines, 3);
	expect_line("link eth2: a peer is heard here again");
	hear_copy(0);
	assert_int_equal(t.n_lines, 3);
	links_close(l);
}

static void test_while_nobody_is_heard_all_links_are_tried(void **state)
{
	struct links *l = open_good();

	(void)state;
	for (int i = 0; i < 12; i++)
		announce_at(l, 1000 + 1000 * i);
	assert_int_equal(t.links[0].n_announced, 6);
	assert_int_equal(t.links[1].n_announced, 6);
	assert_int_equal(t.links[1].n_copies, 0);
	/* all else goes by the current one */
	t.engine.n_to_send = 1;
	turn_at(l, 14000);
	assert_int_equal(t.links[0].n_sent, 1);
	assert_int_equal(t.links[1].n_sent, 0);
	add_peer();
	announce_at(l, 16000);
	assert_int_equal(t.links[0].n_announced, 7);
	links_close(l);
}

/* ---- what happens to a link --------------------------------------------- */

static void test_interfaces_that_come_are_used_and_told(void **state)
{
	struct links *l = NULL;

	(void)state;
	t.links[0].look_error = t.links[1].look_error = -ENODEV;
	assert_int_equal(open_two(LINK_UDP, &l), 0);
	assert_int_equal(t.ifwatch.n_names, 2);
	assert_false(links_is_there(l));
	assert_true(links_is_patient(l));
	tell_interface("eth3", 4, IFWATCH_RUNNING);
	assert_int_equal(t.n_has_links, 1);
	assert_true(links_is_there(l));
	assert_int_equal(links_set(l)->current, 1);
	expect_line("device `eth3' becomes dedicated link");
	wait_until(l, FOREVER_MS);
	assert_int_equal(t.n_has_no_links, 0);
	assert_false(links_is_patient(l));
	links_close(l);
}

static void test_without_any_interface_it_gives_up(void **state)
{
	struct links *l = NULL;

	(void)state;
	t.links[0].look_error = t.links[1].look_error = -ENODEV;
	assert_int_equal(open_two(LINK_UDP, &l), 0);
	wait_until(l, 1000 + PATIENCE_MS - 1);
	assert_int_equal(t.n_has_no_links, 0);
	wait_until(l, 1000 + PATIENCE_MS);
	assert_int_equal(t.n_has_no_links, 1);
	assert_int_equal(t.n_lines, 2);
	expect_line("can't open channel socket: eth3: interface: No such "
		    "device");
	links_close(l);
}

static void test_a_link_is_tried_again_until_it_works(void **state)
{
	struct links *l = open_good();

	(void)state;
	wait_until(l, 10000); /* patience is over */
	t.links[0].repair_error = -EADDRNOTAVAIL;
	t.links[0].is_open = false;
	tell_interface("eth2", 5, IFWATCH_RUNNING);
	assert_int_equal(links_set(l)->current, 1);
	t.n_lines = t.links[0].n_repairs = 0;
	wait_until(l, 11500); /* after 50, 100, 200, 400 and 800 ms */
	assert_int_equal(t.n_lines, 0);
	wait_until(l, 11600);
	assert_int_equal(t.links[0].n_repairs, 5);
	wait_until(l, 12600);
	assert_int_equal(t.n_lines, 1);
	expect_line("link eth2: a step: Cannot assign requested address: tried "
		    "again until it works");
	wait_until(l, 20000);
	assert_int_equal(t.n_lines, 1);
	t.links[0].repair_error = 0;
	wait_until(l, 21600);
	expect_line("link eth2: is usable now");
	/* the next time begins with short waits */
	wait_until(l, 30000);
	t.links[0].repair_error = -EADDRNOTAVAIL;
	t.links[0].is_open = false;
	tell_interface("eth2", 6, IFWATCH_RUNNING);
	assert_int_equal(timer_heap_next_ms(&t.loop.timers), 30050);
	links_close(l);
}

static void test_buffers_that_the_system_cuts_are_told(void **state)
{
	struct links *l = open_good();

	(void)state;
	t.links[1].opts.send_buffer_bytes = 1000;
	t.links[0].is_open = t.links[1].is_open = false;
	tell_interface("eth2", 7, IFWATCH_RUNNING);
	tell_interface("eth3", 8, IFWATCH_RUNNING);
	assert_int_equal(t.n_lines, 1);
	expect_line("link eth3: the system gives socket buffers of 1 (send) "
		    "and 2 (receive) bytes only");
	links_close(l);
}

static void test_the_last_link_that_goes_is_told(void **state)
{
	struct links *l = open_good();

	(void)state;
	tell_interface("eth2", 3, IFWATCH_NO_CARRIER);
	assert_int_equal(t.n_lines, 2);
	assert_string_equal(t.lines[0], "link eth2: has no carrier");
	assert_string_equal(t.lines[1], "device `eth3' becomes dedicated link");
	tell_interface("eth3", 0, IFWATCH_GONE);
	assert_int_equal(t.n_lines, 4);
	assert_string_equal(t.lines[2],
			    "link eth3: there is no interface of this name");
	expect_line("no dedicated links available!");
	tell_interface("eth2", 0, IFWATCH_GONE);
	assert_false(links_is_there(l));
	wait_until(l, FOREVER_MS); /* and it serves on */
	assert_int_equal(t.n_has_no_links, 0);
	links_close(l);
}

/* ---- connections -------------------------------------------------------- */

static void
test_connections_are_told_and_the_engine_of_the_current(void **state)
{
	static const struct {
		enum link_event what;
		int err;
		const char *line;
	} rows[] = {
		{ LINK_CONNECTED, 0, "link eth2: connected to 0.0.0.0" },
		{ LINK_BROKEN, 0,
		  "link eth2: the connection to 0.0.0.0 is lost: closed by the "
		  "peer" },
		{ LINK_BROKEN, -ECONNRESET,
		  "link eth2: the connection to 0.0.0.0 is lost: Connection "
		  "reset by peer" },
		{ LINK_CUT_OFF, 0,
		  "link eth2: 0.0.0.0 reads nothing: the connection is closed "
		  "until it does" },
		{ LINK_UNREACHED, -ECONNREFUSED,
		  "link eth2: connect to 0.0.0.0: Connection refused: tried "
		  "again until it works" },
	};
	struct links *l = open_good();

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		tell_event(0, rows[i].what, rows[i].err);
		expect_line(rows[i].line);
		assert_int_equal(t.engine.n_connected, 1);
	}
	tell_event(1, LINK_CONNECTED, 0);
	expect_line("link eth3: connected to 0.0.0.0");
	assert_int_equal(t.engine.n_connected, 1);
	links_close(l);
}

/* ---- start and end ------------------------------------------------------ */

static void test_what_is_wrong_for_good_ends_the_start(void **state)
{
	struct links *l = NULL;

	(void)state;
	t.links[0].index = 3;
	assert_int_equal(open_two(LINK_TCP, &l), -ENOMEM);
	assert_null(l);
	assert_int_equal(t.n_freed, 1);
	expect_line("can't open channel socket: eth3: memory: Cannot allocate "
		    "memory");
	assert_int_equal(timer_heap_next_ms(&t.loop.timers), TIMER_NEVER);
	begin_again();
	t.links[0].index = t.links[1].index = 3;
	t.links[1].repair_error = -EACCES;
	assert_int_equal(open_two(LINK_UDP, &l), -EACCES);
	assert_int_equal(t.n_freed, 2);
	begin_again();
	t.links[0].index = t.links[1].index = 3;
	t.links[1].repair_error = -EADDRNOTAVAIL;
	assert_int_equal(open_two(LINK_UDP, &l), 0);
	expect_line("link eth3: a step: Cannot assign requested address: tried "
		    "again until it works");
	links_close(l);
}

static void test_nothing_is_left_after_the_end(void **state)
{
	struct links *l = open_good();

	(void)state;
	t.engine.n_to_send = 100;
	turn_at(l, 1000);
	t.links[0].send_error = -ENOBUFS;
	t.links[1].repair_error = -EADDRNOTAVAIL;
	t.links[1].is_open = false;
	tell_interface("eth3", 9, IFWATCH_RUNNING);
	links_pump(l);
	links_close(l);
	assert_int_equal(timer_heap_next_ms(&t.loop.timers), TIMER_NEVER);
	assert_null(t.loop.deferred);
	assert_int_equal(t.n_freed, 2);
	links_close(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		T(test_nothing_is_sent_before_the_start),
		T(test_a_turn_sends_its_share_and_asks_for_another),
		T(test_a_datagram_that_was_not_taken_is_kept),
		T(test_a_full_queue_is_waited_for_longer_each_time),
		T(test_other_errors_lose_the_datagram),
		T(test_the_node_hears_and_is_followed),
		T(test_a_refused_source_has_one_line),
		T(test_after_many_refused_sources_the_log_is_left_alone),
		T(test_announcements_are_copied_to_links_not_in_use),
		T(test_a_link_that_takes_nothing_does_not_stop_copies),
		T(test_a_silent_link_is_left_and_told_and_so_is_its_return),
		T(test_while_nobody_is_heard_all_links_are_tried),
		T(test_interfaces_that_come_are_used_and_told),
		T(test_without_any_interface_it_gives_up),
		T(test_a_link_is_tried_again_until_it_works),
		T(test_buffers_that_the_system_cuts_are_told),
		T(test_the_last_link_that_goes_is_told),
		T(test_connections_are_told_and_the_engine_of_the_current),
		T(test_what_is_wrong_for_good_ends_the_start),
		T(test_nothing_is_left_after_the_end),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
