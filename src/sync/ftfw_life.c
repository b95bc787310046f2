/* SPDX-License-Identifier: ISC */
/* Which nodes are there, in which of their lives, and whether they hear us. */
#include <string.h>

#include "sync/ftfw_state.h"
#include "sync/seq.h"

enum { CLAIM_NEAR = 4096 }; /* numbers between two announcements of a life */

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

static struct peer *peer_of_name(struct ftfw *f,
				 const uint8_t name[EXT_NAME_SIZE])
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (p->is_used && p->has_name &&
		    memcmp(p->name, name, EXT_NAME_SIZE) == 0)
			return p;
	}
	return NULL;
}

static struct peer *add_peer(struct ftfw *f, const struct peer_addr *from)
{
	struct peer *p = peer_add(&f->peers, from, f->now_ms);

	ftfw_event(f, p ? ENGINE_PEER_FOUND : ENGINE_PEER_REFUSED, p);
	return p;
}

/* A new life in place of one that is heard shows itself twice: a single wrong
 * or forged id would cut us off from the real node for good. */
static bool is_confirmed(struct peer *p, const struct msg *m, uint64_t node)
{
	bool is_second = p->claimed_node == node &&
			 m->seq - p->claimed_seq - 1 < CLAIM_NEAR;

	if (!p->node || !p->is_live || is_second)
		return true;
	p->claimed_node = node;
	p->claimed_seq = m->seq;
	return false;
}

/* An earlier life that goes on announcing itself while the present one does
 * not: that one was a forgery. */
static bool is_reclaimed(const struct ftfw *f, struct peer *p,
			 const struct msg *m, uint64_t node)
{
	bool goes_on = p->claimed_node == node &&
		       m->seq - p->claimed_seq - 1 < CLAIM_NEAR;

	if (goes_on && f->now_ms - p->claimed_since_ms >= RESTART_MS &&
	    f->now_ms - p->announced_ms >= RESTART_MS)
		return true;
	if (!goes_on)
		p->claimed_since_ms = f->now_ms;
	p->claimed_node = node;
	p->claimed_seq = m->seq;
	return false;
}

/* The peer that announces a node id we have not seen: a new life of the one
 * with that name, or of the one at that place, or a new one. */
static struct peer *new_node(struct ftfw *f, const struct peer_addr *from,
			     const struct msg *m, const struct ext_alive *ext)
{
	struct peer *p = peer_at(&f->peers, from);
	struct peer *named = NULL;
	uint8_t name[EXT_NAME_SIZE];
	bool has_name = stable_name(ext->records, name);

	if (has_name)
		named = peer_of_name(f, name);
	for (int i = 0; i < PEER_MAX; i++)
		if (peer_is_old_node(&f->peers.peers[i], ext->node) &&
		    (p != &f->peers.peers[i] ||
		     !is_reclaimed(f, p, m, ext->node)))
			return NULL; /* replayed, or very late */
	if (named && named != p) {
		if (!is_confirmed(named, m, ext->node))
			return NULL;
		peer_add_addr(&f->peers, named, from);
		p = named;
	}
	if (!p) {
		p = add_peer(f, from);
		if (!p)
			return NULL;
		p->node = ext->node;
	} else if (!p->node && p->rx.is_set &&
		   m->seq - p->rx.last - 1 < PEER_OLD_NODES * 512) {
		/* Its data came before its first announcement. */
		p->node = ext->node;
	} else if (is_confirmed(p, m, ext->node)) {
		ftfw_restarted(f, p, ext->node);
	} else {
		return NULL;
	}
	if (has_name) {
		p->has_name = true;
		memcpy(p->name, name, EXT_NAME_SIZE);
	}
	p->announced_ms = f->now_ms;
	p->capabilities = ext->capabilities;
	bulk_want(f, p);
	return p;
}

struct peer *ftfw_identify(struct ftfw *f, const struct peer_addr *from,
			   const struct msg *m, const struct ext_alive *ext)
{
	struct peer *p = peer_at(&f->peers, from);

	if (ext) {
		struct peer *known = peer_of_node(&f->peers, ext->node);

		if (ext->node == f->o.node)
			return NULL; /* our own, sent back to us */
		if (!known)
			return new_node(f, from, m, ext);
		if (known != p)
			peer_add_addr(&f->peers, known, from);
		known->announced_ms = f->now_ms;
		known->capabilities = ext->capabilities;
		return known;
	}
	if (p)
		return p;
	p = peer_continued(&f->peers, m->seq);
	if (p) {
		peer_add_addr(&f->peers, p, from);
		return p;
	}
	return add_peer(f, from);
}

/* What died while a reference was silent was kept for it. */
static void pay_owed(struct ftfw *f)
{
	uint32_t id;

	while ((id = queue_pop(&f->owed, f->o.cache)) != FLOW_CACHE_NO_ID) {
		struct entry_head *h = flow_cache_head(f->o.cache, id);

		h->flags &= (uint8_t) ~(ENTRY_OWED | ENTRY_SENT);
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

static void note_answer(const struct ftfw *f, struct peer *p)
{
	p->answered_ms = f->now_ms;
	p->answered_seq = f->ring.next;
}

static void returned(struct ftfw *f, struct peer *p)
{
	p->is_live = true;
	note_answer(f, p);
	redo_unowed(f);
	ftfw_event(f, ENGINE_PEER_RETURNED, p);
	if (!p->node)
		pay_owed(f);
	bulk_want(f, p);
}

void ftfw_heard(struct ftfw *f, struct peer *p)
{
	p->heard_ms = f->now_ms;
	if (!p->is_live && !p->is_deaf)
		returned(f, p);
}

/* Numbers sent with HELLO are taken without looking for gaps, and an ACK of a
 * reference may cover those it missed (spec 4.3): all held are sent again. */
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

void ftfw_answered(struct ftfw *f, struct peer *p, uint32_t from)
{
	note_answer(f, p);
	if (!p->has_answered) {
		p->has_answered = true;
		f->ever_answered = true;
		redo_hello_numbers(f);
		redo_unowed(f);
		ftfw_event(f, ENGINE_PEER_ANSWERED, p);
	}
	if (p->needs_first_ack) {
		p->needs_first_ack = false;
		redo_before(f, p, from);
	}
	if (p->is_deaf) {
		p->is_deaf = false;
		returned(f, p);
	}
}

void ftfw_restarted(struct ftfw *f, struct peer *p, uint64_t node)
{
	bool was_known = p->rx.is_set;

	bulk_drop_peer(f, p);
	ftfw_settle(f, p, true);
	peer_new_life(p, node);
	if (was_known)
		ftfw_event(f, ENGINE_PEER_RESTARTED, p);
}

static void gone(struct ftfw *f, struct peer *p, enum engine_event how)
{
	p->is_live = false;
	p->is_deaf = how == ENGINE_PEER_DEAF;
	bulk_drop_peer(f, p);
	ftfw_settle(f, p, false);
	ftfw_event(f, how, p);
}

/* Only acknowledgements: held for a while in case they are asked for anew, but
 * nobody has to acknowledge them. */
static bool holds_acks_only(const struct ftfw *f, uint32_t n)
{
	struct ring_ref ref = ring_at(&f->ring, n);
	uint32_t id = ref.kind == RING_CTL ? ref.id : 0;

	if (!id)
		return false;
	while (id && ctl_at(&f->pool, id)->kind == CTL_ACK)
		id = ctl_at(&f->pool, id)->next;
	return !id;
}

/* Requests for what was lost can be lost too, and the requests for those: if
 * the oldest number makes no progress, what is as old goes out again unasked.
 */
static void resend_stuck(struct ftfw *f)
{
	if (f->ring.first == f->stuck_at && f->ring.first != f->ring.next) {
		if (f->now_ms - f->stuck_since_ms < RESEND_MS)
			return;
		for (uint32_t n = f->stuck_at; n != f->stuck_until; n++)
			if (holds_acks_only(f, n))
				ftfw_release(f, n);
			else if (ring_owed(&f->ring, n))
				ftfw_send_again(f, n);
	}
	f->stuck_at = f->ring.first;
	f->stuck_until = f->ring.next;
	f->stuck_since_ms = f->now_ms;
}

static bool owes_anything(const struct ftfw *f, const struct peer *p)
{
	for (uint32_t n = f->ring.first; n != f->ring.next; n++)
		if (ring_owed(&f->ring, n) & peer_bit(p))
			return true;
	return false;
}

/* A reference that sends all the time acknowledges only when its window is
 * full: it is deaf if it had much more than that, or if it says ALIVE, which
 * it does when it has sent nothing for a second and has nothing to
 * acknowledge (spec 4.3). */
static bool should_have_answered(const struct ftfw *f, const struct peer *p)
{
	uint32_t most = f->ring.mask / 2;

	if (f->now_ms - p->answered_ms < DEAF_MS)
		return false;
	if (most > REF_WINDOW)
		most = REF_WINDOW;
	return p->node || f->ring.next - p->answered_seq > most ||
	       p->idle_ms - p->answered_ms >= DEAF_MS / 2;
}

static bool is_deaf(const struct ftfw *f, struct peer *p)
{
	if (!p->has_answered)
		return false;
	if (owes_anything(f, p))
		return should_have_answered(f, p);
	note_answer(f, p);
	return false;
}

void ftfw_check_lives(struct ftfw *f)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &f->peers.peers[i];

		if (!p->is_used || !p->is_live)
			continue;
		if (!p->has_answered && f->now_ms - p->found_ms > HELLO_TRY_MS)
			p->gave_up_hello = true;
		if (f->now_ms - p->heard_ms >= SILENT_MS)
			gone(f, p, ENGINE_PEER_SILENT);
		else if (is_deaf(f, p))
			gone(f, p, ENGINE_PEER_DEAF);
	}
	resend_stuck(f);
}
