/* SPDX-License-Identifier: ISC */
/* What a message that arrived does to the FT-FW engine (spec 4.3). */
#include "sync/ftfw_state.h"
#include "sync/seq.h"

enum {
	LONGEST_RANGE = 1 << 30, /* of announcements of years */
	LATE_WALKS = 8,
};

static bool is_known_header(const struct msg *m)
{
	if (msg_is_data(m))
		return true;
	if ((m->flags & (MSG_ACK | MSG_NACK)) && seq_before(m->to, m->from))
		return false;
	return m->type == MSG_CTL &&
	       (m->flags & (MSG_ACK | MSG_NACK | MSG_RESYNC | MSG_ALIVE));
}

/* Whether the announcement asks us for an answer. */
static bool is_asked(const struct ftfw *f, const struct ext_alive *ext)
{
	struct rd records = ext->records;
	struct ext_record r;
	enum ext_step step;

	while ((step = ext_next(&records, &r)) == EXT_RECORD ||
	       step == EXT_UNKNOWN)
		if (step == EXT_RECORD && r.type == EXT_ASK &&
		    r.asked == f->o.node)
			return true;
	return false;
}

/* What the place of the message in the order of its sender depends on. */
static struct order_msg place_of(const struct ftfw *f, const struct peer *p,
				 const struct msg *m,
				 const struct ext_alive *ext)
{
	return (struct order_msg){
		.seq = m->seq,
		.is_hello = m->flags & MSG_HELLO,
		.is_node = p->node != 0,
		.has_id = ext != NULL,
		.is_content = ext && p->is_live && !is_asked(f, ext),
		.is_plain =
			p->node && !ext && (m->flags & (MSG_ALIVE | MSG_HELLO)),
		.announced_ms = p->announced_ms,
	};
}

/* The numbers of p start anew. Its life goes on if it says the same id, and
 * what was taken for it under other numbers was not; without one it is a
 * reference now. */
static void renumber(struct ftfw *f, struct peer *p,
		     const struct ext_alive *ext)
{
	if (ext) {
		p->rx = (struct order){ 0 };
		p->is_incomplete = true;
	} else {
		ftfw_restarted(f, p, 0);
	}
}

/* False: the range ends where no number of ours is. It may begin long before
 * the oldest one that is held, for nobody acknowledges announcements. */
static bool is_range_ours(const struct ftfw *f, uint32_t from, uint32_t to)
{
	uint32_t oldest = f->ring.first - (f->ring.mask + 1);

	return to - from < LONGEST_RANGE && seq_before(to, f->ring.next) &&
	       !seq_before(to, oldest);
}

/* Whoever repeats ranges does not keep us busy: all numbers are looked at twice
 * in a millisecond at most. What is left out will be sent again. */
static bool may_look(struct ftfw *f)
{
	if (f->looks_ms != f->now_ms) {
		f->looks_ms = f->now_ms;
		f->n_looks = 2 * (f->ring.mask + 1);
	}
	return f->n_looks && f->n_looks--;
}

static void measure(struct ftfw *f, struct peer *p, uint32_t from, uint32_t to)
{
	int64_t took_ms = f->now_ms - f->timed_ms;
	uint32_t ms = (uint32_t)took_ms;

	/* What took longer was the silence, not the way. */
	if (!f->is_timing || !seq_within(f->timed_seq, from, to) ||
	    p->rtt_seq == f->timed_seq || took_ms > RESEND_MOST_MS ||
	    (!p->is_live && !p->is_deaf))
		return;
	p->rtt_seq = f->timed_seq;
	p->rtt_ms = p->rtt_ms ? p->rtt_ms - p->rtt_ms / 8 + ms / 8 : ms;
	f->is_timing = f->now_ms - f->timed_ms < ALIVE_MS; /* often enough */
}

static void note_acked_controls(struct ftfw *f, const struct peer *p,
				struct ring_ref ref)
{
	uint32_t id = ref.kind == RING_CTL ? ref.id : 0;

	for (; id; id = ctl_at(&f->pool, id)->next)
		bulk_mark_acked(f, p, ctl_at(&f->pool, id));
}

static enum verdict take_ack(struct ftfw *f, struct peer *p, uint32_t from,
			     uint32_t to)
{
	uint32_t n_acked = 0;

	if (!is_range_ours(f, from, to)) {
		p->n_foreign++;
		return VERDICT_FOREIGN;
	}
	measure(f, p, from, to);
	ftfw_answered(f, p, &from);
	if (!p->has_acked || seq_after(to, p->acked_to))
		p->acked_to = to;
	p->has_acked = true;
	if (!ring_clip(&f->ring, &from, &to))
		return VERDICT_OK;
	if (seq_before(from, p->oldest)) /* told again */
		from = p->oldest;
	for (uint32_t n = from; !seq_after(n, to) && p->n_owed && may_look(f);
	     n++) {
		struct ring_ref ref = ring_at(&f->ring, n);

		if (!ftfw_acked(f, p, n))
			continue;
		n_acked++;
		note_acked_controls(f, p, ref);
		if (!ring_owed(&f->ring, n))
			ftfw_release(f, n);
	}
	bulk_acked(f, n_acked);
	return VERDICT_OK;
}

static enum verdict take_nack(struct ftfw *f, struct peer *p, uint32_t from,
			      uint32_t to)
{
	uint32_t last = to;

	if (!is_range_ours(f, from, to)) {
		p->n_foreign++;
		return VERDICT_FOREIGN;
	}
	ftfw_answered(f, p, &from);
	/* A reference that heard a late HELLO has gone back, and taken old
	 * messages for new ones. */
	if (p->is_reference && p->has_acked && !seq_after(from, p->acked_to))
		bulk_want(f, p);
	if (!ring_clip(&f->ring, &from, &to))
		return VERDICT_OK;
	bulk_nacked(f, last);
	for (uint32_t n = from; n != to + 1 && p->n_owed && may_look(f); n++)
		if (ring_owed(&f->ring, n) & peer_bit(p))
			ftfw_send_again(f, n);
	return VERDICT_OK;
}

/* A late copy of a mark must not open or end a walk again. What is not one of
 * the last few walks is a new one: a number that was wrong in one datagram, or
 * forged, does not hold up those that follow. */
static bool is_new_walk(const struct peer *p, uint32_t walk)
{
	for (uint32_t i = 0; p->has_walk && i < LATE_WALKS; i++)
		if (walk == p->walk - i * WALK_STEP)
			return false;
	return true;
}

static void take_mark(struct ftfw *f, struct peer *p,
		      const struct ext_record *r)
{
	bool is_new = is_new_walk(p, r->mark.walk);

	if (r->mark.node && r->mark.node != f->o.node)
		return;
	if (is_new) {
		p->has_walk = true;
		p->walk = r->mark.walk;
		p->in_bulk = r->mark.phase == EXT_BULK_BEGIN;
		p->generation += p->in_bulk;
		p->n_told = 0;
		p->is_incomplete |= !p->in_bulk; /* we missed its begin */
	} else if (r->mark.phase == EXT_BULK_END && p->in_bulk &&
		   p->walk == r->mark.walk) {
		p->in_bulk = false;
		if (p->n_told >= r->mark.n_entries)
			f->o.sink.sweep(f->o.sink.ctx, p);
		else /* not what was proven to have come */
			p->is_incomplete = true;
	}
}

/* Ranges are for whom they name. A range without sense is ignored, counted
 * there. */
static void take_range(struct ftfw *f, struct peer *p,
		       const struct ext_record *r)
{
	if (r->range.node != f->o.node)
		return;
	if (r->type == EXT_ACK)
		(void)take_ack(f, p, r->range.from, r->range.to);
	else
		(void)take_nack(f, p, r->range.from, r->range.to);
}

/* When a record that is for us must be acknowledged: the sender holds the
 * message until then. An ACK is not acknowledged for its own sake, or it would
 * never end. */
static int64_t due_of(const struct ftfw *f, const struct ext_record *r)
{
	switch ((enum ext_record_type)r->type) {
	case EXT_BULK_MARK:
		return r->mark.node == f->o.node || !r->mark.node ? f->now_ms
								  : INT64_MAX;
	case EXT_ASK:
		return r->asked == f->o.node ? f->now_ms : INT64_MAX;
	case EXT_NACK:
		return r->range.node == f->o.node ? f->now_ms + ACK_DATA_MS
						  : INT64_MAX;
	case EXT_ACK:
	case EXT_STABLE_NAME:
	case EXT_HELD:
		break;
	}
	return INT64_MAX;
}

/* Returns when the message is to be acknowledged. */
static int64_t take_records(struct ftfw *f, struct peer *p, struct rd records)
{
	int64_t due = INT64_MAX;
	struct ext_record r;
	enum ext_step step;

	while ((step = ext_next(&records, &r)) == EXT_RECORD ||
	       step == EXT_UNKNOWN) {
		if (step == EXT_UNKNOWN)
			continue;
		if (due_of(f, &r) < due)
			due = due_of(f, &r);
		if (r.type == EXT_BULK_MARK)
			take_mark(f, p, &r);
		else if (r.type == EXT_ACK || r.type == EXT_NACK)
			take_range(f, p, &r);
		else if (r.type == EXT_HELD)
			order_held(&p->rx, r.oldest, ftfw_again_ms(p),
				   f->now_ms);
	}
	return due;
}

static enum verdict take_data(struct ftfw *f, struct peer *p,
			      const struct msg *m)
{
	enum verdict v = f->o.sink.data(f->o.sink.ctx, p, m, f->now_ms);

	p->n_told++;
	p->is_incomplete |= v == VERDICT_NO_ROOM;
	return v;
}

/* A reference was asked for all it has. It queues that before it acknowledges
 * the request, so what it has not told by then is gone, unless something is
 * missed. */
static void look_for_proof(struct ftfw *f, struct peer *p, uint32_t from,
			   uint32_t to)
{
	if (!p->is_proving || p->rx.is_ask_due || p->has_unsent_nack ||
	    !seq_within(p->proof_seq, from, to))
		return;
	p->is_proving = false;
	if (p->is_reference)
		f->o.sink.sweep(f->o.sink.ctx, p);
	else
		p->is_proven = true;
}

/* What the message says. *ack_due_ms: when it is to be acknowledged. */
static enum verdict digest(struct ftfw *f, struct peer *p, const struct msg *m,
			   const struct ext_alive *ext, int64_t *ack_due_ms)
{
	enum verdict v;

	*ack_due_ms = f->now_ms + ACK_CONTROL_MS;
	if (msg_is_data(m)) {
		*ack_due_ms = f->now_ms + ACK_DATA_MS;
		return take_data(f, p, m);
	}
	if (m->flags & MSG_ACK) {
		v = take_ack(f, p, m->from, m->to);
		if (v == VERDICT_OK)
			look_for_proof(f, p, m->from, m->to);
		return v;
	}
	if (m->flags & MSG_NACK)
		return take_nack(f, p, m->from, m->to);
	if (m->flags & MSG_RESYNC) {
		*ack_due_ms = f->now_ms + ACK_DATA_MS;
		ftfw_event(f, ENGINE_PEER_ASKS_BULK, p);
		bulk_want(f, p);
		return VERDICT_OK;
	}
	if (!ext)
		p->idle_ms = f->now_ms;
	*ack_due_ms = ext ? take_records(f, p, ext->records) : INT64_MAX;
	return VERDICT_OK;
}

/* ---- numbers ------------------------------------------------------------ */

/* A reference that hears our HELLO forgets what it might be asked for. It may
 * still hear one that it has not acknowledged. */
static bool may_forget(const struct ftfw *f, const struct peer *p)
{
	int64_t since_ms = f->now_ms - f->said_hello_ms;
	bool is_acked =
		p->has_acked && !seq_before(p->acked_to, f->hello_end - 1);

	if (p->node || f->hello_end == f->o.first_seq)
		return false;
	return since_ms < HELLO_ECHO_MS ||
	       (!is_acked && since_ms < HELLO_PAUSE_MS);
}

/* What shows a gap under load has more behind it; an ALIVE of an idle node may
 * tell that nothing is lost. */
static void note_gap(struct ftfw *f, struct peer *p, const struct msg *m,
		     const struct ext_alive *ext)
{
	p->n_lost += order_miss(&p->rx, m->seq,
				ext ? f->now_ms + NACK_MS : f->now_ms);
	/* It is asked for all, and has not proven anything. */
	if (may_forget(f, p)) {
		p->is_proving = p->is_proven = false;
		p->forgets = true;
		p->is_incomplete |= p->is_reference;
	}
}

/* The message is accepted: remember its number. */
static void note_number(struct ftfw *f, struct peer *p, const struct msg *m,
			const struct order_msg *place, int64_t ack_due_ms)
{
	if (place->is_hello) {
		f->owes_hello_back = f->must_announce = true;
		ack_due_ms = f->now_ms;
	}
	/* Acknowledgements of acknowledgements do not fill the window, or two
	 * nodes with a window of 1 would flood each other for ever. */
	if (msg_is_data(m) && order_fills(&p->rx, f->o.ack_window))
		ack_due_ms = f->now_ms;
	order_take(&p->rx, place, ack_due_ms, f->now_ms);
}

/* HELLO_BACK says that a reference has heard our HELLO. (It may have been that
 * of our last life; then it shows itself as deaf.) */
static void note_hello_back(struct ftfw *f, struct peer *p, const struct msg *m)
{
	if ((m->flags & MSG_HELLO_BACK) && !p->node &&
	    f->hello_end != f->o.first_seq)
		ftfw_answered(f, p, NULL);
}

enum verdict ftfw_receive(struct engine *e, const struct peer_addr *from,
			  const struct msg *m, int64_t now_ms)
{
	struct ftfw *f = CONTAINER_OF(e, struct ftfw, base);
	struct ext_alive announcement;
	const struct ext_alive *ext = NULL;
	struct order_msg place;
	enum order_verdict order;
	enum verdict v;
	int64_t ack_due_ms;
	struct peer *p;

	f->now_ms = now_ms;
	if (!is_known_header(m))
		return VERDICT_BAD_HEADER;
	if (m->type == MSG_CTL && (m->flags & MSG_ALIVE) &&
	    !(m->flags & (MSG_ACK | MSG_NACK | MSG_RESYNC)) &&
	    ext_open(m->body, &announcement))
		ext = &announcement;
	p = ftfw_identify(f, from, m, ext);
	if (!p)
		return VERDICT_IGNORED;
	place = place_of(f, p, m, ext);
	order = order_judge(&p->rx, &place, now_ms);
	if (order == ORDER_LATE || order == ORDER_WILD) {
		p->n_before++;
		return VERDICT_BEFORE;
	}
	if (order == ORDER_RESTART)
		renumber(f, p, ext);
	if (order == ORDER_GAP)
		note_gap(f, p, m, ext);
	v = digest(f, p, m, ext, &ack_due_ms);
	ftfw_heard(f, p);
	/* No node of ours says these without its id. */
	if (!p->node && !ext &&
	    (m->flags & (MSG_HELLO | MSG_HELLO_BACK | MSG_ALIVE)))
		ftfw_is_reference(f, p);
	note_hello_back(f, p, m);
	note_number(f, p, m, &place, ack_due_ms);
	bulk_progress(f);
	return v;
}
