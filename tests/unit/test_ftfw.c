/* SPDX-License-Identifier: ISC */
/* The FT-FW engine in the simulation: once traffic stops, the external caches
 * equal the internal ones, whatever happened on the link before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim.h"

enum { SEEDS = 6 };

static void churn(struct sim *s, int node, uint32_t n_flows, int64_t ms)
{
	for (int64_t t = 0; t < ms; t++) {
		for (int k = 0; k < 4; k++) {
			uint32_t flow = (uint32_t)sim_random(s, n_flows);

			switch (sim_random(s, 4)) {
			case 0:
				sim_flow_end(s, node, flow);
				break;
			case 1:
				sim_flow_new(s, node, flow);
				break;
			default:
				sim_flow_update(s, node, flow,
						(uint32_t)sim_random(s, 1000));
			}
		}
		sim_run(s, 1);
	}
}

static void test_two_nodes_learn_of_each_other(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 1, 2);
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_new(&s, 0, i);
	for (uint32_t i = 0; i < 300; i++)
		sim_flow_new(&s, 1, i);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	sim_flow_end(&s, 0, 7);
	sim_flow_update(&s, 0, 8, 42);
	assert_true(sim_run_until(&s, 3000, sim_is_complete));
	assert_int_equal(sim_malformed(&s, 0) + sim_malformed(&s, 1), 0);
	sim_fini(&s);
}

static void test_a_late_node_gets_all_there_was_before_it(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 2, 2);
	sim_start(&s, 0);
	for (uint32_t i = 0; i < 30000; i++)
		sim_flow_dumped(&s, 0, i);
	sim_run(&s, 2000);
	sim_start(&s, 1);
	assert_true(sim_run_until(&s, 10000, sim_is_complete));
	assert_true(s.nodes[0].events[ENGINE_BULK_PROVEN] >= 1);
	sim_fini(&s);
}

static const struct sim_faults weather[] = {
	{ .loss = 1, .delay_ms = 1 },
	{ .loss = 5, .delay_ms = 1 },
	{ .loss = 20, .delay_ms = 3 },
	{ .loss = 40, .delay_ms = 1 },
	{ .reorder = 25, .delay_spread_ms = 10, .delay_ms = 1 },
	{ .duplicate = 10, .delay_ms = 1 },
	{ .loss = 5,
	  .duplicate = 10,
	  .reorder = 25,
	  .delay_ms = 2,
	  .delay_spread_ms = 20 },
	{ .delay_ms = 1, .bytes_per_s = 2 * SIM_PAYLOAD * 1000, .queue_ms = 1 },
};

static void test_caches_agree_once_traffic_stops(void **state)
{
	(void)state;
	for (size_t w = 0; w < N_ELEMENTS(weather); w++)
		for (uint64_t seed = 1; seed <= SEEDS; seed++) {
			struct sim s;

			sim_init(&s, seed + 100 * w, 2);
			s.faults = weather[w];
			sim_start(&s, 0);
			sim_start(&s, 1);
			churn(&s, 0, 2000, 1500);
			churn(&s, 1, 2000, 500);
			if (!sim_run_until(&s, 60000, sim_is_complete))
				fail_msg("weather %zu, seed %u", w,
					 (unsigned int)seed);
			sim_fini(&s);
		}
}

static void
test_a_killed_node_comes_back_and_nothing_of_its_dead_life_stays(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 2 * SEEDS; seed++) {
		struct sim s;
		int dead = (int)(seed % 2);

		sim_init(&s, seed, 2);
		s.faults.delay_ms = 1;
		s.faults.loss = seed % 3 ? 0 : 10;
		sim_start(&s, 0);
		sim_start(&s, 1);
		churn(&s, 0, 3000, 1000);
		churn(&s, 1, 3000, 1000);
		sim_kill(&s, dead);
		/* What happened there while it was dead: half is gone. */
		sim_run(&s, (int64_t)sim_random(&s, 15000));
		sim_start(&s, dead);
		for (uint32_t i = 0; i < 3000; i += 2)
			sim_flow_dumped(&s, dead, i);
		churn(&s, dead, 3000, 300);
		if (!sim_run_until(&s, 60000, sim_is_complete))
			fail_msg("seed %u", (unsigned int)seed);
		sim_fini(&s);
	}
}

static void test_a_partition_heals(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct sim s;

		sim_init(&s, seed, 2);
		s.faults.delay_ms = 1;
		sim_start(&s, 0);
		sim_start(&s, 1);
		churn(&s, 0, 2000, 1000);
		s.is_cut[1] = true;
		churn(&s, 0, 2000, 1000);
		churn(&s, 1, 2000, 1000);
		sim_run(&s, (int64_t)sim_random(&s, 20000));
		s.is_cut[1] = false;
		if (!sim_run_until(&s, 60000, sim_is_complete))
			fail_msg("seed %u", (unsigned int)seed);
		sim_fini(&s);
	}
}

static void test_more_changes_than_the_ring_holds_are_not_lost(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 3, 2);
	s.faults.loss = 10;
	s.faults.delay_ms = 2;
	s.resend_queue_size = 1; /* made 4096 */
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 50000; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 60000, sim_is_complete));
	sim_fini(&s);
}

static void test_four_nodes_all_sending_with_loss(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 4, 4);
	s.faults.loss = 2;
	s.faults.delay_ms = 1;
	for (int i = 0; i < 4; i++)
		sim_start(&s, i);
	for (int i = 0; i < 4; i++)
		churn(&s, i, 2000, 500);
	assert_true(sim_run_until(&s, 60000, sim_is_complete));
	sim_kill(&s, 2);
	churn(&s, 0, 2000, 500);
	sim_start(&s, 2);
	churn(&s, 2, 1000, 200);
	assert_true(sim_run_until(&s, 60000, sim_is_complete));
	sim_fini(&s);
}

static void
test_idle_nodes_exchange_little_more_than_signs_of_life(void **state)
{
	struct sim s;
	uint64_t before;

	(void)state;
	sim_init(&s, 5, 2);
	s.ack_window = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	sim_flow_new(&s, 0, 1);
	sim_run(&s, 30000);
	before = s.nodes[0].n_sent + s.nodes[1].n_sent;
	sim_run(&s, 100000);
	/* 100 announcements each, and the few that acknowledge. */
	assert_in_range(s.nodes[0].n_sent + s.nodes[1].n_sent - before, 198,
			250);
	sim_fini(&s);
}

static void test_dead_entries_do_not_stay(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 6, 2);
	s.faults.loss = 5;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 5000; i++)
		sim_flow_new(&s, 0, i);
	sim_run(&s, 3000);
	for (uint32_t i = 0; i < 5000; i++)
		sim_flow_end(&s, 0, i);
	sim_run(&s, 10000);
	assert_true(sim_is_complete(&s));
	assert_int_equal(flow_cache_stats(s.nodes[0].internal)->n_entries, 0);
	sim_fini(&s);
}

/* Type of the last message on a flow that node 0 sent. */
static void note_type(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	struct rd left = { bytes, len };
	enum verdict why;
	struct msg m;

	while (from == 0 && wire_next(&left, &m, &why) == WIRE_MSG)
		if (msg_is_data(&m))
			*(uint8_t *)ctx = m.type;
}

/* A connection that reuses the addresses and ports of one that ended just now
 * is another one, with another translation: a message of type UPD would leave
 * the old translation at whoever merges it. */
static void test_the_next_life_of_a_flow_is_told_as_new(void **state)
{
	uint8_t type = MSG_CTL;
	struct sim s;

	(void)state;
	sim_init(&s, 7, 2);
	s.tap = note_type;
	s.tap_ctx = &type;
	sim_start(&s, 0);
	sim_start(&s, 1);
	sim_flow_new(&s, 0, 1);
	sim_run(&s, 2000);
	assert_int_equal(type, MSG_CT_NEW);
	sim_flow_update(&s, 0, 1, 5);
	sim_run(&s, 10);
	assert_int_equal(type, MSG_CT_UPD);
	sim_flow_end(&s, 0, 1);
	sim_flow_new(&s, 0, 1);
	sim_flow_update(&s, 0, 1, 6);
	sim_run(&s, 10);
	assert_int_equal(type, MSG_CT_NEW);
	sim_flow_update(&s, 0, 1, 7);
	sim_run(&s, 10);
	assert_int_equal(type, MSG_CT_UPD);
	assert_true(sim_is_complete(&s));
	sim_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_nodes_learn_of_each_other),
		cmocka_unit_test(test_a_late_node_gets_all_there_was_before_it),
		cmocka_unit_test(test_caches_agree_once_traffic_stops),
		cmocka_unit_test(
			test_a_killed_node_comes_back_and_nothing_of_its_dead_life_stays),
		cmocka_unit_test(test_a_partition_heals),
		cmocka_unit_test(
			test_more_changes_than_the_ring_holds_are_not_lost),
		cmocka_unit_test(test_four_nodes_all_sending_with_loss),
		cmocka_unit_test(
			test_idle_nodes_exchange_little_more_than_signs_of_life),
		cmocka_unit_test(test_dead_entries_do_not_stay),
		cmocka_unit_test(test_the_next_life_of_a_flow_is_told_as_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
