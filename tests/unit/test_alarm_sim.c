/* SPDX-License-Identifier: ISC */
/* What Mode ALARM promises, with nodes in virtual time: what is told again
 * stays at the peers, what is not goes, and a second costs what is due in it.
 * With FULL the table has the size of a firewall's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim.h"
#include "sync/alarm_state.h"
#include "sync/mode.h"

enum {
	MINUTES = 10,
	REFRESH_S = 5,
	CACHE_TIMEOUT_S = 30,
	GONE_S = CACHE_TIMEOUT_S + 3, /* as long as an entry may outlive it */
	FEW = 500,
	MANY = 100000,
};

static uint32_t table_size(void)
{
	return getenv("FULL") ? MANY : FEW;
}

static void start(struct sim *s, int n_nodes)
{
	sim_init(s, 1, n_nodes);
	s->mode = mode_alarm;
	s->refresh_s = REFRESH_S;
	s->cache_timeout_s = CACHE_TIMEOUT_S;
	for (int i = 0; i < n_nodes; i++)
		sim_start(s, i);
}

static uint32_t n_external(const struct sim *s, int node)
{
	return flow_cache_stats(s->nodes[node].external_cache)->n_active;
}

/* Flows begin over a minute, each at its time. */
static void begin_flows(struct sim *s, int node, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		sim_flow_new(s, node, i);
		if (i % (n / 100) == 0)
			sim_run(s, 600);
	}
}

static void test_what_is_told_again_stays(void **state)
{
	uint32_t n = table_size();
	struct sim s;

	(void)state;
	start(&s, 2);
	begin_flows(&s, 0, n);
	for (int minute = 0; minute < MINUTES; minute++) {
		sim_run(&s, 60000);
		assert_int_equal(n_external(&s, 1), n);
	}
	assert_true(sim_is_complete(&s));
	assert_int_equal(sim_stats(&s, 1).n_expired, 0);
	assert_int_equal(sim_malformed(&s, 1), 0);
	sim_fini(&s);
}

static void test_what_is_not_told_any_more_goes(void **state)
{
	uint32_t n = table_size();
	struct sim s;

	(void)state;
	start(&s, 3);
	begin_flows(&s, 0, n);
	begin_flows(&s, 1, FEW);
	sim_run(&s, 2000);
	assert_int_equal(n_external(&s, 2), n + FEW);
	sim_kill(&s, 0);
	sim_run(&s, (CACHE_TIMEOUT_S - REFRESH_S - 2) * 1000);
	assert_int_equal(n_external(&s, 2), n + FEW);
	sim_run(&s, (GONE_S - CACHE_TIMEOUT_S + REFRESH_S + 2) * 1000);
	assert_int_equal(n_external(&s, 2), FEW);
	assert_int_equal(sim_stats(&s, 2).n_expired, n);
	assert_true(sim_is_complete(&s));
	sim_fini(&s);
}

/* An end that is lost is not told again: the entry outlives its flow, but not
 * for longer than CacheTimeout. */
static void test_a_lost_end_is_made_good_by_expiry(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 2);
	begin_flows(&s, 0, FEW);
	s.is_cut_way[0][1] = true;
	for (uint32_t i = 0; i < FEW / 2; i++)
		sim_flow_end(&s, 0, i);
	sim_run(&s, 1000);
	s.is_cut_way[0][1] = false;
	sim_run(&s, 10000);
	assert_int_equal(n_external(&s, 1), FEW);
	sim_run(&s, (GONE_S - 10) * 1000);
	assert_int_equal(n_external(&s, 1), FEW / 2);
	assert_true(sim_is_complete(&s));
	sim_fini(&s);
}

/* What is lost is told again within RefreshTime and a second; an entry goes
 * only if all that told of it within CacheTimeout is lost: at 20 % five words
 * and more, so of 500 entries none in most of the minutes. */
static void test_loss_takes_little_away_and_nothing_for_long(void **state)
{
	struct sim s;

	(void)state;
	start(&s, 2);
	s.faults.loss = 20;
	begin_flows(&s, 0, FEW);
	sim_run(&s, 30000);
	for (int second = 0; second < MINUTES * 60; second++) {
		sim_run(&s, 1000);
		assert_in_range(n_external(&s, 1), FEW - 5, FEW);
	}
	assert_in_range(sim_stats(&s, 1).n_expired, 0, MINUTES * 2);
	s.faults.loss = 0;
	sim_run(&s, (REFRESH_S + 1) * 1000);
	assert_true(sim_is_complete(&s));
	sim_fini(&s);
}

/* Whatever waits longer is not looked at. */
static void test_a_second_costs_what_is_due_in_it(void **state)
{
	static const uint32_t sizes[] = { 100, 1000, 10000 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(sizes); i++) {
		const struct alarm *a;
		uint64_t steps, told, ticks = 10 * 1000 / WHEEL_TICK_MS;
		struct sim s;

		sim_init(&s, 1, 1);
		s.mode = mode_alarm;
		s.refresh_s = 3600;
		s.cache_timeout_s = 7200;
		sim_start(&s, 0);
		a = CONTAINER_OF(s.nodes[0].engine, struct alarm, base);
		for (uint32_t k = 0; k < sizes[i]; k++)
			sim_flow_dumped(&s, 0, k);
		sim_run(&s, 5000);
		steps = a->wheel.n_steps;
		told = a->next_seq;
		sim_run(&s, 10000);
		steps = a->wheel.n_steps - steps;
		told = a->next_seq - (uint32_t)told;
		assert_in_range(told, 10, 10 + sizes[i] / 100);
		/* each tick once, and once more to see when the next is due */
		assert_in_range(steps, 1, 3 * ticks + 4 * told);
		sim_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_told_again_stays),
		cmocka_unit_test(test_what_is_not_told_any_more_goes),
		cmocka_unit_test(test_a_lost_end_is_made_good_by_expiry),
		cmocka_unit_test(
			test_loss_takes_little_away_and_nothing_for_long),
		cmocka_unit_test(test_a_second_costs_what_is_due_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
