/* SPDX-License-Identifier: ISC */
/* The NOTRACK engine between nodes of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "forge.h"
#include "sync/mode.h"
#include "sync/wire.h"

static void start(struct sim *s, uint64_t seed, int n_nodes)
{
	sim_init(s, seed, n_nodes);
	s->mode = mode_notrack;
	s->faults.delay_ms = 1;
	for (int i = 0; i < n_nodes; i++)
		sim_start(s, i);
}

static void start_with_flows(struct sim *s, uint64_t seed, uint32_t n_flows)
{
	start(s, seed, 2);
	for (uint32_t i = 0; i < n_flows; i++)
		sim_flow_new(s, 0, i);
	assert_true(sim_run_until(s, 5000, sim_is_complete));
	sim_run(s, 5000); /* both are no news any more */
}

static uint64_t n_bulks(const struct sim *s, int node)
{
	return s->nodes[node].events[ENGINE_BULK_BEGINS];
}

static uint64_t n_told(const struct sim *s, enum engine_event what)
{
	return s->nodes[0].events[what] + s->nodes[1].events[what];
}

/* ---- what is said ------------------------------------------------------- */

struct said {
	uint64_t n_data, n_alive, n_resync, n_other;
};

static void note_said(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	struct said *s = ctx;
	struct rd rd = { bytes, len };
	enum verdict why;
	struct msg m;

	(void)from;
	while (wire_next(&rd, &m, &why) == WIRE_MSG)
		if (m.type <= MSG_CT_DEL && !m.flags)
			s->n_data++;
		else if (m.type == MSG_CTL && m.flags == MSG_ALIVE)
			s->n_alive++;
		else if (m.type == MSG_CTL && m.flags == MSG_RESYNC)
			s->n_resync++;
		else
			s->n_other++;
	s->n_other += rd.left != 0;
}

/* What else there is a reference takes for malformed in this mode. */
static void test_nothing_is_said_but_data_alive_and_resync(void **state)
{
	struct said said = { 0 };
	struct sim s;

	(void)state;
	start(&s, 1, 3);
	s.tap = note_said;
	s.tap_ctx = &said;
	s.faults.loss = 20;
	s.faults.reorder = 10;
	s.faults.delay_spread_ms = 20;
	for (uint32_t i = 0; i < 3000; i++) {
		sim_flow_new(&s, (int)(i % 3), i % 500);
		sim_flow_end(&s, (int)(i % 3), (i + 250) % 500);
		sim_run(&s, 3);
	}
	sim_ask(&s, 0, ASK_RESYNC);
	sim_kill(&s, 1);
	sim_start(&s, 1);
	sim_run(&s, 20000);
	assert_true(said.n_data > 3000 && said.n_alive > 50);
	assert_int_equal(said.n_resync, 1);
	assert_int_equal(said.n_other, 0);
	sim_fini(&s);
}

static void test_an_idle_node_says_once_a_second_that_it_lives(void **state)
{
	struct said said = { 0 };
	struct sim s;

	(void)state;
	start_with_flows(&s, 2, 100);
	s.tap = note_said;
	s.tap_ctx = &said;
	sim_run(&s, 20000);
	assert_in_range(said.n_alive, 38, 42);
	assert_int_equal(said.n_data, 0);
	sim_fini(&s);
}

/* The peers would think that it is another node without an id. */
static void test_a_busy_node_says_so_too(void **state)
{
	struct said said = { 0 };
	struct sim s;

	(void)state;
	start_with_flows(&s, 3, 100);
	s.tap = note_said;
	s.tap_ctx = &said;
	for (uint32_t i = 0; i < 20000; i++) {
		sim_flow_update(&s, 0, i % 100, i);
		sim_run(&s, 1);
	}
	assert_in_range(said.n_alive, 38, 42);
	sim_fini(&s);
}

/* ---- telling ------------------------------------------------------------ */

static void test_without_losses_all_is_known_at_once(void **state)
{
	struct sim s;

	(void)state;
	start_with_flows(&s, 4, 10);
	for (uint32_t i = 0; i < 1000; i++) {
		sim_flow_new(&s, 0, i % 300);
		sim_flow_update(&s, 1, i % 200, i);
		sim_flow_end(&s, 0, (i + 150) % 300);
		sim_run(&s, 3);
		assert_null(sim_difference(&s));
	}
	assert_int_equal(n_told(&s, ENGINE_PEER_LOSES), 0);
	sim_fini(&s);
}

static void test_an_end_leaves_the_cache_when_it_was_told(void **state)
{
	const struct store_stats *c;
	struct sim s;

	(void)state;
	start_with_flows(&s, 5, 100);
	for (uint32_t i = 0; i < 100; i++)
		sim_flow_end(&s, 0, i);
	sim_run(&s, 3);
	c = flow_cache_stats(s.nodes[0].internal);
	assert_int_equal(c->n_entries, 0);
	assert_int_equal(forge_n_external(&s, 1), 0);
	sim_fini(&s);
}

/* Another life of the same addresses and ports, with another translation,
 * before the end of the first one could be told. */
static void test_a_key_that_is_used_again_is_told_as_new(void **state)
{
	struct sim s;

	(void)state;
	start_with_flows(&s, 6, 500);
	for (uint32_t i = 0; i < 500; i++) {
		sim_flow_end(&s, 0, i);
		sim_flow_new(&s, 0, i);
		sim_flow_update(&s, 0, i, 7);
	}
	sim_run(&s, 30);
	assert_null(sim_difference(&s));
	sim_fini(&s);
}

/* ---- losses ------------------------------------------------------------- */

static void lose_some(struct sim *s)
{
	s->faults.loss = 30;
	for (uint32_t i = 0; i < 1000; i++) {
		sim_flow_end(s, 0, i % 500);
		sim_flow_new(s, 0, 500 + i % 500);
		sim_run(s, 1);
	}
	s->faults.loss = 0;
}

static void test_what_was_lost_is_told_anew_and_logged_once(void **state)
{
	struct sim s;

	(void)state;
	start_with_flows(&s, 7, 500);
	lose_some(&s);
	assert_non_null(sim_difference(&s));
	assert_true(sim_run_until(&s, 10000, sim_is_complete));
	sim_run(&s, 15000);
	assert_true(sim_stats(&s, 1).engine.n_lost > 100);
	assert_int_equal(n_told(&s, ENGINE_PEER_LOSES), 1);
	assert_int_equal(n_told(&s, ENGINE_PEER_LOSES_NOT), 1);
	assert_int_equal(n_told(&s, ENGINE_BULK_PROVEN), 0);
	sim_fini(&s);
}

/* The last message before silence: a sign of life shows the gap. */
static void test_a_lost_end_is_found_though_nothing_follows(void **state)
{
	struct sim s;

	(void)state;
	start_with_flows(&s, 8, 100);
	s.is_cut[1] = true;
	sim_flow_end(&s, 0, 5);
	sim_run(&s, 10);
	s.is_cut[1] = false;
	assert_int_equal(forge_n_external(&s, 1), 100);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	sim_fini(&s);
}

static void test_lost_signs_of_life_draw_no_bulk(void **state)
{
	uint64_t n[2];
	struct sim s;

	(void)state;
	start_with_flows(&s, 9, 100);
	n[0] = n_bulks(&s, 0);
	n[1] = n_bulks(&s, 1);
	s.faults.loss = 20;
	sim_run(&s, 60000);
	assert_true(sim_stats(&s, 1).engine.n_lost > 5);
	assert_int_equal(n_bulks(&s, 0), n[0]);
	assert_int_equal(n_bulks(&s, 1), n[1]);
	assert_int_equal(n_told(&s, ENGINE_PEER_LOSES), 0);
	sim_fini(&s);
}

/* On a link too bad for a bulk to come through whole. */
static void test_requests_in_vain_become_rare(void **state)
{
	uint64_t before, n;
	struct sim s;

	(void)state;
	start_with_flows(&s, 10, 3000);
	before = n_bulks(&s, 0);
	s.faults.loss = 30;
	sim_flow_new(&s, 0, 5000);
	for (uint32_t i = 0; i < 100; i++) {
		sim_flow_update(&s, 0, i, 1);
		sim_run(&s, 10);
	}
	sim_run(&s, 300000);
	n = n_bulks(&s, 0) - before;
	assert_in_range(n, 3, 12);
	s.faults.loss = 0;
	assert_true(sim_run_until(&s, 70000, sim_is_complete));
	sim_fini(&s);
}

/* A message that was overtaken would undo what is known. */
static void test_late_messages_of_a_node_undo_nothing(void **state)
{
	struct sim s;

	(void)state;
	start_with_flows(&s, 11, 50);
	s.faults.reorder = 30;
	s.faults.delay_spread_ms = 5;
	s.faults.duplicate = 10;
	for (uint32_t i = 0; i < 2000; i++) {
		sim_flow_update(&s, 0, i % 50, i);
		sim_run(&s, 1);
	}
	s.faults.reorder = s.faults.duplicate = 0;
	assert_true(sim_run_until(&s, 10000, sim_is_complete));
	assert_true(sim_stats(&s, 1).engine.n_before > 0);
	sim_fini(&s);
}

/* Ends were lost, so that there seems to be no room: a bulk makes it. */
static void test_a_cache_full_of_what_has_ended_is_asked_for(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 12, 2);
	s.mode = mode_notrack;
	s.cache_limit = 100;
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 100; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	s.is_cut[1] = true;
	for (uint32_t i = 0; i < 60; i++)
		sim_flow_end(&s, 0, i);
	sim_run(&s, 10);
	s.is_cut[1] = false;
	for (uint32_t i = 200; i < 240; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 20000, sim_is_complete));
	sim_fini(&s);
}

/* ---- bulks -------------------------------------------------------------- */

struct speed {
	const struct sim *s;
	int64_t since_ms;
	size_t n_bytes, most_bytes; /* in 10 ms */
};

static void note_speed(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	struct speed *p = ctx;

	(void)bytes;
	if (from != 0)
		return;
	if (p->s->now_ms - p->since_ms >= 10) {
		p->since_ms = p->s->now_ms;
		p->n_bytes = 0;
	}
	p->n_bytes += len;
	if (p->n_bytes > p->most_bytes)
		p->most_bytes = p->n_bytes;
}

/* A default socket buffer takes 90 datagrams. */
static void test_a_bulk_does_not_come_at_once(void **state)
{
	struct sim s;
	struct speed speed = { .s = &s };

	(void)state;
	start_with_flows(&s, 13, 20000);
	s.tap = note_speed;
	s.tap_ctx = &speed;
	sim_flush_external(&s, 1);
	sim_ask(&s, 1, ASK_RESYNC);
	assert_true(sim_run_until(&s, 20000, sim_is_complete));
	assert_in_range(speed.most_bytes, 20000, 60000);
	sim_fini(&s);
}

static void test_changes_do_not_wait_for_a_bulk(void **state)
{
	struct sim s;

	(void)state;
	start_with_flows(&s, 14, 20000);
	sim_ask(&s, 0, ASK_BULK);
	sim_run(&s, 50);
	sim_flow_end(&s, 0, 19999);
	sim_flow_new(&s, 0, 30000);
	sim_run(&s, 3);
	assert_null(sim_difference(&s));
	sim_fini(&s);
}

static void test_a_bulk_is_sent_when_the_user_wants_it(void **state)
{
	struct sim s;

	(void)state;
	start_with_flows(&s, 15, 1000);
	sim_flush_external(&s, 1);
	sim_ask(&s, 0, ASK_BULK);
	assert_true(sim_run_until(&s, 2000, sim_is_complete));
	sim_fini(&s);
}

/* ---- lives -------------------------------------------------------------- */

static void test_what_a_former_life_told_is_swept(void **state)
{
	struct sim s;

	(void)state;
	start_with_flows(&s, 16, 500);
	sim_kill(&s, 0);
	for (uint32_t i = 0; i < 400; i++)
		sim_flow_end(&s, 0, i);
	sim_resume(&s, 0);
	assert_true(sim_run_until(&s, 10000, sim_is_complete));
	assert_int_equal(forge_n_external(&s, 1), 100);
	assert_int_equal(s.nodes[1].events[ENGINE_PEER_RESTARTED], 1);
	sim_fini(&s);
}

static void test_who_comes_back_is_told_all_it_missed(void **state)
{
	struct sim s;

	(void)state;
	start_with_flows(&s, 17, 500);
	s.is_cut[1] = true;
	for (uint32_t i = 0; i < 400; i++)
		sim_flow_end(&s, 0, i);
	sim_run(&s, 30000);
	s.is_cut[1] = false;
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	assert_int_equal(s.nodes[1].events[ENGINE_PEER_SILENT], 1);
	assert_int_equal(s.nodes[1].events[ENGINE_PEER_RETURNED], 1);
	sim_fini(&s);
}

static void test_many_nodes_agree(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 18, 5);
	s.faults.loss = 5;
	for (uint32_t i = 0; i < 2000; i++) {
		sim_flow_new(&s, (int)(i % 5), i % 300);
		sim_flow_end(&s, (int)(i % 5), (i + 150) % 300);
		sim_run(&s, 2);
	}
	s.faults.loss = 0;
	assert_true(sim_run_until(&s, 70000, sim_is_complete));
	sim_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_nothing_is_said_but_data_alive_and_resync),
		cmocka_unit_test(
			test_an_idle_node_says_once_a_second_that_it_lives),
		cmocka_unit_test(test_a_busy_node_says_so_too),
		cmocka_unit_test(test_without_losses_all_is_known_at_once),
		cmocka_unit_test(test_an_end_leaves_the_cache_when_it_was_told),
		cmocka_unit_test(test_a_key_that_is_used_again_is_told_as_new),
		cmocka_unit_test(
			test_what_was_lost_is_told_anew_and_logged_once),
		cmocka_unit_test(
			test_a_lost_end_is_found_though_nothing_follows),
		cmocka_unit_test(test_lost_signs_of_life_draw_no_bulk),
		cmocka_unit_test(test_requests_in_vain_become_rare),
		cmocka_unit_test(test_late_messages_of_a_node_undo_nothing),
		cmocka_unit_test(
			test_a_cache_full_of_what_has_ended_is_asked_for),
		cmocka_unit_test(test_a_bulk_does_not_come_at_once),
		cmocka_unit_test(test_changes_do_not_wait_for_a_bulk),
		cmocka_unit_test(test_a_bulk_is_sent_when_the_user_wants_it),
		cmocka_unit_test(test_what_a_former_life_told_is_swept),
		cmocka_unit_test(test_who_comes_back_is_told_all_it_missed),
		cmocka_unit_test(test_many_nodes_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
