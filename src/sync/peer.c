/* SPDX-License-Identifier: ISC */
#include "sync/peer.h"

#include <string.h>

#include "sync/seq.h"

enum { CONTINUES_WITHIN = 4096 };

static bool same_place(const struct peer_addr *a, const struct peer_addr *b)
{
	return a->link == b->link && a->family == b->family &&
	       addr_equal(&a->addr, &b->addr);
}

struct peer *peer_at(struct peer_table *t, const struct peer_addr *from)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &t->peers[i];

		for (int k = 0; p->is_used && k < p->n_addrs; k++)
			if (same_place(&p->addrs[k], from))
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

struct peer *peer_continued(struct peer_table *t, uint32_t seq)
{
	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &t->peers[i];

		if (p->is_used && !p->node && p->rx.is_set &&
		    seq - p->rx.last - 1 < CONTINUES_WITHIN)
			return p;
	}
	return NULL;
}

static bool can_be_forgotten(const struct peer *p)
{
	return !p->is_live && !p->has_answered;
}

struct peer *peer_add(struct peer_table *t, const struct peer_addr *from,
		      int64_t now_ms)
{
	struct peer *free_one = NULL;

	for (int i = 0; i < PEER_MAX; i++) {
		struct peer *p = &t->peers[i];

		if (!p->is_used) {
			free_one = p;
			break;
		}
		if (!free_one && can_be_forgotten(p))
			free_one = p;
	}
	if (!free_one) {
		t->n_refused++;
		return NULL;
	}
	*free_one = (struct peer){
		.is_used = true,
		.number = (uint8_t)(free_one - t->peers),
		/* What a forgotten predecessor sent is older. */
		.generation = (uint8_t)(free_one->generation + 1),
		.addrs = { *from },
		.n_addrs = 1,
		.found_ms = now_ms,
		.heard_ms = now_ms,
		.answered_ms = now_ms,
		.is_live = true,
		.needs_first_ack = true,
	};
	return free_one;
}

static void forget_place(struct peer *p, int k)
{
	p->n_addrs--;
	memmove(&p->addrs[k], &p->addrs[k + 1],
		(size_t)(p->n_addrs - k) * sizeof(p->addrs[0]));
}

void peer_add_addr(struct peer_table *t, struct peer *p,
		   const struct peer_addr *from)
{
	for (int i = 0; i < PEER_MAX; i++)
		for (int k = t->peers[i].n_addrs - 1; k >= 0; k--)
			if (same_place(&t->peers[i].addrs[k], from))
				forget_place(&t->peers[i], k);
	if (p->n_addrs == PEER_ADDR_MAX)
		forget_place(p, 0);
	p->addrs[p->n_addrs++] = *from;
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
	p->rx = (struct tracker){ 0 };
	p->needs_first_ack = true;
	p->is_deaf = false;
	p->in_bulk = false;
	p->bulk_walk = 0;
	p->begin_acked = false;
	p->end_sent = false;
}

bool peer_is_old_node(const struct peer *p, uint64_t node)
{
	for (int i = 0; i < PEER_OLD_NODES; i++)
		if (node && p->old_nodes[i] == node)
			return true;
	return false;
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
