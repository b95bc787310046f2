/* SPDX-License-Identifier: ISC */
/* sim_kernel.h - the flows of a machine as its kernel has them; they outlive
 * the daemon. Every field of a flow follows from its number and history, so a
 * few bytes are kept of each. */
#ifndef UNIT_SIM_KERNEL_H
#define UNIT_SIM_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flow.h"
#include "base/names.h"

enum { SIM_FLOWS_MAX = 1 << 24 };

struct sim_flow {
	uint32_t mark; /* once it was updated */
	uint32_t changed_ms;
	uint16_t life;   /* of this key: another one, another translation */
	bool is_alive;   /* in the table now */
	bool is_updated; /* since its life began */
};

/* A zeroed one is empty. */
struct sim_kernel {
	struct sim_flow *flows; /* by number */
	uint32_t size;
	uint32_t n_alive;
};

void sim_kernel_fini(struct sim_kernel *k);

/* A flow begins, also in place of one that ended unseen; it changes, or is
 * first seen by a change; it ends. number is below SIM_FLOWS_MAX. */
void sim_kernel_begin(struct sim_kernel *k, uint32_t number, int64_t now_ms);
void sim_kernel_update(struct sim_kernel *k, uint32_t number, uint32_t mark,
		       int64_t now_ms);
void sim_kernel_end(struct sim_kernel *k, uint32_t number, int64_t now_ms);
/* All flows are gone. */
void sim_kernel_clear(struct sim_kernel *k, int64_t now_ms);

/* The flow of that number, or NULL if there never was one. */
const struct sim_flow *sim_kernel_flow(const struct sim_kernel *k,
				       uint32_t number);

/* What the kernel of this machine reports of the flow: IPv4 and IPv6, seven
 * protocols, with and without NAT of either end, master, helper, labels, window
 * scale, zone, and so on: all that the wire carries is in some.
 * Flows of different machines differ in their keys. */
void sim_flow_value(const struct sim_flow *k, int machine, uint32_t number,
		    struct names *helpers, struct flow *out);

/* The machine whose flow this is, or -1. */
int sim_flow_machine(const struct flow *f);
/* Its number there. */
uint32_t sim_flow_number(const struct flow *f);

#endif
