/* SPDX-License-Identifier: ISC */
#include "sync/intake.h"

#include "sync/seq.h"

enum {
	LATE_WALKS = 8,
	ASK_MS = 10000, /* between two requests of our own */
};

static struct intake_peer *at(struct intake *k, const struct peer *p)
{
	return &k->peers[p->number];
}

static void set_incomplete(struct intake *k, const struct peer *p, bool is)
{
	k->incomplete &= ~peer_bit(p);
	k->incomplete |= is ? peer_bit(p) : 0;
}

void intake_incomplete(struct intake *k, const struct peer *p)
{
	k->incomplete |= peer_bit(p);
}

void intake_gap(struct intake *k, const struct peer *p)
{
	at(k, p)->in_bulk = false;
	intake_incomplete(k, p);
}

bool intake_is_incomplete(const struct intake *k, const struct peer *p)
{
	return k->incomplete & peer_bit(p);
}

bool intake_is_in_bulk(const struct intake *k, const struct peer *p)
{
	return k->peers[p->number].in_bulk;
}

void intake_told_anew(struct intake *k, const struct peer *p)
{
	set_incomplete(k, p, false);
}

/* ---- lives -------------------------------------------------------------- */

void intake_new_peer(struct intake *k, const struct peer *p)
{
	*at(k, p) = (struct intake_peer){ 0 };
	set_incomplete(k, p, false);
}

void intake_new_life(struct intake *k, const struct peer *p)
{
	*at(k, p) = (struct intake_peer){ .n_told = at(k, p)->n_told,
					  .has_told = at(k, p)->has_told };
	set_incomplete(k, p, false);
}

void intake_named(struct intake *k, const struct peer *p)
{
	at(k, p)->is_proving = at(k, p)->is_proven = false;
}

void intake_silent(struct intake *k, const struct peer *p)
{
	at(k, p)->has_unsent_nack = false; /* it is dropped */
}

bool intake_is_reference(struct intake *k, const struct peer *p)
{
	bool was_proven = at(k, p)->is_proven;

	if (at(k, p)->forgets || k->has_forgotten)
		intake_incomplete(k, p);
	at(k, p)->is_proven = false;
	return was_proven;
}

bool intake_forgotten(struct intake *k, const struct roster *r,
		      const struct peer *p)
{
	if (!at(k, p)->has_told) /* nothing of what we have */
		return false;
	k->has_forgotten = true;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (r->peers[i].node)
			intake_incomplete(k, &r->peers[i]);
	return true;
}

/* ---- bulks -------------------------------------------------------------- */

void intake_merged(struct intake *k, const struct peer *p, const struct peer *q)
{
	at(k, p)->has_told |= at(k, q)->has_told;
	at(k, q)->has_told = false;
}

void intake_told(struct intake *k, const struct peer *p, bool is_kept)
{
	at(k, p)->n_told++;
	at(k, p)->has_told = true;
	if (!is_kept)
		intake_incomplete(k, p);
}

/* A late copy of a mark must not open or end a walk again. What is not one of
 * the last few walks is a new one: a number that was wrong in one datagram, or
 * forged, does not hold up those that follow. */
static bool is_new_walk(const struct intake_peer *kp, uint32_t walk)
{
	for (uint32_t i = 0; kp->has_walk && i < LATE_WALKS; i++)
		if (walk == kp->walk - i * EXT_WALK_STEP)
			return false;
	return true;
}

enum intake_step intake_mark(struct intake *k, const struct peer *p,
			     enum ext_phase phase, uint32_t walk,
			     uint32_t n_entries)
{
	struct intake_peer *kp = at(k, p);

	if (is_new_walk(kp, walk)) {
		kp->has_walk = true;
		kp->walk = walk;
		kp->in_bulk = phase == EXT_BULK_BEGIN;
		kp->n_told = 0;
		if (kp->in_bulk)
			return INTAKE_BEGINS;
		intake_incomplete(k, p); /* we missed its begin */
	} else if (phase == EXT_BULK_END && kp->in_bulk && kp->walk == walk) {
		kp->in_bulk = false;
		if (kp->n_told >= n_entries)
			return INTAKE_ENDS;
		intake_incomplete(k, p); /* not what was proven to have come */
	}
	return INTAKE_NONE;
}

/* ---- a reference -------------------------------------------------------- */

void intake_nack_queued(struct intake *k, const struct peer *p)
{
	at(k, p)->has_unsent_nack = true;
}

void intake_nack_sent(struct intake *k, const struct peer *p, uint32_t seq)
{
	at(k, p)->has_unsent_nack = false;
	at(k, p)->proof_seq = seq;
}

void intake_missed(struct intake *k, const struct peer *p)
{
	/* It is asked for all, and has not proven anything. */
	at(k, p)->is_proving = at(k, p)->is_proven = false;
	at(k, p)->forgets = true;
	if (p->is_reference)
		intake_incomplete(k, p);
}

bool intake_acked(struct intake *k, const struct peer *p, uint32_t from,
		  uint32_t to)
{
	struct intake_peer *kp = at(k, p);

	/* It queues all it has before it acknowledges the request, so what it
	 * has not told by then is gone, unless something is missed. */
	if (!kp->is_proving || kp->has_unsent_nack ||
	    !seq_within(kp->proof_seq, from, to))
		return false;
	kp->is_proving = false;
	kp->is_proven |= !p->is_reference;
	return p->is_reference;
}

/* ---- asking for all ----------------------------------------------------- */

void intake_ask(struct intake *k, const struct roster *r)
{
	k->is_asked_for = true;
	/* who is silent now is asked later */
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		intake_incomplete(k, &r->peers[i]);
}

bool intake_is_asked_for(const struct intake *k)
{
	return k->is_asked_for;
}

bool intake_wants_all(const struct intake *k, const struct roster *r,
		      int64_t now_ms)
{
	if (k->has_asked && now_ms - k->asked_ms < ASK_MS)
		return false;
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];

		if (p->is_live && (k->incomplete & peer_bit(p)) &&
		    (p->node || p->is_reference))
			return true;
	}
	return false;
}

void intake_asked(struct intake *k, int64_t now_ms)
{
	k->is_asked_for = false;
	k->has_asked = true;
	k->asked_ms = now_ms;
}

bool intake_hears(struct intake *k, const struct peer *p, uint32_t seq)
{
	struct intake_peer *kp = at(k, p);

	/* What it had told before is older, even if it was asked then, too. */
	set_incomplete(k, p, false);
	kp->is_proven = false;
	if (p->node)
		return false;
	kp->is_proving = true;
	kp->proof_seq = seq;
	return true;
}
