/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow_text.h"
#include "sync/kernel_view.h"

struct world {
	struct flow_cache *internal, *injected;
	struct filter *filter;
	struct names *helpers;
	struct kernel_ops kernel;
	struct kernel_view v;
	int n_told, n_quiet;
};

static void touch(void *ctx, uint32_t id, enum touch how)
{
	struct world *w = ctx;

	(void)id;
	w->n_told += how == TOUCH_SEND;
	w->n_quiet += how == TOUCH_QUIET;
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static bool never(void *ctx, const struct flow *f)
{
	(void)ctx;
	(void)f;
	return false;
}

static int refuse(void *self, enum kernel_op op, const struct object *object,
		  uint32_t cookie)
{
	(void)self;
	(void)op;
	(void)object;
	(void)cookie;
	return -1;
}

static void set_up(struct world *w, struct kernel_view_opts o)
{
	const struct flow_cache_opts cache = { .first_size = 16, .limit = 100 };
	const struct filter_opts filter = { 0 };

	*w = (struct world){ .kernel = { .submit = refuse,
					 .finish = nothing } };
	w->internal = flow_cache_new(&cache);
	w->injected = flow_cache_new(&cache);
	w->filter = filter_new(&filter);
	w->helpers = names_new(4, 15);
	o.internal = w->internal;
	if (o.is_polled)
		o.injected = w->injected;
	o.is_under_way = never;
	o.filter = w->filter;
	o.expect_filter.helpers = w->helpers;
	o.kernel = &w->kernel;
	o.touch = touch;
	o.has_room = nothing;
	o.ctx = w;
	assert_int_equal(kernel_view_init(&w->v, &o), 0);
}

static void tear_down(struct world *w)
{
	kernel_view_fini(&w->v);
	flow_cache_free(w->internal);
	flow_cache_free(w->injected);
	filter_free(w->filter);
	names_free(w->helpers);
}

static uint32_t n_held(const struct world *w, enum object_kind kind)
{
	return flow_cache_stats_of(w->internal, kind)->n_active;
}

static void a_row_is_quiet_unless_the_dump_tells(void **state)
{
	static const struct {
		struct kernel_view_opts o;
		enum view_dump dump;
		int n_told;
	} rows[] = {
		{ { 0 }, VIEW_QUIET, 0 },
		{ { 0 }, VIEW_TELL, 1 },
		{ { .is_polled = true }, VIEW_POLL, 1 },
		{ { .is_bypassed = true }, VIEW_QUIET, 0 },
	};
	const struct flow f = flow_of(L4_UDP, "10.0.0.1", "10.0.0.2");

	(void)state;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct world w;

		set_up(&w, rows[i].o);
		kernel_view_dump_begins(&w.v, OBJECT_FLOW, rows[i].dump);
		assert_true(kernel_view_row(&w.v, &f, true, 100));
		assert_int_equal(n_held(&w, OBJECT_FLOW), 1);
		assert_int_equal(w.n_told, rows[i].n_told);
		assert_int_equal(w.n_quiet, 1 - rows[i].n_told);
		kernel_view_dump_ends(&w.v, true);
		for (int n = 0; n < 10 && !kernel_view_is_settled(&w.v); n++)
			kernel_view_work(&w.v, 100);
		assert_true(kernel_view_is_settled(&w.v));
		tear_down(&w);
	}
}

/* What a poll shows of a peer's flow is not ours; what -R shows is. */
static void what_peers_have_told_is_ours_by_request_only(void **state)
{
	const struct flow f = flow_of(L4_UDP, "10.0.0.1", "10.0.0.2");
	struct world w;

	(void)state;
	set_up(&w, (struct kernel_view_opts){ .is_polled = true });
	kernel_view_injected(&w.v, KERNEL_CREATE, &f, 100);
	kernel_view_dump_begins(&w.v, OBJECT_FLOW, VIEW_POLL);
	kernel_view_row(&w.v, &f, true, 101);
	kernel_view_dump_ends(&w.v, true);
	assert_int_equal(n_held(&w, OBJECT_FLOW), 0);
	assert_int_equal(w.n_told, 0);
	for (int n = 0; n < 10 && !kernel_view_is_settled(&w.v); n++)
		kernel_view_work(&w.v, 101);
	kernel_view_dump_begins(&w.v, OBJECT_FLOW, VIEW_TELL);
	kernel_view_row(&w.v, &f, true, 102);
	assert_int_equal(n_held(&w, OBJECT_FLOW), 1);
	assert_int_equal(w.n_told, 1);
	tear_down(&w);
}

static void an_expectation_waits_for_the_flow_that_announces_it(void **state)
{
	struct flow master = flow_of(L4_TCP, "10.0.0.1", "10.0.0.2");
	struct expect e = { .family = FAMILY_IPV4,
			    .master_l4proto = L4_TCP,
			    .l4proto = L4_TCP,
			    .master = master.orig,
			    .expected = { .dport = 5000 } };
	struct world w;

	(void)state;
	set_up(&w, (struct kernel_view_opts){ .has_expectations = true });
	kernel_view_expect_event(&w.v, FLOW_EVENT_NEW, ORIGIN_OTHER, &e, 100);
	assert_int_equal(n_held(&w, OBJECT_EXPECT), 0);
	kernel_view_event(&w.v, FLOW_EVENT_NEW, ORIGIN_OTHER, &master, 100);
	assert_true(kernel_view_has_work(&w.v));
	kernel_view_work(&w.v, 100);
	assert_int_equal(n_held(&w, OBJECT_EXPECT), 1);
	assert_int_equal(w.n_told, 2);
	tear_down(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_is_quiet_unless_the_dump_tells),
		cmocka_unit_test(what_peers_have_told_is_ours_by_request_only),
		cmocka_unit_test(
			an_expectation_waits_for_the_flow_that_announces_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
