/* SPDX-License-Identifier: ISC */
/* What was sent, and is sent again under other numbers. */
#include "sync/outbox.h"
#include "sync/seq.h"

enum { BACKOFF_MOST = 4 }; /* times that the wait doubles */

/* A deaf reference is asked for what was missed, or two could stay deaf for
 * ever. */
static bool has_receiver(const struct outbox *b, const struct ctl *c)
{
	const struct peer *p = &b->o.roster->peers[c->peer];

	switch ((enum ctl_kind)c->kind) {
	case CTL_RESYNC:
		return true;
	case CTL_MARK:
		return p->is_used && p->is_live && p->node == c->node &&
		       b->o.sink.mark_counts(b->o.sink.ctx, c);
	case CTL_NACK:
		return p->is_used && !peer_reads_records(p) && peer_is_heard(p);
	}
	return false;
}

/* Queues a chain of control messages, each for itself: those whose receiver is
 * one of the debtors, or that were held for nobody. */
static void controls_again(struct outbox *b, uint32_t first, uint64_t debtors)
{
	while (first) {
		struct ctl *c = ctl_at(&b->pool, first);
		uint32_t id = first;
		bool is_all = c->kind == CTL_RESYNC || !debtors;

		first = c->next;
		c->next = 0;
		if (has_receiver(b, c) && (is_all || debtors >> c->peer & 1))
			ctl_queue_append(c->kind == CTL_MARK ? &b->marks
							     : &b->plain,
					 &b->pool, id);
		else
			ctl_free_chain(&b->pool, id);
	}
}

/* One of them merges updates into what it has. */
static bool is_merged(const struct outbox *b, uint64_t peers)
{
	for (; peers; peers &= peers - 1)
		if (!peer_sends_whole_updates(
			    &b->o.roster->peers[__builtin_ctzll(peers)]))
			return true;
	return false;
}

static void flow_again(struct outbox *b, uint32_t n, uint32_t id,
		       uint64_t debtors)
{
	struct entry_head *h = flow_cache_head(b->o.cache, id);

	if (h->state == ENTRY_FREE)
		return;
	b->o.sink.lost(b->o.sink.ctx, n, h);
	if (!outbox_is_latest(h, n) &&
	    (h->state == ENTRY_DEAD || !is_merged(b, debtors)))
		return; /* what was sent later tells all */
	/* What it was before may be there still. */
	outbox_tell_as_new(h);
	if (!(h->outbox & OUTBOX_KEPT))
		outbox_queue(b, id);
}

void outbox_send_again(struct outbox *b, uint32_t n)
{
	struct ring_ref ref = ring_at(&b->ring, n);
	uint64_t debtors = ring_debtors(&b->ring, n);

	outbox_absolve(b, n, UINT64_MAX);
	ring_clear(&b->ring, n);
	switch (ref.kind) {
	case RING_FLOW:
		flow_again(b, n, ref.id, debtors);
		break;
	case RING_CTL:
		controls_again(b, ref.id, debtors);
		break;
	case RING_NONE:
		break;
	}
}

void outbox_lost(struct outbox *b, const struct peer *p, uint32_t from,
		 uint32_t to, int64_t now_ms)
{
	const struct outbox_peer *op = &b->peers[p->number];

	for (uint32_t n = from;
	     n != to + 1 && op->n_debts && outbox_may_look(b, now_ms); n++)
		if (ring_debtors(&b->ring, n) & peer_bit(p))
			outbox_send_again(b, n);
}

/* The numbers held before end, or false. */
static bool clip_before(const struct outbox *b, uint32_t end, uint32_t *from,
			uint32_t *to)
{
	*from = b->ring.first;
	*to = end - 1;
	return seq_before(*from, end) && ring_clip(&b->ring, from, to);
}

void outbox_lost_before(struct outbox *b, uint32_t end)
{
	uint32_t from, to;

	if (!clip_before(b, end, &from, &to))
		return;
	for (uint32_t n = from; n != to + 1; n++)
		outbox_send_again(b, n);
}

void outbox_lost_unwaited(struct outbox *b)
{
	for (uint32_t n = b->ring.first; n != b->ring.next; n++)
		if (ring_at(&b->ring, n).kind != RING_NONE &&
		    !ring_debtors(&b->ring, n))
			outbox_send_again(b, n);
}

void outbox_lost_all(struct outbox *b)
{
	for (uint32_t n = b->ring.first; n != b->ring.next; n++)
		if (ring_debtors(&b->ring, n))
			outbox_send_again(b, n);
}

void outbox_first_ack(struct outbox *b, const struct peer *p, uint32_t from)
{
	struct outbox_peer *op = &b->peers[p->number];
	bool is_first = op->needs_first_ack;
	uint32_t to;

	op->needs_first_ack = false;
	/* What a new life heard first was taken without looking for a gap. */
	if (!is_first || !clip_before(b, from, &from, &to))
		return;
	for (uint32_t n = from; n != to + 1; n++)
		if (ring_debtors(&b->ring, n) & peer_bit(p))
			outbox_send_again(b, n);
}

static bool is_request(const struct outbox *b, uint32_t n)
{
	struct ring_ref ref = ring_at(&b->ring, n);
	uint32_t id = ref.kind == RING_CTL ? ref.id : 0;

	for (; id; id = ctl_at(&b->pool, id)->next)
		if (ctl_at(&b->pool, id)->kind == CTL_RESYNC)
			return true;
	return false;
}

bool outbox_settle(struct outbox *b, const struct peer *p, enum settle how)
{
	const struct outbox_peer *op = &b->peers[p->number];
	const uint64_t bit = peer_bit(p);
	bool was_asked = false;

	for (uint32_t n = b->ring.first; n != b->ring.next && op->n_debts;
	     n++) {
		uint64_t debtors = ring_debtors(&b->ring, n);

		if (!(debtors & bit))
			continue;
		if (how == SETTLE_SEND_AGAIN) {
			outbox_send_again(b, n);
			continue;
		}
		was_asked |= is_request(b, n);
		outbox_absolve(b, n, bit);
		if (debtors == bit && how == SETTLE_LET_GO)
			outbox_release(b, n);
	}
	return was_asked;
}

void outbox_resend_stuck(struct outbox *b, int64_t now_ms)
{
	if (b->ring.first == b->stuck_at && b->ring.first != b->ring.next) {
		if (now_ms - b->stuck_since_ms < outbox_resend_ms(b))
			return;
		for (uint32_t n = b->stuck_at; n != b->stuck_until; n++)
			if (ring_debtors(&b->ring, n))
				outbox_send_again(b, n);
		if (b->backoff < BACKOFF_MOST)
			b->backoff++;
	}
	b->stuck_at = b->ring.first;
	b->stuck_until = b->ring.next;
	b->stuck_since_ms = now_ms;
}
