/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/util.h"
#include "sync/compare.h"
#include "sync/mirror.h"

enum { TOLD_S = 90 };

static struct flow flow_of(uint8_t l4proto)
{
	struct flow f = { .family = FAMILY_IPV4, .l4proto = l4proto };

	f.orig.src.b[0] = 10;
	f.orig.dst.b[0] = 20;
	f.orig.sport = 7;
	f.orig.dport = 80;
	f.has = FLOW_PORTS;
	return f;
}

static struct flow_cache *new_cache(void)
{
	const struct flow_cache_opts o = { .first_size = 16, .limit = 100 };
	struct flow_cache *c = flow_cache_new(&o);

	assert_non_null(c);
	return c;
}

static void give_master(struct flow *f, uint16_t port)
{
	f->has |= FLOW_MASTER | (port ? FLOW_MASTER_PORTS : 0);
	f->master.src.b[0] = 10;
	f->master.dst.b[0] = 20;
	f->master.l4proto = L4_TCP;
	f->master.sport = 1;
	f->master.dport = port;
}

static void translate(struct flow *f, uint8_t to)
{
	f->reply = flow_inverse(f);
	f->reply.dst.b[0] = to;
	f->has |= FLOW_REPLY;
}

/* Neither is known to be newer: what counts is what cannot be changed. */
static void test_an_update_changes_neither_translation_nor_master(void **state)
{
	static const struct {
		uint8_t wanted_nat, there_nat;   /* 0: untranslated */
		int wanted_master, there_master; /* -1: none, 0: no ports */
		bool has_master;                 /* it can be had */
		enum comparison want;
	} cases[] = {
		{ 0, 0, -1, -1, false, COMPARE_UPDATE },
		{ 99, 99, -1, -1, false, COMPARE_UPDATE },
		{ 99, 0, -1, -1, false, COMPARE_REPLACE },
		{ 0, 99, -1, -1, false, COMPARE_REPLACE },
		{ 99, 98, -1, -1, false, COMPARE_REPLACE },
		{ 0, 10, -1, -1, false, COMPARE_UPDATE }, /* to itself */
		{ 0, 0, 21, 21, true, COMPARE_UPDATE },
		{ 0, 0, 21, 22, true, COMPARE_REPLACE },
		{ 0, 0, 21, 22, false, COMPARE_REPLACE },
		{ 0, 0, 21, 0, true, COMPARE_UPDATE },
		{ 0, 0, 21, -1, true, COMPARE_REPLACE },
		{ 0, 0, 21, -1, false, COMPARE_UPDATE },
		{ 0, 0, -1, 21, true, COMPARE_REPLACE },
		{ 99, 0, 21, -1, false, COMPARE_REPLACE },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct wanted w = { .flow = flow_of(L4_TCP),
				    .told_s = TOLD_S,
				    .has_master = cases[i].has_master };
		struct there t = { .flow = flow_of(L4_TCP) };

		if (cases[i].wanted_nat)
			translate(&w.flow, cases[i].wanted_nat);
		if (cases[i].there_nat)
			translate(&t.flow, cases[i].there_nat);
		if (cases[i].wanted_master >= 0)
			give_master(&w.flow, (uint16_t)cases[i].wanted_master);
		if (cases[i].there_master >= 0)
			give_master(&t.flow, (uint16_t)cases[i].there_master);
		assert_int_equal(compare_flows(&w, &t, NULL, FLOW_CACHE_NO_ID),
				 cases[i].want);
	}
}

static void test_a_master_in_the_internal_cache_can_be_had(void **state)
{
	struct wanted w = { .flow = flow_of(L4_TCP), .told_s = TOLD_S };
	struct there t = { .flow = flow_of(L4_TCP) };
	struct flow_cache *c = new_cache();
	struct flow master;
	uint32_t id;

	(void)state;
	give_master(&w.flow, 21);
	master = flow_master(&w.flow);
	assert_int_equal(compare_flows(&w, &t, c, FLOW_CACHE_NO_ID),
			 COMPARE_UPDATE);
	flow_cache_put(c, &master, PUT_MERGE, TOLD_S, &id);
	assert_int_equal(compare_flows(&w, &t, c, FLOW_CACHE_NO_ID),
			 COMPARE_REPLACE);
	flow_cache_free(c);
}

static void test_only_what_runs_the_other_way_gives_way(void **state)
{
	struct wanted w = { .flow = flow_of(L4_UDP), .told_s = TOLD_S };
	struct there t = { .flow = flow_of(L4_UDP) };

	(void)state;
	translate(&w.flow, 99);
	t.flow.orig = flow_reply(&w.flow);
	assert_int_equal(compare_flows(&w, &t, NULL, FLOW_CACHE_NO_ID),
			 COMPARE_REPLACE);
	t.flow.orig = flow_inverse(&w.flow);
	assert_int_equal(compare_flows(&w, &t, NULL, FLOW_CACHE_NO_ID),
			 COMPARE_REPLACE);
	t.flow.orig.sport++;
	assert_int_equal(compare_flows(&w, &t, NULL, FLOW_CACHE_NO_ID),
			 COMPARE_ANOTHER);
}

/* ---- what this firewall knows better ------------------------------------ */

enum known { UNKNOWN, KNOWN, DOUBTED };

static void test_what_has_begun_or_gone_on_here_since_is_newer(void **state)
{
	enum { SEEN = TCP_FLAG_MAXACK_SET, LAX = TCP_FLAG_BE_LIBERAL };
	static const struct {
		uint8_t l4proto, tcp_state, flags;
		enum known known;
		uint32_t created_s, changed_s;
		enum comparison want;
	} cases[] = {
		/* its event has not been read yet */
		{ L4_TCP, TCP_STATE_SYN_SENT, 0, UNKNOWN, 0, 0,
		  COMPARE_NEXT_LIFE },
		{ L4_TCP, TCP_STATE_SYN_RECV, SEEN, UNKNOWN, 0, 0,
		  COMPARE_NEXT_LIFE },
		{ L4_TCP, TCP_STATE_SYN_SENT2, 0, UNKNOWN, 0, 0,
		  COMPARE_NEXT_LIFE },
		{ L4_TCP, TCP_STATE_SYN_SENT, LAX, UNKNOWN, 0, 0,
		  COMPARE_UPDATE },
		{ L4_TCP, TCP_STATE_ESTABLISHED, SEEN, UNKNOWN, 0, 0,
		  COMPARE_UPDATE },
		{ L4_UDP, 0, 0, UNKNOWN, 0, 0, COMPARE_UPDATE },
		/* created since */
		{ L4_TCP, TCP_STATE_ESTABLISHED, SEEN, KNOWN, 91, 91,
		  COMPARE_NEXT_LIFE },
		{ L4_TCP, TCP_STATE_ESTABLISHED, SEEN | LAX, KNOWN, 91, 91,
		  COMPARE_UPDATE_NEWER },
		{ L4_TCP, TCP_STATE_ESTABLISHED, 0, KNOWN, 91, 91,
		  COMPARE_UPDATE_NEWER },
		{ L4_UDP, 0, 0, KNOWN, 91, 91, COMPARE_UPDATE_NEWER },
		/* changed since */
		{ L4_TCP, TCP_STATE_ESTABLISHED, SEEN, KNOWN, 90, 91,
		  COMPARE_UPDATE_NEWER },
		/* not since */
		{ L4_TCP, TCP_STATE_ESTABLISHED, SEEN, KNOWN, 90, 90,
		  COMPARE_UPDATE },
		{ L4_TCP, TCP_STATE_SYN_SENT, 0, KNOWN, 90, 90,
		  COMPARE_UPDATE },
		/* nobody knows since when */
		{ L4_TCP, TCP_STATE_ESTABLISHED, SEEN, DOUBTED, 91, 91,
		  COMPARE_UPDATE },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct wanted w = { .flow = flow_of(cases[i].l4proto),
				    .told_s = TOLD_S };
		struct there t = { .flow = w.flow };
		struct flow_cache *c = new_cache();
		uint32_t id = FLOW_CACHE_NO_ID;

		t.flow.has |= cases[i].l4proto == L4_TCP
				      ? FLOW_TCP_STATE | FLOW_TCP_FLAGS_ORIG
				      : 0;
		t.flow.tcp_state = cases[i].tcp_state;
		t.flow.tcp_flags_orig = cases[i].flags;
		if (cases[i].known != UNKNOWN) {
			flow_cache_put(c, &t.flow, PUT_REPLACE, 1, &id);
			flow_cache_head(c, id)->created_s = cases[i].created_s;
			flow_cache_head(c, id)->changed_s = cases[i].changed_s;
		}
		if (cases[i].known == DOUBTED)
			flow_cache_mark(c, SET_DOUBTED, id);
		assert_int_equal(compare_flows(&w, &t, c, id), cases[i].want);
		/* and if nothing can be known to be newer */
		assert_int_equal(compare_flows(&w, &t, NULL, FLOW_CACHE_NO_ID),
				 COMPARE_UPDATE);
		flow_cache_free(c);
	}
}

/* ---- the update --------------------------------------------------------- */

static void test_an_update_keeps_what_the_kernel_has_seen(void **state)
{
	static const struct {
		bool wanted_has, there_has;
		uint32_t wanted, there, want;
	} cases[] = {
		{ true, true, STATUS_CONFIRMED, STATUS_ASSURED,
		  STATUS_CONFIRMED | STATUS_ASSURED },
		{ true, true, 0, STATUS_SEEN_REPLY | STATUS_CONFIRMED,
		  STATUS_SEEN_REPLY },
		{ true, true, STATUS_EXPECTED, 0, 0 },
		{ true, true, 0, STATUS_EXPECTED, STATUS_EXPECTED },
		{ false, true, STATUS_CONFIRMED, STATUS_ASSURED,
		  STATUS_ASSURED },
		{ true, false, STATUS_EXPECTED, STATUS_ASSURED,
		  STATUS_EXPECTED },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct wanted w = { .flow = flow_of(L4_TCP) };
		struct there t = { .flow = flow_of(L4_TCP) };
		struct flow f;

		w.flow.has |= cases[i].wanted_has ? FLOW_STATUS : 0;
		w.flow.status = cases[i].wanted;
		t.flow.has |= cases[i].there_has ? FLOW_STATUS : 0;
		t.flow.status = cases[i].there;
		compare_update(&w, &t, false, &f);
		assert_true(f.has & FLOW_STATUS);
		assert_int_equal(f.status, cases[i].want);
	}
}

static void test_an_update_does_not_undo_what_is_newer(void **state)
{
	const uint64_t tracked =
		FLOW_TCP_STATE | FLOW_SCTP_STATE | FLOW_SCTP_VTAG_ORIG |
		FLOW_SCTP_VTAG_REPLY | FLOW_DCCP_STATE | FLOW_DCCP_ROLE |
		FLOW_DCCP_SEQ | FLOW_LABELS | FLOW_SEQADJ_ORIG |
		FLOW_SEQADJ_REPLY | FLOW_SYNPROXY;
	struct wanted w = { .flow = flow_of(L4_TCP) };
	struct there t = { .flow = flow_of(L4_TCP) };
	struct flow f;

	(void)state;
	w.flow.has |= tracked | FLOW_HELPER;
	for (unsigned int bit = 0; bit < FLOW_N_LAST; bit++) {
		if (!(tracked & FLOW_BIT(bit)))
			continue;
		t.flow.has = FLOW_PORTS | FLOW_BIT(bit);
		compare_update(&w, &t, true, &f);
		assert_true(f.has == (w.flow.has & ~FLOW_BIT(bit)));
		compare_update(&w, &t, false, &f);
		assert_true(f.has == w.flow.has);
	}
}

static void test_a_newer_mark_stays_if_there_is_one(void **state)
{
	static const uint32_t marks[] = { 0, 6 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(marks); i++) {
		struct wanted w = { .flow = flow_of(L4_TCP) };
		struct there t = { .flow = flow_of(L4_TCP) };
		struct flow f;

		w.flow.has |= FLOW_MARK;
		w.flow.mark = 5;
		t.flow.has |= FLOW_MARK;
		t.flow.mark = marks[i];
		compare_update(&w, &t, true, &f);
		assert_int_equal(!(f.has & FLOW_MARK), marks[i] != 0);
	}
}

static void test_the_time_of_what_is_newer_is_made_longer_only(void **state)
{
	static const struct {
		bool is_newer;
		uint32_t wanted_s, there_s;
		int64_t age_s;
		uint32_t want_s;
	} cases[] = {
		{ true, 50, 600, 9, 591 }, { true, 50, 59, 9, 50 },
		{ true, 50, 60, 9, 51 },   { true, 50, 5, 9, 50 },
		{ false, 50, 600, 9, 50 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct wanted w = { .flow = flow_of(L4_TCP) };
		struct there t = { .flow = flow_of(L4_TCP),
				   .age_s = cases[i].age_s };
		struct flow f;

		w.flow.has |= FLOW_TIMEOUT;
		w.flow.timeout_s = cases[i].wanted_s;
		t.flow.has |= FLOW_TIMEOUT;
		t.flow.timeout_s = cases[i].there_s;
		compare_update(&w, &t, cases[i].is_newer, &f);
		assert_int_equal(f.timeout_s, cases[i].want_s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test(test)
		T(test_an_update_changes_neither_translation_nor_master),
		T(test_a_master_in_the_internal_cache_can_be_had),
		T(test_only_what_runs_the_other_way_gives_way),
		T(test_what_has_begun_or_gone_on_here_since_is_newer),
		T(test_an_update_keeps_what_the_kernel_has_seen),
		T(test_an_update_does_not_undo_what_is_newer),
		T(test_a_newer_mark_stays_if_there_is_one),
		T(test_the_time_of_what_is_newer_is_made_longer_only),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
