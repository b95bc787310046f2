/* SPDX-License-Identifier: ISC */
/* The next datagram of the FT-FW engine: control messages first, then changed
 * entries, then the bulk. */
#include "sync/ftfw_state.h"
#include "sync/seq.h"

/* Slots that control messages leave to announcements, which go on while the
 * ring is stuck: for RESEND_MOST_MS at most, every PROBE_MS. */
enum { ANNOUNCE_SLOTS = RESEND_MOST_MS / PROBE_MS + 10 };

enum {
	CAPABILITIES = EXT_CAP_ADDRESSED_ACK | EXT_CAP_WHOLE_UPDATES,
	HELD_LEN = 8, /* a record that is in every ALIVE of ours */
};

/* A reference that has not answered, or does not any more: one that knows
 * higher numbers of an earlier life of ours is deaf without HELLO. */
static bool wants_hello(const struct peer *p)
{
	if (!p->is_used || !p->is_reference)
		return false;
	return p->is_live ? !p->has_answered && !p->gave_up_hello : p->is_deaf;
}

/* HELLO is in every announcement until somebody has answered. For one that
 * comes later, or gets deaf, it is tried for a while only, and not again soon:
 * a reference empties its resend queue at each HELLO it hears, whoever it is
 * for. Other messages do without: a reference takes them in order after the
 * announcement that it heard, and with HELLO in any order. */
static bool needs_hello(struct ftfw *f)
{
	int64_t since_ms = f->now_ms - f->hello_since_ms;
	bool is_wanted = false;

	for (int i = 0; i < PEER_MAX; i++)
		is_wanted |= wants_hello(&f->peers.peers[i]);
	if (is_wanted && (!f->has_tried_hello || since_ms >= HELLO_PAUSE_MS)) {
		f->has_tried_hello = true;
		f->hello_since_ms = f->now_ms;
		since_ms = 0;
	}
	return !f->ever_answered || (is_wanted && since_ms < HELLO_TRY_MS);
}

/* It was tried for long enough: who has not answered never will. */
static void give_up_hello(struct ftfw *f)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (wants_hello(p) && p->is_live &&
		    f->now_ms - p->found_ms > HELLO_TRY_MS &&
		    (!f->ever_answered ||
		     (f->hello_since_ms >= p->found_ms &&
		      f->now_ms - f->hello_since_ms >= HELLO_TRY_MS)))
			p->gave_up_hello = true;
	}
}

/* Ends the message and holds it under its number, to be acknowledged by these
 * peers. False: it did not fit. */
static bool end(struct ftfw *f, struct wr *w, size_t offset,
		struct ring_ref ref, uint64_t owed)
{
	if (!wire_end(w, offset))
		return false;
	if (offset && w->used > f->room) {
		w->used = offset;
		return false;
	}
	/* What waits for others than those that hear us waits for nobody. */
	if (f->waited && !owed && ref.kind != RING_NONE) {
		ftfw_drop(f, ref);
		ref = (struct ring_ref){ RING_NONE, 0 };
	}
	ftfw_hold(f, ref, owed);
	return true;
}

/* While nobody is there who would acknowledge, the oldest numbers go. */
static void make_room(struct ftfw *f)
{
	if (f->waited)
		return;
	while (ring_free(&f->ring) <= (f->ring.mask + 1) / 4 &&
	       !ring_owed(&f->ring, f->ring.first))
		ftfw_release(f, f->ring.first);
}

static bool has_room(const struct ftfw *f, const struct wr *w, size_t n)
{
	return !w->used || w->used + n <= f->room;
}

/* Our ALIVE, with what every one says: who we are, and what we hold. */
static size_t begin_alive(struct ftfw *f, struct wr *w, uint8_t flags)
{
	size_t offset = wire_begin(w, MSG_CTL, MSG_ALIVE | flags, f->ring.next);

	ext_begin(w, CAPABILITIES, f->o.node);
	ext_add(w, &(struct ext_record){ .type = EXT_HELD,
					 .oldest = f->ring.first });
	return offset;
}

/* Nodes of ours that have not answered, or do not any more, are asked to. */
static void add_asks(const struct ftfw *f, struct wr *w)
{
	const size_t len = ext_record_len(EXT_ASK);

	for (int i = 0; i < PEER_MAX && has_room(f, w, len); i++) {
		const struct peer *p = &f->peers.peers[i];
		bool is_asked = p->is_live ? !p->has_answered : p->is_deaf;

		if (p->is_used && is_asked && peer_reads_records(p))
			ext_add(w, &(struct ext_record){ .type = EXT_ASK,
							 .asked = p->node });
	}
}

/* The ALIVE that comes every second: it has our name, too. */
static bool send_announcement(struct ftfw *f, struct wr *w)
{
	struct ext_record name = { .type = EXT_STABLE_NAME };
	uint8_t flags = f->says_hello ? MSG_HELLO : 0;
	size_t offset;

	make_room(f);
	if (!ring_free(&f->ring)) {
		f->announced_ms = f->now_ms; /* not at once again */
		return true;
	}
	if (f->owes_hello_back)
		flags |= MSG_HELLO_BACK;
	offset = begin_alive(f, w, flags);
	memcpy(name.name, f->o.name, EXT_NAME_SIZE);
	ext_add(w, &name);
	add_asks(f, w);
	if (!end(f, w, offset, (struct ring_ref){ RING_NONE, 0 }, 0))
		return false;
	if (f->says_hello) {
		f->hello_end = f->ring.next;
		f->said_hello_ms = f->now_ms;
	}
	f->announced_ms = f->now_ms;
	f->must_announce = f->owes_hello_back = false;
	return true;
}

/* Who owes an answer for a control message, of those who hear us. */
static uint64_t receivers(const struct ftfw *f, const struct ctl *c)
{
	return f->waited &
	       (c->kind == CTL_RESYNC ? UINT64_MAX : UINT64_C(1) << c->peer);
}

/* As many waiting marks as fit, in one ALIVE. */
static enum fill send_marks(struct ftfw *f, struct wr *w)
{
	const size_t len = ext_record_len(EXT_BULK_MARK);
	struct ctl_queue taken = { 0 };
	uint64_t owed = 0;
	size_t offset;

	if (!has_room(f, w, WIRE_HEADER_LEN + EXT_FIXED_LEN + HELD_LEN + len))
		return FILL_FULL;
	offset = begin_alive(f, w, 0);
	while (f->marks.first && (!taken.first || has_room(f, w, len))) {
		uint32_t id = ctl_queue_pop(&f->marks, &f->pool);
		const struct ctl *c = ctl_at(&f->pool, id);
		struct ext_record r = { .type = EXT_BULK_MARK };

		r.mark.node = c->node;
		r.mark.phase = c->phase;
		r.mark.walk = c->from;
		r.mark.n_entries = c->to;
		ext_add(w, &r);
		ctl_queue_append(&taken, &f->pool, id);
		owed |= receivers(f, c);
	}
	if (end(f, w, offset, (struct ring_ref){ RING_CTL, taken.first }, owed))
		return FILL_SOME;
	ctl_queue_append(&f->marks, &f->pool, taken.first);
	return FILL_FULL;
}

/* ---- answers: nothing waits for them, the next one says it again --------- */

static bool is_answer_due(const struct ftfw *f, const struct peer *p)
{
	return p->is_used && (p->is_live || p->is_deaf) &&
	       f->now_ms >= order_due_ms(&p->rx);
}

static struct ext_record range_of(const struct peer *p,
				  enum ext_record_type type, struct seq_run run)
{
	return (struct ext_record){
		.type = (uint16_t)type,
		.range = { .node = p->node, .from = run.from, .to = run.to },
	};
}

/* Acknowledgements go before the request: what it asks for in one piece, but
 * has come, is owed no more when it is read. */
static void add_answer(struct ftfw *f, struct wr *w, struct peer *p)
{
	struct order *rx = &p->rx;
	struct ext_record r;

	for (uint8_t i = 0; i < rx->n_runs; i++) {
		r = range_of(p, EXT_ACK, rx->runs[i]);
		ext_add(w, &r);
	}
	order_acked(rx, f->now_ms);
	if (!rx->is_ask_due || f->now_ms < rx->ask_due_ms)
		return;
	r = range_of(p, EXT_NACK, rx->unasked);
	ext_add(w, &r);
	order_asked(rx, ftfw_again_ms(p), f->now_ms);
}

/* To all nodes of ours that are to have one, in one ALIVE, as far as it has
 * room. */
static enum fill send_records(struct ftfw *f, struct wr *w)
{
	const size_t len = (ORDER_RUNS + 1) * ext_record_len(EXT_ACK);
	size_t offset = 0;
	bool is_begun = false;

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (!peer_reads_records(p) || !is_answer_due(f, p))
			continue;
		if (is_begun && !has_room(f, w, len))
			break; /* the next one has the others */
		if (!is_begun &&
		    !has_room(f, w,
			      WIRE_HEADER_LEN + EXT_FIXED_LEN + HELD_LEN + len))
			return FILL_FULL;
		if (!is_begun)
			offset = begin_alive(f, w, 0);
		is_begun = true;
		add_answer(f, w, p);
	}
	if (is_begun &&
	    !end(f, w, offset, (struct ring_ref){ RING_NONE, 0 }, 0))
		return FILL_FULL;
	return FILL_SOME;
}

/* To one that is no node of ours. What it has missed it asks for itself; what
 * we have missed it must hear. */
static enum fill send_plain_answer(struct ftfw *f, struct wr *w, struct peer *p)
{
	struct order *rx = &p->rx;

	while (rx->n_runs && rx->is_ack_due) {
		size_t offset;

		if (ring_free(&f->ring) <= ANNOUNCE_SLOTS)
			return FILL_WAIT;
		if (!has_room(f, w, WIRE_RANGE_LEN))
			return FILL_FULL;
		offset = wire_begin(w, MSG_CTL, MSG_ACK, f->ring.next);
		wr_be32(w, rx->runs[0].from);
		wr_be32(w, rx->runs[0].to);
		if (!end(f, w, offset, (struct ring_ref){ RING_NONE, 0 }, 0))
			return FILL_FULL;
		order_told(rx, f->now_ms);
	}
	if (!rx->n_runs)
		order_acked(rx, f->now_ms);
	if (!rx->is_ask_due || f->now_ms < rx->ask_due_ms)
		return FILL_SOME;
	if (!ftfw_control(f, &(struct ctl){ .kind = CTL_NACK,
					    .peer = p->number,
					    .from = rx->unasked.from,
					    .to = rx->unasked.to })) {
		rx->ask_due_ms = f->now_ms + NACK_MS; /* tried again */
		return FILL_SOME;
	}
	order_asked(rx, RESEND_MS, f->now_ms);
	p->has_unsent_nack = true;
	return FILL_SOME;
}

static enum fill send_answers(struct ftfw *f, struct wr *w)
{
	enum fill done = send_records(f, w);

	for (int i = 0; i < PEER_MAX && done == FILL_SOME; i++) {
		struct peer *p = &f->peers.peers[i];

		if (!peer_reads_records(p) && is_answer_due(f, p))
			done = send_plain_answer(f, w, p);
	}
	return done;
}

/* ---- what must not be lost ----------------------------------------------- */

static bool hears_requests(const struct peer *p)
{
	return p->has_answered || p->gave_up_hello;
}

/* A reference has told all it has when it acknowledges this: what it had told
 * before is older, even if it was asked then, too. */
static void begin_proof(struct ftfw *f, uint32_t n)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (!p->is_used || !p->is_live || !hears_requests(p))
			continue;
		p->is_incomplete = p->is_proven = false;
		if (p->node)
			continue;
		p->generation++;
		p->is_proving = true;
		p->proof_seq = n;
	}
}

static void note_plain(struct ftfw *f, const struct ctl *c, uint32_t n)
{
	struct peer *p = &f->peers.peers[c->peer];

	if (c->kind == CTL_RESYNC)
		begin_proof(f, n);
	if (c->kind != CTL_NACK)
		return;
	p->has_unsent_nack = false;
	p->proof_seq = n;
}

static enum fill send_plain(struct ftfw *f, struct wr *w)
{
	const struct ctl c = *ctl_at(&f->pool, f->plain.first);
	uint32_t n = f->ring.next;
	size_t offset;
	uint32_t id;

	if (!has_room(f, w, WIRE_RANGE_LEN))
		return FILL_FULL;
	id = ctl_queue_pop(&f->plain, &f->pool);
	offset = wire_begin(w, MSG_CTL,
			    c.kind == CTL_NACK ? MSG_NACK : MSG_RESYNC, n);
	wr_be32(w, c.from);
	wr_be32(w, c.to);
	if (!end(f, w, offset, (struct ring_ref){ RING_CTL, id },
		 receivers(f, &c))) {
		ctl_queue_append(&f->plain, &f->pool, id);
		return FILL_FULL;
	}
	note_plain(f, &c, n);
	return FILL_SOME;
}

/* A request for a bulk is worth sending only to somebody who will not miss it,
 * a peer that has answered or one that never acknowledges anything, and not
 * with HELLO: a reference forgets what it has sent at each that it hears. */
static bool can_resync(const struct ftfw *f)
{
	bool is_heard = f->waited && !f->says_hello;

	for (int i = 0; i < PEER_MAX; i++)
		is_heard |= f->peers.peers[i].is_used &&
			    f->peers.peers[i].is_live &&
			    f->peers.peers[i].gave_up_hello;
	return is_heard;
}

/* Some peer is to be asked for what we lack, and there is room for it. */
static bool wants_resync(const struct ftfw *f)
{
	if (f->has_resynced && f->now_ms - f->resync_ms < RESYNC_MS)
		return false;
	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if (p->is_used && p->is_live && p->is_incomplete &&
		    (p->node || p->is_reference))
			return !f->o.sink.has_room ||
			       f->o.sink.has_room(f->o.sink.ctx);
	}
	return false;
}

static void queue_resync(struct ftfw *f)
{
	if (!f->was_asked_for_resync && !wants_resync(f))
		return;
	if (!can_resync(f) ||
	    !ftfw_control(f, &(struct ctl){ .kind = CTL_RESYNC }))
		return;
	f->was_asked_for_resync = false;
	f->resync_ms = f->now_ms;
	f->has_resynced = true;
}

/* A node of ours owes us an answer: an announcement shows it what it missed. Or
 * one of us is new, which is believed when it was said twice. */
static bool is_eager(const struct ftfw *f)
{
	if (f->now_ms - f->started_ms < RESTART_MS)
		return true;
	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if (!p->is_used || !p->is_live || !peer_reads_records(p))
			continue;
		if (p->n_owed ||
		    (!p->has_answered && f->now_ms - p->found_ms < RESTART_MS))
			return true;
	}
	return false;
}

static int64_t announcement_due_ms(const struct ftfw *f)
{
	if (f->must_announce)
		return f->now_ms;
	return f->announced_ms + (is_eager(f) ? PROBE_MS : ALIVE_MS);
}

static bool is_announcement_due(const struct ftfw *f)
{
	return f->now_ms >= announcement_due_ms(f);
}

/* An update is merged by the peer into what it has (spec 5.5), be it of an
 * earlier life of the same addresses and ports, whose translation would stay.
 * So what was not sent before is new, though it may have changed since. */
static enum msg_type type_of(const struct entry_head *h)
{
	if (h->state == ENTRY_DEAD)
		return MSG_CT_DEL;
	return h->state == ENTRY_NEW || !(h->outbox & OUTBOX_SENT) ? MSG_CT_NEW
								   : MSG_CT_UPD;
}

enum fill ftfw_send_entry(struct ftfw *f, struct wr *w, uint32_t id)
{
	struct entry_head *h = flow_cache_head(f->o.cache, id);
	uint32_t n = f->ring.next;
	struct flow flow;
	size_t offset;

	/* A quarter of the slots is for control messages. */
	make_room(f);
	if (ring_free(&f->ring) <= (f->ring.mask + 1) / 4)
		return FILL_WAIT;
	flow_cache_get(f->o.cache, id, &flow);
	offset = wire_begin(w, type_of(h), 0, n);
	wire_flow_encode(w, &f->o.wire, &flow);
	if (!end(f, w, offset, (struct ring_ref){ RING_FLOW, id }, f->waited))
		return FILL_FULL;
	h->last_seq = n;
	h->outbox |= OUTBOX_SENT;
	bulk_sent(f, n, h);
	return FILL_SOME;
}

static enum fill fill_control(struct ftfw *f, struct wr *w)
{
	enum fill done = FILL_SOME;

	make_room(f);
	if (ring_free(&f->ring) > ANNOUNCE_SLOTS)
		done = send_answers(f, w);
	queue_resync(f);
	while (done == FILL_SOME && (f->plain.first || f->marks.first)) {
		make_room(f);
		if (ring_free(&f->ring) <= ANNOUNCE_SLOTS)
			done = FILL_WAIT;
		else if (f->plain.first)
			done = send_plain(f, w);
		else
			done = send_marks(f, w);
	}
	if (done != FILL_FULL && is_announcement_due(f) &&
	    !send_announcement(f, w))
		done = FILL_FULL;
	return done;
}

static enum fill fill_dirty(struct ftfw *f, struct wr *w)
{
	while (f->dirty.first != FLOW_CACHE_NO_ID) {
		uint32_t id = f->dirty.first;
		enum fill done = ftfw_send_entry(f, w, id);

		if (done != FILL_SOME)
			return done;
		queue_remove(&f->dirty, f->o.cache, id);
		flow_cache_head(f->o.cache, id)->outbox &=
			(uint8_t)~OUTBOX_QUEUED;
	}
	return FILL_SOME;
}

enum fill ftfw_fill(struct engine *e, struct wr *w, size_t room, int64_t now_ms)
{
	struct ftfw *f = CONTAINER_OF(e, struct ftfw, base);
	enum fill done;

	f->now_ms = now_ms;
	f->room = room;
	f->bulk.is_scanning = false;
	if (is_announcement_due(f)) {
		ftfw_check_lives(f);
		give_up_hello(f);
	}
	f->says_hello = needs_hello(f);
	f->waited = peer_waited(&f->peers);
	ftfw_spare_entries(f);
	if (f->must_announce && !send_announcement(f, w))
		return FILL_FULL;
	done = fill_control(f, w);
	if (done == FILL_SOME)
		done = fill_dirty(f, w);
	if (done == FILL_SOME) {
		bulk_progress(f);
		done = bulk_fill(f, w);
	}
	if (done == FILL_FULL)
		return FILL_FULL;
	if (w->used)
		return FILL_SOME;
	return done == FILL_WAIT ? FILL_WAIT : FILL_IDLE;
}

int64_t ftfw_due_ms(struct engine *e)
{
	const struct ftfw *f = CONTAINER_OF(e, struct ftfw, base);
	int64_t due = announcement_due_ms(f);

	if (!ring_free(&f->ring)) /* what must be announced has no slot */
		due = f->announced_ms + PROBE_MS;
	if (f->bulk.is_scanning)
		return f->now_ms;
	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if (p->is_used && (p->is_live || p->is_deaf) &&
		    ring_free(&f->ring) > ANNOUNCE_SLOTS &&
		    order_due_ms(&p->rx) < due)
			due = order_due_ms(&p->rx);
	}
	return due;
}
