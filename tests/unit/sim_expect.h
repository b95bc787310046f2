/* SPDX-License-Identifier: ISC */
/* sim_expect.h - the expectations of simulated machines: some flows have one
 * for as long as they live, and every field of it follows from its flow. */
#ifndef UNIT_SIM_EXPECT_H
#define UNIT_SIM_EXPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "cache/expect_cache.h"
#include "sim_kernel.h"

/* What the flow of this number expects, as sim_flow_value() made it; false: it
 * expects nothing. */
bool sim_expect_value(const struct sim_flow *k, uint32_t number,
		      const struct flow *flow, struct expect *out);

/* NULL if two are the same to whoever gets them by the wire, or the first thing
 * that is not. */
const char *sim_expect_difference(const struct expect *a,
				  const struct expect *b);

/* Those in a cache, without those of machines for which the bit of is_down is
 * set. */
uint32_t sim_expect_count(struct flow_cache *c, uint64_t is_down);

#endif
