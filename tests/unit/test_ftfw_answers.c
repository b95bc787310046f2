/* SPDX-License-Identifier: ISC */
/* What is acknowledged and asked for, and when that is given up: long ways,
 * long silences, gaps, bad links, and whoever makes us work for nothing. */
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

/* A peer that sends all the time and is sent nothing but acknowledgements owes
 * no answer to those. */
static void test_who_owes_only_acks_is_not_deaf(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 1, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 200; i++) /* the backup has flows too */
		sim_flow_new(&s, 1, i);
	sim_run(&s, 2000);
	for (uint32_t i = 0; i < 60000; i++) {
		if (i % 10 == 0)
			sim_flow_update(&s, 0, i % 500, 1 + i);
		sim_run(&s, 1);
	}
	assert_int_equal(s.nodes[1].events[ENGINE_PEER_DEAF], 0);
	sim_fini(&s);
}

/* A queue of 3.6 s each way (a slow link with deep buffers). */
static void test_a_slow_way_is_not_a_loss(void **state)
{
	struct sim s;
	uint64_t before;

	(void)state;
	sim_init(&s, 6, 2);
	s.faults.delay_ms = 3600;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 1000; i++)
		sim_flow_new(&s, 0, i);
	sim_run(&s, 30000);
	for (uint32_t i = 0; i < 500; i++)
		sim_flow_end(&s, 0, i);
	sim_run(&s, 300000);
	before = s.nodes[0].n_sent;
	sim_run(&s, 100000);
	assert_in_range(s.nodes[0].n_sent - before, 90, 150);
	assert_int_equal(flow_cache_stats(s.nodes[0].internal)->n_entries, 500);
	sim_fini(&s);
}

/* Idle for longer than the ring has slots: 69 minutes, 36 hours with 131072. */
static void test_the_first_ack_after_a_long_silence_counts(void **state)
{
	struct sim s;
	int64_t began;

	(void)state;
	sim_init(&s, 7, 2);
	s.faults.delay_ms = 1;
	s.resend_queue_size = 1; /* made 4096 */
	sim_start(&s, 0);
	sim_start(&s, 1);
	sim_flow_new(&s, 0, 1);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	for (int i = 0; i < 4200; i++) {
		s.now_ms += 980;
		sim_run(&s, 20);
	}
	began = s.now_ms;
	for (uint32_t i = 10; i < 110; i++)
		sim_flow_new(&s, 0, i);
	do
		sim_run(&s, 10);
	while (forge_stats(&s, 0).n_outstanding && s.now_ms < began + 20000);
	assert_int_equal(forge_stats(&s, 0).n_foreign, 0);
	sim_fini(&s);
}

/* Ranges over all that is held, again and again, by one that owes one number
 * only: what it says at last is not looked at, but is a moment later. */
static void test_a_datagram_of_ranges_is_looked_at_for_so_long(void **state)
{
	static struct ext_record r[3260];
	const int n = N_ELEMENTS(r);
	struct forged *d;
	uint32_t first, last;
	struct sim s;

	(void)state;
	sim_init(&s, 11, 1);
	s.has_first_seq = true;
	s.first_seq = 1000;
	sim_start(&s, 0);
	sim_run(&s, 10);
	for (uint32_t i = 0; i < 97000; i++) /* nobody is there: all is held */
		sim_flow_new(&s, 0, i);
	sim_run(&s, 200);
	for (int i = 0; i < n; i++)
		r[i] = (struct ext_record){ .type = EXT_ACK };
	r[0].range.node = s.nodes[0].node_id;
	r[0].range.from = r[0].range.to = 1000;
	d = forge_open();
	forge_announcement(d, 1, 77, r, 1); /* it hears us: all is sent again */
	forge_say(&s, FORGE_STRANGER, 0, d);
	sim_run(&s, 200);
	first = ftfw(&s, 0)->l.outbox.ring.first;
	last = ftfw(&s, 0)->l.outbox.ring.next - 1;
	while (!ring_debtors(&ftfw(&s, 0)->l.outbox.ring, last))
		last--;
	for (int i = 0; i < n; i++) {
		r[i].range.node = s.nodes[0].node_id;
		r[i].range.from = first + 1;
		r[i].range.to = last - 1;
	}
	r[n - 1].range.from = r[n - 1].range.to = last;
	d = forge_open();
	forge_announcement(d, 2, 77, r, n);
	forge_say(&s, FORGE_STRANGER, 0, d);
	assert_true(ring_debtors(&ftfw(&s, 0)->l.outbox.ring, first));
	assert_true(ring_debtors(&ftfw(&s, 0)->l.outbox.ring, last));
	assert_false(ring_debtors(&ftfw(&s, 0)->l.outbox.ring, last - 1));
	sim_run(&s, 1);
	d = forge_open();
	forge_announcement(d, 3, 77, &r[n - 1], 1);
	forge_say(&s, FORGE_STRANGER, 0, d);
	assert_false(ring_debtors(&ftfw(&s, 0)->l.outbox.ring, last));
	sim_fini(&s);
}

/* One that answers once in five seconds and makes gaps: every gap is an ACK
 * and a NACK, held, and sent again, for nobody acknowledges them. */
static void
test_gaps_of_a_peer_that_answers_do_not_fill_the_memory(void **state)
{
	struct sim s;
	struct forged *d;
	struct ext_record r = { .type = EXT_ACK };
	uint32_t seq = 100;
	uint64_t before;

	(void)state;
	sim_init(&s, 16, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	sim_run(&s, 3000);
	for (int t = 0; t < 5000; t++) {
		if (t % 2500 == 0) {
			r.range.node = ftfw(&s, 1)->l.o.node;
			r.range.from = r.range.to =
				ftfw(&s, 1)->l.outbox.ring.next - 1;
			d = forge_open();
			forge_announcement(d, seq++, 0xbad, &r, 1);
			forge_say(&s, FORGE_STRANGER, 1, d);
		}
		d = forge_open();
		for (int k = 0; k < 180; k++, seq += 2) {
			forge_alive(d, seq);
		}
		forge_say(&s, FORGE_STRANGER, 1, d);
		sim_run(&s, 1);
	}
	before = s.nodes[1].n_sent;
	for (int t = 0; t < 60; t++) {
		if (t % 5 == 0) { /* one small datagram in 5 s */
			r.range.from = r.range.to =
				ftfw(&s, 1)->l.outbox.ring.next - 1;
			d = forge_open();
			forge_announcement(d, seq++, 0xbad, &r, 1);
			forge_say(&s, FORGE_STRANGER, 1, d);
		}
		sim_run(&s, 1000);
	}
	assert_in_range(s.nodes[1].n_sent - before, 60, 2000);
	sim_fini(&s);
}

/* Eight idle nodes without a flow; one datagram in five is lost. */
static void test_idle_nodes_on_a_bad_link_do_not_storm(void **state)
{
	struct sim s;
	uint64_t n = 0;

	(void)state;
	sim_init(&s, 18, 8);
	s.faults.delay_ms = 1;
	for (int i = 0; i < 8; i++)
		sim_start(&s, i);
	sim_run(&s, 10000);
	s.faults.loss = 20;
	sim_run(&s, 3000);
	for (int i = 0; i < 8; i++)
		n -= s.nodes[i].n_sent;
	sim_run(&s, 3000);
	for (int i = 0; i < 8; i++)
		n += s.nodes[i].n_sent;
	assert_in_range(n / 3, 8, 400);
	sim_fini(&s);
}

/* A pair with a reference, which empties its resend queue at each HELLO it
 * hears; somebody on the link says one ALIVE in two seconds, each time from
 * another place. */
static uint64_t n_hello, n_all;

static void count_hello(void *ctx, int from, const uint8_t *bytes, size_t len)
{
	struct rd left = { bytes, len };
	enum verdict why;
	struct msg m;

	(void)ctx;
	while (from == 0 && wire_next(&left, &m, &why) == WIRE_MSG) {
		n_all++;
		n_hello += (m.flags & MSG_HELLO) != 0;
	}
}

static void test_a_stranger_makes_no_hello(void **state)
{
	struct sim s;
	struct forged *d;
	uint32_t seq = 100;

	(void)state;
	sim_init(&s, 20, 1);
	s.has_first_seq = true;
	s.first_seq = 1000;
	sim_start(&s, 0);
	sim_run(&s, 10);
	d = forge_open();
	forge_range(d, MSG_ACK, seq++, 1000, 1000);
	forge_say(&s, FORGE_STRANGER, 0, d);
	sim_run(&s, 3000);
	s.tap = count_hello;
	for (int t = 0; t < 300; t++) {
		if (t % 2 == 0) {
			size_t at;

			d = forge_open();
			at = wire_begin(&d->w, MSG_CTL, MSG_ALIVE,
					900000 + 90000 * (uint32_t)t);
			assert_true(wire_end(&d->w, at));
			forge_say(&s, FORGE_STRANGER + 1 + t % 200, 0, d);
		}
		d = forge_open();
		forge_range(d, MSG_ACK, seq, ftfw(&s, 0)->l.outbox.ring.first,
			    ftfw(&s, 0)->l.outbox.ring.next - 1);
		seq++;
		forge_say(&s, FORGE_STRANGER, 0, d);
		sim_flow_new(&s, 0, (uint32_t)t);
		sim_run(&s, 1000);
	}
	assert_true(n_hello * 10 < n_all);
	sim_fini(&s);
}

/* The node that asks hears nothing, and takes the other one for silent, while
 * the other one does not; it has thrown away what it had. */
static void test_a_request_that_a_silence_ate_is_made_again(void **state)
{
	struct sim s;

	(void)state;
	sim_init(&s, 27, 2);
	s.faults.delay_ms = 1;
	sim_start(&s, 0);
	sim_start(&s, 1);
	for (uint32_t i = 0; i < 100; i++)
		sim_flow_new(&s, 1, i);
	assert_true(sim_run_until(&s, 5000, sim_is_complete));
	sim_run(&s, 5000);
	s.is_cut_way[1][0] = true;
	sim_run(&s, 9000);
	s.is_cut_way[0][1] = true;
	sim_flush_external(&s, 0);
	sim_ask(&s, 0, ASK_RESYNC);
	sim_run(&s, 3000);
	s.is_cut_way[0][1] = s.is_cut_way[1][0] = false;
	sim_run(&s, 20000);
	assert_int_equal(s.nodes[0].events[ENGINE_PEER_SILENT], 1);
	assert_int_equal(s.nodes[1].events[ENGINE_PEER_SILENT], 0);
	assert_true(sim_is_complete(&s));
	sim_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_owes_only_acks_is_not_deaf),
		cmocka_unit_test(test_a_slow_way_is_not_a_loss),
		cmocka_unit_test(
			test_the_first_ack_after_a_long_silence_counts),
		cmocka_unit_test(
			test_a_datagram_of_ranges_is_looked_at_for_so_long),
		cmocka_unit_test(
			test_gaps_of_a_peer_that_answers_do_not_fill_the_memory),
		cmocka_unit_test(test_idle_nodes_on_a_bad_link_do_not_storm),
		cmocka_unit_test(test_a_stranger_makes_no_hello),
		cmocka_unit_test(
			test_a_request_that_a_silence_ate_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
