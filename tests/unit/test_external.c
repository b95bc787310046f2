/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cache/expect_cache.h"
#include "sync/external.h"
#include "sync/wire_expect.h"

struct fixture {
	struct external x;
	struct roster peers;
};

static int set_up(void **state)
{
	const struct flow_cache_opts o = { .first_size = 16, .limit = 20000 };
	struct fixture *t = calloc(1, sizeof(*t));

	t->x = (struct external){ .cache = flow_cache_new(&o),
				  .wire = { .send_timeout = true },
				  .peers = &t->peers };
	for (uint8_t i = 0; i < 2; i++) {
		t->peers.peers[i] = (struct peer){ .is_used = true,
						   .is_live = true,
						   .number = i };
	}
	*state = t;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *t = *state;

	flow_cache_free(t->x.cache);
	free(t);
	return 0;
}

static struct flow flow_of(uint32_t number)
{
	struct flow f = { .family = FAMILY_IPV4, .l4proto = L4_UDP };

	f.orig.src.b[0] = 10;
	f.orig.src.b[2] = (uint8_t)(number >> 16);
	f.orig.dst.b[0] = 20;
	f.orig.sport = (uint16_t)number;
	f.has = FLOW_PORTS | FLOW_STATUS | FLOW_TIMEOUT;
	f.timeout_s = 30;
	return f;
}

static enum verdict hear(struct fixture *t, int peer, enum msg_type type,
			 const struct flow *f, int64_t now_ms)
{
	uint8_t bytes[512];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	struct msg m = { .type = (uint8_t)type };

	wire_flow_encode(&w, &t->x.wire, f);
	assert_false(w.full);
	m.body = (struct rd){ bytes, w.used };
	return external_data(&t->x, &t->peers.peers[peer], &m, now_ms);
}

static struct expect expect_of(uint16_t number)
{
	return (struct expect){
		.has = EXPECT_TIMEOUT | EXPECT_FLAGS,
		.family = FAMILY_IPV4,
		.master_l4proto = L4_TCP,
		.l4proto = L4_TCP,
		.master = { .sport = number, .dport = 21 },
		.expected = { .dport = 36405 },
		.mask = { .dport = 0xffff },
		.timeout_s = 300,
	};
}

static enum verdict hear_expect(struct fixture *t, int peer, enum msg_type type,
				const struct expect *e, int64_t now_ms)
{
	uint8_t bytes[512];
	struct wr w = { .buf = bytes, .size = sizeof(bytes) };
	struct msg m = { .type = (uint8_t)type };

	wire_expect_encode(&w, &t->x.wire, e);
	assert_false(w.full);
	m.body = (struct rd){ bytes, w.used };
	return external_data(&t->x, &t->peers.peers[peer], &m, now_ms);
}

static uint32_t n_expected(const struct fixture *t)
{
	return flow_cache_stats_of(t->x.cache, OBJECT_EXPECT)->n_active;
}

static uint32_t n_held(const struct fixture *t)
{
	return flow_cache_stats(t->x.cache)->n_active;
}

/* A node whose updates are whole: what it does not say is gone. */
static void test_a_whole_update_takes_fields_away(void **state)
{
	struct fixture *t = *state;
	struct flow f = flow_of(1), held;
	const struct entry_head *h;
	uint32_t id;

	t->peers.peers[0].node = 77;
	t->peers.peers[0].capabilities = EXT_CAP_WHOLE_UPDATES;
	f.has |= FLOW_MARK | FLOW_REPLY | FLOW_LABELS;
	f.mark = 5;
	f.labels[3] = 1;
	f.status = STATUS_SRC_NAT_DONE | STATUS_DST_NAT_DONE;
	f.reply = flow_inverse(&f);
	f.reply.src.b[0] = 30; /* one real server behind the address */
	assert_int_equal(hear(t, 0, MSG_CT_NEW, &f, 7000), VERDICT_OK);
	f.has &= ~(FLOW_MARK | FLOW_LABELS);
	f.reply.src.b[0] = 31; /* another one */
	assert_int_equal(hear(t, 0, MSG_CT_UPD, &f, 8000), VERDICT_OK);
	id = flow_cache_find(t->x.cache, &f);
	flow_cache_get(t->x.cache, id, &held);
	assert_false(held.has & (FLOW_MARK | FLOW_LABELS));
	assert_int_equal(held.reply.src.b[0], 31);
	h = flow_cache_head(t->x.cache, id);
	assert_int_equal(h->created_s, 7); /* it is the same entry */
	assert_int_equal(h->changed_s, 8);
	assert_int_equal(h->state, ENTRY_ALIVE);
}

static void test_new_replaces_update_merges_delete_removes(void **state)
{
	struct fixture *t = *state;
	struct flow f = flow_of(1), held;
	uint32_t id;

	f.has |= FLOW_MARK;
	f.mark = 5;
	assert_int_equal(hear(t, 0, MSG_CT_NEW, &f, 7000), VERDICT_OK);
	f.has &= ~FLOW_MARK;
	assert_int_equal(hear(t, 0, MSG_CT_UPD, &f, 8000), VERDICT_OK);
	id = flow_cache_find(t->x.cache, &f);
	flow_cache_get(t->x.cache, id, &held);
	assert_true(held.has & FLOW_MARK); /* merged */
	assert_int_equal(hear(t, 0, MSG_CT_NEW, &f, 9000), VERDICT_OK);
	id = flow_cache_find(t->x.cache, &f);
	flow_cache_get(t->x.cache, id, &held);
	assert_false(held.has & FLOW_MARK); /* replaced */
	assert_int_equal(flow_cache_head(t->x.cache, id)->created_s, 9);
	assert_int_equal(hear(t, 0, MSG_CT_DEL, &f, 9000), VERDICT_OK);
	assert_int_equal(n_held(t), 0);
	assert_int_equal(hear(t, 0, MSG_CT_DEL, &f, 9000), VERDICT_OK);
}

static void test_an_update_of_an_unknown_flow_adds_it(void **state)
{
	struct fixture *t = *state;
	struct flow f = flow_of(1);

	assert_int_equal(hear(t, 0, MSG_CT_UPD, &f, 0), VERDICT_OK);
	assert_int_equal(n_held(t), 1);
}

/* Repeated for as long as the flow lives: what does not change keeps its age,
 * or its timeout would begin anew each time. */
static void
test_where_entries_expire_a_new_that_is_repeated_changes_nothing(void **state)
{
	struct fixture *t = *state;
	struct flow f = flow_of(1), held;
	const struct entry_head *h;
	struct expiry e;
	uint32_t id;

	expiry_init(&e, t->x.cache, 30);
	t->x.expiry = &e;
	t->peers.peers[0].generation = 4711; /* nothing is swept */
	f.has |= FLOW_MARK;
	hear(t, 0, MSG_CT_NEW, &f, 7000);
	hear(t, 0, MSG_CT_NEW, &f, 20000);
	id = flow_cache_find(t->x.cache, &f);
	h = flow_cache_head(t->x.cache, id);
	assert_int_equal(h->created_s, 7);
	assert_int_equal(h->changed_s, 7);
	assert_int_equal(h->told_s, 20);
	f.has &= ~FLOW_MARK; /* the next life */
	hear(t, 0, MSG_CT_NEW, &f, 21000);
	flow_cache_get(t->x.cache, id, &held);
	assert_false(held.has & FLOW_MARK);
	assert_int_equal(h->created_s, 21);
	assert_int_equal(h->changed_s, 21);
	f.status = STATUS_ASSURED;
	hear(t, 1, MSG_CT_UPD, &f, 25000);
	assert_int_equal(h->created_s, 21);
	assert_int_equal(h->changed_s, 25);
	assert_int_equal(h->told_s, 25);
	assert_int_equal(h->owner, 1);
	hear(t, 1, MSG_CT_DEL, &f, 26000);
	assert_int_equal(n_held(t), 0);
	assert_int_equal(e.queue.n, 0);
	expiry_fini(&e);
}

static void test_a_live_owner_keeps_what_another_ends(void **state)
{
	struct fixture *t = *state;
	struct flow f = flow_of(1);

	hear(t, 0, MSG_CT_NEW, &f, 0);
	hear(t, 1, MSG_CT_NEW, &f, 0); /* taken over by 1 */
	hear(t, 0, MSG_CT_DEL, &f, 0); /* its end at the old one */
	assert_int_equal(n_held(t), 1);
	assert_int_equal(t->x.n_not_owner, 1);
	t->peers.peers[1].is_live = false;
	hear(t, 0, MSG_CT_DEL, &f, 0);
	assert_int_equal(n_held(t), 0);
}

static void test_a_sweep_takes_only_the_older_ones_of_its_owner(void **state)
{
	struct fixture *t = *state;
	struct peer *p = &t->peers.peers[0];

	p->generation = UINT32_MAX;
	for (uint32_t i = 0; i < 9000; i++) {
		struct flow f = flow_of(i);

		hear(t, i % 3 == 0, MSG_CT_NEW, &f, 0); /* a third is 1's */
	}
	p->generation++; /* wraps */
	for (uint32_t i = 0; i < 9000; i += 2) {
		struct flow f = flow_of(i);

		hear(t, i % 3 == 0, MSG_CT_UPD, &f, 0); /* said again */
	}
	external_sweep(&t->x, p);
	while (external_step(&t->x))
		;
	/* Gone: the odd ones that are not 1's. */
	assert_int_equal(n_held(t), 9000 - 3000);
	assert_int_equal(t->x.n_swept, 3000);
}

static void test_a_sweep_during_a_sweep_is_done_after_it(void **state)
{
	struct fixture *t = *state;

	for (uint32_t i = 0; i < 9000; i++) {
		struct flow f = flow_of(i);

		hear(t, i % 2, MSG_CT_NEW, &f, 0);
	}
	t->peers.peers[0].generation++;
	t->peers.peers[1].generation++;
	external_sweep(&t->x, &t->peers.peers[0]);
	assert_true(external_step(&t->x));
	external_sweep(&t->x, &t->peers.peers[1]);
	while (external_step(&t->x))
		;
	assert_int_equal(n_held(t), 0);
}

/* 300 lives that ended before their bulk did. */
static void test_what_is_very_old_goes_too(void **state)
{
	struct fixture *t = *state;
	struct flow f = flow_of(1);

	hear(t, 0, MSG_CT_NEW, &f, 0);
	t->peers.peers[0].generation += 300;
	external_sweep(&t->x, &t->peers.peers[0]);
	while (external_step(&t->x))
		;
	assert_int_equal(n_held(t), 0);
}

/* 1 was heard at another place before it said that it is 0, and its number was
 * given to somebody else at once. */
static void test_what_a_merged_peer_told_is_the_others(void **state)
{
	struct fixture *t = *state;
	struct peer *p = t->peers.peers;
	struct flow before = flow_of(1), after = flow_of(2), old = flow_of(3);

	hear(t, 0, MSG_CT_NEW, &old, 0);
	hear(t, 1, MSG_CT_NEW, &before, 0);
	p[0].generation = 7;
	external_merge(&t->x, 1, p[1].generation, &p[0]);
	p[1].generation++;
	hear(t, 1, MSG_CT_NEW, &after, 0);
	external_sweep(&t->x, &p[0]); /* keeps what the merged one told */
	while (external_step(&t->x))
		;
	assert_int_equal(n_held(t), 2);
	p[1].is_live = p[0].is_live = true;
	hear(t, 1, MSG_CT_DEL, &before, 0); /* it is not 1's any more */
	assert_int_equal(n_held(t), 2);
	hear(t, 0, MSG_CT_DEL, &before, 0);
	hear(t, 0, MSG_CT_DEL, &after, 0); /* it never was 0's */
	assert_int_equal(n_held(t), 1);
}

/* The number was given to another one, who is merged into another node before
 * the first merge is done. */
static void test_a_number_is_merged_twice(void **state)
{
	struct fixture *t = *state;
	struct peer *p = t->peers.peers;
	struct peer passing = { .number = 2, .is_used = true, .is_live = true };
	struct flow f = flow_of(1);

	p[2] = passing;
	hear(t, 2, MSG_CT_NEW, &f, 0);
	external_merge(&t->x, 2, 0, &p[0]);
	external_merge(&t->x, 2, 1, &p[1]);
	while (external_step(&t->x))
		;
	hear(t, 0, MSG_CT_DEL, &f, 0);
	assert_int_equal(n_held(t), 0);
}

/* Free ids cost time as well. */
static void test_a_piece_of_a_walk_is_small(void **state)
{
	enum { N = 19000, MOST = 9000 };
	struct fixture *t = *state;

	for (uint32_t i = 0; i < N; i++) {
		struct flow f = flow_of(i);

		hear(t, 0, MSG_CT_NEW, &f, 0);
	}
	for (uint32_t id = 1; id < N; id++)
		flow_cache_remove(t->x.cache, id);
	external_sweep(&t->x, &t->peers.peers[0]);
	assert_true(external_step(&t->x));
	assert_in_range(t->x.position, 1, MOST);
}

static void test_what_has_no_place_is_told(void **state)
{
	struct fixture *t = *state;
	enum verdict v;
	uint32_t i = 0;

	do {
		struct flow f = flow_of(i);

		v = hear(t, 0, MSG_CT_NEW, &f, 0);
	} while (v == VERDICT_OK && ++i < 100000);
	assert_int_equal(v, VERDICT_NO_ROOM);
	assert_int_equal(n_held(t), i);
	assert_false(external_has_room(&t->x));
	while (i-- > 100) {
		struct flow f = flow_of(i);

		hear(t, 0, MSG_CT_DEL, &f, 0);
	}
	assert_true(external_has_room(&t->x));
}

static void test_damaged_attributes_are_refused(void **state)
{
	static const uint8_t bad[] = { 0, 9, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0 };
	struct fixture *t = *state;
	struct msg m = { .type = MSG_CT_NEW, .body = { bad, sizeof(bad) } };

	assert_int_equal(external_data(&t->x, &t->peers.peers[0], &m, 0),
			 VERDICT_BAD_PAYLOAD);
	m.type = MSG_EXP_NEW;
	assert_int_equal(external_data(&t->x, &t->peers.peers[0], &m, 0),
			 VERDICT_IGNORED);
	assert_int_equal(n_held(t), 0);
}

/* ---- expectations ------------------------------------------------------- */

static void
test_without_expectations_what_is_told_of_them_is_ignored(void **state)
{
	struct fixture *t = *state;
	const struct expect e = expect_of(1);

	for (int type = MSG_EXP_NEW; type <= MSG_EXP_DEL; type++)
		assert_int_equal(
			hear_expect(t, 0, (enum msg_type)type, &e, 1000),
			VERDICT_IGNORED);
	assert_int_equal(n_expected(t), 0);
}

static void test_expectations_come_change_and_go(void **state)
{
	struct fixture *t = *state;
	struct expect e = expect_of(1), held;
	uint32_t id;

	t->x.has_expectations = true;
	assert_int_equal(hear_expect(t, 0, MSG_EXP_NEW, &e, 7000), VERDICT_OK);
	e.flags = EXPECT_FLAG_INACTIVE;
	assert_int_equal(hear_expect(t, 0, MSG_EXP_UPD, &e, 8000), VERDICT_OK);
	id = expect_cache_find(t->x.cache, &e);
	assert_int_not_equal(id, FLOW_CACHE_NO_ID);
	expect_cache_get(t->x.cache, id, &held);
	assert_int_equal(held.flags, EXPECT_FLAG_INACTIVE);
	assert_int_equal(flow_cache_head(t->x.cache, id)->created_s, 7);
	assert_int_equal(flow_cache_head(t->x.cache, id)->changed_s, 8);
	assert_int_equal(hear_expect(t, 0, MSG_EXP_NEW, &e, 9000), VERDICT_OK);
	assert_int_equal(flow_cache_head(t->x.cache, id)->created_s, 9);
	assert_int_equal(n_expected(t), 1);
	assert_int_equal(n_held(t), 0);
	assert_int_equal(hear_expect(t, 0, MSG_EXP_DEL, &e, 9000), VERDICT_OK);
	assert_int_equal(n_expected(t), 0);
	assert_int_equal(hear_expect(t, 0, MSG_EXP_DEL, &e, 9000), VERDICT_OK);
}

static void test_an_expectation_ends_by_its_owner_or_with_its_bulk(void **state)
{
	struct fixture *t = *state;
	const struct expect e = expect_of(1), other = expect_of(2);
	const struct flow f = flow_of(1);

	t->x.has_expectations = true;
	hear_expect(t, 0, MSG_EXP_NEW, &e, 1000);
	assert_int_equal(hear_expect(t, 1, MSG_EXP_DEL, &e, 1000), VERDICT_OK);
	assert_int_equal(n_expected(t), 1);
	assert_int_equal(t->x.n_not_owner, 1);
	hear(t, 0, MSG_CT_NEW, &f, 1000);
	t->peers.peers[0].generation++;
	hear_expect(t, 0, MSG_EXP_UPD, &other, 2000);
	external_sweep(&t->x, &t->peers.peers[0]);
	while (external_step(&t->x))
		;
	assert_int_equal(n_held(t), 0);
	assert_int_equal(n_expected(t), 1);
	assert_int_not_equal(expect_cache_find(t->x.cache, &other),
			     FLOW_CACHE_NO_ID);
}

static void test_an_expectation_cut_short_is_bad(void **state)
{
	struct fixture *t = *state;
	struct msg m = { .type = MSG_EXP_NEW };

	t->x.has_expectations = true;
	assert_int_equal(external_data(&t->x, &t->peers.peers[0], &m, 1000),
			 VERDICT_BAD_PAYLOAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		T(test_a_whole_update_takes_fields_away),
		T(test_new_replaces_update_merges_delete_removes),
		T(test_an_update_of_an_unknown_flow_adds_it),
		T(test_where_entries_expire_a_new_that_is_repeated_changes_nothing),
		T(test_a_live_owner_keeps_what_another_ends),
		T(test_a_sweep_takes_only_the_older_ones_of_its_owner),
		T(test_a_sweep_during_a_sweep_is_done_after_it),
		T(test_what_is_very_old_goes_too),
		T(test_what_a_merged_peer_told_is_the_others),
		T(test_a_number_is_merged_twice),
		T(test_a_piece_of_a_walk_is_small),
		T(test_what_has_no_place_is_told),
		T(test_damaged_attributes_are_refused),
		T(test_without_expectations_what_is_told_of_them_is_ignored),
		T(test_expectations_come_change_and_go),
		T(test_an_expectation_ends_by_its_owner_or_with_its_bulk),
		T(test_an_expectation_cut_short_is_bad),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
