/* SPDX-License-Identifier: ISC */
/* What the NOTRACK engine misses of others. A node of ours that reads it is
 * asked for all; a reference is not: it would send all it has at once, and more
 * would be lost than is missing now. */
#include "sync/notrack_state.h"
#include "sync/seq.h"

enum {
	GATHER_MS = 300, /* a loss is seldom alone, and a node that was just
			  * found tells all by itself */
	ASK_MS = 3000,   /* between two requests; doubles while they fail */
	ASK_MOST_MS = 30000,
	QUIET_MS = 10000, /* nothing missed for so long: that is over */
};

static bool reads_wants(const struct peer *p)
{
	return p->node && (p->capabilities & EXT_CAP_WANTS);
}

static struct notrack_losses *at(struct notrack *t, const struct peer *p)
{
	return &t->losses[p->number];
}

static void lack(struct notrack *t, const struct peer *p, int64_t now_ms)
{
	at(t, p)->is_whole = false;
	if (!intake_is_incomplete(&t->l.intake, p) &&
	    at(t, p)->ask_ms < now_ms + GATHER_MS)
		at(t, p)->ask_ms = now_ms + GATHER_MS;
	intake_gap(&t->l.intake, p);
}

void notrack_note_life(struct notrack *t, const struct peer *p, int64_t now_ms)
{
	if (at(t, p)->node == p->node)
		return;
	*at(t, p) = (struct notrack_losses){ .node = p->node };
	lack(t, p, now_ms);
}

void notrack_joined(struct notrack *t, const struct peer *p, int64_t now_ms)
{
	if (!(t->l.joined & peer_bit(p)))
		return;
	t->l.joined &= ~peer_bit(p);
	lack(t, p, now_ms);
}

static void lost(struct notrack *t, const struct peer *p, int64_t now_ms)
{
	struct notrack_losses *of = at(t, p);

	of->lost_ms = now_ms;
	if (!of->is_losing)
		lives_event(&t->l, ENGINE_PEER_LOSES, p, now_ms);
	of->is_losing = true;
	lack(t, p, now_ms);
}

void notrack_gap(struct notrack *t, const struct peer *p, uint32_t last,
		 int64_t now_ms)
{
	struct notrack_losses *of = at(t, p);

	if (!reads_wants(p) || intake_is_in_bulk(&t->l.intake, p)) {
		lost(t, p, now_ms);
		return;
	}
	if (!of->has_gap)
		of->gap_from = last;
	of->has_gap = true;
}

void notrack_told(struct notrack *t, const struct peer *p, uint32_t told,
		  int64_t now_ms)
{
	struct notrack_losses *of = at(t, p);

	if (of->has_gap && seq_after(told, of->gap_from))
		lost(t, p, now_ms);
	of->has_gap = false;
}

void notrack_repaired(struct notrack *t, const struct peer *p)
{
	at(t, p)->is_whole = true;
}

static bool has_room(const struct notrack *t)
{
	return !t->l.o.sink.has_room || t->l.o.sink.has_room(t->l.o.sink.ctx);
}

/* What takes the room may have ended unheard: a bulk shows that. */
int64_t notrack_want_due_ms(const struct notrack *t, const struct peer *p)
{
	const struct notrack_losses *of = &t->losses[p->number];
	bool is_asked = p->is_live && reads_wants(p) &&
			intake_is_incomplete(&t->l.intake, p) &&
			(!of->is_whole || has_room(t));

	return is_asked ? of->ask_ms : INT64_MAX;
}

void notrack_wanted(struct notrack *t, const struct peer *p, int64_t now_ms)
{
	struct notrack_losses *of = at(t, p);

	of->interval_ms = of->interval_ms ? 2 * of->interval_ms : ASK_MS;
	if (of->interval_ms > ASK_MOST_MS)
		of->interval_ms = ASK_MOST_MS;
	of->ask_ms = now_ms + of->interval_ms;
}

void notrack_check_losses(struct notrack *t, int64_t now_ms)
{
	const struct roster *r = &t->l.roster;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];
		struct notrack_losses *of = at(t, p);

		notrack_note_life(t, p, now_ms);
		if (!of->is_losing || now_ms - of->lost_ms < QUIET_MS ||
		    notrack_want_due_ms(t, p) != INT64_MAX)
			continue;
		of->is_losing = false;
		of->interval_ms = 0;
		lives_event(&t->l, ENGINE_PEER_LOSES_NOT, p, now_ms);
	}
}
