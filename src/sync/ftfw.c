/* SPDX-License-Identifier: ISC */
#include "sync/ftfw.h"

#include <assert.h>
#include <stdlib.h>

#include "sync/ftfw_state.h"
#include "sync/seq.h"

static struct ftfw *ftfw_of(struct engine *e)
{
	return CONTAINER_OF(e, struct ftfw, base);
}

/* ---- what the outbox tells the bulk, and the bulk the outbox ------------- */

static void on_lost(void *ctx, uint32_t n, struct entry_head *h)
{
	struct ftfw *f = ctx;

	bulk_lost(&f->bulk, n, h);
}

static void on_removed(void *ctx, struct entry_head *h)
{
	struct ftfw *f = ctx;

	bulk_forget(&f->bulk, h);
}

static struct bulk_mark mark_of(const struct ctl *c)
{
	return (struct bulk_mark){ .phase = (enum ext_phase)c->phase,
				   .walk = c->from,
				   .n_entries = c->to };
}

static void on_mark_acked(void *ctx, const struct peer *p, const struct ctl *c)
{
	struct ftfw *f = ctx;
	const struct bulk_mark mark = mark_of(c);

	if (c->peer == p->number && c->node == p->node)
		bulk_mark_acked(&f->bulk, p, &mark);
}

static bool mark_counts(void *ctx, const struct ctl *c)
{
	const struct ftfw *f = ctx;
	const struct bulk_mark mark = mark_of(c);

	return bulk_mark_counts(&f->bulk, &mark);
}

static bool on_mark(void *ctx, const struct peer *p,
		    const struct bulk_mark *mark)
{
	struct ftfw *f = ctx;

	return outbox_control(&f->outbox,
			      &(struct ctl){ .kind = CTL_MARK,
					     .peer = p->number,
					     .phase = (uint8_t)mark->phase,
					     .from = mark->walk,
					     .to = mark->n_entries,
					     .node = p->node });
}

static void on_event(void *ctx, enum engine_event what, const struct peer *p,
		     int64_t now_ms)
{
	ftfw_event(ctx, what, p, now_ms);
}

/* ---- the engine's ------------------------------------------------------- */

static void ftfw_touch(struct engine *e, struct ref entry, enum touch how)
{
	outbox_touch(&ftfw_of(e)->outbox, entry.id, how);
}

static void ftfw_ask(struct engine *e, enum ask what)
{
	struct ftfw *f = ftfw_of(e);

	switch (what) {
	case ASK_BULK:
		bulk_want_all(&f->bulk);
		break;
	case ASK_RESYNC:
		intake_ask(&f->intake, &f->roster);
		break;
	}
}

static void ftfw_link_changed(struct engine *e)
{
	ftfw_of(e)->must_announce = true;
}

static void ftfw_stats(struct engine *e, struct engine_stats *out)
{
	const struct ftfw *f = ftfw_of(e);
	const struct roster *r = &f->roster;

	*out = (struct engine_stats){
		.n_lost = f->n_lost,
		.n_before = f->n_before,
		.n_foreign = f->n_foreign,
		.n_refused = r->n_refused,
		.n_dirty = f->outbox.dirty.n,
		.n_outstanding = ring_used(&f->outbox.ring),
		.n_no_memory = f->outbox.n_no_memory,
	};
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		out->n_peers_live += r->peers[i].is_live;
}

static void ftfw_peer_stats(struct engine *e, uint8_t number,
			    struct engine_peer_stats *out)
{
	const struct outbox_peer *p = &ftfw_of(e)->outbox.peers[number];

	*out = (struct engine_peer_stats){ p->n_debts, p->rtt_ms };
}

static bool ftfw_held(struct engine *e, struct engine_walk *walk,
		      struct engine_held *out)
{
	static const uint8_t flags[] = {
		[CTL_NACK] = MSG_NACK,
		[CTL_RESYNC] = MSG_RESYNC,
		[CTL_MARK] = MSG_ALIVE,
	};
	const struct outbox *b = &ftfw_of(e)->outbox;

	if (!walk->is_started || seq_before(walk->next, b->ring.first))
		walk->next = b->ring.first;
	walk->is_started = true;
	while (seq_before(walk->next, b->ring.next)) {
		uint32_t n = walk->next++;
		struct ring_ref ref = ring_at(&b->ring, n);

		if (ref.kind == RING_NONE)
			continue;
		*out = (struct engine_held){ .seq = n };
		if (ref.kind == RING_CTL) {
			out->is_control = true;
			out->flags = flags[ctl_at(&b->pool, ref.id)->kind];
		}
		return true;
	}
	return false;
}

static const struct roster *ftfw_peers(struct engine *e)
{
	return &ftfw_of(e)->roster;
}

static void ftfw_free(struct engine *e)
{
	struct ftfw *f = ftfw_of(e);

	outbox_fini(&f->outbox);
	free(f);
}

static const struct engine_ops ftfw_ops = {
	.touch = ftfw_touch,
	.ask = ftfw_ask,
	.link_changed = ftfw_link_changed,
	.receive = ftfw_receive,
	.fill = ftfw_fill,
	.due_ms = ftfw_due_ms,
	.stats = ftfw_stats,
	.peer_stats = ftfw_peer_stats,
	.held = ftfw_held,
	.peers = ftfw_peers,
	.free = ftfw_free,
};

static int init_outbox(struct ftfw *f, int64_t now_ms)
{
	const struct outbox_opts o = {
		.cache = f->o.cache,
		.roster = &f->roster,
		.sink = { f, on_lost, on_removed, on_mark_acked, mark_counts },
		.size = f->o.resend_queue_size,
		.first_seq = f->o.first_seq,
	};

	return outbox_init(&f->outbox, &o, now_ms);
}

static void init_bulk(struct ftfw *f)
{
	const struct bulk_opts o = {
		.cache = f->o.cache,
		.roster = &f->roster,
		.ring = &f->outbox.ring,
		.sink = { f, on_mark, on_event },
	};

	bulk_init(&f->bulk, &o);
}

struct engine *ftfw_new(const struct ftfw_opts *opts, int64_t now_ms)
{
	struct ftfw *f = calloc(1, sizeof(*f));

	assert(opts->node != 0);
	if (!f)
		return NULL;
	f->base.ops = &ftfw_ops;
	f->o = *opts;
	if (init_outbox(f, now_ms) < 0) {
		free(f);
		return NULL;
	}
	init_bulk(f);
	hello_init(&f->hello, opts->first_seq);
	f->called_ms = now_ms;
	f->started_ms = now_ms;
	f->must_announce = true; /* a node's first message tells who it is */
	for (int i = 0; i < ENGINE_EVENT_N; i++)
		f->told_since_ms[i] = now_ms;
	return &f->base;
}
