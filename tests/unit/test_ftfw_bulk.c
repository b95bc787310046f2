/* SPDX-License-Identifier: ISC */
/* The bulk: who gets it, when it ends, and what it takes away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "forge.h"
#include "sync/ftfw_state.h"

static struct ftfw *ftfw(struct sim *s, int node)
{
	return CONTAINER_OF(s->nodes[node].engine, struct ftfw, base);
}

/* Three nodes start on a lossy link; nothing ever ends. Whatever was there is
 * to stay. */
static void test_a_bulk_under_loss_sweeps_nothing_that_lives(void **state)
{
	int bad = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct sim s;

		sim_init(&s, seed, 4);
		s.faults.delay_ms = 1;
		for (int i = 0; i < 4; i++) {
			sim_start(&s, i);
			for (uint32_t k = 0; k < 100; k++)
				sim_flow_dumped(&s, i, k);
		}
		s.faults.loss = 25;
		sim_run(&s, 20000);
		s.faults.loss = 0;
		sim_run(&s, 30000);
		bad += !sim_is_complete(&s);
		sim_fini(&s);
	}
	assert_int_equal(bad, 0);
}

/* Node 0 dies 70 times between begin and end of its bulk, at last without the
 * flows it had. */
static void test_a_life_long_ago_is_swept_too(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 8, 2);
	s.faults.delay_ms = 20;
	sim_start(&s, 1);
	sim_start(&s, 0);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	for (int i = 0; i < 70; i++) {
		uint64_t was = s.nodes[0].events[ENGINE_BULK_BEGINS];

		sim_kill(&s, 0);
		sim_run(&s, 100);
		sim_start(&s, 0);
		for (int k = 0;
		     k < 400 && s.nodes[0].events[ENGINE_BULK_BEGINS] == was;
		     k++)
			sim_run(&s, 1);
		sim_run(&s, 25); /* the begin mark has arrived */
	}
	sim_kill(&s, 0);
	sim_run(&s, 100);
	sim_start(&s, 0);
	sim_run(&s, 30000);
	assert_int_equal(forge_n_external(&s, 1), 0);
	sim_fini(&s);
}

static void test_room_that_comes_back_is_used(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 13, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	s.cache_limit = 1000;
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 1500; i++)
		sim_flow_new(&s, 0, i);
	sim_run(&s, 2000);
	for (uint32_t i = 0; i < 900; i++)
		sim_flow_end(&s, 0, i);
	sim_run(&s, 120000);
	assert_int_equal(forge_n_external(&s, 1), 600);
	sim_fini(&s);
}

/* One that answers now and then, but never a mark, keeps all others from their
 * bulks. */
static void test_one_that_never_begins_holds_up_no_bulk(void **state)
{
	struct sim s;
	struct forged *d;
	struct ext_record r = { .type = EXT_ACK };
	uint32_t seq = 100;

	(void)state;
	sim_init(&s, 19, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_dumped(&s, 0, i);
	sim_run(&s, 1000);
	for (int t = 0; t < 120; t++) {
		if (t % 5 ==
		    0) { /* the newest number, when it is a plain ALIVE */
			r.range.node = ftfw(&s, 0)->l.o.node;
			r.range.from = r.range.to =
				ftfw(&s, 0)->l.outbox.ring.next - 1;
			d = forge_open();
			forge_announcement(d, seq++, 0xbad, &r, 1);
			forge_say(&s, FORGE_STRANGER, 0, d);
		}
		if (t == 20)
			sim_start(&s, 1);
		sim_run(&s, 1000);
	}
	assert_int_equal(forge_n_external(&s, 1), 500);
	sim_fini(&s);
}

static void test_requests_for_bulks_are_paced(void **state)
{
	struct sim s;
	struct forged *d;
	uint64_t before;

	(void)state;
	sim_init(&s, 21, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 20000; i++)
		sim_flow_dumped(&s, 0, i);
	sim_run(&s, 5000);
	s.nodes[0].engine->ops->ask(s.nodes[0].engine, ASK_BULK);
	assert_true(sim_run_until(&s, 60000, sim_is_complete));
	sim_run(&s, 5000);
	before = s.nodes[0].n_sent;
	for (uint32_t t = 0; t < 30; t++) {
		d = forge_open();
		forge_range(d, MSG_RESYNC, 100 + t, 0, 0);
		forge_say(&s, FORGE_STRANGER, 0, d);
		sim_run(&s, 1000);
	}
	assert_in_range(s.nodes[0].n_sent - before, 30, 6000);
	sim_fini(&s);
}

/* Carries what node 0 says, which is cut off in the simulation, but for some
 * datagrams with data. */
struct lossy_way {
	struct sim *s;
	int n_lost; /* of those to come */
};

static void carry_some(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	struct lossy_way *t = ctx;
	struct rd left = { bytes, len };
	bool has_data = false;
	enum verdict why;
	struct msg m;

	while (from == 0 && wire_next(&left, &m, &why) == WIRE_MSG)
		has_data |= msg_is_data(&m);
	if (has_data && t->n_lost)
		t->n_lost--;
	else if (from == 0)
		sim_forge(t->s, 0, 1, bytes, len);
}

/* Entries of a walk are lost, and so is what was sent of them after the walk,
 * while others arrive. */
static void test_a_later_number_proves_no_walk(void **state)
{
	struct sim s;
	struct lossy_way t = { .s = &s, .n_lost = 1 };
	bool is_walked = false;

	(void)state;
	sim_init(&s, 3, 2);
	s.faults.delay_ms = 50;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 100; i++)
		sim_flow_new(&s, 0, i);
	sim_run(&s, 20000);
	assert_true(sim_is_complete(&s));
	s.tap = carry_some;
	s.tap_ctx = &t;
	s.is_cut_way[0][1] = true;
	sim_ask(&s, 0, ASK_BULK);
	for (int i = 0; i < 3000; i++) {
		sim_run(&s, 1);
		if (is_walked || ftfw(&s, 0)->l.bulk.phase != BULK_PROVE)
			continue;
		is_walked = true;
		t.n_lost = 3;
		for (uint32_t k = 0; k < 25; k++)
			sim_flow_update(&s, 0, k, 7);
		sim_run(&s, 1);
		t.n_lost = 0;
		for (uint32_t k = 50; k < 90; k++)
			sim_flow_update(&s, 0, k, 7);
	}
	assert_true(is_walked);
	assert_int_equal(sim_stats(&s, 1).n_swept, 0);
	sim_fini(&s);
}

static void note_marks_to_all(void *ctx, int from, const uint8_t *bytes,
			      size_t len)
{
	struct rd left = { bytes, len };
	struct ext_alive alive;
	struct ext_record r;
	enum ext_step step;
	enum verdict why;
	struct msg m;
	int *n = ctx;

	while (from == 0 && wire_next(&left, &m, &why) == WIRE_MSG) {
		if (m.type != MSG_CTL || !(m.flags & MSG_ALIVE) ||
		    !ext_open(m.body, &alive))
			continue;
		while ((step = ext_next(&alive.records, &r)) == EXT_RECORD ||
		       step == EXT_UNKNOWN)
			*n += step == EXT_RECORD && r.type == EXT_BULK_MARK &&
			      !r.mark.node;
	}
}

/* A reference takes the place of a node that is owed a mark. */
static void test_a_mark_is_for_one_life(void **state)
{
	int n_to_all = 0;

	(void)state;
	for (int64_t when_ms = 0; when_ms < 120; when_ms += 10) {
		struct sim s;

		sim_init(&s, 3, 3);
		s.faults.delay_ms = 20;
		for (int i = 0; i < 3; i++)
			sim_start(&s, i);
		for (uint32_t i = 0; i < 500; i++)
			sim_flow_new(&s, 0, i);
		sim_run(&s, 20000);
		s.tap = note_marks_to_all;
		s.tap_ctx = &n_to_all;
		sim_ask(&s, 0, ASK_BULK);
		sim_run(&s, when_ms);
		sim_kill(&s, 1);
		sim_resume_reference(&s, 1, false);
		for (uint32_t i = 0; i < 100; i++) {
			sim_flow_new(&s, 1, i);
			sim_run(&s, 100);
		}
		sim_run(&s, 15000);
		sim_fini(&s);
	}
	assert_int_equal(n_to_all, 0);
}

/* As after 2^31 numbers without a loss. */
static void test_a_loss_counts_after_a_long_time(void **state)
{
	struct sim s;
	uint32_t window;

	(void)state;
	sim_init(&s, 3, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	sim_run(&s, 2000);
	ftfw(&s, 0)->l.bulk.shrunk_at =
		ftfw(&s, 0)->l.outbox.ring.next - 0x80000010U;
	s.faults.loss = 20;
	for (uint32_t i = 0; i < 10000; i++) {
		sim_flow_new(&s, 0, i);
		if (i % 10 == 0)
			sim_run(&s, 1);
	}
	window = ftfw(&s, 0)->l.bulk.window;
	sim_fini(&s);
	assert_in_range(window, 0, 8191);
}

/* A mark had a wrong number in it. */
static void test_a_wrong_walk_holds_up_no_later_one(void **state)
{
	struct sim s;
	struct intake_peer *in;
	const struct peer *p;

	(void)state;
	sim_init(&s, 24, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	sim_flow_new(&s, 0, 1);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	sim_run(&s, 5000);
	p = &ftfw(&s, 1)->l.roster.peers[0];
	in = &ftfw(&s, 1)->l.intake.peers[0];
	assert_true(in->has_walk);
	for (uint32_t bit = 0; bit < 32; bit++) {
		uint32_t generation = p->generation;

		in->walk ^= UINT32_C(1) << bit;
		s.nodes[0].engine->ops->ask(s.nodes[0].engine, ASK_BULK);
		sim_run(&s, 2000);
		assert_int_equal(p->generation, generation + 1);
	}
	sim_fini(&s);
}

/* For a while there is no memory for the begin mark. */
static void test_a_mark_lost_to_lack_of_memory_is_sent_later(void **state)
{
	uint64_t n_proven;
	struct sim s;

	(void)state;
	sim_init(&s, 22, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 100; i++)
		sim_flow_new(&s, 0, i);
	sim_run(&s, 5000);
	n_proven = s.nodes[0].events[ENGINE_BULK_PROVEN];
	ctl_pool_fini(
		&ftfw(&s, 0)->l.outbox.pool); /* so that one has to be had */
	sim_ask(&s, 0, ASK_BULK);
	for (int i = 0; i < 500; i++) {
		alloc_fail_after(0);
		sim_run(&s, 1);
		alloc_fail_off();
	}
	assert_true(forge_stats(&s, 0).n_no_memory > 0);
	assert_int_equal(s.nodes[0].events[ENGINE_BULK_PROVEN], n_proven);
	sim_run(&s, 5000);
	assert_int_equal(s.nodes[0].events[ENGINE_BULK_PROVEN], n_proven + 1);
	assert_int_equal(ftfw(&s, 0)->l.bulk.phase, BULK_IDLE);
	sim_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_bulk_under_loss_sweeps_nothing_that_lives),
		cmocka_unit_test(test_a_life_long_ago_is_swept_too),
		cmocka_unit_test(test_room_that_comes_back_is_used),
		cmocka_unit_test(test_one_that_never_begins_holds_up_no_bulk),
		cmocka_unit_test(test_requests_for_bulks_are_paced),
		cmocka_unit_test(test_a_wrong_walk_holds_up_no_later_one),
		cmocka_unit_test(test_a_later_number_proves_no_walk),
		cmocka_unit_test(test_a_mark_is_for_one_life),
		cmocka_unit_test(test_a_loss_counts_after_a_long_time),
		cmocka_unit_test(
			test_a_mark_lost_to_lack_of_memory_is_sent_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
