/* SPDX-License-Identifier: ISC */
/* What the FT-FW engine says besides entries: announcements, answers, requests
 * and marks. */
#include "sync/ftfw_state.h"
#include "sync/message.h"

enum {
	ALIVE_MS = 1000, /* interval of announcements */
	EAGER_MS = 3000, /* one of us is that new: believed when said twice */
	/* Slots that control messages leave to announcements, which go on while
	 * the ring is stuck: for the longest wait, every FTFW_PROBE_MS. */
	ANNOUNCE_SLOTS = OUTBOX_RESEND_MOST_MS / FTFW_PROBE_MS + 10,
};

static const struct ring_ref nothing = { RING_NONE, 0 };

static bool has_room(const struct turn *t, size_t n)
{
	return !t->w->used || t->w->used + n <= t->room;
}

bool ftfw_has_slot(const struct ftfw *f)
{
	return ring_free(&f->l.outbox.ring) > ANNOUNCE_SLOTS;
}

bool ftfw_end(struct ftfw *f, const struct turn *t, size_t offset,
	      struct ring_ref ref, uint64_t debtors)
{
	if (!wire_end(t->w, offset))
		return false;
	if (offset && t->w->used > t->room) {
		t->w->used = offset;
		return false;
	}
	outbox_hold(&f->l.outbox, ref, debtors, t->waited, t->now_ms);
	return true;
}

static size_t begin_alive(const struct ftfw *f, const struct turn *t,
			  uint8_t flags)
{
	const struct message_self self = lives_self(&f->l);

	return message_alive(t->w, ftfw_next(f), flags, &self,
			     f->l.outbox.ring.first);
}

/* ---- announcements ------------------------------------------------------ */

/* Nodes of ours that have not answered, or do not any more, are asked to. */
static void add_asks(const struct ftfw *f, const struct turn *t)
{
	const struct roster *r = &f->l.roster;
	const size_t len = ext_record_len(EXT_ASK);

	for (int i = roster_next(r, -1); i >= 0 && has_room(t, len);
	     i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];
		bool is_asked = p->is_live ? !p->has_answered : p->is_deaf;

		if (is_asked && peer_reads_records(p))
			message_add_ask(t->w, EXT_ASK, p->node);
	}
}

/* The ALIVE that comes every second: it has our name, too. */
bool ftfw_announce(struct ftfw *f, const struct turn *t)
{
	uint8_t flags = t->says_hello ? MSG_HELLO : 0;
	size_t offset;

	outbox_make_room(&f->l.outbox, t->waited);
	if (!ring_free(&f->l.outbox.ring)) {
		f->announced_ms = t->now_ms; /* not at once again */
		return true;
	}
	if (f->hello.must_answer)
		flags |= MSG_HELLO_BACK;
	offset = begin_alive(f, t, flags);
	message_add_name(t->w, f->l.o.name);
	add_asks(f, t);
	if (!ftfw_end(f, t, offset, nothing, 0))
		return false;
	if (t->says_hello)
		hello_said(&f->hello, ftfw_next(f), t->now_ms);
	f->announced_ms = t->now_ms;
	f->l.must_announce = f->hello.must_answer = false;
	return true;
}

/* A node of ours owes us an answer: an announcement shows it what it missed. Or
 * one of us is new, which is believed when it was said twice. */
static bool is_eager(const struct ftfw *f, int64_t now_ms)
{
	const struct roster *r = &f->l.roster;

	if (now_ms - f->started_ms < EAGER_MS)
		return true;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];

		if (!p->is_live || !peer_reads_records(p))
			continue;
		if (f->l.outbox.peers[i].n_debts ||
		    (!p->has_answered && now_ms - p->found_ms < EAGER_MS))
			return true;
	}
	return false;
}

int64_t ftfw_announcement_due_ms(const struct ftfw *f, int64_t now_ms)
{
	if (f->l.must_announce)
		return now_ms;
	return f->announced_ms +
	       (is_eager(f, now_ms) ? FTFW_PROBE_MS : ALIVE_MS);
}

/* ---- answers: nothing waits for them, the next one says it again --------- */

static bool is_answer_due(const struct ftfw *f, const struct peer *p,
			  int64_t now_ms)
{
	return peer_is_heard(p) &&
	       now_ms >= order_due_ms(&f->l.orders[p->number]);
}

/* Acknowledgements go before the request: what it asks for in one piece, but
 * has come, is owed no more when it is read. */
static void add_answer(struct ftfw *f, const struct turn *t,
		       const struct peer *p)
{
	struct order *o = lives_order(&f->l, p);

	for (uint8_t i = 0; i < o->n_runs; i++)
		message_add_range(t->w, EXT_ACK, p->node, o->runs[i]);
	order_acked(o, t->now_ms);
	if (!o->is_ask_due || t->now_ms < o->ask_due_ms)
		return;
	message_add_range(t->w, EXT_NACK, p->node, o->unasked);
	order_asked(o, outbox_again_ms(&f->l.outbox, p), t->now_ms);
}

/* To all nodes of ours that are to have one, in one ALIVE, as far as it has
 * room. */
static enum fill send_records(struct ftfw *f, const struct turn *t)
{
	const struct roster *r = &f->l.roster;
	const size_t more = ORDER_RUNS * ext_record_len(EXT_ACK);
	size_t offset = 0;
	bool is_begun = false;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];

		if (!peer_reads_records(p) || !is_answer_due(f, p, t->now_ms))
			continue;
		if (is_begun && !has_room(t, ext_record_len(EXT_ACK) + more))
			break; /* the next one has the others */
		if (!is_begun &&
		    !has_room(t, message_alive_len(EXT_ACK) + more))
			return FILL_FULL;
		if (!is_begun)
			offset = begin_alive(f, t, 0);
		is_begun = true;
		add_answer(f, t, p);
	}
	if (is_begun && !ftfw_end(f, t, offset, nothing, 0))
		return FILL_FULL;
	return FILL_SOME;
}

/* What was missed of one that is no node of ours it must hear. */
static void ask_plainly(struct ftfw *f, const struct turn *t,
			const struct peer *p)
{
	struct order *o = lives_order(&f->l, p);

	if (!o->is_ask_due || t->now_ms < o->ask_due_ms)
		return;
	if (!outbox_control(&f->l.outbox,
			    &(struct ctl){ .kind = CTL_NACK,
					   .peer = p->number,
					   .from = o->unasked.from,
					   .to = o->unasked.to })) {
		o->ask_due_ms = t->now_ms + FTFW_NACK_MS; /* tried again */
		return;
	}
	order_asked(o, OUTBOX_RESEND_MS, t->now_ms);
	intake_nack_queued(&f->l.intake, p);
}

/* To one that is no node of ours. What it has missed it asks for itself. */
static enum fill send_plain_answer(struct ftfw *f, const struct turn *t,
				   const struct peer *p)
{
	struct order *o = lives_order(&f->l, p);

	while (o->n_runs && o->is_ack_due) {
		size_t offset;

		if (!ftfw_has_slot(f))
			return FILL_WAIT;
		if (!has_room(t, WIRE_RANGE_LEN))
			return FILL_FULL;
		offset = message_range(t->w, ftfw_next(f), MSG_ACK, o->runs[0]);
		if (!ftfw_end(f, t, offset, nothing, 0))
			return FILL_FULL;
		order_told(o, t->now_ms);
	}
	if (!o->n_runs)
		order_acked(o, t->now_ms);
	ask_plainly(f, t, p);
	return FILL_SOME;
}

static enum fill send_answers(struct ftfw *f, const struct turn *t)
{
	const struct roster *r = &f->l.roster;
	enum fill done = send_records(f, t);

	for (int i = roster_next(r, -1); i >= 0 && done == FILL_SOME;
	     i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];

		if (!peer_reads_records(p) && is_answer_due(f, p, t->now_ms))
			done = send_plain_answer(f, t, p);
	}
	return done;
}

/* ---- what must not be lost ----------------------------------------------- */

/* Who owes an answer for a control message, of those who hear us. */
static uint64_t receivers(const struct turn *t, const struct ctl *c)
{
	return t->waited &
	       (c->kind == CTL_RESYNC ? UINT64_MAX : UINT64_C(1) << c->peer);
}

/* As many waiting marks as fit, in one ALIVE. */
static enum fill send_marks(struct ftfw *f, const struct turn *t)
{
	struct outbox *b = &f->l.outbox;
	struct ctl_queue taken = { 0 };
	uint64_t debtors = 0;
	size_t offset;

	if (!has_room(t, message_alive_len(EXT_BULK_MARK)))
		return FILL_FULL;
	offset = begin_alive(f, t, 0);
	while (b->marks.first &&
	       (!taken.first || has_room(t, ext_record_len(EXT_BULK_MARK)))) {
		uint32_t id = ctl_queue_pop(&b->marks, &b->pool);
		const struct ctl *c = ctl_at(&b->pool, id);

		message_add_mark(t->w, c->node, (enum ext_phase)c->phase,
				 c->from, c->to);
		ctl_queue_append(&taken, &b->pool, id);
		debtors |= receivers(t, c);
	}
	if (ftfw_end(f, t, offset, (struct ring_ref){ RING_CTL, taken.first },
		     debtors))
		return FILL_SOME;
	ctl_queue_append(&b->marks, &b->pool, taken.first);
	return FILL_FULL;
}

/* Whoever hears the request for all begins to tell it. */
static void note_request(struct ftfw *f, uint32_t n)
{
	const struct roster *r = &f->l.roster;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		struct peer *p = &f->l.roster.peers[i];

		if (p->is_live && (p->has_answered || p->never_answers) &&
		    intake_hears(&f->l.intake, p, n))
			roster_next_generation(p);
	}
}

static enum fill send_plain(struct ftfw *f, const struct turn *t)
{
	struct outbox *b = &f->l.outbox;
	const struct ctl c = *ctl_at(&b->pool, b->plain.first);
	bool is_nack = c.kind == CTL_NACK;
	uint32_t n = ftfw_next(f);
	size_t offset;
	uint32_t id;

	if (!has_room(t, WIRE_RANGE_LEN))
		return FILL_FULL;
	id = ctl_queue_pop(&b->plain, &b->pool);
	offset = message_range(t->w, n, is_nack ? MSG_NACK : MSG_RESYNC,
			       (struct seq_run){ c.from, c.to });
	if (!ftfw_end(f, t, offset, (struct ring_ref){ RING_CTL, id },
		      receivers(t, &c))) {
		ctl_queue_append(&b->plain, &b->pool, id);
		return FILL_FULL;
	}
	if (is_nack)
		intake_nack_sent(&f->l.intake, &f->l.roster.peers[c.peer], n);
	else
		note_request(f, n);
	return FILL_SOME;
}

/* A request for a bulk is worth sending only to somebody who will not miss it,
 * a peer that has answered or one that never acknowledges anything, and not
 * with HELLO: a reference forgets what it has sent at each that it hears. */
static bool can_ask(const struct ftfw *f, const struct turn *t)
{
	const struct roster *r = &f->l.roster;
	bool is_heard = t->waited && !t->says_hello;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		is_heard |= r->peers[i].is_live && r->peers[i].never_answers;
	return is_heard;
}

/* Some peer is to be asked for what we lack, and there is room for it. */
static bool wants_all(const struct ftfw *f, int64_t now_ms)
{
	return intake_wants_all(&f->l.intake, &f->l.roster, now_ms) &&
	       (!f->l.o.sink.has_room || f->l.o.sink.has_room(f->l.o.sink.ctx));
}

static void ask_for_all(struct ftfw *f, const struct turn *t)
{
	if (!intake_is_asked_for(&f->l.intake) && !wants_all(f, t->now_ms))
		return;
	if (!can_ask(f, t) ||
	    !outbox_control(&f->l.outbox, &(struct ctl){ .kind = CTL_RESYNC }))
		return;
	intake_asked(&f->l.intake, t->now_ms);
}

enum fill ftfw_fill_control(struct ftfw *f, const struct turn *t)
{
	struct outbox *b = &f->l.outbox;
	enum fill done = FILL_SOME;

	outbox_make_room(b, t->waited);
	if (ftfw_has_slot(f))
		done = send_answers(f, t);
	ask_for_all(f, t);
	while (done == FILL_SOME && (b->plain.first || b->marks.first)) {
		outbox_make_room(b, t->waited);
		if (!ftfw_has_slot(f))
			done = FILL_WAIT;
		else if (b->plain.first)
			done = send_plain(f, t);
		else
			done = send_marks(f, t);
	}
	if (done != FILL_FULL &&
	    t->now_ms >= ftfw_announcement_due_ms(f, t->now_ms) &&
	    !ftfw_announce(f, t))
		done = FILL_FULL;
	return done;
}
