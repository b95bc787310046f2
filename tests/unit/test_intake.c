/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sync/intake.h"

enum { NODE = 77 };

struct world {
	struct roster roster;
	struct intake k;
};

static int new_world(void **state)
{
	*state = calloc(1, sizeof(struct world));
	return *state ? 0 : -1;
}

static int free_world(void **state)
{
	free(*state);
	return 0;
}

static struct peer *add_peer(struct world *w, bool is_node)
{
	struct peer_addr at = { .link = 0, .family = FAMILY_IPV4 };
	struct peer *p;

	at.addr.b[3] = (uint8_t)(w->roster.n_places + 1);
	p = roster_add(&w->roster, &at, 0);
	assert_non_null(p);
	if (is_node)
		roster_named(p, NODE + p->number);
	else
		assert_true(roster_is_reference(p));
	intake_new_peer(&w->k, p);
	return p;
}

static void test_a_bulk_is_complete_if_all_of_it_has_come(void **state)
{
	static const struct {
		uint32_t n_told, n_said;
		enum intake_step want;
	} cases[] = {
		{ 3, 3, INTAKE_ENDS },
		{ 4, 3, INTAKE_ENDS }, /* changes were told in between */
		{ 2, 3, INTAKE_NONE },
		{ 0, 0, INTAKE_ENDS },
	};
	struct world *w = *state;
	struct peer *p = add_peer(w, true);

	for (uint32_t i = 0; i < N_ELEMENTS(cases); i++) {
		intake_new_peer(&w->k, p);
		intake_told(&w->k, p, true); /* before the begin */
		assert_int_equal(intake_mark(&w->k, p, EXT_BULK_BEGIN, i, 0),
				 INTAKE_BEGINS);
		for (uint32_t n = 0; n < cases[i].n_told; n++)
			intake_told(&w->k, p, true);
		assert_int_equal(
			intake_mark(&w->k, p, EXT_BULK_END, i, cases[i].n_said),
			cases[i].want);
		assert_int_equal(w->k.incomplete != 0,
				 cases[i].want == INTAKE_NONE);
	}
}

static void test_marks_come_late_or_not_at_all(void **state)
{
	struct world *w = *state;
	struct peer *p = add_peer(w, true);
	uint32_t walk = 0xfffffff0;

	assert_int_equal(intake_mark(&w->k, p, EXT_BULK_BEGIN, walk, 0),
			 INTAKE_BEGINS);
	assert_int_equal(intake_mark(&w->k, p, EXT_BULK_BEGIN, walk, 0),
			 INTAKE_NONE); /* sent twice */
	assert_int_equal(intake_mark(&w->k, p, EXT_BULK_END, walk, 0),
			 INTAKE_ENDS);
	assert_int_equal(intake_mark(&w->k, p, EXT_BULK_END, walk, 0),
			 INTAKE_NONE);
	assert_int_equal(intake_mark(&w->k, p, EXT_BULK_BEGIN,
				     walk - 7 * EXT_WALK_STEP, 0),
			 INTAKE_NONE); /* of an earlier walk */
	assert_int_equal(w->k.incomplete, 0);
	assert_int_equal(
		intake_mark(&w->k, p, EXT_BULK_END, walk + EXT_WALK_STEP, 0),
		INTAKE_NONE); /* its begin was missed */
	assert_int_equal(w->k.incomplete, peer_bit(p));
	for (uint32_t bit = 0; bit < 32; bit++) /* no bit makes it late */
		assert_int_equal(intake_mark(&w->k, p, EXT_BULK_BEGIN,
					     w->k.peers[0].walk ^ 1U << bit, 0),
				 INTAKE_BEGINS);
}

static void test_what_had_no_place_makes_it_incomplete(void **state)
{
	struct world *w = *state;
	struct peer *p = add_peer(w, true), *q = add_peer(w, true);

	intake_told(&w->k, q, true);
	intake_told(&w->k, p, false);
	assert_int_equal(w->k.incomplete, peer_bit(p));
	intake_new_life(&w->k, p);
	assert_int_equal(w->k.incomplete, 0);
}

static void test_a_reference_proves_that_it_has_told_all(void **state)
{
	static const struct {
		uint32_t from, to;
		bool has_unsent, want;
	} cases[] = {
		{ 0xfffffffe, 3, false, true },
		{ 0, 0, false, true },
		{ 1, 3, false, false },
		{ 0xfffffffe, 3, true, false },
	};
	struct world *w = *state;
	struct peer *p = add_peer(w, false);

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		intake_new_peer(&w->k, p);
		intake_incomplete(&w->k, p);
		assert_false(intake_acked(&w->k, p, 0, 0)); /* not asked */
		assert_true(intake_hears(&w->k, p, 0));
		assert_int_equal(w->k.incomplete, 0);
		if (cases[i].has_unsent)
			intake_nack_queued(&w->k, p);
		assert_int_equal(
			intake_acked(&w->k, p, cases[i].from, cases[i].to),
			cases[i].want);
	}
}

static void test_what_it_missed_is_part_of_the_proof(void **state)
{
	struct world *w = *state;
	struct peer *p = add_peer(w, false);

	assert_true(intake_hears(&w->k, p, 10));
	intake_nack_queued(&w->k, p);
	intake_nack_sent(&w->k, p, 20);
	assert_false(intake_acked(&w->k, p, 5, 19));
	assert_true(intake_acked(&w->k, p, 20, 20));
	assert_false(intake_acked(&w->k, p, 20, 20)); /* once */
}

static void test_a_proof_waits_until_it_is_sure_who_it_is(void **state)
{
	struct world *w = *state;
	struct peer *p = add_peer(w, false);

	p->is_reference = false;
	assert_true(intake_hears(&w->k, p, 10));
	assert_false(intake_acked(&w->k, p, 10, 10));
	assert_true(intake_is_reference(&w->k, p));
	assert_false(intake_is_reference(&w->k, p));
	assert_true(intake_hears(&w->k, p, 11));
	assert_false(intake_acked(&w->k, p, 11, 11));
	intake_named(&w->k, p);
	assert_false(intake_is_reference(&w->k, p));
}

static void test_a_node_of_ours_proves_by_marks_only(void **state)
{
	struct world *w = *state;
	struct peer *p = add_peer(w, true);

	assert_false(intake_hears(&w->k, p, 10));
	assert_false(intake_acked(&w->k, p, 10, 10));
}

static void test_what_a_reference_forgot_ends_its_proof(void **state)
{
	struct world *w = *state;
	struct peer *p = add_peer(w, false), *unsure = add_peer(w, false);

	unsure->is_reference = false;
	assert_true(intake_hears(&w->k, p, 10));
	intake_missed(&w->k, p);
	assert_false(intake_acked(&w->k, p, 10, 10));
	assert_int_equal(w->k.incomplete, peer_bit(p));
	intake_missed(&w->k, unsure);
	assert_int_equal(w->k.incomplete, peer_bit(p));
	assert_false(intake_is_reference(&w->k, unsure));
	assert_int_equal(w->k.incomplete, peer_bit(p) | peer_bit(unsure));
}

static void test_who_is_forgotten_may_have_been_any_of_ours(void **state)
{
	struct world *w = *state;
	struct peer *p = add_peer(w, true), *q = add_peer(w, false);

	assert_false(intake_forgotten(&w->k, &w->roster, q));
	assert_int_equal(w->k.incomplete, 0);
	intake_told(&w->k, q, true);
	roster_forget(q);
	assert_true(intake_forgotten(&w->k, &w->roster, q));
	assert_int_equal(w->k.incomplete, peer_bit(p));
}

/* A peer whose id was not heard for long goes on without one; what it told with
 * its id, before a bulk and in an earlier life, is its own still. */
static void test_what_was_told_in_any_life_and_bulk_is_forgotten(void **state)
{
	struct world *w = *state;
	struct peer *p = add_peer(w, true), *q = add_peer(w, true);

	intake_told(&w->k, p, true);
	assert_int_equal(intake_mark(&w->k, p, EXT_BULK_BEGIN, 1, 0),
			 INTAKE_BEGINS);
	intake_new_life(&w->k, p);
	intake_merged(&w->k, q, p);
	assert_false(intake_forgotten(&w->k, &w->roster, p)); /* it is q's */
	assert_true(intake_forgotten(&w->k, &w->roster, q));
}

static void test_all_is_asked_for_when_somebody_live_is_incomplete(void **state)
{
	struct world *w = *state;
	struct peer *p = add_peer(w, true), *unsure = add_peer(w, false);

	unsure->is_reference = false;
	assert_false(intake_wants_all(&w->k, &w->roster, 0));
	intake_incomplete(&w->k, unsure);
	assert_false(intake_wants_all(&w->k, &w->roster, 0));
	intake_incomplete(&w->k, p);
	assert_true(intake_wants_all(&w->k, &w->roster, 0));
	intake_asked(&w->k, 1000);
	assert_false(intake_wants_all(&w->k, &w->roster, 10999));
	assert_true(intake_wants_all(&w->k, &w->roster, 11000));
	roster_silent(p);
	assert_false(intake_wants_all(&w->k, &w->roster, 11000));
}

static void test_the_user_asks_all(void **state)
{
	struct world *w = *state;
	struct peer *p = add_peer(w, true), *silent = add_peer(w, false);

	roster_silent(silent);
	intake_ask(&w->k, &w->roster);
	assert_true(intake_is_asked_for(&w->k));
	assert_int_equal(w->k.incomplete, peer_bit(p) | peer_bit(silent));
	intake_asked(&w->k, 0);
	assert_false(intake_is_asked_for(&w->k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, new_world, free_world)
		T(test_a_bulk_is_complete_if_all_of_it_has_come),
		T(test_marks_come_late_or_not_at_all),
		T(test_what_had_no_place_makes_it_incomplete),
		T(test_a_reference_proves_that_it_has_told_all),
		T(test_what_it_missed_is_part_of_the_proof),
		T(test_a_proof_waits_until_it_is_sure_who_it_is),
		T(test_a_node_of_ours_proves_by_marks_only),
		T(test_what_a_reference_forgot_ends_its_proof),
		T(test_who_is_forgotten_may_have_been_any_of_ours),
		T(test_what_was_told_in_any_life_and_bulk_is_forgotten),
		T(test_all_is_asked_for_when_somebody_live_is_incomplete),
		T(test_the_user_asks_all),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
