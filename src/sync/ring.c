/* SPDX-License-Identifier: ISC */
#include "sync/ring.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "sync/seq.h"

enum { RING_MIN_SLOTS = 4096, RING_KIND_SHIFT = 28 };

static const uint32_t ring_id_mask = (UINT32_C(1) << RING_KIND_SHIFT) - 1;

int ring_init(struct ring *r, uint32_t slots, uint32_t first)
{
	uint32_t n = RING_MIN_SLOTS;

	while (n < slots && n < UINT32_C(1) << 30)
		n *= 2;
	*r = (struct ring){ .first = first, .next = first, .mask = n - 1 };
	r->refs = calloc(n, sizeof(*r->refs));
	r->debtors = calloc(n, sizeof(*r->debtors));
	if (!r->refs || !r->debtors) {
		ring_fini(r);
		return -ENOMEM;
	}
	return 0;
}

void ring_fini(struct ring *r)
{
	free(r->refs);
	free(r->debtors);
	*r = (struct ring){ 0 };
}

static bool is_held(const struct ring *r, uint32_t n)
{
	return n - r->first < r->next - r->first;
}

static void skip_empty(struct ring *r)
{
	while (r->first != r->next && !r->refs[r->first & r->mask])
		r->first++;
}

uint32_t ring_push(struct ring *r, struct ring_ref ref, uint64_t debtors)
{
	uint32_t n = r->next;

	/* An empty slot at the front needs none: first moves along. */
	if (ref.kind == RING_NONE && r->first == n) {
		r->first = ++r->next;
		return n;
	}
	assert(ring_free(r) > 0);
	r->refs[n & r->mask] = (uint32_t)ref.kind << RING_KIND_SHIFT | ref.id;
	r->debtors[n & r->mask] = debtors;
	r->next++;
	return n;
}

struct ring_ref ring_at(const struct ring *r, uint32_t n)
{
	uint32_t ref = is_held(r, n) ? r->refs[n & r->mask] : 0;

	return (struct ring_ref){ (enum ring_kind)(ref >> RING_KIND_SHIFT),
				  ref & ring_id_mask };
}

uint64_t ring_debtors(const struct ring *r, uint32_t n)
{
	return is_held(r, n) ? r->debtors[n & r->mask] : 0;
}

void ring_set_debtors(struct ring *r, uint32_t n, uint64_t debtors)
{
	if (is_held(r, n))
		r->debtors[n & r->mask] = debtors;
}

void ring_clear(struct ring *r, uint32_t n)
{
	if (!is_held(r, n))
		return;
	r->refs[n & r->mask] = 0;
	r->debtors[n & r->mask] = 0;
	skip_empty(r);
}

bool ring_clip(const struct ring *r, uint32_t *from, uint32_t *to)
{
	if (r->first == r->next || seq_before(*to, r->first) ||
	    !seq_before(*from, r->next))
		return false;
	if (seq_before(*from, r->first))
		*from = r->first;
	if (!seq_before(*to, r->next))
		*to = r->next - 1;
	return true;
}
