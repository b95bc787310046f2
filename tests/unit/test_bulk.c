/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/bulk.h"
#include "sync/outbox.h"

enum { RESEND_MS = 3000, NODE = 77, MARKS_MOST = 16 };

struct world {
	struct flow_cache *cache;
	struct roster roster;
	struct ring ring;
	struct bulk b;
	int64_t now_ms;
	struct bulk_mark marks[MARKS_MOST];
	uint8_t receivers[MARKS_MOST];
	uint32_t n_marks;
	bool has_no_memory;
	uint32_t n_fetches;
	uint32_t events[ENGINE_EVENT_N];
};

static bool on_mark(void *ctx, const struct peer *p, const struct bulk_mark *m)
{
	struct world *w = ctx;

	if (w->has_no_memory)
		return false;
	assert_true(w->n_marks < MARKS_MOST);
	w->receivers[w->n_marks] = p->number;
	w->marks[w->n_marks++] = *m;
	return true;
}

static void on_event(void *ctx, enum engine_event what, const struct peer *p,
		     int64_t now_ms)
{
	struct world *w = ctx;

	(void)p;
	assert_int_equal(now_ms, w->now_ms);
	w->events[what]++;
}

static void on_fetch(void *ctx)
{
	struct world *w = ctx;

	w->n_fetches++;
}

static uint32_t put_flow(struct world *w, uint32_t i)
{
	struct flow f = { .family = FAMILY_IPV4, .l4proto = L4_TCP };
	uint32_t id;

	f.has = FLOW_PORTS;
	f.orig.sport = (uint16_t)i;
	flow_cache_put(w->cache, &f, PUT_REPLACE, 1, &id);
	return id;
}

static struct world *new_world(uint32_t first_seq, uint32_t n_flows)
{
	const struct flow_cache_opts cache = { .first_size = 16,
					       .limit = 20000 };
	struct world *w = calloc(1, sizeof(*w));
	struct bulk_opts o = { 0 };

	assert_non_null(w);
	w->now_ms = 1000;
	w->cache = flow_cache_new(&cache);
	assert_non_null(w->cache);
	assert_int_equal(ring_init(&w->ring, 16384, first_seq), 0);
	for (uint32_t i = 0; i < n_flows; i++)
		assert_int_equal(put_flow(w, i), i + 1);
	o.cache = w->cache;
	o.roster = &w->roster;
	o.ring = &w->ring;
	o.marks = EXT_CAP_ADDRESSED_ACK;
	o.sink = (struct bulk_sink){ w, on_mark, on_event, NULL };
	bulk_init(&w->b, &o);
	return w;
}

static void free_world(struct world *w)
{
	ring_fini(&w->ring);
	flow_cache_free(w->cache);
	free(w);
}

static struct peer *add_peer(struct world *w, bool is_node)
{
	struct peer_addr at = { .link = 0, .family = FAMILY_IPV4 };
	struct peer *p;

	at.addr.b[3] = (uint8_t)(w->roster.n_places + 1);
	p = roster_add(&w->roster, &at, w->now_ms);
	assert_non_null(p);
	p->node = is_node ? NODE + p->number : 0;
	p->capabilities = is_node ? EXT_CAP_ADDRESSED_ACK : 0;
	roster_answered(p);
	bulk_new_life(&w->b, p);
	return p;
}

static void progress(struct world *w)
{
	bulk_progress(&w->b, RESEND_MS, w->now_ms);
}

/* What the engine does with an entry that is handed out. */
static void send_one(struct world *w, uint32_t id)
{
	struct entry_head *h = flow_cache_head(w->cache, id);
	uint32_t n = ring_push(&w->ring, (struct ring_ref){ RING_FLOW, id },
			       roster_waited(&w->roster));

	h->last_seq = n;
	h->outbox = OUTBOX_SENT;
	bulk_sent(&w->b, n, h);
}

/* Sends as far as it goes. Returns the step that ended it. */
static enum bulk_step walk(struct world *w, uint32_t *n_sent)
{
	uint32_t id, n_skipped = 0;
	enum bulk_step step;

	*n_sent = 0;
	while ((step = bulk_next(&w->b, true, &n_skipped, &id)) == BULK_SEND) {
		send_one(w, id);
		bulk_took(&w->b, id);
		++*n_sent;
	}
	if (step == BULK_END)
		bulk_walked(&w->b, RESEND_MS, w->now_ms);
	return step;
}

static void ack_all(struct world *w)
{
	while (w->ring.first != w->ring.next)
		ring_clear(&w->ring, w->ring.first);
	progress(w);
}

static void ack_mark(struct world *w, const struct peer *p)
{
	bulk_mark_acked(&w->b, p, &w->marks[w->n_marks - 1]);
	progress(w);
}

/* ---- phases ------------------------------------------------------------- */

static void test_a_node_gets_a_walk_between_two_marks(void **state)
{
	static const uint32_t firsts[] = { 100, UINT32_MAX - 3 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(firsts); i++) {
		struct world *w = new_world(firsts[i], 10);
		struct peer *p = add_peer(w, true);
		uint32_t n;

		progress(w);
		assert_int_equal(walk(w, &n), BULK_NONE); /* nobody wants it */
		bulk_want(&w->b, p);
		progress(w);
		assert_int_equal(w->n_marks, 1);
		assert_int_equal(w->marks[0].phase, EXT_BULK_BEGIN);
		assert_int_equal(walk(w, &n), BULK_NONE);
		ack_mark(w, p);
		assert_int_equal(walk(w, &n), BULK_END);
		assert_int_equal(n, 10);
		assert_int_equal(w->n_marks, 1); /* it has not got all */
		ack_all(w);
		assert_int_equal(w->n_marks, 2);
		assert_int_equal(w->marks[1].phase, EXT_BULK_END);
		assert_int_equal(w->marks[1].walk, w->marks[0].walk);
		assert_int_equal(w->marks[1].n_entries, 10);
		assert_int_equal(w->events[ENGINE_BULK_PROVEN], 1);
		assert_int_equal(w->b.phase, BULK_IDLE);
		free_world(w);
	}
}

static void test_a_reference_gets_all_as_new_without_marks(void **state)
{
	struct world *w = new_world(1, 10);
	uint32_t n;

	(void)state;
	bulk_want(&w->b, add_peer(w, false));
	progress(w);
	assert_true(bulk_tells_as_new(&w->b));
	assert_int_equal(walk(w, &n), BULK_END);
	assert_int_equal(n, 10);
	ack_all(w);
	assert_int_equal(w->n_marks, 0);
	free_world(w);
}

/* Sends what there is, which leaves the cache. */
static enum bulk_step walk_fetched(struct world *w, uint32_t *n_sent)
{
	uint32_t id, n_skipped = 0;
	enum bulk_step step;

	*n_sent = 0;
	while ((step = bulk_next(&w->b, false, &n_skipped, &id)) == BULK_SEND) {
		send_one(w, id);
		bulk_took(&w->b, id);
		flow_cache_remove(w->cache, id);
		++*n_sent;
	}
	if (step == BULK_END)
		bulk_walked(&w->b, RESEND_MS, w->now_ms);
	return step;
}

static struct world *new_fetching_world(struct peer **p)
{
	struct world *w = new_world(1, 0);

	w->b.o.sink.fetch = on_fetch;
	*p = add_peer(w, true);
	bulk_want(&w->b, *p);
	progress(w);
	assert_int_equal(w->n_fetches, 0); /* after the begin */
	ack_mark(w, *p);
	assert_int_equal(w->n_fetches, 1);
	return w;
}

static void test_a_walk_without_a_cache_meets_what_is_fetched(void **state)
{
	struct peer *p;
	struct world *w = new_fetching_world(&p);
	uint32_t n;

	(void)state;
	assert_false(bulk_has_entries(&w->b));
	assert_int_equal(walk_fetched(w, &n), BULK_NONE);
	for (uint32_t i = 0; i < 2; i++) {
		for (uint32_t j = 0; j < 3; j++)
			put_flow(w, j); /* ids are given anew */
		assert_true(bulk_has_entries(&w->b));
		assert_int_equal(walk_fetched(w, &n), BULK_NONE);
		assert_int_equal(n, 3);
	}
	/* some are behind the last one, some before it */
	for (uint32_t j = 0; j < 3; j++)
		put_flow(w, j);
	w->b.position = 2;
	bulk_fetched(&w->b, true);
	assert_true(bulk_has_entries(&w->b));
	assert_int_equal(walk_fetched(w, &n), BULK_END);
	assert_int_equal(n, 3);
	assert_int_equal(w->n_marks, 1);
	ack_all(w);
	assert_int_equal(w->n_marks, 2);
	assert_int_equal(w->marks[1].phase, EXT_BULK_END);
	assert_int_equal(w->marks[1].n_entries, 9);
	assert_int_equal(w->b.phase, BULK_IDLE);
	free_world(w);
}

static void test_a_walk_that_lacks_something_has_no_end_mark(void **state)
{
	struct peer *p;
	struct world *w = new_fetching_world(&p);
	uint32_t n;

	(void)state;
	put_flow(w, 0);
	bulk_fetched(&w->b, false);
	assert_int_equal(walk_fetched(w, &n), BULK_END);
	assert_int_equal(n, 1);
	ack_all(w);
	assert_int_equal(w->n_marks, 1);
	assert_int_equal(w->b.phase, BULK_IDLE);
	w->now_ms += 20000; /* again */
	progress(w);
	ack_mark(w, p);
	assert_int_equal(w->n_fetches, 2);
	bulk_fetched(&w->b, true);
	assert_int_equal(walk_fetched(w, &n), BULK_END);
	ack_all(w);
	assert_int_equal(w->marks[w->n_marks - 1].phase, EXT_BULK_END);
	free_world(w);
}

static void test_who_does_not_hear_us_waits_for_the_walk(void **state)
{
	struct world *w = new_world(1, 10);
	struct peer *p = add_peer(w, true), *mute = add_peer(w, false);

	(void)state;
	p->has_answered = mute->has_answered = false;
	bulk_want(&w->b, p);
	bulk_want(&w->b, mute);
	progress(w);
	assert_int_equal(w->b.phase, BULK_IDLE);
	roster_never_answers(mute); /* but it may listen */
	progress(w);
	assert_int_equal(w->b.phase, BULK_WALK);
	assert_int_equal(w->b.wanted, peer_bit(p));
	free_world(w);
}

static void
test_who_does_not_acknowledge_its_mark_gets_the_next_walk(void **state)
{
	struct world *w = new_world(1, 10);
	struct peer *p = add_peer(w, true), *q = add_peer(w, true);

	(void)state;
	bulk_want(&w->b, p);
	bulk_want(&w->b, q);
	progress(w);
	assert_int_equal(w->n_marks, 2);
	bulk_mark_acked(&w->b, p, &w->marks[0]);
	w->now_ms += RESEND_MS - 1;
	progress(w);
	assert_int_equal(w->b.phase, BULK_BEGIN);
	w->now_ms++;
	progress(w);
	assert_int_equal(w->b.phase, BULK_WALK);
	assert_int_equal(w->b.receivers, peer_bit(p));
	assert_int_equal(w->b.wanted, peer_bit(q));
	free_world(w);
}

static void test_marks_count_as_long_as_they_mean_something(void **state)
{
	static const struct {
		enum ext_phase phase;
		uint32_t other_walk;
		bool is_walking, want;
	} cases[] = {
		{ EXT_BULK_BEGIN, 0, false, true },
		{ EXT_BULK_BEGIN, 1, false, false },
		{ EXT_BULK_BEGIN, 0, true, false },
		{ EXT_BULK_END, 0, true, true },
		{ EXT_BULK_END, 1, false, true }, /* proven is proven */
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct world *w = new_world(1, 10);
		struct peer *p = add_peer(w, true);
		struct bulk_mark m;

		bulk_want(&w->b, p);
		progress(w);
		m = w->marks[0];
		if (cases[i].is_walking)
			ack_mark(w, p);
		m.phase = cases[i].phase;
		m.walk += cases[i].other_walk;
		assert_int_equal(bulk_mark_counts(&w->b, &m), cases[i].want);
		free_world(w);
	}
}

static void test_a_mark_without_memory_is_tried_again(void **state)
{
	struct world *w = new_world(1, 10);
	struct peer *p = add_peer(w, true);
	uint32_t n;

	(void)state;
	bulk_want(&w->b, p);
	w->has_no_memory = true;
	progress(w);
	assert_int_equal(w->b.wanted, peer_bit(p));
	w->has_no_memory = false;
	progress(w);
	assert_int_equal(w->n_marks, 1);
	ack_mark(w, p);
	walk(w, &n);
	w->has_no_memory = true;
	ack_all(w);
	assert_int_equal(w->b.phase, BULK_PROVE);
	w->has_no_memory = false;
	progress(w);
	assert_int_equal(w->n_marks, 2);
	assert_int_equal(w->b.phase, BULK_IDLE);
	free_world(w);
}

static void test_who_leaves_amid_a_walk_is_not_told_its_end(void **state)
{
	struct world *w = new_world(1, 10);
	struct peer *p = add_peer(w, true), *q = add_peer(w, true);
	uint32_t n;

	(void)state;
	bulk_want(&w->b, p);
	bulk_want(&w->b, q);
	progress(w);
	bulk_mark_acked(&w->b, p, &w->marks[0]);
	bulk_mark_acked(&w->b, q, &w->marks[1]);
	progress(w);
	bulk_drop_peer(&w->b, p);
	assert_int_equal(walk(w, &n), BULK_END);
	ack_all(w);
	assert_int_equal(w->n_marks, 3);
	assert_int_equal(w->receivers[2], q->number);
	free_world(w);
}

static void test_who_leaves_after_its_end_does_not_hold_up_others(void **state)
{
	struct world *w = new_world(1, 10);
	struct peer *p = add_peer(w, true), *q = add_peer(w, true);
	uint32_t n;

	(void)state;
	bulk_want(&w->b, p);
	bulk_want(&w->b, q);
	progress(w);
	bulk_mark_acked(&w->b, p, &w->marks[0]);
	bulk_mark_acked(&w->b, q, &w->marks[1]);
	progress(w);
	walk(w, &n);
	for (uint32_t k = w->ring.first; k != w->ring.next; k++)
		ring_set_debtors(&w->ring, k, peer_bit(q));
	progress(w);
	assert_int_equal(w->receivers[2], p->number);
	bulk_drop_peer(&w->b, p);
	ack_all(w);
	assert_int_equal(w->receivers[3], q->number);
	assert_int_equal(w->b.phase, BULK_IDLE);
	free_world(w);
}

static void test_requests_do_not_storm(void **state)
{
	/* Two at once, but for a pause, then one in 3 s: 4,000 entries. */
	static const int64_t least_ms[] = { 0, 300, 2700, 3000 };
	struct world *w = new_world(1, 4000);
	struct peer *p = add_peer(w, false);
	uint32_t n;

	(void)state;
	w->now_ms = 100000;
	for (size_t i = 0; i < N_ELEMENTS(least_ms); i++) {
		int64_t asked_ms = w->now_ms;

		bulk_want(&w->b, p);
		progress(w);
		while (w->b.phase == BULK_IDLE) {
			w->now_ms += 10;
			progress(w);
		}
		assert_true(w->now_ms - asked_ms >= least_ms[i]);
		assert_true(w->now_ms - asked_ms <= least_ms[i] + 300);
		walk(w, &n);
		ack_all(w);
	}
	bulk_want_all(&w->b); /* the user may */
	progress(w);
	assert_int_equal(w->b.phase, BULK_WALK);
	free_world(w);
}

/* ---- the walk ----------------------------------------------------------- */

static void test_only_what_is_not_told_anyway_is_walked(void **state)
{
	struct world *w = new_world(1, 10);
	struct peer *p = add_peer(w, true);
	uint32_t n;

	(void)state;
	flow_cache_kill(w->cache, 1);
	flow_cache_head(w->cache, 2)->outbox = OUTBOX_QUEUED;
	send_one(w, 3);
	bulk_want(&w->b, p);
	progress(w);
	ack_mark(w, p);
	send_one(w, 4); /* a change since the begin */
	assert_int_equal(walk(w, &n), BULK_END);
	assert_int_equal(n, 7);
	free_world(w);
}

static void test_a_walk_keeps_within_its_window(void **state)
{
	struct world *w = new_world(1, 9000);
	struct peer *p = add_peer(w, true);
	uint32_t n, n_skipped = 0, id;

	(void)state;
	bulk_want(&w->b, p);
	progress(w);
	ack_mark(w, p);
	assert_int_equal(walk(w, &n), BULK_PAUSE);
	assert_int_equal(n, 8192);
	assert_int_equal(bulk_next(&w->b, false, &n_skipped, &id), BULK_SEND);
	assert_int_equal(id, 8193); /* nobody will acknowledge it */
	bulk_nacked(&w->b, w->ring.first);
	assert_int_equal(w->b.window, 4096);
	bulk_nacked(&w->b, w->ring.next - 1); /* the same loss */
	assert_int_equal(w->b.window, 4096);
	ack_all(w);
	bulk_acked(&w->b, 8192);
	assert_int_equal(w->b.window, 4096 + 2048);
	assert_int_equal(walk(w, &n), BULK_END);
	assert_int_equal(n, 9000 - 8192);
	free_world(w);
}

static void
test_a_window_does_not_shrink_below_several_of_a_reference(void **state)
{
	struct world *w = new_world(UINT32_MAX - 2, 10);

	(void)state;
	add_peer(w, true);
	for (uint32_t id = 1; id <= 10; id++) { /* the numbers wrap */
		send_one(w, id);
		bulk_nacked(&w->b, w->ring.next - 1);
	}
	assert_int_equal(w->b.window, 2048);
	free_world(w);
}

static void test_a_walk_over_what_is_told_stops_now_and_then(void **state)
{
	struct world *w = new_world(1, 9000);
	struct peer *p = add_peer(w, true);
	uint32_t n;

	(void)state;
	bulk_want(&w->b, p);
	progress(w);
	ack_mark(w, p);
	for (uint32_t id = 1; id <= 9000; id++)
		flow_cache_head(w->cache, id)->outbox = OUTBOX_QUEUED;
	assert_int_equal(walk(w, &n), BULK_LATER);
	assert_int_equal(walk(w, &n), BULK_LATER);
	assert_int_equal(walk(w, &n), BULK_END);
	free_world(w);
}

/* ---- the proof ---------------------------------------------------------- */

static void test_what_was_lost_is_proven_by_what_tells_of_it_later(void **state)
{
	static const struct {
		bool is_sent_again, is_removed;
	} cases[] = { { true, false }, { false, true } };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct world *w = new_world(UINT32_MAX - 2, 10);
		struct peer *p = add_peer(w, true);
		struct entry_head *h = flow_cache_head(w->cache, 5);
		uint32_t n;

		bulk_want(&w->b, p);
		progress(w);
		ack_mark(w, p);
		walk(w, &n);
		ring_clear(&w->ring, h->last_seq);
		bulk_lost(&w->b, h->last_seq, h);
		bulk_lost(&w->b, h->last_seq, h); /* counts once */
		assert_int_equal(w->b.n_reprove, 1);
		ack_all(w);
		assert_int_equal(w->n_marks, 1);
		if (cases[i].is_sent_again) {
			send_one(w, 5);
			progress(w);
			assert_int_equal(w->n_marks, 1); /* it is on its way */
			ack_all(w);
		}
		if (cases[i].is_removed)
			bulk_forget(&w->b, h);
		progress(w);
		assert_int_equal(w->n_marks, 2);
		assert_int_equal(w->b.n_reprove, 0);
		free_world(w);
	}
}

static void test_a_lost_number_counts_if_it_is_of_the_walk(void **state)
{
	struct world *w = new_world(1, 10);
	struct peer *p = add_peer(w, true);
	struct entry_head *h = flow_cache_head(w->cache, 5);
	uint32_t n;

	(void)state;
	send_one(w, 5);
	bulk_lost(&w->b, h->last_seq, h);
	bulk_want(&w->b, p);
	progress(w);
	ack_mark(w, p);
	bulk_lost(&w->b, h->last_seq, h); /* before the begin */
	assert_int_equal(w->b.n_reprove, 0);
	walk(w, &n);
	n = h->last_seq;
	send_one(w, 5); /* what tells of it is sent already */
	bulk_lost(&w->b, n, h);
	assert_int_equal(w->b.n_reprove, 0);
	assert_int_equal(w->b.prove_until, h->last_seq + 1);
	free_world(w);
}

static void test_a_proof_that_takes_long_does_not_hold_up_others(void **state)
{
	struct world *w = new_world(1, 10);
	struct peer *p = add_peer(w, true), *q;
	uint32_t n;

	(void)state;
	bulk_want(&w->b, p);
	progress(w);
	ack_mark(w, p);
	walk(w, &n);
	w->now_ms += 30000;
	progress(w);
	assert_int_equal(w->b.phase, BULK_PROVE); /* nobody waits */
	q = add_peer(w, false);
	bulk_want(&w->b, q);
	progress(w);
	assert_int_equal(w->b.phase, BULK_IDLE);
	assert_int_equal(w->b.wanted, peer_bit(p) | peer_bit(q));
	assert_int_equal(w->n_marks, 1);
	free_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test(test)
		T(test_a_node_gets_a_walk_between_two_marks),
		T(test_a_reference_gets_all_as_new_without_marks),
		T(test_a_walk_without_a_cache_meets_what_is_fetched),
		T(test_a_walk_that_lacks_something_has_no_end_mark),
		T(test_who_does_not_hear_us_waits_for_the_walk),
		T(test_who_does_not_acknowledge_its_mark_gets_the_next_walk),
		T(test_marks_count_as_long_as_they_mean_something),
		T(test_a_mark_without_memory_is_tried_again),
		T(test_who_leaves_amid_a_walk_is_not_told_its_end),
		T(test_who_leaves_after_its_end_does_not_hold_up_others),
		T(test_requests_do_not_storm),
		T(test_only_what_is_not_told_anyway_is_walked),
		T(test_a_walk_keeps_within_its_window),
		T(test_a_window_does_not_shrink_below_several_of_a_reference),
		T(test_a_walk_over_what_is_told_stops_now_and_then),
		T(test_what_was_lost_is_proven_by_what_tells_of_it_later),
		T(test_a_lost_number_counts_if_it_is_of_the_walk),
		T(test_a_proof_that_takes_long_does_not_hold_up_others),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
