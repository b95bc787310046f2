/* SPDX-License-Identifier: ISC */
/* The next datagram of the FT-FW engine: control messages first, then changed
 * entries, then the bulk. */
#include "sync/ftfw_state.h"
#include "sync/message.h"

static enum fill send_entry(struct ftfw *f, const struct turn *t, uint32_t id)
{
	struct entry_head *h = flow_cache_head(f->l.o.cache, id);
	const struct message_entry what = { id, (enum entry_state)h->state,
					    h->outbox & OUTBOX_SENT };
	uint32_t n = ftfw_next(f);
	size_t offset;

	outbox_make_room(&f->l.outbox, t->waited);
	if (!outbox_has_room(&f->l.outbox))
		return FILL_WAIT;
	offset = message_entry(t->w, n, &f->l.o.wire, f->l.o.cache, &what);
	if (!ftfw_end(f, t, offset, (struct ring_ref){ RING_FLOW, id },
		      t->waited))
		return FILL_FULL;
	outbox_sent(&f->l.outbox, n, id);
	bulk_sent(&f->l.bulk, n, h);
	return FILL_SOME;
}

static enum fill fill_dirty(struct ftfw *f, const struct turn *t)
{
	enum fill done = FILL_SOME;

	while (done == FILL_SOME && f->l.outbox.dirty.first != FLOW_CACHE_NO_ID)
		done = send_entry(f, t, f->l.outbox.dirty.first);
	return done;
}

static enum fill send_bulk_entry(struct ftfw *f, const struct turn *t,
				 uint32_t id)
{
	enum fill done;

	if (bulk_tells_as_new(&f->l.bulk))
		outbox_tell_as_new(flow_cache_head(f->l.o.cache, id));
	done = send_entry(f, t, id);
	if (done == FILL_SOME)
		bulk_took(&f->l.bulk, id);
	return done;
}

static enum fill fill_bulk(struct ftfw *f, const struct turn *t)
{
	uint32_t n_skipped = 0, id;
	enum fill done = FILL_SOME;

	bulk_progress(&f->l.bulk, outbox_resend_ms(&f->l.outbox), t->now_ms);
	while (done == FILL_SOME)
		switch (bulk_next(&f->l.bulk, t->waited != 0, &n_skipped,
				  &id)) {
		case BULK_SEND:
			done = send_bulk_entry(f, t, id);
			break;
		case BULK_PAUSE:
			return FILL_WAIT;
		case BULK_LATER:
			f->is_scanning = true;
			return FILL_IDLE;
		case BULK_END:
			bulk_walked(&f->l.bulk, outbox_resend_ms(&f->l.outbox),
				    t->now_ms);
			return FILL_IDLE;
		case BULK_NONE:
			return FILL_IDLE;
		}
	return done;
}

/* ---- the engine's ------------------------------------------------------- */

static enum fill fill_all(struct ftfw *f, const struct turn *t)
{
	enum fill done;

	if (f->l.must_announce && !ftfw_announce(f, t))
		return FILL_FULL;
	done = ftfw_fill_control(f, t);
	if (done == FILL_SOME)
		done = fill_dirty(f, t);
	if (done == FILL_SOME)
		done = fill_bulk(f, t);
	return done;
}

enum fill ftfw_fill(struct engine *e, struct wr *w, size_t room, int64_t now_ms)
{
	struct ftfw *f = CONTAINER_OF(e, struct ftfw, base);
	struct turn t = { .w = w, .room = room, .now_ms = now_ms };
	enum fill done;

	f->called_ms = now_ms;
	f->is_scanning = false;
	if (now_ms >= ftfw_announcement_due_ms(f, now_ms)) {
		lives_check(&f->l, now_ms);
		hello_give_up(&f->hello, &f->l.roster, now_ms);
	}
	t.says_hello = hello_is_due(&f->hello, &f->l.roster, now_ms);
	t.waited = roster_waited(&f->l.roster);
	outbox_spare_entries(&f->l.outbox);
	done = fill_all(f, &t);
	if (done == FILL_FULL)
		return FILL_FULL;
	if (w->used)
		return FILL_SOME;
	return done == FILL_WAIT ? FILL_WAIT : FILL_IDLE;
}

int64_t ftfw_due_ms(struct engine *e)
{
	const struct ftfw *f = CONTAINER_OF(e, struct ftfw, base);
	const struct roster *r = &f->l.roster;
	int64_t due_ms = ftfw_announcement_due_ms(f, f->called_ms);

	if (!ring_free(&f->l.outbox.ring)) /* what must be said has no slot */
		due_ms = f->announced_ms + FTFW_PROBE_MS;
	if (f->is_scanning)
		return f->called_ms;
	if (!ftfw_has_slot(f))
		return due_ms;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (peer_is_heard(&r->peers[i]) &&
		    order_due_ms(&f->l.orders[i]) < due_ms)
			due_ms = order_due_ms(&f->l.orders[i]);
	return due_ms;
}
