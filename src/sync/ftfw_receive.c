/* SPDX-License-Identifier: ISC */
/* What a message that arrived does to the FT-FW engine. */
#include "sync/ftfw_state.h"
#include "sync/seq.h"

enum {
	ACK_DATA_MS = 100, /* data is acknowledged after this at the latest */
	ACK_CONTROL_MS = 5000, /* a reference frees its ACKs and NACKs then */
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
		    r.asked == f->l.o.node)
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

/* ---- answers ------------------------------------------------------------ */

/* p acknowledged or missed a number of ours, or said HELLO_BACK, so it hears
 * us. from: the first number of the range, or NULL. */
static void answered(struct ftfw *f, struct peer *p, const uint32_t *from,
		     int64_t now_ms)
{
	if (roster_answered(p)) {
		f->hello.ever_answered = true;
		outbox_patience(&f->l.outbox, p, now_ms);
		/* A HELLO is taken without looking for a gap before it, and an
		 * ACK of a reference may cover what it missed. */
		outbox_lost_before(&f->l.outbox, f->hello.end);
		outbox_lost_unwaited(&f->l.outbox);
		lives_event(&f->l, ENGINE_PEER_ANSWERED, p, now_ms);
		/* What changed before this life of ours was not told. */
		if (p->is_reference)
			bulk_want(&f->l.bulk, p);
	}
	if (from)
		outbox_first_ack(&f->l.outbox, p, *from);
	if (p->is_deaf)
		lives_returned(&f->l, p, now_ms);
}

static enum verdict take_ack(struct ftfw *f, struct peer *p, uint32_t from,
			     uint32_t to, int64_t now_ms)
{
	if (!outbox_is_ours(&f->l.outbox, from, to)) {
		f->n_foreign++;
		return VERDICT_FOREIGN;
	}
	answered(f, p, &from, now_ms);
	bulk_acked(&f->l.bulk, outbox_acked(&f->l.outbox, p, from, to, now_ms));
	return VERDICT_OK;
}

static enum verdict take_nack(struct ftfw *f, struct peer *p, uint32_t from,
			      uint32_t to, int64_t now_ms)
{
	const struct outbox_peer *op = &f->l.outbox.peers[p->number];
	uint32_t last = to;

	if (!outbox_is_ours(&f->l.outbox, from, to)) {
		f->n_foreign++;
		return VERDICT_FOREIGN;
	}
	answered(f, p, &from, now_ms);
	/* A reference that heard a late HELLO has gone back, and taken old
	 * messages for new ones. */
	if (p->is_reference && op->has_acked && !seq_after(from, op->acked_to))
		bulk_want(&f->l.bulk, p);
	if (!ring_clip(&f->l.outbox.ring, &from, &to))
		return VERDICT_OK;
	bulk_nacked(&f->l.bulk, last);
	outbox_lost(&f->l.outbox, p, from, to, now_ms);
	return VERDICT_OK;
}

/* A reference was asked for all it has. */
static void look_for_proof(struct ftfw *f, struct peer *p, const struct msg *m)
{
	if (!lives_order(&f->l, p)->is_ask_due &&
	    intake_acked(&f->l.intake, p, m->from, m->to))
		f->l.o.sink.sweep(f->l.o.sink.ctx, p);
}

/* ---- records of our own nodes ------------------------------------------- */

static void take_mark(struct ftfw *f, struct peer *p,
		      const struct ext_record *r)
{
	if (r->mark.node && r->mark.node != f->l.o.node)
		return;
	switch (intake_mark(&f->l.intake, p, (enum ext_phase)r->mark.phase,
			    r->mark.walk, r->mark.n_entries)) {
	case INTAKE_NONE:
		break;
	case INTAKE_BEGINS:
		roster_next_generation(p);
		break;
	case INTAKE_ENDS:
		f->l.o.sink.sweep(f->l.o.sink.ctx, p);
		break;
	}
}

/* Ranges are for whom they name. A range without sense is ignored, counted
 * there. */
static void take_range(struct ftfw *f, struct peer *p,
		       const struct ext_record *r, int64_t now_ms)
{
	if (r->range.node != f->l.o.node)
		return;
	if (r->type == EXT_ACK)
		(void)take_ack(f, p, r->range.from, r->range.to, now_ms);
	else
		(void)take_nack(f, p, r->range.from, r->range.to, now_ms);
}

/* When a record that is for us must be acknowledged: the sender holds the
 * message until then. An ACK is not acknowledged for its own sake, or it would
 * never end. */
static int64_t due_of(const struct ftfw *f, const struct ext_record *r,
		      int64_t now_ms)
{
	switch ((enum ext_record_type)r->type) {
	case EXT_BULK_MARK:
		return r->mark.node == f->l.o.node || !r->mark.node ? now_ms
								    : INT64_MAX;
	case EXT_ASK:
		return r->asked == f->l.o.node ? now_ms : INT64_MAX;
	case EXT_NACK:
		return r->range.node == f->l.o.node ? now_ms + ACK_DATA_MS
						    : INT64_MAX;
	case EXT_ACK:
	case EXT_STABLE_NAME:
	case EXT_HELD:
	case EXT_WANT:
	case EXT_TOLD:
		break;
	}
	return INT64_MAX;
}

/* Returns when the message is to be acknowledged. */
static int64_t take_records(struct ftfw *f, struct peer *p, struct rd records,
			    int64_t now_ms)
{
	int64_t due_ms = INT64_MAX;
	struct ext_record r;
	enum ext_step step;

	while ((step = ext_next(&records, &r)) == EXT_RECORD ||
	       step == EXT_UNKNOWN) {
		if (step == EXT_UNKNOWN)
			continue;
		if (due_of(f, &r, now_ms) < due_ms)
			due_ms = due_of(f, &r, now_ms);
		if (r.type == EXT_BULK_MARK)
			take_mark(f, p, &r);
		else if (r.type == EXT_ACK || r.type == EXT_NACK)
			take_range(f, p, &r, now_ms);
		else if (r.type == EXT_HELD)
			order_held(lives_order(&f->l, p), r.oldest,
				   outbox_again_ms(&f->l.outbox, p), now_ms);
	}
	return due_ms;
}

/* ---- messages ----------------------------------------------------------- */

static enum verdict take_data(struct ftfw *f, struct peer *p,
			      const struct msg *m, int64_t now_ms)
{
	enum verdict v = f->l.o.sink.data(f->l.o.sink.ctx, p, m, now_ms);

	intake_told(&f->l.intake, p, v != VERDICT_NO_ROOM);
	return v;
}

/* What the message says. *ack_due_ms: when it is to be acknowledged. */
static enum verdict digest(struct ftfw *f, struct peer *p, const struct msg *m,
			   const struct ext_alive *ext, int64_t now_ms,
			   int64_t *ack_due_ms)
{
	enum verdict v;

	*ack_due_ms = now_ms + ACK_CONTROL_MS;
	if (msg_is_data(m)) {
		*ack_due_ms = now_ms + ACK_DATA_MS;
		return take_data(f, p, m, now_ms);
	}
	if (m->flags & MSG_ACK) {
		v = take_ack(f, p, m->from, m->to, now_ms);
		if (v == VERDICT_OK)
			look_for_proof(f, p, m);
		return v;
	}
	if (m->flags & MSG_NACK)
		return take_nack(f, p, m->from, m->to, now_ms);
	if (m->flags & MSG_RESYNC) {
		*ack_due_ms = now_ms + ACK_DATA_MS;
		lives_event(&f->l, ENGINE_PEER_ASKS_BULK, p, now_ms);
		bulk_want(&f->l.bulk, p);
		return VERDICT_OK;
	}
	if (!ext)
		outbox_idle(&f->l.outbox, p, now_ms);
	*ack_due_ms =
		ext ? take_records(f, p, ext->records, now_ms) : INT64_MAX;
	return VERDICT_OK;
}

/* ---- numbers ------------------------------------------------------------ */

/* What shows a gap under load has more behind it; an ALIVE of an idle node may
 * tell that nothing is lost. */
static void note_gap(struct ftfw *f, struct peer *p, const struct msg *m,
		     const struct ext_alive *ext, int64_t now_ms)
{
	const struct outbox_peer *op = &f->l.outbox.peers[p->number];

	f->l.n_lost += order_miss(lives_order(&f->l, p), m->seq,
				  ext ? now_ms + FTFW_NACK_MS : now_ms);
	if (!p->node &&
	    hello_may_reach(&f->hello, op->has_acked, op->acked_to, now_ms))
		intake_missed(&f->l.intake, p);
}

/* The message is accepted: remember its number. */
static void note_number(struct ftfw *f, struct peer *p, const struct msg *m,
			const struct order_msg *place, int64_t ack_due_ms,
			int64_t now_ms)
{
	struct order *o = lives_order(&f->l, p);

	if (place->is_hello) {
		f->hello.must_answer = f->l.must_announce = true;
		ack_due_ms = now_ms;
	}
	/* Acknowledgements of acknowledgements do not fill the window, or two
	 * nodes with a window of 1 would flood each other for ever. */
	if (msg_is_data(m) && order_fills(o, f->ack_window))
		ack_due_ms = now_ms;
	order_take(o, place, ack_due_ms, now_ms);
	roster_accepted(p, m->seq, now_ms);
}

/* What it shows besides what it says: who the sender is, and whether it hears
 * us. */
static void note_sender(struct ftfw *f, struct peer *p, const struct msg *m,
			const struct ext_alive *ext, int64_t now_ms)
{
	lives_heard(&f->l, p, now_ms);
	/* No node of ours says these without its id. */
	if (!p->node && !ext &&
	    (m->flags & (MSG_HELLO | MSG_HELLO_BACK | MSG_ALIVE)))
		lives_is_reference(&f->l, p);
	/* HELLO_BACK says that a reference has heard our HELLO. (It may have
	 * been that of our last life; then it shows itself as deaf.) */
	if ((m->flags & MSG_HELLO_BACK) && !p->node &&
	    hello_was_said(&f->hello))
		answered(f, p, NULL, now_ms);
}

enum verdict ftfw_receive(struct engine *e, const struct peer_addr *from,
			  const struct msg *m, int64_t now_ms)
{
	struct ftfw *f = CONTAINER_OF(e, struct ftfw, base);
	struct ext_alive announcement;
	const struct ext_alive *ext;
	struct order_msg place;
	enum verdict v;
	int64_t ack_due_ms;
	struct peer *p;

	f->called_ms = now_ms;
	if (!is_known_header(m))
		return VERDICT_BAD_HEADER;
	ext = lives_announcement(m, &announcement) ? &announcement : NULL;
	p = lives_identify(&f->l, from, m, ext, now_ms);
	if (!p)
		return VERDICT_IGNORED;
	place = place_of(f, p, m, ext);
	switch (order_judge(lives_order(&f->l, p), &place, now_ms)) {
	case ORDER_LATE:
	case ORDER_WILD:
		f->l.n_before++;
		return VERDICT_BEFORE;
	case ORDER_RESTART:
		lives_renumbered(&f->l, p, ext, now_ms);
		break;
	case ORDER_GAP:
		note_gap(f, p, m, ext, now_ms);
		break;
	case ORDER_NEXT:
		break;
	}
	v = digest(f, p, m, ext, now_ms, &ack_due_ms);
	note_sender(f, p, m, ext, now_ms);
	note_number(f, p, m, &place, ack_due_ms, now_ms);
	bulk_progress(&f->l.bulk, outbox_resend_ms(&f->l.outbox), now_ms);
	return v;
}
