/* SPDX-License-Identifier: ISC */
#include "kernel_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "overrun.h"
#include "polling.h"

/* What a dump of the kernel's table is for. */
enum dump_use {
	DUMP_NONE,
	DUMP_START,   /* fills the internal cache, nothing is sent */
	DUMP_REQUEST, /* -R: the same */
	DUMP_OVERRUN, /* events were lost: what differs is sent */
	DUMP_FETCH,   /* all is told: there is no internal cache */
	DUMP_FLUSH,   /* -F, -t: each row is deleted from the kernel */
	DUMP_POLL,    /* in place of events: what differs is sent */
	DUMP_DOUBT,   /* an event of an expectation left a doubt: the same */
};

struct kernel_side {
	struct kernel_side_opts o;
	struct ct_kernel *ct;
	struct ct_writer *flush_writer, *asker;
	struct kernel_view view;
	bool has_table; /* bypassed: that is all the first dump is to show */
	struct kernel_flush flush;
	enum dump_use dump;          /* until the view has settled */
	enum object_kind kind;       /* what it shows just now */
	unsigned int resync_kinds;   /* -R: KERNEL_KIND() */
	enum object_kind flush_kind; /* -F */
	unsigned int dumps_next;     /* bits of those asked for meanwhile */
	struct overrun overrun;
	struct timer overrun_timer;
	struct polling polling;
	struct timer poll_timer;
	uint64_t n_refused; /* by the full cache, when a repair was asked for */
	struct event_buffer buffer;
	kernel_resynced_fn *resynced;
	void *resynced_ctx;
	kernel_flushed_fn *flushed;
	void *flushed_ctx;
	uint64_t n_flushes, n_resyncs, n_polls;
};

static int64_t now_ms(const struct kernel_side *k)
{
	return loop_now_ms(k->o.loop);
}

/* Monotonic seconds, as the caches count them. */
static uint32_t now_s(const struct kernel_side *k)
{
	return (uint32_t)(now_ms(k) / 1000);
}

static void work_later(struct kernel_side *k)
{
	k->o.has_work(k->o.ctx);
}

static bool polls(const struct kernel_side *k)
{
	return k->polling.period_ms != 0;
}

/* ---- events ------------------------------------------------------------- */

static void on_event(void *ctx, enum flow_event type, enum flow_origin origin,
		     const struct flow *f)
{
	struct kernel_side *k = ctx;

	kernel_view_event(&k->view, type, origin, f, now_s(k));
	if (kernel_view_has_work(&k->view))
		work_later(k);
}

static void on_expect_event(void *ctx, enum flow_event type,
			    enum flow_origin origin, const struct expect *e)
{
	struct kernel_side *k = ctx;

	kernel_view_expect_event(&k->view, type, origin, e, now_s(k));
	if (kernel_view_has_work(&k->view))
		work_later(k);
}

static void repair_at(struct kernel_side *k, int64_t due_ms)
{
	if (due_ms != TIMER_NEVER)
		timer_set(k->o.loop, &k->overrun_timer, due_ms);
}

/* Something was missed: a dump repairs it after a while. */
static void repair_later(struct kernel_side *k)
{
	repair_at(k, overrun_lost(&k->overrun, now_ms(k)));
}

static void on_overrun(void *ctx)
{
	struct kernel_side *k = ctx;

	event_buffer_overrun(&k->buffer, ct_kernel_stats(k->ct));
	repair_later(k);
}

/* ---- dumps -------------------------------------------------------------- */

/* False: no more rows are wanted just now. */
static bool take_row(struct kernel_side *k, const struct flow *f, bool is_sure)
{
	bool has_room;

	if (k->dump == DUMP_FLUSH)
		return kernel_flush_row(&k->flush, f);
	if (k->dump == DUMP_START && k->o.is_bypassed) {
		k->has_table = true;
		work_later(k);
		return false;
	}
	has_room = kernel_view_row(&k->view, f, is_sure, now_s(k));
	if (kernel_view_has_work(&k->view))
		work_later(k);
	return has_room;
}

static void on_row(void *ctx, const struct flow *f, bool is_sure)
{
	struct kernel_side *k = ctx;

	if (!take_row(k, f, is_sure))
		ct_kernel_dump_pause(k->ct, true);
}

static void on_expect_row(void *ctx, const struct expect *e, bool is_sure)
{
	struct kernel_side *k = ctx;
	bool has_room = k->dump == DUMP_FLUSH
				? kernel_flush_expect(&k->flush, e)
				: kernel_view_expect_row(&k->view, e, is_sure,
							 now_s(k));

	if (!has_room)
		ct_kernel_dump_pause(k->ct, true);
}

static void end_repair(struct kernel_side *k, bool is_good)
{
	if (is_good)
		event_buffer_repaired(&k->buffer);
	repair_at(k, overrun_ended(&k->overrun, is_good, now_ms(k)));
}

static void end_fetch(struct kernel_side *k, bool is_complete)
{
	k->o.fetched(k->o.ctx, is_complete);
	if (k->overrun.is_repairing)
		end_repair(k, is_complete);
	else if (!is_complete)
		repair_later(k);
}

static void end_poll(struct kernel_side *k, bool is_good)
{
	timer_set(k->o.loop, &k->poll_timer,
		  polling_ended(&k->polling, is_good, now_ms(k)));
}

/* Whoever waits for the dump hears of its end. */
static void tell_end(struct kernel_side *k, enum dump_use use, int error)
{
	/* not with each of many polls */
	if (error < 0 && (use != DUMP_POLL || !k->polling.has_failed))
		log_error("can't get kernel conntrack table: %s",
			  strerror(-error));
	switch (use) {
	case DUMP_START:
		if (polls(k))
			end_poll(k, error == 0);
		k->o.filled(k->o.ctx, error);
		break;
	case DUMP_POLL:
		end_poll(k, error == 0);
		break;
	case DUMP_REQUEST:
		k->resynced(k->resynced_ctx, error);
		break;
	case DUMP_FLUSH:
		kernel_flush_rows_end(&k->flush, error);
		work_later(k);
		break;
	case DUMP_FETCH:
		end_fetch(k, error == 0 && !kernel_view_has_missed(&k->view));
		break;
	case DUMP_OVERRUN:
		end_repair(k, error == 0);
		break;
	case DUMP_DOUBT:
	case DUMP_NONE:
		break;
	}
}

/* What it shows first. */
static enum object_kind first_kind(const struct kernel_side *k,
				   enum dump_use use)
{
	switch (use) {
	case DUMP_REQUEST:
		return k->resync_kinds & KERNEL_KIND(OBJECT_FLOW)
			       ? OBJECT_FLOW
			       : OBJECT_EXPECT;
	case DUMP_FLUSH:
		return k->flush_kind;
	case DUMP_DOUBT:
		return OBJECT_EXPECT;
	case DUMP_NONE:
	case DUMP_START:
	case DUMP_OVERRUN:
	case DUMP_FETCH:
	case DUMP_POLL:
		break;
	}
	return OBJECT_FLOW;
}

/* Whether the view hears of it: not of what is looked at for other ends. */
static bool is_viewed(const struct kernel_side *k, enum dump_use use)
{
	return use != DUMP_FLUSH && !(use == DUMP_START && k->o.is_bypassed);
}

/* Whether expectations follow the flows. */
static bool has_more(const struct kernel_side *k)
{
	if (!k->o.has_expectations || k->kind == OBJECT_EXPECT ||
	    !is_viewed(k, k->dump))
		return false;
	return k->dump != DUMP_REQUEST ||
	       k->resync_kinds & KERNEL_KIND(OBJECT_EXPECT);
}

/* What is told of what it finds. */
static enum view_dump view_of(const struct kernel_side *k, enum dump_use use)
{
	switch (use) {
	case DUMP_OVERRUN:
	case DUMP_DOUBT:
		return VIEW_TELL;
	case DUMP_REQUEST: /* the next poll would tell it */
		return polls(k) ? VIEW_TELL : VIEW_QUIET;
	case DUMP_POLL:
		return VIEW_POLL;
	case DUMP_START:
	case DUMP_FETCH:
	case DUMP_FLUSH:
	case DUMP_NONE:
		break;
	}
	return VIEW_QUIET;
}

/* 0 or a negative errno value. */
static int begin_rows(struct kernel_side *k, enum dump_use use,
		      enum object_kind kind)
{
	int err = ct_kernel_dump(k->ct, kind);

	if (err < 0)
		return err;
	k->dump = use;
	k->kind = kind;
	if (is_viewed(k, use))
		kernel_view_dump_begins(&k->view, kind, view_of(k, use));
	return 0;
}

/* 0 or a negative errno value. */
static int begin_dump(struct kernel_side *k, enum dump_use use)
{
	int err;

	if (use == DUMP_OVERRUN ||
	    (use == DUMP_FETCH && k->overrun.is_waiting)) {
		/* it may have been set while another dump was waited for */
		timer_cancel(k->o.loop, &k->overrun_timer);
		overrun_begins(&k->overrun);
	}
	if (use == DUMP_START || use == DUMP_POLL)
		polling_begins(&k->polling, now_ms(k));
	err = begin_rows(k, use, first_kind(k, use));
	if (err < 0)
		return err;
	k->n_resyncs += use == DUMP_REQUEST || use == DUMP_OVERRUN;
	k->n_polls += use == DUMP_POLL;
	return 0;
}

/* Begins those that were asked for while another one ran: each has its own
 * effect, and somebody who waits for it. */
static void begin_next(struct kernel_side *k)
{
	for (int use = DUMP_START; use <= DUMP_DOUBT; use++) {
		int err;

		if (k->dump != DUMP_NONE)
			break;
		if (!(k->dumps_next >> use & 1))
			continue;
		k->dumps_next &= ~(1U << use);
		err = begin_dump(k, (enum dump_use)use);
		if (err < 0)
			tell_end(k, (enum dump_use)use, err);
	}
}

/* Now, or when the running one has ended. */
static void want_dump(struct kernel_side *k, enum dump_use use)
{
	k->dumps_next |= 1U << use;
	begin_next(k);
}

static void end_dump(struct kernel_side *k, int error)
{
	enum dump_use use = k->dump;

	k->dump = DUMP_NONE;
	tell_end(k, use, error);
	begin_next(k);
}

/* One that is not for a flush has done what it was for when the cache agrees
 * with the kernel. */
static void on_rows_end(void *ctx, enum ct_dump_end end)
{
	struct kernel_side *k = ctx;

	k->has_table = true;
	if (is_viewed(k, k->dump))
		kernel_view_dump_ends(&k->view, end == CT_DUMP_COMPLETE);
	if (end == CT_DUMP_FAILED)
		end_dump(k, -EIO);
	else if (k->dump == DUMP_FLUSH)
		end_dump(k, 0);
	else
		work_later(k);
}

static void on_overrun_timer(void *ctx, int64_t at_ms)
{
	struct kernel_side *k = ctx;

	(void)at_ms;
	if (k->o.is_bypassed)
		k->o.want_bulk(k->o.ctx);
	else
		want_dump(k, DUMP_OVERRUN);
}

static void on_poll_timer(void *ctx, int64_t at_ms)
{
	(void)at_ms;
	want_dump(ctx, DUMP_POLL);
}

void kernel_side_fetch(struct kernel_side *k)
{
	k->dumps_next |= 1U << DUMP_FETCH;
	work_later(k);
}

void kernel_side_resync(struct kernel_side *k, unsigned int kinds,
			kernel_resynced_fn *done, void *ctx)
{
	k->resync_kinds = kinds;
	k->resynced = done;
	k->resynced_ctx = ctx;
	want_dump(k, DUMP_REQUEST);
}

void kernel_side_injected(struct kernel_side *k, enum kernel_op op,
			  const struct flow *f)
{
	kernel_view_injected(&k->view, op, f, now_s(k));
}

/* ---- flush -------------------------------------------------------------- */

static void on_deleted(void *ctx, enum kernel_op op, uint32_t cookie, int error,
		       const struct flow *found)
{
	struct kernel_side *k = ctx;

	kernel_flush_done(&k->flush, op, cookie, error, found);
	work_later(k);
}

void kernel_side_flush(struct kernel_side *k, enum object_kind kind,
		       kernel_flushed_fn *done, void *ctx)
{
	k->flush_kind = kind;
	k->n_flushes++;
	k->flushed = done;
	k->flushed_ctx = ctx;
	kernel_flush_begin(&k->flush);
	want_dump(k, DUMP_FLUSH);
}

void kernel_side_stop_flush(struct kernel_side *k)
{
	kernel_flush_stop(&k->flush);
	k->dumps_next &= ~(1U << DUMP_FLUSH);
	if (k->dump == DUMP_FLUSH) {
		ct_kernel_dump_stop(k->ct);
		k->dump = DUMP_NONE;
		begin_next(k);
	}
	work_later(k);
}

static void go_on_with_flush(struct kernel_side *k)
{
	switch (kernel_flush_step(&k->flush)) {
	case KERNEL_FLUSH_ROWS:
		ct_kernel_dump_pause(k->ct, false);
		break;
	case KERNEL_FLUSH_ENDED:
		k->flushed(k->flushed_ctx, &k->flush.report);
		break;
	case KERNEL_FLUSH_IDLE:
	case KERNEL_FLUSH_WAITS:
		break;
	}
}

/* ---- what comes again and again ------------------------------------------ */

static void go_on_with_dump(struct kernel_side *k)
{
	int err = 0;

	if (k->dump == DUMP_NONE || k->dump == DUMP_FLUSH)
		return;
	if (k->dump == DUMP_START && k->o.is_bypassed) {
		if (!k->has_table)
			return;
		ct_kernel_dump_stop(k->ct);
	} else if (k->dump == DUMP_FETCH && kernel_view_has_room(&k->view)) {
		ct_kernel_dump_pause(k->ct, false);
	}
	if (!kernel_view_is_settled(&k->view))
		return;
	/* the flows agree with the kernel: masters are there */
	if (has_more(k))
		err = begin_rows(k, k->dump, OBJECT_EXPECT);
	else
		end_dump(k, 0);
	if (err < 0)
		end_dump(k, err);
}

bool kernel_side_work(struct kernel_side *k)
{
	kernel_view_work(&k->view, now_s(k));
	go_on_with_dump(k);
	begin_next(k); /* what was asked for where no dump may begin */
	go_on_with_flush(k);
	return kernel_view_has_work(&k->view);
}

/* Flows that were refused for lack of room are there now. */
static void look_for_refused(struct kernel_side *k)
{
	uint64_t n = flow_cache_stats(k->o.internal)->n_create_no_space;

	if (n == k->n_refused || !flow_cache_has_room(k->o.internal))
		return;
	k->n_refused = n;
	repair_later(k);
}

void kernel_side_second(struct kernel_side *k)
{
	if (!polls(k)) /* the next one finds them */
		look_for_refused(k);
	kernel_view_second(&k->view, now_s(k));
	if (kernel_view_wants_expectations(&k->view))
		want_dump(k, DUMP_DOUBT);
	if (kernel_view_has_work(&k->view))
		work_later(k);
}

struct kernel_side_stats kernel_side_stats(const struct kernel_side *k)
{
	return (struct kernel_side_stats){
		.table = ct_kernel_stats(k->ct),
		.mirror = &k->view.mirror.stats,
		.bypass = k->o.is_bypassed ? &k->view.bypass.stats : NULL,
		.expect = &k->view.expect.stats,
		.n_flushes = k->n_flushes,
		.n_resyncs = k->n_resyncs,
		.n_polls = k->n_polls,
	};
}

struct ct_kernel *kernel_side_table(struct kernel_side *k)
{
	return k->ct;
}

/* ---- start and end ------------------------------------------------------- */

/* The lines of a reference, at its place among others. */
static void log_filter(const struct kernel_side *k)
{
	const struct filter_opts *f = filter_sets(k->o.filter);
	const struct ct_kernel_stats *s = ct_kernel_stats(k->ct);

	if (f->protocol == FILTER_NONE && f->address == FILTER_NONE &&
	    f->state == FILTER_NONE)
		return;
	if (!k->o.filters_in_kernel)
		log_notice("using user-space event filtering");
	else if (!s->filter_error)
		log_notice("using kernel-space event filtering");
	else
		log_warn("using user-space event filtering: the kernel takes "
			 "no filter of %u instructions: %s",
			 s->n_filter_insns,
			 s->filter_error == -E2BIG
				 ? "too many"
				 : strerror(-s->filter_error));
}

static int open_table(struct kernel_side *k)
{
	const struct flow_sink sink = {
		.ctx = k,
		.event = on_event,
		.dumped = on_row,
		.expect_event = on_expect_event,
		.expect_dumped = on_expect_row,
		.dump_end = on_rows_end,
		.overrun = on_overrun,
	};
	struct ct_kernel_opts opts = {
		.loop = k->o.loop,
		.helpers = k->o.helpers,
		.contexts = k->o.contexts,
		.functions = k->o.functions,
		.expectations = k->o.has_expectations,
		.sink = &sink,
		.subscribes = k->o.poll_s == 0,
		.events_per_turn = k->o.events_per_turn,
		.events_reliable = k->o.events_reliable,
		.event_filter = k->o.filters_in_kernel ? k->o.filter : NULL,
		.wants_commits = !k->o.is_bypassed,
		.tcp_window_tracking = k->o.tcp_window_tracking,
	};
	const char *failed = "";
	int err;

	event_buffer_choose(&k->o.buffer, &opts.buffer_bytes,
			    &opts.buffer_max_bytes);
	err = ct_kernel_open(&opts, &k->ct, &failed);
	if (err < 0) {
		log_error("can't open netlink handler: %s: %s", failed,
			  strerror(-err));
		return err;
	}
	if (!opts.subscribes)
		return 0;
	if (k->o.events_reliable)
		log_notice("reliable ctnetlink event delivery is ENABLED.");
	log_filter(k);
	event_buffer_made(&k->buffer, opts.buffer_bytes,
			  ct_kernel_stats(k->ct));
	return 0;
}

static int open_writers(struct kernel_side *k)
{
	int err = ct_writer_open(k->ct, ORIGIN_FLUSH, on_deleted, k,
				 &k->flush_writer);

	if (err == 0)
		err = ct_asker_open(k->ct, kernel_view_answer, &k->view,
				    &k->asker);
	if (err < 0)
		log_error("can't open netlink handler: %s", strerror(-err));
	return err;
}

static int build(struct kernel_side *k)
{
	const struct kernel_view_opts o = {
		.internal = k->o.internal,
		.is_bypassed = k->o.is_bypassed,
		.is_polled = polls(k),
		.has_expectations = k->o.has_expectations,
		.filter = k->o.filter,
		.expect_filter = k->o.expect_filter,
		.injected = k->o.injected,
		.is_under_way = k->o.is_under_way,
		.events_reliable = k->o.events_reliable,
		.kernel = ct_writer_ops(k->asker),
		.touch = k->o.touch,
		.has_room = k->o.has_work,
		.ctx = k->o.ctx,
	};
	int err = kernel_view_init(&k->view, &o);

	if (err < 0)
		return err;
	k->flush.o = (struct kernel_flush_opts){
		.filter = k->o.filter,
		.expect_filter = &k->o.expect_filter,
		.mirror = kernel_view_mirror(&k->view),
		.kernel = ct_writer_ops(k->flush_writer),
	};
	overrun_init(&k->overrun, k->o.overrun_fixed_ms);
	k->overrun_timer = (struct timer){ .fn = on_overrun_timer, .ctx = k };
	k->poll_timer = (struct timer){ .fn = on_poll_timer, .ctx = k };
	return 0;
}

int kernel_side_open(const struct kernel_side_opts *opts,
		     struct kernel_side **out)
{
	struct kernel_side *k = calloc(1, sizeof(*k));
	int err;

	if (!k) {
		log_error("can't start: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	k->o = *opts;
	k->polling.period_ms = (int64_t)opts->poll_s * 1000;
	err = open_table(k);
	if (err == 0)
		err = open_writers(k);
	if (err == 0)
		err = build(k);
	if (err < 0) {
		kernel_side_close(k);
		return err;
	}
	*out = k;
	want_dump(k, DUMP_START);
	return 0;
}

void kernel_side_close(struct kernel_side *k)
{
	if (!k)
		return;
	timer_cancel(k->o.loop, &k->overrun_timer);
	timer_cancel(k->o.loop, &k->poll_timer);
	ct_writer_close(k->flush_writer);
	ct_writer_close(k->asker);
	ct_kernel_close(k->ct);
	kernel_view_fini(&k->view);
	kernel_flush_fini(&k->flush);
	free(k);
}
