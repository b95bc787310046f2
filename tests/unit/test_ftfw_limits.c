/* SPDX-License-Identifier: ISC */
/* The FT-FW engine after a long time, or with little room: nothing that is
 * counted, held or numbered runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim.h"
#include "sync/ftfw_state.h"

static void forge_control(struct sim *s, int from, uint8_t flag, uint32_t seq,
			  uint32_t number)
{
	uint8_t bytes[WIRE_RANGE_LEN];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	size_t at = wire_begin(&w, MSG_CTL, flag, seq);

	if (flag == MSG_ACK) {
		wr_be32(&w, number);
		wr_be32(&w, number);
	}
	assert_true(wire_end(&w, at));
	sim_forge(s, from, 0, bytes, w.used);
}

static struct ftfw *ftfw(struct sim *s, int node)
{
	return CONTAINER_OF(s->nodes[node].engine, struct ftfw, base);
}

/* A node alone holds what it has sent, and says ALIVE once a second: these
 * numbers need slots too. */
static void test_a_node_alone_lives_longer_than_its_ring(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 1, 2);
	s.resend_queue_size = 1; /* made 4096 */
	sim_start(&s, 0);
	sim_flow_new(&s, 0, 1);
	for (int i = 0; i < 6000; i++) {
		s.now_ms += 990; /* nothing happens */
		sim_run(&s, 10);
	}
	sim_start(&s, 1);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	sim_fini(&s);
}

/* Nobody acknowledges the many control messages that gaps make: the ring is
 * full of them, but signs of life go on, and nobody asks for more at once. */
static void test_control_messages_leave_slots_to_announcements(void **state)
{
	const int stranger = SIM_NODES_MAX;
	uint32_t seq = 1;
	struct sim s;
	uint64_t before;

	(void)state;
	sim_init(&s, 2, 2);
	s.has_first_seq = true;
	s.first_seq = 1000;
	s.resend_queue_size = 1;
	sim_start(&s, 0);
	sim_run(&s, 10);
	forge_control(&s, stranger, MSG_ACK, seq++, 1000); /* it hears us */
	sim_run(&s, 3000); /* a new node announces itself more often */
	for (int i = 0; i < 1000; i++) {
		for (int k = 0; k < 3; k++, seq += 2)
			forge_control(&s, stranger, MSG_ALIVE, seq, 0);
		sim_run(&s, 1);
	}
	before = s.nodes[0].n_sent;
	for (int i = 0; i < 1500; i++) {
		sim_run(&s, 1);
		assert_true(s.nodes[0].engine->ops->due_ms(s.nodes[0].engine) >=
			    s.now_ms - 1);
	}
	assert_in_range(s.nodes[0].n_sent - before, 1, 3);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 100; i++)
		sim_flow_new(&s, 0, i);
	assert_true(sim_run_until(&s, 20000, sim_is_complete));
	sim_fini(&s);
}

/* Changes n flows of node 0 in each of so many milliseconds. */
static void load(struct sim *s, uint32_t n, int64_t ms)
{
	for (uint32_t i = 0; ms > 0; ms--) {
		for (uint32_t k = 0; k < n; k++, i++)
			sim_flow_update(s, 0, i % 1000, 1 + i + (uint32_t)ms);
		sim_run(s, 1);
	}
}

/* More numbers pass than a jump may have, and the one that missed them is to
 * hear again although there is never a pause. */
static void test_a_long_absence_under_load_does_not_make_deaf(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 3, 2);
	sim_start(&s, 0);
	sim_start(&s, 1);
	sim_run(&s, 2000);
	s.is_cut[1] = true;
	load(&s, 100, 22000);
	s.is_cut[1] = false;
	load(&s, 30, 10000);
	assert_int_equal(flow_cache_stats(s.nodes[1].external_cache)->n_active,
			 1000);
	assert_true(sim_run_until(&s, 200, sim_is_complete));
	sim_fini(&s);
}

/* Half the numbers there are have passed since a flow was last sent. */
static void test_a_bulk_has_flows_of_long_ago(void **state)
{
	struct sim s;
	uint32_t id = FLOW_CACHE_NO_ID;
	uint32_t i = 0;

	(void)state;
	sim_init(&s, 4, 2);
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t k = 0; k < 100; k++)
		sim_flow_new(&s, 0, k);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	while ((id = flow_cache_next(s.nodes[0].internal, id)) !=
	       FLOW_CACHE_NO_ID)
		flow_cache_head(s.nodes[0].internal, id)->last_seq -=
			i++ * UINT32_C(0x02900000);
	sim_kill(&s, 1);
	sim_start(&s, 1);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	sim_fini(&s);
}

/* The dead that nobody waits for give way to the living. */
static void test_flows_of_a_node_alone_find_room(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 5, 2);
	s.cache_limit = 1000;
	sim_start(&s, 0);
	for (uint32_t i = 0; i < 3000; i++) {
		sim_flow_new(&s, 0, i);
		sim_run(&s, 1);
		sim_flow_end(&s, 0, i);
		sim_run(&s, 1);
	}
	for (uint32_t i = 0; i < 800; i++) {
		sim_flow_new(&s, 0, i);
		sim_run(&s, 1);
	}
	assert_int_equal(flow_cache_stats(s.nodes[0].internal)->n_active, 800);
	assert_int_equal(
		flow_cache_stats(s.nodes[0].internal)->n_create_no_space, 0);
	sim_start(&s, 1);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	sim_fini(&s);
}

/* A node of ours comes in the place of a silent reference, which is owed the
 * ends of flows. */
static void test_what_a_reference_was_owed_goes_with_it(void **state)
{
	const int stranger = SIM_NODES_MAX;
	uint8_t bytes[64];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	const struct ext_record name = { .type = EXT_STABLE_NAME,
					 .name = { 77 } };
	struct sim s;
	size_t at;

	(void)state;
	sim_init(&s, 6, 1);
	s.has_first_seq = true;
	s.first_seq = 1000;
	s.resend_queue_size = 4096;
	sim_start(&s, 0);
	for (uint32_t i = 1; i <= 5; i++) { /* no doubt what it is */
		forge_control(&s, stranger, MSG_ALIVE, i, 0);
		sim_run(&s, 1000);
	}
	forge_control(&s, stranger, MSG_ACK, 6, 1000);
	for (uint32_t i = 0; i < 8000; i++)
		sim_flow_new(&s, 0, i);
	sim_run(&s, 15000);
	for (uint32_t i = 0; i < 8000; i++)
		sim_flow_end(&s, 0, i);
	sim_run(&s, 15000);
	assert_true(ftfw(&s, 0)->l.outbox.kept.n > 0);
	at = wire_begin(&w, MSG_CTL, MSG_ALIVE, 5000);
	ext_begin(&w, EXT_CAP_ADDRESSED_ACK, 77);
	ext_add(&w, &name);
	assert_true(wire_end(&w, at));
	sim_forge(&s, stranger, 0, bytes, w.used);
	sim_run(&s, 30000);
	assert_int_equal(ftfw(&s, 0)->l.outbox.kept.n, 0);
	sim_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_node_alone_lives_longer_than_its_ring),
		cmocka_unit_test(
			test_control_messages_leave_slots_to_announcements),
		cmocka_unit_test(
			test_a_long_absence_under_load_does_not_make_deaf),
		cmocka_unit_test(test_a_bulk_has_flows_of_long_ago),
		cmocka_unit_test(test_flows_of_a_node_alone_find_room),
		cmocka_unit_test(test_what_a_reference_was_owed_goes_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
