/* SPDX-License-Identifier: ISC */
/* The FT-FW engine where something has come to its end: slots of the ring,
 * places of a peer, half of all numbers, the way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "forge.h"
#include "sync/ftfw_state.h"

static struct ftfw *ftfw(struct sim *s, int node)
{
	return CONTAINER_OF(s->nodes[node].engine, struct ftfw, base);
}

/* A pair; node 0 has filled its ring, and hears nothing of node 1 any more. */
static void fill_ring(struct sim *s)
{
	sim_init(s, 3, 2);
	s->resend_queue_size = 4096;
	s->faults.delay_ms = 1;
	sim_start(s, 0);
	sim_start(s, 1);
	sim_run(s, 5000);
	s->is_cut_way[1][0] = true;
	for (uint32_t i = 0; i < 6000; i++)
		sim_flow_new(s, 0, i);
	sim_run(s, 100);
}

static void change_link(struct sim *s)
{
	s->nodes[0].engine->ops->link_changed(s->nodes[0].engine);
	s->nodes[0].wake_us = 0;
	sim_run(s, 1);
}

/* Each of eight places is owed many acknowledgements, for which there are not
 * slots enough. */
static void test_acks_take_no_more_slots_than_there_are(void **state)
{
	(void)state;
	for (int n_taken = 0; n_taken < 100; n_taken += 9) {
		struct sim s;

		fill_ring(&s);
		for (int i = 0; i < n_taken; i++)
			change_link(&s);
		for (uint32_t k = 0; k < 20; k++) {
			for (uint32_t p = 0; p < 8; p++) {
				struct forged *d = forge_open();

				for (uint32_t i = 0; i < 16; i++)
					forge_range(d, MSG_RESYNC,
						    400000000U * p + 32 * k +
							    2 * i,
						    0, 0);
				forge_say(&s, FORGE_STRANGER + (int)p, 0, d);
			}
			sim_run(&s, 101);
		}
		assert_in_range(ring_free(&ftfw(&s, 0)->l.outbox.ring), 1,
				4096);
		sim_fini(&s);
	}
}

static uint64_t turns_in(struct sim *s, int64_t ms)
{
	uint64_t before = s->nodes[0].n_turns;

	sim_run(s, ms);
	return s->nodes[0].n_turns - before;
}

static void test_what_has_no_slot_for_its_announcement_waits(void **state)
{
	struct sim s;

	(void)state;
	fill_ring(&s);
	for (int i = 0; i < 2000 && ring_free(&ftfw(&s, 0)->l.outbox.ring); i++)
		change_link(&s);
	change_link(&s);
	assert_in_range(turns_in(&s, 500), 0, 100);
	sim_fini(&s);
}

/* The walk stopped amid entries to skip; then changes filled the ring. */
static void test_a_walk_waits_for_a_full_ring(void **state)
{
	struct sim s;
	struct ftfw *f;
	uint8_t bytes[1500];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };

	(void)state;
	sim_init(&s, 3, 2);
	s.resend_queue_size = 4096;
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	sim_run(&s, 5000);
	for (uint32_t i = 0; i < 6000; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 20000, sim_is_complete));
	sim_run(&s, 5000);
	s.is_cut_way[1][0] = true;
	f = ftfw(&s, 0);
	f->l.bulk.phase = BULK_WALK;
	f->l.bulk.round++;
	f->l.bulk.begin_seq = f->l.outbox.ring.next;
	f->l.bulk.position = 0;
	for (uint32_t id = 1; id <= 5000; id++)
		flow_cache_head(s.nodes[0].internal, id)->round =
			f->l.bulk.round;
	(void)s.nodes[0].engine->ops->fill(s.nodes[0].engine, &w, 1472,
					   s.now_ms);
	assert_true(f->is_scanning);
	for (uint32_t i = 0; i < 6000; i++)
		sim_flow_update(&s, 0, i, 7);
	assert_in_range(turns_in(&s, 2000), 0, 1000);
	sim_fini(&s);
}

/* As after 2^31 messages of a reference in order. */
static void test_acks_cover_no_more_than_half_of_all_numbers(void **state)
{
	struct sim s;
	struct order *o;

	(void)state;
	sim_init(&s, 3, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_resume_reference(&s, 1, true);
	sim_run(&s, 5000);
	for (uint32_t i = 0; i < 1000; i++)
		sim_flow_new(&s, 1, i);
	sim_run(&s, 8000);
	o = &ftfw(&s, 0)->l.orders[0];
	assert_int_equal(o->n_runs, 1);
	o->runs[0].from = o->last - 0x80000000U + 500;
	for (uint32_t i = 1000; i < 9000; i++) {
		sim_flow_new(&s, 1, i);
		if (i % 10 == 0)
			sim_run(&s, 1);
	}
	sim_run(&s, 8000);
	assert_int_equal(sim_reference_stats(s.nodes[1].reference).n_malformed,
			 0);
	sim_fini(&s);
}

/* The fourth change of address of a reference. */
static void test_a_reference_stays_known_at_its_fifth_place(void **state)
{
	struct sim s;
	uint32_t seq = 5000;
	uint64_t n_found = 0;

	(void)state;
	sim_init(&s, 3, 1);
	sim_start(&s, 0);
	for (int place = 0; place < 5; place++) {
		int n = place == 4 ? 240 : 40;

		seq += 100000;
		for (int i = 0; i < n; i++) {
			struct forged *d = forge_open();

			if (i == 40)
				n_found = s.nodes[0].events[ENGINE_PEER_FOUND];
			forge_alive(d, seq++);
			forge_say(&s, FORGE_STRANGER + place, 0, d);
			sim_run(&s, 1000);
		}
		if (place < 4)
			sim_run(&s, 12000);
	}
	assert_in_range(s.nodes[0].events[ENGINE_PEER_FOUND] - n_found, 0, 1);
	sim_fini(&s);
}

/* Its counters went to the one that it was merged into. */
static void test_what_is_merged_is_counted_once(void **state)
{
	struct sim s;
	struct forged *d;
	uint32_t seq = 5000;
	uint64_t before;

	(void)state;
	sim_init(&s, 3, 1);
	sim_start(&s, 0);
	for (int i = 0; i < 5; i++) {
		d = forge_open();
		forge_alive(d, seq++);
		forge_alive(d, seq + 9);
		seq += 10;
		forge_say(&s, FORGE_STRANGER, 0, d);
		sim_run(&s, 1000);
	}
	sim_run(&s, 12000);
	before = forge_stats(&s, 0).n_lost;
	assert_true(before > 0);
	d = forge_open();
	forge_alive(d, seq + 1000000);
	forge_say(&s, FORGE_STRANGER + 1, 0, d);
	sim_run(&s, 2000);
	assert_int_equal(forge_stats(&s, 0).n_lost, before);
	sim_fini(&s);
}

/* For an hour nothing comes back: that is no round trip. */
static void test_a_silence_is_not_a_long_way(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < 30; k++) {
		struct sim s;

		sim_init(&s, 3 + k, 2);
		s.faults.delay_ms = 1;
		sim_start(&s, 0);
		sim_start(&s, 1);
		sim_run(&s, 5000);
		for (uint32_t i = 0; i < 300 + 50 * k; i++) {
			sim_flow_new(&s, 0, i);
			sim_run(&s, 30);
		}
		s.is_cut_way[1][0] = true;
		for (uint32_t i = 10000; i < 10400; i++) {
			sim_flow_new(&s, 0, i);
			sim_run(&s, 30);
		}
		sim_run(&s, 3600000 + 37 * k);
		s.is_cut_way[1][0] = false;
		sim_run(&s, 2000);
		assert_in_range(ftfw(&s, 0)->l.outbox.peers[0].rtt_ms, 0, 1000);
		sim_fini(&s);
	}
}

/* Ten datagrams from anywhere, each from another place. */
static void test_a_stray_draws_no_bulk(void **state)
{
	struct sim s;
	uint64_t n;

	(void)state;
	sim_init(&s, 3, 3);
	s.faults.delay_ms = 1;
	for (int i = 0; i < 3; i++)
		sim_start(&s, i);
	for (uint32_t i = 0; i < 1000; i++)
		sim_flow_new(&s, 1, i);
	sim_run(&s, 30000);
	n = s.nodes[1].events[ENGINE_BULK_BEGINS] +
	    s.nodes[2].events[ENGINE_BULK_BEGINS];
	for (uint32_t k = 0; k < 10; k++) {
		struct forged *d = forge_open();

		forge_range(d, MSG_RESYNC, 123456 + 100000 * k, 0, 0);
		forge_say(&s, FORGE_STRANGER + (int)k, 0, d);
		sim_run(&s, 12000);
	}
	n = s.nodes[1].events[ENGINE_BULK_BEGINS] +
	    s.nodes[2].events[ENGINE_BULK_BEGINS] - n;
	assert_int_equal(n, 0);
	sim_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acks_take_no_more_slots_than_there_are),
		cmocka_unit_test(
			test_what_has_no_slot_for_its_announcement_waits),
		cmocka_unit_test(test_a_walk_waits_for_a_full_ring),
		cmocka_unit_test(
			test_acks_cover_no_more_than_half_of_all_numbers),
		cmocka_unit_test(
			test_a_reference_stays_known_at_its_fifth_place),
		cmocka_unit_test(test_what_is_merged_is_counted_once),
		cmocka_unit_test(test_a_silence_is_not_a_long_way),
		cmocka_unit_test(test_a_stray_draws_no_bulk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
