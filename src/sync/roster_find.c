/* SPDX-License-Identifier: ISC */
/* Who is it? Announcements, claims and places. */
#include <string.h>

#include "sync/roster.h"
#include "sync/seq.h"

enum {
	NEAR = 4096,     /* numbers between two announcements of a life */
	RIVAL_MS = 3000, /* longer than late datagrams of an old life come */
	CLAIM_MS = 3000, /* a claim that is not said for so long has ended; an
			  * id that is not has, elsewhere than at its place */
	LIFE_MS = 1200,  /* two announcements: the same at its place */
};

static bool is_named(const struct peer *p, const uint8_t name[EXT_NAME_SIZE])
{
	return p->is_used && p->has_name &&
	       memcmp(p->name, name, EXT_NAME_SIZE) == 0;
}

/* The peer with this name; of two, the one that is not heard any more. */
static struct peer *peer_of_name(struct roster *r,
				 const uint8_t name[EXT_NAME_SIZE])
{
	struct peer *found = NULL;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		struct peer *p = &r->peers[i];

		if (is_named(p, name) &&
		    (!found || p->announced_ms < found->announced_ms))
			found = p;
	}
	return found;
}

/* An announcement of a node id that is not known yet. */
struct news {
	const struct peer_addr *from;
	uint32_t seq;
	const struct ext_alive *ext;
	uint8_t name[EXT_NAME_SIZE];
	int64_t now_ms;
};

/* ---- one life after the other ------------------------------------------- */

/* True if the claim was made before. Of two that are made by turns the first
 * one is decided first. */
static bool note_claim(struct peer *p, const struct news *n)
{
	uint64_t node = n->ext->node;
	bool is_same =
		p->claimed_node == node && n->seq - p->claimed_seq < NEAR;

	if (!is_same && p->claimed_node && p->claimed_node != node &&
	    n->now_ms - p->claimed_ms < CLAIM_MS)
		return false;
	if (!is_same)
		p->claimed_since_ms = n->now_ms;
	p->claimed_node = node;
	p->claimed_seq = n->seq;
	p->claimed_ms = n->now_ms;
	return is_same;
}

enum claim {
	CLAIM_GRANTED,
	CLAIM_WAITS,
	CLAIM_RIVAL, /* both go on being heard */
};

/* A new node id where another one is known. It is believed when it was said
 * twice and the old one, which is said every second, is not any more. */
static enum claim consider_claim(struct peer *p, const struct news *n,
				 int64_t silence_ms)
{
	int64_t old_ms = p->node ? p->announced_ms : p->accepted_ms;

	if (!peer_is_heard(p))
		return CLAIM_GRANTED;
	if (!note_claim(p, n))
		return CLAIM_WAITS;
	if (old_ms - p->claimed_since_ms >= RIVAL_MS)
		return CLAIM_RIVAL;
	return n->now_ms - old_ms >= silence_ms &&
			       n->now_ms > p->claimed_since_ms
		       ? CLAIM_GRANTED
		       : CLAIM_WAITS;
}

static void forget_old_node(struct peer *p, uint64_t node)
{
	for (int i = 0; i < PEER_OLD_NODES; i++)
		if (p->old_nodes[i] == node)
			p->old_nodes[i] = 0;
}

/* An earlier life that goes on announcing itself: if the present one does not
 * any more, that was a forgery. If both do, from places of their own, they are
 * two nodes. Otherwise it is replayed, or very late. */
static bool is_now(struct peer *p, const struct news *n, uint64_t *cleared)
{
	if (!note_claim(p, n) || n->now_ms - p->claimed_since_ms < CLAIM_MS)
		return false;
	if (n->now_ms - p->announced_ms >= CLAIM_MS) {
		*cleared |= peer_bit(p);
	} else {
		if (peer_same_place(n->from, &p->announced_at))
			return false;
		roster_drop_place(p, n->from);
	}
	forget_old_node(p, n->ext->node);
	return true;
}

static bool may_be_now(struct roster *r, const struct news *n,
		       uint64_t *cleared)
{
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (peer_is_old_node(&r->peers[i], n->ext->node) &&
		    !is_now(&r->peers[i], n, cleared))
			return false;
	return true;
}

bool peer_is_near(const struct peer *p, uint32_t seq)
{
	return p->has_seq &&
	       (seq - p->last_seq < NEAR || p->last_seq - seq < NEAR);
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

void roster_announced(struct peer *p, const struct peer_addr *from,
		      const struct ext_alive *ext, int64_t now_ms)
{
	uint8_t name[EXT_NAME_SIZE];

	p->announced_ms = now_ms;
	p->announced_at = *from;
	p->capabilities = ext->capabilities;
	if (ext_name(ext->records, name))
		note_name(p, name);
}

void roster_named(struct peer *p, uint64_t node)
{
	p->node = node;
	p->claimed_node = 0;
	p->is_reference = false;
}

bool roster_is_reference(struct peer *p)
{
	bool says_id =
		p->unbelieved_ms && p->heard_ms - p->unbelieved_ms < CLAIM_MS;

	if (p->is_reference || says_id)
		return false;
	p->is_reference = true;
	return true;
}

/* Its data came before its first announcement. */
static bool is_continued(const struct peer *p, uint32_t seq)
{
	return !p->node && peer_is_near(p, seq);
}

/* The peer that has this name, or else this place, and whose life is announced;
 * NULL: not yet, or a new one if *is_new. */
static struct peer *whose_life(struct roster *r, struct peer *at,
			       const struct news *n, bool *is_new,
			       const struct peer **namesake)
{
	struct peer *p =
		at && is_named(at, n->name) ? at : peer_of_name(r, n->name);

	*is_new = false;
	if (p && p != at && is_continued(p, n->seq))
		return p; /* it went on there without its id for a while */
	if (p && p != at)
		switch (consider_claim(p, n, CLAIM_MS)) {
		case CLAIM_GRANTED:
			return p;
		case CLAIM_WAITS:
			return NULL;
		case CLAIM_RIVAL: /* two nodes have one name */
			*namesake = p;
			break;
		}
	if (!at) {
		*is_new = true;
		return NULL;
	}
	if (is_continued(at, n->seq) ||
	    consider_claim(at, n, LIFE_MS) == CLAIM_GRANTED)
		return at;
	return NULL;
}

static void add(struct roster *r, const struct peer_addr *from, int64_t now_ms,
		struct roster_found *found)
{
	found->peer = roster_add(r, from, now_ms);
	found->what = found->peer ? ROSTER_FOUND : ROSTER_REFUSED;
}

/* The peer that announces a node id we have not seen. An announcement without
 * a name does not tell whose life it is, and is not listened to. */
static void find_new_node(struct roster *r, struct news *n,
			  struct roster_found *found)
{
	struct peer *at, *p;
	bool is_new;

	if (!ext_name(n->ext->records, n->name) ||
	    !may_be_now(r, n, &found->cleared))
		return;
	at = roster_at(r, n->from);
	if (at && at->node && !peer_same_place(n->from, &at->announced_at)) {
		/* It was there before, or seemed to be. */
		roster_drop_place(at, n->from);
		at = NULL;
	}
	p = whose_life(r, at, n, &is_new, &found->namesake);
	if (is_new) {
		found->has_rival = peer_of_name(r, n->name) != NULL;
		add(r, n->from, n->now_ms, found);
		return;
	}
	if (!p) {
		if (at)
			at->unbelieved_ms = n->now_ms;
		return;
	}
	/* A reference that was there does not begin to say an id: what the node
	 * in its place has told so far was taken for the reference's. */
	found->peer = p;
	found->what = p == at && is_continued(p, n->seq) && !p->is_reference
			      ? ROSTER_NAMED
			      : ROSTER_RESTARTED;
}

/* ---- messages without an id --------------------------------------------- */

/* A node of ours that is known at another place says who it is before it says
 * anything else here, and is asked for what was missed until then. Datagrams
 * from where it was before come late. */
static bool is_known_elsewhere(const struct roster *r, uint32_t seq)
{
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (r->peers[i].node && peer_is_near(&r->peers[i], seq))
			return true;
	return false;
}

static void find_nameless(struct roster *r, const struct peer_addr *from,
			  uint32_t seq, int64_t now_ms,
			  struct roster_found *found)
{
	struct peer *p = roster_at(r, from);
	bool is_sure = p && (p->node || p->has_name || p->is_reference);

	if (!is_sure && is_known_elsewhere(r, seq))
		return;
	if (!p) {
		p = roster_continued(r, from, seq);
		if (!p) {
			add(r, from, now_ms, found);
			return;
		}
		roster_add_place(r, p, from);
	}
	found->peer = p;
	found->what = ROSTER_KNOWN;
}

void roster_find(struct roster *r, const struct peer_addr *from, uint32_t seq,
		 const struct ext_alive *ext, int64_t now_ms,
		 struct roster_found *found)
{
	struct news n = {
		.from = from, .seq = seq, .ext = ext, .now_ms = now_ms
	};

	*found = (struct roster_found){ .what = ROSTER_NOBODY };
	if (!ext) {
		find_nameless(r, from, seq, now_ms, found);
		return;
	}
	found->peer = roster_of_node(r, ext->node);
	if (found->peer)
		found->what = ROSTER_KNOWN;
	else
		find_new_node(r, &n, found);
}

struct peer *roster_twin(struct roster *r, const struct peer *p,
			 const struct peer_addr *from)
{
	struct peer *at = roster_at(r, from);

	return at && at != p && !at->node && !at->has_name ? at : NULL;
}
