/* SPDX-License-Identifier: ISC */
#include "sync/linkset.h"

#include <assert.h>

void linkset_init(struct linkset *s, int64_t patient_until_ms)
{
	*s = (struct linkset){ .current = -1,
			       .patient_until_ms = patient_until_ms };
}

void linkset_add(struct linkset *s, struct link *l, bool is_default)
{
	assert(s->n_links < LINKSET_MAX);
	s->links[s->n_links] = l;
	if (is_default || s->n_links == 0)
		s->current = s->n_links;
	s->n_links++;
}

static bool is_usable(const struct linkset *s, int index)
{
	return index >= 0 && link_is_usable(s->links[index]);
}

/* One that is usable, the current one first; -1: none. */
static int choose(const struct linkset *s)
{
	if (is_usable(s, s->current))
		return s->current;
	for (int i = 0; i < s->n_links; i++)
		if (is_usable(s, i))
			return i;
	return -1;
}

enum linkset_change linkset_update(struct linkset *s, int64_t now_ms)
{
	bool was_lost = s->is_lost;
	int chosen = choose(s);

	if (chosen >= 0) {
		bool is_same = chosen == s->current;

		s->current = chosen;
		s->was_usable = true;
		s->is_lost = false;
		if (!is_same)
			return LINKSET_SWITCHED;
		return was_lost ? LINKSET_RETURNED : LINKSET_SAME;
	}
	if (was_lost || (!s->was_usable && now_ms < s->patient_until_ms))
		return LINKSET_SAME;
	s->is_lost = true;
	return LINKSET_LOST;
}

bool linkset_heard(struct linkset *s, int index)
{
	assert(index >= 0 && index < s->n_links);
	if (index == s->current ||
	    (!is_usable(s, index) && is_usable(s, s->current)))
		return false;
	s->current = index;
	return true;
}
