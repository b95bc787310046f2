/* SPDX-License-Identifier: ISC */
/* The NOTRACK engine of nodes that have no internal cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "forge.h"
#include "sync/mode.h"
#include "sync/wire.h"

enum { FLOWS = 500 };

static void start(struct sim *s, uint64_t seed, int n_nodes, uint32_t n_flows)
{
	sim_init(s, seed, n_nodes);
	s->mode = mode_notrack;
	s->is_bypassed = true;
	s->faults.delay_ms = 1;
	for (int i = 0; i < n_nodes; i++)
		sim_start(s, i);
	for (uint32_t i = 0; i < n_flows; i++)
		sim_flow_new(s, 0, i);
	assert_true(sim_run_until(s, 5000, sim_is_complete));
	sim_run(s, 5000);
}

static uint32_t n_kept(const struct sim *s, int node)
{
	return flow_cache_stats(s->nodes[node].internal)->n_entries;
}

/* Until the next change, which is told at once. */
static void test_changes_are_told_at_once_and_not_kept(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 1, 2, 10);
	for (uint32_t i = 0; i < 200; i++)
		sim_flow_new(&s, 1, i);
	for (uint32_t i = 0; i < 1000; i++) {
		sim_flow_new(&s, 0, i % 300);
		sim_flow_update(&s, 1, i % 200, i);
		sim_flow_end(&s, 0, (i + 150) % 300);
		sim_run(&s, 3);
		assert_null(sim_difference(&s));
		assert_int_equal(n_kept(&s, 0), 0);
	}
	sim_fini(&s);
}

/* A key that is used again, and what changes before it was told. */
static void test_changes_at_once_are_one(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 2, 2, FLOWS);
	for (uint32_t i = 0; i < FLOWS; i++) {
		sim_flow_end(&s, 0, i);
		if (i % 3) {
			sim_flow_new(&s, 0, i);
			sim_flow_update(&s, 0, i, 7);
		}
		if (i % 3 == 1)
			sim_flow_end(&s, 0, i);
	}
	sim_run(&s, 30);
	assert_null(sim_difference(&s));
	assert_int_equal(n_kept(&s, 0), 0);
	sim_fini(&s);
}

struct said {
	uint64_t n_new, n_update, n_end;
};

static void note_said(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	struct said *s = ctx;
	struct rd rd = { bytes, len };
	enum verdict why;
	struct msg m;

	(void)from;
	while (wire_next(&rd, &m, &why) == WIRE_MSG) {
		s->n_new += m.type == MSG_CT_NEW;
		s->n_update += m.type == MSG_CT_UPD;
		s->n_end += m.type == MSG_CT_DEL;
	}
}

static void test_messages_are_of_the_type_of_the_event(void **state)
{
	struct said said = { 0 };
	struct sim s;

	(void)state;
	start(&s, 3, 2, 10);
	s.tap = note_said;
	s.tap_ctx = &said;
	sim_flow_new(&s, 0, 20);
	sim_run(&s, 10);
	sim_flow_update(&s, 0, 20, 7);
	sim_flow_update(&s, 0, 5, 7);
	sim_run(&s, 10);
	sim_flow_end(&s, 0, 20);
	sim_run(&s, 10);
	assert_int_equal(said.n_new, 1);
	assert_int_equal(said.n_update, 2);
	assert_int_equal(said.n_end, 1);
	sim_fini(&s);
}

static void test_a_bulk_is_fetched(void **state)
{
	struct said said = { 0 };
	struct sim s;

	(void)state;
	start(&s, 4, 2, FLOWS);
	sim_flush_external(&s, 1);
	s.tap = note_said;
	s.tap_ctx = &said;
	sim_ask(&s, 0, ASK_BULK);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	assert_int_equal(said.n_new, FLOWS);
	sim_flush_external(&s, 1);
	sim_ask(&s, 1, ASK_RESYNC);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	assert_int_equal(n_kept(&s, 0), 0);
	sim_fini(&s);
}

/* Those that it does not hear of go. */
static void test_what_was_lost_a_bulk_makes_up_for(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 5, 3, FLOWS);
	s.faults.loss = 30;
	for (uint32_t i = 0; i < 1000; i++) {
		sim_flow_end(&s, 0, i % FLOWS);
		sim_flow_new(&s, 0, FLOWS + i % FLOWS);
		sim_flow_update(&s, 0, FLOWS + (i * 7) % FLOWS, i);
		sim_run(&s, 1);
	}
	s.faults.loss = 0;
	assert_true(sim_run_until(&s, 90000, sim_is_complete));
	sim_fini(&s);
}

static void test_another_life_tells_all(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 6, 2, FLOWS);
	sim_kill(&s, 0);
	for (uint32_t i = 0; i < FLOWS / 2; i++)
		sim_flow_end(&s, 0, i);
	for (uint32_t i = FLOWS; i < 2 * FLOWS; i++)
		sim_flow_new(&s, 0, i);
	sim_resume(&s, 0);
	assert_true(sim_run_until(&s, 20000, sim_is_complete));
	assert_int_equal(forge_n_external(&s, 1), FLOWS + FLOWS / 2);
	/* and who has lost all is told all */
	sim_kill(&s, 1);
	sim_resume(&s, 1);
	assert_true(sim_run_until(&s, 20000, sim_is_complete));
	sim_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes_are_told_at_once_and_not_kept),
		cmocka_unit_test(test_changes_at_once_are_one),
		cmocka_unit_test(test_messages_are_of_the_type_of_the_event),
		cmocka_unit_test(test_a_bulk_is_fetched),
		cmocka_unit_test(test_what_was_lost_a_bulk_makes_up_for),
		cmocka_unit_test(test_another_life_tells_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
