/* SPDX-License-Identifier: ISC */
/* The NOTRACK engine and a peer that says no more than a reference does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "forge.h"
#include "sync/mode.h"
#include "sync/wire.h"
#include "sync/wire_flow.h"

static void start_one(struct sim *s, uint32_t n_flows)
{
	sim_init(s, 1, 1);
	s->mode = mode_notrack;
	sim_start(s, 0);
	for (uint32_t i = 0; i < n_flows; i++)
		sim_flow_new(s, 0, i);
	sim_run(s, 5000);
}

static uint64_t n_verdicts(struct sim *s, enum verdict v)
{
	return sim_stats(s, 0).n_verdicts[v];
}

static void say(struct sim *s, uint8_t type, uint8_t flags, uint32_t seq)
{
	struct forged *d = forge_open();
	size_t at = wire_begin(&d->w, type, flags, seq);

	if (type == MSG_CTL && (flags & (MSG_ACK | MSG_NACK | MSG_RESYNC))) {
		wr_be32(&d->w, 0);
		wr_be32(&d->w, 0);
	}
	assert_true(wire_end(&d->w, at));
	forge_say(s, FORGE_STRANGER, 0, d);
}

static void say_flow(struct sim *s, uint8_t type, uint8_t flags, uint32_t seq,
		     uint16_t port)
{
	const struct wire_flow_opts opts = { .send_timeout = true };
	struct flow f = { .family = FAMILY_IPV4, .l4proto = L4_TCP };
	struct forged *d = forge_open();
	size_t at = wire_begin(&d->w, type, flags, seq);

	f.has = FLOW_PORTS;
	f.orig.sport = port;
	wire_flow_encode(&d->w, &opts, &f);
	assert_true(wire_end(&d->w, at));
	forge_say(s, FORGE_STRANGER, 0, d);
}

static void test_what_this_mode_does_not_know_is_malformed(void **state)
{
	static const struct {
		uint8_t type, flags;
		enum verdict v;
	} cases[] = {
		{ MSG_CTL, MSG_ALIVE, VERDICT_OK },
		{ MSG_CTL, MSG_RESYNC, VERDICT_OK },
		{ MSG_CTL, MSG_ALIVE | MSG_HELLO, VERDICT_OK },
		{ MSG_CTL, MSG_ACK, VERDICT_BAD_HEADER },
		{ MSG_CTL, MSG_NACK, VERDICT_BAD_HEADER },
		{ MSG_CTL, MSG_ACK | MSG_HELLO, VERDICT_BAD_HEADER },
		{ MSG_CTL, MSG_HELLO, VERDICT_BAD_HEADER },
		{ MSG_CTL, 0, VERDICT_BAD_HEADER },
		{ MSG_CT_NEW, 1, VERDICT_BAD_HEADER },
		{ MSG_CT_NEW, MSG_ALIVE, VERDICT_BAD_HEADER },
		{ 7, 0, VERDICT_BAD_HEADER },
	};
	struct sim s;

	(void)state;
	start_one(&s, 0);
	for (uint32_t i = 0; i < N_ELEMENTS(cases); i++) {
		uint64_t before = n_verdicts(&s, cases[i].v);

		say(&s, cases[i].type, cases[i].flags, 100 + i);
		assert_int_equal(n_verdicts(&s, cases[i].v), before + 1);
	}
	sim_fini(&s);
}

/* An FT-FW node of the reference says HELLO with everything, at first. */
static void test_data_with_hello_is_taken(void **state)
{
	struct sim s;

	(void)state;
	start_one(&s, 0);
	say_flow(&s, MSG_CT_NEW, MSG_HELLO, 1, 80);
	say_flow(&s, MSG_CT_NEW, MSG_HELLO | MSG_HELLO_BACK, 2, 81);
	assert_int_equal(forge_n_external(&s, 0), 2);
	sim_fini(&s);
}

static void test_nothing_of_a_reference_is_dropped_for_its_number(void **state)
{
	static const struct {
		uint32_t seq, lost, before;
	} steps[] = {
		{ 1000, 0, 0 },  { 1001, 0, 0 }, { 1003, 1, 0 },
		{ 1002, 1, 1 },  { 1004, 1, 1 }, { 1004, 1, 2 },
		{ 90000, 1, 3 }, { 5, 1, 4 },    { 1005, 1, 4 },
	};
	struct sim s;

	(void)state;
	start_one(&s, 0);
	for (uint32_t i = 0; i < N_ELEMENTS(steps); i++) {
		say_flow(&s, MSG_CT_NEW, 0, steps[i].seq, (uint16_t)i);
		assert_int_equal(forge_stats(&s, 0).n_lost, steps[i].lost);
		assert_int_equal(forge_stats(&s, 0).n_before, steps[i].before);
		assert_int_equal(forge_n_external(&s, 0), i + 1);
	}
	sim_fini(&s);
}

struct heard {
	uint32_t n_new, n_other, n_resync;
};

static void note_heard(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	struct heard *h = ctx;
	struct rd rd = { bytes, len };
	enum verdict why;
	struct msg m;

	(void)from;
	while (wire_next(&rd, &m, &why) == WIRE_MSG) {
		h->n_new += m.type == MSG_CT_NEW;
		h->n_other += m.type != MSG_CT_NEW && m.type != MSG_CTL;
		h->n_resync += m.type == MSG_CTL && (m.flags & MSG_RESYNC);
	}
}

static void test_a_resync_is_answered_with_all_as_new(void **state)
{
	struct heard h = { 0 };
	struct sim s;

	(void)state;
	start_one(&s, 500);
	say(&s, MSG_CTL, MSG_ALIVE, 1);
	sim_run(&s, 5000);
	s.tap = note_heard;
	s.tap_ctx = &h;
	say(&s, MSG_CTL, MSG_RESYNC, 2);
	sim_run(&s, 3000);
	assert_int_equal(h.n_new, 500);
	assert_int_equal(h.n_other, 0);
	sim_fini(&s);
}

/* It would send all it has at once. */
static void test_a_reference_is_asked_for_nothing_unasked(void **state)
{
	struct heard h = { 0 };
	struct sim s;

	(void)state;
	start_one(&s, 10);
	s.tap = note_heard;
	s.tap_ctx = &h;
	for (uint32_t seq = 1; seq < 400; seq += 1 + (seq % 10 == 0)) {
		say(&s, MSG_CTL, MSG_ALIVE, seq);
		sim_run(&s, 100);
	}
	assert_int_equal(s.nodes[0].events[ENGINE_PEER_LOSES], 1);
	assert_int_equal(h.n_resync, 0);
	sim_ask(&s, 0, ASK_RESYNC);
	sim_run(&s, 20000);
	assert_int_equal(h.n_resync, 1);
	sim_fini(&s);
}

static void test_a_request_at_the_start_comes_right_after_the_name(void **state)
{
	struct heard h = { 0 };
	struct sim s;

	(void)state;
	sim_init(&s, 2, 1);
	s.mode = mode_notrack;
	s.tap = note_heard;
	s.tap_ctx = &h;
	sim_start(&s, 0);
	sim_ask(&s, 0, ASK_RESYNC);
	sim_run(&s, 2);
	assert_int_equal(h.n_resync, 1);
	assert_int_equal(s.nodes[0].n_sent, 1);
	sim_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_what_this_mode_does_not_know_is_malformed),
		cmocka_unit_test(test_data_with_hello_is_taken),
		cmocka_unit_test(
			test_nothing_of_a_reference_is_dropped_for_its_number),
		cmocka_unit_test(test_a_resync_is_answered_with_all_as_new),
		cmocka_unit_test(test_a_reference_is_asked_for_nothing_unasked),
		cmocka_unit_test(
			test_a_request_at_the_start_comes_right_after_the_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
