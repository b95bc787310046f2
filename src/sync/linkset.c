/* SPDX-License-Identifier: ISC */
#include "sync/linkset.h"

#include <assert.h>

void linkset_init(struct linkset *s)
{
	*s = (struct linkset){ .current = -1 };
}

void linkset_add(struct linkset *s, struct link *l, bool is_default)
{
	assert(s->n_links < LINKSET_MAX);
	s->links[s->n_links] = l;
	if (is_default || s->n_links == 0)
		s->current = s->n_links;
	s->n_links++;
}

static bool is_running(const struct linkset *s, int index)
{
	return link_status(s->links[index]) == LINK_RUNNING;
}

enum linkset_change linkset_update(struct linkset *s)
{
	if (s->current >= 0 && is_running(s, s->current))
		return LINKSET_SAME;
	for (int i = 0; i < s->n_links; i++) {
		if (is_running(s, i)) {
			s->current = i;
			return LINKSET_SWITCHED;
		}
	}
	return LINKSET_NONE_USABLE;
}

bool linkset_heard(struct linkset *s, int index)
{
	assert(index >= 0 && index < s->n_links);
	if (index == s->current ||
	    (!is_running(s, index) && is_running(s, s->current)))
		return false;
	s->current = index;
	return true;
}
