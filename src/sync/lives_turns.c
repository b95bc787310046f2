/* SPDX-License-Identifier: ISC */
/* What follows when somebody comes, hears us, starts anew, returns or goes. */
#include "base/hash.h"
#include "sync/lives.h"

enum {
	OWN_NEAR = 4096,   /* numbers of ours that may be sent back to us */
	OWN_ID_MS = 10000, /* one id is said for so long, at least */
};

static void sweep(struct lives *l, const struct peer *p)
{
	l->o.sink.sweep(l->o.sink.ctx, p);
}

/* ---- coming ------------------------------------------------------------- */

/* What its number stood for before is over. */
static void added(struct lives *l, struct peer *p, int64_t now_ms)
{
	*lives_order(l, p) = (struct order){ 0 };
	intake_new_peer(&l->intake, p);
	outbox_new_peer(&l->outbox, p, now_ms);
	bulk_drop_peer(&l->bulk, p);
	bulk_new_life(&l->bulk, p);
	lives_event(l, ENGINE_PEER_FOUND, p, now_ms);
}

/* q was p all the time: what it had not acknowledged p may lack. */
static void merge(struct lives *l, struct peer *p, struct peer *q)
{
	bulk_drop_peer(&l->bulk, q);
	outbox_settle(&l->outbox, q, SETTLE_SEND_AGAIN);
	roster_merge(p, q);
	intake_merged(&l->intake, p, q);
	l->joined |= peer_bit(p);
	if (l->o.sink.merge)
		l->o.sink.merge(l->o.sink.ctx, q->number, q->generation, p);
}

/* p announces itself at this place, where it may have been heard before it said
 * who it is. */
static void move_to(struct lives *l, struct peer *p,
		    const struct peer_addr *from, int64_t now_ms)
{
	struct peer *q = roster_twin(&l->roster, p, from);

	if (roster_at(&l->roster, from) == p)
		return;
	if (q) {
		/* Late words of a life before are not what is true now. */
		if (p->has_seq && q->has_seq && !peer_is_near(p, q->last_seq))
			intake_incomplete(&l->intake, p);
		order_join(lives_order(l, p), lives_order(l, q), now_ms);
		roster_continue(p, q);
		merge(l, p, q);
	}
	roster_add_place(&l->roster, p, from);
}

/* Our own announcements may be sent back to us. A number that we have not come
 * to is somebody else's: a copy of this machine, made while it ran. Who is
 * behind takes another id, at which the peers hear a new life. */
static void note_own_id(struct lives *l, uint32_t seq, int64_t now_ms)
{
	static const uint64_t key[2] = { 3, 0 };
	const uint64_t seed[] = { l->o.node, (uint64_t)now_ms, seq };
	const struct roster *r = &l->roster;

	if (seq - l->outbox.ring.next >= OWN_NEAR ||
	    (l->has_new_id && now_ms - l->new_id_ms < OWN_ID_MS))
		return;
	l->has_new_id = true;
	l->new_id_ms = now_ms;
	l->o.node = hash_bytes(key, seed, sizeof(seed));
	l->o.node += l->o.node == 0; /* 0 is no node */
	l->must_announce = true;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (r->peers[i].is_live)
			bulk_want(&l->bulk, &r->peers[i]);
	lives_event(l, ENGINE_NODE_ID_TWICE, NULL, now_ms);
}

static void note_cleared(struct lives *l, uint64_t peers)
{
	for (; peers; peers &= peers - 1)
		intake_incomplete(&l->intake,
				  &l->roster.peers[__builtin_ctzll(peers)]);
}

/* The id of a peer is known from now on. */
static void new_node(struct lives *l, const struct roster_found *found,
		     const struct peer_addr *from, uint64_t node,
		     int64_t now_ms)
{
	struct peer *p = found->peer;

	if (found->what == ROSTER_RESTARTED) {
		lives_restarted(l, p, node, now_ms);
		move_to(l, p, from, now_ms);
	} else {
		roster_named(p, node);
		intake_named(&l->intake, p);
	}
	/* What it had told was swept with the life that it was taken for. */
	if (found->has_rival)
		intake_incomplete(&l->intake, p);
	bulk_want(&l->bulk, p);
}

bool lives_announcement(const struct msg *m, struct ext_alive *out)
{
	return m->type == MSG_CTL && (m->flags & MSG_ALIVE) &&
	       !(m->flags & (MSG_ACK | MSG_NACK | MSG_RESYNC)) &&
	       ext_open(m->body, out);
}

struct peer *lives_identify(struct lives *l, const struct peer_addr *from,
			    const struct msg *m, const struct ext_alive *ext,
			    int64_t now_ms)
{
	uint64_t node = ext ? ext->node : 0;
	struct roster_found found;
	struct peer *p;

	if (node == l->o.node) {
		note_own_id(l, m->seq, now_ms);
		return NULL;
	}
	roster_find(&l->roster, from, m->seq, ext, now_ms, &found);
	p = found.peer;
	note_cleared(l, found.cleared);
	if (found.namesake)
		lives_event(l, ENGINE_PEER_NAME_TWICE, found.namesake, now_ms);
	switch (found.what) {
	case ROSTER_NOBODY:
		return NULL;
	case ROSTER_REFUSED:
		lives_event(l, ENGINE_PEER_REFUSED, NULL, now_ms);
		return NULL;
	case ROSTER_KNOWN:
		if (ext)
			move_to(l, p, from, now_ms);
		break;
	case ROSTER_FOUND:
		added(l, p, now_ms);
		if (ext)
			new_node(l, &found, from, node, now_ms);
		break;
	case ROSTER_NAMED:
	case ROSTER_RESTARTED:
		new_node(l, &found, from, node, now_ms);
		break;
	}
	if (ext)
		roster_announced(p, from, ext, now_ms);
	return p;
}

/* ---- hearing ------------------------------------------------------------ */

void lives_returned(struct lives *l, struct peer *p, int64_t now_ms)
{
	roster_returned(p);
	outbox_patience(&l->outbox, p, now_ms);
	outbox_lost_unwaited(&l->outbox);
	lives_event(l, ENGINE_PEER_RETURNED, p, now_ms);
	if (!p->node) {
		outbox_send_kept(&l->outbox);
		/* What it was asked for may have been forgotten here. */
		intake_incomplete(&l->intake, p);
	}
	bulk_want(&l->bulk, p);
}

void lives_heard(struct lives *l, struct peer *p, int64_t now_ms)
{
	if (roster_heard(p, now_ms))
		lives_returned(l, p, now_ms);
}

/* ---- one life after the other ------------------------------------------- */

void lives_is_reference(struct lives *l, struct peer *p)
{
	if (!roster_is_reference(p))
		return;
	if (p->has_answered)
		bulk_want(&l->bulk, p);
	if (intake_is_reference(&l->intake, p))
		sweep(l, p);
}

void lives_restarted(struct lives *l, struct peer *p, uint64_t node,
		     int64_t now_ms)
{
	bool was_known = p->has_seq;

	bulk_drop_peer(&l->bulk, p);
	outbox_settle(&l->outbox, p, SETTLE_SEND_AGAIN);
	roster_new_life(p, node);
	*lives_order(l, p) = (struct order){ 0 };
	intake_new_life(&l->intake, p);
	outbox_new_life(&l->outbox, p);
	bulk_new_life(&l->bulk, p);
	if (!was_known)
		return;
	lives_event(l, ENGINE_PEER_RESTARTED, p, now_ms);
	if (node)
		return;
	/* A reference: it marks no bulk, but what it does not tell when it is
	 * asked for all has gone with its old life. */
	intake_incomplete(&l->intake, p);
	lives_is_reference(l, p);
	bulk_want(&l->bulk, p);
}

void lives_renumbered(struct lives *l, struct peer *p,
		      const struct ext_alive *ext, int64_t now_ms)
{
	if (ext) {
		*lives_order(l, p) = (struct order){ 0 };
		roster_renumbered(p);
		intake_incomplete(&l->intake, p);
	} else {
		lives_restarted(l, p, 0, now_ms);
	}
}

/* ---- going -------------------------------------------------------------- */

/* Of the other node of a pair nobody knows who will be in its place: what it
 * has not acknowledged is held, as if it had not been there yet. */
static void gone(struct lives *l, struct peer *p, enum engine_event how,
		 int64_t now_ms)
{
	bool is_alone = roster_is_alone(&l->roster);

	intake_silent(&l->intake, p);
	bulk_drop_peer(&l->bulk, p);
	/* It may not have heard a request: it is asked when it is back. */
	if (outbox_settle(&l->outbox, p,
			  is_alone ? SETTLE_HOLD : SETTLE_LET_GO))
		intake_incomplete(&l->intake, p);
	lives_event(l, how, p, now_ms);
}

static void fell_silent(struct lives *l, struct peer *p, int64_t now_ms)
{
	roster_silent(p);
	gone(l, p, ENGINE_PEER_SILENT, now_ms);
}

/* A node of ours that has started anew twice, most likely. Whoever it is will
 * be asked for all. */
static void forget(struct lives *l, struct peer *p, int64_t now_ms)
{
	fell_silent(l, p, now_ms);
	roster_forget(p);
	if (!intake_forgotten(&l->intake, &l->roster, p))
		return;
	roster_next_generation(p);
	sweep(l, p);
}

static void check_life(struct lives *l, struct peer *p, int64_t now_ms)
{
	bool is_deaf = outbox_is_deaf(&l->outbox, p, now_ms);

	if (roster_lacks_id(p))
		lives_is_reference(l, p);
	switch (roster_lapse(p, now_ms)) {
	case LAPSE_SILENT:
		fell_silent(l, p, now_ms);
		return;
	case LAPSE_UNKNOWN:
		forget(l, p, now_ms);
		return;
	case LAPSE_ID: /* its numbers go on in its place */
		lives_restarted(l, p, 0, now_ms);
		return;
	case LAPSE_NONE:
		break;
	}
	if (!p->is_live || !is_deaf)
		return;
	roster_deaf(p);
	gone(l, p, ENGINE_PEER_DEAF, now_ms);
}

/* The reference of a pair has come back at another place: what it owned before
 * is its own still, and the ends that were kept for it are due. (Of several it
 * cannot be told which one it is.) */
static void join_references(struct lives *l)
{
	struct peer *live = NULL, *silent = NULL;

	if (!roster_reference_moved(&l->roster, &live, &silent))
		return;
	merge(l, live, silent);
	outbox_send_kept(&l->outbox);
	intake_incomplete(&l->intake, live);
}

void lives_check(struct lives *l, int64_t now_ms)
{
	const struct roster *r = &l->roster;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (peer_is_heard(&r->peers[i]))
			check_life(l, &l->roster.peers[i], now_ms);
	join_references(l);
	outbox_resend_stuck(&l->outbox, now_ms);
}
