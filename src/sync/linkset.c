/* SPDX-License-Identifier: ISC */
#include "sync/linkset.h"

#include <assert.h>

enum {
	MISSED_FIRST_MS = 5000, /* from one switch for silence to the next; */
	MISSED_MOST_MS = 80000, /* doubles, and is forgotten after this */
};

void linkset_init(struct linkset *s, int64_t patient_until_ms,
		  uint32_t settle_ms)
{
	*s = (struct linkset){ .current = -1,
			       .previous = -1,
			       .settle_ms = settle_ms,
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

static void make_current(struct linkset *s, int index, int64_t now_ms)
{
	s->previous = s->current;
	s->current = index;
	s->settled_ms = now_ms + s->settle_ms;
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

		if (!is_same)
			make_current(s, chosen, now_ms);
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

bool linkset_heard(struct linkset *s, int index, int64_t now_ms)
{
	assert(index >= 0 && index < s->n_links);
	if (index == s->current)
		return false;
	if (is_usable(s, s->current) &&
	    (!is_usable(s, index) ||
	     (index == s->previous && now_ms < s->settled_ms)))
		return false;
	make_current(s, index, now_ms);
	return true;
}

bool linkset_missed(struct linkset *s, int index, int64_t now_ms)
{
	assert(index >= 0 && index < s->n_links);
	if (index == s->current || !is_usable(s, index) ||
	    (s->missed_wait_ms && now_ms - s->missed_ms < s->missed_wait_ms))
		return false;
	if (!s->missed_wait_ms || now_ms - s->missed_ms >= MISSED_MOST_MS)
		s->missed_wait_ms = MISSED_FIRST_MS;
	else
		s->missed_wait_ms *= 2;
	s->missed_ms = now_ms;
	make_current(s, index, now_ms);
	return true;
}

int linkset_search(const struct linkset *s, uint32_t step)
{
	int index = s->current;

	assert(s->n_links > 0);
	for (uint32_t i = step % (uint32_t)s->n_links; i > 0; i--)
		index = (index + 1) % s->n_links;
	return is_usable(s, index) ? index : s->current;
}
