/* SPDX-License-Identifier: ISC */
/* sim.h - nodes of one mode in virtual time: the daemon's `struct node` with
 * its caches, without sockets and clock. Time goes from event to event: a node
 * runs when the daemon would, that is when a datagram or a change came, its
 * engine is due, or its link takes more. */
#ifndef UNIT_SIM_H
#define UNIT_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/flow_cache.h"
#include "sim_bypass.h"
#include "sim_kernel.h"
#include "sim_reference.h"
#include "sync/node.h"

enum { SIM_NODES_MAX = 8, SIM_LINKS_MAX = 3, SIM_PAYLOAD = 1472 };

struct sim_faults {
	unsigned int loss, duplicate, reorder; /* percent of datagrams */
	unsigned int bit_error;                /* percent of datagrams */
	int64_t delay_ms;
	int64_t delay_spread_ms; /* of reordered ones */
	/* Of each node's link; 0: no limit. What would wait longer than
	 * queue_ms for it is not taken (EAGAIN), or lost on the way. */
	uint32_t bytes_per_s;
	int64_t queue_ms;
	bool drops_overflow;
};

struct sim_node {
	struct node *node;           /* NULL: it is down, or a reference */
	struct engine *engine;       /* of node, for tests that look inside */
	struct flow_cache *internal; /* NULL like node */
	struct flow_cache *external_cache;
	struct sim_bypass *bypass;       /* it has no internal cache */
	struct sim_reference *reference; /* a modelled one runs there */
	int number;
	bool is_up;
	uint32_t n_lives;
	uint64_t node_id;   /* of its present or last life */
	int64_t started_ms; /* the same */
	int64_t heard_ms;   /* its first datagram in this life; 0: none yet */
	int64_t met_ms;     /* somebody was heard to hear it; 0: nobody yet */
	uint8_t name[EXT_NAME_SIZE]; /* stable name of the lives to come */
	struct sim_kernel kernel;
	uint8_t link; /* the one it sends on; it hears on all */
	bool is_link_down[SIM_LINKS_MAX];

	uint64_t n_sent, n_bytes_sent, n_recv;
	uint64_t n_malformed; /* in its earlier lives */
	uint64_t n_turns;     /* of its loop */
	uint64_t events[ENGINE_EVENT_N];

	int64_t second_ms;             /* since its timer of a second came */
	int64_t wake_us;               /* its next turn */
	int64_t ready_us;              /* not before */
	int64_t free_us;               /* its link has sent all it took */
	uint8_t kept[2 * SIM_PAYLOAD]; /* a datagram the link did not take */
	size_t kept_len;
	struct sim *sim;
};

struct sim_datagram;

/* Hears of what happens; any of them may be NULL. */
struct sim_watch {
	void *ctx;
	void (*sent)(void *ctx, int from, const uint8_t *bytes, size_t len);
	void (*heard)(void *ctx, int from, int to, const uint8_t *bytes,
		      size_t len);
	void (*event)(void *ctx, int node, enum engine_event what,
		      const struct peer *p);
};

struct sim {
	struct sim_node nodes[SIM_NODES_MAX];
	int n_nodes;
	int64_t now_ms;
	int64_t now_us; /* within the millisecond */
	uint64_t random;
	struct sim_faults faults;
	bool is_cut[SIM_NODES_MAX]; /* hears nothing and is not heard */
	bool is_cut_way[SIM_NODES_MAX][SIM_NODES_MAX]; /* from, to */
	/* Of the nodes started from now on. */
	node_engine_fn *mode; /* mode_ftfw, at first */
	uint32_t refresh_s, cache_timeout_s;
	bool is_bypassed; /* without an internal cache */
	/* Some flows have an expectation (sim_expect.h). Not with references,
	 * nor without internal caches. */
	bool has_expectations;
	uint32_t resend_queue_size, ack_window;
	uint32_t cache_limit;
	bool has_first_seq;
	uint32_t first_seq;
	/* Hears every datagram that a node sends. */
	void (*tap)(void *ctx, int from, const uint8_t *bytes, size_t len);
	void *tap_ctx;
	const struct sim_watch *watch;
	/* What is sent beyond that is lost: a storm has an end. 0: no limit. */
	uint64_t sent_most;
	uint64_t n_sent; /* of all nodes */

	struct names *helpers;           /* of all nodes */
	struct filter *filter;           /* the same: lets all pass */
	struct sim_datagram **in_flight; /* a heap by time */
	size_t n_in_flight, in_flight_size;
	uint64_t n_posted;
	char why[160]; /* of sim_difference() */
};

/* Seeds give different runs; one seed always the same. */
void sim_init(struct sim *s, uint64_t seed, int n_nodes);
void sim_fini(struct sim *s);

/* Boots a node, or its next life: its kernel and its caches are empty. */
void sim_start(struct sim *s, int node);
/* kill -9: caches and engine are gone, the kernel's flows go on. */
void sim_kill(struct sim *s, int node);
/* The daemon starts, and finds in a dump what the kernel has. */
void sim_resume(struct sim *s, int node);
/* The same with a reference daemon; asks: with StartupResync. */
void sim_resume_reference(struct sim *s, int node, bool asks);

/* The kernel of a node has a new flow, a change of it, its end. number names
 * the flow: flows of different nodes differ. The node may be down. */
void sim_flow_new(struct sim *s, int node, uint32_t number);
void sim_flow_update(struct sim *s, int node, uint32_t number, uint32_t mark);
void sim_flow_end(struct sim *s, int node, uint32_t number);
/* The flow is found in the kernel's table at start: cached, not sent. */
void sim_flow_dumped(struct sim *s, int node, uint32_t number);

/* -B, -n, -f external. */
void sim_ask(struct sim *s, int node, enum ask what);
void sim_flush_external(struct sim *s, int node);

/* The carrier of a link comes or goes. Without one, the node goes over to
 * another link; so does it when it hears others there. */
void sim_set_link(struct sim *s, int node, int link, bool is_up);

/* A datagram arrives at node to, as if it came from the place of a node, or
 * from nobody's (a number of SIM_NODES_MAX and up). */
void sim_forge(struct sim *s, int from, int to, const uint8_t *bytes,
	       size_t len);

uint64_t sim_random(struct sim *s, uint64_t below);

/* Of a node that is up and no reference. */
struct node_stats sim_stats(struct sim *s, int node);
/* Malformed messages that came to it, in all its lives. */
uint64_t sim_malformed(struct sim *s, int node);

/* Lets time pass. */
void sim_run(struct sim *s, int64_t ms);
/* The same, until check is true; false if it was not within limit_ms. */
bool sim_run_until(struct sim *s, int64_t limit_ms,
		   bool (*check)(struct sim *s));

/* The property: every live node's external cache holds exactly what the
 * kernels of the other live nodes have (as far as their internal caches have
 * room), in every field that the wire carries. What is left of nodes that are
 * down is not looked at. sim_difference(): NULL, or what differs; the text
 * lives until the next call. */
bool sim_is_complete(struct sim *s);
const char *sim_difference(struct sim *s);
/* NULL if two flows are the same to whoever gets them by the wire, or the first
 * thing that is not. */
const char *sim_flow_difference(const struct flow *a, const struct flow *b);

#endif
