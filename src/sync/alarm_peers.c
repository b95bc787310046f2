/* SPDX-License-Identifier: ISC */
/* Who the others are, as far as the ALARM engine needs to know: who owns an
 * entry, what its updates mean, and what the log tells. Nothing is held for
 * them, and nothing of theirs is swept: what nobody tells any more expires. */
#include "sync/alarm_state.h"

enum { OFTEN_MS = 60000 }; /* what may come with any datagram is told once */

static void tell(const struct alarm *a, enum engine_event what,
		 const struct peer *p)
{
	if (a->o.sink.event)
		a->o.sink.event(a->o.sink.ctx, what, p);
}

static void tell_once(struct alarm *a, enum engine_event what,
		      const struct peer *p, int64_t now_ms)
{
	if (a->told_ms[what] && now_ms - a->told_ms[what] < OFTEN_MS)
		return;
	a->told_ms[what] = now_ms;
	tell(a, what, p);
}

/* p announces itself at this place, where it may have been heard before it said
 * who it is. What it told then has no owner now. */
static void move_to(struct alarm *a, struct peer *p,
		    const struct peer_addr *from)
{
	struct peer *q = roster_twin(&a->roster, p, from);

	if (roster_at(&a->roster, from) == p)
		return;
	if (q) {
		roster_continue(p, q);
		roster_merge(p, q);
	}
	roster_add_place(&a->roster, p, from);
}

static void restarted(struct alarm *a, struct peer *p, uint64_t node)
{
	bool was_known = p->has_seq;

	roster_new_life(p, node);
	if (was_known)
		tell(a, ENGINE_PEER_RESTARTED, p);
}

static void announced(struct alarm *a, const struct roster_found *found,
		      const struct peer_addr *from, const struct ext_alive *ext,
		      int64_t now_ms)
{
	struct peer *p = found->peer;

	if (found->what == ROSTER_RESTARTED)
		restarted(a, p, ext->node);
	else if (found->what != ROSTER_KNOWN)
		roster_named(p, ext->node);
	move_to(a, p, from);
	roster_announced(p, from, ext, now_ms);
}

struct peer *alarm_identify(struct alarm *a, const struct peer_addr *from,
			    const struct msg *m, const struct ext_alive *ext,
			    int64_t now_ms)
{
	struct roster_found found;

	if (ext && ext->node == a->o.node)
		return NULL;
	roster_find(&a->roster, from, m->seq, ext, now_ms, &found);
	if (found.namesake)
		tell_once(a, ENGINE_PEER_NAME_TWICE, found.namesake, now_ms);
	if (found.what == ROSTER_REFUSED)
		tell_once(a, ENGINE_PEER_REFUSED, NULL, now_ms);
	if (found.what == ROSTER_FOUND)
		tell(a, ENGINE_PEER_FOUND, found.peer);
	if (found.peer && ext)
		announced(a, &found, from, ext, now_ms);
	return found.peer;
}

void alarm_heard(struct alarm *a, struct peer *p, const struct msg *m,
		 int64_t now_ms)
{
	roster_accepted(p, m->seq, now_ms);
	if (!roster_heard(p, now_ms))
		return;
	roster_returned(p);
	tell(a, ENGINE_PEER_RETURNED, p);
}

void alarm_tell_other_mode(struct alarm *a, const struct peer_addr *from,
			   int64_t now_ms)
{
	tell_once(a, ENGINE_PEER_OTHER_MODE, roster_at(&a->roster, from),
		  now_ms);
}

/* A node of ours says ALIVE; a reference says nothing for as long as nothing of
 * it is to be told, but what it owns has gone when CacheTimeout has passed. */
static bool is_patient(const struct alarm *a, const struct peer *p,
		       int64_t now_ms)
{
	return !p->node &&
	       now_ms - p->heard_ms < (int64_t)a->o.cache_timeout_s * 1000;
}

static void check(struct alarm *a, struct peer *p, int64_t now_ms)
{
	enum roster_lapse lapse = roster_lapse(p, now_ms);

	if (roster_lacks_id(p))
		(void)roster_is_reference(p);
	switch (lapse) {
	case LAPSE_NONE:
		break;
	case LAPSE_ID:
		restarted(a, p, 0);
		break;
	case LAPSE_SILENT:
	case LAPSE_UNKNOWN:
		if (is_patient(a, p, now_ms))
			break;
		roster_silent(p);
		tell(a, ENGINE_PEER_SILENT, p);
		if (lapse == LAPSE_UNKNOWN)
			roster_forget(p);
		break;
	}
}

void alarm_check_peers(struct alarm *a, int64_t now_ms)
{
	const struct roster *r = &a->roster;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (peer_is_heard(&r->peers[i]))
			check(a, &a->roster.peers[i], now_ms);
}
