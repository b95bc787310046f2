/* SPDX-License-Identifier: ISC */
/* A node with an engine of the test's own, which shows what the node hands to
 * it; and two with the real one, between which datagrams are sealed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "sync/message.h"
#include "sync/mode.h"
#include "sync/node.h"

enum {
	ROOM = 1000,
	SPACE = 2000,
	TAG_LEN = 4, /* of the test's seal */
	HEARD_MAX = 16,
};

/* ---- an engine that notes what it is told ------------------------------- */

struct fake {
	struct engine base;
	struct engine_sink sink;
	struct flow_cache *internal;
	struct roster peers;
	/* what it was told, and with what it answers */
	uint32_t heard[HEARD_MAX];
	struct peer_addr from;
	int64_t now_ms;
	int n_heard;
	enum verdict answers[HEARD_MAX];
	size_t space, room, to_write;
	struct rd writes; /* in place of to_write bytes, if there are any */
	enum fill fill;
	struct ref touched;
	enum touch how;
	enum ask asked;
	int n_fetched;
	int n_link_changes, n_connected;
	bool is_freed;
};

static struct fake *fake_of(struct engine *e)
{
	return CONTAINER_OF(e, struct fake, base);
}

static void fake_touch(struct engine *e, struct ref entry, enum touch how)
{
	fake_of(e)->touched = entry;
	fake_of(e)->how = how;
}

static void fake_ask(struct engine *e, enum ask what)
{
	fake_of(e)->asked = what;
}

static void fake_fetched(struct engine *e, bool is_complete)
{
	fake_of(e)->n_fetched += is_complete;
}

static void fake_link_changed(struct engine *e)
{
	fake_of(e)->n_link_changes++;
}

/* Data goes to the sink, and its verdict back; all else is answered by the
 * table. */
static enum verdict fake_receive(struct engine *e, const struct peer_addr *from,
				 const struct msg *m, int64_t now_ms)
{
	struct fake *f = fake_of(e);
	int i = f->n_heard++;

	assert_in_range(i, 0, HEARD_MAX - 1);
	f->heard[i] = m->seq;
	f->from = *from;
	f->now_ms = now_ms;
	if (!msg_is_data(m))
		return f->answers[i];
	return f->sink.data(f->sink.ctx, &f->peers.peers[from->addr.b[3]], m,
			    now_ms);
}

static enum fill fake_fill(struct engine *e, struct wr *dgram, size_t room,
			   int64_t now_ms)
{
	struct fake *f = fake_of(e);

	f->space = dgram->size;
	f->room = room;
	f->now_ms = now_ms;
	wr_bytes(dgram, f->writes.at, f->writes.left);
	for (size_t i = 0; i < f->to_write; i++)
		wr_u8(dgram, (uint8_t)i);
	return f->fill;
}

static int64_t fake_due_ms(struct engine *e)
{
	(void)e;
	return 4711;
}

static void fake_stats(struct engine *e, struct engine_stats *out)
{
	(void)e;
	*out = (struct engine_stats){ .n_lost = 3, .n_outstanding = 17 };
}

static void fake_peer_stats(struct engine *e, uint8_t number,
			    struct engine_peer_stats *out)
{
	(void)e;
	*out = (struct engine_peer_stats){ .n_owed = number, .rtt_ms = 7 };
}

static bool fake_held(struct engine *e, struct engine_walk *walk,
		      struct engine_held *out)
{
	(void)e;
	*out = (struct engine_held){ .seq = walk->next++ };
	return walk->next < 3;
}

static const struct roster *fake_peers(struct engine *e)
{
	return &fake_of(e)->peers;
}

static void fake_free(struct engine *e)
{
	fake_of(e)->is_freed = true;
}

static void fake_connected(struct engine *e)
{
	fake_of(e)->n_connected++;
}

static const struct engine_ops fake_ops = {
	.touch = fake_touch,
	.ask = fake_ask,
	.fetched = fake_fetched,
	.link_changed = fake_link_changed,
	.receive = fake_receive,
	.fill = fake_fill,
	.due_ms = fake_due_ms,
	.stats = fake_stats,
	.peer_stats = fake_peer_stats,
	.held = fake_held,
	.peers = fake_peers,
	.free = fake_free,
	.connected = fake_connected,
};

/* ---- the fixture -------------------------------------------------------- */

struct fixture {
	struct fake fake;
	struct node_opts opts;
	struct node *node;
	struct node_stats stats; /* of the last look() */
	int n_work, n_fetches;
	enum engine_event event;
	const struct peer *event_of;
	/* the seal's */
	uint8_t plain[SPACE];
	int n_sealed, n_opened;
};

static struct engine *make_fake(const struct node_opts *opts,
				const struct engine_sink *sink, int64_t now_ms)
{
	struct fixture *t = opts->ctx;

	t->fake.base.ops = &fake_ops;
	t->fake.sink = *sink;
	t->fake.internal = opts->internal;
	t->fake.now_ms = now_ms;
	return &t->fake.base;
}

static struct engine *make_none(const struct node_opts *opts,
				const struct engine_sink *sink, int64_t now_ms)
{
	(void)opts;
	(void)sink;
	(void)now_ms;
	return NULL;
}

static void on_event(void *ctx, enum engine_event what, const struct peer *p)
{
	struct fixture *t = ctx;

	t->event = what;
	t->event_of = p;
}

static void on_fetch(void *ctx)
{
	struct fixture *t = ctx;

	t->n_fetches++;
}

static void on_work(void *ctx)
{
	struct fixture *t = ctx;

	t->n_work++;
}

static int set_up(void **state)
{
	const struct flow_cache_opts cache = { .first_size = 16, .limit = 600 };
	struct fixture *t = calloc(1, sizeof(*t));

	t->opts = (struct node_opts){
		.internal = flow_cache_new(&cache),
		.external = flow_cache_new(&cache),
		.wire = { .send_timeout = true },
		.resend_queue_size = 64,
		.ack_window = 4,
		.first_seq = 100,
		.node_id = 1,
		.name = { 1 },
		.ctx = t,
		.event = on_event,
		.fetch = on_fetch,
		.work = on_work,
	};
	for (uint8_t i = 0; i < 2; i++)
		t->fake.peers.peers[i] = (struct peer){ .is_used = true,
							.is_live = true,
							.number = i };
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *t = *state;

	node_free(t->node);
	flow_cache_free(t->opts.internal);
	flow_cache_free(t->opts.external);
	free(t);
	return 0;
}

static void open_node(struct fixture *t)
{
	t->node = node_new(&t->opts, make_fake, 1000);
	assert_non_null(t->node);
}

static const struct node_stats *look(struct fixture *t)
{
	node_stats(t->node, &t->stats);
	return &t->stats;
}

/* The bytes lie in a block of their size. */
static bool hear_bytes(struct fixture *t, int peer, const void *bytes,
		       size_t len)
{
	struct peer_addr from = { .family = FAMILY_IPV4, .link = 2 };
	uint8_t *exact = malloc(len + !len);
	bool is_accepted;

	from.addr.b[3] = (uint8_t)peer;
	memcpy(exact, bytes, len);
	is_accepted =
		node_receive(t->node, &from, (struct rd){ exact, len }, 5000)
			.is_accepted;
	free(exact);
	return is_accepted;
}

static struct flow flow_of(uint16_t number)
{
	struct flow f = { .family = FAMILY_IPV4, .l4proto = L4_UDP };

	f.orig.src.b[0] = 10;
	f.orig.dst.b[0] = 20;
	f.orig.sport = number;
	f.has = FLOW_PORTS | FLOW_STATUS | FLOW_TIMEOUT;
	f.timeout_s = 30;
	return f;
}

static void tell(struct fixture *t, int peer, enum msg_type type,
		 uint16_t number)
{
	uint8_t bytes[512];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	struct flow f = flow_of(number);
	size_t at = wire_begin(&w, type, 0, number);

	wire_flow_encode(&w, &t->opts.wire, &f);
	assert_true(wire_end(&w, at));
	(void)hear_bytes(t, peer, bytes, w.used);
}

static uint32_t n_external(const struct fixture *t)
{
	return flow_cache_stats(t->opts.external)->n_active;
}

/* ---- datagrams in ------------------------------------------------------- */

/* An ALIVE each. */
#define ALIVE(version, seq) \
	(version) << 4 | MSG_CTL, MSG_ALIVE, 0, 8, 0, 0, 0, seq

static void test_every_message_of_a_datagram_is_handed_on(void **state)
{
	static const uint8_t bytes[] = {
		ALIVE(1, 7),
		ALIVE(2, 8), /* another version: skipped */
		ALIVE(1, 9),
		ALIVE(1, 10),
		1 << 4 | MSG_CTL,
		MSG_ALIVE,
		0,
		99,
		0,
		0,
		0,
		11, /* too long */
	};
	static const uint64_t expected[VERDICT_N] = {
		[VERDICT_BEFORE] = 1,   [VERDICT_IGNORED] = 1,
		[VERDICT_OK] = 1,       [VERDICT_BAD_VERSION] = 1,
		[VERDICT_BAD_SIZE] = 1,
	};
	struct fixture *t = *state;

	open_node(t);
	t->fake.answers[0] = VERDICT_BEFORE;
	t->fake.answers[1] = VERDICT_OK;
	t->fake.answers[2] = VERDICT_IGNORED;
	assert_true(hear_bytes(t, 1, bytes, sizeof(bytes)));
	assert_int_equal(t->fake.n_heard, 3);
	assert_int_equal(t->fake.heard[0], 7);
	assert_int_equal(t->fake.heard[1], 9);
	assert_int_equal(t->fake.heard[2], 10);
	assert_int_equal(t->fake.from.addr.b[3], 1);
	assert_int_equal(t->fake.from.link, 2);
	assert_int_equal(t->fake.now_ms, 5000);
	assert_memory_equal(look(t)->n_verdicts, expected, sizeof(expected));
}

static void test_a_way_is_good_if_a_message_was_accepted(void **state)
{
	static const uint8_t bytes[] = { ALIVE(1, 7), ALIVE(1, 8) };
	static const struct {
		size_t len;
		enum verdict answers[2];
		bool is_good;
	} rows[] = {
		{ 16, { VERDICT_OK, VERDICT_OK }, true },
		{ 16, { VERDICT_OK, VERDICT_BEFORE }, true },
		{ 16, { VERDICT_FOREIGN, VERDICT_OK }, true },
		{ 16, { VERDICT_BAD_HEADER, VERDICT_BEFORE }, false },
		{ 16, { VERDICT_NO_ROOM, VERDICT_IGNORED }, false },
		{ 15, { VERDICT_OK }, true },
		{ 15, { VERDICT_BEFORE }, false },
		{ 7, { VERDICT_OK }, false },
		{ 0, { VERDICT_OK }, false },
	};
	struct fixture *t = *state;

	open_node(t);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		t->fake.n_heard = 0;
		memcpy(t->fake.answers, rows[i].answers,
		       sizeof(rows[i].answers));
		assert_int_equal(hear_bytes(t, 0, bytes, rows[i].len),
				 rows[i].is_good);
	}
}

/* ---- the external side -------------------------------------------------- */

static void test_what_peers_tell_is_in_the_external_cache(void **state)
{
	struct fixture *t = *state;

	open_node(t);
	tell(t, 0, MSG_CT_NEW, 1);
	tell(t, 0, MSG_CT_NEW, 2);
	tell(t, 1, MSG_CT_DEL, 1); /* 0's, who lives */
	assert_int_equal(n_external(t), 2);
	assert_int_equal(look(t)->n_not_owner, 1);
	tell(t, 0, MSG_CT_DEL, 1);
	assert_int_equal(n_external(t), 1);
	t->fake.peers.peers[0].is_live = false;
	tell(t, 1, MSG_CT_DEL, 2);
	assert_int_equal(n_external(t), 0);
	assert_int_equal(look(t)->n_verdicts[VERDICT_OK], 5);
}

static void test_a_sweep_asks_for_work_and_is_done_by_it(void **state)
{
	struct fixture *t = *state;
	struct peer *p = t->fake.peers.peers;

	open_node(t);
	tell(t, 0, MSG_CT_NEW, 1);
	tell(t, 1, MSG_CT_NEW, 2);
	p[0].generation++;
	t->n_work = 0;
	t->fake.sink.sweep(t->fake.sink.ctx, &p[0]);
	assert_int_equal(t->n_work, 1);
	assert_int_equal(n_external(t), 2);
	while (node_work(t->node))
		;
	assert_int_equal(n_external(t), 1);
	assert_int_equal(look(t)->n_swept, 1);
}

/* Told at 5 s; another one is told again while it waits. */
static void test_what_has_expired_asks_for_work_and_is_done_by_it(void **state)
{
	struct fixture *t = *state;

	t->opts.cache_timeout_s = 30;
	open_node(t);
	tell(t, 0, MSG_CT_NEW, 1);
	t->n_work = 0;
	node_second(t->node, 35999);
	assert_int_equal(t->n_work, 0);
	node_second(t->node, 36000);
	assert_int_equal(t->n_work, 1);
	assert_int_equal(n_external(t), 1);
	assert_false(node_work(t->node));
	assert_int_equal(n_external(t), 0);
	assert_int_equal(look(t)->n_expired, 1);
}

static void test_without_a_timeout_nothing_expires(void **state)
{
	struct fixture *t = *state;

	open_node(t);
	tell(t, 0, MSG_CT_NEW, 1);
	t->n_work = 0;
	node_second(t->node, INT64_C(4000000000));
	assert_int_equal(t->n_work, 0);
	assert_false(node_work(t->node));
	assert_int_equal(n_external(t), 1);
}

static void test_a_merge_asks_for_work_and_is_done_by_it(void **state)
{
	struct fixture *t = *state;
	struct peer *p = t->fake.peers.peers;

	open_node(t);
	tell(t, 1, MSG_CT_NEW, 2);
	t->n_work = 0;
	t->fake.sink.merge(t->fake.sink.ctx, 1, p[1].generation, &p[0]);
	assert_int_equal(t->n_work, 1);
	while (node_work(t->node))
		;
	tell(t, 1, MSG_CT_DEL, 2); /* it is not 1's any more */
	assert_int_equal(n_external(t), 1);
	tell(t, 0, MSG_CT_DEL, 2);
	assert_int_equal(n_external(t), 0);
}

static void test_the_engine_hears_of_a_full_cache(void **state)
{
	struct fixture *t = *state;

	open_node(t);
	assert_true(t->fake.sink.has_room(t->fake.sink.ctx));
	for (uint16_t i = 0; i < 1000; i++) {
		tell(t, 0, MSG_CT_NEW, i);
		t->fake.n_heard = 0;
	}
	assert_false(t->fake.sink.has_room(t->fake.sink.ctx));
	assert_int_equal(look(t)->n_verdicts[VERDICT_NO_ROOM],
			 1000 - n_external(t));
	assert_true(look(t)->n_verdicts[VERDICT_NO_ROOM] > 0);
}

static void test_every_datagram_may_make_work(void **state)
{
	static const uint8_t bytes[] = { ALIVE(1, 7), ALIVE(1, 8) };
	struct fixture *t = *state;

	open_node(t);
	(void)hear_bytes(t, 0, bytes, sizeof(bytes));
	assert_int_equal(t->n_work, 1);
}

static void test_events_are_passed_on(void **state)
{
	struct fixture *t = *state;

	open_node(t);
	t->fake.sink.event(t->fake.sink.ctx, ENGINE_PEER_DEAF,
			   &t->fake.peers.peers[1]);
	assert_int_equal(t->event, ENGINE_PEER_DEAF);
	assert_ptr_equal(t->event_of, &t->fake.peers.peers[1]);
}

static void test_nobody_has_to_listen(void **state)
{
	static const uint8_t bytes[] = { ALIVE(1, 7) };
	struct fixture *t = *state;

	t->opts.event = NULL;
	t->opts.work = NULL;
	open_node(t);
	t->fake.sink.event(t->fake.sink.ctx, ENGINE_BULK_SENT, NULL);
	t->fake.sink.sweep(t->fake.sink.ctx, &t->fake.peers.peers[0]);
	assert_true(hear_bytes(t, 0, bytes, sizeof(bytes)));
}

/* ---- requests ----------------------------------------------------------- */

static void test_requests_and_questions_reach_the_engine(void **state)
{
	struct fixture *t = *state;
	struct engine_walk walk = { 0 };
	struct engine_held held;

	open_node(t);
	assert_int_equal(t->fake.now_ms, 1000);
	assert_ptr_equal(t->fake.internal, t->opts.internal);
	node_touch(t->node, (struct ref){ OBJECT_FLOW, 5 }, TOUCH_UNTOLD);
	assert_int_equal(t->fake.touched.id, 5);
	assert_int_equal(t->fake.how, TOUCH_UNTOLD);
	node_ask(t->node, ASK_RESYNC);
	assert_int_equal(t->fake.asked, ASK_RESYNC);
	node_link_changed(t->node);
	assert_int_equal(t->fake.n_link_changes, 1);
	t->fake.sink.fetch(t->fake.sink.ctx);
	assert_int_equal(t->n_fetches, 1);
	node_fetched(t->node, false);
	node_fetched(t->node, true);
	assert_int_equal(t->fake.n_fetched, 1);
	node_connected(t->node);
	assert_int_equal(t->fake.n_connected, 1);
	assert_int_equal(node_due_ms(t->node), 4711);
	assert_true(node_held(t->node, &walk, &held));
	assert_true(node_held(t->node, &walk, &held));
	assert_int_equal(held.seq, 1);
	assert_false(node_held(t->node, &walk, &held));
	assert_ptr_equal(node_peers(t->node), &t->fake.peers);
	assert_int_equal(look(t)->engine.n_outstanding, 17);
	node_free(t->node);
	t->node = NULL;
	assert_true(t->fake.is_freed);
}

/* ---- datagrams out, and the seal ---------------------------------------- */

/* Bytes are turned over, and a tag is behind them. */
static const uint8_t tag[TAG_LEN] = { 's', 'e', 'a', 'l' };

static void seal(void *ctx, struct wr *dgram)
{
	struct fixture *t = ctx;

	for (size_t i = 0; i < dgram->used; i++)
		dgram->buf[i] ^= 0xff;
	wr_bytes(dgram, tag, sizeof(tag));
	t->n_sealed++;
}

static bool unseal(void *ctx, const struct peer_addr *from, struct rd *dgram)
{
	struct fixture *t = ctx;
	size_t len = dgram->left - TAG_LEN;

	assert_int_equal(from->link, 2);
	if (dgram->left < TAG_LEN || dgram->left > SPACE ||
	    memcmp(dgram->at + len, tag, TAG_LEN) != 0)
		return false;
	for (size_t i = 0; i < len; i++)
		t->plain[i] = (uint8_t)(dgram->at[i] ^ 0xff);
	*dgram = (struct rd){ t->plain, len };
	t->n_opened++;
	return true;
}

static void use_seal(struct fixture *t)
{
	t->opts.seal = (struct node_seal){ .ctx = t,
					   .open = unseal,
					   .seal = seal,
					   .reserved_bytes = TAG_LEN };
}

static void test_a_datagram_is_the_engines_as_it_is(void **state)
{
	struct fixture *t = *state;
	uint8_t bytes[SPACE];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };

	open_node(t);
	t->fake.to_write = 3;
	t->fake.fill = FILL_FULL;
	assert_int_equal(node_fill(t->node, &w, ROOM, 2000), FILL_FULL);
	assert_int_equal(t->fake.room, ROOM);
	assert_int_equal(t->fake.space, SPACE);
	assert_int_equal(t->fake.now_ms, 2000);
	assert_int_equal(w.used, 3);
	assert_memory_equal(bytes, ((uint8_t[]){ 0, 1, 2 }), 3);
}

static void test_what_is_sent_is_sealed_in_the_room_there_is(void **state)
{
	static const struct {
		size_t room, space, to_write;
		size_t engine_room, engine_space, used;
	} rows[] = {
		{ ROOM, SPACE, ROOM - 4, ROOM - 4, SPACE - 4, ROOM },
		/* one message that is larger than the room */
		{ ROOM, SPACE, SPACE - 4, ROOM - 4, SPACE - 4, SPACE },
		{ 3, SPACE, 1, 0, SPACE - 4, 5 },
	};
	struct fixture *t = *state;

	use_seal(t);
	open_node(t);
	t->fake.fill = FILL_SOME;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		uint8_t *bytes = malloc(rows[i].space);
		struct wr w = { .buf = bytes, .size = rows[i].space };

		t->fake.to_write = rows[i].to_write;
		assert_int_equal(node_fill(t->node, &w, rows[i].room, 0),
				 FILL_SOME);
		assert_int_equal(t->fake.room, rows[i].engine_room);
		assert_int_equal(t->fake.space, rows[i].engine_space);
		assert_false(w.full);
		assert_int_equal(w.used, rows[i].used);
		assert_int_equal(w.size, rows[i].space);
		assert_memory_equal(bytes + w.used - TAG_LEN, tag, TAG_LEN);
		free(bytes);
	}
	assert_int_equal(t->n_sealed, N_ELEMENTS(rows));
}

static void test_nothing_is_not_sealed(void **state)
{
	struct fixture *t = *state;
	uint8_t bytes[SPACE];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };

	use_seal(t);
	open_node(t);
	t->fake.fill = FILL_WAIT;
	assert_int_equal(node_fill(t->node, &w, ROOM, 0), FILL_WAIT);
	assert_int_equal(w.used, 0);
	assert_int_equal(t->n_sealed, 0);
}

static void test_what_cannot_be_opened_is_not_read(void **state)
{
	static const uint8_t plain[] = { ALIVE(1, 7) };
	uint8_t sealed[sizeof(plain) + TAG_LEN];
	struct fixture *t = *state;

	use_seal(t);
	open_node(t);
	assert_false(hear_bytes(t, 0, plain, sizeof(plain)));
	assert_false(hear_bytes(t, 0, plain, 3));
	assert_int_equal(t->fake.n_heard, 0);
	assert_int_equal(look(t)->n_unopened, 2);
	assert_int_equal(t->n_work, 0);
	for (size_t i = 0; i < sizeof(plain); i++)
		sealed[i] = plain[i] ^ 0xff;
	memcpy(sealed + sizeof(plain), tag, TAG_LEN);
	assert_true(hear_bytes(t, 0, sealed, sizeof(sealed)));
	assert_int_equal(t->fake.n_heard, 1);
	assert_int_equal(t->fake.heard[0], 7);
	assert_int_equal(look(t)->n_unopened, 2);
}

/* ---- copies of announcements -------------------------------------------- */

enum { PEER_NODE = 5 };

/* A datagram with an answer, and an announcement behind it. */
static void write_announcement(struct wr *w, uint32_t seq)
{
	const uint8_t name[EXT_NAME_SIZE] = { 5 };
	size_t at = message_alive(
		w, seq, 0, &(struct message_self){ PEER_NODE, EXT_CAP_COPIES },
		1);

	message_add_range(w, EXT_ACK, 9, (struct seq_run){ 1, 2 });
	assert_true(wire_end(w, at));
	at = message_alive(w, seq + 1, 0,
			   &(struct message_self){ PEER_NODE, EXT_CAP_COPIES },
			   1);
	message_add_name(w, name);
	assert_true(wire_end(w, at));
}

/* Only this peer is live. */
static struct peer *one_peer(struct fixture *t, uint16_t capabilities)
{
	struct peer *p = &t->fake.peers.peers[1];

	t->fake.peers.n_places = 2;
	t->fake.peers.peers[0].is_live = false;
	p->node = PEER_NODE;
	p->capabilities = capabilities;
	return p;
}

static void test_an_announcement_is_copied_for_other_links(void **state)
{
	struct fixture *t = *state;
	uint8_t sent[SPACE], dgram[SPACE], copy[SPACE];
	struct wr s = { .buf = sent, .size = sizeof(sent) };
	struct wr w = { .buf = dgram, .size = sizeof(dgram) };
	struct wr c = { .buf = copy, .size = sizeof(copy) };
	struct ext_alive ext;
	enum verdict why;
	struct msg m;
	struct rd r;

	open_node(t);
	one_peer(t, EXT_CAP_COPIES);
	assert_false(node_copy(t->node, &c));
	write_announcement(&s, 30);
	t->fake.writes = (struct rd){ sent, s.used };
	assert_int_equal(node_fill(t->node, &w, ROOM, 0), FILL_SOME);
	assert_true(node_announces(t->node));
	assert_memory_equal(dgram, sent, s.used);
	assert_true(node_copy(t->node, &c));
	r = (struct rd){ copy, c.used };
	assert_int_equal(wire_next(&r, &m, &why), WIRE_MSG);
	assert_int_equal(m.seq, 31);
	assert_true(ext_open(m.body, &ext));
	assert_true(ext.is_copy);
	assert_int_equal(ext.node, PEER_NODE);
	assert_int_equal(r.left, 0);
	/* a datagram without one later it is still the last */
	t->fake.writes.left = 0;
	w.used = 0;
	assert_int_equal(node_fill(t->node, &w, ROOM, 0), FILL_SOME);
	assert_false(node_announces(t->node));
	c.used = 0;
	assert_true(node_copy(t->node, &c));
	one_peer(t, 0);
	c.used = 0;
	assert_false(node_copy(t->node, &c));
	assert_int_equal(c.used, 0);
}

static void test_a_copy_is_sealed(void **state)
{
	struct fixture *t = *state;
	uint8_t dgram[SPACE];
	struct wr w = { .buf = dgram, .size = sizeof(dgram) };
	uint8_t sent[SPACE];
	struct wr s = { .buf = sent, .size = sizeof(sent) };

	use_seal(t);
	open_node(t);
	one_peer(t, EXT_CAP_COPIES);
	write_announcement(&s, 30);
	t->fake.writes = (struct rd){ sent, s.used };
	assert_int_equal(node_fill(t->node, &w, ROOM, 0), FILL_SOME);
	w.used = 0;
	assert_true(node_copy(t->node, &w));
	assert_memory_equal(dgram + w.used - TAG_LEN, tag, TAG_LEN);
}

static struct node_heard hear_copy(struct fixture *t, uint64_t node,
				   int64_t now_ms)
{
	const struct peer_addr from = { .family = FAMILY_IPV4, .link = 1 };
	uint8_t whole[SPACE], copy[SPACE];
	struct wr w = { .buf = whole, .size = sizeof(whole) };
	struct wr c = { .buf = copy, .size = sizeof(copy) };
	size_t at = message_alive(
		&w, 40, 0, &(struct message_self){ node, EXT_CAP_COPIES }, 1);

	assert_true(wire_end(&w, at));
	wr_bytes(&c, whole, WIRE_HEADER_LEN);
	ext_copy(&c, (struct rd){ whole + WIRE_HEADER_LEN,
				  w.used - WIRE_HEADER_LEN });
	return node_receive(t->node, &from, (struct rd){ copy, c.used },
			    now_ms);
}

static void test_a_copy_shows_a_link_and_is_no_message(void **state)
{
	struct fixture *t = *state;
	struct node_heard heard;
	struct peer *p;

	open_node(t);
	p = one_peer(t, EXT_CAP_COPIES);
	p->announced_ms = 5000;
	heard = hear_copy(t, PEER_NODE, 5001);
	assert_true(heard.is_copy);
	assert_false(heard.is_accepted);
	assert_false(heard.is_missed);
	/* of nobody, or of one that is silent */
	assert_false(hear_copy(t, 77, 5001).is_copy);
	p->is_live = false;
	assert_false(hear_copy(t, PEER_NODE, 5001).is_copy);
	assert_int_equal(t->fake.n_heard, 0);
	for (int i = 0; i < VERDICT_N; i++)
		assert_int_equal(look(t)->n_verdicts[i], 0);
}

/* When copies come every second and an announcement at these times, when the
 * announcements are missed. */
static void test_announcements_are_missed_when_only_copies_come(void **state)
{
	static const struct {
		bool is_first;                  /* the copy is read first */
		const char *announced, *missed; /* a letter a second */
	} rows[] = {
		{ false, "xxxxxxxx", "        " },
		{ true, "xxxxxxxx", "        " },
		{ false, "x       ", "   xxxxx" },
		{ true, "x       ", "   xxxxx" },
		{ false, "x  x  x ", "        " }, /* lost ones */
		{ false, "x   xx  ", "   x    " },
		{ true, "        x", "  xxxxxxx" },
	};
	struct fixture *t = *state;
	struct peer *p;

	open_node(t);
	p = one_peer(t, EXT_CAP_COPIES);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		for (int k = 0; rows[i].announced[k]; k++) {
			int64_t ms = 100000 * (int64_t)(i + 1) + 1000 * k;
			bool is_said = rows[i].announced[k] == 'x';

			if (k == 0)
				p->announced_ms = ms - 1000;
			if (is_said && !rows[i].is_first)
				p->announced_ms = ms;
			assert_int_equal(hear_copy(t, PEER_NODE, ms).is_missed,
					 rows[i].missed[k] == 'x');
			if (is_said && rows[i].is_first)
				p->announced_ms = ms;
		}
}

/* ---- with the real engine ----------------------------------------------- */

static void carry(struct fixture *from, struct fixture *to, int64_t now_ms)
{
	struct peer_addr place = { .family = FAMILY_IPV4, .link = 2 };
	enum fill done = FILL_FULL;

	place.addr.b[3] = (uint8_t)from->opts.node_id;
	while (done == FILL_FULL) {
		uint8_t bytes[SPACE];
		struct wr w = { .buf = bytes, .size = sizeof(bytes) };

		done = node_fill(from->node, &w, ROOM, now_ms);
		assert_in_range(w.used, 0, ROOM);
		if (w.used)
			(void)node_receive(to->node, &place,
					   (struct rd){ bytes, w.used },
					   now_ms);
	}
}

static void test_sealed_nodes_understand_each_other(void **state)
{
	enum { N = 100 };
	struct fixture *a = *state, *b;
	void *other;

	assert_int_equal(set_up(&other), 0);
	b = other;
	b->opts.node_id = 2;
	b->opts.name[0] = 2;
	use_seal(a);
	use_seal(b);
	a->node = node_new(&a->opts, mode_ftfw, 1000);
	b->node = node_new(&b->opts, mode_ftfw, 1000);
	for (uint16_t i = 0; i < N; i++) {
		struct flow f = flow_of(i);
		struct ref ref = { OBJECT_FLOW, 0 };

		flow_cache_put(a->opts.internal, &f, PUT_REPLACE, 1, &ref.id);
		node_touch(a->node, ref, TOUCH_SEND);
	}
	for (int64_t now_ms = 1000; now_ms < 4000; now_ms += 50) {
		carry(a, b, now_ms);
		carry(b, a, now_ms);
	}
	assert_int_equal(n_external(b), N);
	assert_int_equal(look(a)->engine.n_outstanding, 0);
	assert_int_equal(a->stats.engine.n_peers_live, 1);
	assert_int_equal(a->n_sealed, b->n_opened);
	assert_int_equal(b->n_sealed, a->n_opened);
	/* somebody without a seal is nobody */
	b->opts.seal = (struct node_seal){ 0 };
	node_free(b->node);
	b->opts.node_id = 3;
	b->node = node_new(&b->opts, mode_ftfw, 4000);
	carry(b, a, 4000);
	assert_int_equal(look(a)->n_unopened, 1);
	assert_int_equal(tear_down(&other), 0);
}

static void test_without_memory_there_is_no_node(void **state)
{
	struct fixture *t = *state;
	size_t n = 0;

	for (;; n++) {
		alloc_fail_after(n);
		t->node = node_new(&t->opts, mode_ftfw, 1000);
		if (!alloc_fail_off())
			break;
		assert_null(t->node);
	}
	assert_non_null(t->node);
	assert_true(n >= 3); /* its own, the engine's, what that one holds */
	assert_null(node_new(&t->opts, make_none, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		T(test_every_message_of_a_datagram_is_handed_on),
		T(test_a_way_is_good_if_a_message_was_accepted),
		T(test_what_peers_tell_is_in_the_external_cache),
		T(test_a_sweep_asks_for_work_and_is_done_by_it),
		T(test_a_merge_asks_for_work_and_is_done_by_it),
		T(test_what_has_expired_asks_for_work_and_is_done_by_it),
		T(test_without_a_timeout_nothing_expires),
		T(test_the_engine_hears_of_a_full_cache),
		T(test_every_datagram_may_make_work),
		T(test_events_are_passed_on),
		T(test_nobody_has_to_listen),
		T(test_requests_and_questions_reach_the_engine),
		T(test_a_datagram_is_the_engines_as_it_is),
		T(test_what_is_sent_is_sealed_in_the_room_there_is),
		T(test_nothing_is_not_sealed),
		T(test_what_cannot_be_opened_is_not_read),
		T(test_an_announcement_is_copied_for_other_links),
		T(test_a_copy_is_sealed),
		T(test_a_copy_shows_a_link_and_is_no_message),
		T(test_announcements_are_missed_when_only_copies_come),
		T(test_sealed_nodes_understand_each_other),
		T(test_without_memory_there_is_no_node),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
