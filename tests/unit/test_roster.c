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
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
