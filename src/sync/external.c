/* SPDX-License-Identifier: ISC */
#include "sync/external.h"

#include "cache/expect_cache.h"
#include "sync/wire_expect.h"

enum { STEP = 4096 }; /* ids looked at in one piece, or twice that */

/* An end told by another node than the owner is right only if the owner is
 * gone: a take-over makes the new node the owner first. */
static bool may_end(const struct external *x, const struct entry_head *h,
		    const struct peer *from)
{
	if (h->owner == from->number || !x->peers)
		return true;
	return !x->peers->peers[h->owner].is_used ||
	       !x->peers->peers[h->owner].is_live;
}

static void end_entry(struct external *x, const struct peer *from, uint32_t id)
{
	if (id == FLOW_CACHE_NO_ID)
		return;
	if (may_end(x, flow_cache_head(x->cache, id), from))
		flow_cache_remove(x->cache, id);
	else
		x->n_not_owner++;
}

static void note_told(const struct external *x, const struct peer *from,
		      uint32_t id, uint32_t now_s)
{
	struct entry_head *h = flow_cache_head(x->cache, id);

	h->owner = from->number;
	if (x->expiry)
		expiry_told(x->expiry, id, now_s);
	else
		h->generation = from->generation;
}

/* id: of the entry, if the result is one of the first three. */
static enum verdict was_put(struct external *x, const struct peer *from,
			    enum put_result result, uint32_t id, bool is_new,
			    uint32_t now_s)
{
	switch (result) {
	case PUT_CHANGED:
		if (is_new)
			flow_cache_head(x->cache, id)->created_s = now_s;
		note_told(x, from, id, now_s);
		break;
	case PUT_NEW:
	case PUT_SAME:
		note_told(x, from, id, now_s);
		break;
	case PUT_OTHER:    /* of PUT_TOLD only */
	case PUT_NO_SPACE: /* both are counted by the cache */
	case PUT_NO_MEMORY:
		return VERDICT_NO_ROOM;
	}
	return VERDICT_OK;
}

/* Where entries are told again and again, NEW does not tell the begin of a
 * life; what has not changed keeps its age. */
static enum put_mode mode_of(const struct external *x, const struct peer *from,
			     enum msg_type type)
{
	if (type == MSG_CT_NEW)
		return x->expiry ? PUT_CONTENT : PUT_REPLACE;
	return peer_sends_whole_updates(from) ? PUT_CONTENT : PUT_MERGE;
}

static enum verdict hear_flow(struct external *x, const struct peer *from,
			      const struct msg *m, uint32_t now_s)
{
	enum msg_type type = (enum msg_type)m->type;
	uint32_t id = FLOW_CACHE_NO_ID;
	enum put_result result;
	struct flow f;
	enum verdict v;

	v = wire_flow_decode(m->body, &x->wire, &f, &x->wire_stats);
	if (v != VERDICT_OK)
		return v;
	if (type == MSG_CT_DEL) {
		end_entry(x, from, flow_cache_find(x->cache, &f));
		return VERDICT_OK;
	}
	result = flow_cache_put(x->cache, &f, mode_of(x, from, type), now_s,
				&id);
	return was_put(x, from, result, id, type == MSG_CT_NEW, now_s);
}

/* All that there is to know of one is in every message. */
static enum verdict hear_expect(struct external *x, const struct peer *from,
				const struct msg *m, uint32_t now_s)
{
	bool is_new = m->type == MSG_EXP_NEW;
	uint32_t id = FLOW_CACHE_NO_ID;
	enum put_result result;
	struct expect e;
	enum verdict v;

	v = wire_expect_decode(m->body, &x->wire, &e);
	if (v != VERDICT_OK)
		return v;
	if (m->type == MSG_EXP_DEL) {
		end_entry(x, from, expect_cache_find(x->cache, &e));
		return VERDICT_OK;
	}
	result = expect_cache_put(x->cache, &e,
				  is_new && !x->expiry ? STORE_REPLACE
						       : STORE_CHANGE,
				  now_s, &id);
	return was_put(x, from, result, id, is_new, now_s);
}

enum verdict external_data(struct external *x, const struct peer *from,
			   const struct msg *m, int64_t now_ms)
{
	uint32_t now_s = (uint32_t)(now_ms / 1000);

	if (m->type <= MSG_CT_DEL)
		return hear_flow(x, from, m, now_s);
	return x->has_expectations ? hear_expect(x, from, m, now_s)
				   : VERDICT_IGNORED;
}

void external_sweep(struct external *x, const struct peer *owner)
{
	x->keep[owner->number] = owner->generation;
	x->to_sweep |= peer_bit(owner);
}

void external_merge(struct external *x, uint8_t number, uint32_t generation,
		    const struct peer *p)
{
	/* The number may stand for another one already. */
	while ((x->merging | x->to_merge) >> number & 1)
		external_step(x);
	x->merges[number] = (struct external_merge){
		.owner = p->number,
		.until = generation,
		.generation = p->generation,
	};
	x->to_merge |= UINT64_C(1) << number;
}

bool external_has_room(const struct external *x)
{
	return flow_cache_has_room(x->cache);
}

static void merge(const struct external *x, struct entry_head *h)
{
	const struct external_merge *m = &x->merges[h->owner];

	if (!(x->merging >> h->owner & 1) ||
	    (int32_t)(h->generation - m->until) > 0)
		return;
	h->owner = m->owner;
	h->generation = m->generation;
}

static bool is_outdated(const struct external *x, const struct entry_head *h)
{
	return (x->sweeping >> h->owner & 1) &&
	       (int32_t)(h->generation - x->keep[h->owner]) < 0;
}

bool external_step(struct external *x)
{
	if (!x->sweeping && !x->merging) {
		x->sweeping = x->to_sweep;
		x->merging = x->to_merge;
		x->to_sweep = x->to_merge = 0;
		x->position = FLOW_CACHE_NO_ID;
	}
	for (uint32_t n = 0; (x->sweeping || x->merging) && n < STEP;) {
		uint32_t before = x->position;
		struct entry_head *h;

		x->position = flow_cache_next(x->cache, x->position);
		n += x->position - before;
		if (x->position == FLOW_CACHE_NO_ID) {
			x->sweeping = x->merging = 0;
			break;
		}
		h = flow_cache_head(x->cache, x->position);
		if (h->state == ENTRY_FREE)
			continue;
		merge(x, h);
		if (!is_outdated(x, h))
			continue;
		flow_cache_remove(x->cache, x->position);
		x->n_swept++;
	}
	return x->sweeping || x->merging || x->to_sweep || x->to_merge;
}
