/* SPDX-License-Identifier: ISC */
#include "judge.h"

#include <stdio.h>
#include <string.h>

enum { RING_SMALL = 4096 };

static const char *const cause_names[] = {
	[CAUSE_OURS] = "ours",
	[CAUSE_DROPPED] = "dropped from its queue",
	[CAUSE_MERGED] = "merged with a former life",
	[CAUSE_EARLIER] = "told before we heard it",
	[CAUSE_LATE] = "told anew by an old message",
	[CAUSE_NOBODY] = "ended while we were down",
	[CAUSE_ALONE] = "ended long before it heard us",
};
_Static_assert(N_ELEMENTS(cause_names) == CAUSE_N, "each has a name");

static const char *const fate_names[] = {
	[FATE_UNTOLD] = "not told since it started",
	[FATE_HELD] = "held by it",
	[FATE_ACKED] = "acknowledged by us",
	[FATE_EMPTIED] = "let go at our HELLO",
	[FATE_DROPPED] = "dropped from its queue",
};

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
	l->is_right = l->kernel->is_alive
			      ? l->is_held && !sim_flow_difference(&l->truth,
								   &l->held)
			      : !l->is_held;
}

/* True if what is held may be a former life with the present one merged into:
 * merging changes nothing any more. An update of a reference says what has
 * changed, and never what is gone: whether the begin of the life was lost, or
 * came behind a late word of a former one, it cannot be made good. */
static bool is_merged(const struct look *l)
{
	struct flow merged = l->held;

	if (!l->is_held || !l->kernel->is_alive)
		return false;
	flow_merge(&merged, &l->truth);
	return !sim_flow_difference(&merged, &l->held);
}

/* Why we have a flow of the reference wrong. What it cannot tell any more, as
 * after a HELLO or a restart, it would tell at a RESYNC, and what it does not
 * tell then is gone. */
static enum cause cause_at_ours(const struct sim *s, const struct judge_opts *o,
				const struct look *l)
{
	const struct sim_reference *r = s->nodes[o->reference].reference;
	int64_t heard_ms = s->nodes[o->ours].heard_ms;

	if (is_merged(l))
		return CAUSE_MERGED;
	if (!o->asked && !l->is_held && l->kernel->changed_ms <= heard_ms)
		return CAUSE_EARLIER;
	return sim_reference_fate(r, l->number) == FATE_DROPPED ? CAUSE_DROPPED
								: CAUSE_OURS;
}

/* Why the reference has a flow of ours wrong. */
static enum cause cause_at_reference(const struct sim *s,
				     const struct judge_opts *o,
				     const struct look *l)
{
	const struct sim_node *n = &s->nodes[o->ours];

	if (sim_reference_heard_late(s->nodes[o->reference].reference,
				     l->number))
		return CAUSE_LATE;
	if (l->kernel->is_alive)
		return CAUSE_OURS;
	if (l->kernel->changed_ms <= n->started_ms)
		return CAUSE_NOBODY;
	return l->kernel->changed_ms <= n->met_ms &&
			       s->resend_queue_size <= RING_SMALL
		       ? CAUSE_ALONE
		       : CAUSE_OURS;
}

static const char *what_is_wrong(const struct look *l)
{
	if (!l->kernel->is_alive)
		return "zombie";
	if (!l->is_held)
		return "lost";
	return is_merged(l) ? "merged" : "stale";
}

static void look_at_ours(struct sim *s, const struct judge_opts *o,
			 uint32_t number, uint32_t n[CAUSE_N],
			 char why[WHY_SIZE])
{
	const struct sim_reference *r = s->nodes[o->reference].reference;
	enum cause cause;
	struct look l;

	look_at(s, o->reference, o->ours, number, &l);
	if (l.is_right)
		return;
	cause = cause_at_ours(s, o, &l);
	if (cause == CAUSE_OURS && !n[cause])
		snprintf(why, WHY_SIZE, "%s: flow %u of the reference, %s",
			 what_is_wrong(&l), number,
			 fate_names[sim_reference_fate(r, number)]);
	n[cause]++;
}

static void look_at_reference(struct sim *s, const struct judge_opts *o,
			      uint32_t number, uint32_t n[CAUSE_N],
			      char why[WHY_SIZE])
{
	enum cause cause;
	struct look l;

	look_at(s, o->ours, o->reference, number, &l);
	if (l.is_right)
		return;
	cause = cause_at_reference(s, o, &l);
	if (cause == CAUSE_OURS && !n[cause])
		snprintf(why, WHY_SIZE, "%s: flow %u of ours at the reference",
			 what_is_wrong(&l), number);
	n[cause]++;
}

bool judge(struct sim *s, const struct judge_opts *o, uint32_t n[CAUSE_N],
	   char why[WHY_SIZE])
{
	memset(n, 0, sizeof(*n) * CAUSE_N);
	for (uint32_t i = 0; i < o->n_flows; i++) {
		look_at_ours(s, o, i, n, why);
		look_at_reference(s, o, i, n, why);
	}
	return n[CAUSE_OURS] == 0;
}
