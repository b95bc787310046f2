/* SPDX-License-Identifier: ISC */
/* What follows when somebody comes, hears us, starts anew, returns or goes. */
#include "base/hash.h"
#include "sync/ftfw_state.h"

enum {
	EVENTS_MS = 60000,
	EVENTS_MOST = 100, /* of a kind that are told in EVENTS_MS */
	OWN_NEAR = 4096,   /* numbers of ours that may be sent back to us */
	OWN_ID_MS = 10000, /* one id is said for so long, at least */
};

/* Whoever floods us does not fill the log. */
static bool is_worth_telling(struct ftfw *f, enum engine_event what,
			     int64_t now_ms)
{
	uint32_t most = what == ENGINE_PEER_REFUSED ? 1 : EVENTS_MOST;

	if (now_ms - f->told_since_ms[what] >= EVENTS_MS) {
		f->told_since_ms[what] = now_ms;
		f->n_told[what] = 0;
	}
	return f->n_told[what]++ < most;
}

void ftfw_event(struct ftfw *f, enum engine_event what, const struct peer *p,
		int64_t now_ms)
{
	if (f->o.sink.event && is_worth_telling(f, what, now_ms))
		f->o.sink.event(f->o.sink.ctx, what, p);
}

static void sweep(struct ftfw *f, const struct peer *p)
{
	f->o.sink.sweep(f->o.sink.ctx, p);
}

/* ---- coming ------------------------------------------------------------- */

/* What its number stood for before is over. */
static void added(struct ftfw *f, struct peer *p, int64_t now_ms)
{
	*ftfw_order(f, p) = (struct order){ 0 };
	intake_new_peer(&f->intake, p);
	outbox_new_peer(&f->outbox, p, now_ms);
	bulk_drop_peer(&f->bulk, p);
	bulk_new_life(&f->bulk, p);
	ftfw_event(f, ENGINE_PEER_FOUND, p, now_ms);
}

/* q was p all the time: what it had not acknowledged p may lack. */
static void merge(struct ftfw *f, struct peer *p, struct peer *q)
{
	bulk_drop_peer(&f->bulk, q);
	outbox_settle(&f->outbox, q, SETTLE_SEND_AGAIN);
	roster_merge(p, q);
	intake_merged(&f->intake, p, q);
	if (f->o.sink.merge)
		f->o.sink.merge(f->o.sink.ctx, q->number, q->generation, p);
}

/* p announces itself at this place, where it may have been heard before it said
 * who it is. */
static void move_to(struct ftfw *f, struct peer *p,
		    const struct peer_addr *from, int64_t now_ms)
{
	struct peer *q = roster_twin(&f->roster, p, from);

	if (roster_at(&f->roster, from) == p)
		return;
	if (q) {
		/* Late words of a life before are not what is true now. */
		if (p->has_seq && q->has_seq && !peer_is_near(p, q->last_seq))
			intake_incomplete(&f->intake, p);
		order_join(ftfw_order(f, p), ftfw_order(f, q), now_ms);
		roster_continue(p, q);
		merge(f, p, q);
	}
	roster_add_place(&f->roster, p, from);
}

/* Our own announcements may be sent back to us. A number that we have not come
 * to is somebody else's: a copy of this machine, made while it ran. Who is
 * behind takes another id, at which the peers hear a new life. */
static void note_own_id(struct ftfw *f, uint32_t seq, int64_t now_ms)
{
	static const uint64_t key[2] = { 3, 0 };
	const uint64_t seed[] = { f->o.node, (uint64_t)now_ms, seq };
	const struct roster *r = &f->roster;

	if (seq - f->outbox.ring.next >= OWN_NEAR ||
	    (f->has_new_id && now_ms - f->new_id_ms < OWN_ID_MS))
		return;
	f->has_new_id = true;
	f->new_id_ms = now_ms;
	f->o.node = hash_bytes(key, seed, sizeof(seed));
	f->o.node += f->o.node == 0; /* 0 is no node */
	f->must_announce = true;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (r->peers[i].is_live)
			bulk_want(&f->bulk, &r->peers[i]);
	ftfw_event(f, ENGINE_NODE_ID_TWICE, NULL, now_ms);
}

static void note_cleared(struct ftfw *f, uint64_t peers)
{
	for (; peers; peers &= peers - 1)
		intake_incomplete(&f->intake,
				  &f->roster.peers[__builtin_ctzll(peers)]);
}

/* The id of a peer is known from now on. */
static void new_node(struct ftfw *f, const struct roster_found *found,
		     const struct peer_addr *from, uint64_t node,
		     int64_t now_ms)
{
	struct peer *p = found->peer;

	if (found->what == ROSTER_RESTARTED) {
		ftfw_restarted(f, p, node, now_ms);
		move_to(f, p, from, now_ms);
	} else {
		roster_named(p, node);
		intake_named(&f->intake, p);
	}
	/* What it had told was swept with the life that it was taken for. */
	if (found->has_rival)
		intake_incomplete(&f->intake, p);
	bulk_want(&f->bulk, p);
}

struct peer *ftfw_identify(struct ftfw *f, const struct peer_addr *from,
			   const struct msg *m, const struct ext_alive *ext,
			   int64_t now_ms)
{
	uint64_t node = ext ? ext->node : 0;
	struct roster_found found;
	struct peer *p;

	if (node == f->o.node) {
		note_own_id(f, m->seq, now_ms);
		return NULL;
	}
	roster_find(&f->roster, from, m->seq, ext, now_ms, &found);
	p = found.peer;
	note_cleared(f, found.cleared);
	if (found.namesake)
		ftfw_event(f, ENGINE_PEER_NAME_TWICE, found.namesake, now_ms);
	switch (found.what) {
	case ROSTER_NOBODY:
		return NULL;
	case ROSTER_REFUSED:
		ftfw_event(f, ENGINE_PEER_REFUSED, NULL, now_ms);
		return NULL;
	case ROSTER_KNOWN:
		if (ext)
			move_to(f, p, from, now_ms);
		break;
	case ROSTER_FOUND:
		added(f, p, now_ms);
		if (ext)
			new_node(f, &found, from, node, now_ms);
		break;
	case ROSTER_NAMED:
	case ROSTER_RESTARTED:
		new_node(f, &found, from, node, now_ms);
		break;
	}
	if (ext)
		roster_announced(p, from, ext, now_ms);
	return p;
}

/* ---- hearing ------------------------------------------------------------ */

static void returned(struct ftfw *f, struct peer *p, int64_t now_ms)
{
	roster_returned(p);
	outbox_patience(&f->outbox, p, now_ms);
	outbox_lost_unwaited(&f->outbox);
	ftfw_event(f, ENGINE_PEER_RETURNED, p, now_ms);
	if (!p->node) {
		outbox_send_kept(&f->outbox);
		/* What it was asked for may have been forgotten here. */
		intake_incomplete(&f->intake, p);
	}
	bulk_want(&f->bulk, p);
}

void ftfw_heard(struct ftfw *f, struct peer *p, int64_t now_ms)
{
	if (roster_heard(p, now_ms))
		returned(f, p, now_ms);
}

void ftfw_answered(struct ftfw *f, struct peer *p, const uint32_t *from,
		   int64_t now_ms)
{
	if (roster_answered(p)) {
		f->hello.ever_answered = true;
		outbox_patience(&f->outbox, p, now_ms);
		/* A HELLO is taken without looking for a gap before it, and an
		 * ACK of a reference may cover what it missed. */
		outbox_lost_before(&f->outbox, f->hello.end);
		outbox_lost_unwaited(&f->outbox);
		ftfw_event(f, ENGINE_PEER_ANSWERED, p, now_ms);
		/* What changed before this life of ours was not told. */
		if (p->is_reference)
			bulk_want(&f->bulk, p);
	}
	if (from)
		outbox_first_ack(&f->outbox, p, *from);
	if (p->is_deaf)
		returned(f, p, now_ms);
}

/* ---- one life after the other ------------------------------------------- */

void ftfw_is_reference(struct ftfw *f, struct peer *p)
{
	if (!roster_is_reference(p))
		return;
	if (p->has_answered)
		bulk_want(&f->bulk, p);
	if (intake_is_reference(&f->intake, p))
		sweep(f, p);
}

void ftfw_restarted(struct ftfw *f, struct peer *p, uint64_t node,
		    int64_t now_ms)
{
	bool was_known = p->has_seq;

	bulk_drop_peer(&f->bulk, p);
	outbox_settle(&f->outbox, p, SETTLE_SEND_AGAIN);
	roster_new_life(p, node);
	*ftfw_order(f, p) = (struct order){ 0 };
	intake_new_life(&f->intake, p);
	outbox_new_life(&f->outbox, p);
	bulk_new_life(&f->bulk, p);
	if (!was_known)
		return;
	ftfw_event(f, ENGINE_PEER_RESTARTED, p, now_ms);
	if (node)
		return;
	/* A reference: it marks no bulk, but what it does not tell when it is
	 * asked for all has gone with its old life. */
	intake_incomplete(&f->intake, p);
	ftfw_is_reference(f, p);
	bulk_want(&f->bulk, p);
}

/* ---- going -------------------------------------------------------------- */

/* Of the other node of a pair nobody knows who will be in its place: what it
 * has not acknowledged is held, as if it had not been there yet. */
static void gone(struct ftfw *f, struct peer *p, enum engine_event how,
		 int64_t now_ms)
{
	bool is_alone = roster_is_alone(&f->roster);

	intake_silent(&f->intake, p);
	bulk_drop_peer(&f->bulk, p);
	/* It may not have heard a request: it is asked when it is back. */
	if (outbox_settle(&f->outbox, p,
			  is_alone ? SETTLE_HOLD : SETTLE_LET_GO))
		intake_incomplete(&f->intake, p);
	ftfw_event(f, how, p, now_ms);
}

static void fell_silent(struct ftfw *f, struct peer *p, int64_t now_ms)
{
	roster_silent(p);
	gone(f, p, ENGINE_PEER_SILENT, now_ms);
}

/* A node of ours that has started anew twice, most likely. Whoever it is will
 * be asked for all. */
static void forget(struct ftfw *f, struct peer *p, int64_t now_ms)
{
	fell_silent(f, p, now_ms);
	roster_forget(p);
	if (!intake_forgotten(&f->intake, &f->roster, p))
		return;
	roster_next_generation(p);
	sweep(f, p);
}

static void check_life(struct ftfw *f, struct peer *p, int64_t now_ms)
{
	bool is_deaf = outbox_is_deaf(&f->outbox, p, now_ms);

	if (roster_lacks_id(p))
		ftfw_is_reference(f, p);
	switch (roster_lapse(p, now_ms)) {
	case LAPSE_SILENT:
		fell_silent(f, p, now_ms);
		return;
	case LAPSE_UNKNOWN:
		forget(f, p, now_ms);
		return;
	case LAPSE_ID: /* its numbers go on in its place */
		ftfw_restarted(f, p, 0, now_ms);
		return;
	case LAPSE_NONE:
		break;
	}
	if (!p->is_live || !is_deaf)
		return;
	roster_deaf(p);
	gone(f, p, ENGINE_PEER_DEAF, now_ms);
}

/* The reference of a pair has come back at another place: what it owned before
 * is its own still, and the ends that were kept for it are due. (Of several it
 * cannot be told which one it is.) */
static void join_references(struct ftfw *f)
{
	struct peer *live = NULL, *silent = NULL;

	if (!roster_reference_moved(&f->roster, &live, &silent))
		return;
	merge(f, live, silent);
	outbox_send_kept(&f->outbox);
	intake_incomplete(&f->intake, live);
}

void ftfw_check_lives(struct ftfw *f, int64_t now_ms)
{
	const struct roster *r = &f->roster;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (peer_is_heard(&r->peers[i]))
			check_life(f, &f->roster.peers[i], now_ms);
	join_references(f);
	outbox_resend_stuck(&f->outbox, now_ms);
}
