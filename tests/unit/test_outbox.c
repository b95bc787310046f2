/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "sync/outbox.h"

enum { KEPT_MOST = 3, NODE = 77 };

/* An outbox, whom it knows, and what it has told. */
struct world {
	struct flow_cache *cache;
	struct roster roster;
	struct outbox b;
	int64_t now_ms;
	uint32_t n_lost, lost_n, n_removed, n_marks_acked;
	bool marks_count;
};

static void on_lost(void *ctx, uint32_t n, struct entry_head *h)
{
	struct world *w = ctx;

	assert_int_not_equal(h->state, ENTRY_FREE);
	w->n_lost++;
	w->lost_n = n;
}

static void on_removed(void *ctx, struct entry_head *h)
{
	struct world *w = ctx;

	assert_int_not_equal(h->state, ENTRY_FREE);
	w->n_removed++;
}

static void on_mark_acked(void *ctx, const struct peer *p, const struct ctl *c)
{
	struct world *w = ctx;

	assert_int_equal(p->number, c->peer);
	w->n_marks_acked++;
}

static bool mark_counts(void *ctx, const struct ctl *c)
{
	struct world *w = ctx;

	assert_int_equal(c->kind, CTL_MARK);
	return w->marks_count;
}

static struct outbox_opts opts(struct world *w, uint32_t first_seq)
{
	return (struct outbox_opts){
		.cache = w->cache,
		.roster = &w->roster,
		.sink = { w, on_lost, on_removed, on_mark_acked, mark_counts },
		.size = KEPT_MOST,
		.first_seq = first_seq,
	};
}

static struct world *new_world(uint32_t first_seq)
{
	const struct flow_cache_opts cache = { .first_size = 16,
					       .limit = 10000 };
	struct world *w = calloc(1, sizeof(*w));
	struct outbox_opts o;

	assert_non_null(w);
	w->cache = flow_cache_new(&cache);
	assert_non_null(w->cache);
	w->now_ms = 1000;
	o = opts(w, first_seq);
	assert_int_equal(outbox_init(&w->b, &o, w->now_ms), 0);
	return w;
}

static void free_world(struct world *w)
{
	outbox_fini(&w->b);
	flow_cache_free(w->cache);
	free(w);
}

/* A live peer that has answered. capabilities: 0 for a reference. */
static struct peer *add_peer(struct world *w, uint16_t capabilities)
{
	struct peer_addr at = { .link = 0, .family = FAMILY_IPV4 };
	struct peer *p;

	at.addr.b[3] = (uint8_t)(w->roster.n_places + 1);
	p = roster_add(&w->roster, &at, w->now_ms);
	assert_non_null(p);
	p->node = capabilities ? NODE + p->number : 0;
	p->capabilities = capabilities;
	roster_answered(p);
	outbox_new_peer(&w->b, p, w->now_ms);
	return p;
}

static struct peer *add_node(struct world *w)
{
	return add_peer(w, EXT_CAP_ADDRESSED_ACK | EXT_CAP_WHOLE_UPDATES);
}

static uint32_t put(struct world *w, uint16_t port, enum put_mode mode)
{
	struct flow f = { .family = FAMILY_IPV4, .l4proto = L4_TCP };
	uint32_t id;

	f.has = FLOW_PORTS;
	f.orig.sport = port;
	flow_cache_put(w->cache, &f, mode, 1, &id);
	return id;
}

static uint32_t put_new(struct world *w, uint16_t port)
{
	return put(w, port, PUT_REPLACE);
}

/* Sends an entry to all who are waited for; returns its number. */
static uint32_t send_flow(struct world *w, uint32_t id)
{
	uint64_t waited = roster_waited(&w->roster);
	uint32_t n = w->b.ring.next;

	outbox_hold(&w->b, (struct ring_ref){ RING_FLOW, id }, waited, waited,
		    w->now_ms);
	outbox_sent(&w->b, n, id);
	return n;
}

/* Queues a control message and sends it to these peers. */
static uint32_t send_control(struct world *w, const struct ctl *c,
			     uint64_t debtors)
{
	struct ctl_queue *q = c->kind == CTL_MARK ? &w->b.marks : &w->b.plain;
	uint32_t n = w->b.ring.next;

	assert_true(outbox_control(&w->b, c));
	outbox_hold(&w->b,
		    (struct ring_ref){ RING_CTL, ctl_queue_pop(q, &w->b.pool) },
		    debtors, roster_waited(&w->roster), w->now_ms);
	return n;
}

static uint32_t ack(struct world *w, const struct peer *p, uint32_t from,
		    uint32_t to)
{
	return outbox_acked(&w->b, p, from, to, w->now_ms);
}

static const struct entry_head *head(const struct world *w, uint32_t id)
{
	return flow_cache_head(w->cache, id);
}

static uint32_t n_free_controls(const struct world *w)
{
	uint32_t n = 0;

	for (uint32_t id = w->b.pool.first_free; id;
	     id = w->b.pool.all[id].next)
		n++;
	return n;
}

/* ---- numbers ------------------------------------------------------------ */

static void test_a_number_is_held_until_all_have_acknowledged_it(void **state)
{
	static const uint32_t firsts[] = { 5, UINT32_MAX - 1 };

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(firsts); i++) {
		struct world *w = new_world(firsts[i]);
		struct peer *p = add_node(w), *q = add_node(w);
		uint32_t n = firsts[i];

		for (uint16_t k = 0; k < 4; k++)
			assert_int_equal(send_flow(w, put_new(w, k)), n + k);
		assert_int_equal(ack(w, p, n, n + 3), 4);
		assert_int_equal(ack(w, p, n, n + 3), 0); /* told again */
		assert_int_equal(ring_used(&w->b.ring), 4);
		assert_int_equal(ack(w, q, n + 1, n + 2), 2);
		assert_int_equal(ring_used(&w->b.ring), 4);
		assert_int_equal(w->b.peers[q->number].n_debts, 2);
		assert_int_equal(ack(w, q, n, n), 1);
		assert_int_equal(w->b.ring.first, n + 3);
		free_world(w);
	}
}

static void test_ranges_of_others_are_not_ours(void **state)
{
	static const struct {
		uint32_t from, to;
		bool want;
	} cases[] = {
		{ 10, 12, true },
		{ 12, 13, false }, /* 13 was not sent yet */
		{ 20, 30, false },
		{ 10 - 4096, 10 - 4096, true }, /* forgotten, but was ours */
		{ 10 - 4097, 10 - 4097, false },
		{ 10 - 100000, 12, true }, /* announcements for long */
		{ 13 - 0x50000000U, 12, false },
	};
	struct world *w = new_world(10);

	(void)state;
	add_node(w);
	for (uint16_t k = 0; k < 3; k++)
		send_flow(w, put_new(w, k));
	for (size_t i = 0; i < N_ELEMENTS(cases); i++)
		assert_int_equal(
			outbox_is_ours(&w->b, cases[i].from, cases[i].to),
			cases[i].want);
	free_world(w);
}

static void test_progress_is_made_by_acknowledging_the_oldest(void **state)
{
	struct world *w = new_world(UINT32_MAX - 1);
	struct peer *p = add_node(w);
	uint32_t first = w->b.ring.next;
	const struct outbox_peer *op = &w->b.peers[p->number];

	(void)state;
	for (uint16_t k = 0; k < 4; k++)
		send_flow(w, put_new(w, k));
	for (uint32_t k = 0; k < 2; k++) {
		w->now_ms += 1000;
		ack(w, p, first + k, first + k);
		assert_int_equal(op->progress_ms, w->now_ms);
	}
	w->now_ms += 1000;
	ack(w, p, first + 3, first + 3);
	assert_int_equal(op->progress_ms, w->now_ms - 1000);
	assert_int_equal(op->acked_ms, w->now_ms);
	free_world(w);
}

static void
test_what_waits_for_nobody_is_not_held_while_others_are(void **state)
{
	struct world *w = new_world(1);

	(void)state;
	send_control(w, &(struct ctl){ .kind = CTL_RESYNC }, 0);
	assert_int_equal(ring_used(&w->b.ring), 1); /* nobody is there yet */
	add_node(w);
	send_control(w, &(struct ctl){ .kind = CTL_NACK, .peer = 9 }, 0);
	assert_int_equal(ring_at(&w->b.ring, 2).kind, RING_NONE);
	assert_int_equal(n_free_controls(w), w->b.pool.n_all - 2);
	free_world(w);
}

static void test_entries_leave_a_quarter_of_the_slots(void **state)
{
	struct world *w = new_world(1);
	struct peer *p;

	(void)state;
	for (uint16_t k = 0; k < 5000; k++) {
		outbox_make_room(&w->b, roster_waited(&w->roster));
		assert_true(outbox_has_room(&w->b)); /* the oldest go */
		send_flow(w, put_new(w, k));
	}
	p = add_node(w);
	for (uint16_t k = 0; outbox_has_room(&w->b); k++)
		send_flow(w, put_new(w, k));
	outbox_make_room(&w->b, peer_bit(p));
	assert_int_equal(ring_free(&w->b.ring), 1024);
	free_world(w);
}

static void test_a_range_that_is_repeated_keeps_nobody_busy(void **state)
{
	struct world *w = new_world(1);
	uint32_t n_looks = 0;

	(void)state;
	while (outbox_may_look(&w->b, 5))
		n_looks++;
	assert_int_equal(n_looks, 2 * 4096);
	assert_false(outbox_may_look(&w->b, 5));
	assert_true(outbox_may_look(&w->b, 6));
	free_world(w);
}

static void test_the_way_is_measured_by_acknowledgements(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w);
	uint32_t n = send_flow(w, put_new(w, 1));

	(void)state;
	assert_int_equal(outbox_again_ms(&w->b, p), 200);
	assert_int_equal(outbox_resend_ms(&w->b), 3000);
	w->now_ms += 5000;
	ack(w, p, n, n);
	assert_int_equal(outbox_again_ms(&w->b, p), 5000);
	assert_int_equal(outbox_resend_ms(&w->b), 10000);
	outbox_new_life(&w->b, p);
	assert_int_equal(outbox_again_ms(&w->b, p), 200);
	free_world(w);
}

/* ---- entries ------------------------------------------------------------ */

static void take_step(struct world *w, char step, uint32_t *id)
{
	switch (step) {
	case 'p':
		*id = put(w, 1, PUT_REPLACE);
		break;
	case 'k':
		flow_cache_kill(w->cache, *id);
		break;
	case 's':
		send_flow(w, *id);
		break;
	case 'S':
		outbox_touch(&w->b, *id, TOUCH_SEND);
		break;
	case 'Q':
		outbox_touch(&w->b, *id, TOUCH_QUIET);
		break;
	case 'U':
		outbox_touch(&w->b, *id, TOUCH_UNTOLD);
		break;
	case 'C':
		outbox_touch(&w->b, *id, TOUCH_CHANGE);
		break;
	default:
		fail();
	}
}

/* p: put anew; k: killed; s: sent; S, Q, U, C: touched to be sent, quietly, if
 * it was never told, or as a change. */
static void test_what_is_to_be_told_is_queued_once(void **state)
{
	static const struct {
		const char *steps;
		bool is_queued, is_as_new;
	} cases[] = {
		{ "p", false, true },
		{ "pS", true, true },
		{ "pSS", true, true },
		{ "pQ", false, true },
		{ "pU", true, true },
		{ "pC", true, false },
		{ "pCp", true, true }, /* the next life */
		{ "pSC", true, true },
		{ "psC", true, false },
		{ "psS", true, false },
		{ "psQ", false, false },
		{ "psU", false, false },
		/* the next life of what the peers know, said or not */
		{ "psp", true, true },
		{ "pspQ", true, true },
		{ "pspU", true, true },
		/* an end, known or not */
		{ "pk", true, true },
		{ "psk", true, false },
		{ "pskQ", true, false },
		/* what has died begins anew, though it is about to go */
		{ "pskp", true, true },
		{ "psksp", true, true },
		{ "pskspQ", true, true },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct world *w = new_world(1);
		uint32_t id = 0;

		for (const char *at = cases[i].steps; *at; at++)
			take_step(w, *at, &id);
		assert_int_equal(w->b.dirty.n, cases[i].is_queued);
		assert_int_equal(head(w, id)->outbox & OUTBOX_SENT,
				 cases[i].is_as_new ? 0 : OUTBOX_SENT);
		free_world(w);
	}
}

static void test_the_peers_know_what_all_have_acknowledged(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w), *q = add_node(w);
	uint32_t id = put_new(w, 1), n;

	(void)state;
	outbox_touch(&w->b, id, TOUCH_SEND);
	assert_false(outbox_peers_know(head(w, id)));
	n = send_flow(w, id);
	assert_false(outbox_peers_know(head(w, id)));
	ack(w, p, n, n);
	assert_false(outbox_peers_know(head(w, id)));
	n = send_flow(w, id); /* once more */
	ack(w, q, n - 1, n - 1);
	ack(w, p, n, n);
	assert_false(outbox_peers_know(head(w, id)));
	ack(w, q, n, n);
	assert_true(outbox_peers_know(head(w, id)));
	send_flow(w, id); /* a bulk, of what they know */
	assert_true(outbox_peers_know(head(w, id)));
	free_world(w);
}

static void test_what_was_sent_waits_no_more(void **state)
{
	struct world *w = new_world(1);
	uint32_t id = put_new(w, 1);

	(void)state;
	outbox_touch(&w->b, id, TOUCH_SEND);
	send_flow(w, id);
	assert_int_equal(w->b.dirty.n, 0);
	assert_int_equal(head(w, id)->outbox, OUTBOX_SENT);
	assert_int_equal(head(w, id)->last_seq, 1);
	free_world(w);
}

static void test_ids_that_are_not_in_use_are_ignored(void **state)
{
	struct world *w = new_world(1);
	uint32_t id = put_new(w, 1);

	(void)state;
	flow_cache_remove(w->cache, id);
	outbox_touch(&w->b, id, TOUCH_SEND);
	outbox_touch(&w->b, 4711, TOUCH_SEND);
	assert_int_equal(w->b.dirty.n, 0);
	assert_int_equal(w->n_removed, 1);
	free_world(w);
}

static void test_a_dead_entry_goes_with_its_last_acknowledgement(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w), *q = add_node(w);
	uint32_t id = put_new(w, 1), n;

	(void)state;
	n = send_flow(w, id);
	flow_cache_kill(w->cache, id);
	outbox_touch(&w->b, id, TOUCH_SEND);
	ack(w, p, n, n);
	ack(w, q, n, n);
	assert_int_equal(head(w, id)->state, ENTRY_DEAD); /* it is queued */
	n = send_flow(w, id);
	ack(w, p, n, n);
	assert_int_equal(head(w, id)->state, ENTRY_DEAD);
	ack(w, q, n, n);
	assert_int_equal(head(w, id)->state, ENTRY_FREE);
	assert_int_equal(w->n_removed, 1);
	free_world(w);
}

static void test_a_revived_entry_is_not_removed_with_its_end(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w);
	uint32_t id = put_new(w, 1), n;

	(void)state;
	flow_cache_kill(w->cache, id);
	n = send_flow(w, id);
	assert_int_equal(put_new(w, 1), id);
	outbox_touch(&w->b, id, TOUCH_QUIET);
	ack(w, p, n, n);
	assert_int_equal(head(w, id)->state, ENTRY_NEW);
	assert_int_equal(w->b.dirty.n, 1);
	free_world(w);
}

/* A reference cannot sweep. */
static void test_ends_are_kept_for_a_silent_reference_the_newest(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w), *silent = add_peer(w, 0);
	uint32_t id[KEPT_MOST + 1];

	(void)state;
	roster_silent(silent);
	for (uint16_t k = 0; k <= KEPT_MOST; k++) {
		uint32_t n;

		id[k] = put_new(w, k);
		flow_cache_kill(w->cache, id[k]);
		n = send_flow(w, id[k]);
		ack(w, p, n, n);
	}
	assert_int_equal(w->b.kept.n, KEPT_MOST);
	assert_int_equal(head(w, id[0])->state, ENTRY_FREE);
	assert_int_equal(head(w, id[1])->outbox & OUTBOX_KEPT, OUTBOX_KEPT);
	flow_cache_remove(w->cache, id[1]);
	assert_int_equal(w->b.kept.n, KEPT_MOST - 1);
	outbox_send_kept(&w->b);
	assert_int_equal(w->b.kept.n, 0);
	assert_int_equal(w->b.dirty.first, id[2]);
	assert_int_equal(w->b.dirty.n, KEPT_MOST - 1);
	assert_int_equal(head(w, id[2])->outbox, OUTBOX_QUEUED);
	free_world(w);
}

static void test_kept_ends_go_when_nobody_is_silent_any_more(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w), *silent = add_peer(w, 0);
	uint32_t id = put_new(w, 1), n;

	(void)state;
	roster_silent(silent);
	flow_cache_kill(w->cache, id);
	n = send_flow(w, id);
	ack(w, p, n, n);
	outbox_spare_entries(&w->b);
	assert_int_equal(w->b.kept.n, 1);
	roster_forget(silent);
	outbox_spare_entries(&w->b);
	assert_int_equal(w->b.kept.n, 0);
	assert_int_equal(head(w, id)->state, ENTRY_FREE);
	free_world(w);
}

/* ---- what is sent again ------------------------------------------------- */

static void test_what_was_lost_is_sent_again_as_it_is_now(void **state)
{
	/* again: the second number tells less than all, for it is merged */
	static const struct {
		uint16_t capabilities;
		bool is_sent_later, is_dead, want;
	} cases[] = {
		{ EXT_CAP_WHOLE_UPDATES, false, false, true },
		{ EXT_CAP_WHOLE_UPDATES, true, false, false },
		{ EXT_CAP_ADDRESSED_ACK, true, false, true },
		{ EXT_CAP_ADDRESSED_ACK, true, true, false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct world *w = new_world(UINT32_MAX);
		struct peer *p = add_peer(w, cases[i].capabilities);
		uint32_t id = put_new(w, 1), n = send_flow(w, id);

		if (cases[i].is_dead)
			flow_cache_kill(w->cache, id);
		if (cases[i].is_sent_later)
			send_flow(w, id);
		outbox_lost(&w->b, p, n, n, w->now_ms);
		assert_int_equal(w->n_lost, 1);
		assert_int_equal(w->lost_n, n);
		assert_int_equal(w->b.dirty.n, cases[i].want);
		if (cases[i].want)
			assert_int_equal(head(w, id)->outbox, OUTBOX_QUEUED);
		/* nobody owes anything for a number that was lost */
		assert_int_equal(w->b.peers[p->number].n_debts,
				 cases[i].is_sent_later);
		free_world(w);
	}
}

static void test_who_has_it_may_not_say_that_it_is_lost(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w), *q = add_node(w);
	uint32_t n = send_flow(w, put_new(w, 1));

	(void)state;
	ack(w, p, n, n);
	send_flow(w, put_new(w, 2));
	outbox_lost(&w->b, p, n, n, w->now_ms);
	assert_int_equal(w->b.dirty.n, 0);
	outbox_lost(&w->b, q, n, n, w->now_ms);
	assert_int_equal(w->b.dirty.n, 1);
	free_world(w);
}

static void test_a_lost_control_message_needs_its_receiver(void **state)
{
	static const struct {
		struct ctl c;
		bool marks_count, is_gone, want;
	} cases[] = {
		{ { .kind = CTL_NACK, .peer = 1 }, false, false, true },
		{ { .kind = CTL_NACK, .peer = 1 }, false, true, false },
		{ { .kind = CTL_NACK, .peer = 0 }, false, false, false },
		{ { .kind = CTL_RESYNC }, false, true, true },
		{ { .kind = CTL_MARK, .node = NODE }, true, false, true },
		{ { .kind = CTL_MARK, .node = NODE }, false, false, false },
		{ { .kind = CTL_MARK, .node = NODE + 5 }, true, false, false },
		{ { .kind = CTL_MARK, .node = NODE }, true, true, false },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct world *w = new_world(1);
		struct peer *p = add_node(w), *reference = add_peer(w, 0);
		uint32_t n = send_control(w, &cases[i].c,
					  peer_bit(p) | peer_bit(reference));

		w->marks_count = cases[i].marks_count;
		if (cases[i].is_gone) {
			roster_silent(p);
			roster_silent(reference);
		}
		outbox_send_again(&w->b, n);
		assert_int_equal(w->b.plain.n + w->b.marks.n, cases[i].want);
		assert_int_equal(n_free_controls(w) + cases[i].want + 1,
				 w->b.pool.n_all);
		free_world(w);
	}
}

static void test_marks_that_are_acknowledged_are_told(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w);
	uint32_t n = send_control(
		w, &(struct ctl){ .kind = CTL_MARK, .node = NODE }, 1);

	(void)state;
	ack(w, p, n, n);
	assert_int_equal(w->n_marks_acked, 1);
	n = send_control(w, &(struct ctl){ .kind = CTL_RESYNC }, 1);
	ack(w, p, n, n);
	assert_int_equal(w->n_marks_acked, 1);
	free_world(w);
}

static void test_a_peer_that_leaves_is_settled(void **state)
{
	static const struct {
		enum settle how;
		uint32_t n_dirty, n_held;
	} cases[] = {
		{ SETTLE_LET_GO, 0, 1 },
		{ SETTLE_HOLD, 0, 3 },
		{ SETTLE_SEND_AGAIN, 3, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct world *w = new_world(UINT32_MAX - 1);
		struct peer *p = add_node(w), *q = add_node(w);
		uint32_t first = w->b.ring.first, n_held = 0;

		for (uint16_t k = 0; k < 3; k++)
			send_flow(w, put_new(w, k));
		ack(w, q, first, first);
		ack(w, q, first + 2, first + 2);
		assert_false(outbox_settle(&w->b, p, cases[i].how));
		assert_int_equal(w->b.peers[p->number].n_debts, 0);
		assert_int_equal(w->b.dirty.n, cases[i].n_dirty);
		for (uint32_t n = first; n != first + 3; n++)
			n_held += ring_at(&w->b.ring, n).kind == RING_FLOW;
		assert_int_equal(n_held, cases[i].n_held);
		free_world(w);
	}
}

static void test_it_is_told_that_a_request_was_let_go(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w);

	(void)state;
	send_control(w, &(struct ctl){ .kind = CTL_RESYNC }, peer_bit(p));
	assert_true(outbox_settle(&w->b, p, SETTLE_LET_GO));
	assert_false(outbox_settle(&w->b, p, SETTLE_LET_GO));
	free_world(w);
}

static void test_what_was_sent_to_nobody_is_sent_again(void **state)
{
	struct world *w = new_world(1);

	(void)state;
	send_flow(w, put_new(w, 1));
	add_node(w);
	send_flow(w, put_new(w, 2));
	outbox_lost_unwaited(&w->b);
	assert_int_equal(w->b.dirty.n, 1);
	outbox_lost_before(&w->b, w->b.ring.next);
	assert_int_equal(w->b.dirty.n, 2);
	free_world(w);
}

static void test_with_a_connection_all_that_is_owed_is_lost(void **state)
{
	struct world *w = new_world(5);
	struct peer *p = add_node(w);
	uint32_t first, id;

	(void)state;
	for (uint16_t k = 0; k < 3; k++)
		(void)send_flow(w, put_new(w, k));
	id = put_new(w, 3);
	first = send_flow(w, id);
	assert_int_equal(ack(w, p, first - 2, first - 1), 2);
	outbox_lost_all(&w->b);
	assert_int_equal(w->n_lost, 2);
	assert_int_equal(w->b.dirty.n, 2);
	assert_int_equal(w->b.peers[p->number].n_debts, 0);
	assert_false(head(w, id)->outbox & OUTBOX_SENT); /* told as new */
	outbox_lost_all(&w->b);
	assert_int_equal(w->n_lost, 2);
	free_world(w);
}

static void test_before_its_first_answer_a_life_has_heard_nothing(void **state)
{
	struct world *w = new_world(UINT32_MAX - 1);
	struct peer *p = add_node(w);
	uint32_t first = w->b.ring.first;

	(void)state;
	for (uint16_t k = 0; k < 4; k++)
		send_flow(w, put_new(w, k));
	outbox_first_ack(&w->b, p, first + 3);
	assert_int_equal(w->b.dirty.n, 3);
	outbox_first_ack(&w->b, p, first + 4); /* it is not the first */
	assert_int_equal(w->b.dirty.n, 3);
	outbox_new_life(&w->b, p);
	outbox_first_ack(&w->b, p, first + 4);
	assert_int_equal(w->b.dirty.n, 4);
	free_world(w);
}

static void test_what_makes_no_progress_is_sent_again_ever_rarer(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w);
	uint32_t id = put_new(w, 1), other = put_new(w, 2);
	int64_t waits_ms[6] = { 0 };

	(void)state;
	outbox_touch(&w->b, id, TOUCH_SEND);
	for (size_t i = 0; i < N_ELEMENTS(waits_ms); i++) {
		int64_t sent_ms = w->now_ms;
		uint32_t n = send_flow(w, other);

		send_flow(w, id);
		outbox_release(&w->b, n); /* it becomes the oldest */
		outbox_resend_stuck(&w->b, w->now_ms);
		while (!w->b.dirty.n) {
			w->now_ms += 100;
			outbox_resend_stuck(&w->b, w->now_ms);
		}
		waits_ms[i] = w->now_ms - sent_ms;
	}
	assert_int_equal(waits_ms[0], 3000);
	assert_int_equal(waits_ms[1], 6000);
	assert_int_equal(waits_ms[2], 12000);
	assert_int_equal(waits_ms[3], 24000);
	assert_int_equal(waits_ms[5], 30000);
	send_flow(w, id);
	ack(w, p, w->b.ring.next - 1, w->b.ring.next - 1);
	assert_int_equal(w->b.backoff, 0);
	free_world(w);
}

static void test_who_acknowledges_nothing_is_deaf(void **state)
{
	struct world *w = new_world(1);
	struct peer *p = add_node(w), *reference = add_peer(w, 0);
	uint32_t n = send_flow(w, put_new(w, 1));

	(void)state;
	w->now_ms += 9999;
	assert_false(outbox_is_deaf(&w->b, p, w->now_ms));
	w->now_ms++;
	assert_true(outbox_is_deaf(&w->b, p, w->now_ms));
	/* A reference may wait for its window, but not if it is idle. */
	assert_false(outbox_is_deaf(&w->b, reference, w->now_ms));
	outbox_idle(&w->b, reference, w->now_ms);
	assert_true(outbox_is_deaf(&w->b, reference, w->now_ms));
	outbox_patience(&w->b, p, w->now_ms);
	assert_false(outbox_is_deaf(&w->b, p, w->now_ms));
	ack(w, p, n, n);
	w->now_ms += 60000;
	assert_false(outbox_is_deaf(&w->b, p, w->now_ms)); /* owes nothing */
	free_world(w);
}

/* ---- memory ------------------------------------------------------------- */

static void test_without_memory_there_is_no_outbox(void **state)
{
	struct world *w = new_world(1);
	struct outbox_opts o = opts(w, 1);

	(void)state;
	for (size_t n = 0;; n++) {
		struct outbox b;
		int err;

		alloc_fail_after(n);
		err = outbox_init(&b, &o, 0);
		if (!alloc_fail_off()) {
			assert_int_equal(err, 0);
			outbox_fini(&b);
			break;
		}
		assert_int_equal(err, -ENOMEM);
	}
	free_world(w);
}

static void test_a_control_message_without_memory_is_counted(void **state)
{
	struct world *w = new_world(1);

	(void)state;
	alloc_fail_after(0);
	assert_false(
		outbox_control(&w->b, &(struct ctl){ .kind = CTL_RESYNC }));
	assert_true(alloc_fail_off());
	assert_int_equal(w->b.n_no_memory, 1);
	assert_int_equal(w->b.plain.n, 0);
	assert_true(outbox_control(&w->b, &(struct ctl){ .kind = CTL_RESYNC }));
	assert_int_equal(w->b.plain.n, 1);
	free_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test(test)
		T(test_a_number_is_held_until_all_have_acknowledged_it),
		T(test_ranges_of_others_are_not_ours),
		T(test_progress_is_made_by_acknowledging_the_oldest),
		T(test_what_waits_for_nobody_is_not_held_while_others_are),
		T(test_entries_leave_a_quarter_of_the_slots),
		T(test_a_range_that_is_repeated_keeps_nobody_busy),
		T(test_the_way_is_measured_by_acknowledgements),
		T(test_what_is_to_be_told_is_queued_once),
		T(test_the_peers_know_what_all_have_acknowledged),
		T(test_what_was_sent_waits_no_more),
		T(test_ids_that_are_not_in_use_are_ignored),
		T(test_a_dead_entry_goes_with_its_last_acknowledgement),
		T(test_a_revived_entry_is_not_removed_with_its_end),
		T(test_ends_are_kept_for_a_silent_reference_the_newest),
		T(test_kept_ends_go_when_nobody_is_silent_any_more),
		T(test_what_was_lost_is_sent_again_as_it_is_now),
		T(test_who_has_it_may_not_say_that_it_is_lost),
		T(test_a_lost_control_message_needs_its_receiver),
		T(test_marks_that_are_acknowledged_are_told),
		T(test_a_peer_that_leaves_is_settled),
		T(test_it_is_told_that_a_request_was_let_go),
		T(test_what_was_sent_to_nobody_is_sent_again),
		T(test_with_a_connection_all_that_is_owed_is_lost),
		T(test_before_its_first_answer_a_life_has_heard_nothing),
		T(test_what_makes_no_progress_is_sent_again_ever_rarer),
		T(test_who_acknowledges_nothing_is_deaf),
		T(test_without_memory_there_is_no_outbox),
		T(test_a_control_message_without_memory_is_counted),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
