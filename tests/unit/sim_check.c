/* SPDX-License-Identifier: ISC */
/* What the nodes know of each other's flows, against what is true. */
#include <stdio.h>
#include <string.h>

#include "sim.h"
#include "sim_expect.h"

/* What a flow is to whoever gets it by the wire, besides its key and its
 * translation. It is said here once more, not taken from the tables of the
 * wire: what these forget is to be missed. */
#define AT(field) \
	offsetof(struct flow, field), sizeof(((struct flow *)0)->field)
static const struct {
	uint64_t bit;
	size_t offset, size;
	const char *name;
} fields[] = {
	{ FLOW_STATUS, AT(status), "status" },
	{ FLOW_TIMEOUT, AT(timeout_s), "timeout" },
	{ FLOW_MARK, AT(mark), "mark" },
	{ FLOW_TCP_STATE, AT(tcp_state), "TCP state" },
	{ FLOW_TCP_WSCALE_ORIG, AT(tcp_wscale_orig), "window scale" },
	{ FLOW_TCP_WSCALE_REPLY, AT(tcp_wscale_reply), "window scale back" },
	{ FLOW_SCTP_STATE, AT(sctp_state), "SCTP state" },
	{ FLOW_SCTP_VTAG_ORIG, AT(sctp_vtag_orig), "SCTP tag" },
	{ FLOW_SCTP_VTAG_REPLY, AT(sctp_vtag_reply), "SCTP tag back" },
	{ FLOW_DCCP_STATE, AT(dccp_state), "DCCP state" },
	{ FLOW_DCCP_ROLE, AT(dccp_role), "DCCP role" },
	{ FLOW_MASTER, AT(master.src), "master's source" },
	{ FLOW_MASTER, AT(master.dst), "master's destination" },
	{ FLOW_MASTER, AT(master.l4proto), "master's protocol" },
	{ FLOW_MASTER_PORTS, AT(master.sport), "master's source port" },
	{ FLOW_MASTER_PORTS, AT(master.dport), "master's destination port" },
	{ FLOW_HELPER, AT(helper), "helper" },
	{ FLOW_LABELS, AT(labels), "labels" },
	{ FLOW_SEQADJ_ORIG, AT(seqadj_orig), "shift" },
	{ FLOW_SEQADJ_REPLY, AT(seqadj_reply), "shift back" },
	{ FLOW_SYNPROXY, AT(synproxy), "synproxy" },
};
#undef AT

static bool same_addr(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* What a kernel would make of it: the status says which of the addresses and
 * ports that differ from the untranslated ones count. */
static bool same_translation(const struct flow *a, const struct flow *b)
{
	unsigned int nat = flow_nat(a);

	if (nat != flow_nat(b))
		return false;
	return (!(nat & NAT_SRC_ADDR) ||
		same_addr(&a->reply.dst, &b->reply.dst)) &&
	       (!(nat & NAT_DST_ADDR) ||
		same_addr(&a->reply.src, &b->reply.src)) &&
	       (!(nat & NAT_SRC_PORT) || a->reply.dport == b->reply.dport) &&
	       (!(nat & NAT_DST_PORT) || a->reply.sport == b->reply.sport);
}

const char *sim_flow_difference(const struct flow *a, const struct flow *b)
{
	if (!flow_same_key(a, b))
		return "key";
	if (!same_translation(a, b))
		return "translation";
	for (size_t i = 0; i < N_ELEMENTS(fields); i++) {
		const char *in_a = (const char *)a + fields[i].offset;
		const char *in_b = (const char *)b + fields[i].offset;
		uint64_t bit = fields[i].bit;

		if ((a->has & bit) != (b->has & bit) ||
		    ((a->has & bit) && memcmp(in_a, in_b, fields[i].size) != 0))
			return fields[i].name;
	}
	return NULL;
}

/* NULL, or what is wrong with the flow of node in the cache of other. */
static const char *compare(struct sim *s, int node, int other, uint32_t number,
			   const struct flow *f)
{
	struct flow_cache *c = s->nodes[other].external_cache;
	uint32_t id = flow_cache_find(c, f);
	const char *field;
	struct flow held;

	if (id == FLOW_CACHE_NO_ID) {
		snprintf(s->why, sizeof(s->why),
			 "lost: flow %u of node %d at node %d", number, node,
			 other);
		return s->why;
	}
	flow_cache_get(c, id, &held);
	field = sim_flow_difference(f, &held);
	if (!field)
		return NULL;
	snprintf(s->why, sizeof(s->why),
		 "stale: flow %u of node %d at node %d: %s", number, node,
		 other, field);
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

		if (flow_cache_head(c, id)->state == ENTRY_FREE ||
		    flow_cache_kind(c, id) == OBJECT_EXPECT)
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

		if (h->state == ENTRY_FREE ||
		    flow_cache_kind(c, id) == OBJECT_EXPECT)
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

/* NULL, or what is wrong with what a flow of node expects, at other;
 * *n_expected counts what should be there. */
static const char *compare_expect(struct sim *s, int node, int other,
				  uint32_t number, uint32_t *n_expected)
{
	struct sim_node *n = &s->nodes[node];
	const struct sim_flow *k = &n->kernel.flows[number];
	struct flow_cache *c = s->nodes[other].external_cache;
	const char *field = "it is lost";
	struct expect e, held;
	struct flow f;
	uint32_t id;

	sim_flow_value(k, node, number, s->helpers, &f);
	if (!sim_expect_value(k, number, &f, &e) ||
	    (flow_cache_stats(n->internal)->n_create_no_space > 0 &&
	     expect_cache_find(n->internal, &e) == FLOW_CACHE_NO_ID))
		return NULL;
	++*n_expected;
	id = expect_cache_find(c, &e);
	if (id != FLOW_CACHE_NO_ID) {
		expect_cache_get(c, id, &held);
		field = sim_expect_difference(&e, &held);
	}
	if (!field)
		return NULL;
	snprintf(s->why, sizeof(s->why),
		 "expectation of flow %u of node %d at node %d: %s", number,
		 node, other, field);
	return s->why;
}

/* NULL, or what is wrong with the expectations that a node has of others. */
static const char *compare_expects_at(struct sim *s, int node)
{
	uint32_t n_expected = 0, n_held;
	uint64_t down = 0;

	for (int k = 0; k < s->n_nodes; k++) {
		const struct sim_kernel *kernel = &s->nodes[k].kernel;

		down |= (uint64_t)is_down(s, k) << k;
		for (uint32_t i = 0; i < kernel->size; i++) {
			const char *why = NULL;

			if (k != node && s->nodes[k].is_up &&
			    kernel->flows[i].is_alive)
				why = compare_expect(s, k, node, i,
						     &n_expected);
			if (why)
				return why;
		}
	}
	n_held = sim_expect_count(s->nodes[node].external_cache, down);
	if (n_held == n_expected)
		return NULL;
	snprintf(s->why, sizeof(s->why),
		 "zombies: node %d has %u expectations of others, not %u", node,
		 n_held, n_expected);
	return s->why;
}

static const char *compare_flows_at(struct sim *s, int node)
{
	uint32_t n_expected = 0, n_held;
	const char *why = NULL;

	for (int k = 0; k < s->n_nodes && !why; k++)
		if (k != node && s->nodes[k].is_up)
			why = compare_all(s, k, node, &n_expected);
	if (why)
		return why;
	n_held = count_held(s, node);
	if (n_held == n_expected)
		return NULL;
	snprintf(s->why, sizeof(s->why),
		 "zombies: node %d has %u entries of others, not %u", node,
		 n_held, n_expected);
	name_zombie(s, node, s->why + strlen(s->why),
		    sizeof(s->why) - strlen(s->why));
	return s->why;
}

const char *sim_difference(struct sim *s)
{
	for (int i = 0; i < s->n_nodes; i++) {
		const char *why;

		if (!s->nodes[i].is_up)
			continue;
		why = compare_flows_at(s, i);
		if (!why && s->has_expectations)
			why = compare_expects_at(s, i);
		if (why)
			return why;
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
