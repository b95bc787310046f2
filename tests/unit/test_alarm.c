/* SPDX-License-Identifier: ISC */
/* The ALARM engine alone, hour by hour: what it says, when, and what it makes
 * of what it hears. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "sync/alarm.h"
#include "sync/ext.h"

enum {
	ROOM = 1472,
	REFRESH_S = 5,
	CACHE_TIMEOUT_S = 30,
	SAID_MAX = 64,
	OURS = 0x55,
};

struct said {
	int64_t at_ms;
	uint8_t type;
	uint16_t number; /* of the flow */
	uint32_t timeout_s;
};

struct fixture {
	struct flow_cache *cache;
	struct engine *e;
	int64_t now_ms;
	/* what it has said, without announcements */
	struct said said[SAID_MAX];
	int n_said, n_announced, n_datagrams;
	uint32_t next_seq;
	/* what its sink has heard */
	uint8_t heard; /* type of the last message */
	const struct peer *from;
	int n_heard;
	int events[ENGINE_EVENT_N];
};

static enum verdict on_data(void *ctx, const struct peer *from,
			    const struct msg *m, int64_t now_ms)
{
	struct fixture *t = ctx;

	(void)now_ms;
	t->heard = m->type;
	t->from = from;
	t->n_heard++;
	return VERDICT_OK;
}

static void on_event(void *ctx, enum engine_event what, const struct peer *p)
{
	struct fixture *t = ctx;

	(void)p;
	t->events[what]++;
}

static struct alarm_opts opts_of(struct fixture *t)
{
	return (struct alarm_opts){
		.cache = t->cache,
		.wire = { .send_timeout = true },
		.sink = { .ctx = t, .data = on_data, .event = on_event },
		.refresh_s = REFRESH_S,
		.cache_timeout_s = CACHE_TIMEOUT_S,
		.first_seq = UINT32_MAX - 5,
		.node = OURS,
		.name = { 1 },
	};
}

static int set_up(void **state)
{
	const struct flow_cache_opts o = { .first_size = 16, .limit = 5000 };
	struct fixture *t = calloc(1, sizeof(*t));
	struct alarm_opts opts;

	t->cache = flow_cache_new(&o);
	t->now_ms = 100000;
	opts = opts_of(t);
	t->next_seq = opts.first_seq;
	t->e = alarm_new(&opts, t->now_ms);
	*state = t;
	return t->e ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *t = *state;

	t->e->ops->free(t->e);
	flow_cache_free(t->cache);
	free(t);
	return 0;
}

/* ---- its own flows ------------------------------------------------------ */

static struct flow flow_of(uint16_t number)
{
	struct flow f = { .family = FAMILY_IPV4, .l4proto = L4_UDP };

	f.orig.src.b[0] = 10;
	f.orig.dst.b[0] = 20;
	f.orig.sport = number;
	f.has = FLOW_PORTS | FLOW_STATUS | FLOW_TIMEOUT | FLOW_MARK;
	f.timeout_s = 120;
	return f;
}

static uint32_t put(struct fixture *t, uint16_t number, uint32_t mark,
		    enum put_mode mode, enum touch how)
{
	struct flow f = flow_of(number);
	struct ref ref = { OBJECT_FLOW, FLOW_CACHE_NO_ID };

	f.mark = mark;
	assert_true(flow_cache_put(t->cache, &f, mode, 0, &ref.id) <= PUT_SAME);
	t->e->ops->touch(t->e, ref, how);
	return ref.id;
}

static void kill_flow(struct fixture *t, uint16_t number)
{
	struct flow f = flow_of(number);

	flow_cache_kill(t->cache, flow_cache_find(t->cache, &f));
}

/* ---- what it says ------------------------------------------------------- */

static void note(struct fixture *t, const struct msg *m)
{
	const struct wire_flow_opts wire = { 0 };
	struct wire_flow_stats stats = { 0 };
	struct said *s = &t->said[t->n_said];
	struct ext_alive ext;
	struct flow f;

	assert_int_equal(m->seq, t->next_seq++);
	if (m->type == MSG_CTL) {
		assert_int_equal(m->flags, MSG_ALIVE);
		assert_true(ext_open(m->body, &ext));
		assert_int_equal(ext.node, OURS);
		t->n_announced++;
		return;
	}
	assert_int_equal(m->flags, 0);
	assert_int_equal(wire_flow_decode(m->body, &wire, &f, &stats),
			 VERDICT_OK);
	assert_in_range(t->n_said, 0, SAID_MAX - 1);
	t->n_said++;
	*s = (struct said){ t->now_ms, m->type, f.orig.sport, f.timeout_s };
}

/* All that it has to say now. */
static void listen(struct fixture *t)
{
	enum fill done = FILL_FULL;

	while (done == FILL_FULL) {
		uint8_t bytes[2 * ROOM];
		struct wr w = { .buf = bytes, .size = sizeof(bytes) };
		struct rd dgram;
		enum verdict why;
		struct msg m;

		done = t->e->ops->fill(t->e, &w, ROOM, t->now_ms);
		assert_true(w.used <= ROOM);
		assert_true(done == FILL_IDLE ? !w.used : w.used);
		t->n_datagrams += w.used != 0;
		dgram = (struct rd){ bytes, w.used };
		while (dgram.left) {
			assert_int_equal(wire_next(&dgram, &m, &why), WIRE_MSG);
			note(t, &m);
		}
	}
	assert_true(t->e->ops->due_ms(t->e) > t->now_ms);
}

/* Time passes as a loop lets it: from one due time to the next. */
static void run(struct fixture *t, int64_t ms)
{
	int64_t end_ms = t->now_ms + ms;

	listen(t);
	while (t->e->ops->due_ms(t->e) <= end_ms) {
		t->now_ms = t->e->ops->due_ms(t->e);
		listen(t);
	}
	t->now_ms = end_ms;
}

static void assert_said(struct fixture *t, int i, enum msg_type type,
			uint16_t number)
{
	assert_true(i < t->n_said);
	assert_int_equal(t->said[i].type, type);
	assert_int_equal(t->said[i].number, number);
}

static void test_what_happens_is_told_at_once(void **state)
{
	struct fixture *t = *state;

	put(t, 1, 0, PUT_REPLACE, TOUCH_SEND);
	listen(t);
	put(t, 1, 7, PUT_TOLD, TOUCH_SEND);
	listen(t);
	kill_flow(t, 1);
	listen(t);
	assert_int_equal(t->n_said, 3);
	assert_said(t, 0, MSG_CT_NEW, 1);
	assert_said(t, 1, MSG_CT_UPD, 1);
	assert_said(t, 2, MSG_CT_DEL, 1);
	assert_int_equal(t->n_datagrams, 3);
	assert_int_equal(flow_cache_stats(t->cache)->n_entries, 0);
	run(t, 60000);
	assert_int_equal(t->n_said, 3);
}

static void test_ten_changes_in_a_turn_are_one_message(void **state)
{
	struct fixture *t = *state;

	for (uint32_t mark = 0; mark < 10; mark++)
		put(t, 1, mark, PUT_TOLD, TOUCH_SEND);
	put(t, 2, 0, PUT_REPLACE, TOUCH_SEND);
	listen(t);
	assert_int_equal(t->n_datagrams, 1);
	assert_int_equal(t->n_said, 2);
	assert_said(t, 0, MSG_CT_NEW, 1); /* nobody knows it yet */
	assert_said(t, 1, MSG_CT_NEW, 2);
}

/* PROTOCOL.md 3.4: what has never changed is repeated as NEW, with the timeout
 * that is cached. */
static void test_it_is_told_again_and_again(void **state)
{
	struct fixture *t = *state;
	int64_t shortest_ms = INT64_MAX, longest_ms = 0;

	put(t, 1, 0, PUT_REPLACE, TOUCH_SEND);
	run(t, 60000);
	assert_in_range(t->n_said, 60 / 6, 60 * 10 / 12 + 1);
	for (int i = 0; i + 1 < t->n_said; i++) {
		int64_t ms = t->said[i + 1].at_ms - t->said[i].at_ms;

		assert_said(t, i, MSG_CT_NEW, 1);
		assert_int_equal(t->said[i].timeout_s, 120);
		if (ms < shortest_ms)
			shortest_ms = ms;
		if (ms > longest_ms)
			longest_ms = ms;
	}
	assert_in_range(shortest_ms, 1180, 2500);
	assert_in_range(longest_ms, 3500, 6000);
}

static void test_what_has_changed_is_told_again_as_an_update(void **state)
{
	struct fixture *t = *state;

	put(t, 1, 0, PUT_REPLACE, TOUCH_SEND);
	listen(t);
	put(t, 1, 7, PUT_TOLD, TOUCH_SEND);
	run(t, 30000);
	assert_said(t, 0, MSG_CT_NEW, 1);
	for (int i = 1; i < t->n_said; i++)
		assert_said(t, i, MSG_CT_UPD, 1);
	assert_true(t->n_said > 5);
}

/* A busy flow needs no refresh. */
static void test_a_change_puts_the_refresh_off(void **state)
{
	struct fixture *t = *state;

	for (uint32_t mark = 1; mark <= 50; mark++) {
		put(t, 1, mark, PUT_TOLD, TOUCH_SEND);
		run(t, 1000);
	}
	assert_int_equal(t->n_said, 50);
}

/* As at the start, and after a commit: the peers hear of it soon. */
static void test_what_is_not_told_for_its_own_sake_is_refreshed(void **state)
{
	struct fixture *t = *state;

	put(t, 1, 0, PUT_TOLD, TOUCH_QUIET);
	run(t, 1000);
	assert_int_equal(t->n_said, 0);
	run(t, 5000);
	assert_in_range(t->n_said, 1, 5);
	assert_said(t, 0, MSG_CT_NEW, 1);
}

static void test_a_quiet_change_does_not_put_the_refresh_off(void **state)
{
	struct fixture *t = *state;

	for (uint32_t mark = 1; mark <= 60; mark++) {
		put(t, 1, mark, PUT_TOLD, TOUCH_QUIET);
		run(t, 100);
	}
	assert_in_range(t->n_said, 1, 5);
}

static void test_the_untold_is_told_once(void **state)
{
	struct fixture *t = *state;

	put(t, 1, 0, PUT_TOLD, TOUCH_QUIET);
	put(t, 1, 0, PUT_TOLD, TOUCH_UNTOLD);
	put(t, 1, 0, PUT_TOLD, TOUCH_UNTOLD);
	listen(t);
	assert_int_equal(t->n_said, 1);
	put(t, 1, 0, PUT_TOLD, TOUCH_UNTOLD);
	listen(t);
	assert_int_equal(t->n_said, 1);
}

/* Its end and the next begin meet in the queue: the begin says all. */
static void test_a_next_life_is_told_as_new(void **state)
{
	struct fixture *t = *state;

	put(t, 1, 0, PUT_REPLACE, TOUCH_SEND);
	put(t, 1, 1, PUT_TOLD, TOUCH_SEND);
	listen(t);
	put(t, 1, 2, PUT_REPLACE, TOUCH_QUIET); /* told nevertheless */
	listen(t);
	kill_flow(t, 1);
	put(t, 1, 3, PUT_TOLD, TOUCH_QUIET);
	put(t, 1, 4, PUT_TOLD, TOUCH_SEND);
	listen(t);
	assert_int_equal(t->n_said, 3);
	for (int i = 0; i < 3; i++)
		assert_said(t, i, MSG_CT_NEW, 1);
}

static void test_what_is_flushed_is_not_told_any_more(void **state)
{
	struct fixture *t = *state;

	flow_cache_remove(t->cache, put(t, 1, 0, PUT_REPLACE, TOUCH_SEND));
	put(t, 2, 0, PUT_REPLACE, TOUCH_SEND);
	listen(t);
	assert_int_equal(t->n_said, 1);
	flow_cache_remove(t->cache, put(t, 2, 0, PUT_TOLD, TOUCH_UNTOLD));
	run(t, 20000);
	assert_int_equal(t->n_said, 1);
}

/* Without flows, and whatever is asked for. */
static void test_it_says_no_more_than_who_it_is_once_a_second(void **state)
{
	struct fixture *t = *state;

	run(t, 10000);
	assert_in_range(t->n_announced, 10, 11);
	t->e->ops->ask(t->e, ASK_BULK);
	t->e->ops->ask(t->e, ASK_RESYNC);
	run(t, 10000);
	assert_in_range(t->n_announced, 20, 21);
	assert_int_equal(t->n_said, 0);
	assert_int_equal(t->n_datagrams, t->n_announced);
}

static void test_from_another_place_it_says_first_who_it_is(void **state)
{
	struct fixture *t = *state;

	run(t, 1500);
	t->n_announced = t->n_datagrams = 0;
	put(t, 1, 0, PUT_REPLACE, TOUCH_SEND);
	t->e->ops->link_changed(t->e);
	listen(t);
	assert_int_equal(t->n_announced, 1);
	assert_int_equal(t->n_said, 1);
	assert_int_equal(t->n_datagrams, 1);
}

/* Bytes of all that is due now. */
static size_t volume(struct fixture *t)
{
	enum fill done = FILL_FULL;
	size_t n = 0;

	while (done == FILL_FULL) {
		uint8_t bytes[2 * ROOM];
		struct wr w = { .buf = bytes, .size = sizeof(bytes) };

		done = t->e->ops->fill(t->e, &w, ROOM, t->now_ms);
		n += w.used;
	}
	return n;
}

/* 4,000 were put at once, and do not stay together: three times their share is
 * the most that comes in 20 ms. */
static void test_a_crowd_spreads(void **state)
{
	struct fixture *t = *state;
	size_t share, all = 0, most = 0;

	for (uint16_t i = 0; i < 4000; i++)
		put(t, i, 0, PUT_REPLACE, TOUCH_QUIET);
	for (int i = 0; i < 1000; i++) {
		size_t n = volume(t);

		all += n;
		if (n > most)
			most = n;
		t->now_ms += 20;
	}
	share = all / 1000;
	assert_in_range(most, share, 3 * share);
}

/* ---- what it hears ------------------------------------------------------ */

static struct peer_addr place(uint8_t number)
{
	struct peer_addr from = { .family = FAMILY_IPV4 };

	from.addr.b[3] = number;
	return from;
}

static enum verdict hear(struct fixture *t, uint8_t from, uint8_t type,
			 uint8_t flags, uint32_t seq)
{
	const struct peer_addr at = place(from);
	const struct msg m = { .type = type, .flags = flags, .seq = seq };

	return t->e->ops->receive(t->e, &at, &m, t->now_ms);
}

static enum verdict hear_announcement(struct fixture *t, uint8_t from,
				      uint64_t node, uint8_t name, uint32_t seq)
{
	const struct peer_addr at = place(from);
	struct ext_record r = { .type = EXT_STABLE_NAME };
	uint8_t bytes[64];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	struct msg m = { .type = MSG_CTL, .flags = MSG_ALIVE, .seq = seq };

	r.name[0] = name;
	ext_begin(&w, EXT_CAP_WHOLE_UPDATES, node);
	ext_add(&w, &r);
	m.body = (struct rd){ bytes, w.used };
	return t->e->ops->receive(t->e, &at, &m, t->now_ms);
}

static const struct peer *peer_at(struct fixture *t, uint8_t number)
{
	const struct roster *r = t->e->ops->peers(t->e);
	const struct peer_addr at = place(number);

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		for (int k = 0; k < r->peers[i].n_addrs; k++)
			if (peer_same_place(&r->peers[i].addrs[k], &at))
				return &r->peers[i];
	return NULL;
}

/* PROTOCOL.md 3.4 */
static void test_what_has_a_flag_is_ignored_whatever_it_is(void **state)
{
	struct fixture *t = *state;

	for (unsigned int type = 0; type < 16; type++)
		for (unsigned int flag = 1; flag < 256; flag *= 2)
			assert_int_equal(
				hear(t, 1, (uint8_t)type, (uint8_t)flag, 5),
				VERDICT_IGNORED);
	assert_int_equal(t->n_heard, 0);
	assert_null(peer_at(t, 1));
	assert_int_equal(t->events[ENGINE_PEER_OTHER_MODE], 1);
}

/* A line a minute, not one a message. */
static void test_a_peer_in_another_mode_is_told(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(hear_announcement(t, 1, 0x77, 7, 1), VERDICT_OK);
	hear(t, 1, MSG_CT_NEW, 0, 2);
	assert_int_equal(t->events[ENGINE_PEER_OTHER_MODE], 0);
	for (uint32_t i = 0; i < 90; i++) {
		hear(t, 1, MSG_CTL, MSG_ALIVE | MSG_HELLO, i);
		hear(t, 1, MSG_CTL, MSG_ACK, i);
		run(t, 1000);
	}
	assert_int_equal(t->events[ENGINE_PEER_OTHER_MODE], 2);
}

static void test_without_one_it_is_data_or_malformed(void **state)
{
	struct fixture *t = *state;

	for (uint8_t type = 0; type <= MSG_EXP_DEL; type++) {
		assert_int_equal(hear(t, 1, type, 0, 5), VERDICT_OK);
		assert_int_equal(t->heard, type);
	}
	assert_int_equal(t->n_heard, 6);
	for (uint8_t type = MSG_EXP_DEL + 1; type < 16; type++)
		assert_int_equal(hear(t, 1, type, 0, 5), VERDICT_BAD_TYPE);
	assert_int_equal(t->n_heard, 6);
}

/* Whatever its number. */
static void test_numbers_are_not_tracked(void **state)
{
	static const uint32_t seqs[] = { 5, 5, 4, 9, 100000, 1, UINT32_MAX };
	struct fixture *t = *state;
	struct engine_stats s;

	for (size_t i = 0; i < N_ELEMENTS(seqs); i++)
		assert_int_equal(hear(t, 1, MSG_CT_NEW, 0, seqs[i]),
				 VERDICT_OK);
	assert_int_equal(t->n_heard, N_ELEMENTS(seqs));
	t->e->ops->stats(t->e, &s);
	assert_int_equal(s.n_lost, 0);
	assert_int_equal(s.n_before, 0);
	assert_int_equal(s.n_peers_live, 1);
}

static void
test_a_reference_may_be_quiet_as_long_as_it_owns_something(void **state)
{
	struct fixture *t = *state;
	const struct peer *p;

	hear(t, 1, MSG_CT_NEW, 0, 5);
	run(t, 4000);
	hear(t, 1, MSG_CT_NEW, 0, 6);
	p = peer_at(t, 1);
	run(t, CACHE_TIMEOUT_S * 1000 - 1000);
	assert_true(p->is_live);
	assert_true(p->is_reference);
	run(t, 2000);
	assert_false(p->is_live);
	assert_int_equal(t->events[ENGINE_PEER_SILENT], 1);
	hear(t, 1, MSG_CT_NEW, 0, 7);
	assert_true(p->is_live);
	assert_int_equal(t->events[ENGINE_PEER_FOUND], 1);
	assert_int_equal(t->events[ENGINE_PEER_RETURNED], 1);
}

/* It says ALIVE every second. */
static void test_a_node_of_ours_is_missed_sooner(void **state)
{
	struct fixture *t = *state;
	const struct peer *p;

	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(hear_announcement(t, 1, 0x77, 7, 2 * i),
				 VERDICT_OK);
		hear(t, 1, MSG_CT_NEW, 0, 2 * i + 1);
		run(t, 1000);
	}
	p = peer_at(t, 1);
	assert_int_equal(p->node, 0x77);
	assert_ptr_equal(p, t->from);
	assert_true(peer_sends_whole_updates(p));
	run(t, 12000);
	assert_false(p->is_live);
	assert_int_equal(t->events[ENGINE_PEER_SILENT], 1);
}

static void test_our_own_announcement_is_nobodys(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(hear_announcement(t, 1, OURS, 1, 5), VERDICT_IGNORED);
	assert_null(peer_at(t, 1));
}

static void test_a_node_that_starts_anew_is_the_same_peer(void **state)
{
	struct fixture *t = *state;
	const struct peer *p;

	for (uint32_t i = 0; i < 3; i++) {
		hear_announcement(t, 1, 0x77, 7, i);
		run(t, 1000);
	}
	p = peer_at(t, 1);
	for (uint32_t i = 0; i < 5; i++) {
		hear_announcement(t, 1, 0x88, 7, 900000 + i);
		run(t, 1000);
	}
	assert_ptr_equal(peer_at(t, 1), p);
	assert_int_equal(p->node, 0x88);
	assert_int_equal(t->events[ENGINE_PEER_RESTARTED], 1);
	assert_int_equal(t->events[ENGINE_PEER_FOUND], 1);
}

/* Its updates leave out what has not changed. */
static void test_a_reference_in_the_place_of_ours_is_known_as_one(void **state)
{
	struct fixture *t = *state;
	const struct peer *p;

	for (uint32_t i = 0; i < 3; i++) {
		hear_announcement(t, 1, 0x77, 7, i);
		run(t, 1000);
	}
	p = peer_at(t, 1);
	for (uint32_t i = 0; i < 12; i++) {
		hear(t, 1, MSG_CT_UPD, 0, 900000 + i);
		run(t, 1000);
	}
	assert_ptr_equal(peer_at(t, 1), p);
	assert_int_equal(p->node, 0);
	assert_false(peer_sends_whole_updates(p));
}

/* Two links: what it said on the second one before it said who it is there. */
static void test_a_node_of_ours_is_one_peer_on_all_links(void **state)
{
	struct fixture *t = *state;
	const struct peer *p;

	hear(t, 2, MSG_CT_NEW, 0, 100);
	hear_announcement(t, 1, 0x77, 7, 101);
	p = peer_at(t, 1);
	assert_ptr_not_equal(peer_at(t, 2), p);
	hear_announcement(t, 2, 0x77, 7, 102);
	assert_ptr_equal(peer_at(t, 2), p);
	assert_ptr_equal(peer_at(t, 1), p);
	hear(t, 2, MSG_CT_NEW, 0, 103);
	assert_ptr_equal(t->from, p);
}

static void test_a_65th_peer_is_refused_and_told_once(void **state)
{
	struct fixture *t = *state;
	struct engine_stats s;

	for (uint8_t i = 1; i <= PEER_MAX; i++)
		assert_int_equal(hear(t, i, MSG_CT_NEW, 0, 5), VERDICT_OK);
	for (uint8_t i = 0; i < 10; i++)
		assert_int_equal(hear(t, 200 + i, MSG_CT_NEW, 0, 5),
				 VERDICT_IGNORED);
	t->e->ops->stats(t->e, &s);
	assert_int_equal(s.n_refused, 10);
	assert_int_equal(t->events[ENGINE_PEER_REFUSED], 1);
	/* who said so little is nobody when it is silent */
	run(t, (CACHE_TIMEOUT_S + 2) * 1000);
	assert_int_equal(hear(t, 200, MSG_CT_NEW, 0, 5), VERDICT_OK);
}

static void test_without_memory_there_is_none(void **state)
{
	struct fixture *t = *state;
	struct alarm_opts opts = opts_of(t);

	alloc_fail_after(0);
	assert_null(alarm_new(&opts, 0));
	assert_true(alloc_fail_off());
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_happens_is_told_at_once),
		T(test_ten_changes_in_a_turn_are_one_message),
		T(test_it_is_told_again_and_again),
		T(test_what_has_changed_is_told_again_as_an_update),
		T(test_a_change_puts_the_refresh_off),
		T(test_what_is_not_told_for_its_own_sake_is_refreshed),
		T(test_a_quiet_change_does_not_put_the_refresh_off),
		T(test_the_untold_is_told_once),
		T(test_a_next_life_is_told_as_new),
		T(test_what_is_flushed_is_not_told_any_more),
		T(test_it_says_no_more_than_who_it_is_once_a_second),
		T(test_from_another_place_it_says_first_who_it_is),
		T(test_a_crowd_spreads),
		T(test_what_has_a_flag_is_ignored_whatever_it_is),
		T(test_a_peer_in_another_mode_is_told),
		T(test_without_one_it_is_data_or_malformed),
		T(test_numbers_are_not_tracked),
		T(test_a_reference_may_be_quiet_as_long_as_it_owns_something),
		T(test_a_node_of_ours_is_missed_sooner),
		T(test_our_own_announcement_is_nobodys),
		T(test_a_node_that_starts_anew_is_the_same_peer),
		T(test_a_reference_in_the_place_of_ours_is_known_as_one),
		T(test_a_node_of_ours_is_one_peer_on_all_links),
		T(test_a_65th_peer_is_refused_and_told_once),
		T(test_without_memory_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
