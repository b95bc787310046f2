/* SPDX-License-Identifier: ISC */
#include "sync/outbox.h"

#include "sync/seq.h"

enum {
	AGAIN_MS = 200,    /* a node of ours that still holds what we have
			    * acknowledged or asked for hears it again */
	DEAF_MS = 10000,   /* a peer is deaf that lets its oldest number wait */
	REF_WINDOW = 4096, /* messages that a reference may let come before it
			    * acknowledges (300 by default) */
	TIMING_MS = 1000,  /* often enough */
	LONGEST_RANGE = 1 << 30, /* of announcements of years */
};

static void on_stored(void *ctx, uint32_t id, enum store_event event);

int outbox_init(struct outbox *b, const struct outbox_opts *o, int64_t now_ms)
{
	*b = (struct outbox){
		.o = *o,
		.observer = { on_stored, b },
		.stuck_at = o->first_seq,
		.stuck_until = o->first_seq,
		.stuck_since_ms = now_ms,
	};
	int err = ring_init(&b->ring, o->size, o->first_seq);

	if (err == 0)
		flow_cache_observe(o->cache, &b->observer);
	return err;
}

void outbox_fini(struct outbox *b)
{
	flow_cache_unobserve(b->o.cache, &b->observer);
	ring_fini(&b->ring);
	ctl_pool_fini(&b->pool);
}

void outbox_new_peer(struct outbox *b, const struct peer *p, int64_t now_ms)
{
	b->peers[p->number] = (struct outbox_peer){
		.progress_ms = now_ms,
		.needs_first_ack = true,
	};
}

void outbox_new_life(struct outbox *b, const struct peer *p)
{
	struct outbox_peer *op = &b->peers[p->number];

	op->needs_first_ack = true;
	op->has_acked = false;
	op->rtt_ms = 0;
}

/* ---- entries ------------------------------------------------------------ */

bool outbox_is_latest(const struct entry_head *h, uint32_t n)
{
	return h && h->state != ENTRY_FREE && (h->outbox & OUTBOX_SENT) &&
	       h->last_seq == n;
}

void outbox_tell_as_new(struct entry_head *h)
{
	h->outbox &= (uint8_t) ~(OUTBOX_SENT | OUTBOX_OWED);
}

void outbox_queue(struct outbox *b, uint32_t id)
{
	struct entry_head *h = flow_cache_head(b->o.cache, id);

	if (h->outbox & OUTBOX_QUEUED)
		return;
	queue_push(&b->dirty, b->o.cache, id);
	h->outbox |= OUTBOX_QUEUED;
}

static void unqueue(struct outbox *b, uint32_t id)
{
	queue_remove(&b->dirty, b->o.cache, id);
	flow_cache_head(b->o.cache, id)->outbox &= (uint8_t)~OUTBOX_QUEUED;
}

static void unkeep(struct outbox *b, uint32_t id)
{
	queue_remove(&b->kept, b->o.cache, id);
	flow_cache_head(b->o.cache, id)->outbox &= (uint8_t)~OUTBOX_KEPT;
}

void outbox_touch(struct outbox *b, uint32_t id, enum touch how)
{
	struct entry_head *h = flow_cache_head(b->o.cache, id);

	if (!h || h->state == ENTRY_FREE || how == TOUCH_QUIET ||
	    (how == TOUCH_UNTOLD && (h->outbox & OUTBOX_SENT)))
		return;
	if (how == TOUCH_CHANGE && !(h->outbox & OUTBOX_QUEUED))
		h->outbox |= OUTBOX_SENT;
	outbox_queue(b, id);
}

/* What was sent was another life; whoever knows it is told of this one. */
static void begin_anew(struct outbox *b, uint32_t id)
{
	struct entry_head *h = flow_cache_head(b->o.cache, id);
	bool is_known = h->outbox & (OUTBOX_SENT | OUTBOX_KEPT);

	outbox_tell_as_new(h);
	if (h->outbox & OUTBOX_KEPT)
		unkeep(b, id);
	if (is_known)
		outbox_queue(b, id);
}

/* What is to be removed is nowhere any more. */
static void let_go(struct outbox *b, uint32_t id)
{
	struct entry_head *h = flow_cache_head(b->o.cache, id);

	if (h->outbox & OUTBOX_KEPT)
		unkeep(b, id);
	else if (h->outbox & OUTBOX_QUEUED)
		unqueue(b, id);
	b->o.sink.removed(b->o.sink.ctx, h);
	h->outbox = 0;
}

/* A put that was not heard of could revive an entry that is about to be
 * removed. */
static void on_stored(void *ctx, uint32_t id, enum store_event event)
{
	switch (event) {
	case STORE_REVIVED:
	case STORE_REPLACED:
		begin_anew(ctx, id);
		break;
	case STORE_KILLED:
		outbox_queue(ctx, id);
		break;
	case STORE_REMOVING:
		let_go(ctx, id);
		break;
	case STORE_NEW:
	case STORE_CHANGED:
	case STORE_SAME:
		break;
	}
}

void outbox_sent(struct outbox *b, uint32_t n, uint32_t id)
{
	struct entry_head *h = flow_cache_head(b->o.cache, id);

	if (h->outbox & OUTBOX_QUEUED) { /* a bulk tells nothing new */
		unqueue(b, id);
		h->outbox |= OUTBOX_OWED;
	}
	if (!ring_debtors(&b->ring, n))
		h->outbox &= (uint8_t)~OUTBOX_OWED;
	h->last_seq = n;
	h->outbox |= OUTBOX_SENT;
}

/* The end of an entry is told to all who are live. A silent reference cannot
 * sweep, so what it has not heard is kept, the newest ones. */
static void finish_dead(struct outbox *b, uint32_t id)
{
	if (!roster_has_silent_reference(b->o.roster)) {
		flow_cache_remove(b->o.cache, id);
		return;
	}
	queue_push(&b->kept, b->o.cache, id);
	flow_cache_head(b->o.cache, id)->outbox |= OUTBOX_KEPT;
	if (b->kept.n > b->o.size)
		flow_cache_remove(b->o.cache, b->kept.first);
}

void outbox_send_kept(struct outbox *b)
{
	uint32_t id;

	while ((id = b->kept.first) != FLOW_CACHE_NO_ID) {
		unkeep(b, id);
		outbox_tell_as_new(flow_cache_head(b->o.cache, id));
		outbox_queue(b, id);
	}
}

void outbox_spare_entries(struct outbox *b)
{
	bool is_kept = b->kept.n && roster_has_silent_reference(b->o.roster);

	while (flow_cache_wants_room(b->o.cache) && ring_used(&b->ring) &&
	       !ring_debtors(&b->ring, b->ring.first))
		outbox_release(b, b->ring.first);
	while (b->kept.n && (!is_kept || flow_cache_wants_room(b->o.cache)))
		flow_cache_remove(b->o.cache, b->kept.first);
}

bool outbox_control(struct outbox *b, const struct ctl *c)
{
	uint32_t id = ctl_add(&b->pool, c);

	if (!id) {
		b->n_no_memory++;
		return false;
	}
	ctl_queue_append(c->kind == CTL_MARK ? &b->marks : &b->plain, &b->pool,
			 id);
	return true;
}

/* ---- numbers ------------------------------------------------------------ */

static struct outbox_peer *first_of(struct outbox *b, uint64_t set)
{
	return &b->peers[__builtin_ctzll(set)];
}

void outbox_hold(struct outbox *b, struct ring_ref ref, uint64_t debtors,
		 uint64_t waited, int64_t now_ms)
{
	uint32_t n;

	if (waited && !debtors) {
		if (ref.kind == RING_CTL)
			ctl_free_chain(&b->pool, ref.id);
		ref = (struct ring_ref){ RING_NONE, 0 };
	}
	n = ring_push(&b->ring, ref, debtors);
	for (uint64_t left = debtors; left; left &= left - 1) {
		struct outbox_peer *op = first_of(b, left);

		if (!op->n_debts++)
			op->oldest = n;
		if (op->keeps_waiting)
			continue;
		op->keeps_waiting = true;
		op->progress_ms = now_ms;
		op->progress_seq = n;
	}
	if (debtors &&
	    (!b->is_timing || now_ms - b->timed_ms > OUTBOX_RESEND_MOST_MS)) {
		b->is_timing = true;
		b->timed_seq = n;
		b->timed_ms = now_ms;
	}
}

void outbox_absolve(struct outbox *b, uint32_t n, uint64_t peers)
{
	uint64_t debtors = ring_debtors(&b->ring, n);

	for (uint64_t left = debtors & peers; left; left &= left - 1)
		first_of(b, left)->n_debts--;
	ring_set_debtors(&b->ring, n, debtors & ~peers);
}

void outbox_release(struct outbox *b, uint32_t n)
{
	struct ring_ref ref = ring_at(&b->ring, n);
	struct entry_head *h;

	outbox_absolve(b, n, UINT64_MAX);
	ring_clear(&b->ring, n);
	switch (ref.kind) {
	case RING_FLOW:
		h = flow_cache_head(b->o.cache, ref.id);
		if (!outbox_is_latest(h, n))
			break;
		h->outbox &= (uint8_t)~OUTBOX_OWED;
		if (h->state == ENTRY_DEAD &&
		    !(h->outbox & (OUTBOX_QUEUED | OUTBOX_KEPT)))
			finish_dead(b, ref.id);
		break;
	case RING_CTL:
		ctl_free_chain(&b->pool, ref.id);
		break;
	case RING_NONE:
		break;
	}
}

void outbox_make_room(struct outbox *b, uint64_t waited)
{
	if (waited)
		return;
	while (!outbox_has_room(b) && !ring_debtors(&b->ring, b->ring.first))
		outbox_release(b, b->ring.first);
}

bool outbox_has_room(const struct outbox *b)
{
	return ring_free(&b->ring) > (b->ring.mask + 1) / 4;
}

bool outbox_is_ours(const struct outbox *b, uint32_t from, uint32_t to)
{
	uint32_t oldest = b->ring.first - (b->ring.mask + 1);

	return to - from < LONGEST_RANGE && seq_before(to, b->ring.next) &&
	       !seq_before(to, oldest);
}

bool outbox_may_look(struct outbox *b, int64_t now_ms)
{
	if (b->looks_ms != now_ms) {
		b->looks_ms = now_ms;
		b->n_looks = 2 * (b->ring.mask + 1);
	}
	return b->n_looks && b->n_looks--;
}

/* ---- acknowledgements --------------------------------------------------- */

static void measure(struct outbox *b, const struct peer *p, uint32_t from,
		    uint32_t to, int64_t now_ms)
{
	struct outbox_peer *op = &b->peers[p->number];
	int64_t took_ms = now_ms - b->timed_ms;
	uint32_t ms = (uint32_t)took_ms;

	/* What took longer was the silence, not the way. */
	if (!b->is_timing || !seq_within(b->timed_seq, from, to) ||
	    op->rtt_seq == b->timed_seq || took_ms > OUTBOX_RESEND_MOST_MS ||
	    !peer_is_heard(p))
		return;
	op->rtt_seq = b->timed_seq;
	op->rtt_ms = op->rtt_ms ? op->rtt_ms - op->rtt_ms / 8 + ms / 8 : ms;
	b->is_timing = took_ms < TIMING_MS;
}

/* Moves op->oldest on to the first number that the peer owes. */
static void find_oldest(const struct outbox *b, struct outbox_peer *op,
			uint64_t bit)
{
	if (seq_before(op->oldest, b->ring.first))
		op->oldest = b->ring.first;
	while (op->oldest != b->ring.next &&
	       !(ring_debtors(&b->ring, op->oldest) & bit))
		op->oldest++;
}

static void tell_marks_acked(struct outbox *b, const struct peer *p,
			     struct ring_ref ref)
{
	uint32_t id = ref.kind == RING_CTL ? ref.id : 0;

	for (; id; id = ctl_at(&b->pool, id)->next)
		if (ctl_at(&b->pool, id)->kind == CTL_MARK)
			b->o.sink.mark_acked(b->o.sink.ctx, p,
					     ctl_at(&b->pool, id));
}

/* False: it did not owe the number. */
static bool acked_one(struct outbox *b, const struct peer *p, uint32_t n,
		      int64_t now_ms)
{
	struct outbox_peer *op = &b->peers[p->number];

	if (!(ring_debtors(&b->ring, n) & peer_bit(p)))
		return false;
	b->backoff = 0;
	op->acked_ms = now_ms;
	find_oldest(b, op, peer_bit(p));
	outbox_absolve(b, n, peer_bit(p));
	if (n == op->oldest) {
		op->keeps_waiting = op->n_debts > 0;
		op->progress_ms = now_ms;
		op->progress_seq = b->ring.next;
	}
	tell_marks_acked(b, p, ring_at(&b->ring, n));
	if (!ring_debtors(&b->ring, n))
		outbox_release(b, n);
	return true;
}

uint32_t outbox_acked(struct outbox *b, const struct peer *p, uint32_t from,
		      uint32_t to, int64_t now_ms)
{
	struct outbox_peer *op = &b->peers[p->number];
	uint32_t n_acked = 0;

	measure(b, p, from, to, now_ms);
	if (!op->has_acked || seq_after(to, op->acked_to))
		op->acked_to = to;
	op->has_acked = true;
	if (!ring_clip(&b->ring, &from, &to))
		return 0;
	if (seq_before(from, op->oldest)) /* told again */
		from = op->oldest;
	for (uint32_t n = from;
	     !seq_after(n, to) && op->n_debts && outbox_may_look(b, now_ms);
	     n++)
		n_acked += acked_one(b, p, n, now_ms);
	return n_acked;
}

int64_t outbox_again_ms(const struct outbox *b, const struct peer *p)
{
	uint32_t rtt_ms = b->peers[p->number].rtt_ms;

	return rtt_ms > AGAIN_MS ? rtt_ms : AGAIN_MS;
}

int64_t outbox_resend_ms(const struct outbox *b)
{
	const struct roster *r = b->o.roster;
	int64_t ms = OUTBOX_RESEND_MS;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		int64_t rtt_ms = b->peers[i].rtt_ms;

		if (r->peers[i].is_live && 2 * rtt_ms > ms)
			ms = 2 * rtt_ms;
	}
	for (int i = 0; i < b->backoff && ms < OUTBOX_RESEND_MOST_MS; i++)
		ms *= 2;
	return ms < OUTBOX_RESEND_MOST_MS ? ms : OUTBOX_RESEND_MOST_MS;
}

void outbox_idle(struct outbox *b, const struct peer *p, int64_t now_ms)
{
	b->peers[p->number].idle_ms = now_ms;
}

void outbox_patience(struct outbox *b, const struct peer *p, int64_t now_ms)
{
	b->peers[p->number].progress_ms = now_ms;
}

/* A reference that sends all the time acknowledges only when its window is
 * full: it is deaf if it had much more than that, or if it says ALIVE, which
 * it does when it has sent nothing for a second and has nothing to
 * acknowledge. */
bool outbox_is_deaf(struct outbox *b, const struct peer *p, int64_t now_ms)
{
	struct outbox_peer *op = &b->peers[p->number];
	uint32_t most = b->ring.mask / 2;
	int64_t patience_ms = 3 * (int64_t)op->rtt_ms;

	op->keeps_waiting &= op->n_debts > 0;
	if (patience_ms < DEAF_MS)
		patience_ms = DEAF_MS;
	if (!op->n_debts || now_ms - op->progress_ms < patience_ms)
		return false;
	/* On a bad link what others missed is sent again and again, before it
	 * can be the oldest. */
	if (now_ms - op->acked_ms < patience_ms &&
	    now_ms - op->progress_ms < 3 * patience_ms)
		return false;
	if (most > REF_WINDOW)
		most = REF_WINDOW;
	return p->node || b->ring.next - op->progress_seq > most ||
	       op->idle_ms - op->progress_ms >= DEAF_MS / 2;
}
