/* SPDX-License-Identifier: ISC */
#include "idle.h"

#include <inttypes.h>

#include "sync/mode.h"
#include "trace.h"

enum {
	START_MS = 5000, /* between the first and the last start, at most */
	SETTLE_MS = 60000,
	IDLE_MS = 100000,
	REPAIR_MS = 60000,
	MOST_PER_S = 5,
	/* a bulk is not complete if one datagram is lost: on a bad link it
	 * takes several, with longer and longer pauses */
	MOST_PER_S_NOTRACK = 12,
	SENT_MOST = 500000,
};

static void start(struct sim *s, uint64_t seed, node_engine_fn *mode,
		  const struct sim_watch *watch)
{
	static const uint32_t windows[] = { 1, 20, 300 };
	uint32_t n_flows;

	sim_init(s, seed, 2);
	s->mode = mode;
	s->watch = watch;
	s->n_nodes = 2 + (int)sim_random(s, SIM_NODES_MAX - 1);
	s->ack_window = windows[sim_random(s, 3)];
	s->sent_most = SENT_MOST;
	s->faults.loss = (unsigned int)sim_random(s, 31);
	s->faults.delay_ms = (int64_t)sim_random(s, 5);
	n_flows = (uint32_t)sim_random(s, 200);
	for (int i = 0; i < s->n_nodes; i++) {
		sim_start(s, i);
		for (uint32_t k = 0; k < n_flows; k++)
			sim_flow_dumped(s, i, k);
		sim_run(s, (int64_t)sim_random(s, START_MS / SIM_NODES_MAX));
	}
}

struct count {
	uint64_t n_sent, n_gone; /* peers that were silent or deaf */
};

static struct count count(const struct sim_node *n)
{
	return (struct count){ n->n_sent, n->events[ENGINE_PEER_SILENT] +
						  n->events[ENGINE_PEER_DEAF] };
}

static bool is_idle(struct sim *s, const struct count *before,
		    char why[WHY_SIZE])
{
	uint64_t most_per_s =
		s->mode == mode_notrack ? MOST_PER_S_NOTRACK : MOST_PER_S;
	unsigned int loss = s->faults.loss;

	for (int i = 0; i < s->n_nodes; i++) {
		struct count now = count(&s->nodes[i]);
		uint64_t n = now.n_sent - before[i].n_sent;

		/* If ten signs of life in a row were lost, or all answers for
		 * as long, there is a bulk. */
		if (n <= most_per_s * IDLE_MS / 1000 ||
		    now.n_gone != before[i].n_gone)
			continue;
		snprintf(why, WHY_SIZE,
			 "restless: node %d of %d sent %" PRIu64
			 " datagrams in %d s, loss %u %%",
			 i, s->n_nodes, n, IDLE_MS / 1000, loss);
		return false;
	}
	for (int i = 0; i < s->n_nodes; i++) {
		uint64_t n_swept = sim_stats(s, i).n_swept;

		if (!n_swept)
			continue;
		snprintf(why, WHY_SIZE,
			 "swept: node %d of %d lost %" PRIu64
			 " living entries, loss %u %%",
			 i, s->n_nodes, n_swept, loss);
		return false;
	}
	s->faults.loss = 0;
	if (sim_run_until(s, REPAIR_MS, sim_is_complete))
		return true;
	snprintf(why, WHY_SIZE, "%s, of %d, loss was %u %%", sim_difference(s),
		 s->n_nodes, loss);
	return false;
}

bool play_idle(uint64_t seed, const struct play_opts *o, char why[WHY_SIZE])
{
	struct count before[SIM_NODES_MAX];
	struct sim_watch watch;
	struct sim s;
	struct trace t = { .out = o->trace,
			   .has_datagrams = o->has_datagrams,
			   .sim = &s };
	bool ok;

	trace_watch(&t, &watch);
	start(&s, seed, o->mode, o->trace ? &watch : NULL);
	sim_run(&s, SETTLE_MS);
	for (int i = 0; i < s.n_nodes; i++)
		before[i] = count(&s.nodes[i]);
	sim_run(&s, IDLE_MS);
	ok = is_idle(&s, before, why);
	trace_nodes(o->trace, &s);
	sim_fini(&s);
	return ok;
}
