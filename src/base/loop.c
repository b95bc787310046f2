/* SPDX-License-Identifier: ISC */
#define _GNU_SOURCE
#include "base/loop.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64 }; /* events of one turn */

struct loop {
	int epoll_fd;
	int signal_fd; /* -1: none */
	bool is_stopped;
	int64_t now_ms;
	int64_t wall_s;
	struct timer_heap timers;
	struct deferred *waiting; /* for the end of this turn, first to last */
	struct deferred *running; /* those of this turn that are left */
	loop_fn *turn_end;
	void *turn_end_ctx;
	struct watch signal_watch;
	watch_fn *signal_fn;
	void *signal_ctx;
	int n_ready, n_served; /* of the current batch */
	struct epoll_event ready[BATCH];
	uint64_t cpu_us; /* of this thread, when it was last looked at */
	struct loop_stats stats;
};

/* Which events of epoll stand for which of ours. */
static const struct {
	uint32_t epoll;
	unsigned int loop;
} event_rows[] = {
	{ EPOLLIN, LOOP_READ },
	{ EPOLLOUT, LOOP_WRITE },
	{ EPOLLERR, LOOP_ERROR },
	/* the read that follows finds the end */
	{ EPOLLHUP, LOOP_READ | LOOP_ERROR },
};

static struct timespec clock_now(clockid_t clock)
{
	struct timespec t = { 0 };

	(void)clock_gettime(clock, &t); /* these clocks always exist */
	return t;
}

static uint64_t cpu_us(void)
{
	struct timespec t = clock_now(CLOCK_THREAD_CPUTIME_ID);

	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void read_clocks(struct loop *l)
{
	loop_clock_ms(l);
	l->wall_s = clock_now(CLOCK_REALTIME).tv_sec;
}

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->signal_fd = -1;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		free(l);
		return NULL;
	}
	read_clocks(l);
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	if (l->signal_fd >= 0)
		close(l->signal_fd);
	close(l->epoll_fd);
	free(l);
}

void loop_stop(struct loop *l)
{
	l->is_stopped = true;
}

int64_t loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

int64_t loop_clock_ms(struct loop *l)
{
	struct timespec t = clock_now(CLOCK_MONOTONIC);

	l->now_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	return l->now_ms;
}

int64_t loop_clock_us(void)
{
	struct timespec t = clock_now(CLOCK_MONOTONIC);

	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t loop_wall_s(const struct loop *l)
{
	return l->wall_s;
}

/* ---- descriptors ---- */

static int control(struct loop *l, int op, struct watch *w, int fd,
		   unsigned int events)
{
	struct epoll_event e = { .data.ptr = w };

	if (events & LOOP_READ)
		e.events |= EPOLLIN;
	if (events & LOOP_WRITE)
		e.events |= EPOLLOUT;
	return epoll_ctl(l->epoll_fd, op, fd, &e) < 0 ? -errno : 0;
}

int watch_add(struct loop *l, struct watch *w, int fd, unsigned int events,
	      watch_fn *fn, void *ctx)
{
	int err = control(l, EPOLL_CTL_ADD, w, fd, events);

	if (err == 0)
		*w = (struct watch){ fd, events, fn, ctx, true };
	return err;
}

void watch_change(struct loop *l, struct watch *w, unsigned int events)
{
	int err;

	if (w->events == events)
		return;
	err = control(l, EPOLL_CTL_MOD, w, w->fd, events);
	assert(err == 0); /* the owner closed it under us */
	w->events = events;
}

void watch_remove(struct loop *l, struct watch *w)
{
	if (!w->is_added)
		return;
	(void)control(l, EPOLL_CTL_DEL, w, w->fd, 0);
	for (int i = l->n_served; i < l->n_ready; i++) {
		if (l->ready[i].data.ptr == w)
			l->ready[i].data.ptr = NULL;
	}
	w->is_added = false;
}

static unsigned int from_epoll(uint32_t events)
{
	unsigned int set = 0;

	for (size_t i = 0; i < N_ELEMENTS(event_rows); i++) {
		if (events & event_rows[i].epoll)
			set |= event_rows[i].loop;
	}
	return set;
}

static void serve_events(struct loop *l)
{
	for (l->n_served = 0; l->n_served < l->n_ready;) {
		const struct epoll_event *e = &l->ready[l->n_served++];
		struct watch *w = e->data.ptr;
		unsigned int events;

		if (!w) /* removed by a callback of this batch */
			continue;
		events = from_epoll(e->events) & (w->events | LOOP_ERROR);
		if (events)
			w->fn(w->ctx, events);
	}
	l->n_served = l->n_ready = 0;
}

/* ---- timers and deferred calls ---- */

void timer_set(struct loop *l, struct timer *t, int64_t due_ms)
{
	timer_heap_set(&l->timers, t, due_ms);
}

void timer_cancel(struct loop *l, struct timer *t)
{
	timer_heap_cancel(&l->timers, t);
}

void loop_defer(struct loop *l, struct deferred *d)
{
	struct deferred **end = &l->waiting;

	if (d->is_queued)
		return;
	while (*end)
		end = &(*end)->next;
	d->next = NULL;
	d->is_queued = true;
	*end = d;
}

static void unlink_deferred(struct deferred **list, struct deferred *d)
{
	while (*list && *list != d)
		list = &(*list)->next;
	if (*list)
		*list = d->next;
}

void loop_defer_cancel(struct loop *l, struct deferred *d)
{
	if (!d->is_queued)
		return;
	unlink_deferred(&l->waiting, d);
	unlink_deferred(&l->running, d);
	d->is_queued = false;
}

static unsigned int run_deferred(struct loop *l)
{
	unsigned int n = 0;

	l->running = l->waiting;
	l->waiting = NULL;
	while (l->running) {
		struct deferred *d = l->running;

		l->running = d->next;
		d->is_queued = false;
		d->fn(d->ctx);
		n++;
	}
	return n;
}

void loop_set_turn_end(struct loop *l, loop_fn *fn, void *ctx)
{
	l->turn_end = fn;
	l->turn_end_ctx = ctx;
}

/* ---- signals ---- */

static void on_signal(void *ctx, unsigned int events)
{
	struct loop *l = ctx;
	struct signalfd_siginfo info;

	(void)events;
	while (read(l->signal_fd, &info, sizeof(info)) == sizeof(info))
		l->signal_fn(l->signal_ctx, info.ssi_signo);
}

int loop_signals(struct loop *l, const int *signals, watch_fn *fn, void *ctx)
{
	sigset_t set;
	int fd, err;

	if (l->signal_fd >= 0)
		return -EBUSY;
	sigemptyset(&set);
	for (; *signals; signals++)
		sigaddset(&set, *signals);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = watch_add(l, &l->signal_watch, fd, LOOP_READ, on_signal, l);
	if (err == 0 && sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
		err = -errno;
		watch_remove(l, &l->signal_watch);
	}
	if (err < 0) {
		close(fd);
		return err;
	}
	l->signal_fd = fd;
	l->signal_fn = fn;
	l->signal_ctx = ctx;
	return 0;
}

/* ---- turns ---- */

static int wait_ms(struct loop *l)
{
	int64_t due = timer_heap_next_ms(&l->timers);
	int64_t left;

	if (l->waiting)
		return 0;
	if (due == TIMER_NEVER)
		return -1;
	/* Both are whole milliseconds, rounded down: never awake too early. */
	left = due - loop_clock_ms(l);
	return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static void count_turn(struct loop *l)
{
	uint64_t now = cpu_us();
	uint64_t us = now - l->cpu_us;
	size_t i = 0;

	while (i < LOOP_STATS_N - 1 && us >> i > 0)
		i++;
	l->stats.turn_us[i]++;
	l->stats.n_turns++;
	if (us > l->stats.longest_turn_us)
		l->stats.longest_turn_us = us;
	l->cpu_us = now;
}

static int turn(struct loop *l)
{
	int timeout_ms = wait_ms(l);
	int n = epoll_wait(l->epoll_fd, l->ready, BATCH, timeout_ms);
	unsigned int n_calls;

	if (n < 0 && errno != EINTR) {
		l->stats.n_wait_failed++;
		return -errno;
	}
	read_clocks(l);
	l->n_ready = n < 0 ? 0 : n;
	n_calls = (unsigned int)l->n_ready;
	serve_events(l);
	n_calls += timer_heap_fire(&l->timers, l->now_ms);
	n_calls += run_deferred(l);
	if (l->turn_end)
		l->turn_end(l->turn_end_ctx);
	if (n_calls > 0)
		count_turn(l);
	return 0;
}

int loop_run(struct loop *l)
{
	int err = 0;

	l->cpu_us = cpu_us();
	while (err == 0 && !l->is_stopped)
		err = turn(l);
	l->is_stopped = false;
	return err;
}

const struct loop_stats *loop_stats(const struct loop *l)
{
	return &l->stats;
}
