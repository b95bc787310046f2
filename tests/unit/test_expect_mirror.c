/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "sync/expect_mirror.h"

enum { TOUCHES = 32, LIMIT = 3000 };

struct world {
	struct flow_cache *cache;
	struct filter *filter;
	struct names *helpers;
	struct expect_mirror m;
	struct {
		uint32_t id;
		enum touch how;
	} touches[TOUCHES];
	int n_touches;
	uint32_t now_s;
};

static void touch(void *ctx, uint32_t id, enum touch how)
{
	struct world *w = ctx;

	if (w->n_touches < TOUCHES) {
		w->touches[w->n_touches].id = id;
		w->touches[w->n_touches].how = how;
	}
	w->n_touches++;
}

static struct world *world_of(bool is_bypassed)
{
	const struct flow_cache_opts cache = { .first_size = 16,
					       .limit = LIMIT };
	const struct filter_opts filter = {
		.protocol = FILTER_IGNORE,
		.protocols = { [L4_UDP / 8] = 1 << L4_UDP % 8 },
	};
	struct world *w = calloc(1, sizeof(*w));
	struct expect_mirror_opts o = { .is_bypassed = is_bypassed,
					.touch = touch,
					.ctx = w };

	w->now_s = 100;
	w->cache = o.cache = flow_cache_new(&cache);
	o.masters = w->filter = filter_new(&filter);
	o.filter.helpers = w->helpers = names_new(4, 15);
	names_intern(w->helpers, "ftp", 3);
	names_intern(w->helpers, "sip", 3);
	assert_int_equal(expect_mirror_init(&w->m, &o), 0);
	return w;
}

static int set_up(void **state)
{
	*state = world_of(false);
	return 0;
}

static int set_up_bypass(void **state)
{
	*state = world_of(true);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	expect_mirror_fini(&w->m);
	flow_cache_free(w->cache);
	filter_free(w->filter);
	names_free(w->helpers);
	free(w);
	return 0;
}

/* Of the master with this port, which is expected at this port. */
static struct expect expect_of(uint16_t master, uint16_t port)
{
	return (struct expect){
		.has = EXPECT_TIMEOUT | EXPECT_HELPER | EXPECT_ID,
		.family = FAMILY_IPV4,
		.master_l4proto = L4_TCP,
		.l4proto = L4_TCP,
		.master = { .src = { { 10, 0, 0, 1 } },
			    .dst = { { 10, 0, 0, 2 } },
			    .sport = master,
			    .dport = 21 },
		.expected = { .dport = port },
		.mask = { .dport = UINT16_MAX },
		.timeout_s = 300,
		.helper = 1,
		.id = port,
	};
}

static void add_flow(struct world *w, const struct flow *f)
{
	uint32_t id;

	flow_cache_put(w->cache, f, PUT_REPLACE, w->now_s, &id);
	expect_mirror_flow_came(&w->m, f);
}

static struct flow master_of(uint16_t port)
{
	const struct expect e = expect_of(port, 0);

	return expect_master(&e);
}

static void add_master(struct world *w, uint16_t port)
{
	const struct flow f = master_of(port);

	add_flow(w, &f);
}

static void event(struct world *w, enum flow_event type,
		  enum flow_origin origin, const struct expect *e)
{
	expect_mirror_event(&w->m, type, origin, e, w->now_s);
}

static void begins(struct world *w, const struct expect *e)
{
	event(w, FLOW_EVENT_NEW, ORIGIN_OTHER, e);
}

static void ends(struct world *w, const struct expect *e)
{
	event(w, FLOW_EVENT_DESTROY, ORIGIN_OTHER, e);
}

static uint32_t n_held(const struct world *w)
{
	return flow_cache_stats_of(w->cache, OBJECT_EXPECT)->n_active;
}

static void work(struct world *w)
{
	for (int i = 0; i < 10 && expect_mirror_has_work(&w->m); i++)
		expect_mirror_work(&w->m, w->now_s);
	assert_false(expect_mirror_has_work(&w->m));
}

static void assert_touched(const struct world *w, int i, const struct expect *e,
			   enum touch how)
{
	struct expect touched;

	assert_in_range(i, 0, w->n_touches - 1);
	expect_cache_get(w->cache, w->touches[i].id, &touched);
	assert_true(expect_same_key(&touched, e));
	assert_int_equal(w->touches[i].how, how);
}

/* ---- events ------------------------------------------------------------- */

static void one_comes_and_goes_with_its_events(void **state)
{
	struct world *w = *state;
	const struct expect e = expect_of(1, 5000);

	add_master(w, 1);
	begins(w, &e);
	assert_int_equal(n_held(w), 1);
	ends(w, &e);
	assert_int_equal(n_held(w), 0);
	assert_int_equal(w->n_touches, 2);
	assert_touched(w, 0, &e, TOUCH_SEND);
	assert_touched(w, 1, &e, TOUCH_SEND);
	ends(w, &e); /* not known */
	assert_int_equal(w->n_touches, 2);
}

static void what_was_there_before_begins_anew(void **state)
{
	struct world *w = *state;
	struct expect e = expect_of(1, 5000);
	const struct entry_head *h;

	add_master(w, 1);
	begins(w, &e);
	w->now_s = 150;
	e.id = 2;
	begins(w, &e);
	h = flow_cache_head(w->cache, expect_cache_find(w->cache, &e));
	assert_int_equal(h->state, ENTRY_NEW);
	assert_int_equal(h->created_s, 150);
	assert_int_equal(w->n_touches, 2);
}

/* A helper announces it before the first packet of its master is through. */
static void a_master_may_come_later(void **state)
{
	struct world *w = *state;
	const struct expect e = expect_of(1, 5000), other = expect_of(2, 5001);

	begins(w, &e);
	event(w, FLOW_EVENT_NEW, ORIGIN_COMMIT, &other);
	assert_int_equal(n_held(w), 0);
	assert_int_equal(w->n_touches, 0);
	add_master(w, 1);
	work(w);
	assert_int_equal(n_held(w), 1);
	assert_touched(w, 0, &e, TOUCH_SEND);
	add_master(w, 2);
	work(w);
	assert_int_equal(n_held(w), 2);
	assert_touched(w, 1, &other, TOUCH_QUIET);
	assert_int_equal(w->n_touches, 2);
}

static void without_a_master_one_is_refused_after_a_while(void **state)
{
	struct world *w = *state;
	const struct expect e = expect_of(1, 5000), ended = expect_of(1, 5001);

	begins(w, &e);
	begins(w, &ended);
	ends(w, &ended);
	for (uint32_t s = 0; s <= EXPECT_MIRROR_WAIT_S; s++) {
		expect_mirror_second(&w->m, w->now_s + s);
		assert_int_equal(w->m.stats.n_no_master, 0);
	}
	w->now_s += EXPECT_MIRROR_WAIT_S + 1;
	expect_mirror_second(&w->m, w->now_s);
	assert_int_equal(w->m.stats.n_no_master, 1);
	add_master(w, 1);
	work(w);
	assert_int_equal(n_held(w), 0);
}

static void only_so_many_wait(void **state)
{
	struct world *w = *state;

	for (uint16_t i = 0; i < EXPECT_MIRROR_WAITING_MAX + 5; i++) {
		const struct expect e = expect_of(1, i);

		begins(w, &e);
	}
	assert_int_equal(w->m.stats.n_no_master, 5);
	add_master(w, 1);
	work(w);
	assert_int_equal(n_held(w), EXPECT_MIRROR_WAITING_MAX);
}

static void what_we_have_caused_is_not_told(void **state)
{
	struct world *w = *state;
	struct expect e = expect_of(1, 5000);

	add_master(w, 1);
	event(w, FLOW_EVENT_NEW, ORIGIN_COMMIT, &e);
	assert_int_equal(n_held(w), 1);
	assert_touched(w, 0, &e, TOUCH_QUIET);
	/* the kernel is emptied, the cache is not */
	event(w, FLOW_EVENT_DESTROY, ORIGIN_FLUSH, &e);
	assert_int_equal(n_held(w), 1);
	assert_int_equal(w->n_touches, 1);
	/* but no event will end it there: a dump does, in its time */
	expect_mirror_second(&w->m, w->now_s + e.timeout_s);
	assert_false(expect_mirror_wants_dump(&w->m));
	expect_mirror_second(&w->m, w->now_s + e.timeout_s + 1);
	assert_true(expect_mirror_wants_dump(&w->m));
	expect_mirror_dump_begins(&w->m, TOUCH_SEND);
	expect_mirror_dump_ends(&w->m, true);
	work(w);
	assert_int_equal(n_held(w), 0);
	expect_mirror_second(&w->m, w->now_s + e.timeout_s + 2);
	assert_false(expect_mirror_wants_dump(&w->m));
}

/* A commit deletes what is in its way. If nothing follows, a dump tells. */
static void what_a_commit_replaces_goes_on(void **state)
{
	struct world *w = *state;
	struct expect e = expect_of(1, 5000);

	add_master(w, 1);
	begins(w, &e);
	event(w, FLOW_EVENT_DESTROY, ORIGIN_COMMIT, &e);
	assert_int_equal(n_held(w), 1);
	e.id++;
	event(w, FLOW_EVENT_NEW, ORIGIN_COMMIT, &e);
	assert_int_equal(n_held(w), 1);
	assert_int_equal(w->n_touches, 2);
	assert_touched(w, 1, &e, TOUCH_QUIET);
	assert_true(expect_mirror_wants_dump(&w->m));
	assert_false(expect_mirror_wants_dump(&w->m));
}

static void what_peers_tell_is_not_ours(void **state)
{
	struct world *w = *state;
	struct expect e = expect_of(1, 5000), cached;

	add_master(w, 1);
	event(w, FLOW_EVENT_NEW, ORIGIN_INJECT, &e);
	assert_int_equal(n_held(w), 0);
	begins(w, &e);
	assert_int_equal(w->n_touches, 1);
	e.timeout_s = 7; /* what is ours goes along */
	event(w, FLOW_EVENT_NEW, ORIGIN_INJECT, &e);
	expect_cache_get(w->cache, expect_cache_find(w->cache, &e), &cached);
	assert_int_equal(cached.timeout_s, 7);
	event(w, FLOW_EVENT_DESTROY, ORIGIN_INJECT, &e);
	assert_int_equal(n_held(w), 0);
	assert_int_equal(w->n_touches, 1);
}

static void the_end_of_another_life_is_looked_into(void **state)
{
	struct world *w = *state;
	struct expect e = expect_of(1, 5000);

	add_master(w, 1);
	begins(w, &e);
	assert_false(expect_mirror_wants_dump(&w->m));
	e.id++;
	ends(w, &e);
	assert_int_equal(n_held(w), 1);
	assert_true(expect_mirror_wants_dump(&w->m));
	e.has &= ~(uint32_t)EXPECT_ID;
	ends(w, &e);
	assert_int_equal(n_held(w), 0);
}

static void only_those_of_some_helpers(void **state)
{
	struct world *w = *state;
	char names[][EXPECT_FILTER_NAME_MAX + 1] = { "SI" };
	struct expect e = expect_of(1, 5000);

	w->m.o.filter.names = names;
	w->m.o.filter.n_names = 1;
	add_master(w, 1);
	begins(w, &e);
	assert_int_equal(n_held(w), 0);
	assert_int_equal(w->m.stats.n_filtered, 1);
	e.helper = 2;
	begins(w, &e);
	assert_int_equal(n_held(w), 1);
}

/* ---- zones -------------------------------------------------------------- */

/* The kernel does not tell it. */
static void the_zone_is_that_of_the_master(void **state)
{
	struct world *w = *state;
	struct expect e = expect_of(1, 5000), known = e, row;
	struct flow master = master_of(1);

	master.zone = 70;
	begins(w, &e);
	add_flow(w, &master);
	work(w);
	known.zone = 70;
	assert_int_equal(n_held(w), 1);
	assert_touched(w, 0, &known, TOUCH_SEND);
	row = e;
	row.timeout_s = 3600;
	expect_mirror_dump_begins(&w->m, TOUCH_QUIET);
	expect_mirror_row(&w->m, &row, true, w->now_s);
	expect_mirror_dump_ends(&w->m, true);
	work(w);
	assert_touched(w, 1, &known, TOUCH_SEND);
	/* its end is told after that of the master */
	flow_cache_remove(w->cache, flow_cache_find(w->cache, &master));
	ends(w, &e);
	assert_int_equal(n_held(w), 0);
	assert_touched(w, 2, &known, TOUCH_SEND);
}

static void a_zone_may_be_of_one_direction(void **state)
{
	struct world *w = *state;
	struct expect e = expect_of(1, 5000), known = e;
	struct flow master = master_of(1);

	master.has |= FLOW_ZONE_ORIG;
	master.zone_orig = known.zone = UINT16_MAX;
	add_flow(w, &master);
	begins(w, &e);
	assert_touched(w, 0, &known, TOUCH_SEND);
}

static void of_several_masters_it_is_that_with_a_helper(void **state)
{
	struct world *w = *state;
	struct expect e = expect_of(1, 5000), known = e, other = e;
	struct flow master = master_of(1);

	for (uint16_t zone = 1; zone < 200; zone += 63) {
		master.zone = zone;
		master.has &= ~FLOW_HELPER;
		if (zone == 64) {
			master.has |= FLOW_HELPER;
			master.helper = 1;
		}
		add_flow(w, &master);
	}
	begins(w, &e);
	known.zone = 64;
	assert_touched(w, 0, &known, TOUCH_SEND);
	/* the end is that of the id */
	other.zone = 1;
	other.id = 77;
	expect_cache_put(w->cache, &other, STORE_REPLACE, 1, &(uint32_t){ 0 });
	ends(w, &e);
	assert_touched(w, 1, &known, TOUCH_SEND);
	assert_int_equal(n_held(w), 1);
}

/* ---- dumps -------------------------------------------------------------- */

static void dump(struct world *w, enum touch how, const struct expect *rows,
		 int n)
{
	expect_mirror_dump_begins(&w->m, how);
	for (int i = 0; i < n; i++)
		expect_mirror_row(&w->m, &rows[i], true, w->now_s);
	expect_mirror_dump_ends(&w->m, true);
	work(w);
	assert_true(expect_mirror_is_settled(&w->m));
}

static void a_dump_makes_the_cache_agree(void **state)
{
	struct world *w = *state;
	const struct expect gone = expect_of(1, 5000),
			    stays = expect_of(1, 5001),
			    found = expect_of(1, 5002);
	const struct expect rows[] = { stays, found };

	add_master(w, 1);
	begins(w, &gone);
	begins(w, &stays);
	w->n_touches = 0;
	dump(w, TOUCH_QUIET, rows, 2);
	assert_int_equal(n_held(w), 2);
	assert_int_equal(w->n_touches, 2);
	assert_touched(w, 0, &found, TOUCH_QUIET);
	assert_touched(w, 1, &gone, TOUCH_SEND);
	assert_int_equal(flow_cache_stats(w->cache)->n_active, 1);
	/* the repair of an overrun tells what -R has found */
	w->n_touches = 0;
	dump(w, TOUCH_SEND, rows, 2);
	assert_int_equal(w->n_touches, 2);
	assert_touched(w, 0, &stays, TOUCH_UNTOLD);
	assert_touched(w, 1, &found, TOUCH_UNTOLD);
}

static void what_an_event_told_wins_over_a_row(void **state)
{
	struct world *w = *state;
	const struct expect ended = expect_of(1, 5000),
			    begun = expect_of(1, 5001);

	add_master(w, 1);
	begins(w, &ended);
	expect_mirror_dump_begins(&w->m, TOUCH_SEND);
	ends(w, &ended);
	begins(w, &begun);
	w->n_touches = 0;
	expect_mirror_row(&w->m, &ended, false, w->now_s);
	expect_mirror_dump_ends(&w->m, true);
	work(w);
	assert_int_equal(n_held(w), 1);
	assert_int_not_equal(expect_cache_find(w->cache, &begun),
			     FLOW_CACHE_NO_ID);
	assert_int_equal(w->n_touches, 0);
}

static void time_that_runs_is_no_change_but_a_new_timeout_is(void **state)
{
	struct world *w = *state;
	struct expect e = expect_of(1, 5000), cached;

	add_master(w, 1);
	begins(w, &e);
	w->n_touches = 0;
	w->now_s += 50;
	e.timeout_s = 249;
	dump(w, TOUCH_QUIET, &e, 1);
	assert_int_equal(w->n_touches, 0);
	e.timeout_s = 3600; /* as SIP does, without an event */
	dump(w, TOUCH_QUIET, &e, 1);
	assert_int_equal(w->n_touches, 1);
	expect_cache_get(w->cache, w->touches[0].id, &cached);
	assert_int_equal(cached.timeout_s, 3600);
}

static void a_row_without_its_master_is_left_out(void **state)
{
	struct world *w = *state;
	const struct expect e = expect_of(1, 5000);

	dump(w, TOUCH_SEND, &e, 1);
	assert_int_equal(n_held(w), 0);
	assert_int_equal(w->m.stats.n_no_master, 0);
}

static bool wants_dump_after(struct world *w, uint32_t s)
{
	w->now_s += s;
	expect_mirror_second(&w->m, w->now_s);
	return expect_mirror_wants_dump(&w->m);
}

/* Linux 6.1 tells late that one has run out. */
static void what_has_run_out_is_looked_for(void **state)
{
	struct world *w = *state;
	struct expect one = expect_of(1, 5000), other = expect_of(1, 5001);

	add_master(w, 1);
	one.timeout_s = 10;
	other.timeout_s = 20;
	begins(w, &other);
	begins(w, &one);
	assert_false(wants_dump_after(w, 11));
	assert_true(wants_dump_after(w, 5));
	expect_mirror_dump_begins(&w->m, TOUCH_SEND);
	other.timeout_s = 4;
	expect_mirror_row(&w->m, &other, true, w->now_s);
	expect_mirror_dump_ends(&w->m, true);
	work(w);
	assert_int_equal(n_held(w), 1);
	assert_false(wants_dump_after(w, 9));
	assert_true(wants_dump_after(w, 1));
}

/* What our own flush has deleted lives on until the time of all is up. */
static void what_was_flushed_has_its_time(void **state)
{
	struct world *w = *state;
	struct expect one = expect_of(1, 5000), other = expect_of(1, 5001);

	add_master(w, 1);
	one.timeout_s = 10;
	other.timeout_s = 30;
	begins(w, &one);
	begins(w, &other);
	event(w, FLOW_EVENT_DESTROY, ORIGIN_FLUSH, &one);
	event(w, FLOW_EVENT_DESTROY, ORIGIN_FLUSH, &other);
	assert_false(wants_dump_after(w, 30));
	assert_true(wants_dump_after(w, 1));
}

static void a_dump_that_fails_ends_nothing(void **state)
{
	struct world *w = *state;
	const struct expect e = expect_of(1, 5000);

	add_master(w, 1);
	begins(w, &e);
	expect_mirror_dump_begins(&w->m, TOUCH_SEND);
	expect_mirror_dump_ends(&w->m, false);
	assert_true(expect_mirror_is_settled(&w->m));
	work(w);
	assert_int_equal(n_held(w), 1);
	dump(w, TOUCH_SEND, NULL, 0); /* no mark is left */
	assert_int_equal(n_held(w), 0);
}

/* ---- without an internal cache ------------------------------------------ */

static void without_a_cache_events_are_passed_on(void **state)
{
	struct world *w = *state;
	const struct expect e = expect_of(1, 5000), other = expect_of(1, 5001);
	struct expect refused = expect_of(1, 5002);

	begins(w, &e); /* nobody knows its master, the filter lets it pass */
	assert_touched(w, 0, &e, TOUCH_SEND);
	flow_cache_remove(w->cache, w->touches[0].id); /* it was told */
	ends(w, &e);
	assert_int_equal(w->n_touches, 2);
	assert_int_equal(flow_cache_head(w->cache, w->touches[1].id)->state,
			 ENTRY_DEAD);
	flow_cache_remove(w->cache, w->touches[1].id);
	event(w, FLOW_EVENT_NEW, ORIGIN_COMMIT, &other);
	event(w, FLOW_EVENT_NEW, ORIGIN_INJECT, &other);
	refused.master_l4proto = L4_UDP;
	begins(w, &refused);
	assert_int_equal(w->n_touches, 2);
	assert_int_equal(flow_cache_n_entries(w->cache), 0);
	assert_int_equal(w->m.stats.n_no_master, 1);
}

static void without_a_cache_rows_wait_for_the_bulk(void **state)
{
	struct world *w = *state;
	const struct expect rows[] = { expect_of(1, 5000), expect_of(1, 5001) };

	begins(w, &rows[0]);
	dump(w, TOUCH_QUIET, rows, 2);
	assert_int_equal(w->n_touches, 2);
	assert_touched(w, 1, &rows[1], TOUCH_QUIET);
	assert_int_equal(n_held(w), 2);
	assert_false(w->m.has_missed);
	expect_mirror_dump_begins(&w->m, TOUCH_QUIET);
	expect_mirror_dump_ends(&w->m, false);
	assert_true(w->m.has_missed);
	assert_true(expect_mirror_is_settled(&w->m));
}

static void without_memory_there_is_none(void **state)
{
	struct world *w = *state;
	struct expect_mirror m;

	for (size_t n = 0; n < 2; n++) {
		alloc_fail_after(n);
		assert_true(expect_mirror_init(&m, &w->m.o) < 0);
		assert_true(alloc_fail_off());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
		T(one_comes_and_goes_with_its_events),
		T(what_was_there_before_begins_anew),
		T(a_master_may_come_later),
		T(without_a_master_one_is_refused_after_a_while),
		T(only_so_many_wait),
		T(what_we_have_caused_is_not_told),
		T(what_a_commit_replaces_goes_on),
		T(what_peers_tell_is_not_ours),
		T(the_end_of_another_life_is_looked_into),
		T(only_those_of_some_helpers),
		T(the_zone_is_that_of_the_master),
		T(a_zone_may_be_of_one_direction),
		T(of_several_masters_it_is_that_with_a_helper),
		T(a_dump_makes_the_cache_agree),
		T(what_an_event_told_wins_over_a_row),
		T(time_that_runs_is_no_change_but_a_new_timeout_is),
		T(a_row_without_its_master_is_left_out),
		T(what_has_run_out_is_looked_for),
		T(what_was_flushed_has_its_time),
		T(a_dump_that_fails_ends_nothing),
		T(without_memory_there_is_none),
#undef T
#define T(test) cmocka_unit_test_setup_teardown(test, set_up_bypass, tear_down)
		T(without_a_cache_events_are_passed_on),
		T(without_a_cache_rows_wait_for_the_bulk),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
