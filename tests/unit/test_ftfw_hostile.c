/* SPDX-License-Identifier: ISC */
/* The FT-FW engine against a peer, or somebody who claims to be one, that
 * lies: nothing is freed, forgotten or overwritten for it, nothing grows
 * without end, and the real peers are heard again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"
#include "sync/ext.h"

enum { STRANGER = SIM_NODES_MAX, DGRAM = 1472 };

/* ---- datagrams of our own making ---- */

struct forged {
	uint8_t bytes[DGRAM];
	struct wr w;
};

static void open_dgram(struct forged *d)
{
	d->w = (struct wr){ .buf = d->bytes, .size = sizeof(d->bytes) };
}

static void add_range(struct forged *d, uint8_t flags, uint32_t seq,
		      uint32_t from, uint32_t to)
{
	size_t at = wire_begin(&d->w, MSG_CTL, flags, seq);

	wr_be32(&d->w, from);
	wr_be32(&d->w, to);
	assert_true(wire_end(&d->w, at));
}

static void add_alive(struct forged *d, uint8_t flags, uint32_t seq)
{
	size_t at = wire_begin(&d->w, MSG_CTL, MSG_ALIVE | flags, seq);

	assert_true(wire_end(&d->w, at));
}

/* An announcement; records, if any, are n bytes of the caller's. */
static void add_announcement(struct forged *d, uint32_t seq, uint64_t node,
			     const void *records, size_t n)
{
	size_t at = wire_begin(&d->w, MSG_CTL, MSG_ALIVE, seq);

	struct ext_record name = { .type = EXT_STABLE_NAME };

	memcpy(name.name, &node, sizeof(node));
	ext_begin(&d->w, EXT_CAP_ADDRESSED_ACK, node);
	ext_add(&d->w, &name);
	wr_bytes(&d->w, records, n);
	assert_true(wire_end(&d->w, at));
}

static void forge(struct sim *s, int from, int to, const struct forged *d)
{
	sim_forge(s, from, to, d->bytes, d->w.used);
}

static uint32_t outstanding(struct sim *s, int node)
{
	struct engine_stats out;

	s->nodes[node].engine->ops->stats(s->nodes[node].engine, &out);
	return out.n_outstanding;
}

static uint32_t n_external(struct sim *s, int node)
{
	return flow_cache_stats(s->nodes[node].external_cache)->n_active;
}

/* What a node last sent, to take its numbers from. */
struct tap {
	uint32_t last_seq[SIM_NODES_MAX];
	uint64_t id[SIM_NODES_MAX];
	/* all of it, if bytes is set */
	uint8_t *bytes;
	size_t used, size;
};

static void on_tap(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	struct tap *t = ctx;
	struct rd left = { bytes, len };
	struct ext_alive alive;
	enum verdict why;
	struct msg m;

	while (wire_next(&left, &m, &why) == WIRE_MSG) {
		t->last_seq[from] = m.seq;
		if (m.type == MSG_CTL && (m.flags & MSG_ALIVE) &&
		    ext_open(m.body, &alive))
			t->id[from] = alive.node;
	}
	if (!t->bytes || from != 0 || t->used + 4 + len > t->size)
		return;
	memcpy(t->bytes + t->used, &(uint32_t){ (uint32_t)len }, 4);
	memcpy(t->bytes + t->used + 4, bytes, len);
	t->used += 4 + len;
}

static void start_two(struct sim *s, struct tap *t, uint64_t seed)
{
	*t = (struct tap){ 0 };
	sim_init(s, seed, 2);
	s->faults.delay_ms = 1;
	s->tap = on_tap;
	s->tap_ctx = t;
	sim_start(s, 0);
	sim_start(s, 1);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_new(s, 0, i);
	assert_true(sim_run_until(s, 5000, sim_is_complete));
	sim_run(s, 1000);
}

/* ---- ranges ---- */

static void test_ranges_that_a_peer_invents_free_nothing(void **state)
{
	static const struct {
		uint32_t from, to; /* from the next number of node 0 */
	} ranges[] = {
		{ 0, 0 },
		{ 0, 1000 },
		{ 0x7fffffff, 0x7fffffff },
		{ 0x80000000, 0x80000000 },
		{ 0x80000000, 0xffffffff },
		{ 0x80000001, 0xffffffff },
		{ 0xffff0000, 0 },
		{ 0xffffffff, 0 },
		{ 0, 0xffffffff }, /* to before from */
	};
	struct sim s;
	struct tap t;

	(void)state;
	start_two(&s, &t, 1);
	s.is_cut[1] = true;
	for (uint32_t i = 1000; i < 1100; i++)
		sim_flow_new(&s, 0, i);
	sim_run(&s, 20);
	assert_true(outstanding(&s, 0) >= 100);
	for (size_t i = 0; i < N_ELEMENTS(ranges); i++)
		for (int nack = 0; nack < 2; nack++) {
			uint32_t next = t.last_seq[0] + 1;
			uint32_t before = outstanding(&s, 0);
			struct forged d;

			open_dgram(&d);
			add_range(&d, nack ? MSG_NACK : MSG_ACK,
				  ++t.last_seq[1], next + ranges[i].from,
				  next + ranges[i].to);
			forge(&s, 1, 0, &d);
			assert_true(outstanding(&s, 0) >= before);
		}
	s.is_cut[1] = false;
	assert_true(sim_run_until(&s, 60000, sim_is_complete));
	sim_fini(&s);
}

/* A stranger may say anything of numbers that are owed to somebody else. */
static void test_a_stranger_acknowledges_for_nobody_but_itself(void **state)
{
	struct sim s;
	struct tap t;
	struct forged d;
	uint32_t before;

	(void)state;
	start_two(&s, &t, 2);
	s.is_cut[1] = true;
	for (uint32_t i = 1000; i < 1100; i++)
		sim_flow_new(&s, 0, i);
	sim_run(&s, 20);
	before = outstanding(&s, 0);
	for (uint32_t i = 0; i < 500; i++) {
		open_dgram(&d);
		add_range(&d, i % 2 ? MSG_NACK : MSG_ACK, 77 + i,
			  t.last_seq[0] - 300, t.last_seq[0]);
		forge(&s, STRANGER, 0, &d);
	}
	assert_true(outstanding(&s, 0) >= before);
	s.is_cut[1] = false;
	assert_true(sim_run_until(&s, 60000, sim_is_complete));
	sim_fini(&s);
}

/* ---- numbers ---- */

static void test_one_wild_number_does_not_make_deaf(void **state)
{
	static const uint32_t jumps[] = { 17,         100,       4095,
					  60000,      500000,    1 << 19,
					  0x7ffffff0, 0x80000010 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(jumps); i++) {
		struct sim s;
		struct tap t;
		struct forged d;

		start_two(&s, &t, 3 + i);
		open_dgram(&d);
		add_alive(&d, 0, t.last_seq[0] + jumps[i]);
		forge(&s, 0, 1, &d);
		sim_flow_new(&s, 0, 5000);
		/* a small one may be a gap: that heals within a few seconds */
		if (!sim_run_until(&s, jumps[i] <= 17 ? 10000 : 2000,
				   sim_is_complete))
			fail_msg("after a jump of %u", jumps[i]);
		sim_fini(&s);
	}
}

/* Two that agree are believed, or a real gap would never be. */
static void
test_after_a_forged_run_of_numbers_the_peer_is_heard_again(void **state)
{
	static const uint32_t jumps[] = { 5000, 500000 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(jumps); i++) {
		struct sim s;
		struct tap t;
		struct forged d;

		start_two(&s, &t, 20 + i);
		open_dgram(&d);
		for (uint32_t k = 0; k < 20; k++)
			add_alive(&d, 0, t.last_seq[0] + jumps[i] + k);
		forge(&s, 0, 1, &d);
		sim_flow_new(&s, 0, 5000);
		if (!sim_run_until(&s, 60000, sim_is_complete))
			fail_msg("after a jump of %u", jumps[i]);
		sim_fini(&s);
	}
}

static void test_numbers_wrap_during_traffic(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct sim s;

		sim_init(&s, seed, 2);
		s.faults = (struct sim_faults){ .delay_ms = 1,
						.loss = 10,
						.reorder = 10,
						.delay_spread_ms = 5 };
		s.has_first_seq = true;
		s.first_seq = UINT32_MAX - 700;
		sim_start(&s, 0);
		sim_start(&s, 1);
		for (uint32_t i = 0; i < 3000; i++) {
			sim_flow_new(&s, 0, i);
			sim_flow_new(&s, 1, i);
			if (i % 4 == 0)
				sim_run(&s, 1);
		}
		for (uint32_t i = 0; i < 3000; i += 3)
			sim_flow_end(&s, 0, i);
		if (!sim_run_until(&s, 60000, sim_is_complete))
			fail_msg("seed %u", (unsigned int)seed);
		sim_fini(&s);
	}
}

/* ---- replay ---- */

static void replay(struct sim *s, const struct tap *t, int to)
{
	for (size_t at = 0; at < t->used;) {
		uint32_t len;

		memcpy(&len, t->bytes + at, 4);
		sim_forge(s, 0, to, t->bytes + at + 4, len);
		at += 4 + len;
	}
}

static void record(struct tap *t)
{
	t->size = 1 << 20;
	t->bytes = calloc(1, t->size);
	assert_non_null(t->bytes);
}

static void change_all(struct sim *s)
{
	for (uint32_t i = 0; i < 300; i++)
		sim_flow_update(s, 0, i, 77);
	for (uint32_t i = 300; i < 500; i++)
		sim_flow_end(s, 0, i);
	assert_true(sim_run_until(s, 20000, sim_is_complete));
}

static void test_what_this_life_has_said_before_changes_nothing(void **state)
{
	struct sim s;
	struct tap t;

	(void)state;
	start_two(&s, &t, 30);
	record(&t);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_update(&s, 0, i, 1);
	sim_run(&s, 3000);
	change_all(&s);
	replay(&s, &t, 1);
	assert_true(sim_is_complete(&s));
	sim_run(&s, 5000);
	replay(&s, &t, 1);
	assert_true(sim_is_complete(&s));
	free(t.bytes);
	sim_fini(&s);
}

static void test_what_an_earlier_life_has_said_changes_nothing(void **state)
{
	struct sim s;
	struct tap t;
	uint8_t *bytes;

	(void)state;
	start_two(&s, &t, 31);
	record(&t);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_update(&s, 0, i, 1);
	sim_run(&s, 3000);
	bytes = t.bytes;
	t.bytes = NULL;
	sim_kill(&s, 0);
	sim_run(&s, 500);
	sim_start(&s, 0);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_dumped(&s, 0, i);
	sim_run(&s, 3000);
	change_all(&s);
	t.bytes = bytes;
	for (int i = 0; i < 5; i++) {
		replay(&s, &t, 1);
		sim_run(&s, 50);
		assert_true(sim_run_until(&s, 20000, sim_is_complete));
	}
	assert_int_equal(n_external(&s, 1), 300);
	free(bytes);
	sim_fini(&s);
}

/* ---- announcements ---- */

static void test_a_flapping_node_id_costs_no_entry_of_others(void **state)
{
	struct sim s;
	struct tap t;
	struct forged d;

	(void)state;
	start_two(&s, &t, 40);
	for (uint32_t i = 0; i < 3000; i++) {
		open_dgram(&d);
		add_announcement(&d, 1000 + i * 7, 0x1000 + i % 100, NULL, 0);
		forge(&s, STRANGER, i % 2, &d);
		if (i % 10 == 0)
			sim_run(&s, 1);
	}
	assert_int_equal(n_external(&s, 1), 500);
	sim_flow_update(&s, 0, 3, 9);
	assert_true(sim_run_until(&s, 30000, sim_is_complete));
	sim_fini(&s);
}

/* Once, from the place of a live node: a wrong bit, or a forger. */
static void test_one_wrong_node_id_does_not_end_a_life(void **state)
{
	struct sim s;
	struct tap t;
	struct forged d;

	(void)state;
	start_two(&s, &t, 44);
	open_dgram(&d);
	add_announcement(&d, t.last_seq[0] + 1, t.id[0] ^ 64, NULL, 0);
	forge(&s, 0, 1, &d);
	sim_run(&s, 5);
	assert_int_equal(s.nodes[1].events[ENGINE_PEER_RESTARTED], 0);
	sim_flow_update(&s, 0, 3, 9);
	assert_true(sim_run_until(&s, 2000, sim_is_complete));
	sim_run(&s, 30000);
	assert_int_equal(s.nodes[0].events[ENGINE_PEER_DEAF], 0);
	sim_fini(&s);
}

/* As long as the real node is heard, no other is believed, however often it is
 * said. */
static void test_a_life_that_is_heard_is_not_replaced(void **state)
{
	struct sim s;
	struct tap t;
	struct forged d;

	(void)state;
	start_two(&s, &t, 45);
	for (uint32_t i = 1; i <= 60; i++) {
		open_dgram(&d);
		for (uint32_t k = 0; k < 3; k++)
			add_announcement(&d, 5000 + 3 * i + k, t.id[0] ^ 64,
					 NULL, 0);
		forge(&s, 0, 1, &d);
		sim_run(&s, 500);
	}
	assert_int_equal(s.nodes[1].events[ENGINE_PEER_RESTARTED], 0);
	sim_flow_update(&s, 0, 3, 9);
	sim_flow_end(&s, 0, 4);
	assert_true(sim_run_until(&s, 2000, sim_is_complete));
	sim_fini(&s);
}

/* It was not heard for a while, in which another id was said: when it is heard
 * again that one has been wrong. */
static void test_after_a_forged_life_the_real_one_is_taken_back(void **state)
{
	struct sim s;
	struct tap t;
	struct forged d;

	(void)state;
	start_two(&s, &t, 46);
	s.is_cut[0] = true;
	for (uint32_t i = 1; i <= 6; i++) {
		sim_run(&s, 500);
		open_dgram(&d);
		add_announcement(&d, t.last_seq[0] + i, t.id[0] ^ 64, NULL, 0);
		forge(&s, 0, 1, &d);
	}
	assert_int_equal(s.nodes[1].events[ENGINE_PEER_RESTARTED], 1);
	s.is_cut[0] = false;
	sim_run(&s, 10000);
	sim_flow_update(&s, 0, 3, 9);
	sim_flow_end(&s, 0, 4);
	assert_true(sim_run_until(&s, 30000, sim_is_complete));
	assert_int_equal(s.nodes[1].events[ENGINE_PEER_RESTARTED], 2);
	sim_run(&s, 30000);
	assert_true(sim_is_complete(&s));
	sim_fini(&s);
}

static void test_damaged_records_end_the_reading_and_no_more(void **state)
{
	static const uint8_t records[][28] = {
		{ 0 },                        /* type 0, length 0 */
		{ 0, 1, 0, 3 },               /* shorter than its header */
		{ 0, 1, 0xff, 0xff },         /* longer than the message */
		{ 0, 1, 0, 8, 1, 2, 3, 4 },   /* an ACK cut short */
		{ 0, 16, 0, 24, [12] = 3 },   /* a mark of phase 3 */
		{ 0, 16, 0, 24, [12] = 0 },   /* of phase 0 */
		{ 0, 3, 0, 4 },               /* a name without a name */
		{ 0xff, 0xff, 0, 4, 0, 1, 0 } /* unknown, then cut */
	};
	struct sim s;
	struct tap t;
	struct forged d;

	(void)state;
	start_two(&s, &t, 41);
	for (size_t i = 0; i < N_ELEMENTS(records); i++)
		for (size_t n = 0; n <= sizeof(records[0]); n++) {
			open_dgram(&d);
			add_announcement(&d,
					 5 + (uint32_t)i * 100 + (uint32_t)n,
					 0x77, records[i], n);
			forge(&s, STRANGER, 1, &d);
			sim_run(&s, 1);
		}
	sim_flow_update(&s, 0, 3, 9);
	assert_true(sim_run_until(&s, 30000, sim_is_complete));
	sim_fini(&s);
}

/* The end of a bulk whose begin was missed sweeps nothing. */
static void test_an_end_mark_without_a_begin_sweeps_nothing(void **state)
{
	uint8_t bytes[24];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	struct ext_record r = { .type = EXT_BULK_MARK };
	struct sim s;
	struct tap t;
	struct forged d;

	(void)state;
	start_two(&s, &t, 42);
	r.mark.phase = EXT_BULK_END;
	r.mark.walk = 99;
	ext_add(&w, &r);
	open_dgram(&d);
	add_announcement(&d, t.last_seq[0] + 1, t.id[0], bytes, w.used);
	forge(&s, 0, 1, &d);
	sim_run(&s, 5);
	assert_int_equal(n_external(&s, 1), 500);
	assert_int_equal(sim_stats(&s, 1).n_swept, 0);
	sim_flow_update(&s, 0, 3, 9);
	assert_true(sim_run_until(&s, 30000, sim_is_complete));
	sim_fini(&s);
}

static void test_a_65th_peer_is_refused_and_the_known_go_on(void **state)
{
	struct engine_stats before, after;
	struct engine *e;
	struct sim s;
	struct tap t;
	struct forged d;

	(void)state;
	start_two(&s, &t, 43);
	e = s.nodes[1].engine;
	e->ops->stats(e, &before);
	for (int i = 0; i < 200; i++) {
		open_dgram(&d);
		add_announcement(&d, 1, 0x9000 + (uint64_t)i, NULL, 0);
		forge(&s, STRANGER + i, 1, &d);
	}
	e->ops->stats(e, &after);
	assert_int_equal(after.n_peers_live, 64);
	assert_int_equal(after.n_refused, 200 - 63);
	sim_flow_update(&s, 0, 3, 9);
	assert_true(sim_run_until(&s, 30000, sim_is_complete));
	/* The silent ones make room. */
	sim_run(&s, 15000);
	open_dgram(&d);
	add_announcement(&d, 1, 0xa000, NULL, 0);
	forge(&s, STRANGER + 1000 % 200, 1, &d);
	e->ops->stats(e, &after);
	assert_int_equal(after.n_peers_live, 2);
	sim_fini(&s);
}

static void
test_a_flood_of_requests_is_told_a_bounded_number_of_times(void **state)
{
	struct sim s;
	struct tap t;
	struct forged d;

	(void)state;
	start_two(&s, &t, 45);
	for (uint32_t i = 0; i < 5000; i++) {
		open_dgram(&d);
		add_range(&d, MSG_RESYNC, 1 + i, 0, 0);
		forge(&s, STRANGER, 1, &d);
		open_dgram(&d);
		add_alive(&d, 0, 1);
		forge(&s, STRANGER + 1 + (int)i % 200, 1, &d);
		if (i % 10 == 0)
			sim_run(&s, 1);
	}
	for (int i = 0; i < ENGINE_EVENT_N; i++)
		assert_in_range(s.nodes[1].events[i], 0, 100);
	assert_int_equal(s.nodes[1].events[ENGINE_PEER_REFUSED], 1);
	sim_fini(&s);
}

/* ---- growth ---- */

/* Every second number is missing: each asks for a NACK. What waits to be sent
 * is bounded although the link takes nothing. */
static void test_gaps_by_the_million_do_not_fill_the_memory(void **state)
{
	struct sim s;
	struct tap t;
	struct forged d;
	uint32_t seq = 100, sent = 0;
	uint8_t out[DGRAM];

	(void)state;
	start_two(&s, &t, 50);
	for (int i = 0; i < 5000; i++) {
		open_dgram(&d);
		for (int k = 0; k < 180; k++, seq += 2)
			add_alive(&d, 0, seq);
		forge(&s, STRANGER, 1, &d);
	}
	for (enum fill done = FILL_FULL; done == FILL_FULL; sent++) {
		struct wr w = { .buf = out, .size = sizeof(out) };

		done = s.nodes[1].engine->ops->fill(s.nodes[1].engine, &w,
						    DGRAM, s.now_ms);
	}
	assert_in_range(sent, 1, 100);
	sim_flow_update(&s, 0, 3, 9);
	assert_true(sim_run_until(&s, 30000, sim_is_complete));
	sim_fini(&s);
}

static void test_a_window_of_one_survives_loss_and_a_flood(void **state)
{
	struct sim s;
	struct forged d;
	uint32_t seq = 100;

	(void)state;
	sim_init(&s, 51, 2);
	s.ack_window = 1;
	s.faults = (struct sim_faults){ .loss = 20, .delay_ms = 1 };
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 2000; i++) {
		sim_flow_new(&s, 0, i);
		sim_flow_new(&s, 1, i);
		open_dgram(&d);
		for (int k = 0; k < 10; k++)
			add_alive(&d, k % 2 ? MSG_HELLO : 0, seq++);
		forge(&s, STRANGER, i % 2, &d);
		if (i % 8 == 0)
			sim_run(&s, 1);
	}
	assert_true(sim_run_until(&s, 60000, sim_is_complete));
	sim_fini(&s);
}

/* One bit of one in a hundred datagrams is wrong, and no checksum told: a
 * bulk of each puts right what that changed. */
static void test_after_bit_errors_a_bulk_makes_the_caches_equal(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct sim s;

		sim_init(&s, seed + 60, 2);
		s.faults = (struct sim_faults){ .loss = 2,
						.duplicate = 10,
						.reorder = 25,
						.bit_error = 5,
						.delay_ms = 1,
						.delay_spread_ms = 5 };
		sim_start(&s, 0);
		sim_start(&s, 1);
		for (uint32_t i = 0; i < 12000; i++) {
			uint32_t flow = (uint32_t)sim_random(&s, 2000);
			int node = (int)(i % 2);

			if (i % 5 == 0)
				sim_flow_end(&s, node, flow);
			else if (i % 3 == 0)
				sim_flow_update(&s, node, flow, i);
			else
				sim_flow_new(&s, node, flow);
			if (i % 4 == 0)
				sim_run(&s, 1);
		}
		s.faults = (struct sim_faults){ .delay_ms = 1 };
		sim_run(&s, 15000);
		for (int node = 0; node < 2; node++)
			s.nodes[node].engine->ops->ask(s.nodes[node].engine,
						       ASK_BULK);
		if (!sim_run_until(&s, 60000, sim_is_complete))
			fail_msg("seed %u", (unsigned int)seed);
		sim_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_that_a_peer_invents_free_nothing),
		cmocka_unit_test(
			test_a_stranger_acknowledges_for_nobody_but_itself),
		cmocka_unit_test(test_one_wild_number_does_not_make_deaf),
		cmocka_unit_test(
			test_after_a_forged_run_of_numbers_the_peer_is_heard_again),
		cmocka_unit_test(test_numbers_wrap_during_traffic),
		cmocka_unit_test(
			test_what_this_life_has_said_before_changes_nothing),
		cmocka_unit_test(
			test_what_an_earlier_life_has_said_changes_nothing),
		cmocka_unit_test(
			test_a_flapping_node_id_costs_no_entry_of_others),
		cmocka_unit_test(test_one_wrong_node_id_does_not_end_a_life),
		cmocka_unit_test(test_a_life_that_is_heard_is_not_replaced),
		cmocka_unit_test(
			test_after_a_forged_life_the_real_one_is_taken_back),
		cmocka_unit_test(
			test_damaged_records_end_the_reading_and_no_more),
		cmocka_unit_test(
			test_an_end_mark_without_a_begin_sweeps_nothing),
		cmocka_unit_test(
			test_a_65th_peer_is_refused_and_the_known_go_on),
		cmocka_unit_test(
			test_a_flood_of_requests_is_told_a_bounded_number_of_times),
		cmocka_unit_test(
			test_gaps_by_the_million_do_not_fill_the_memory),
		cmocka_unit_test(
			test_a_window_of_one_survives_loss_and_a_flood),
		cmocka_unit_test(
			test_after_bit_errors_a_bulk_makes_the_caches_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
