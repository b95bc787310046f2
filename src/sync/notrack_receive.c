/* SPDX-License-Identifier: ISC */
/* What a message that arrived does to the NOTRACK engine. */
#include "sync/notrack_state.h"

enum { FAILED_MS = 10000 }; /* who asks again so soon has not got all */

/* What is malformed to a reference in this mode is so here (PROTOCOL.md 3.4).
 */
static bool is_known_header(const struct msg *m)
{
	if (msg_is_data(m))
		return true;
	return m->type == MSG_CTL && !(m->flags & (MSG_ACK | MSG_NACK)) &&
	       (m->flags & (MSG_RESYNC | MSG_ALIVE));
}

/* ---- numbers ------------------------------------------------------------ */

/* The last number under which the sender has told something new, as it says. */
static bool told_of(const struct ext_alive *ext, uint32_t *told)
{
	struct rd records = ext ? ext->records : (struct rd){ 0 };
	struct ext_record r;
	enum ext_step step;

	while ((step = ext_next(&records, &r)) == EXT_RECORD ||
	       step == EXT_UNKNOWN)
		if (step == EXT_RECORD && r.type == EXT_TOLD) {
			*told = r.told;
			return true;
		}
	return false;
}

/* Nothing that a reference says is dropped for its number, which may be that of
 * a new life. What is late of a node of ours is: it holds less than what that
 * has told since, and what was missed is told anew. */
static bool note_number(struct notrack *t, struct peer *p, const struct msg *m,
			const struct ext_alive *ext, int64_t now_ms)
{
	struct order *o = lives_order(&t->l, p);
	const struct order_msg place = {
		.seq = m->seq,
		.is_node = p->node != 0,
		.has_id = ext != NULL,
		.is_content = ext && p->is_live,
		.is_plain = p->node && !ext && (m->flags & MSG_ALIVE),
		.announced_ms = p->announced_ms,
	};
	uint32_t told;

	switch (order_judge(o, &place, now_ms)) {
	case ORDER_LATE:
	case ORDER_WILD:
		t->l.n_before++;
		return !p->node;
	case ORDER_RESTART:
		lives_renumbered(&t->l, p, ext, now_ms);
		break;
	case ORDER_GAP:
		t->l.n_lost += m->seq - o->last - 1;
		notrack_gap(t, p, o->last, now_ms);
		break;
	case ORDER_NEXT:
		break;
	}
	if (told_of(ext, &told))
		notrack_told(t, p, told, now_ms);
	order_take(o, &place, INT64_MAX, now_ms);
	roster_accepted(p, m->seq, now_ms);
	return true;
}

/* ---- what it says ------------------------------------------------------- */

/* p is to be told all. */
static void take_request(struct notrack *t, const struct peer *p,
			 int64_t now_ms)
{
	struct bulk *b = &t->l.bulk;
	bool was_served = (b->receivers | b->plain) & peer_bit(p);
	bool is_now = b->phase == BULK_WALK ||
		      (t->has_walked && now_ms - t->walked_ms < FAILED_MS);

	if (b->wanted & peer_bit(p)) /* it is waiting */
		return;
	if (was_served && is_now)
		pace_slower(&t->pace);
	else
		pace_faster(&t->pace);
	bulk_want(b, p);
}

static void take_mark(struct notrack *t, struct peer *p,
		      const struct ext_record *r)
{
	if (r->mark.node && r->mark.node != t->l.o.node)
		return;
	switch (intake_mark(&t->l.intake, p, (enum ext_phase)r->mark.phase,
			    r->mark.walk, r->mark.n_entries)) {
	case INTAKE_NONE:
		break;
	case INTAKE_BEGINS:
		intake_told_anew(&t->l.intake, p);
		roster_next_generation(p);
		break;
	case INTAKE_ENDS:
		notrack_repaired(t, p);
		t->l.o.sink.sweep(t->l.o.sink.ctx, p);
		break;
	}
}

static void take_records(struct notrack *t, struct peer *p, struct rd records,
			 int64_t now_ms)
{
	struct ext_record r;
	enum ext_step step;

	while ((step = ext_next(&records, &r)) == EXT_RECORD ||
	       step == EXT_UNKNOWN) {
		if (step == EXT_UNKNOWN)
			continue;
		if (r.type == EXT_BULK_MARK)
			take_mark(t, p, &r);
		else if (r.type == EXT_WANT && r.asked == t->l.o.node)
			take_request(t, p, now_ms);
	}
}

static enum verdict digest(struct notrack *t, struct peer *p,
			   const struct msg *m, const struct ext_alive *ext,
			   int64_t now_ms)
{
	enum verdict v = VERDICT_OK;

	if (msg_is_data(m)) {
		v = t->l.o.sink.data(t->l.o.sink.ctx, p, m, now_ms);
		intake_told(&t->l.intake, p, v != VERDICT_NO_ROOM);
	} else if (m->flags & MSG_RESYNC) {
		lives_event(&t->l, ENGINE_PEER_ASKS_BULK, p, now_ms);
		take_request(t, p, now_ms);
	} else if (ext) {
		take_records(t, p, ext->records, now_ms);
	} else if (!p->node) { /* no node of ours says it without its id */
		lives_is_reference(&t->l, p);
	}
	return v;
}

enum verdict notrack_receive(struct engine *e, const struct peer_addr *from,
			     const struct msg *m, int64_t now_ms)
{
	struct notrack *t = CONTAINER_OF(e, struct notrack, base);
	struct ext_alive announcement;
	const struct ext_alive *ext;
	struct peer *p;
	enum verdict v;

	t->called_ms = now_ms;
	if (!is_known_header(m))
		return VERDICT_BAD_HEADER;
	ext = lives_announcement(m, &announcement) ? &announcement : NULL;
	p = lives_identify(&t->l, from, m, ext, now_ms);
	if (!p)
		return VERDICT_IGNORED;
	(void)roster_answered(p); /* nobody is waited for */
	notrack_note_life(t, p, now_ms);
	notrack_joined(t, p, now_ms);
	if (!note_number(t, p, m, ext, now_ms))
		return VERDICT_BEFORE;
	v = digest(t, p, m, ext, now_ms);
	lives_heard(&t->l, p, now_ms);
	bulk_progress(&t->l.bulk, NOTRACK_MARK_MS, now_ms);
	return v;
}
