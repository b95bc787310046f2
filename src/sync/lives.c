/* SPDX-License-Identifier: ISC */
#include "sync/lives.h"

enum {
	EVENTS_MS = 60000,
	EVENTS_MOST = 100, /* of a kind that are told in EVENTS_MS */
};

/* Whoever floods us does not fill the log. */
static bool is_worth_telling(struct lives *l, enum engine_event what,
			     int64_t now_ms)
{
	uint32_t most = what == ENGINE_PEER_REFUSED ? 1 : EVENTS_MOST;

	if (now_ms - l->told_since_ms[what] >= EVENTS_MS) {
		l->told_since_ms[what] = now_ms;
		l->n_told[what] = 0;
	}
	return l->n_told[what]++ < most;
}

void lives_event(struct lives *l, enum engine_event what, const struct peer *p,
		 int64_t now_ms)
{
	if (l->o.sink.event && is_worth_telling(l, what, now_ms))
		l->o.sink.event(l->o.sink.ctx, what, p);
}

/* ---- what the outbox tells the bulk, and the bulk the outbox ------------- */

static void on_lost(void *ctx, uint32_t n, struct entry_head *h)
{
	struct lives *l = ctx;

	bulk_lost(&l->bulk, n, h);
}

static void on_removed(void *ctx, struct entry_head *h)
{
	struct lives *l = ctx;

	bulk_forget(&l->bulk, h);
}

static struct bulk_mark mark_of(const struct ctl *c)
{
	return (struct bulk_mark){ .phase = (enum ext_phase)c->phase,
				   .walk = c->from,
				   .n_entries = c->to };
}

void lives_mark_acked(struct lives *l, const struct peer *p,
		      const struct ctl *c)
{
	const struct bulk_mark mark = mark_of(c);

	if (c->peer == p->number && c->node == p->node)
		bulk_mark_acked(&l->bulk, p, &mark);
}

static void on_mark_acked(void *ctx, const struct peer *p, const struct ctl *c)
{
	lives_mark_acked(ctx, p, c);
}

static bool mark_counts(void *ctx, const struct ctl *c)
{
	const struct lives *l = ctx;
	const struct bulk_mark mark = mark_of(c);

	return bulk_mark_counts(&l->bulk, &mark);
}

static bool on_mark(void *ctx, const struct peer *p,
		    const struct bulk_mark *mark)
{
	struct lives *l = ctx;

	return outbox_control(&l->outbox,
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
	const struct lives *l = ctx;

	/* Without acknowledgements nothing is proven. */
	if (what != ENGINE_BULK_PROVEN || l->o.mode == EXT_CAP_ADDRESSED_ACK)
		lives_event(ctx, what, p, now_ms);
}

static void on_fetch(void *ctx)
{
	const struct lives *l = ctx;

	l->o.sink.fetch(l->o.sink.ctx);
}

/* ---- the parts ---------------------------------------------------------- */

static int init_outbox(struct lives *l, int64_t now_ms)
{
	const struct outbox_opts o = {
		.cache = l->o.cache,
		.roster = &l->roster,
		.sink = { l, on_lost, on_removed, on_mark_acked, mark_counts },
		.size = l->o.queue_size,
		.first_seq = l->o.first_seq,
	};

	return outbox_init(&l->outbox, &o, now_ms);
}

static void init_bulk(struct lives *l)
{
	const struct bulk_opts o = {
		.cache = l->o.cache,
		.roster = &l->roster,
		.ring = &l->outbox.ring,
		.marks = l->o.mode,
		.sink = { l, on_mark, on_event,
			  lives_has_cache(l) ? NULL : on_fetch },
	};

	bulk_init(&l->bulk, &o);
}

int lives_init(struct lives *l, const struct lives_opts *o, int64_t now_ms)
{
	int err;

	*l = (struct lives){ .o = *o };
	err = init_outbox(l, now_ms);
	if (err < 0)
		return err;
	init_bulk(l);
	for (int i = 0; i < ENGINE_EVENT_N; i++)
		l->told_since_ms[i] = now_ms;
	l->must_announce = true; /* a node's first message tells who it is */
	return 0;
}

void lives_fini(struct lives *l)
{
	outbox_fini(&l->outbox);
}

void lives_stats(const struct lives *l, struct engine_stats *out)
{
	const struct roster *r = &l->roster;

	*out = (struct engine_stats){
		.n_lost = l->n_lost,
		.n_before = l->n_before,
		.n_refused = r->n_refused,
		.n_dirty = l->outbox.dirty.n,
		.n_outstanding = ring_used(&l->outbox.ring),
		.n_no_memory = l->outbox.n_no_memory,
	};
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		out->n_peers_live += r->peers[i].is_live;
}
