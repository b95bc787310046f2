/* SPDX-License-Identifier: ISC */
#include "sync/bulk.h"

#include "sync/outbox.h"
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

void bulk_init(struct bulk *b, const struct bulk_opts *o)
{
	*b = (struct bulk){
		.o = *o,
		.window = WINDOW_FIRST,
		.threshold = o->ring->mask + 1,
		.shrunk_at = o->ring->next,
	};
}

void bulk_drop_peer(struct bulk *b, const struct peer *p)
{
	uint64_t keep = ~peer_bit(p);

	b->wanted &= keep;
	b->receivers &= keep;
	b->begun &= keep;
	b->ended &= keep;
	b->plain &= keep;
}

void bulk_new_life(struct bulk *b, const struct peer *p)
{
	b->peers[p->number].due_ms = 0;
}

/* ---- phases ------------------------------------------------------------- */

void bulk_want(struct bulk *b, const struct peer *p)
{
	b->wanted |= peer_bit(p);
}

void bulk_want_all(struct bulk *b)
{
	const struct roster *r = b->o.roster;

	b->is_forced = true;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (r->peers[i].is_live)
			bulk_want(b, &r->peers[i]);
}

static bool reads_marks(const struct bulk *b, const struct peer *p)
{
	return p->node && (p->capabilities & b->o.marks);
}

static bool hears_us(const struct bulk *b, const struct peer *p)
{
	return p->is_used && p->is_live &&
	       (p->has_answered || (p->never_answers && !reads_marks(b, p)));
}

static const struct peer *first_of(const struct bulk *b, uint64_t set)
{
	return &b->o.roster->peers[__builtin_ctzll(set)];
}

/* Those who want a walk and can be served now. */
static uint64_t ready(const struct bulk *b, int64_t now_ms)
{
	uint64_t set = 0;

	for (uint64_t left = b->wanted; left; left &= left - 1) {
		const struct peer *p = first_of(b, left);

		if (hears_us(b, p) &&
		    (b->is_forced || now_ms >= b->peers[p->number].due_ms))
			set |= peer_bit(p);
	}
	return set;
}

/* A request is a few bytes, what it draws is the whole table. Two walks for p
 * may follow each other at once, then it has to wait, the longer the larger the
 * table is. */
static void note_served(struct bulk *b, const struct peer *p, int64_t now_ms)
{
	int64_t *due_ms = &b->peers[p->number].due_ms;
	int64_t ms = (int64_t)flow_cache_n_entries(b->o.cache) * 1000 /
		     PAUSE_ENTRIES;

	ms = ms < PAUSE_LEAST_MS ? PAUSE_LEAST_MS : ms;
	ms = ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : ms;
	*due_ms += ms;
	if (*due_ms < now_ms)
		*due_ms = now_ms;
	if (*due_ms > now_ms + ms) /* it was forced on it */
		*due_ms = now_ms + ms;
}

static bool send_mark(const struct bulk *b, const struct peer *p,
		      enum ext_phase phase)
{
	const struct bulk_mark mark = { .phase = phase,
					.walk = b->walk,
					.n_entries = b->n_entries };

	return b->o.sink.mark(b->o.sink.ctx, p, &mark);
}

static void tell(const struct bulk *b, enum engine_event what,
		 const struct peer *p, int64_t now_ms)
{
	b->o.sink.event(b->o.sink.ctx, what, p, now_ms);
}

static void enter(struct bulk *b, enum bulk_phase phase, int64_t now_ms)
{
	b->phase = phase;
	b->phase_ms = now_ms;
}

static void start(struct bulk *b, int64_t now_ms)
{
	enter(b, BULK_BEGIN, now_ms);
	b->walk += EXT_WALK_STEP;
	b->receivers = b->begun = b->ended = b->plain = 0;
	b->n_entries = 0;
	tell(b, ENGINE_BULK_BEGINS, NULL, now_ms);
}

/* Who is ready takes part as long as the walk has not begun. */
static void join(struct bulk *b, int64_t now_ms)
{
	for (uint64_t set = ready(b, now_ms); set; set &= set - 1) {
		const struct peer *p = first_of(b, set);

		if (!reads_marks(b, p))
			b->plain |= peer_bit(p);
		else if (send_mark(b, p, EXT_BULK_BEGIN))
			b->receivers |= peer_bit(p);
		else
			continue; /* no memory: the next call tries again */
		b->wanted &= ~peer_bit(p);
		note_served(b, p, now_ms);
	}
}

static void begin_walk(struct bulk *b, int64_t now_ms)
{
	enter(b, BULK_WALK, now_ms);
	b->walk_ms = now_ms;
	b->wanted |= b->receivers & ~b->begun;
	b->receivers = b->begun;
	b->is_forced = false;
	b->round++;
	b->begin_seq = b->o.ring->next;
	b->position = FLOW_CACHE_NO_ID;
	b->is_fetching = b->o.sink.fetch != NULL;
	if (b->is_fetching)
		b->o.sink.fetch(b->o.sink.ctx);
}

void bulk_fetched(struct bulk *b, bool is_complete)
{
	b->is_fetching = false;
	b->position = FLOW_CACHE_NO_ID; /* some may be behind it */
	if (is_complete)
		return;
	b->wanted |= b->receivers;
	b->receivers = 0;
}

static void idle(struct bulk *b, int64_t now_ms)
{
	int64_t took_ms = b->took_ms;

	enter(b, BULK_IDLE, now_ms);
	b->took_ms = 0;
	b->pause_until_ms =
		now_ms + (took_ms > PAUSE_LEAST_MS ? took_ms : PAUSE_LEAST_MS);
}

/* A mark that is lost is asked for within a second; who never acknowledges it
 * does not hold up the others. */
static void begin(struct bulk *b, int64_t resend_ms, int64_t now_ms)
{
	bool is_for_any;

	join(b, now_ms);
	is_for_any = b->begun || b->plain || b->is_forced;
	if ((b->begun != b->receivers || ready(b, now_ms)) &&
	    now_ms - b->phase_ms < resend_ms)
		return;
	if (is_for_any) {
		begin_walk(b, now_ms);
	} else {
		b->wanted |= b->receivers;
		idle(b, now_ms);
	}
}

/* True if p has acknowledged every number of the walk. */
static bool is_proven(struct bulk *b, const struct peer *p)
{
	uint32_t *proved = &b->peers[p->number].proved;

	if (b->n_reprove)
		return false;
	if (seq_before(*proved, b->o.ring->first))
		*proved = b->o.ring->first;
	while (seq_before(*proved, b->prove_until) &&
	       !(ring_debtors(b->o.ring, *proved) & peer_bit(p)))
		++*proved;
	return !seq_before(*proved, b->prove_until);
}

static void prove(struct bulk *b, int64_t resend_ms, int64_t now_ms)
{
	/* Several tries of what is lost, on a long way too. */
	int64_t prove_ms = 4 * resend_ms > PROVE_MS ? 4 * resend_ms : PROVE_MS;

	for (uint64_t set = b->receivers & ~b->ended; set; set &= set - 1) {
		const struct peer *p = first_of(b, set);

		if (!is_proven(b, p) || !send_mark(b, p, EXT_BULK_END))
			continue;
		b->ended |= peer_bit(p);
		tell(b, ENGINE_BULK_PROVEN, p, now_ms);
	}
	if (b->wanted && now_ms - b->phase_ms >= prove_ms) {
		b->wanted |= b->receivers & ~b->ended;
		b->receivers = b->ended;
	}
	if (b->ended == b->receivers)
		idle(b, now_ms);
}

void bulk_walked(struct bulk *b, int64_t resend_ms, int64_t now_ms)
{
	enter(b, BULK_PROVE, now_ms);
	b->took_ms = now_ms - b->walk_ms;
	b->prove_until = b->o.ring->next;
	for (int i = 0; i < PEER_MAX; i++)
		b->peers[i].proved = b->begin_seq;
	tell(b, ENGINE_BULK_SENT, NULL, now_ms);
	prove(b, resend_ms, now_ms);
}

void bulk_progress(struct bulk *b, int64_t resend_ms, int64_t now_ms)
{
	switch (b->phase) {
	case BULK_IDLE:
		if (!b->is_forced &&
		    (now_ms < b->pause_until_ms || !ready(b, now_ms)))
			break;
		start(b, now_ms);
		begin(b, resend_ms, now_ms);
		break;
	case BULK_BEGIN:
		begin(b, resend_ms, now_ms);
		break;
	case BULK_WALK:
		break;
	case BULK_PROVE:
		prove(b, resend_ms, now_ms);
		break;
	}
}

/* ---- the walk ----------------------------------------------------------- */

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

enum bulk_step bulk_next(struct bulk *b, bool is_waited, uint32_t *n_skipped,
			 uint32_t *id)
{
	if (b->phase != BULK_WALK)
		return BULK_NONE;
	while (*n_skipped < SKIP_MOST) {
		uint32_t next = flow_cache_next(b->o.cache, b->position);

		if (next == FLOW_CACHE_NO_ID && b->is_fetching) {
			b->position = next; /* ids are given anew */
			return BULK_NONE;
		}
		if (next == FLOW_CACHE_NO_ID)
			return BULK_END;
		if (is_to_send(b, flow_cache_head(b->o.cache, next))) {
			*id = next;
			return is_waited && ring_used(b->o.ring) >= b->window
				       ? BULK_PAUSE
				       : BULK_SEND;
		}
		*n_skipped += next - b->position; /* free ids too */
		b->position = next;
	}
	return BULK_LATER;
}

bool bulk_has_entries(const struct bulk *b)
{
	return b->phase == BULK_WALK &&
	       (!b->is_fetching || flow_cache_n_entries(b->o.cache));
}

void bulk_took(struct bulk *b, uint32_t id)
{
	b->position = id;
	b->n_entries++;
}

bool bulk_tells_as_new(const struct bulk *b)
{
	return b->plain != 0;
}

void bulk_lost(struct bulk *b, uint32_t n, struct entry_head *h)
{
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

void bulk_sent(struct bulk *b, uint32_t n, struct entry_head *h)
{
	h->round = b->round;
	if (!(h->bulk & BULK_REPROVE))
		return;
	bulk_forget(b, h);
	if (b->phase == BULK_PROVE && !seq_before(n, b->prove_until))
		b->prove_until = n + 1;
}

void bulk_forget(struct bulk *b, struct entry_head *h)
{
	if (!(h->bulk & BULK_REPROVE))
		return;
	h->bulk &= (uint8_t)~BULK_REPROVE;
	b->n_reprove--;
}

bool bulk_mark_counts(const struct bulk *b, const struct bulk_mark *mark)
{
	/* What was proven stays so; a walk that went on without its receiver
	 * needs no begin. */
	return mark->phase == EXT_BULK_END ||
	       (mark->walk == b->walk && b->phase == BULK_BEGIN);
}

void bulk_mark_acked(struct bulk *b, const struct peer *p,
		     const struct bulk_mark *mark)
{
	if (mark->phase == EXT_BULK_BEGIN && bulk_mark_counts(b, mark))
		b->begun |= peer_bit(p) & b->receivers;
}

/* ---- pacing ------------------------------------------------------------- */

void bulk_acked(struct bulk *b, uint32_t n_acked)
{
	uint64_t grown = b->window;

	if (b->window < b->threshold)
		grown += n_acked;
	else
		grown += (uint64_t)n_acked * 1024 / b->window;
	if (grown > b->o.ring->mask + UINT64_C(1))
		grown = b->o.ring->mask + UINT64_C(1);
	b->window = (uint32_t)grown;
}

void bulk_nacked(struct bulk *b, uint32_t to)
{
	/* Not older than what can be missed, or it seems to lie ahead. */
	if (!seq_within(b->shrunk_at, b->o.ring->first, b->o.ring->next))
		b->shrunk_at = b->o.ring->first;
	if (seq_before(to, b->shrunk_at))
		return;
	b->shrunk_at = b->o.ring->next;
	b->threshold = b->window / 2;
	if (b->threshold < WINDOW_LEAST)
		b->threshold = WINDOW_LEAST;
	b->window = b->threshold;
}
