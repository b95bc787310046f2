/* SPDX-License-Identifier: ISC */
/* The next datagram of the FT-FW engine: control messages first, then changed
 * entries, then the bulk. */
#include "sync/ftfw_state.h"
#include "sync/seq.h"

/* Slots that control messages leave to announcements, which go on while the
 * ring is stuck: it is for RESEND_MS at most. */
enum { ANNOUNCE_SLOTS = 64 };

enum { CAPABILITIES = EXT_CAP_ADDRESSED_ACK | EXT_CAP_WHOLE_UPDATES };

/* It has said HELLO_BACK, to us or to somebody else, or to our last life: its
 * first acknowledgement will tell, and must come soon. */
static bool may_hear_us(const struct ftfw *f, const struct peer *p)
{
	return p->back_ms && f->now_ms - p->back_ms < HELLO_TRY_MS;
}

/* HELLO goes on every message until somebody has answered: a node that knows
 * higher numbers of an earlier life of ours is deaf without it. For a peer
 * that comes later it is tried for a while only. It stops as early as it can,
 * for a reference empties its resend queue at each HELLO it hears. A deaf node
 * of ours is asked this way whether it hears us again. */
static bool needs_hello(const struct ftfw *f)
{
	bool is_alone = !f->ever_answered;

	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if (!p->is_used)
			continue;
		if (!p->is_live && p->is_deaf && p->node)
			return true;
		if (!p->is_live || p->has_answered)
			continue;
		if (!may_hear_us(f, p) && !p->gave_up_hello)
			return true;
		is_alone &= !may_hear_us(f, p);
	}
	return is_alone;
}

static size_t begin(struct ftfw *f, struct wr *w, enum msg_type type,
		    uint8_t flags)
{
	if (f->says_hello)
		flags |= MSG_HELLO;
	if (f->owes_hello_back)
		flags |= MSG_HELLO_BACK;
	return wire_begin(w, type, flags, f->ring.next);
}

/* Ends the message and holds it under its number. False: it did not fit. */
static bool end(struct ftfw *f, struct wr *w, size_t offset,
		struct ring_ref ref)
{
	if (!wire_end(w, offset))
		return false;
	if (offset && w->used > f->room) {
		w->used = offset;
		return false;
	}
	ring_push(&f->ring, ref, ref.kind == RING_NONE ? 0 : f->waited);
	if (f->says_hello)
		f->hello_end = f->ring.next;
	f->owes_hello_back = false;
	return true;
}

/* A record for the control message, to be read by its receiver. */
static struct ext_record record_of(const struct ftfw *f, const struct ctl *c)
{
	const uint64_t node = f->peers.peers[c->peer].node;
	struct ext_record r = { .type = EXT_BULK_MARK };

	if (c->kind == CTL_MARK) {
		r.mark.node = node;
		r.mark.phase = c->phase;
		r.mark.walk = c->from;
		r.mark.n_entries = c->to;
		return r;
	}
	r.type = c->kind == CTL_ACK ? EXT_ACK : EXT_NACK;
	r.range.node = node;
	r.range.from = c->from;
	r.range.to = c->to;
	return r;
}

static bool has_room(const struct ftfw *f, const struct wr *w, size_t n)
{
	return !w->used || w->used + n <= f->room;
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

/* Our ALIVE: id, capabilities and name. */
static bool send_announcement(struct ftfw *f, struct wr *w)
{
	struct ext_record name = { .type = EXT_STABLE_NAME };
	size_t offset;

	make_room(f);
	if (!ring_free(&f->ring)) {
		f->announced_ms = f->now_ms; /* not at once again */
		return true;
	}
	offset = begin(f, w, MSG_CTL, MSG_ALIVE);
	memcpy(name.name, f->o.name, EXT_NAME_SIZE);
	ext_begin(w, CAPABILITIES, f->o.node);
	ext_add(w, &name);
	if (!end(f, w, offset, (struct ring_ref){ RING_NONE, 0 }))
		return false;
	f->announced_ms = f->now_ms;
	f->has_repeated = f->has_announced;
	f->has_announced = true;
	return true;
}

/* As many waiting records as fit, in one ALIVE; it is held under its number
 * like any message that must not be lost. */
static enum fill send_addressed(struct ftfw *f, struct wr *w)
{
	struct ctl_queue taken = { 0 };
	size_t offset;
	uint32_t id;

	if (!has_room(f, w,
		      WIRE_HEADER_LEN + EXT_FIXED_LEN +
			      ext_record_len(EXT_BULK_MARK)))
		return FILL_FULL;
	offset = begin(f, w, MSG_CTL, MSG_ALIVE);
	ext_begin(w, CAPABILITIES, f->o.node);
	while (f->addressed.first &&
	       (!taken.first ||
		has_room(f, w, ext_record_len(EXT_BULK_MARK)))) {
		struct ext_record r;

		id = ctl_queue_pop(&f->addressed, &f->pool);
		r = record_of(f, ctl_at(&f->pool, id));
		ext_add(w, &r);
		ctl_queue_append(&taken, &f->pool, id);
	}
	if (end(f, w, offset, (struct ring_ref){ RING_CTL, taken.first }))
		return FILL_SOME;
	ctl_queue_append(&f->addressed, &f->pool, taken.first);
	return FILL_FULL;
}

static uint8_t plain_flag(enum ctl_kind kind)
{
	switch (kind) {
	case CTL_ACK:
		return MSG_ACK;
	case CTL_NACK:
		return MSG_NACK;
	case CTL_RESYNC:
		return MSG_RESYNC;
	case CTL_MARK: /* is never plain */
		break;
	}
	return MSG_ALIVE;
}

static enum fill send_plain(struct ftfw *f, struct wr *w)
{
	const struct ctl *c = ctl_at(&f->pool, f->plain.first);
	size_t offset;
	uint32_t id;

	if (!has_room(f, w, WIRE_RANGE_LEN))
		return FILL_FULL;
	id = ctl_queue_pop(&f->plain, &f->pool);
	offset = begin(f, w, MSG_CTL, plain_flag(c->kind));
	wr_be32(w, c->from);
	wr_be32(w, c->to);
	return end(f, w, offset, (struct ring_ref){ RING_CTL, id }) ? FILL_SOME
								    : FILL_FULL;
}

/* A request for a bulk is worth sending only to somebody who will not miss it:
 * a peer that has answered, or one that never acknowledges anything. */
static void queue_resync(struct ftfw *f)
{
	bool is_heard = f->waited != 0;

	for (int i = 0; i < PEER_MAX; i++)
		is_heard |= f->peers.peers[i].is_used &&
			    f->peers.peers[i].is_live &&
			    f->peers.peers[i].gave_up_hello;
	if (!is_heard || !f->n_resync_wanted)
		return;
	f->n_resync_wanted = 0;
	ftfw_control(f, &(struct ctl){ .kind = CTL_RESYNC });
}

static void queue_due_acks(struct ftfw *f)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (p->is_used && p->rx.ack_pending &&
		    f->now_ms >= p->rx.ack_due_ms)
			ftfw_acknowledge(f, p);
	}
}

static int64_t announcement_due_ms(const struct ftfw *f)
{
	/* A new life is believed when it has been announced twice. */
	int64_t interval_ms = f->has_repeated ? ALIVE_MS : PROBE_MS;

	if (!f->has_announced)
		return f->now_ms;
	for (int i = 0; i < PEER_MAX && f->ring.first != f->ring.next; i++)
		if (peer_reads_records(&f->peers.peers[i]) &&
		    f->peers.peers[i].is_live)
			interval_ms = PROBE_MS;
	return f->announced_ms + interval_ms;
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
	return h->state == ENTRY_NEW || !(h->flags & ENTRY_SENT) ? MSG_CT_NEW
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
	offset = begin(f, w, type_of(h), 0);
	wire_flow_encode(w, &f->o.wire, &flow);
	if (!end(f, w, offset, (struct ring_ref){ RING_FLOW, id }))
		return FILL_FULL;
	h->last_seq = n;
	h->flags |= ENTRY_SENT;
	bulk_sent(f, n, h);
	return FILL_SOME;
}

static enum fill fill_control(struct ftfw *f, struct wr *w)
{
	enum fill done = FILL_SOME;

	queue_due_acks(f);
	queue_resync(f);
	while (done == FILL_SOME && (f->plain.first || f->addressed.first)) {
		make_room(f);
		if (ring_free(&f->ring) <= ANNOUNCE_SLOTS)
			done = FILL_WAIT;
		else if (f->plain.first)
			done = send_plain(f, w);
		else
			done = send_addressed(f, w);
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
	}
	return FILL_SOME;
}

enum fill ftfw_fill(struct engine *e, struct wr *w, size_t room, int64_t now_ms)
{
	struct ftfw *f = CONTAINER_OF(e, struct ftfw, base);
	enum fill done;

	f->now_ms = now_ms;
	f->room = room;
	if (is_announcement_due(f))
		ftfw_check_lives(f);
	f->says_hello = needs_hello(f);
	f->waited = peer_waited(&f->peers);
	ftfw_spare_entries(f);
	/* A node's first message tells who it is. */
	if (!f->has_announced && !send_announcement(f, w))
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

	if (f->bulk.is_scanning)
		return f->now_ms;
	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if (p->is_used && p->rx.ack_pending && p->rx.ack_due_ms < due)
			due = p->rx.ack_due_ms;
	}
	return due;
}
