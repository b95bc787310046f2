/* SPDX-License-Identifier: ISC */
/* sim.h - FT-FW nodes in virtual time over a lossy link: engines, caches and
 * external sides as the daemon has them, without sockets and clock. */
#ifndef TESTS_UNIT_SIM_H
#define TESTS_UNIT_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/flow_cache.h"
#include "sync/engine.h"
#include "sync/external.h"

enum { SIM_NODES_MAX = 8, SIM_PAYLOAD = 1472 };

struct sim_faults {
	unsigned int loss, duplicate, reorder; /* percent of datagrams */
	unsigned int bit_error;                /* percent of datagrams */
	int64_t delay_ms;
	int64_t delay_spread_ms;   /* of reordered ones */
	uint32_t datagrams_per_ms; /* of each node's link; 0: no limit */
};

struct sim_node {
	struct engine *engine;
	struct flow_cache *internal;
	struct flow_cache *external_cache;
	struct external external;
	uint64_t n_sent, n_recv, n_malformed;
	bool is_up;
	int number;
	uint32_t sent_this_ms;
	int64_t sent_ms;
	uint64_t events[ENGINE_EVENT_N];
};

struct sim_datagram;

struct sim {
	struct sim_node nodes[SIM_NODES_MAX];
	int n_nodes;
	int64_t now_ms;
	uint64_t random;
	struct sim_faults faults;
	bool is_cut[SIM_NODES_MAX];     /* hears nothing and is not heard */
	struct sim_datagram *in_flight; /* sorted by time */
	uint32_t resend_queue_size, ack_window;
	uint32_t cache_limit; /* of the caches made from now on */
	/* Hears every datagram that a node sends. */
	void (*tap)(void *ctx, int from, const uint8_t *bytes, size_t len);
	void *tap_ctx;
	bool has_first_seq;
	uint32_t first_seq; /* of the nodes started from now on */
};

void sim_init(struct sim *s, uint64_t seed, int n_nodes);
void sim_fini(struct sim *s);

/* Starts a node with empty caches, or after sim_kill() its next life. */
void sim_start(struct sim *s, int node);
/* kill -9: caches and engine are gone. */
void sim_kill(struct sim *s, int node);

/* The kernel of a node has a new flow, a change of it, its end. number names
 * the flow: flows of different nodes differ. */
void sim_flow_new(struct sim *s, int node, uint32_t number);
void sim_flow_update(struct sim *s, int node, uint32_t number, uint32_t mark);
void sim_flow_end(struct sim *s, int node, uint32_t number);
/* The flow is found in the kernel's table at start: cached, not sent. */
void sim_flow_dumped(struct sim *s, int node, uint32_t number);

/* A datagram arrives at node to, as if it came from the place of a node, or
 * from nobody's (a number of SIM_NODES_MAX and up). */
void sim_forge(struct sim *s, int from, int to, const uint8_t *bytes,
	       size_t len);

uint64_t sim_random(struct sim *s, uint64_t below);

/* Lets time pass. */
void sim_run(struct sim *s, int64_t ms);
/* The same, until check is true; false if it was not within limit_ms. */
bool sim_run_until(struct sim *s, int64_t limit_ms,
		   bool (*check)(struct sim *s));

/* The property: every live node's external cache holds exactly what the
 * other live nodes' internal ones hold. */
bool sim_is_complete(struct sim *s);

#endif
