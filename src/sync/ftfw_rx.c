/* SPDX-License-Identifier: ISC */
/* What a message that arrived does to the FT-FW engine (spec 4.3). */
#include "sync/ftfw_state.h"
#include "sync/seq.h"

enum {
	/* Numbers of a known life do not jump further between two of its
	 * announcements. */
	PLAUSIBLE_JUMP = 1 << 20,
	HELLO_NEAR = 4096, /* losses inside a run of HELLOs */
	/* A number further ahead is believed when the next one confirms it: a
	 * single wrong or forged one would deafen us to all before it. */
	SURE_JUMP = 16,
	/* Control messages that may wait; with more, a gap is as good as not
	 * seen: later messages show it too. */
	CONTROLS_MOST = 4096,
};

enum order {
	ORDER_NEXT,
	ORDER_GAP,
	ORDER_LATE,    /* duplicate or overtaken: dropped */
	ORDER_WILD,    /* far ahead, not confirmed: dropped, and asked for
			* anew with the gap if it was right */
	ORDER_RESTART, /* the sender has started anew */
};

static bool is_known_header(const struct msg *m)
{
	if (msg_is_data(m))
		return true;
	return m->type == MSG_CTL &&
	       (m->flags & (MSG_ACK | MSG_NACK | MSG_RESYNC | MSG_ALIVE));
}

/* HELLO of a reference node: it has started, its number may lie anywhere
 * (spec 4.3, 1.4). A number close behind the last HELLO's is one of the same
 * start. */
static enum order judge_hello(const struct tracker *rx, uint32_t seq)
{
	if (rx->last_was_hello && seq - rx->last - 1 < HELLO_NEAR)
		return seq == rx->last + 1 ? ORDER_NEXT : ORDER_GAP;
	if (rx->last_was_hello && seq_within(seq, rx->hello_first, rx->last))
		return ORDER_LATE;
	return ORDER_RESTART;
}

static bool confirms_wild(const struct tracker *rx, uint32_t seq)
{
	return rx->has_wild && seq - rx->wild - 1 < SURE_JUMP;
}

static enum order judge_jump(struct tracker *rx, uint32_t seq)
{
	if (confirms_wild(rx, seq) || seq - rx->last - 1 <= SURE_JUMP)
		return ORDER_GAP;
	rx->has_wild = true;
	rx->wild = seq;
	return ORDER_WILD;
}

static enum order judge(struct peer *p, const struct msg *m, bool is_announced)
{
	struct tracker *rx = &p->rx;

	if (!rx->is_set)
		return ORDER_NEXT;
	/* The life of a node of ours is its id, not HELLO. */
	if ((m->flags & MSG_HELLO) && !p->node)
		return judge_hello(rx, m->seq);
	if (m->seq == rx->last + 1)
		return ORDER_NEXT;
	if (seq_before(m->seq, rx->last + 1))
		return ORDER_LATE;
	/* What comes next after an announcement is as good as that. */
	if (p->node && !is_announced && !confirms_wild(rx, m->seq) &&
	    m->seq - rx->last > PLAUSIBLE_JUMP)
		return ORDER_LATE;
	return judge_jump(rx, m->seq);
}

/* A reference that lost its numbers without a HELLO (changed mode or clock)
 * would be ignored until they catch up. A replayed capture looks the same, but
 * then the real node is still heard in between. A node of ours that we are
 * deaf to, because numbers were forged, says HELLO again. */
static bool is_late_row_a_restart(struct ftfw *f, struct peer *p,
				  const struct msg *m, bool is_announced)
{
	struct tracker *rx = &p->rx;

	rx->n_late_row = m->seq == rx->late_next ? rx->n_late_row + 1 : 1;
	rx->late_next = m->seq + 1;
	if (p->node && !(is_announced && (m->flags & MSG_HELLO)))
		return false;
	return rx->n_late_row >= RESTART_ROW &&
	       f->now_ms - rx->in_order_ms >= RESTART_MS;
}

/* The numbers of p start anew, its life goes on if we know that by its id. */
static void renumber(struct ftfw *f, struct peer *p)
{
	if (p->node)
		p->rx = (struct tracker){ 0 };
	else
		ftfw_restarted(f, p, 0);
}

static bool is_congested(const struct ftfw *f)
{
	return f->plain.n + f->addressed.n >= CONTROLS_MOST;
}

/* False: the range lies where no number of ours is (spec of the extensions);
 * from..to may still be acknowledged already. */
static bool is_range_ours(const struct ftfw *f, uint32_t from, uint32_t to)
{
	uint32_t oldest = f->ring.first - (f->ring.mask + 1);

	return seq_before(to, f->ring.next) && !seq_before(from, oldest);
}

static enum verdict take_ack(struct ftfw *f, struct peer *p, uint32_t from,
			     uint32_t to)
{
	const uint64_t bit = peer_bit(p);
	uint32_t n_acked = 0;

	if (seq_before(to, from))
		return VERDICT_BAD_HEADER;
	if (!is_range_ours(f, from, to)) {
		p->n_foreign++;
		return VERDICT_FOREIGN;
	}
	ftfw_answered(f, p, from);
	if (!ring_clip(&f->ring, &from, &to))
		return VERDICT_OK;
	for (uint32_t n = from; n != to + 1; n++) {
		struct ring_ref ref = ring_at(&f->ring, n);
		uint64_t owed = ring_owed(&f->ring, n);

		if (!(owed & bit))
			continue;
		n_acked++;
		for (uint32_t id = ref.kind == RING_CTL ? ref.id : 0; id;
		     id = ctl_at(&f->pool, id)->next)
			bulk_mark_acked(f, p, ctl_at(&f->pool, id));
		ring_set_owed(&f->ring, n, owed & ~bit);
		if (owed == bit)
			ftfw_release(f, n);
	}
	bulk_acked(f, n_acked);
	return VERDICT_OK;
}

static enum verdict take_nack(struct ftfw *f, struct peer *p, uint32_t from,
			      uint32_t to)
{
	uint32_t last = to;

	if (seq_before(to, from))
		return VERDICT_BAD_HEADER;
	if (!is_range_ours(f, from, to)) {
		p->n_foreign++;
		return VERDICT_FOREIGN;
	}
	ftfw_answered(f, p, from);
	if (!ring_clip(&f->ring, &from, &to))
		return VERDICT_OK;
	bulk_nacked(f, last);
	for (uint32_t n = from; n != to + 1; n++)
		if (ring_owed(&f->ring, n) & peer_bit(p))
			ftfw_send_again(f, n);
	return VERDICT_OK;
}

static void take_mark(struct ftfw *f, struct peer *p,
		      const struct ext_record *r)
{
	if (r->mark.node && r->mark.node != f->o.node)
		return;
	if (r->mark.phase == EXT_BULK_BEGIN) {
		if (p->in_bulk && p->bulk_walk == r->mark.walk)
			return; /* said twice */
		p->in_bulk = true;
		p->bulk_walk = r->mark.walk;
		p->generation++;
	} else if (r->mark.phase == EXT_BULK_END) {
		if (p->bulk_walk != r->mark.walk) {
			f->n_resync_wanted = 1; /* we missed its begin */
			return;
		}
		if (!p->in_bulk)
			return;
		p->in_bulk = false;
		f->o.sink.sweep(f->o.sink.ctx, p);
	}
}

/* Records are for whom they name. Returns when the message must be
 * acknowledged: the sender holds it until then. */
static int64_t take_records(struct ftfw *f, struct peer *p, struct rd records)
{
	int64_t due = INT64_MAX;
	struct ext_record r;
	enum ext_step step;

	while ((step = ext_next(&records, &r)) == EXT_RECORD ||
	       step == EXT_UNKNOWN) {
		if (step == EXT_UNKNOWN)
			continue;
		if (r.type == EXT_BULK_MARK) {
			take_mark(f, p, &r);
			due = f->now_ms;
		} else if (r.type == EXT_ACK || r.type == EXT_NACK) {
			/* An ACK is not acknowledged for its own sake, or it
			 * would never end. */
			if (r.type == EXT_NACK && due > f->now_ms + ACK_DATA_MS)
				due = f->now_ms + ACK_DATA_MS;
			if (r.range.node != f->o.node)
				continue;
			/* A range without sense is ignored, counted there. */
			if (r.type == EXT_ACK)
				(void)take_ack(f, p, r.range.from, r.range.to);
			else
				(void)take_nack(f, p, r.range.from, r.range.to);
		}
	}
	return due;
}

/* What the message says. *ack_due_ms: when it is to be acknowledged. */
static enum verdict digest(struct ftfw *f, struct peer *p, const struct msg *m,
			   const struct ext_alive *ext, int64_t *ack_due_ms)
{
	*ack_due_ms = f->now_ms + ACK_CONTROL_MS;
	if (msg_is_data(m)) {
		*ack_due_ms = f->now_ms + ACK_DATA_MS;
		return f->o.sink.data(f->o.sink.ctx, p, m, f->now_ms);
	}
	if (m->flags & MSG_ACK)
		return take_ack(f, p, m->from, m->to);
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

/* The message is accepted: remember its number, ask for what was missed. */
static void note_number(struct ftfw *f, struct peer *p, const struct msg *m,
			enum order order, int64_t ack_due_ms)
{
	struct tracker *rx = &p->rx;
	bool hello = m->flags & MSG_HELLO;

	if (order == ORDER_GAP) {
		p->n_lost += m->seq - rx->last - 1;
		ftfw_acknowledge(f, p);
		ftfw_control(f, &(struct ctl){ .kind = CTL_NACK,
					       .peer = p->number,
					       .from = rx->last + 1,
					       .to = m->seq - 1 });
	}
	if ((m->flags & MSG_HELLO_BACK) && !p->node && !p->back_ms)
		p->back_ms = f->now_ms;
	if (hello) {
		f->owes_hello_back = true;
		ack_due_ms = f->now_ms;
		if (!rx->last_was_hello)
			rx->hello_first = m->seq;
	}
	rx->last_was_hello = hello;
	rx->is_set = true;
	rx->last = m->seq;
	rx->in_order_ms = f->now_ms;
	rx->n_late_row = 0;
	rx->has_wild = false;
	if (!rx->ack_pending) {
		rx->ack_pending = true;
		rx->ack_from = m->seq;
		rx->ack_due_ms = ack_due_ms;
	}
	if (rx->ack_due_ms > ack_due_ms)
		rx->ack_due_ms = ack_due_ms;
	/* Acknowledgements of acknowledgements do not fill the window, or two
	 * nodes with a window of 1 would flood each other for ever. */
	if (msg_is_data(m) && ++rx->n_unacked >= f->o.ack_window &&
	    !is_congested(f))
		ftfw_acknowledge(f, p);
}

enum verdict ftfw_receive(struct engine *e, const struct peer_addr *from,
			  const struct msg *m, int64_t now_ms)
{
	struct ftfw *f = CONTAINER_OF(e, struct ftfw, base);
	struct ext_alive announcement;
	const struct ext_alive *ext = NULL;
	enum order order;
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
	order = judge(p, m, ext != NULL);
	if (order == ORDER_GAP && is_congested(f))
		order = ORDER_WILD;
	if (order == ORDER_LATE || order == ORDER_WILD)
		p->n_before++;
	if (order == ORDER_LATE && is_late_row_a_restart(f, p, m, ext != NULL))
		order = ORDER_RESTART;
	if (order == ORDER_LATE || order == ORDER_WILD)
		return VERDICT_BEFORE;
	if (order == ORDER_RESTART)
		renumber(f, p);
	v = digest(f, p, m, ext, &ack_due_ms);
	if (v == VERDICT_BAD_HEADER)
		return v;
	ftfw_heard(f, p);
	note_number(f, p, m, order, ack_due_ms);
	bulk_progress(f);
	return v;
}
