/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/roster.h"

static struct peer_addr place(uint8_t link, uint8_t last)
{
	struct peer_addr a = { .link = link, .family = FAMILY_IPV4 };

	a.addr.b[3] = last;
	return a;
}

static int new_table(void **state)
{
	*state = calloc(1, sizeof(struct roster));
	return *state ? 0 : -1;
}

static int free_table(void **state)
{
	free(*state);
	return 0;
}

static void test_a_peer_is_found_at_all_its_places(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(1, 1), c = place(1, 2);
	struct peer *p = roster_add(t, &a, 5);

	roster_add_place(t, p, &b);
	assert_ptr_equal(roster_at(t, &a), p);
	assert_ptr_equal(roster_at(t, &b), p);
	assert_null(roster_at(t, &c));
}

static void test_a_place_belongs_to_one_peer(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(0, 2);
	struct peer *p = roster_add(t, &a, 5), *q = roster_add(t, &b, 5);

	roster_add_place(t, q, &a);
	assert_ptr_equal(roster_at(t, &a), q);
	assert_ptr_equal(roster_at(t, &b), q);
	assert_int_equal(p->n_addrs, 0);
}

static void test_the_oldest_place_goes_when_there_are_too_many(void **state)
{
	struct roster *t = *state;
	struct peer_addr first = place(0, 0);
	struct peer *p = roster_add(t, &first, 5);

	for (uint8_t i = 1; i <= PEER_ADDR_MAX; i++) {
		struct peer_addr a = place(0, i);

		roster_add_place(t, p, &a);
		assert_ptr_equal(roster_at(t, &a), p);
	}
	assert_null(roster_at(t, &first));
}

static void test_the_65th_peer_is_refused_and_counted(void **state)
{
	struct roster *t = *state;

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer_addr a = place(0, (uint8_t)i);
		struct peer *p = roster_add(t, &a, 5);

		assert_non_null(p);
		assert_int_equal(p->number, i);
	}
	assert_null(roster_add(t, &(struct peer_addr){ .link = 1 }, 5));
	assert_int_equal(t->n_refused, 1);
}

static void test_one_that_never_answered_makes_room(void **state)
{
	struct roster *t = *state;
	uint32_t generation;

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer_addr a = place(0, (uint8_t)i);

		roster_add(t, &a, 5);
		t->peers[i].has_answered = i != 9;
	}
	t->peers[4].is_live = false; /* it is missed more */
	t->peers[9].is_live = false;
	generation = t->peers[9].generation;
	assert_ptr_equal(roster_add(t, &(struct peer_addr){ .link = 1 }, 5),
			 &t->peers[9]);
	/* What its predecessor owned is older than what it will own. */
	assert_int_equal(t->peers[9].generation, generation + 1);
}

static void test_of_those_that_answered_the_silent_make_room(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(1, 1);

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer_addr at = place(0, (uint8_t)i);

		roster_add(t, &at, 5);
		t->peers[i].has_answered = true;
		t->peers[i].heard_ms = 1000 - i;
	}
	assert_null(roster_add(t, &a, 5));
	t->peers[3].is_live = false;
	t->peers[7].is_live = false; /* silent for longer */
	t->peers[9].is_live = false;
	t->peers[9].is_deaf = true; /* but heard */
	assert_ptr_equal(roster_add(t, &a, 5), &t->peers[7]);
}

static void test_a_reference_is_known_again_by_its_numbers(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), elsewhere = place(1, 1);
	struct peer *p = roster_add(t, &a, 5);

	assert_null(roster_continued(t, &elsewhere, 101)); /* no number yet */
	p->has_seq = true;
	p->last_seq = 100;
	assert_ptr_equal(roster_continued(t, &elsewhere, 101), p);
	assert_ptr_equal(roster_continued(t, &elsewhere, 100 + 4096), p);
	assert_null(roster_continued(t, &elsewhere, 100 + 4097));
	assert_null(roster_continued(t, &elsewhere, 100));
	p->node = 7; /* tells who it is itself */
	assert_null(roster_continued(t, &elsewhere, 101));
}

/* References that were started within the hour have near numbers. */
static void test_near_numbers_on_one_link_are_those_of_two(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(0, 2);
	struct peer *p = roster_add(t, &a, 5);

	p->has_seq = true;
	p->last_seq = 100;
	assert_null(roster_continued(t, &b, 101));
}

static void test_a_new_life_forgets_the_old_one_but_its_id(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1);
	struct peer *p = roster_add(t, &a, 5);

	p->node = 7;
	p->has_seq = true;
	p->is_deaf = true;
	p->is_reference = true;
	roster_new_life(p, 8);
	assert_true(peer_is_old_node(p, 7));
	assert_false(peer_is_old_node(p, 8));
	assert_false(p->has_seq || p->is_deaf || p->is_reference);
	assert_int_equal(p->generation, 2); /* of the slot: 1 */
	assert_ptr_equal(roster_of_node(t, 8), p);
	assert_null(roster_of_node(t, 0));
}

static void test_only_live_peers_that_answered_are_waited_for(void **state)
{
	struct roster *t = *state;

	for (uint8_t i = 0; i < 4; i++) {
		struct peer_addr a = place(0, i);
		struct peer *p = roster_add(t, &a, 5);

		p->is_live = i & 1;
		p->has_answered = i & 2;
	}
	assert_int_equal(roster_waited(t), 8);
}

/* ---- who is it? --------------------------------------------------------- */

/* An announcement with a name, or without one (0). */
struct announcement {
	uint8_t bytes[64];
	struct ext_alive ext;
};

static void announce(struct announcement *a, uint64_t node, uint8_t name)
{
	struct ext_record r = { .type = EXT_STABLE_NAME };
	struct wr w = { .buf = a->bytes, .size = sizeof(a->bytes) };

	r.name[0] = name;
	ext_begin(&w, EXT_CAP_ADDRESSED_ACK, node);
	if (name)
		ext_add(&w, &r);
	assert_true(ext_open((struct rd){ a->bytes, w.used }, &a->ext));
}

/* The peer says it under this number, as the engine would take it. */
static enum roster_answer say_id(struct roster *t, const struct peer_addr *from,
				 uint32_t seq, uint64_t node, uint8_t name,
				 int64_t now_ms, struct roster_found *found)
{
	struct announcement a;

	announce(&a, node, name);
	roster_find(t, from, seq, &a.ext, now_ms, found);
	if (!found->peer)
		return found->what;
	if (found->what == ROSTER_RESTARTED)
		roster_new_life(found->peer, node);
	else if (found->what != ROSTER_KNOWN)
		roster_named(found->peer, node);
	roster_add_place(t, found->peer, from);
	roster_announced(found->peer, from, &a.ext, now_ms);
	roster_heard(found->peer, now_ms);
	roster_accepted(found->peer, seq, now_ms);
	return found->what;
}

static enum roster_answer say_data(struct roster *t,
				   const struct peer_addr *from, uint32_t seq,
				   int64_t now_ms, struct roster_found *found)
{
	roster_find(t, from, seq, NULL, now_ms, found);
	if (found->peer) {
		roster_heard(found->peer, now_ms);
		roster_accepted(found->peer, seq, now_ms);
	}
	return found->what;
}

static void test_a_node_is_known_by_its_id_wherever_it_is(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(1, 1);
	struct roster_found found;
	struct peer *p;

	assert_int_equal(say_id(t, &a, 1, 7, 1, 0, &found), ROSTER_FOUND);
	p = found.peer;
	assert_int_equal(say_id(t, &b, 2, 7, 1, 9, &found), ROSTER_KNOWN);
	assert_ptr_equal(found.peer, p);
	assert_int_equal(p->n_addrs, 2);
	assert_true(peer_reads_records(p));
	assert_false(peer_sends_whole_updates(p));
}

static void test_an_id_without_a_name_is_not_listened_to(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1);
	struct roster_found found;

	assert_int_equal(say_id(t, &a, 1, 7, 0, 0, &found), ROSTER_NOBODY);
	assert_int_equal(roster_next(t, -1), -1);
}

/* A second id, said every 100 ms. Returns when it was believed. */
static int64_t believed_ms(struct roster *t, const struct peer_addr *from,
			   uint8_t name, struct roster_found *found)
{
	for (int64_t ms = 100; ms < 9000; ms += 100)
		if (say_id(t, from, (uint32_t)(900 + ms / 100), 8, name, ms,
			   found) != ROSTER_NOBODY)
			return ms;
	return -1;
}

static void test_a_new_id_is_believed_when_the_old_one_is_not_said(void **state)
{
	static const struct {
		uint8_t last, name;
		int64_t want_ms;
	} cases[] = {
		{ 1, 1, 1200 }, /* at the same place */
		{ 1, 2, 1200 },
		{ 2, 1, 3000 }, /* elsewhere late ones may come */
		{ 2, 2, 100 },  /* another node */
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct roster *t = *state;
		struct peer_addr a = place(0, 1), b = place(0, cases[i].last);
		struct roster_found found;
		struct peer *p;

		*t = (struct roster){ 0 };
		say_id(t, &a, 1, 7, 1, 0, &found);
		p = found.peer;
		assert_int_equal(believed_ms(t, &b, cases[i].name, &found),
				 cases[i].want_ms);
		if (cases[i].want_ms == 100) {
			assert_int_equal(found.what, ROSTER_FOUND);
			continue;
		}
		assert_int_equal(found.what, ROSTER_RESTARTED);
		assert_ptr_equal(found.peer, p);
		assert_true(peer_is_old_node(p, 7));
	}
}

static void test_who_is_silent_may_have_a_new_id_at_once(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1);
	struct roster_found found;

	say_id(t, &a, 1, 7, 1, 0, &found);
	roster_silent(found.peer);
	assert_int_equal(say_id(t, &a, 900, 8, 1, 1, &found), ROSTER_RESTARTED);
}

static void test_two_that_go_on_with_one_name_are_two(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(0, 2);
	struct roster_found found;
	enum roster_answer what = ROSTER_NOBODY;
	struct peer *p;
	int64_t ms;

	say_id(t, &a, 1, 7, 1, 0, &found);
	p = found.peer;
	for (ms = 100; what == ROSTER_NOBODY; ms += 100) {
		say_id(t, &a, (uint32_t)(1 + ms / 100), 7, 1, ms, &found);
		what = say_id(t, &b, (uint32_t)(9000 + ms / 100), 8, 1, ms,
			      &found);
	}
	assert_in_range(ms, 3000, 3300);
	assert_int_equal(what, ROSTER_FOUND);
	assert_ptr_equal(found.namesake, p);
	assert_true(found.has_rival);
	assert_ptr_not_equal(found.peer, p);
	assert_int_equal(p->node, 7);
}

/* On a long way its announcements were lost for so long that it was taken for
 * one without an id, which goes on while it says its id on another link. */
static void
test_one_whose_id_was_not_heard_is_known_by_its_numbers(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(1, 1);
	struct roster_found found;
	enum roster_answer what = ROSTER_NOBODY;
	struct peer *p;
	int64_t ms;

	say_id(t, &a, 1, 7, 1, 0, &found);
	p = found.peer;
	roster_new_life(p, 0);
	for (ms = 10000; what == ROSTER_NOBODY && ms < 20000; ms += 100) {
		uint32_t seq = (uint32_t)(ms / 100);

		say_data(t, &a, seq, ms, &found);
		what = say_id(t, &b, seq + 30, 7, 1, ms, &found);
	}
	assert_int_equal(what, ROSTER_RESTARTED);
	assert_ptr_equal(found.peer, p);
	assert_null(found.namesake);
	assert_int_equal(p->node, 7);
}

static void test_an_earlier_life_is_no_new_one(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1);
	struct roster_found found;

	say_id(t, &a, 1, 7, 1, 0, &found);
	believed_ms(t, &a, 1, &found);
	assert_int_equal(found.peer->node, 8);
	for (int64_t ms = 1300; ms < 9000; ms += 100) {
		say_id(t, &a, (uint32_t)(900 + ms / 100), 8, 1, ms, &found);
		assert_int_equal(say_id(t, &a, (uint32_t)(1 + ms / 100), 7, 1,
					ms, &found),
				 ROSTER_NOBODY);
	}
}

static void test_a_forged_life_is_taken_back(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1);
	struct roster_found found;
	uint64_t cleared = 0;
	struct peer *p;
	int64_t ms;

	say_id(t, &a, 1, 7, 1, 0, &found);
	believed_ms(t, &a, 1, &found);
	p = found.peer;
	for (ms = 1300; p->node == 8 && ms < 9000; ms += 100) {
		say_id(t, &a, (uint32_t)(1 + ms / 100), 7, 1, ms, &found);
		cleared |= found.cleared;
	}
	assert_int_equal(p->node, 7);
	assert_int_equal(ms, 4400);
	assert_int_equal(cleared, peer_bit(p));
	assert_false(peer_is_old_node(p, 7));
}

static void test_data_may_come_before_the_id(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(0, 2);
	struct roster_found found;

	assert_int_equal(say_data(t, &a, 100, 0, &found), ROSTER_FOUND);
	assert_int_equal(say_id(t, &a, 102, 7, 1, 1, &found), ROSTER_NAMED);
	assert_int_equal(t->peers[0].generation, 1);
	/* Far numbers are those of somebody else, who was there before. */
	say_data(t, &b, 0x80000000, 2, &found);
	assert_int_equal(say_id(t, &b, 500, 8, 2, 3, &found), ROSTER_NOBODY);
	assert_int_equal(found.what, ROSTER_NOBODY);
	assert_int_equal(t->peers[1].unbelieved_ms, 3);
}

/* Upgraded: the first plain messages of the new life, with their far numbers,
 * are taken for the reference's. What that one owes nobody will acknowledge. */
static void test_a_node_in_the_place_of_a_reference_starts_anew(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1);
	struct roster_found found;

	say_data(t, &a, 100, 0, &found);
	assert_true(roster_is_reference(found.peer));
	say_data(t, &a, 500000, 2000, &found);
	assert_int_equal(say_id(t, &a, 500001, 7, 1, 2001, &found),
			 ROSTER_RESTARTED);
}

static void test_another_may_be_where_a_node_has_been(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(0, 2);
	struct roster_found found;

	say_id(t, &a, 1, 7, 1, 0, &found);
	say_id(t, &b, 2, 7, 1, 1, &found);
	assert_int_equal(say_id(t, &a, 900, 8, 2, 2, &found), ROSTER_FOUND);
	assert_ptr_equal(roster_at(t, &a), roster_of_node(t, 8));
}

static void test_a_node_elsewhere_says_first_who_it_is(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(1, 9);
	struct roster_found found;

	say_id(t, &a, UINT32_MAX - 5, 7, 1, 0, &found);
	assert_int_equal(say_data(t, &b, 3, 1, &found), ROSTER_NOBODY);
	assert_int_equal(say_data(t, &b, 9000, 1, &found), ROSTER_FOUND);
	/* What was taken for another one there is p. */
	assert_ptr_equal(roster_twin(t, &t->peers[0], &b), &t->peers[1]);
	assert_null(roster_twin(t, &t->peers[1], &b));
	assert_null(roster_twin(t, &t->peers[1], &a));
}

static void test_one_that_was_taken_for_two_is_merged(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(1, 9);
	struct roster_found found;
	struct peer *p, *q;

	say_id(t, &a, UINT32_MAX, 7, 1, 0, &found);
	p = found.peer;
	say_data(t, &b, 9000, 1, &found);
	q = found.peer;
	roster_continue(p, q);
	roster_merge(p, q);
	assert_int_equal(p->last_seq, 9000);
	assert_int_equal(p->first_seq, UINT32_MAX);
	assert_ptr_equal(roster_at(t, &b), p);
	assert_false(q->is_used);
	roster_accepted(q, 5, 0); /* older numbers do not go on */
	roster_continue(p, q);
	assert_int_equal(p->last_seq, 9000);
}

static void test_a_reference_goes_on_at_another_link(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1), b = place(1, 9);
	struct roster_found found;
	struct peer *p;

	say_data(t, &a, 100, 0, &found);
	p = found.peer;
	assert_int_equal(say_data(t, &b, 101, 1, &found), ROSTER_KNOWN);
	assert_ptr_equal(found.peer, p);
	assert_ptr_equal(roster_at(t, &b), p);
}

static void test_the_65th_is_refused_whatever_it_says(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(1, 1);
	struct roster_found found;

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer_addr at = place(0, (uint8_t)i);

		roster_add(t, &at, 5);
	}
	assert_int_equal(say_data(t, &a, 1, 5, &found), ROSTER_REFUSED);
	assert_int_equal(say_id(t, &a, 1, 7, 1, 5, &found), ROSTER_REFUSED);
	assert_int_equal(t->n_refused, 2);
}

/* ---- lives -------------------------------------------------------------- */

static void test_time_takes_those_who_are_not_heard(void **state)
{
	static const struct {
		uint64_t node;
		bool is_reference;
		int64_t heard_ms, announced_ms;
		enum roster_lapse want;
	} cases[] = {
		{ 7, false, 1, 1, LAPSE_NONE },
		{ 7, false, 0, 0, LAPSE_SILENT },
		{ 7, false, 9000, 0, LAPSE_ID },
		{ 0, true, 1, 0, LAPSE_NONE },
		{ 0, true, 0, 0, LAPSE_SILENT },
		{ 0, false, 0, 0, LAPSE_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		const struct peer p = {
			.node = cases[i].node,
			.is_reference = cases[i].is_reference,
			.heard_ms = cases[i].heard_ms,
			.announced_ms = cases[i].announced_ms,
		};

		assert_int_equal(roster_lapse(&p, 10000), cases[i].want);
	}
}

static void
test_who_says_an_id_that_is_not_believed_is_no_reference(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1);
	struct roster_found found;
	struct peer *p;

	say_data(t, &a, 0x80000000, 0, &found);
	p = found.peer;
	assert_false(roster_lacks_id(p));
	say_id(t, &a, 5, 7, 1, 2900, &found);
	roster_heard(p, 3000);
	assert_true(roster_lacks_id(p));
	assert_false(roster_is_reference(p));
	roster_heard(p, 5900);
	assert_true(roster_is_reference(p));
	assert_false(roster_is_reference(p)); /* that is known */
}

static void test_hearing_tells_who_was_away(void **state)
{
	struct roster *t = *state;
	struct peer_addr a = place(0, 1);
	struct peer *p = roster_add(t, &a, 0);

	assert_false(roster_heard(p, 1));
	roster_deaf(p);
	assert_false(roster_heard(p, 2));
	roster_silent(p);
	assert_true(roster_is_alone(t));
	assert_true(roster_heard(p, 3));
	roster_returned(p);
	assert_false(roster_is_alone(t));
	assert_true(roster_answered(p));
	assert_false(roster_answered(p));
}

static void test_copies_are_for_those_who_all_know_them(void **state)
{
	struct roster *t = *state;
	struct peer *p[2];

	assert_false(roster_takes_copies(t));
	for (uint8_t i = 0; i < 2; i++) {
		struct peer_addr a = place(0, i);

		p[i] = roster_add(t, &a, 0);
		p[i]->node = i + 1;
		p[i]->capabilities = EXT_CAP_COPIES;
	}
	assert_true(roster_takes_copies(t));
	p[0]->node = 0; /* it may be a reference */
	assert_false(roster_takes_copies(t));
	p[0]->is_live = false;
	assert_true(roster_takes_copies(t));
	p[1]->capabilities = EXT_CAP_ADDRESSED_ACK;
	assert_false(roster_takes_copies(t));
	p[1]->is_live = false;
	assert_false(roster_takes_copies(t));
}

static void test_the_reference_of_a_pair_may_have_moved(void **state)
{
	struct roster *t = *state;
	struct peer *live, *silent;

	for (uint8_t i = 0; i < 3; i++) {
		struct peer_addr a = place(0, i);

		roster_is_reference(roster_add(t, &a, 0));
		roster_answered(&t->peers[i]);
	}
	roster_forget(&t->peers[2]);
	assert_false(roster_reference_moved(t, &live, &silent));
	assert_false(roster_has_silent_reference(t));
	roster_silent(&t->peers[0]);
	assert_true(roster_has_silent_reference(t));
	assert_true(roster_reference_moved(t, &live, &silent));
	assert_ptr_equal(live, &t->peers[1]);
	assert_ptr_equal(silent, &t->peers[0]);
	roster_deaf(&t->peers[1]);
	assert_false(roster_reference_moved(t, &live, &silent));
}

static void test_a_walk_meets_those_that_are_there(void **state)
{
	struct roster *t = *state;

	assert_int_equal(roster_next(t, -1), -1);
	for (uint8_t i = 0; i < 4; i++) {
		struct peer_addr a = place(0, i);

		roster_add(t, &a, 0);
	}
	roster_forget(&t->peers[0]);
	roster_forget(&t->peers[2]);
	assert_int_equal(roster_next(t, -1), 1);
	assert_int_equal(roster_next(t, 1), 3);
	assert_int_equal(roster_next(t, 3), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, new_table, free_table)
		T(test_a_peer_is_found_at_all_its_places),
		T(test_a_place_belongs_to_one_peer),
		T(test_the_oldest_place_goes_when_there_are_too_many),
		T(test_the_65th_peer_is_refused_and_counted),
		T(test_one_that_never_answered_makes_room),
		T(test_of_those_that_answered_the_silent_make_room),
		T(test_a_reference_is_known_again_by_its_numbers),
		T(test_near_numbers_on_one_link_are_those_of_two),
		T(test_a_new_life_forgets_the_old_one_but_its_id),
		T(test_only_live_peers_that_answered_are_waited_for),
		T(test_a_node_is_known_by_its_id_wherever_it_is),
		T(test_an_id_without_a_name_is_not_listened_to),
		T(test_a_new_id_is_believed_when_the_old_one_is_not_said),
		T(test_who_is_silent_may_have_a_new_id_at_once),
		T(test_two_that_go_on_with_one_name_are_two),
		T(test_one_whose_id_was_not_heard_is_known_by_its_numbers),
		T(test_an_earlier_life_is_no_new_one),
		T(test_a_forged_life_is_taken_back),
		T(test_data_may_come_before_the_id),
		T(test_a_node_in_the_place_of_a_reference_starts_anew),
		T(test_another_may_be_where_a_node_has_been),
		T(test_a_node_elsewhere_says_first_who_it_is),
		T(test_one_that_was_taken_for_two_is_merged),
		T(test_a_reference_goes_on_at_another_link),
		T(test_the_65th_is_refused_whatever_it_says),
		T(test_time_takes_those_who_are_not_heard),
		T(test_who_says_an_id_that_is_not_believed_is_no_reference),
		T(test_hearing_tells_who_was_away),
		T(test_copies_are_for_those_who_all_know_them),
		T(test_the_reference_of_a_pair_may_have_moved),
		T(test_a_walk_meets_those_that_are_there),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
