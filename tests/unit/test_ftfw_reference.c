/* SPDX-License-Identifier: ISC */
/* The FT-FW engine and a node that is not of our kind: it acknowledges after a
 * window of messages, or when it has sent nothing for a second
 * (PROTOCOL.md 3.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim.h"

enum { REFERENCE = SIM_NODES_MAX };

/* What the reference has heard of node 0, and said. */
struct reference {
	struct sim s;
	uint32_t heard, acked, next;
};

static void listen(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	struct reference *r = ctx;
	struct rd left = { bytes, len };
	enum verdict why;
	struct msg m;

	while (from == 0 && wire_next(&left, &m, &why) == WIRE_MSG)
		r->heard = m.seq;
}

static void say(struct reference *r, enum msg_type type, uint8_t flag)
{
	uint8_t bytes[WIRE_RANGE_LEN];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	size_t at = wire_begin(&w, type, flag, r->next++);

	if (flag == MSG_ACK) {
		wr_be32(&w, r->acked + 1);
		wr_be32(&w, r->heard);
		r->acked = r->heard;
	}
	assert_true(wire_end(&w, at));
	sim_forge(&r->s, REFERENCE, 0, bytes, w.used);
}

static void start(struct reference *r, uint64_t seed)
{
	*r = (struct reference){ .next = 1 };
	sim_init(&r->s, seed, 1);
	r->s.tap = listen;
	r->s.tap_ctx = r;
	sim_start(&r->s, 0);
	sim_run(&r->s, 10);
	r->acked = r->heard - 1;
	say(r, MSG_CTL, MSG_ACK);
	sim_run(&r->s, 10);
	assert_int_equal(r->s.nodes[0].events[ENGINE_PEER_ANSWERED], 1);
}

/* It sends all the time and gets little: its window takes long to fill. Its
 * data is malformed here, but numbered as any. */
static void test_a_busy_reference_is_not_deaf(void **state)
{
	struct reference r;

	(void)state;
	start(&r, 1);
	sim_flow_new(&r.s, 0, 1);
	for (int i = 0; i < 300; i++) {
		say(&r, MSG_CT_UPD, 0);
		sim_run(&r.s, 100);
	}
	assert_int_equal(r.s.nodes[0].events[ENGINE_PEER_DEAF], 0);
	say(&r, MSG_CTL, MSG_ACK);
	assert_int_equal(r.s.nodes[0].events[ENGINE_PEER_RETURNED], 0);
	sim_fini(&r.s);
}

static void test_a_busy_reference_that_is_sent_much_is_deaf(void **state)
{
	struct reference r;

	(void)state;
	start(&r, 2);
	for (uint32_t i = 0; i < 5000; i++) {
		sim_flow_new(&r.s, 0, i);
		if (i % 100 == 0)
			say(&r, MSG_CT_UPD, 0);
		sim_run(&r.s, 3);
	}
	assert_int_equal(r.s.nodes[0].events[ENGINE_PEER_DEAF], 1);
	sim_fini(&r.s);
}

/* An ALIVE says that it has nothing to acknowledge. */
static void
test_an_idle_reference_that_acknowledges_nothing_is_deaf(void **state)
{
	struct reference r;

	(void)state;
	start(&r, 3);
	sim_flow_new(&r.s, 0, 1);
	for (int i = 0; i < 13; i++) {
		say(&r, MSG_CTL, MSG_ALIVE);
		sim_run(&r.s, 1000);
	}
	assert_int_equal(r.s.nodes[0].events[ENGINE_PEER_DEAF], 1);
	sim_fini(&r.s);
}

/* It acknowledges what it has heard in the last second, or says ALIVE. */
static void test_an_idle_reference_is_not_deaf(void **state)
{
	struct reference r;

	(void)state;
	start(&r, 4);
	for (uint32_t i = 0; i < 3000; i++) {
		if (i % 103 == 0)
			sim_flow_new(&r.s, 0, i);
		if (i % 10 == 0 && r.acked != r.heard)
			say(&r, MSG_CTL, MSG_ACK);
		else if (i % 10 == 0)
			say(&r, MSG_CTL, MSG_ALIVE);
		sim_run(&r.s, 100);
	}
	assert_int_equal(r.s.nodes[0].events[ENGINE_PEER_DEAF], 0);
	sim_fini(&r.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_busy_reference_is_not_deaf),
		cmocka_unit_test(
			test_a_busy_reference_that_is_sent_much_is_deaf),
		cmocka_unit_test(
			test_an_idle_reference_that_acknowledges_nothing_is_deaf),
		cmocka_unit_test(test_an_idle_reference_is_not_deaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
