/* SPDX-License-Identifier: ISC */
#include "sync/roster.h"

#include <string.h>

#include "sync/seq.h"

enum {
	CONTINUES_WITHIN = 4096,
	SURE_MS = 3000, /* heard for so long without an id: it has none */
};

int roster_next(const struct roster *r, int after)
{
	for (int i = after + 1; i < r->n_places; i++)
		if (r->peers[i].is_used)
			return i;
	return -1;
}

bool peer_same_place(const struct peer_addr *a, const struct peer_addr *b)
{
	return a->link == b->link && a->family == b->family &&
	       addr_equal(&a->addr, &b->addr);
}

struct peer *roster_at(struct roster *r, const struct peer_addr *from)
{
	for (int i = 0; i < r->n_places; i++) {
		struct peer *p = &r->peers[i];

		for (int k = 0; p->is_used && k < p->n_addrs; k++)
			if (peer_same_place(&p->addrs[k], from))
				return p;
	}
	return NULL;
}

struct peer *roster_of_node(struct roster *r, uint64_t node)
{
	for (int i = 0; i < r->n_places; i++)
		if (r->peers[i].is_used && node && r->peers[i].node == node)
			return &r->peers[i];
	return NULL;
}

static bool has_place_on(const struct peer *p, uint8_t link)
{
	for (int i = 0; i < p->n_addrs; i++)
		if (p->addrs[i].link == link)
			return true;
	return false;
}

struct peer *roster_continued(struct roster *r, const struct peer_addr *from,
			      uint32_t seq)
{
	for (int i = 0; i < r->n_places; i++) {
		struct peer *p = &r->peers[i];

		if (p->is_used && !p->node && p->has_seq &&
		    seq - p->last_seq - 1 < CONTINUES_WITHIN &&
		    !has_place_on(p, from->link))
			return p;
	}
	return NULL;
}

/* Of two that may be forgotten, the one that is missed less. */
static struct peer *less_missed(struct peer *a, struct peer *b)
{
	if (!a || a->has_answered != b->has_answered)
		return a && !a->has_answered ? a : b;
	return a->heard_ms <= b->heard_ms ? a : b;
}

static struct peer *find_room(struct roster *r)
{
	struct peer *oldest = NULL;

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &r->peers[i];

		if (!p->is_used)
			return p;
		if (!p->is_live && !p->is_deaf)
			oldest = less_missed(oldest, p);
	}
	return oldest;
}

struct peer *roster_add(struct roster *r, const struct peer_addr *from,
			int64_t now_ms)
{
	struct peer *p = find_room(r);

	if (!p) {
		r->n_refused++;
		return NULL;
	}
	*p = (struct peer){
		.is_used = true,
		.number = (uint8_t)(p - r->peers),
		/* What a forgotten predecessor sent is older. */
		.generation = p->generation + 1,
		.addrs = { *from },
		.n_addrs = 1,
		.found_ms = now_ms,
		.heard_ms = now_ms,
		.is_live = true,
	};
	if (r->n_places <= p->number)
		r->n_places = p->number + 1;
	return p;
}

static void forget_place(struct peer *p, int k)
{
	p->n_addrs--;
	memmove(&p->addrs[k], &p->addrs[k + 1],
		(size_t)(p->n_addrs - k) * sizeof(p->addrs[0]));
}

void roster_drop_place(struct peer *p, const struct peer_addr *from)
{
	for (int k = p->n_addrs - 1; k >= 0; k--)
		if (peer_same_place(&p->addrs[k], from))
			forget_place(p, k);
}

void roster_add_place(struct roster *r, struct peer *p,
		      const struct peer_addr *from)
{
	for (int i = 0; i < r->n_places; i++)
		roster_drop_place(&r->peers[i], from);
	if (p->n_addrs == PEER_ADDR_MAX)
		forget_place(p, 0);
	p->addrs[p->n_addrs++] = *from;
}

bool peer_is_old_node(const struct peer *p, uint64_t node)
{
	for (int i = 0; i < PEER_OLD_NODES; i++)
		if (node && p->old_nodes[i] == node)
			return true;
	return false;
}

/* ---- lives -------------------------------------------------------------- */

void roster_renumbered(struct peer *p)
{
	p->has_seq = false;
	p->accepted_ms = 0;
}

void roster_new_life(struct peer *p, uint64_t node)
{
	if (p->node) {
		memmove(&p->old_nodes[1], &p->old_nodes[0],
			sizeof(p->old_nodes) - sizeof(p->old_nodes[0]));
		p->old_nodes[0] = p->node;
	}
	p->node = node;
	p->capabilities = 0;
	p->generation++;
	p->is_deaf = false;
	p->claimed_node = 0;
	p->is_reference = false;
	if (node)
		p->unbelieved_ms = 0;
	roster_renumbered(p);
}

bool roster_heard(struct peer *p, int64_t now_ms)
{
	p->heard_ms = now_ms;
	return !peer_is_heard(p);
}

void roster_accepted(struct peer *p, uint32_t seq, int64_t now_ms)
{
	if (!p->has_seq)
		p->first_seq = seq;
	p->has_seq = true;
	p->last_seq = seq;
	p->accepted_ms = now_ms;
}

bool roster_answered(struct peer *p)
{
	bool is_first = !p->has_answered;

	p->has_answered = true;
	return is_first;
}

void roster_never_answers(struct peer *p)
{
	p->never_answers = true;
}

void roster_next_generation(struct peer *p)
{
	p->generation++;
}

void roster_returned(struct peer *p)
{
	p->is_live = true;
	p->is_deaf = false;
}

void roster_silent(struct peer *p)
{
	p->is_live = false;
	p->is_deaf = false;
}

void roster_deaf(struct peer *p)
{
	p->is_live = false;
	p->is_deaf = true;
}

enum roster_lapse roster_lapse(const struct peer *p, int64_t now_ms)
{
	if (now_ms - p->heard_ms >= ROSTER_SILENT_MS)
		return p->node || p->is_reference ? LAPSE_SILENT
						  : LAPSE_UNKNOWN;
	if (p->node && now_ms - p->announced_ms >= ROSTER_SILENT_MS)
		return LAPSE_ID;
	return LAPSE_NONE;
}

bool roster_lacks_id(const struct peer *p)
{
	return !p->node && p->heard_ms - p->found_ms >= SURE_MS;
}

void roster_forget(struct peer *p)
{
	p->is_used = false;
}

void roster_continue(struct peer *p, const struct peer *q)
{
	if (!q->has_seq ||
	    (p->has_seq && !seq_after(q->first_seq, p->last_seq)))
		return;
	if (!p->has_seq)
		p->first_seq = q->first_seq;
	p->has_seq = true;
	p->last_seq = q->last_seq;
	p->accepted_ms = q->accepted_ms;
}

static void take_places(struct peer *p, struct peer *q)
{
	while (q->n_addrs && p->n_addrs < PEER_ADDR_MAX) {
		memmove(&p->addrs[1], &p->addrs[0],
			p->n_addrs * sizeof(p->addrs[0]));
		p->addrs[0] = q->addrs[--q->n_addrs];
		p->n_addrs++;
	}
	q->n_addrs = 0;
}

void roster_merge(struct peer *p, struct peer *q)
{
	take_places(p, q);
	q->is_used = q->is_live = q->is_deaf = false;
	q->has_answered = q->has_name = false;
}

/* ---- all of them -------------------------------------------------------- */

uint64_t roster_waited(const struct roster *r)
{
	uint64_t set = 0;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (r->peers[i].is_live && r->peers[i].has_answered)
			set |= peer_bit(&r->peers[i]);
	return set;
}

bool roster_is_alone(const struct roster *r)
{
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i))
		if (r->peers[i].is_live)
			return false;
	return true;
}

bool roster_takes_copies(const struct roster *r)
{
	bool takes = false;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];

		if (!peer_is_heard(p))
			continue;
		takes = p->node && (p->capabilities & EXT_CAP_COPIES);
		if (!takes)
			return false;
	}
	return takes;
}

bool roster_has_silent_reference(const struct roster *r)
{
	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		const struct peer *p = &r->peers[i];

		if (!p->is_live && p->has_answered && !p->node)
			return true;
	}
	return false;
}

bool roster_reference_moved(struct roster *r, struct peer **live,
			    struct peer **silent)
{
	int n_heard = 0, n_silent = 0;

	for (int i = roster_next(r, -1); i >= 0; i = roster_next(r, i)) {
		struct peer *p = &r->peers[i];

		if (!p->is_reference)
			continue;
		if (peer_is_heard(p)) {
			*live = p;
			n_heard++;
		} else {
			*silent = p;
			n_silent++;
		}
	}
	return n_heard == 1 && n_silent == 1 && (*live)->is_live;
}
