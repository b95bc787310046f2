/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "base/buf.h"
#include "jobs.h"

enum { GONE = 1000 }; /* clients from here on have left */

/* What has happened, in words. */
struct world {
	struct jobs jobs;
	char told[512];
	struct wr w;
	bool ends_at_once;
	unsigned int n_wakes;
};

static bool is_wanted(void *ctx, uint64_t client)
{
	(void)ctx;
	return client < GONE;
}

static void answer(void *ctx, uint64_t client, int status, const char *reason)
{
	struct world *w = ctx;

	wr_printf(&w->w, "answer%u=%d%s%s ", (unsigned int)client, status,
		  reason ? ":" : "", reason ? reason : "");
}

static void has_work(void *ctx)
{
	struct world *w = ctx;

	w->n_wakes++;
}

static void start(void *ctx, int code)
{
	struct world *w = ctx;

	wr_printf(&w->w, "start%d ", code);
	if (w->ends_at_once)
		jobs_end(&w->jobs, 3, "no");
}

static bool work(void *ctx)
{
	struct world *w = ctx;

	wr_printf(&w->w, "work ");
	return true;
}

static const struct job_kind kind = { start, work }, other = { start, NULL };

static int set_up(void **state)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.jobs.o = (struct jobs_opts){ is_wanted, answer, has_work, &w };
	w.w = (struct wr){ .buf = (uint8_t *)w.told,
			   .size = sizeof(w.told) - 1 };
	*state = &w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	jobs_fini(&w->jobs);
	return 0;
}

static void add(struct world *w, const struct job_kind *k, int code,
		uint64_t client)
{
	jobs_add(&w->jobs, k, w, code, "-x", client);
}

static void test_they_run_one_after_the_other(void **state)
{
	struct world *w = *state;

	assert_false(jobs_work(&w->jobs));
	add(w, &kind, 1, 11);
	add(w, &other, 2, 12);
	assert_int_equal(w->n_wakes, 2);
	assert_null(jobs_running(&w->jobs));
	assert_true(jobs_work(&w->jobs));
	assert_ptr_equal(jobs_running(&w->jobs), &kind);
	assert_true(jobs_work(&w->jobs));
	jobs_end(&w->jobs, 0, NULL);
	assert_true(jobs_work(&w->jobs));
	assert_ptr_equal(jobs_running(&w->jobs), &other);
	assert_false(jobs_work(&w->jobs)); /* others do it */
	jobs_end(&w->jobs, 1, "why");
	assert_false(jobs_work(&w->jobs));
	assert_string_equal(w->told, "start1 work answer11=0 start2 "
				     "answer12=1:why ");
}

static void test_one_may_end_while_it_starts(void **state)
{
	struct world *w = *state;

	w->ends_at_once = true;
	add(w, &kind, 1, 11);
	add(w, &kind, 2, 0);
	assert_true(jobs_work(&w->jobs));
	assert_true(jobs_work(&w->jobs));
	assert_false(jobs_work(&w->jobs));
	assert_string_equal(w->told, "start1 answer11=3:no start2 ");
}

static void test_who_has_left_wants_nothing_any_more(void **state)
{
	struct world *w = *state;

	add(w, &kind, 1, GONE);
	add(w, &kind, 2, 5);
	assert_true(jobs_work(&w->jobs));
	assert_true(jobs_work(&w->jobs));
	assert_string_equal(w->told, "start2 ");
}

static void test_only_those_of_a_kind_that_wait_are_dropped(void **state)
{
	struct world *w = *state;

	add(w, &kind, 1, 1);
	assert_true(jobs_work(&w->jobs));
	assert_false(jobs_drop(&w->jobs, &kind)); /* it runs */
	add(w, &kind, 2, 0);
	add(w, &other, 3, 0);
	add(w, &kind, 4, 0);
	assert_true(jobs_drop(&w->jobs, &kind));
	assert_false(jobs_drop(&w->jobs, &kind));
	jobs_end(&w->jobs, 0, NULL);
	while (!jobs_running(&w->jobs))
		assert_true(jobs_work(&w->jobs));
	assert_ptr_equal(jobs_running(&w->jobs), &other);
	jobs_end(&w->jobs, 0, NULL);
	assert_false(jobs_work(&w->jobs));
}

static void test_the_queue_is_full_of_clients_that_are_there_only(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < JOBS_MAX; i++)
		add(w, &kind, i, i == 5 ? GONE : 1);
	assert_int_equal(w->w.used, 0);
	add(w, &kind, 0, 2); /* in place of the one that has left */
	assert_int_equal(w->w.used, 0);
	add(w, &kind, 0, 3);
	assert_string_equal(w->told, "answer3=1:too many commands wait ");
}

static void test_without_memory_the_client_is_told(void **state)
{
	struct world *w = *state;

	alloc_fail_after(0);
	add(w, &kind, 1, 9);
	assert_true(alloc_fail_off());
	assert_string_equal(w->told, "answer9=1:Cannot allocate memory ");
	assert_false(jobs_work(&w->jobs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_they_run_one_after_the_other),
		TEST(test_one_may_end_while_it_starts),
		TEST(test_who_has_left_wants_nothing_any_more),
		TEST(test_only_those_of_a_kind_that_wait_are_dropped),
		TEST(test_the_queue_is_full_of_clients_that_are_there_only),
		TEST(test_without_memory_the_client_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
