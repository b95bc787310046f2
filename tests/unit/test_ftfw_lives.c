/* SPDX-License-Identifier: ISC */
/* Who is there, in which of its lives, and who is not: changes of link,
 * restarts, names that are no proof, places that are heard once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "forge.h"
#include "sync/ftfw_state.h"

static struct ftfw *ftfw(struct sim *s, int node)
{
	return CONTAINER_OF(s->nodes[node].engine, struct ftfw, base);
}

/* Node 0 goes over to its second link: the same node from another place, data
 * first. 1,000 new flows a second, each lives for one; 100 others stay. */
static uint32_t change_link_at(uint32_t when, uint64_t *refused)
{
	struct sim s;
	struct forge_way r = { .s = &s,
			       .from = 0,
			       .to = 1,
			       .as = FORGE_STRANGER,
			       .is_both_ways = true };
	uint32_t n;

	sim_init(&s, 4, 2);
	s.faults.delay_ms = 1;
	s.tap = forge_carry;
	s.tap_ctx = &r;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 100; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	for (uint32_t t = 0; t < 5000; t++) {
		if (t == when) {
			s.is_cut[0] = true;
			r.is_open = true;
		}
		if (t < 4000)
			sim_flow_new(&s, 0, 1000 + t);
		if (t >= 1000)
			sim_flow_end(&s, 0, t);
		sim_run(&s, 1);
	}
	sim_run(&s, 120000);
	s.nodes[0].engine->ops->ask(s.nodes[0].engine, ASK_BULK);
	sim_run(&s, 10000);
	n = forge_n_external(&s, 1);
	*refused = sim_stats(&s, 1).n_not_owner;
	sim_fini(&s);
	return n;
}

static void test_another_link_is_not_another_node(void **state)
{
	uint32_t n_bad = 0;

	(void)state;
	for (uint32_t when = 2000; when < 2200; when += 10) {
		uint64_t refused;
		uint32_t n = change_link_at(when, &refused);

		n_bad += n != 100;
	}
	assert_int_equal(n_bad, 0);
}

/* The first datagram of a new life, with its name, is lost; it comes from
 * another place (other link, new address). The peer has traffic. */
static uint32_t restart_elsewhere(int64_t offset_ms)
{
	struct sim s;
	struct forge_way r = { .s = &s,
			       .from = 0,
			       .to = 1,
			       .as = FORGE_STRANGER,
			       .is_both_ways = true,
			       .n_lost = 1 };
	uint32_t n;

	sim_init(&s, 12, 2);
	s.faults.delay_ms = 1;
	s.tap = forge_carry;
	s.tap_ctx = &r;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 100; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	sim_run(&s, 5000);
	sim_kill(&s, 0);
	sim_run(&s, 12000 + offset_ms);
	s.is_cut[0] = true;
	r.is_open = true;
	sim_start(&s, 0); /* rebooted: no flows */
	for (uint32_t i = 0; i < 2000; i++) {
		sim_flow_update(&s, 1, i % 50, 1 + i);
		sim_run(&s, 1);
	}
	sim_run(&s, 60000);
	n = forge_n_external(&s, 1);
	sim_fini(&s);
	return n;
}

static void test_a_life_whose_first_word_is_lost_is_known(void **state)
{
	uint32_t n_bad = 0;

	(void)state;
	for (int64_t offset_ms = 0; offset_ms < 1000; offset_ms += 50)
		n_bad += restart_elsewhere(offset_ms) != 0;
	assert_int_equal(n_bad, 0);
}

/* Node 2 hears us no more, which we notice, and then dies for good. */
static void test_a_deaf_node_that_dies_is_forgotten(void **state)
{
	struct sim s;
	struct forge_way r = {
		.s = &s, .from = 2, .to = 0, .as = 2, .is_open = true
	};
	uint64_t before[2];

	(void)state;
	sim_init(&s, 5, 3);
	s.faults.delay_ms = 1;
	for (int i = 0; i < 3; i++)
		sim_start(&s, i);
	for (uint32_t i = 0; i < 1000; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	s.tap = forge_carry;
	s.tap_ctx = &r;
	s.is_cut[2] = true; /* but for the way 2 to 0 */
	sim_flow_new(&s, 0, 5000);
	sim_run(&s, 12000);
	assert_int_equal(s.nodes[0].events[ENGINE_PEER_DEAF], 1);
	sim_kill(&s, 2);
	sim_run(&s, 60000);
	before[0] = s.nodes[0].n_sent;
	before[1] = s.nodes[1].n_sent;
	sim_run(&s, 600000);
	assert_in_range(s.nodes[0].n_sent - before[0], 590, 700);
	assert_in_range(s.nodes[1].n_sent - before[1], 590, 700);
	sim_fini(&s);
}

/* Node 2 is heard from its start on but hears nothing for 5 s. Two others. */
static void test_who_hears_us_late_gets_all_there_was_before(void **state)
{
	struct sim s;
	struct forge_way r = {
		.s = &s, .from = 2, .to = 0, .as = 2, .is_open = true
	};

	(void)state;
	sim_init(&s, 2, 3);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_new(&s, 0, i);
	sim_run(&s, 5000);
	s.tap = forge_carry;
	s.tap_ctx = &r;
	s.is_cut[2] = true;
	sim_start(&s, 2);
	sim_run(&s, 5000);
	r.is_open = false;
	s.is_cut[2] = false;
	sim_run(&s, 120000);
	assert_int_equal(forge_n_external(&s, 2), 500);
	sim_fini(&s);
}

/* 63 places acknowledge one number each and are never heard again. */
static void test_the_silent_make_room_though_they_answered(void **state)
{
	struct sim s;
	struct forged *d;

	(void)state;
	sim_init(&s, 10, 2);
	s.faults.delay_ms = 1;
	s.has_first_seq = true;
	s.first_seq = 1000;
	sim_start(&s, 0);
	sim_run(&s, 10);
	for (int i = 0; i < 64; i++) {
		d = forge_open();
		forge_range(d, MSG_ACK, 1, 1000, 1000);
		forge_say(&s, FORGE_STRANGER + i, 0, d);
	}
	s.has_first_seq = false;
	for (int i = 0; i < 3600; i++) {
		s.now_ms += 980;
		sim_run(&s, 20);
	}
	for (uint32_t i = 0; i < 100; i++)
		sim_flow_new(&s, 0, i);
	sim_start(&s, 1);
	sim_flow_new(&s, 1, 1);
	sim_run(&s, 60000);
	assert_int_equal(forge_n_external(&s, 0), 1);
	sim_fini(&s);
}

/* Machines that are copies of one image may have one machine id and one host
 * name, and so one stable name. */
static void test_two_nodes_of_one_name_are_two_nodes(void **state)
{
	uint32_t n_bad = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sim s;

		sim_init(&s, seed, 3);
		s.faults.delay_ms = 1;
		s.faults.loss = 5;
		for (int i = 0; i < 3; i++) {
			sim_start(&s, i);
			ftfw(&s, i)->l.o.name[0] = 1;
			for (uint32_t k = 0; k < 100; k++)
				sim_flow_dumped(&s, i, k);
			sim_run(&s, (int64_t)sim_random(&s, 5000));
		}
		sim_run(&s, 20000);
		s.faults.loss = 0;
		sim_run(&s, 120000);
		n_bad += !sim_is_complete(&s);
		sim_fini(&s);
	}
	assert_int_equal(n_bad, 0);
}

/* From a place of its own, knowing no number of anybody: the name of node 0 is
 * in every announcement of it. Two datagrams take its flows away; one every
 * two seconds keeps it out. */
static void test_a_name_is_no_proof(void **state)
{
	struct sim s;
	struct forged *d;
	struct ext_record r[3] = { { .type = EXT_STABLE_NAME,
				     .name = { 1, 0xaa } },
				   { .type = EXT_BULK_MARK },
				   { .type = EXT_BULK_MARK } };
	uint32_t seq = 4711, held;

	(void)state;
	sim_init(&s, 15, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	r[1].mark.phase = EXT_BULK_BEGIN;
	r[2].mark.phase = EXT_BULK_END;
	r[1].mark.walk = r[2].mark.walk = 1;
	for (int i = 0; i < 2; i++) {
		d = forge_open();
		forge_announcement(d, seq++, 0xbad, r, 3);
		forge_say(&s, FORGE_STRANGER, 1, d);
	}
	sim_run(&s, 10);
	held = forge_n_external(&s, 1);
	for (int i = 0; i < 60; i++) {
		d = forge_open();
		forge_announcement(d, seq++, 0xbad, r, 1);
		forge_say(&s, FORGE_STRANGER, 1, d);
		for (uint32_t k = 0; k < 20; k++)
			sim_flow_new(&s, 0, 1000 + (uint32_t)i * 20 + k);
		sim_run(&s, 2000);
	}
	assert_int_equal(held, 500);
	sim_fini(&s);
}

/* A life that was forged (or late) is taken back: what it said must go. */
static void test_what_a_forged_life_has_said_is_repaired(void **state)
{
	struct sim s;
	struct forged *d;
	struct ext_record r[3] = { { .type = EXT_STABLE_NAME,
				     .name = { 1, 0xaa } },
				   { .type = EXT_BULK_MARK },
				   { .type = EXT_BULK_MARK } };

	(void)state;
	sim_init(&s, 17, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	sim_run(&s, 10000);
	r[1].mark.phase = EXT_BULK_BEGIN;
	r[2].mark.phase = EXT_BULK_END;
	r[1].mark.walk = r[2].mark.walk = 1;
	for (uint32_t i = 0; i < 2; i++) {
		d = forge_open();
		forge_announcement(d, 4711 + i, 0xbad, r, 3);
		forge_say(&s, 0, 1, d);
	}
	sim_run(&s, 300000);
	assert_int_equal(forge_n_external(&s, 1), 500);
	sim_fini(&s);
}

/* A copy of a machine that was made while it ran: both have the same id, name
 * and numbers. */
static void test_two_nodes_of_one_id_become_two(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 7, 3);
	s.faults.delay_ms = 1;
	s.has_first_seq = true;
	s.first_seq = 1000;
	for (int i = 0; i < 3; i++)
		sim_start(&s, i);
	memcpy(ftfw(&s, 1)->l.o.name, ftfw(&s, 0)->l.o.name, EXT_NAME_SIZE);
	ftfw(&s, 1)->l.o.node = ftfw(&s, 0)->l.o.node;
	for (uint32_t i = 0; i < 100; i++) {
		sim_flow_new(&s, 0, i);
		sim_flow_new(&s, 1, i);
		sim_flow_new(&s, 2, i);
	}
	for (uint32_t i = 0; i < 50; i++) {
		sim_run(&s, 100);
		sim_flow_update(&s, 0, i, 1);
	}
	sim_run(&s, 30000);
	assert_int_equal(s.nodes[0].events[ENGINE_NODE_ID_TWICE] +
				 s.nodes[1].events[ENGINE_NODE_ID_TWICE],
			 1);
	assert_true(ftfw(&s, 0)->l.o.node != ftfw(&s, 1)->l.o.node);
	assert_true(sim_is_complete(&s));
	sim_fini(&s);
}

/* A wrong number, far ahead, was taken for the newest one. Nobody is owed an
 * answer. */
static void test_nobody_is_silent_for_a_number(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 5, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	sim_flow_new(&s, 0, 1);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	sim_run(&s, 5000);
	ftfw(&s, 1)->l.orders[0].last += 1 << 21;
	sim_run(&s, 30000);
	assert_true(ftfw(&s, 1)->l.roster.peers[0].is_live);
	/* whatever was taken for its words meanwhile */
	assert_int_equal(s.nodes[0].events[ENGINE_PEER_ASKS_BULK], 1);
	sim_flow_update(&s, 0, 1, 7);
	sim_run(&s, 3000);
	assert_true(sim_is_complete(&s));
	sim_fini(&s);
}

static void announce(struct sim *s, int place, uint32_t seq, uint64_t node,
		     uint8_t name)
{
	const struct ext_record r = { .type = EXT_STABLE_NAME,
				      .name = { name } };
	struct forged *d = forge_open();

	forge_announcement(d, seq, node, &r, 1);
	forge_say(s, place, 0, d);
}

static struct peer *peer_with(struct sim *s, uint64_t node)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &ftfw(s, 0)->l.roster.peers[i];

		if (p->is_used && p->node == node)
			return p;
	}
	return NULL;
}

static void test_one_wrong_name_is_not_believed(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 9, 1);
	sim_start(&s, 0);
	for (uint32_t i = 0; i < 3; i++) {
		announce(&s, FORGE_STRANGER, 10 + i, 0xa, 1);
		sim_run(&s, 500);
	}
	announce(&s, FORGE_STRANGER, 13, 0xa, 2);
	assert_int_equal(peer_with(&s, 0xa)->name[0], 1);
	announce(&s, FORGE_STRANGER, 14, 0xa, 2);
	assert_int_equal(peer_with(&s, 0xa)->name[0], 2);
	sim_fini(&s);
}

/* Two new nodes have the name of one that has fallen silent a moment ago. */
static void test_claims_by_turns_are_judged(void **state)
{
	struct sim s;
	uint32_t seq = 10;

	(void)state;
	sim_init(&s, 9, 1);
	sim_start(&s, 0);
	for (uint32_t i = 0; i < 3; i++) {
		announce(&s, FORGE_STRANGER, seq++, 0xa, 1);
		sim_run(&s, 1000);
	}
	for (uint32_t i = 0; i < 7; i++) {
		announce(&s, FORGE_STRANGER + 1, 1000000 + i, 0xb, 1);
		sim_run(&s, 500);
		announce(&s, FORGE_STRANGER + 2, 2000000 + i, 0xc, 1);
		sim_run(&s, 500);
	}
	assert_non_null(peer_with(&s, 0xb));
	sim_fini(&s);
}

/* It says an id, which is not believed yet, and then a plain message that a
 * reference might say. */
static void test_who_says_an_id_is_no_reference(void **state)
{
	struct sim s;
	struct peer *p = NULL;
	struct forged *d;

	(void)state;
	sim_init(&s, 9, 1);
	sim_start(&s, 0);
	for (uint32_t i = 0; i < 3; i++) { /* whose name it has */
		announce(&s, FORGE_STRANGER, 10 + i, 0xa, 1);
		sim_run(&s, 1000);
	}
	d = forge_open();
	forge_range(d, MSG_RESYNC, 500000, 0, 0);
	forge_say(&s, FORGE_STRANGER + 1, 0, d);
	for (uint32_t i = 0; i < 4; i++) {
		announce(&s, FORGE_STRANGER, 13 + i, 0xa, 1);
		sim_run(&s, 1000);
	}
	announce(&s, FORGE_STRANGER + 1, 700000, 0xb, 1);
	d = forge_open();
	forge_range(d, MSG_RESYNC | MSG_HELLO, 700001, 0, 0);
	forge_say(&s, FORGE_STRANGER + 1, 0, d);
	for (int i = 0; i < PEER_MAX && !p; i++)
		if (ftfw(&s, 0)->l.roster.peers[i].is_used &&
		    !ftfw(&s, 0)->l.roster.peers[i].node)
			p = &ftfw(&s, 0)->l.roster.peers[i];
	assert_non_null(p);
	assert_false(p->is_reference);
	sim_fini(&s);
}

/* While nothing comes back, a reference takes the place of the other node. It
 * hears of flows, and then of no end of them. */
static void test_ends_are_held_for_whoever_comes(void **state)
{
	struct sim s;
	struct flow_cache *external;

	(void)state;
	sim_init(&s, 9, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	sim_run(&s, 3000);
	sim_kill(&s, 1);
	s.is_cut_way[1][0] = true;
	sim_resume_reference(&s, 1, true);
	for (uint32_t i = 0; i < 50; i++)
		sim_flow_new(&s, 0, i);
	sim_run(&s, 1000);
	external = sim_reference_external(s.nodes[1].reference);
	assert_int_equal(flow_cache_stats(external)->n_active, 50);
	s.is_cut_way[0][1] = true;
	for (uint32_t i = 0; i < 50; i++)
		sim_flow_end(&s, 0, i);
	sim_run(&s, 15000);
	s.is_cut_way[0][1] = s.is_cut_way[1][0] = false;
	sim_run(&s, 60000);
	assert_int_equal(flow_cache_stats(external)->n_active, 0);
	sim_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_link_is_not_another_node),
		cmocka_unit_test(test_a_life_whose_first_word_is_lost_is_known),
		cmocka_unit_test(test_a_deaf_node_that_dies_is_forgotten),
		cmocka_unit_test(
			test_who_hears_us_late_gets_all_there_was_before),
		cmocka_unit_test(
			test_the_silent_make_room_though_they_answered),
		cmocka_unit_test(test_two_nodes_of_one_name_are_two_nodes),
		cmocka_unit_test(test_a_name_is_no_proof),
		cmocka_unit_test(test_two_nodes_of_one_id_become_two),
		cmocka_unit_test(test_one_wrong_name_is_not_believed),
		cmocka_unit_test(test_claims_by_turns_are_judged),
		cmocka_unit_test(test_who_says_an_id_is_no_reference),
		cmocka_unit_test(test_ends_are_held_for_whoever_comes),
		cmocka_unit_test(test_nobody_is_silent_for_a_number),
		cmocka_unit_test(test_what_a_forged_life_has_said_is_repaired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
