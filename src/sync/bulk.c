/* SPDX-License-Identifier: ISC */
/* The bulk: one walk over the internal cache behind all fresh changes, paced by
 * acknowledgements. To our own nodes it begins and ends with a mark, and the
 * end is said only when the receiver has got every entry. */
#include "sync/ftfw_state.h"
#include "sync/seq.h"

enum {
	WINDOW_FIRST = 8192,
	WINDOW_LEAST = 2048,  /* several ACK windows of a reference (300) */
	SKIP_MOST = 4096,     /* ids passed over in one call, or twice that */
	PAUSE_LEAST_MS = 300, /* between two walks that peers want */
	PAUSE_MOST_MS = 15000,
	PAUSE_ENTRIES = 1333, /* for each second of it */
	PROVE_MS = 30000,     /* one that takes longer is served anew later */
};

void bulk_init(struct ftfw *f)
{
	f->bulk.window = WINDOW_FIRST;
	f->bulk.threshold = f->ring.mask + 1;
	f->bulk.shrunk_at = f->ring.next;
}

void bulk_want(struct ftfw *f, const struct peer *p)
{
	if (p) {
		f->bulk.wanted |= peer_bit(p);
		return;
	}
	f->bulk.is_forced = true;
	for (int i = 0; i < PEER_MAX; i++)
		if (f->peers.peers[i].is_used && f->peers.peers[i].is_live)
			f->bulk.wanted |= peer_bit(&f->peers.peers[i]);
}

static bool hears_us(const struct peer *p)
{
	return p->is_used && p->is_live &&
	       (p->has_answered ||
		(p->gave_up_hello && !peer_reads_records(p)));
}

/* Those who want a walk and can be served now. */
static uint64_t ready(const struct ftfw *f)
{
	uint64_t set = 0;

	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if ((f->bulk.wanted & peer_bit(p)) && hears_us(p) &&
		    (f->bulk.is_forced || f->now_ms >= p->bulk_due_ms))
			set |= peer_bit(p);
	}
	return set;
}

/* A request is a few bytes, what it draws is the whole table. Two walks for p
 * may follow each other at once, then it has to wait, the longer the larger the
 * table is. */
static void note_served(const struct ftfw *f, struct peer *p)
{
	int64_t ms = (int64_t)flow_cache_stats(f->o.cache)->n_active * 1000 /
		     PAUSE_ENTRIES;

	ms = ms < PAUSE_LEAST_MS ? PAUSE_LEAST_MS : ms;
	ms = ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : ms;
	p->bulk_due_ms += ms;
	if (p->bulk_due_ms < f->now_ms)
		p->bulk_due_ms = f->now_ms;
	if (p->bulk_due_ms > f->now_ms + ms) /* it was forced on it */
		p->bulk_due_ms = f->now_ms + ms;
}

static bool send_mark(struct ftfw *f, const struct peer *p,
		      enum ext_phase phase)
{
	return ftfw_control(f, &(struct ctl){ .kind = CTL_MARK,
					      .peer = p->number,
					      .phase = (uint8_t)phase,
					      .from = f->bulk.walk,
					      .to = f->bulk.n_entries,
					      .node = p->node });
}

static void enter(struct ftfw *f, enum bulk_phase phase)
{
	f->bulk.phase = phase;
	f->bulk.phase_ms = f->now_ms;
}

static void start(struct ftfw *f)
{
	struct bulk *b = &f->bulk;

	enter(f, BULK_BEGIN);
	b->walk += WALK_STEP;
	b->receivers = b->begun = b->ended = b->plain = 0;
	b->n_entries = 0;
	ftfw_event(f, ENGINE_BULK_BEGINS, NULL);
}

/* Who is ready takes part as long as the walk has not begun. */
static void join(struct ftfw *f)
{
	struct bulk *b = &f->bulk;

	for (uint64_t set = ready(f); set; set &= set - 1) {
		struct peer *p = &f->peers.peers[__builtin_ctzll(set)];

		if (!peer_reads_records(p))
			b->plain |= peer_bit(p);
		else if (send_mark(f, p, EXT_BULK_BEGIN))
			b->receivers |= peer_bit(p);
		else
			continue; /* no memory: the next call tries again */
		b->wanted &= ~peer_bit(p);
		note_served(f, p);
	}
}

/* A mark that is lost is asked for within a second; who never acknowledges it
 * does not hold up the others. */
static bool is_overdue(const struct ftfw *f)
{
	return f->now_ms - f->bulk.phase_ms >= ftfw_resend_ms(f);
}

static void begin_walk(struct ftfw *f)
{
	struct bulk *b = &f->bulk;

	enter(f, BULK_WALK);
	b->walk_ms = f->now_ms;
	b->wanted |= b->receivers & ~b->begun;
	b->receivers = b->begun;
	b->is_forced = false;
	b->round++;
	b->begin_seq = f->ring.next;
	b->position = FLOW_CACHE_NO_ID;
}

static void idle(struct ftfw *f)
{
	int64_t took_ms = f->bulk.took_ms;

	enter(f, BULK_IDLE);
	f->bulk.took_ms = 0;
	f->bulk.pause_until_ms =
		f->now_ms +
		(took_ms > PAUSE_LEAST_MS ? took_ms : PAUSE_LEAST_MS);
}

static void begin(struct ftfw *f)
{
	struct bulk *b = &f->bulk;
	bool is_for_any;

	join(f);
	is_for_any = b->begun || b->plain || b->is_forced;
	if ((b->begun != b->receivers || ready(f)) && !is_overdue(f))
		return;
	if (is_for_any) {
		begin_walk(f);
	} else {
		b->wanted |= b->receivers;
		idle(f);
	}
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

/* Several tries of what is lost, on a long way too. */
static int64_t prove_ms(const struct ftfw *f)
{
	int64_t ms = 4 * ftfw_resend_ms(f);

	return ms > PROVE_MS ? ms : PROVE_MS;
}

static void prove(struct ftfw *f)
{
	struct bulk *b = &f->bulk;

	for (uint64_t set = b->receivers & ~b->ended; set; set &= set - 1) {
		struct peer *p = &f->peers.peers[__builtin_ctzll(set)];

		if (!is_proven(f, p) || !send_mark(f, p, EXT_BULK_END))
			continue;
		b->ended |= peer_bit(p);
		ftfw_event(f, ENGINE_BULK_PROVEN, p);
	}
	if (b->wanted && f->now_ms - b->phase_ms >= prove_ms(f)) {
		b->wanted |= b->receivers & ~b->ended;
		b->receivers = b->ended;
	}
	if (b->ended == b->receivers)
		idle(f);
}

static void end_walk(struct ftfw *f)
{
	enter(f, BULK_PROVE);
	f->bulk.took_ms = f->now_ms - f->bulk.walk_ms;
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
		if (!b->is_forced &&
		    (f->now_ms < b->pause_until_ms || !ready(f)))
			break;
		start(f);
		begin(f);
		break;
	case BULK_BEGIN:
		begin(f);
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
	    (h->outbox & OUTBOX_QUEUED))
		return false;
	return !(h->outbox & OUTBOX_SENT) || h->round != b->round;
}

enum fill bulk_fill(struct ftfw *f, struct wr *w)
{
	struct bulk *b = &f->bulk;

	if (b->phase != BULK_WALK)
		return FILL_IDLE;
	for (uint32_t n_skipped = 0; n_skipped < SKIP_MOST;) {
		uint32_t id = flow_cache_next(f->o.cache, b->position);
		struct entry_head *h;
		enum fill done;

		if (id == FLOW_CACHE_NO_ID) {
			end_walk(f);
			return FILL_IDLE;
		}
		h = flow_cache_head(f->o.cache, id);
		if (!is_to_send(b, h)) {
			n_skipped += id - b->position; /* free ids too */
			b->position = id;
			continue;
		}
		if (f->waited && ring_used(&f->ring) >= b->window)
			return FILL_WAIT;
		/* A reference may have missed that it began anew. */
		if (b->plain)
			h->outbox &= (uint8_t)~OUTBOX_SENT;
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
	struct bulk *b = &f->bulk;
	bool counts = (b->phase == BULK_WALK || b->phase == BULK_PROVE) &&
		      !seq_before(n, b->begin_seq) &&
		      (b->phase == BULK_WALK || seq_before(n, b->prove_until));

	if (!counts || (h->bulk & BULK_REPROVE))
		return;
	if ((h->outbox & OUTBOX_SENT) && h->last_seq != n) {
		if (b->phase == BULK_PROVE &&
		    !seq_before(h->last_seq, b->prove_until))
			b->prove_until = h->last_seq + 1;
		return;
	}
	/* Neither sent nor waiting: it has the id of one that has gone. */
	if (!(h->outbox & (OUTBOX_SENT | OUTBOX_QUEUED)))
		return;
	h->bulk |= BULK_REPROVE;
	b->n_reprove++;
}

void bulk_sent(struct ftfw *f, uint32_t n, struct entry_head *h)
{
	h->round = f->bulk.round;
	if (!(h->bulk & BULK_REPROVE))
		return;
	bulk_forget(f, h);
	if (f->bulk.phase == BULK_PROVE && !seq_before(n, f->bulk.prove_until))
		f->bulk.prove_until = n + 1;
}

void bulk_forget(struct ftfw *f, struct entry_head *h)
{
	if (!(h->bulk & BULK_REPROVE))
		return;
	h->bulk &= (uint8_t)~BULK_REPROVE;
	f->bulk.n_reprove--;
}

void bulk_mark_acked(struct ftfw *f, const struct peer *p,
		     const struct ctl *mark)
{
	if (mark->kind == CTL_MARK && mark->peer == p->number &&
	    mark->node == p->node && mark->phase == EXT_BULK_BEGIN &&
	    bulk_mark_counts(f, mark))
		f->bulk.begun |= peer_bit(p) & f->bulk.receivers;
}

bool bulk_mark_counts(const struct ftfw *f, const struct ctl *mark)
{
	/* What was proven stays so; a walk that went on without its receiver
	 * needs no begin. */
	return mark->phase == EXT_BULK_END ||
	       (mark->from == f->bulk.walk && f->bulk.phase == BULK_BEGIN);
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

	/* Not older than what can be missed, or it seems to lie ahead. */
	if (!seq_within(b->shrunk_at, f->ring.first, f->ring.next))
		b->shrunk_at = f->ring.first;
	if (seq_before(to, b->shrunk_at))
		return;
	b->shrunk_at = f->ring.next;
	b->threshold = b->window / 2;
	if (b->threshold < WINDOW_LEAST)
		b->threshold = WINDOW_LEAST;
	b->window = b->threshold;
}

void bulk_drop_peer(struct ftfw *f, const struct peer *p)
{
	uint64_t keep = ~peer_bit(p);

	f->bulk.wanted &= keep;
	f->bulk.receivers &= keep;
	f->bulk.begun &= keep;
	f->bulk.ended &= keep;
	f->bulk.plain &= keep;
}
