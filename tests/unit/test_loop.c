/* SPDX-License-Identifier: ISC */
/* The loop makes system calls; pipes and signals to itself are all it takes to
 * see that it keeps its promises. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "alloc_fail.h"
#include "base/loop.h"

struct probe {
	struct loop *loop;
	struct watch watch;
	struct timer timer;
	struct deferred deferred;
	int fd[2];
	unsigned int events; /* of the last call */
	int n_events, n_timers, n_deferred;
	int64_t now_ms;
	struct probe *other;
};

static void probe_init(struct probe *p, struct loop *l)
{
	*p = (struct probe){ .loop = l };
	p->timer.ctx = p;
	p->deferred.ctx = p;
	assert_int_equal(pipe2(p->fd, O_NONBLOCK | O_CLOEXEC), 0);
}

static void probe_fini(struct probe *p)
{
	timer_cancel(p->loop, &p->timer);
	watch_remove(p->loop, &p->watch);
	close(p->fd[0]);
	if (p->fd[1] >= 0)
		close(p->fd[1]);
}

static void count_and_stop(void *ctx, unsigned int events)
{
	struct probe *p = ctx;

	p->events = events;
	p->n_events++;
	loop_stop(p->loop);
}

static void remove_the_other(void *ctx, unsigned int events)
{
	struct probe *p = ctx;

	count_and_stop(p, events);
	watch_remove(p->loop, &p->other->watch);
	memset(&p->other->watch, 0x55, sizeof(p->other->watch));
	p->other->watch.is_added = false;
}

static void change_the_other(void *ctx, unsigned int events)
{
	struct probe *p = ctx;

	count_and_stop(p, events);
	watch_change(p->loop, &p->other->watch, 0);
}

static void stop_by_timer(void *ctx, int64_t now_ms)
{
	struct probe *p = ctx;

	p->n_timers++;
	p->now_ms = now_ms;
	loop_stop(p->loop);
}

static void test_a_readable_descriptor_is_reported(void **state)
{
	struct loop *l = loop_new();
	struct probe p;

	(void)state;
	probe_init(&p, l);
	assert_int_equal(
		watch_add(l, &p.watch, p.fd[0], LOOP_READ, count_and_stop, &p),
		0);
	assert_int_equal(write(p.fd[1], "x", 1), 1);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(p.events, LOOP_READ);
	assert_int_equal(p.n_events, 1);
	assert_int_equal(loop_run(l), 0); /* it still is */
	assert_int_equal(p.n_events, 2);
	probe_fini(&p);
	loop_free(l);
}

static void test_the_end_of_a_stream_is_a_read_and_an_error(void **state)
{
	struct loop *l = loop_new();
	struct probe p;

	(void)state;
	probe_init(&p, l);
	assert_int_equal(
		watch_add(l, &p.watch, p.fd[0], LOOP_READ, count_and_stop, &p),
		0);
	close(p.fd[1]);
	p.fd[1] = -1;
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(p.events, LOOP_READ | LOOP_ERROR);
	watch_change(l, &p.watch, 0);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(p.events, LOOP_ERROR); /* comes unasked */
	probe_fini(&p);
	loop_free(l);
}

/* Two pipes are readable; whichever is served first silences the other. */
static void run_two(watch_fn *fn, int *n_first, int *n_second)
{
	struct loop *l = loop_new();
	struct probe p[2];

	for (int i = 0; i < 2; i++) {
		probe_init(&p[i], l);
		p[i].other = &p[1 - i];
		assert_int_equal(watch_add(l, &p[i].watch, p[i].fd[0],
					   LOOP_READ, fn, &p[i]),
				 0);
		assert_int_equal(write(p[i].fd[1], "x", 1), 1);
	}
	assert_int_equal(loop_run(l), 0);
	*n_first = p[0].n_events;
	*n_second = p[1].n_events;
	probe_fini(&p[0]);
	probe_fini(&p[1]);
	loop_free(l);
}

static void test_a_watch_removed_in_the_batch_is_not_called(void **state)
{
	int first, second;

	(void)state;
	run_two(count_and_stop, &first, &second);
	assert_int_equal(first + second, 2);
	run_two(remove_the_other, &first, &second);
	assert_int_equal(first + second, 1);
}

static void test_events_masked_in_the_batch_are_not_delivered(void **state)
{
	int first, second;

	(void)state;
	run_two(change_the_other, &first, &second);
	assert_int_equal(first + second, 1);
}

static void test_a_regular_file_cannot_be_watched(void **state)
{
	char path[] = "/tmp/test_loop.XXXXXX";
	int fd = mkstemp(path);
	struct loop *l = loop_new();
	struct watch w = { 0 };

	(void)state;
	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(watch_add(l, &w, fd, LOOP_READ, NULL, NULL), -EPERM);
	assert_false(w.is_added);
	watch_remove(l, &w);
	close(fd);
	loop_free(l);
}

static void test_a_timer_is_never_early(void **state)
{
	struct loop *l = loop_new();
	struct probe p;
	int64_t start_ms;

	(void)state;
	probe_init(&p, l);
	p.timer.fn = stop_by_timer;
	start_ms = loop_clock_ms(l);
	timer_set(l, &p.timer, start_ms + 15);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(p.n_timers, 1);
	assert_true(p.now_ms >= start_ms + 15);
	assert_true(loop_now_ms(l) >= p.now_ms);
	assert_true(loop_wall_s(l) > 1600000000);
	timer_set(l, &p.timer, 0); /* long ago: the next turn */
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(p.n_timers, 2);
	probe_fini(&p);
	loop_free(l);
}

static void defer_again_and_count(void *ctx)
{
	struct probe *p = ctx;

	if (++p->n_deferred == 3)
		loop_stop(p->loop);
	else
		loop_defer(p->loop, &p->deferred);
}

static void count_turns(void *ctx)
{
	++*(int *)ctx;
}

static void test_what_a_deferred_call_defers_waits_a_turn(void **state)
{
	struct loop *l = loop_new();
	struct probe p;
	int n_turns = 0;

	(void)state;
	probe_init(&p, l);
	p.deferred.fn = defer_again_and_count;
	loop_set_turn_end(l, count_turns, &n_turns);
	loop_defer(l, &p.deferred);
	loop_defer(l, &p.deferred); /* is queued already */
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(p.n_deferred, 3);
	assert_int_equal(n_turns, 3);
	probe_fini(&p);
	loop_free(l);
}

static void cancel_the_other_and_stop(void *ctx)
{
	struct probe *p = ctx;

	p->n_deferred++;
	loop_defer_cancel(p->loop, &p->other->deferred);
	loop_stop(p->loop);
}

static void test_a_deferred_call_can_be_cancelled_by_another(void **state)
{
	struct loop *l = loop_new();
	struct probe a, b;

	(void)state;
	probe_init(&a, l);
	probe_init(&b, l);
	a.deferred.fn = b.deferred.fn = cancel_the_other_and_stop;
	a.other = &b;
	b.other = &a;
	loop_defer(l, &a.deferred);
	loop_defer(l, &b.deferred);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(a.n_deferred, 1);
	assert_int_equal(b.n_deferred, 0);
	loop_defer(l, &b.deferred);
	loop_defer_cancel(l, &b.deferred);
	loop_stop(l);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(b.n_deferred, 0);
	probe_fini(&a);
	probe_fini(&b);
	loop_free(l);
}

static void test_a_signal_arrives_as_a_call(void **state)
{
	static const int signals[] = { SIGUSR1, SIGHUP, 0 };
	struct loop *l = loop_new();
	struct probe p;

	(void)state;
	probe_init(&p, l);
	assert_int_equal(loop_signals(l, signals, count_and_stop, &p), 0);
	assert_int_equal(loop_signals(l, signals, count_and_stop, &p), -EBUSY);
	raise(SIGHUP);
	assert_int_equal(loop_run(l), 0);
	assert_int_equal(p.n_events, 1);
	assert_int_equal(p.events, SIGHUP);
	probe_fini(&p);
	loop_free(l);
}

static void burn_and_stop(void *ctx, int64_t now_ms)
{
	while (loop_clock_ms(((struct probe *)ctx)->loop) < now_ms + 30)
		continue;
	stop_by_timer(ctx, now_ms);
}

static void test_turns_are_counted_by_their_cpu_time(void **state)
{
	struct loop *l = loop_new();
	const struct loop_stats *stats = loop_stats(l);
	struct probe p;
	uint64_t sum = 0;

	(void)state;
	probe_init(&p, l);
	p.timer.fn = burn_and_stop;
	timer_set(l, &p.timer, 0);
	assert_int_equal(loop_run(l), 0);
	for (size_t i = 0; i < LOOP_STATS_N; i++)
		sum += stats->turn_us[i];
	assert_true(stats->n_turns == 1 && sum == 1);
	assert_true(stats->longest_turn_us > 500);
	assert_true(stats->turn_us[0] == 0);
	assert_true(stats->n_wait_failed == 0);
	probe_fini(&p);
	loop_free(l);
}

static void test_lack_of_memory_makes_no_loop(void **state)
{
	(void)state;
	alloc_fail_after(0);
	assert_null(loop_new());
	assert_true(alloc_fail_off());
	loop_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_readable_descriptor_is_reported),
		cmocka_unit_test(
			test_the_end_of_a_stream_is_a_read_and_an_error),
		cmocka_unit_test(
			test_a_watch_removed_in_the_batch_is_not_called),
		cmocka_unit_test(
			test_events_masked_in_the_batch_are_not_delivered),
		cmocka_unit_test(test_a_regular_file_cannot_be_watched),
		cmocka_unit_test(test_a_timer_is_never_early),
		cmocka_unit_test(test_what_a_deferred_call_defers_waits_a_turn),
		cmocka_unit_test(
			test_a_deferred_call_can_be_cancelled_by_another),
		cmocka_unit_test(test_a_signal_arrives_as_a_call),
		cmocka_unit_test(test_turns_are_counted_by_their_cpu_time),
		cmocka_unit_test(test_lack_of_memory_makes_no_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
