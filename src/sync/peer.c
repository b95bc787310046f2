/* SPDX-License-Identifier: ISC */
#include "sync/peer.h"

#include <string.h>

#include "sync/seq.h"

enum { CONTINUES_WITHIN = 4096 };

bool peer_same_place(const struct peer_addr *a, const struct peer_addr *b)
{
	return a->link == b->link && a->family == b->family &&
	       addr_equal(&a->addr, &b->addr);
}

struct peer *peer_at(struct peer_table *t, const struct peer_addr *from)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &t->peers[i];

		for (int k = 0; p->is_used && k < p->n_addrs; k++)
			if (peer_same_place(&p->addrs[k], from))
				return p;
	}
	return NULL;
}

struct peer *peer_of_node(struct peer_table *t, uint64_t node)
{
	for (int i = 0; i < PEER_MAX; i++)
		if (t->peers[i].is_used && node && t->peers[i].node == node)
			return &t->peers[i];
	return NULL;
}

static bool has_place_on(const struct peer *p, uint8_t link)
{
	for (int i = 0; i < p->n_addrs; i++)
		if (p->addrs[i].link == link)
			return true;
	return false;
}

struct peer *peer_continued(struct peer_table *t, const struct peer_addr *from,
			    uint32_t seq)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &t->peers[i];

		if (p->is_used && !p->node && p->rx.is_set &&
		    seq - p->rx.last - 1 < CONTINUES_WITHIN &&
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

static struct peer *find_room(struct peer_table *t)
{
	struct peer *oldest = NULL;

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &t->peers[i];

		if (!p->is_used)
			return p;
		if (!p->is_live && !p->is_deaf)
			oldest = less_missed(oldest, p);
	}
	return oldest;
}

struct peer *peer_add(struct peer_table *t, const struct peer_addr *from,
		      int64_t now_ms)
{
	struct peer *p = find_room(t);

	if (!p) {
		t->n_refused++;
		return NULL;
	}
	*p = (struct peer){
		.is_used = true,
		.number = (uint8_t)(p - t->peers),
		/* What a forgotten predecessor sent is older. */
		.generation = p->generation + 1,
		/* These are counted for all, and do not go back. */
		.n_lost = p->n_lost,
		.n_before = p->n_before,
		.n_foreign = p->n_foreign,
		.addrs = { *from },
		.n_addrs = 1,
		.found_ms = now_ms,
		.heard_ms = now_ms,
		.progress_ms = now_ms,
		.is_live = true,
		.needs_first_ack = true,
	};
	return p;
}

static void forget_place(struct peer *p, int k)
{
	p->n_addrs--;
	memmove(&p->addrs[k], &p->addrs[k + 1],
		(size_t)(p->n_addrs - k) * sizeof(p->addrs[0]));
}

void peer_forget_addr(struct peer *p, const struct peer_addr *from)
{
	for (int k = p->n_addrs - 1; k >= 0; k--)
		if (peer_same_place(&p->addrs[k], from))
			forget_place(p, k);
}

void peer_add_addr(struct peer_table *t, struct peer *p,
		   const struct peer_addr *from)
{
	for (int i = 0; i < PEER_MAX; i++)
		peer_forget_addr(&t->peers[i], from);
	if (p->n_addrs == PEER_ADDR_MAX)
		forget_place(p, 0);
	p->addrs[p->n_addrs++] = *from;
}

void peer_take_places(struct peer *p, struct peer *q)
{
	while (q->n_addrs && p->n_addrs < PEER_ADDR_MAX) {
		memmove(&p->addrs[1], &p->addrs[0],
			p->n_addrs * sizeof(p->addrs[0]));
		p->addrs[0] = q->addrs[--q->n_addrs];
		p->n_addrs++;
	}
	q->n_addrs = 0;
}

void peer_new_life(struct peer *p, uint64_t node)
{
	if (p->node) {
		memmove(&p->old_nodes[1], &p->old_nodes[0],
			sizeof(p->old_nodes) - sizeof(p->old_nodes[0]));
		p->old_nodes[0] = p->node;
	}
	p->node = node;
	p->capabilities = 0;
	p->generation++;
	p->rx = (struct order){ 0 };
	p->needs_first_ack = true;
	p->is_deaf = false;
	p->claimed_node = 0;
	p->in_bulk = false;
	p->has_walk = false;
	p->is_proving = false;
	p->has_unsent_nack = false;
	p->is_proven = false;
	p->forgets = false;
	p->is_incomplete = false;
	p->is_reference = false;
	if (node)
		p->unbelieved_ms = 0;
	p->has_acked = false;
	p->rtt_ms = 0;
	p->bulk_due_ms = 0;
}

bool peer_is_old_node(const struct peer *p, uint64_t node)
{
	for (int i = 0; i < PEER_OLD_NODES; i++)
		if (node && p->old_nodes[i] == node)
			return true;
	return false;
}

void peer_forget_old_node(struct peer *p, uint64_t node)
{
	for (int i = 0; i < PEER_OLD_NODES; i++)
		if (p->old_nodes[i] == node)
			p->old_nodes[i] = 0;
}

uint64_t peer_waited(const struct peer_table *t)
{
	uint64_t set = 0;

	for (int i = 0; i < PEER_MAX; i++) {
		const struct peer *p = &t->peers[i];

		if (p->is_used && p->is_live && p->has_answered)
			set |= peer_bit(p);
	}
	return set;
}
