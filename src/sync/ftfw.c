/* SPDX-License-Identifier: ISC */
#include "sync/ftfw.h"

#include <assert.h>
#include <stdlib.h>

#include "sync/ftfw_state.h"
#include "sync/seq.h"

/* Whoever floods us does not fill the log: so many of a kind a minute. */
static bool is_worth_telling(struct ftfw *f, enum engine_event what)
{
	uint32_t most = what == ENGINE_PEER_REFUSED ? 1 : EVENTS_MOST;

	if (f->now_ms - f->told_since_ms[what] >= EVENTS_MS) {
		f->told_since_ms[what] = f->now_ms;
		f->n_told[what] = 0;
	}
	return f->n_told[what]++ < most;
}

void ftfw_event(struct ftfw *f, enum engine_event what, const struct peer *p)
{
	if (f->o.sink.event && is_worth_telling(f, what))
		f->o.sink.event(f->o.sink.ctx, what, p);
}

/* True if the entry is still what was sent under number n. */
static bool is_latest(const struct entry_head *h, uint32_t n)
{
	return h && h->state != ENTRY_FREE && (h->flags & ENTRY_SENT) &&
	       h->last_seq == n;
}

static bool has_silent_reference(const struct ftfw *f)
{
	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if (p->is_used && !p->is_live && p->has_answered && !p->node)
			return true;
	}
	return false;
}

static void remove_entry(struct ftfw *f, uint32_t id)
{
	bulk_forget(f, flow_cache_head(f->o.cache, id));
	flow_cache_remove(f->o.cache, id);
}

/* The end of an entry is told to all who are live. A silent reference cannot
 * sweep, so what it is owed is kept, the newest ones. */
static void finish_dead(struct ftfw *f, uint32_t id)
{
	struct entry_head *h = flow_cache_head(f->o.cache, id);

	if (!has_silent_reference(f)) {
		remove_entry(f, id);
		return;
	}
	queue_push(&f->owed, f->o.cache, id);
	h->flags |= ENTRY_OWED;
	if (f->owed.n > f->o.resend_queue_size)
		remove_entry(f, queue_pop(&f->owed, f->o.cache));
}

void ftfw_release(struct ftfw *f, uint32_t n)
{
	struct ring_ref ref = ring_at(&f->ring, n);
	struct entry_head *h;

	ring_clear(&f->ring, n);
	switch (ref.kind) {
	case RING_FLOW:
		h = flow_cache_head(f->o.cache, ref.id);
		if (is_latest(h, n) && h->state == ENTRY_DEAD &&
		    !(h->flags & ENTRY_QUEUED))
			finish_dead(f, ref.id);
		break;
	case RING_CTL:
		ctl_free_chain(&f->pool, ref.id);
		break;
	case RING_NONE:
		break;
	}
}

/* A deaf peer gets its acknowledgements, or two could stay deaf for ever. */
static bool has_receiver(const struct ftfw *f, const struct ctl *c)
{
	const struct peer *p = &f->peers.peers[c->peer];

	return c->kind == CTL_RESYNC ||
	       (p->is_used && (p->is_live || p->is_deaf));
}

/* Control messages to a peer that is gone are not worth sending anew. */
static void control_again(struct ftfw *f, uint32_t first)
{
	while (first) {
		struct ctl *c = ctl_at(&f->pool, first);
		uint32_t id = first;
		bool is_plain = c->kind == CTL_RESYNC ||
				!peer_reads_records(&f->peers.peers[c->peer]);

		first = c->next;
		c->next = 0;
		if (has_receiver(f, c))
			ctl_queue_append(is_plain ? &f->plain : &f->addressed,
					 &f->pool, id);
		else
			ctl_free_chain(&f->pool, id);
	}
}

void ftfw_spare_entries(struct ftfw *f)
{
	bool is_owed = f->owed.n && has_silent_reference(f);

	while (flow_cache_wants_room(f->o.cache) && ring_used(&f->ring) &&
	       !ring_owed(&f->ring, f->ring.first))
		ftfw_release(f, f->ring.first);
	while (f->owed.n && (!is_owed || flow_cache_wants_room(f->o.cache)))
		remove_entry(f, queue_pop(&f->owed, f->o.cache));
}

void ftfw_send_again(struct ftfw *f, uint32_t n)
{
	struct ring_ref ref = ring_at(&f->ring, n);
	struct entry_head *h;

	ring_clear(&f->ring, n);
	switch (ref.kind) {
	case RING_FLOW:
		h = flow_cache_head(f->o.cache, ref.id);
		if (!is_latest(h, n))
			break;
		bulk_lost(f, n, h);
		h->flags &= (uint8_t)~ENTRY_SENT;
		if (!(h->flags & ENTRY_QUEUED))
			queue_push(&f->dirty, f->o.cache, ref.id);
		break;
	case RING_CTL:
		control_again(f, ref.id);
		break;
	case RING_NONE:
		break;
	}
}

void ftfw_settle(struct ftfw *f, const struct peer *p, bool lost)
{
	const uint64_t bit = peer_bit(p);

	for (uint32_t n = f->ring.first; n != f->ring.next; n++) {
		uint64_t owed = ring_owed(&f->ring, n);

		if (!(owed & bit))
			continue;
		ring_set_owed(&f->ring, n, owed & ~bit);
		if (lost)
			ftfw_send_again(f, n);
		else if (owed == bit)
			ftfw_release(f, n);
	}
}

void ftfw_control(struct ftfw *f, const struct ctl *c)
{
	uint32_t id = ctl_add(&f->pool, c);

	if (!id)
		f->n_no_memory++;
	else
		control_again(f, id);
}

void ftfw_acknowledge(struct ftfw *f, struct peer *p)
{
	struct tracker *rx = &p->rx;

	if (!rx->ack_pending)
		return;
	ftfw_control(f, &(struct ctl){ .kind = CTL_ACK,
				       .peer = p->number,
				       .from = rx->ack_from,
				       .to = rx->last });
	rx->ack_pending = false;
	rx->n_unacked = 0;
}

static struct ftfw *ftfw_of(struct engine *e)
{
	return CONTAINER_OF(e, struct ftfw, base);
}

static void ftfw_touch(struct engine *e, struct ref entry, enum touch how)
{
	struct ftfw *f = ftfw_of(e);
	struct entry_head *h = flow_cache_head(f->o.cache, entry.id);
	bool is_known, is_next_life;

	if (!h || h->state == ENTRY_FREE)
		return;
	is_known = h->flags & (ENTRY_SENT | ENTRY_OWED);
	is_next_life = h->state == ENTRY_NEW && is_known;
	if (h->state == ENTRY_NEW) /* what was sent was another life */
		h->flags &= (uint8_t)~ENTRY_SENT;
	if (h->flags & ENTRY_OWED) {
		queue_remove(&f->owed, f->o.cache, entry.id);
		h->flags &= (uint8_t)~ENTRY_OWED;
	}
	if (how == TOUCH_QUIET && !is_next_life && h->state != ENTRY_DEAD)
		return;
	if (!(h->flags & ENTRY_QUEUED))
		queue_push(&f->dirty, f->o.cache, entry.id);
}

static void ftfw_forget(struct engine *e, struct ref entry)
{
	struct ftfw *f = ftfw_of(e);
	struct entry_head *h = flow_cache_head(f->o.cache, entry.id);

	if (!h || h->state == ENTRY_FREE)
		return;
	if (h->flags & ENTRY_OWED)
		queue_remove(&f->owed, f->o.cache, entry.id);
	else if (h->flags & ENTRY_QUEUED)
		queue_remove(&f->dirty, f->o.cache, entry.id);
	bulk_forget(f, h);
	h->flags &= (uint8_t) ~(ENTRY_OWED | ENTRY_SENT);
}

static void ftfw_ask(struct engine *e, enum ask what)
{
	struct ftfw *f = ftfw_of(e);

	switch (what) {
	case ASK_BULK:
		bulk_want(f, NULL);
		break;
	case ASK_RESYNC:
		f->n_resync_wanted = 1;
		break;
	}
}

static void ftfw_stats(struct engine *e, struct engine_stats *out)
{
	const struct ftfw *f = ftfw_of(e);

	*out = (struct engine_stats){
		.n_refused = f->peers.n_refused,
		.n_dirty = f->dirty.n,
		.n_outstanding = ring_used(&f->ring),
		.n_no_memory = f->n_no_memory,
	};
	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		out->n_lost += p->n_lost;
		out->n_before += p->n_before;
		out->n_foreign += p->n_foreign;
		out->n_peers_live += p->is_used && p->is_live;
	}
}

static bool ftfw_held(struct engine *e, struct engine_walk *walk,
		      struct engine_held *out)
{
	static const uint8_t flags[] = {
		[CTL_ACK] = MSG_ACK,
		[CTL_NACK] = MSG_NACK,
		[CTL_RESYNC] = MSG_RESYNC,
		[CTL_MARK] = MSG_ALIVE,
	};
	struct ftfw *f = ftfw_of(e);

	if (!walk->is_started || seq_before(walk->next, f->ring.first))
		walk->next = f->ring.first;
	walk->is_started = true;
	while (seq_before(walk->next, f->ring.next)) {
		uint32_t n = walk->next++;
		struct ring_ref ref = ring_at(&f->ring, n);

		if (ref.kind == RING_NONE)
			continue;
		*out = (struct engine_held){ .seq = n };
		if (ref.kind == RING_CTL) {
			out->is_control = true;
			out->flags = flags[ctl_at(&f->pool, ref.id)->kind];
		}
		return true;
	}
	return false;
}

static const struct peer_table *ftfw_peers(struct engine *e)
{
	return &ftfw_of(e)->peers;
}

static void ftfw_free(struct engine *e)
{
	struct ftfw *f = ftfw_of(e);

	ring_fini(&f->ring);
	ctl_pool_fini(&f->pool);
	free(f);
}

static const struct engine_ops ftfw_ops = {
	.touch = ftfw_touch,
	.forget = ftfw_forget,
	.ask = ftfw_ask,
	.receive = ftfw_receive,
	.fill = ftfw_fill,
	.due_ms = ftfw_due_ms,
	.stats = ftfw_stats,
	.held = ftfw_held,
	.peers = ftfw_peers,
	.free = ftfw_free,
};

struct engine *ftfw_new(const struct ftfw_opts *opts, int64_t now_ms)
{
	struct ftfw *f = calloc(1, sizeof(*f));

	assert(opts->node != 0);
	if (!f)
		return NULL;
	f->base.ops = &ftfw_ops;
	f->o = *opts;
	f->now_ms = now_ms;
	f->stuck_since_ms = now_ms;
	if (ring_init(&f->ring, opts->resend_queue_size, opts->first_seq) < 0) {
		free(f);
		return NULL;
	}
	for (int i = 0; i < ENGINE_EVENT_N; i++)
		f->told_since_ms[i] = now_ms;
	f->hello_end = opts->first_seq;
	f->stuck_at = f->stuck_until = opts->first_seq;
	bulk_init(f);
	return &f->base;
}
