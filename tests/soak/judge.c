/* SPDX-License-Identifier: ISC */
#include "judge.h"

#include <stdio.h>
#include <string.h>

static const char *const cause_names[] = {
	[CAUSE_OURS] = "ours",
	[CAUSE_EMPTIED] = "emptied by a HELLO",
	[CAUSE_DROPPED] = "dropped from its queue",
	[CAUSE_UNTOLD] = "changed while it was down",
	[CAUSE_DOWN] = "ended while it was down",
	[CAUSE_MERGED] = "merged with a former life",
	[CAUSE_EARLIER] = "told before we started",
	[CAUSE_LATE] = "an old message taken anew",
	[CAUSE_UNASKED] = "told before it started",
	[CAUSE_NOBODY] = "ended while we were down",
};
_Static_assert(N_ELEMENTS(cause_names) == CAUSE_N, "each has a name");

const char *cause_name(enum cause c)
{
	return cause_names[c];
}

/* A flow of one node, as it is and as the other one has it. */
struct look {
	uint32_t number;
	const struct sim_flow *kernel;
	struct flow truth, held;
	bool is_held, is_right;
};

static void look_at(struct sim *s, int owner, int other, uint32_t number,
		    struct look *l)
{
	struct flow_cache *c = s->nodes[other].external_cache;
	uint32_t id;

	l->number = number;
	l->kernel = sim_kernel_flow(&s->nodes[owner].kernel, number);
	l->is_right = true;
	if (!l->kernel)
		return;
	sim_flow_value(l->kernel, owner, number, s->helpers, &l->truth);
	id = flow_cache_find(c, &l->truth);
	l->is_held = id != FLOW_CACHE_NO_ID;
	if (l->is_held)
		flow_cache_get(c, id, &l->held);
	l->is_right =
		l->kernel->is_alive
			? l->is_held && sim_same_on_wire(s, &l->truth, &l->held)
			: !l->is_held;
}

/* True if what is held may be a former life with the present one merged into:
 * merging changes nothing any more. */
static bool is_merged(const struct sim *s, const struct look *l)
{
	struct flow merged = l->held;

	if (!l->is_held || !l->kernel->is_alive)
		return false;
	flow_merge(&merged, &l->truth);
	return sim_same_on_wire(s, &merged, &l->held);
}

/* Why we have a flow of the reference wrong. */
static enum cause cause_at_ours(const struct sim *s, const struct judge_opts *o,
				const struct look *l)
{
	const struct sim_node *us = &s->nodes[o->ours];
	const struct sim_node *it = &s->nodes[o->reference];
	const struct sim_reference *r = it->reference;
	bool can_ask =
		o->is_strict || (o->asked && us->started_ms > it->started_ms);

	if (sim_reference_merges(r, l->number) && is_merged(s, l))
		return CAUSE_MERGED;
	switch (sim_reference_fate(r, l->number)) {
	case FATE_HELD:
		return CAUSE_OURS;
	case FATE_ACKED:
		return !o->asked && l->kernel->is_alive &&
				       sim_reference_told_ms(r, l->number) <=
					       us->started_ms
			       ? CAUSE_EARLIER
			       : CAUSE_OURS;
	case FATE_EMPTIED:
		return o->is_strict ? CAUSE_OURS : CAUSE_EMPTIED;
	case FATE_DROPPED:
		return CAUSE_DROPPED;
	case FATE_UNTOLD:
		break;
	}
	if (!l->kernel->is_alive)
		return o->is_strict ? CAUSE_OURS : CAUSE_DOWN;
	return can_ask ? CAUSE_OURS : CAUSE_UNTOLD;
}

/* Why the reference has a flow of ours wrong. */
static enum cause cause_at_reference(const struct sim *s,
				     const struct judge_opts *o,
				     const struct look *l)
{
	const struct sim_node *us = &s->nodes[o->ours];
	const struct sim_node *it = &s->nodes[o->reference];

	if (sim_reference_heard_late(it->reference, l->number))
		return CAUSE_LATE;
	if (!l->kernel->is_alive)
		return l->kernel->changed_ms <= us->started_ms ? CAUSE_NOBODY
							       : CAUSE_OURS;
	return !o->reference_asked && l->kernel->changed_ms <= it->started_ms
		       ? CAUSE_UNASKED
		       : CAUSE_OURS;
}

static const char *what_is_wrong(const struct sim *s, const struct look *l)
{
	if (!l->kernel->is_alive)
		return "zombie";
	if (!l->is_held)
		return "lost";
	return is_merged(s, l) ? "merged" : "stale";
}

static void describe(const struct sim *s, const struct look *l,
		     const char *owner, const char *other, char why[WHY_SIZE])
{
	snprintf(why, WHY_SIZE, "%s: flow %u of %s at %s", what_is_wrong(s, l),
		 l->number, owner, other);
}

bool judge(struct sim *s, const struct judge_opts *o, uint32_t n[CAUSE_N],
	   char why[WHY_SIZE])
{
	memset(n, 0, sizeof(*n) * CAUSE_N);
	for (uint32_t i = 0; i < o->n_flows; i++) {
		struct look l;
		enum cause c;

		look_at(s, o->reference, o->ours, i, &l);
		if (!l.is_right) {
			c = cause_at_ours(s, o, &l);
			if (c == CAUSE_OURS && !n[c])
				describe(s, &l, "the reference", "ours", why);
			n[c]++;
		}
		look_at(s, o->ours, o->reference, i, &l);
		if (!l.is_right) {
			c = cause_at_reference(s, o, &l);
			if (c == CAUSE_OURS && !n[c])
				describe(s, &l, "ours", "the reference", why);
			n[c]++;
		}
	}
	return n[CAUSE_OURS] == 0;
}
