/* SPDX-License-Identifier: ISC */
#include "sync/ftfw.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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
	return h && h->state != ENTRY_FREE && (h->outbox & OUTBOX_SENT) &&
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
	h->outbox |= OUTBOX_KEPT;
	if (f->owed.n > f->o.resend_queue_size)
		remove_entry(f, queue_pop(&f->owed, f->o.cache));
}

static struct peer *first_of(struct ftfw *f, uint64_t set)
{
	return &f->peers.peers[__builtin_ctzll(set)];
}

void ftfw_hold(struct ftfw *f, struct ring_ref ref, uint64_t owed)
{
	uint32_t n = ring_push(&f->ring, ref, owed);

	for (uint64_t left = owed; left; left &= left - 1) {
		struct peer *p = first_of(f, left);

		if (!p->n_owed++)
			p->oldest = n;
		if (p->keeps_waiting)
			continue;
		p->keeps_waiting = true;
		p->progress_ms = f->now_ms;
		p->progress_seq = n;
	}
	if (owed &&
	    (!f->is_timing || f->now_ms - f->timed_ms > RESEND_MOST_MS)) {
		f->is_timing = true;
		f->timed_seq = n;
		f->timed_ms = f->now_ms;
	}
}

/* Moves p->oldest on to the first number that p owes. */
static void find_oldest(struct ftfw *f, struct peer *p)
{
	if (seq_before(p->oldest, f->ring.first))
		p->oldest = f->ring.first;
	while (p->oldest != f->ring.next &&
	       !(ring_owed(&f->ring, p->oldest) & peer_bit(p)))
		p->oldest++;
}

/* These peers owe nothing for number n any more. */
static void unowe(struct ftfw *f, uint32_t n, uint64_t set)
{
	uint64_t owed = ring_owed(&f->ring, n);

	for (uint64_t left = owed & set; left; left &= left - 1)
		first_of(f, left)->n_owed--;
	ring_set_owed(&f->ring, n, owed & ~set);
}

bool ftfw_acked(struct ftfw *f, struct peer *p, uint32_t n)
{
	if (!(ring_owed(&f->ring, n) & peer_bit(p)))
		return false;
	f->backoff = 0;
	p->acked_ms = f->now_ms;
	find_oldest(f, p);
	unowe(f, n, peer_bit(p));
	if (n == p->oldest) {
		p->keeps_waiting = p->n_owed > 0;
		p->progress_ms = f->now_ms;
		p->progress_seq = f->ring.next;
	}
	return true;
}

void ftfw_drop(struct ftfw *f, struct ring_ref ref)
{
	if (ref.kind == RING_CTL)
		ctl_free_chain(&f->pool, ref.id);
}

void ftfw_release(struct ftfw *f, uint32_t n)
{
	struct ring_ref ref = ring_at(&f->ring, n);
	struct entry_head *h;

	unowe(f, n, UINT64_MAX);
	ring_clear(&f->ring, n);
	switch (ref.kind) {
	case RING_FLOW:
		h = flow_cache_head(f->o.cache, ref.id);
		if (is_latest(h, n) && h->state == ENTRY_DEAD &&
		    !(h->outbox & OUTBOX_QUEUED))
			finish_dead(f, ref.id);
		break;
	case RING_CTL:
	case RING_NONE:
		ftfw_drop(f, ref);
		break;
	}
}

/* A deaf reference is asked for what was missed, or two could stay deaf for
 * ever. */
static bool has_receiver(const struct ftfw *f, const struct ctl *c)
{
	const struct peer *p = &f->peers.peers[c->peer];

	switch ((enum ctl_kind)c->kind) {
	case CTL_RESYNC:
		return true;
	case CTL_MARK:
		return p->is_used && p->is_live && p->node == c->node &&
		       bulk_mark_counts(f, c);
	case CTL_NACK:
		return p->is_used && !peer_reads_records(p) &&
		       (p->is_live || p->is_deaf);
	}
	return false;
}

/* Queues a chain of control messages, each for itself: those whose receiver is
 * one of owed, or that were held for nobody. */
static void queue_controls(struct ftfw *f, uint32_t first, uint64_t owed)
{
	while (first) {
		struct ctl *c = ctl_at(&f->pool, first);
		uint32_t id = first;
		bool is_all = c->kind == CTL_RESYNC || !owed;

		first = c->next;
		c->next = 0;
		if (has_receiver(f, c) && (is_all || owed >> c->peer & 1))
			ctl_queue_append(c->kind == CTL_MARK ? &f->marks
							     : &f->plain,
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

/* One of them merges updates into what it has. */
static bool is_merged(struct ftfw *f, uint64_t peers)
{
	for (; peers; peers &= peers - 1)
		if (!peer_sends_whole_updates(first_of(f, peers)))
			return true;
	return false;
}

static void queue_dirty(struct ftfw *f, uint32_t id)
{
	struct entry_head *h = flow_cache_head(f->o.cache, id);

	if (h->outbox & OUTBOX_QUEUED)
		return;
	queue_push(&f->dirty, f->o.cache, id);
	h->outbox |= OUTBOX_QUEUED;
}

static void send_flow_again(struct ftfw *f, uint32_t n, uint32_t id,
			    uint64_t owed)
{
	struct entry_head *h = flow_cache_head(f->o.cache, id);

	if (h->state == ENTRY_FREE)
		return;
	bulk_lost(f, n, h);
	if (!is_latest(h, n) && (h->state == ENTRY_DEAD || !is_merged(f, owed)))
		return; /* what was sent later tells all */
	/* Told as new, for what it was before may be there still. */
	h->outbox &= (uint8_t)~OUTBOX_SENT;
	queue_dirty(f, id);
}

void ftfw_send_again(struct ftfw *f, uint32_t n)
{
	struct ring_ref ref = ring_at(&f->ring, n);
	uint64_t owed = ring_owed(&f->ring, n);

	unowe(f, n, UINT64_MAX);
	ring_clear(&f->ring, n);
	switch (ref.kind) {
	case RING_FLOW:
		send_flow_again(f, n, ref.id, owed);
		break;
	case RING_CTL:
		queue_controls(f, ref.id, owed);
		break;
	case RING_NONE:
		break;
	}
}

static bool is_request(struct ftfw *f, uint32_t n)
{
	struct ring_ref ref = ring_at(&f->ring, n);
	uint32_t id = ref.kind == RING_CTL ? ref.id : 0;

	for (; id; id = ctl_at(&f->pool, id)->next)
		if (ctl_at(&f->pool, id)->kind == CTL_RESYNC)
			return true;
	return false;
}

void ftfw_settle(struct ftfw *f, struct peer *p, enum settle how)
{
	const uint64_t bit = peer_bit(p);

	for (uint32_t n = f->ring.first; n != f->ring.next && p->n_owed; n++) {
		uint64_t owed = ring_owed(&f->ring, n);

		if (!(owed & bit))
			continue;
		if (how == SETTLE_SEND_AGAIN) {
			ftfw_send_again(f, n);
			continue;
		}
		/* It may not have heard it: asked when it is back. */
		p->is_incomplete |= is_request(f, n);
		unowe(f, n, bit);
		if (owed == bit && how == SETTLE_LET_GO)
			ftfw_release(f, n);
	}
}

bool ftfw_control(struct ftfw *f, const struct ctl *c)
{
	uint32_t id = ctl_add(&f->pool, c);

	if (!id) {
		f->n_no_memory++;
		return false;
	}
	queue_controls(f, id, 0);
	return true;
}

int64_t ftfw_again_ms(const struct peer *p)
{
	return p->rtt_ms > AGAIN_MS ? p->rtt_ms : AGAIN_MS;
}

int64_t ftfw_resend_ms(const struct ftfw *f)
{
	int64_t ms = RESEND_MS;

	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if (p->is_used && p->is_live && 2 * (int64_t)p->rtt_ms > ms)
			ms = 2 * (int64_t)p->rtt_ms;
	}
	for (int i = 0; i < f->backoff && ms < RESEND_MOST_MS; i++)
		ms *= 2;
	return ms < RESEND_MOST_MS ? ms : RESEND_MOST_MS;
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
	if (how == TOUCH_UNTOLD && h->outbox & OUTBOX_SENT)
		return;
	is_known = h->outbox & (OUTBOX_SENT | OUTBOX_KEPT);
	is_next_life = h->state == ENTRY_NEW && is_known;
	if (h->state == ENTRY_NEW) /* what was sent was another life */
		h->outbox &= (uint8_t)~OUTBOX_SENT;
	if (h->outbox & OUTBOX_KEPT) {
		queue_remove(&f->owed, f->o.cache, entry.id);
		h->outbox &= (uint8_t)~OUTBOX_KEPT;
	}
	if (how == TOUCH_QUIET && !is_next_life && h->state != ENTRY_DEAD)
		return;
	queue_dirty(f, entry.id);
}

static void ftfw_forget(struct engine *e, struct ref entry)
{
	struct ftfw *f = ftfw_of(e);
	struct entry_head *h = flow_cache_head(f->o.cache, entry.id);

	if (!h || h->state == ENTRY_FREE)
		return;
	if (h->outbox & OUTBOX_KEPT)
		queue_remove(&f->owed, f->o.cache, entry.id);
	else if (h->outbox & OUTBOX_QUEUED)
		queue_remove(&f->dirty, f->o.cache, entry.id);
	bulk_forget(f, h);
	h->outbox = 0;
}

static void ftfw_ask(struct engine *e, enum ask what)
{
	struct ftfw *f = ftfw_of(e);

	switch (what) {
	case ASK_BULK:
		bulk_want(f, NULL);
		break;
	case ASK_RESYNC:
		f->was_asked_for_resync = true;
		/* who is silent now is asked later */
		for (int i = 0; i < PEER_MAX; i++)
			f->peers.peers[i].is_incomplete |=
				f->peers.peers[i].is_used;
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

static void ftfw_peer_stats(struct engine *e, uint8_t number,
			    struct engine_peer_stats *out)
{
	const struct peer *p = &ftfw_of(e)->peers.peers[number];

	*out = (struct engine_peer_stats){ p->n_owed, p->rtt_ms, p->n_lost,
					   p->n_before, p->n_foreign };
}

static bool ftfw_held(struct engine *e, struct engine_walk *walk,
		      struct engine_held *out)
{
	static const uint8_t flags[] = {
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

struct engine *ftfw_new(const struct ftfw_opts *opts, int64_t now_ms)
{
	struct ftfw *f = calloc(1, sizeof(*f));

	assert(opts->node != 0);
	if (!f)
		return NULL;
	f->base.ops = &ftfw_ops;
	f->o = *opts;
	f->now_ms = now_ms;
	f->started_ms = now_ms;
	f->must_announce = true; /* a node's first message tells who it is */
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
