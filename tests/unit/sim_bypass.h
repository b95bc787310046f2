/* SPDX-License-Identifier: ISC */
/* sim_bypass.h - a node without an internal cache: its kernel tells of changes,
 * and of all there is in a dump that takes no time. */
#ifndef UNIT_SIM_BYPASS_H
#define UNIT_SIM_BYPASS_H

#include "sync/bypass.h"

struct sim_bypass {
	struct bypass b;
	struct kernel_ops ops;
	uint32_t asked[BYPASS_ASK_STEP]; /* cookies of questions */
	int n_asked;
	bool is_dump_wanted;
	void (*touch)(void *ctx, uint32_t id, enum touch how);
	void *ctx;
};

/* NULL if there is no memory. touch: as bypass_opts has it. */
struct sim_bypass *
sim_bypass_new(struct flow_cache *untold, const struct filter *filter,
	       void (*touch)(void *ctx, uint32_t id, enum touch how),
	       void *ctx);
void sim_bypass_free(struct sim_bypass *s); /* accepts NULL */

#endif
