/* SPDX-License-Identifier: ISC */
/* The bulk: one walk over the internal cache behind all fresh changes, paced by
 * acknowledgements. To our own nodes it begins and ends with a mark, and the
 * end is said only when the receiver has got every entry. */
#include "sync/ftfw_state.h"
#include "sync/seq.h"

enum {
	WINDOW_FIRST = 8192,
	WINDOW_LEAST = 2048, /* several ACK windows of a reference (300) */
	SKIP_MOST = 4096,    /* entries passed over in one call */
};

void bulk_init(struct ftfw *f)
{
	f->bulk.window = WINDOW_FIRST;
	f->bulk.threshold = f->ring.mask + 1;
	f->bulk.shrunk_at = f->ring.next;
}

void bulk_want(struct ftfw *f, const struct peer *p)
{
	uint64_t who = 0;

	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *q = &f->peers.peers[i];

		if (p ? q == p : q->is_used && q->is_live)
			who |= peer_bit(q);
	}
	f->bulk.wanted |= who;
	if (!who)
		f->bulk.is_forced = true;
}

/* Peers that hear us, as far as can be known. */
static uint64_t hearing(const struct ftfw *f, bool only_ours)
{
	uint64_t set = 0;

	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if (!p->is_used || !p->is_live ||
		    (only_ours && !peer_reads_records(p)))
			continue;
		if (p->has_answered || (p->gave_up_hello && !only_ours))
			set |= peer_bit(p);
	}
	return set;
}

static void send_mark(struct ftfw *f, const struct peer *p,
		      enum ext_phase phase)
{
	ftfw_control(f, &(struct ctl){ .kind = CTL_MARK,
				       .peer = p->number,
				       .phase = (uint8_t)phase,
				       .from = f->bulk.walk,
				       .to = f->bulk.n_entries });
}

static void start(struct ftfw *f)
{
	struct bulk *b = &f->bulk;

	b->wanted &= ~hearing(f, false);
	b->is_forced = false;
	b->receivers = hearing(f, true);
	b->walk++;
	b->n_entries = flow_cache_stats(f->o.cache)->n_active;
	b->phase = BULK_BEGIN;
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (!(b->receivers & peer_bit(p)) || !p->is_used)
			continue;
		p->begin_acked = false;
		p->end_sent = false;
		send_mark(f, p, EXT_BULK_BEGIN);
	}
	ftfw_event(f, ENGINE_BULK_BEGINS, NULL);
}

static bool all_begun(const struct ftfw *f)
{
	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if (p->is_used && (f->bulk.receivers & peer_bit(p)) &&
		    !p->begin_acked)
			return false;
	}
	return true;
}

static void begin_walk(struct ftfw *f)
{
	struct bulk *b = &f->bulk;

	b->phase = BULK_WALK;
	b->round++;
	b->begin_seq = f->ring.next;
	b->position = FLOW_CACHE_NO_ID;
	b->n_entries = 0;
}

/* True if p has acknowledged every number of the walk. */
static bool is_proven(struct ftfw *f, struct peer *p)
{
	if (f->bulk.n_reprove)
		return false;
	if (seq_before(p->proved, f->ring.first))
		p->proved = f->ring.first;
	while (seq_before(p->proved, f->bulk.prove_until) &&
	       !(ring_owed(&f->ring, p->proved) & peer_bit(p)))
		p->proved++;
	return !seq_before(p->proved, f->bulk.prove_until);
}

static void prove(struct ftfw *f)
{
	bool is_done = true;

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (!p->is_used || !(f->bulk.receivers & peer_bit(p)) ||
		    p->end_sent)
			continue;
		if (!is_proven(f, p)) {
			is_done = false;
			continue;
		}
		send_mark(f, p, EXT_BULK_END);
		p->end_sent = true;
		ftfw_event(f, ENGINE_BULK_PROVEN, p);
	}
	if (is_done)
		f->bulk.phase = BULK_IDLE;
}

static void end_walk(struct ftfw *f)
{
	f->bulk.phase = BULK_PROVE;
	f->bulk.prove_until = f->ring.next;
	for (int i = 0; i < PEER_MAX; i++)
		f->peers.peers[i].proved = f->bulk.begin_seq;
	ftfw_event(f, ENGINE_BULK_SENT, NULL);
	prove(f);
}

void bulk_progress(struct ftfw *f)
{
	struct bulk *b = &f->bulk;

	switch (b->phase) {
	case BULK_IDLE:
		if (b->is_forced || (b->wanted & hearing(f, false)))
			start(f);
		break;
	case BULK_BEGIN:
		if (all_begun(f))
			begin_walk(f);
		break;
	case BULK_WALK:
		break;
	case BULK_PROVE:
		prove(f);
		break;
	}
}

/* Dead and queued ones are told of anyway; what was sent since the begin is
 * already on its way. The number it was sent under does not tell: half of all
 * numbers later it seems to lie ahead. */
static bool is_to_send(const struct bulk *b, const struct entry_head *h)
{
	if (h->state == ENTRY_FREE || h->state == ENTRY_DEAD ||
	    (h->flags & ENTRY_QUEUED))
		return false;
	return !(h->flags & ENTRY_SENT) || h->generation != b->round;
}

enum fill bulk_fill(struct ftfw *f, struct wr *w)
{
	struct bulk *b = &f->bulk;

	b->is_scanning = false;
	if (b->phase != BULK_WALK)
		return FILL_IDLE;
	for (int n_skipped = 0; n_skipped < SKIP_MOST;) {
		uint32_t id = flow_cache_next(f->o.cache, b->position);
		enum fill done;

		if (id == FLOW_CACHE_NO_ID) {
			end_walk(f);
			return FILL_IDLE;
		}
		if (!is_to_send(b, flow_cache_head(f->o.cache, id))) {
			b->position = id;
			n_skipped++;
			continue;
		}
		if (f->waited && ring_used(&f->ring) >= b->window)
			return FILL_WAIT;
		done = ftfw_send_entry(f, w, id);
		if (done != FILL_SOME)
			return done;
		b->position = id;
		b->n_entries++;
	}
	b->is_scanning = true;
	return FILL_IDLE;
}

void bulk_lost(struct ftfw *f, uint32_t n, struct entry_head *h)
{
	const struct bulk *b = &f->bulk;
	bool counts = (b->phase == BULK_WALK || b->phase == BULK_PROVE) &&
		      !seq_before(n, b->begin_seq) &&
		      (b->phase == BULK_WALK || seq_before(n, b->prove_until));

	if (!counts || (h->flags & ENTRY_REPROVE))
		return;
	h->flags |= ENTRY_REPROVE;
	f->bulk.n_reprove++;
}

void bulk_sent(struct ftfw *f, uint32_t n, struct entry_head *h)
{
	h->generation = f->bulk.round;
	if (!(h->flags & ENTRY_REPROVE))
		return;
	bulk_forget(f, h);
	if (f->bulk.phase == BULK_PROVE && !seq_before(n, f->bulk.prove_until))
		f->bulk.prove_until = n + 1;
}

void bulk_forget(struct ftfw *f, struct entry_head *h)
{
	if (!(h->flags & ENTRY_REPROVE))
		return;
	h->flags &= (uint8_t)~ENTRY_REPROVE;
	f->bulk.n_reprove--;
}

void bulk_mark_acked(struct ftfw *f, struct peer *p, const struct ctl *mark)
{
	if (mark->kind == CTL_MARK && mark->peer == p->number &&
	    mark->phase == EXT_BULK_BEGIN && mark->from == f->bulk.walk)
		p->begin_acked = true;
}

void bulk_acked(struct ftfw *f, uint32_t n_acked)
{
	struct bulk *b = &f->bulk;
	uint64_t grown = b->window;

	if (b->window < b->threshold)
		grown += n_acked;
	else
		grown += (uint64_t)n_acked * 1024 / b->window;
	if (grown > f->ring.mask + UINT64_C(1))
		grown = f->ring.mask + UINT64_C(1);
	b->window = (uint32_t)grown;
}

void bulk_nacked(struct ftfw *f, uint32_t to)
{
	struct bulk *b = &f->bulk;

	if (seq_before(to, b->shrunk_at))
		return;
	b->shrunk_at = f->ring.next;
	b->threshold = b->window / 2;
	if (b->threshold < WINDOW_LEAST)
		b->threshold = WINDOW_LEAST;
	b->window = b->threshold;
}

void bulk_drop_peer(struct ftfw *f, struct peer *p)
{
	f->bulk.wanted &= ~peer_bit(p);
	f->bulk.receivers &= ~peer_bit(p);
}
