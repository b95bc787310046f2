/* SPDX-License-Identifier: ISC */
/* The FT-FW engine and a peer that says no more than a reference does: what
 * becomes of its numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim.h"
#include "sync/wire.h"

enum { PLAIN = SIM_NODES_MAX };

static void say_alive(struct sim *s, uint32_t seq)
{
	uint8_t bytes[WIRE_HEADER_LEN];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	size_t at = wire_begin(&w, MSG_CTL, MSG_ALIVE, seq);

	assert_true(wire_end(&w, at));
	sim_forge(s, PLAIN, 0, bytes, w.used);
}

static struct engine_stats stats_of(struct sim *s)
{
	struct engine_stats out;

	s->nodes[0].engine->ops->stats(s->nodes[0].engine, &out);
	return out;
}

static void start_one(struct sim *s)
{
	sim_init(s, 1, 1);
	sim_start(s, 0);
}

static void test_each_lost_number_is_counted_once(void **state)
{
	static const struct {
		uint32_t seq, lost, before;
	} steps[] = {
		{ 1000, 0, 0 },  { 1001, 0, 0 },  { 1003, 1, 0 },
		{ 1004, 1, 0 },  { 1014, 10, 0 }, { 1014, 10, 1 },
		{ 1005, 10, 2 }, { 1015, 10, 2 },
	};
	struct sim s;

	(void)state;
	start_one(&s);
	for (size_t i = 0; i < N_ELEMENTS(steps); i++) {
		say_alive(&s, steps[i].seq);
		assert_int_equal(stats_of(&s).n_lost, steps[i].lost);
		assert_int_equal(stats_of(&s).n_before, steps[i].before);
	}
	sim_fini(&s);
}

/* A reference whose clock was set back has no HELLO for it (PROTOCOL.md 1.4).
 */
static void test_numbers_that_fall_back_are_believed_after_a_while(void **state)
{
	uint32_t old = 90000, now = 500, i;
	struct sim s;

	(void)state;
	start_one(&s);
	for (i = 0; i < 10; i++) {
		say_alive(&s, old + i);
		sim_run(&s, 1000);
	}
	for (i = 0; i < 3; i++) { /* might be a replay yet */
		say_alive(&s, now + i);
		sim_run(&s, 500);
	}
	assert_int_equal(stats_of(&s).n_before, 3);
	for (; i < 30; i++) {
		say_alive(&s, now + i);
		sim_run(&s, 1000);
	}
	/* from then on none is late */
	assert_true(stats_of(&s).n_before < 15);
	assert_int_equal(stats_of(&s).n_lost, 0);
	sim_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_lost_number_is_counted_once),
		cmocka_unit_test(
			test_numbers_that_fall_back_are_believed_after_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
