/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sync/injected.h"

static struct injected x;

static int set_up(void **state)
{
	const struct flow_cache_opts o = { .first_size = 16, .limit = 100000 };

	(void)state;
	x = (struct injected){ .flows = flow_cache_new(&o) };
	return x.flows ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	flow_cache_free(x.flows);
	return 0;
}

static struct flow flow_number(uint32_t n)
{
	struct flow f = { .family = FAMILY_IPV4,
			  .l4proto = L4_TCP,
			  .has = FLOW_PORTS | FLOW_REPLY | FLOW_TCP_STATE |
				 FLOW_TIMEOUT,
			  .tcp_state = TCP_STATE_ESTABLISHED,
			  .timeout_s = 100 };

	f.orig.src.b[0] = 10;
	f.orig.dst.b[0] = 10;
	f.orig.sport = (uint16_t)n;
	f.orig.dport = (uint16_t)(n >> 16);
	f.reply = flow_inverse(&f);
	return f;
}

/* The same as the kernel shows it. */
static struct flow row_number(uint32_t n, uint32_t id)
{
	struct flow f = flow_number(n);

	f.has |= FLOW_ID | FLOW_STATUS;
	f.id = id;
	f.status = STATUS_SEEN_REPLY | STATUS_ASSURED;
	return f;
}

static void end_poll(bool is_complete)
{
	injected_poll_ends(&x, is_complete);
	for (int i = 0; injected_has_work(&x); i++) {
		assert_in_range(i, 0, 1000);
		injected_work(&x);
	}
}

/* A poll that shows one flow; true: as what a peer has told. */
static bool is_theirs(const struct flow *row)
{
	bool is;

	injected_poll_begins(&x);
	is = injected_has_row(&x, row, 1);
	end_poll(true);
	return is;
}

static void told(enum kernel_op op, uint32_t n)
{
	const struct flow f = flow_number(n);

	injected_done(&x, op, &f, 1);
}

static void test_what_nobody_has_told_is_ours(void **state)
{
	const struct flow row = row_number(1, 5), other = row_number(2, 6);

	(void)state;
	assert_false(is_theirs(&row));
	told(KERNEL_CREATE, 1);
	assert_false(is_theirs(&other));
}

static void
test_what_was_told_is_theirs_while_nothing_else_changes_it(void **state)
{
	struct flow row = row_number(1, 5);

	(void)state;
	told(KERNEL_CREATE, 1);
	assert_true(is_theirs(&row));
	row.timeout_s = 90; /* as time goes by, and as packets come */
	row.has |= FLOW_TCP_FLAGS_ORIG | FLOW_COUNTERS_ORIG;
	row.tcp_flags_orig = 0x20;
	row.counters_orig.packets = 3;
	assert_true(is_theirs(&row));
	row.tcp_state = TCP_STATE_FIN_WAIT;
	told(KERNEL_UPDATE, 1);
	assert_true(is_theirs(&row));
	row.tcp_state = TCP_STATE_LAST_ACK; /* the traffic is here */
	assert_false(is_theirs(&row));
	assert_false(is_theirs(&row));
}

static void test_another_life_is_ours(void **state)
{
	struct flow row = row_number(1, 5);

	(void)state;
	told(KERNEL_CREATE, 1);
	assert_true(is_theirs(&row));
	row.id = 6;
	assert_false(is_theirs(&row));
}

static void test_what_has_ended_is_forgotten(void **state)
{
	const struct flow row = row_number(1, 5), other = row_number(2, 6);

	(void)state;
	told(KERNEL_CREATE, 1);
	told(KERNEL_DELETE, 1);
	assert_false(is_theirs(&row));
	told(KERNEL_CREATE, 1);
	told(KERNEL_CREATE, 2);
	assert_true(is_theirs(&other)); /* the first has timed out */
	assert_false(is_theirs(&row));
	assert_int_equal(flow_cache_stats(x.flows)->n_active, 0);
}

/* A row that is made before it was put there, and read after. */
static void test_an_older_row_says_nothing_of_it(void **state)
{
	const struct flow row = row_number(1, 5);
	struct flow next = row_number(1, 5);

	(void)state;
	next.tcp_state = TCP_STATE_FIN_WAIT;
	told(KERNEL_CREATE, 1);
	injected_poll_begins(&x);
	told(KERNEL_UPDATE, 1);
	assert_true(injected_has_row(&x, &row, 1));
	end_poll(true);
	assert_true(is_theirs(&next));
}

/* The same with an end. */
static void test_an_older_row_does_not_bring_it_back(void **state)
{
	const struct flow rows[2] = { row_number(1, 5), row_number(2, 6) };

	(void)state;
	told(KERNEL_CREATE, 1); /* the other was ours */
	for (int is_complete = 0; is_complete < 2; is_complete++) {
		injected_poll_begins(&x);
		for (uint32_t i = 0; i < 2; i++) {
			told(KERNEL_DELETE, i + 1);
			assert_true(injected_has_row(&x, &rows[i], 1));
		}
		end_poll(is_complete);
		assert_int_equal(flow_cache_stats(x.flows)->n_active, 0);
	}
	injected_poll_begins(&x);
	told(KERNEL_DELETE, 1);
	told(KERNEL_CREATE, 1);
	end_poll(true);
	assert_true(is_theirs(&rows[0]));
}

static void test_a_poll_that_failed_forgets_nothing(void **state)
{
	const struct flow row = row_number(1, 5);

	(void)state;
	told(KERNEL_CREATE, 1);
	injected_poll_begins(&x);
	end_poll(false);
	assert_true(is_theirs(&row));
}

static void test_what_is_taken_for_ours_stays_ours(void **state)
{
	const struct flow row = row_number(1, 5);

	(void)state;
	told(KERNEL_CREATE, 1);
	assert_true(is_theirs(&row));
	injected_forget(&x, &row);
	injected_forget(&x, &row);
	assert_false(is_theirs(&row));
}

static void test_many_are_forgotten_in_pieces(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 20000; n++)
		told(KERNEL_CREATE, n);
	injected_poll_begins(&x);
	injected_poll_ends(&x, true);
	injected_work(&x);
	assert_in_range(flow_cache_stats(x.flows)->n_active, 10000, 19999);
	told(KERNEL_CREATE, 7); /* meanwhile */
	while (injected_has_work(&x))
		injected_work(&x);
	assert_int_equal(flow_cache_stats(x.flows)->n_active, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_nobody_has_told_is_ours),
		TEST(test_what_was_told_is_theirs_while_nothing_else_changes_it),
		TEST(test_another_life_is_ours),
		TEST(test_what_has_ended_is_forgotten),
		TEST(test_an_older_row_says_nothing_of_it),
		TEST(test_an_older_row_does_not_bring_it_back),
		TEST(test_a_poll_that_failed_forgets_nothing),
		TEST(test_what_is_taken_for_ours_stays_ours),
		TEST(test_many_are_forgotten_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
