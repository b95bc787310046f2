/* SPDX-License-Identifier: ISC */
/* The internal cache as the kernel's table makes it: events and dumps. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon_state.h"

/* ---- events ------------------------------------------------------------- */

void kernel_side_forget_entry(struct daemon *d, uint32_t id)
{
	node_forget(d->node, (struct ref){ OBJECT_FLOW, id });
	flow_cache_remove(d->internal, id);
}

static void on_event(void *ctx, enum flow_event type, enum flow_origin origin,
		     const struct flow *f)
{
	struct daemon *d = ctx;

	mirror_event(&d->kernel.mirror, type, origin, f, daemon_now_s(d));
	if (mirror_has_work(&d->kernel.mirror))
		daemon_work_later(d);
}

static void repair_at(struct daemon *d, int64_t due_ms)
{
	if (due_ms != TIMER_NEVER)
		timer_set(d->loop, &d->kernel.overrun_timer, due_ms);
}

/* The cache has missed something: a dump repairs it after a while. */
static void repair_later(struct daemon *d)
{
	repair_at(d, overrun_lost(&d->kernel.overrun, loop_now_ms(d->loop)));
}

static void on_overrun(void *ctx)
{
	struct daemon *d = ctx;
	struct kernel_side *k = &d->kernel;
	const struct ct_kernel_stats *s = ct_kernel_stats(k->ct);

	/* One line until the repair, however many overruns there are. */
	if (s->buffer_bytes > k->buffer_bytes)
		log_notice("netlink event socket buffer size has been doubled "
			   "to %u bytes",
			   s->buffer_bytes);
	else if (s->is_buffer_at_max && !k->has_warned)
		log_warn("netlink event socket buffer size cannot be doubled "
			 "further since it will exceed "
			 "NetlinkBufferSizeMaxGrowth. We are likely to be "
			 "losing events, this may lead to unsynchronized "
			 "replicas. Please, consider increasing "
			 "NetlinkBufferSize and NetlinkBufferSizeMaxGrowth");
	k->buffer_bytes = s->buffer_bytes;
	k->has_warned = s->is_buffer_at_max;
	repair_later(d);
}

static void on_overrun_timer(void *ctx, int64_t now_ms)
{
	struct daemon *d = ctx;

	(void)now_ms;
	kernel_side_dump(d, DUMP_OVERRUN);
}

/* ---- dumps -------------------------------------------------------------- */

static void on_dumped(void *ctx, const struct flow *f, bool is_sure)
{
	struct daemon *d = ctx;

	if (d->kernel.dump != DUMP_FLUSH)
		mirror_row(&d->kernel.mirror, f, is_sure, daemon_now_s(d));
	else if (filter_accepts(d->filter, f))
		flush_side_row(d, flow_cache_find(d->internal, f), f);
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

static void repair_ended(struct daemon *d, bool is_good)
{
	repair_at(d, overrun_ended(&d->kernel.overrun, is_good,
				   loop_now_ms(d->loop)));
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
		repair_ended(d, error == 0);
		break;
	case DUMP_NONE:
		break;
	}
}

static void dump_failed(struct daemon *d, enum dump_use use, int err)
{
	log_error("can't get kernel conntrack table: %s", strerror(-err));
	tell_dump_end(d, use, err);
}

/* The cache agrees with the kernel: the dump has done what it was for. */
static void end_dump(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;
	enum dump_use use = k->dump;

	k->dump = DUMP_NONE;
	if (use == DUMP_OVERRUN)
		k->has_warned = false;
	tell_dump_end(d, use, 0);
	start_next_dump(d);
}

static void on_dump_end(void *ctx, enum ct_dump_end end)
{
	struct daemon *d = ctx;
	struct kernel_side *k = &d->kernel;

	if (k->dump != DUMP_FLUSH)
		mirror_dump_ends(&k->mirror, end == CT_DUMP_COMPLETE);
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
	if (use == DUMP_OVERRUN) {
		/* it may have been set while another dump was waited for */
		timer_cancel(d->loop, &k->overrun_timer);
		overrun_begins(&k->overrun);
	}
	err = ct_kernel_dump(k->ct);
	if (err < 0) {
		dump_failed(d, use, err);
		return;
	}
	if (use != DUMP_FLUSH)
		mirror_dump_begins(&k->mirror, use == DUMP_OVERRUN
						       ? TOUCH_SEND
						       : TOUCH_QUIET);
	k->dump = use;
	k->n_resyncs += use == DUMP_REQUEST || use == DUMP_OVERRUN;
}

void kernel_side_stop_flush(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;

	k->dumps_next &= ~(1U << DUMP_FLUSH);
	if (k->dump != DUMP_FLUSH)
		return;
	ct_kernel_dump_stop(k->ct);
	k->dump = DUMP_NONE;
	start_next_dump(d);
}

bool kernel_side_work(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;

	if (mirror_has_work(&k->mirror))
		mirror_work(&k->mirror, daemon_now_s(d));
	if (k->dump != DUMP_NONE && k->dump != DUMP_FLUSH &&
	    mirror_is_settled(&k->mirror))
		end_dump(d);
	return mirror_has_work(&k->mirror);
}

/* Flows that were refused for lack of room are there now. */
static void look_for_refused(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;
	uint64_t n = flow_cache_stats(d->internal)->n_create_no_space;

	if (n == k->n_refused || !flow_cache_has_room(d->internal))
		return;
	k->n_refused = n;
	repair_later(d);
}

void kernel_side_second(struct daemon *d)
{
	look_for_refused(d);
	mirror_second(&d->kernel.mirror, daemon_now_s(d));
	if (mirror_has_work(&d->kernel.mirror))
		daemon_work_later(d);
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
		err = ct_asker_open(k->ct, mirror_answer, &k->mirror,
				    &k->asker);
	if (err < 0)
		log_error("can't open netlink handler: %s", strerror(-err));
	return err;
}

static void on_touch(void *ctx, uint32_t id, enum touch how)
{
	struct daemon *d = ctx;

	node_touch(d->node, (struct ref){ OBJECT_FLOW, id }, how);
}

static void build_mirror(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;
	const struct mirror_opts o = {
		.cache = d->internal,
		.filter = d->filter,
		.kernel = ct_writer_ops(k->asker),
		.touch = on_touch,
		.ctx = d,
	};

	mirror_init(&k->mirror, &o);
}

/* NetlinkOverrunResync as struct overrun has it. */
static int64_t resync_after_ms(const struct daemon *d)
{
	uint32_t after_s = d->conf->general.overrun_resync_s;

	if (after_s == CONF_UNSET)
		return 0;
	return after_s ? (int64_t)after_s * 1000 : -1;
}

/* A share of this machine's memory, in bytes. */
static uint32_t share_of_memory(unsigned int divisor, uint32_t most)
{
	int64_t pages = sysconf(_SC_PHYS_PAGES);
	int64_t bytes = pages * sysconf(_SC_PAGESIZE) / divisor;

	return bytes > most ? most : bytes < 0 ? 0 : (uint32_t)bytes;
}

/* The event buffer to begin with, and how large it may grow; 0: the system's,
 * and not at all. An event takes some 1,100 bytes of it. What the file does not
 * say: 64 MiB hold one second of 60,000 new flows, in which the daemon may get
 * no processor, or 1,000 on the smallest router; 1 GiB a million. Memory is
 * used only for what waits. As in the reference a size above its limit is none;
 * without a limit it is taken, and stays. */
static void choose_buffer(const struct conf_general *g, uint32_t *bytes,
			  uint32_t *max_bytes)
{
	uint32_t size = g->netlink_buffer_bytes;
	uint32_t max = g->netlink_buffer_max_bytes;

	if (size == CONF_UNSET && max == CONF_UNSET) {
		size = share_of_memory(64, 64U << 20);
		max = share_of_memory(16, 1U << 30);
	} else if (size == CONF_UNSET) {
		size = share_of_memory(64, 64U << 20);
		if (size > max)
			size = max;
	} else if (max == CONF_UNSET) {
		max = 0;
	} else if (max && size > max) {
		size = 0;
	}
	*bytes = size;
	*max_bytes = max;
}

static void log_buffer(const struct daemon *d, uint32_t wanted)
{
	const struct conf_general *g = &d->conf->general;

	if (g->events_reliable)
		log_notice("reliable ctnetlink event delivery is ENABLED.");
	if (!wanted)
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
	struct ct_kernel_opts opts = {
		.loop = d->loop,
		.helpers = d->helpers,
		.contexts = d->contexts,
		.sink = &sink,
		.events_per_turn = g->event_iteration_limit,
		.events_reliable = g->events_reliable,
		.tcp_window_tracking = d->conf->sync.tcp_window_tracking,
	};
	const char *failed = "";
	int err;

	choose_buffer(g, &opts.buffer_bytes, &opts.buffer_max_bytes);
	err = ct_kernel_open(&opts, &k->ct, &failed);
	if (err < 0) {
		log_error("can't open netlink handler: %s: %s", failed,
			  strerror(-err));
		return err;
	}
	err = open_writers(d);
	if (err < 0)
		return err;
	build_mirror(d);
	log_buffer(d, opts.buffer_bytes);
	k->buffer_bytes = ct_kernel_stats(k->ct)->buffer_bytes;
	overrun_init(&k->overrun, resync_after_ms(d));
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
	ct_writer_close(k->asker);
	ct_kernel_close(k->ct);
}
