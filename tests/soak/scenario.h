/* SPDX-License-Identifier: ISC */
/* scenario.h - what happens to a random cluster, drawn from a seed and written
 * down, so that parts of it can be left out and the rest stays the same. */
#ifndef SOAK_SCENARIO_H
#define SOAK_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim.h"

/* What may be left out. */
enum feature {
	WITH_LOSS,
	WITH_DUPLICATE,
	WITH_REORDER,
	WITH_BITS,      /* wrong ones */
	WITH_DELAY,     /* up to seconds */
	WITH_SLOW,      /* links with little room */
	WITH_KILL,      /* kill -9, with and without a pause */
	WITH_REBOOT,    /* the kernel's flows are gone too */
	WITH_PARTITION, /* a node, or half of the cluster */
	WITH_ONEWAY,    /* cuts */
	WITH_LINK,      /* changes of link */
	WITH_ASK,       /* -B, -n, -f external with -n */
	WITH_RING,      /* small resend queues */
	WITH_LIMIT,     /* small caches */
	WITH_WRAP,      /* of sequence numbers */
	WITH_NEAR,      /* all begin with nearly the same number */
	WITH_IMAGE,     /* two nodes of one stable name */
	WITH_RENAME,    /* the stable name changes at a restart */
	WITH_LOST,      /* a node is down in the end */
	FEATURE_N
};
#define FEATURES_ALL ((UINT32_C(1) << FEATURE_N) - 1)

const char *feature_name(enum feature f);

enum action {
	ACT_NOTHING,
	ACT_WEATHER,
	ACT_KILL,
	ACT_RESUME, /* if it is down */
	ACT_RESTART,
	ACT_REBOOT,
	ACT_RENAME, /* and restart */
	ACT_ISOLATE,
	ACT_SPLIT,
	ACT_CUT_WAY, /* from node to other */
	ACT_HEAL,    /* all cuts */
	ACT_LINK_DOWN,
	ACT_LINK_UP,
	ACT_BULK,
	ACT_RESYNC,
	ACT_FLUSH, /* -f external, then -n */
	ACTION_N
};

/* An action, and what the kernels do in the time after it. */
struct step {
	enum action what;
	int node, other, link;
	struct sim_faults weather;
	uint32_t first_seq; /* of a node that starts, ... */
	bool is_reference;  /* ... of what kind, ... */
	bool asks;          /* ... and with StartupResync */
	int64_t ms;
	uint32_t busy;    /* bits of nodes whose flows change, ... */
	uint32_t per_s;   /* ... so often */
	uint32_t n_flows; /* that change */
	uint64_t seed;    /* which, and how */
};

enum { STEPS_MAX = 48 };

struct scenario {
	uint64_t seed;
	bool has_reference; /* node 1 may be one; a pair only */
	int n_nodes;
	uint32_t resend_queue_size, ack_window, cache_limit, n_flows;
	int image_of[SIM_NODES_MAX]; /* node whose name it has */
	struct sim_faults weather;   /* at first */
	uint32_t up;                 /* bits of nodes that start at once */
	uint32_t first_seq[SIM_NODES_MAX]; /* of those, */
	uint32_t last_seq[SIM_NODES_MAX];  /* and of who starts at last */
	struct step steps[STEPS_MAX];
	int n_steps;
	int lost;               /* node that is down in the end, or -1 */
	struct sim_faults last; /* weather in which all must be repaired */
};

/* Draws the scenario of a seed; of what is not in features (bits) nothing
 * happens, the rest is the same. has_reference: of a pair whose second node is
 * a reference most of the time. */
void scenario_draw(struct scenario *c, uint64_t seed, uint32_t features,
		   bool has_reference);

/* What happens in a step, in one line without its end. */
void step_print(const struct step *t, FILE *out);
void scenario_print(const struct scenario *c, FILE *out);

#endif
