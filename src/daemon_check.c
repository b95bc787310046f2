/* SPDX-License-Identifier: ISC */
/* Questions to the kernel about entries of the internal cache: whether they are
 * still there, and what no event tells. */
#include <errno.h>

#include "daemon_state.h"

enum {
	CHECK_TICK_MS = 100,
	CHECKS_PER_TICK = 100, /* 1,000 a second at most */
	CHECK_VISITS = 2000,   /* entries looked at in a tick */
	CHECK_SLACK_S = 3,     /* after a timeout has passed */
};

int check_side_ask(struct daemon *d, uint32_t id)
{
	return kernel_side_submit(d, d->kernel.check_writer, KERNEL_GET, id);
}

/* The master of a related flow, as far as it is cached. */
static uint32_t find_master(struct daemon *d, const struct flow *f)
{
	struct flow m = flow_master(f);

	return flow_cache_find(d->internal, &m);
}

/* The kernel tells in no event by how much a NAT helper shifts the sequence
 * numbers of a connection (spec 11, 15). It is asked when the status says that
 * there is a shift, and when a related flow begins: its announcement has
 * shifted those of its master. The walk asks for the others. */
void check_side_ask_for_shifts(struct daemon *d, enum flow_event type,
			       uint32_t id, const struct flow *f)
{
	const struct kernel_ops *ops = ct_writer_ops(d->kernel.check_writer);

	if (type == FLOW_EVENT_NEW && f->has & FLOW_MASTER &&
	    f->master.l4proto == L4_TCP)
		id = find_master(d, f);
	else if (!(f->has & FLOW_STATUS) || !(f->status & STATUS_SEQ_ADJUST) ||
		 f->has & FLOW_SEQADJ_ORIG)
		return;
	if (id == FLOW_CACHE_NO_ID)
		return;
	/* A full writer asks enough: the walk meets this one later. */
	if (check_side_ask(d, id) == 0)
		ops->finish(ops->self);
}

/* What a row of a dump has that an event had not, and the other way round, is
 * no difference worth sending: the time that is left, a mark of 0, what the
 * wire does not carry. Of the next life all is new. */
void check_side_liken(struct flow *row, const struct flow *cached)
{
	const uint64_t local = FLOW_TIMESTAMP_START | FLOW_TIMESTAMP_STOP |
			       FLOW_ID | FLOW_SECMARK | FLOW_SECCTX |
			       FLOW_TCP_FLAGS_ORIG | FLOW_TCP_FLAGS_REPLY |
			       FLOW_TCP_WSCALE_ORIG | FLOW_TCP_WSCALE_REPLY;

	if (!flow_same_reply(row, cached))
		return;
	row->has &= ~(local & ~cached->has);
	if (cached->has & FLOW_TIMEOUT)
		row->timeout_s = cached->timeout_s;
	if (!row->mark && !(cached->has & FLOW_MARK))
		row->has &= ~FLOW_MARK;
}

/* ---- the walk that never stops ------------------------------------------ */

/* A question by a tuple finds what has it in either direction. */
static bool is_other_way_round(const struct flow *cached,
			       const struct flow *found)
{
	struct flow f = *found;

	f.orig = flow_reply(found);
	return flow_same_key(cached, &f);
}

/* The kernel's answer on an entry that might be gone. */
static void on_checked(void *ctx, enum kernel_op op, uint32_t id, int error,
		       const struct flow *found)
{
	struct daemon *d = ctx;
	struct entry_head *h = flow_cache_head(d->internal, id);
	struct flow row, cached;
	enum put_result put;
	uint32_t same_id;

	(void)op;
	daemon_work_later(d);
	if (!h || h->state == ENTRY_FREE || h->state == ENTRY_DEAD)
		return;
	if (error == -ENOENT) {
		kernel_side_end_entry(d, id);
		return;
	}
	if (error < 0 || !found)
		return; /* the next round asks again */
	flow_cache_get(d->internal, id, &cached);
	if (!flow_same_key(&cached, found)) {
		if (is_other_way_round(&cached, found))
			kernel_side_end_entry(d, id);
		return;
	}
	row = *found;
	check_side_liken(&row, &cached);
	put = flow_cache_put(d->internal, &row, PUT_TOLD, daemon_now_s(d),
			     &same_id);
	if (put == PUT_NEW || put == PUT_CHANGED)
		kernel_side_touch(d, id, TOUCH_SEND);
	/* The time that is left is for ourselves only. */
	(void)flow_cache_put(d->internal, found, PUT_MERGE, daemon_now_s(d),
			     &same_id);
}

/* A helper may shift the numbers of this one at any time. */
static bool may_shift(const struct flow *f)
{
	return f->l4proto == L4_TCP &&
	       ((f->has & FLOW_HELPER && flow_nat(f)) ||
		(f->has & FLOW_STATUS && f->status & STATUS_SEQ_ADJUST));
}

static bool wants_check(struct daemon *d, uint32_t id,
			const struct entry_head *h)
{
	struct flow f;

	if (h->state == ENTRY_FREE || h->state == ENTRY_DEAD)
		return false;
	if ((h->flags & (ENTRY_FROM_DUMP | ENTRY_FLUSHED)) == ENTRY_FROM_DUMP)
		return true;
	flow_cache_get(d->internal, id, &f);
	if (d->kernel.asks_for_shifts && may_shift(&f))
		return true;
	return (f.has & FLOW_TIMEOUT) &&
	       (int64_t)daemon_now_s(d) - h->changed_s >
		       (int64_t)f.timeout_s + CHECK_SLACK_S;
}

static void on_tick(void *ctx, int64_t now_ms)
{
	struct daemon *d = ctx;
	struct kernel_side *k = &d->kernel;
	const struct kernel_ops *ops = ct_writer_ops(k->check_writer);
	int n_asked = 0;

	timer_set(d->loop, &k->check_timer, now_ms + CHECK_TICK_MS);
	for (int i = 0; i < CHECK_VISITS && n_asked < CHECKS_PER_TICK; i++) {
		uint32_t id = flow_cache_next(d->internal, k->check_position);

		if (id == FLOW_CACHE_NO_ID) {
			k->check_position = id;
			k->asks_for_shifts = k->shifts_s != daemon_now_s(d);
			k->shifts_s = daemon_now_s(d);
			break;
		}
		if (wants_check(d, id, flow_cache_head(d->internal, id))) {
			if (check_side_ask(d, id) == -EAGAIN)
				break;
			n_asked++;
		}
		k->check_position = id;
	}
	ops->finish(ops->self);
}

/* ---- life --------------------------------------------------------------- */

int check_side_open(struct daemon *d)
{
	struct kernel_side *k = &d->kernel;
	int err = ct_writer_open(k->ct, ORIGIN_OTHER, on_checked, d,
				 &k->check_writer);

	if (err < 0)
		return err;
	k->check_timer = (struct timer){ .fn = on_tick, .ctx = d };
	timer_set(d->loop, &k->check_timer,
		  loop_now_ms(d->loop) + CHECK_TICK_MS);
	return 0;
}

void check_side_close(struct daemon *d)
{
	timer_cancel(d->loop, &d->kernel.check_timer);
	ct_writer_close(d->kernel.check_writer);
}
