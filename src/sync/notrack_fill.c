/* SPDX-License-Identifier: ISC */
/* The next datagram of the NOTRACK engine: control messages first, then changed
 * entries, then the bulk. */
#include "sync/message.h"
#include "sync/notrack_state.h"

enum {
	ALIVE_MS = 1000,
	EAGER_MS = 3000, /* one of us is that new: believed when said twice */
	EAGER_ALIVE_MS = 200,
};

/* One call of fill(): the datagram, and what does not change in it. */
struct turn {
	struct wr *w;
	size_t room; /* bytes of a datagram with several messages */
	int64_t now_ms;
};

/* Whether it tells something new: or else it is not missed but by those who
 * are being told all. */
enum weight { NOTHING_NEW, NEWS };

/* Ends the message begun at offset, and takes its number. False: it did not
 * fit, and is taken back. */
static bool end_message(struct notrack *t, const struct turn *n, size_t offset,
			enum weight weight)
{
	const struct ring_ref nothing = { RING_NONE, 0 };

	if (!wire_end(n->w, offset))
		return false;
	if (offset && n->w->used > n->room) {
		n->w->used = offset;
		return false;
	}
	if (weight == NEWS)
		t->told = t->l.outbox.ring.next;
	outbox_hold(&t->l.outbox, nothing, 0, 0, n->now_ms);
	return true;
}

static size_t begin_alive(const struct notrack *t, const struct turn *n)
{
	const struct message_self self = lives_self(&t->l);
	uint32_t next = t->l.outbox.ring.next;
	size_t offset = message_alive(n->w, next, 0, &self, next);

	message_add_told(n->w, t->told);
	return offset;
}

/* ---- announcements ------------------------------------------------------ */

/* Nodes of ours that lack something of each other. */
static void add_wants(struct notrack *t, const struct turn *n)
{
	const struct roster *r = &t->l.roster;
	const size_t len = ext_record_len(EXT_WANT);

	for (int i = roster_next(r, -1); i >= 0 && n->w->used + len <= n->room;
	     i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];

		if (notrack_want_due_ms(t, p) > n->now_ms)
			continue;
		message_add_ask(n->w, EXT_WANT, p->node);
		notrack_wanted(t, p, n->now_ms);
	}
}

static bool announce(struct notrack *t, const struct turn *n)
{
	const size_t len =
		message_alive_len(EXT_STABLE_NAME) + ext_record_len(EXT_TOLD);
	size_t offset = n->w->used;

	if (offset && offset + len > n->room)
		return false;
	offset = begin_alive(t, n);
	message_add_name(n->w, t->l.o.name);
	add_wants(t, n);
	if (!end_message(t, n, offset, NOTHING_NEW))
		return false;
	t->announced_ms = n->now_ms;
	t->l.must_announce = false;
	return true;
}

static bool is_eager(const struct notrack *t, int64_t now_ms)
{
	const struct roster *r = &t->l.roster;

	if (now_ms - t->started_ms < EAGER_MS)
		return true;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (r->peers[i].is_live &&
		    now_ms - r->peers[i].found_ms < EAGER_MS)
			return true;
	return false;
}

static int64_t announcement_due_ms(const struct notrack *t, int64_t now_ms)
{
	const struct roster *r = &t->l.roster;
	int64_t eager_ms = t->announced_ms + EAGER_ALIVE_MS, due_ms;

	if (t->l.must_announce)
		return now_ms;
	if (is_eager(t, now_ms))
		return eager_ms;
	due_ms = t->announced_ms + ALIVE_MS;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		int64_t want_ms = notrack_want_due_ms(t, &r->peers[i]);

		if (want_ms < due_ms)
			due_ms = want_ms > eager_ms ? want_ms : eager_ms;
	}
	return due_ms;
}

/* ---- requests and marks ------------------------------------------------- */

/* Of the peers: those that can tell a loss are asked again until they have told
 * all. */
static bool send_resync(struct notrack *t, const struct turn *n)
{
	const struct roster *r = &t->l.roster;
	size_t offset = message_range(n->w, t->l.outbox.ring.next, MSG_RESYNC,
				      (struct seq_run){ 0, 0 });

	if (!end_message(t, n, offset, NEWS))
		return false;
	intake_asked(&t->l.intake, n->now_ms);
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		notrack_wanted(t, &r->peers[i], n->now_ms);
	return true;
}

static bool send_mark(struct notrack *t, const struct turn *n)
{
	struct outbox *b = &t->l.outbox;
	const struct ctl c = *ctl_at(&b->pool, b->marks.first);
	size_t offset = begin_alive(t, n);

	message_add_mark(n->w, c.node, (enum ext_phase)c.phase, c.from, c.to);
	if (!end_message(t, n, offset, NEWS))
		return false;
	ctl_free_chain(&b->pool, ctl_queue_pop(&b->marks, &b->pool));
	lives_mark_acked(&t->l, &t->l.roster.peers[c.peer], &c);
	return true;
}

static enum fill fill_control(struct notrack *t, const struct turn *n)
{
	bool done = true;

	if (n->now_ms >= announcement_due_ms(t, n->now_ms))
		done = announce(t, n);
	if (done && intake_is_asked_for(&t->l.intake))
		done = send_resync(t, n);
	while (done && t->l.outbox.marks.first)
		done = send_mark(t, n);
	return done ? FILL_SOME : FILL_FULL;
}

/* ---- entries ------------------------------------------------------------ */

/* What becomes of an entry that was sent: nobody will acknowledge it, so one
 * that has ended is over, and so is every one where there is no cache. */
static void sent(struct notrack *t, uint32_t n, uint32_t id)
{
	struct entry_head *h = flow_cache_head(t->l.o.cache, id);

	outbox_sent(&t->l.outbox, n, id);
	bulk_sent(&t->l.bulk, n, h);
	if (h->state == ENTRY_DEAD || !lives_has_cache(&t->l))
		flow_cache_remove(t->l.o.cache, id);
}

/* What begins here with a change is known to the peers (TOUCH_CHANGE). */
static enum entry_state state_of(const struct notrack *t,
				 const struct entry_head *h)
{
	bool is_change = !lives_has_cache(&t->l) && h->outbox & OUTBOX_SENT;

	return h->state == ENTRY_NEW && is_change ? ENTRY_ALIVE
						  : (enum entry_state)h->state;
}

static enum fill send_entry(struct notrack *t, const struct turn *n,
			    uint32_t id, enum weight weight)
{
	const struct entry_head *h = flow_cache_head(t->l.o.cache, id);
	const struct message_entry what = { id, state_of(t, h),
					    h->outbox & OUTBOX_SENT };
	uint32_t number = t->l.outbox.ring.next;
	size_t offset =
		message_entry(n->w, number, &t->l.o.wire, t->l.o.cache, &what);

	if (!end_message(t, n, offset, weight))
		return FILL_FULL;
	sent(t, number, id);
	return FILL_SOME;
}

static enum fill fill_dirty(struct notrack *t, const struct turn *n)
{
	enum fill done = FILL_SOME;

	while (done == FILL_SOME && t->l.outbox.dirty.first != FLOW_CACHE_NO_ID)
		done = send_entry(t, n, t->l.outbox.dirty.first, NEWS);
	return done;
}

/* Whoever lacks something may have an earlier life of the same addresses and
 * ports, so all is told as new. */
static enum fill send_bulk_entry(struct notrack *t, const struct turn *n,
				 uint32_t id)
{
	size_t before = n->w->used;
	enum fill done;

	outbox_tell_as_new(flow_cache_head(t->l.o.cache, id));
	done = send_entry(t, n, id, NOTHING_NEW);
	if (done != FILL_SOME)
		return done;
	bulk_took(&t->l.bulk, id);
	pace_spent(&t->pace, n->w->used - before);
	return done;
}

static void end_walk(struct notrack *t, int64_t now_ms)
{
	bulk_walked(&t->l.bulk, NOTRACK_MARK_MS, now_ms);
	t->has_walked = true;
	t->walked_ms = now_ms;
}

static enum fill fill_bulk(struct notrack *t, const struct turn *n)
{
	uint32_t n_skipped = 0, id;
	enum fill done = FILL_SOME;

	bulk_progress(&t->l.bulk, NOTRACK_MARK_MS, n->now_ms);
	if (t->l.bulk.phase == BULK_WALK && !pace_allows(&t->pace, n->now_ms))
		return FILL_IDLE;
	while (done == FILL_SOME)
		switch (bulk_next(&t->l.bulk, false, &n_skipped, &id)) {
		case BULK_SEND:
			done = send_bulk_entry(t, n, id);
			break;
		case BULK_LATER:
			t->is_scanning = true;
			return FILL_IDLE;
		case BULK_END:
			end_walk(t, n->now_ms);
			return FILL_IDLE;
		case BULK_PAUSE: /* only where somebody is waited for */
		case BULK_NONE:
			return FILL_IDLE;
		}
	return done;
}

/* ---- the engine's ------------------------------------------------------- */

enum fill notrack_fill(struct engine *e, struct wr *w, size_t room,
		       int64_t now_ms)
{
	struct notrack *t = CONTAINER_OF(e, struct notrack, base);
	const struct turn n = { .w = w, .room = room, .now_ms = now_ms };
	enum fill done;

	t->called_ms = now_ms;
	t->is_scanning = false;
	if (now_ms >= announcement_due_ms(t, now_ms)) {
		lives_check(&t->l, now_ms);
		notrack_check_losses(t, now_ms);
	}
	done = fill_control(t, &n);
	if (done == FILL_SOME)
		done = fill_dirty(t, &n);
	if (done == FILL_SOME)
		done = fill_bulk(t, &n);
	if (done == FILL_FULL)
		return FILL_FULL;
	return w->used ? FILL_SOME : FILL_IDLE;
}

int64_t notrack_due_ms(struct engine *e)
{
	const struct notrack *t = CONTAINER_OF(e, struct notrack, base);
	int64_t due_ms = announcement_due_ms(t, t->called_ms);

	if (t->is_scanning || t->l.outbox.marks.first)
		return t->called_ms;
	if (bulk_has_entries(&t->l.bulk) && pace_due_ms(&t->pace) < due_ms)
		due_ms = pace_due_ms(&t->pace);
	return due_ms;
}
