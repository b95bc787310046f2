/* SPDX-License-Identifier: ISC */
/* The internal cache as the kernel's table makes it: events and dumps. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "daemon_state.h"

enum { WALK_STEP = 1024 }; /* entries in one piece of a walk */

/* ---- events ------------------------------------------------------------- */

int kernel_side_submit(struct daemon *d, struct ct_writer *writer,
		       enum kernel_op op, uint32_t id)
{
	const struct kernel_ops *ops = ct_writer_ops(writer);
	struct object o = { .kind = OBJECT_FLOW };
	struct flow f;

	flow_cache_get(d->internal, id, &f);
	o.flow = &f;
	return ops->submit(ops->self, op, &o, id);
}

void kernel_side_touch(struct daemon *d, uint32_t id, enum touch how)
{
	d->engine->ops->touch(d->engine, (struct ref){ OBJECT_FLOW, id }, how);
}

void kernel_side_end_entry(struct daemon *d, uint32_t id)
{
	flow_cache_kill(d->internal, id);
	kernel_side_touch(d, id, TOUCH_SEND);
}

void kernel_side_forget_entry(struct daemon *d, uint32_t id)
{
	d->engine->ops->forget(d->engine, (struct ref){ OBJECT_FLOW, id });
	flow_cache_remove(d->internal, id);
}

static void count_traffic(struct daemon *d, const struct flow *f)
{
	if (f->has & FLOW_COUNTERS_ORIG) {
		d->kernel.traffic_bytes += f->counters_orig.bytes;
		d->kernel.traffic_packets += f->counters_orig.packets;
	}
	if (f->has & FLOW_COUNTERS_REPLY) {
		d->kernel.traffic_bytes += f->counters_reply.bytes;
		d->kernel.traffic_packets += f->counters_reply.packets;
	}
}

static void on_destroy(struct daemon *d, enum flow_origin origin,
		       const struct flow *f)
{
	uint32_t id = flow_cache_find(d->internal, f);

	if (id == FLOW_CACHE_NO_ID)
		return;
	switch (origin) {
	case ORIGIN_OTHER:
		count_traffic(d, f);
		kernel_side_end_entry(d, id);
		break;
	case ORIGIN_FLUSH: /* the kernel is emptied, the caches are not */
		flow_cache_head(d->internal, id)->flags |= ENTRY_FLUSHED;
		break;
	case ORIGIN_COMMIT: /* the new one follows; if not, a check will tell */
		flow_cache_head(d->internal, id)->flags |= ENTRY_FROM_DUMP;
		break;
	case ORIGIN_INJECT:
	case ORIGIN_N:
		break;
	}
}

static void on_present(struct daemon *d, enum flow_event type,
		       enum flow_origin origin, const struct flow *f)
{
	enum put_mode mode = type == FLOW_EVENT_NEW ? PUT_REPLACE : PUT_TOLD;
	struct entry_head *h;
	uint32_t id;

	switch (flow_cache_put(d->internal, f, mode, daemon_now_s(d), &id)) {
	case PUT_NEW:
	case PUT_CHANGED:
		kernel_side_touch(d, id,
				  origin == ORIGIN_OTHER ? TOUCH_SEND
							 : TOUCH_QUIET);
		break;
	case PUT_SAME:
		break;
	case PUT_NO_SPACE: /* both are counted by the cache */
	case PUT_NO_MEMORY:
		return;
	}
	h = flow_cache_head(d->internal, id);
	h->flags &= (uint8_t) ~(ENTRY_FROM_DUMP | ENTRY_FLUSHED);
	if (origin == ORIGIN_OTHER)
		check_side_ask_for_shifts(d, type, id, f);
}

static void on_event(void *ctx, enum flow_event type, enum flow_origin origin,
		     const struct flow *f)
{
	struct daemon *d = ctx;
	bool is_end = type == FLOW_EVENT_DESTROY;

	if (is_end ? !filter_accepts_end(d->filter, f)
		   : !filter_accepts(d->filter, f)) {
		d->kernel.n_filtered++;
		return;
	}
	if (origin == ORIGIN_INJECT)
		return;
	if (is_end)
		on_destroy(d, origin, f);
	else
		on_present(d, type, origin, f);
}

/* A dump repairs the cache after a while. */
static void repair_later(struct daemon *d)
{
	uint32_t after_s = d->conf->general.overrun_resync_s;

	if (after_s && !timer_is_set(&d->kernel.overrun_timer))
		timer_set(d->loop, &d->kernel.overrun_timer,
			  loop_now_ms(d->loop) + (int64_t)after_s * 1000);
}

static void on_overrun(void *ctx)
{
	struct daemon *d = ctx;
	const struct ct_kernel_stats *s = ct_kernel_stats(d->kernel.ct);

	/* One line until the repair, however many overruns there are. */
	if (s->is_buffer_at_max && d->kernel.has_warned)
		;
	else if (s->is_buffer_at_max)
		log_warn("netlink event socket buffer size cannot be doubled "
			 "further since it will exceed "
			 "NetlinkBufferSizeMaxGrowth. We are likely to be "
			 "losing events, this may lead to unsynchronized "
			 "replicas. Please, consider increasing "
			 "NetlinkBufferSize and NetlinkBufferSizeMaxGrowth");
	else
		log_notice("netlink event socket buffer size has been doubled "
			   "to %u bytes",
			   s->buffer_bytes);
	d->kernel.has_warned = s->is_buffer_at_max;
	repair_later(d);
}

static void on_overrun_timer(void *ctx, int64_t now_ms)
{
	struct daemon *d = ctx;

	(void)now_ms;
	kernel_side_dump(d, DUMP_OVERRUN);
}

/* ---- dumps -------------------------------------------------------------- */

static void on_dumped(void *ctx, const struct flow *f)
{
	struct daemon *d = ctx;
	uint32_t id = flow_cache_find(d->internal, f);
	struct flow row = *f, cached;
	struct entry_head *h;
	bool was_there = id != FLOW_CACHE_NO_ID;

	if (!filter_accepts(d->filter, f))
		return;
	if (d->kernel.dump == DUMP_FLUSH) {
		flush_side_row(d, id, f);
		return;
	}
	if (was_there) {
		flow_cache_get(d->internal, id, &cached);
		check_side_liken(&row, &cached);
	}
	switch (flow_cache_put(d->internal, &row, PUT_TOLD, daemon_now_s(d),
			       &id)) {
	case PUT_NEW:
	case PUT_CHANGED:
		kernel_side_touch(d, id,
				  d->kernel.dump == DUMP_OVERRUN ? TOUCH_SEND
								 : TOUCH_QUIET);
		break;
	case PUT_SAME:
		break;
	case PUT_NO_SPACE:
	case PUT_NO_MEMORY:
		return;
	}
	h = flow_cache_head(d->internal, id);
	h->flags |= ENTRY_SEEN;
	/* A flow that began while nobody listened may never report its end
	 * (nf_conntrack_events=2). */
	if (!was_there)
		h->flags |= ENTRY_FROM_DUMP;
}

/* Those that were asked for meanwhile: each has its own effect, and somebody
 * who waits for it. */
static void start_next_dump(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;

	for (int use = DUMP_START; use <= DUMP_FLUSH; use++)
		if (k->dump == DUMP_NONE && k->dumps_next >> use & 1) {
			k->dumps_next &= ~(1U << use);
			kernel_side_dump(d, (enum dump_use)use);
		}
}

static void tell_dump_end(struct daemon *d, enum dump_use use, int error)
{
	switch (use) {
	case DUMP_START:
		daemon_started(d, error);
		break;
	case DUMP_REQUEST:
		job_side_dump_ended(d, error);
		break;
	case DUMP_FLUSH:
		flush_side_dump_ended(d, error);
		break;
	case DUMP_OVERRUN:
	case DUMP_NONE:
		break;
	}
}

static void dump_failed(struct daemon *d, enum dump_use use, int err)
{
	log_error("can't get kernel conntrack table: %s", strerror(-err));
	if (use == DUMP_OVERRUN)
		repair_later(d);
	tell_dump_end(d, use, err);
}

static void end_sweep(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;
	const struct kernel_ops *ops = ct_writer_ops(k->check_writer);
	enum dump_use use = k->dump;

	ops->finish(ops->self);
	k->is_sweeping = false;
	k->dump = DUMP_NONE;
	if (use == DUMP_OVERRUN)
		k->has_warned = false;
	tell_dump_end(d, use, 0);
	start_next_dump(d);
}

/* Entries that the dump should have met and did not are gone, once a look at
 * the kernel confirms it. True: there is more to do at once. */
static bool sweep(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;

	for (int i = 0; i < WALK_STEP; i++) {
		uint32_t id = flow_cache_next(d->internal, k->sweep_position);
		struct entry_head *h;
		int err = 0;

		if (id == FLOW_CACHE_NO_ID) {
			end_sweep(d);
			return true;
		}
		h = flow_cache_head(d->internal, id);
		if (h->state != ENTRY_FREE && h->state != ENTRY_DEAD &&
		    !(h->flags & ENTRY_SEEN))
			err = check_side_ask(d, id);
		if (err == -EAGAIN)
			return false; /* goes on when answers have come */
		h->flags &= (uint8_t)~ENTRY_SEEN;
		k->sweep_position = id;
	}
	return true;
}

static void on_dump_end(void *ctx, enum ct_dump_end end)
{
	struct daemon *d = ctx;
	struct kernel_side *k = &d->kernel;

	if (end == CT_DUMP_FAILED || k->dump == DUMP_FLUSH) {
		enum dump_use use = k->dump;

		k->dump = DUMP_NONE;
		if (end == CT_DUMP_FAILED)
			dump_failed(d, use, -EIO);
		else
			tell_dump_end(d, use, 0);
		start_next_dump(d);
		return;
	}
	k->is_sweeping = true;
	k->sweep_position = FLOW_CACHE_NO_ID;
	daemon_work_later(d);
}

void kernel_side_dump(struct daemon *d, enum dump_use use)
{
	struct kernel_side *k = &d->kernel;
	int err;

	if (k->dump != DUMP_NONE) {
		k->dumps_next |= 1U << use;
		return;
	}
	err = ct_kernel_dump(k->ct);
	if (err < 0) {
		dump_failed(d, use, err);
		return;
	}
	k->dump = use;
	k->n_resyncs += use == DUMP_REQUEST || use == DUMP_OVERRUN;
}

void kernel_side_stop_dump(struct daemon *d, enum dump_use use)
{
	struct kernel_side *k = &d->kernel;

	k->dumps_next &= ~(1U << use);
	if (k->dump != use || k->is_sweeping)
		return;
	ct_kernel_dump_stop(k->ct);
	k->dump = DUMP_NONE;
	start_next_dump(d);
}

bool kernel_side_work(struct daemon *d)
{
	bool more = false;

	if (d->kernel.is_sweeping)
		more |= sweep(d);
	return more;
}

/* ---- life --------------------------------------------------------------- */

static void on_commit_done(void *ctx, enum kernel_op op, uint32_t cookie,
			   int error, const struct flow *found)
{
	struct daemon *d = ctx;

	commit_done(d->commit, op, cookie, error, found);
	daemon_work_later(d);
}

static int open_writers(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;
	int err;

	err = ct_writer_open(k->ct, ORIGIN_COMMIT, on_commit_done, d,
			     &k->commit_writer);
	if (err == 0)
		err = flush_side_open(d);
	if (err == 0)
		err = check_side_open(d);
	if (err < 0)
		log_error("can't open netlink handler: %s", strerror(-err));
	return err;
}

/* As in the reference a size above its limit is none. Without a limit it is
 * taken, and stays. */
static uint32_t wanted_buffer(const struct conf_general *g)
{
	uint32_t max = g->netlink_buffer_max_bytes;

	return max && g->netlink_buffer_bytes > max ? 0
						    : g->netlink_buffer_bytes;
}

static void log_buffer(const struct daemon *d)
{
	const struct conf_general *g = &d->conf->general;

	if (g->events_reliable)
		log_notice("reliable ctnetlink event delivery is ENABLED.");
	if (g->netlink_buffer_bytes && !wanted_buffer(g))
		log_notice("NetlinkBufferSize is either not set or is greater "
			   "than NetlinkBufferSizeMaxGrowth. Using current "
			   "system buffer size");
	log_notice("netlink event socket buffer size has been set to %u bytes",
		   ct_kernel_stats(d->kernel.ct)->buffer_bytes);
}

int kernel_side_open(struct daemon *d)
{
	const struct conf_general *g = &d->conf->general;
	struct kernel_side *k = &d->kernel;
	const struct flow_sink sink = {
		.ctx = d,
		.event = on_event,
		.dumped = on_dumped,
		.dump_end = on_dump_end,
		.overrun = on_overrun,
	};
	const struct ct_kernel_opts opts = {
		.loop = d->loop,
		.helpers = d->helpers,
		.contexts = d->contexts,
		.sink = &sink,
		.buffer_bytes = wanted_buffer(g),
		.buffer_max_bytes = g->netlink_buffer_max_bytes,
		.events_per_turn = g->event_iteration_limit,
		.events_reliable = g->events_reliable,
		.tcp_window_tracking = d->conf->sync.tcp_window_tracking,
	};
	const char *failed = "";
	int err = ct_kernel_open(&opts, &k->ct, &failed);

	if (err < 0) {
		log_error("can't open netlink handler: %s: %s", failed,
			  strerror(-err));
		return err;
	}
	err = open_writers(d);
	if (err < 0)
		return err;
	log_buffer(d);
	k->overrun_timer = (struct timer){ .fn = on_overrun_timer, .ctx = d };
	kernel_side_dump(d, DUMP_START);
	return 0;
}

void kernel_side_close(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;

	timer_cancel(d->loop, &k->overrun_timer);
	ct_writer_close(k->commit_writer);
	flush_side_close(d);
	check_side_close(d);
	ct_kernel_close(k->ct);
}
