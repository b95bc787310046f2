/* SPDX-License-Identifier: ISC */
/* What the nodes know of each other's flows, against what is true. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

/* A flow as the wire carries it: two with the same image are equal for all who
 * get them. */
struct image {
	uint8_t bytes[512];
	struct wr w;
};

static void take_image(const struct sim *s, const struct flow *f,
		       struct image *out)
{
	const struct wire_flow_opts opts = { .helpers = s->helpers,
					     .send_timeout = true };

	out->w = (struct wr){ .buf = out->bytes, .size = sizeof(out->bytes) };
	wire_flow_encode(&out->w, &opts, f);
}

bool sim_same_on_wire(const struct sim *s, const struct flow *a,
		      const struct flow *b)
{
	struct image x, y;

	take_image(s, a, &x);
	take_image(s, b, &y);
	return x.w.used == y.w.used && memcmp(x.bytes, y.bytes, x.w.used) == 0;
}

/* NULL, or what is wrong with the flow of node in the cache of other. */
static const char *compare(struct sim *s, int node, int other, uint32_t number,
			   const struct flow *f)
{
	struct flow_cache *c = s->nodes[other].external_cache;
	uint32_t id = flow_cache_find(c, f);
	const char *what = "lost";
	struct flow held;

	if (id != FLOW_CACHE_NO_ID) {
		flow_cache_get(c, id, &held);
		if (sim_same_on_wire(s, f, &held))
			return NULL;
		what = "stale";
	}
	snprintf(s->why, sizeof(s->why), "%s: flow %u of node %d at node %d",
		 what, number, node, other);
	return s->why;
}

/* A flow that the node's own cache had no room for is not told to others. */
static bool is_known(const struct sim_node *n, const struct flow *f)
{
	return !n->internal ||
	       flow_cache_stats(n->internal)->n_create_no_space == 0 ||
	       flow_cache_find(n->internal, f) != FLOW_CACHE_NO_ID;
}

/* The flows of node at other; adds how many there should be. */
static const char *compare_all(struct sim *s, int node, int other,
			       uint32_t *n_expected)
{
	struct sim_node *n = &s->nodes[node];
	const char *why;
	struct flow f;

	for (uint32_t i = 0; i < n->kernel.size; i++) {
		if (!n->kernel.flows[i].is_alive)
			continue;
		sim_flow_value(&n->kernel.flows[i], node, i, s->helpers, &f);
		if (!is_known(n, &f))
			continue;
		++*n_expected;
		why = compare(s, node, other, i, &f);
		if (why)
			return why;
	}
	return NULL;
}

static bool is_down(const struct sim *s, int node)
{
	return node >= 0 && node < s->n_nodes && !s->nodes[node].is_up;
}

/* Entries of node that it got from others, without those of nodes that are
 * down. */
static uint32_t count_held(const struct sim *s, int node)
{
	struct flow_cache *c = s->nodes[node].external_cache;
	uint32_t id = FLOW_CACHE_NO_ID, n = 0;

	while ((id = flow_cache_next(c, id)) != FLOW_CACHE_NO_ID) {
		struct flow f;

		if (flow_cache_head(c, id)->state == ENTRY_FREE)
			continue;
		flow_cache_get(c, id, &f);
		n += !is_down(s, sim_flow_machine(&f));
	}
	return n;
}

/* Names the first entry of node that no kernel has. */
static void name_zombie(struct sim *s, int node, char *out, size_t size)
{
	struct flow_cache *c = s->nodes[node].external_cache;
	uint32_t id = FLOW_CACHE_NO_ID;

	while ((id = flow_cache_next(c, id)) != FLOW_CACHE_NO_ID) {
		const struct entry_head *h = flow_cache_head(c, id);
		const struct sim_flow *k = NULL;
		struct flow f;
		int machine;

		if (h->state == ENTRY_FREE)
			continue;
		flow_cache_get(c, id, &f);
		machine = sim_flow_machine(&f);
		if (machine >= 0 && machine < s->n_nodes)
			k = sim_kernel_flow(&s->nodes[machine].kernel,
					    sim_flow_number(&f));
		if ((k && k->is_alive) || is_down(s, machine))
			continue;
		snprintf(out, size,
			 ": flow %u of node %d, owner %u, generation %u",
			 sim_flow_number(&f), machine, h->owner, h->generation);
		return;
	}
}

const char *sim_difference(struct sim *s)
{
	for (int i = 0; i < s->n_nodes; i++) {
		uint32_t n_expected = 0, n_held;
		const char *why = NULL;

		if (!s->nodes[i].is_up)
			continue;
		for (int k = 0; k < s->n_nodes && !why; k++)
			if (k != i && s->nodes[k].is_up)
				why = compare_all(s, k, i, &n_expected);
		if (why)
			return why;
		n_held = count_held(s, i);
		if (n_held == n_expected)
			continue;
		snprintf(s->why, sizeof(s->why),
			 "zombies: node %d has %u entries of others, not %u", i,
			 n_held, n_expected);
		name_zombie(s, i, s->why + strlen(s->why),
			    sizeof(s->why) - strlen(s->why));
		return s->why;
	}
	return NULL;
}

/* A look at the counts alone tells most of what is not complete yet. */
static bool is_counted_right(const struct sim *s, int node)
{
	uint32_t n = 0;

	for (int i = 0; i < s->n_nodes; i++) {
		const struct sim_node *other = &s->nodes[i];

		if (!other->is_up || !other->internal ||
		    flow_cache_stats(other->internal)->n_create_no_space)
			return true; /* or it cannot be told so easily */
		n += i == node ? 0 : other->kernel.n_alive;
	}
	return flow_cache_stats(s->nodes[node].external_cache)->n_active == n;
}

bool sim_is_complete(struct sim *s)
{
	for (int i = 0; i < s->n_nodes; i++)
		if (s->nodes[i].is_up && !is_counted_right(s, i))
			return false;
	return !sim_difference(s);
}
