/* SPDX-License-Identifier: ISC */
/* ct_walk.h - the kernel's conntrack table row by row, for somebody who takes
 * his time over it: a dump on a socket of its own that goes on when it is
 * asked for the next row, and waits for nothing. */
#ifndef NETLINK_CT_WALK_H
#define NETLINK_CT_WALK_H

#include "netlink/ct_kernel.h"

struct ct_walk;

/* Begins one; k outlives it. 0 or a negative errno value. */
NODISCARD int ct_walk_open(const struct ct_kernel *k, struct ct_walk **out);
void ct_walk_close(struct ct_walk *w); /* accepts NULL */

/* The next row; some may come twice, or not at all, if the kernel resizes its
 * table meanwhile. 1: *out is written; 0: there is none left; or a negative
 * errno value, for good. */
NODISCARD int ct_walk_next(struct ct_walk *w, struct flow *out);

#endif
