/* SPDX-License-Identifier: ISC */
/* Which nodes are there, in which of their lives, and whether they hear us. */
#include <string.h>

#include "base/hash.h"
#include "sync/ftfw_state.h"
#include "sync/seq.h"

enum {
	NEAR = 4096,     /* numbers between two announcements of a life */
	RIVAL_MS = 3000, /* longer than late datagrams of an old life come */
};

/* ---- who is it? --------------------------------------------------------- */

static bool stable_name(struct rd records, uint8_t name[EXT_NAME_SIZE])
{
	struct ext_record r;
	enum ext_step step;

	while ((step = ext_next(&records, &r)) == EXT_RECORD ||
	       step == EXT_UNKNOWN)
		if (step == EXT_RECORD && r.type == EXT_STABLE_NAME) {
			memcpy(name, r.name, EXT_NAME_SIZE);
			return true;
		}
	return false;
}

static bool is_named(const struct peer *p, const uint8_t name[EXT_NAME_SIZE])
{
	return p->is_used && p->has_name &&
	       memcmp(p->name, name, EXT_NAME_SIZE) == 0;
}

/* The peer with this name; of two, the one that is not heard any more. */
static struct peer *peer_of_name(struct ftfw *f,
				 const uint8_t name[EXT_NAME_SIZE])
{
	struct peer *found = NULL;

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (is_named(p, name) &&
		    (!found || p->announced_ms < found->announced_ms))
			found = p;
	}
	return found;
}

static struct peer *add_peer(struct ftfw *f, const struct peer_addr *from)
{
	struct peer *p = peer_add(&f->peers, from, f->now_ms);

	if (p)
		bulk_drop_peer(f, p); /* what its number stood for before */
	ftfw_event(f, p ? ENGINE_PEER_FOUND : ENGINE_PEER_REFUSED, p);
	return p;
}

/* ---- one life after the other ------------------------------------------- */

/* True if the claim was made before. Of two that are made by turns the first
 * one is judged first. */
static bool note_claim(const struct ftfw *f, struct peer *p,
		       const struct msg *m, uint64_t node)
{
	bool is_same =
		p->claimed_node == node && m->seq - p->claimed_seq < NEAR;

	if (!is_same && p->claimed_node && p->claimed_node != node &&
	    f->now_ms - p->claimed_ms < RESTART_MS)
		return false;
	if (!is_same)
		p->claimed_since_ms = f->now_ms;
	p->claimed_node = node;
	p->claimed_seq = m->seq;
	p->claimed_ms = f->now_ms;
	return is_same;
}

enum claim {
	CLAIM_GRANTED,
	CLAIM_WAITS,
	CLAIM_RIVAL, /* both go on being heard */
};

/* A new node id where another one is known. It is believed when it was said
 * twice and the old one, which is said every second, is not any more: a wrong,
 * late or forged id would cut us off from the real node. */
static enum claim judge_claim(const struct ftfw *f, struct peer *p,
			      const struct msg *m, uint64_t node,
			      int64_t silence_ms)
{
	int64_t old_ms = p->node ? p->announced_ms : p->rx.in_order_ms;

	if (!p->is_live && !p->is_deaf)
		return CLAIM_GRANTED;
	if (!note_claim(f, p, m, node))
		return CLAIM_WAITS;
	if (old_ms - p->claimed_since_ms >= RIVAL_MS)
		return CLAIM_RIVAL;
	return f->now_ms - old_ms >= silence_ms &&
			       f->now_ms > p->claimed_since_ms
		       ? CLAIM_GRANTED
		       : CLAIM_WAITS;
}

/* An earlier life that goes on announcing itself: if the present one does not
 * any more, that was a forgery. If both do, from places of their own, they are
 * two nodes. Otherwise it is replayed, or very late. */
static bool is_now(struct ftfw *f, struct peer *p, const struct peer_addr *from,
		   const struct msg *m, uint64_t node)
{
	if (!note_claim(f, p, m, node) ||
	    f->now_ms - p->claimed_since_ms < RESTART_MS)
		return false;
	if (f->now_ms - p->announced_ms >= RESTART_MS) {
		/* What the other one has said is wrong. */
		p->is_incomplete = true;
	} else {
		if (peer_same_place(from, &p->announced_at))
			return false;
		peer_forget_addr(p, from);
	}
	peer_forget_old_node(p, node);
	return true;
}

static bool may_be_now(struct ftfw *f, const struct peer_addr *from,
		       const struct msg *m, uint64_t node)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (p->is_used && peer_is_old_node(p, node) &&
		    !is_now(f, p, from, m, node))
			return false;
	}
	return true;
}

static bool is_near(uint32_t a, uint32_t b)
{
	return a - b < NEAR || b - a < NEAR;
}

/* ---- one node, taken for two -------------------------------------------- */

/* q was heard at a place before it said that it is p. */
static void merge(struct ftfw *f, struct peer *p, struct peer *q)
{
	p->n_lost += q->n_lost;
	p->n_before += q->n_before;
	p->n_foreign += q->n_foreign;
	bulk_drop_peer(f, q);
	ftfw_settle(f, q, SETTLE_SEND_AGAIN);
	q->n_lost = q->n_before = q->n_foreign = 0;
	peer_take_places(p, q);
	q->is_used = q->is_live = q->is_deaf = false;
	q->has_answered = q->has_name = false;
	if (f->o.sink.merge)
		f->o.sink.merge(f->o.sink.ctx, q->number, q->generation, p);
}

/* p is heard at this place, where another one may have been known. */
static void settle_at(struct ftfw *f, struct peer *p,
		      const struct peer_addr *from)
{
	struct peer *at = peer_at(&f->peers, from);

	if (at == p)
		return;
	if (at && !at->node && !at->has_name) {
		/* Late words of a life before are not what is true now. */
		p->is_incomplete |= p->rx.is_set && at->rx.is_set &&
				    !is_near(at->rx.last, p->rx.last);
		order_join(&p->rx, &at->rx, f->now_ms);
		merge(f, p, at);
	}
	peer_add_addr(&f->peers, p, from);
}

/* ---- announcements ------------------------------------------------------ */

/* A life has one name. Another one is believed when it is said twice. */
static void note_name(struct peer *p, const uint8_t name[EXT_NAME_SIZE])
{
	bool is_other =
		p->has_name && memcmp(p->name, name, EXT_NAME_SIZE) != 0;

	if (is_other && memcmp(p->said_name, name, EXT_NAME_SIZE) != 0) {
		memcpy(p->said_name, name, EXT_NAME_SIZE);
		return;
	}
	memcpy(p->name, name, EXT_NAME_SIZE);
	memcpy(p->said_name, name, EXT_NAME_SIZE);
	p->has_name = true;
}

static void note_announcement(const struct ftfw *f, struct peer *p,
			      const struct peer_addr *from,
			      const struct ext_alive *ext)
{
	uint8_t name[EXT_NAME_SIZE];

	p->announced_ms = f->now_ms;
	p->announced_at = *from;
	p->capabilities = ext->capabilities;
	if (stable_name(ext->records, name))
		note_name(p, name);
}

/* Its data came before its first announcement. */
static bool is_continued(const struct peer *p, const struct msg *m)
{
	return !p->node && p->rx.is_set && is_near(m->seq, p->rx.last);
}

/* The peer that has this name, or else this place, and whose new life is
 * announced; NULL: not yet, or a new one if *is_new. */
static struct peer *whose_life(struct ftfw *f, struct peer *at,
			       const struct msg *m, uint64_t node,
			       const uint8_t name[EXT_NAME_SIZE], bool *is_new)
{
	struct peer *p = at && is_named(at, name) ? at : peer_of_name(f, name);

	*is_new = false;
	if (p && p != at)
		switch (judge_claim(f, p, m, node, RESTART_MS)) {
		case CLAIM_GRANTED:
			return p;
		case CLAIM_WAITS:
			return NULL;
		case CLAIM_RIVAL: /* two nodes have one name */
			ftfw_event(f, ENGINE_PEER_NAME_TWICE, p);
			break;
		}
	if (!at) {
		*is_new = true;
		return NULL;
	}
	if (is_continued(at, m) ||
	    judge_claim(f, at, m, node, LIFE_MS) == CLAIM_GRANTED)
		return at;
	return NULL;
}

/* The peer that announces a node id we have not seen. An announcement without
 * a name does not tell whose life it is, and is not listened to. */
static struct peer *new_node(struct ftfw *f, const struct peer_addr *from,
			     const struct msg *m, const struct ext_alive *ext)
{
	uint8_t name[EXT_NAME_SIZE];
	struct peer *at, *p;
	bool is_new, is_rival;

	if (!stable_name(ext->records, name) ||
	    !may_be_now(f, from, m, ext->node))
		return NULL;
	at = peer_at(&f->peers, from);
	if (at && at->node && !peer_same_place(from, &at->announced_at)) {
		/* It was there before, or seemed to be. */
		peer_forget_addr(at, from);
		at = NULL;
	}
	p = whose_life(f, at, m, ext->node, name, &is_new);
	is_rival = is_new && peer_of_name(f, name);
	if (is_new)
		p = add_peer(f, from);
	if (!p && at)
		at->unbelieved_ms = f->now_ms;
	if (!p)
		return NULL;
	if (is_new || (p == at && is_continued(p, m))) {
		p->node = ext->node;
		p->claimed_node = 0;
		p->is_reference = p->is_proving = p->is_proven = false;
	} else {
		ftfw_restarted(f, p, ext->node);
		settle_at(f, p, from);
	}
	/* What it had told was swept with the life that it was taken for. */
	p->is_incomplete |= is_rival;
	note_announcement(f, p, from, ext);
	bulk_want(f, p);
	return p;
}

/* A node of ours that is known at another place says who it is before it says
 * anything else here, and is asked for what was missed until then. Datagrams
 * from where it was before come late. */
static bool is_known_elsewhere(const struct ftfw *f, const struct msg *m)
{
	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &f->peers.peers[i];

		if (p->is_used && p->node && p->rx.is_set &&
		    is_near(m->seq, p->rx.last))
			return true;
	}
	return false;
}

/* Our own announcements may be sent back to us. A number that we have not come
 * to is somebody else's: a copy of this machine, made while it ran. Who is
 * behind takes another id, at which the peers hear a new life. */
static void note_own_id(struct ftfw *f, uint32_t seq)
{
	static const uint64_t key[2] = { 3, 0 };
	const uint64_t seed[] = { f->o.node, (uint64_t)f->now_ms, seq };

	if (seq - f->ring.next >= NEAR ||
	    (f->has_new_id && f->now_ms - f->new_id_ms < SILENT_MS))
		return;
	f->has_new_id = true;
	f->new_id_ms = f->now_ms;
	f->o.node = hash_bytes(key, seed, sizeof(seed));
	f->o.node += f->o.node == 0; /* 0 is no node */
	f->must_announce = true;
	for (int i = 0; i < PEER_MAX; i++)
		if (f->peers.peers[i].is_used && f->peers.peers[i].is_live)
			bulk_want(f, &f->peers.peers[i]);
	ftfw_event(f, ENGINE_NODE_ID_TWICE, NULL);
}

struct peer *ftfw_identify(struct ftfw *f, const struct peer_addr *from,
			   const struct msg *m, const struct ext_alive *ext)
{
	struct peer *p = ext ? peer_of_node(&f->peers, ext->node)
			     : peer_at(&f->peers, from);

	if (ext && ext->node == f->o.node) {
		note_own_id(f, m->seq);
		return NULL;
	}
	if (ext && !p)
		return new_node(f, from, m, ext);
	if (ext) {
		settle_at(f, p, from);
		note_announcement(f, p, from, ext);
		return p;
	}
	if (p && (p->node || p->has_name || p->is_reference))
		return p;
	if (is_known_elsewhere(f, m))
		return NULL;
	if (p)
		return p;
	p = peer_continued(&f->peers, from, m->seq);
	if (!p)
		return add_peer(f, from);
	peer_add_addr(&f->peers, p, from);
	return p;
}

/* ---- who hears us? ------------------------------------------------------ */

/* What died while a reference was silent was kept for it. */
static void pay_owed(struct ftfw *f)
{
	uint32_t id;

	while ((id = queue_pop(&f->owed, f->o.cache)) != FLOW_CACHE_NO_ID) {
		struct entry_head *h = flow_cache_head(f->o.cache, id);

		h->outbox = OUTBOX_QUEUED;
		queue_push(&f->dirty, f->o.cache, id);
	}
}

/* Sent while nobody was waited for: nobody would ever acknowledge it. */
static void redo_unowed(struct ftfw *f)
{
	for (uint32_t n = f->ring.first; n != f->ring.next; n++)
		if (ring_at(&f->ring, n).kind != RING_NONE &&
		    !ring_owed(&f->ring, n))
			ftfw_send_again(f, n);
}

static void returned(struct ftfw *f, struct peer *p)
{
	p->is_live = true;
	p->is_deaf = false;
	p->progress_ms = f->now_ms;
	redo_unowed(f);
	ftfw_event(f, ENGINE_PEER_RETURNED, p);
	if (!p->node) {
		pay_owed(f);
		/* What it was asked for may have been forgotten here. */
		p->is_incomplete = true;
	}
	bulk_want(f, p);
}

void ftfw_heard(struct ftfw *f, struct peer *p)
{
	p->heard_ms = f->now_ms;
	if (!p->is_live && !p->is_deaf)
		returned(f, p);
}

/* A HELLO is taken without looking for a gap before it, and an ACK of a
 * reference may cover what it missed (spec 4.3): all held are sent again. */
static void redo_hello_numbers(struct ftfw *f)
{
	uint32_t from = f->ring.first, to = f->hello_end - 1;

	if (!seq_before(f->ring.first, f->hello_end) ||
	    !ring_clip(&f->ring, &from, &to))
		return;
	for (uint32_t n = from; n != to + 1; n++)
		ftfw_send_again(f, n);
}

/* What a new life heard first was taken without looking for a gap. */
static void redo_before(struct ftfw *f, const struct peer *p, uint32_t first)
{
	uint32_t from = f->ring.first, to = first - 1;

	if (!seq_before(f->ring.first, first) ||
	    !ring_clip(&f->ring, &from, &to))
		return;
	for (uint32_t n = from; n != to + 1; n++)
		if (ring_owed(&f->ring, n) & peer_bit(p))
			ftfw_send_again(f, n);
}

void ftfw_answered(struct ftfw *f, struct peer *p, const uint32_t *from)
{
	if (!p->has_answered) {
		p->has_answered = true;
		f->ever_answered = true;
		p->progress_ms = f->now_ms;
		redo_hello_numbers(f);
		redo_unowed(f);
		ftfw_event(f, ENGINE_PEER_ANSWERED, p);
		/* What changed before this life of ours was not told. */
		if (p->is_reference)
			bulk_want(f, p);
	}
	if (p->needs_first_ack && from) {
		p->needs_first_ack = false;
		redo_before(f, p, *from);
	}
	if (p->is_deaf)
		returned(f, p);
}

void ftfw_restarted(struct ftfw *f, struct peer *p, uint64_t node)
{
	bool was_known = p->rx.is_set;

	bulk_drop_peer(f, p);
	ftfw_settle(f, p, SETTLE_SEND_AGAIN);
	peer_new_life(p, node);
	if (!was_known)
		return;
	ftfw_event(f, ENGINE_PEER_RESTARTED, p);
	if (node)
		return;
	/* A reference: it marks no bulk, but what it does not tell when it is
	 * asked for all has gone with its old life. */
	p->is_incomplete = true;
	ftfw_is_reference(f, p);
	bulk_want(f, p);
}

void ftfw_is_reference(struct ftfw *f, struct peer *p)
{
	bool says_id =
		p->unbelieved_ms && p->heard_ms - p->unbelieved_ms < RESTART_MS;

	if (p->is_reference || says_id)
		return;
	p->is_reference = true;
	p->is_incomplete |= p->forgets || f->has_forgotten;
	if (p->has_answered)
		bulk_want(f, p);
	if (p->is_proven)
		f->o.sink.sweep(f->o.sink.ctx, p);
	p->is_proven = false;
}

static bool is_alone(const struct ftfw *f)
{
	for (int i = 0; i < PEER_MAX; i++)
		if (f->peers.peers[i].is_used && f->peers.peers[i].is_live)
			return false;
	return true;
}

/* Of the other node of a pair nobody knows who will be in its place: what it
 * has not acknowledged is held, as if it had not been there yet. */
static void gone(struct ftfw *f, struct peer *p, enum engine_event how)
{
	p->is_live = false;
	p->is_deaf = how == ENGINE_PEER_DEAF;
	p->has_unsent_nack = false; /* it is dropped */
	bulk_drop_peer(f, p);
	ftfw_settle(f, p, is_alone(f) ? SETTLE_HOLD : SETTLE_LET_GO);
	ftfw_event(f, how, p);
}

/* It was not heard for long enough to tell who it is: a node of ours that has
 * started anew twice, most likely. Whoever it is will be asked for all. */
static void forget(struct ftfw *f, struct peer *p)
{
	gone(f, p, ENGINE_PEER_SILENT);
	p->is_used = false;
	if (!p->n_told) /* nothing of what we have */
		return;
	p->generation++;
	f->o.sink.sweep(f->o.sink.ctx, p);
	f->has_forgotten = true;
	for (int i = 0; i < PEER_MAX; i++)
		f->peers.peers[i].is_incomplete |= f->peers.peers[i].node != 0;
}

/* The reference of a pair has come back at another place: what it owned before
 * is its own still, and the ends that were kept for it are due. (Of several it
 * cannot be told which one it is.) */
static void join_references(struct ftfw *f)
{
	struct peer *live = NULL, *silent = NULL;
	int n_live = 0, n_silent = 0;

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (!p->is_used || !p->is_reference)
			continue;
		if (p->is_live || p->is_deaf) {
			live = p;
			n_live++;
		} else {
			silent = p;
			n_silent++;
		}
	}
	if (n_live != 1 || n_silent != 1 || !live->is_live)
		return;
	merge(f, live, silent);
	pay_owed(f);
	live->is_incomplete = true;
}

/* Requests for what was lost can be lost too, and the requests for those: if
 * the oldest number makes no progress, what is as old goes out again unasked.
 */
static void resend_stuck(struct ftfw *f)
{
	if (f->ring.first == f->stuck_at && f->ring.first != f->ring.next) {
		if (f->now_ms - f->stuck_since_ms < ftfw_resend_ms(f))
			return;
		for (uint32_t n = f->stuck_at; n != f->stuck_until; n++)
			if (ring_owed(&f->ring, n))
				ftfw_send_again(f, n);
		if (f->backoff < 4)
			f->backoff++;
	}
	f->stuck_at = f->ring.first;
	f->stuck_until = f->ring.next;
	f->stuck_since_ms = f->now_ms;
}

/* A reference that sends all the time acknowledges only when its window is
 * full: it is deaf if it had much more than that, or if it says ALIVE, which
 * it does when it has sent nothing for a second and has nothing to
 * acknowledge (spec 4.3). */
static bool is_deaf(const struct ftfw *f, const struct peer *p)
{
	uint32_t most = f->ring.mask / 2;
	int64_t patience_ms = 3 * (int64_t)p->rtt_ms;

	if (patience_ms < DEAF_MS)
		patience_ms = DEAF_MS;
	if (!p->n_owed || f->now_ms - p->progress_ms < patience_ms)
		return false;
	/* On a bad link what others missed is sent again and again, before it
	 * can be the oldest. */
	if (f->now_ms - p->acked_ms < patience_ms &&
	    f->now_ms - p->progress_ms < 3 * patience_ms)
		return false;
	if (most > REF_WINDOW)
		most = REF_WINDOW;
	return p->node || f->ring.next - p->progress_seq > most ||
	       p->idle_ms - p->progress_ms >= DEAF_MS / 2;
}

static void check_life(struct ftfw *f, struct peer *p)
{
	p->keeps_waiting &= p->n_owed > 0;
	if (!p->node && p->heard_ms - p->found_ms >= RESTART_MS)
		ftfw_is_reference(f, p);
	if (f->now_ms - p->heard_ms >= SILENT_MS) {
		if (p->node || p->is_reference)
			gone(f, p, ENGINE_PEER_SILENT);
		else
			forget(f, p);
	} else if (p->node && f->now_ms - p->announced_ms >= SILENT_MS) {
		ftfw_restarted(f, p, 0); /* its numbers go on in its place */
	} else if (p->is_live && is_deaf(f, p)) {
		gone(f, p, ENGINE_PEER_DEAF);
	}
}

void ftfw_check_lives(struct ftfw *f)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (p->is_used && (p->is_live || p->is_deaf))
			check_life(f, p);
	}
	join_references(f);
	resend_stuck(f);
}
