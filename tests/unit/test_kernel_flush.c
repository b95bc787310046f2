/* SPDX-License-Identifier: ISC */
/* The flush of the kernel's table against a kernel side that takes a few
 * operations at a time. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "cache/flow_cache.h"
#include "sync/kernel_flush.h"

enum { ROWS = 700, ROOM = 3 };

struct world {
	struct flow_cache *cache;
	struct filter *filter;
	struct names *helpers;
	struct expect_filter expect_filter;
	struct mirror mirror;
	struct kernel_ops ops;
	struct kernel_flush f;
	unsigned int room;       /* operations that are taken now */
	unsigned int n_queued;   /* not yet answered */
	unsigned int n_finished; /* times that a batch was to be sent */
	uint16_t deleted[ROWS];  /* ports, in order */
	unsigned int n_deleted;
	int submit_error; /* of the next one; 0: none */
};

static int submit(void *self, enum kernel_op op, const struct object *object,
		  uint32_t cookie)
{
	struct world *w = self;
	int err = w->submit_error;

	(void)cookie;
	assert_int_equal(op, KERNEL_DELETE);
	w->submit_error = 0;
	if (err)
		return err;
	if (w->n_queued == w->room)
		return -EAGAIN;
	w->n_queued++;
	w->deleted[w->n_deleted++] = object->kind == OBJECT_EXPECT
					     ? object->expect->expected.dport
					     : object->flow->orig.sport;
	return 0;
}

static void finish(void *self)
{
	struct world *w = self;

	w->n_finished++;
}

/* All that was taken is answered, the first one with this error. */
static void answer(struct world *w, int error)
{
	for (; w->n_queued; w->n_queued--, error = 0)
		kernel_flush_done(&w->f, KERNEL_DELETE, 0, error, NULL);
}

static int set_up(void **state)
{
	static struct world w;
	const struct flow_cache_opts cache = { .first_size = 16,
					       .limit = 1000 };
	const struct filter_opts filter = {
		.protocol = FILTER_IGNORE,
		.protocols = { [L4_UDP / 8] = 1 << L4_UDP % 8 },
	};
	struct mirror_opts mirror = { 0 };

	memset(&w, 0, sizeof(w));
	w.room = ROOM;
	w.cache = flow_cache_new(&cache);
	w.filter = filter_new(&filter);
	w.ops = (struct kernel_ops){ &w, submit, finish, NULL };
	mirror.cache = w.cache;
	mirror_init(&w.mirror, &mirror);
	w.helpers = names_new(2, 15);
	names_intern(w.helpers, "ftp", 3);
	names_intern(w.helpers, "sip", 3);
	w.expect_filter = (struct expect_filter){ .helpers = w.helpers };
	w.f.o = (struct kernel_flush_opts){ w.filter, &w.expect_filter,
					    &w.mirror, &w.ops };
	*state = &w;
	return w.cache && w.filter ? 0 : -1;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	kernel_flush_fini(&w->f);
	flow_cache_free(w->cache);
	filter_free(w->filter);
	names_free(w->helpers);
	return 0;
}

static struct flow row(uint8_t l4proto, uint16_t sport)
{
	struct flow f = { .family = FAMILY_IPV4,
			  .l4proto = l4proto,
			  .has = FLOW_PORTS };

	f.orig.src.b[0] = 10;
	f.orig.dst.b[0] = 10;
	f.orig.sport = sport;
	f.orig.dport = 80;
	return f;
}

static bool give(struct world *w, uint16_t sport)
{
	struct flow f = row(L4_TCP, sport);

	return kernel_flush_row(&w->f, &f);
}

static void test_every_row_is_deleted_once_in_order(void **state)
{
	struct world *w = *state;
	enum kernel_flush_state at;

	kernel_flush_begin(&w->f);
	for (uint16_t i = 0; i < ROWS; i++)
		assert_int_equal(give(w, i), i < ROOM);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_WAITS);
	do {
		answer(w, 0);
		at = kernel_flush_step(&w->f);
	} while (at == KERNEL_FLUSH_WAITS);
	assert_int_equal(at, KERNEL_FLUSH_ROWS); /* more may come */
	kernel_flush_rows_end(&w->f, 0);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_WAITS);
	assert_int_equal(w->n_finished, 1);
	answer(w, 0);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_ENDED);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_IDLE);
	assert_int_equal(w->n_deleted, ROWS);
	for (uint16_t i = 0; i < ROWS; i++)
		assert_int_equal(w->deleted[i], i);
	assert_int_equal(w->f.report.n_refused, 0);
}

static void test_what_the_filter_refuses_stays(void **state)
{
	struct world *w = *state;
	struct flow udp = row(L4_UDP, 1);

	kernel_flush_begin(&w->f);
	assert_true(kernel_flush_row(&w->f, &udp));
	assert_true(give(w, 2));
	assert_int_equal(w->n_deleted, 1);
	assert_int_equal(w->deleted[0], 2);
}

static void test_the_cache_keeps_the_entry_and_nobody_asks_for_it(void **state)
{
	struct world *w = *state;
	struct flow f = row(L4_TCP, 7);
	uint32_t id;

	assert_int_equal(flow_cache_put(w->cache, &f, PUT_REPLACE, 1, &id),
			 PUT_NEW);
	flow_cache_mark(w->cache, SET_ASKED, id);
	flow_cache_mark(w->cache, SET_DOUBTED, id);
	kernel_flush_begin(&w->f);
	assert_true(kernel_flush_row(&w->f, &f));
	assert_int_equal(flow_cache_find(w->cache, &f), id);
	assert_false(flow_cache_is_marked(w->cache, SET_ASKED, id));
	assert_false(flow_cache_is_marked(w->cache, SET_DOUBTED, id));
}

static void test_refusals_are_counted_and_what_has_gone_is_none(void **state)
{
	static const struct {
		int submitted, answered;
		uint32_t n_refused;
	} cases[] = {
		{ 0, 0, 0 },         { 0, -ENOENT, 0 },        { 0, -EPERM, 1 },
		{ -EMSGSIZE, 0, 1 }, { -EMSGSIZE, -EPERM, 2 },
	};

	for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
		struct world *w = *state;

		kernel_flush_begin(&w->f);
		w->n_deleted = 0;
		w->submit_error = cases[i].submitted;
		assert_true(give(w, 1));
		assert_true(give(w, 2));
		kernel_flush_rows_end(&w->f, 0);
		assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_WAITS);
		answer(w, cases[i].answered);
		assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_ENDED);
		assert_int_equal(w->f.report.n_refused, cases[i].n_refused);
		if (cases[i].answered == -EPERM)
			assert_int_equal(w->f.report.refused_error, -EPERM);
	}
}

static void test_a_dump_that_fails_is_in_the_report(void **state)
{
	struct world *w = *state;

	kernel_flush_begin(&w->f);
	kernel_flush_rows_end(&w->f, -EIO);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_ENDED);
	assert_int_equal(w->f.report.error, -EIO);
	kernel_flush_begin(&w->f); /* the next one is not burdened with it */
	kernel_flush_rows_end(&w->f, 0);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_ENDED);
	assert_int_equal(w->f.report.error, 0);
}

static void test_once_stopped_only_answers_are_waited_for(void **state)
{
	struct world *w = *state;

	kernel_flush_begin(&w->f);
	for (uint16_t i = 0; i < ROOM + 5; i++)
		(void)give(w, i);
	kernel_flush_stop(&w->f);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_WAITS);
	answer(w, 0);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_ENDED);
	assert_int_equal(w->n_deleted, ROOM);
}

static void test_without_memory_a_row_is_refused_not_forgotten(void **state)
{
	struct world *w = *state;

	for (size_t n = 0;; n++) {
		bool has_failed;

		kernel_flush_begin(&w->f);
		w->n_deleted = 0;
		alloc_fail_after(n);
		for (uint16_t i = 0; i < ROWS; i++)
			(void)give(w, i);
		has_failed = alloc_fail_off();
		kernel_flush_rows_end(&w->f, 0);
		do
			answer(w, 0);
		while (kernel_flush_step(&w->f) != KERNEL_FLUSH_ENDED);
		assert_int_equal(w->n_deleted + w->f.report.n_refused, ROWS);
		assert_int_equal(w->f.report.n_refused > 0, has_failed);
		if (!has_failed)
			break;
		assert_int_equal(w->f.report.refused_error, -ENOMEM);
	}
}

/* Their helper is 1 or 2: ftp or sip. */
static bool give_expect(struct world *w, uint8_t master_l4proto,
			uint16_t helper, uint16_t port)
{
	const struct expect e = { .has = EXPECT_HELPER,
				  .family = FAMILY_IPV4,
				  .master_l4proto = master_l4proto,
				  .l4proto = L4_TCP,
				  .expected = { .dport = port },
				  .helper = helper };

	return kernel_flush_expect(&w->f, &e);
}

static void test_expectations_are_deleted_as_flows_are(void **state)
{
	struct world *w = *state;
	char names[][EXPECT_FILTER_NAME_MAX + 1] = { "FT" };

	w->expect_filter.names = names;
	w->expect_filter.n_names = 1;
	kernel_flush_begin(&w->f);
	for (uint16_t i = 0; i < 2 * ROOM; i++)
		assert_int_equal(give_expect(w, L4_TCP, 1, i), i < ROOM);
	/* of a master, or of a helper, that is not replicated */
	assert_true(give_expect(w, L4_UDP, 1, 100));
	assert_true(give_expect(w, L4_TCP, 2, 101));
	kernel_flush_rows_end(&w->f, 0);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_WAITS);
	answer(w, -ENOENT);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_WAITS);
	answer(w, -EPERM);
	assert_int_equal(kernel_flush_step(&w->f), KERNEL_FLUSH_ENDED);
	assert_int_equal(w->n_deleted, 2 * ROOM);
	for (uint16_t i = 0; i < 2 * ROOM; i++)
		assert_int_equal(w->deleted[i], i);
	assert_int_equal(w->f.report.n_refused, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_every_row_is_deleted_once_in_order),
		TEST(test_what_the_filter_refuses_stays),
		TEST(test_the_cache_keeps_the_entry_and_nobody_asks_for_it),
		TEST(test_refusals_are_counted_and_what_has_gone_is_none),
		TEST(test_a_dump_that_fails_is_in_the_report),
		TEST(test_once_stopped_only_answers_are_waited_for),
		TEST(test_expectations_are_deleted_as_flows_are),
		TEST(test_without_memory_a_row_is_refused_not_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
