/* SPDX-License-Identifier: ISC */
#include "netlink/ct_tombs.h"

#include <stddef.h>
#include <stdlib.h>

enum { FIRST_SLOTS = 1024 };

/* FNV-1a. Nobody can choose keys that collide: the kernel's id, which makes up
 * the other half of a tag and finds its slot, is a keyed hash. */
static uint32_t hash_key(const struct flow *f)
{
	const uint8_t *bytes = (const uint8_t *)&f->orig;
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < offsetof(struct tuple, icmp_id); i++)
		hash = (hash ^ bytes[i]) * 16777619U;
	if (f->has & FLOW_ZONE_ORIG)
		hash = (hash ^ f->zone_orig) * 16777619U;
	return (hash ^ f->zone ^ (uint32_t)f->l4proto << 16) * 16777619U;
}

/* Another life of the same tuple has another id. Never 0. */
static uint64_t tag_of(const struct flow *f)
{
	uint32_t id = f->has & FLOW_ID ? f->id : 0;

	return (uint64_t)id << 32 | hash_key(f) | 1;
}

/* The slot that has this tag, or the free one where it belongs. */
static uint64_t *find(uint64_t *slots, uint32_t n_slots, uint64_t tag)
{
	uint32_t i = (uint32_t)(tag >> 32) & (n_slots - 1);

	while (slots[i] && slots[i] != tag)
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

static bool grow(struct ct_tombs *t)
{
	uint32_t n_slots = t->n_slots ? 2 * t->n_slots : FIRST_SLOTS;
	uint64_t *slots = calloc(n_slots, sizeof(*slots));

	if (!slots)
		return false;
	for (uint32_t i = 0; i < t->n_slots; i++)
		if (t->slots[i])
			*find(slots, n_slots, t->slots[i]) = t->slots[i];
	free(t->slots);
	t->slots = slots;
	t->n_slots = n_slots;
	return true;
}

bool ct_tombs_add(struct ct_tombs *t, const struct flow *f)
{
	const uint64_t tag = tag_of(f);
	uint64_t *slot;

	if (t->n == t->max)
		return false;
	if (t->n >= t->n_slots / 4 * 3 && !grow(t))
		return false;
	slot = find(t->slots, t->n_slots, tag);
	t->n += *slot == 0;
	*slot = tag;
	return true;
}

bool ct_tombs_has(const struct ct_tombs *t, const struct flow *f)
{
	const uint64_t tag = tag_of(f);

	return t->n > 0 && *find(t->slots, t->n_slots, tag) == tag;
}

void ct_tombs_clear(struct ct_tombs *t)
{
	free(t->slots);
	*t = (struct ct_tombs){ .max = t->max };
}
